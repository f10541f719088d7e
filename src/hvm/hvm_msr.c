/* SPDX-License-Identifier: MIT */
/*
 * Which MSRs does a guest have? Those listed here, and the ones the processor switches (FS and GS
 * bases, the system-call registers), which do not exit. All others fault: default deny.
 *
 * Memory types: MTRRs are kept and given back, they have no effect; PAT goes to the processor,
 * which combines it with the physical memory's own type.
 */
#include "arch/insn.h"
#include "core/console.h"
#include "hvm/hvm.h"
#include "pure/cpupolicy.h"

#define MSR_MTRR_CAP        0xfe
#define MSR_MTRR_VAR_FIRST  0x200
#define MSR_MTRR_VAR_LAST   0x20f
#define MSR_MTRR_FIX64K     0x250
#define MSR_MTRR_FIX16K_80  0x258
#define MSR_MTRR_FIX16K_A0  0x259
#define MSR_MTRR_FIX4K      0x268
#define MSR_MTRR_FIX4K_LAST 0x26f
#define MSR_MTRR_DEF_TYPE   0x2ff
#define MSR_X2APIC_LAST     0x8ff
#define MSR_AMD_INT_PENDING 0xc0010055
#define MSR_XEN_PAGE        0x40000000

#define MTRR_CAP (1ul << 10 | 1ul << 8 | HVM_MTRR_VAR) /* WC, fixed ranges */

static bool is_memory_type(u64 t)
{
    return t == 0 || t == 1 || t == 4 || t == 5 || t == 6;
}

/* Eight types, one per byte. */
static bool types_valid(u64 val, bool pat)
{
    u32 i;

    for (i = 0; i < 64; i += 8)
        if (!is_memory_type(val >> i & 0xff) && !(pat && (val >> i & 0xff) == 7))
            return false;
    return true;
}

static u64 *fixed_mtrr(struct hvm_mtrr *m, u32 msr)
{
    switch (msr) {
    case MSR_MTRR_FIX64K:
        return &m->fixed[0];
    case MSR_MTRR_FIX16K_80:
    case MSR_MTRR_FIX16K_A0:
        return &m->fixed[1 + msr - MSR_MTRR_FIX16K_80];
    case MSR_MTRR_FIX4K ... MSR_MTRR_FIX4K_LAST:
        return &m->fixed[3 + msr - MSR_MTRR_FIX4K];
    default:
        return NULL;
    }
}

bool hvm_mtrr_set(struct vcpu *v, u32 msr, u64 val)
{
    struct hvm_mtrr *m = &v->hvm->mtrr;
    u64 *fixed = fixed_mtrr(m, msr);

    if (fixed != NULL) {
        if (!types_valid(val, false))
            return false;
        *fixed = val;
        return true;
    }
    if (msr == MSR_MTRR_DEF_TYPE) {
        if (val & ~0xcfful || !is_memory_type(val & 0xff))
            return false;
        m->def_type = val;
        return true;
    }
    if (msr < MSR_MTRR_VAR_FIRST || msr > MSR_MTRR_VAR_LAST || val >> cpu_features.phys_bits ||
        (msr & 1 ? val & 0x7ff : val & 0xf00) || (!(msr & 1) && !is_memory_type(val & 0xff)))
        return false;
    m->var[msr - MSR_MTRR_VAR_FIRST] = val;
    return true;
}

static bool mtrr_get(struct vcpu *v, u32 msr, u64 *val)
{
    struct hvm_mtrr *m = &v->hvm->mtrr;
    const u64 *fixed = fixed_mtrr(m, msr);

    if (fixed != NULL)
        *val = *fixed;
    else if (msr == MSR_MTRR_DEF_TYPE)
        *val = m->def_type;
    else if (msr == MSR_MTRR_CAP)
        *val = MTRR_CAP;
    else if (msr >= MSR_MTRR_VAR_FIRST && msr <= MSR_MTRR_VAR_LAST)
        *val = m->var[msr - MSR_MTRR_VAR_FIRST];
    else
        return false;
    return true;
}

