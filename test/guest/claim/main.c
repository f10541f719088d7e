/* SPDX-License-Identifier: MIT */
/*
 * A claim of all free memory while an idle CPU scrubs some of it: what is being scrubbed is free
 * all the same, so no claim is refused. Nor is an increase by the last free frames.
 */
#include "guest.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#define FRAMES 1500u
#define ROUNDS 20u
#define CLAIMS 100u

static uint64_t list[FRAMES];

/* Its CPU is idle most of the time, and looks for work whenever it becomes so. */
static void second(void *arg)
{
    struct sched_poll poll = {.nr_ports = 0};

    (void)arg;
    for (;;) {
        poll.timeout = now() + 100000;
        sched_op(SCHEDOP_poll, &poll);
    }
}

static uint64_t free_frames(uint64_t *unscrubbed)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s);
    *unscrubbed = s.u.physinfo.scrub_pages;
    return s.u.physinfo.free_pages;
}

static long reserve_order(unsigned int cmd, uint64_t nr, unsigned int order)
{
    struct xen_memory_reservation r = {.nr_extents = nr, .extent_order = order};

    if (cmd != XENMEM_claim_pages) {
        r.domid = DOMID_SELF;
        set_xen_guest_handle(r.extent_start, list);
    }
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)&r);
}

static long reserve(unsigned int cmd, uint64_t nr)
{
    return reserve_order(cmd, nr, 0);
}

/* All memory is this domain's, but for what is in list. The others' frames are never given back. */
static void take_all(void)
{
    static const unsigned int orders[] = {9, 4, 0};
    static uint64_t mine[FRAMES];
    unsigned int i;

    memcpy(mine, list, sizeof mine);
    for (i = 0; i < 3; i++)
        while (reserve_order(XENMEM_increase_reservation, FRAMES, orders[i]) == FRAMES)
            ;
    memcpy(list, mine, sizeof mine);
}

void test_main(const char *args)
{
    struct xen_domctl d = {.cmd = XEN_DOMCTL_max_mem,
                           .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    uint64_t begin = now(), left, dirty, all, refused = 0;
    domid_t self = DOMID_SELF;
    unsigned int i, k;

    (void)args;
    d.u.max_mem.max_memkb = 4ul << 20;
    check_eq("the maximum is raised", hypercall1(__HYPERVISOR_domctl, (uint64_t)&d), 0);
    check_eq("a second vCPU", vcpu_start(1, second, NULL), 0);
    do
        left = free_frames(&dirty);
    while (dirty != 0 && now() - begin < 60000000000ul);
    check_eq("frames to scrub at last", dirty, 0);
    all = left +
          (uint64_t)hypercall2(__HYPERVISOR_memory_op, XENMEM_current_reservation, (uint64_t)&self);

    for (i = 0; i < FRAMES; i++)
        list[i] = mfn_alloc();
    for (k = 0; k < ROUNDS; k++) {
        if (reserve(XENMEM_decrease_reservation, FRAMES) != FRAMES)
            break;
        for (i = 0; i < CLAIMS; i++) {
            refused += reserve(XENMEM_claim_pages, all) != 0;
            reserve(XENMEM_claim_pages, 0);
        }
        if (reserve(XENMEM_increase_reservation, FRAMES) != FRAMES)
            break;
    }
    check_eq("rounds", k, ROUNDS);
    check_eq("claims refused", refused, 0);
    check_eq("a frame more", reserve(XENMEM_claim_pages, all + 1), -XEN_ENOMEM);

    reserve(XENMEM_claim_pages, 0);
    take_all();
    check_eq("all is taken", reserve(XENMEM_increase_reservation, 1), 0);
    for (k = 0; k < ROUNDS * 10; k++) {
        if (reserve(XENMEM_decrease_reservation, FRAMES) != FRAMES ||
            reserve(XENMEM_increase_reservation, FRAMES) != FRAMES)
            break;
    }
    check_eq("rounds with the last frames", k, ROUNDS * 10);
}
