/* SPDX-License-Identifier: MIT */
/*
 * The run queue operation by operation: against a model that keeps everything in arrays and looks
 * at all of it each time; and the corners of caps and reservations. What guests get over time is
 * credit_sim_test.c.
 */
#include "host/host.h"
#include "pure/credit_limit.h"

#define UNITS 12
#define MS    1000000ul

static struct credit_group group;
static struct credit_queue queue[2];
static struct credit_unit unit[UNITS];
static u64 now;

static struct model {
    u64 v[UNITS], rest[UNITS], ran[UNITS], seq[UNITS], moved[UNITS];
    u32 weight[UNITS], cpu[UNITS];
    enum credit_state state[UNITS];
    s32 runs[2];
    u64 charged[2], started[2], floor[2], next_seq;
} m;

static void fresh(void)
{
    u32 i;

    memset(&m, 0, sizeof(m));
    credit_group_init(&group);
    now = 5000 * MS;
    for (i = 0; i < 2; i++) {
        credit_queue_init(&queue[i], i);
        m.runs[i] = -1;
        m.floor[i] = queue[i].floor;
    }
    for (i = 0; i < UNITS; i++) {
        credit_unit_init(&unit[i], &group, i & 1, 3);
        m.weight[i] = CREDIT_WEIGHT_DEFAULT;
        m.cpu[i] = i & 1;
    }
}

/* The model. */

static s32 m_first(u32 q)
{
    s32 best = -1, i;

    for (i = 0; i < UNITS; i++)
        if (m.state[i] == CREDIT_WAITING && m.cpu[i] == q &&
            (best < 0 || m.v[i] < m.v[best] || (m.v[i] == m.v[best] && m.seq[i] < m.seq[best])))
            best = i;
    return best;
}

static void m_raise(u32 q)
{
    u64 low = ~(u64)0;
    u32 i;

    for (i = 0; i < UNITS; i++)
        if (m.state[i] != CREDIT_OFF && m.cpu[i] == q)
            low = MIN(low, m.v[i]);
    if (low != ~(u64)0)
        m.floor[q] = MAX(m.floor[q], low);
}

static void m_charge(u32 q)
{
    s32 r = m.runs[q];
    unsigned __int128 x;

    if (r >= 0 && now > m.charged[q]) {
        m.ran[r] += now - m.charged[q];
        x = (unsigned __int128)(now - m.charged[q]) * CREDIT_WEIGHT_DEFAULT + m.rest[r];
        m.v[r] += (u64)(x / m.weight[r]);
        m.rest[r] = (u64)(x % m.weight[r]);
        m.charged[q] = now;
        m_raise(q);
    }
}

static void m_settle(u32 q, u32 i, s64 lag)
{
    lag = MAX(lag, -(s64)CREDIT_BONUS);
    m.v[i] = m.floor[q] + (u64)MIN(lag, (s64)CREDIT_LEAD);
    m.cpu[i] = q;
    m.state[i] = CREDIT_WAITING;
    m.seq[i] = m.next_seq++;
}

static void m_wake(u32 q, u32 i)
{
    m_settle(q, i, m.v[i] ? (s64)(m.v[i] - m.floor[m.cpu[i]]) : 0);
}

static void m_sleep(u32 q, u32 i)
{
    if (m.runs[q] == (s32)i)
        m.runs[q] = -1;
    m.state[i] = CREDIT_OFF;
}

static bool m_preempts(u32 q)
{
    s32 f = m_first(q), r = m.runs[q];

    return f >= 0 && (r < 0 || m.v[r] > m.v[f] + CREDIT_MARGIN);
}

static s32 m_choose(u32 q)
{
    s32 f = m_first(q), r = m.runs[q];

    if (r >= 0) {
        u64 used = now - m.started[q];
        bool over;

        if (f < 0)
            return r;
        over = m.v[r] >= m.v[f] &&
               (used >= CREDIT_SLICE_MAX ||
                (used >= CREDIT_SLICE_MIN &&
                 (m.v[r] - m.v[f] >= CREDIT_SLICE ||
                  (m.v[f] + CREDIT_SLICE - m.v[r]) * m.weight[r] / CREDIT_WEIGHT_DEFAULT == 0)));
        if (m_preempts(q) ? used < CREDIT_RATELIMIT : !over)
            return r;
        m.state[r] = CREDIT_WAITING;
        m.seq[r] = m.next_seq++;
        f = m_first(q);
    }
    m.runs[q] = f;
    if (f >= 0) {
        m.state[f] = CREDIT_RUNNING;
        m.started[q] = m.charged[q] = now;
    }
    return f;
}

