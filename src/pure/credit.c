/* SPDX-License-Identifier: MIT */
/*
 * Which ready vCPU runs on this CPU, for how long, and which CPU takes one that wakes or waits?
 *
 * Waiting units are a list sorted by virtual time. Insertion walks from both ends at once: wakers
 * belong near the head, units whose slice ended near the tail. Fairness within a queue is exact
 * (the account carries remainders); across queues it comes from stealing by idle CPUs and from
 * pushing waiters towards less loaded CPUs.
 *
 * Who may not run (caps) or must run now (reservations) is asked of pure/credit_limit.c, and only
 * on queues with such units. A unit that may not run is parked: off the list, but on the queue,
 * which looks again when its budget is renewed.
 */
#include "pure/credit.h"

#include "base/atomic.h"
#include "base/lib.h"
#include "pure/credit_limit.h"

/* Virtual time starts here, so that subtracting a bonus never wraps. */
#define CREDIT_EPOCH ((u64)1 << 40)

void credit_queue_init(struct credit_queue *q, u32 cpu)
{
    memset(q, 0, sizeof(*q));
    q->cpu = cpu;
    q->floor = CREDIT_EPOCH;
    q->ratelimit = CREDIT_RATELIMIT;
}

void credit_unit_init(struct credit_unit *u, struct credit_group *g, u32 cpu, u64 hard)
{
    memset(u, 0, sizeof(*u));
    u->group = g;
    u->cpu = cpu;
    u->hard = hard;
    u->soft = ~(u64)0;
    u->weight = CREDIT_WEIGHT_DEFAULT;
    u->extra = true;
}

/* Signed distance of a from b. */
static s64 credit_diff(u64 a, u64 b)
{
    return (s64)(a - b);
}

static void credit_link(struct credit_queue *q, struct credit_unit *u)
{
    struct credit_unit *after = q->last, *before = q->first;

    /* `after` is what u follows, `before` what it precedes; whichever walk ends first decides. */
    while (after && credit_diff(after->vtime, u->vtime) > 0) {
        if (credit_diff(before->vtime, u->vtime) > 0) {
            after = before->prev;
            break;
        }
        after = after->prev;
        before = before->next;
    }
    before = after ? after->next : q->first;
    u->prev = after;
    u->next = before;
    *(after ? &after->next : &q->first) = u;
    *(before ? &before->prev : &q->last) = u;
    q->waiting++;
    u->state = CREDIT_WAITING;
}

static void credit_unlink(struct credit_queue *q, struct credit_unit *u)
{
    *(u->prev ? &u->prev->next : &q->first) = u->next;
    *(u->next ? &u->next->prev : &q->last) = u->prev;
    u->next = u->prev = NULL;
    q->waiting--;
}

/* The floor follows the lowest ready unit and never falls. */
static void credit_raise_floor(struct credit_queue *q)
{
    const struct credit_unit *low = q->running;

    if (!low || (q->first && credit_diff(q->first->vtime, low->vtime) < 0))
        low = q->first;
    if (low && credit_diff(low->vtime, q->floor) > 0)
        q->floor = low->vtime;
}

void credit_charge(struct credit_queue *q, u64 now)
{
    struct credit_unit *u = q->running;
    u64 ns;

    if (!u || now <= q->charged) {
        return;
    }
    ns = now - q->charged;
    q->charged = now;
    u->ran += ns;
    if (u->weight == CREDIT_WEIGHT_DEFAULT) {
        u->vtime += ns; /* the rest stays below the weight: no division needed */
    } else {
        u64 x = ns * CREDIT_WEIGHT_DEFAULT + u->rest;

        u->vtime += x / u->weight;
        u->rest = x % u->weight;
    }
    credit_raise_floor(q);
    if (unlikely(u->limited))
        credit_limit_spend(u, ns, now, !q->first);
}

/* Gives u its place relative to q's floor: `lag` behind it, `bonus` at most ahead. */
static void credit_settle(struct credit_queue *q, struct credit_unit *u, s64 lag, u64 bonus)
{
    if (lag < -(s64)bonus)
        lag = -(s64)bonus;
    if (lag > (s64)CREDIT_LEAD)
        lag = (s64)CREDIT_LEAD;
    u->vtime = q->floor + (u64)lag;
    u->cpu = q->cpu;
}

void credit_wake(struct credit_queue *q, struct credit_unit *u, const struct credit_queue *from,
                 u64 now)
{
    ASSERT(u->state == CREDIT_OFF);
    credit_settle(q, u, u->vtime ? credit_diff(u->vtime, from->floor) : 0, CREDIT_BONUS);
    credit_link(q, u);
    q->load += u->weight;
    if (unlikely(u->limited))
        credit_limit_wake(q, u, now);
}