static bool read_known(struct vcpu *v, u32 msr, u64 *val)
{
    struct hvm_vcpu *h = v->hvm;
    struct hvm_state s;

    *val = 0;
    switch (msr) {
    case MSR_TSC:
        *val = insn_rdtsc();
        return true;
    case MSR_TSC_AUX: /* when the processor has it, it does not exit */
        return false;
    case MSR_APIC_BASE:
        *val = vlapic_base_msr(&h->apic);
        return true;
    case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
        return h->apic.mode == VLAPIC_MODE_X2APIC && hvm_apic_read(v, msr - MSR_X2APIC_FIRST, val);
    case MSR_EFER:
    case MSR_PAT:
        hvm_vendor->get_state(v, &s);
        *val = msr == MSR_PAT ? s.pat : s.efer;
        return true;
    case MSR_MISC_ENABLE:
        if (!cpu_features.intel)
            return false;
        *val = 1ul << 11 | 1ul << 12; /* no branch traces, no precise events */
        return true;
    case MSR_UCODE_REV: /* not the guest's to know */
    case MSR_MCG_CAP:   /* no banks */
    case MSR_MCG_STATUS:
    case MSR_DEBUGCTL:
        return true;
    case MSR_AMD_HWCR:
    case MSR_AMD_SYSCFG:
    case MSR_AMD_INT_PENDING:
        return cpu_features.amd;
    case MSR_AMD_DE_CFG:
        if (!cpu_features.amd)
            return false;
        if (!insn_rdmsr_safe(msr, val))
            *val = 0;
        *val &= DE_CFG_LFENCE;
        return true;
    default:
        return mtrr_get(v, msr, val);
    }
}

bool hvm_msr_read(struct vcpu *v, u32 msr, u64 *val)
{
    if (read_known(v, msr, val))
        return true;
    console_guest_log(LOG_DEBUG, "rdmsr %#x: not offered", msr);
    return false;
}

/* LMA follows LME and paging by the processor; NX and SCE are the guest's. */
static bool write_efer(struct vcpu *v, u64 val)
{
    u64 allowed = EFER_SCE | EFER_LME | EFER_LMA | (cpu_features.nx ? EFER_NX : 0);
    struct hvm_state s;

    hvm_vendor->get_state(v, &s);
    if (val & ~allowed || (s.cr0 & CR0_PG && (val ^ s.efer) & EFER_LME))
        return false;
    hvm_vendor->set_efer(v, (val & ~EFER_LMA) | (s.efer & EFER_LMA));
    return true;
}

static bool write_known(struct vcpu *v, u32 msr, u64 val)
{
    struct hvm_vcpu *h = v->hvm;

    switch (msr) {
    case MSR_APIC_BASE:
        return vlapic_set_base_msr(&h->apic, val);
    case MSR_X2APIC_FIRST ... MSR_X2APIC_LAST:
        return h->apic.mode == VLAPIC_MODE_X2APIC && hvm_apic_write(v, msr - MSR_X2APIC_FIRST, val);
    case MSR_EFER:
        return write_efer(v, val);
    case MSR_PAT:
        if (!types_valid(val, true))
            return false;
        hvm_vendor->set_pat(v, val);
        return true;
    case MSR_XEN_PAGE:
        return hvm_hypercall_page(v, val);
    case MSR_TSC: /* the machine's runs on */
    case MSR_UCODE_REV:
    case MSR_MCG_STATUS:
    case MSR_AMD_DE_CFG:
    case MSR_AMD_HWCR:
        return true;
    case MSR_DEBUGCTL:
        return val == 0;
    default:
        return hvm_mtrr_set(v, msr, val);
    }
}

bool hvm_msr_write(struct vcpu *v, u32 msr, u64 val)
{
    if (write_known(v, msr, val))
        return true;
    console_guest_log(LOG_DEBUG, "wrmsr %#x = %#lx: not offered", msr, (unsigned long)val);
    return false;
}
