/* SPDX-License-Identifier: MIT */
#include "pure/buddy.h"

#include <stdlib.h>

#include "host/host.h"

/* A frame-table entry shaped like the real one: links and word lie behind other fields. */
struct entry {
    u64 count, type;
    u32 owner;
    u32 info;
    struct buddy_link link;
};

struct world {
    struct buddy b;
    struct entry *table;
    u64 *bitmap;
    u64 frames;
};

static struct world *world_new(u64 frames)
{
    struct world *w = calloc(1, sizeof(*w));
    struct buddy_table t = {.stride = sizeof(struct entry),
                            .link_offset = offsetof(struct entry, link),
                            .info_offset = offsetof(struct entry, info)};

    w->frames = frames;
    w->table = malloc(frames * sizeof(struct entry));
    memset(w->table, 0xa5, frames * sizeof(struct entry)); /* whatever was there before */
    w->bitmap = calloc(buddy_bitmap_words(frames), sizeof(u64));
    t.base = w->table;
    buddy_init(&w->b, &t, w->bitmap, frames);
    return w;
}

static void world_free(struct world *w)
{
    free(w->table);
    free(w->bitmap);
    free(w);
}

static void check_audit(const struct world *w)
{
    const char *wrong = buddy_audit(&w->b);

    if (wrong)
        FAIL("audit: %s", wrong);
}

TEST(starts_empty)
{
    struct world *w = world_new(100);
    unsigned int order;
    bool dirty = true;

    CHECK_EQ(buddy_free_count(&w->b), 0);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, 0, &dirty), BUDDY_NONE);
    CHECK(!dirty);
    CHECK_EQ(buddy_take_dirty(&w->b, 9, &order), BUDDY_NONE);
    check_audit(w);
    world_free(w);
}

TEST(a_range_comes_back_as_whole_blocks)
{
    struct world *w = world_new(0x1000);
    bool dirty;

    buddy_add_range(&w->b, 1, 0xfff, false);
    CHECK_EQ(buddy_free_count(&w->b), 0xfff);
    check_audit(w);
    CHECK_EQ(buddy_alloc(&w->b, 11, 0, 0, &dirty), 0x800);
    CHECK_EQ(buddy_alloc(&w->b, 11, 0, 0, &dirty), BUDDY_NONE);
    CHECK_EQ(buddy_alloc(&w->b, 10, 0, 0, &dirty), 0x400);
    buddy_free(&w->b, 0x800, 11, false);
    /* Parts may come back singly, in any order, and still join. */
    for (u64 f = 0x400; f < 0x800; f += 2)
        buddy_free(&w->b, f, 0, false);
    for (u64 f = 0x401; f < 0x800; f += 2)
        buddy_free(&w->b, f, 0, false);
    check_audit(w);
    CHECK_EQ(buddy_alloc(&w->b, 10, 0, 0, &dirty), 0x800);
    CHECK_EQ(buddy_alloc(&w->b, 10, 0, 0, &dirty), 0xc00);
    CHECK_EQ(buddy_alloc(&w->b, 10, 0, 0, &dirty), 0x400);
    check_audit(w);
    world_free(w);
}

TEST(takes_high_memory_first_and_obeys_width)
{
    struct world *w = world_new(0x4000);
    bool dirty;
    u64 f;

    buddy_add_range(&w->b, 0, 0x4000, false); /* 64 MiB */
    f = buddy_alloc(&w->b, 0, 0, 0, &dirty);
    CHECK_EQ(f, 0x2000);
    f = buddy_alloc(&w->b, 3, 24, 0, &dirty);
    CHECK_EQ(f, 0x800);
    f = buddy_alloc(&w->b, 0, 13, 0, &dirty);
    CHECK_EQ(f, 1);
    f = buddy_alloc(&w->b, 0, 12, 0, &dirty);
    CHECK_EQ(f, 0);
    CHECK_EQ(buddy_alloc(&w->b, 0, 12, 0, &dirty), BUDDY_NONE);
    CHECK_EQ(buddy_alloc(&w->b, 0, 5, 0, &dirty), BUDDY_NONE);
    check_audit(w);
    world_free(w);
}

