/* SPDX-License-Identifier: MIT */
/*
 * Why did the guest stop, and what is done about it? One table of exit reasons (Intel SDM vol. 3,
 * appendix C and 28.2). What has no row crashes the domain, as does a state the processor refuses
 * to enter.
 */
#include "arch/insn.h"
#include "hvm/vmx.h"

#define DR6_BS 0x4000ul
#define DR6_BD 0x2000ul
#define DR7_GD (1ul << 13)

#define EVENT_INT1 5u /* type of an exit's event */
#define TSS16_BUSY 3u

/* Exit qualification of a nested-paging violation. */
#define EPT_WRITE       (1ul << 1)
#define EPT_LINEAR      (1ul << 7)
#define EPT_TRANSLATION (1ul << 8)  /* clear: the guest's tables were being read */
#define NMI_UNBLOCK     (1ul << 12) /* also of an exception */

static bool is_code64(void)
{
    return vmx_read(VMCS_GUEST_AR + 2) & HVM_ATTR_L << 4; /* CS */
}

static bool in_long_mode(void)
{
    return vmx_read(VMCS_GUEST_EFER) & EFER_LMA && is_code64();
}

static bool in_user_mode(void)
{
    return (vmx_read(VMCS_GUEST_AR + 4) >> 5 & 3) == 3; /* SS */
}

/* On by len bytes, and out of the shadow of STI and MOV SS. */
static void advance(u64 len)
{
    u64 rip = vmx_read(VMCS_GUEST_RIP) + len, shadow = vmx_read(VMCS_GUEST_SHADOW);

    vmx_write(VMCS_GUEST_RIP, in_long_mode() ? rip : (u32)rip);
    if (shadow & VMX_SHADOW_STI_SS)
        vmx_write(VMCS_GUEST_SHADOW, shadow & ~(u64)VMX_SHADOW_STI_SS);
}

/* The instruction is done. */
static void step_over(struct vcpu *v, u64 len)
{
    advance(len);
    if (unlikely(vmx_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF)) {
        vmx_add_dr6(v, DR6_BS);
        hvm_intr_fault(v, TRAP_DB, HVM_NO_ERROR);
    }
}

static void skip(struct vcpu *v)
{
    step_over(v, vmx_read(VMCS_INSN_LEN));
}

void vmx_step(struct vcpu *v, u32 len, u64 rsp)
{
    vmx_write(VMCS_GUEST_RSP, rsp);
    step_over(v, len);
}

static void refuse_gp(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    hvm_intr_fault(v, TRAP_GP, 0);
}

static void refuse_ud(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    hvm_intr_fault(v, TRAP_UD, HVM_NO_ERROR);
}

static void resume(struct vcpu *v, struct cpu_regs *regs)
{
    (void)v, (void)regs;
}

static void exit_debug(struct vcpu *v, u32 type)
{
    u64 why = vmx_read(VMCS_QUALIFICATION);

    /* INT1 is done. No entry with TF in a shadow of STI (SDM vol. 3, 27.3.1.5). */
    advance(type == EVENT_INT1 ? vmx_read(VMCS_INSN_LEN) : 0);
    vmx_add_dr6(v, why & (DR6_BS | DR6_BD | 0xf));
    if (why & DR6_BD)
        vmx_write(VMCS_GUEST_DR7, vmx_read(VMCS_GUEST_DR7) & ~DR7_GD);
    hvm_intr_fault(v, TRAP_DB, HVM_NO_ERROR);
}

/* An IRET that was not done had ended the blocking of NMIs (SDM vol. 3, 28.2.3). */
static void block_nmi_again(const struct vcpu *v, u64 info)
{
    if (info & NMI_UNBLOCK && v->hvm->vmx->event == 0)
        vmx_write(VMCS_GUEST_SHADOW, vmx_read(VMCS_GUEST_SHADOW) | VMX_SHADOW_NMI);
}

static void exit_exception(struct vcpu *v, struct cpu_regs *regs)
{
    u32 event = (u32)vmx_read(VMCS_EXIT_EVENT), vector = event & 0xff;

    (void)regs;
    block_nmi_again(v, event);
    if ((event >> 8 & 7) == HVM_EVENT_NMI)
        insn_raise_nmi(); /* its handler's iret ends the blocking */
    else if (vector == TRAP_MC)
        hvm_exit_machine_check();
    else if (vector == TRAP_DB)
        exit_debug(v, event >> 8 & 7);
    else
        hvm_intr_fault(v, vector, event & HVM_EVENT_EV ? vmx_read(VMCS_EXIT_ERROR) : HVM_NO_ERROR);
}

