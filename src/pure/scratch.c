/* SPDX-License-Identifier: MIT */
/*
 * Where do decompression libraries get memory from before there is a heap?
 *
 * Each block has a 16-byte head: the offset of the head below it, and whether it is free. Freeing
 * marks the block, then drops marked blocks from the top. Nothing is searched or merged, which is
 * enough for libraries that free everything when they finish.
 */
#include "pure/scratch.h"

#include "base/lib.h"

struct scratch_head {
    size_t below; /* offset of the next lower head; SCRATCH_NONE: this is the lowest */
    size_t state;
};

#define SCRATCH_ALIGN ((size_t)16)
#define SCRATCH_NONE  SIZE_MAX
#define SCRATCH_LIVE  ((size_t)0x6c697665)
#define SCRATCH_FREE  ((size_t)0x66726565)

STATIC_ASSERT(sizeof(struct scratch_head) == 16, "a head keeps its block aligned");

static struct scratch_head *scratch_head_at(const struct scratch *s, size_t off)
{
    return (struct scratch_head *)(void *)(s->base + off);
}

void scratch_init(struct scratch *s, void *memory, size_t size)
{
    size_t skip = (size_t)(-(uintptr_t)memory) & (SCRATCH_ALIGN - 1);

    skip = MIN(skip, size);
    s->base = skip ? (u8 *)memory + skip : memory;
    s->size = size - skip;
    s->used = 0;
    s->last = SCRATCH_NONE;
}

void *scratch_alloc(struct scratch *s, size_t n)
{
    struct scratch_head *h;
    size_t room = s->size - s->used;

    if (room < sizeof(*h) || n > room - sizeof(*h) ||
        ROUND_UP(n, SCRATCH_ALIGN) > room - sizeof(*h))
        return NULL;
    h = scratch_head_at(s, s->used);
    h->below = s->last;
    h->state = SCRATCH_LIVE;
    s->last = s->used;
    s->used += sizeof(*h) + ROUND_UP(n, SCRATCH_ALIGN);
    return h + 1;
}

void *scratch_alloc_zeroed(struct scratch *s, size_t count, size_t n)
{
    u64 bytes;
    void *p;

    if (!mul_ok(count, n, &bytes))
        return NULL;
    p = scratch_alloc(s, (size_t)bytes);
    if (p)
        memset(p, 0, (size_t)bytes);
    return p;
}

void scratch_free(struct scratch *s, void *p)
{
    struct scratch_head *h;

    if (!p)
        return;
    h = (struct scratch_head *)p - 1;
    BUG_ON((u8 *)p < s->base + sizeof(*h) || (u8 *)p > s->base + s->used ||
           h->state != SCRATCH_LIVE);
    h->state = SCRATCH_FREE;
    while (s->last != SCRATCH_NONE && scratch_head_at(s, s->last)->state == SCRATCH_FREE) {
        s->used = s->last;
        s->last = scratch_head_at(s, s->last)->below;
    }
}
