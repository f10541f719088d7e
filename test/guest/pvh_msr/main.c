/* SPDX-License-Identifier: MIT */
/*
 * MSRs of a PVH guest: which can be read, and what a write of 0, of the value just read and of all
 * ones does; the ranges at the ends of what the intercept map covers; what is not listed faults.
 */
#include "pvh.h"

struct msr {
    const char *name;
    uint32_t nr;
    bool hide; /* its value is the machine's, or moves */
};

static const struct msr list[] = {
    {"TSC", 0x10, true},
    {"PLATFORM_ID", 0x17, false},
    {"APIC_BASE", 0x1b, false},
    {"FEATURE_CONTROL", 0x3a, false},
    {"TSC_ADJUST", 0x3b, true},
    {"SPEC_CTRL", 0x48, false},
    {"PRED_CMD", 0x49, false},
    {"BIOS_UPDT_TRIG", 0x79, false},
    {"UCODE_REV", 0x8b, false},
    {"SMM_MONITOR_CTL", 0x9b, false},
    {"PMC0", 0xc1, false},
    {"PLATFORM_INFO", 0xce, false},
    {"MPERF", 0xe7, false},
    {"APERF", 0xe8, false},
    {"MTRRcap", 0xfe, false},
    {"ARCH_CAPABILITIES", 0x10a, false},
    {"FLUSH_CMD", 0x10b, false},
    {"TSX_CTRL", 0x122, false},
    {"MISC_FEATURES_ENABLES", 0x140, false},
    {"SYSENTER_CS", 0x174, false},
    {"SYSENTER_ESP", 0x175, false},
    {"SYSENTER_EIP", 0x176, false},
    {"MCG_CAP", 0x179, false},
    {"MCG_STATUS", 0x17a, false},
    {"MCG_CTL", 0x17b, false},
    {"PERFEVTSEL0", 0x186, false},
    {"PERF_STATUS", 0x198, false},
    {"PERF_CTL", 0x199, false},
    {"THERM_STATUS", 0x19c, false},
    {"MISC_ENABLE", 0x1a0, false},
    {"DEBUGCTL", 0x1d9, false},
    {"LASTBRANCHFROMIP", 0x1db, false},
    {"MTRRphysBase0", 0x200, false},
    {"MTRRphysMask0", 0x201, false},
    {"MTRRphysMask7", 0x20f, false},
    {"MTRRphysBase8", 0x210, false},
    {"MTRRfix64K", 0x250, false},
    {"MTRRfix16K", 0x258, false},
    {"MTRRfix4K F8000", 0x26f, false},
    {"PAT", 0x277, false},
    {"MC0_CTL2", 0x280, false},
    {"MTRRdefType", 0x2ff, false},
    {"MC0_CTL", 0x400, false},
    {"MC0_STATUS", 0x401, false},
    {"VMX_BASIC", 0x480, false},
    {"TSC_DEADLINE", 0x6e0, false},
    {"x2APIC ID, in xAPIC mode", 0x802, false},
    {"XSS", 0xda0, false},
    {"1FFF, the map's first range ends", 0x1fff, false},
    {"2000", 0x2000, false},
    {"12345", 0x12345, false},
    {"40000000", 0x40000000, false},
    {"40000200", 0x40000200, false},
    {"BFFFFFFF", 0xbfffffff, false},
    {"STAR", 0xc0000081, false},
    {"LSTAR", 0xc0000082, false},
    {"CSTAR", 0xc0000083, false},
    {"SFMASK", 0xc0000084, false},
    {"C0000085", 0xc0000085, false},
    {"FS_BASE", 0xc0000100, false},
    {"GS_BASE", 0xc0000101, false},
    {"KERNEL_GS_BASE", 0xc0000102, false},
    {"TSC_AUX", 0xc0000103, false},
    {"TSC_RATIO", 0xc0000104, false},
    {"C0001FFF", 0xc0001fff, false},
    {"PERFEVTSEL0 (AMD)", 0xc0010000, false},
    {"SYSCFG", 0xc0010010, false},
    {"HWCR", 0xc0010015, false},
    {"IORR_BASE0", 0xc0010016, false},
    {"TOP_MEM", 0xc001001a, false},
    {"NB_CFG", 0xc001001f, false},
    {"PATCH_LOADER", 0xc0010020, false},
    {"INT_PENDING", 0xc0010055, false},
    {"PSTATE_STATUS", 0xc0010063, false},
    {"PSTATE0", 0xc0010064, false},
    {"TSEG_ADDR", 0xc0010112, false},
    {"VM_CR", 0xc0010114, false},
    {"VM_HSAVE_PA", 0xc0010117, false},
    {"OSVW_ID_LENGTH", 0xc0010140, false},
    {"PERFEVTSEL0 (family 15h)", 0xc0010200, false},
    {"FEATURE MASK 1", 0xc0011004, false},
    {"LS_CFG", 0xc0011020, false},
    {"IC_CFG", 0xc0011021, false},
    {"DC_CFG", 0xc0011022, false},
    {"DE_CFG", 0xc0011029, false},
    {"IBS_FETCH_CTL", 0xc0011030, false},
    {"C0011FFF", 0xc0011fff, false},
    {"C0012000", 0xc0012000, false},
    {"FFFFFFFF", 0xffffffff, false},
};

