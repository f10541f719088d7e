/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs belong to whom, and what has each of them promised?
 *
 * A vCPU's affinity is kept as it was asked for; its unit gets what is left of that in the pool, or
 * the whole pool when nothing is. A reservation has a home CPU among those; homes are found for all
 * vCPUs a change concerns before anything is changed (plan), so a change is refused as a whole.
 *
 * Left out: moving existing reservations aside for a new one.
 */
#include "core/sched_pool.h"

#include "arch/clock.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/page.h"
#include "core/sched.h"

struct pool {
    bool used;
    u32 sched_id; /* XEN_SCHEDULER_ */
    u32 domains;
    u32 ratelimit_us;
    u64 cpus;
};

static struct lock pool_lock = LOCK_INIT(RANK_POOL);
static struct pool pools[SCHED_POOLS] = {{.used = true, .sched_id = XEN_SCHEDULER_CREDIT2}};
static u32 pool_ratelimit;         /* of new pools */
static u64 pool_online, pool_none; /* CPUs that are up; of those, the ones in no pool */
static struct sched_domain *pool_all;
static u32 promised[MAX_CPUS], planned[MAX_CPUS]; /* millionths of each CPU */

void sched_pool_init(u32 sched_id, u32 ratelimit_us)
{
    pools[0].sched_id = sched_id;
    pools[0].ratelimit_us = pool_ratelimit = ratelimit_us;
}

u32 sched_pool_default(void)
{
    return pools[0].sched_id;
}

void sched_pool_online(u32 cpu)
{
    lock_acquire(&pool_lock);
    pools[0].cpus |= (u64)1 << cpu;
    pool_online |= (u64)1 << cpu;
    sched_cpu_ratelimit(cpu, (u64)pools[0].ratelimit_us * 1000);
    lock_release(&pool_lock);
}

static struct pool *pool_get(u32 id)
{
    return id < SCHED_POOLS && pools[id].used ? &pools[id] : NULL;
}

/* What s may use while its pool has `cpus`. */
static u64 allowed(const struct sched_vcpu *s, u64 cpus)
{
    u64 may = (s->pin >= 0 ? (u64)1 << s->pin : s->hard) & cpus;

    return may ? may : cpus;
}

/* Reservations. */

static u32 share_of(const struct sched_vcpu *s)
{
    return s->budget_us ? credit_share(s->period_us, s->budget_us) : 0;
}

static void plan_begin(void)
{
    memcpy(planned, promised, sizeof(planned));
}

/* s gives its promise back, in the plan. */
static void plan_leave(const struct sched_vcpu *s)
{
    planned[s->unit.home] -= share_of(s);
}

/* And gets one for `share` on one of `may`. */
static bool plan_enter(struct sched_vcpu *s, u64 may, u32 share)
{
    s->plan = share ? credit_admit(planned, may, share, s->unit.home) : (s32)s->unit.home;
    if (s->plan < 0)
        return false;
    planned[s->plan] += share;
    return true;
}

static int plan_refuse(const struct sched_vcpu *s, u64 may, u32 share, struct reason *why)
{
    return reason_set(why, -EBUSY, "d%uv%u reserves %u.%u %%, no CPU of %#lx has that left",
                      s->vcpu->domain->id, s->vcpu->id, share / 10000, share / 1000 % 10, may);
}

/* The plan becomes true for s: its CPUs, then its home. */
static void plan_apply(struct sched_vcpu *s, u64 may)
{
    struct vcpu *v = s->vcpu;
    u64 parts = ((u64)s->period_us * 1000 + CREDIT_RESERVE_GRAIN - 1) / CREDIT_RESERVE_GRAIN;
    u64 period = 0, budget = 0;

    memcpy(promised, planned, sizeof(promised));
    if (s->budget_us) {
        period = (u64)s->period_us * 1000 / parts;
        budget = MIN(((u64)s->budget_us * 1000 + parts - 1) / parts, period);
    }
    sched_vcpu_limit(v, period, budget, s->extra, (u32)s->plan);
    sched_vcpu_restrict(v, may, s->soft);
}

