/* SPDX-License-Identifier: MIT */
/* Descriptors by kind: what passes, what is fixed, what is refused; whole pages. */
#include "host/host.h"
#include "pure/segdesc.h"

#define TYPE(t) ((u64)(t) << 40)
#define S       (1ul << 44)
#define DPL(n)  ((u64)(n) << 45)
#define P       (1ul << 47)
#define L       (1ul << 53)

TEST(code_and_data_become_ring_3)
{
    u64 dpl, type, d;

    for (dpl = 0; dpl < 4; dpl++)
        for (type = 0; type < 16; type++) {
            u64 in = 0x00cf00000000fffful | TYPE(type) | S | DPL(dpl) | P;

            d = in;
            CHECK(segdesc_check(&d));
            CHECK_EQ(d, in | DPL(3) | TYPE(1));
        }
    d = 0x00209a0000000000; /* a 64-bit kernel code segment */
    CHECK(segdesc_check(&d));
    CHECK_EQ(d, 0x0020fb0000000000);
    CHECK(d & L);
}

TEST(not_present_is_free)
{
    u64 type, d;

    for (type = 0; type < 32; type++) {
        u64 in = 0xffff00fffffffffful & ~P;

        in = (in & ~(TYPE(15) | S)) | type << 40;
        d = in;
        CHECK(segdesc_check(&d));
        CHECK_EQ(d, in);
    }
    d = 0;
    CHECK(segdesc_check(&d));
    CHECK_EQ(d, 0);
}

/* Gates, TSS, LDT at every privilege: refused, and left alone. */
TEST(system_descriptors)
{
    u64 dpl, type, d;

    for (dpl = 0; dpl < 4; dpl++)
        for (type = 1; type < 16; type++) {
            u64 in = TYPE(type) | DPL(dpl) | P | 0x12340000;

            d = in;
            CHECK(!segdesc_check(&d));
            CHECK_EQ(d, in);
        }
    d = P | 0x1234; /* type 0: the upper half of something, or nothing */
    CHECK(segdesc_check(&d));
    CHECK_EQ(d, P | 0x1234);
}

TEST(pages)
{
    static u64 page[SEGDESC_PER_PAGE], copy[SEGDESC_PER_PAGE];
    u32 i;

    CHECK(segdesc_check_page(page));
    for (i = 0; i < SEGDESC_PER_PAGE; i++)
        CHECK_EQ(page[i], 0);
    page[2] = 0x00af9a000000ffff;
    page[511] = 0x00cff2000000ffff;
    CHECK(segdesc_check_page(page));
    CHECK_EQ(page[2], 0x00affb000000ffff);
    CHECK_EQ(page[511], 0x00cff3000000ffff);
    /* One bad entry: nothing is changed, not even what comes before it. */
    page[0] = 0x00af9a000000ffff;
    page[511] = 0x0000890000000067;
    memcpy(copy, page, sizeof(copy));
    CHECK(!segdesc_check_page(page));
    CHECK_MEM(page, copy, sizeof(copy));
}
