/* SPDX-License-Identifier: MIT */
/*
 * A guest's physical memory the naive way, one word per frame, beside the tables of pure/p2m.c in a
 * toy machine: what test/unit/p2m_test.c and test/fuzz/p2m_fuzz.c check each change against.
 */
#ifndef HOST_P2M_MODEL_H
#define HOST_P2M_MODEL_H

#include <stdlib.h>

#include "host/host.h"
#include "pure/p2m.h"

#define MODEL_GFNS   ((u64)3 << 18) /* 3 GiB */
#define MODEL_TABLES 2048u

struct p2m_model {
    struct p2m p;
    u64 *frame; /* per gfn: mfn << 4 | type; 0: nothing */
    u8 *ram;
    bool used[MODEL_TABLES];
    u32 in_use, limit;
};

static mfn_t model_alloc(void *ctx)
{
    struct p2m_model *m = ctx;
    u32 i;

    if (m->in_use >= m->limit)
        return MFN_INVALID;
    for (i = 0; m->used[i]; i++)
        ;
    m->used[i] = true;
    m->in_use++;
    memset(m->ram + i * PAGE_SIZE, 0, PAGE_SIZE);
    return MFN(i + 1);
}

static void model_free(void *ctx, mfn_t t)
{
    struct p2m_model *m = ctx;

    CHECK(t.v >= 1 && t.v <= MODEL_TABLES && m->used[t.v - 1]);
    m->used[t.v - 1] = false;
    m->in_use--;
    memset(m->ram + (t.v - 1) * PAGE_SIZE, 0x5a, PAGE_SIZE);
}

static void model_start(struct p2m_model *m, const struct p2m_format *f, bool page1g)
{
    struct p2m_mem mem = {model_alloc, model_free, m};

    memset(m, 0, sizeof(*m));
    m->limit = MODEL_TABLES;
    m->frame = calloc(MODEL_GFNS, sizeof(u64));
    m->ram = aligned_alloc(PAGE_SIZE, MODEL_TABLES * PAGE_SIZE);
    host_ram_add(m->ram, 1, MODEL_TABLES);
    CHECK_EQ(p2m_init(&m->p, f, &mem, page1g), 0);
}

static void model_end(struct p2m_model *m)
{
    u32 budget, rounds = 0;

    do {
        budget = 1;
        CHECK(++rounds < 10 * MODEL_TABLES);
    } while (p2m_fini_step(&m->p, &budget) != 0);
    CHECK_EQ(m->p.tables, 0);
    CHECK_EQ(m->in_use, 0);
    free(m->frame);
    free(m->ram);
}

static void model_check(struct p2m_model *m, u64 gfn)
{
    mfn_t mfn = MFN_INVALID;
    unsigned int order = 99;
    enum p2m_type t = p2m_lookup(&m->p, gfn, &mfn, &order);

    if ((m->frame[gfn] & 15) == P2M_NONE) {
        CHECK_EQ(t, P2M_NONE);
        return;
    }
    CHECK_EQ(t, m->frame[gfn] & 15);
    CHECK_EQ(mfn.v, m->frame[gfn] >> 4);
    CHECK(order == 0 || order == 9 || order == 18);
}

/* One change of both; the answers of the tables must be the model's afterwards. */
static void model_set(struct p2m_model *m, u64 gfn, unsigned int order, u64 mfn, enum p2m_type type)
{
    u64 i, nr = (u64)1 << order, step = order == 18 ? 511 : 1;
    bool change = false;
    int rc;

    for (i = 0; i < nr; i += step)
        change |= m->frame[gfn + i] != 0 &&
                  (type == P2M_NONE || m->frame[gfn + i] != ((mfn + i) << 4 | (u64)type));
    p2m_flushed(&m->p);
    rc = p2m_set(&m->p, gfn, order, MFN(mfn), type);
    if (rc == -ENOMEM)
        CHECK(!m->p.flush_due);
    else
        CHECK_EQ(rc, 0);
    if (rc == 0) {
        for (i = 0; i < nr; i++)
            m->frame[gfn + i] = type == P2M_NONE ? 0 : (mfn + i) << 4 | (u64)type;
        CHECK(!change || m->p.flush_due);
    }
    for (i = 0; i < nr; i += step)
        model_check(m, gfn + i);
    if (gfn > 0)
        model_check(m, gfn - 1);
    if (gfn + nr < MODEL_GFNS)
        model_check(m, gfn + nr);
}

static void __attribute__((unused)) model_check_all(struct p2m_model *m)
{
    u64 gfn, next = p2m_next(&m->p, 0, MODEL_GFNS);

    CHECK(p2m_audit(&m->p));
    for (gfn = 0; gfn < MODEL_GFNS; gfn++) {
        model_check(m, gfn);
        CHECK_EQ(m->frame[gfn] != 0, gfn == next);
        if (gfn == next)
            next = p2m_next(&m->p, gfn + 1, MODEL_GFNS);
    }
}

#endif
