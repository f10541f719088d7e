/* SPDX-License-Identifier: MIT */
/*
 * How does a guest kernel come to see an exception, an event or a system call? By a bounce frame on
 * its stack and a jump to the handler it registered (public header arch-x86/xen.h, struct
 * trap_info; callback.h). And back by the iret hypercall; its usual case is in pv_entry.S.
 *
 * The words of a frame, from high to low: SS RSP RFLAGS CS RIP [error] R11 RCX. CS carries RPL 0
 * when the guest's kernel was interrupted, and the saved event mask in bits 32 to 39.
 */
#include "pv/pv_trap.h"

#include "arch/entry.h"
#include "arch/insn.h"
#include "arch/upcalls.h"
#include "base/lib.h"
#include "core/console.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "pv/pv.h"

#define FLAGS_DROP_ENTRY (RFLAGS_AC | RFLAGS_VM | RFLAGS_RF | RFLAGS_NT | RFLAGS_TF)

/* Vectors that push an error code (SDM vol. 3, 6.3.1). */
static bool has_error_code(u32 vector)
{
    return vector < 32 && ((0x00227d00u >> vector) & 1);
}

/* Guest user <-> guest kernel: CR3, GS. */
static void toggle_mode(struct vcpu *v)
{
    struct pv_vcpu *pv = v->pv;

    pv->kernel_mode = !pv->kernel_mode;
    insn_swapgs();
    insn_write_cr3(pv->kernel_mode ? pv->cr3_kernel : pv->cr3_user);
}

struct bounce {
    u64 address;
    bool mask_events;
    bool has_error;
    u32 error;
    const char *what; /* for the log; NULL: the vector in the registers */
};

/* Words of a frame: RCX, R11, an error code, the return state. */
static ALWAYS_INLINE u32 frame_words(const struct bounce *b)
{
    return 7u + (b->has_error ? 1 : 0);
}

/* Writes the frame at sp upwards. cs and rflags as the guest shall see them. */
static ALWAYS_INLINE bool push_frame(const struct cpu_regs *regs, const struct bounce *b, u64 sp,
                                     u64 cs, u64 rflags)
{
    bool ok = entry_store_u64(sp, regs->rcx) && entry_store_u64(sp + 8, regs->r11);

    sp += 16;
    if (b->has_error) {
        ok = ok && entry_store_u64(sp, b->error);
        sp += 8;
    }
    return ok && entry_store_u64(sp, regs->rip) && entry_store_u64(sp + 8, cs) &&
           entry_store_u64(sp + 16, rflags) && entry_store_u64(sp + 24, regs->rsp) &&
           entry_store_u64(sp + 32, regs->ss & 0xffff);
}

static NOINLINE void bounce_failed(const struct cpu_regs *regs, const struct bounce *b, u64 sp)
{
    struct domain *d = vcpu_current()->domain;
    char what[24];

    if (b->what)
        fmt_snprintf(what, sizeof(what), "%s", b->what);
    else
        fmt_snprintf(what, sizeof(what), "vector %u", (u32)regs->vector & 0xff);
    if (b->address == 0)
        domain_crash(d, "%s at %#lx: no handler registered", what, (unsigned long)regs->rip);
    else
        domain_crash(d, "%s: the kernel stack %#lx cannot take a frame", what, (unsigned long)sp);
}

/* Builds the frame and sets regs to the handler. Crashes the domain when it cannot. */
static ALWAYS_INLINE void bounce_create(struct cpu_regs *regs, const struct bounce *b)
{
    struct pv_vcpu *pv = pv_current();
    struct vcpu_info *info = pv->info;
    u64 mask = READ_ONCE(info->evtchn_upcall_mask), sp = regs->rsp, cs = regs->cs & 0xffff;
    u64 rflags = regs->rflags & ~(RFLAGS_IF | RFLAGS_IOPL);
    u32 size = frame_words(b) * 8;

    if (unlikely(b->address == 0)) {
        bounce_failed(regs, b, 0);
        return;
    }
    if (pv->kernel_mode) {
        cs &= ~3ul;
    } else {
        sp = pv->kernel_sp;
        toggle_mode(vcpu_current());
    }
    sp = (sp & ~15ul) - size;
    if (unlikely(pv_range_is_hv(sp, size) ||
                 !push_frame(regs, b, sp, cs | mask << 32, mask ? rflags : rflags | RFLAGS_IF))) {
        bounce_failed(regs, b, sp);
        return;
    }
    if (b->mask_events)
        WRITE_ONCE(info->evtchn_upcall_mask, 1);
    regs->rip = b->address;
    regs->cs = SEL_GUEST_CS64;
    regs->ss = SEL_GUEST_DS;
    regs->rsp = sp;
    regs->rflags &= ~FLAGS_DROP_ENTRY;
}

