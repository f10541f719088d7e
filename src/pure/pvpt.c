/* SPDX-License-Identifier: MIT */
/*
 * May this entry be written into that table, and what does writing it change?
 *
 * An entry is checked, its frame's references are taken, it is stored, and the references of the
 * entry it replaces are dropped, in this order: at no time does the hardware see an entry without
 * its references. A present level 1 entry holds one general reference of its frame, and a WRITABLE
 * type reference when it allows writing; a present upper entry holds a general and a type reference
 * of the table below. Entries that are not present hold nothing and may have any content.
 *
 * No flush happens here. A removed translation is the guest's business until its frame's type
 * changes or the frame is freed, and both look at the flush clock (ptype.c).
 *
 * Refused for everybody: large pages, tables that name a table of their own or a higher level
 * (types are exclusive), the hypervisor's slots. G is never set: kernel and user halves of a guest
 * share address-space switches that must flush everything.
 */
#include "pure/pvpt.h"

#include "pure/port.h"
#include "pure/pvpt_step.h"

#define UPPER_FORBIDDEN (PVPT_PWT | PVPT_PCD | PVPT_PSE | PVPT_G)

int pvpt_refuse(struct pvpt_view *w, int err, const char *why, u64 bad, u64 bad_mfn)
{
    w->why = why;
    w->bad = bad;
    w->bad_mfn = bad_mfn;
    return err;
}

static u64 pvpt_mfn(u64 e)
{
    return (e & PVPT_ADDR) >> PAGE_SHIFT;
}

/* Device memory: no references; rights instead. Never cached as RAM is. */
static NOINLINE int pvpt_io_take(struct pvpt_view *w, u16 frames, u64 *e)
{
    u64 mfn = pvpt_mfn(*e);
    bool pseudo = frames == w->owner || frames == PVPT_DOMID_IO;

    /* All ones is how a guest writes "no frame". */
    if ((*e & PVPT_ADDR) == PVPT_ADDR)
        return pvpt_refuse(w, -EINVAL, "the invalid frame", *e, mfn);
    if (mfn >= w->io_end)
        return pvpt_refuse(w, -EPERM, "reserved address bits are set", *e, mfn);
    if (!w->iomem || !range_contains(w->iomem, mfn, mfn + 1))
        return pvpt_refuse(w, -EPERM, "no right to this device memory", *e, mfn);
    if (!pseudo && (!w->frames_iomem || !range_contains(w->frames_iomem, mfn, mfn + 1)))
        return pvpt_refuse(w, -EPERM, "the frame's domain has no right to it", *e, mfn);
    if (!(*e & (PVPT_PAT | PVPT_PCD)))
        *e |= PVPT_PCD | PVPT_PWT;
    if (ptype_port_io_readonly(mfn))
        *e &= ~PVPT_RW;
    return 0;
}

static bool pvpt_is_io(const struct page *pg)
{
    return unlikely(!pg || atomic_load(&pg->owner) == PVPT_DOMID_IO);
}

/* Why a frame could not be taken: it is not `frames`', or of another type. */
static NOINLINE int pvpt_take_refused(struct pvpt_view *w, u16 frames, u64 e)
{
    const struct page *pg = ptype_port_page(pvpt_mfn(e));

    return pvpt_refuse(w, -EBUSY,
                       atomic_load(&pg->owner) == frames
                           ? "writable mapping of a frame of another type"
                           : "the frame is not the named domain's",
                       e, pvpt_mfn(e));
}

/* Device memory, memory types, or a refusal. */
static NOINLINE int pvpt_take_other(struct pvpt_view *w, u16 frames, u64 *e)
{
    struct page *pg = ptype_port_page(pvpt_mfn(*e));

    if (pvpt_is_io(pg))
        return pvpt_io_take(w, frames, e);
    if (unlikely((*e & PVPT_CACHE) && !w->cache_bits))
        return pvpt_refuse(w, -EINVAL, "memory type bits without device rights", *e, pvpt_mfn(*e));
    if (unlikely(!ptype_get_mapping(pg, frames, *e & PVPT_RW)))
        return pvpt_take_refused(w, frames, *e);
    return 0;
}

