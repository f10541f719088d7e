/* SPDX-License-Identifier: MIT */
/*
 * Instructions that leave a PVH guest, and privileged ones that do not, one at a time: in 64-bit,
 * 32-bit and 16-bit code of the kernel and in user mode, with prefixes, across a page boundary,
 * under the trap flag.
 */
#include "pvh.h"

#define FLAGS_TF 0x100ul

struct one {
    const char *name, *code;
    unsigned int len;
    uint64_t rax, rcx, rdx, rbx;
    bool hide; /* what it gives depends on the machine */
};

static void run(enum pvh_mode mode, const struct one *o)
{
    struct frame f = {.rax = o->rax, .rcx = o->rcx, .rdx = o->rdx, .rbx = o->rbx};
    const char *s = pvh_probe(mode, &f, o->code, o->len);
    const char *name = text("%s: %s", pvh_mode_name[mode], o->name);

    if (strcmp(s, "done") == 0 && !o->hide && (f.rax != o->rax || f.rdx != o->rdx))
        value(name, "done, rax %lx rdx %lx", f.rax, f.rdx);
    else
        value(name, "%s", s);
}

static const struct one everywhere[] = {
    {"cpuid", CODE("\x0f\xa2"), 1, 0, 0, 0, true},
    {"cpuid with prefixes", CODE("\x66\xf3\x0f\xa2"), 1, 0, 0, 0, true},
    {"rdmsr APIC_BASE", CODE("\x0f\x32"), 0, 0x1b, 0, 0, true},
    {"rdmsr not offered", CODE("\x0f\x32"), 7, 0x12345, 7, 0, false},
    {"wrmsr not offered", CODE("\x0f\x30"), 7, 0x12345, 7, 0, false},
    {"rdtsc", CODE("\x0f\x31"), 0, 0, 0, 0, true},
    {"rdtscp", CODE("\x0f\x01\xf9"), 0, 0, 0, 0, true},
    {"rdpmc", CODE("\x0f\x33"), 0, 0, 0, 0, true},
    {"invd", CODE("\x0f\x08"), 0, 0, 0, 0, false},
    {"wbinvd", CODE("\x0f\x09"), 0, 0, 0, 0, false},
    {"wbinvd with prefix", CODE("\x2e\x0f\x09"), 0, 0, 0, 0, false},
    {"wbnoinvd", CODE("\xf3\x0f\x09"), 0, 0, 0, 0, false},
    {"invlpg", CODE("\x0f\x01\x3b"), 0, 0, 0, (uint64_t)0x100000, false},
    {"invlpga", CODE("\x0f\x01\xdf"), 0x100000, 0, 0, 0, false},
    {"monitor", CODE("\x0f\x01\xc8"), 0x100000, 0, 0, 0, false},
    {"mwait", CODE("\x0f\x01\xc9"), 0, 0, 0, 0, false},
    {"vmrun", CODE("\x0f\x01\xd8"), 0x100000, 0, 0, 0, false},
    {"vmload", CODE("\x0f\x01\xda"), 0x100000, 0, 0, 0, false},
    {"vmsave", CODE("\x0f\x01\xdb"), 0x100000, 0, 0, 0, false},
    {"stgi", CODE("\x0f\x01\xdc"), 0, 0, 0, 0, false},
    {"clgi", CODE("\x0f\x01\xdd"), 0, 0, 0, 0, false},
    {"skinit", CODE("\x0f\x01\xde"), 0, 0, 0, 0, false},
    {"vmcall", CODE("\x0f\x01\xc1"), 17, 0, 0, 0, false},
    {"rdpru", CODE("\x0f\x01\xfd"), 0, 0, 0, 0, false},
    {"xgetbv, CR4.OSXSAVE clear", CODE("\x0f\x01\xd0"), 0, 0, 0, 0, false},
    {"xsetbv, CR4.OSXSAVE clear", CODE("\x0f\x01\xd1"), 1, 0, 0, 0, false},
    {"clts", CODE("\x0f\x06"), 0, 0, 0, 0, false},
    {"int3", CODE("\xcc"), 0, 0, 0, 0, false},
    {"int 3 in two bytes", CODE("\xcd\x03"), 0, 0, 0, 0, false},
    {"int 4", CODE("\xcd\x04"), 0, 0, 0, 0, false},
    {"into without overflow", CODE("\xce"), 0, 0, 0, 0, false},
    {"into with overflow", CODE("\xb0\x7f\x04\x01\xce"), 0, 0, 0, 0, true},
    {"pause", CODE("\xf3\x90"), 0, 0, 0, 0, false},
    {"swapgs", CODE("\x0f\x01\xf8"), 0, 0, 0, 0, false},
    {"smsw", CODE("\x0f\x01\xe0"), 0, 0, 0, 0, false},
    {"int 0x80", CODE("\xcd\x80"), 0, 0, 0, 0, false},
    {"ud2", CODE("\x0f\x0b"), 0, 0, 0, 0, false},
    {"div by 0", CODE("\xf7\xf1"), 1, 0, 0, 0, false},
};

