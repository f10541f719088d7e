/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's addresses in a user process: what it really stores to lies elsewhere. What a
 * guest is told (HV_VIRT_START, the per-domain slot) stays.
 */
#ifndef HVFUZZ_LAYOUT_H
#define HVFUZZ_LAYOUT_H

#include_next "arch/layout.h"

#undef M2P_RW_BASE
#undef FRAMETABLE_BASE
#undef DIRECTMAP_BASE
#define M2P_RW_BASE     0x0000210000000000
#define FRAMETABLE_BASE 0x0000220000000000
#define DIRECTMAP_BASE  0x0000230000000000

#endif
