/* SPDX-License-Identifier: MIT */
/*
 * What guests get from the scheduler, in virtual time on the toy machine of host/toy_sched.h:
 * shares by weight, caps, reservations, no gain for those who hide from ticks, quick wake-ups.
 * Shares are in hundredths of a percent of one CPU.
 */
#include <stdlib.h>

#include "host/toy_sched.h"

static u64 share[TOY_TASKS];

static void near(u64 got, u64 want, u64 off, const char *what)
{
    if (got > want + off || got + off < want)
        FAIL("%s: %llu.%02llu %%, want %llu.%02llu %% within %llu.%02llu", what,
             (unsigned long long)got / 100, (unsigned long long)got % 100,
             (unsigned long long)want / 100, (unsigned long long)want % 100,
             (unsigned long long)off / 100, (unsigned long long)off % 100);
}

/* 0 to 1000 per mille of a task's wake-up latencies, us. */
static int by_value(const void *a, const void *b)
{
    return (*(const u32 *)a > *(const u32 *)b) - (*(const u32 *)a < *(const u32 *)b);
}

static u32 latency(struct toy_task *t, u32 per_mille)
{
    CHECK(t->lates >= 100);
    qsort(t->late, t->lates, sizeof(t->late[0]), by_value);
    return t->late[MIN((u64)t->lates * per_mille / 1000, (u64)t->lates - 1)];
}

/* The policy's account is the machine's: every ns a task had the processor, nothing else. */
static void accounts_agree(void)
{
    u64 sum = 0, switches = 0;
    u32 i;

    for (i = 0; i < toy_tasks; i++) {
        const struct toy_task *t = &toy_task[i];

        CHECK(t->unit.ran >= t->progress);
        sum += t->unit.ran;
    }
    for (i = 0; i < toy_cpus; i++)
        switches += toy_cpu[i].switches;
    for (i = 0; i < toy_tasks; i++)
        sum -= toy_task[i].progress;
    if (sum > switches * TOY_SWITCH)
        FAIL("accounted for %llu ns more than were worked", (unsigned long long)sum);
}

TEST(weights_one_two_four)
{
    u32 i;

    toy_init(1);
    for (i = 0; i < 3; i++)
        toy_spinner((u16)(128u << i));
    toy_run(1 * SEC);
    toy_measure(30 * SEC, share);
    near(share[0], 1428, 14, "weight 1 of 7");
    near(share[1], 2857, 28, "weight 2 of 7");
    near(share[2], 5714, 57, "weight 4 of 7");
    accounts_agree();
}

TEST(weights_at_the_ends)
{
    toy_init(1);
    toy_spinner(1);
    toy_spinner(65535);
    toy_spinner(65535);
    toy_measure(60 * SEC, share);
    near(share[1], 4999, 60, "weight 65535");
    near(share[2], 4999, 60, "weight 65535");
    CHECK(toy_task[0].progress > 0);
    accounts_agree();
}

static void cap_alone(u32 cap)
{
    toy_init(1);
    toy_spinner(256);
    toy_set_cap(&toy_task[0], cap);
    toy_measure(10 * SEC, share);
    near(share[0], cap * 100u, 30, "a cap on an idle CPU");
    CHECK(toy_cpu[0].idle > 9 * SEC * (100 - cap) / 100);
}

TEST(caps_on_an_idle_cpu)
{
    cap_alone(1);
    cap_alone(10);
    cap_alone(25);
    cap_alone(50);
    cap_alone(99);
}

TEST(caps_beside_spinners)
{
    static const u32 caps[3] = {10, 25, 50};
    u32 i;

    for (i = 0; i < 3; i++) {
        toy_init(1);
        toy_spinner(256);
        toy_spinner(256);
        toy_task[0].unit.weight = 2560; /* entitled to 10 of 11 */
        toy_set_cap(&toy_task[0], caps[i]);
        toy_run(1 * SEC);
        toy_measure(20 * SEC, share);
        near(share[0], caps[i] * 100u, 50, "the cap");
        near(share[1], 10000 - caps[i] * 100u, 100, "the rest");
        accounts_agree();
    }
}