TEST(prefers_the_top_when_told)
{
    struct world *w = world_new(0x1000);
    bool dirty;

    buddy_add_range(&w->b, 0x800, 0x800, true);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, BUDDY_PREFER_HIGH, &dirty), 0xfff);
    CHECK_EQ(buddy_alloc(&w->b, 2, 0, BUDDY_PREFER_HIGH, &dirty), 0xff8);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, 0, &dirty), 0xffe);
    CHECK_EQ(buddy_alloc(&w->b, 9, 0, 0, &dirty), 0xc00);
    check_audit(w);
    world_free(w);
}

TEST(dirt_stays_with_its_frames)
{
    struct world *w = world_new(0x1000);
    bool dirty;
    u64 f, seen = 0, i;

    buddy_add_range(&w->b, 0x800, 0x800, false);
    for (i = 0; i < 0x800; i++) {
        f = buddy_alloc(&w->b, 0, 0, 0, &dirty);
        CHECK(!dirty && f != BUDDY_NONE);
    }
    for (i = 0x800; i < 0x1000; i++)
        buddy_free(&w->b, i, 0, i == 0x9ab || i == 0xfff);
    CHECK_EQ(buddy_dirty_count(&w->b), 2);
    check_audit(w);
    for (i = 0; i < 0x800; i++) {
        f = buddy_alloc(&w->b, 0, 0, 0, &dirty);
        CHECK_EQ(dirty, f == 0x9ab || f == 0xfff);
        seen += dirty;
        if (i % 64 == 0)
            check_audit(w);
    }
    CHECK_EQ(seen, 2);
    CHECK_EQ(buddy_dirty_count(&w->b), 0);
    world_free(w);
}

TEST(scrubbing_ends)
{
    struct world *w = world_new(0x8000);
    unsigned int order, rounds = 0;
    bool dirty;
    u64 f;

    buddy_add_range(&w->b, 0x10, 0x7ff0, true);
    while ((f = buddy_take_dirty(&w->b, 9, &order)) != BUDDY_NONE) {
        CHECK(order <= 9);
        check_audit(w);
        buddy_free(&w->b, f, order, false);
        check_audit(w);
        CHECK(++rounds < 200);
    }
    CHECK_EQ(buddy_dirty_count(&w->b), 0);
    CHECK_EQ(buddy_free_count(&w->b), 0x7ff0);
    CHECK_EQ(buddy_alloc(&w->b, 14, 0, 0, &dirty), 0x4000);
    CHECK(!dirty);
    world_free(w);
}

TEST(hands_out_clean_blocks_first)
{
    struct world *w = world_new(0x100);
    bool dirty;

    buddy_add_range(&w->b, 0x80, 1, true);
    buddy_add_range(&w->b, 0x90, 1, false);
    buddy_add_range(&w->b, 0xa0, 1, true);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, 0, &dirty), 0x90);
    CHECK(!dirty);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, 0, &dirty), 0x80);
    CHECK(dirty);
    world_free(w);
}

TEST(of_a_block_it_takes_the_clean_part)
{
    static const u64 want[] = {0xa00, 0x800, 0xc00, 0xe00};
    struct world *w = world_new(0x1000);
    bool dirty;
    u32 i;

    buddy_add_range(&w->b, 0x800, 0x800, false);
    CHECK_EQ(buddy_alloc(&w->b, 9, 0, BUDDY_PREFER_HIGH, &dirty), 0xe00);
    buddy_free(&w->b, 0xe00, 9, true);
    for (i = 0; i < 4; i++) {
        CHECK_EQ(buddy_alloc(&w->b, 9, 0, BUDDY_PREFER_HIGH, &dirty), want[i]);
        CHECK_EQ(dirty, i == 3);
        check_audit(w);
    }
    world_free(w);
}

TEST(large_and_clean_comes_before_small_and_dirty)
{
    struct world *w = world_new(0x2000);
    bool dirty;

    buddy_add_range(&w->b, 0x1000, 0x200, true);
    buddy_add_range(&w->b, 0x1800, 0x800, false);
    /* 1 MiB is scrubbed sooner than a large block is together again. */
    CHECK_EQ(buddy_alloc(&w->b, 8, 0, 0, &dirty), 0x1000);
    CHECK(dirty);
    buddy_free(&w->b, 0x1000, 8, true);
    CHECK_EQ(buddy_alloc(&w->b, 9, 0, 0, &dirty), 0x1800);
    CHECK(!dirty);
    CHECK_EQ(buddy_alloc(&w->b, 11, 0, 0, &dirty), BUDDY_NONE);
    check_audit(w);
    world_free(w);
}

