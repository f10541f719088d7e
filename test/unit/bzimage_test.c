/* SPDX-License-Identifier: MIT */
/* Accept and refuse lists of the bzImage header. */
#include <stdlib.h>

#include "host/host.h"
#include "pure/bzimage.h"

#define SETUP_SECTS 3
#define PAYLOAD_OFF 0x100
#define PAYLOAD_LEN 0x40
#define FILE_LEN    ((SETUP_SECTS + 1) * 512 + PAYLOAD_OFF + PAYLOAD_LEN)

static u8 file[FILE_LEN];

static void put32(u8 *p, u32 v)
{
    memcpy(p, &v, sizeof(v));
}

static void make_good(void)
{
    memset(file, 0, sizeof(file));
    file[0x1f1] = SETUP_SECTS;
    file[0x1fe] = 0x55;
    file[0x1ff] = 0xaa;
    memcpy(file + 0x202, "HdrS", 4);
    file[0x206] = 0x0f;
    file[0x207] = 0x02;
    put32(file + 0x248, PAYLOAD_OFF);
    put32(file + 0x24c, PAYLOAD_LEN);
    put32(file + FILE_LEN - 4, 0x123456);
}

TEST(accepts_a_whole_image)
{
    struct bzimage b;

    make_good();
    CHECK_EQ(bzimage_parse(file, FILE_LEN, &b, NULL), 0);
    CHECK_EQ(b.protocol, 0x20f);
    CHECK_EQ(b.payload, FILE_LEN - PAYLOAD_LEN);
    CHECK_EQ(b.payload_len, PAYLOAD_LEN);
    CHECK_EQ(b.unpacked_len, 0x123456);
}

TEST(zero_setup_sectors_mean_four)
{
    static u8 longer[5 * 512 + PAYLOAD_OFF + PAYLOAD_LEN];
    struct bzimage b;

    make_good();
    memcpy(longer, file, 0x300);
    longer[0x1f1] = 0;
    CHECK_EQ(bzimage_parse(longer, sizeof(longer), &b, NULL), 0);
    CHECK_EQ(b.payload, 5 * 512 + PAYLOAD_OFF);
}

TEST(refuses_what_is_no_bzimage)
{
    struct reason why;
    struct bzimage b;

    make_good();
    CHECK_EQ(bzimage_parse(file, 0, &b, &why), -ENOEXEC);
    CHECK_EQ(bzimage_parse(file, 0x247, &b, &why), -ENOEXEC);
    CHECK_STR(why.text, "no bzImage header in 583 bytes");
    file[0x202] = 'h';
    CHECK_EQ(bzimage_parse(file, FILE_LEN, &b, &why), -ENOEXEC);
    make_good();
    file[0x1ff] = 0;
    CHECK_EQ(bzimage_parse(file, FILE_LEN, &b, &why), -ENOEXEC);
}

TEST(refuses_an_old_protocol)
{
    struct reason why;
    struct bzimage b;

    make_good();
    file[0x206] = 7;
    CHECK_EQ(bzimage_parse(file, FILE_LEN, &b, &why), -EOPNOTSUPP);
    CHECK_STR(why.text, "bzImage boot protocol 0x207 is older than 0x208");
}

/* Every shorter file is refused, without a read beyond its end (ASan watches the exact copies). */
TEST(refuses_every_truncation)
{
    struct reason why;
    struct bzimage b;
    size_t n;

    make_good();
    CHECK_EQ(bzimage_parse(file, FILE_LEN - 1, &b, &why), -EINVAL);
    CHECK_STR(why.text, "truncated bzImage: payload ends at 0x940 but the file has 0x93f bytes");
    CHECK_EQ(bzimage_parse(file, 0x24f, &b, &why), -EINVAL);
    for (n = 0; n < FILE_LEN; n++) {
        u8 *copy = malloc(n + 1);

        memcpy(copy + 1, file, n);
        CHECK(bzimage_parse(copy + 1, n, &b, &why) < 0);
        free(copy);
    }
}

TEST(refuses_wild_payload_fields)
{
    static const struct {
        u32 off, len;
    } bad[] = {
        {0xffffffff, 0x40}, {PAYLOAD_OFF, 0xffffffff}, {0xffffffff, 0xffffffff},
        {PAYLOAD_OFF, 0},   {PAYLOAD_OFF, 4},          {PAYLOAD_OFF + 1, PAYLOAD_LEN},
    };
    struct bzimage b;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        make_good();
        put32(file + 0x248, bad[i].off);
        put32(file + 0x24c, bad[i].len);
        CHECK_EQ(bzimage_parse(file, FILE_LEN, &b, NULL), -EINVAL);
    }
}
