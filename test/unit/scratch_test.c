/* SPDX-License-Identifier: MIT */
/* The decompressors' allocator: limits, alignment, reuse in any order of freeing. */
#include "host/host.h"
#include "pure/scratch.h"

static u8 area[4096] ALIGNED(16);
static struct scratch s;

TEST(aligns_and_limits)
{
    u8 *p;

    scratch_init(&s, area + 1, 1000);
    p = scratch_alloc(&s, 5);
    CHECK(p && !((uintptr_t)p & 15));
    CHECK(p >= area + 1 && p + 5 <= area + 1001);
    CHECK(!scratch_alloc(&s, 1000));
    CHECK(!scratch_alloc(&s, SIZE_MAX));
    CHECK(!scratch_alloc(&s, SIZE_MAX - 20));
    CHECK(!scratch_alloc_zeroed(&s, SIZE_MAX / 2, 3));
    CHECK(scratch_alloc(&s, 900));
    CHECK(s.used <= 1000);
    scratch_init(&s, NULL, 0);
    CHECK(!scratch_alloc(&s, 0));
    scratch_free(&s, NULL);
}

TEST(reuses_in_any_order)
{
    void *p[4], *first = NULL;
    unsigned int i, k;

    scratch_init(&s, area, sizeof(area));
    for (k = 0; k < 24; k++) {
        for (i = 0; i < 4; i++) {
            p[i] = scratch_alloc(&s, 900);
            CHECK(p[i]);
            memset(p[i], 0xee, 900);
        }
        first = first ? first : p[0];
        CHECK(p[0] == first);
        CHECK(!scratch_alloc(&s, 900));
        for (i = 0; i < 4; i++)
            scratch_free(&s, p[(i * 3 + k) % 4]);
        CHECK_EQ(s.used, 0);
    }
}

TEST(zeroes)
{
    u8 *p;
    int i;

    memset(area, 0xff, sizeof(area));
    scratch_init(&s, area, sizeof(area));
    p = scratch_alloc_zeroed(&s, 10, 10);
    for (i = 0; i < 100; i++)
        CHECK_EQ(p[i], 0);
}

TEST(stops_on_a_foreign_pointer)
{
    void *p;

    scratch_init(&s, area, sizeof(area));
    p = scratch_alloc(&s, 10);
    CHECK_BUG(scratch_free(&s, area + 2048));
    CHECK_BUG(scratch_free(&s, (u8 *)p - 16));
    scratch_free(&s, p);
    CHECK_BUG(scratch_free(&s, p));
}
