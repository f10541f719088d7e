/* SPDX-License-Identifier: MIT */
/*
 * The bases of FS and GS: set_segment_base, wrmsr, the FSGSBASE instructions and selector loads,
 * all of which must see what the others wrote; which bases are refused; what survives the way to
 * user mode and back, and who owns which GS there.
 */
#include "guest.h"

#define NONCANON    0x800000000000ul
#define BAD_VA      0xffff830000000000ul
#define MSR_FS      0xc0000100u
#define MSR_GS      0xc0000101u
#define MSR_KERN_GS 0xc0000102u
#define FLAGS_IF    0x200ul

static struct user_space user;

static long set_base(unsigned int which, uint64_t base)
{
    return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

static const char *rdmsr_text(uint32_t msr)
{
    struct frame f = {.rcx = msr, .rax = ~0ul, .rdx = ~0ul};
    const char *s = probe(&f, CODE("\x0f\x32"));

    return strcmp(s, "done") == 0 ? text("%lx", f.rdx << 32 | (uint32_t)f.rax) : s;
}

static const char *wrmsr(uint32_t msr, uint64_t val)
{
    struct frame f = {.rcx = msr, .rax = (uint32_t)val, .rdx = val >> 32};

    return probe(&f, CODE("\x0f\x30"));
}

/* rdfsbase, rdgsbase rax; wrfsbase, wrgsbase rax */
static const char *rdbase(bool gs)
{
    struct frame f = {0};
    const char *s =
        gs ? probe(&f, CODE("\xf3\x48\x0f\xae\xc8")) : probe(&f, CODE("\xf3\x48\x0f\xae\xc0"));

    return strcmp(s, "done") == 0 ? text("%lx", f.rax) : s;
}

static const char *wrbase(bool gs, uint64_t val)
{
    struct frame f = {.rax = val};

    return gs ? probe(&f, CODE("\xf3\x48\x0f\xae\xd8")) : probe(&f, CODE("\xf3\x48\x0f\xae\xd0"));
}

static const char *load(bool gs, uint16_t sel)
{
    struct frame f = {.rcx = sel};

    return gs ? probe(&f, CODE("\x8e\xe9")) : probe(&f, CODE("\x8e\xe1"));
}

static void all(const char *when)
{
    value(text("%s: MSRs", when), "%s %s %s", rdmsr_text(MSR_FS), rdmsr_text(MSR_GS),
          rdmsr_text(MSR_KERN_GS));
}

static const uint64_t bases[] = {0,
                                 1,
                                 0x123456789abcul,
                                 NONCANON - 1,
                                 NONCANON,
                                 0xffff7ffffffffffful,
                                 0xffff800000000000ul,
                                 BAD_VA,
                                 0x1234567800000000ul,
                                 ~0ul};

static void by_hypercall(void)
{
    static const char *const names[] = {"fs", "gs user", "gs kernel"};
    unsigned int which, i;

    all("at first");
    for (which = 0; which < 3; which++) {
        for (i = 0; i < ARRAY_SIZE(bases); i++) {
            value_rc(text("%s base %lx", names[which], bases[i]), set_base(which, bases[i]));
            all(text("%s base %lx", names[which], bases[i]));
        }
        set_base(which, 0x1000 * (which + 1));
    }
    all("each its own");
    for (i = 4; i < 10; i++)
        value_rc(text("base %u", i), set_base(i, 0));
    value_rc("base -1", set_base(0xffffffff, 0));
    value_rc("base with a high half", hypercall2(__HYPERVISOR_set_segment_base, 1ul << 32, 0x7000));
    all("base with a high half");
}

static void by_msr(void)
{
    static const uint32_t msrs[] = {MSR_FS, MSR_GS, MSR_KERN_GS};
    unsigned int m, i;

    for (m = 0; m < 3; m++) {
        for (i = 0; i < ARRAY_SIZE(bases); i++) {
            value(text("wrmsr %x %lx", msrs[m], bases[i]), "%s", wrmsr(msrs[m], bases[i]));
            all(text("wrmsr %x %lx", msrs[m], bases[i]));
        }
        wrmsr(msrs[m], 0x10000 * (m + 1));
    }
    all("each its own, by wrmsr");
}

/* mov cr4: the guest's own FSGSBASE bit. */
static uint64_t read_cr4(void)
{
    struct frame f = {0};

    probe(&f, CODE("\x0f\x20\xe0"));
    return f.rax;
}

static const char *write_cr4(uint64_t val)
{
    struct frame f = {.rax = val};

    return probe(&f, CODE("\x0f\x22\xe0"));
}

#define CR4_FSGSBASE 0x10000ul

static const char *user_rdbase(void)
{
    struct frame f = {0};
    const char *s = probe_user(&user, &f, CODE("\xf3\x48\x0f\xae\xc8"));

    return strcmp(s, "done") == 0 ? text("%lx", f.rax) : s;
}

static void by_instruction(void)
{
    uint64_t cr4 = read_cr4();
    unsigned int i, on;

    for (on = 0; on < 2; on++) {
        const char *when = on ? "FSGSBASE" : "no FSGSBASE";

        value(text("%s: CR4", when), "%s",
              write_cr4(on ? cr4 | CR4_FSGSBASE : cr4 & ~CR4_FSGSBASE));
        value(text("%s: bit", when), "%u", !!(read_cr4() & CR4_FSGSBASE));
        value(text("%s: rdfsbase", when), "%s", rdbase(false));
        value(text("%s: rdgsbase", when), "%s", rdbase(true));
        value(text("%s: user rdgsbase", when), "%s", user_rdbase());
        for (i = 0; i < ARRAY_SIZE(bases); i++) {
            value(text("%s: wrfsbase %lx", when, bases[i]), "%s", wrbase(false, bases[i]));
            value(text("%s: wrgsbase %lx", when, bases[i]), "%s", wrbase(true, bases[i]));
            all(text("%s: %lx", when, bases[i]));
        }
    }
    write_cr4(cr4);
    wrbase(false, 0);
    wrbase(true, 0);
}

static void selectors(void)
{
    static uint64_t mfn;
    uint64_t *t = page_alloc();
    static const uint16_t list[] = {0, 1, 3, 0x28, 0x2b, 0x33, 0x1233, 0xe02b, 0xe008, 7, 0xffff};
    unsigned int i;

    t[5] = 0x12cff3345678fffful; /* data, base 12345678 */
    page_ro(t);
    mfn = va_mfn(t);
    check_eq("GDT", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&mfn, 512), 0);
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        set_base(SEGBASE_FS, 0x1000);
        set_base(SEGBASE_GS_USER, 0x2000);
        set_base(SEGBASE_GS_KERNEL, 0x3000);
        value(text("fs load %x", list[i]), "%s", load(false, list[i]));
        all(text("fs %x", list[i]));
        value(text("gs load %x", list[i]), "%s", load(true, list[i]));
        all(text("gs %x", list[i]));
        load(false, 0);
        load(true, 0);
        set_base(SEGBASE_GS_USER, 0x2000);
        set_base(SEGBASE_GS_KERNEL, 0x3000);
        value_rc(text("gs user selector %x", list[i]), set_base(SEGBASE_GS_USER_SEL, list[i]));
        all(text("gs user selector %x", list[i]));
    }
    value_rc("gs user selector, high half", set_base(SEGBASE_GS_USER_SEL, 0x123400000000002bul));
    all("gs user selector, high half");
    set_base(SEGBASE_GS_USER_SEL, 0);
}

