/* SPDX-License-Identifier: MIT */
/*
 * Arguments that change while they are used: one vCPU makes hypercalls, the other rewrites their
 * arguments all the time, with good values and bad ones in turn, or takes the page they are in
 * away and gives it back. A hypervisor that reads a value twice believes the second what it checked
 * of the first. Whatever each call answers, both sides have to be whole afterwards: the hypervisor
 * lives, its audit finds no reference too many or too few, and what we own works as before.
 */
#include "guest.h"

#include <xen/sysctl.h>

#define BAD_VA   0xffff800000000000ul /* the hypervisor's: never a good argument */
#define NOWHERE  0x5ead00000000ul     /* mapped by nobody */
#define HV_FRAME 0x200ul
#define NO_FRAME (1ul << 27)
#define ROUNDS   600
#define MS       1000000ul

/* What vCPU 1 writes where: values in turn. */
struct flip {
    volatile void *at;
    unsigned int size;
    uint64_t v[4];
};

static struct flip flips[8];
static volatile unsigned int flip_count;
static volatile bool busy, stop, up;
static uint64_t *pulled; /* a page to take away and give back */
static volatile bool pull;
static volatile uint64_t writes;

static void write_one(const struct flip *f, uint64_t v)
{
    switch (f->size) {
    case 2:
        *(volatile uint16_t *)f->at = (uint16_t)v;
        break;
    case 4:
        *(volatile uint32_t *)f->at = (uint32_t)v;
        break;
    default:
        *(volatile uint64_t *)f->at = v;
        break;
    }
}

static void second(void *arg)
{
    unsigned int i, n;
    uint64_t r = 0x9e3779b97f4a7c15ul;

    (void)arg;
    up = true;
    while (!stop) {
        busy = true;
        n = flip_count;
        for (i = 0; i < n; i++) {
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            /* Good most of the time, or nothing gets far. */
            write_one(&flips[i], flips[i].v[r & 0x38 ? 0 : r & 3]);
            writes++;
        }
        if (pull) {
            page_unmap(pulled);
            page_rw(pulled);
        }
        busy = false;
        if (n == 0)
            __asm__ volatile("pause");
    }
    vcpu_stop(1);
}

/* Nothing changes any more when this returns. */
static void settle(void)
{
    flip_count = 0;
    pull = false;
    barrier();
    do
        __asm__ volatile("pause");
    while (busy);
    barrier();
    while (busy)
        __asm__ volatile("pause");
}

/* The first n change from now on, and have done so. */
static void begin(unsigned int n)
{
    uint64_t before;

    barrier();
    flip_count = n;
    for (before = writes; writes < before + 2 * n;)
        sched_op(SCHEDOP_yield, NULL);
}

static void flip(unsigned int i, volatile void *at, unsigned int size, uint64_t good, uint64_t b,
                 uint64_t c, uint64_t d)
{
    flips[i] = (struct flip){at, size, {good, b, c, d}};
}

#define FLIP(i, member, good, b, c, d)                                                             \
    flip(i, &(member), sizeof(member), (uint64_t)(good), (uint64_t)(b), (uint64_t)(c),             \
         (uint64_t)(d))

/* ---- Each kind of argument ---- */

static uint64_t *list, *list2; /* each ends at a hole: longer ones hit nothing of ours */

static void reservations(void)
{
    static struct xen_memory_reservation r, one;
    unsigned int round, i, good = 0;
    void *victim = page_alloc();
    uint64_t own[8];

    for (i = 0; i < 8; i++)
        own[i] = mfn_alloc();
    FLIP(0, r.nr_extents, 8, 0, ~0ul, 1ul << 40);
    FLIP(1, r.extent_order, 0, 1, 63, ~0u);
    FLIP(2, r.domid, DOMID_SELF, 77, DOMID_IO, DOMID_XEN);
    FLIP(3, *(uint64_t *)&r.extent_start, list, BAD_VA, NOWHERE, list2);
    FLIP(4, list[9], 0, HV_FRAME, NO_FRAME, va_mfn(victim));
    begin(5);
    /* Few rounds: each frame given back is flushed from the other's processor. */
    for (round = 0; round < 12; round++) {
        memcpy(list, own, sizeof(own));
        good += hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&r) == 8;
        for (i = 0; i < 20; i++)
            hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r);
        /* What is left of the eight goes too; then they are eight new ones. */
        one = (struct xen_memory_reservation){.nr_extents = 1, .domid = DOMID_SELF};
        for (i = 0; i < 8; i++) {
            set_xen_guest_handle(one.extent_start, &own[i]);
            hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&one);
            own[i] = 0x100000 + i;
            if (hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&one) != 1)
                own[i] = mfn_alloc();
        }
    }
    settle();
    note("reservations that came through: %u of %u", good, round);
    check(true, "reservations");
}

