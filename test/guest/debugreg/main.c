/* SPDX-License-Identifier: MIT */
/*
 * Debug registers: what set_debugreg and get_debugreg accept and refuse, the same by mov, and the
 * breakpoints themselves: code, stores and loads, in kernel and in user mode, by instructions that
 * are carried out for the guest, and on memory that the hypervisor touches for it.
 */
#include "guest.h"

#define BAD_VA    0xffff830000000000ul
#define NONCANON  0x800000000000ul
#define FLAGS_IF  0x200ul
#define FLAGS_RF  0x10000ul
#define CR4_DE    8ul
#define DR7_ON(n) (1ul << (2 * (n)))
#define DR7_KIND(n, rw, len)                                                                       \
    (DR7_ON(n) | (uint64_t)(rw) << (16 + 4 * (n)) | (uint64_t)(len) << (18 + 4 * (n)))

static struct user_space user;
static uint64_t data[64] __attribute__((aligned(64)));

static long set(uint64_t reg, uint64_t val)
{
    return hypercall2(__HYPERVISOR_set_debugreg, reg, val);
}

static uint64_t get(uint64_t reg)
{
    return (uint64_t)hypercall1(__HYPERVISOR_get_debugreg, reg);
}

static void clear(void)
{
    unsigned int i;

    set(7, 0);
    set(6, 0);
    for (i = 0; i < 4; i++)
        set(i, 0);
}

/* ---- The hypercalls ---- */

static void addresses(void)
{
    static const uint64_t list[] = {0,
                                    1,
                                    0x123456789abcul,
                                    NONCANON - 8,
                                    NONCANON - 1,
                                    NONCANON,
                                    0xffff7ffffffffffful,
                                    0xffff800000000000ul - 8,
                                    0xffff800000000000ul,
                                    BAD_VA,
                                    0xffff87fffffffffful,
                                    0xffff880000000000ul,
                                    0xffffffff80000000ul,
                                    0x1234567800000000ul,
                                    ~0ul};
    unsigned int i, reg;

    for (reg = 0; reg < 10; reg++)
        value(text("at first, register %u", reg), "%lx", get(reg));
    value("register 100", "%lx", get(100));
    value("register 1 << 32", "%lx", get(1ul << 32));
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        set(0, 0x77);
        value(text("address %lx", list[i]), "%ld, then %lx", set(0, list[i]), get(0));
    }
    for (reg = 1; reg < 4; reg++) {
        value(text("register %u", reg), "%ld, then %lx", set(reg, 0x1000 * reg), get(reg));
        value_rc(text("register %u in the hypervisor", reg), set(reg, BAD_VA));
    }
    for (reg = 4; reg < 6; reg++)
        value(text("register %u", reg), "%ld, then %lx", set(reg, 0), get(reg));
    value_rc("set register 8", set(8, 0));
    value_rc("set register 100", set(100, 0));
    value_rc("set register 1 << 32", set(1ul << 32, 0));
    clear();
}

static void bits(void)
{
    unsigned int i;

    for (i = 0; i < 34; i++) {
        value(text("dr6 bit %u", i), "%ld, then %lx", set(6, 1ul << i), get(6));
        set(6, 0);
    }
    for (i = 0; i < 34; i++) {
        value(text("dr7 bit %u", i), "%ld, then %lx", set(7, 1ul << i), get(7));
        set(7, 0);
    }
    value("dr6 all", "%ld, then %lx", set(6, ~0ul), get(6));
    value("dr7 all", "%ld, then %lx", set(7, ~0ul), get(7));
    set(6, 0);
    set(7, 0);
    for (i = 0; i < 4; i++) {
        value(text("I/O breakpoint %u", i), "%ld, then %lx", set(7, DR7_KIND(i, 2, 0)), get(7));
        value(text("I/O breakpoint %u, off", i), "%ld, then %lx",
              set(7, DR7_KIND(i, 2, 0) & ~0xfful), get(7));
        value(text("breakpoint %u, 8 bytes", i), "%ld, then %lx", set(7, DR7_KIND(i, 1, 2)),
              get(7));
        value(text("breakpoint %u, code of 4 bytes", i), "%ld, then %lx", set(7, DR7_KIND(i, 0, 3)),
              get(7));
        set(7, 0);
    }
    clear();
}

/* ---- By mov ---- */

