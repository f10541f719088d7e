/* SPDX-License-Identifier: MIT */
/*
 * Hypervisor timers: per-CPU deadline queues over pure/timerq.c and the CPU's alarm. Lock
 * RANK_TIMER per CPU inside. Setting, stopping and firing may race on any CPUs: the last to get
 * hold of the timer has its way.
 */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "pure/timerq.h"

struct timer {
    struct timerq_node node;
    void (*fn)(void *arg); /* in the CPU's timer interrupt, no lock held */
    void *arg;
    u32 queued; /* CPU + 1 whose queue it is on; 0: none. Changes under that queue's lock */
};

/* Each CPU before its first alarm. */
void timer_init_cpu(void);
void timer_setup(struct timer *t, void (*fn)(void *), void *arg);
/*
 * Absolute ns; replaces an earlier deadline. The timer goes onto the calling CPU's queue, and so
 * fires here: no other CPU has to be told.
 */
void timer_set(struct timer *t, u64 deadline);
/* Off its queue. Its function may be running on another CPU at this moment. */
void timer_stop(struct timer *t);
/* The same, and waits until the function is over: before the timer's memory goes. No lock held. */
void timer_stop_sync(struct timer *t);
/* A queued timer comes to the calling CPU (`cpu` is the caller's); no effect on others. */
void timer_migrate(struct timer *t, u32 cpu);
/* From the alarm: runs what has expired and sets the next alarm. */
void timer_run(void);
void timer_dump(void);

#endif