/* Several caps on one CPU, each reached wherever in time the others' periods begin. */
static void caps_together(bool busy)
{
    static const u32 caps[3] = {10, 25, 50};
    u32 i, round;

    for (round = 0; round < 20; round++) {
        toy_init(1);
        for (i = 0; i < 3; i++) {
            toy_spinner(256);
            toy_run(host_rand_below(20 * MS));
            toy_set_cap(&toy_task[i], caps[i]);
        }
        if (busy) {
            toy_add(toy_arg0, toy_arg1, 0)->arg[0] = 40 * MS;
            toy_task[3].arg[1] = 460 * MS;
            toy_task[3].unit.weight = 16384;
        }
        toy_run(1 * SEC);
        toy_measure(20 * SEC, share);
        for (i = 0; i < 3; i++)
            near(share[i], caps[i] * 100u, 50, "one of three caps");
        accounts_agree();
    }
}

TEST(caps_with_time_to_spare)
{
    caps_together(false);
}

/* What a guest could not use because of a heavier one's bursts is not lost: the rest suffices. */
TEST(caps_beside_bursts)
{
    caps_together(true);
}

/* But who did not want it does not save it up. */
TEST(cap_is_not_saved_up)
{
    struct toy_task *t;

    toy_init(1);
    t = toy_add(toy_arg0, toy_arg1, 0);
    toy_set_cap(t, 20);
    t->arg[0] = 100 * MS;
    t->arg[1] = 1 * SEC;
    toy_run(1); /* it has begun: 2 ms in each 10 ms, and at most a period's and a chunk more */
    toy_measure(100 * MS, share);
    near(share[0], 2000, 310, "at first");
    toy_run(5 * SEC);
    while (t->unit.state != CREDIT_OFF)
        toy_run(1 * MS);
    toy_run(t->wake_at - toy_now);
    toy_measure(100 * MS, share);
    near(share[0], 2000, 310, "after a long sleep");
}

TEST(cap_of_several_vcpus)
{
    u32 i;

    toy_init(2);
    for (i = 0; i < 3; i++) {
        toy_spinner(256);
        toy_task[i].unit.group = &toy_task[0].own;
    }
    toy_set_cap(&toy_task[0], 130);
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[0] + share[1] + share[2], 13000, 100, "130 % for three vCPUs on two CPUs");
    toy_set_cap(&toy_task[0], 0);
    toy_measure(20 * SEC, share);
    near(share[0] + share[1] + share[2], 20000, 50, "without a cap");
}

TEST(cap_is_changed_while_it_runs)
{
    static const u32 caps[] = {20, 60, 5, 0, 33};
    u32 i;

    toy_init(1);
    toy_spinner(256);
    for (i = 0; i < ARRAY_SIZE(caps); i++) {
        toy_set_cap(&toy_task[0], caps[i]);
        toy_run(20 * MS);
        toy_measure(5 * SEC, share);
        near(share[0], caps[i] ? caps[i] * 100u : 10000, 40, "the cap of now");
    }
}

/* Computes nearly a tick of 10 ms or 1 ms and is never there when it rings. */
static u64 dodge_burst(struct toy_task *t)
{
    return t->arg[0] - 100 * US - toy_now % t->arg[0] % (t->arg[0] / 2);
}

static u64 dodge_pause(struct toy_task *t)
{
    return t->arg[0] - toy_now % t->arg[0] + 50 * US;
}

TEST(tick_dodgers_gain_nothing)
{
    static const u64 ticks[] = {1 * MS, 4 * MS, 10 * MS, 30 * MS};
    u32 i, n, others;

    for (others = 1; others <= 4; others += 3) {
        for (n = 0; n < ARRAY_SIZE(ticks); n++) {
            struct toy_task *dodger;

            toy_init(1);
            for (i = 0; i < others; i++)
                toy_spinner(256);
            dodger = toy_add(dodge_burst, dodge_pause, 0);
            dodger->arg[0] = ticks[n];
            toy_run(1 * SEC);
            toy_measure(20 * SEC, share);
            if (share[others] > 10000 / (others + 1) + 100)
                FAIL("a dodger of %llu us gets %llu.%02llu %% beside %u",
                     (unsigned long long)(ticks[n] / US), (unsigned long long)share[others] / 100,
                     (unsigned long long)share[others] % 100, others);
            accounts_agree();
        }
    }
}

