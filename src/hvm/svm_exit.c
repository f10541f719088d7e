/* SPDX-License-Identifier: MIT */
/*
 * Why did the guest stop, and what is done about it? One table of exit codes (AMD APM vol. 2,
 * appendix C). A handler carries the instruction out and steps over it, queues a fault, or lets the
 * guest try again; what has no row crashes the domain. Everything in the control block that the
 * guest can choose is taken as a number, never as an index or an address of ours.
 */
#include "arch/insn.h"
#include "core/hypercall.h"
#include "hvm/svm.h"
#include "pure/ptype.h"
#include "pure/x86_decode.h"

#define NPF_WRITE (1ul << 1)
#define NPF_WALK  (1ul << 33) /* the guest's own page tables were being read */

/* Bytes of an instruction as an intercepted one usually looks: a little-endian word. */
#define OP1(a)       1, a
#define OP2(a, b)    2, (a) | (b) << 8
#define OP3(a, b, c) 3, (a) | (b) << 8 | (c) << 16

/* The instruction is done. */
static void step_over(struct vcpu *v, struct vmcb *c, u64 len)
{
    c->rip += len;
    if (!(c->seg[HVM_CS].attr & HVM_ATTR_L) || !(c->efer & EFER_LMA))
        c->rip = (u32)c->rip;
    c->shadow = 0;
    if (unlikely(c->rflags & RFLAGS_TF)) {
        c->dr6 |= 1ul << 14;
        svm_queue_event(v, HVM_EVENT_FAULT, TRAP_DB, HVM_NO_ERROR);
    }
}

void svm_step(struct vcpu *v, u32 len, u64 rsp)
{
    struct vmcb *c = svm_vmcb(v);

    c->rsp = rsp;
    step_over(v, c, len);
}

/*
 * Length of the instruction at rip, expected to be `bytes`, though prefixes are possible. 0: it
 * could not be read or is none (a fault is queued); the guest goes on where it is.
 */
static u32 insn_length(struct vcpu *v, const struct vmcb *c, u32 n, u32 bytes)
{
    u64 va = c->seg[HVM_CS].base + c->rip, fault;
    struct x86_insn in;
    u32 pfec, have = 0;

    if (svm_features.nrip && c->nrip - c->rip - 1 < X86_INSN_MAX)
        return (u32)(c->nrip - c->rip);
    if (likely(hvm_mem_copy(v, va, &have, n, HVM_FETCH, c->cpl == 3, &fault, &pfec) == 0 &&
               have == bytes))
        return n;
    return hvm_decode(v, &in, NULL);
}

static void skip(struct vcpu *v, struct vmcb *c, u32 n, u32 bytes)
{
    u32 len = insn_length(v, c, n, bytes);

    if (len != 0)
        step_over(v, c, len);
}

static void refuse_gp(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)c, (void)regs;
    hvm_intr_fault(v, TRAP_GP, 0);
}

/* Instructions of features that are not offered. */
static void refuse_ud(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)c, (void)regs;
    hvm_intr_fault(v, TRAP_UD, HVM_NO_ERROR);
}

/* It has been dealt with on the way, or is no concern of the guest's. */
static void resume(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)v, (void)c, (void)regs;
}

static void exit_intr(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)v, (void)c, (void)regs;
    cpu_irq_window();
}

static void exit_vintr(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)regs;
    c->vintr &= ~(SVM_VINTR_IRQ | SVM_VINTR_PRIO | SVM_VINTR_IGN_TPR);
    c->intercept1 &= ~SVM_I1_VINTR;
    hvm_intr_poke(v);
}

static void exit_iret(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)regs;
    c->intercept1 &= ~SVM_I1_IRET;
    v->hvm->nmi_blocked = false;
    hvm_intr_poke(v);
}

static void exit_cpuid(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u32 len = insn_length(v, c, OP2(0x0f, 0xa2));

    if (unlikely(len == 0))
        return;
    hvm_exit_cpuid(v, regs);
    step_over(v, c, len);
}

