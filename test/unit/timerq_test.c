/* SPDX-License-Identifier: MIT */
#include "pure/timerq.h"

#include <stdlib.h>

#include "host/host.h"

#define NODES 200

static void check_audit(const struct timerq *q, u64 want)
{
    u64 count;

    CHECK(timerq_audit(q, &count));
    CHECK_EQ(count, want);
}

TEST(pops_in_order)
{
    struct timerq_node n[NODES] = {{0}}, *got;
    struct timerq q;
    u64 last = 0;
    unsigned int i;

    timerq_init(&q);
    CHECK(!timerq_peek(&q));
    CHECK(!timerq_pop_expired(&q, ~(u64)0));
    for (i = 0; i < NODES; i++)
        timerq_insert(&q, &n[i], host_rand_below(100));
    for (i = 0; i < NODES; i++) {
        check_audit(&q, NODES - i);
        got = timerq_pop_expired(&q, ~(u64)0);
        CHECK(got && got->deadline >= last);
        CHECK(!timerq_queued(got));
        last = got->deadline;
    }
    CHECK(!timerq_peek(&q));
}

TEST(reports_a_new_earliest)
{
    struct timerq_node a = {0}, b = {0}, c = {0};
    struct timerq q;

    timerq_init(&q);
    CHECK(timerq_insert(&q, &a, 10));
    CHECK(!timerq_insert(&q, &b, 20));
    CHECK(timerq_insert(&q, &c, 5));
    CHECK(!timerq_remove(&q, &b));
    CHECK(!timerq_remove(&q, &b));
    CHECK(timerq_remove(&q, &c));
    CHECK(timerq_peek(&q) == &a);
    CHECK(!timerq_pop_expired(&q, 9));
    CHECK(timerq_pop_expired(&q, 10) == &a);
    check_audit(&q, 0);
}

TEST(refuses_a_second_insert)
{
    struct timerq_node a = {0};
    struct timerq q;

    timerq_init(&q);
    timerq_insert(&q, &a, 1);
    CHECK_BUG(timerq_insert(&q, &a, 2));
}

TEST(takes_extreme_deadlines)
{
    struct timerq_node a = {0}, b = {0};
    struct timerq q;

    timerq_init(&q);
    timerq_insert(&q, &a, ~(u64)0);
    timerq_insert(&q, &b, 0);
    CHECK(timerq_pop_expired(&q, 0) == &b);
    CHECK(!timerq_pop_expired(&q, ~(u64)0 - 1));
    CHECK(timerq_pop_expired(&q, ~(u64)0) == &a);
}

TEST(survives_long_chains)
{
    /* Descending inserts make one path, ascending ones a root with many children. */
    enum { MANY = 100000 };
    struct timerq_node *n = calloc(2 * MANY, sizeof(*n));
    struct timerq q;
    u64 i, count;

    timerq_init(&q);
    for (i = 0; i < MANY; i++)
        timerq_insert(&q, &n[i], MANY - i);
    for (i = MANY; i < 2 * MANY; i++)
        timerq_insert(&q, &n[i], i + 1);
    for (i = 1, count = 0; timerq_pop_expired(&q, ~(u64)0); i++)
        count++;
    CHECK_EQ(count, 2 * MANY);
    free(n);
}

/* The model: the deadlines in an array, ~0 - 1 meaning not queued is kept apart. */
struct model {
    u64 deadline[NODES];
    bool queued[NODES];
};

static u64 model_earliest(const struct model *m, u64 *count)
{
    u64 min = ~(u64)0;
    unsigned int i;

    *count = 0;
    for (i = 0; i < NODES; i++) {
        if (!m->queued[i])
            continue;
        min = MIN(min, m->deadline[i]);
        ++*count;
    }
    return min;
}

static void random_step(struct timerq *q, struct timerq_node *n, struct model *m)
{
    u64 i = host_rand_below(NODES), now, count, min = model_earliest(m, &count);
    struct timerq_node *got;

    switch (host_rand_below(4)) {
    case 0:
        now = host_rand_below(1000);
        got = timerq_pop_expired(q, now);
        CHECK_EQ(got != NULL, count && min <= now);
        if (got) {
            CHECK_EQ(got->deadline, min);
            m->queued[got - n] = false;
        }
        break;
    case 1:
        CHECK_EQ(timerq_queued(&n[i]), m->queued[i]);
        timerq_remove(q, &n[i]);
        m->queued[i] = false;
        break;
    default:
        timerq_remove(q, &n[i]);
        m->deadline[i] = host_rand_below(1000);
        m->queued[i] = false;
        min = model_earliest(m, &count);
        CHECK_EQ(timerq_insert(q, &n[i], m->deadline[i]), !count || m->deadline[i] < min);
        m->queued[i] = true;
        break;
    }
}

TEST(agrees_with_the_model)
{
    struct timerq_node n[NODES] = {{0}};
    struct model m = {{0}, {0}};
    struct timerq q;
    unsigned int step;
    u64 count, min;

    timerq_init(&q);
    for (step = 0; step < 20000; step++) {
        random_step(&q, n, &m);
        min = model_earliest(&m, &count);
        CHECK_EQ(timerq_peek(&q) != NULL, count != 0);
        if (count)
            CHECK_EQ(timerq_peek(&q)->deadline, min);
        if (step % 16 == 0)
            check_audit(&q, count);
    }
}