/* Off the list of those parked. */
static void credit_retrieve(struct credit_queue *q, struct credit_unit *u)
{
    *(u->prev ? &u->prev->next : &q->parked) = u->next;
    if (u->next)
        u->next->prev = u->prev;
    u->next = u->prev = NULL;
    q->load += u->weight;
}

void credit_sleep(struct credit_queue *q, struct credit_unit *u)
{
    ASSERT(u->state != CREDIT_OFF);
    if (u->state == CREDIT_RUNNING)
        q->running = NULL;
    else if (u->state == CREDIT_WAITING)
        credit_unlink(q, u);
    else
        credit_retrieve(q, u);
    u->state = CREDIT_OFF;
    q->load -= u->weight;
    if (unlikely(u->limited))
        credit_limit_sleep(q, u);
}

/* u, which neither waits nor runs any more, has no budget. */
static void credit_park(struct credit_queue *q, struct credit_unit *u)
{
    u->prev = NULL;
    u->next = q->parked;
    if (u->next)
        u->next->prev = u;
    q->parked = u;
    u->state = CREDIT_PARKED;
    q->load -= u->weight;
}

void credit_unpark(struct credit_queue *q, struct credit_unit *u)
{
    credit_retrieve(q, u);
    /* Enough to preempt what computes, but not a guest that has slept. */
    credit_settle(q, u, credit_diff(u->vtime, q->floor), CREDIT_MARGIN * 2);
    credit_link(q, u);
}

void credit_yield(struct credit_queue *q)
{
    struct credit_unit *u = q->running;

    if (!u || !q->first)
        return;
    if (credit_diff(q->first->vtime, u->vtime) > 0)
        u->vtime = q->first->vtime;
    u->yielded = u->limited;
    /* Its slice is over, however long a turn may be: equals go behind those already in line. */
    q->started = q->charged - MAX(CREDIT_SLICE_MAX, q->ratelimit);
    credit_raise_floor(q);
}

static bool credit_ahead(const struct credit_queue *q)
{
    return credit_diff(q->running->vtime, q->first->vtime) > (s64)CREDIT_MARGIN;
}

/* On a queue with limited units: who insists on a reservation comes before virtual times. */
static NOINLINE bool credit_claims(const struct credit_queue *q)
{
    const struct credit_unit *claim = credit_limit_first(q);
    bool holds = credit_limit_insists(q->running);

    if (claim)
        return !holds || claim->deadline < q->running->deadline;
    return !holds && credit_ahead(q);
}

bool credit_preempts(const struct credit_queue *q)
{
    if (!q->first)
        return false;
    if (!q->running)
        return true;
    return unlikely(q->limited) ? credit_claims(q) : credit_ahead(q);
}

bool credit_disturbs(const struct credit_queue *q, const struct credit_unit *u)
{
    /* The first that waits limits the running one's time; so does a period that is to begin. */
    return credit_preempts(q) || q->waiting == 1 ||
           (unlikely(u->limited) && u->period && !credit_limit_insists(u));
}

/* Real time until the running unit is `ahead` (virtual) ahead of the first in line. */
static u64 credit_until(const struct credit_queue *q, u64 ahead)
{
    const struct credit_unit *u = q->running;
    s64 v = credit_diff(q->first->vtime + ahead, u->vtime);

    if (v <= 0)
        return 0;
    if ((u64)v > CREDIT_SLICE_MAX * CREDIT_WEIGHT_DEFAULT)
        return CREDIT_SLICE_MAX; /* at any weight */
    return MIN((u64)v * u->weight / CREDIT_WEIGHT_DEFAULT, CREDIT_SLICE_MAX);
}

static u64 credit_fair_slice(const struct credit_queue *q, u64 now)
{
    u64 used = now - q->started, ns;

    if (!q->first || !q->running)
        return 0;
    if (unlikely(used < q->ratelimit) && credit_preempts(q))
        return q->ratelimit - used;
    if (used >= CREDIT_SLICE_MAX)
        return MAX(credit_until(q, 0), CREDIT_SLICE_MIN);
    ns = MIN(credit_until(q, CREDIT_SLICE), CREDIT_SLICE_MAX - used);
    if (used < CREDIT_SLICE_MIN)
        return MAX(ns, CREDIT_SLICE_MIN - used);
    return MAX(ns, (u64)1);
}

