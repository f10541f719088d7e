/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's view of time: vcpu_time_info, wallclock, run-state area, its one-shot and periodic
 * timers (they raise VIRQ_TIMER).
 */
#ifndef CORE_VTIME_H
#define CORE_VTIME_H

#include "core/domain.h"

int vtime_vcpu_init(struct vcpu *v) MUST_CHECK;
void vtime_vcpu_fini(struct vcpu *v);
/* Refreshes vcpu_info.time (and the secondary area) for the running vCPU. Cheap; each switch-in
 * and once a second. */
void vtime_update(struct vcpu *v);
void vtime_update_wallclock(struct domain *d);
/* Platform settime64: UTC of system time `at_ns`. */
void vtime_set_wallclock(u64 sec, u32 nsec, u64 at_ns);

/* RUNSTATE_ transitions; now in ns. */
void vtime_set_runstate(struct vcpu *v, int state, u64 now);
void vtime_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/* -EFAULT for an address in the hypervisor's range; 0 takes the area back. */
int vtime_register_runstate(struct vcpu *v, u64 guest_va) MUST_CHECK;
int vtime_register_time_area(struct vcpu *v, u64 guest_va) MUST_CHECK;

/* Absolute deadline in ns since boot; 0 cancels. A past one fires at once. */
void vtime_set_singleshot(struct vcpu *v, u64 deadline);
/* Unblocks v at an absolute time (SCHEDOP_poll's timeout); 0 cancels. */
void vtime_poll_timeout(struct vcpu *v, u64 deadline);
/*
 * A tick of VIRQ_TIMER every period_ns while v runs. -EINVAL below 1 ms or above 2^62. A new vCPU
 * has one of 10 ms.
 */
int vtime_set_periodic(struct vcpu *v, u64 period_ns) MUST_CHECK;
void vtime_stop_periodic(struct vcpu *v);
void vtime_switch_in(struct vcpu *v);
void vtime_switch_out(struct vcpu *v);

#endif
