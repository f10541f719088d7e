/* SPDX-License-Identifier: MIT */
/* The vector pool: bounds, reuse as late as possible, exhaustion. */
#include "pure/vector.h"

#include "host/host.h"

TEST(hands_out_each_once)
{
    struct vector_pool p;
    bool seen[256] = {false};
    int i, v;

    vector_init(&p, 0x30, 0xef);
    vector_reserve(&p, 0x80);
    for (i = 0; i < 0xf0 - 0x30 - 1; i++) {
        v = vector_alloc(&p);
        CHECK(v >= 0x30 && v <= 0xef && v != 0x80);
        CHECK(!seen[v]);
        seen[v] = true;
    }
    CHECK_EQ(vector_alloc(&p), -ENOSPC);
    vector_free(&p, 0x55);
    CHECK_EQ(vector_alloc(&p), 0x55);
    CHECK_EQ(vector_alloc(&p), -ENOSPC);
}

TEST(reuses_late)
{
    struct vector_pool p;
    int i;

    vector_init(&p, 0x30, 0x33);
    CHECK_EQ(vector_alloc(&p), 0x30);
    vector_free(&p, 0x30);
    for (i = 0x31; i <= 0x33; i++) {
        CHECK_EQ(vector_alloc(&p), i);
        vector_free(&p, (u8)i);
    }
    CHECK_EQ(vector_alloc(&p), 0x30);
}

TEST(whole_range)
{
    struct vector_pool p;
    int i;

    vector_init(&p, 0, 255);
    for (i = 0; i < 256; i++)
        CHECK_EQ(vector_alloc(&p), i);
    CHECK_EQ(vector_alloc(&p), -ENOSPC);
}

TEST(free_of_a_free_one_is_a_bug)
{
    struct vector_pool p;

    vector_init(&p, 0x30, 0x40);
    CHECK_BUG(vector_free(&p, 0x30));
}
