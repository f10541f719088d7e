/* SPDX-License-Identifier: MIT */
/*
 * Where is a domain's grant table, and who is using what it grants? The table is in frames of the
 * hypervisor that the guest may map and write. They are allocated when the guest (or the tools, for
 * a guest that has not started) asks for them, and only ever grow. Beside each frame of 512 entries
 * are two pages of struct grantpin, which the guest cannot see: what is true about entries in use.
 *
 * A use is a pin of the entry and a reference on the frame. The pin tells the granter that it has
 * to wait, the reference keeps the frame what it is whether it waits or not. The reference also
 * keeps the granter: its own reference goes with its last frame, so a mapping needs none on the
 * domain. Left out: who maps or copies (core/grant_map.c, core/grant_copy.c).
 */
#include "core/grant.h"

#include "core/hypercall.h"
#include "core/physmap.h"
#include "pure/ptype.h"

#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define PINS_PER_PAGE     (PAGE_SIZE / sizeof(struct grantpin))

struct grant_table {
    struct lock lock;     /* frames, pins */
    struct lock map_lock; /* free handles */
    u32 nr_frames;        /* atomic reads; grows under the lock, after the frame is in place */
    u32 max_frames;
    bool closed;
    struct maptrack handles;
    mfn_t frame[GRANT_FRAMES_MAX];
    struct grantpin *pins[2 * GRANT_FRAMES_MAX];
};

int grant_domain_init(struct domain *d)
{
    struct grant_table *t = domain_zalloc(d, sizeof(*t));

    if (!t)
        return -ENOMEM;
    lock_init(&t->lock, RANK_GRANT);
    lock_init(&t->map_lock, RANK_GRANT);
    t->max_frames = GRANT_FRAMES_MAX;
    maptrack_init(&t->handles, GRANT_MAPTRACK_MAX);
    d->grants = t;
    return 0;
}

void grant_set_limits(struct domain *d, u32 frames, u32 maptrack)
{
    struct grant_table *t = d->grants;

    lock_acquire(&t->lock);
    t->max_frames = MIN(frames, t->max_frames);
    lock_release(&t->lock);
    lock_acquire(&t->map_lock);
    t->handles.limit = MIN(maptrack, t->handles.limit);
    lock_release(&t->map_lock);
}

/* One frame more, with its pins. Lock held. */
static int grow_one(struct domain *d, struct grant_table *t)
{
    u32 n = t->nr_frames;
    mfn_t mfn;

    if (!t->pins[2 * n])
        t->pins[2 * n] = domain_zalloc(d, PAGE_SIZE);
    if (!t->pins[2 * n + 1])
        t->pins[2 * n + 1] = domain_zalloc(d, PAGE_SIZE);
    if (!t->pins[2 * n] || !t->pins[2 * n + 1])
        return -ENOMEM;
    mfn = page_alloc_hv(0);
    if (mfn_eq(mfn, MFN_INVALID))
        return -ENOMEM;
    page_share_with(d, mfn, true);
    t->frame[n] = mfn;
    atomic_store_release(&t->nr_frames, n + 1);
    return 0;
}

int grant_grow(struct domain *d, u32 nr)
{
    struct grant_table *t = d->grants;
    int rc = 0;

    lock_acquire(&t->lock);
    if (nr > t->max_frames || t->closed)
        rc = -EINVAL;
    while (!rc && t->nr_frames < nr)
        rc = grow_one(d, t);
    lock_release(&t->lock);
    return rc;
}

u32 grant_frames(const struct domain *d)
{
    return atomic_load_acquire(&d->grants->nr_frames);
}

u32 grant_frames_max(const struct domain *d)
{
    return atomic_load(&d->grants->max_frames);
}

mfn_t grant_frame(const struct domain *d, u32 i)
{
    return i < grant_frames(d) ? d->grants->frame[i] : MFN_INVALID;
}

/* Below nr_frames * ENTRIES_PER_FRAME. Lock held. */
static struct grantpin *pin_of(const struct grant_table *t, u32 ref)
{
    return &t->pins[ref / PINS_PER_PAGE][ref % PINS_PER_PAGE];
}

/* What the guest sees, while the table is not closed. Lock held. */
static grant_entry_v1_t *entry_of(const struct grant_table *t, u32 ref)
{
    grant_entry_v1_t *frame = port_map(t->frame[ref / ENTRIES_PER_FRAME]);

    return &frame[ref % ENTRIES_PER_FRAME];
}

/* Pin and frame, under the lock. */
static s16 pin_locked(struct domain *granter, u32 ref, domid_t who, bool write, struct page **pg,
                      const char **why)
{
    struct grant_table *t = granter->grants;
    grant_entry_v1_t *e;
    struct grantpin *p;
    s16 rc;

    *why = "the granter is dying";
    if (t->closed)
        return GNTST_bad_domain;
    *why = "no such entry";
    if (ref >= t->nr_frames * ENTRIES_PER_FRAME)
        return GNTST_bad_gntref;
    e = entry_of(t, ref);
    p = pin_of(t, ref);
    rc = grantpin_take(p, e, who, write, why);
    if (rc != GNTST_okay)
        return rc;
    *pg = physmap_get_page(granter, GFN(p->frame), write);
    if (likely(*pg)) {
        if (!write || !ptype_get_type(*pg, PTYPE_WRITABLE))
            return GNTST_okay;
        *why = "writing, the frame is of another type";
        rc = GNTST_general_error;
        ptype_put_page(*pg);
    } else {
        *why = "the frame is not the granter's";
        rc = GNTST_bad_page;
    }
    grantpin_drop(p, e, write);
    return rc;
}

