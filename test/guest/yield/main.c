/* SPDX-License-Identifier: MIT */
/*
 * A vCPU that yields with nobody waiting for its CPU goes on at once; the others must get on all
 * the same. Where QEMU runs all CPUs in turn and counts their instructions (-icount), one that
 * never pauses takes every turn: a guest that waits for its console would stop dom0, which empties
 * it.
 */
#include "guest.h"

#define STEPS 1000u

static volatile uint64_t steps;

static void second(void *arg)
{
    unsigned int i;

    (void)arg;
    vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL);
    for (;;) {
        for (i = 0; i < 100000; i++)
            barrier();
        steps++;
    }
}

void test_main(const char *args)
{
    uint64_t begin, yields = 0;

    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    check_eq("a second vCPU", vcpu_start(1, second, NULL), 0);
    begin = now();
    while (steps < STEPS && now() - begin < 2000000000ul) {
        sched_op(SCHEDOP_yield, NULL);
        yields++;
    }
    note("%lu steps, %lu yields in %lu ms", steps, yields, (now() - begin) / 1000000);
    check(steps >= STEPS, "the other vCPU gets on while this one yields");
}
