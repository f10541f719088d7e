/* SPDX-License-Identifier: MIT */
/* The log ring against a flat record of everything ever written. */
#include "pure/conring.h"

#include "host/host.h"

#define SIZE    64u
#define HISTORY 20000u

static char history[HISTORY];

TEST(starts_empty)
{
    char buf[SIZE], dst[SIZE];
    struct conring r;
    u32 idx = 0;

    conring_init(&r, buf, SIZE);
    CHECK_EQ(conring_used(&r), 0);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 0);
    CHECK_EQ(conring_take(&r, dst, SIZE), 0);
    CHECK_EQ(idx, 0);
}

TEST(reads_on_from_an_index)
{
    char buf[SIZE], dst[SIZE];
    struct conring r;
    u32 idx = 0;

    conring_init(&r, buf, SIZE);
    conring_put(&r, "hello", 5);
    CHECK_EQ(conring_read(&r, &idx, dst, 3), 3);
    CHECK_MEM(dst, "hel", 3);
    CHECK_EQ(idx, 3);
    conring_put(&r, "!", 1);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 3);
    CHECK_MEM(dst, "lo!", 3);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 0);
    CHECK_EQ(idx, 6);
    CHECK_EQ(conring_used(&r), 6);
}

TEST(an_index_from_nowhere_means_the_oldest)
{
    char buf[SIZE], dst[SIZE];
    struct conring r;
    u32 idx = 1000;

    conring_init(&r, buf, SIZE);
    conring_put(&r, "abc", 3);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 3);
    CHECK_EQ(idx, 3);
    idx = (u32)-5;
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 3);
    CHECK_EQ(idx, 3);
}

TEST(clear_forgets_but_counts_on)
{
    char buf[SIZE], dst[SIZE];
    struct conring r;
    u32 idx = 0;

    conring_init(&r, buf, SIZE);
    conring_put(&r, "abc", 3);
    conring_clear(&r);
    CHECK_EQ(conring_used(&r), 0);
    conring_put(&r, "de", 2);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), 2);
    CHECK_MEM(dst, "de", 2);
    CHECK_EQ(idx, 5);
}

TEST(more_than_it_holds_leaves_the_tail)
{
    char buf[SIZE], dst[SIZE], big[3 * SIZE + 7];
    struct conring r;
    u32 i, idx = 0;

    for (i = 0; i < sizeof(big); i++)
        big[i] = (char)i;
    conring_init(&r, buf, SIZE);
    conring_put(&r, "x", 1);
    conring_put(&r, big, sizeof(big));
    CHECK_EQ(conring_used(&r), SIZE);
    CHECK_EQ(conring_read(&r, &idx, dst, SIZE), SIZE);
    CHECK_MEM(dst, big + sizeof(big) - SIZE, SIZE);
    CHECK_EQ(idx, sizeof(big) + 1);
}

/* start: where the position count begins, so that its wrap at 2^32 is in the middle of it all. */
static void random_run(u32 start)
{
    char buf[SIZE], dst[2 * SIZE];
    struct conring r;
    u32 written = 0, reader = start, n, i, want, oldest;

    conring_init(&r, buf, SIZE);
    r.prod = r.cons = start;
    while (written < HISTORY - 2 * SIZE) {
        n = (u32)host_rand_below(2 * SIZE);
        for (i = 0; i < n; i++)
            history[written + i] = (char)host_rand();
        conring_put(&r, history + written, n);
        written += n;
        oldest = written > SIZE ? written - SIZE : 0;
        CHECK_EQ(r.prod, start + written);
        CHECK_EQ(conring_used(&r), written - oldest);
        /* A reader that was overtaken goes on at the oldest byte. */
        want = reader - start < oldest ? oldest : reader - start;
        n = (u32)host_rand_below(2 * SIZE);
        i = conring_read(&r, &reader, dst, n);
        CHECK_EQ(i, MIN(n, written - want));
        CHECK_MEM(dst, history + want, i);
        CHECK_EQ(reader, start + want + i);
    }
}

TEST(follows_the_record)
{
    random_run(0);
}

TEST(follows_the_record_across_the_wrap)
{
    random_run((u32)-5000);
}

TEST(works_as_a_queue)
{
    char buf[SIZE], dst[SIZE], byte;
    struct conring r;
    u32 in = 0, out = 0, n, i;

    conring_init(&r, buf, SIZE);
    while (in < 5000) {
        for (n = (u32)host_rand_below(SIZE - conring_used(&r) + 1); n; n--) {
            byte = (char)in++;
            conring_put(&r, &byte, 1);
        }
        n = conring_take(&r, dst, host_rand_below(SIZE));
        for (i = 0; i < n; i++)
            CHECK_EQ(dst[i], (char)out++);
    }
    CHECK_EQ(conring_used(&r), in - out);
}