static void m_yield(u32 q)
{
    s32 f = m_first(q), r = m.runs[q];

    if (r < 0 || f < 0)
        return;
    m.v[r] = MAX(m.v[r], m.v[f]);
    m.started[q] = m.charged[q] - CREDIT_SLICE_MAX;
    m_raise(q);
}

static void compare(void)
{
    u32 q, i, waiting;
    u64 load;

    for (i = 0; i < UNITS; i++) {
        CHECK_EQ(unit[i].state, m.state[i]);
        CHECK_EQ(unit[i].vtime, m.v[i]);
        CHECK_EQ(unit[i].ran, m.ran[i]);
        CHECK_EQ(unit[i].cpu, m.cpu[i]);
    }
    for (q = 0; q < 2; q++) {
        CHECK(credit_audit(&queue[q]));
        CHECK_EQ(queue[q].floor, m.floor[q]);
        for (i = waiting = 0, load = 0; i < UNITS; i++) {
            if (m.state[i] == CREDIT_OFF || m.cpu[i] != q)
                continue;
            waiting += m.state[i] == CREDIT_WAITING;
            load += m.weight[i];
        }
        CHECK_EQ(queue[q].waiting, waiting);
        CHECK_EQ(queue[q].load, load);
        CHECK(queue[q].running == (m.runs[q] < 0 ? NULL : &unit[m.runs[q]]));
        CHECK(queue[q].first == (m_first(q) < 0 ? NULL : &unit[m_first(q)]));
        CHECK_EQ(credit_preempts(&queue[q]), m_preempts(q));
    }
}

static void charge(u32 q)
{
    credit_charge(&queue[q], now);
    m_charge(q);
}

static void random_operation(void)
{
    static const u16 weights[] = {1, 64, 255, 256, 257, 1024, 65535};
    u32 i = (u32)host_rand_below(UNITS), q = m.cpu[i], to = (u32)host_rand_below(2);
    struct credit_unit *u = &unit[i];
    u16 w;

    charge(0);
    charge(1);
    switch (host_rand_below(8)) {
    case 0:
    case 1:
        if (m.state[i] != CREDIT_OFF)
            break;
        credit_wake(&queue[to], u, &queue[q], now);
        m_wake(to, i);
        break;
    case 2:
        if (m.state[i] == CREDIT_OFF)
            break;
        credit_sleep(&queue[q], u);
        m_sleep(q, i);
        break;
    case 3:
        w = weights[host_rand_below(ARRAY_SIZE(weights))];
        credit_set_weight(&queue[q], u, w, now);
        m.weight[i] = w;
        m.rest[i] = 0;
        break;
    case 4:
        credit_yield(&queue[to]);
        m_yield(to);
        break;
    case 5:
        if (m.state[i] != CREDIT_WAITING || to == q)
            break;
        credit_move(&queue[q], &queue[to], u, now);
        m_settle(to, i, (s64)(m.v[i] - m.floor[q]));
        break;
    default:
        u = credit_choose(&queue[to], now);
        CHECK(u == (m_choose(to) < 0 ? NULL : &unit[m.runs[to]]));
        break;
    }
}

TEST(random_operations)
{
    u32 round, i;

    for (round = 0; round < 40; round++) {
        fresh();
        for (i = 0; i < 1500; i++) {
            now += host_rand_below(4) ? host_rand_below(2 * MS) : host_rand_below(100 * MS);
            random_operation();
            compare();
        }
    }
}

