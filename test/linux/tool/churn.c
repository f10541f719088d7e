/* SPDX-License-Identifier: MIT */
/*
 * churn free           the host's free pages
 * churn rounds N [P]   N times: create a domain of two vCPUs, give it P frames (256) and a port,
 *                      destroy it; the free pages before, after each quarter, after; the time of
 *                      the middle one of up to 1,000 rounds
 */
#include "hcall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 4096
#define TIMES_MAX  1000
static xen_pfn_t frames[FRAMES_MAX];
static uint64_t times[TIMES_MAX];

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static long one_round(uint64_t pages)
{
    struct evtchn_alloc_unbound port = {.remote_dom = DOMID_SELF};
    long dom = hcall_create(2, pages + 16), got, rc;

    if (dom < 0)
        return dom;
    got = hcall_populate((uint32_t)dom, pages, frames);
    port.dom = (domid_t)dom;
    rc = hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uint64_t)&port, 0, 0, 0);
    if (rc == 0 && got != (long)pages)
        rc = -12;
    got = hcall_destroy((uint32_t)dom);
    return rc != 0 ? rc : got;
}

int main(int argc, char **argv)
{
    long i, rounds = argc > 2 ? atol(argv[2]) : 0, rc;
    uint64_t pages = argc > 3 ? (uint64_t)atol(argv[3]) : 256, before, settled;

    hcall_init();
    if (argc > 1 && strcmp(argv[1], "free") == 0) {
        printf("%lu\n", hcall_free_pages());
        return 0;
    }
    if (rounds < 1 || pages > FRAMES_MAX) {
        fprintf(stderr, "churn: bad arguments\n");
        return 2;
    }
    before = hcall_free_pages();
    for (i = 1; i <= rounds; i++) {
        times[(i - 1) % TIMES_MAX] = now();
        rc = one_round(pages);
        times[(i - 1) % TIMES_MAX] = now() - times[(i - 1) % TIMES_MAX];
        if (rc != 0) {
            printf("CHURN round %ld failed: %ld\n", i, rc);
            return 1;
        }
        if (i % ((rounds + 3) / 4) == 0)
            printf("CHURN after %ld rounds %lu\n", i, hcall_free_pages());
    }
    i = rounds < TIMES_MAX ? rounds : TIMES_MAX;
    qsort(times, (size_t)i, sizeof(times[0]), compare);
    printf("CHURN round of %lu pages: %lu ns\n", pages, times[i / 2]);
    /* The last frames may still wait for their scrubbing. */
    for (i = 0; i < 50 && (settled = hcall_free_pages()) < before; i++)
        usleep(100000);
    printf("CHURN done %ld free before %lu after %lu\n", rounds, before, settled);
    return 0;
}
