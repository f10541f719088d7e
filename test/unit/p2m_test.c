/* SPDX-License-Identifier: MIT */
#include "host/p2m_model.h"

static struct p2m_model m;

static unsigned int order_at(u64 gfn)
{
    unsigned int order = 99;

    CHECK(p2m_lookup(&m.p, gfn, NULL, &order) != P2M_NONE);
    return order;
}

TEST(maps_splits_and_merges)
{
    u64 i;

    model_start(&m, &p2m_format_npt, true);
    model_set(&m, 0, 9, 0x1000, P2M_RAM_RW);
    CHECK_EQ(order_at(5), 9);
    CHECK_EQ(m.p.tables, 3);
    model_set(&m, 7, 0, 0x77, P2M_RAM_RO);
    CHECK_EQ(order_at(6), 0);
    CHECK_EQ(m.p.tables, 4);
    /* Back to one run; the last entry of the table tells. */
    model_set(&m, 7, 0, 0x1007, P2M_RAM_RW);
    CHECK_EQ(order_at(6), 0);
    model_set(&m, 511, 0, 0x2000, P2M_RAM_RW);
    model_set(&m, 511, 0, 0x11ff, P2M_RAM_RW);
    CHECK_EQ(order_at(6), 9);
    CHECK_EQ(m.p.tables, 4); /* one in limbo */
    p2m_flushed(&m.p);
    CHECK_EQ(m.p.tables, 3);
    /* 512 large ones make 1 GiB. */
    for (i = 0; i < 512; i++)
        model_set(&m, 1 << 18 | i << 9, 9, 1 << 18 | i << 9, P2M_RAM_RW);
    CHECK_EQ(order_at(1 << 18), 18);
    /* And are taken apart again, twice, by one small change. */
    model_set(&m, (1 << 18) + 1234, 0, 0, P2M_NONE);
    CHECK_EQ(order_at((1 << 18) + 1235), 0);
    CHECK_EQ(order_at((1 << 18) + 123456), 9);
    model_check_all(&m);
    model_end(&m);
}

TEST(only_ram_becomes_large)
{
    u64 i;

    model_start(&m, &p2m_format_ept, true);
    for (i = 0; i < 512; i++) {
        model_set(&m, i, 0, 0x2000 + i, P2M_GRANT);
        model_set(&m, 512 + i, 0, 0x3001 + i, P2M_RAM_RW);
        model_set(&m, 1024 + i, 0, 0x4000 + i, i == 3 ? P2M_RAM_RO : P2M_RAM_RW);
    }
    CHECK_EQ(order_at(0), 0);
    CHECK_EQ(order_at(512), 0); /* not aligned in the machine */
    CHECK_EQ(order_at(1024), 0);
    model_check_all(&m);
    model_end(&m);
}

TEST(refuses)
{
    model_start(&m, &p2m_format_npt, false);
    CHECK_EQ(p2m_set(&m.p, 1, 9, MFN(512), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_set(&m.p, 512, 9, MFN(1), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_set(&m.p, 0, 18, MFN(0), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_set(&m.p, 0, 3, MFN(0), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_set(&m.p, (u64)1 << P2M_GFN_BITS, 0, MFN(0), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_set(&m.p, 0, 0, MFN((u64)1 << 40), P2M_RAM_RW), -EINVAL);
    CHECK_EQ(p2m_lookup(&m.p, (u64)1 << P2M_GFN_BITS, NULL, NULL), P2M_NONE);
    CHECK_EQ(p2m_set(&m.p, 99, 0, MFN_INVALID, P2M_NONE), 0);
    CHECK_EQ(m.p.tables, 1);
    CHECK_EQ(m.p.top, 0);
    model_end(&m);
}

/* Each failure point of a change that needs tables: nothing has happened. */
TEST(all_or_nothing)
{
    u32 skip, tables;

    model_start(&m, &p2m_format_npt, true);
    model_set(&m, 0, 18, 0, P2M_RAM_RW);
    for (skip = 0;; skip++) {
        tables = m.p.tables;
        host_set_failure(skip, 1);
        model_set(&m, 12345, 0, 0x99999, P2M_RAM_RW);
        host_set_failure(0, 0);
        CHECK(p2m_audit(&m.p));
        if (m.frame[12345] >> 4 == 0x99999)
            break;
        CHECK_EQ(m.p.tables, tables);
        CHECK_EQ(order_at(0), 18);
    }
    CHECK_EQ(skip, 2);
    m.limit = m.in_use;
    CHECK_EQ(p2m_set(&m.p, 2 << 18, 0, MFN(1), P2M_RAM_RW), -ENOMEM);
    CHECK(p2m_audit(&m.p));
    m.limit = MODEL_TABLES;
    model_check_all(&m);
    model_end(&m);
}

static void random_changes(const struct p2m_format *f, bool page1g, unsigned int rounds)
{
    static const unsigned int orders[] = {0, 0, 0, 0, 0, 9, 9, 9, 18};
    unsigned int i, order;
    u64 gfn, mfn;

    model_start(&m, f, page1g);
    for (i = 0; i < rounds; i++) {
        order = orders[host_rand_below(page1g && i % 64 == 0 ? 9 : 8)];
        gfn = host_rand_below(MODEL_GFNS) & ~(((u64)1 << order) - 1);
        if (host_rand() & 1) /* crowd a few tables */
            gfn = (gfn & 0x7ff) & ~(((u64)1 << order) - 1);
        mfn = host_rand() & 1 ? gfn + (1 << 20) : host_rand_below(1 << 24);
        m.limit = host_rand() % 8 ? MODEL_TABLES : m.in_use + 1;
        model_set(&m, gfn, order, mfn & ~(((u64)1 << order) - 1),
                  (enum p2m_type)host_rand_below(P2M_TYPES));
        m.limit = MODEL_TABLES;
    }
    model_check_all(&m);
    model_end(&m);
}

TEST(agrees_with_the_model)
{
    random_changes(&p2m_format_npt, true, 3000);
    host_reset();
    random_changes(&p2m_format_ept, false, 3000);
}