/* Homes for all of sd's vCPUs, should they use `cpus`. Those promises stay that can. */
static int plan_domain(struct sched_domain *sd, u64 cpus, struct reason *why)
{
    struct sched_vcpu *s;

    for (s = sd->vcpus; s; s = s->sibling)
        plan_leave(s);
    for (s = sd->vcpus; s; s = s->sibling)
        if (!plan_enter(s, allowed(s, cpus), share_of(s)))
            return plan_refuse(s, allowed(s, cpus), share_of(s), why);
    return 0;
}

static void apply_domain(struct sched_domain *sd, u64 cpus)
{
    struct sched_vcpu *s;

    for (s = sd->vcpus; s; s = s->sibling)
        plan_apply(s, allowed(s, cpus));
}

static int reserve_check(const struct sched_domain *sd, const struct sched_reserve *r,
                         struct reason *why)
{
    u64 period = (u64)r->period_us * 1000;
    u32 share = credit_share(r->period_us, r->budget_us);

    if (!r->budget_us)
        return 0;
    if (r->budget_us > r->period_us)
        return reason_set(why, -EINVAL, "budget %u us is more than the period of %u us",
                          r->budget_us, r->period_us);
    if (period < CREDIT_RESERVE_PERIOD_MIN || period > CREDIT_RESERVE_PERIOD_MAX)
        return reason_set(why, -EINVAL, "period %u us is not within 1000 and 1000000",
                          r->period_us);
    if (sd->group.cap && share > sd->group.cap * (CREDIT_SHARE_FULL / 100))
        return reason_set(why, -EINVAL, "%u of %u us is above the domain's cap of %u %%",
                          r->budget_us, r->period_us, sd->group.cap);
    return 0;
}

/* What is below a thousandth of a CPU is none: so a reservation is taken back. */
static struct sched_reserve reserve_round(struct sched_reserve r)
{
    if (credit_share(r.period_us, r.budget_us) <= CREDIT_SHARE_FULL / 1000)
        r.budget_us = 0;
    return r;
}

static int reserve_plan(struct sched_domain *sd, const struct sched_reserve *r, struct reason *why)
{
    u64 cpus = pools[sd->pool].cpus, may;
    struct sched_vcpu *s;
    u32 share;
    int rc;

    plan_begin();
    for (s = sd->vcpus; s; s = s->sibling)
        plan_leave(s);
    for (s = sd->vcpus; s; s = s->sibling) {
        struct sched_reserve one = reserve_round(r[s->vcpu->id]);

        rc = r[s->vcpu->id].set ? reserve_check(sd, &one, why) : 0;
        if (rc)
            return rc;
        share = one.set ? (one.budget_us ? credit_share(one.period_us, one.budget_us) : 0)
                        : share_of(s);
        may = allowed(s, cpus);
        if (!plan_enter(s, may, share))
            return plan_refuse(s, may, share, why);
    }
    return 0;
}

int sched_reserve(struct domain *d, const struct sched_reserve *r, struct reason *why)
{
    struct sched_domain *sd = d->sched;
    struct sched_vcpu *s;
    int rc;

    lock_acquire(&pool_lock);
    rc = reserve_plan(sd, r, why);
    for (s = sd->vcpus; s && rc == 0; s = s->sibling) {
        struct sched_reserve one = reserve_round(r[s->vcpu->id]);

        if (one.set) {
            s->period_us = one.period_us;
            s->budget_us = one.budget_us;
            s->extra = one.extra || !one.budget_us;
        }
        plan_apply(s, allowed(s, pools[sd->pool].cpus));
    }
    lock_release(&pool_lock);
    return rc;
}

void sched_reserved(const struct vcpu *v, struct sched_reserve *r)
{
    const struct sched_vcpu *s = v->sched;

    lock_acquire(&pool_lock);
    *r = (struct sched_reserve){true, s->extra, s->period_us, s->budget_us};
    lock_release(&pool_lock);
}

/* Weight and cap. */

int sched_set_params(struct domain *d, u16 weight, u16 cap, struct reason *why)
{
    struct sched_domain *sd = d->sched;
    struct sched_vcpu *s;
    int rc = 0;

    lock_acquire(&pool_lock);
    for (s = sd->vcpus; s && cap && rc == 0; s = s->sibling)
        if (share_of(s) > cap * (CREDIT_SHARE_FULL / 100))
            rc = reason_set(why, -EINVAL, "a cap of %u %% is below what d%uv%u reserves", cap,
                            d->id, s->vcpu->id);
    if (rc == 0) {
        sd->weight = weight ? weight : sd->weight;
        if (cap != sd->group.cap)
            credit_group_set_cap(&sd->group, cap, clock_now());
        plan_begin();
        for (s = sd->vcpus; s; s = s->sibling) {
            sched_vcpu_weight(s->vcpu, sd->weight);
            s->plan = (s32)s->unit.home;
            plan_apply(s, allowed(s, pools[sd->pool].cpus));
        }
    }
    lock_release(&pool_lock);
    return rc;
}