/* Wrong values of CR0 and CR3 are not tried: the emulator takes them, and the domain ends. */
static const struct one kernel_only[] = {
    {"mov cr8, 0", CODE("\x44\x0f\x22\xc0"), 0, 0, 0, 0, false},
    {"mov cr8, 16", CODE("\x44\x0f\x22\xc0"), 16, 0, 0, 0, false},
    {"mov from cr8", CODE("\x44\x0f\x20\xc0"), 7, 0, 0, 0, false},
    {"mov cr4, without PAE", CODE("\x0f\x22\xe0"), 0x600, 0, 0, 0, false},
    {"mov cr4, bit 63", CODE("\x0f\x22\xe0"), 1ul << 63 | 0x620, 0, 0, 0, false},
    {"mov cr4, VMXE", CODE("\x0f\x22\xe0"), 0x2620, 0, 0, 0, false},
    {"mov cr4, SMXE", CODE("\x0f\x22\xe0"), 0x4620, 0, 0, 0, false},
    {"mov cr4, bit 31", CODE("\x0f\x22\xe0"), 0x80000620, 0, 0, 0, false},
    {"mov cr4, DE MCE TSD", CODE("\x0f\x22\xe0"), 0x66c, 0, 0, 0, false},
    {"mov cr4, as before", CODE("\x0f\x22\xe0"), 0x620, 0, 0, 0, false},
    {"mov from cr4", CODE("\x0f\x20\xe0"), 0, 0, 0, 0, false},
    {"mov from cr1", CODE("\x0f\x20\xc8"), 0, 0, 0, 0, false},
    {"mov cr5", CODE("\x0f\x22\xe8"), 0, 0, 0, 0, false},
    {"mov from dr6", CODE("\x0f\x21\xf0"), 0, 0, 0, 0, false},
    {"mov dr7, bit 32", CODE("\x0f\x23\xf8"), 1ul << 32, 0, 0, 0, false},
    {"mov dr0 and back", CODE("\x0f\x23\xc0\x31\xc0\x0f\x21\xc0"), 0x12345678, 0, 0, 0, false},
    {"wrmsr EFER, LMA changed", CODE("\x0f\x30"), 0x101, 0xc0000080, 0, 0, false},
    {"wrmsr EFER, LME cleared under paging", CODE("\x0f\x30"), 0x001, 0xc0000080, 0, 0, false},
    {"wrmsr EFER, SVME", CODE("\x0f\x30"), 0x1501, 0xc0000080, 0, 0, false},
    {"wrmsr EFER, bit 1", CODE("\x0f\x30"), 0x503, 0xc0000080, 0, 0, false},
    {"wrmsr EFER, NX", CODE("\x0f\x30"), 0xd01, 0xc0000080, 0, 0, false},
    {"rdmsr EFER", CODE("\x0f\x32"), 0, 0xc0000080, 0, 0, false},
    {"wrmsr PAT, type 2", CODE("\x0f\x30"), 0x00070206, 0x277, 0x00070406, 0, false},
    {"wrmsr PAT, type 7", CODE("\x0f\x30"), 0x00070106, 0x277, 0x00070406, 0, false},
    {"rdmsr PAT", CODE("\x0f\x32"), 0, 0x277, 0, 0, false},
    {"wrmsr LSTAR, not canonical", CODE("\x0f\x30"), 0, 0xc0000082, 0x8000, 0, false},
    {"wrmsr FS_BASE, not canonical", CODE("\x0f\x30"), 0, 0xc0000100, 0x8000, 0, false},
    {"lgdt where nothing is mapped", CODE("\x0f\x01\x13"), 0, 0, 0, 1ul << 40, false},
    {"lock cpuid", CODE("\xf0\x0f\xa2"), 0, 0, 0, 0, false},
    {"lock wbinvd", CODE("\xf0\x0f\x09"), 0, 0, 0, 0, false},
};

