/* SPDX-License-Identifier: MIT */
/*
 * The physical memory of domains that have one of their own (translated guests): pure/p2m.c bound
 * to frames, locks and TLBs. Domains without (d->physmap == NULL) use machine frame numbers.
 *
 * The tables are changed and read under one lock (RANK_P2M). RAM is in them without a reference:
 * a frame leaves the tables, and every TLB, before the domain gives it up.
 */
#ifndef CORE_PHYSMAP_H
#define CORE_PHYSMAP_H

#include "core/domain.h"
#include "core/page.h"
#include "pure/p2m.h"
#include "pure/ptype.h"

struct physmap {
    struct lock lock; /* RANK_P2M */
    struct p2m p2m;
    struct domain *domain;
    u32 limit; /* tables it may have */
    /* Every CPU that runs d forgets what the tables said. The lock is held. */
    void (*flush)(struct domain *d);
};

/* -ENOMEM. flush: the guest kind's. */
int physmap_init(struct domain *d, const struct p2m_format *format,
                 void (*flush)(struct domain *d)) MUST_CHECK;
/* Teardown, no vCPU runs: the tables go, `budget` at a time. 0 done, -ERESTART. */
int physmap_fini_step(struct domain *d, u32 budget) MUST_CHECK;
void physmap_free(struct domain *d);

/* Bytes the tables may take, as the tools say. -ENOMEM: they take more already. */
int physmap_set_pool(struct domain *d, u64 bytes) MUST_CHECK;
u64 physmap_pool(const struct domain *d);

/*
 * The frame at gfn with a reference (ptype_put_page), or NULL: nothing there, not the domain's own
 * memory, or read-only and `write` asked for. Works for every domain: without tables gfn is a
 * machine frame number of the domain.
 */
struct page *physmap_get_page_slow(struct domain *d, gfn_t gfn, bool write);
static ALWAYS_INLINE struct page *physmap_get_page(struct domain *d, gfn_t gfn, bool write)
{
    struct page *pg;

    if (unlikely(d->physmap != NULL))
        return physmap_get_page_slow(d, gfn, write);
    pg = ptype_port_page(gfn.v);
    return likely(pg && ptype_get_page(pg, d->id)) ? pg : NULL;
}
/* The machine frame of a frame of a translated domain, for a caller that checks what it is. */
bool physmap_find(struct domain *d, gfn_t gfn, mfn_t *mfn) MUST_CHECK;

/* 2^order fresh frames of d become RAM at gfn; nothing may be there. -ENOMEM, -EINVAL, -EEXIST. */
int physmap_add_ram(struct domain *d, gfn_t gfn, unsigned int order, mfn_t mfn) MUST_CHECK;
/*
 * A hypervisor frame shared with d appears at gfn, and nowhere else; RAM that was there is given
 * up. -ENOMEM, -EINVAL.
 */
int physmap_place(struct domain *d, gfn_t gfn, mfn_t mfn) MUST_CHECK;

/*
 * Frames that leave a domain: taken out of the tables one by one, given up together after one
 * flush (commit; implied when the batch is full).
 */
#define PHYSMAP_BATCH 30
struct physmap_batch {
    struct domain *d;
    u32 nr;
    struct page *page[PHYSMAP_BATCH];
};
/* -ENOENT: nothing is there. -EINVAL: not RAM of the domain. -ENOMEM: no table to split with. */
int physmap_batch_remove(struct physmap_batch *b, gfn_t gfn) MUST_CHECK;
void physmap_batch_commit(struct physmap_batch *b);

#endif