void sched_get_params(const struct domain *d, u16 *weight, u16 *cap)
{
    *weight = READ_ONCE(d->sched->weight);
    *cap = (u16)READ_ONCE(d->sched->group.cap);
}

/* Affinity. */

/* Lock held. */
static int affinity_change(struct sched_vcpu *s, u64 hard, u64 soft, s32 pin, struct reason *why)
{
    u64 cpus = pools[s->vcpu->domain->sched->pool].cpus, may;
    u64 old_hard = s->hard;
    s32 old_pin = s->pin;

    if (!(hard & cpus))
        return reason_set(why, -EINVAL, "none of CPUs %#lx is in its pool (%#lx)", hard, cpus);
    s->hard = hard;
    s->pin = pin;
    may = allowed(s, cpus);
    plan_begin();
    plan_leave(s);
    if (!plan_enter(s, may, share_of(s))) {
        s->hard = old_hard;
        s->pin = old_pin;
        return plan_refuse(s, may, share_of(s), why);
    }
    s->soft = soft;
    plan_apply(s, may);
    return 0;
}

int sched_set_affinity(struct vcpu *v, struct cpu_mask hard, struct cpu_mask soft, bool unpin,
                       struct reason *why)
{
    int rc;

    lock_acquire(&pool_lock);
    rc = affinity_change(v->sched, hard.bits, soft.bits, unpin ? -1 : v->sched->pin, why);
    lock_release(&pool_lock);
    return rc;
}

void sched_get_affinity(const struct vcpu *v, struct cpu_mask *hard, struct cpu_mask *soft)
{
    lock_acquire(&pool_lock);
    hard->bits = v->sched->hard;
    soft->bits = v->sched->soft;
    lock_release(&pool_lock);
}

bool sched_is_pinned(const struct vcpu *v)
{
    u64 hard = READ_ONCE(v->sched->hard);

    return READ_ONCE(v->sched->pin) >= 0 || (hard & (hard - 1)) == 0;
}

int sched_pin_override(struct vcpu *v, s32 cpu)
{
    struct sched_vcpu *s = v->sched;
    int rc = 0;

    lock_acquire(&pool_lock);
    if (cpu < 0 ? s->pin < 0 : cpu >= MAX_CPUS || !(pool_online >> cpu & 1))
        rc = -EINVAL;
    else if (cpu >= 0 && s->pin >= 0)
        rc = -EBUSY;
    else
        rc = affinity_change(s, s->hard, s->soft, cpu < 0 ? -1 : cpu, NULL);
    lock_release(&pool_lock);
    return rc;
}

/* Domains and vCPUs come and go. */

int sched_domain_init(struct domain *d, u32 pool)
{
    struct sched_domain *sd = domain_zalloc(d, sizeof(*sd));
    const struct pool *p;
    int rc = 0;

    if (!sd)
        return -ENOMEM;
    credit_group_init(&sd->group);
    sd->weight = CREDIT_WEIGHT_DEFAULT;
    lock_acquire(&pool_lock);
    p = pool_get(pool);
    if (!p)
        rc = -ESRCH;
    else if (!p->cpus)
        rc = -ENODEV;
    if (rc == 0) {
        pools[pool].domains++;
        sd->pool = pool;
        sd->next = pool_all;
        pool_all = sd;
        d->sched = sd;
    }
    lock_release(&pool_lock);
    if (rc)
        domain_zfree(d, sd, sizeof(*sd));
    return rc;
}

void sched_domain_retire(struct domain *d)
{
    struct sched_domain *sd = d->sched;
    struct sched_vcpu *s;

    lock_acquire(&pool_lock);
    plan_begin();
    for (s = sd->vcpus; s; s = s->sibling) {
        plan_leave(s);
        s->budget_us = 0;
        s->plan = (s32)s->unit.home;
    }
    pools[sd->pool].domains--;
    pools[0].domains++;
    sd->pool = 0;
    apply_domain(sd, pools[0].cpus);
    lock_release(&pool_lock);
}

