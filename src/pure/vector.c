/* SPDX-License-Identifier: MIT */
/*
 * Which vector does the next line on this CPU get? A circular search over a bitmap of 256.
 */
#include "pure/vector.h"

#include "base/err.h"

static bool taken(const struct vector_pool *p, u32 vector)
{
    return (p->used[vector / 64] >> (vector % 64)) & 1;
}

void vector_reserve(struct vector_pool *p, u8 vector)
{
    p->used[vector / 64] |= (u64)1 << (vector % 64);
}

void vector_init(struct vector_pool *p, u8 first, u8 last)
{
    u32 i;

    *p = (struct vector_pool){.next = first};
    for (i = 0; i < 256; i++)
        if (i < first || i > last)
            vector_reserve(p, (u8)i);
}

int vector_alloc(struct vector_pool *p)
{
    u32 i;

    for (i = 0; i < 256; i++) {
        u8 v = (u8)(p->next + i);

        if (taken(p, v))
            continue;
        vector_reserve(p, v);
        p->next = (u8)(v + 1);
        return v;
    }
    return -ENOSPC;
}

void vector_free(struct vector_pool *p, u8 vector)
{
    ASSERT(taken(p, vector));
    p->used[vector / 64] &= ~((u64)1 << (vector % 64));
}
