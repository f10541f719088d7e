/* SPDX-License-Identifier: MIT */
/* What the boot code found out about the machine and others ask for later. Constant after boot. */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include "pure/memmap.h"

#define HOST_COMMAND_LINE_MAX 1024

/* Boot: the firmware's memory map, with the interrupt controllers' pages marked reserved. */
void host_set_memory_map(const struct memmap *m);
const struct memmap *host_memory_map(void);

/* Boot: the options as given; cut at HOST_COMMAND_LINE_MAX - 1 characters. */
void host_set_command_line(const char *s);
const char *host_command_line(void);

/* Feature words of the processor itself, in the order of sysctl physinfo (ABI: 1d 1c e1d e1c Da1
 * 7b0 7c0 e7d). */
void host_cpu_caps(u32 out[8]);
u32 host_tsc_khz(void);
u64 host_now(void); /* ns since start: what guests see as system time */

#endif
