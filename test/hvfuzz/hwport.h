/* SPDX-License-Identifier: MIT */
/* Between machine.c (processors, memory) and hwport.c (what they look like to the hypervisor). */
#ifndef HVFUZZ_HWPORT_H
#define HVFUZZ_HWPORT_H

#include "arch/insn.h"
#include "base/def.h"

/* Small objects of the hypervisor (heap.c), behind RAM in the same file. */
#define HEAP_BASE 0x0000240000000000
#define HEAP_SIZE (32 * MiB)

#define HWPORT_STAR 0xe008ul /* the hypervisor's own */

void hwport_init(void);
/* Of the CPU that plays. */
u64 hwport_vmcb_loaded(void);
u32 hwport_locks_held(void);
void hwport_freeze(void);
void hwport_reset(void);
bool hwport_alarm_due(u32 cpu);
/* This CPU's alarm, if it is due. */
void hwport_ring(void);

/* machine.c */
void hwport_give_way(void);
void hwport_spin(void);
void hwport_halt(void);
NORETURN void hwport_power_off(void);
/* RAM from `offset` on appears at `at`. */
void hwport_map(u64 at, u64 offset, u64 size);
u64 hwport_map_to_maddr(u64 va);

#endif
