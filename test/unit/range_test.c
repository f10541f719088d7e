/* SPDX-License-Identifier: MIT */
#include "base/range.h"

#include <stdlib.h>

#include "host/host.h"

#define UNIVERSE 96

/* Storage of the exact size on the heap, so the sanitizer sees a step beyond it. */
static struct range_set new_set(u32 max)
{
    struct range_set s;

    range_init(&s, malloc(max * sizeof(struct range)), max);
    return s;
}

TEST(adds_merge)
{
    struct range_set s = new_set(4);

    CHECK_EQ(range_add(&s, 10, 20), 0);
    CHECK_EQ(range_add(&s, 30, 40), 0);
    CHECK_EQ(s.nr, 2);
    CHECK_EQ(range_add(&s, 20, 30), 0);
    CHECK_EQ(s.nr, 1);
    CHECK_EQ(s.r[0].start, 10);
    CHECK_EQ(s.r[0].end, 40);
    CHECK_EQ(range_add(&s, 50, 50), 0);
    CHECK_EQ(range_add(&s, 51, 50), -EINVAL);
    CHECK_EQ(range_total(&s), 30);
    free(s.r);
}

TEST(removes_split_and_report_missing_slots)
{
    struct range_set s = new_set(2);

    CHECK_EQ(range_add(&s, 0, 100), 0);
    CHECK_EQ(range_remove(&s, 40, 50), 0);
    CHECK_EQ(s.nr, 2);
    CHECK_EQ(range_remove(&s, 10, 20), -ENOSPC);
    CHECK_EQ(range_total(&s), 90);
    CHECK_EQ(range_add(&s, 200, 201), -ENOSPC);
    CHECK_EQ(range_total(&s), 90);
    CHECK_EQ(range_remove(&s, 0, ~(u64)0), 0);
    CHECK_EQ(s.nr, 0);
    CHECK_EQ(range_remove(&s, 3, 2), -EINVAL);
    free(s.r);
}

TEST(contains_at_the_edges)
{
    struct range_set s = new_set(4);

    CHECK(!range_contains(&s, 0, 1));
    CHECK_EQ(range_add(&s, 0x3f8, 0x400), 0);
    CHECK_EQ(range_add(&s, 0x60, 0x61), 0);
    CHECK_EQ(range_add(&s, (u64)1 << 63, ~(u64)0), 0);
    CHECK(range_contains(&s, 0x3f8, 0x400));
    CHECK(range_contains(&s, 0x60, 0x61));
    CHECK(!range_contains(&s, 0x5f, 0x61));
    CHECK(!range_contains(&s, 0x60, 0x62));
    CHECK(!range_contains(&s, 0x400, 0x401));
    CHECK(!range_contains(&s, 0x3f7, 0x3f8));
    CHECK(range_contains(&s, ~(u64)0 - 1, ~(u64)0));
    CHECK(range_contains(&s, 5, 5));
    free(s.r);
}

TEST(claims_aligned_places)
{
    struct range_set s = new_set(8);
    u64 at = 0;

    CHECK_EQ(range_add(&s, 0x1001, 0x8000), 0);
    CHECK_EQ(range_add(&s, 0x10000, 0x12001), 0);
    CHECK_EQ(range_claim_highest(&s, 0x1000, 0x1000, 0, ~(u64)0, &at), 0);
    CHECK_EQ(at, 0x11000);
    CHECK_EQ(range_claim_highest(&s, 0x1000, 0x1000, 0, 0x7fff, &at), 0);
    CHECK_EQ(at, 0x6000);
    CHECK_EQ(range_claim_highest(&s, 0x100000, 1, 0, ~(u64)0, &at), -ENOENT);
    CHECK_EQ(range_claim_highest(&s, 0, 1, 0, ~(u64)0, &at), -EINVAL);
    CHECK_EQ(range_claim_highest(&s, 1, 3, 0, ~(u64)0, &at), -EINVAL);
    CHECK_EQ(range_claim_highest(&s, 1, 0, 0, ~(u64)0, &at), -EINVAL);
    CHECK_EQ(range_claim_highest(&s, 1, 1, 9, 9, &at), -ENOENT);
    CHECK(range_audit(&s));
    free(s.r);
}