static const char *took(bool ok)
{
    return ok ? "taken" : "refused";
}

static void one(const struct msr *m)
{
    uint64_t was = 0, now = 0;
    bool readable = msr_read(m->nr, &was);
    const char *read = !readable ? "refused" : m->hide ? "something" : text("%lx", was);
    const char *zero, *ones;

    if (m->nr == 0x1b) { /* the APIC's page stays where it is: see below */
        value(m->name, "read %s", read);
        return;
    }
    zero = took(msr_write(m->nr, 0));
    ones = took(msr_write(m->nr, ~0ul));
    if (!readable) {
        value(m->name, "read %s, 0 %s, ones %s", read, zero, ones);
        return;
    }
    value(m->name, "read %s, 0 %s, ones %s, back %s", read, zero, ones,
          took(msr_write(m->nr, was)));
    if (!m->hide && msr_read(m->nr, &now) && now != was)
        value(text("%s afterwards", m->name), "%lx", now);
}

/* APIC_BASE: modes and addresses. */
static void apic_base(void)
{
    uint64_t base = 0, now;
    static const uint64_t tries[] = {0x800, 0xc00, 0x400, 0, 0x900, 0xd00, 0xb00, 0x801, 0x1900};
    unsigned int i;

    check(msr_read(0x1b, &base), "APIC_BASE is there");
    for (i = 0; i < ARRAY_SIZE(tries); i++) {
        bool ok = msr_write(0x1b, 0xfee00000ul | tries[i]);

        msr_read(0x1b, &now);
        value(text("APIC_BASE low bits %lx", tries[i]), "%s, now %lx", took(ok), now);
        msr_write(0x1b, 0xfee00100ul);
        msr_write(0x1b, base);
    }
    value("APIC_BASE elsewhere", "%s", took(msr_write(0x1b, 0xfed00900ul)));
    msr_write(0x1b, base);
    value("APIC_BASE bit 52", "%s", took(msr_write(0x1b, 1ul << 52 | base)));
    msr_write(0x1b, base);
}

/* The page of calls, by the MSR that CPUID names. */
static void call_page(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    long (*call)(uint64_t, uint64_t) = (long (*)(uint64_t, uint64_t))(page + 17 * 32);

    value("hypercall page at 0 of a hole", "%s", took(msr_write(0x40000000, PVH_HOLE << 12)));
    value("hypercall page number 1", "%s", took(msr_write(0x40000000, (uint64_t)page | 1)));
    value("hypercall page not there", "%s", took(msr_write(0x40000000, 1ul << 51)));
    check(msr_write(0x40000000, (uint64_t)page), "hypercall page");
    check_eq("a call through it", call(XENVER_version, 0), 4 << 16 | 17);
    value("its first bytes", "%x %x %x %x %x %x %x %x %x", page[0], page[1], page[2], page[3],
          page[4], page[5], page[6], page[7], page[8]);
    value("iret's", "%x %x", page[23 * 32], page[23 * 32 + 1]);
}

void test_main(const char *args)
{
    unsigned int i;

    (void)args;
    pvh_round("MSRs", true);
    for (i = 0; i < ARRAY_SIZE(list); i++)
        one(&list[i]);
    apic_base();
    call_page();
}
