/* SPDX-License-Identifier: MIT */
/*
 * Which decoder does this payload need, and did it give the bytes that were announced?
 *
 * A table row per format; formats without a decoder have rows too, so that the refusal can name
 * them. The decoders write straight into the destination; here only sizes are compared. Checksums
 * are the formats' own and are verified by the decoders.
 */
#include "pure/unpack.h"

#include "base/err.h"
#include "base/lib.h"

static const struct unpack_codec {
    const char *name;
    u8 magic[6];
    u8 magic_len;
    int (*run)(struct unpack_job *job); /* NULL: known by name only */
    size_t (*dictionary)(const u8 *src, size_t len);
} codecs[] = {
    {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, unpack_xz, unpack_xz_dictionary},
    {"gzip", {0x1f, 0x8b}, 2, unpack_gzip, NULL},
    {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, unpack_zstd, NULL},
    {"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, unpack_lz4, NULL},
    {"bzip2", {'B', 'Z', 'h'}, 3, NULL, NULL},
    {"lzma", {0x5d, 0, 0}, 3, NULL, NULL},
    {"lzo", {0x89, 'L', 'Z', 'O'}, 4, NULL, NULL},
};

/* What the decoders need beside a dictionary; zstd's context of about 200 KiB is the largest. */
#define UNPACK_SCRATCH_BASE ((size_t)1 << 20)

static const struct unpack_codec *unpack_find(const u8 *src, size_t len)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(codecs); i++)
        if (len >= codecs[i].magic_len && !memcmp(src, codecs[i].magic, codecs[i].magic_len))
            return &codecs[i];
    return NULL;
}

size_t unpack_scratch_size(const u8 *src, size_t len, size_t dst_size)
{
    const struct unpack_codec *c = unpack_find(src, len);
    size_t dict;

    if (!c || !c->dictionary)
        return UNPACK_SCRATCH_BASE;
    dict = c->dictionary(src, len);
    return UNPACK_SCRATCH_BASE + (dict ? MIN(dict, dst_size) : dst_size);
}

void unpack_report(const struct unpack_job *job)
{
    if (job->progress)
        job->progress(job->out_len, job->dst_size);
}

int unpack_run(struct unpack_job *job)
{
    const struct unpack_codec *c = unpack_find(job->src, job->len);
    int rc;

    job->out_len = 0;
    if (!c && job->len < 6)
        return reason_set(job->why, -EINVAL, "payload of %zu bytes", job->len);
    if (!c)
        return reason_set(job->why, -EOPNOTSUPP,
                          "payload starts with %02x %02x %02x %02x: no compression known",
                          job->src[0], job->src[1], job->src[2], job->src[3]);
    if (!c->run)
        return reason_set(job->why, -EOPNOTSUPP,
                          "payload is %s; only xz, gzip, zstd and lz4 can be unpacked", c->name);
    rc = c->run(job);
    if (rc)
        return rc;
    if (job->out_len != job->dst_size)
        return reason_set(job->why, -EINVAL,
                          "%s payload unpacks to %zu bytes, not to the %zu "
                          "announced",
                          c->name, job->out_len, job->dst_size);
    return 0;
}
