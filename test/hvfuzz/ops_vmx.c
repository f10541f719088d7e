/* SPDX-License-Identifier: MIT */
/*
 * What a guest under VMX does until it exits: the state changes as the guest itself may change it,
 * and what the processor records of the exit (Intel SDM vol. 3, chapter 28) is what one could have
 * recorded. Bytes mean what they mean in ops_hvm.c where both vendors have the same.
 */
#include "machine.h"
#include "ops_pick.h"
#include "vmxguest.h"

#define CODE      GUEST_VA(7)
#define CODE_GPA  (7 * PAGE_SIZE)
#define CR0_NW    (1ul << 29)
#define CR0_CD    (1ul << 30)
#define AR_L      0x2000u
#define AR_D      0x4000u
#define AR_G      0x8000u
#define TYPE_HARD 3u /* hardware exception */
#define TYPE_INT1 5u

#define get vmxguest_get
#define put vmxguest_put

/* State. */

static void segments_v86(void)
{
    u32 nr;

    put(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) | RFLAGS_VM);
    for (nr = 0; nr < 6; nr++)
        vmxguest_segment(nr, nr << 12, 0xf3);
}

/* PAE paging: the processor has loaded four good entries, from memory if that is no other table. */
static void load_pdptes(u8 b)
{
    u64 e[4], cr3 = get(VMCS_GUEST_CR3) & 0xffffffe0;
    u32 i;

    for (i = 0; i < 4; i++) {
        e[i] = i == (b & 3) ? 2 * PAGE_SIZE + 1 : (u64)(b >> 5) << 40;
        put(VMCS_GUEST_PDPTE + i * 2, e[i]);
    }
    if (cr3 >= 3 * PAGE_SIZE)
        (void)!hvmguest_access(cr3, e, sizeof(e), true);
}

/* CR0 but for what exits, CR3, LMA, the segments. */
static void change_mode(struct pick *p)
{
    u64 efer = get(VMCS_GUEST_EFER) & ~EFER_LMA, cr4 = get(VMCS_GUEST_CR4);
    u64 cr0 = (get(VMCS_GUEST_CR0) & (CR0_NE | CR0_NW | CR0_CD)) | CR0_ET;
    u8 b = pick_byte(p), more = pick_byte(p);
    bool may_page = !(efer & EFER_LME) || cr4 & CR4_PAE;

    if (cr4 & CR4_PCIDE)
        return; /* stays in long mode */
    if (b & 1)
        cr0 |= CR0_PE;
    if (b & 2 && may_page)
        cr0 |= CR0_PE | CR0_PG;
    cr0 |= b & 4 ? CR0_TS | CR0_WP : 0;
    if (efer & EFER_LME && cr0 & CR0_PG)
        efer |= EFER_LMA;
    put(VMCS_GUEST_CR0, cr0);
    put(VMCS_GUEST_EFER, efer);
    put(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) & ~(u64)RFLAGS_VM);
    vmxguest_segment(1, 0, AR_G | 0x9b | (b & 8 ? AR_D : 0));
    if (b & 16 && (efer & EFER_LMA || more & 1)) /* means nothing yet outside long mode */
        vmxguest_segment(1, 0, AR_G | 0x9b | AR_L | (efer & EFER_LMA || !(more & 2) ? 0 : AR_D));
    else if (b & 32 && !(efer & EFER_LMA))
        vmxguest_segment(1, more & 4 ? 0xffff0 : 0x6000, more & 8 ? 0x93 : 0x9b);
    vmxguest_segment(2, 0, AR_G | 0x93);
    vmxguest_segment(7, 0, more & 0x10 && !(efer & EFER_LMA) ? 0x83 : 0x8b);
    if (cr0 & CR0_PE && !(efer & EFER_LMA) && (more & 0xe0) == 0xe0)
        segments_v86();
    if (b & 64)
        put(VMCS_GUEST_CR3, ops_hvm_gfn(p) << PAGE_SHIFT & 0xfffff000);
    if (cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA))
        load_pdptes(more);
}

