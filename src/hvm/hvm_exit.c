/* SPDX-License-Identifier: MIT */
/*
 * What a guest's exit asks for, whichever vendor's processor reports it. The vendors' tables of
 * exits decode the cause and step over the instruction; the meaning is here.
 */
#include "arch/insn.h"
#include "core/console.h"
#include "core/hypercall.h"
#include "hvm/hvm.h"
#include "pure/ptype.h"

#define XCR_XFEATURE 0
#define CR4_PSE      (1ul << 4)
#define CR4_PAGING   (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)

/* Exceptions that make a double fault of a second one (APM vol. 2, 8.2.9); #PF counts as both. */
static bool contributory(u64 vector)
{
    return vector == TRAP_DE || (vector >= TRAP_TS && vector <= TRAP_PF);
}

u64 hvm_event(struct vcpu *v, u64 old, u32 type, u32 vector, u64 error)
{
    u64 event;

    if (type == HVM_EVENT_FAULT && old & HVM_EVENT_VALID && (old >> 8 & 7) == HVM_EVENT_FAULT) {
        if ((old & 0xff) == TRAP_DF) {
            hvm_exit_triple_fault(v);
            return 0;
        }
        if (contributory(old & 0xff) && contributory(vector)) {
            vector = TRAP_DF;
            error = 0;
        }
    }
    event = HVM_EVENT_VALID | type << 8 | vector;
    return error != HVM_NO_ERROR ? event | HVM_EVENT_EV | error << 32 : event;
}

u64 hvm_event_again(u64 event)
{
    u64 type = event >> 8 & 7, vector = event & 0xff;

    if (!(event & HVM_EVENT_VALID) || type > HVM_EVENT_FAULT ||
        (type == HVM_EVENT_FAULT && (vector == TRAP_BP || vector == TRAP_OF)))
        return 0;
    return event;
}

void hvm_exit_cpuid(struct vcpu *v, struct cpu_regs *regs)
{
    u32 out[4];

    hvm_cpuid_query(v, (u32)regs->rax, (u32)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
}

bool hvm_exit_msr(struct vcpu *v, struct cpu_regs *regs, bool write)
{
    u64 val = 0;

    if (write && hvm_msr_write(v, (u32)regs->rcx, (u32)regs->rax | regs->rdx << 32))
        return true;
    if (!write && hvm_msr_read(v, (u32)regs->rcx, &val)) {
        regs->rax = (u32)val;
        regs->rdx = val >> 32;
        return true;
    }
    hvm_intr_fault(v, TRAP_GP, 0);
    return false;
}

bool hvm_exit_port(struct vcpu *v, struct cpu_regs *regs, u32 port, u32 size, bool in, bool string)
{
    if (string) { /* nobody needs them, and they touch memory */
        hypercall_refuse(0, "port %#x: string instruction", port);
        hvm_intr_fault(v, TRAP_GP, 0);
        return false;
    }
    if (in)
        regs->rax = size == 1 ? regs->rax | 0xff : size == 2 ? regs->rax | 0xffff : 0xffffffffu;
    return true;
}

bool hvm_exit_xsetbv(struct vcpu *v, const struct cpu_regs *regs, bool user)
{
    /* The privilege is checked here: not all processors do before they exit. */
    if (!user && (u32)regs->rcx == XCR_XFEATURE &&
        fpu_set_xcr0(&v->fpu, (u32)regs->rax | regs->rdx << 32))
        return true;
    hvm_intr_fault(v, TRAP_GP, 0);
    return false;
}

bool hvm_exit_cr4(struct vcpu *v, u64 val, u64 old, u64 cr3, u64 efer)
{
    /* PAE goes only outside long mode, PCIDs come only in it and with PCID 0. */
    if (val & ~v->hvm->cr4_allowed || (efer & EFER_LMA && !(val & CR4_PAE)) ||
        (val & ~old & CR4_PCIDE && (!(efer & EFER_LMA) || cr3 & 0xfff))) {
        hvm_intr_fault(v, TRAP_GP, 0);
        return false;
    }
    if ((val ^ old) & CR4_PAGING)
        v->hvm->epoch--; /* the TLB's contents are void: a new address space id */
    return true;
}

void hvm_load_dr(struct hvm_vcpu *h)
{
    insn_write_dr0(h->dr[0]);
    insn_write_dr1(h->dr[1]);
    insn_write_dr2(h->dr[2]);
    insn_write_dr3(h->dr[3]);
    h->dr_loaded = true;
}

void hvm_store_dr(struct hvm_vcpu *h)
{
    h->dr[0] = insn_read_dr0();
    h->dr[1] = insn_read_dr1();
    h->dr[2] = insn_read_dr2();
    h->dr[3] = insn_read_dr3();
    h->dr_loaded = false;
}

void hvm_exit_machine_check(void)
{
    insn_raise_mc();
}

void hvm_exit_triple_fault(struct vcpu *v)
{
    u64 reason = v->domain->hvm->params[HVM_PARAM_TRIPLE_FAULT_REASON];

    log_msg(LOG_WARN, "d%uv%u triple fault", v->domain->id, v->id);
    /* Its state may be undefined now (APM vol. 2, 15.14.3): it must not be entered again. */
    vcpu_pause_set(v, VPAUSE_DOWN);
    domain_shutdown(v->domain, reason <= SHUTDOWN_MAX ? (u32)reason : SHUTDOWN_reboot);
}

void hvm_exit_nested_fault(struct vcpu *v, u64 gpa, bool write, bool walk, struct cpu_regs *regs)
{
    struct page *pg = physmap_get_page(v->domain, GFN(gpa >> PAGE_SHIFT), write);

    if (pg != NULL) { /* it has come meanwhile */
        ptype_put_page(pg);
        return;
    }
    if (walk)
        domain_crash(v->domain, "page table at %#lx, where there is no memory", (unsigned long)gpa);
    else if (!hvm_mmio(v, gpa, regs))
        domain_crash(v->domain, "%s at %#lx cannot be emulated", write ? "write" : "read",
                     (unsigned long)gpa);
}