/* The slice is how long the choice stands: not a moment shorter, and then it is over. */
TEST(slice_is_when_the_choice_ends)
{
    struct credit_unit *u;
    u64 slice;
    u32 i;

    for (i = 0; i < 2000; i++) {
        fresh();
        credit_set_weight(&queue[0], &unit[0], (u16)(1 + host_rand_below(65535)), now);
        credit_wake(&queue[0], &unit[0], &queue[0], now);
        u = credit_choose(&queue[0], now);
        CHECK(u == &unit[0]);
        CHECK_EQ(credit_slice(&queue[0], now), 0); /* nobody waits */
        now += host_rand_below(3 * MS);
        credit_charge(&queue[0], now);
        credit_wake(&queue[0], &unit[2], &queue[0], now);
        if (credit_preempts(&queue[0]))
            continue;
        slice = credit_slice(&queue[0], now);
        CHECK(slice > 0 && slice <= CREDIT_SLICE_MAX);
        now += slice - 1;
        credit_charge(&queue[0], now);
        if (!credit_preempts(&queue[0]))
            CHECK(credit_choose(&queue[0], now) == &unit[0]);
        now += 1 + CREDIT_SLICE_MIN; /* rounding of virtual time */
        credit_charge(&queue[0], now);
        if (queue[0].first->vtime + CREDIT_SLICE <= unit[0].vtime)
            CHECK(credit_choose(&queue[0], now) == &unit[2]);
    }
}

TEST(sleeping_earns_little)
{
    fresh();
    credit_wake(&queue[0], &unit[0], &queue[0], now);
    credit_wake(&queue[0], &unit[2], &queue[0], now);
    (void)credit_choose(&queue[0], now);
    credit_sleep(&queue[0], &unit[2]);
    now += 60000 * MS;
    credit_charge(&queue[0], now);
    credit_wake(&queue[0], &unit[2], &queue[0], now);
    CHECK_EQ(queue[0].floor - unit[2].vtime, CREDIT_BONUS);
    CHECK(credit_preempts(&queue[0]));
}

TEST(place_steal_push)
{
    const struct credit_queue *const queues[2] = {&queue[0], &queue[1]};
    u32 i, to = 9;

    fresh();
    CHECK_EQ(credit_place(&unit[0], 3, 3, queues), 0); /* its own, idle */
    CHECK_EQ(credit_place(&unit[0], 3, 2, queues), 1);
    unit[0].soft = 2;
    CHECK_EQ(credit_place(&unit[0], 3, 3, queues), 1); /* where it should be */
    unit[0].hard = 1;
    CHECK_EQ(credit_place(&unit[0], 3, 2, queues), 0); /* never where it may not */
    unit[0].hard = 4;
    CHECK(credit_place(&unit[0], 3, 0, queues) < 2); /* its CPU is gone: anywhere */
    for (i = 0; i < 4; i++)
        credit_wake(&queue[0], &unit[i], &queue[0], now);
    (void)credit_choose(&queue[0], now);
    CHECK_EQ(credit_place(&unit[5], 3, 0, queues), 1); /* less loaded */
    unit[1].busy = true;
    unit[2].hard = 1;
    CHECK(credit_steal(&queue[0], 1) == &unit[3]);
    unit[3].soft = 1;
    CHECK(credit_steal(&queue[0], 1) == &unit[3]); /* better than nothing */
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    unit[3].soft = 4; /* where it may not: no wish that counts */
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[3]);
    unit[3].soft = 3;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[3]);
    CHECK_EQ(to, 1);
    CHECK(credit_push(&queue[0], 1, queues, now, &to) == NULL);
    unit[3].moved_at = now;
    CHECK(credit_push(&queue[0], 3, queues, now + CREDIT_HOT - 1, &to) == NULL);
    CHECK(credit_push(&queue[0], 3, queues, now + CREDIT_HOT, &to) == &unit[3]);
}