static void change_privilege(bool user)
{
    if (!(get(VMCS_GUEST_CR0) & CR0_PE) || get(VMCS_GUEST_RFLAGS) & RFLAGS_VM || !user)
        return;
    put(VMX_CS_AR, (get(VMX_CS_AR) & ~0xful) | 0x60 | 0xb);
    put(VMX_SS_AR, get(VMX_SS_AR) | 0x60);
}

/* A privileged instruction exits from the kernel only. */
static void as_kernel(void)
{
    u32 nr;

    for (nr = 0; nr < 6; nr++)
        if (get(VMCS_GUEST_AR + nr * 2) & 0x60)
            vmxguest_segment(nr, 0,
                             ((u32)get(VMCS_GUEST_AR + nr * 2) & ~0x60u) | (nr == 1 ? 8 : 0));
    put(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) & ~(u64)RFLAGS_VM);
}

static void change_state(struct pick *p, struct cpu_regs *regs)
{
    u8 b = pick_byte(p);
    u64 *gpr = (u64 *)(void *)regs, shadow = get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI;
    bool tf = b == 0x73 || b == 0x5f;

    put(VMCS_GUEST_RFLAGS, RFLAGS_MBS | (b & 1 ? RFLAGS_IF : 0) | (tf ? RFLAGS_TF : 0));
    vmxguest_home();
    if ((b & 0x70) == 0x70)
        change_mode(p);
    change_privilege((b & 0x0c) == 0x0c);
    if (!vmxguest_long())
        put(VMCS_GUEST_RIP, (u32)get(VMCS_GUEST_RIP));
    if (b & 2)
        shadow |= b & 1 && !(b & 0x20) ? 1u : 2u;
    put(VMCS_GUEST_SHADOW, shadow);
    put(VMCS_GUEST_PENDING_DB, tf && b & 2 ? 0x4000 : 0);
    if (b & 0x80) {
        gpr[pick_byte(p) % 15] = ops_hvm_word(p);
        regs->rax = ops_hvm_word(p);
        insn_write_cr2(regs->rax);
        vmxguest_set_gs(regs->rax);
    }
    if (!(get(VMCS_PRIMARY) & VMX_MOV_DR))
        put(VMCS_GUEST_DR7, 0x400 | (b & 3));
}

static void put_code(const u8 *code, u32 n, u8 where)
{
    u64 at = (where & 7) == 7 ? PAGE_SIZE - n + (where >> 3 & 1) : 0x100;

    (void)!hvmguest_access(CODE_GPA + at, (void *)(u64)code, MIN(n, (u32)(PAGE_SIZE - at)), true);
    put(VMCS_GUEST_RIP,
        vmxguest_long() ? CODE + at : (u32)(CODE_GPA + at - get(VMCS_GUEST_BASE + 2)));
}

/* Exits. */

static void exit_insn(struct pick *p, u32 reason, const struct insn *i)
{
    put(VMCS_EXIT_REASON, reason);
    put(VMCS_INSN_LEN, i->n);
    put_code(i->code, i->n, pick_byte(p));
}

static void exit_cpuid(struct pick *p, struct cpu_regs *regs)
{
    exit_insn(p, VMX_EXIT_CPUID, &(struct insn){2, {0x0f, 0xa2}});
    regs->rcx = pick_byte(p) & 7;
    regs->rax = ops_hvm_leaf(p);
}

static void exit_msr(struct pick *p, struct cpu_regs *regs)
{
    bool write = ops_hvm_msr(p, regs);

    as_kernel();
    exit_insn(p, write ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR,
              &(struct insn){2, {0x0f, write ? 0x30 : 0x32}});
}

static void exit_port(struct pick *p)
{
    static const u8 size[3] = {0, 1, 3};
    u8 b = pick_byte(p);

    put(VMCS_EXIT_REASON, VMX_EXIT_IO);
    put(VMCS_QUALIFICATION, (u64)pick_byte(p) << 16 | size[b % 3] | (b >> 2 & 1) << 3 |
                                (b & 0x80 ? 16 : 0) | (b & 0x40 ? 32 : 0));
    put(VMCS_INSN_LEN, 1 + (b >> 3 & 1));
}

