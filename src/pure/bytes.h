/* SPDX-License-Identifier: MIT */
/*
 * Little-endian fields at any alignment. The caller has checked that the bytes exist.
 */
#ifndef PURE_BYTES_H
#define PURE_BYTES_H

#include "base/def.h"

static inline u16 bytes_le16(const void *p)
{
    const u8 *b = p;

    return (u16)(b[0] | (u16)b[1] << 8);
}

static inline u32 bytes_le32(const void *p)
{
    return bytes_le16(p) | (u32)bytes_le16((const u8 *)p + 2) << 16;
}

static inline u64 bytes_le64(const void *p)
{
    return bytes_le32(p) | (u64)bytes_le32((const u8 *)p + 4) << 32;
}

/* Do off .. off + n lie inside len bytes? Free of overflow. */
static inline bool bytes_inside(u64 off, u64 n, u64 len)
{
    return off <= len && n <= len - off;
}

#endif
