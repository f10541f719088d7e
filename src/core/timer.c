/* SPDX-License-Identifier: MIT */
/*
 * What is due on this CPU, and when must its alarm ring next?
 *
 * Each CPU has a heap of deadlines. A timer always goes onto the queue of the CPU that sets it, so
 * an alarm is only ever programmed by its own CPU; other CPUs may take timers away, which at most
 * makes an alarm ring for nothing. Functions run without the lock.
 *
 * Two CPUs may set one timer at the same time, each under its own queue's lock: the word that says
 * on which queue it is goes from 0 by compare-and-swap, so one of them puts it onto a queue and the
 * other takes it off there first.
 */
#include "core/timer.h"

#include "arch/clock.h"
#include "arch/insn.h"
#include "arch/smp.h"
#include "pure/port.h"

struct timer_cpu {
    struct lock lock; /* RANK_TIMER */
    struct timerq queue;
    u64 alarm;                   /* what the hardware is set to; 0: none */
    const struct timer *running; /* its function is being called */
} ALIGNED(64);

static struct timer_cpu timer_cpus[MAX_CPUS];

void timer_init_cpu(void)
{
    struct timer_cpu *c = &timer_cpus[cpu_id()];

    lock_init(&c->lock, RANK_TIMER);
    timerq_init(&c->queue);
    c->alarm = 0;
}

void timer_setup(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
}

/* Own CPU, lock held: the alarm follows the earliest deadline. */
static void timer_program(struct timer_cpu *c)
{
    const struct timerq_node *n = timerq_peek(&c->queue);
    u64 deadline = n ? n->deadline : 0;

    if (deadline == c->alarm)
        return;
    c->alarm = deadline;
    clock_set_alarm(deadline);
}

/* Takes t off whatever queue it is on. */
static void timer_take(struct timer *t)
{
    u32 on;

    while ((on = atomic_load_acquire(&t->queued)) != 0) {
        struct timer_cpu *c = &timer_cpus[on - 1];

        lock_acquire(&c->lock);
        /* It may have fired or moved while we waited for the lock. */
        if (atomic_load(&t->queued) == on) {
            timerq_remove(&c->queue, &t->node);
            atomic_store_release(&t->queued, 0u);
        }
        lock_release(&c->lock);
    }
}

void timer_set(struct timer *t, u64 deadline)
{
    u32 self = cpu_id() + 1, on;
    struct timer_cpu *c = &timer_cpus[self - 1];

    if (deadline == 0)
        deadline = 1; /* 0 means "none" to the alarm */
    for (;;) {
        on = atomic_load_acquire(&t->queued);
        if (on != 0 && on != self)
            timer_take(t);
        lock_acquire(&c->lock);
        on = 0;
        if (likely(atomic_cmpxchg(&t->queued, &on, self)))
            break;
        if (on == self) {
            if (t->node.deadline == deadline) {
                lock_release(&c->lock);
                return;
            }
            timerq_remove(&c->queue, &t->node);
            break;
        }
        lock_release(&c->lock); /* another CPU set it meanwhile */
    }
    timerq_insert(&c->queue, &t->node, deadline);
    timer_program(c);
    lock_release(&c->lock);
}

void timer_stop(struct timer *t)
{
    struct timer_cpu *c = &timer_cpus[cpu_id()];
    bool here = atomic_load(&t->queued) == cpu_id() + 1;

    timer_take(t);
    if (here) {
        lock_acquire(&c->lock);
        timer_program(c);
        lock_release(&c->lock);
    }
}

void timer_stop_sync(struct timer *t)
{
    u32 cpu;

    timer_stop(t);
    for (cpu = 0; cpu < cpu_count(); cpu++) {
        while (cpu != cpu_id() && atomic_load_acquire(&timer_cpus[cpu].running) == t) {
            smp_serve_mailbox();
            insn_pause();
        }
    }
    timer_take(t); /* the function may have set it again */
}

void timer_migrate(struct timer *t, u32 cpu)
{
    u32 on = atomic_load(&t->queued);

    ASSERT(cpu == cpu_id());
    if (on != 0 && on != cpu + 1)
        timer_set(t, READ_ONCE(t->node.deadline));
}

void timer_run(void)
{
    u32 cpu = cpu_id();
    struct timer_cpu *c = &timer_cpus[cpu];
    struct timerq_node *n;

    lock_acquire(&c->lock);
    c->alarm = 0; /* it has rung */
    while ((n = timerq_pop_expired(&c->queue, clock_now()))) {
        struct timer *t = CONTAINER_OF(n, struct timer, node);

        /* In this order: who finds it off the queue finds it running (timer_stop_sync). */
        atomic_store_release(&c->running, t);
        atomic_store_release(&t->queued, 0u);
        lock_release(&c->lock);
        t->fn(t->arg);
        atomic_store_release(&c->running, (struct timer *)NULL);
        lock_acquire(&c->lock);
    }
    timer_program(c);
    lock_release(&c->lock);
}

void timer_dump(void)
{
    u64 now = clock_now();
    u32 cpu;

    log_msg(LOG_ERR, "timers at %llu ns", (unsigned long long)now);
    for (cpu = 0; cpu < cpu_count(); cpu++) {
        struct timer_cpu *c = &timer_cpus[cpu];
        const struct timerq_node *n = NULL;
        u32 lines = 0;

        /* A stuck holder must not stop the dump. */
        if (!lock_try(&c->lock)) {
            log_msg(LOG_ERR, "  cpu%u: queue is locked", cpu);
            continue;
        }
        log_msg(LOG_ERR, "  cpu%u: alarm %llu", cpu, (unsigned long long)c->alarm);
        while (lines++ < 64 && (n = timerq_walk(&c->queue, n))) {
            const struct timer *t = CONTAINER_OF(n, const struct timer, node);

            log_msg(LOG_ERR, "    in %lld us: fn %p arg %p", (long long)(n->deadline - now) / 1000,
                    (void *)(u64)t->fn, t->arg);
        }
        lock_release(&c->lock);
    }
}