static NOINLINE u64 credit_limited_slice(const struct credit_queue *q, u64 now)
{
    return credit_limit_slice(q, credit_fair_slice(q, now), now);
}

u64 credit_slice(const struct credit_queue *q, u64 now)
{
    return unlikely(q->limited) ? credit_limited_slice(q, now) : credit_fair_slice(q, now);
}

/* The slice ended: a slice ahead of the next, or as long as anyone may run at a stretch. */
static bool credit_expired(const struct credit_queue *q, u64 now)
{
    u64 used = now - q->started;

    if (credit_diff(q->running->vtime, q->first->vtime) < 0)
        return false; /* still the most deserving */
    return used >= CREDIT_SLICE_MAX ||
           (used >= CREDIT_SLICE_MIN && credit_until(q, CREDIT_SLICE) == 0);
}

/* `next` is off the list and has the CPU from now on. */
static struct credit_unit *credit_start(struct credit_queue *q, struct credit_unit *next, u64 now)
{
    next->state = CREDIT_RUNNING;
    q->running = next;
    q->started = q->charged = now;
    return next;
}

/* Before the choice, on a queue with limited units: budgets are renewed, the parked come back. */
static void credit_review(struct credit_queue *q, u64 now)
{
    struct credit_unit *u, *next;

    for (u = q->parked; u; u = next) {
        next = u->next;
        if (u->due <= now) {
            credit_limit_unpark(u, now);
            credit_unpark(q, u);
        }
    }
    credit_limit_renew(q, now);
    u = q->running;
    if (u && u->limited && !credit_limit_allows(u, now)) {
        q->running = NULL;
        credit_park(q, u);
    }
}

/* The choice on a queue with limited units; those without budget are parked on the way. */
static NOINLINE struct credit_unit *credit_choose_limited(struct credit_queue *q, u64 now)
{
    struct credit_unit *u;

    credit_review(q, now);
    u = q->running;
    if (u) {
        q->promised |= credit_limit_insists(u);
        /* A turn by reservation ends with its budget: the rate limit does not make it longer. */
        if (!q->first ||
            (credit_claims(q) ? now - q->started < q->ratelimit && !credit_limit_first(q) &&
                                    !(q->promised && u->limited)
                              : credit_limit_insists(u) || !credit_expired(q, now)))
            return u;
        credit_link(q, u);
        q->running = NULL;
    }
    for (;;) {
        u = credit_limit_first(q);
        if (!u)
            u = q->first;
        if (!u)
            return NULL;
        credit_unlink(q, u);
        if (!u->limited || credit_limit_allows(u, now))
            break;
        credit_park(q, u);
    }
    u->yielded = false;
    q->promised = credit_limit_insists(u);
    return credit_start(q, u, now);
}

struct credit_unit *credit_choose(struct credit_queue *q, u64 now)
{
    struct credit_unit *u = q->running;

    if (unlikely(q->limited))
        return credit_choose_limited(q, now);
    if (u) {
        if (!q->first ||
            (credit_ahead(q) ? now - q->started < q->ratelimit : !credit_expired(q, now)))
            return u;
        credit_link(q, u);
        q->running = NULL;
    }
    u = q->first;
    if (!u)
        return NULL;
    credit_unlink(q, u);
    return credit_start(q, u, now);
}

void credit_set_weight(struct credit_queue *q, struct credit_unit *u, u16 weight, u64 now)
{
    if (weight == 0)
        return;
    credit_charge(q, now);
    if (u->state == CREDIT_WAITING || u->state == CREDIT_RUNNING)
        q->load += (u64)weight - u->weight;
    u->weight = weight;
    u->rest = 0;
}

/* Of `may`, what u should use: all where its wish names none of them. */
static u64 credit_wished(const struct credit_unit *u, u64 may)
{
    return may & u->soft ? may & u->soft : may;
}

/* The least loaded CPU of a set that is not empty. */
static u32 credit_least(u64 set, const struct credit_queue *const *queue)
{
    u64 load = ~(u64)0;
    u32 best = 0;

    for (; set; set &= set - 1) {
        u32 cpu = (u32)__builtin_ctzl(set);

        if (READ_ONCE(queue[cpu]->load) < load) {
            load = READ_ONCE(queue[cpu]->load);
            best = cpu;
        }
    }
    return best;
}

