/* SPDX-License-Identifier: MIT */
/* Any bytes as a kernel: the parser stays inside them, and what it accepts can be loaded. */
#include "host/host.h"
#include "pure/elf.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct elf_image e;
    static u8 page[PAGE_SIZE];
    struct reason why;
    unsigned int i;

    why.text[0] = 0;
    if (elf_parse(data, size, &e, &why)) {
        CHECK(why.text[0]);
        return 0;
    }
    CHECK(e.segments && e.low < e.high && e.entry >= e.virt_start && e.entry < e.virt_end);
    for (i = 0; i < e.segments; i++) {
        CHECK(e.segment[i].filesz <= e.segment[i].memsz);
        elf_fill_page(&e, e.segment[i].paddr - e.paddr_offset, page);
        elf_fill_page(&e, (e.segment[i].paddr + e.segment[i].filesz - e.paddr_offset) & PAGE_MASK,
                      page);
    }
    elf_fill_page(&e, e.high - e.paddr_offset - 1, page);
    return 0;
}
