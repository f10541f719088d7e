/* SPDX-License-Identifier: MIT */
/*
 * What a guest does without a hypercall, or to set up its processor: traps of all kinds with the
 * instructions that cause them, its way into user mode and back, the words it shares with us.
 */
#include <string.h>

#include "arch/upcalls.h"
#include "core/domain.h"
#include "core/event.h"
#include "guest.h"
#include "machine.h"
#include "ops_pick.h"
#include "pv/pv.h"
#include "pv/pv_trap.h"

#define CODE  GUEST_VA(7)
#define STACK (GUEST_VA(7) + 0x700)

/* The handler has run: the kernel goes on where it makes its calls. */
static void handled(void)
{
    struct cpu_regs *regs = &cpu_info()->guest;

    regs->rip = GUEST_RIP + 2;
    regs->rsp = STACK;
    regs->cs = FLAT_KERNEL_CS64 | 3;
    regs->ss = FLAT_KERNEL_SS | 3;
}

static void trap(u32 vector, u32 error_code, u64 cr2, u64 rip)
{
    struct cpu_regs *regs = &cpu_info()->guest;

    regs->rip = rip;
    regs->rsp = STACK;
    regs->cs = FLAT_KERNEL_CS64 | 3;
    regs->ss = FLAT_KERNEL_SS | 3;
    regs->rflags = RFLAGS_MBS | RFLAGS_IF;
    regs->vector = vector;
    regs->error_code = error_code;
    machine_set_cr2(cr2);
    upcall_guest_trap(regs);
    handled();
}

/* #GP at an instruction the hypervisor may carry out; some bytes are the input's. */
static void trap_gp(struct pick *p)
{
    static const u8 insn[16][4] = {
        {0xe4, 0x70},
        {0xe6, 0x70},
        {0xe4, 0x71},
        {0xec},
        {0xee},
        {0xef},
        {0x0f, 0x30},
        {0x0f, 0x32},
        {0x0f, 0x20, 0xd8},
        {0x0f, 0x22, 0xd8},
        {0x0f, 0x20, 0xe0},
        {0x0f, 0x22, 0xe0},
        {0xfa},
        {0xf4},
        {0x0f, 0x01, 0xd1},
        {0xcd, 0x80},
    };
    static const u64 number[8] = {0x70, 0x71, 0x61, 0x42, 0xcf8, 0xc0000100, 0xc0000080, 0x1b};
    struct cpu_regs *regs = &cpu_info()->guest;
    u8 code[16] = {0x90}, b = pick_byte(p), i;

    memcpy(code, insn[b & 15], 4);
    if (b & 0x80)
        for (i = 0; i < 8; i++)
            code[i] = pick_byte(p);
    regs->rdx = regs->rcx = number[b >> 4 & 7];
    regs->rax = pick_byte(p);
    if (b & 0x40)
        regs->rdx = regs->rax >> 4;
    (void)!machine_guest_write(CODE, code, sizeof(code));
    pick_say(p, "#GP at %02x %02x %02x %02x, rcx %#lx", code[0], code[1], code[2], code[3],
             regs->rcx);
    trap(TRAP_GP, 0, 0, CODE);
}

static void trap_pf(struct pick *p)
{
    u8 b = pick_byte(p);
    u64 va = pick_va(p) + pick_byte(p) * 8u;

    if (b & 0x80)
        va =
            PERDOMAIN_BASE + vcpu_current()->id * GDT_LDT_VCPU_SIZE + LDT_OFFSET + (b & 15) * 4096u;
    pick_say(p, "#PF at %#lx, error %#x", va, b & 31u);
    trap(TRAP_PF, (b & 31) | PFEC_USER, va, b & 0x40 ? va : CODE);
}

void ops_trap(struct pick *p)
{
    static const u8 vectors[8] = {TRAP_DB, TRAP_BP, TRAP_NM, TRAP_UD,
                                  TRAP_OF, 0x80,    TRAP_MF, TRAP_NP};
    static const u8 cpuid[7] = {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2};
    u8 b = pick_byte(p);

    if (guest_in_list())
        return;
    switch (b & 3) {
    case 0:
    case 1:
        trap_gp(p);
        return;
    case 2:
        trap_pf(p);
        return;
    default:
        (void)!machine_guest_write(CODE, cpuid, sizeof(cpuid));
        pick_say(p, "trap %u", vectors[b >> 2 & 7]);
        trap(vectors[b >> 2 & 7], 0, 0, CODE);
        return;
    }
}