static void exit_msr(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    bool write = c->exitinfo1 & 1;
    u32 len = write ? insn_length(v, c, OP2(0x0f, 0x30)) : insn_length(v, c, OP2(0x0f, 0x32));

    if (likely(len != 0) && hvm_exit_msr(v, regs, write))
        step_over(v, c, len);
}

static void exit_ioio(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u64 info = c->exitinfo1;

    if (hvm_exit_port(v, regs, info >> 16 & 0xffff, info >> 4 & 7, info & 1, info & 1ul << 2))
        step_over(v, c, c->exitinfo2 - c->rip);
}

static void exit_hlt(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u32 len = insn_length(v, c, OP1(0xf4));

    (void)regs;
    if (len == 0)
        return;
    step_over(v, c, len);
    hvm_intr_halt(v, c->rflags & RFLAGS_IF);
}

/* The control domain's caches are coherent with what a guest without devices does. */
static void exit_cache(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)regs;
    skip(v, c, OP2(0x0f, c->exitcode == SVM_EXIT_INVD ? 0x08u : 0x09u));
}

static void exit_vmmcall(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    bool long_mode = c->efer & EFER_LMA && c->seg[HVM_CS].attr & HVM_ATTR_L;

    c->shadow = 0; /* of an STI before it: one that blocks may be interrupted */
    /* Without prefixes, as kernels make it. */
    if (hvm_hypercall(v, regs, long_mode, c->cpl != 0))
        step_over(v, c, 3);
}

static void exit_xsetbv(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u32 len = insn_length(v, c, OP3(0x0f, 0x01, 0xd1));

    if (len != 0 && hvm_exit_xsetbv(v, regs, c->cpl != 0))
        step_over(v, c, len);
}

/* What a MOV writes to a control register, and its length; 0: as insn_length. */
static u32 cr_operand(struct vcpu *v, const struct vmcb *c, struct cpu_regs *regs, u64 *val)
{
    struct x86_insn in;
    u32 len = hvm_decode(v, &in, NULL);

    if (len == 0)
        return 0;
    if (in.map != X86_MAP_0F || in.opcode != 0x22 || in.mem) {
        hvm_intr_fault(v, TRAP_UD, HVM_NO_ERROR);
        return 0;
    }
    *val = (in.rm & 15) == 4 ? c->rsp : *regs_gpr(regs, in.rm);
    if (!(c->efer & EFER_LMA))
        *val = (u32)*val;
    return len;
}

static void exit_cr4_write(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u64 val;
    u32 len = cr_operand(v, c, regs, &val);

    if (len == 0 || !hvm_exit_cr4(v, val, c->cr4, c->cr3, c->efer))
        return;
    c->cr4 = val;
    step_over(v, c, len);
}

static void exit_cr8_write(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u64 val;
    u32 len = cr_operand(v, c, regs, &val);

    if (len == 0)
        return;
    if (val > 15) {
        hvm_intr_fault(v, TRAP_GP, 0);
        return;
    }
    (void)!hvm_apic_write(v, VLAPIC_TPR, val << 4);
    step_over(v, c, len);
}

static void exit_dr(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)c, (void)regs;
    svm_load_dr(v);
}

static void exit_exception(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u32 vector = (u32)c->exitcode - SVM_EXIT_EXCEPTION;

    (void)regs;
    if (vector == TRAP_MC) {
        hvm_exit_machine_check();
        return;
    }
    hvm_intr_fault(v, vector, vector == TRAP_AC ? c->exitinfo1 & 0xffffffff : HVM_NO_ERROR);
}

static void exit_icebp(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    u32 len = insn_length(v, c, OP1(0xf1));

    (void)regs;
    if (len == 0)
        return;
    step_over(v, c, len);
    hvm_intr_fault(v, TRAP_DB, HVM_NO_ERROR);
}

