/* SPDX-License-Identifier: MIT */
/*
 * How an event reaches the kernel: pending, mask and selector bits, the upcall byte, and every
 * boundary at which an upcall is taken: hypercalls, instructions the hypervisor carries out,
 * interrupts, iret, from kernel and from user mode. At the end a guest that scribbles over
 * shared_info, which may hurt nobody.
 */
#include "guest.h"

void event_dispatch(unsigned int cpu);

static uint64_t stack[1024] __attribute__((aligned(16)));
static uint32_t ipi;

static long unmask(uint32_t port)
{
    struct evtchn_unmask u = {.port = port};

    return evtchn_op(EVTCHNOP_unmask, &u);
}

static void quiet(void)
{
    unsigned int i;

    vcpu_info(0)->evtchn_upcall_mask = 1;
    for (i = 0; i < 64; i++)
        shared_info->evtchn_pending[i] = shared_info->evtchn_mask[i] = 0;
    vcpu_info(0)->evtchn_pending_sel = 0;
    vcpu_info(0)->evtchn_upcall_pending = 0;
    barrier();
}

/* Pending and mask bit of the port, the selectors, the upcall byte. */
static void state(const char *name, uint32_t port)
{
    const volatile struct vcpu_info *vi = vcpu_info(0);

    value(name, "pending %d masked %d selectors %lx upcall %x", evtchn_pending(port),
          (int)(shared_info->evtchn_mask[port / 64] >> port % 64 & 1),
          (unsigned long)vi->evtchn_pending_sel, vi->evtchn_upcall_pending);
}

/* ---- Bits ---- */

static void bits(void)
{
    uint32_t high;
    int p = 0;

    quiet();
    evtchn_mask(ipi, true);
    check_eq("send, masked port", evtchn_send(ipi), 0);
    state("masked port", ipi);
    check_eq("unmask by hypercall", unmask(ipi), 0);
    state("unmasked", ipi);
    quiet();
    check_eq("send", evtchn_send(ipi), 0);
    state("sent", ipi);
    vcpu_info(0)->evtchn_pending_sel = 0;
    vcpu_info(0)->evtchn_upcall_pending = 0;
    check_eq("send, pending already", evtchn_send(ipi), 0);
    state("sent again, pending", ipi);
    check_eq("unmask, not masked", unmask(ipi), 0);
    state("not masked, unmasked", ipi);
    evtchn_clear(ipi);
    vcpu_info(0)->evtchn_pending_sel = ~0ul;
    check_eq("send, selector set already", evtchn_send(ipi), 0);
    state("sent, selector was set", ipi);
    quiet();
    evtchn_mask(ipi, true);
    check_eq("unmask, nothing pending", unmask(ipi), 0);
    state("unmasked, nothing pending", ipi);
    check_eq("send before closing", evtchn_send(ipi), 0);
    evtchn_close(ipi);
    state("closed while pending", ipi);
    check_eq("the same port comes back", evtchn_ipi(0), ipi);
    state("bound again", ipi);

    quiet();
    while (p >= 0 && p < 4095)
        p = evtchn_ipi(0);
    high = (uint32_t)p;
    evtchn_send(high);
    state("the last port, sent", high);
    evtchn_send(100);
    state("port 100 as well", 100);
    for (p = (int)ipi + 1; p <= (int)high; p++)
        if (p != 100)
            evtchn_close((uint32_t)p);
    state("the last port, closed", high);
    evtchn_close(100);
    quiet();
}

