/* SPDX-License-Identifier: MIT */
/*
 * cpu_info() finds the block of the CPU the machine plays at the moment, not one on the stack. The
 * function-like macro leaves struct cpu_info alone; the header's own definition gets another name.
 */
#ifndef HVFUZZ_CPU_H
#define HVFUZZ_CPU_H

#include "base/def.h"

struct cpu_info;
struct cpu_info *machine_this_cpu(void);

#define cpu_info(arg)        HVFUZZ_CPU_INFO_##arg
#define HVFUZZ_CPU_INFO_void cpu_info_on_stack(void)
#define HVFUZZ_CPU_INFO_     machine_this_cpu()

#include_next "arch/cpu.h"

#endif