void sched_domain_fini(struct domain *d)
{
    struct sched_domain *sd = d->sched, **p;

    if (!sd)
        return;
    lock_acquire(&pool_lock);
    ASSERT(!sd->vcpus);
    pools[sd->pool].domains--;
    for (p = &pool_all; *p != sd; p = &(*p)->next)
        ;
    *p = sd->next;
    lock_release(&pool_lock);
    d->sched = NULL;
    domain_zfree(d, sd, sizeof(*sd));
}

int sched_vcpu_init(struct vcpu *v)
{
    struct sched_vcpu *s = domain_zalloc(v->domain, sizeof(*s));
    struct sched_domain *sd = v->domain->sched;
    u64 cpus;

    if (!s)
        return -ENOMEM;
    s->vcpu = v;
    s->hard = s->soft = ~(u64)0;
    s->pin = -1;
    s->extra = true;
    lock_acquire(&pool_lock);
    cpus = pools[sd->pool].cpus;
    /* vCPUs start spread over the CPUs; waking moves them to where there is room. */
    for (v->cpu = v->id % MAX_CPUS; !(cpus >> v->cpu & 1); v->cpu = (v->cpu + 1) % MAX_CPUS)
        ;
    credit_unit_init(&s->unit, &sd->group, v->cpu, cpus);
    s->unit.home = v->cpu;
    s->unit.weight = sd->weight;
    s->unit.limited = sd->group.cap != 0;
    s->sibling = sd->vcpus;
    sd->vcpus = s;
    v->sched = s;
    lock_release(&pool_lock);
    return 0;
}

void sched_vcpu_fini(struct vcpu *v)
{
    struct sched_vcpu *s = v->sched, **p;

    if (!s)
        return;
    sched_sync_vcpu_state(v);
    lock_acquire(&pool_lock);
    for (p = &v->domain->sched->vcpus; *p != s; p = &(*p)->sibling)
        ;
    *p = s->sibling;
    promised[s->unit.home] -= share_of(s);
    lock_release(&pool_lock);
    domain_zfree(v->domain, s, sizeof(*s));
    v->sched = NULL;
}

/* Pools. */

int sched_pool_create(u32 *id, u32 sched_id)
{
    u32 i = *id;
    int rc = 0;

    if (sched_id != XEN_SCHEDULER_CREDIT && sched_id != XEN_SCHEDULER_CREDIT2 &&
        sched_id != XEN_SCHEDULER_RTDS)
        return -ENOENT;
    lock_acquire(&pool_lock);
    if (i == SCHED_POOL_ANY)
        for (i = 0; i < SCHED_POOLS && pools[i].used; i++)
            ;
    if (i >= SCHED_POOLS)
        rc = -ENOSPC;
    else if (pools[i].used)
        rc = -EEXIST;
    else
        pools[i] =
            (struct pool){.used = true, .sched_id = sched_id, .ratelimit_us = pool_ratelimit};
    lock_release(&pool_lock);
    *id = i;
    return rc;
}

int sched_pool_destroy(u32 id)
{
    struct pool *p;
    int rc = 0;

    lock_acquire(&pool_lock);
    p = pool_get(id);
    if (!p)
        rc = -ENOENT;
    else if (id == 0 || p->cpus || p->domains)
        rc = -EBUSY;
    else
        p->used = false;
    lock_release(&pool_lock);
    return rc;
}

int sched_pool_next(u32 id, struct sched_pool_info *info)
{
    int rc = -ENOENT;

    lock_acquire(&pool_lock);
    while (id < SCHED_POOLS && !pools[id].used)
        id++;
    if (id < SCHED_POOLS) {
        *info = (struct sched_pool_info){id, pools[id].sched_id, pools[id].domains, pools[id].cpus};
        rc = 0;
    }
    lock_release(&pool_lock);
    return rc;
}

u64 sched_pool_free(void)
{
    return READ_ONCE(pool_none);
}

