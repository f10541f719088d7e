/* SPDX-License-Identifier: MIT */
/*
 * What does rdmsr give a PV kernel, and what may it write?
 *
 * A short list is the vCPU's own (segment bases, TSC_AUX), some have fixed answers, a few harmless
 * ones of the machine are read through for the hardware domain. Everything else faults, which
 * kernels take for "not there"; as long as the kernel has no #GP handler the fault would kill it,
 * so reads give zero and writes are dropped (public header arch-x86/xen.h, at struct trap_info).
 * Left out: speculation control, performance counters, power management, real machine-check banks.
 * Numbers: Intel SDM vol. 4; AMD PPR, MSR lists.
 */
#include "pv/pv_msr.h"

#include "arch/insn.h"
#include "core/console.h"
#include "pv/pv.h"

#define MSR_MC_FIRST     0x400 /* machine-check banks, four registers each */
#define MSR_MC_LAST      0x47f
#define MSR_AMD_TOP_MEM  0xc001001a
#define MSR_AMD_TOP_MEM2 0xc001001d
#define MSR_AMD_MMCONF   0xc0010058

#define APIC_BASE_ADDR     0xfee00000u
#define APIC_BASE_BSP      (1u << 8)
#define APIC_BASE_ENABLE   (1u << 11)
#define MISC_ENABLE_EMON   (1u << 7)  /* performance counters available */
#define MISC_ENABLE_NOBTS  (1u << 11) /* branch trace store unavailable */
#define MISC_ENABLE_NOPEBS (1u << 12)
#define HWCR_TSC_FREQ_SEL  (1u << 24) /* the TSC counts at the P0 frequency */

static bool read_ucode_rev(u64 *val)
{
    u32 r[4];

    /* Intel's register answers after a CPUID that follows a write of zero. */
    if (cpu_features.intel) {
        if (!insn_wrmsr_safe(MSR_UCODE_REV, 0))
            *val = 0;
        insn_cpuid(1, 0, r);
    }
    if (!insn_rdmsr_safe(MSR_UCODE_REV, val))
        *val = 0;
    return true;
}

static bool read_amd(u32 msr, u64 *val)
{
    switch (msr) {
    case MSR_AMD_HWCR:
        *val = HWCR_TSC_FREQ_SEL;
        return true;
    case MSR_AMD_DE_CFG:
        if (!insn_rdmsr_safe(msr, val))
            *val = 0;
        *val &= DE_CFG_LFENCE;
        return true;
    case MSR_AMD_SYSCFG:
    case MSR_AMD_TOP_MEM:
    case MSR_AMD_TOP_MEM2:
    case MSR_AMD_MMCONF:
        return vcpu_current()->domain->privileged && insn_rdmsr_safe(msr, val);
    default:
        return false;
    }
}

static bool read_misc_enable(u64 *val)
{
    if (!cpu_features.intel || !insn_rdmsr_safe(MSR_MISC_ENABLE, val))
        return false;
    *val &= ~(u64)MISC_ENABLE_EMON;
    *val |= MISC_ENABLE_NOBTS | MISC_ENABLE_NOPEBS;
    return true;
}

static bool read_known(u32 msr, u64 *val)
{
    const struct vcpu *v = vcpu_current();

    *val = 0;
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE: /* the hardware holds the running vCPU's */
        *val = insn_rdmsr(msr);
        return true;
    case MSR_TSC_AUX:
        *val = v->tsc_aux;
        return cpu_features.rdtscp;
    case MSR_EFER:
        *val = insn_rdmsr(MSR_EFER) & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
        return true;
    case MSR_PAT:
        *val = PAT_VALUE;
        return true;
    case MSR_APIC_BASE:
        *val = APIC_BASE_ADDR | APIC_BASE_ENABLE | (v->id == 0 ? APIC_BASE_BSP : 0);
        return true;
    case MSR_TSC:
        *val = insn_rdtsc();
        return true;
    case MSR_MISC_ENABLE:
        return read_misc_enable(val);
    case MSR_UCODE_REV:
        return read_ucode_rev(val);
    case MSR_MCG_CAP: /* no banks */
    case MSR_MCG_STATUS:
    case MSR_DEBUGCTL:
    case MSR_MC_FIRST ... MSR_MC_LAST:
        return true;
    default:
        return cpu_features.amd && read_amd(msr, val);
    }
}

/* Until the kernel has a #GP handler a fault is fatal to it. */
static bool no_gp_handler(void)
{
    return pv_current()->traps[TRAP_GP].address == 0;
}

bool pv_msr_read(u32 msr, u64 *val)
{
    if (read_known(msr, val))
        return true;
    *val = 0;
    if (no_gp_handler())
        return true;
    console_guest_log(LOG_DEBUG, "rdmsr %#x: not offered", msr);
    return false;
}

static bool write_base(u32 msr, u64 val)
{
    if (!va_canonical(val))
        return false;
    insn_wrmsr(msr, val);
    return true;
}

static bool write_known(u32 msr, u64 val)
{
    u64 now;

    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        return write_base(msr, val);
    case MSR_TSC_AUX:
        if (!cpu_features.rdtscp || val >> 32)
            return false;
        vcpu_current()->tsc_aux = val;
        insn_wrmsr(MSR_TSC_AUX, val);
        return true;
    case MSR_EFER:
    case MSR_MISC_ENABLE: /* what is there may be written back */
        return read_known(msr, &now) && now == val;
    case MSR_UCODE_REV:
    case MSR_DEBUGCTL:
        return val == 0;
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_MC_FIRST ... MSR_MC_LAST:
        return true;
    case MSR_AMD_HWCR:
    case MSR_AMD_DE_CFG:
        return cpu_features.amd;
    default:
        return false;
    }
}

bool pv_msr_write(u32 msr, u64 val)
{
    if (write_known(msr, val) || no_gp_handler())
        return true;
    console_guest_log(LOG_DEBUG, "wrmsr %#x = %#lx: not offered", msr, (unsigned long)val);
    return false;
}