/* A less loaded CPU that only a heavy waiter may use, and not even that: the light one goes. */
TEST(who_stays_holds_nobody_up)
{
    struct credit_queue other[2] = {{.cpu = 1, .load = 700}, {.cpu = 2, .load = 600}};
    const struct credit_queue *const queues[3] = {&queue[0], &other[0], &other[1]};
    u32 to = 9;

    fresh();
    unit[2].hard = 3;
    unit[4].hard = 5;
    credit_wake(&queue[0], &unit[0], &queue[0], now);
    (void)credit_choose(&queue[0], now);
    credit_set_weight(&queue[0], &unit[4], 1024, now);
    credit_wake(&queue[0], &unit[4], &queue[0], now);
    credit_wake(&queue[0], &unit[2], &queue[0], now);
    CHECK(credit_push(&queue[0], 7, queues, now, &to) == &unit[2]);
    CHECK_EQ(to, 1);
    other[1].load = 500; /* now it may */
    unit[2].moved_at = 1;
    CHECK(credit_push(&queue[0], 7, queues, now, &to) == &unit[4]);
    CHECK_EQ(to, 2);
}

/* Who has not moved for longest goes: the one that runs has to wait first, and that is soon. */
TEST(taking_turns_elsewhere)
{
    const struct credit_queue *const queues[2] = {&queue[0], &queue[1]};
    u32 to = 9;

    fresh();
    credit_wake(&queue[0], &unit[0], &queue[0], now);
    credit_wake(&queue[0], &unit[2], &queue[0], now);
    credit_wake(&queue[1], &unit[1], &queue[1], now);
    CHECK(credit_choose(&queue[0], now) == &unit[0]);
    unit[2].moved_at = now - CREDIT_HOT;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    CHECK(now - queue[0].balanced >= CREDIT_BALANCE);
    now += CREDIT_SLICE;
    credit_charge(&queue[0], now);
    CHECK(credit_choose(&queue[0], now) == &unit[2]);
    unit[0].busy = true; /* its registers are not saved yet */
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    unit[0].busy = false;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[0]);
    CHECK(now - queue[0].balanced < CREDIT_BALANCE);
    CHECK_EQ(to, 1);
    unit[0].hard = 1; /* it may not: then the other one, when that waits */
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    now += 2 * CREDIT_SLICE;
    credit_charge(&queue[0], now);
    CHECK(credit_choose(&queue[0], now) == &unit[0]);
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[2]);
}

/* But it is not waited for without end; and who was woken for an idle CPU stays there. */
TEST(turns_come_to_an_end)
{
    const struct credit_queue *const queues[2] = {&queue[0], &queue[1]};
    u32 to = 9;

    fresh();
    credit_wake(&queue[0], &unit[2], &queue[0], now);
    unit[2].moved_at = now - CREDIT_HOT;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    credit_wake(&queue[0], &unit[0], &queue[0], now);
    credit_wake(&queue[1], &unit[1], &queue[1], now);
    unit[0].moved_at = now - 2 * CREDIT_HOT;
    unit[2].moved_at = now - CREDIT_HOT;
    CHECK(credit_choose(&queue[0], now) == &unit[2]);
    unit[2].moved_at = now - 3 * CREDIT_HOT;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == NULL);
    now += 3 * CREDIT_SLICE_MAX;
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[0]);
    CHECK(credit_push(&queue[0], 3, queues, now, &to) == &unit[0]);
}

/* However long a turn is that no waker cuts short: this one gives it away. */
TEST(yielding_ends_a_long_turn)
{
    struct credit_queue *q = &queue[0];
    u64 limit;

    for (limit = 0; limit <= 500 * MS; limit += 50 * MS) {
        fresh();
        q->ratelimit = limit;
        credit_wake(q, &unit[0], q, now);
        CHECK(credit_choose(q, now) == &unit[0]);
        credit_wake(q, &unit[2], q, now);
        now += 5 * MS;
        credit_charge(q, now);
        credit_yield(q);
        CHECK(credit_choose(q, now) == &unit[2]);
    }
}

/* Admission. */

