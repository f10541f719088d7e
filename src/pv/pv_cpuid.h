/* SPDX-License-Identifier: MIT */
/* CPUID of PV guests: the policy, and the instruction. */
#ifndef PV_PV_CPUID_H
#define PV_PV_CPUID_H

#include "pure/cpupolicy.h"

struct vcpu;

/* Boot, after cpu_probe: builds the policy of PV guests. */
void pv_cpuid_init(void);
extern struct cpu_policy pv_cpuid_policy;

/* What v gets for a leaf now. */
void pv_cpuid_query(const struct vcpu *v, u32 leaf, u32 sub, u32 out[4]);

#endif
