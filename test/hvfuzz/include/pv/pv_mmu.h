/* SPDX-License-Identifier: MIT */
/* How many entries a step may visit is the record's choice: trees here are small. */
#ifndef HVFUZZ_PV_MMU_H
#define HVFUZZ_PV_MMU_H

#include_next "pv/pv_mmu.h"

#undef PV_MMU_BUDGET
#define PV_MMU_BUDGET machine_budget()
int machine_budget(void);

#endif
