/* SPDX-License-Identifier: MIT */
/*
 * A domain's handles: which grants of others it has mapped. A handle is an index; the entries live
 * in pages that are added when there is no free one, up to a limit, and are kept.
 *
 * alloc, add and free are called with the caller's lock held. claim and what follows it need none:
 * an entry is changed only by the one who claimed it.
 */
#ifndef PURE_MAPTRACK_H
#define PURE_MAPTRACK_H

#include "base/atomic.h"
#include "base/err.h"

#define MAPTRACK_NONE     0xffffffffu
#define MAPTRACK_PER_PAGE (PAGE_SIZE / sizeof(struct maptrack_entry))
#define MAPTRACK_BUSY     0x8000u /* claimed; in `flags`, which otherwise are the caller's */

struct maptrack_entry {
    u32 ref;   /* the granter's entry; free: the next free handle */
    u32 frame; /* what is mapped */
    u16 domid; /* the granter */
    u16 flags; /* 0: not in use; atomic */
    u32 unused;
};
STATIC_ASSERT(sizeof(struct maptrack_entry) == 16, "256 to a page");

struct maptrack {
    struct maptrack_entry **page; /* `limit` slots; NULL before the first mapping */
    u32 limit;                    /* pages at most */
    u32 nr;                       /* entries there are; atomic, grows after the page is in place */
    u32 free;                     /* first free handle */
};

/* Without pages; m->page is the caller's to set before the first add. */
void maptrack_init(struct maptrack *m, u32 limit);

/* A handle that is nobody's, claimed with flags 0, or MAPTRACK_NONE: add a page. */
u32 maptrack_alloc(struct maptrack *m) MUST_CHECK;
/* A zeroed page of entries. -ENOSPC: the limit is reached. */
int maptrack_add(struct maptrack *m, struct maptrack_entry *page) MUST_CHECK;
/* The handle is free. Its entry was claimed by the caller. */
void maptrack_free(struct maptrack *m, u32 handle);

/* The entry of a handle below m->nr. */
static inline struct maptrack_entry *maptrack_entry(const struct maptrack *m, u32 handle)
{
    return &m->page[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

/*
 * Takes the entry of a handle that is in use, so that nobody else can: its fields then are stable.
 * NULL: no such handle, not in use, or claimed by another. *flags: the caller's flags.
 */
struct maptrack_entry *maptrack_claim(const struct maptrack *m, u32 handle, u16 *flags) MUST_CHECK;

/* The entry is in use with these flags (not 0) and may be claimed by anybody. */
static inline void maptrack_publish(struct maptrack_entry *e, u16 flags)
{
    /* Release: pairs with the swap in maptrack_claim; the other fields are in place. */
    atomic_store_release(&e->flags, flags);
}

#endif
