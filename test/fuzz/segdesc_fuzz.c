/* SPDX-License-Identifier: MIT */
/*
 * Any words as a descriptor page: what is accepted holds nothing but not-present entries, type 0,
 * and ring 3 code and data with the accessed bit; a refusal changes nothing.
 */
#include "host/host.h"
#include "pure/segdesc.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static bool harmless(u64 d)
{
    u64 access = d >> 40 & 0xff;

    if (!(access & 0x80))
        return true;
    if (!(access & 0x10))
        return !(access & 0xf);
    return (access & 0x61) == 0x61;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static u64 page[SEGDESC_PER_PAGE], before[SEGDESC_PER_PAGE];
    const u64 fixed = 0x61ul << 40;
    u32 i;

    memset(page, 0, sizeof(page));
    memcpy(page, data, MIN(size, sizeof(page)));
    memcpy(before, page, sizeof(before));
    if (!segdesc_check_page(page)) {
        CHECK_MEM(page, before, sizeof(page));
        return 0;
    }
    for (i = 0; i < SEGDESC_PER_PAGE; i++) {
        CHECK(harmless(page[i]));
        CHECK_EQ((page[i] ^ before[i]) & ~fixed, 0);
    }
    CHECK(segdesc_check_page(page));
    return 0;
}
