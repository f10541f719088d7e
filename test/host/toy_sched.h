/* SPDX-License-Identifier: MIT */
/*
 * A toy machine for pure/credit.c: a few CPUs, tasks that compute and sleep by a program of theirs,
 * virtual time. It does with the queues what core/sched.c does (wake, sleep, slice timer, steal,
 * balance, the way home of a strayed reservation), and counts each task's progress on its own.
 *
 * Deterministic: time advances from event to event; an alarm rings TOY_ALARM late, a switch of the
 * processor costs TOY_SWITCH.
 *
 * Included by one test program; everything is static.
 */
#ifndef HOST_TOY_SCHED_H
#define HOST_TOY_SCHED_H

#include "host/host.h"
#include "pure/credit_limit.h"

#define TOY_CPUS   4
#define TOY_TASKS  40
#define TOY_ALARM  2000ul
#define TOY_SWITCH 1000ul
#define TOY_NEVER  (~(u64)0)
#define TOY_LATE   100000 /* latencies kept per task */
#define MS         1000000ul
#define US         1000ul
#define SEC        1000000000ul

struct toy_task {
    struct credit_unit unit;
    struct credit_group own; /* when it shares none */
    /* How long to compute before the next sleep, and how long to sleep then; now is known. */
    u64 (*burst)(struct toy_task *t);
    u64 (*pause)(struct toy_task *t);
    u64 arg[3];
    u64 progress; /* ns computed: counted by the machine, not by the policy */
    u64 todo;     /* ns until it sleeps */
    u64 wake_at;
    u64 woke;                  /* ready since then and not run yet; TOY_NEVER: it has */
    u32 late[TOY_LATE], lates; /* us from each wake-up to its first instruction */
};

struct toy_cpu {
    struct credit_queue queue;
    u64 alarm;
    u64 since; /* progress of what runs is counted up to here */
    u64 switches, idle;
};

static struct toy_cpu toy_cpu[TOY_CPUS];
static const struct credit_queue *toy_queue[TOY_CPUS];
static struct toy_task toy_task[TOY_TASKS];
static u32 toy_cpus, toy_tasks, toy_promised[TOY_CPUS];
static u64 toy_now;

static void toy_init(u32 cpus)
{
    u32 i;

    memset(toy_cpu, 0, sizeof(toy_cpu));
    memset(toy_task, 0, sizeof(toy_task));
    memset(toy_promised, 0, sizeof(toy_promised));
    toy_cpus = cpus;
    toy_tasks = 0;
    toy_now = 1 * SEC;
    for (i = 0; i < cpus; i++) {
        credit_queue_init(&toy_cpu[i].queue, i);
        toy_queue[i] = &toy_cpu[i].queue;
        toy_cpu[i].alarm = TOY_NEVER;
    }
}

static struct toy_task *toy_of(struct credit_unit *u)
{
    return CONTAINER_OF(u, struct toy_task, unit);
}

static u64 toy_forever(struct toy_task *t)
{
    (void)t;
    return TOY_NEVER / 4;
}

static u64 toy_arg0(struct toy_task *t)
{
    return t->arg[0];
}

static u64 toy_arg1(struct toy_task *t)
{
    return t->arg[1];
}

/* A task that first wakes at toy_now + `after`. */
static struct toy_task *toy_add(u64 (*burst)(struct toy_task *), u64 (*pause)(struct toy_task *),
                                u64 after)
{
    struct toy_task *t = &toy_task[toy_tasks++];

    credit_group_init(&t->own);
    credit_unit_init(&t->unit, &t->own, (toy_tasks - 1) % toy_cpus, ((u64)1 << toy_cpus) - 1);
    t->burst = burst;
    t->pause = pause;
    t->wake_at = toy_now + after;
    t->woke = TOY_NEVER;
    return t;
}

static struct toy_task *toy_spinner(u16 weight)
{
    struct toy_task *t = toy_add(toy_forever, toy_arg1, 0);

