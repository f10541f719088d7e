/* SPDX-License-Identifier: MIT */
/*
 * The guest's kernel runs in ring 3: which of its faulting instructions are carried out for it?
 *
 * Those the PV ABI leaves to trapping: MSRs, control and debug registers, ports, cli and sti (which
 * do nothing), clts, wbinvd, xsetbv, and cpuid behind its prefix. Anything else is the guest's own
 * #GP. User mode gets ports only, where its kernel said so. rdmsr of KERNEL_GS_BASE comes first:
 * Linux executes it on every context switch.
 */
#include "pv/pv_privop.h"

#include "arch/fpu.h"
#include "arch/insn.h"
#include "core/guestmem.h"
#include "pv/pv.h"
#include "pv/pv_cpuid.h"
#include "pv/pv_debug.h"
#include "pv/pv_insn.h"
#include "pv/pv_mmu.h"
#include "pv/pv_msr.h"
#include "pv/pv_port.h"

/* CR4 as the guest sees it: its own bits, and those it may rely on. */
#define CR4_GUEST_OWN   (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_GUEST_FIXED (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)

u64 pv_real_cr4(const struct pv_vcpu *pv)
{
    u64 own = CR4_TSD | CR4_DE | (cpu_features.fsgsbase ? CR4_FSGSBASE : 0);

    return cpu_cr4_base() | (pv->cr4 & own);
}

/* Past the instruction; single-stepping sees it like any other. */
static bool done(struct cpu_regs *regs, u32 len)
{
    pv_insn_skip(regs, len);
    pv_insn_step(regs);
    return true;
}

static bool read_cr(u8 nr, u64 *val)
{
    const struct pv_vcpu *pv = pv_current();

    switch (nr) {
    case 0:
        *val = (insn_read_cr0() & ~CR0_TS) | (pv->cr0_ts ? CR0_TS : 0);
        return true;
    case 2:
        *val = pv->cr2;
        return true;
    case 3:
        *val = pv->cr3_kernel & PTE_ADDR;
        return true;
    case 4:
        *val = CR4_GUEST_FIXED | (pv->cr4 & CR4_GUEST_OWN);
        return true;
    default:
        return false;
    }
}

/* Only TS is the guest's. */
static bool write_cr0(u64 val)
{
    u64 now;

    if (!read_cr(0, &now) || (val ^ now) & ~CR0_TS)
        return false;
    return pv_fpu_taskswitch(!!(val & CR0_TS), 0, 0, 0, 0, 0) == 0;
}

static void write_cr4(u64 val)
{
    struct pv_vcpu *pv = pv_current();
    u64 real;

    pv->cr4 = val & CR4_GUEST_OWN;
    real = pv_real_cr4(pv);
    if (real != insn_read_cr4())
        insn_write_cr4(real);
}

static bool write_cr(u8 nr, u64 val)
{
    struct pv_vcpu *pv = pv_current();

    switch (nr) {
    case 0:
        return write_cr0(val);
    case 2:
        pv->cr2 = val;
        WRITE_ONCE(pv->info->arch.cr2, val);
        return true;
    case 4:
        write_cr4(val);
        return true;
    default:
        return false;
    }
}

/* As MMUEXT_NEW_BASEPTR. A table that takes longer to check is come back to by the instruction. */
static bool write_cr3(struct cpu_regs *regs, u64 val, u32 len)
{
    u64 mfn = val >> PAGE_SHIFT;
    int budget = PV_MMU_BUDGET, rc;

    if (!mfn || mfn >= page_max_mfn)
        return false;
    rc = pv_mmu_load_cr3(vcpu_current(), MFN(mfn), false, &budget);
    if (rc == -ERESTART)
        return true;
    return !rc && done(regs, len);
}

static bool emulate_cr(struct cpu_regs *regs, const struct x86_insn *in)
{
    u64 *r = regs_gpr(regs, in->rm), val;

    if (in->opcode == 0x20) {
        if (!read_cr(in->reg, &val))
            return false;
        *r = val;
    } else if (in->reg == 3) {
        return write_cr3(regs, *r, in->len);
    } else if (!write_cr(in->reg, *r)) {
        return false;
    }
    return done(regs, in->len);
}

static bool emulate_dr(struct cpu_regs *regs, const struct x86_insn *in)
{
    u64 *r = regs_gpr(regs, in->rm), val;
    int rc;

    if (in->opcode == 0x21) {
        rc = pv_debug_get(vcpu_current(), in->reg, &val);
        if (!rc)
            *r = val;
    } else {
        rc = pv_debug_set(vcpu_current(), in->reg, *r);
    }
    if (rc == -ENODEV) {
        pv_inject(regs, TRAP_UD, 0);
        return true;
    }
    return !rc && done(regs, in->len);
}

static bool done_edx_eax(struct cpu_regs *regs, u64 val, u32 len)
{
    regs->rax = (u32)val;
    regs->rdx = val >> 32;
    return done(regs, len);
}

static bool emulate_rdmsr(struct cpu_regs *regs, u32 len)
{
    u64 val;

    return pv_msr_read((u32)regs->rcx, &val) && done_edx_eax(regs, val, len);
}