static ALWAYS_INLINE int pvpt_take(struct pvpt_view *w, u16 frames, u64 *e)
{
    u64 want = (*e | PVPT_US) & ~PVPT_G;
    struct page *pg = ptype_port_page(pvpt_mfn(want));

    *e = want;
    /* Device memory has no entry, or one with count 0. */
    if (likely(pg && !(want & PVPT_CACHE)) &&
        likely(want & PVPT_RW ? ptype_get_mapping(pg, frames, true) : ptype_get_page(pg, frames)))
        return 0;
    return pvpt_take_other(w, frames, e);
}

static ALWAYS_INLINE void pvpt_release(u64 e)
{
    struct page *pg = ptype_port_page(pvpt_mfn(e));

    if (!pvpt_is_io(pg))
        ptype_put_mapping(pg, e & PVPT_RW);
}

/* The next entry worth a look after n, which is not present: at most `end`. */
static ALWAYS_INLINE unsigned int skip_empty(const u64 *table, unsigned int n, unsigned int end)
{
    unsigned int m = n;

    while (m % 8 == 0 && m + 8 <= end && pvpt_eight_empty(table, m))
        m += 8;
    return m > n ? m : n + 1;
}

int pvpt_l1_take(struct pvpt_view *w, u64 *table, unsigned int *i, unsigned int end)
{
    unsigned int n = *i;
    u64 e, was;
    int rc = 0;

    while (n < end) {
        was = e = table[n];
        if (e & PVPT_P) {
            rc = pvpt_take(w, w->owner, &e);
            if (unlikely(rc))
                break;
            if (e != was)
                WRITE_ONCE(table[n], e);
            n++;
        } else {
            n = skip_empty(table, n, end);
        }
    }
    *i = n;
    return rc;
}

void pvpt_l1_release(const u64 *table, unsigned int first, unsigned int end)
{
    unsigned int n = first;

    while (n < end) {
        if (table[n] & PVPT_P)
            pvpt_release(table[n++]);
        else
            n = skip_empty(table, n, end);
    }
}

/*
 * Stores `want`; `old` is what the lock holder has read, the hardware may have added A and D. A
 * locked instruction even where a plain store would do: the flush clock is read next, and must not
 * be read before other CPUs can see that the old entry is gone (ptype_put_type, ptype_table_last).
 */
static ALWAYS_INLINE void pvpt_store(u64 *slot, u64 old, u64 want, unsigned int flags)
{
    if (!(flags & PVPT_KEEP_AD)) {
        (void)atomic_xchg(slot, want);
        return;
    }
    while (!atomic_cmpxchg(slot, &old, want | (old & (PVPT_A | PVPT_D))))
        ;
}

int pvpt_l1_update(struct pvpt_view *w, u64 *slot, u64 want, unsigned int flags)
{
    u64 old = READ_ONCE(*slot), gain;
    struct page *pg;
    int rc;

    if (want & PVPT_P) {
        /* Same frame, same memory type, no new right to write: nothing to take. */
        want = (want | PVPT_US) & ~PVPT_G;
        gain = ((old ^ want) & (PVPT_ADDR | PVPT_CACHE | PVPT_P)) | (want & ~old & PVPT_RW);
        if (!gain) {
            pvpt_store(slot, old, want, flags);
            if (!(old & ~want & PVPT_RW))
                return 0;
            pg = ptype_port_page(pvpt_mfn(old));
            if (!pvpt_is_io(pg))
                ptype_put_type(pg);
            return 0;
        }
        rc = pvpt_take(w, w->frames, &want);
        if (unlikely(rc))
            return rc;
    }
    pvpt_store(slot, old, want, flags);
    if (old & PVPT_P)
        pvpt_release(old);
    return 0;
}

int pvpt_l1_swap(struct pvpt_view *w, u64 *slot, u64 expect, u64 want)
{
    u64 was = expect;
    int rc;

    if (READ_ONCE(*slot) != expect)
        return -EAGAIN;
    if (want & PVPT_P) {
        rc = pvpt_take(w, w->frames, &want);
        if (rc)
            return rc;
    }
    if (!atomic_cmpxchg(slot, &was, want)) {
        if (want & PVPT_P)
            pvpt_release(want);
        return -EAGAIN;
    }
    if (expect & PVPT_P)
        pvpt_release(expect);
    return 0;
}

