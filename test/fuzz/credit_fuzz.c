/* SPDX-License-Identifier: MIT */
/*
 * Bytes as the life of a toy machine: tasks that spin, sleep and dodge, weights, caps,
 * reservations and affinities that change, time that passes. The queues are audited at every
 * choice; at the end everybody spins, and what is promised must be kept.
 */
#include "host/toy_sched.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

static const u8 *in;
static size_t left;

static u32 take(void)
{
    if (!left)
        return 0;
    left--;
    return *in++;
}

static void one(void)
{
    u32 op = take(), a = take();
    struct toy_task *t = toy_tasks ? &toy_task[a % toy_tasks] : NULL;
    u64 period, budget;

    if (op == 0xf8 && toy_tasks < 12) {
        (void)toy_spinner((u16)(1 + a));
        return;
    }
    if (!t || (op % 8 == 0 && toy_tasks < 12)) {
        t = toy_add(toy_arg0, toy_arg1, a * 50 * US);
        t->arg[0] = (1 + take()) * 40 * US;
        t->arg[1] = (1 + take()) * 40 * US;
        return;
    }
    switch (op % 8) {
    case 1:
        credit_set_weight(&toy_cpu[t->unit.cpu].queue, &t->unit, (u16)(1 + take() * take()),
                          toy_now);
        break;
    case 2:
        toy_set_cap(t, take() % 120);
        break;
    case 3:
        period = (1 + take() % 20) * MS;
        budget = period * (1 + take() % 100) / 100;
        (void)!toy_reserve(t, op & 0x80 ? 0 : period, op & 0x80 ? 0 : budget, !(op & 0x40));
        break;
    case 4:
        if (!t->unit.period)
            t->unit.soft = 1 + take();
        break;
    case 5:
        toy_cpu[a % toy_cpus].queue.ratelimit = take() * 10 * US;
        break;
    case 6: /* all of its life as one group with the first */
        if (t->unit.state == CREDIT_OFF && !t->unit.limited && !toy_task[0].unit.limited)
            t->unit.group = &toy_task[0].own;
        break;
    default:
        toy_run((1 + take()) * 100 * US);
        break;
    }
}

static void promises_are_kept(void)
{
    u64 share[TOY_TASKS], want;
    u32 i;

    for (i = 0; i < toy_cpus; i++)
        toy_cpu[i].queue.ratelimit = 0;
    for (i = 0; i < toy_tasks; i++)
        toy_task[i].burst = toy_forever;
    toy_run(100 * MS);
    /* What was kept for them is gone: from here on the average counts. */
    for (i = 0; i < toy_tasks; i++)
        if (toy_task[i].unit.group->cap)
            toy_set_cap(&toy_task[i], toy_task[i].unit.group->cap);
    toy_measure(500 * MS, share);
    for (i = 0; i < toy_tasks; i++) {
        struct credit_unit *u = &toy_task[i].unit;
        u32 cap = u->group->cap;

        want = credit_share(u->period, u->budget) / 100;
        if (!cap && share[i] + 200 < want)
            FAIL("task %u: %llu of %llu reserved", i, (unsigned long long)share[i],
                 (unsigned long long)want);
        if (cap && share[i] > cap * 100u + 300)
            FAIL("task %u: %llu with a cap of %u00", i, (unsigned long long)share[i], cap);
        if (u->period && !u->extra && share[i] > want + 300)
            FAIL("task %u: %llu, at most %llu", i, (unsigned long long)share[i],
                 (unsigned long long)want);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    unsigned int ops = 0;

    in = data;
    left = n;
    host_reset();
    toy_init(1 + take() % 3);
    while (left && ops++ < 100)
        one();
    promises_are_kept();
    return 0;
}
