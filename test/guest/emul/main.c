/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of a kernel that runs in ring 3: which are carried out for it, with which
 * result, and which are its #GP; the same from user mode, with prefixes, across page boundaries,
 * and with operands a kernel would not use. Control registers, MSRs, ports by rights and as
 * strings, forced CPUID.
 */
#include "guest.h"

#define BAD_VA   0xffff830000000000ul
#define NOWHERE  0x5ead00000000ul
#define NONCANON 0x800000000000ul
#define FLAGS_IF 0x200ul
#define FLAGS_DF 0x400ul

static struct user_space user;
static uint8_t area[3 * 4096] __attribute__((aligned(4096)));

static long physdev(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_physdev_op, cmd, (uint64_t)arg);
}

static long set_iopl(uint32_t level)
{
    struct physdev_set_iopl op = {.iopl = level};

    return physdev(PHYSDEVOP_set_iopl, &op);
}

/* ---- One instruction each, in both modes ---- */

struct one {
    const char *name, *code;
    unsigned int len;
    uint64_t rax, rcx, rdx, rbx;
};

static void both(const struct one *o)
{
    struct frame f = {.rax = o->rax, .rcx = o->rcx, .rdx = o->rdx, .rbx = o->rbx};
    const char *s = probe(&f, o->code, o->len);

    if (strcmp(s, "done") == 0 && (f.rax != o->rax || f.rdx != o->rdx))
        value(o->name, "done, rax %lx rdx %lx", f.rax, f.rdx);
    else
        value(o->name, "%s", s);
    f = (struct frame){.rax = o->rax, .rcx = o->rcx, .rdx = o->rdx, .rbx = o->rbx};
    if (o->rbx == (uint64_t)area)
        f.rbx = USER_DATA + 1024;
    value(text("user %s", o->name), "%s", probe_user(&user, &f, o->code, o->len));
}