int pvpt_upper_check(struct pvpt_view *w, u64 *e)
{
    if (*e & UPPER_FORBIDDEN)
        return pvpt_refuse(w, -EINVAL,
                           *e & PVPT_PSE ? "large page"
                                         : "memory type or global bit in an upper entry",
                           *e, pvpt_mfn(*e));
    *e |= PVPT_US;
    return 0;
}

int pvpt_upper_update(struct pvpt_view *w, struct page **leftover, unsigned int level, u64 *table,
                      unsigned int index, u64 want, unsigned int flags, int *budget)
{
    u64 *slot = &table[index], old = READ_ONCE(*slot);
    int rc;

    ASSERT(!*leftover);
    if (level == 4 && index >= PVPT_HV_FIRST && index <= PVPT_HV_LAST)
        return pvpt_refuse(w, -EINVAL, "slot of the hypervisor", want, index);
    if (want & PVPT_P) {
        rc = pvpt_upper_check(w, &want);
        if (rc)
            return rc;
        if ((old & PVPT_P) && !((old ^ want) & PVPT_ADDR)) {
            pvpt_store(slot, old, want, flags);
            return 0;
        }
        rc = pvpt_table_get(w, pvpt_mfn(want), level - 1, budget);
        if (rc)
            return rc;
    }
    pvpt_store(slot, old, want, flags);
    if (old & PVPT_P)
        pvpt_table_put(ptype_port_page(pvpt_mfn(old)), leftover, budget);
    return 0;
}

int pvpt_leftover_step(struct page **leftover, int *budget)
{
    int rc;

    if (!*leftover)
        return 0;
    rc = pvpt_step_put(*leftover, budget);
    if (!rc)
        *leftover = NULL;
    return rc;
}

int pvpt_table_get(struct pvpt_view *w, u64 mfn, unsigned int level, int *budget)
{
    struct page *pg = ptype_port_page(mfn);
    int rc;

    if (!pg || !ptype_get_page(pg, w->owner))
        return pvpt_refuse(w, -EINVAL, "the table is not the domain's frame", 0, mfn);
    rc = pvpt_step_get(w, pg, level, budget);
    if (rc && rc != -ERESTART)
        ptype_put_page(pg);
    return rc;
}

void pvpt_table_put(struct page *pg, struct page **leftover, int *budget)
{
    ASSERT(!*leftover);
    if (pvpt_step_put(pg, budget))
        *leftover = pg;
}

int pvpt_pin(struct pvpt_view *w, u64 mfn, unsigned int level, int *budget)
{
    struct page *pg = ptype_port_page(mfn);
    int rc;

    if (pg && atomic_load(&pg->owner) == w->owner && ptype_level(pg->type) &&
        (pg->type & PTYPE_PINNED))
        return pvpt_refuse(w, -EINVAL, "the table is pinned already", 0, mfn);
    rc = pvpt_table_get(w, mfn, level, budget);
    if (!rc)
        ptype_table_mark(pg, PTYPE_PINNED, 0);
    return rc;
}

int pvpt_unpin(struct pvpt_view *w, u64 mfn, struct page **leftover, int *budget)
{
    struct page *pg = ptype_port_page(mfn);
    bool pinned;

    /* With a reference it cannot become another domain's between two looks. */
    if (!pg || !ptype_get_page(pg, w->owner))
        return pvpt_refuse(w, -EINVAL, "the table is not the domain's frame", 0, mfn);
    pinned = ptype_level(pg->type) && (pg->type & PTYPE_PINNED);
    if (pinned) {
        ptype_table_mark(pg, 0, PTYPE_PINNED);
        pvpt_table_put(pg, leftover, budget);
    }
    ptype_put_page(pg);
    return pinned ? 0 : pvpt_refuse(w, -EINVAL, "the table is not pinned", 0, mfn);
}
