/* SPDX-License-Identifier: MIT */
/*
 * zstd payloads in one call of libzstd: with the whole output in place it needs no window buffer,
 * whatever window the frame asks for. The frame's end is found first, because the library takes
 * anything behind it for a further frame. No progress reports; it takes a fraction of a second.
 */
#include "pure/unpack.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "base/err.h"

static int unpack_zstd_error(const struct unpack_job *job, size_t code)
{
    const char *text = ZSTD_getErrorName(code);

    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        return reason_set(job->why, -ENOMEM, "zstd payload: not enough scratch memory");
    case ZSTD_error_dstSize_tooSmall:
        return reason_set(job->why, -EINVAL,
                          "zstd payload unpacks to more than the %zu bytes "
                          "announced",
                          job->dst_size);
    case ZSTD_error_srcSize_wrong:
        return reason_set(job->why, -EINVAL, "truncated zstd payload: it ends after 0x%zx bytes",
                          job->len);
    default:
        return reason_set(job->why, -EINVAL, "corrupted zstd payload: %s", text);
    }
}

int unpack_zstd(struct unpack_job *job)
{
    size_t frame = ZSTD_findFrameCompressedSize(job->src, job->len);
    ZSTD_DCtx *ctx;
    size_t got;

    if (ZSTD_isError(frame))
        return unpack_zstd_error(job, frame);
    ctx = ZSTD_createDCtx();
    if (!ctx)
        return reason_set(job->why, -ENOMEM, "zstd payload: not enough scratch memory");
    got = ZSTD_decompressDCtx(ctx, job->dst, job->dst_size, job->src, frame);
    ZSTD_freeDCtx(ctx);
    if (ZSTD_isError(got))
        return unpack_zstd_error(job, got);
    job->out_len = got;
    unpack_report(job);
    return 0;
}
