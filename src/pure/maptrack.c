/* SPDX-License-Identifier: MIT */
/*
 * Which handle is free, and who may end a mapping? Free entries form a list through `ref`. An entry
 * in use has flags; ending or changing a mapping begins with swapping in the BUSY bit, so of two
 * CPUs that end the same one the second finds no such handle.
 *
 *      free ── alloc ──▶ busy ── publish ──▶ in use ── claim ──▶ busy ── free ──▶ free
 *                                               ▲                 │
 *                                               └──── publish ────┘
 */
#include "pure/maptrack.h"

void maptrack_init(struct maptrack *m, u32 limit)
{
    *m = (struct maptrack){.limit = limit, .free = MAPTRACK_NONE};
}

u32 maptrack_alloc(struct maptrack *m)
{
    u32 handle = m->free;
    struct maptrack_entry *e;

    if (handle == MAPTRACK_NONE)
        return MAPTRACK_NONE;
    e = maptrack_entry(m, handle);
    m->free = e->ref;
    atomic_store(&e->flags, (u16)MAPTRACK_BUSY);
    return handle;
}

int maptrack_add(struct maptrack *m, struct maptrack_entry *page)
{
    u32 i, n = (u32)MAPTRACK_PER_PAGE;

    if (m->nr / n >= m->limit)
        return -ENOSPC;
    /* Low handles come first. */
    for (i = 0; i < n; i++)
        page[i].ref = i + 1 < n ? m->nr + i + 1 : m->free;
    m->page[m->nr / n] = page;
    m->free = m->nr;
    /* Release: pairs with the load in maptrack_claim; the page is in its slot. */
    atomic_store_release(&m->nr, m->nr + n);
    return 0;
}

void maptrack_free(struct maptrack *m, u32 handle)
{
    struct maptrack_entry *e = maptrack_entry(m, handle);

    ASSERT(atomic_load(&e->flags) & MAPTRACK_BUSY);
    atomic_store(&e->flags, (u16)0);
    e->ref = m->free;
    m->free = handle;
}

struct maptrack_entry *maptrack_claim(const struct maptrack *m, u32 handle, u16 *flags)
{
    struct maptrack_entry *e;
    u16 f;

    if (handle >= atomic_load_acquire(&m->nr))
        return NULL;
    e = maptrack_entry(m, handle);
    f = atomic_load(&e->flags);
    do {
        if (!f || (f & MAPTRACK_BUSY))
            return NULL;
    } while (!atomic_cmpxchg(&e->flags, &f, (u16)(f | MAPTRACK_BUSY)));
    *flags = f;
    return e;
}