TEST(bad_frees_are_bugs)
{
    struct world *w = world_new(0x100);
    bool dirty;
    u64 f;

    buddy_add_range(&w->b, 0x40, 0x40, false);
    f = buddy_alloc(&w->b, 2, 0, 0, &dirty);
    CHECK_BUG(buddy_free(&w->b, f + 1, 1, false));
    CHECK_BUG(buddy_free(&w->b, 0x100, 0, false));
    CHECK_BUG(buddy_free(&w->b, 0, 4, false));
    CHECK_BUG(buddy_free(&w->b, 0, 19, false));
    CHECK_BUG(buddy_free(&w->b, 0x60, 0, false)); /* head of a free block */
    CHECK_BUG(buddy_free(&w->b, 0x61, 0, false)); /* inside one */
    CHECK_BUG(buddy_add_range(&w->b, 0xf0, 0x11, false));
    buddy_free(&w->b, f, 2, false);
    CHECK_EQ(buddy_free_count(&w->b), 0x40);
    check_audit(w);
    world_free(w);
}

TEST(failures_can_be_injected)
{
    struct world *w = world_new(0x100);
    bool dirty;

    buddy_add_range(&w->b, 0x40, 0x40, false);
    host_set_failure(0, 1);
    CHECK_EQ(buddy_alloc(&w->b, 0, 0, 0, &dirty), BUDDY_NONE);
    CHECK(buddy_alloc(&w->b, 0, 0, 0, &dirty) != BUDDY_NONE);
    world_free(w);
}

TEST(audit_sees_damage)
{
    struct world *w = world_new(0x100);

    buddy_add_range(&w->b, 0x40, 0x21, true);
    check_audit(w);
    w->table[0x40].info ^= 0x100;
    CHECK(buddy_audit(&w->b));
    w->table[0x40].info ^= 0x101;
    CHECK(buddy_audit(&w->b));
    w->table[0x40].info ^= 1;
    check_audit(w);
    w->bitmap[1] ^= 2;
    CHECK(buddy_audit(&w->b));
    w->bitmap[1] ^= 2;
    w->b.free++;
    CHECK(buddy_audit(&w->b));
    w->b.free--;
    w->table[0x60].link.prev = 0x40;
    CHECK(buddy_audit(&w->b));
    world_free(w);
}

TEST(reaches_the_top_of_sixteen_tib)
{
    /* Only the entries that head a block are ever touched: a window of the table suffices. */
    u64 top = BUDDY_FRAMES_MAX, base = top - 0x10000;
    struct entry *table = calloc(0x10001, sizeof(*table));
    struct buddy_table t = {.base = (void *)((uintptr_t)table - base * sizeof(*table)),
                            .stride = sizeof(*table),
                            .link_offset = offsetof(struct entry, link),
                            .info_offset = offsetof(struct entry, info)};
    u64 *bitmap = calloc(buddy_bitmap_words(top), sizeof(u64));
    struct buddy b;
    bool dirty;
    u64 f, n = 0;

    buddy_init(&b, &t, bitmap, top);
    buddy_add_range(&b, base, 0x10000, true);
    CHECK_EQ(buddy_alloc(&b, 0, 43, 0, &dirty), BUDDY_NONE);
    while ((f = buddy_alloc(&b, 0, 44, 0, &dirty)) != BUDDY_NONE) {
        CHECK(f >= base && f < top && dirty);
        n++;
    }
    CHECK_EQ(n, 0x10000);
    free(table);
    free(bitmap);
}

/* The model: a byte per frame, and for every call the rule it must obey. */

#define FRAMES 700

enum { OUT, FREE_CLEAN, FREE_DIRTY, USED };

struct model {
    u8 state[FRAMES];
};

static bool model_block_free(const struct model *m, u64 f, unsigned int order)
{
    u64 end = f + ((u64)1 << order);

    for (; f < end; f++)
        if (f >= FRAMES || (m->state[f] != FREE_CLEAN && m->state[f] != FREE_DIRTY))
            return false;
    return true;
}

/*
 * The highest zone (bits of the frame number) with a free aligned block of the order below the
 * limit; -1 when none. Frame 0 only counts alone.
 */
static int model_best_zone(const struct model *m, unsigned int order, u64 limit)
{
    u64 size = (u64)1 << order, f;
    int zone = -1;

    for (f = order ? size : 0; f + size <= MIN(limit, (u64)FRAMES); f += size)
        if (model_block_free(m, f, order))
            zone = f ? 64 - __builtin_clzll(f) : 0;
    return zone;
}