static void exit_ept(struct pick *p)
{
    u8 b = pick_byte(p), how = pick_byte(p);
    u64 q = 1u << (how & 1) | 0x80 | (b == 0xff ? 0 : 0x100);

    exit_insn(p, VMX_EXIT_EPT, &ops_hvm_device[how % 24]);
    if (how >= 0xf0)
        exit_insn(p, VMX_EXIT_EPT,
                  &(struct insn){5, {pick_byte(p), pick_byte(p), pick_byte(p), pick_byte(p), b}});
    put(VMCS_GUEST_PHYS, ops_hvm_gpa(p, b, how));
    if (how >= 0xe0 && !(get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI) &&
        !(get(VMCS_IDT_EVENT) & HVM_EVENT_VALID))
        q |= 0x1000; /* an IRET that had already ended the blocking */
    put(VMCS_QUALIFICATION, q);
}

static u64 pick_cr0(u8 b)
{
    u64 val = CR0_ET | (b & 2 ? CR0_PE : 0) | (b & 4 ? CR0_PG : 0) | (b & 8 ? CR0_CD : 0);

    return val | (b & 0x10 ? CR0_NW : 0) | (b & 0x20 ? CR0_NE : 0) | (b == 0xff ? 1ul << 40 : 0);
}

static void exit_cr(struct pick *p, struct cpu_regs *regs)
{
    static const u64 cr4[16] = {CR4_PAE,
                                0,
                                CR4_PAE | CR4_PGE,
                                CR4_PAE | CR4_OSFXSR,
                                CR4_PAE | CR4_PCIDE,
                                CR4_PAE | CR4_SMEP,
                                ~0ul,
                                CR4_PAE | 1ul << 13,
                                CR4_PAE | CR4_PGE | CR4_PCIDE,
                                CR4_PAE | CR4_FSGSBASE,
                                0x10,
                                CR4_PAE | 0x10,
                                CR4_PAE | CR4_TSD,
                                CR4_MCE,
                                CR4_PAE,
                                CR4_PAE};
    u8 b = pick_byte(p), reg = b >> 5 & 7;
    u64 e[4] = {2 * PAGE_SIZE + 1, 0, 0, 0}, cr3 = get(VMCS_GUEST_CR3) & 0xffffffe0;

    as_kernel();
    if (reg == 4)
        reg = 0;
    if (b & 16 && b & 8) { /* entries of PAE paging, good or not */
        e[b & 3] = ops_hvm_word(p) | 1;
        (void)!hvmguest_access(cr3, e, sizeof(e), true);
    }
    exit_insn(p, VMX_EXIT_CR, &(struct insn){3, {0x0f, 0x22, 0xe0}});
    if (b & 1) {
        *regs_gpr(regs, reg) = cr4[pick_byte(p) & 15];
        put(VMCS_QUALIFICATION, 4 | reg << 8);
    } else if (b & 2) {
        *regs_gpr(regs, reg) = pick_cr0(pick_byte(p));
        put(VMCS_QUALIFICATION, reg << 8);
    } else {
        *regs_gpr(regs, reg) = pick_byte(p) & 31;
        put(VMCS_QUALIFICATION, 8 | (b & 4) << 2 | (u32)reg << 8);
    }
}

/* #DB, #AC, #MC; INT1, and an NMI of the machine's. */
static void exit_exception(u8 b)
{
    u32 type = TYPE_HARD, vector = TRAP_AC;

    put(VMCS_EXIT_REASON, VMX_EXIT_EXCEPTION);
    put(VMCS_EXIT_ERROR, 0);
    if (b & 0x80) {
        vector = b & 0x20 ? TRAP_MC : TRAP_NMI;
        type = b & 0x20 ? TYPE_HARD : HVM_EVENT_NMI;
    } else if (b & 0x40) {
        vector = TRAP_DB;
        type = b & 0x20 ? TYPE_INT1 : TYPE_HARD;
        put(VMCS_GUEST_PENDING_DB, 0); /* they are in the qualification */
        put(VMCS_QUALIFICATION, type == TYPE_INT1 ? 0 : b & 0x10 ? 0x4000 : b & 8 ? 0x2000 : 1);
        put(VMCS_INSN_LEN, 1);
    }
    if (vector == TRAP_AC && b & 1 && !(get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI))
        type |= 0x10; /* of an IRET that had already ended the blocking */
    put(VMCS_EXIT_EVENT,
        HVM_EVENT_VALID | type << 8 | vector |
            (vector == TRAP_AC && get(VMCS_GUEST_CR0) & CR0_PE ? HVM_EVENT_EV : 0));
}

