/* SPDX-License-Identifier: MIT */
/*
 * References and types of frames: the only code that changes the words `count` and `type` of a
 * struct page that is in use. docs/PAGES.md has the story and the state diagram.
 *
 * `count` keeps a frame from going back to the allocator; one for the allocation itself, one for
 * each mapping and each type reference. `type` says what the frame is used as and by how many; it
 * can change only while nobody uses it. WRITABLE and SEG references are taken without a lock from
 * any CPU; L1 to L4 only under the mmu lock of the frame's owner. The compare-and-swap of the type
 * word decides between the two groups: the loser gets an error, nobody waits.
 */
#ifndef PURE_PTYPE_H
#define PURE_PTYPE_H

#include "base/atomic.h"
#include "base/err.h"
#include "pure/page.h"
#include "pure/ptype_port.h"

/* 1 to 4 for a page-table type word, else 0. A type with count 0 is no use, only a memory. */
static inline unsigned int ptype_level(u64 type)
{
    unsigned int t = (unsigned int)((type & PTYPE_MASK) >> PTYPE_LEVEL_SHIFT);

    return t <= 4 ? t : 0;
}

/* "writable", "level 2 table", ... for messages. */
const char *ptype_name(u64 type);

/* Drops a general reference; the last one releases the frame (ptype_port_release). No lock. */
void ptype_put_page(struct page *pg);

/*
 * One more general reference, if the frame is allocated and belongs to `owner`. False changes
 * nothing. No lock. Inline: once for every entry of a table that is pinned.
 */
static ALWAYS_INLINE MUST_CHECK bool ptype_get_page(struct page *pg, u16 owner)
{
    u64 x;

    if (unlikely(atomic_load(&pg->owner) != owner))
        return false;
    x = atomic_load(&pg->count);
    do {
        /* 0: free. All ones: the guest has mapped it four billion times. */
        if (unlikely((u32)(x + 1) <= 1))
            return false;
    } while (unlikely(!atomic_cmpxchg(&pg->count, &x, x + 1)));
    /* It may have changed hands before the swap; from here on it cannot. */
    if (likely(atomic_load(&pg->owner) == owner))
        return true;
    ptype_put_page(pg);
    return false;
}

/*
 * Takes a WRITABLE or SEG reference; the caller has a general one and keeps it as long as this.
 * 0: taken. -EBUSY: the frame is used as something else, or the count is full. 1 (SEG only): taken,
 * but the contents have not been checked since the frame became SEG; the caller checks them (they
 * cannot change meanwhile) and calls ptype_set_checked, or puts the reference. No lock.
 */
int ptype_get_type(struct page *pg, u64 type) MUST_CHECK;
void ptype_set_checked(struct page *pg);
/* Drops a WRITABLE or SEG reference. No lock. */
void ptype_put_type(struct page *pg);

/*
 * What a level 1 entry holds of a frame of `owner`: a general reference, and a WRITABLE one when
 * it allows writing. False: refused, nothing is taken. put: the reverse. No lock.
 */
bool ptype_get_mapping(struct page *pg, u16 owner, bool writable) MUST_CHECK;
void ptype_put_mapping(struct page *pg, bool writable);

/*
 * Page tables, under the owner's mmu lock; used by pure/pvpt_step.c and pvpt.c only.
 *
 * take: the frame becomes a table of `type` with one reference, contents unchecked, after every
 *       CPU has forgotten what it knew about its former use. -EBUSY when it is used otherwise.
 * add:  one more reference on a validated table. -EBUSY when the count is full.
 * drop: one reference less; not the last.
 * last: the last reference of a table whose entries hold nothing any more.
 * mark: sets and clears flag bits.
 */
int ptype_table_take(struct page *pg, u64 type) MUST_CHECK;
int ptype_table_add(struct page *pg) MUST_CHECK;
void ptype_table_drop(struct page *pg);
void ptype_table_last(struct page *pg);
void ptype_table_mark(struct page *pg, u64 set, u64 clear);

#endif
