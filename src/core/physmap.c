/* SPDX-License-Identifier: MIT */
/*
 * How does a translated domain's memory change while its vCPUs run? Under the lock the tables are
 * changed, then every CPU that runs the domain leaves it and forgets (the kind's flush), and only
 * then a frame or a table gets another use. Table frames count against a limit that the tools set,
 * so a guest that scatters its mappings runs out of its own allowance.
 */
#include "core/physmap.h"

#include "pure/ptype.h"

/* Before the tools have said anything: enough for the special pages and 1 GiB. */
#define TABLES_DEFAULT 1024u

static mfn_t table_alloc(void *ctx)
{
    const struct physmap *m = ctx;

    return m->p2m.tables >= m->limit ? MFN_INVALID : domain_alloc_frame(m->domain);
}

static void table_free(void *ctx, mfn_t table)
{
    const struct physmap *m = ctx;

    domain_free_frame(m->domain, table);
}

int physmap_init(struct domain *d, const struct p2m_format *format, void (*flush)(struct domain *d))
{
    struct physmap *m = domain_zalloc(d, sizeof(*m));
    struct p2m_mem mem = {table_alloc, table_free, m};
    int rc;

    if (m == NULL)
        return -ENOMEM;
    lock_init(&m->lock, RANK_P2M);
    m->domain = d;
    m->limit = TABLES_DEFAULT;
    m->flush = flush;
    rc = p2m_init(&m->p2m, format, &mem, cpu_features.page1g);
    if (rc != 0) {
        domain_zfree(d, m, sizeof(*m));
        return rc;
    }
    d->physmap = m;
    return 0;
}

int physmap_fini_step(struct domain *d, u32 budget)
{
    struct physmap *m = d->physmap;
    int rc;

    if (m == NULL)
        return 0;
    lock_acquire(&m->lock);
    rc = p2m_fini_step(&m->p2m, &budget);
    lock_release(&m->lock);
    return rc;
}

void physmap_free(struct domain *d)
{
    struct physmap *m = d->physmap;

    if (m == NULL)
        return;
    while (physmap_fini_step(d, 64) != 0)
        ;
    d->physmap = NULL;
    domain_zfree(d, m, sizeof(*m));
}

int physmap_set_pool(struct domain *d, u64 bytes)
{
    struct physmap *m = d->physmap;
    u64 tables = MIN(bytes >> PAGE_SHIFT, (u64)1 << 24);
    int rc = -ENOMEM;

    lock_acquire(&m->lock);
    if (tables >= m->p2m.tables) {
        m->limit = (u32)tables;
        rc = 0;
    }
    lock_release(&m->lock);
    return rc;
}

u64 physmap_pool(const struct domain *d)
{
    return (u64)READ_ONCE(d->physmap->limit) << PAGE_SHIFT;
}

/* After teardown there is no table left: nothing is anywhere. */
static bool is_gone(const struct physmap *m)
{
    return mfn_eq(m->p2m.root, MFN_INVALID);
}

static enum p2m_type lookup(const struct physmap *m, gfn_t gfn, mfn_t *mfn)
{
    return is_gone(m) ? P2M_NONE : p2m_lookup(&m->p2m, gfn.v, mfn, NULL);
}

struct page *physmap_get_page_slow(struct domain *d, gfn_t gfn, bool write)
{
    struct physmap *m = d->physmap;
    struct page *pg = NULL;
    mfn_t mfn = MFN(gfn.v);
    enum p2m_type t;

    lock_acquire(&m->lock);
    t = lookup(m, gfn, &mfn);
    if ((t == P2M_RAM_RW || (t == P2M_RAM_RO && !write)) && page_valid(mfn) &&
        ptype_get_page(page_of(mfn), d->id))
        pg = page_of(mfn);
    lock_release(&m->lock);
    return pg;
}

bool physmap_find(struct domain *d, gfn_t gfn, mfn_t *mfn)
{
    struct physmap *m = d->physmap;
    enum p2m_type t;

    lock_acquire(&m->lock);
    t = lookup(m, gfn, mfn);
    lock_release(&m->lock);
    return t == P2M_RAM_RW || t == P2M_RAM_RO;
}

/* Lock held. */
static void flush(struct domain *d)
{
    struct physmap *m = d->physmap;

    if (!m->p2m.flush_due)
        return;
    m->flush(d);
    p2m_flushed(&m->p2m);
}

