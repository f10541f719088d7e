/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op: contexts that a second vCPU does and does not start from, up and down, what it is told
 * about itself, its vcpu_info at a place of its own, NMIs; events from one vCPU to the other.
 */
#include "guest.h"

#define BAD_VA   ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE  ((void *)0x5ead00000000ul)     /* mapped by nobody */
#define CROOKED  0x0000900000000000ul           /* not canonical */
#define HV_FRAME 0x200ul
#define NO_FRAME (1ul << 27)
#define MS       1000000ul

static struct vcpu_guest_context ctx;

static void every_op(void)
{
    static const unsigned int ids[] = {1, 2, 31, 8191, 8192, 0xffffffff};
    unsigned int op, i;

    for (op = 0; op < 20; op++) {
        if (op == VCPUOP_down)
            continue;
        for (i = 0; i < ARRAY_SIZE(ids); i++) {
            if (op == VCPUOP_send_nmi && ids[i] == 1)
                continue;
            value_rc(text("op %u of vcpu %x without argument", op, ids[i]),
                     vcpu_op(op, ids[i], NULL));
        }
        if (op != VCPUOP_send_nmi)
            value_rc(text("op %u of vcpu 1, bad argument", op), vcpu_op(op, 1, BAD_VA));
    }
    value_rc("op -1", vcpu_op(0xffffffff, 0, NULL));
    value_rc("is_up of vcpu 0", vcpu_op(VCPUOP_is_up, 0, NULL));
    value_rc("down of vcpu 1, which is down", vcpu_op(VCPUOP_down, 1, NULL));
    value_rc("down of vcpu 2", vcpu_op(VCPUOP_down, 2, NULL));
    value_rc("up of vcpu 0, which is up", vcpu_op(VCPUOP_up, 0, NULL));
}

/* ---- Contexts ---- */

static void fresh(void);

static void try(const char *name)
{
    value_rc(text("context: %s", name), vcpu_op(VCPUOP_initialise, 1, &ctx));
    fresh();
}

static void addresses(void)
{
    static const uint64_t bad[] = {CROOKED, 0x0000800000000000ul, 0xffff7ffffffffffful};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        ctx.user_regs.rip = bad[i];
        try(text("rip %lx", (unsigned long)bad[i]));
        ctx.event_callback_eip = bad[i];
        try(text("event callback %lx", (unsigned long)bad[i]));
        ctx.failsafe_callback_eip = bad[i];
        try(text("failsafe callback %lx", (unsigned long)bad[i]));
        ctx.syscall_callback_eip = bad[i];
        try(text("syscall callback %lx", (unsigned long)bad[i]));
        ctx.trap_ctxt[77].address = bad[i];
        try(text("trap handler %lx", (unsigned long)bad[i]));
        ctx.fs_base = bad[i];
        try(text("fs base %lx", (unsigned long)bad[i]));
        ctx.gs_base_kernel = bad[i];
        try(text("kernel gs base %lx", (unsigned long)bad[i]));
        ctx.gs_base_user = bad[i];
        try(text("user gs base %lx", (unsigned long)bad[i]));
    }
}

static void tables(void)
{
    uint64_t *rw = page_alloc(), *l1 = page_alloc();
    const struct {
        const char *name;
        uint64_t mfn;
    } list[] = {{"frame 0", 0},
                {"a device frame", 0xa0},
                {"a hypervisor frame", HV_FRAME},
                {"a frame beyond memory", NO_FRAME},
                {"a writable page", va_mfn(rw)},
                {"an L1 table", va_mfn(l1)},
                {"shared_info", start_info->shared_info >> 12}};
    unsigned int i;

    page_ro(l1);
    check_eq("pin an L1", table_pin(1, va_mfn(l1)), 0);
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        ctx.ctrlreg[3] = xen_pfn_to_cr3(list[i].mfn);
        try(text("cr3 %s", list[i].name));
        if (list[i].mfn != 0) { /* 0: no user tables */
            ctx.ctrlreg[1] = xen_pfn_to_cr3(list[i].mfn);
            try(text("user cr3 %s", list[i].name));
        }
        ctx.gdt_ents = 16;
        ctx.gdt_frames[0] = list[i].mfn;
        try(text("gdt in %s", list[i].name));
    }
    ctx.gdt_ents = 7169;
    try("gdt of 7169 entries");
    ctx.gdt_ents = ~0ul;
    try("gdt of -1 entries");
    ctx.ldt_ents = 8193;
    ctx.ldt_base = (uint64_t)rw;
    try("ldt of 8193 entries");
    ctx.ldt_ents = 4;
    ctx.ldt_base = (uint64_t)rw + 8;
    try("ldt unaligned");
    ctx.ldt_ents = 4;
    ctx.ldt_base = CROOKED;
    try("ldt not canonical");
    ctx.ldt_ents = 4;
    ctx.ldt_base = (uint64_t)BAD_VA;
    try("ldt in the hypervisor");
    check_eq("unpin the L1", table_unpin(va_mfn(l1)), 0);
    check_eq("it is writable again", page_rw(l1), 0);
    check_eq("the writable page as a table", (page_ro(rw), table_pin(1, va_mfn(rw))), 0);
    table_unpin(va_mfn(rw));
}

