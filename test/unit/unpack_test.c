/* SPDX-License-Identifier: MIT */
/*
 * Every codec both ways: payloads are packed here by the libraries' encoders, with four bytes of
 * length behind them as in a bzImage. VMLINUZ=file additionally unpacks that kernel.
 */
#include <stdio.h>
#include <stdlib.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "host/host.h"
#include "pure/bzimage.h"
#include "pure/elf.h"
#include "pure/unpack.h"

#define PLAIN 200000

static u8 plain[PLAIN], packed[2 * PLAIN], back[PLAIN + 16];
static size_t packed_len;
static struct reason why;
static size_t reported;

/* Something between code and text: repeats, with x86 calls for the filter to change. */
static void make_plain(void)
{
    size_t i;

    for (i = 0; i < PLAIN; i++)
        plain[i] = i % 97 < 60 ? (u8)(i % 31) : (u8)host_rand();
    for (i = 0; i + 5 < PLAIN; i += 50) {
        plain[i] = 0xe8;
        plain[i + 3] = 0;
        plain[i + 4] = 0;
    }
}

static void pack_xz(u32 dict, lzma_check check)
{
    lzma_options_lzma opt;
    lzma_filter f[3] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &opt}, {LZMA_VLI_UNKNOWN, NULL}};

    CHECK(!lzma_lzma_preset(&opt, 1));
    opt.dict_size = dict;
    packed_len = 0;
    CHECK_EQ(lzma_stream_buffer_encode(f, check, NULL, plain, PLAIN, packed, &packed_len,
                                       sizeof(packed)),
             LZMA_OK);
}

static void pack_gzip(void)
{
    z_stream z = {
        .next_in = plain, .avail_in = PLAIN, .next_out = packed, .avail_out = sizeof(packed)};

    CHECK_EQ(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CHECK_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed_len = sizeof(packed) - z.avail_out;
    deflateEnd(&z);
}

static void pack_zstd(void)
{
    packed_len = ZSTD_compress(packed, sizeof(packed), plain, PLAIN, 5);
    CHECK(!ZSTD_isError(packed_len));
}

static void pack_lz4(void)
{
    u32 magic = 0x184c2102, n;
    size_t done, part;

    packed_len = 0;
    for (done = 0; done < PLAIN; done += part) {
        part = MIN((size_t)PLAIN - done, (size_t)70000);
        if (done != 70000) { /* the second block follows without a magic of its own */
            memcpy(packed + packed_len, &magic, 4);
            packed_len += 4;
        }
        n = (u32)LZ4_compress_default((char *)plain + done, (char *)packed + packed_len + 4,
                                      (int)part, (int)(sizeof(packed) - packed_len - 4));
        CHECK(n);
        memcpy(packed + packed_len, &n, 4);
        packed_len += 4 + n;
    }
}

static void pack(const char *codec)
{
    u32 n = PLAIN;

    make_plain();
    if (!strcmp(codec, "xz"))
        pack_xz(1 << 20, LZMA_CHECK_CRC32);
    else if (!strcmp(codec, "gzip"))
        pack_gzip();
    else if (!strcmp(codec, "zstd"))
        pack_zstd();
    else
        pack_lz4();
    memcpy(packed + packed_len, &n, 4);
}

static void count_progress(size_t done, size_t total)
{
    CHECK(done <= total && done >= reported);
    reported = done;
}

/* Unpacks from an exact heap copy, so that ASan sees a read too far. */
static int run(size_t len, size_t dst_size)
{
    u8 *copy = malloc(len + 1), *out = malloc(dst_size + 1);
    struct unpack_job job = {.src = copy + 1,
                             .len = len,
                             .dst = out,
                             .dst_size = dst_size,
                             .progress = count_progress,
                             .why = &why};
    int rc;

    memcpy(copy + 1, packed, len);
    reported = 0;
    why.text[0] = 0;
    rc = unpack_run(&job);
    CHECK(job.out_len <= dst_size);
    CHECK(!rc == (job.out_len == dst_size && !why.text[0]));
    memcpy(back, out, MIN(job.out_len, sizeof(back)));
    free(copy);
    free(out);
    return rc;
}

static const char *const codecs[] = {"xz", "gzip", "zstd", "lz4"};

TEST(every_codec_gives_the_bytes_back)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(codecs); i++) {
        pack(codecs[i]);
        memset(back, 0, sizeof(back));
        CHECK_EQ(run(packed_len + 4, PLAIN), 0);
        CHECK_MEM(back, plain, PLAIN);
        CHECK_EQ(reported, PLAIN);
        CHECK_EQ(run(packed_len, PLAIN), 0);
    }
}

TEST(every_codec_refuses_wrong_sizes)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(codecs); i++) {
        pack(codecs[i]);
        CHECK_EQ(run(packed_len + 4, PLAIN + 1), -EINVAL);
        if (strcmp(codecs[i], "lz4"))
            CHECK_EQ(run(packed_len + 4, PLAIN - 1), -EINVAL);
        CHECK_EQ(run(packed_len + 4, 0), strcmp(codecs[i], "lz4") ? -EINVAL : 0);
    }
}