static const char *mov_from(unsigned int reg)
{
    uint8_t code[3] = {0x0f, 0x21, (uint8_t)(0xc0 | reg << 3)};
    struct frame f = {.rax = 0x5a5a};
    const char *s = probe(&f, code, 3);

    return strcmp(s, "done") == 0 ? text("%lx", f.rax) : s;
}

static const char *mov_to(unsigned int reg, uint64_t val)
{
    uint8_t code[3] = {0x0f, 0x23, (uint8_t)(0xc0 | reg << 3)};
    struct frame f = {.rax = val};

    return probe(&f, code, 3);
}

static void by_mov(void)
{
    struct frame f = {0};
    unsigned int reg;
    uint64_t cr4;

    for (reg = 0; reg < 8; reg++) {
        value(text("mov from dr%u", reg), "%s", mov_from(reg));
        value(text("mov to dr%u", reg), "%s, then %s",
              mov_to(reg, reg == 6   ? 0xf
                          : reg == 7 ? 0
                                     : 0x1000),
              mov_from(reg));
    }
    for (reg = 0; reg < 4; reg++)
        value(text("mov to dr%u in the hypervisor", reg), "%s, then %s", mov_to(reg, BAD_VA),
              mov_from(reg));
    value("mov to dr0 non-canonical", "%s", mov_to(0, NONCANON));
    value("mov to dr7, general detect", "%s", mov_to(7, 0x2000));
    value("mov to dr7, I/O", "%s", mov_to(7, DR7_KIND(0, 2, 0)));
    value("mov to dr6, high half", "%s", mov_to(6, 1ul << 32));
    value("mov to dr7, high half", "%s", mov_to(7, 1ul << 32));
    value("mov from dr8", "%s", probe(&f, CODE("\x44\x0f\x21\xc0")));
    value("mov to dr15", "%s", probe(&f, CODE("\x44\x0f\x23\xf8")));
    f = (struct frame){0};
    value("mov from dr0 to r9", "%s", probe(&f, CODE("\x41\x0f\x21\xc1")));
    value("r9", "%lx", f.r9);
    f = (struct frame){0};
    value("mov from dr0, mod 0", "%s", probe(&f, CODE("\x0f\x21\x00")));
    f = (struct frame){0};
    value("lock mov from dr0", "%s", probe(&f, CODE("\xf0\x0f\x21\xc0")));
    f = (struct frame){0};
    value("user mov from dr0", "%s", probe_user(&user, &f, CODE("\x0f\x21\xc0")));
    f = (struct frame){0};
    value("user mov to dr7", "%s", probe_user(&user, &f, CODE("\x0f\x23\xf8")));
    clear();
    /* With DE there are no dr4 and dr5, and ports can be watched. */
    f = (struct frame){0};
    probe(&f, CODE("\x0f\x20\xe0"));
    cr4 = f.rax;
    f = (struct frame){.rax = cr4 | CR4_DE};
    value("CR4.DE", "%s", probe(&f, CODE("\x0f\x22\xe0")));
    for (reg = 4; reg < 6; reg++) {
        value(text("DE: register %u", reg), "%ld, then %lx", set(reg, 0), get(reg));
        value(text("DE: mov from dr%u", reg), "%s", mov_from(reg));
        value(text("DE: mov to dr%u", reg), "%s", mov_to(reg, 0));
    }
    value("DE: I/O breakpoint", "%ld, then %lx", set(7, DR7_KIND(0, 2, 0)), get(7));
    set(7, 0);
    f = (struct frame){.rax = cr4};
    probe(&f, CODE("\x0f\x22\xe0"));
    value("DE off: mov from dr4", "%s", mov_from(4));
    clear();
}

/* ---- Breakpoints ---- */

static void arm(unsigned int n, uint64_t va, unsigned int rw, unsigned int len)
{
    set(6, 0);
    if (set(n, va) != 0)
        error("breakpoint address");
    if (set(7, DR7_KIND(n, rw, len)) != 0)
        error("breakpoint");
}

static void hit(const char *name, const char *code, unsigned int len, struct frame f)
{
    const char *s = probe(&f, code, len);

    value(name, "%s, dr6 %lx, dr7 %lx", s, get(6), get(7));
    clear();
}

