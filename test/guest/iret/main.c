/* SPDX-License-Identifier: MIT */
/*
 * The iret hypercall with every state a guest can ask for: instruction and stack pointers,
 * selectors, flags, event mask, return by VGCF_in_syscall; what the kernel gets when the state
 * does not load; single-stepping across instructions that are carried out for the guest. Each
 * `crash` case asks for something that leaves no way on.
 */
#include "guest.h"

#define BAD_VA     0xffff830000000000ul /* the hypervisor's */
#define NOWHERE    0x5ead00000000ul     /* mapped by nobody */
#define NONCANON   0x800000000000ul
#define FLAGS_TF   0x100ul
#define FLAGS_IF   0x200ul
#define FLAGS_IOPL 0x3000ul
#define FLAGS_NT   0x4000ul
#define FLAGS_VM   0x20000ul
#define FLAGS_ARI  0x8d5ul

static struct user_space user;
static uint8_t stack[4096] __attribute__((aligned(4096)));
#define STACK ((uint64_t)stack + 2048)

static unsigned int mask(void)
{
    return vcpu_info(0)->evtchn_upcall_mask;
}

static void kernel_state(struct frame *f)
{
    memset(f, 0, sizeof(*f));
    memcpy(code_page, "\xcc\xcc\xcc\xcc", 4);
    f->rip = (uint64_t)code_page;
    f->cs = FLAT_KERNEL_CS & ~3;
    f->ss = FLAT_KERNEL_SS;
    f->rsp = STACK;
    f->rflags = 2;
}

static void user_state(struct frame *f)
{
    kernel_state(f);
    memcpy(user.data, "\xcc\xcc\xcc\xcc", 4);
    f->rip = USER_DATA;
    f->cs = FLAT_USER_CS;
    f->ss = FLAT_USER_SS;
    f->rsp = USER_STACK;
}

/* Ask for f; say where it came out. */
static void go(const char *name, struct frame *f)
{
    uint64_t rip = f->rip;
    const char *outcome = outcome_of(f, run_frame(f), rip, 0);

    value(name, "%s, cs %lx ss %lx rflags %lx mask %u", outcome, f->cs, f->ss,
          f->rflags & ~FLAGS_ARI, mask());
    vcpu_info(0)->evtchn_upcall_mask = 1;
}

/* ---- Selectors ---- */

static const uint64_t selectors[] = {
    0,      1,      2,      3,      0xe008, 0xe00b, 0xe010, 0xe013, 0xe018,         0xe020,
    0xe023, 0xe028, 0xe029, 0xe02b, 0xe030, 0xe031, 0xe032, 0xe033, 0xe038,         0xe040,
    0xe043, 0xe050, 0xe053, 0x8,    0x33,   0x1233, 0x4,    0x7,    0xfff8,         0xffff,
    0xf000, 0xe060, 0xf003, 0x1003, 0xdff8, 0xdffb, 0xe07b, 0xefff, 0x12340000e030, 0x10000e02bul};

static bool is_user(uint64_t cs)
{
    return (cs & 3) == 3;
}

static void code_selectors(void)
{
    struct frame f;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(selectors); i++) {
        if (is_user(selectors[i]) || selectors[i] == 0xe020)
            continue; /* the last is a crash case */
        kernel_state(&f);
        f.cs = selectors[i];
        go(text("kernel cs %lx", selectors[i]), &f);
    }
    for (i = 0; i < ARRAY_SIZE(selectors); i++) {
        if (!is_user(selectors[i]))
            continue;
        user_state(&f);
        f.cs = selectors[i];
        go(text("user cs %lx", selectors[i]), &f);
    }
}

static void stack_selectors(void)
{
    struct frame f;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(selectors); i++) {
        kernel_state(&f);
        f.ss = selectors[i];
        go(text("kernel ss %lx", selectors[i]), &f);
        user_state(&f);
        f.ss = selectors[i];
        go(text("user ss %lx", selectors[i]), &f);
    }
}