static void exit_other(struct pick *p, struct cpu_regs *regs)
{
    static const u8 reasons[16] = {VMX_EXIT_INIT,
                                   VMX_EXIT_SIPI,
                                   VMX_EXIT_GETSEC,
                                   VMX_EXIT_RDPMC,
                                   19,
                                   20,
                                   21,
                                   22,
                                   VMX_EXIT_VMXON,
                                   VMX_EXIT_MONITOR,
                                   VMX_EXIT_MWAIT,
                                   VMX_EXIT_INVEPT,
                                   VMX_EXIT_INVVPID,
                                   VMX_EXIT_WBINVD,
                                   VMX_EXIT_RDPMC,
                                   VMX_EXIT_INTR};
    u8 b = pick_byte(p), reason;

    switch (b % 8) {
    case 0:
        exit_insn(p, VMX_EXIT_WBINVD, &(struct insn){2, {0x0f, 0x09}});
        return;
    case 1:
        exit_insn(p, VMX_EXIT_INVD, &(struct insn){3, {0x66, 0x0f, 0x08}});
        return;
    case 2:
    case 5:
        exit_exception(pick_byte(p));
        return;
    case 3:
        exit_insn(p, VMX_EXIT_XSETBV, &(struct insn){3, {0x0f, 0x01, 0xd1}});
        regs->rcx = b >> 7;
        regs->rax = b >> 3 & 7;
        regs->rdx = 0;
        return;
    case 4:
        put(VMCS_EXIT_REASON, get(VMCS_PRIMARY) & VMX_MOV_DR ? VMX_EXIT_DR : VMX_EXIT_INTR);
        put(VMCS_QUALIFICATION, (b >> 3 & 7) | (b & 0x40 ? 16 : 0));
        return;
    case 6:
        reason = b >= 0xc0 ? pick_byte(p) % 80 : reasons[b >> 3 & 15];
        if ((reason == VMX_EXIT_TRIPLE || reason == VMX_EXIT_NMI_WINDOW) && b & 1)
            reason = VMX_EXIT_INIT;
        if (reason == VMX_EXIT_NMI_WINDOW || reason == VMX_EXIT_INTR_WINDOW ||
            reason == VMX_EXIT_EXCEPTION || reason == VMX_EXIT_CR)
            reason = VMX_EXIT_INTR; /* those come otherwise */
        put(VMCS_EXIT_REASON, reason);
        return;
    default:
        put(VMCS_EXIT_REASON, b == 0xff ? VMX_EXIT_TRIPLE : VMX_EXIT_INTR);
        return;
    }
}

static void choose(struct pick *p, struct cpu_regs *regs)
{
    u8 b = pick_byte(p);

    switch (b % 16) {
    case 0:
        exit_cpuid(p, regs);
        return;
    case 1:
    case 2:
    case 3:
        exit_msr(p, regs);
        return;
    case 4:
    case 9:
        exit_cr(p, regs);
        return;
    case 5:
        exit_port(p);
        return;
    case 6:
    case 7:
        exit_insn(p, VMX_EXIT_HLT, &(struct insn){1, {0xf4}});
        if (b & 0xe0) /* for good: rarely */
            put(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) | RFLAGS_IF);
        return;
    case 8: /* any call, from any mode and privilege */
        exit_insn(p, VMX_EXIT_VMCALL, &(struct insn){3, {0x0f, 0x01, 0xc1}});
        regs->rax = pick_byte(p) % 64;
        regs->rdi = regs->rbx = pick_byte(p);
        regs->rsi = regs->rcx = ops_hvm_word(p);
        regs->rdx = ops_hvm_word(p);
        return;
    case 10:
        exit_other(p, regs);
        return;
    default:
        exit_ept(p);
        return;
    }
}