TEST(a_capped_dodger_keeps_the_cap)
{
    struct toy_task *t;

    toy_init(1);
    t = toy_add(dodge_burst, dodge_pause, 0);
    t->arg[0] = 2 * MS;
    toy_set_cap(t, 25);
    toy_measure(20 * SEC, share);
    if (share[0] > 2600)
        FAIL("%llu.%02llu %% with a cap of 25 %%", (unsigned long long)share[0] / 100,
             (unsigned long long)share[0] % 100);
    CHECK(share[0] > 2000);
}

static void reserved_beside_spinners(u64 period, u64 budget, u32 spinners)
{
    u64 want = budget * 10000 / period;
    u32 i;

    toy_init(1);
    toy_spinner(256);
    for (i = 0; i < spinners; i++)
        toy_spinner(256);
    CHECK(toy_reserve(&toy_task[0], period, budget, true));
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    if (share[0] + 20 < want)
        FAIL("%llu.%02llu %% of %llu.%02llu %% reserved", (unsigned long long)share[0] / 100,
             (unsigned long long)share[0] % 100, (unsigned long long)want / 100,
             (unsigned long long)want % 100);
    near(share[1], (10000 - share[0]) / spinners, 60, "the others share the rest");
    accounts_agree();
}

TEST(reservation_beside_eight_spinners)
{
    reserved_beside_spinners(10 * MS, 4 * MS, 8);
    reserved_beside_spinners(10 * MS, 9 * MS, 8);
    reserved_beside_spinners(1 * MS, 300 * US, 8);
    reserved_beside_spinners(5 * MS, 1 * MS, 3);
}

/* It is a minimum: more by weight is not taken away. */
TEST(reservation_is_no_cap)
{
    toy_init(1);
    toy_spinner(256);
    toy_spinner(256);
    CHECK(toy_reserve(&toy_task[0], 10 * MS, 2 * MS, true));
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[0], 5000, 100, "20 % reserved, half by weight");
    CHECK(toy_reserve(&toy_task[0], 10 * MS, 2 * MS, false)); /* without extra time */
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[0], 2000, 50, "20 % and no more");
    CHECK(toy_reserve(&toy_task[0], 0, 0, true));
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[0], 5000, 100, "taken back");
}

/* Each gets its own, at the fullest that is admitted, whatever the weights. */
TEST(reservations_fill_a_cpu)
{
    u32 i;

    toy_init(1);
    for (i = 0; i < 4; i++)
        toy_spinner((u16)(1u << (4 * i)));
    toy_spinner(65535);
    CHECK(toy_reserve(&toy_task[0], 10 * MS, 3 * MS, true));
    CHECK(toy_reserve(&toy_task[1], 4 * MS, 1 * MS, true));
    CHECK(toy_reserve(&toy_task[2], 7 * MS, 2 * MS, true));
    CHECK(!toy_reserve(&toy_task[3], 10 * MS, 2 * MS, true)); /* 30 + 25 + 28.6 + 20 */
    CHECK(toy_reserve(&toy_task[3], 10 * MS, 1 * MS, true));
    CHECK(!toy_reserve(&toy_task[0], 10 * MS, 5 * MS, true)); /* the old one stays */
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    CHECK(share[0] >= 2980);
    CHECK(share[1] >= 2480);
    CHECK(share[2] >= 2835);
    CHECK(share[3] >= 980);
    CHECK(share[4] >= 300);
    accounts_agree();
}

static u64 random_burst(struct toy_task *t)
{
    return 10 * US + host_rand_below(t->arg[0]);
}

static u64 random_pause(struct toy_task *t)
{
    return 10 * US + host_rand_below(t->arg[1]);
}

/* One that wakes and sleeps at random has its share of the time it asks for, too. */
TEST(reservation_of_one_that_sleeps)
{
    u32 i;

    toy_init(1);
    toy_add(random_burst, random_pause, 0)->arg[0] = 3 * MS;
    toy_task[0].arg[1] = 7 * MS; /* wants 30 % */
    for (i = 0; i < 8; i++)
        toy_spinner(1024);
    CHECK(toy_reserve(&toy_task[0], 10 * MS, 4 * MS, true));
    toy_run(1 * SEC);
    toy_measure(30 * SEC, share);
    CHECK(share[0] > 2700);
    CHECK(latency(&toy_task[0], 990) <= 1000);
}