static void extended_ops(void)
{
    static struct mmuext_op op[3];
    uint64_t *a = page_alloc(), *b = page_alloc(), *rw = page_alloc();
    unsigned int round, done, good = 0;

    page_ro(a);
    page_ro(b);
    FLIP(0, op[0].cmd, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_CLEAR_PAGE, 99);
    FLIP(1, op[0].arg1.mfn, va_mfn(a), va_mfn(b), HV_FRAME, va_mfn(rw));
    FLIP(2, op[1].cmd, MMUEXT_UNPIN_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_COPY_PAGE, ~0u);
    FLIP(3, op[1].arg1.mfn, va_mfn(a), va_mfn(b), NO_FRAME, cr3_mfn());
    FLIP(4, op[1].arg2.src_mfn, va_mfn(b), va_mfn(a), HV_FRAME, NO_FRAME);
    FLIP(5, op[2].arg1.mfn, va_mfn(a), va_mfn(b), 0xa0, ~0ul);
    begin(6);
    for (round = 0; round < ROUNDS; round++) {
        done = 0;
        hypercall4(__HYPERVISOR_mmuext_op, (uint64_t)op, 3, (uint64_t)&done, DOMID_SELF);
        good += done == 3;
        table_unpin(va_mfn(a));
        table_unpin(va_mfn(b));
        table_pin(4, cr3_mfn());
    }
    settle();
    note("batches that came through: %u of %u", good, round);
    check_eq("first table is free", page_rw(a), 0);
    check_eq("second table is free", page_rw(b), 0);
}

static void updates(void)
{
    static struct mmu_update u[3];
    uint64_t *window = page_alloc(), *data = page_alloc(), *table = page_alloc();
    uint64_t entry = va_maddr(pte_at(window, 1)), own = va_mfn(window), now_there;
    unsigned int round, done, good = 0, wrong = 0;

    page_ro(table);
    check_eq("a table", table_pin(1, va_mfn(table)), 0);
    u[2].val = MKPTE(va_mfn(data), PTE_RWP);
    FLIP(0, u[0].val, MKPTE(own, PTE_RWP), MKPTE(va_mfn(table), PTE_RWP), MKPTE(HV_FRAME, PTE_RWP),
         MKPTE(NO_FRAME, PTE_RWP));
    FLIP(1, u[1].val, MKPTE(va_mfn(data), PTE_RWP), MKPTE(va_mfn(table), PTE_ROP),
         MKPTE(cr3_mfn(), PTE_RWP), 0);
    FLIP(2, u[1].ptr, entry, entry | MMU_PT_UPDATE_PRESERVE_AD, HV_FRAME << 12,
         (cr3_mfn() << 12) + 260 * 8);
    FLIP(3, u[2].ptr, entry, va_maddr(data), va_maddr(table), NO_FRAME << 12);
    FLIP(4, u[0].ptr, entry, entry, NO_FRAME << 12, entry | 3);
    begin(5);
    for (round = 0; round < ROUNDS; round++) {
        done = 0;
        hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, 3, (uint64_t)&done, DOMID_SELF);
        good += done == 3;
        now_there = *pte_at(window, 1);
        wrong += (now_there & PTE_RW) &&
                 (PTE_MFN(now_there) == va_mfn(table) || PTE_MFN(now_there) == cr3_mfn() ||
                  PTE_MFN(now_there) == HV_FRAME);
    }
    settle();
    note("updates that came through: %u of %u", good, round);
    check_eq("writable mappings of tables", wrong, 0);
    check_eq("the window is ours again", page_rw(window), 0);
    check_eq("unpin the table", table_unpin(va_mfn(table)), 0);
    check_eq("the table is free", page_rw(table), 0);
}

