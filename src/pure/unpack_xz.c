/* SPDX-License-Identifier: MIT */
/*
 * How is an xz stream unpacked without 32 MiB (or 128 MiB) of dictionary it does not need?
 *
 * liblzma's stream decoder would allocate the dictionary the file asks for. So the stream is taken
 * apart here: its header, then each block's header, whose LZMA2 dictionary is cut to the size of
 * the output (no distance can reach further back), then liblzma's block decoder, which verifies the
 * block's check. The index behind the last block is not read: the caller knows the total size.
 * Formats: "The .xz File Format", version 1.1.0, sections 2 and 3.
 */
#include "pure/unpack.h"

#include <lzma.h>

#include "base/err.h"
#include "base/lib.h"

#define XZ_DICT_MIN 4096u      /* LZMA2's smallest */
#define XZ_CHUNK    (1u << 18) /* bytes of input between two progress reports */

static int unpack_xz_error(const struct unpack_job *job, lzma_ret ret, size_t pos)
{
    switch (ret) {
    case LZMA_MEM_ERROR:
        return reason_set(job->why, -ENOMEM, "xz payload: not enough scratch memory");
    case LZMA_OPTIONS_ERROR:
    case LZMA_UNSUPPORTED_CHECK:
        return reason_set(job->why, -EOPNOTSUPP, "xz payload uses an unknown option at 0x%zx", pos);
    case LZMA_BUF_ERROR:
        if (job->out_len == job->dst_size)
            return reason_set(job->why, -EINVAL,
                              "xz payload unpacks to more than the %zu bytes "
                              "announced",
                              job->dst_size);
        return reason_set(job->why, -EINVAL, "truncated xz payload: it ends after 0x%zx bytes",
                          job->len);
    default:
        return reason_set(job->why, -EINVAL, "corrupted xz payload (error %d) at 0x%zx of 0x%zx",
                          (int)ret, pos, job->len);
    }
}

/* No match reaches back beyond the start of the output, so a larger dictionary is never used. */
static void unpack_xz_clamp(lzma_filter *filters, size_t dst_size)
{
    lzma_options_lzma *opt;
    size_t i;

    for (i = 0; filters[i].id != LZMA_VLI_UNKNOWN; i++) {
        if (filters[i].id != LZMA_FILTER_LZMA2)
            continue;
        opt = filters[i].options;
        opt->dict_size = (u32)MIN((size_t)opt->dict_size, MAX(dst_size, (size_t)XZ_DICT_MIN));
    }
}

/* Decodes one block's data; *pos is its first byte and becomes the first one behind it. */
static lzma_ret unpack_xz_data(struct unpack_job *job, lzma_stream *strm, size_t *pos)
{
    lzma_ret ret = LZMA_OK;
    size_t before;

    while (ret == LZMA_OK) {
        before = MIN(job->len - *pos, (size_t)XZ_CHUNK);
        strm->next_in = job->src + *pos;
        strm->avail_in = before;
        strm->next_out = job->dst + job->out_len;
        strm->avail_out = job->dst_size - job->out_len;
        ret = lzma_code(strm, LZMA_RUN);
        *pos += before - strm->avail_in;
        job->out_len = job->dst_size - strm->avail_out;
        unpack_report(job);
    }
    return ret;
}

/* One block from its header to its check. */
static lzma_ret NOINLINE unpack_xz_block(struct unpack_job *job, lzma_stream *strm,
                                         lzma_check check, size_t *pos)
{
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    lzma_block block;
    lzma_ret ret;

    memset(&block, 0, sizeof(block));
    block.check = check;
    block.filters = filters;
    block.header_size = lzma_block_header_size_decode(job->src[*pos]);
    if (block.header_size > job->len - *pos)
        return LZMA_BUF_ERROR;
    ret = lzma_block_header_decode(&block, NULL, job->src + *pos);
    if (ret != LZMA_OK)
        return ret;
    unpack_xz_clamp(filters, job->dst_size);
    *pos += block.header_size;
    ret = lzma_block_decoder(strm, &block);
    lzma_filters_free(filters, NULL);
    if (ret == LZMA_OK)
        ret = unpack_xz_data(job, strm, pos);
    return ret;
}

int unpack_xz(struct unpack_job *job)
{
    lzma_stream strm = LZMA_STREAM_INIT;
    size_t pos = LZMA_STREAM_HEADER_SIZE;
    lzma_stream_flags flags;
    lzma_ret ret;

    if (job->len < pos)
        return unpack_xz_error(job, LZMA_BUF_ERROR, 0);
    ret = lzma_stream_header_decode(&flags, job->src);
    if (ret == LZMA_OK && !lzma_check_is_supported(flags.check))
        ret = LZMA_UNSUPPORTED_CHECK;
    if (ret != LZMA_OK)
        return unpack_xz_error(job, ret, 0);

    /* A zero byte where a block header would start is the index (section 2, "Block Header"). */
    ret = LZMA_STREAM_END;
    while (ret == LZMA_STREAM_END) {
        if (pos >= job->len)
            ret = LZMA_BUF_ERROR;
        else if (!job->src[pos])
            break;
        else
            ret = unpack_xz_block(job, &strm, flags.check, &pos);
    }
    lzma_end(&strm);
    return ret == LZMA_STREAM_END ? 0 : unpack_xz_error(job, ret, pos);
}

/*
 * Reads the first block header (section 3.1): size, flags, optional sizes, then filters as {id,
 * size of properties, properties}. LZMA2 (id 0x21) has one byte: 2 or 3 shifted (section 5.3.1).
 */
size_t unpack_xz_dictionary(const u8 *src, size_t len)
{
    size_t pos = LZMA_STREAM_HEADER_SIZE, end, i;
    unsigned int vlis, bits;

    if (len < pos + 2 || !src[pos])
        return 0;
    end = pos + ((size_t)src[pos] + 1) * 4;
    if (end > len)
        return 0;
    vlis = ((src[pos + 1] >> 6) & 1u) + (src[pos + 1] >> 7);
    for (i = pos + 2; vlis && i < end; i++)
        vlis -= !(src[i] & 0x80);
    while (i + 2 < end && src[i] != LZMA_FILTER_LZMA2)
        i += 2 + (size_t)src[i + 1];
    if (i + 2 >= end || src[i + 1] != 1)
        return 0;
    bits = src[i + 2];
    if (bits >= 40)
        return 0;
    return (size_t)(2 | (bits & 1)) << (bits / 2 + 11);
}