/* One computes 700 us and sleeps 40, beside six ten times as heavy; it has `budget` in 1 ms. */
static void busy_sleeper(u64 budget)
{
    u32 i;

    toy_init(1);
    toy_cpu[0].queue.ratelimit = CREDIT_RATELIMIT;
    toy_add(toy_arg0, toy_arg1, 0)->arg[0] = 700 * US;
    toy_task[0].arg[1] = 40 * US;
    for (i = 0; i < 6; i++)
        toy_spinner(2560);
    CHECK(toy_reserve(&toy_task[0], 1 * MS, budget, true));
    toy_run(1 * SEC);
    toy_measure(10 * SEC, share);
}

/* Nor does it wait in a long line for a period that begins after it woke with nothing left. */
TEST(reservation_of_one_that_sleeps_with_nothing_left)
{
    busy_sleeper(700 * US);
    CHECK(share[0] > 6850);
}

/* A turn that began by a promise is not protected beyond it. */
TEST(what_was_promised_and_a_fair_share_no_more)
{
    busy_sleeper(200 * US);
    near(share[0], 2000, 250, "a fifth, and little by weight");
}

TEST(reservations_on_several_cpus)
{
    u32 i;

    toy_init(4);
    for (i = 0; i < 16; i++)
        toy_spinner(256);
    for (i = 0; i < 4; i++)
        CHECK(toy_reserve(&toy_task[i], 10 * MS, 6 * MS, true));
    CHECK(!toy_reserve(&toy_task[4], 10 * MS, 4 * MS, true));
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    for (i = 0; i < 4; i++)
        if (share[i] < 5950)
            FAIL("%u: %llu of 6000", i, (unsigned long long)share[i]);
    accounts_agree();
}

/* A mostly idle guest beside four spinners on one CPU. */
TEST(wake_up_beside_spinners)
{
    struct toy_task *t;
    u32 i, n;

    for (n = 1; n <= 4; n += 3) {
        toy_init(1);
        for (i = 0; i < n; i++)
            toy_spinner(256);
        t = toy_add(random_burst, random_pause, 0);
        t->arg[0] = 200 * US;
        t->arg[1] = 20 * MS;
        toy_run(60 * SEC);
        CHECK(t->lates > 4000);
        CHECK(latency(t, 990) <= 1000);
        CHECK(latency(t, 999) <= 1000);
    }
}

/* The same with three such guests, a capped one and a reservation beside them. */
TEST(wake_up_in_company)
{
    u32 i;

    toy_init(1);
    for (i = 0; i < 3; i++) {
        toy_add(random_burst, random_pause, 0)->arg[0] = 200 * US;
        toy_task[i].arg[1] = 30 * MS;
    }
    for (i = 0; i < 4; i++)
        toy_spinner(256);
    toy_set_cap(&toy_task[3], 20);
    CHECK(toy_reserve(&toy_task[4], 1 * MS, 300 * US, true));
    toy_run(60 * SEC);
    for (i = 0; i < 3; i++)
        CHECK(latency(&toy_task[i], 990) <= 1000);
}

TEST(rate_limit_delays_wakers)
{
    struct toy_task *t;

    toy_init(1);
    toy_spinner(256);
    t = toy_add(toy_arg0, toy_arg1, 0);
    t->arg[0] = 20 * US;
    t->arg[1] = 200 * US;
    toy_cpu[0].queue.ratelimit = 0;
    toy_run(5 * SEC);
    CHECK(latency(t, 500) < 20);
    toy_cpu[0].queue.ratelimit = 1 * MS;
    t->lates = 0;
    toy_run(5 * SEC);
    CHECK(latency(t, 500) >= 700);
    CHECK(latency(t, 1000) <= 1100);
}

/* Promises of a millisecond are kept beside turns of several. */
TEST(rate_limit_does_not_delay_reservations)
{
    toy_init(1);
    toy_cpu[0].queue.ratelimit = 5 * MS;
    toy_spinner(256);
    toy_spinner(256);
    CHECK(toy_reserve(&toy_task[0], 1 * MS, 400 * US, false));
    toy_run(1 * SEC);
    toy_measure(30 * SEC, share);
    near(share[0], 4000, 10, "reserved");
}

