/* SPDX-License-Identifier: MIT */
/*
 * May this unit still run, must it run now, and can this CPU promise that?
 *
 * Budgets are counted down by the exact time run (credit_charge). What a unit used beyond its
 * budget, because the alarm came late, is taken from its next one, so caps and reservations are
 * exact over time however coarse the alarm is.
 *
 * A queue without limited units pays one test per operation. With them the costs are linear in
 * their number on that queue.
 *
 * Left out: reservations across CPUs. A domain reserves per vCPU, and a set that only a cleverer
 * packing of existing reservations would fit is refused.
 */
#include "pure/credit_limit.h"

#include "base/atomic.h"

#define DEBT_MAX (5 * CREDIT_TICK) /* ns */

/* Caps. */

void credit_group_init(struct credit_group *g)
{
    lock_init(&g->lock, RANK_CREDIT);
    g->cap = 0;
    g->budget = 0;
    g->refill = 0;
}

static s64 group_allowance(const struct credit_group *g)
{
    return (s64)(g->cap * (CREDIT_CAP_PERIOD / 100));
}

void credit_group_set_cap(struct credit_group *g, u32 cap, u64 now)
{
    lock_acquire(&g->lock);
    WRITE_ONCE(g->cap, cap);
    g->budget = group_allowance(g);
    g->refill = now + CREDIT_CAP_PERIOD;
    lock_release(&g->lock);
}

/*
 * Budget not used is lost, but for what units may have given back late, and for the periods in
 * which the unit that asks was ready and others had the CPU.
 */
static void group_refill(struct credit_group *g, u64 now, u64 ready)
{
    s64 full = group_allowance(g);
    u64 n;

    if (now < g->refill)
        return;
    n = (now - g->refill) / CREDIT_CAP_PERIOD + 1;
    g->refill += n * CREDIT_CAP_PERIOD;
    g->budget += (s64)MIN(n, (u64)1000) * full;
    n = now > ready ? MIN((now - ready) / CREDIT_CAP_PERIOD, CREDIT_CAP_KEEP) : 0;
    g->budget = MIN(g->budget, (s64)(n + 1) * full + (s64)CREDIT_CAP_CHUNK);
}

/* Debts first, then a chunk; false: nothing is left in this period. */
static bool group_draw(struct credit_unit *u, u64 now)
{
    struct credit_group *g = u->group;
    s64 chunk;

    lock_acquire(&g->lock);
    group_refill(g, now, u->ready);
    g->budget += u->quota;
    u->quota = 0;
    if (g->budget > 0) {
        chunk = MIN(g->budget, (s64)CREDIT_CAP_CHUNK);
        g->budget -= chunk;
        u->quota = chunk;
    }
    u->due = g->refill;
    lock_release(&g->lock);
    return u->quota > 0;
}

/* Reservations. */

static void period_begin(struct credit_unit *u, u64 deadline)
{
    u->deadline = deadline;
    u->left = (s64)u->budget + MIN(u->left, (s64)0);
}

static void period_renew(struct credit_unit *u, u64 now)
{
    if (now < u->deadline)
        return;
    /* Periods follow each other; after a long pause they start anew. */
    period_begin(u, now < u->deadline + u->period ? u->deadline + u->period : now + u->period);
}

/* It comes back: old budget with the old deadline would ask for more than the share. */
static void period_fit(struct credit_unit *u, u64 now)
{
    if (u->period && (now >= u->deadline ||
                      (u->left > 0 && (u64)u->left * u->period > (u->deadline - now) * u->budget)))
        period_begin(u, now + u->period);
}

void credit_limit_unpark(struct credit_unit *u, u64 now)
{
    /* With budget left it was the cap that kept it away, as sleep does. */
    if (u->left > 0)
        period_fit(u, now);
}

bool credit_limit_insists(const struct credit_unit *u)
{
    return u->period && u->left > 0 && !u->yielded;
}

struct credit_unit *credit_limit_first(const struct credit_queue *q)
{
    struct credit_unit *u, *best = NULL;

    for (u = q->reserved; u; u = u->rnext)
        if (u->state == CREDIT_WAITING && credit_limit_insists(u) &&
            (!best || u->deadline < best->deadline))
            best = u;
    return best;
}

void credit_limit_renew(struct credit_queue *q, u64 now)
{
    struct credit_unit *u;

    for (u = q->reserved; u; u = u->rnext) {
        period_renew(u, now);
        if (u->state == CREDIT_WAITING)
            u->yielded = false; /* somebody else had a turn */
    }
}

u32 credit_share(u64 period, u64 budget)
{
    return period ? (u32)((budget * CREDIT_SHARE_FULL + period - 1) / period) : 0;
}

s32 credit_admit(const u32 *promised, u64 may, u32 share, u32 prefer)
{
    s32 best = -1;
    u32 cpu;

    if ((may >> prefer & 1) && promised[prefer] + share <= CREDIT_SHARE_LIMIT)
        return (s32)prefer;
    for (; may; may &= may - 1) {
        cpu = (u32)__builtin_ctzl(may);
        if (promised[cpu] + share > CREDIT_SHARE_LIMIT)
            continue;
        if (best < 0 || promised[cpu] > promised[best])
            best = (s32)cpu;
    }
    return best;
}

