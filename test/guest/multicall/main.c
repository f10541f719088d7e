/* SPDX-License-Identifier: MIT */
/*
 * multicall: order, results and refusals of its entries, lists that are not there, lists that
 * change while they are executed, calls that wait or change the address space from inside one.
 */
#include "guest.h"

#define BAD_VA  0xffff800000000000ul /* the hypervisor's: never a good argument */
#define NOWHERE 0x5ead00000000ul     /* mapped by nobody */
#define CROOKED 0x900000000000ul     /* not canonical */
#define POISON  0x5a5a5a5a5a5a5a5aul
#define MS      1000000ul

static struct multicall_entry mc[2100];

static long multicall(void *list, unsigned long nr)
{
    return hypercall2(__HYPERVISOR_multicall, (uint64_t)list, nr);
}

static void put(struct multicall_entry *e, unsigned long op, uint64_t a1, uint64_t a2, uint64_t a3,
                uint64_t a4)
{
    memset(e, 0, sizeof(*e));
    e->op = op;
    e->result = POISON;
    e->args[0] = a1;
    e->args[1] = a2;
    e->args[2] = a3;
    e->args[3] = a4;
}

static void version(struct multicall_entry *e)
{
    put(e, __HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
}

static const char *result(const struct multicall_entry *e)
{
    return e->result == POISON ? "none" : text("%ld", (long)e->result);
}

/* ---- Each number ---- */

static void numbers(void)
{
    unsigned int nr;

    for (nr = 0; nr < 70; nr++) {
        /* These do something without arguments: reset the traps, return, wait, stop. */
        if (nr == __HYPERVISOR_set_trap_table || nr == __HYPERVISOR_iret ||
            nr == __HYPERVISOR_sched_op_compat || nr == __HYPERVISOR_stack_switch ||
            nr == __HYPERVISOR_set_callbacks || nr == __HYPERVISOR_set_gdt ||
            nr == __HYPERVISOR_update_va_mapping || nr == __HYPERVISOR_set_debugreg ||
            nr == __HYPERVISOR_get_debugreg || nr == __HYPERVISOR_fpu_taskswitch)
            continue;
        put(&mc[0], nr, ~0ul, BAD_VA, BAD_VA, 0);
        version(&mc[1]);
        value_rc(text("call %u", nr), multicall(mc, 2));
        value(text("result of %u", nr), "%s", result(&mc[0]));
        check_eq(text("the next after %u", nr), (int64_t)mc[1].result, 4 << 16 | 17);
    }
}

/* ---- Order ---- */

static void order(void)
{
    uint64_t *t = page_alloc();
    uint64_t ro = MKPTE(va_mfn(t), PTE_ROP), rw = MKPTE(va_mfn(t), PTE_RWP);
    static struct mmuext_op pin, unpin;
    unsigned int i;
    static const int64_t want[] = {0, 0, -16, 0, 0, -22};

    pin.cmd = MMUEXT_PIN_L1_TABLE;
    unpin.cmd = MMUEXT_UNPIN_TABLE;
    pin.arg1.mfn = unpin.arg1.mfn = va_mfn(t);
    put(&mc[0], __HYPERVISOR_update_va_mapping, (uint64_t)t, ro, UVMF_INVLPG, 0);
    put(&mc[1], __HYPERVISOR_mmuext_op, (uint64_t)&pin, 1, 0, DOMID_SELF);
    put(&mc[2], __HYPERVISOR_update_va_mapping, (uint64_t)t, rw, UVMF_INVLPG, 0);
    put(&mc[3], __HYPERVISOR_mmuext_op, (uint64_t)&unpin, 1, 0, DOMID_SELF);
    put(&mc[4], __HYPERVISOR_update_va_mapping, (uint64_t)t, rw, UVMF_INVLPG, 0);
    put(&mc[5], __HYPERVISOR_mmuext_op, (uint64_t)&pin, 1, 0, DOMID_SELF);
    check_eq("six calls that need their order", multicall(mc, 6), 0);
    for (i = 0; i < 6; i++)
        check_eq(text("result %u", i), (int64_t)mc[i].result, want[i]);
    check_eq("arguments are left alone", (int64_t)mc[2].args[1], (int64_t)rw);
}

static void rereads(void)
{
    struct xen_feature_info *fi = (struct xen_feature_info *)&mc[1];

    /* Entry 0 writes over entry 1 before that is executed. */
    version(&mc[1]);
    put(&mc[0], __HYPERVISOR_xen_version, XENVER_extraversion, (uint64_t)fi, 0, 0);
    check_eq("a call writes over the next entry", multicall(mc, 2), 0);
    value("result of the overwritten", "%s", result(&mc[1]));
    /* An entry writes over itself. */
    put(&mc[0], __HYPERVISOR_xen_version, XENVER_extraversion, (uint64_t)&mc[0], 0, 0);
    version(&mc[1]);
    check_eq("a call writes over its own list", multicall(mc, 2), 0);
    value("its result", "%s", result(&mc[0]));
    value("result of the next", "%s", result(&mc[1]));
}

/* ---- Lists ---- */

static void counts(void)
{
    unsigned int i, wrong = 0;

    version(&mc[0]);
    version(&mc[1]);
    check_eq("count 0", multicall(mc, 0), 0);
    value("nothing was done", "%s", result(&mc[0]));
    value_rc("count 2^32", multicall(mc, 1ul << 32));
    value("by 2^32", "%s", result(&mc[0]));
    value_rc("count 2^32 + 1", multicall(mc, (1ul << 32) + 1));
    value("by 2^32 + 1", "%s %s", result(&mc[0]), result(&mc[1]));
    value_rc("count 0, list in the hypervisor", multicall((void *)BAD_VA, 0));
    value_rc("count 0, crooked list", multicall((void *)CROOKED, 0));
    value_rc("count 0, unmapped list", multicall((void *)NOWHERE, 0));
    value_rc("list in the hypervisor", multicall((void *)BAD_VA, 1));
    value_rc("crooked list", multicall((void *)CROOKED, 1));
    value_rc("unmapped list", multicall((void *)NOWHERE, 1));
    value_rc("list at 0", multicall(NULL, 1));
    value_rc("list that ends in the hypervisor", multicall((void *)(0x800000000000ul - 64), 2));
    value_rc("list that wraps", multicall((void *)(0ul - 64), 2));
    for (i = 0; i < ARRAY_SIZE(mc); i++)
        version(&mc[i]);
    check_eq("2100 calls", multicall(mc, ARRAY_SIZE(mc)), 0);
    for (i = 0; i < ARRAY_SIZE(mc); i++)
        wrong += mc[i].result != (4 << 16 | 17);
    check_eq("2100 results, wrong", wrong, 0);
}

static void placements(void)
{
    uint8_t *a = page_alloc(), *b = page_alloc();
    struct multicall_entry *e;
    static const unsigned int shifts[] = {1, 4, 8, 36};
    unsigned int i;

    if (b != a + PAGE_SIZE)
        error("pool pages are not in a row");
    for (i = 0; i < ARRAY_SIZE(shifts); i++) {
        e = (struct multicall_entry *)(b - 64 + shifts[i]);
        version(&e[0]);
        version(&e[1]);
        value_rc(text("list %u bytes off the page's edge", shifts[i]), multicall(e, 2));
        value(text("results %u bytes off", shifts[i]), "%s %s", result(&e[0]), result(&e[1]));
    }
    /* Into a page that is not there: between entries, then in the middle of one. */
    e = (struct multicall_entry *)(b - 128);
    version(&e[0]);
    version(&e[1]);
    check_eq("the second page goes", page_unmap(b), 0);
    value_rc("list that runs into a hole", multicall(e, 3));
    value("results before the hole", "%s %s", result(&e[0]), result(&e[1]));
    version(&e[0]);
    version(&e[1]);
    value_rc("endless list that runs into a hole", multicall(e, 0xffffffff));
    value("results of the endless", "%s %s", result(&e[0]), result(&e[1]));
    page_rw(b);
    e = (struct multicall_entry *)(b - 96);
    version(&e[0]);
    version(&e[1]);
    page_unmap(b);
    value_rc("entry that ends in a hole", multicall(e, 2));
    value("result before it", "%s", result(&e[0]));
    page_rw(b);
    /* Read-only: the call is made, its result has no place. */
    e = (struct multicall_entry *)b;
    put(&e[0], __HYPERVISOR_update_va_mapping, (uint64_t)a, 0, UVMF_INVLPG, 0);
    version(&e[1]);
    page_ro(b);
    value_rc("read-only list", multicall(e, 2));
    value("its first call was made", "%d", pte_get(a) == 0);
    page_rw(b);
    page_rw(a);
    value("results in it", "%s %s", result(&e[0]), result(&e[1]));
}

/* A call takes away the page its own list is in. */
static void sawn_off(void)
{
    struct multicall_entry *e = page_alloc();

    version(&e[0]);
    put(&e[1], __HYPERVISOR_update_va_mapping, (uint64_t)e, MKPTE(va_mfn(e), PTE_ROP),
        UVMF_INVLPG | UVMF_ALL, 0);
    version(&e[2]);
    value_rc("a call makes its list read-only", multicall(e, 3));
    value("results then", "%s %s %s", result(&e[0]), result(&e[1]), result(&e[2]));
    page_rw(e);
    version(&e[0]);
    put(&e[1], __HYPERVISOR_update_va_mapping, (uint64_t)e, 0, UVMF_INVLPG | UVMF_ALL, 0);
    version(&e[2]);
    value_rc("a call unmaps its list", multicall(e, 3));
    page_rw(e);
    value("results of that", "%s %s %s", result(&e[0]), result(&e[1]), result(&e[2]));
}

/* ---- Calls that matter inside ---- */

static void nested(void)
{
    version(&mc[0]);
    put(&mc[1], __HYPERVISOR_multicall, (uint64_t)&mc[10], 1, 0, 0);
    version(&mc[2]);
    version(&mc[10]);
    value_rc("multicall in a multicall", multicall(mc, 3));
    value("nested: results", "%s %s %s", result(&mc[1]), result(&mc[2]), result(&mc[10]));
    put(&mc[0], __HYPERVISOR_multicall, (uint64_t)&mc[0], 1, 0, 0);
    value_rc("multicall of itself", multicall(mc, 1));
    value("its result is", "%s", result(&mc[0]));
    put(&mc[0], __HYPERVISOR_multicall, BAD_VA, 1, 0, 0);
    value_rc("multicall with a bad list inside", multicall(mc, 1));
    value("the bad list's result", "%s", result(&mc[0]));
}

/* An iret as an entry: its frame is on the stack of the multicall. */
static void irets(void)
{
    static uint64_t stack[64];
    static const uint8_t code[] = {0x0f, 0x05, 0xcc, 0x90, 0x90}; /* syscall; int3 */
    uint64_t *sp = &stack[32];
    struct frame f;

    version(&mc[0]);
    put(&mc[1], __HYPERVISOR_iret, 0, 0, 0, 0);
    version(&mc[2]);
    memset(&f, 0, sizeof(f));
    f.rax = __HYPERVISOR_multicall;
    f.rdi = (uint64_t)mc;
    f.rsi = 3;
    f.rsp = (uint64_t)sp;
    sp[0] = 0x777;                   /* rax */
    sp[3] = 0;                       /* flags */
    sp[4] = (uint64_t)code_page + 4; /* rip: behind the int3 */
    sp[5] = FLAT_KERNEL_CS & ~3;
    sp[6] = 2;
    sp[7] = (uint64_t)sp;
    sp[8] = FLAT_KERNEL_SS;
    run_code(&f, code, sizeof(code));
    value("iret inside", "stopped at %ld, rax %lx, results %s %s %s",
          (long)(f.rip - (uint64_t)code_page), (unsigned long)f.rax, result(&mc[0]), result(&mc[1]),
          result(&mc[2]));
}

static void waiting(void)
{
    uint32_t timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0), ipi = (uint32_t)evtchn_ipi(0);
    static struct sched_poll poll;
    static struct evtchn_send send;
    static evtchn_port_t ports[1];
    uint64_t at = now() + 20 * MS;

    send.port = ipi;
    put(&mc[0], __HYPERVISOR_set_timer_op, at, 0, 0, 0);
    put(&mc[1], __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
    version(&mc[2]);
    check_eq("block inside", multicall(mc, 3), 0);
    event_disable();
    check(now() >= at, "it slept");
    value("block inside, results", "%s %s %s", result(&mc[0]), result(&mc[1]), result(&mc[2]));
    check_eq("block inside, the timer came", event_count[0][timer], 1);

    /* With an event pending the wait is over before it begins; the rest goes on. */
    put(&mc[0], __HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&send, 0, 0);
    put(&mc[1], __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
    put(&mc[2], __HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&send, 0, 0);
    version(&mc[3]);
    check_eq("send, block, send inside", multicall(mc, 4), 0);
    event_disable();
    value("send, block, send: results", "%s %s %s %s", result(&mc[0]), result(&mc[1]),
          result(&mc[2]), result(&mc[3]));
    note("deliveries %u", event_count[0][ipi]);
    check(event_count[0][ipi] >= 1, "the event came");
    event_enable();
    event_disable();

    ports[0] = ipi;
    poll = (struct sched_poll){.nr_ports = 1, .timeout = now() + 20 * MS};
    set_xen_guest_handle(poll.ports, ports);
    put(&mc[0], __HYPERVISOR_sched_op, SCHEDOP_poll, (uint64_t)&poll, 0, 0);
    put(&mc[1], __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0);
    version(&mc[2]);
    check_eq("poll and yield inside", multicall(mc, 3), 0);
    check(now() >= poll.timeout, "poll inside slept");
    value("poll inside, results", "%s %s %s", result(&mc[0]), result(&mc[1]), result(&mc[2]));
    evtchn_close(timer);
    evtchn_close(ipi);
}

static void address_spaces(void)
{
    uint64_t old = cr3_mfn(), *l4 = page_alloc();
    static struct mmuext_op there, back;
    unsigned int i;

    for (i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            l4[i] = ((const uint64_t *)mfn_va(old))[i];
    check_eq("a second L4", page_ro(l4), 0);
    there.cmd = back.cmd = MMUEXT_NEW_BASEPTR;
    there.arg1.mfn = va_mfn(l4);
    back.arg1.mfn = old;
    put(&mc[0], __HYPERVISOR_mmuext_op, (uint64_t)&there, 1, 0, DOMID_SELF);
    version(&mc[1]);
    put(&mc[2], __HYPERVISOR_mmuext_op, (uint64_t)&back, 1, 0, DOMID_SELF);
    version(&mc[3]);
    check_eq("there and back inside", multicall(mc, 4), 0);
    value("there and back, results", "%s %s %s %s", result(&mc[0]), result(&mc[1]), result(&mc[2]),
          result(&mc[3]));
    check_eq("cr3 is the old one", (int64_t)cr3_mfn(), (int64_t)old);
    check_eq("the second L4 is free", page_rw(l4), 0);
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    numbers();
    order();
    rereads();
    counts();
    placements();
    sawn_off();
    nested();
    irets();
    waiting();
    address_spaces();
}
