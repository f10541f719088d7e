/* SPDX-License-Identifier: MIT */
/*
 * Who uses a frame, as what, and when may that change?
 *
 * Two words per frame, each changed only by compare-and-swap. A type is exclusive: while its count
 * is not zero every request for another type fails. When the count has dropped to zero the type
 * stays as a memory of what CPUs may still have cached, together with the flush clock's value of
 * that moment in `aux`; the next type change flushes the CPUs that have not flushed since. A new
 * WRITABLE or SEG user must not touch the frame before that flush is over, and a second user may
 * arrive meanwhile: so PTYPE_VALIDATED, in these two types, says "flushed" (and for SEG "contents
 * checked"), and everyone who finds it missing does the flush himself instead of waiting. Flushing
 * twice is harmless.
 *
 * `aux` is stored before the swap that makes the count zero, and read after one that makes it
 * non-zero. Between the store and the swap another user may come and go again, later than the stamp
 * says; he leaves the count as it was but not the turns, which each put that is not the last
 * advances: the swap fails and the stamp is taken anew. So it belongs to the latest drop.
 *
 * Left out: the contents of tables (pvpt_step.c) and of descriptor pages (the caller of SEG).
 */
#include "pure/ptype.h"

const char *ptype_name(u64 type)
{
    static const char *const name[8] = {
        "untyped",       "level 1 table",   "level 2 table", "level 3 table",
        "level 4 table", "descriptor page", "unknown type",  "writable page",
    };

    return name[(type & PTYPE_MASK) >> PTYPE_LEVEL_SHIFT];
}

STATIC_ASSERT(PAGE_COUNT_MASK == 0xffffffff && PTYPE_COUNT_MASK == 0xffffffff, "32-bit counts");

static ALWAYS_INLINE void put_page(struct page *pg)
{
    u64 x = atomic_sub_return(&pg->count, 1);

    ASSERT((x & PAGE_COUNT_MASK) != PAGE_COUNT_MASK);
    if (unlikely((x & PAGE_COUNT_MASK) == 0))
        ptype_port_release(pg);
}

void ptype_put_page(struct page *pg)
{
    put_page(pg);
}

/* A reference was taken on a frame that is not yet known to be out of every TLB. */
static NOINLINE int ptype_settle(struct page *pg, u64 type)
{
    ptype_port_flush(pg, atomic_load(&pg->aux));
    if (type == PTYPE_SEG)
        return 1;
    atomic_fetch_or(&pg->type, PTYPE_VALIDATED);
    return 0;
}

static ALWAYS_INLINE int get_type(struct page *pg, u64 type)
{
    u64 x = atomic_load(&pg->type), n;

    do {
        if (likely((x & PTYPE_MASK) == type)) {
            if (unlikely((x & PTYPE_COUNT_MASK) == PTYPE_COUNT_MASK))
                return -EBUSY;
            n = x + 1;
        } else if (x & PTYPE_COUNT_MASK) {
            return -EBUSY;
        } else {
            n = type | 1;
            /* Never typed since it was allocated: no CPU can know it. */
            if ((x & PTYPE_MASK) == PTYPE_NONE && type == PTYPE_WRITABLE)
                n |= PTYPE_VALIDATED;
        }
    } while (unlikely(!atomic_cmpxchg(&pg->type, &x, n)));
    if (likely(n & PTYPE_VALIDATED))
        return 0;
    return ptype_settle(pg, type);
}

int ptype_get_type(struct page *pg, u64 type)
{
    return get_type(pg, type);
}

void ptype_set_checked(struct page *pg)
{
    u64 x = atomic_fetch_or(&pg->type, PTYPE_VALIDATED);

    ASSERT((x & PTYPE_MASK) == PTYPE_SEG && (x & PTYPE_COUNT_MASK));
    (void)x;
}

/* Not the last one, and nobody else at it at the same time. */
static ALWAYS_INLINE bool put_type_quick(struct page *pg)
{
    u64 x = atomic_load(&pg->type);

    ASSERT(ptype_level(x) == 0 && (x & PTYPE_COUNT_MASK));
    return likely((u32)x != 1) && likely(atomic_cmpxchg(&pg->type, &x, x + (PTYPE_TURN - 1)));
}