static void exit_intr(struct vcpu *v, struct cpu_regs *regs)
{
    (void)v, (void)regs;
    cpu_irq_window();
}

static void exit_triple(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    hvm_exit_triple_fault(v);
}

static void exit_intr_window(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    vmx_set_primary(v, VMX_INTR_WINDOW, false);
    hvm_intr_poke(v);
}

static void exit_nmi_window(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    vmx_set_primary(v, VMX_NMI_WINDOW, false);
    v->hvm->nmi_blocked = false;
    hvm_intr_poke(v);
}

static void exit_cpuid(struct vcpu *v, struct cpu_regs *regs)
{
    hvm_exit_cpuid(v, regs);
    skip(v);
}

static void exit_hlt(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    skip(v);
    hvm_intr_halt(v, vmx_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
}

/* The control domain's caches are coherent with what a guest without devices does. */
static void exit_cache(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    skip(v);
}

static void exit_vmcall(struct vcpu *v, struct cpu_regs *regs)
{
    advance(0); /* only out of the shadow: one that blocks may be interrupted */
    if (hvm_hypercall(v, regs, in_long_mode(), in_user_mode()))
        skip(v);
}

static void exit_rdmsr(struct vcpu *v, struct cpu_regs *regs)
{
    if (hvm_exit_msr(v, regs, false))
        skip(v);
}

static void exit_wrmsr(struct vcpu *v, struct cpu_regs *regs)
{
    if (hvm_exit_msr(v, regs, true))
        skip(v);
}

static void exit_xsetbv(struct vcpu *v, struct cpu_regs *regs)
{
    if (hvm_exit_xsetbv(v, regs, in_user_mode()))
        skip(v);
}

static void exit_io(struct vcpu *v, struct cpu_regs *regs)
{
    u64 q = vmx_read(VMCS_QUALIFICATION);

    if (hvm_exit_port(v, regs, q >> 16 & 0xffff, (q & 7) + 1, q & 8, q & 16))
        skip(v);
}

static void exit_dr(struct vcpu *v, struct cpu_regs *regs)
{
    (void)regs;
    vmx_load_dr(v);
}

/* A bit of CR0 that is not simply the guest's has changed; long mode begins and ends here, too. */
static bool write_cr0(struct vcpu *v, u64 val)
{
    u64 old = vmx_get_cr0(), cr4 = vmx_get_cr4(), efer = vmx_read(VMCS_GUEST_EFER);
    bool paging = val & CR0_PG, was_paging = old & CR0_PG;

    if (val >> 32 || (paging && !(val & CR0_PE)) || (val & CR0_NW && !(val & CR0_CD)))
        return false;
    if (paging && !was_paging && efer & EFER_LME) {
        /* Not with code of 64 bits, nor with a task of 16 (SDM vol. 3, 10.8.5). */
        if (!(cr4 & CR4_PAE) || is_code64() || (vmx_read(VMCS_GUEST_AR + 14) & 15) == TSS16_BUSY)
            return false;
        efer |= EFER_LMA;
    } else if (!paging && was_paging && efer & EFER_LMA) {
        if (cr4 & CR4_PCIDE || is_code64())
            return false;
        efer &= ~EFER_LMA;
    }
    if (!vmx_load_pdptes(v, val, vmx_read(VMCS_GUEST_CR3), cr4, efer))
        return false;
    if ((val ^ old) & (CR0_PG | CR0_WP))
        v->hvm->epoch--;
    vmx_put_efer(efer);
    vmx_put_cr0(val);
    return true;
}

static bool write_cr4(struct vcpu *v, u64 val, bool *faulted)
{
    u64 cr3 = vmx_read(VMCS_GUEST_CR3), efer = vmx_read(VMCS_GUEST_EFER);

    *faulted = !hvm_exit_cr4(v, val, vmx_get_cr4(), cr3, efer);
    if (*faulted || !vmx_load_pdptes(v, vmx_get_cr0(), cr3, val, efer))
        return false;
    vmx_put_cr4(val);
    return true;
}

/* Exit qualification: register, direction (0 to it, 1 from it), general register. */
static void exit_cr(struct vcpu *v, struct cpu_regs *regs)
{
    u64 q = vmx_read(VMCS_QUALIFICATION), val, tpr;
    u32 cr = q & 15, way = q >> 4 & 3, nr = q >> 8 & 15;
    bool ok = false, faulted = false;

    val = nr == 4 ? vmx_read(VMCS_GUEST_RSP) : *regs_gpr(regs, nr);
    if (way == 0 && !(vmx_read(VMCS_GUEST_EFER) & EFER_LMA))
        val = (u32)val;
    if (way == 0 && cr == 0) {
        ok = write_cr0(v, val);
    } else if (way == 0 && cr == 4) {
        ok = write_cr4(v, val, &faulted);
    } else if (way == 0 && cr == 8) {
        ok = val <= 15 && hvm_apic_write(v, VLAPIC_TPR, val << 4);
    } else if (way == 1 && cr == 8 && nr != 4) {
        ok = hvm_apic_read(v, VLAPIC_TPR, &tpr);
        if (ok)
            *regs_gpr(regs, nr) = tpr >> 4 & 15;
    }
    if (ok)
        skip(v);
    else if (!faulted)
        hvm_intr_fault(v, TRAP_GP, 0);
}

static void exit_ept(struct vcpu *v, struct cpu_regs *regs)
{
    u64 q = vmx_read(VMCS_QUALIFICATION);

    block_nmi_again(v, q);
    hvm_exit_nested_fault(v, vmx_read(VMCS_GUEST_PHYS), q & EPT_WRITE,
                          q & EPT_LINEAR && !(q & EPT_TRANSLATION), regs);
}

static void (*const rows[VMX_EXIT_REASONS])(struct vcpu *v, struct cpu_regs *regs) = {
    [VMX_EXIT_EXCEPTION] = exit_exception,
    [VMX_EXIT_INTR] = exit_intr,
    [VMX_EXIT_TRIPLE] = exit_triple,
    [VMX_EXIT_INIT] = resume,
    [VMX_EXIT_SIPI] = resume,
    [VMX_EXIT_INTR_WINDOW] = exit_intr_window,
    [VMX_EXIT_NMI_WINDOW] = exit_nmi_window,
    [VMX_EXIT_CPUID] = exit_cpuid,
    [VMX_EXIT_GETSEC] = refuse_ud,
    [VMX_EXIT_HLT] = exit_hlt,
    [VMX_EXIT_INVD] = exit_cache,
    [VMX_EXIT_RDPMC] = refuse_gp,
    [VMX_EXIT_VMCALL] = exit_vmcall,
    [VMX_EXIT_VMCLEAR... VMX_EXIT_VMXON] = refuse_ud,
    [VMX_EXIT_CR] = exit_cr,
    [VMX_EXIT_DR] = exit_dr,
    [VMX_EXIT_IO] = exit_io,
    [VMX_EXIT_RDMSR] = exit_rdmsr,
    [VMX_EXIT_WRMSR] = exit_wrmsr,
    [VMX_EXIT_MWAIT] = refuse_ud,
    [VMX_EXIT_MONITOR] = refuse_ud,
    [VMX_EXIT_EPT] = exit_ept,
    [VMX_EXIT_INVEPT] = refuse_ud,
    [VMX_EXIT_INVVPID] = refuse_ud,
    [VMX_EXIT_WBINVD] = exit_cache,
    [VMX_EXIT_XSETBV] = exit_xsetbv,
};

/* The exit came in the middle of delivering an event: again at the next entry. */
static void requeue(struct vmx_vcpu *x)
{
    u64 event = hvm_event_again((u32)vmx_read(VMCS_IDT_EVENT));

    if (event & HVM_EVENT_EV)
        event |= vmx_read(VMCS_IDT_ERROR) << 32;
    /* An NMI that is to be delivered again does not block itself (SDM vol. 3, 27.2.1.3). */
    if (event != 0 && (event >> 8 & 7) == HVM_EVENT_NMI)
        vmx_write(VMCS_GUEST_SHADOW, vmx_read(VMCS_GUEST_SHADOW) & ~(u64)VMX_SHADOW_NMI);
    x->event = event & ~(u64)0x7ffff000;
}

void vmx_exit(struct cpu_regs *regs)
{
    struct vcpu *v = vcpu_current();
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 reason = (u32)vmx_read(VMCS_EXIT_REASON);

    x->cr2 = insn_read_cr2();
    x->launched = true;
    requeue(x);
    if (likely(reason < VMX_EXIT_REASONS && rows[reason] != NULL))
        rows[reason](v, regs);
    else
        domain_crash(v->domain, "%s %#x (%#lx) at %#lx",
                     reason & VMX_EXIT_FAILED_ENTRY ? "state refused by the processor:" : "exit",
                     reason, (unsigned long)vmx_read(VMCS_QUALIFICATION),
                     (unsigned long)vmx_read(VMCS_GUEST_RIP));
}

void vmx_refused(struct cpu_regs *regs)
{
    (void)regs;
    domain_crash(vcpu_current()->domain, "VMLAUNCH or VMRESUME: error %lu",
                 (unsigned long)vmx_read(VMCS_INSN_ERROR));
}
