/* SPDX-License-Identifier: MIT */
/*
 * What does each byte of the machine's address space hold, when firmware may list ranges in any
 * order and let them overlap?
 *
 * A new range is laid over the map piece by piece, from its start: a gap gets the new type, an
 * existing entry is split where the new type wins over it and skipped where it does not. Then equal
 * neighbours are merged. Quadratic in the number of entries, which is small.
 */
#include "pure/memmap.h"

#include "base/err.h"
#include "base/lib.h"

/* Higher wins: what is safe to leave alone beats what one may write to. */
static unsigned int memmap_rank(u32 type)
{
    switch (type) {
    case MEMMAP_RAM:
        return 0;
    case MEMMAP_ACPI:
        return 1;
    case MEMMAP_NVS:
        return 2;
    case MEMMAP_UNUSABLE:
        return 4;
    default:
        return 3;
    }
}

/* Opens a slot at index i. */
static int memmap_insert(struct memmap *m, unsigned int i, u64 start, u64 end, u32 type)
{
    if (m->nr == MEMMAP_MAX)
        return -ENOSPC;
    memmove(&m->entry[i + 1], &m->entry[i], (m->nr - i) * sizeof(m->entry[0]));
    m->entry[i] = (struct memmap_entry){.start = start, .end = end, .type = type};
    m->nr++;
    return 0;
}

static void memmap_merge(struct memmap *m)
{
    unsigned int i, n = 0;

    for (i = 0; i < m->nr; i++) {
        if (n && m->entry[n - 1].type == m->entry[i].type &&
            m->entry[n - 1].end == m->entry[i].start)
            m->entry[n - 1].end = m->entry[i].end;
        else
            m->entry[n++] = m->entry[i];
    }
    m->nr = n;
}

/* Cuts entry i in two at `at`, unless that is its edge. */
static int memmap_split(struct memmap *m, unsigned int i, u64 at)
{
    u64 end = m->entry[i].end;
    int rc;

    if (at <= m->entry[i].start || at >= end)
        return 0;
    rc = memmap_insert(m, i + 1, at, end, m->entry[i].type);
    if (!rc)
        m->entry[i].end = at;
    return rc;
}

int memmap_add(struct memmap *m, u64 start, u64 end, u32 type)
{
    unsigned int i = 0;
    int rc = 0;

    while (start < end && !rc) {
        while (i < m->nr && m->entry[i].end <= start)
            i++;
        if (i == m->nr || m->entry[i].start > start) {
            u64 stop = i == m->nr ? end : MIN(end, m->entry[i].start);

            rc = memmap_insert(m, i, start, stop, type);
            start = stop;
        } else if (memmap_rank(type) <= memmap_rank(m->entry[i].type)) {
            start = m->entry[i].end;
        } else if (m->entry[i].start < start) {
            rc = memmap_split(m, i, start);
        } else {
            rc = memmap_split(m, i, end);
            m->entry[i].type = type;
            start = m->entry[i].end;
        }
    }
    memmap_merge(m);
    return rc;
}

bool memmap_pages(const struct memmap_entry *e, u64 limit, u64 *start, u64 *end)
{
    if (e->start >= limit)
        return false;
    *start = ROUND_UP(e->start, PAGE_SIZE); /* at most limit */
    *end = ROUND_DOWN(MIN(e->end, limit), PAGE_SIZE);
    return *start < *end;
}

bool memmap_audit(const struct memmap *m)
{
    unsigned int i;

    for (i = 0; i < m->nr; i++) {
        if (m->entry[i].start >= m->entry[i].end)
            return false;
        if (i && m->entry[i - 1].end > m->entry[i].start)
            return false;
        if (i && m->entry[i - 1].end == m->entry[i].start &&
            m->entry[i - 1].type == m->entry[i].type)
            return false;
    }
    return m->nr <= MEMMAP_MAX;
}