static void exit_shutdown(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    (void)c, (void)regs;
    hvm_exit_triple_fault(v);
}

static void exit_npf(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs)
{
    hvm_exit_nested_fault(v, c->exitinfo2, c->exitinfo1 & NPF_WRITE, c->exitinfo1 & NPF_WALK, regs);
}

static const struct {
    void (*fn)(struct vcpu *v, struct vmcb *c, struct cpu_regs *regs);
} rows[SVM_EXIT_TABLE] = {
    [SVM_EXIT_CR4_WRITE] = {exit_cr4_write},
    [SVM_EXIT_CR8_WRITE] = {exit_cr8_write},
    [SVM_EXIT_DR_READ... SVM_EXIT_DR_READ + 15] = {exit_dr},
    [SVM_EXIT_DR_WRITE... SVM_EXIT_DR_WRITE + 15] = {exit_dr},
    [SVM_EXIT_EXCEPTION + TRAP_DB] = {exit_exception},
    [SVM_EXIT_EXCEPTION + TRAP_AC] = {exit_exception},
    [SVM_EXIT_EXCEPTION + TRAP_MC] = {exit_exception},
    [SVM_EXIT_INTR] = {exit_intr},
    [SVM_EXIT_NMI] = {resume},
    [SVM_EXIT_SMI] = {resume},
    [SVM_EXIT_INIT] = {resume},
    [SVM_EXIT_VINTR] = {exit_vintr},
    [SVM_EXIT_RDPMC] = {refuse_gp},
    [SVM_EXIT_CPUID] = {exit_cpuid},
    [SVM_EXIT_IRET] = {exit_iret},
    [SVM_EXIT_INVD] = {exit_cache},
    [SVM_EXIT_HLT] = {exit_hlt},
    [SVM_EXIT_INVLPGA] = {refuse_ud},
    [SVM_EXIT_IOIO] = {exit_ioio},
    [SVM_EXIT_MSR] = {exit_msr},
    [SVM_EXIT_FERR] = {resume},
    [SVM_EXIT_SHUTDOWN] = {exit_shutdown},
    [SVM_EXIT_VMRUN] = {refuse_ud},
    [SVM_EXIT_VMMCALL] = {exit_vmmcall},
    [SVM_EXIT_VMLOAD] = {refuse_ud},
    [SVM_EXIT_VMSAVE] = {refuse_ud},
    [SVM_EXIT_STGI] = {refuse_ud},
    [SVM_EXIT_CLGI] = {refuse_ud},
    [SVM_EXIT_SKINIT] = {refuse_ud},
    [SVM_EXIT_ICEBP] = {exit_icebp},
    [SVM_EXIT_WBINVD] = {exit_cache},
    [SVM_EXIT_MONITOR] = {refuse_ud},
    [SVM_EXIT_MWAIT] = {refuse_ud},
    [SVM_EXIT_XSETBV] = {exit_xsetbv},
    [SVM_EXIT_RDPRU] = {refuse_ud},
};

void svm_exit(struct cpu_regs *regs)
{
    struct vcpu *v = vcpu_current();
    struct vmcb *c = svm_vmcb(v);
    u64 code = c->exitcode;

    regs->rax = c->rax;
    if (unlikely(c->tlb_control))
        svm_flushed(c);
    /* The exit came in the middle of delivering an event: again at the next entry. */
    if (unlikely(c->exitintinfo & HVM_EVENT_VALID))
        c->eventinj = hvm_event_again(c->exitintinfo);
    if (likely(code < SVM_EXIT_TABLE && rows[code].fn != NULL))
        rows[code].fn(v, c, regs);
    else if (code == SVM_EXIT_NPF)
        exit_npf(v, c, regs);
    else
        domain_crash(v->domain, "exit %#lx (%#lx, %#lx) at %#lx", (unsigned long)code,
                     (unsigned long)c->exitinfo1, (unsigned long)c->exitinfo2,
                     (unsigned long)c->rip);
}
