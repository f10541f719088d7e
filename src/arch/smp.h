/* SPDX-License-Identifier: MIT */
/*
 * Other CPUs: start-up, cross calls, TLB flushes. Interrupts are off in the hypervisor, so a CPU
 * that waits for others serves its own mailbox meanwhile (smp_serve_mailbox): two CPUs waiting for
 * each other cannot block.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include "arch/cpu.h"

/* A set of CPUs. */
struct cpu_mask {
    u64 bits; /* MAX_CPUS is 64 */
};
#define CPU_MASK_ALL ((struct cpu_mask){~(u64)0}) /* below: of those that are up */

/*
 * Starts every enabled CPU of the MADT until `limit` (this one included) are up; logs each that
 * fails. Boot CPU, once, after irq_init and clock_init. Uses the page of RAM at 0x8000 for the
 * start-up code and the three behind it for tables. Each CPU ends in upcall_secondary_start.
 */
void smp_start_all(u32 limit);
#define SMP_TRAMPOLINE 0x8000ul

/*
 * Flushes on all CPUs of the mask (this one included when its bit is set) and returns when all
 * have done it. va = ~0: everything but global entries; else that page. Any lock may be held.
 */
void smp_flush_tlb(struct cpu_mask mask, u64 va);
#define FLUSH_ALL_VA (~(u64)0)

/*
 * Runs fn(arg) on the CPUs of the mask and waits. fn must not take locks nor start a cross call:
 * it may run inside any spin loop.
 */
void smp_call(struct cpu_mask mask, void (*fn)(void *), void *arg);

/* Does what is in this CPU's mailbox; called from spin loops and the IPI handler. */
void smp_serve_mailbox(void);

/*
 * Stops the other CPUs for a panic or power-off: NMI, bounded wait, no lock needed. On a CPU that
 * another one is stopping it does not return.
 */
void smp_stop_others(void);
/* For the NMI handler, first thing: does not return when this CPU is to stop. */
void smp_stop_check(void);

/*
 * A count of this machine's TLB flushes: a translation dropped when the clock showed t is in no TLB
 * of a CPU whose last full flush was at a later count. See docs/PAGES.md.
 */
u32 smp_flush_clock(void);
/* CPUs of the mask that may still hold a translation dropped at `stamp`. */
struct cpu_mask smp_flush_filter(struct cpu_mask mask, u32 stamp);
/*
 * Loads CR3 and counts it as a full flush of this CPU. (A plain load is right too, the filter then
 * knows less; loads too frequent to share a counter, like a guest's system calls, do that.)
 */
void smp_load_cr3(u64 cr3);

#endif
