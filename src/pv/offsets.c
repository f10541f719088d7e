/* SPDX-License-Identifier: MIT */
/*
 * Structure offsets for the assembly files: compiled to assembly, never linked; the Makefile turns
 * each marker into a #define of build/gen/offsets.h.
 */
#include "pv/pv.h"

#define DEFINE(sym, val) __asm__ __volatile__("\n.ascii \"->" #sym " %c0\"" ::"i"(val))

void offsets(void);
void offsets(void)
{
    DEFINE(CPU_INFO_SIZE, sizeof(struct cpu_info));
    DEFINE(CI_GUEST_SIZE, sizeof(struct cpu_regs));
    DEFINE(CI_CTX, offsetof(struct cpu_info, guest_ctx));
    DEFINE(CI_WORK, offsetof(struct cpu_info, work));
    DEFINE(CI_SCRATCH, offsetof(struct cpu_info, scratch));
    DEFINE(CI_RAX, offsetof(struct cpu_info, rax));
    DEFINE(CI_RBX, offsetof(struct cpu_info, rbx));
    DEFINE(CI_RDX, offsetof(struct cpu_info, rdx));
    DEFINE(REGS_R15, offsetof(struct cpu_regs, r15));
    DEFINE(REGS_R14, offsetof(struct cpu_regs, r14));
    DEFINE(REGS_R13, offsetof(struct cpu_regs, r13));
    DEFINE(REGS_R12, offsetof(struct cpu_regs, r12));
    DEFINE(REGS_RBP, offsetof(struct cpu_regs, rbp));
    DEFINE(REGS_RBX, offsetof(struct cpu_regs, rbx));
    DEFINE(REGS_R11, offsetof(struct cpu_regs, r11));
    DEFINE(REGS_R10, offsetof(struct cpu_regs, r10));
    DEFINE(REGS_R9, offsetof(struct cpu_regs, r9));
    DEFINE(REGS_R8, offsetof(struct cpu_regs, r8));
    DEFINE(REGS_RAX, offsetof(struct cpu_regs, rax));
    DEFINE(REGS_RCX, offsetof(struct cpu_regs, rcx));
    DEFINE(REGS_RDX, offsetof(struct cpu_regs, rdx));
    DEFINE(REGS_RSI, offsetof(struct cpu_regs, rsi));
    DEFINE(REGS_RDI, offsetof(struct cpu_regs, rdi));
    DEFINE(REGS_ERROR_CODE, offsetof(struct cpu_regs, error_code));
    DEFINE(REGS_VECTOR, offsetof(struct cpu_regs, vector));
    DEFINE(REGS_RIP, offsetof(struct cpu_regs, rip));
    DEFINE(REGS_CS, offsetof(struct cpu_regs, cs));
    DEFINE(REGS_RFLAGS, offsetof(struct cpu_regs, rflags));
    DEFINE(REGS_RSP, offsetof(struct cpu_regs, rsp));
    DEFINE(REGS_SS, offsetof(struct cpu_regs, ss));
    DEFINE(VECTOR_SYSCALL, VECTOR_SYSCALL);
    DEFINE(PV_KERNEL_MODE, offsetof(struct pv_vcpu, kernel_mode));
    DEFINE(PV_SYSCALL_MASK, offsetof(struct pv_vcpu, syscall_mask_events));
    DEFINE(PV_CR3_KERNEL, offsetof(struct pv_vcpu, cr3_kernel));
    DEFINE(PV_CR3_USER, offsetof(struct pv_vcpu, cr3_user));
    DEFINE(PV_KERNEL_SP, offsetof(struct pv_vcpu, kernel_sp));
    DEFINE(PV_SYSCALL_ENTRY, offsetof(struct pv_vcpu, syscall_entry));
    DEFINE(PV_INFO, offsetof(struct pv_vcpu, info));
    DEFINE(PV_NMI_MASKED, offsetof(struct pv_vcpu, nmi_masked));
}
