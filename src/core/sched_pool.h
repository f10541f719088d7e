/* SPDX-License-Identifier: MIT */
/*
 * CPU pools and what the tools set: which CPUs a vCPU may use, its share, its cap, its reservation.
 *
 * A CPU is in one pool or in none; a domain is in one pool and its vCPUs use only that pool's CPUs.
 * Every pool schedules alike; its scheduler id only tells the tools which of their commands to
 * offer (xl sched-credit2, sched-credit, sched-rtds).
 *
 * One lock, RANK_POOL, protects pools, the lists of domains and vCPUs, affinities and the shares
 * promised by each CPU. Functions take it themselves. They are the tools' and may look at every
 * vCPU of a pool. Errors with a reason are refused through hypercall_refuse by the caller, with the
 * text in `why`.
 */
#ifndef CORE_SCHED_POOL_H
#define CORE_SCHED_POOL_H

#include "core/vcpu.h"
#include "pure/credit_limit.h"
#include "pure/reason.h"

#define SCHED_POOLS    64 /* at once, numbered from 0 */
#define SCHED_POOL_ANY (~(u32)0)

/* What the scheduler keeps per domain. */
struct sched_domain {
    struct credit_group group;
    struct sched_domain *next; /* all of them */
    struct sched_vcpu *vcpus;  /* by `sibling` */
    u32 pool;
    u16 weight;
};

/* And per vCPU. The unit is its queue's; the rest, but for `loaded`, RANK_POOL's. */
struct sched_vcpu {
    struct credit_unit unit;
    struct vcpu *vcpu;
    u32 loaded; /* CPU + 1 whose processor holds its state; 0: saved. Atomic */
    struct sched_vcpu *sibling;
    u64 hard, soft;           /* as asked for; unit.hard is what remains of it in the pool */
    s32 pin;                  /* sched_pin_override; -1: none */
    u32 period_us, budget_us; /* the reservation as asked for */
    bool extra;
    s32 plan; /* while a change is checked: the CPU that would promise it */
};

struct sched_pool_info {
    u32 id, sched_id, domains;
    u64 cpus;
};

/* A reservation of one vCPU. budget_us 0: none. */
struct sched_reserve {
    bool set; /* the others stay as they are */
    bool extra;
    u32 period_us, budget_us;
};

/*
 * Boot. Pool-0, and a new pool unless asked for another, shows sched_id (XEN_SCHEDULER_); both
 * start with this rate limit (us, 0: none).
 */
void sched_pool_init(u32 sched_id, u32 ratelimit_us);
u32 sched_pool_default(void);
/* A CPU came up: it is in Pool-0. */
void sched_pool_online(u32 cpu);

/* -EEXIST, -ENOENT (no such scheduler), -ENOSPC. *id may be SCHED_POOL_ANY. */
int sched_pool_create(u32 *id, u32 sched_id) MUST_CHECK;
/* -ENOENT; -EBUSY: it has CPUs or domains, or is Pool-0. */
int sched_pool_destroy(u32 id) MUST_CHECK;
/* The pool with the lowest number from `id` on. -ENOENT. */
int sched_pool_next(u32 id, struct sched_pool_info *info) MUST_CHECK;
u64 sched_pool_free(void); /* CPUs in no pool */
/* cpu may be SCHED_POOL_ANY. -ENOENT: no such pool; -ENODEV: the CPU is down or in a pool. */
int sched_pool_add_cpu(u32 id, u32 cpu) MUST_CHECK;
/*
 * -ENOENT; -EINVAL: CPU 0 of Pool-0, or no such CPU; -EADDRNOTAVAIL: not in this pool; -EBUSY: its
 * domains would have none, or a reservation could not be kept elsewhere.
 */
int sched_pool_remove_cpu(u32 id, u32 cpu, struct reason *why) MUST_CHECK;
/* -ENOENT: no such pool, or one without CPUs; -EBUSY: a reservation cannot be kept there. */
int sched_pool_move(struct domain *d, u32 id, struct reason *why) MUST_CHECK;
u32 sched_pool_of(const struct domain *d);
/* Its settings: SCHED_POOL_ANY as ratelimit changes nothing. us. -ESRCH. */
int sched_pool_ratelimit(u32 id, u32 *ratelimit_us) MUST_CHECK;

/* Domain lock not needed. -ENOMEM; -ESRCH: no such pool; -ENODEV: it has no CPU. */
int sched_domain_init(struct domain *d, u32 pool) MUST_CHECK;
/* The domain is dying: what was promised to it is free again, and no pool waits for its end. */
void sched_domain_retire(struct domain *d);
void sched_domain_fini(struct domain *d);

/* One reservation per vCPU slot of d, all or none. -EINVAL, -EBUSY: no CPU can promise one. */
int sched_reserve(struct domain *d, const struct sched_reserve *r, struct reason *why) MUST_CHECK;
void sched_reserved(const struct vcpu *v, struct sched_reserve *r);

/* What core/sched.c does to a vCPU's unit for the above. RANK_POOL held. */
void sched_vcpu_restrict(struct vcpu *v, u64 hard, u64 soft);
void sched_vcpu_limit(struct vcpu *v, u64 period, u64 budget, bool extra, u32 home);
void sched_vcpu_weight(struct vcpu *v, u16 weight);
void sched_cpu_ratelimit(u32 cpu, u64 ns);

#endif