/* Three spinners that may use the first two CPUs, others there or not. */
static void three_share_two(u32 cpus, u64 soft)
{
    u32 i;

    toy_init(cpus);
    for (i = 0; i < 3; i++) {
        struct credit_unit *u = &toy_spinner(256)->unit;

        u->cpu = i & 1;
        u->hard = 3;
        u->soft = soft;
    }
    toy_run(2 * SEC);
    toy_measure(30 * SEC, share);
    for (i = 0; i < 3; i++)
        near(share[i], 6666, 300, "a third of two CPUs");
    near(share[0] + share[1] + share[2], 20000, 20, "no CPU idles");
}

TEST(three_share_two_cpus)
{
    three_share_two(2, 3);
}

/* Idle CPUs that none of them may use are nobody's least loaded ones. */
TEST(three_share_two_of_four_cpus)
{
    three_share_two(4, ~(u64)0);
}

/* They should be where they may not: as if they wished nothing. */
TEST(three_with_a_wish_that_cannot_be)
{
    three_share_two(4, 12);
}

/*
 * One of three on two CPUs is never in line when somebody looks: it parks by its cap, or sleeps. It
 * does not keep the one beside it from its share.
 */
TEST(who_never_waits_holds_nobody_up)
{
    u32 sleeps, i;

    for (sleeps = 0; sleeps < 2; sleeps++) {
        toy_init(2);
        if (sleeps) {
            toy_add(toy_arg0, toy_arg1, 0)->arg[0] = 1 * MS;
            toy_task[0].arg[1] = 2 * MS;
        } else {
            toy_set_cap(toy_spinner(256), 40);
        }
        for (i = 1; i < 3; i++)
            toy_spinner(256)->unit.cpu = i & 1;
        toy_run(2 * SEC);
        toy_measure(30 * SEC, share);
        near(share[1], sleeps ? 8333 : 8000, 500, "of what is left, a half");
        near(share[2], sleeps ? 8333 : 8000, 500, "and the other");
    }
}

/* What a reservation's owner ran while nobody waited is not taken from its promise. */
TEST(time_alone_is_not_owed)
{
    toy_init(1);
    CHECK(toy_reserve(toy_spinner(1), 10 * MS, 5 * MS, true));
    toy_run(1 * SEC);
    (void)toy_spinner(256);
    toy_run(20 * MS);
    toy_measure(500 * MS, share);
    near(share[0], 5000, 150, "the promised half");
}

TEST(beside_a_parked_one_it_goes_home)
{
    struct toy_task *t;

    /* CPU 1 has a reservation of 64 % and nothing more: it is parked for 36 % of the time. */
    toy_init(2);
    (void)toy_spinner(256);
    t = toy_spinner(256);
    t->unit.hard = 2;
    CHECK(toy_reserve(t, 5 * MS, 3200 * US, false));
    /* CPU 0 promised 61 %; its owner waits for more there, and is fetched when CPU 1 is idle. */
    toy_task[0].unit.hard = 1;
    CHECK(toy_reserve(toy_spinner(1), 20 * MS, 12200 * US, true));
    toy_run(100 * MS);
    toy_measure(500 * MS, share);
    near(share[1], 6400, 150, "the one on CPU 1");
    CHECK(share[2] > 6000);
}

/* A period that begins while its owner runs on extra time is used from then on, seen or not. */
TEST(extra_time_is_not_on_top_of_the_next_period)
{
    toy_init(1);
    CHECK(toy_reserve(toy_spinner(256), 6 * MS, 4500 * US, true));
    CHECK(toy_reserve(toy_spinner(1), 9 * MS, 1350 * US, true));
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[0], 8500, 50, "three quarters, and what is left");
    near(share[1], 1500, 50, "beside one with extra time");
}

/* Nor does one that ran alone for long lose a whole period by it. */
TEST(running_alone_costs_no_period)
{
    toy_init(1);
    CHECK(toy_reserve(toy_spinner(1), 1 * MS, 660 * US, true));
    toy_add(toy_arg0, toy_arg1, 0)->arg[0] = 900 * US;
    toy_task[1].arg[1] = 1600 * US;
    toy_run(100 * MS);
    toy_measure(1 * SEC, share);
    CHECK(share[0] > 6600);
}