static void lists(void)
{
    static struct multicall_entry mc[8];
    static domid_t self = DOMID_SELF;
    unsigned int round, i, failed = 0, wrong = 0;

    for (i = 0; i < 8; i++)
        mc[i].op = __HYPERVISOR_xen_version;
    FLIP(0, mc[1].op, __HYPERVISOR_xen_version, 0xffffffff, __HYPERVISOR_multicall, 1ul << 40);
    FLIP(1, mc[2].op, __HYPERVISOR_memory_op, 63, 64, __HYPERVISOR_memory_op);
    FLIP(2, mc[2].args[0], XENMEM_current_reservation, ~0ul, XENMEM_exchange, 77);
    FLIP(3, mc[2].args[1], &self, BAD_VA, NOWHERE, &self);
    FLIP(4, mc[3].args[0], XENVER_version, XENVER_pagesize, ~0ul, XENVER_build_id);
    FLIP(5, mc[3].result, 0, ~0ul, 1, 2);
    begin(6);
    for (round = 0; round < ROUNDS; round++) {
        mc[7].result = 0;
        failed += hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, 8) != 0;
        wrong += mc[7].result != (4 << 16 | 17);
    }
    settle();
    check_eq("multicalls that failed", failed, 0);
    check_eq("last results that are wrong", wrong, 0);
}

static void channels(void)
{
    static struct evtchn_bind_virq virq;
    static struct evtchn_bind_interdomain inter;
    static struct evtchn_bind_vcpu bind;
    static struct evtchn_send send;
    static struct evtchn_status status;
    static struct evtchn_reset reset = {.dom = DOMID_SELF};
    unsigned int round;
    int port;

    FLIP(0, virq.virq, VIRQ_DEBUG, VIRQ_CONSOLE, 24, ~0u);
    FLIP(1, virq.vcpu, 0, 1, 2, ~0u);
    FLIP(2, inter.remote_dom, DOMID_SELF, 0, 77, DOMID_IO);
    FLIP(3, inter.remote_port, 1, 2, 4096, ~0u);
    FLIP(4, bind.port, 1, 2, 0, ~0u);
    FLIP(5, bind.vcpu, 0, 1, 2, ~0u);
    FLIP(6, send.port, 1, 2, 4095, ~0u);
    FLIP(7, status.port, 1, 2, 4095, ~0u);
    status.dom = DOMID_SELF;
    begin(8);
    for (round = 0; round < ROUNDS; round++) {
        evtchn_unbound(DOMID_SELF, DOMID_SELF);
        evtchn_op(EVTCHNOP_bind_virq, &virq);
        evtchn_op(EVTCHNOP_bind_interdomain, &inter);
        evtchn_op(EVTCHNOP_bind_vcpu, &bind);
        evtchn_op(EVTCHNOP_send, &send);
        evtchn_op(EVTCHNOP_unmask, &send);
        evtchn_op(EVTCHNOP_status, &status);
        evtchn_op(EVTCHNOP_close, &send);
        if (round % 64 == 0)
            evtchn_op(EVTCHNOP_reset, &reset);
    }
    settle();
    check_eq("reset of all ports", evtchn_op(EVTCHNOP_reset, &reset), 0);
    port = evtchn_ipi(0);
    check_eq("ports start over", port, 1);
    event_count[0][1] = 0;
    evtchn_send(1);
    event_enable();
    event_disable();
    check_eq("an event comes", event_count[0][1], 1);
    evtchn_close(1);
}

static void others(void)
{
    static struct sched_poll poll;
    static evtchn_port_t ports[2];
    static struct gnttab_setup_table setup;
    static struct trap_info traps[3];
    static uint64_t frames[2];
    uint64_t *gdt = page_alloc(), *rw = page_alloc();
    unsigned int round;

    page_ro(gdt);
    ports[0] = (evtchn_port_t)evtchn_ipi(0);
    set_xen_guest_handle(poll.ports, ports);
    setup.dom = DOMID_SELF;
    set_xen_guest_handle(setup.frame_list, list);
    traps[0] = (struct trap_info){77, 0, FLAT_KERNEL_CS, (uint64_t)trap_stubs + 77 * 32};
    FLIP(0, poll.nr_ports, 1, 128, 129, ~0u);
    FLIP(1, *(uint64_t *)&poll.ports, ports, BAD_VA, NOWHERE, list);
    FLIP(2, poll.timeout, 1, 2, 3, 1);
    FLIP(3, setup.nr_frames, 1, 4, 65, ~0u);
    FLIP(4, *(uint64_t *)&setup.frame_list, list, BAD_VA, NOWHERE, list2);
    FLIP(5, traps[0].address, traps[0].address, 0, 0x900000000000ul, traps[0].address);
    FLIP(6, frames[0], va_mfn(gdt), HV_FRAME, va_mfn(rw), NO_FRAME);
    begin(7);
    for (round = 0; round < ROUNDS; round++) {
        poll.timeout = 1;
        sched_op(SCHEDOP_poll, &poll);
        hypercall3(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uint64_t)&setup, 1);
        hypercall1(__HYPERVISOR_set_trap_table, (uint64_t)traps);
        hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 512);
    }
    settle();
    check_eq("no GDT of ours", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 0), 0);
    check_eq("its page is free", page_rw(gdt), 0);
    check_eq("and the other", page_rw(rw), 0);
    evtchn_close(ports[0]);
}