/* The upcall if one is due, else the hypercall iret: to the kernel, or to user mode. */
void ops_return(struct pick *p)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct iret_context c;
    u8 b = pick_byte(p);

    if (guest_in_list())
        return;
    if (b & 1 && event_upcall_due(vcpu_current())) {
        pick_say(p, "an event is delivered");
        upcall_deliver_event(regs);
        handled();
        return;
    }
    memset(&c, 0, sizeof(c));
    c.rip = GUEST_RIP + 2;
    c.rsp = STACK;
    c.rflags = RFLAGS_MBS | (b & 4 ? RFLAGS_IF : 0);
    c.cs = b & 2 ? FLAT_USER_CS : FLAT_KERNEL_CS;
    c.ss = FLAT_USER_SS;
    c.flags = b & 8 ? VGCF_in_syscall : 0;
    regs->rsp = CODE + 0x100;
    (void)!machine_guest_write(regs->rsp, &c, sizeof(c));
    pick_say(p, "iret to %s mode", b & 2 ? "user" : "kernel");
    pv_iret_slow(regs);
    handled();
}

void ops_user(struct pick *p)
{
    u8 b = pick_byte(p);

    pick_say(p, "%s from user mode", b & 3 ? "a system call" : "a page fault");
    if (b & 3) {
        pv_syscall_slow(&cpu_info()->guest);
        handled();
    } else {
        trap(TRAP_PF, PFEC_USER, pick_va(p), CODE);
    }
}

/* The guest's half of event channels: masks, and taking what is pending. */
void ops_shared(struct pick *p)
{
    const u64 at = GUEST_VA(12), vcpu = at + vcpu_current()->id * sizeof(struct vcpu_info);
    u8 b = pick_byte(p), byte = b >> 7;
    u64 word = 0;

    if (guest_in_list())
        return;
    pick_say(p, "the guest writes to shared_info, %u", b & 3);
    switch (b & 3) {
    case 0:
        (void)!machine_guest_write(vcpu + offsetof(struct vcpu_info, evtchn_upcall_mask), &byte, 1);
        return;
    case 1:
        word = pick_byte(p);
        (void)!machine_guest_write(at + offsetof(struct shared_info, evtchn_mask), &word, 8);
        return;
    case 2: /* all taken */
        (void)!machine_guest_write(at + offsetof(struct shared_info, evtchn_pending), &word, 8);
        (void)!machine_guest_write(vcpu, &word, 2);
        (void)!machine_guest_write(vcpu + offsetof(struct vcpu_info, evtchn_pending_sel), &word, 8);
        return;
    default:
        memset(&word, b, sizeof(word));
        (void)!machine_guest_write(at + (u64)pick_byte(p) * 16, &word, 8);
        return;
    }
}

/* Tables of handlers. */
void ops_callback(struct pick *p)
{
    struct callback_register r;
    struct trap_info traps[2];
    u8 b = pick_byte(p);
    u64 va = pick_byte(p) < 0x20 ? pick_va(p) : GUEST_RIP + 96;

    switch (b & 3) {
    case 0:
        memset(traps, 0, sizeof(traps));
        traps[0].vector = pick_byte(p);
        traps[0].flags = b >> 2 & 7;
        traps[0].cs = FLAT_KERNEL_CS;
        traps[0].address = va;
        pick_say(p, "set_trap_table: %u at %#lx", traps[0].vector, va);
        guest_call(__HYPERVISOR_set_trap_table, guest_put(traps, sizeof(traps)), 0, 0, 0);
        return;
    case 1:
        pick_say(p, "set_callbacks %#lx", va);
        guest_call(__HYPERVISOR_set_callbacks, va, va, va, 0);
        return;
    case 2:
        r = (struct callback_register){.type = (u16)(b >> 2 & 7), .flags = b >> 5, .address = va};
        pick_say(p, "callback_op: type %u at %#lx", r.type, va);
        guest_call(__HYPERVISOR_callback_op, CALLBACKOP_register, guest_put(&r, sizeof(r)), 0, 0);
        return;
    default:
        pick_say(p, "set_debugreg %u", b >> 2 & 7u);
        guest_call(__HYPERVISOR_set_debugreg, b >> 2 & 7, va, 0, 0);
        return;
    }
}
