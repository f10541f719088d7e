/* SPDX-License-Identifier: MIT */
/* The memory map against an array with one cell per address. */
#include "host/host.h"
#include "unit/memmap_look.h"

#define CELLS 200

static struct memmap m;

static const u32 order[] = {MEMMAP_RAM, MEMMAP_ACPI, MEMMAP_NVS, MEMMAP_RESERVED, MEMMAP_UNUSABLE};

static unsigned int rank(u32 type)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(order); i++)
        if (order[i] == type)
            return i + 1;
    return 0;
}

TEST(agrees_with_an_array)
{
    u32 cell[CELLS], type;
    u64 a, b, i;
    int round, k;

    for (round = 0; round < 300; round++) {
        memset(&m, 0, sizeof(m));
        memset(cell, 0, sizeof(cell));
        for (k = 0; k < 30; k++) {
            a = host_rand_below(CELLS);
            b = a + host_rand_below(CELLS - a + 1);
            type = order[host_rand_below(ARRAY_SIZE(order))];
            CHECK_EQ(memmap_add(&m, a, b, type), 0);
            CHECK(memmap_audit(&m));
            for (i = a; i < b; i++)
                if (rank(type) > rank(cell[i]))
                    cell[i] = type;
        }
        for (i = 0; i < CELLS; i++)
            CHECK_EQ(memmap_type(&m, i), cell[i]);
        for (k = 0, i = 0; i < CELLS; i++)
            k += cell[i] == MEMMAP_RAM;
        CHECK_EQ(memmap_total(&m, MEMMAP_RAM), k);
    }
}

TEST(keeps_unknown_types)
{
    memset(&m, 0, sizeof(m));
    CHECK_EQ(memmap_add(&m, 0, 100, MEMMAP_RAM), 0);
    CHECK_EQ(memmap_add(&m, 40, 60, 7), 0);
    CHECK_EQ(memmap_type(&m, 50), 7);
    CHECK_EQ(m.nr, 3);
    CHECK_EQ(memmap_add(&m, ~0ull - 5, ~0ull, MEMMAP_RESERVED), 0);
    CHECK_EQ(m.entry[3].end, ~0ull);
}

TEST(whole_pages_below_a_limit)
{
    static const u64 limit = 0x50000000000, top = ~0ull;
    static const struct {
        u64 start, end, first, last; /* first == last: none */
    } c[] = {
        {0, 0x9fc00, 0, 0x9f000},
        {1, 0x3fff, 0x1000, 0x3000},
        {0x1001, 0x2fff, 0, 0},
        {0x1800, 0x2000, 0, 0},
        {0x100000, limit, 0x100000, limit},
        {0x100000, limit + 1, 0x100000, limit},
        {0x100000, top, 0x100000, limit},
        {limit - 0x1000, top, limit - 0x1000, limit},
        {limit - 0xfff, top, 0, 0},
        {limit, limit + 0x1000, 0, 0},
        {limit + 0x1000, top, 0, 0},
        {top - 0xfff, top, 0, 0},
        {top - 1, top, 0, 0},
    };
    u64 start, end;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        struct memmap_entry e = {c[i].start, c[i].end, MEMMAP_RAM};
        bool some = memmap_pages(&e, limit, &start, &end);

        CHECK_EQ(some, c[i].first != c[i].last);
        if (some) {
            CHECK_EQ(start, c[i].first);
            CHECK_EQ(end, c[i].last);
        }
    }
}

TEST(says_when_it_is_full)
{
    u64 i;

    memset(&m, 0, sizeof(m));
    for (i = 0; i < MEMMAP_MAX; i++)
        CHECK_EQ(memmap_add(&m, i * 4, i * 4 + 2, MEMMAP_RAM), 0);
    CHECK_EQ(memmap_add(&m, 8, 10, MEMMAP_NVS), 0);
    CHECK_EQ(memmap_add(&m, 1001, 1003, MEMMAP_RAM), -ENOSPC);
    memset(&m, 0, sizeof(m));
    for (i = 0; i < MEMMAP_MAX; i++)
        CHECK_EQ(memmap_add(&m, i * 4, i * 4 + 3, MEMMAP_RAM), 0);
    CHECK_EQ(memmap_add(&m, 1, 2, MEMMAP_NVS), -ENOSPC);
}