static ALWAYS_INLINE void inject(struct cpu_regs *regs, u32 vector, u32 error)
{
    const struct pv_trap *t = &pv_current()->traps[vector];
    struct bounce b = {.address = t->address,
                       .mask_events = t->mask_events,
                       .has_error = has_error_code(vector),
                       .error = error};

    pv_current()->trap_rip = regs->rip;
    pv_current()->trap_vector = vector;
    pv_current()->trap_error = error;
    regs->vector = vector;
    regs->error_code = error;
    bounce_create(regs, &b);
}

void pv_inject(struct cpu_regs *regs, u32 vector, u32 error_code)
{
    inject(regs, vector, error_code);
}

void pv_inject_pf(struct cpu_regs *regs, u64 addr, u32 error_code)
{
    struct pv_vcpu *pv = pv_current();

    pv->cr2 = addr;
    WRITE_ONCE(pv->info->arch.cr2, addr);
    /* The hardware ran ring 3 in both modes; the guest wants its own idea of user. */
    error_code &= ~PFEC_USER;
    if (!pv->kernel_mode)
        error_code |= PFEC_USER;
    inject(regs, TRAP_PF, error_code);
}

void pv_set_syscall(struct pv_vcpu *pv, u64 address, bool mask_events)
{
    pv->syscall_entry = address;
    pv->syscall_masks = mask_events;
    pv->syscall_mask_events = mask_events && address != 0 && va_canonical(address);
}

static NOINLINE void bounce_callback(struct cpu_regs *regs, const struct pv_callback *cb,
                                     const char *what)
{
    struct bounce b = {.address = cb->address, .mask_events = cb->mask_events, .what = what};

    bounce_create(regs, &b);
}

void upcall_deliver_event(struct cpu_regs *regs)
{
    struct pv_callback cb = pv_current()->event;

    cb.mask_events = true;
    bounce_callback(regs, &cb, "event");
}

void pv_deliver_nmi(struct vcpu *v, struct cpu_regs *regs)
{
    struct pv_vcpu *pv = v->pv;
    struct bounce b = {.mask_events = true, .address = pv->traps[TRAP_NMI].address};

    if (pv->nmi.address != 0)
        b.address = pv->nmi.address;
    if (b.address == 0)
        return;
    pv->nmi_masked = true;
    regs->vector = TRAP_NMI;
    bounce_create(regs, &b);
}

/*
 * The state the guest asked to return to does not load: it gets the processor's exception, with
 * that state. Its failsafe callback has nothing to do here: data segments that do not load become
 * null when the vCPU is switched in (pv_domain.c).
 */
void upcall_iret_fault(struct cpu_regs *regs)
{
    regs->vector = cpu_info()->fixup_vector & 31;
    regs->error_code = (u32)cpu_info()->fixup_error;
    if (regs->vector == TRAP_PF) /* a page of its LDT: it may be there at the next try */
        upcall_guest_trap(regs);
    else
        pv_inject(regs, regs->vector, regs->error_code);
}

void pv_syscall_slow(struct cpu_regs *regs)
{
    struct pv_vcpu *pv = pv_current();
    struct pv_callback cb = {.address = pv->syscall_entry, .mask_events = pv->syscall_masks};

    if (!cb.address) {
        regs->rip -= 2; /* #UD is a fault: it points at the instruction */
        pv_inject(regs, TRAP_UD, 0);
        return;
    }
    bounce_callback(regs, &cb, "system call");
    regs->rflags &= ~RFLAGS_DF;
}

void pv_syscall_stack_fault(struct cpu_regs *regs)
{
    domain_crash(vcpu_current()->domain,
                 "system call at %#lx: the kernel stack %#lx cannot take a frame",
                 (unsigned long)regs->rip, (unsigned long)pv_current()->kernel_sp);
}

void pv_syscall32(struct cpu_regs *regs)
{
    struct pv_vcpu *pv = pv_current();

    if (pv->syscall32.address == 0 || pv->kernel_mode) {
        regs->rip -= 2; /* #UD is a fault: it points at the instruction */
        pv_inject(regs, TRAP_UD, 0);
        return;
    }
    bounce_callback(regs, &pv->syscall32, "32-bit system call");
    regs->rflags &= ~RFLAGS_DF;
}

