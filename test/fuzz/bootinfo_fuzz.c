/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as physical memory from 64 KiB up, with the loader's record at its start. The first
 * byte picks the protocol.
 */
#include "host/host.h"
#include "pure/bootinfo.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct boot_info b;
    struct reason why = {.text = ""};
    struct phys_window w;
    unsigned int i;

    if (!size)
        return 0;
    w = (struct phys_window){.base = data + 1, .start = 0x10000, .size = size - 1};
    if (bootinfo_parse(data[0] & 1 ? BOOTINFO_MAGIC2 : BOOTINFO_MAGIC1, 0x10000, &w, &b, &why)) {
        CHECK(why.text[0]);
        return 0;
    }
    CHECK(b.map.nr && memmap_audit(&b.map));
    CHECK(b.modules <= BOOTINFO_MODULES && b.rsdp_len <= BOOTINFO_RSDP);
    CHECK(strnlen(b.cmdline, sizeof(b.cmdline)) < sizeof(b.cmdline));
    for (i = 0; i < b.modules; i++) {
        CHECK(phys_window_at(&w, b.module[i].start, b.module[i].end - b.module[i].start));
        CHECK(strnlen(b.module[i].args, BOOTINFO_ARGS) < BOOTINFO_ARGS);
    }
    return 0;
}