u32 credit_place(const struct credit_unit *u, u64 online, u64 idle,
                 const struct credit_queue *const *queue)
{
    u64 may = u->hard & online, should;
    u32 best;

    if (!may)
        may = online; /* every CPU it may use is gone */
    if (unlikely(credit_stays(u, u->home)) && (may >> u->home & 1))
        return u->home;
    should = credit_wished(u, may);
    if ((idle & should) >> u->cpu & 1)
        return u->cpu;
    if (idle & should)
        return (u32)__builtin_ctzl(idle & should);
    if ((idle & may) >> u->cpu & 1)
        return u->cpu;
    if (idle & may)
        return (u32)__builtin_ctzl(idle & may);
    if (unlikely(u->limited) && u->period && (may >> u->home & 1))
        return u->home;
    best = credit_least(should, queue);
    if ((should >> u->cpu & 1) && READ_ONCE(queue[u->cpu]->load) <= READ_ONCE(queue[best]->load))
        return u->cpu; /* no move for nothing */
    return best;
}

struct credit_unit *credit_steal(const struct credit_queue *q, u32 cpu)
{
    struct credit_unit *u, *second = NULL;

    for (u = q->first; u; u = u->next) {
        if (!(u->hard >> cpu & 1) || READ_ONCE(u->busy) || unlikely(credit_stays(u, q->cpu)))
            continue;
        if (u->soft >> cpu & 1)
            return u;
        if (!second)
            second = u; /* it may, though it should not */
    }
    return second;
}

/* The best CPU for u, which is on q, if it has less to do even with u; or q's. */
static u32 credit_better(const struct credit_queue *q, const struct credit_unit *u, u64 online,
                         const struct credit_queue *const *queue, u64 now)
{
    u64 may = credit_wished(u, u->hard & online) & ~((u64)1 << q->cpu);
    u32 cpu;

    /* A reservation's promise is here, or it goes home by itself. */
    if (!may || now - u->moved_at < CREDIT_HOT || (u->limited && u->period))
        return q->cpu;
    cpu = credit_least(may, queue);
    return READ_ONCE(queue[cpu]->load) + u->weight <= q->load ? cpu : q->cpu;
}

struct credit_unit *credit_push(struct credit_queue *q, u64 online,
                                const struct credit_queue *const *queue, u64 now, u32 *to)
{
    struct credit_unit *u, *best = NULL;
    u32 cpu;

    if (!q->running)
        return NULL; /* who waits was just woken for this CPU */
    q->balanced = now;
    for (u = q->first; u; u = u->next) {
        if (READ_ONCE(u->busy) || (best && best->moved_at <= u->moved_at))
            continue;
        cpu = credit_better(q, u, online, queue, now);
        if (cpu != q->cpu) {
            best = u;
            *to = cpu;
        }
    }
    u = q->running;
    if (!best || best->moved_at <= u->moved_at ||
        credit_better(q, u, online, queue, now) == q->cpu) {
        q->turn = 0;
        return best;
    }
    /* It is the running one's turn, as soon as it waits; it may sleep or park instead. */
    if (!q->turn)
        q->turn = now;
    if (now - q->turn >= 2 * MAX(CREDIT_SLICE_MAX, q->ratelimit))
        return best;
    q->balanced = now - CREDIT_BALANCE;
    return NULL;
}

void credit_move(struct credit_queue *q, struct credit_queue *to, struct credit_unit *u, u64 now)
{
    s64 lag = credit_diff(u->vtime, q->floor);

    ASSERT(u->state == CREDIT_WAITING);
    credit_unlink(q, u);
    q->load -= u->weight;
    credit_settle(to, u, lag, CREDIT_BONUS);
    credit_link(to, u);
    to->load += u->weight;
    u->moved_at = to->balanced = now; /* as things are now they stay for a while on both */
    q->turn = 0;
    if (unlikely(u->limited)) {
        credit_limit_leave(q, u);
        credit_limit_enter(to, u);
    }
}

bool credit_audit(const struct credit_queue *q)
{
    const struct credit_unit *u, *prev = NULL;
    u64 load = q->running ? q->running->weight : 0;
    u32 n = 0;

    for (u = q->first; u; prev = u, u = u->next) {
        if (u->prev != prev || u->state != CREDIT_WAITING || u->cpu != q->cpu)
            return false;
        if (prev && credit_diff(prev->vtime, u->vtime) > 0)
            return false;
        if (credit_diff(q->floor, u->vtime) > (s64)CREDIT_BONUS)
            return false;
        load += u->weight;
        n++;
    }
    if (q->running && (q->running->state != CREDIT_RUNNING || q->running->cpu != q->cpu))
        return false;
    return q->last == prev && n == q->waiting && load == q->load && credit_limit_audit(q);
}
