/* SPDX-License-Identifier: MIT */
/* Any bytes as a bzImage: the parser stays inside them, and so does the slice it accepts. */
#include "host/host.h"
#include "pure/bzimage.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct reason why = {.text = ""};
    struct bzimage b;

    if (bzimage_parse(data, size, &b, &why)) {
        CHECK(why.text[0]);
        return 0;
    }
    CHECK(b.payload <= size && b.payload_len > 4 && b.payload_len <= size - b.payload);
    return 0;
}