    t->unit.weight = weight;
    return t;
}

static u64 toy_idle_mask(void)
{
    u64 mask = 0;
    u32 i;

    for (i = 0; i < toy_cpus; i++)
        if (!toy_cpu[i].queue.running && !toy_cpu[i].queue.waiting)
            mask |= (u64)1 << i;
    return mask;
}

/* The running task's work up to now, as the machine sees it. */
static void toy_progress(struct toy_cpu *c)
{
    struct credit_unit *u = c->queue.running;
    u64 ns;

    if (!u)
        c->idle += toy_now > c->since ? toy_now - c->since : 0;
    if (u && toy_now > c->since) {
        ns = toy_now - c->since;
        toy_of(u)->progress += ns;
        toy_of(u)->todo -= MIN(ns, toy_of(u)->todo);
    }
    c->since = MAX(c->since, toy_now);
}

static void toy_resched(struct toy_cpu *c);

static void toy_wake(struct toy_task *t)
{
    struct credit_unit *u = &t->unit;
    u32 cpu = credit_place(u, ((u64)1 << toy_cpus) - 1, toy_idle_mask(), toy_queue);
    struct toy_cpu *c = &toy_cpu[cpu];

    toy_progress(c);
    credit_charge(&c->queue, toy_now);
    credit_wake(&c->queue, u, toy_queue[u->cpu], toy_now);
    if (!c->queue.running || credit_disturbs(&c->queue, u))
        toy_resched(c);
}

static void toy_balance(struct toy_cpu *c)
{
    struct credit_unit *u;
    u32 to;

    u = credit_push(&c->queue, ((u64)1 << toy_cpus) - 1, toy_queue, toy_now, &to);
    if (!u)
        return;
    toy_progress(&toy_cpu[to]);
    credit_charge(&toy_cpu[to].queue, toy_now);
    credit_move(&c->queue, &toy_cpu[to].queue, u, toy_now);
    toy_resched(&toy_cpu[to]);
}

static struct credit_unit *toy_steal(struct toy_cpu *c)
{
    struct credit_unit *u;
    u32 i;

    for (i = 0; i < toy_cpus; i++) {
        struct credit_queue *q = &toy_cpu[i].queue;

        if (&toy_cpu[i] == c || q->waiting < (q->running ? 1u : 2u))
            continue;
        u = credit_steal(q, c->queue.cpu);
        if (!u)
            continue;
        credit_charge(q, toy_now);
        credit_move(q, &c->queue, u, toy_now);
        return credit_choose(&c->queue, toy_now);
    }
    return NULL;
}

static void toy_resched(struct toy_cpu *c)
{
    struct credit_queue *q = &c->queue;
    struct credit_unit *prev = q->running, *u;
    u64 slice;

    toy_progress(c);
    credit_charge(q, toy_now);
    /* In the order of sched_retire: one that sleeps does not go home first. */
    if (prev && toy_of(prev)->todo == 0) {
        credit_sleep(q, prev);
        toy_of(prev)->wake_at = toy_now + toy_of(prev)->pause(toy_of(prev));
        prev = NULL;
    } else if (prev && credit_strays(q, prev, toy_now)) {
        credit_sleep(q, prev);
    } else {
        prev = NULL;
    }
    u = credit_choose(q, toy_now);
    if (!u)
        u = toy_steal(c);
    if (q->waiting && toy_now - q->balanced >= CREDIT_BALANCE)
        toy_balance(c);
    slice = credit_slice(q, toy_now);
    c->alarm = slice ? toy_now + slice + TOY_ALARM : TOY_NEVER;
    if (u && c->since <= toy_now && q->started == toy_now) {
        struct toy_task *t = toy_of(u);

        c->switches++;
        c->since = toy_now + TOY_SWITCH; /* charged to the one that comes */
        if (t->woke != TOY_NEVER && t->lates < TOY_LATE)
            t->late[t->lates++] = (u32)((c->since - t->woke) / US);
        t->woke = TOY_NEVER;
    }
    CHECK(credit_audit(q));
    if (prev)
        toy_wake(toy_of(prev)); /* it goes home */
}