/* ---- Pointers ---- */

static void pointers(void)
{
    static const uint64_t list[] = {0,
                                    1,
                                    NOWHERE,
                                    NONCANON - 1,
                                    NONCANON,
                                    0xffff7ffffffffffful,
                                    0xffff800000000000ul,
                                    0xffff820000000000ul,
                                    BAD_VA,
                                    0xffff87fffffffffful,
                                    0x1234567800000000ul,
                                    ~0ul};
    struct frame f;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        kernel_state(&f);
        f.rip = list[i];
        go(text("kernel rip %lx", list[i]), &f);
        user_state(&f);
        f.rip = list[i];
        go(text("user rip %lx", list[i]), &f);
        user_state(&f);
        f.rsp = list[i];
        go(text("user rsp %lx", list[i]), &f);
        value(text("user rsp %lx: is", list[i]), "%lx", f.rsp);
    }
    /* 32-bit code: only the low half counts. */
    user_state(&f);
    f.cs = 0xe023;
    f.rip |= 0x1234ul << 32;
    go("user 32-bit, wide rip", &f);
    user_state(&f);
    f.cs = 0xe023;
    f.rsp |= 0x1234ul << 32;
    go("user 32-bit, wide rsp", &f);
    value("user 32-bit, wide rsp: is", "%lx", f.rsp);
}

/* ---- Flags ---- */

static void flags(void)
{
    struct frame f;
    unsigned int i;

    for (i = 0; i < 64; i++) {
        kernel_state(&f);
        f.rflags = 1ul << i;
        memcpy(code_page, "\x90\xcc", 2);
        go(text("kernel flag %u", i), &f);
        if (i >= 23 && i < 63)
            continue;
        user_state(&f);
        f.rflags = 1ul << i;
        memcpy(user.data, "\x90\xcc", 2);
        go(text("user flag %u", i), &f);
    }
    kernel_state(&f);
    f.rflags = 0;
    go("kernel no flags", &f);
    kernel_state(&f);
    f.rflags = ~FLAGS_TF;
    go("kernel all flags but TF", &f);
    kernel_state(&f);
    f.rflags = FLAGS_IF | FLAGS_IOPL | FLAGS_NT | FLAGS_VM;
    go("kernel IF IOPL NT VM", &f);
    user_state(&f);
    f.rflags = ~FLAGS_TF & 0xffffffff;
    go("user all flags but TF", &f);
    kernel_state(&f);
    f.rflags = 2;
    memcpy(code_page, "\x9c\x58\xcc", 3); /* pushf; pop rax */
    run_frame(&f);
    value("flags as the kernel sees them, masked", "%lx", f.rax);
    kernel_state(&f);
    f.rflags = FLAGS_IF | FLAGS_IOPL;
    memcpy(code_page, "\x9c\x58\xcc", 3);
    run_frame(&f);
    value("flags as the kernel sees them, IF and IOPL", "%lx", f.rax);
}

/* ---- Registers and the flags word ---- */

static void registers(const char *what, uint64_t word, bool to_user, uint64_t rflags)
{
    static const uint8_t code[] = {0x90, 0xcc};
    struct frame f, want;
    uint64_t *w = (uint64_t *)&f;
    unsigned int i;

    if (to_user)
        user_state(&f);
    else
        kernel_state(&f);
    memcpy(to_user ? user.data : code_page, code, sizeof(code));
    for (i = 0; i < 15; i++)
        w[i] = 0x1111111111111111ul * (i + 1);
    f.rflags = rflags;
    want = f;
    iret_flags = word;
    go(what, &f);
    iret_flags = 0;
    value(text("%s: rcx r11", what), "%lx %lx", f.rcx == f.rip - 2 ? 0x111 : f.rcx,
          f.r11 & ~FLAGS_ARI);
    f.rcx = want.rcx;
    f.r11 = want.r11;
    check(memcmp(&f, &want, 15 * 8) == 0, "%s: the other registers", what);
}