static void instructions(void)
{
    static const struct one list[] = {
        {"hlt", CODE("\xf4"), 0, 0, 0, 0},
        {"cli", CODE("\xfa"), 0, 0, 0, 0},
        {"sti", CODE("\xfb"), 0, 0, 0, 0},
        {"invd", CODE("\x0f\x08"), 0, 0, 0, 0},
        {"wbinvd", CODE("\x0f\x09"), 0, 0, 0, 0},
        {"wbnoinvd", CODE("\xf3\x0f\x09"), 0, 0, 0, 0},
        {"clts", CODE("\x0f\x06"), 0, 0, 0, 0},
        {"invlpg", CODE("\x0f\x01\x3b"), 0, 0, 0, (uint64_t)area},
        {"invlpg of the hypervisor", CODE("\x0f\x01\x3b"), 0, 0, 0, BAD_VA},
        {"invlpg non-canonical", CODE("\x0f\x01\x3b"), 0, 0, 0, NONCANON},
        {"lgdt", CODE("\x0f\x01\x13"), 0, 0, 0, (uint64_t)area},
        {"lidt", CODE("\x0f\x01\x1b"), 0, 0, 0, (uint64_t)area},
        {"lmsw", CODE("\x0f\x01\xf0"), 1, 0, 0, 0},
        {"ltr", CODE("\x0f\x00\xd8"), 0, 0, 0, 0},
        {"lldt", CODE("\x0f\x00\xd0"), 0, 0, 0, 0},
        {"rdpmc", CODE("\x0f\x33"), 0, 0, 0, 0},
        {"swapgs", CODE("\x0f\x01\xf8"), 0, 0, 0, 0},
        {"monitor", CODE("\x0f\x01\xc8"), 0, 0, 0, 0},
        {"mwait", CODE("\x0f\x01\xc9"), 0, 0, 0, 0},
        {"clac", CODE("\x0f\x01\xca"), 0, 0, 0, 0},
        {"stac", CODE("\x0f\x01\xcb"), 0, 0, 0, 0},
        {"encls", CODE("\x0f\x01\xcf"), 0, 0, 0, 0},
        {"rdpkru", CODE("\x0f\x01\xee"), 0, 0, 0, 0},
        {"wrpkru", CODE("\x0f\x01\xef"), 0, 0, 0, 0},
        {"vmxon", CODE("\xf3\x0f\xc7\x33"), 0, 0, 0, (uint64_t)area},
        {"invpcid", CODE("\x66\x0f\x38\x82\x03"), 0, 0, 0, (uint64_t)area},
        {"xsaves", CODE("\x0f\xc7\x2b"), 0, 0, 0, (uint64_t)area},
        {"getsec", CODE("\x0f\x37"), 0, 0, 0, 0},
        {"iretq", CODE("\x48\xcf"), 0, 0, 0, 0},
        {"mov from cr8", CODE("\x44\x0f\x20\xc0"), 0, 0, 0, 0},
        {"mov to cr8", CODE("\x44\x0f\x22\xc0"), 0, 0, 0, 0},
        {"mov from cr1", CODE("\x0f\x20\xc8"), 0, 0, 0, 0},
        {"mov from cr5", CODE("\x0f\x20\xe8"), 0, 0, 0, 0},
        {"mov to cr1", CODE("\x0f\x22\xc8"), 0, 0, 0, 0},
        {"mov to cr7", CODE("\x0f\x22\xf8"), 0, 0, 0, 0},
        {"mov from tr", CODE("\x0f\x24\xc0"), 0, 0, 0, 0},
        {"lock hlt", CODE("\xf0\xf4"), 0, 0, 0, 0},
        {"lock cli", CODE("\xf0\xfa"), 0, 0, 0, 0},
        {"lock rdmsr", CODE("\xf0\x0f\x32"), 0, 0xc0000102, 0, 0},
        {"lock clts", CODE("\xf0\x0f\x06"), 0, 0, 0, 0},
        {"lock in", CODE("\xf0\xec"), 0, 0, 0x80, 0},
        {"lock mov from cr0", CODE("\xf0\x0f\x20\xc0"), 0, 0, 0, 0},
        {"lock mov to cr0", CODE("\xf0\x0f\x22\xc0"), 0, 0, 0, 0},
        {"rep clts", CODE("\xf3\x0f\x06"), 0, 0, 0, 0},
        {"rex clts", CODE("\x48\x0f\x06"), 0, 0, 0, 0},
        {"16-bit clts", CODE("\x66\x0f\x06"), 0, 0, 0, 0},
        {"fs clts", CODE("\x64\x0f\x06"), 0, 0, 0, 0},
        {"9 prefixes, clts", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x06"), 0, 0, 0, 0},
        {"13 prefixes, clts", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x06"),
         0, 0, 0, 0},
        {"14 prefixes, clts",
         CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\x06"), 0, 0, 0, 0},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++)
        both(&list[i]);
}

/* Those that only tell: without UMIP they do not fault, and show the hypervisor's. */
static void tell_tales(void)
{
    struct frame f;
    const char *what;

    f = (struct frame){.rbx = (uint64_t)area};
    value("sgdt", "%s", probe(&f, CODE("\x0f\x01\x03")));
    f = (struct frame){.rbx = (uint64_t)area};
    value("sidt", "%s", probe(&f, CODE("\x0f\x01\x0b")));
    f = (struct frame){0};
    what = probe(&f, CODE("\x0f\x00\xc0"));
    value("sldt", "%s, %lx", what, f.rax);
    f = (struct frame){0};
    what = probe(&f, CODE("\x0f\x00\xc8"));
    value("str", "%s, %lx", what, f.rax);
    f = (struct frame){0};
    what = probe(&f, CODE("\x48\x0f\x01\xe0"));
    value("smsw", "%s, %lx", what, f.rax & 0xfff7); /* but TS */
    f = (struct frame){.rbx = USER_DATA + 1024};
    value("user sgdt", "%s", probe_user(&user, &f, CODE("\x0f\x01\x03")));
    f = (struct frame){0};
    value("user smsw", "%s", probe_user(&user, &f, CODE("\x48\x0f\x01\xe0")));
}

/* ---- Flags ---- */

static void popf(const char *name, uint64_t flags)
{
    /* push rbx; popf; pushf; pop rax */
    struct frame f = {.rbx = flags};
    const char *s = probe(&f, CODE("\x53\x9d\x9c\x58"));

    value(name, "%s, %lx, mask %u", s, f.rax & ~0x100ul, vcpu_info(0)->evtchn_upcall_mask);
}

static void interrupt_flag(void)
{
    struct frame f;
    unsigned int level;

    for (level = 0; level < 4; level++) {
        value_rc(text("set_iopl %u", level), set_iopl(level));
        f = (struct frame){.rflags = FLAGS_IF};
        value(text("IOPL %u: cli", level), "%s, mask %u", probe(&f, CODE("\xfa")),
              vcpu_info(0)->evtchn_upcall_mask);
        f = (struct frame){0};
        value(text("IOPL %u: sti", level), "%s, mask %u", probe(&f, CODE("\xfb")),
              vcpu_info(0)->evtchn_upcall_mask);
        popf(text("IOPL %u: popf nothing", level), 0);
        popf(text("IOPL %u: popf IF IOPL", level), 0x3200);
        popf(text("IOPL %u: popf all but TF", level), 0xfffffefful);
        f = (struct frame){0};
        value(text("IOPL %u: user cli", level), "%s", probe_user(&user, &f, CODE("\xfa")));
        f = (struct frame){0};
        value(text("IOPL %u: user sti", level), "%s", probe_user(&user, &f, CODE("\xfb")));
        f = (struct frame){.rdx = 0x80};
        value(text("IOPL %u: in", level), "%s", probe(&f, CODE("\xec")));
        f = (struct frame){.rdx = 0x80};
        value(text("IOPL %u: user in", level), "%s", probe_user(&user, &f, CODE("\xec")));
        f = (struct frame){.rdx = 0x80};
        value(text("IOPL %u: out", level), "%s", probe(&f, CODE("\xee")));
        f = (struct frame){.rdx = 0x80};
        value(text("IOPL %u: user out", level), "%s", probe_user(&user, &f, CODE("\xee")));
    }
    value_rc("set_iopl 4", set_iopl(4));
    value_rc("set_iopl -1", set_iopl(~0u));
    value_rc("set_iopl nowhere", physdev(PHYSDEVOP_set_iopl, (void *)NOWHERE));
    set_iopl(0);
}

/* ---- Control registers ---- */

static const char *read_cr(unsigned int n, uint64_t *val)
{
    uint8_t code[3] = {0x0f, 0x20, (uint8_t)(0xc0 | n << 3)};
    struct frame f = {.rax = 0x5a5a5a5a5a5a5a5aul};
    const char *s = probe(&f, code, 3);

    *val = f.rax;
    return s;
}

static const char *write_cr(unsigned int n, uint64_t val)
{
    uint8_t code[3] = {0x0f, 0x22, (uint8_t)(0xc0 | n << 3)};
    struct frame f = {.rax = val};

    return probe(&f, code, 3);
}

static void control_registers(void)
{
    uint64_t cr0 = 0, cr2, cr3, cr4, v;
    unsigned int i;
    struct frame f;

    value("read cr0", "%s", read_cr(0, &cr0));
    value("cr0", "%lx", cr0);
    value("read cr2", "%s", read_cr(2, &cr2));
    value("read cr3", "%s", read_cr(3, &cr3));
    check_eq("cr3", (int64_t)(cr3 >> 12), (int64_t)cr3_mfn());
    value("cr3, low bits", "%lx", cr3 & 0xfff);
    value("read cr4", "%s", read_cr(4, &cr4));
    value("cr4", "%lx", cr4);
    for (i = 0; i < 33; i++) {
        const char *s = write_cr(0, cr0 ^ 1ul << i);

        read_cr(0, &v);
        value(text("cr0, bit %u changed", i), "%s, %s", s,
              v == cr0                ? "is not"
              : v == (cr0 ^ 1ul << i) ? "is"
                                      : "odd");
        write_cr(0, cr0);
    }
    value("cr0 all clear", "%s", write_cr(0, 0));
    write_cr(0, cr0);
    read_cr(0, &v);
    check_eq("cr0 is as before", (int64_t)v, (int64_t)cr0);
    value("cr2 written", "%s", write_cr(2, 0x123456789));
    read_cr(2, &v);
    value("cr2", "%lx", v);
    value("cr2 in vcpu_info", "%lx", vcpu_info(0)->arch.cr2);
    vcpu_info(0)->arch.cr2 = 0x77777;
    read_cr(2, &v);
    value("cr2 after vcpu_info was written", "%lx", v);
    value("cr2 non-canonical", "%s", write_cr(2, NONCANON));
    value("cr3 as it is", "%s", write_cr(3, cr3));
    value("cr3 none", "%s", write_cr(3, 0));
    value("cr3 a data page", "%s", write_cr(3, va_maddr(area)));
    value("cr3 the hypervisor's", "%s", write_cr(3, 0x200000));
    value("cr3 with low bits", "%s", write_cr(3, cr3 | 0x18));
    value("cr3 with bit 63", "%s", write_cr(3, cr3 | 1ul << 63));
    read_cr(3, &v);
    check_eq("cr3 is as before", (int64_t)v, (int64_t)cr3);
    for (i = 0; i < 33; i++) {
        const char *s = write_cr(4, cr4 ^ 1ul << i);

        read_cr(4, &v);
        value(text("cr4, bit %u changed", i), "%s, %s", s,
              v == cr4                ? "is not"
              : v == (cr4 ^ 1ul << i) ? "is"
                                      : "odd");
        write_cr(4, cr4);
    }
    /* TSD: rdtsc is the kernel's then. */
    value("cr4 TSD", "%s", write_cr(4, cr4 | 4));
    f = (struct frame){.rax = 0x5a5a};
    value("TSD: rdtsc", "%s", probe(&f, CODE("\x0f\x31")));
    check(f.rax != 0x5a5a, "TSD: rdtsc counts");
    f = (struct frame){0};
    value("TSD: rdtscp", "%s", probe(&f, CODE("\x0f\x01\xf9")));
    f = (struct frame){0};
    value("TSD: user rdtsc", "%s", probe_user(&user, &f, CODE("\x0f\x31")));
    write_cr(4, cr4);
    f = (struct frame){0};
    value("no TSD: user rdtsc", "%s", probe_user(&user, &f, CODE("\x0f\x31")));
    /* Other registers than rax, and the operand's size. */
    f = (struct frame){.rflags = 0};
    probe(&f, CODE("\x41\x0f\x20\xc7"));
    check_eq("cr0 into r15", (int64_t)f.r15, (int64_t)cr0);
    f = (struct frame){.rbx = ~0ul};
    probe(&f, CODE("\x66\x0f\x20\xc3"));
    check_eq("cr0 into bx, 64 bits all the same", (int64_t)f.rbx, (int64_t)cr0);
    f = (struct frame){0};
    value("cr0 by a mod-0 operand", "%s", probe(&f, CODE("\x0f\x20\x03")));
}

/* The extended state's mask. */
static void xcr(void)
{
    static const struct one list[] = {
        {"xsetbv, register 1", CODE("\x0f\x01\xd1"), 1, 1, 0, 0},
        {"xsetbv 0", CODE("\x0f\x01\xd1"), 0, 0, 0, 0},
        {"xsetbv AVX without SSE", CODE("\x0f\x01\xd1"), 5, 0, 0, 0},
        {"xsetbv high half", CODE("\x0f\x01\xd1"), 3, 0, 1, 0},
        {"xsetbv unknown bit", CODE("\x0f\x01\xd1"), 0x10003, 0, 0, 0},
        {"xsetbv MPX", CODE("\x0f\x01\xd1"), 0x1b, 0, 0, 0},
        {"xsetbv PKRU", CODE("\x0f\x01\xd1"), 0x203, 0, 0, 0},
        {"xsetbv x87", CODE("\x0f\x01\xd1"), 1, 0, 0, 0},
        {"xgetbv x87", CODE("\x0f\x01\xd0"), 0, 0, 0, 0},
        {"xsetbv x87 SSE", CODE("\x0f\x01\xd1"), 3, 0, 0, 0},
        {"xgetbv x87 SSE", CODE("\x0f\x01\xd0"), 0, 0, 0, 0},
        {"xgetbv, register 2", CODE("\x0f\x01\xd0"), 0, 2, 0, 0},
    };
    struct frame f = {0};
    unsigned int i;
    uint64_t cr4;

    value("xsetbv without OSXSAVE", "%s", ({
              f = (struct frame){.rax = 3};
              probe(&f, CODE("\x0f\x01\xd1"));
          }));
    read_cr(4, &cr4);
    value("OSXSAVE", "%s", write_cr(4, cr4 | 1ul << 18));
    for (i = 0; i < ARRAY_SIZE(list); i++)
        both(&list[i]);
    write_cr(4, cr4);
}

static void task_switched(void)
{
    struct frame f;
    uint64_t v;

    hypercall1(__HYPERVISOR_fpu_taskswitch, 1);
    read_cr(0, &v);
    value("TS by hypercall, in cr0", "%u", !!(v & 8));
    f = (struct frame){0};
    value("clts", "%s", probe(&f, CODE("\x0f\x06")));
    read_cr(0, &v);
    value("TS after clts", "%u", !!(v & 8));
    write_cr(0, v | 8);
    f = (struct frame){0};
    value("fnop with TS by mov", "%s", probe(&f, CODE("\xd9\xd0")));
    read_cr(0, &v);
    value("TS after #NM", "%u", !!(v & 8));
    f = (struct frame){.rax = 9};
    value("lmsw TS", "%s", probe(&f, CODE("\x0f\x01\xf0")));
    read_cr(0, &v);
    value("TS after lmsw", "%u", !!(v & 8));
    hypercall1(__HYPERVISOR_fpu_taskswitch, 0);
}

/* ---- MSRs ---- */

static const char *rdmsr(uint32_t msr, uint64_t *val)
{
    struct frame f = {.rcx = msr, .rax = ~0ul, .rdx = ~0ul};
    const char *s = probe(&f, CODE("\x0f\x32"));

    *val = f.rdx << 32 | (uint32_t)f.rax;
    return s;
}

static const char *wrmsr(uint32_t msr, uint64_t val)
{
    struct frame f = {.rcx = msr, .rax = (uint32_t)val, .rdx = val >> 32};

    return probe(&f, CODE("\x0f\x30"));
}

static void msr(uint32_t nr, bool show, uint64_t other)
{
    uint64_t v;
    const char *s = rdmsr(nr, &v);

    if (show && strcmp(s, "done") == 0)
        value(text("rdmsr %x", nr), "%lx", v);
    else
        value(text("rdmsr %x", nr), "%s", s);
    if (strcmp(s, "done") == 0)
        value(text("wrmsr %x, the same", nr), "%s", wrmsr(nr, v));
    value(text("wrmsr %x, other", nr), "%s", wrmsr(nr, other));
    if (strcmp(s, "done") == 0)
        wrmsr(nr, v);
}

static void msrs(void)
{
    struct frame f;
    uint64_t v = 0;

    msr(0x1b, true, 0);            /* APIC_BASE */
    msr(0x1b, true, 0xfee00d00ul); /* x2APIC on */
    msr(0x10, false, 0);           /* TSC */
    msr(0x8b, false, 1);           /* microcode revision */
    msr(0x3a, true, 1);            /* FEATURE_CONTROL */
    msr(0x48, true, 1);            /* SPEC_CTRL */
    msr(0x49, true, 1);            /* PRED_CMD */
    msr(0x10a, true, 0);           /* ARCH_CAPABILITIES */
    msr(0x174, true, 0x10);        /* SYSENTER_CS */
    msr(0x175, true, 0);
    msr(0x176, true, BAD_VA);
    msr(0x179, false, 0); /* MCG_CAP */
    msr(0x17a, true, 0);  /* MCG_STATUS */
    msr(0x1d9, true, 1);  /* DEBUGCTL */
    msr(0x200, true, 0);  /* MTRR */
    msr(0x2ff, true, 0);
    msr(0x277, true, 0x7040600070406ul); /* PAT */
    msr(0x38f, true, 0);                 /* performance counters */
    msr(0x400, true, 0);                 /* MC0_CTL */
    msr(0x401, true, 0);
    msr(0x6e0, true, 0); /* TSC_DEADLINE */
    msr(0x802, true, 0); /* x2APIC */
    msr(0xda0, true, 0); /* XSS */
    msr(0x40000000, true, 0);
    msr(0x40000001, true, 0);
    msr(0xc0000080, true, 0x500);  /* EFER */
    msr(0xc0000080, true, 0x1501); /* EFER.SVME */
    msr(0xc0000081, true, 0);      /* STAR */
    msr(0xc0000082, true, 0);      /* LSTAR */
    msr(0xc0000083, true, 0);
    msr(0xc0000084, true, 0);
    msr(0xc0000103, false, 1ul << 32); /* TSC_AUX */
    msr(0xc0000104, true, 0);          /* TSC_RATIO */
    msr(0xc0010000, true, 0);          /* K7 counters */
    msr(0xc0010010, false, 0);         /* SYSCFG */
    msr(0xc0010114, true, 0);          /* VM_CR */
    msr(0xc0010117, true, 0x1000);     /* VM_HSAVE_PA */
    msr(0xc0011029, false, 0);         /* DE_CFG */
    value("TSC_AUX written", "%s", wrmsr(0xc0000103, 0x1234));
    rdmsr(0xc0000103, &v);
    value("TSC_AUX", "%lx", v);
    f = (struct frame){0};
    probe(&f, CODE("\x0f\x01\xf9"));
    value("rdtscp gives it", "%lx", f.rcx);
    f = (struct frame){0};
    probe_user(&user, &f, CODE("\x0f\x01\xf9"));
    value("user rdtscp gives it", "%lx", f.rcx);
    /* The register's number is 32 bits, the halves are cut off. */
    f = (struct frame){.rcx = 0xabcd0000c0000102ul, .rax = ~0ul, .rdx = ~0ul};
    value("rdmsr, wide number", "%s", probe(&f, CODE("\x0f\x32")));
    value("rdmsr, wide number: halves", "%lx %lx", f.rax >> 32, f.rdx >> 32);
    f = (struct frame){.rcx = 0xc0000102, .rax = 0xabcd00001000ul, .rdx = 0xabcd00000000ul};
    value("wrmsr, wide halves", "%s", probe(&f, CODE("\x0f\x30")));
    rdmsr(0xc0000102, &v);
    value("wrmsr, wide halves: base", "%lx", v);
    wrmsr(0xc0000102, 0);
}

/* Before there is a #GP handler a refused MSR must not be the kernel's end. */
static void msrs_without_handler(void)
{
    static struct trap_info t[2] = {{.vector = 3, .flags = 7, .cs = FLAT_KERNEL_CS}};
    struct frame f = {.rcx = 0x40000000, .rax = ~0ul, .rdx = ~0ul};

    t[0].address = (unsigned long)trap_stubs + 3 * 32;
    hypercall1(__HYPERVISOR_set_trap_table, 0);
    hypercall1(__HYPERVISOR_set_trap_table, (uint64_t)t);
    value("no handler: rdmsr", "%s", probe(&f, CODE("\x0f\x32")));
    value("no handler: rdmsr gives", "%lx %lx", f.rax, f.rdx);
    trap_init();
}

/* ---- Forced CPUID ---- */

static void cpuid(void)
{
    struct frame f = {.rax = 0x40000000};

    value("forced cpuid", "%s", probe(&f, CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2")));
    value("forced cpuid 40000000", "%lx %lx %lx %lx", f.rax, f.rbx, f.rcx, f.rdx);
    f = (struct frame){.rax = 0xabcd000040000001ul, .rcx = 0xabcd000000000000ul};
    probe(&f, CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2"));
    value("forced cpuid 40000001, wide", "%lx %lx %lx %lx", f.rax, f.rbx, f.rcx, f.rdx);
    f = (struct frame){.rax = 0x40000000};
    value("forced cpuid, other letters", "%s", probe(&f, CODE("\x0f\x0b\x78\x65\x6f\x0f\xa2")));
    f = (struct frame){.rax = 0x40000000};
    value("forced nop", "%s", probe(&f, CODE("\x0f\x0b\x78\x65\x6e\x90\x90")));
    f = (struct frame){.rcx = 0xc0000102};
    value("forced rdmsr", "%s", probe(&f, CODE("\x0f\x0b\x78\x65\x6e\x0f\x32")));
    f = (struct frame){.rax = 0x40000000};
    value("forced cpuid with rex", "%s", probe(&f, CODE("\x0f\x0b\x78\x65\x6e\x48\x0f\xa2")));
    f = (struct frame){.rax = 0x40000000};
    value("rex before the prefix", "%s", probe(&f, CODE("\x48\x0f\x0b\x78\x65\x6e\x0f\xa2")));
    f = (struct frame){.rax = 0x40000000};
    value("user forced cpuid", "%s", probe_user(&user, &f, CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2")));
    value("user forced cpuid 40000000", "%lx %lx %lx %lx", f.rax, f.rbx, f.rcx, f.rdx);
}

/* ---- At the end of a page ---- */

/* The code with `before` bytes of it in the first page of the area. */
static void split(const char *name, const char *code, unsigned int len, unsigned int before,
                  struct frame f)
{
    uint64_t start = (uint64_t)area + 4096 - before;

    memset(area, 0x90, 4096);
    memcpy((void *)start, code, before);
    if (pte_get(area + 4096))
        memcpy(area + 4096, code + before, len - before);
    f.rip = start;
    f.cs = FLAT_KERNEL_CS & ~3;
    f.ss = FLAT_KERNEL_SS;
    f.rflags = 2;
    f.rsp = (uint64_t)boot_stack + 4096;
    value(name, "%s", outcome_of(&f, run_frame(&f), start, len));
}

static void at_page_end(void)
{
    unsigned int i;
    static const char rd[] = "\x0f\x32\xcc", id[] = "\x0f\x0b\x78\x65\x6e\x0f\xa2\xcc",
                      cr[] = "\x0f\x20\xc0\xcc";

    for (i = 1; i < 3; i++)
        split(text("rdmsr, %u bytes before the next page", i), rd, 3, i,
              (struct frame){.rcx = 0xc0000102});
    for (i = 1; i < 8; i++)
        split(text("forced cpuid, %u bytes before", i), id, 8, i,
              (struct frame){.rax = 0x40000000});
    for (i = 1; i < 4; i++)
        split(text("mov from cr0, %u bytes before", i), cr, 4, i, (struct frame){0});
    page_unmap(area + 4096);
    for (i = 1; i < 3; i++)
        split(text("rdmsr, %u bytes before the end", i), rd, 3, i,
              (struct frame){.rcx = 0xc0000102});
    for (i = 1; i < 8; i++)
        split(text("forced cpuid, %u bytes before the end", i), id, 8, i,
              (struct frame){.rax = 0x40000000});
    for (i = 1; i < 4; i++)
        split(text("mov from cr0, %u bytes before the end", i), cr, 4, i, (struct frame){0});
    page_rw(area + 4096);
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    instructions();
    tell_tales();
    interrupt_flag();
    control_registers();
    xcr();
    task_switched();
    msrs();
    msrs_without_handler();
    cpuid();
    at_page_end();
}