int sched_pool_ratelimit(u32 id, u32 *ratelimit_us)
{
    struct pool *p;
    u64 set;

    lock_acquire(&pool_lock);
    p = pool_get(id);
    if (p && *ratelimit_us != SCHED_POOL_ANY) {
        p->ratelimit_us = *ratelimit_us;
        for (set = p->cpus; set; set &= set - 1)
            sched_cpu_ratelimit((u32)__builtin_ctzl(set), (u64)p->ratelimit_us * 1000);
    }
    if (p)
        *ratelimit_us = p->ratelimit_us;
    lock_release(&pool_lock);
    return p ? 0 : -ESRCH;
}

/* Lock held: the pool's CPUs become `cpus`, if every reservation can be kept. */
static int pool_resize(u32 id, u64 cpus, struct reason *why)
{
    struct sched_domain *sd;
    int rc = 0;

    plan_begin();
    for (sd = pool_all; sd && rc == 0; sd = sd->next)
        if (sd->pool == id)
            rc = plan_domain(sd, cpus, why);
    if (rc)
        return rc;
    pools[id].cpus = cpus;
    for (sd = pool_all; sd; sd = sd->next)
        if (sd->pool == id)
            apply_domain(sd, cpus);
    return 0;
}

int sched_pool_add_cpu(u32 id, u32 cpu)
{
    struct pool *p;
    int rc = -ENOENT;

    lock_acquire(&pool_lock);
    p = pool_get(id);
    if (p) {
        if (cpu == SCHED_POOL_ANY && pool_none)
            cpu = (u32)__builtin_ctzl(pool_none);
        rc = -ENODEV;
        if (cpu < MAX_CPUS && (pool_none >> cpu & 1)) {
            rc = pool_resize(id, p->cpus | (u64)1 << cpu, NULL);
            if (rc == 0) {
                pool_none &= ~((u64)1 << cpu);
                sched_cpu_ratelimit(cpu, (u64)p->ratelimit_us * 1000);
            }
        }
    }
    lock_release(&pool_lock);
    return rc;
}

/* Lock held. */
static int remove_check(u32 id, u32 cpu, struct reason *why)
{
    const struct pool *p = pool_get(id);

    if (!p)
        return reason_set(why, -ENOENT, "there is no pool %u", id);
    if (cpu >= MAX_CPUS || !(pool_online >> cpu & 1))
        return reason_set(why, -EINVAL, "there is no CPU %u", cpu);
    if (id == 0 && cpu == 0)
        return reason_set(why, -EINVAL, "CPU 0 stays in Pool-0");
    if (!(p->cpus >> cpu & 1))
        return reason_set(why, -EADDRNOTAVAIL, "CPU %u is not in pool %u", cpu, id);
    if (p->cpus == (u64)1 << cpu && p->domains)
        return reason_set(why, -EBUSY, "CPU %u is the last of pool %u, which has %u domains", cpu,
                          id, p->domains);
    return 0;
}

int sched_pool_remove_cpu(u32 id, u32 cpu, struct reason *why)
{
    const struct pool *p;
    int rc;

    lock_acquire(&pool_lock);
    p = pool_get(id);
    if (p && cpu == SCHED_POOL_ANY && p->cpus)
        cpu = 63 - (u32)__builtin_clzl(p->cpus);
    rc = remove_check(id, cpu, why);
    if (rc == 0)
        rc = pool_resize(id, p->cpus & ~((u64)1 << cpu), why);
    if (rc == 0) {
        pool_none |= (u64)1 << cpu;
        sched_cpu_ratelimit(cpu, 0);
    }
    lock_release(&pool_lock);
    return rc;
}

int sched_pool_move(struct domain *d, u32 id, struct reason *why)
{
    struct sched_domain *sd = d->sched;
    const struct pool *p;
    int rc;

    lock_acquire(&pool_lock);
    p = pool_get(id);
    if (!p || !p->cpus) {
        rc = reason_set(why, -ENOENT, p ? "pool %u has no CPU" : "there is no pool %u", id);
    } else {
        plan_begin();
        rc = plan_domain(sd, p->cpus, why);
    }
    if (rc == 0) {
        pools[sd->pool].domains--;
        pools[id].domains++;
        sd->pool = id;
        apply_domain(sd, p->cpus);
    }
    lock_release(&pool_lock);
    return rc;
}

u32 sched_pool_of(const struct domain *d)
{
    return READ_ONCE(d->sched->pool);
}
