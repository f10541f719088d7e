/* SPDX-License-Identifier: MIT */
/*
 * Where is the log kept, and how does a reader come back for the rest? Positions are free-running
 * 32-bit counts; a byte lives at position modulo size, so the size divides 2^32 and the wrap of the
 * count needs no care beyond unsigned subtraction.
 */
#include "pure/conring.h"

#include "base/lib.h"

void conring_init(struct conring *r, char *buf, u32 size)
{
    r->buf = buf;
    r->size = size;
    r->prod = 0;
    r->cons = 0;
}

u32 conring_used(const struct conring *r)
{
    return r->prod - r->cons;
}

/* Both pieces of a copy that may wrap at the end of the buffer; n <= size. */
static u32 first_piece(const struct conring *r, u32 at, u32 n)
{
    u32 room = r->size - (at & (r->size - 1));

    return n < room ? n : room;
}

void conring_put(struct conring *r, const char *s, size_t n)
{
    u32 len, piece;

    if (n > r->size) {
        /* Only the tail survives; the position counts everything. */
        r->prod += (u32)(n - r->size);
        s += n - r->size;
        n = r->size;
    }
    len = (u32)n;
    piece = first_piece(r, r->prod, len);
    memcpy(r->buf + (r->prod & (r->size - 1)), s, piece);
    memcpy(r->buf, s + piece, len - piece);
    r->prod += len;
    if (r->prod - r->cons > r->size)
        r->cons = r->prod - r->size;
}

u32 conring_read(const struct conring *r, u32 *idx, char *dst, size_t n)
{
    u32 at = *idx, len, piece;

    if (at - r->cons > conring_used(r))
        at = r->cons;
    len = r->prod - at;
    if (n < len)
        len = (u32)n;
    piece = first_piece(r, at, len);
    memcpy(dst, r->buf + (at & (r->size - 1)), piece);
    memcpy(dst + piece, r->buf, len - piece);
    *idx = at + len;
    return len;
}

u32 conring_take(struct conring *r, char *dst, size_t n)
{
    return conring_read(r, &r->cons, dst, n);
}

void conring_clear(struct conring *r)
{
    r->cons = r->prod;
}