static void code_breakpoints(void)
{
    unsigned int n;
    struct frame f;

    for (n = 0; n < 4; n++) {
        arm(n, (uint64_t)code_page + 1, 0, 0);
        hit(text("code breakpoint %u", n), CODE("\x90\x90\x90"), (struct frame){0});
    }
    arm(0, (uint64_t)code_page, 0, 0);
    hit("code breakpoint, RF", CODE("\x90\x90"), (struct frame){.rflags = FLAGS_RF});
    arm(0, (uint64_t)code_page, 0, 0);
    hit("code breakpoint on rdmsr", CODE("\x0f\x32\x90"), (struct frame){.rcx = 0xc0000102});
    arm(0, (uint64_t)code_page + 2, 0, 0);
    hit("code breakpoint behind rdmsr", CODE("\x0f\x32\x90"), (struct frame){.rcx = 0xc0000102});
    arm(0, (uint64_t)code_page + 2, 0, 0);
    hit("code breakpoint behind a hypercall", CODE("\x0f\x05\x90"),
        (struct frame){.rax = __HYPERVISOR_xen_version});
    arm(0, (uint64_t)code_page, 0, 0);
    hit("code breakpoint on a hypercall", CODE("\x0f\x05\x90"),
        (struct frame){.rax = __HYPERVISOR_xen_version});
    arm(0, (uint64_t)trap_stubs + VECTOR_UD * 32, 0, 0);
    f = (struct frame){0};
    probe(&f, CODE("\x0f\x0b"));
    value("code breakpoint at a handler", "%s, %s, dr6 %lx", vector_name((int)f.vector),
          f.rip == (uint64_t)trap_stubs + VECTOR_UD * 32 ? "at the handler" : "elsewhere", get(6));
    clear();
    arm(1, USER_DATA + 1, 0, 0);
    f = (struct frame){.rflags = FLAGS_IF};
    value("user code breakpoint", "%s, dr6 %lx", probe_user(&user, &f, CODE("\x90\x90\x90")),
          get(6));
    clear();
}

static void data_breakpoints(void)
{
    unsigned int n;
    struct frame f;

    for (n = 0; n < 4; n++) {
        arm(n, (uint64_t)data, 1, 2);
        hit(text("store to breakpoint %u", n), CODE("\x48\x89\x03\x90"),
            (struct frame){.rbx = (uint64_t)data});
        arm(n, (uint64_t)data, 3, 2);
        hit(text("load from breakpoint %u", n), CODE("\x48\x8b\x03\x90"),
            (struct frame){.rbx = (uint64_t)data});
        arm(n, (uint64_t)data, 1, 2);
        hit(text("load from store breakpoint %u", n), CODE("\x48\x8b\x03\x90"),
            (struct frame){.rbx = (uint64_t)data});
    }
    arm(0, (uint64_t)data, 1, 0);
    hit("store of 8 bytes over 1", CODE("\x48\x89\x03\x90"),
        (struct frame){.rbx = (uint64_t)data - 4});
    arm(0, (uint64_t)data, 1, 3);
    hit("store beside it", CODE("\x48\x89\x03\x90"), (struct frame){.rbx = (uint64_t)data + 8});
    arm(0, USER_DATA + 512, 1, 3);
    f = (struct frame){.rflags = FLAGS_IF, .rbx = USER_DATA + 512};
    value("user store", "%s, dr6 %lx", probe_user(&user, &f, CODE("\x89\x03\x90")), get(6));
    clear();
}

/* What the hypervisor does for the guest must not stop in the hypervisor. */
static void by_proxy(void)
{
    static struct trap_info t[2];
    static const uint8_t code[16] = {0x0f, 0x32, 0x90, 0xcc};
    struct frame f;

    /* get_features' answer, then a read of its argument. */
    arm(0, (uint64_t)data, 3, 2);
    hit("hypercall's result", CODE("\x0f\x05\x90\x90"),
        (struct frame){
            .rax = __HYPERVISOR_xen_version, .rdi = XENVER_get_features, .rsi = (uint64_t)data});
    arm(0, (uint64_t)t, 3, 2);
    hit("hypercall's argument", CODE("\x0f\x05\x90\x90"),
        (struct frame){.rax = __HYPERVISOR_set_trap_table, .rdi = (uint64_t)t});
    arm(0, (uint64_t)data + 512 - 16, 1, 2);
    hit("bounce frame", CODE("\x0f\x0b"), (struct frame){.rsp = (uint64_t)data + 512});
    arm(0, (uint64_t)code, 3, 2);
    f = (struct frame){.rip = (uint64_t)code,
                       .cs = FLAT_KERNEL_CS & ~3,
                       .ss = FLAT_KERNEL_SS,
                       .rsp = (uint64_t)data + 512,
                       .rcx = 0xc0000102};
    value("instruction fetch of the emulator", "%s, dr6 %lx",
          outcome_of(&f, run_frame(&f), (uint64_t)code, 3), get(6));
    clear();
    arm(0, (uint64_t)data, 1, 2);
    hit("ins", CODE("\x6c\x90"), (struct frame){.rdi = (uint64_t)data, .rdx = 0x80});
}