/* What user mode has: mov ax, fs; mov bx, gs; the bases by rdfsbase and rdgsbase. */
static void in_user(const char *when)
{
    struct frame f = {.rflags = FLAGS_IF};

    probe_user(&user, &f, CODE("\xf3\x48\x0f\xae\xc6\xf3\x48\x0f\xae\xcf\x66\x8c\xe0\x66\x8c\xeb"));
    value(text("%s: user", when), "fs %lx %lx gs %lx %lx", f.rax & 0xffff, f.rsi, f.rbx & 0xffff,
          f.rdi);
    all(when);
}

static void modes(void)
{
    struct frame f = {0};

    write_cr4(read_cr4() | CR4_FSGSBASE);
    load(false, 0);
    load(true, 0);
    set_base(SEGBASE_FS, 0x111000);
    set_base(SEGBASE_GS_USER, 0x222000);
    set_base(SEGBASE_GS_KERNEL, 0x333000);
    in_user("each its own");
    /* User mode changes its bases: wrfsbase rsi, wrgsbase rdi. */
    f.rsi = 0x444000;
    f.rdi = 0x555000;
    value("user wrfsbase, wrgsbase", "%s",
          probe_user(&user, &f, CODE("\xf3\x48\x0f\xae\xd6\xf3\x48\x0f\xae\xdf")));
    all("user wrote");
    in_user("after user wrote");
    f = (struct frame){.rsi = NONCANON};
    value("user wrgsbase non-canonical", "%s", probe_user(&user, &f, CODE("\xf3\x48\x0f\xae\xde")));
    f = (struct frame){.rcx = 0x2b};
    value("user loads gs", "%s", probe_user(&user, &f, CODE("\x8e\xe9")));
    all("user loaded gs");
    in_user("after user loaded gs");
    f = (struct frame){.rcx = 0};
    probe_user(&user, &f, CODE("\x8e\xe9"));
    in_user("after user loaded a null gs");
    set_base(SEGBASE_GS_USER_SEL, 0x2b);
    in_user("gs user selector");
    set_base(SEGBASE_GS_USER_SEL, 0x1233);
    in_user("bad gs user selector");
    set_base(SEGBASE_GS_USER, 0x666000);
    in_user("base behind the selector");
    f = (struct frame){0};
    value("kernel swapgs", "%s", probe(&f, CODE("\x0f\x01\xf8")));
    value("user swapgs", "%s", probe_user(&user, &f, CODE("\x0f\x01\xf8")));
    all("after swapgs");
    /* Across system calls and events. */
    f = (struct frame){.rflags = FLAGS_IF};
    probe_user(&user, &f, CODE("\x0f\x05"));
    all("after a system call");
    in_user("after a system call, again");
    /* Addresses by segment. */
    set_base(SEGBASE_FS, (uint64_t)code_page);
    f = (struct frame){.rbx = 0};
    value("fs:0", "%s %lx", probe(&f, CODE("\x64\x8b\x03")), f.rax);
    set_base(SEGBASE_FS, BAD_VA);
    f = (struct frame){.rbx = 0};
    value("fs:0 in the hypervisor", "%s", probe(&f, CODE("\x64\x8b\x03")));
    set_base(SEGBASE_FS, NONCANON - 1);
    f = (struct frame){.rbx = 1};
    value("fs:1 non-canonical", "%s", probe(&f, CODE("\x64\x8b\x03")));
    set_base(SEGBASE_FS, 0);
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    by_hypercall();
    by_msr();
    by_instruction();
    selectors();
    modes();
}