/* One upcall for many ports, each handled once. */
static void many(void)
{
    uint32_t port[40];
    unsigned int i, wrong = 0, upcalls = event_upcalls[0];

    quiet();
    for (i = 0; i < ARRAY_SIZE(port); i++) {
        port[i] = (uint32_t)evtchn_ipi(0);
        event_count[0][port[i]] = 0;
    }
    for (i = 0; i < 3 * ARRAY_SIZE(port); i++)
        evtchn_send(port[i % ARRAY_SIZE(port)]);
    check_eq("masked: no upcall", event_upcalls[0], upcalls);
    event_enable();
    event_disable();
    check_eq("one upcall for all", event_upcalls[0], upcalls + 1);
    for (i = 0; i < ARRAY_SIZE(port); i++)
        wrong += event_count[0][port[i]] != 1;
    check_eq("each port once", wrong, 0);
    for (i = 0; i < ARRAY_SIZE(port); i++)
        evtchn_close(port[i]);
}

/* ---- The upcall's frame ---- */

static struct frame seen;
static unsigned int left_pending, upcalls_seen, rips_differ;
static uint8_t mask_in_handler, pending_in_handler;

static bool look(struct frame *f)
{
    mask_in_handler = vcpu_info(0)->evtchn_upcall_mask;
    pending_in_handler = vcpu_info(0)->evtchn_upcall_pending;
    rips_differ += upcalls_seen > 0 && f->rip != seen.rip;
    seen = *f;
    upcalls_seen++;
    if (left_pending > 0)
        left_pending--;
    else
        event_dispatch(0);
    return true;
}

static void frame_seen(const char *name)
{
    value(name, "upcalls %u cs %lx IF %d mask %x pending %x", upcalls_seen, (unsigned long)seen.cs,
          (int)(seen.rflags >> 9 & 1), mask_in_handler, pending_in_handler);
    upcalls_seen = rips_differ = 0;
}

static void level(void)
{
    quiet();
    trap_hook[VECTOR_EVENT] = look;
    evtchn_send(ipi);
    event_enable();
    frame_seen("an upcall's frame");
    check_eq("mask after the handler", vcpu_info(0)->evtchn_upcall_mask, 0);
    vcpu_info(0)->evtchn_upcall_mask = 0;
    left_pending = 3;
    evtchn_send(ipi);
    check_eq("all of them at one instruction", rips_differ, 0);
    frame_seen("handler leaves the byte set");
    event_disable();
    trap_hook[VECTOR_EVENT] = NULL;
}

/* ---- Boundaries ---- */

/* Runs code at code_page until something comes back; events unmasked if asked. */
static int run(struct frame *f, const void *code, unsigned int len, bool events)
{
    memcpy(code_page, code, len);
    code_page[len] = 0xcc;
    f->rip = (uint64_t)code_page;
    f->cs = FLAT_KERNEL_CS & ~3;
    f->ss = FLAT_KERNEL_SS;
    f->rsp = (uint64_t)&stack[1000];
    f->rflags = events ? 0x202 : 0x2;
    return run_frame(f);
}

static void came(const char *name, int vector, const struct frame *f)
{
    value(name, "vector %d at %ld, cs %lx IF %d, mask now %x", vector,
          (long)(f->rip - (uint64_t)code_page), (unsigned long)f->cs, (int)(f->rflags >> 9 & 1),
          vcpu_info(0)->evtchn_upcall_mask);
}

/*
 * The code sets the upcall byte itself (rbx points to it), then executes one instruction that
 * enters the hypervisor: the upcall has to come right behind it.
 */
static void boundary(const char *name, const char *insn, unsigned int len, struct frame *f)
{
    char code[32] = {(char)0xc6, 0x03, 0x01}; /* movb $1,(%rbx) */
    int vector;

    quiet();
    memcpy(code + 3, insn, len);
    f->rbx = (uint64_t)&vcpu_info(0)->evtchn_upcall_pending;
    vector = run(f, code, 3 + len, true);
    came(name, vector, f);
    check_eq(text("%s: right behind it", name), (int64_t)(f->rip - (uint64_t)code_page), 3 + len);
}