static void flag_words(void)
{
    unsigned int i;

    registers("kernel", 0, false, 2);
    registers("user", 0, true, 2);
    registers("kernel, in_syscall", VGCF_in_syscall, false, 2);
    registers("user, in_syscall", VGCF_in_syscall, true, 2);
    for (i = 0; i < 64; i += 7)
        registers(text("user, word %u", i), 1ul << i, true, 2);
    registers("user, all but in_syscall", ~(uint64_t)VGCF_in_syscall, true, 2);
}

/* The same return, with a state that sysret cannot load or must not. */
static void in_syscall(const char *name, struct frame *f)
{
    iret_flags = VGCF_in_syscall;
    go(text("in_syscall, %s", name), f);
    iret_flags = 0;
}

static void by_sysret(void)
{
    static const uint64_t rips[] = {NONCANON - 1, NONCANON, BAD_VA, 0xffff7ffffffffffful, ~0ul};
    static const uint64_t cs[] = {0xe023, 0x1233, 0x10000e033ul};
    static const uint64_t ss[] = {0, 0xe028, 0x1233};
    struct frame f;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(rips); i++) {
        user_state(&f);
        f.rip = rips[i];
        in_syscall(text("user rip %lx", rips[i]), &f);
        kernel_state(&f);
        f.rip = rips[i];
        in_syscall(text("kernel rip %lx", rips[i]), &f);
    }
    for (i = 0; i < ARRAY_SIZE(cs); i++) {
        user_state(&f);
        f.cs = cs[i];
        in_syscall(text("user cs %lx", cs[i]), &f);
    }
    for (i = 0; i < ARRAY_SIZE(ss); i++) {
        user_state(&f);
        f.ss = ss[i];
        in_syscall(text("user ss %lx", ss[i]), &f);
    }
    user_state(&f);
    f.rsp = NONCANON;
    in_syscall("user rsp non-canonical", &f);
    user_state(&f);
    f.rsp = BAD_VA;
    in_syscall("user rsp of the hypervisor", &f);
    for (i = 0; i < 22; i++) {
        user_state(&f);
        f.rflags = i == 8 ? 2 : 1ul << i; /* TF: before or behind the first instruction */
        in_syscall(text("user flag %u", i), &f);
    }
}

/* ---- Events ---- */

static void events(void)
{
    int port = evtchn_ipi(0);
    struct frame f;

    evtchn_mask((uint32_t)port, false);
    evtchn_send((uint32_t)port);
    kernel_state(&f);
    go("event pending, masked", &f);
    kernel_state(&f);
    f.rflags = FLAGS_IF;
    go("event pending, unmasked", &f);
    user_state(&f);
    f.rflags = FLAGS_IF;
    go("event pending, to user", &f);
    user_state(&f);
    go("event pending, to user masked", &f);
    registers("event pending, user", 0, true, 2);
    registers("event pending, kernel, in_syscall", VGCF_in_syscall, false, 2);
    registers("event pending, user, in_syscall", VGCF_in_syscall, true, 2);
    kernel_state(&f);
    f.rflags = FLAGS_IF | FLAGS_TF;
    go("event pending, TF", &f);
    kernel_state(&f);
    f.rflags = FLAGS_IF;
    f.rip = NOWHERE;
    go("event pending, rip nowhere", &f);
    kernel_state(&f);
    f.rflags = FLAGS_IF;
    f.rip = NONCANON;
    go("event pending, rip non-canonical", &f);
    kernel_state(&f);
    f.rflags = FLAGS_IF;
    f.cs = 0x1230;
    go("event pending, bad cs", &f);
    evtchn_clear((uint32_t)port);
    vcpu_info(0)->evtchn_upcall_pending = 0;
    vcpu_info(0)->evtchn_pending_sel = 0;
    kernel_state(&f);
    f.rflags = FLAGS_IF;
    go("no event pending", &f);
    evtchn_close((uint32_t)port);
}

/* ---- The frame of a return that faults ---- */