/* Each exit ends in a single step as the instruction itself would. */
static void stepped(void)
{
    static const struct one list[] = {
        {"cpuid", CODE("\x0f\xa2\x90"), 0, 0, 0, 0, true},
        {"rdmsr", CODE("\x0f\x32\x90"), 0, 0x1b, 0, 0, true},
        {"wbinvd", CODE("\x0f\x09\x90"), 0, 0, 0, 0, true},
        {"in", CODE("\xec\x90"), 0, 0, 0x3f8, 0, true},
        {"vmmcall", CODE("\x0f\x01\xd9\x90"), 17, 0, 0, 0, true},
        {"read where there is nothing", CODE("\x8b\x03\x90"), 0, 0, 0, PVH_HOLE << 12, true},
        {"nop", CODE("\x90\x90"), 0, 0, 0, 0, true},
    };
    unsigned int i;
    uint64_t dr6;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        struct frame f = {.rax = list[i].rax,
                          .rcx = list[i].rcx,
                          .rdx = list[i].rdx,
                          .rbx = list[i].rbx,
                          .rflags = FLAGS_TF};
        const char *s;

        __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
        s = pvh_probe(KERNEL64, &f, list[i].code, list[i].len);
        __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
        value(text("stepped: %s", list[i].name), "%s, dr6 %lx", s, dr6);
    }
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
}

/* The instruction's bytes on two pages. */
static void page_end(void)
{
    static uint8_t two[3 * 4096] __attribute__((aligned(4096)));
    struct frame f = {.rax = 1};
    uint8_t *at = two + 4095;
    int vector;

    memcpy(at, "\x0f\xa2\xcc", 3);
    f.rip = (uint64_t)at;
    f.cs = KERNEL_CS;
    f.ss = KERNEL_DS;
    f.rflags = 2;
    f.rsp = (uint64_t)two + 2048;
    vector = run_frame(&f);
    value("cpuid across a page boundary", "%s", outcome_of(&f, vector, (uint64_t)at, 2));
}

/* A feature that is off, then on. */
static void xsave(void)
{
    static const struct one list[] = {
        {"xsetbv 1", CODE("\x0f\x01\xd1"), 1, 0, 0, 0, false},
        {"xsetbv 3", CODE("\x0f\x01\xd1"), 3, 0, 0, 0, false},
        {"xsetbv 0", CODE("\x0f\x01\xd1"), 0, 0, 0, 0, false},
        {"xsetbv 2", CODE("\x0f\x01\xd1"), 2, 0, 0, 0, false},
        {"xsetbv 5", CODE("\x0f\x01\xd1"), 5, 0, 0, 0, false},
        {"xsetbv of register 1", CODE("\x0f\x01\xd1"), 1, 1, 0, 0, false},
        {"xsetbv bit 63", CODE("\x0f\x01\xd1"), 1, 0, 0x80000000, 0, false},
        {"xgetbv", CODE("\x0f\x01\xd0"), 0, 0, 0, 0, false},
    };
    struct frame f = {.rax = 0x40620};
    unsigned int i;

    value("CR4.OSXSAVE set", "%s", pvh_probe(KERNEL64, &f, CODE("\x0f\x22\xe0")));
    for (i = 0; i < ARRAY_SIZE(list); i++) {
        run(KERNEL64, &list[i]);
        run(USER64, &list[i]);
    }
    f = (struct frame){.rax = 0x620};
    pvh_probe(KERNEL64, &f, CODE("\x0f\x22\xe0"));
}

void test_main(const char *args)
{
    enum pvh_mode mode;
    unsigned int i;

    (void)args;
    pvh_round("instructions", true);
    for (mode = KERNEL64; mode <= KERNEL16; mode++)
        for (i = 0; i < ARRAY_SIZE(everywhere); i++)
            run(mode, &everywhere[i]);
    for (i = 0; i < ARRAY_SIZE(kernel_only); i++)
        run(KERNEL64, &kernel_only[i]);
    stepped();
    page_end();
    xsave();
}