/* The processor looks for a window before anything else. The NMI's handler ends when b says so. */
static void promised(u8 b)
{
    u64 shadow = get(VMCS_GUEST_SHADOW);

    if (b & 1) {
        shadow &= ~(u64)VMX_SHADOW_NMI;
        put(VMCS_GUEST_SHADOW, shadow);
    }
    if (shadow & VMX_SHADOW_STI_SS)
        return;
    if (get(VMCS_PRIMARY) & VMX_NMI_WINDOW && !(shadow & VMX_SHADOW_NMI))
        put(VMCS_EXIT_REASON, VMX_EXIT_NMI_WINDOW);
    else if (get(VMCS_PRIMARY) & VMX_INTR_WINDOW && get(VMCS_GUEST_RFLAGS) & RFLAGS_IF)
        put(VMCS_EXIT_REASON, VMX_EXIT_INTR_WINDOW);
}

/* The processor was on the way to a handler. */
static bool delivering(struct pick *p, u64 event, u8 b)
{
    static const u16 own[4] = {TYPE_HARD << 8 | TRAP_UD, 4u << 8 | 0x80, 6u << 8 | TRAP_BP,
                               TYPE_HARD << 8 | 1u << 11 | TRAP_PF};
    u8 how;

    if (event & HVM_EVENT_VALID && b & 0x80) {
        put(VMCS_IDT_EVENT, event);
        put(VMCS_IDT_ERROR, get(VMCS_ENTRY_ERROR));
        put(VMCS_GUEST_SHADOW, get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI);
        put(VMCS_GUEST_PENDING_DB, 0);
    } else if ((b & 0x7e) == 0x7e && !(event & HVM_EVENT_VALID)) {
        change_state(p, &cpu_info()->guest);
        how = pick_byte(p) & 3;
        put(VMCS_IDT_EVENT, HVM_EVENT_VALID | own[get(VMCS_GUEST_CR0) & CR0_PE ? how : how % 3]);
        put(VMCS_IDT_ERROR, 2);
        put(VMCS_GUEST_SHADOW, get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI);
        put(VMCS_GUEST_PENDING_DB, 0);
    } else {
        return false;
    }
    return true;
}

void ops_vmx_exit(struct pick *p)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct vcpu *v = vcpu_current();
    u8 b = pick_byte(p);
    u64 event;

    if (!hvmguest_enter())
        return;
    event = get(VMCS_ENTRY_EVENT);
    put(VMCS_IDT_EVENT, 0);
    put(VMCS_QUALIFICATION, 0);
    put(VMCS_INSN_LEN, 2);
    if ((event & (HVM_EVENT_VALID | 7u << 8)) == (HVM_EVENT_VALID | HVM_EVENT_NMI << 8))
        put(VMCS_GUEST_SHADOW, get(VMCS_GUEST_SHADOW) | VMX_SHADOW_NMI);
    if (delivering(p, event, b)) {
        exit_ept(p);
    } else {
        change_state(p, regs);
        choose(p, regs);
        promised(b);
    }
    pick_say(p, "exit %lu (%#lx, %#lx) at %#lx, event %#lx, rax %#lx rcx %#lx, cr0 %#lx efer %#lx",
             get(VMCS_EXIT_REASON), get(VMCS_QUALIFICATION), get(VMCS_GUEST_PHYS),
             get(VMCS_GUEST_RIP), get(VMCS_IDT_EVENT), regs->rax, regs->rcx, get(VMCS_GUEST_CR0),
             get(VMCS_GUEST_EFER));
    hvmguest_exit();
    machine_note("    -> rip %#lx, event %#lx, pause %x\n", get(VMCS_GUEST_RIP), v->hvm->vmx->event,
                 v->pause);
}