TEST(admission)
{
    u32 promised[4] = {900000, 500000, 940000, 0};

    CHECK_EQ(credit_share(0, 0), 0);
    CHECK_EQ(credit_share(10 * MS, 4 * MS), 400000);
    CHECK_EQ(credit_share(3 * MS, 1 * MS), 333334); /* rounded up: never less than promised */
    CHECK_EQ(credit_admit(promised, 0xf, 400000, 1), 1);
    CHECK_EQ(credit_admit(promised, 0xf, 50000, 1), 1);  /* stays where it is */
    CHECK_EQ(credit_admit(promised, 0xf, 500000, 1), 3); /* full: another */
    CHECK_EQ(credit_admit(promised, 0xf, 50000, 2), 0);  /* the fullest that can */
    CHECK_EQ(credit_admit(promised, 0x5, 50001, 0), -1);
    CHECK_EQ(credit_admit(promised, 0, 1, 0), -1);
    CHECK_EQ(credit_admit(promised, 0xf, 950000, 0), 3);
    CHECK_EQ(credit_admit(promised, 0xf, 950001, 0), -1);
}

/* The sum on no CPU passes the limit, and nothing is refused that some CPU could take. */
TEST(admission_at_random)
{
    u32 promised[4] = {0}, share[UNITS] = {0}, i, cpu, n;
    s32 home[UNITS];

    for (n = 0; n < 20000; n++) {
        u64 may = 1 + host_rand_below(15);

        i = (u32)host_rand_below(UNITS);
        if (share[i]) {
            promised[home[i]] -= share[i];
            share[i] = 0;
            continue;
        }
        share[i] = 1 + (u32)host_rand_below(600000);
        home[i] = credit_admit(promised, may, share[i], (u32)host_rand_below(4));
        if (home[i] < 0) {
            for (cpu = 0; cpu < 4; cpu++)
                CHECK(!(may >> cpu & 1) || promised[cpu] + share[i] > CREDIT_SHARE_LIMIT);
            share[i] = 0;
            continue;
        }
        CHECK(may >> home[i] & 1);
        promised[home[i]] += share[i];
        CHECK(promised[home[i]] <= CREDIT_SHARE_LIMIT);
    }
}

/* Caps and reservations, step by step. */

TEST(cap_parks_and_returns)
{
    struct credit_queue *q = &queue[0];
    u64 start;

    fresh();
    start = now;
    credit_group_set_cap(&group, 10, now); /* 1 ms in 10 */
    credit_limit_set(q, &unit[0], 0, 0, true, 0, now);
    credit_wake(q, &unit[0], q, now);
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK_EQ(credit_slice(q, now), 1 * MS); /* though nobody waits */
    now += 1 * MS;
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == NULL);
    CHECK_EQ(unit[0].state, CREDIT_PARKED);
    CHECK(credit_audit(q));
    CHECK_EQ(credit_slice(q, now), 9 * MS);
    now = start + 10 * MS - 1;
    CHECK(credit_choose(q, now) == NULL);
    now++;
    CHECK(credit_choose(q, now) == &unit[0]);
    now += 3 * MS; /* the alarm was late: 2 ms of debt, so one period is skipped and one is cut */
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == NULL);
    now = start + 20 * MS;
    CHECK(credit_choose(q, now) == NULL);
    now = start + 30 * MS;
    CHECK(credit_choose(q, now) == NULL);
    now = start + 40 * MS;
    CHECK(credit_choose(q, now) == &unit[0]);
    credit_sleep(q, &unit[0]);
    CHECK_EQ(unit[0].quota, 0); /* given back */
    CHECK_EQ(group.budget, 1 * MS);
    CHECK(credit_audit(q));
}

TEST(a_parked_unit_may_sleep_and_be_freed)
{
    struct credit_queue *q = &queue[0];

    fresh();
    credit_group_set_cap(&group, 10, now);
    credit_limit_set(q, &unit[0], 0, 0, true, 0, now);
    credit_wake(q, &unit[0], q, now);
    (void)credit_choose(q, now);
    now += 5 * MS;
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == NULL);
    credit_sleep(q, &unit[0]);
    CHECK_EQ(unit[0].state, CREDIT_OFF);
    CHECK_EQ(q->limited, 0);
    CHECK(credit_audit(q));
    credit_wake(q, &unit[0], q, now);
    CHECK(credit_choose(q, now) == NULL); /* sleeping did not help */
    credit_group_set_cap(&group, 0, now);
    credit_limit_set(q, &unit[0], 0, 0, true, 0, now);
    CHECK_EQ(unit[0].state, CREDIT_WAITING);
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK_EQ(q->limited, 0);
    CHECK(credit_audit(q));
}

