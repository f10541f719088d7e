/* SPDX-License-Identifier: MIT */
/*
 * Is every count what it should be? Each fact about a frame is one number in its two words; here
 * the same numbers are found the slow way, from the entries of all tables in use. A table counts
 * the entries that hold references: all of them when it is validated, those below the cursor when
 * it is in between.
 *
 * Beside the numbers: flags that exclude each other, the rule that a table in use is reached only
 * through validated tables, and that an entry that allows writing never names anything but a
 * writable frame (the central theorem; the writable count itself is compared with the rest).
 */
#include "pure/pvpt_audit.h"

#include "pure/port.h"

void pvpt_audit_add(struct pvpt_audit *a, u64 mfn, u32 refs, u32 types)
{
    if (mfn >= a->nr)
        return;
    a->refs[mfn] += refs;
    a->types[mfn] += types;
}

static const char *audit_l1_entry(struct pvpt_audit *a, u64 e)
{
    u64 mfn = (e & PVPT_ADDR) >> PAGE_SHIFT;
    const struct page *pg = ptype_port_page(mfn);

    if (!(e & PVPT_US) || (e & PVPT_G))
        return "a level 1 entry that was not rewritten";
    if (!pg || pg->owner == PVPT_DOMID_IO)
        return NULL;
    pvpt_audit_add(a, mfn, 1, e & PVPT_RW ? 1 : 0);
    if ((e & PVPT_RW) && (pg->type & PTYPE_MASK) != PTYPE_WRITABLE)
        return "a writable mapping of a frame that is not of writable type";
    return NULL;
}

/* last: the entry just below the cursor of a table in between, whose own table may be as well. */
static const char *audit_upper_entry(struct pvpt_audit *a, unsigned int level, u64 e, u16 owner,
                                     bool last)
{
    u64 mfn = (e & PVPT_ADDR) >> PAGE_SHIFT;
    const struct page *pg = ptype_port_page(mfn);

    if (!pg || pg->owner != owner)
        return "an upper entry names a frame of another domain";
    pvpt_audit_add(a, mfn, 1, 1);
    if (ptype_level(pg->type) != level - 1)
        return "an upper entry names a frame that is not a table of the level below";
    if (!(pg->type & PTYPE_VALIDATED) && !last)
        return "an upper entry names a table that is not validated";
    return NULL;
}

static const char *audit_table(struct pvpt_audit *a, const struct page *pg, unsigned int level)
{
    const u64 *table = port_map(ptype_port_mfn(pg));
    bool partial = pg->type & PTYPE_PARTIAL;
    unsigned int i, n = partial ? pg->cursor & PVPT_CURSOR_MASK : PVPT_ENTRIES;
    const char *bad = NULL;

    for (i = 0; i < n && !bad; i++) {
        u64 e = READ_ONCE(table[i]);

        if (!(e & PVPT_P) || (level == 4 && i >= PVPT_HV_FIRST && i <= PVPT_HV_LAST))
            continue;
        bad = level == 1 ? audit_l1_entry(a, e)
                         : audit_upper_entry(a, level, e, pg->owner, partial && i == n - 1);
    }
    return bad;
}

const char *pvpt_audit_frame(struct pvpt_audit *a, const struct page *pg)
{
    u64 mfn = ptype_port_mfn(pg).v;
    unsigned int level = ptype_level(pg->type);
    bool used = pg->type & PTYPE_COUNT_MASK;

    if (pg->count & PAGE_ALLOCATED)
        pvpt_audit_add(a, mfn, 1, 0);
    if (pg->count & PAGE_SPECIAL)
        pvpt_audit_add(a, mfn, 0, 1);
    if (!level)
        return pg->type & (PTYPE_PINNED | PTYPE_PARTIAL) ? "pinned or in between, but no table"
                                                         : NULL;
    if (!used)
        return pg->type & ~PTYPE_MASK ? "an unused table with flags" : NULL;
    if (!(pg->type & PTYPE_VALIDATED) == !(pg->type & PTYPE_PARTIAL))
        return "a table both validated and in between, or neither";
    if (pg->type & PTYPE_PINNED)
        pvpt_audit_add(a, mfn, 1, 1);
    if ((pg->type & PTYPE_PARTIAL) && !(pg->cursor & PVPT_CURSOR_HELD))
        pvpt_audit_add(a, mfn, 1, 1);
    return audit_table(a, pg, level);
}

const char *pvpt_audit_check(const struct pvpt_audit *a, const struct page *pg)
{
    u64 mfn = ptype_port_mfn(pg).v;
    u64 refs = pg->count & PAGE_COUNT_MASK, types = pg->type & PTYPE_COUNT_MASK;

    if (mfn >= a->nr)
        return NULL;
    if (types < a->types[mfn])
        return "type count too low";
    if (types > a->types[mfn])
        return "type count too high";
    if (refs < a->refs[mfn])
        return "reference count too low";
    if (refs > a->refs[mfn])
        return "reference count too high";
    return NULL;
}
