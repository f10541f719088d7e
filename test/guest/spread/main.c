/* SPDX-License-Identifier: MIT */
/*
 * Three busy vCPUs share the two CPUs they may use, beside two idle ones they may not; and the same
 * with a soft affinity that names just those. None has a CPU of its own while two share the other:
 * each gets about two thirds. In counted instructions, as a busy host takes CPUs away.
 */
#include "domu.h"

#define VCPUS 3
#define MS    1000000ul

/* A while of the processor's time. QEMU gives the next processor its turn at the end. */
static void burn(void)
{
    unsigned int i;

    for (i = 0; i < 10000; i++)
        barrier();
    __asm__ volatile("pause");
}

static void spin(void *arg)
{
    (void)arg;
    for (;;)
        burn();
}

/* vCPU 2, for which there is no vcpu_start: straight to the loop. */
static long start_third(void)
{
    static uint8_t stack[512] __attribute__((aligned(16)));
    static struct vcpu_guest_context context;
    long rc;

    vcpu_context(&context, 1, spin, NULL);
    context.user_regs.rip = (uint64_t)spin;
    context.user_regs.rsp = (uint64_t)&stack[504];
    vcpu_info(2)->evtchn_upcall_mask = 1;
    rc = vcpu_op(VCPUOP_initialise, 2, &context);
    return rc ? rc : vcpu_op(VCPUOP_up, 2, NULL);
}

static void restrict_to(uint8_t hard, uint8_t soft)
{
    struct xen_domctl op;
    unsigned int i;

    for (i = 0; i < VCPUS; i++) {
        memset(&op, 0, sizeof(op));
        op.u.vcpuaffinity.vcpu = i;
        op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
        set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, &hard);
        set_xen_guest_handle(op.u.vcpuaffinity.cpumap_soft.bitmap, &soft);
        op.u.vcpuaffinity.cpumap_hard.nr_bits = op.u.vcpuaffinity.cpumap_soft.nr_bits = 4;
        check_eq("affinity", domctl(XEN_DOMCTL_setvcpuaffinity, &op), 0);
    }
}

static uint64_t ran(unsigned int id)
{
    struct vcpu_runstate_info r;

    if (vcpu_op(VCPUOP_get_runstate_info, id, &r) != 0)
        return 0;
    return r.time[RUNSTATE_running];
}

static void spins_until(uint64_t end)
{
    while (now() < end)
        burn();
}

static void shares(const char *name)
{
    uint64_t begin, from[VCPUS], share;
    unsigned int i;

    spins_until(now() + 300 * MS);
    begin = now();
    for (i = 0; i < VCPUS; i++)
        from[i] = ran(i);
    spins_until(begin + 1000 * MS);
    for (i = 0; i < VCPUS; i++) {
        share = (ran(i) - from[i]) * 1000 / (now() - begin);
        note("vCPU %u: %lu of 1000", i, share);
        check(share > 580 && share < 750, "%s: vCPU %u has two thirds of one", name, i);
    }
}

void test_main(const char *args)
{
    unsigned int i;

    (void)args;
    for (i = 0; i < VCPUS; i++)
        vcpu_op(VCPUOP_stop_periodic_timer, i, NULL);
    restrict_to(3, 15);
    check_eq("a second vCPU", vcpu_start(1, spin, NULL), 0);
    check_eq("a third", start_third(), 0);
    shares("others idle");
    restrict_to(3, 12);
    shares("soft affinity elsewhere");
}
