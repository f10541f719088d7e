/* SPDX-License-Identifier: MIT */
/*
 * Where is a domain's grant table? In frames of the hypervisor that the guest may map and write.
 * They are allocated when the guest (or the tools, for a guest that has not started) asks for
 * them, and only ever grow. Left out: what the entries mean.
 */
#include "core/grant.h"

#include "core/page.h"

struct grant_table {
    struct lock lock;
    u32 nr_frames; /* atomic reads; grows under the lock, after the frame is in place */
    mfn_t frame[GRANT_FRAMES_MAX];
};

static struct grant_table *table_get(struct domain *d)
{
    struct grant_table *t;

    lock_acquire(&d->lock);
    t = d->grants;
    if (!t) {
        t = page_zalloc(sizeof(*t));
        if (t) {
            lock_init(&t->lock, RANK_GRANT);
            /* Release: readers without the lock see an initialised table. */
            atomic_store_release(&d->grants, t);
        }
    }
    lock_release(&d->lock);
    return t;
}

int grant_grow(struct domain *d, u32 nr)
{
    struct grant_table *t;
    int rc = 0;
    mfn_t mfn;

    if (nr > GRANT_FRAMES_MAX)
        return -EINVAL;
    t = table_get(d);
    if (!t)
        return -ENOMEM;
    lock_acquire(&t->lock);
    while (t->nr_frames < nr && !rc) {
        mfn = page_alloc_hv(0);
        if (mfn_eq(mfn, MFN_INVALID)) {
            rc = -ENOMEM;
            continue;
        }
        page_share_with(d, mfn, true);
        t->frame[t->nr_frames] = mfn;
        atomic_store_release(&t->nr_frames, t->nr_frames + 1);
    }
    lock_release(&t->lock);
    return rc;
}

u32 grant_frames(const struct domain *d)
{
    const struct grant_table *t = atomic_load_acquire(&d->grants);

    return t ? atomic_load_acquire(&t->nr_frames) : 0;
}

mfn_t grant_frame(const struct domain *d, u32 i)
{
    return i < grant_frames(d) ? d->grants->frame[i] : MFN_INVALID;
}

void grant_domain_fini(struct domain *d)
{
    struct grant_table *t = d->grants;
    u32 i;

    if (!t)
        return;
    d->grants = NULL;
    for (i = 0; i < t->nr_frames; i++)
        page_release_domain(d, page_of(t->frame[i]));
    page_zfree(t, sizeof(*t));
}