TEST(every_codec_refuses_truncation)
{
    size_t n;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(codecs); i++) {
        pack(codecs[i]);
        for (n = 0; n < packed_len - 60; n += n < 64 ? 1 : 4999)
            CHECK(run(n, PLAIN) < 0);
        CHECK_EQ(run(packed_len / 2, PLAIN), -EINVAL);
        CHECK(strstr(why.text, "truncated"));
    }
}

/* lz4's legacy frame has no checksum; the others notice any flipped bit. */
TEST(every_codec_survives_corruption)
{
    size_t at;
    unsigned int i, k;

    for (i = 0; i < ARRAY_SIZE(codecs); i++) {
        pack(codecs[i]);
        for (k = 0; k < 60; k++) {
            at = 24 + host_rand_below(packed_len - 90);
            packed[at] ^= (u8)(1u << (k % 8));
            if (run(packed_len + 4, PLAIN) == 0 && !memcmp(codecs[i], "xz", 3))
                FAIL("%s took a flipped bit at %zu", codecs[i], at);
            packed[at] ^= (u8)(1u << (k % 8));
        }
    }
}

TEST(names_what_it_cannot_unpack)
{
    memcpy(packed, "BZh91AY", 7);
    CHECK_EQ(run(7, 10), -EOPNOTSUPP);
    CHECK_STR(why.text, "payload is bzip2; only xz, gzip, zstd and lz4 can be unpacked");
    memcpy(packed, "\x89LZOxx", 6);
    CHECK_EQ(run(6, 10), -EOPNOTSUPP);
    memcpy(packed, "\1\2\3\4\5\6", 6);
    CHECK_EQ(run(6, 10), -EOPNOTSUPP);
    CHECK_STR(why.text, "payload starts with 01 02 03 04: no compression known");
    CHECK_EQ(run(3, 10), -EINVAL);
}

TEST(xz_scratch_follows_the_dictionary)
{
    make_plain();
    pack_xz(1 << 20, LZMA_CHECK_CRC32);
    CHECK_EQ(unpack_xz_dictionary(packed, packed_len), 1 << 20);
    CHECK_EQ(unpack_scratch_size(packed, packed_len, 8 << 20), 2 << 20);
    CHECK_EQ(unpack_scratch_size(packed, packed_len, 1 << 10), (1 << 20) + (1 << 10));
    pack_xz(3 << 19, LZMA_CHECK_CRC64);
    CHECK_EQ(unpack_xz_dictionary(packed, packed_len), 3 << 19);
    CHECK_EQ(run(packed_len, PLAIN), 0);
    CHECK_MEM(back, plain, PLAIN);
    CHECK_EQ(unpack_xz_dictionary(packed, 13), 0);
    CHECK_EQ(unpack_scratch_size(packed, 13, 8 << 20), 9 << 20);
    pack("gzip");
    CHECK_EQ(unpack_scratch_size(packed, packed_len, 8 << 20), 1 << 20);
}

/* xz -T0 and --block-size make several blocks. */
TEST(xz_takes_several_blocks)
{
    lzma_mt mt = {.threads = 1, .block_size = 50000, .preset = 1, .check = LZMA_CHECK_CRC32};
    lzma_stream strm = LZMA_STREAM_INIT;

    make_plain();
    CHECK_EQ(lzma_stream_encoder_mt(&strm, &mt), LZMA_OK);
    strm.next_in = plain;
    strm.avail_in = PLAIN;
    strm.next_out = packed;
    strm.avail_out = sizeof(packed);
    CHECK_EQ(lzma_code(&strm, LZMA_FINISH), LZMA_STREAM_END);
    packed_len = sizeof(packed) - strm.avail_out;
    lzma_end(&strm);
    CHECK_EQ(run(packed_len, PLAIN), 0);
    CHECK_MEM(back, plain, PLAIN);
}

static u8 *read_file(const char *name, size_t *len)
{
    FILE *f = fopen(name, "rb");
    u8 *data;

    CHECK(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    data = malloc(*len);
    CHECK_EQ(fread(data, 1, *len, f), *len);
    fclose(f);
    return data;
}

/* A distribution kernel, when there is one: bzImage, payload and Xen notes together. */
TEST(unpacks_a_real_kernel)
{
    const char *name = getenv("VMLINUZ");
    struct unpack_job job = {.why = &why};
    static struct elf_image e;
    struct bzimage b;
    size_t len;
    u8 *file;

    if (!name)
        return;
    file = read_file(name, &len);
    CHECK_EQ(bzimage_parse(file, len, &b, &why), 0);
    job.src = file + b.payload;
    job.len = b.payload_len;
    job.dst_size = b.unpacked_len;
    job.dst = malloc(job.dst_size);
    CHECK_EQ(unpack_run(&job), 0);
    CHECK_EQ(elf_parse(job.dst, job.out_len, &e, &why), 0);
    printf("%s: %zu bytes, scratch %zu, %u segments 0x%llx-0x%llx, entry 0x%llx\n", name,
           job.out_len, unpack_scratch_size(job.src, job.len, job.dst_size), e.segments,
           (unsigned long long)e.low, (unsigned long long)e.high, (unsigned long long)e.entry);
    free(job.dst);
    free(file);
}