/* When c has something to do next. */
static u64 toy_next(const struct toy_cpu *c)
{
    u64 end = TOY_NEVER;

    if (c->queue.running)
        end = MAX(c->since, toy_now) + toy_of(c->queue.running)->todo;
    return MIN(end, c->alarm);
}

static void toy_run(u64 ns)
{
    u64 end = toy_now + ns, next;
    u32 i;

    for (;;) {
        next = end;
        for (i = 0; i < toy_cpus; i++)
            next = MIN(next, toy_next(&toy_cpu[i]));
        for (i = 0; i < toy_tasks; i++)
            if (toy_task[i].unit.state == CREDIT_OFF)
                next = MIN(next, toy_task[i].wake_at);
        toy_now = MAX(next, toy_now);
        if (toy_now >= end)
            break;
        for (i = 0; i < toy_cpus; i++) {
            struct toy_cpu *c = &toy_cpu[i];

            toy_progress(c);
            if (c->alarm <= toy_now || (c->queue.running && toy_of(c->queue.running)->todo == 0))
                toy_resched(c);
        }
        for (i = 0; i < toy_tasks; i++) {
            struct toy_task *t = &toy_task[i];

            if (t->unit.state != CREDIT_OFF || t->wake_at > toy_now)
                continue;
            t->todo = t->burst(t);
            t->woke = toy_now;
            toy_wake(t);
        }
    }
    toy_now = end;
    for (i = 0; i < toy_cpus; i++) {
        toy_progress(&toy_cpu[i]);
        credit_charge(&toy_cpu[i].queue, toy_now);
    }
}

/* What a task got since `from`, in hundredths of a percent of one CPU. */
static u64 toy_share(const struct toy_task *t, u64 from, u64 ns)
{
    return (t->progress - from) * 10000 / ns;
}

/* Runs for `ns` and writes each task's share in hundredths of a percent. */
static void toy_measure(u64 ns, u64 *share)
{
    u64 from[TOY_TASKS];
    u32 i;

    for (i = 0; i < toy_tasks; i++)
        from[i] = toy_task[i].progress;
    toy_run(ns);
    for (i = 0; i < toy_tasks; i++)
        share[i] = toy_share(&toy_task[i], from[i], ns);
}

static void toy_set_cap(struct toy_task *t, u32 cap)
{
    u32 i;

    credit_group_set_cap(t->unit.group, cap, toy_now);
    for (i = 0; i < toy_tasks; i++) {
        struct credit_unit *u = &toy_task[i].unit;
        struct toy_cpu *c = &toy_cpu[u->cpu];

        if (u->group != t->unit.group)
            continue;
        toy_progress(c);
        credit_charge(&c->queue, toy_now);
        credit_limit_set(&c->queue, u, u->period, u->budget, u->extra, u->home, toy_now);
        toy_resched(c);
    }
}

/* Asks for a reservation; false: no CPU can promise it. period 0 gives it back. */
static bool toy_reserve(struct toy_task *t, u64 period, u64 budget, bool extra)
{
    struct credit_unit *u = &t->unit;
    struct toy_cpu *c = &toy_cpu[u->cpu];
    u32 share = credit_share(period, budget);
    s32 home;

    toy_promised[u->home] -= credit_share(u->period, u->budget);
    home = share ? credit_admit(toy_promised, u->hard, share, u->period ? u->home : u->cpu)
                 : (s32)u->home;
    if (home < 0) {
        toy_promised[u->home] += credit_share(u->period, u->budget);
        return false;
    }
    toy_promised[home] += share;
    toy_progress(c);
    credit_charge(&c->queue, toy_now);
    credit_limit_set(&c->queue, u, period, budget, extra, (u32)home, toy_now);
    toy_resched(c);
    return true;
}

#endif