void pv_iret_slow(struct cpu_regs *regs)
{
    struct vcpu *v = vcpu_current();
    struct pv_vcpu *pv = v->pv;
    struct iret_context c;

    if (!guestmem_copy_in(&c, (const void *)regs->rsp, sizeof(c))) {
        domain_crash(v->domain, "iret: its frame at %#lx cannot be read", (unsigned long)regs->rsp);
        return;
    }
    if ((c.cs & 3) == 3) {
        if (pv->cr3_user == 0) {
            domain_crash(v->domain, "iret to user mode (cs %#lx rip %#lx) without user tables",
                         (unsigned long)c.cs, (unsigned long)c.rip);
            return;
        }
        toggle_mode(v);
    }
    regs->rip = c.rip;
    regs->cs = (c.cs | 3) & 0xffff;
    regs->ss = (c.ss | 3) & 0xffff;
    regs->rsp = c.rsp;
    regs->rflags =
        (c.rflags & 0xffffffff & ~(RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP)) | RFLAGS_IF;
    regs->rax = c.rax;
    regs->rcx = c.rcx; /* whatever c.flags say */
    regs->r11 = c.r11;
    WRITE_ONCE(v->info->evtchn_upcall_mask, !(c.rflags & RFLAGS_IF));
    pv->nmi_masked = false;
    if (READ_ONCE(v->defer) & VDEFER_NMI)
        cpu_kick_work(cpu_id(), WORK_EXIT);
}

/* int n: allowed when the entry's DPL is not below the guest's idea of its ring. */
static bool soft_interrupt(struct cpu_regs *regs, u32 n, u64 length)
{
    const struct pv_vcpu *pv = pv_current();
    const struct pv_trap *t = &pv->traps[n];

    if (t->address == 0 || t->dpl < (pv->kernel_mode ? 1 : 3))
        return false;
    regs->rip += length;
    pv_inject(regs, n, 0);
    return true;
}

static void guest_gp(struct cpu_regs *regs)
{
    u8 insn[2];
    bool soft;

    /*
     * Bit 1 of the error code: the fault came from an IDT entry, so the instruction was int n. The
     * n is read from the instruction: QEMU 7.2 scales the index wrongly.
     */
    if (regs->error_code & 2) {
        soft = guestmem_copy_in(insn, (const void *)regs->rip, 2) && insn[0] == 0xcd;
        if (soft && soft_interrupt(regs, insn[1], 2))
            return;
        if (soft)
            regs->error_code = ((u32)insn[1] << 3) | 2;
    } else if (pv_emulate_privop(regs)) {
        return;
    }
    pv_inject(regs, TRAP_GP, regs->error_code);
}

static void guest_debug(struct cpu_regs *regs)
{
    struct pv_vcpu *pv = pv_current();
    u64 dr6 = insn_read_dr6();

    insn_write_dr6(0xffff0ff0);
    pv->dr6 |= dr6;
    pv_inject(regs, TRAP_DB, 0);
}

/*
 * int3, into and int 0x80 pass the hardware gate from ring 3. As on Xen they reach their handler
 * whatever DPL it was registered with; only an int 0x80 without handler is #GP.
 */
static void guest_soft_gate(struct cpu_regs *regs)
{
    u32 vector = regs->vector;

    if (vector == 0x80 && !pv_current()->traps[vector].address) {
        regs->rip -= 2;
        pv_inject(regs, TRAP_GP, (vector << 3) | 2);
        return;
    }
    pv_inject(regs, vector, 0);
}

/* Delivering a #NM clears the guest's TS, as on Xen. */
static void guest_no_fpu(struct cpu_regs *regs)
{
    struct pv_vcpu *pv = pv_current();

    insn_clts();
    if (!pv->cr0_ts)
        return;
    pv->cr0_ts = false;
    pv_inject(regs, TRAP_NM, 0);
}

void upcall_guest_trap(struct cpu_regs *regs)
{
    u64 addr;

    switch (regs->vector) {
    case TRAP_PF:
        addr = insn_read_cr2();
        if (!pv_fault_fixup(regs, addr))
            pv_inject_pf(regs, addr, regs->error_code);
        break;
    case TRAP_GP:
        guest_gp(regs);
        break;
    case TRAP_UD:
        if (!pv_emulate_ud(regs))
            pv_inject(regs, TRAP_UD, 0);
        break;
    case TRAP_DB:
        guest_debug(regs);
        break;
    case TRAP_BP:
    case TRAP_OF:
    case 0x80:
        guest_soft_gate(regs);
        break;
    case TRAP_NM:
        guest_no_fpu(regs);
        break;
    case TRAP_NMI:
    case TRAP_DF:
    case TRAP_MC:
        upcall_fatal_trap(regs);
    default:
        pv_inject(regs, regs->vector & 31, regs->error_code);
        break;
    }
}

long pv_iret(u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    /* The real one never gets here: pv_entry.S. Inside a multicall it has no frame to return to. */
    return hypercall_refuse(-ENOSYS, "iret inside a multicall");
}
