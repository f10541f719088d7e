/* SPDX-License-Identifier: MIT */
/*
 * gzip payloads through zlib's inflate, straight into the destination. zlib verifies the CRC and
 * the length in the trailer (RFC 1952). A second member behind the first is not looked for.
 */
#include "pure/unpack.h"

#include <zlib.h>

#include "base/err.h"
#include "base/lib.h"

#define GZIP_CHUNK ((size_t)1 << 18) /* bytes of input between two progress reports */

static int unpack_gzip_error(const struct unpack_job *job, int ret, size_t pos)
{
    switch (ret) {
    case Z_MEM_ERROR:
        return reason_set(job->why, -ENOMEM, "gzip payload: not enough scratch memory");
    case Z_BUF_ERROR:
        if (job->out_len == job->dst_size)
            return reason_set(job->why, -EINVAL,
                              "gzip payload unpacks to more than the %zu bytes "
                              "announced",
                              job->dst_size);
        return reason_set(job->why, -EINVAL, "truncated gzip payload: it ends after 0x%zx bytes",
                          job->len);
    default:
        return reason_set(job->why, -EINVAL, "corrupted gzip payload (error %d) at 0x%zx of 0x%zx",
                          ret, pos, job->len);
    }
}

int unpack_gzip(struct unpack_job *job)
{
    size_t pos = 0, in, room;
    z_stream z;
    int ret;

    memset(&z, 0, sizeof(z));
    ret = inflateInit2(&z, 16 + MAX_WBITS); /* 16: a gzip header, zlib.h at inflateInit2 */
    if (ret != Z_OK)
        return unpack_gzip_error(job, ret, 0);
    while (ret == Z_OK) {
        in = MIN(job->len - pos, GZIP_CHUNK);
        room = MIN(job->dst_size - job->out_len, (size_t)1 << 30);
        /* zlib's input pointer lacks a const for old compilers' sake; it is only read. */
        z.next_in = (Bytef *)(uintptr_t)(job->src + pos);
        z.avail_in = (uInt)in;
        z.next_out = job->dst + job->out_len;
        z.avail_out = (uInt)room;
        ret = inflate(&z, Z_NO_FLUSH);
        pos += in - z.avail_in;
        job->out_len += room - z.avail_out;
        unpack_report(job);
    }
    inflateEnd(&z);
    return ret == Z_STREAM_END ? 0 : unpack_gzip_error(job, ret, pos);
}
