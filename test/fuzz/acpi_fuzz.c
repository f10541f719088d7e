/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the machine's tables. The input is memory at 0xf0000 (so the RSDP is searched) whose
 * checksums are not checked by hand: each mapping of a table is a heap copy with its sum corrected,
 * so the parsers see any content and ASan sees any read too far.
 */
#include <stdlib.h>

#include "host/host.h"
#include "pure/acpi.h"

#define BASE 0xf0000u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 *ram;
static size_t ram_size;
static u8 *view;

static const void *map(void *ctx, u64 paddr, size_t len)
{
    u8 sum = 0;
    size_t i;

    (void)ctx;
    free(view);
    view = NULL;
    if (paddr == 0xe0000 && len == 0x20000) { /* the search: zeros around the input */
        view = calloc(1, len);
        memcpy(view + (BASE - 0xe0000), ram, MIN(ram_size, (size_t)0x10000));
        return view;
    }
    if (paddr < BASE || paddr - BASE > ram_size || len > ram_size - (paddr - BASE))
        return NULL;
    view = malloc(len + 1);
    memcpy(view + 1, ram + (paddr - BASE), len);
    if (len > 36 || (len == 36 && view[5] == 36)) {
        for (i = 0; i < len; i++)
            sum = (u8)(sum + view[1 + i]);
        view[1 + 9] = (u8)(view[1 + 9] - sum);
    }
    return view + 1;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static const struct acpi_mem mem = {map, NULL};
    static struct acpi_info a;
    struct reason why = {.text = ""};
    u8 rsdp[20] = "RSD PTR ";
    unsigned int i;
    u8 sum = 0;

    host_reset();
    ram = data;
    ram_size = size;
    rsdp[18] = BASE >> 16; /* an RSDT at the start of the input */
    for (i = 0; i < sizeof(rsdp); i++)
        sum = (u8)(sum + rsdp[i]);
    rsdp[8] = (u8)-sum;
    if (acpi_read(&mem, rsdp, sizeof(rsdp), &a, &why))
        CHECK(why.text[0]);
    if (acpi_read(&mem, NULL, 0, &a, &why))
        CHECK(why.text[0]);
    CHECK(a.cpus <= ACPI_MAX_CPUS && a.ioapics <= ACPI_MAX_IOAPICS);
    CHECK(a.overrides <= ACPI_MAX_OVERRIDES && a.nmis <= ACPI_MAX_NMIS);
    free(view);
    view = NULL;
    return 0;
}
