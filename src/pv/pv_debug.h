/* SPDX-License-Identifier: MIT */
/* Debug registers of PV vCPUs. */
#ifndef PV_PV_DEBUG_H
#define PV_PV_DEBUG_H

#include "base/def.h"

struct vcpu;

/*
 * A debug register of v, 0-3, 6, 7 (4 and 5 are 6 and 7 unless CR4.DE). -ENODEV: no such register;
 * -EINVAL: more than 32 bits in 6 or 7; -EPERM: an address that is not canonical or in the
 * hypervisor's range, a breakpoint on ports, or general detect. Takes effect at once when v is
 * current.
 */
int pv_debug_get(const struct vcpu *v, u32 reg, u64 *val) MUST_CHECK;
int pv_debug_set(struct vcpu *v, u32 reg, u64 val) MUST_CHECK;

/* Context switch; cheap when v has no breakpoint armed. */
void pv_debug_switch_out(struct vcpu *v);
void pv_debug_switch_in(struct vcpu *v);

#endif