static void arguments(void)
{
    uint8_t *page = page_alloc(), *gone = page_alloc();

    value_rc("initialise vcpu 0", vcpu_op(VCPUOP_initialise, 0, &ctx));
    value_rc("initialise vcpu 2", vcpu_op(VCPUOP_initialise, 2, &ctx));
    value_rc("context, unmapped", vcpu_op(VCPUOP_initialise, 1, NOWHERE));
    check_eq("page away", page_unmap(gone), 0);
    if (gone == page + PAGE_SIZE)
        value_rc("context that ends in a hole", vcpu_op(VCPUOP_initialise, 1, gone - 64));
    else
        error("pool pages are not in a row");
    page_rw(gone);
    value_rc("up before initialise", vcpu_op(VCPUOP_up, 1, NULL));
    value_rc("is_up before initialise", vcpu_op(VCPUOP_is_up, 1, NULL));
}

/* ---- What runs on vCPU 1 ---- */

enum { IDLE, COUNT, ECHO, STOP };
static volatile unsigned int job;
static volatile uint64_t counter, told;
static volatile struct {
    uint64_t cs, ss, rflags, cr3, tsc, time;
    uint8_t mask;
    bool ran;
} self;
static uint32_t port_of[2]; /* IPIs: [i] is delivered to vCPU i */

static void second(void *arg)
{
    uint64_t v;

    __asm__ volatile("mov %%cs, %0" : "=r"(v));
    self.cs = v & 0xffff;
    __asm__ volatile("mov %%ss, %0" : "=r"(v));
    self.ss = v & 0xffff;
    __asm__ volatile("pushfq; popq %0" : "=r"(v));
    self.rflags = v & 0x3000;
    self.cr3 = cr3_mfn();
    self.time = now_of(1);
    self.mask = vcpu_info(1)->evtchn_upcall_mask;
    told = (uint64_t)arg;
    self.ran = true;
    for (;;) {
        if (job == STOP)
            vcpu_op(VCPUOP_down, 1, NULL);
        if (job == COUNT)
            counter++;
        if (job == ECHO) {
            vcpu_info(1)->evtchn_upcall_mask = 1;
            barrier();
            if (event_count[1][port_of[1]] == told)
                sched_op(SCHEDOP_block, NULL);
            vcpu_info(1)->evtchn_upcall_mask = 0;
            barrier();
            hypercall2(__HYPERVISOR_xen_version, XENVER_version, 0);
            if (event_count[1][port_of[1]] != told) {
                told = event_count[1][port_of[1]];
                evtchn_send(port_of[0]);
            }
        }
        __asm__ volatile("pause");
    }
}

static void fresh(void)
{
    vcpu_context(&ctx, 1, second, (void *)0x1234);
}

/* Waits up to two seconds for what, with yields. */
#define WAIT(what)                                                                                 \
    ({                                                                                             \
        uint64_t end_ = now() + 2000 * MS;                                                         \
        bool seen_;                                                                                \
                                                                                                   \
        while (!(seen_ = (what)) && now() < end_)                                                  \
            sched_op(SCHEDOP_yield, NULL);                                                         \
        seen_;                                                                                     \
    })

static bool counts(void)
{
    uint64_t before = counter;

    spin_ns(30 * MS);
    return counter != before;
}