static void model_claim(struct model *m, u64 f, unsigned int order, bool dirty)
{
    u64 end = f + ((u64)1 << order);
    bool any = false;

    CHECK(model_block_free(m, f, order));
    for (; f < end; f++) {
        any |= m->state[f] == FREE_DIRTY;
        m->state[f] = USED;
    }
    CHECK_EQ(any, dirty);
}

static void random_alloc(struct world *w, struct model *m)
{
    unsigned int order = (unsigned int)host_rand_below(7), bits = 0;
    u64 limit = ~(u64)0, f;
    bool dirty;
    int zone;

    if (host_rand() & 1) {
        bits = PAGE_SHIFT - 1 + (unsigned int)host_rand_below(13);
        limit = bits < PAGE_SHIFT ? 0 : 1ull << (bits - PAGE_SHIFT);
    }
    zone = model_best_zone(m, order, limit);
    f = buddy_alloc(&w->b, order, bits, (unsigned int)host_rand_below(2), &dirty);
    CHECK_EQ(f != BUDDY_NONE, zone >= 0);
    if (f == BUDDY_NONE)
        return;
    CHECK_EQ(f & ((1ull << order) - 1), 0);
    CHECK_EQ(f ? 64 - __builtin_clzll(f) : 0, zone);
    model_claim(m, f, order, dirty);
}

/* Frees an aligned piece of used memory around a random frame, as large as chance has it. */
static void random_free(struct world *w, struct model *m)
{
    u64 f = host_rand_below(FRAMES), at, size;
    unsigned int order = (unsigned int)host_rand_below(5);
    bool dirty = host_rand() & 1;

    size = 1ull << order;
    f = ROUND_DOWN(f, size);
    if (!f && order)
        return;
    for (at = f; at < f + size; at++)
        if (at >= FRAMES || m->state[at] != USED)
            return;
    buddy_free(&w->b, f, order, dirty);
    for (at = f; at < f + size; at++)
        m->state[at] = dirty ? FREE_DIRTY : FREE_CLEAN;
}

static void random_scrub(struct world *w, struct model *m)
{
    unsigned int max = (unsigned int)host_rand_below(6), order;
    u64 f = buddy_take_dirty(&w->b, max, &order), at;

    if (f == BUDDY_NONE) {
        CHECK_EQ(buddy_dirty_count(&w->b), 0);
        return;
    }
    CHECK(order <= max);
    model_claim(m, f, order, true);
    check_audit(w);
    if (host_rand_below(4) == 0)
        return; /* the scrubber keeps it for now */
    buddy_free(&w->b, f, order, false);
    for (at = f; at < f + (1ull << order); at++)
        m->state[at] = FREE_CLEAN;
}

static void model_compare(const struct world *w, const struct model *m)
{
    u64 f, total = 0, dirty = 0;

    for (f = 0; f < FRAMES; f++) {
        total += m->state[f] == FREE_CLEAN || m->state[f] == FREE_DIRTY;
        dirty += m->state[f] == FREE_DIRTY;
    }
    check_audit(w);
    CHECK_EQ(buddy_free_count(&w->b), total);
    CHECK_EQ(buddy_dirty_count(&w->b), dirty);
}

static void random_ranges(struct world *w, struct model *m)
{
    u64 f = 0, end;
    bool dirty;

    while (f < FRAMES) {
        end = f + 1 + host_rand_below(300);
        end = MIN(end, (u64)FRAMES);
        if (host_rand_below(3)) {
            dirty = host_rand() & 1;
            buddy_add_range(&w->b, f, end - f, dirty);
            memset(m->state + f, dirty ? FREE_DIRTY : FREE_CLEAN, end - f);
        }
        f = end;
    }
}

TEST(agrees_with_the_model)
{
    unsigned int round, step;

    for (round = 0; round < 12; round++) {
        struct world *w = world_new(FRAMES);
        struct model m;

        memset(m.state, OUT, sizeof(m.state));
        random_ranges(w, &m);
        for (step = 0; step < 1500; step++) {
            switch (host_rand_below(8)) {
            case 0:
                random_scrub(w, &m);
                break;
            case 1:
            case 2:
                random_alloc(w, &m);
                break;
            default:
                random_free(w, &m);
                break;
            }
            model_compare(w, &m);
        }
        world_free(w);
    }
}