static void faults(void)
{
    struct frame f;

    kernel_state(&f);
    f.cs = 0x1230;
    f.rflags = FLAGS_IF;
    f.rcx = 0x1234;
    f.r11 = 0x5678;
    go("fault", &f);
    value("fault: rcx r11", "%lx %lx", f.rcx, f.r11);
    check_eq("fault: rip", (int64_t)f.rip, (int64_t)code_page);
    check_eq("fault: rsp", (int64_t)f.rsp, (int64_t)STACK);
    check_eq("fault: frame below rsp", (int64_t)(STACK - fault.entry_rsp), 8 * 8);
    user_state(&f);
    f.ss = 0x1233;
    f.rflags = FLAGS_IF;
    go("fault to user", &f);
    check_eq("fault to user: rip", (int64_t)f.rip, USER_DATA);
    check_eq("fault to user: rsp", (int64_t)f.rsp, USER_STACK);
    check_eq("fault to user: frame on the kernel stack",
             (int64_t)((uint64_t)trap_stack_top - fault.entry_rsp), 8 * 8);
    /* With no failsafe callback: it is not what counts here. */
    hypercall3(__HYPERVISOR_set_callbacks, (uint64_t)stub_of(event_entry, 0), 0,
               (uint64_t)stub_of(syscall_entry, 0));
    kernel_state(&f);
    f.cs = 0x1230;
    go("fault without failsafe callback", &f);
    trap_init();
}

/* ---- Single steps ---- */

static long debugreg(unsigned int n)
{
    return hypercall1(__HYPERVISOR_get_debugreg, n);
}

static void step(const char *name, const char *code, unsigned int len, uint64_t rax, uint64_t rcx)
{
    struct frame f = {.rax = rax, .rcx = rcx, .rflags = FLAGS_TF, .rsp = STACK};
    const char *outcome = probe(&f, code, len);

    value(text("step %s", name), "%s, TF %u, dr6 %lx", outcome, !!(f.rflags & FLAGS_TF),
          debugreg(6));
    hypercall2(__HYPERVISOR_set_debugreg, 6, 0);
}

static void steps(void)
{
    struct frame f = {.rflags = FLAGS_TF};
    const char *outcome;

    step("nop", CODE("\x90\x90\x90"), 0, 0);
    step("forced cpuid", CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2\x90"), 0x40000000, 0);
    step("rdmsr", CODE("\x0f\x32\x90\x90"), 0, 0xc0000102);
    step("rdmsr of fs", CODE("\x0f\x32\x90\x90"), 0, 0xc0000100);
    step("mov from cr0", CODE("\x0f\x20\xc0\x90\x90"), 0, 0);
    step("clts", CODE("\x0f\x06\x90\x90"), 0, 0);
    step("hlt", CODE("\xf4\x90"), 0, 0);
    step("hypercall", CODE("\x0f\x05\x90\x90"), __HYPERVISOR_xen_version, 0);
    step("int3", CODE("\xcc\x90"), 0, 0);
    step("ud2", CODE("\x0f\x0b\x90"), 0, 0);
    step("int 80", CODE("\xcd\x80\x90"), 0, 0);
    step("pushf", CODE("\x9c\x90"), 0, 0);
    step("popf", CODE("\x9d\x90\x90\x90"), 0, 0);
    step("mov to ss", CODE("\x8e\xd0\x90\x90\x90"), FLAT_KERNEL_SS, 0);
    step("div by 0", CODE("\x48\xf7\xf1"), 0, 0);
    step("jump nowhere", CODE("\xff\xe0"), NOWHERE, 0);
    step("rep stosb", CODE("\x48\x89\xe7\xf3\xaa\x90"), 0, 3);
    outcome = probe_user(&user, &f, CODE("\x90\x90"));
    value("step user nop", "%s, dr6 %lx", outcome, debugreg(6));
    f = (struct frame){.rflags = FLAGS_TF};
    outcome = probe_user(&user, &f, CODE("\x0f\x05\x90"));
    value("step user syscall", "%s, rflags %lx", outcome, f.rflags);
    f = (struct frame){.rflags = FLAGS_TF};
    outcome = probe_user(&user, &f, CODE("\xcd\x80\x90"));
    value("step user int 80", "%s, rflags %lx", outcome, f.rflags);
}

/* ---- In a list of calls ---- */

static void in_multicall(void)
{
    static struct multicall_entry mc[3];
    uint64_t got = 0;

    memset(mc, 0, sizeof(mc));
    mc[0].op = __HYPERVISOR_xen_version;
    mc[1].op = __HYPERVISOR_xen_version;
    mc[1].args[0] = 9999;
    mc[2].op = __HYPERVISOR_xen_version;
    mc[1].result = mc[2].result = 0x5a5a;
    value_rc("a list of calls", hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, 3));
    mc[1].op = __HYPERVISOR_iret;
    mc[1].result = mc[2].result = 0x5a5a;
    /* The frame of an iret lies ready: rax tells whether it was used. */
    __asm__ volatile("movq %%rsp, %%r12\n"
                     "pushq %[ss]\npushq %%r12\npushq $2\npushq %[cs]\npushq $1f\n"
                     "pushq $0\npushq $0\npushq $0\npushq $0x777\n"
                     "syscall\n"
                     "1: movq %%r12, %%rsp\n"
                     : "=a"(got)
                     : "a"((uint64_t)__HYPERVISOR_multicall), "D"(mc),
                       "S"(3ul), [ss] "i"(FLAT_KERNEL_SS), [cs] "i"(FLAT_KERNEL_CS & ~3)
                     : "rcx", "r11", "r12", "memory", "rdx", "r10", "r8", "r9");
    value("an iret in a list", "rax %lx, results %ld %ld", got, (long)mc[1].result,
          (long)mc[2].result);
}

