/* SPDX-License-Identifier: MIT */
/*
 * The register frame every entry from a guest leaves at the top of this CPU's stack. The order is
 * that of the ABI's cpu_user_regs (arch-x86/xen-x86_64.h), so contexts are copied as they are;
 * core asserts the offsets.
 */
#ifndef ARCH_REGS_H
#define ARCH_REGS_H

#include "base/def.h"

struct cpu_regs {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u32 error_code;
    u32 vector; /* exception or interrupt number; VECTOR_SYSCALL for a system call */
    u64 rip;
    u64 cs; /* bits 0-15; the rest is zero */
    u64 rflags;
    u64 rsp;
    u64 ss;
};

#define VECTOR_SYSCALL 0x100

/* General register n of an instruction's encoding (rax, rcx, rdx, rbx, rsp, ...): its u64 there. */
#define REGS_SLOT(r) (offsetof(struct cpu_regs, r) / sizeof(u64))
static const u8 regs_slot[16] = {
    REGS_SLOT(rax), REGS_SLOT(rcx), REGS_SLOT(rdx), REGS_SLOT(rbx), REGS_SLOT(rsp), REGS_SLOT(rbp),
    REGS_SLOT(rsi), REGS_SLOT(rdi), REGS_SLOT(r8),  REGS_SLOT(r9),  REGS_SLOT(r10), REGS_SLOT(r11),
    REGS_SLOT(r12), REGS_SLOT(r13), REGS_SLOT(r14), REGS_SLOT(r15),
};
static inline u64 *regs_gpr(struct cpu_regs *r, u32 n)
{
    return (u64 *)(void *)r + regs_slot[n & 15];
}

#define RFLAGS_MBS  (1ul << 1) /* must be set */
#define RFLAGS_TF   (1ul << 8)
#define RFLAGS_IF   (1ul << 9)
#define RFLAGS_DF   (1ul << 10)
#define RFLAGS_IOPL (3ul << 12)
#define RFLAGS_NT   (1ul << 14)
#define RFLAGS_RF   (1ul << 16)
#define RFLAGS_VM   (1ul << 17)
#define RFLAGS_AC   (1ul << 18)
#define RFLAGS_VIF  (1ul << 19)
#define RFLAGS_VIP  (1ul << 20)

enum trap_vector {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_MF = 16,
    TRAP_AC = 17,
    TRAP_MC = 18,
};

/* Page-fault error code bits (SDM vol. 3, 4.7). */
#define PFEC_PRESENT 1u
#define PFEC_WRITE   2u
#define PFEC_USER    4u
#define PFEC_RSVD    8u

#endif
