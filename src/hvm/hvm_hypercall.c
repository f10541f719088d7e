/* SPDX-License-Identifier: MIT */
/*
 * A hardware-assisted guest calls: VMMCALL (AMD) or VMCALL (Intel) from its kernel. In 64-bit mode
 * number and arguments are where PV guests have them. 32-bit code uses ebx, ecx, edx, esi, edi, and
 * may make the calls whose structures look alike in both sizes; others answer -ENOSYS there.
 */
#include "core/hypercall.h"
#include "hvm/hvm.h"

/* Calls whose arguments have no pointers and no longs inside (public headers). */
static bool alike_in_32_bits(u32 nr, u32 cmd)
{
    switch (nr) {
    case __HYPERVISOR_xen_version:
        return cmd == XENVER_version || cmd == XENVER_extraversion || cmd == XENVER_get_features ||
               cmd == XENVER_capabilities || cmd == XENVER_pagesize;
    case __HYPERVISOR_sched_op:
        return cmd != SCHEDOP_poll;
    case __HYPERVISOR_event_channel_op:
    case __HYPERVISOR_hvm_op:
    case __HYPERVISOR_console_io:
        return true;
    default:
        return false;
    }
}

/*
 * A handler with work left steps the frame's rip back over a PV guest's two-byte instruction
 * (hypercall_continue). Here the frame's rip starts at that size, so 0 afterwards means: again, the
 * instruction is not done.
 */
#define RIP_DONE 2ul

static bool call(struct cpu_regs *regs)
{
    regs->rip = RIP_DONE;
    hypercall_dispatch(regs);
    return regs->rip == RIP_DONE;
}

/* The arguments are moved within the frame itself: what is continued is changed there. */
static bool call32(struct cpu_regs *regs)
{
    struct cpu_regs own = *regs;
    bool done;

    if (!alike_in_32_bits((u32)regs->rax, (u32)regs->rbx)) {
        regs->rax = (u32)-ENOSYS;
        return true;
    }
    regs->rdi = (u32)own.rbx;
    regs->rsi = (u32)own.rcx;
    regs->rdx = (u32)own.rdx;
    regs->r10 = (u32)own.rsi;
    regs->r8 = (u32)own.rdi;
    regs->r9 = (u32)own.rbp;
    done = call(regs);
    own.rax = (u32)regs->rax;
    if (!done) { /* none that is continued has more than three arguments */
        own.rbx = regs->rdi;
        own.rcx = regs->rsi;
        own.rdx = regs->rdx;
    }
    *regs = own;
    return done;
}

bool hvm_hypercall(struct vcpu *v, struct cpu_regs *regs, bool long_mode, bool user)
{
    (void)v;
    if (unlikely(user)) {
        regs->rax = (u64)-EPERM;
        return true;
    }
    return likely(long_mode) ? call(regs) : call32(regs);
}

const hypercall_fn hvm_hypercall_table[HYPERCALL_COUNT];

/* 32 bytes per call: mov $number, %eax; vmmcall or vmcall; ret (public header xen.h). */
bool hvm_hypercall_page(struct vcpu *v, u64 val)
{
    u8 code[32] = {0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3};
    u64 gpa = val & PAGE_MASK;
    u32 i;

    if (val & ~PAGE_MASK) /* page number 0 only */
        return false;
    if (!cpu_features.amd)
        code[7] = 0xc1;
    for (i = 0; i < PAGE_SIZE / sizeof(code); i++) {
        code[1] = (u8)i;
        if (!hvm_mem_phys(v->domain, gpa + i * sizeof(code), code, sizeof(code), true))
            return false;
    }
    return true;
}