static NOINLINE void put_type_slow(struct page *pg)
{
    u64 x = atomic_load(&pg->type), n;

    ASSERT(ptype_level(x) == 0);
    do {
        ASSERT(x & PTYPE_COUNT_MASK);
        n = x + (PTYPE_TURN - 1);
        if ((x & PTYPE_COUNT_MASK) == 1) {
            n = x - 1;
            atomic_store(&pg->aux, ptype_port_clock());
        }
    } while (unlikely(!atomic_cmpxchg(&pg->type, &x, n)));
}

void ptype_put_type(struct page *pg)
{
    if (unlikely(!put_type_quick(pg)))
        put_type_slow(pg);
}

/* First writable use, another type, or a race lost. */
static NOINLINE bool get_mapping_slow(struct page *pg)
{
    if (get_type(pg, PTYPE_WRITABLE) == 0)
        return true;
    put_page(pg);
    return false;
}

bool ptype_get_mapping(struct page *pg, u16 owner, bool writable)
{
    u64 x;

    if (unlikely(!ptype_get_page(pg, owner)))
        return false;
    if (!writable)
        return true;
    x = atomic_load(&pg->type);
    if (likely((x & (PTYPE_MASK | PTYPE_VALIDATED)) == (PTYPE_WRITABLE | PTYPE_VALIDATED) &&
               (u32)x != PTYPE_COUNT_MASK && atomic_cmpxchg(&pg->type, &x, x + 1)))
        return true;
    return get_mapping_slow(pg);
}

static NOINLINE void put_mapping_slow(struct page *pg)
{
    put_type_slow(pg);
    put_page(pg);
}

void ptype_put_mapping(struct page *pg, bool writable)
{
    if (writable && unlikely(!put_type_quick(pg)))
        put_mapping_slow(pg);
    else
        put_page(pg);
}

int ptype_table_take(struct page *pg, u64 type)
{
    u64 x = atomic_load(&pg->type);

    do {
        if (x & PTYPE_COUNT_MASK)
            return -EBUSY;
    } while (!atomic_cmpxchg(&pg->type, &x, type | 1));
    /* Nobody can write it any more; now wait until no CPU remembers that somebody could. */
    if ((x & PTYPE_MASK) != type && (x & PTYPE_MASK) != PTYPE_NONE)
        ptype_port_flush(pg, atomic_load(&pg->aux));
    return 0;
}

int ptype_table_add(struct page *pg)
{
    u64 x = atomic_load(&pg->type);

    ASSERT(ptype_level(x) && (x & PTYPE_VALIDATED));
    do {
        if (unlikely((x & PTYPE_COUNT_MASK) == PTYPE_COUNT_MASK))
            return -EBUSY;
    } while (unlikely(!atomic_cmpxchg(&pg->type, &x, x + 1)));
    return 0;
}

void ptype_table_drop(struct page *pg)
{
    u64 x = atomic_sub_return(&pg->type, 1);

    ASSERT(ptype_level(x) && (x & PTYPE_COUNT_MASK) != PTYPE_COUNT_MASK);
    ASSERT(x & PTYPE_COUNT_MASK);
    (void)x;
}

void ptype_table_last(struct page *pg)
{
    u64 x = atomic_load(&pg->type);

    ASSERT(ptype_level(x) && (x & PTYPE_COUNT_MASK) == 1 && !(x & PTYPE_PINNED));
    atomic_store(&pg->aux, ptype_port_clock());
    while (!atomic_cmpxchg(&pg->type, &x, x & PTYPE_MASK))
        ;
}

void ptype_table_mark(struct page *pg, u64 set, u64 clear)
{
    u64 x = atomic_load(&pg->type);

    ASSERT(ptype_level(x) && (x & PTYPE_COUNT_MASK));
    while (!atomic_cmpxchg(&pg->type, &x, (x | set) & ~clear))
        ;
}