/* The page with the arguments comes and goes. */
static void pulled_away(void)
{
    struct multicall_entry *mc;
    struct xen_memory_reservation *r;
    unsigned int round, i, faults = 0;
    struct vcpu_guest_context *ctx;

    pulled = page_alloc();
    mc = (struct multicall_entry *)pulled;
    r = (struct xen_memory_reservation *)&mc[8];
    for (i = 0; i < 8; i++)
        mc[i].op = __HYPERVISOR_xen_version;
    r->domid = DOMID_SELF;
    set_xen_guest_handle(r->extent_start, (uint64_t *)&mc[16]);
    ctx = (struct vcpu_guest_context *)((uint64_t)pulled - 1000);
    pull = true; /* for few rounds: each change of the page is flushed everywhere */
    for (round = 0; round < 20; round++) {
        faults += hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, 8) == -14;
        faults += hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)r) == -14;
        faults += hypercall2(__HYPERVISOR_xen_version, XENVER_capabilities,
                             (uint64_t)pulled + 2048) == -14;
        faults += vcpu_op(VCPUOP_initialise, 1, ctx) == -14;
        for (i = 0; i < 8 && fault_take() < 0; i++)
            __asm__ volatile(EX("movq %0, (%1)")
                             :
                             : "r"((uint64_t)__HYPERVISOR_xen_version), "r"(&mc[i].op)
                             : "memory");
    }
    settle();
    note("calls that found the page gone: %u", faults);
    fault_take();
    check_eq("the page is ours again", page_rw(pulled), 0);
    check(va_writable(pulled), "and can be written");
}

/* The hypervisor's recount of all references (debug key p), read from its log. */
static unsigned int audit_errors(void)
{
    static char log[65536];
    static struct xen_sysctl s;
    char key = 'p', *p, *count = NULL;
    unsigned int n = 0;

    s.cmd = XEN_SYSCTL_debug_keys;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    set_xen_guest_handle(s.u.debug_keys.keys, &key);
    s.u.debug_keys.nr_keys = 1;
    if (hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s) != 0)
        error("debug key");
    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_readconsole;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    set_xen_guest_handle(s.u.readconsole.buffer, log);
    s.u.readconsole.count = sizeof(log) - 1;
    if (hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s) != 0)
        error("read console");
    log[s.u.readconsole.count] = 0;
    for (p = log; *p; p++)
        if (starts_with(p, "held from elsewhere, "))
            count = p + 21;
    for (; count && *count >= '0' && *count <= '9'; count++)
        n = n * 10 + (unsigned int)(*count - '0');
    return n;
}

static uint64_t *list_new(void)
{
    uint8_t *page = page_alloc(), *hole = page_alloc();

    if (hole != page + PAGE_SIZE || page_unmap(hole) != 0)
        error("no hole behind a page");
    return (uint64_t *)(hole - 64 * sizeof(uint64_t));
}

void test_main(const char *args)
{
    (void)args;
    list = list_new();
    list2 = list_new();
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    check_eq("a second vCPU", vcpu_start(1, second, NULL), 0);
    while (!up)
        sched_op(SCHEDOP_yield, NULL);
    reservations();
    extended_ops();
    updates();
    lists();
    channels();
    others();
    pulled_away();
    stop = true;
    check(vcpu_wait_down(1, 2000), "it stops");
    note("%lu values written meanwhile", (unsigned long)writes);
    check(writes > 1000, "many values were written meanwhile");
    check_eq("errors in the audit", audit_errors(), 0);
}
