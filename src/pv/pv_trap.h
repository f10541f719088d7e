/* SPDX-License-Identifier: MIT */
/* What pv_entry.S and pv_domain.c call in pv_trap.c. regs is the frame at the stack's top. */
#ifndef PV_PV_TRAP_H
#define PV_PV_TRAP_H

#include "arch/regs.h"

struct vcpu;

/* System call of the guest's user when the short path does not apply. */
void pv_syscall_slow(struct cpu_regs *regs);
/* The short path could not write its frame: crashes the domain. */
void pv_syscall_stack_fault(struct cpu_regs *regs);
/* SYSCALL from 32-bit code. */
void pv_syscall32(struct cpu_regs *regs);
/* iret hypercall, every case. */
void pv_iret_slow(struct cpu_regs *regs);
/* Bounces to the NMI handler; masks NMIs until iret. */
void pv_deliver_nmi(struct vcpu *v, struct cpu_regs *regs);

#endif
