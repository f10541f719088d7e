/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs on one CPU: what one has in its extended registers is nothing that the other can read,
 * also not when that one enables them for the first time; and each keeps its own.
 */
#include "guest.h"

#include <cpuid.h>

#define OSXSAVE (1ul << 18)
#define AVX     7u

static uint8_t mine[16][32], theirs[16][32], after[16][32];
static volatile uint32_t step;

static void enable(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | OSXSAVE));
    __asm__ volatile("xsetbv" : : "a"(AVX), "d"(0), "c"(0));
}

#define EACH(X)                                                                                    \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static void load(uint8_t (*from)[32])
{
#define LOAD(n) "vmovdqu " #n "*32(%0), %%ymm" #n "\n"
    __asm__ volatile(EACH(LOAD) : : "r"(from) : "memory");
}

static void store(uint8_t (*to)[32])
{
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*32(%0)\n"
    __asm__ volatile(EACH(STORE) : : "r"(to) : "memory");
}

static void second(void *arg)
{
    (void)arg;
    vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL);
    enable();
    store(theirs);
    step = 1;
    memset(after, 0x11, sizeof(after));
    load(after);
    step = 2;
    vcpu_stop(1);
}

static unsigned int bytes_set(uint8_t (*in)[32])
{
    unsigned int i, k, n = 0;

    for (i = 0; i < 16; i++)
        for (k = 0; k < 32; k++)
            n += in[i][k] != 0;
    return n;
}

void test_main(const char *args)
{
    unsigned int a, b, c, d;

    (void)args;
    __cpuid_count(0xd, 0, a, b, c, d);
    if ((a & AVX) != AVX) {
        skip("extended registers", "no AVX");
        return;
    }
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    enable();
    memset(mine, 0xa5, sizeof(mine));
    load(mine);
    check_eq("a second vCPU", vcpu_start(1, second, NULL), 0);
    while (step < 2)
        sched_op(SCHEDOP_yield, NULL);
    check_eq("bytes it found in registers it had just enabled", bytes_set(theirs), 0);
    store(after);
    check(memcmp(after, mine, sizeof(mine)) == 0, "the first has its own");
}