/*
 * A load of SS holds back a debug trap until the next instruction has run; when that one enters the
 * hypervisor, the trap comes there. CVE-2018-8897.
 */
static void behind_mov_ss(void)
{
    static const struct {
        const char *name, *code;
        unsigned int len;
        uint64_t rax, rcx;
    } list[] = {
        {"nop", CODE("\x8e\x13\x90\x90"), 0, 0},
        {"hypercall", CODE("\x8e\x13\x0f\x05\x90"), __HYPERVISOR_xen_version, 0},
        {"int3", CODE("\x8e\x13\xcc\x90\x90"), 0, 0},
        {"int 80", CODE("\x8e\x13\xcd\x80\x90"), 0, 0},
        {"ud2", CODE("\x8e\x13\x0f\x0b\x90"), 0, 0},
        {"rdmsr", CODE("\x8e\x13\x0f\x32\x90"), 0, 0xc0000102},
        {"int1", CODE("\x8e\x13\xf1\x90\x90"), 0, 0},
    };
    struct frame f;
    unsigned int i;

    data[0] = FLAT_KERNEL_SS;
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        arm(0, (uint64_t)data, 3, 1);
        hit(text("mov ss, then %s", list[i].name), list[i].code, list[i].len,
            (struct frame){.rbx = (uint64_t)data, .rax = list[i].rax, .rcx = list[i].rcx});
    }
    memcpy((uint8_t *)user.data + 512, data, 8);
    arm(0, USER_DATA + 512, 3, 1);
    f = (struct frame){.rflags = FLAGS_IF, .rbx = USER_DATA + 512};
    value("user mov ss, then syscall", "%s, dr6 %lx",
          probe_user(&user, &f, CODE("\x8e\x13\x0f\x05\x90")), get(6));
    clear();
}

/* dr6 collects; single steps and breakpoints come together. */
static void together(void)
{
    struct sched_poll poll = {.nr_ports = 0};
    struct frame f;

    arm(0, (uint64_t)code_page + 1, 0, 0);
    hit("step onto a code breakpoint", CODE("\x90\x90\x90"), (struct frame){.rflags = 0x100});
    note("step of a store to a breakpoint: QEMU 7.2 then steps through the hypervisor for ever");
    set(6, 0xf);
    arm(1, (uint64_t)code_page + 1, 0, 0);
    set(6, 8);
    hit("dr6 before and after", CODE("\x90\x90\x90"), (struct frame){0});
    /* What is in dr6 stays while the vCPU does not run. */
    arm(2, (uint64_t)data, 1, 2);
    f = (struct frame){.rbx = (uint64_t)data};
    probe(&f, CODE("\x48\x89\x03\x90"));
    poll.timeout = now() + 3000000;
    check_eq("a short sleep", sched_op(SCHEDOP_poll, &poll), 0);
    value("dr6 after it", "%lx", get(6));
    hit("breakpoint after it", CODE("\x48\x89\x03\x90"), (struct frame){.rbx = (uint64_t)data});
    /* Both enabled on the same store. */
    set(0, (uint64_t)data);
    set(1, (uint64_t)data);
    set(7, DR7_KIND(0, 1, 2) | DR7_KIND(1, 3, 2));
    set(6, 0);
    hit("two breakpoints", CODE("\x48\x89\x03\x90"), (struct frame){.rbx = (uint64_t)data});
    /* An address without its enable bit. */
    set(0, (uint64_t)data);
    set(7, DR7_KIND(0, 1, 2) & ~0xfful);
    hit("not enabled", CODE("\x48\x89\x03\x90"), (struct frame){.rbx = (uint64_t)data});
    /* Set by mov. */
    set(0, (uint64_t)data);
    f = (struct frame){.rax = DR7_KIND(0, 1, 2), .rbx = (uint64_t)data};
    value("set by mov", "%s, dr6 %lx", probe(&f, CODE("\x0f\x23\xf8\x48\x89\x03\x90")), get(6));
    clear();
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    addresses();
    bits();
    by_mov();
    code_breakpoints();
    data_breakpoints();
    by_proxy();
    behind_mov_ss();
    together();
}
