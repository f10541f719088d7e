/* SPDX-License-Identifier: MIT */
/*
 * Long hypercalls while events arrive all the time: a call that is interrupted and continued must
 * give the result of one that is not, and change nothing else of the guest.
 */
#include "guest.h"

#define ROUNDS 60
#define MANY   1500
#define LARGE  2

static uint64_t list[MANY], list2[MANY];
static struct multicall_entry mc[MANY];
static int timer_port;

void event_dispatch(unsigned int cpu);
static volatile bool rearm;

/* Each tick asks for the next one at once: whenever an interrupt can be taken, one is due. */
static void arm(void)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = now() + 3000};

    vcpu_op(VCPUOP_set_singleshot_timer, 0, &t);
}

static bool tick(struct frame *f)
{
    (void)f;
    /* First: a tick that comes before its predecessor is cleared is none. */
    event_dispatch(0);
    if (rearm)
        arm();
    return true;
}

static long memory_op(unsigned int cmd, uint64_t *extents, unsigned long nr, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, extents);
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)&r);
}

static void reservations(void)
{
    unsigned int i, round, wrong = 0;

    for (i = 0; i < MANY; i++)
        list[i] = mfn_alloc();
    for (round = 0; round < ROUNDS; round++) {
        if (memory_op(XENMEM_decrease_reservation, list, MANY, 0) != MANY)
            wrong++;
        for (i = 0; i < MANY; i++)
            list[i] = 0x100000 + i;
        if (memory_op(XENMEM_populate_physmap, list, MANY, 0) != MANY)
            wrong++;
        for (i = 0; i < MANY; i++)
            wrong += M2P[list[i]] != 0x100000 + i;
    }
    check_eq("reservations, wrong", wrong, 0);
}

/* Interrupted in the middle of an extent as well. */
static void large_extents(void)
{
    unsigned int i, round, wrong = 0;

    if (memory_op(XENMEM_decrease_reservation, list, MANY, 0) != MANY)
        wrong++;
    for (round = 0; round < ROUNDS && wrong == 0; round++) {
        for (i = 0; i < LARGE; i++)
            list2[i] = 0x300000 + i * 512;
        if (memory_op(XENMEM_populate_physmap, list2, LARGE, 9) != LARGE)
            wrong++;
        for (i = 0; i < LARGE * 512 && wrong == 0; i++)
            wrong += M2P[list2[i / 512] + i % 512] != 0x300000 + i;
        if (memory_op(XENMEM_decrease_reservation, list2, LARGE, 9) != LARGE)
            wrong++;
    }
    for (i = 0; i < MANY; i++)
        list[i] = 0x100000 + i;
    if (memory_op(XENMEM_populate_physmap, list, MANY, 0) != MANY)
        wrong++;
    check_eq("large extents, wrong", wrong, 0);
}

static void exchanges(void)
{
    struct xen_memory_exchange x;
    unsigned int i, round, wrong = 0;

    for (round = 0; round < ROUNDS; round++) {
        memset(&x, 0, sizeof(x));
        x.in.nr_extents = x.out.nr_extents = MANY;
        x.in.domid = x.out.domid = DOMID_SELF;
        set_xen_guest_handle(x.in.extent_start, list);
        set_xen_guest_handle(x.out.extent_start, list2);
        for (i = 0; i < MANY; i++)
            list2[i] = 0x200000 + i;
        if (hypercall2(__HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)&x) ||
            x.nr_exchanged != MANY)
            wrong++;
        for (i = 0; i < MANY; i++)
            wrong += M2P[list2[i]] != 0x200000 + i;
        memcpy(list, list2, sizeof(list));
    }
    check_eq("exchanges, wrong", wrong, 0);
    for (i = 0; i < MANY; i++)
        mfn_free(list[i]);
}

static void multicalls(void)
{
    unsigned int i, round, wrong = 0;

    for (round = 0; round < ROUNDS; round++) {
        memset(mc, 0, sizeof(mc));
        for (i = 0; i < MANY; i++) {
            mc[i].op = __HYPERVISOR_xen_version;
            mc[i].args[0] = i % 2 ? XENVER_version : XENVER_pagesize;
            mc[i].result = 1;
        }
        if (hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, MANY))
            wrong++;
        for (i = 0; i < MANY; i++)
            wrong += mc[i].result != (i % 2 ? 4 << 16 | 17 : 4096) ||
                     mc[i].op != __HYPERVISOR_xen_version;
    }
    check_eq("multicalls, wrong", wrong, 0);
}