static bool emulate_wrmsr(struct cpu_regs *regs, u32 len)
{
    u64 val = (u32)regs->rax | regs->rdx << 32;

    return pv_msr_write((u32)regs->rcx, val) && done(regs, len);
}

static bool emulate_cpuid(struct cpu_regs *regs, u32 len)
{
    u32 out[4];

    pv_cpuid_query(vcpu_current(), (u32)regs->rax, (u32)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
    return done(regs, len);
}

static bool emulate_xsetbv(struct cpu_regs *regs, u32 len)
{
    u64 val = (u32)regs->rax | regs->rdx << 32;

    if (!(pv_current()->cr4 & CR4_OSXSAVE)) {
        pv_inject(regs, TRAP_UD, 0);
        return true;
    }
    if ((u32)regs->rcx != 0 || !cpu_features.xsave || !fpu_set_xcr0(&vcpu_current()->fpu, val))
        return false;
    return done(regs, len);
}

static bool emulate_rdtsc(struct cpu_regs *regs, u32 len)
{
    return done_edx_eax(regs, insn_rdtsc(), len);
}

/* 0F 01 with a register operand: single instructions by the whole ModRM byte. */
static bool emulate_0f01(struct cpu_regs *regs, const struct x86_insn *in)
{
    if (in->mem)
        return false;
    switch ((in->reg & 7) << 3 | (in->rm & 7)) {
    case 2 << 3 | 1:
        return emulate_xsetbv(regs, in->len);
    case 7 << 3 | 1: /* rdtscp */
        regs->rcx = vcpu_current()->tsc_aux;
        return emulate_rdtsc(regs, in->len);
    default:
        return false;
    }
}

static bool emulate_wbinvd(struct cpu_regs *regs, u32 len)
{
    /* Without devices of its own a domain cannot see a difference. */
    if (vcpu_current()->domain->privileged)
        insn_wbinvd();
    return done(regs, len);
}

/* Two-byte opcodes, guest kernel mode. */
static bool emulate_0f(struct cpu_regs *regs, const struct x86_insn *in)
{
    switch (in->opcode) {
    case 0x01:
        return emulate_0f01(regs, in);
    case 0x06: /* clts */
        return pv_fpu_taskswitch(0, 0, 0, 0, 0, 0) == 0 && done(regs, in->len);
    case 0x09:
        return emulate_wbinvd(regs, in->len);
    case 0x20:
    case 0x22:
        return emulate_cr(regs, in);
    case 0x21:
    case 0x23:
        return emulate_dr(regs, in);
    case 0x30:
        return emulate_wrmsr(regs, in->len);
    case 0x31:
        return emulate_rdtsc(regs, in->len);
    case 0x32:
        return emulate_rdmsr(regs, in->len);
    case 0xa2: /* faulting cpuid */
        return emulate_cpuid(regs, in->len);
    default:
        return false;
    }
}

static bool emulate_1(struct cpu_regs *regs, const struct x86_insn *in)
{
    const struct pv_vcpu *pv = pv_current();

    switch (in->opcode) {
    case 0x6c ... 0x6f:
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef:
        return pv_port_emulate(regs, in);
    case 0xfa:
    case 0xfb:
        /* The event mask is memory; interrupts stay on. Allowed where a ring 1 kernel could. */
        return pv->iopl >= (pv->kernel_mode ? 1u : 3u) && done(regs, in->len);
    default:
        return false;
    }
}

bool pv_emulate_privop(struct cpu_regs *regs)
{
    const struct pv_vcpu *pv = pv_current();
    struct x86_insn in;
    u8 op[2];

    if (regs->error_code)
        return false;
    if (likely(pv->kernel_mode && (u32)regs->rcx == MSR_KERNEL_GS_BASE) &&
        guestmem_copy_in(op, (const void *)regs->rip, sizeof(op)) && op[0] == 0x0f && op[1] == 0x32)
        return done_edx_eax(regs, insn_rdmsr(MSR_KERNEL_GS_BASE), sizeof(op));
    if (!pv_insn_fetch(regs, &in))
        return false;
    /* None of these may be locked. The processor says so first; QEMU does not. */
    if (unlikely(in.prefix & X86_PFX_LOCK && (in.map != X86_MAP_1 || in.opcode < 0xf0))) {
        pv_inject(regs, TRAP_UD, 0);
        return true;
    }
    if (in.map == X86_MAP_1)
        return emulate_1(regs, &in);
    return in.map == X86_MAP_0F && pv->kernel_mode && emulate_0f(regs, &in);
}

bool pv_emulate_ud(struct cpu_regs *regs)
{
    /* ud2; "xen"; cpuid: public header arch-x86/xen.h, XEN_CPUID. */
    static const u8 prefixed[7] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
    u8 code[sizeof(prefixed)];

    if (!guestmem_copy_in(code, (const void *)regs->rip, sizeof(code)) ||
        __builtin_memcmp(code, prefixed, sizeof(code)) != 0)
        return false;
    return emulate_cpuid(regs, sizeof(code));
}