/* On an idle CPU it would get nothing more, and be in the way of that CPU's promises later. */
TEST(without_extra_time_it_stays_at_home)
{
    struct toy_task *t;

    toy_init(2);
    t = toy_spinner(1);
    t->unit.hard = 1;
    CHECK(toy_reserve(t, 1 * MS, 100 * US, true));
    CHECK(toy_reserve(toy_spinner(256), 5 * MS, 3 * MS, false));
    CHECK(toy_reserve(toy_spinner(1), 5 * MS, 3 * MS, false));
    toy_run(300 * MS);
    toy_measure(1 * SEC, share);
    near(share[1], 6000, 60, "promised on CPU 1");
    near(share[2], 6000, 60, "promised on CPU 0");
}

/* Nor is it sent to an idle one when it wakes: its budget would be gone there, and it away. */
TEST(without_extra_time_it_wakes_at_home)
{
    struct toy_task *t;

    toy_init(2);
    t = toy_spinner(1);
    t->unit.hard = 1;
    CHECK(toy_reserve(t, 1 * MS, 100 * US, true));
    CHECK(toy_reserve(toy_spinner(256), 5 * MS, 3 * MS, false));
    t = toy_add(toy_arg0, toy_arg1, 0);
    t->arg[0] = 500 * US;
    t->arg[1] = 160 * US;
    CHECK(toy_reserve(t, 5 * MS, 3 * MS, false));
    toy_run(300 * MS);
    toy_measure(1 * SEC, share);
    near(share[1], 6000, 60, "promised on CPU 1");
    CHECK(share[2] > 5750);
}

TEST(reservation_beside_one_with_a_lower_cap)
{
    toy_init(1);
    CHECK(toy_reserve(toy_spinner(256), 1 * MS, 640 * US, false));
    CHECK(toy_reserve(toy_spinner(256), 4 * MS, 1160 * US, false));
    toy_set_cap(&toy_task[1], 20);
    toy_run(300 * MS);
    toy_measure(1 * SEC, share);
    near(share[0], 6400, 64, "of 64 % promised");
    near(share[1], 2000, 20, "the cap");
}

/* A turn cannot be shorter than an alarm: what small ones have too much is theirs to pay. */
TEST(many_small_reservations_beside_a_large_one)
{
    u32 i;

    toy_init(1);
    CHECK(toy_reserve(toy_spinner(256), 1 * MS, 900 * US, false));
    for (i = 0; i < 20; i++)
        CHECK(toy_reserve(toy_spinner(1), 1 * MS, 2 * US, true));
    toy_run(300 * MS);
    toy_measure(1 * SEC, share);
    near(share[0], 9000, 50, "of 90 % promised");
}

/* The rate limit protects turns by weight, also of those with a reservation. */
TEST(extra_time_is_not_cut_up_by_wakers)
{
    u64 before;
    u32 i;

    toy_init(1);
    toy_cpu[0].queue.ratelimit = CREDIT_RATELIMIT;
    CHECK(toy_reserve(toy_spinner(256), 10 * MS, 1 * MS, true));
    for (i = 0; i < 3; i++) {
        struct toy_task *t = toy_add(toy_arg0, toy_arg1, 0);

        t->arg[0] = 20 * US;
        t->arg[1] = 300 * US;
    }
    toy_run(300 * MS);
    before = toy_cpu[0].switches;
    toy_measure(1 * SEC, share);
    CHECK(toy_cpu[0].switches - before < 6500);
    CHECK(share[0] > 9000);
}

TEST(idle_costs_nothing)
{
    u64 before;

    toy_init(1);
    toy_add(toy_arg0, toy_arg1, 0)->arg[0] = 1 * MS;
    toy_task[0].arg[1] = 100 * SEC;
    toy_run(1 * SEC);
    CHECK_EQ(toy_cpu[0].alarm, TOY_NEVER);
    before = toy_cpu[0].switches;
    toy_run(50 * SEC);
    CHECK_EQ(toy_cpu[0].switches, before);
}

TEST(affinity_is_kept)
{
    u32 i;

    toy_init(2);
    for (i = 0; i < 4; i++)
        toy_spinner(256)->unit.hard = i < 3 ? 1 : 3;
    toy_run(1 * SEC);
    toy_measure(20 * SEC, share);
    near(share[3], 10000, 50, "alone on the other CPU");
    near(share[0], 3333, 50, "a third");
    for (i = 0; i < 3; i++)
        CHECK_EQ(toy_task[i].unit.cpu, 0);
}