/* Long calls inside a multicall: their own continuation, then that of the list. */
static void nested(void)
{
    static struct xen_memory_reservation down, up;
    unsigned int i, round, wrong = 0;

    for (i = 0; i < MANY; i++)
        list[i] = mfn_alloc();
    for (round = 0; round < ROUNDS; round++) {
        down = (struct xen_memory_reservation){.nr_extents = MANY, .domid = DOMID_SELF};
        up = down;
        set_xen_guest_handle(down.extent_start, list);
        set_xen_guest_handle(up.extent_start, list2);
        for (i = 0; i < MANY; i++)
            list2[i] = 0x300000 + i;
        memset(mc, 0, 4 * sizeof(mc[0]));
        for (i = 0; i < 4; i++)
            mc[i].op = i % 3 ? __HYPERVISOR_memory_op : __HYPERVISOR_xen_version;
        mc[1].args[0] = XENMEM_decrease_reservation;
        mc[1].args[1] = (uint64_t)&down;
        mc[2].args[0] = XENMEM_populate_physmap;
        mc[2].args[1] = (uint64_t)&up;
        if (hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, 4))
            wrong++;
        wrong += mc[0].result != (4 << 16 | 17) || mc[3].result != (4 << 16 | 17);
        wrong += mc[1].result != MANY || mc[2].result != MANY;
        for (i = 0; i < MANY; i++)
            wrong += M2P[list2[i]] != 0x300000 + i;
        memcpy(list, list2, sizeof(list));
    }
    check_eq("long calls in multicalls, wrong", wrong, 0);
    for (i = 0; i < MANY; i++)
        mfn_free(list[i]);
}

/* Batches of page-table updates: *done counts all of them, however often the call was left. */
static void updates(void)
{
    static struct mmu_update u[MANY];
    unsigned int i, round, done, wrong = 0;
    void *page = page_alloc();
    uint64_t pte = pte_get(page), at = va_maddr(pte_at(page, 1));

    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < MANY; i++) {
            u[i].ptr = at | (i % 3 ? MMU_PT_UPDATE_PRESERVE_AD : MMU_NORMAL_PT_UPDATE);
            u[i].val = i % 2 ? pte : pte & ~PTE_RW;
        }
        done = 0;
        if (hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, MANY, (uint64_t)&done, DOMID_SELF) ||
            done != MANY)
            wrong++;
        u[MANY / 2].val = MKPTE(0xfffffffffful, PTE_RWP);
        u[MANY / 2].ptr = at;
        u[MANY / 2 + 1].val = pte;
        done = 0;
        if (hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, MANY, (uint64_t)&done, DOMID_SELF) !=
                -22 ||
            done != MANY / 2)
            wrong++;
        pt_update(at, pte);
    }
    check_eq("mmu_update batches, wrong", wrong, 0);
    check(va_writable(page), "the page is as it was");
}

/* Whole L1 tables: pinning and unpinning 512 entries each, with an L2 over them. */
static void pins(void)
{
    uint64_t *l1 = page_alloc(), *l2 = page_alloc();
    uint64_t data = va_mfn(page_alloc());
    unsigned int i, round, wrong = 0;

    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < 512; i++) {
            l1[i] = MKPTE(data, PTE_RWP);
            l2[i] = MKPTE(va_mfn(l1), PTE_P | PTE_RW | PTE_US | PTE_A);
        }
        wrong += page_ro(l1) != 0;
        wrong += page_ro(l2) != 0;
        wrong += table_pin(2, va_mfn(l2)) != 0;
        wrong += table_pin(2, va_mfn(l2)) != -22;
        wrong += page_rw(l1) == 0;
        wrong += table_unpin(va_mfn(l2)) != 0;
        wrong += page_rw(l1) != 0;
        wrong += page_rw(l2) != 0;
    }
    check_eq("pins, wrong", wrong, 0);
}

void test_main(const char *args)
{
    unsigned int before;
    long pages;
    domid_t self = DOMID_SELF;

    (void)args;
    pages = hypercall2(__HYPERVISOR_memory_op, XENMEM_current_reservation, (uint64_t)&self);
    timer_port = evtchn_virq(VIRQ_TIMER, 0);
    check(timer_port > 0, "timer bound");
    trap_hook[VECTOR_EVENT] = tick;
    rearm = true;
    event_enable();
    arm();
    before = event_count[0][timer_port];
    reservations();
    large_extents();
    exchanges();
    multicalls();
    nested();
    updates();
    pins();
    rearm = false;
    note("%u timer events during the calls", event_count[0][timer_port] - before);
    check(event_count[0][timer_port] - before > 100, "there were many events");
    event_disable();
    check_eq("pages as before",
             hypercall2(__HYPERVISOR_memory_op, XENMEM_current_reservation, (uint64_t)&self),
             pages);
}