/* Any mapping within 2^order frames from gfn? Lock held. */
static bool occupied(const struct physmap *m, u64 gfn, unsigned int order)
{
    u64 end = gfn + ((u64)1 << order);

    return p2m_next(&m->p2m, gfn, end) < end;
}

int physmap_add_ram(struct domain *d, gfn_t gfn, unsigned int order, mfn_t mfn)
{
    struct physmap *m = d->physmap;
    u64 i;
    int rc;

    lock_acquire(&m->lock);
    if (is_gone(m) || gfn.v >> P2M_GFN_BITS)
        rc = -EINVAL;
    else if (occupied(m, gfn.v, order))
        rc = -EEXIST;
    else
        rc = p2m_set(&m->p2m, gfn.v, order, mfn, P2M_RAM_RW);
    for (i = 0; rc == 0 && i < (u64)1 << order; i++)
        page_m2p_set(MFN(mfn.v + i), gfn.v + i);
    flush(d); /* a merge may have made a table superfluous */
    lock_release(&m->lock);
    return rc;
}

/* The domain's own frame, not one the hypervisor shares with it, is no longer the domain's. */
static void give_up(struct page *pg)
{
    page_release(pg);
    ptype_put_page(pg);
}

static bool is_special(const struct page *pg)
{
    return READ_ONCE(pg->count) & PAGE_SPECIAL;
}

int physmap_place(struct domain *d, gfn_t gfn, mfn_t mfn)
{
    struct physmap *m = d->physmap;
    struct page *old = NULL;
    mfn_t there, at;
    u64 before;
    int rc;

    lock_acquire(&m->lock);
    if (is_gone(m) || gfn.v >> P2M_GFN_BITS) {
        lock_release(&m->lock);
        return -EINVAL;
    }
    if (lookup(m, gfn, &there) != P2M_NONE && !mfn_eq(there, mfn) && page_valid(there) &&
        !is_special(page_of(there)) && ptype_get_page(page_of(there), d->id))
        old = page_of(there);
    before = page_m2p_get(mfn);
    rc = p2m_set(&m->p2m, gfn.v, 0, mfn, P2M_RAM_RW);
    if (rc == 0) {
        /* It is at one place only; taking a small mapping out needs no table. */
        if (before != gfn.v && lookup(m, GFN(before), &at) != P2M_NONE && mfn_eq(at, mfn))
            rc = p2m_set(&m->p2m, before, 0, mfn, P2M_NONE);
        page_m2p_set(mfn, gfn.v);
    }
    flush(d);
    lock_release(&m->lock);
    if (old != NULL && rc == 0)
        give_up(old);
    else if (old != NULL)
        ptype_put_page(old);
    return rc;
}

int physmap_batch_remove(struct physmap_batch *b, gfn_t gfn)
{
    struct physmap *m = b->d->physmap;
    struct page *pg = NULL;
    mfn_t mfn;
    int rc;

    if (b->nr == PHYSMAP_BATCH)
        physmap_batch_commit(b);
    lock_acquire(&m->lock);
    switch (lookup(m, gfn, &mfn)) {
    case P2M_NONE:
        rc = -ENOENT;
        break;
    case P2M_RAM_RW:
    case P2M_RAM_RO:
        rc = -EINVAL;
        if (!page_valid(mfn) || !ptype_get_page(page_of(mfn), b->d->id))
            break;
        pg = page_of(mfn);
        rc = p2m_set(&m->p2m, gfn.v, 0, mfn, P2M_NONE);
        if (rc == 0)
            page_m2p_set(mfn, M2P_INVALID);
        break;
    default:
        rc = -EINVAL;
        break;
    }
    lock_release(&m->lock);
    if (rc == 0)
        b->page[b->nr++] = pg;
    else if (pg != NULL)
        ptype_put_page(pg);
    return rc;
}

void physmap_batch_commit(struct physmap_batch *b)
{
    struct physmap *m = b->d->physmap;
    u32 i;

    if (b->nr == 0)
        return;
    lock_acquire(&m->lock);
    flush(b->d);
    lock_release(&m->lock);
    for (i = 0; i < b->nr; i++) {
        /* What the hypervisor shares is unmapped, not given up. */
        if (is_special(b->page[i]))
            ptype_put_page(b->page[i]);
        else
            give_up(b->page[i]);
    }
    b->nr = 0;
}
