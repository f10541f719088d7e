/* SPDX-License-Identifier: MIT */
/*
 * lz4 payloads: Linux uses the legacy frame (lz4_Frame_format.md, "Legacy frame"), which is the
 * magic and then blocks of {size, data}, each unpacking to at most 8 MiB. The frame has no end mark
 * and no checksum; it ends where the announced size is reached, the library checks each block's
 * structure.
 */
#include "pure/unpack.h"

#include <lz4.h>

#include "base/err.h"
#include "pure/bytes.h"

#define LZ4_MAGIC     0x184c2102u
#define LZ4_BLOCK_MAX ((size_t)8 << 20)

int unpack_lz4(struct unpack_job *job)
{
    size_t pos = 4, size, room;
    int got;

    while (job->out_len < job->dst_size) {
        if (job->len - pos < 4)
            break;
        size = bytes_le32(job->src + pos);
        pos += 4;
        if (size == LZ4_MAGIC)
            continue; /* the next of several frames */
        if (size > (size_t)LZ4_COMPRESSBOUND(LZ4_BLOCK_MAX))
            return reason_set(job->why, -EINVAL,
                              "corrupted lz4 payload: block of 0x%zx bytes at "
                              "0x%zx",
                              size, pos - 4);
        if (size > job->len - pos)
            break;
        room = MIN(job->dst_size - job->out_len, LZ4_BLOCK_MAX);
        got = LZ4_decompress_safe((const char *)job->src + pos, (char *)job->dst + job->out_len,
                                  (int)size, (int)room);
        if (got < 0)
            return reason_set(job->why, -EINVAL,
                              "corrupted lz4 payload in the block at 0x%zx of "
                              "0x%zx",
                              pos - 4, job->len);
        job->out_len += (size_t)got;
        pos += size;
        unpack_report(job);
    }
    if (job->out_len < job->dst_size)
        return reason_set(job->why, -EINVAL, "truncated lz4 payload: it ends after 0x%zx bytes",
                          job->len);
    return 0;
}