TEST(claims_near_the_top_do_not_wrap)
{
    struct range_set s = new_set(2);
    u64 at = 0;

    CHECK_EQ(range_add(&s, ~(u64)0 - 10, ~(u64)0), 0);
    CHECK_EQ(range_claim_highest(&s, 1, 0x1000, 0, ~(u64)0, &at), -ENOENT);
    CHECK_EQ(range_claim_highest(&s, 20, 1, 0, ~(u64)0, &at), -ENOENT);
    CHECK_EQ(range_claim_highest(&s, 10, 1, 0, ~(u64)0, &at), 0);
    CHECK_EQ(at, ~(u64)0 - 10);
    CHECK_EQ(s.nr, 0);
    free(s.r);
}

/* The model: one bool per number. */

static u32 model_runs(const bool *m)
{
    u32 i, runs = 0;

    for (i = 0; i < UNIVERSE; i++)
        runs += m[i] && (i == 0 || !m[i - 1]);
    return runs;
}

static void model_compare(const struct range_set *s, const bool *m)
{
    struct range piece;
    u64 i, from, total = 0;

    CHECK(range_audit(s));
    CHECK_EQ(s->nr, model_runs(m));
    for (i = 0; i < UNIVERSE; i++) {
        CHECK_EQ(range_contains(s, i, i + 1), m[i]);
        total += m[i];
    }
    CHECK_EQ(range_total(s), total);
    for (from = 0; range_next(s, from, &piece); from = piece.end)
        for (i = piece.start; i < piece.end; i++, total--)
            CHECK(m[i]);
    CHECK_EQ(total, 0);
}

static void model_set(bool *m, u64 start, u64 end, bool value)
{
    for (; start < end; start++)
        m[start] = value;
}

static bool model_has(const bool *m, u64 start, u64 end)
{
    for (; start < end; start++)
        if (!m[start])
            return false;
    return true;
}

static void random_change(struct range_set *s, bool *m)
{
    bool add = host_rand() & 1, next[UNIVERSE];
    u64 start = host_rand_below(UNIVERSE), end = start + host_rand_below(12);
    int rc;

    end = MIN(end, (u64)UNIVERSE);
    memcpy(next, m, sizeof(next));
    model_set(next, start, end, add);
    rc = add ? range_add(s, start, end) : range_remove(s, start, end);
    if (model_runs(next) > s->max) {
        CHECK_EQ(rc, -ENOSPC);
    } else {
        CHECK_EQ(rc, 0);
        memcpy(m, next, sizeof(next));
    }
}

static void random_claim(struct range_set *s, bool *m)
{
    u64 size = 1 + host_rand_below(6), align = 1ull << host_rand_below(4), at, want = UNIVERSE;
    u64 low = host_rand_below(UNIVERSE), high = host_rand_below(UNIVERSE + 1), got = 0;
    bool next[UNIVERSE];
    int rc;

    for (at = low; at + size <= high; at++)
        if (at % align == 0 && model_has(m, at, at + size))
            want = at;
    rc = range_claim_highest(s, size, align, low, high, &got);
    if (want == UNIVERSE) {
        CHECK_EQ(rc, -ENOENT);
        return;
    }
    memcpy(next, m, sizeof(next));
    model_set(next, want, want + size, false);
    if (model_runs(next) > s->max) {
        CHECK_EQ(rc, -ENOSPC);
        return;
    }
    CHECK_EQ(rc, 0);
    CHECK_EQ(got, want);
    memcpy(m, next, sizeof(next));
}

TEST(agrees_with_the_model)
{
    unsigned int round, step;

    for (round = 0; round < 60; round++) {
        struct range_set s = new_set(1 + (u32)host_rand_below(12));
        bool m[UNIVERSE] = {false};

        for (step = 0; step < 400; step++) {
            u64 a = host_rand_below(UNIVERSE), b = a + host_rand_below(UNIVERSE - a);

            if (host_rand_below(3))
                random_change(&s, m);
            else
                random_claim(&s, m);
            model_compare(&s, m);
            CHECK_EQ(range_contains(&s, a, b), model_has(m, a, b));
        }
        free(s.r);
    }
}