static void life(void)
{
    struct vcpu_runstate_info r;
    uint64_t before;

    fresh();
    vcpu_info(1)->evtchn_upcall_mask = 1;
    check_eq("initialise", vcpu_op(VCPUOP_initialise, 1, &ctx), 0);
    value_rc("initialise again", vcpu_op(VCPUOP_initialise, 1, &ctx));
    spin_ns(20 * MS);
    check(!self.ran, "it does not run yet");
    check_eq("is_up of the initialised", vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    job = COUNT;
    before = now();
    check_eq("up", vcpu_op(VCPUOP_up, 1, NULL), 0);
    check(WAIT(self.ran), "it runs");
    check_eq("is_up of the running", vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    check_eq("up again", vcpu_op(VCPUOP_up, 1, NULL), 0);
    value("it sees", "cs %lx ss %lx IOPL %lx mask %x argument %lx", (unsigned long)self.cs,
          (unsigned long)self.ss, (unsigned long)self.rflags, self.mask, (unsigned long)told);
    check_eq("its cr3 is ours", (int64_t)self.cr3, (int64_t)cr3_mfn());
    note("its time: %ld ns after ours", (long)(self.time - before));
    value_rc("initialise the running", vcpu_op(VCPUOP_initialise, 1, &ctx));
    check(WAIT(counts()), "it counts");
    check_eq("get_runstate of it", vcpu_op(VCPUOP_get_runstate_info, 1, &r), 0);
    check(r.state == RUNSTATE_running || r.state == RUNSTATE_runnable, "it is running or ready");
    check(r.time[RUNSTATE_offline] > 0, "it was off line");

    check_eq("down of another", vcpu_op(VCPUOP_down, 1, NULL), 0);
    check(WAIT(vcpu_op(VCPUOP_is_up, 1, NULL) == 0), "it is down");
    spin_ns(5 * MS);
    check(!counts(), "it stands still");
    check_eq("down again", vcpu_op(VCPUOP_down, 1, NULL), 0);
    check_eq("get_runstate of it, down", vcpu_op(VCPUOP_get_runstate_info, 1, &r), 0);
    value("run state when down", "%d", r.state);
    value_rc("initialise the stopped", vcpu_op(VCPUOP_initialise, 1, &ctx));
    check_eq("up from down", vcpu_op(VCPUOP_up, 1, NULL), 0);
    check(WAIT(counts()), "it goes on where it was");
    job = STOP;
    check(vcpu_wait_down(1, 2000), "it stops itself");
}

/* ---- Events between the two ---- */

static void ping(void)
{
    unsigned int i;

    port_of[0] = (uint32_t)evtchn_ipi(0);
    port_of[1] = (uint32_t)evtchn_ipi(1);
    job = ECHO;
    told = 0;
    /* Sent while it is down: it finds the event when it comes up. */
    check_eq("send to the stopped", evtchn_send(port_of[1]), 0);
    check(!!vcpu_info(1)->evtchn_upcall_pending, "it is pending there");
    check_eq("up with an event pending", vcpu_op(VCPUOP_up, 1, NULL), 0);
    check(event_wait(port_of[0], 1, 2000), "it answers");
    for (i = 1; i < 500; i++) {
        evtchn_send(port_of[1]);
        event_disable();
        while (event_count[0][port_of[0]] <= i) {
            event_disable();
            if (event_count[0][port_of[0]] > i)
                break;
            sched_op(SCHEDOP_block, NULL);
        }
    }
    event_disable();
    check_eq("questions", event_count[1][port_of[1]], 500);
    check_eq("answers", event_count[0][port_of[0]], 500);
    value_rc("bind_ipi of vcpu 1 by vcpu 0", evtchn_ipi(1) > 0);
}

/* ---- NMIs ---- */

static volatile unsigned int nmis[2];
static volatile bool nested;

static bool on_nmi(struct frame *f)
{
    unsigned int cpu = (unsigned int)(f->vector >> 16);

    if (nested) {
        unsigned int had = nmis[cpu];

        nested = false;
        vcpu_op(VCPUOP_send_nmi, cpu, NULL);
        vcpu_op(VCPUOP_send_nmi, cpu, NULL);
        if (nmis[cpu] != had)
            nmis[cpu] += 100; /* it came inside the handler */
    }
    nmis[cpu]++;
    return true;
}

static void nmi(void)
{
    trap_hook[VECTOR_NMI] = on_nmi;
    event_disable();
    check_eq("nmi to oneself", vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    check_eq("it came", nmis[0], 1);
    nested = true;
    check_eq("nmi whose handler sends two", vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    value("nmis in all", "%u", nmis[0]);
    check_eq("nmi to vcpu 1", vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
    check(WAIT(nmis[1] == 1), "it came there");
    value_rc("nmi to vcpu 2", vcpu_op(VCPUOP_send_nmi, 2, NULL));
    job = STOP;
    evtchn_send(port_of[1]);
    check(vcpu_wait_down(1, 2000), "vcpu 1 stops");
    nmis[1] = 0;
    check_eq("nmi to the stopped", vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
    spin_ns(5 * MS);
    check_eq("it waits", nmis[1], 0);
    job = IDLE;
    check_eq("up with an nmi pending", vcpu_op(VCPUOP_up, 1, NULL), 0);
    check(WAIT(nmis[1] == 1), "it came at last");
    check_eq("down again at last", vcpu_op(VCPUOP_down, 1, NULL), 0);
    check(vcpu_wait_down(1, 2000), "down at last");
}

/* ---- Its vcpu_info elsewhere ---- */

static long register_info(unsigned int vcpu, uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info r = {.mfn = mfn, .offset = offset};

    return vcpu_op(VCPUOP_register_vcpu_info, vcpu, &r);
}

static void infos_refused(void)
{
    static const uint32_t offsets[] = {1,    2,    4,    63,         4096 - 64 + 8,
                                       4095, 4096, 8192, 0x7fffffff, 0xffffffff};
    uint64_t *page = page_alloc(), *table = page_alloc();
    unsigned int i;

    page_ro(table);
    table_pin(1, va_mfn(table));
    for (i = 0; i < ARRAY_SIZE(offsets); i++)
        value_rc(text("vcpu_info at offset %x", offsets[i]),
                 register_info(1, va_mfn(page), offsets[i]));
    value_rc("vcpu_info in a page table", register_info(1, va_mfn(table), 0));
    value_rc("vcpu_info in the hypervisor", register_info(1, HV_FRAME, 0));
    value_rc("vcpu_info in a device frame", register_info(1, 0xa0, 0));
    value_rc("vcpu_info beyond memory", register_info(1, NO_FRAME, 0));
    value_rc("vcpu_info at frame -1", register_info(1, ~0ul, 0));
    value_rc("vcpu_info of vcpu 2", register_info(2, va_mfn(page), 0));
    table_unpin(va_mfn(table));
    page_rw(table);
}

static void shown(const char *name, const struct vcpu_info *vi)
{
    value(name, "upcall %x mask %x selectors %lx", vi->evtchn_upcall_pending,
          vi->evtchn_upcall_mask, (unsigned long)vi->evtchn_pending_sel);
}

static void infos(void)
{
    struct vcpu_info *page = page_alloc(), *mine = page_alloc();
    uint32_t port = (uint32_t)evtchn_ipi(0);
    uint64_t time;

    infos_refused();
    vcpu_info(1)->evtchn_upcall_mask = 1;
    check_eq("vcpu_info of the stopped", register_info(1, va_mfn(page), 64), 0);
    shown("its new place", &page[1]);
    value_rc("vcpu_info a second time", register_info(1, va_mfn(page), 128));
    value_rc("a page of vcpu_info as a table", (page_ro(page), table_pin(1, va_mfn(page))));
    page_rw(page);
    page[1].evtchn_pending_sel = 0;
    page[1].evtchn_upcall_pending = 0;
    for (time = 0; time < 64; time++)
        shared_info->evtchn_pending[time] = 0;
    evtchn_send(port_of[1]);
    shown("an event at the new place", &page[1]);

    /* Our own, while we run; the library's calls on it end here. */
    event_disable();
    evtchn_send(port);
    check_eq("vcpu_info of oneself", register_info(0, va_mfn(mine), 4096 - 64), 0);
    mine = (struct vcpu_info *)((uint8_t *)mine + 4096 - 64);
    shown("our new place", mine);
    check(mine->time.tsc_to_system_mul != 0 && !(mine->time.version & 1), "the time came along");
    value_rc("vcpu_info of oneself again", register_info(0, va_mfn(mine), 0));
    mine->evtchn_pending_sel = 0;
    mine->evtchn_upcall_pending = 0;
    evtchn_clear(port);
    vcpu_info(0)->evtchn_pending_sel = 0;
    vcpu_info(0)->evtchn_upcall_pending = 0;
    evtchn_send(port);
    shown("an event at our new place", mine);
    shown("and at the old one", vcpu_info(0));
}

static void physids(void)
{
    struct vcpu_get_physid p = {.phys_id = ~0ul};

    struct sched_pin_override pin = {.pcpu = 0};

    value_rc("get_physid of vcpu 0, free to move", vcpu_op(VCPUOP_get_physid, 0, &p));
    check_eq("pin it to processor 0", sched_op(SCHEDOP_pin_override, &pin), 0);
    value_rc("get_physid of vcpu 0, pinned", vcpu_op(VCPUOP_get_physid, 0, &p));
    value("its id", "%lx", (unsigned long)p.phys_id);
    value_rc("get_physid, bad argument", vcpu_op(VCPUOP_get_physid, 0, BAD_VA));
    pin.pcpu = -1;
    check_eq("let it go", sched_op(SCHEDOP_pin_override, &pin), 0);
    value_rc("get_physid of vcpu 1", vcpu_op(VCPUOP_get_physid, 1, &p));
    value_rc("get_physid of vcpu 2", vcpu_op(VCPUOP_get_physid, 2, &p));
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    every_op();
    fresh();
    arguments();
    addresses();
    tables();
    life();
    ping();
    nmi();
    physids();
    infos();
}
