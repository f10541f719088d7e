/* SPDX-License-Identifier: MIT */
/*
 * The machine under the hypervisor, in one process and one thread: RAM, processors, their TLBs,
 * a clock. Everything the hypervisor keeps goes back to its state after start-up in microseconds,
 * so each input begins on the same machine.
 *
 * Each processor is a fiber. It gives way where a real one could be slow: before it takes a lock
 * while it holds none, in interrupt windows, and wherever it spins. Which processor goes on next is
 * the input's choice, so races are found by search and replayed exactly.
 */
#ifndef HVFUZZ_MACHINE_H
#define HVFUZZ_MACHINE_H

#include "arch/cpu.h"
#include "arch/hmap.h"
#include "arch/layout.h"
#include "base/def.h"

#define MACHINE_CPUS   4
#define MACHINE_FRAMES 6144    /* 24 MiB of RAM */
#define MACHINE_IO     0x10000 /* first frame of device memory, 16 of them */
#define MACHINE_IO_NR  16

/* Where guests have their memory; addresses of this process lie elsewhere. */
#define MACHINE_HOST_FIRST 0x0000100000000000
#define MACHINE_HOST_END   0x0000800000000000

enum machine_state {
    MACHINE_GUEST,   /* in guest mode, or halted: takes a new record */
    MACHINE_STOPPED, /* suspended inside the hypervisor */
};

/* Start-up, once: RAM, tables, allocator, idle vCPUs. Then domains are made, then freeze. */
void machine_boot(void);
/* What is now is what machine_reset goes back to. */
void machine_freeze(void);
void machine_reset(void);

/* Runs fn(arg) on a processor that is in guest mode, until it is done or gives way. */
void machine_run(u32 cpu, void (*fn)(void *), void *arg);
/* The same for code of the hypervisor, which a halted processor runs too. */
void machine_run_hypervisor(u32 cpu, void (*fn)(void *), void *arg);
/* Lets a processor that gave way go on. */
void machine_resume(u32 cpu);
/* Lets all go on until each is in guest mode and none has work to do. */
void machine_settle(void);
enum machine_state machine_state(u32 cpu);
bool machine_quiet(void);  /* no processor is inside the hypervisor */
bool machine_is_off(void); /* the hypervisor has stopped the machine */

/* The next chances to give way: bit n of the pattern is the n-th one; afterwards never. */
void machine_set_pattern(u32 pattern);
/* Entries of page tables a step may visit before it gives way. */
void machine_set_budget(u32 entries);
/* The processor on whose behalf code runs. */
u32 machine_cpu(void);
void machine_play(u32 cpu); /* start-up and checks only */
void machine_advance(u64 ns);
/* What was interrupted in guest mode or halted on this processor is served. */
void machine_take_interrupts(void);

/* Guest memory of the current processor's tables, as its guest would access it. */
bool machine_guest_read(u64 va, void *dst, size_t n);
bool machine_guest_write(u64 va, const void *src, size_t n);
/* The frame behind a guest address and what the tables allow; false: nothing. */
bool machine_walk(u64 cr3, u64 va, u64 *entry);
u64 machine_cr3(u32 cpu);
void machine_set_cr2(u64 va);

/* The n-th allocations from now on fail, by a pattern as above. */
void machine_fail_allocations(u32 pattern);

/* Ends the process as found: prints what, then the sequence so far. */
NORETURN void machine_found(const char *f, ...) __attribute__((format(printf, 1, 2)));
/* The sequence so far, one line per record. */
void machine_note(const char *f, ...) __attribute__((format(printf, 1, 2)));
extern bool machine_verbose;

/* tlb.c: what each processor may have cached, taking every chance. */
void tlb_flush(u32 cpu);
void tlb_flush_everything(void);
/* The processors look at everything they can reach. */
void tlb_fill(void);
/* No cached translation does harm. */
void tlb_check(void);
/* A frame goes to the allocator: nobody may know it. */
void tlb_check_free(u64 mfn);
/* An interrupt has taken this processor out of a hardware-assisted guest. */
void tlb_left_guest(u32 cpu);

/* heap.c: small objects with poisoned neighbours, never reused within a run. */
u64 heap_live(void); /* objects; pages of the domain directory excepted */
void heap_freeze(void);
void heap_reset(void);
void heap_print_live(void);
const char *heap_audit(void); /* the frame allocator's own */

#endif
