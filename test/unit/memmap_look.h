/* SPDX-License-Identifier: MIT */
#ifndef UNIT_MEMMAP_LOOK_H
#define UNIT_MEMMAP_LOOK_H

#include "pure/memmap.h"

/* The type at addr; 0: it is in no entry. */
static inline u32 memmap_type(const struct memmap *m, u64 addr)
{
    unsigned int i;

    for (i = 0; i < m->nr; i++)
        if (addr >= m->entry[i].start && addr < m->entry[i].end)
            return m->entry[i].type;
    return 0;
}

/* Bytes of a type. */
static inline u64 memmap_total(const struct memmap *m, u32 type)
{
    u64 sum = 0;
    unsigned int i;

    for (i = 0; i < m->nr; i++)
        if (m->entry[i].type == type)
            sum += m->entry[i].end - m->entry[i].start;
    return sum;
}

#endif
