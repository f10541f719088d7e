/* SPDX-License-Identifier: MIT */
/*
 * What arch calls upwards: required functions, defined in core or pv. Nothing else in arch reaches
 * above itself. All run on the CPU's own stack with interrupts off.
 */
#ifndef ARCH_UPCALLS_H
#define ARCH_UPCALLS_H

#include "arch/regs.h"

/* Exception (vector < 32) that arrived in guest mode (ring 3), regs at the stack's top. */
void upcall_guest_trap(struct cpu_regs *regs);
/* Work bits are set on the way back to a guest: reschedule, deferred vCPU work. May switch vCPU. */
void upcall_exit_work(void);
/* An event is pending and not masked for the vCPU in this frame, about to be entered. */
void upcall_deliver_event(struct cpu_regs *regs);
/* iretq to the guest faulted: regs hold the state it asked for. */
void upcall_iret_fault(struct cpu_regs *regs);
/* #DB, #MC from a guest arrive through upcall_guest_trap, NMI through upcall_nmi. */
/* Timer alarm of this CPU. */
void upcall_timer(void);
/* A fault in hypervisor code that no fix-up covers: dump and stop. */
NORETURN void upcall_fatal_trap(struct cpu_regs *regs);
/* NMI in hypervisor or guest mode (IST stack): true = handled. */
bool upcall_nmi(struct cpu_regs *regs);
/* SYSCALL from ring 3 (assembly; entered from the CPU's stub with guest rsp in scratch). */
void upcall_syscall_entry(void);
void upcall_syscall32_entry(void);
/* The current vCPU is a hardware-assisted one: enters it (assembly, jumped to with the frame at
 * rsp).
 */
void upcall_hvm_enter(void);
/* A frame for hypervisor page tables after the allocator is up: zeroed, or MFN_INVALID. */
mfn_t upcall_alloc_table(void);
/* A further CPU is up and has loaded its tables: run the idle loop, never return. */
NORETURN void upcall_secondary_start(void);

#endif