/* ---- No way on ---- */

/* An iret with the stack pointer at sp. */
static void iret_at(uint64_t sp)
{
    __asm__ volatile("movq %0, %%rsp\nmovl $23, %%eax\nsyscall\nud2" : : "r"(sp));
}

static void crash(const char *how)
{
    static uint8_t edge[2 * 4096] __attribute__((aligned(4096)));
    struct frame f;

    expect_crash(how);
    kernel_state(&f);
    if (strcmp(how, "no-user-tables") == 0) {
        mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
        user_state(&f);
        run_frame(&f);
    } else if (strcmp(how, "frame-nowhere") == 0) {
        iret_at(NOWHERE);
    } else if (strcmp(how, "frame-noncanonical") == 0) {
        iret_at(NONCANON);
    } else if (strcmp(how, "frame-hypervisor") == 0) {
        iret_at(BAD_VA);
    } else if (strcmp(how, "frame-below-hypervisor") == 0) {
        iret_at(0xffff800000000000ul - 16);
    } else if (strcmp(how, "frame-wraps") == 0) {
        iret_at(-16ul);
    } else if (strcmp(how, "frame-half") == 0) {
        page_unmap(edge + 4096);
        iret_at((uint64_t)edge + 4096 - 40);
    } else if (strcmp(how, "32-bit-kernel") == 0) {
        f.cs = 0xe020; /* the stack pointer loses its upper half */
        run_frame(&f);
    } else if (strcmp(how, "fault-stack") == 0) {
        f.cs = 0x1230;
        f.rsp = NOWHERE;
        run_frame(&f);
    } else if (strcmp(how, "fault-stack-hypervisor") == 0) {
        f.cs = 0x1230;
        f.rsp = BAD_VA + 4096;
        run_frame(&f);
    }
    check(false, "the domain lives on");
}

void test_main(const char *args)
{
    user_init(&user);
    if (starts_with(args, "crash ")) {
        crash(args + 6);
        return;
    }
    code_selectors();
    stack_selectors();
    pointers();
    flags();
    flag_words();
    by_sysret();
    events();
    faults();
    steps();
    in_multicall();
}
