/* SPDX-License-Identifier: MIT */
/* Model-specific registers as a PV guest sees them. Both run for the current vCPU. */
#ifndef PV_PV_MSR_H
#define PV_PV_MSR_H

#include "base/def.h"

/* rdmsr and wrmsr of the guest's kernel; false = #GP. */
bool pv_msr_read(u32 msr, u64 *val) MUST_CHECK;
bool pv_msr_write(u32 msr, u64 val) MUST_CHECK;

#endif
