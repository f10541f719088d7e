/* SPDX-License-Identifier: MIT */
/*
 * Scheduling glue: per-CPU run queues over the policy of pure/credit.c, context switch, idle.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "arch/smp.h"
#include "core/vcpu.h"
#include "pure/reason.h"

/* Boot: the idle domain and this CPU's idle vCPU becomes current. */
void sched_init(void);
/* A further CPU: its idle vCPU becomes current. */
void sched_init_cpu(void);

int sched_vcpu_init(struct vcpu *v) MUST_CHECK; /* the domain's weight, affinity all */
void sched_vcpu_fini(struct vcpu *v);

/* v became runnable (pause == 0) / stopped being so: called by core/vcpu.c after it changed
 * `pause`. Any CPU, takes RANK_SCHED. */
void sched_wake(struct vcpu *v);
void sched_sleep(struct vcpu *v);
/* The current vCPU lets the next in line go first; takes effect on the way out. */
void sched_yield(void);

/*
 * v is not running (vcpu_pause_wait): its FPU and segment state, which an idle CPU may still hold,
 * is in struct vcpu when this returns. No lock held.
 */
void sched_sync_vcpu_state(struct vcpu *v);

/* Settings: core/sched_pool.c. They take RANK_POOL. */

/* Pins the vCPU to one CPU until removed (cpu < 0). -EINVAL, -EBUSY when it is pinned already. */
int sched_pin_override(struct vcpu *v, s32 cpu) MUST_CHECK;
/* May v run on one CPU only, by its affinity or by sched_pin_override? */
bool sched_is_pinned(const struct vcpu *v);
/*
 * Which CPUs it may use, and which of those it should. unpin: a pin override ends. -EINVAL when
 * none of the pool's CPUs is in `hard`, -EBUSY when its reservation cannot be kept there.
 */
int sched_set_affinity(struct vcpu *v, struct cpu_mask hard, struct cpu_mask soft, bool unpin,
                       struct reason *why) MUST_CHECK;
void sched_get_affinity(const struct vcpu *v, struct cpu_mask *hard, struct cpu_mask *soft);
/*
 * Weight 1 to 65535 for every vCPU (0: unchanged), cap in percent of a CPU for all together (0:
 * none). -EINVAL: the cap is below a reservation.
 */
int sched_set_params(struct domain *d, u16 weight, u16 cap, struct reason *why) MUST_CHECK;
void sched_get_params(const struct domain *d, u16 *weight, u16 *cap);

u64 sched_cpu_time(const struct vcpu *v); /* ns run, exact to now */
u64 sched_idle_time(u32 cpu);             /* ns idle */
void sched_dump(void);                    /* debug key 'r' */

#endif