static void boundaries(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    struct frame f;
    void *page = page_alloc();

    memset(&f, 0, sizeof(f));
    f.rax = __HYPERVISOR_xen_version;
    boundary("hypercall", "\x0f\x05", 2, &f);
    check_eq("hypercall, its result is kept", (int64_t)f.rax, 4 << 16 | 17);
    f.rax = 0x11223344;
    f.rcx = 0x55667788;
    boundary("forced cpuid", "\x0f\x0bxen\x0f\xa2", 7, &f);
    boundary("mov from cr0", "\x0f\x20\xc0", 3, &f);
    f.rcx = 0xc0000101;
    boundary("rdmsr", "\x0f\x32", 2, &f);
    check_eq("set_iopl 1", hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, (uint64_t)&iopl),
             0);
    boundary("cli", "\xfa", 1, &f);
    boundary("sti", "\xfb", 1, &f);
    boundary("in from a port", "\xe4\x61", 2, &f);
    f.rcx = (uint64_t)pte_at(page, 1);
    f.rdx = pte_get(page) & ~PTE_RW;
    boundary("store to a page table", "\x48\x89\x11", 3, &f);
    check(!(pte_get(page) & PTE_RW), "the store was done");
    page_rw(page);
    page_free(page);
}

/* Masked by the byte: instructions that would enable interrupts on bare hardware change nothing. */
static void still_masked(void)
{
    struct frame f;
    int vector;

    memset(&f, 0, sizeof(f));
    quiet();
    evtchn_send(ipi);
    vector = run(&f, "\xfb", 1, false);
    came("sti with events masked", vector, &f);
    vector = run(&f, "\x9c\x81\x0c\x24\x00\x02\x00\x00\x9d", 9, false);
    came("popf with events masked", vector, &f);
    f.rax = __HYPERVISOR_xen_version;
    vector = run(&f, "\x0f\x05", 2, false);
    came("hypercall with events masked", vector, &f);
    quiet();
}

static void irets(void)
{
    struct frame f;
    int vector;

    memset(&f, 0, sizeof(f));
    quiet();
    vector = run(&f, "\x90", 1, true);
    came("iret with IF, nothing pending", vector, &f);
    quiet();
    evtchn_send(ipi);
    vector = run(&f, "\x90", 1, true);
    came("iret with IF, pending", vector, &f);
    vector = run(&f, "\x90", 1, false);
    came("iret without IF, pending", vector, &f);
    /* An exception first: its gate masks, so the upcall waits for the handler's iret. */
    quiet();
    f.rbx = (uint64_t)&vcpu_info(0)->evtchn_upcall_pending;
    vector = run(&f, "\xc6\x03\x01\x0f\x0b", 5, true);
    came("an exception goes first", vector, &f);
    f.rip += 2;
    vector = run_frame(&f);
    came("the upcall after its iret", vector, &f);
    quiet();
}

/* An interrupt that raises nothing by itself is a boundary as well. */
static void interrupts(void)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 0};
    uint32_t timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0);
    struct frame f;
    int vector;

    memset(&f, 0, sizeof(f));
    quiet();
    t.timeout_abs_ns = now() + 2000000;
    check_eq("timer set", vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    vector = run(&f, "\xeb\xfe", 2, true);
    came("timer while the kernel spins", vector, &f);
    state("the timer's port", timer);

    quiet();
    evtchn_mask(timer, true);
    t.timeout_abs_ns = now() + 2000000;
    check_eq("timer set, port masked", vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    f.rbx = (uint64_t)&vcpu_info(0)->evtchn_upcall_pending;
    vector = run(&f, "\xc6\x03\x01\xeb\xfe", 5, true);
    came("interrupt while the kernel spins", vector, &f);
    evtchn_close(timer);
    quiet();
}

__asm__(".pushsection .user,\"ax\"\nuser_spin:\njmp user_spin\n.popsection");
extern char user_spin[];

static void from_user(void)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 0};
    uint32_t timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0);
    static struct user_space u;
    struct frame f;
    int vector;

    quiet();
    user_init(&u);
    user_frame(&f, user_va(user_spin));
    evtchn_send(ipi);
    vector = run_frame(&f);
    value("iret to user mode, pending", "vector %d at %ld, cs %lx IF %d, stack %ld", vector,
          (long)(f.rip - user_va(user_spin)), (unsigned long)f.cs, (int)(f.rflags >> 9 & 1),
          (long)((uint64_t)trap_stack_top - fault.entry_rsp));
    quiet();
    t.timeout_abs_ns = now() + 2000000;
    check_eq("timer set for user mode", vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    user_frame(&f, user_va(user_spin));
    vector = run_frame(&f);
    value("timer while user mode spins", "vector %d at %ld, cs %lx IF %d, stack %ld", vector,
          (long)(f.rip - user_va(user_spin)), (unsigned long)f.cs, (int)(f.rflags >> 9 & 1),
          (long)((uint64_t)trap_stack_top - fault.entry_rsp));
    evtchn_close(timer);
    quiet();
}

