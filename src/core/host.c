/* SPDX-License-Identifier: MIT */
/* What machine is this? Copies of what the boot loader said, because its memory is reused. */
#include "core/host.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/insn.h"
#include "base/lib.h"

static struct memmap memory_map;
static char command_line[HOST_COMMAND_LINE_MAX];

void host_set_memory_map(const struct memmap *m)
{
    memory_map = *m;
}

const struct memmap *host_memory_map(void)
{
    return &memory_map;
}

void host_set_command_line(const char *s)
{
    str_copy(command_line, s, sizeof(command_line));
}

const char *host_command_line(void)
{
    return command_line;
}

/* Leaves beyond the processor's last one would repeat another (SDM vol. 2, CPUID). */
static void cpuid(u32 leaf, u32 sub, u32 r[4])
{
    memset(r, 0, 4 * sizeof(u32));
    if (leaf <= (leaf & 0x80000000 ? cpu_features.max_ext_leaf : cpu_features.max_leaf))
        insn_cpuid(leaf, sub, r);
}

void host_cpu_caps(u32 out[8])
{
    u32 r[4];

    cpuid(1, 0, r);
    out[0] = r[3];
    out[1] = r[2];
    cpuid(0x80000001, 0, r);
    out[2] = r[3];
    out[3] = r[2];
    cpuid(0xd, 1, r);
    out[4] = r[0];
    cpuid(7, 0, r);
    out[5] = r[1];
    out[6] = r[2];
    cpuid(0x80000007, 0, r);
    out[7] = r[3];
}

u32 host_tsc_khz(void)
{
    return (u32)clock_tsc_khz();
}

u64 host_now(void)
{
    return clock_now();
}