TEST(earliest_deadline_goes_first)
{
    struct credit_queue *q = &queue[0];
    u32 i;

    fresh();
    for (i = 0; i < 6; i += 2)
        credit_wake(q, &unit[i], q, now);
    credit_limit_set(q, &unit[2], 8 * MS, 2 * MS, true, 0, now);
    credit_limit_set(q, &unit[4], 4 * MS, 1 * MS, true, 0, now);
    CHECK(credit_choose(q, now) == &unit[4]);
    now += 1 * MS;
    credit_charge(q, now);
    CHECK(credit_preempts(q));
    CHECK(credit_choose(q, now) == &unit[2]);
    CHECK_EQ(credit_slice(q, now), 2 * MS); /* its budget; the other's period is over later */
    now += 1500000;
    credit_charge(q, now);
    credit_yield(q); /* for this moment it does not insist */
    CHECK(credit_choose(q, now) != &unit[2]);
    CHECK(credit_audit(q));
}

/* One that runs on extra time is looked at when its period ends: then its budget counts again. */
TEST(extra_time_ends_with_the_period)
{
    struct credit_queue *q = &queue[0];
    u32 i;

    fresh();
    for (i = 0; i < 4; i += 2)
        credit_wake(q, &unit[i], q, now);
    credit_set_weight(q, &unit[0], 10 * CREDIT_WEIGHT_DEFAULT, now);
    credit_limit_set(q, &unit[0], 4 * MS, 1 * MS, true, 0, now);
    CHECK(credit_choose(q, now) == &unit[0]);
    now += 1500000;
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK_EQ(credit_slice(q, now), 2500000);
    now += 3 * MS;
    credit_charge(q, now); /* by somebody else, late */
    CHECK(credit_limit_insists(&unit[0]));
    /* It ran half a millisecond of the new period, and owes a tenth from before. */
    CHECK_EQ(unit[0].left, 400000);
    CHECK_EQ(credit_slice(q, now), 400000);
}

/* Waking with old budget would ask for more than the share: then a new period begins. */
TEST(waking_brings_no_more_than_the_share)
{
    struct credit_queue *q = &queue[0];
    u64 start;

    fresh();
    start = now;
    credit_limit_set(q, &unit[0], 10 * MS, 4 * MS, true, 0, now);
    now = start + 8 * MS; /* all 4 ms are left, 2 ms before the deadline */
    credit_wake(q, &unit[0], q, now);
    CHECK_EQ(unit[0].deadline, start + 18 * MS);
    CHECK_EQ(unit[0].left, 4 * MS);
    (void)credit_choose(q, now);
    now += 3500000;
    credit_charge(q, now);
    credit_sleep(q, &unit[0]);
    credit_wake(q, &unit[0], q, now); /* 0.5 ms in the 6.5 left: within the share */
    CHECK_EQ(unit[0].deadline, start + 18 * MS);
    CHECK_EQ(unit[0].left, 500000);
}

/* Without extra time a late alarm is paid from the next period, as with a cap. */
TEST(reserved_and_no_more)
{
    struct credit_queue *q = &queue[0];
    u64 start;

    fresh();
    start = now;
    credit_limit_set(q, &unit[0], 10 * MS, 2 * MS, false, 0, now);
    credit_wake(q, &unit[0], q, now);
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK_EQ(credit_slice(q, now), 2 * MS);
    now = start + 3 * MS;
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == NULL);
    CHECK_EQ(unit[0].state, CREDIT_PARKED);
    CHECK_EQ(credit_slice(q, now), 7 * MS);
    now = start + 10 * MS;
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK_EQ(credit_slice(q, now), 1 * MS);
    now += 1 * MS;
    credit_charge(q, now);
    CHECK(credit_choose(q, now) == NULL);
    credit_limit_set(q, &unit[0], 10 * MS, 2 * MS, true, 0, now); /* now it may go on */
    CHECK(credit_choose(q, now) == &unit[0]);
    CHECK(credit_audit(q));
}