/* ---- Nonsense in shared_info ---- */

static void odd_bytes(void)
{
    static const uint8_t values[] = {2, 0x80, 0xfe, 0xff};
    struct frame f;
    unsigned int i;
    int vector;

    for (i = 0; i < ARRAY_SIZE(values); i++) {
        memset(&f, 0, sizeof(f));
        quiet();
        f.rax = __HYPERVISOR_xen_version;
        f.rbx = (uint64_t)&vcpu_info(0)->evtchn_upcall_pending;
        f.rdx = (uint64_t)&vcpu_info(0)->evtchn_upcall_mask;
        f.rcx = values[i];
        /* movb %cl,(%rbx); syscall */
        vector = run(&f, "\x88\x0b\x0f\x05", 4, true);
        came(text("upcall byte %x", values[i]), vector, &f);
        quiet();
        f.rax = __HYPERVISOR_xen_version;
        f.rcx = values[i];
        /* movb %cl,(%rdx); movb $1,(%rbx); syscall */
        vector = run(&f, "\x88\x0a\xc6\x03\x01\x0f\x05", 7, true);
        came(text("mask byte %x", values[i]), vector, &f);
    }
    quiet();
}

static uint64_t seed = 88172645463325252ul;

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void scribble(void)
{
    static uint8_t saved[sizeof(struct shared_info)];
    volatile uint64_t *words = (volatile uint64_t *)shared_info;
    uint32_t ports[8];
    unsigned int round, i;

    quiet();
    memcpy(saved, shared_info, sizeof(saved));
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        ports[i] = (uint32_t)evtchn_ipi(i % 2);
    for (round = 0; round < 3000; round++) {
        for (i = 0; i < 16; i++)
            words[chance() % (sizeof(saved) / 8)] = chance() & chance();
        vcpu_info(0)->evtchn_upcall_mask = chance() & 1;
        evtchn_send(ports[chance() % 8]);
        unmask(ports[chance() % 8]);
        if (round % 16 == 0)
            sched_op(SCHEDOP_yield, NULL);
        if (round % 64 == 0) {
            evtchn_close(ports[round / 64 % 8]);
            ports[round / 64 % 8] = (uint32_t)evtchn_ipi(chance() & 1);
        }
    }
    vcpu_info(0)->evtchn_upcall_mask = 1;
    memcpy(shared_info, saved, sizeof(saved));
    quiet();
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        check_eq(text("scribbled: port %u closes", i), evtchn_close(ports[i]), 0);
    event_count[0][ipi] = 0;
    evtchn_send(ipi);
    event_enable();
    event_disable();
    check_eq("events work after the scribbling", event_count[0][ipi], 1);
}

void test_main(const char *args)
{
    (void)args;
    ipi = (uint32_t)evtchn_ipi(0);
    bits();
    many();
    level();
    boundaries();
    still_masked();
    irets();
    interrupts();
    from_user();
    odd_bytes();
    scribble();
}
