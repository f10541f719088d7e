/* SPDX-License-Identifier: MIT */
/* Windows of the rate limiter. */
#include "pure/ratelimit.h"

#include <pthread.h>

#include "base/atomic.h"
#include "host/host.h"

TEST(a_window_lets_its_limit_pass)
{
    struct ratelimit rl = RATELIMIT_INIT(3, 1000);
    unsigned int i;
    u32 missed;

    for (i = 0; i < 3; i++) {
        CHECK(ratelimit_allow(&rl, 5000 + i, &missed));
        CHECK_EQ(missed, 0);
    }
    for (i = 0; i < 4; i++)
        CHECK(!ratelimit_allow(&rl, 5100 + i, &missed));
    CHECK(!ratelimit_allow(&rl, 5999, &missed));
    CHECK(ratelimit_allow(&rl, 6000, &missed));
    CHECK_EQ(missed, 5);
    CHECK(ratelimit_allow(&rl, 6001, &missed));
    CHECK_EQ(missed, 0);
}

TEST(nothing_missed_is_not_reported)
{
    struct ratelimit rl = RATELIMIT_INIT(3, 1000);
    u32 missed;

    CHECK(ratelimit_allow(&rl, 0, &missed));
    CHECK(ratelimit_allow(&rl, 10, &missed));
    CHECK(ratelimit_allow(&rl, 100000, &missed));
    CHECK_EQ(missed, 0);
}

TEST(works_at_time_zero)
{
    struct ratelimit rl = RATELIMIT_INIT(1, 1000);
    u32 missed;

    CHECK(ratelimit_allow(&rl, 0, &missed));
    CHECK(!ratelimit_allow(&rl, 0, &missed));
    CHECK(!ratelimit_allow(&rl, 1000, &missed));
    CHECK(ratelimit_allow(&rl, 1001, &missed));
    CHECK_EQ(missed, 2);
}

TEST(a_clock_that_lags_opens_no_window)
{
    struct ratelimit rl = RATELIMIT_INIT(1, 1000);
    u32 missed;

    CHECK(ratelimit_allow(&rl, 50000, &missed));
    CHECK(!ratelimit_allow(&rl, 49000, &missed));
    CHECK(!ratelimit_allow(&rl, 10, &missed));
}

TEST(the_count_saturates)
{
    struct ratelimit rl = RATELIMIT_INIT(2, 1000);
    u32 missed;

    CHECK(ratelimit_allow(&rl, 5000, &missed));
    rl.used = ~0u - 1;
    CHECK(!ratelimit_allow(&rl, 5001, &missed));
    CHECK(!ratelimit_allow(&rl, 5002, &missed));
    CHECK(!ratelimit_allow(&rl, 5003, &missed));
    CHECK(ratelimit_allow(&rl, 6000, &missed));
    CHECK_EQ(missed, ~0u - 2);
}

#define THREADS 4
#define EVENTS  20000

static struct ratelimit shared = RATELIMIT_INIT(100, 1000000);
static u32 passed;

static void *storm(void *arg)
{
    unsigned int i;
    u32 missed;

    (void)arg;
    for (i = 0; i < EVENTS; i++)
        if (ratelimit_allow(&shared, 77, &missed))
            atomic_add_return(&passed, 1u);
    return NULL;
}

TEST(cpus_share_one_limit)
{
    pthread_t t[THREADS];
    unsigned int i;

    passed = 0;
    shared.window = 0;
    shared.used = 0;
    for (i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&t[i], NULL, storm, NULL));
    for (i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    /* Those counted while another CPU opens the window are counted again. */
    CHECK(passed >= 100 && passed <= 2 * 100 + THREADS);
}