bool credit_strays(const struct credit_queue *q, const struct credit_unit *u, u64 now)
{
    const struct credit_unit *p;

    if (!u->limited || !u->period || u->home == q->cpu || !(u->hard >> u->home & 1))
        return false;
    for (p = q->parked; p && p->due > now;)
        p = p->next;
    return q->first || p;
}

/* Both. */

void credit_limit_enter(struct credit_queue *q, struct credit_unit *u)
{
    q->limited++;
    if (u->period) {
        u->rnext = q->reserved;
        q->reserved = u;
    }
}

void credit_limit_leave(struct credit_queue *q, struct credit_unit *u)
{
    struct credit_unit **p;

    q->limited--;
    for (p = &q->reserved; *p; p = &(*p)->rnext) {
        if (*p == u) {
            *p = u->rnext;
            break;
        }
    }
    u->rnext = NULL;
}

void credit_limit_wake(struct credit_queue *q, struct credit_unit *u, u64 now)
{
    credit_limit_enter(q, u);
    u->yielded = false;
    u->ready = now;
    period_fit(u, now);
}

/* What it drew and did not use, or used beyond that, is the group's. */
static void group_return(struct credit_unit *u)
{
    struct credit_group *g = u->group;

    if (!u->quota)
        return;
    lock_acquire(&g->lock);
    g->budget += u->quota;
    lock_release(&g->lock);
    u->quota = 0;
}

void credit_limit_sleep(struct credit_queue *q, struct credit_unit *u)
{
    credit_limit_leave(q, u);
    group_return(u);
}

static void reserve_spend(struct credit_unit *u, u64 ns, bool alone)
{
    s64 before = u->left, least = -(s64)DEBT_MAX;

    u->left -= (s64)ns;
    if (!u->extra)
        return;
    /* Extra time is not the reservation's, nor is it owed; but what a late alarm took is. */
    if (alone || before <= 0)
        least = MIN(before, (s64)0);
    u->left = MAX(u->left, least);
}

void credit_limit_spend(struct credit_unit *u, u64 ns, u64 now, bool alone)
{
    u64 begun;

    if (READ_ONCE(u->group->cap))
        u->quota -= (s64)ns;
    if (!u->period)
        return;
    if (now >= u->deadline) {
        /* What it ran since then is the new period's: all of its budget now would be too much. */
        begun = now - (now - u->deadline) % u->period;
        reserve_spend(u, ns - MIN(ns, now - begun), alone);
        period_begin(u, begun + u->period);
        ns = MIN(ns, now - begun);
    }
    reserve_spend(u, ns, alone);
}

bool credit_limit_allows(struct credit_unit *u, u64 now)
{
    if (u->period) {
        period_renew(u, now);
        u->due = u->deadline;
        if (!u->extra && u->left <= 0)
            return false;
    }
    return !READ_ONCE(u->group->cap) || u->quota > 0 || group_draw(u, now);
}

void credit_limit_set(struct credit_queue *q, struct credit_unit *u, u64 period, u64 budget,
                      bool extra, u32 home, u64 now)
{
    if (u->limited && u->state != CREDIT_OFF)
        credit_limit_leave(q, u);
    group_return(u);
    if (period != u->period || budget != u->budget) {
        u->period = period;
        u->budget = budget;
        u->left = 0;
        period_begin(u, now + period);
    }
    u->extra = extra;
    u->home = home;
    u->limited = period || READ_ONCE(u->group->cap);
    if (u->limited && u->state != CREDIT_OFF)
        credit_limit_enter(q, u);
    u->due = u->ready = now;
    /* A parked one may need no permission now; the next choice looks at those parked. */
    if (!u->limited && u->state == CREDIT_PARKED)
        credit_unpark(q, u);
}

u64 credit_limit_slice(const struct credit_queue *q, u64 slice, u64 now)
{
    const struct credit_unit *u = q->running;
    u64 until = ~(u64)0;

    if (u && u->limited) {
        if (credit_limit_insists(u)) {
            slice = 0; /* its turn lasts as long as its budget */
            until = q->first || !u->extra ? (u64)u->left : until;
        }
        if (READ_ONCE(u->group->cap))
            until = MIN(until, (u64)MAX(u->quota, (s64)0));
    }
    for (u = q->parked; u; u = u->next)
        until = MIN(until, u->due > now ? u->due - now : 0);
    for (u = q->reserved; u; u = u->rnext)
        if (u->state != CREDIT_PARKED && !credit_limit_insists(u) && q->first)
            until = MIN(until, u->deadline > now ? u->deadline - now : 0);
    if (until == ~(u64)0)
        return slice;
    until = MAX(until, (u64)CREDIT_TICK);
    return slice ? MIN(slice, until) : until;
}

bool credit_limit_audit(const struct credit_queue *q)
{
    const struct credit_unit *u, *prev = NULL;
    u32 n = 0, reserved = 0;

    for (u = q->parked; u; prev = u, u = u->next) {
        if (u->state != CREDIT_PARKED || !u->limited || u->cpu != q->cpu || u->prev != prev)
            return false;
        n++;
        reserved += u->period != 0;
    }
    for (u = q->first; u; u = u->next) {
        n += u->limited;
        reserved += u->limited && u->period;
    }
    if (q->running && q->running->limited) {
        n++;
        reserved += q->running->period != 0;
    }
    for (u = q->reserved; u; u = u->rnext) {
        if (u->cpu != q->cpu || !u->period || u->state == CREDIT_OFF)
            return false;
        reserved--;
    }
    return n == q->limited && reserved == 0;
}