s16 grant_pin(struct domain *granter, u32 ref, domid_t who, bool write, struct page **pg)
{
    struct grant_table *t = granter->grants;
    const char *why;
    s16 rc;

    lock_acquire(&t->lock);
    rc = pin_locked(granter, ref, who, write, pg, &why);
    lock_release(&t->lock);
    if (unlikely(rc != GNTST_okay))
        hypercall_refuse(0, "grant_table_op: entry %u of d%u for d%u: %s", ref, granter->id, who,
                         why);
    return rc;
}

void grant_unpin(struct domain *granter, u32 ref, bool write, struct page *pg)
{
    struct grant_table *t = granter->grants;

    lock_acquire(&t->lock);
    if (likely(!t->closed)) {
        /* When the granter sees that it is over, the frame is free for any other use. It cannot go
         * before the table is closed, which takes the lock. */
        ptype_put_mapping(pg, write);
        grantpin_drop(pin_of(t, ref), entry_of(t, ref), write);
        lock_release(&t->lock);
        return;
    }
    grantpin_drop(pin_of(t, ref), NULL, write);
    lock_release(&t->lock);
    /* Last: the granter may go with it. */
    ptype_put_mapping(pg, write);
}

struct maptrack *grant_handles(const struct domain *d)
{
    return &d->grants->handles;
}

/* A page of handles more; the array of pages comes with the first. Lock held. */
static int handles_grow(struct domain *d)
{
    struct maptrack *m = &d->grants->handles;
    struct maptrack_entry *page;
    int rc;

    if (m->nr / MAPTRACK_PER_PAGE >= m->limit)
        return -ENOSPC;
    if (!m->page)
        m->page = domain_zalloc(d, m->limit * sizeof(m->page[0]));
    page = m->page ? domain_zalloc(d, PAGE_SIZE) : NULL;
    if (!page)
        return -ENOMEM;
    rc = maptrack_add(m, page);
    if (rc)
        domain_zfree(d, page, PAGE_SIZE);
    return rc;
}

u32 grant_handle_alloc(struct domain *d)
{
    struct grant_table *t = d->grants;
    u32 handle;

    lock_acquire(&t->map_lock);
    handle = maptrack_alloc(&t->handles);
    if (unlikely(handle == MAPTRACK_NONE) && !handles_grow(d))
        handle = maptrack_alloc(&t->handles);
    lock_release(&t->map_lock);
    return handle;
}

void grant_handle_free(struct domain *d, u32 handle)
{
    struct grant_table *t = d->grants;

    lock_acquire(&t->map_lock);
    maptrack_free(&t->handles, handle);
    lock_release(&t->map_lock);
}

void grant_domain_close(struct domain *d)
{
    struct grant_table *t = d->grants;
    u32 i;

    lock_acquire(&t->lock);
    t->closed = true;
    lock_release(&t->lock);
    /* Nobody grows it or touches an entry from here on. */
    for (i = 0; i < t->nr_frames; i++)
        page_release(page_of(t->frame[i]));
}

void grant_domain_fini(struct domain *d)
{
    struct grant_table *t = d->grants;
    u32 i;

    if (!t)
        return;
    if (!t->closed)
        grant_domain_close(d);
    d->grants = NULL;
    for (i = 0; i < ARRAY_SIZE(t->pins); i++)
        domain_zfree(d, t->pins[i], PAGE_SIZE);
    for (i = 0; i < t->handles.nr / MAPTRACK_PER_PAGE; i++)
        domain_zfree(d, t->handles.page[i], PAGE_SIZE);
    domain_zfree(d, t->handles.page, t->handles.limit * sizeof(t->handles.page[0]));
    domain_zfree(d, t, sizeof(*t));
}

/* Entries pinned, and how often for writing; the counts may be a moment old. */
static u32 count_pinned(const struct grant_table *t, u32 *writers)
{
    u32 i, n = 0, nr = t->nr_frames * (u32)ENTRIES_PER_FRAME;

    for (i = 0; i < nr; i++) {
        n += grantpin_is_pinned(pin_of(t, i));
        *writers += pin_of(t, i)->writers;
    }
    return n;
}

void grant_dump(const struct domain *d)
{
    const struct grant_table *t = d->grants;
    u32 i, mapped = 0, writers = 0, pinned;

    pinned = count_pinned(t, &writers);
    for (i = 0; i < atomic_load_acquire(&t->handles.nr); i++)
        mapped += atomic_load(&maptrack_entry(&t->handles, i)->flags) != 0;
    log_msg(LOG_INFO,
            "d%u: grant table of %u frames (at most %u)%s, %u entries in use, %u writers; %u of %u "
            "handles in use (at most %u)",
            d->id, t->nr_frames, t->max_frames, t->closed ? ", closed" : "", pinned, writers,
            mapped, t->handles.nr, t->handles.limit * (u32)MAPTRACK_PER_PAGE);
}
