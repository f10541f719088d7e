/* SPDX-License-Identifier: MIT */
/*
 * Which processors, interrupt controllers and fixed registers does the firmware list?
 *
 * RSDP (given, or searched at 16-byte steps where the specification says), then XSDT or RSDT, then
 * each table with a known signature, once. Every table is checksummed over its whole length before
 * a field is read, and only one piece of memory is mapped at a time: the root table's entries are
 * fetched again by index. Firmware errs often, so a bad table is named and left out instead of
 * stopping the boot. The tables' contents are read in acpi_tables.c. Left out: AML, SRAT and SLIT
 * (one node), the S5 sleep type (dom0 passes it), the 1.0 "SBST" kind of embedded-controller data.
 */
#include "pure/acpi.h"

#include "base/err.h"
#include "base/lib.h"
#include "pure/acpi_tables.h"
#include "pure/bytes.h"
#include "pure/port.h"

/* RSDP, section 5.2.5.3. */
#define RSDP_SIZE     20 /* revision 0 */
#define RSDP_SIZE2    36 /* revision 2 and later */
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24

/* Where it is searched on a PC, section 5.2.5.1: EBDA's first KiB, then the BIOS area. */
#define EBDA_POINTER 0x40e /* real-mode segment */
#define EBDA_SEARCH  0x400
#define BIOS_START   0xe0000
#define BIOS_SIZE    0x20000

#define HEADER_SIZE    36
#define TABLE_MAX      ((u32)1 << 20)
#define ROOT_MAX_ENTRY 256

/* Tables that are read, with the bit that says so. */
static const struct {
    char signature[5];
    u32 bit;
    u32 min_len;
    bool (*parse)(const u8 *table, u32 len, struct acpi_info *out);
} acpi_known[] = {
    {"APIC", ACPI_HAS_MADT, 44, acpi_tables_madt},
    {"FACP", ACPI_HAS_FADT, 116, acpi_tables_fadt},
    {"HPET", ACPI_HAS_HPET, 56, acpi_tables_hpet},
};

static bool acpi_sum_ok(const u8 *p, u32 len)
{
    u8 sum = 0;

    while (len--)
        sum = (u8)(sum + *p++);
    return !sum;
}

/* ---- RSDP ---- */

/* What the rest needs of an RSDP. */
struct acpi_root {
    u64 xsdt, rsdt; /* 0: none */
};

/* Is there a valid RSDP at p, with len readable bytes? */
static bool acpi_check_rsdp(const u8 *p, u32 len, struct acpi_root *root)
{
    u32 size;

    if (len < RSDP_SIZE || memcmp(p, "RSD PTR ", 8) || !acpi_sum_ok(p, RSDP_SIZE))
        return false;
    root->rsdt = bytes_le32(p + RSDP_RSDT);
    root->xsdt = 0;
    if (p[RSDP_REVISION] < 2 || len < RSDP_SIZE2)
        return root->rsdt != 0;
    size = bytes_le32(p + RSDP_LENGTH);
    if (size >= RSDP_SIZE2 && size <= len && acpi_sum_ok(p, size))
        root->xsdt = bytes_le64(p + RSDP_XSDT);
    return root->xsdt || root->rsdt;
}

/* Searches size bytes at start. */
static bool acpi_search(const struct acpi_mem *mem, u64 start, u32 size, struct acpi_root *root)
{
    const u8 *p = mem->map(mem->ctx, start, size);
    u32 at;

    for (at = 0; p && at + RSDP_SIZE <= size; at += 16)
        if (acpi_check_rsdp(p + at, MIN(size - at, (u32)RSDP_SIZE2), root))
            return true;
    return false;
}

static bool acpi_find_rsdp(const struct acpi_mem *mem, struct acpi_root *root)
{
    const u8 *p = mem->map(mem->ctx, EBDA_POINTER, 2);
    u64 ebda = p ? (u64)bytes_le16(p) << 4 : 0;

    return (ebda >= 0x400 && ebda + EBDA_SEARCH <= 0xa0000 &&
            acpi_search(mem, ebda, EBDA_SEARCH, root)) ||
           acpi_search(mem, BIOS_START, BIOS_SIZE, root);
}

/* ---- Tables ---- */

/* Maps a table's header. NULL, after a log line, when it cannot be read. */
static const u8 *acpi_map_header(const struct acpi_mem *mem, u64 addr)
{
    const u8 *p = mem->map(mem->ctx, addr, HEADER_SIZE);

    if (!p)
        log_msg(LOG_WARN, "ACPI: table at 0x%llx cannot be read, skipped",
                (unsigned long long)addr);
    return p;
}

/* Maps a whole table and verifies it. NULL, after a log line, when it cannot be used. */
static const u8 *acpi_map_table(const struct acpi_mem *mem, u64 addr, u32 min_len, u32 *len)
{
    const u8 *p = acpi_map_header(mem, addr);

    if (!p)
        return NULL;
    *len = bytes_le32(p + 4);
    if (*len < min_len || *len > TABLE_MAX) {
        log_msg(LOG_WARN, "ACPI: table at 0x%llx has a length of %u, skipped",
                (unsigned long long)addr, *len);
        return NULL;
    }
    p = mem->map(mem->ctx, addr, *len);
    if (!p || !acpi_sum_ok(p, *len)) {
        log_msg(LOG_WARN, "ACPI: table at 0x%llx with %u bytes %s, skipped",
                (unsigned long long)addr, *len, p ? "has a bad checksum" : "cannot be read");
        return NULL;
    }
    return p;
}

/* Reads one table that the root table points to, if it is of a known kind. */
static void acpi_take_table(const struct acpi_mem *mem, u64 addr, struct acpi_info *out)
{
    const u8 *p = acpi_map_header(mem, addr);
    unsigned int i;
    u32 len;

    if (!p)
        return;
    for (i = 0; i < ARRAY_SIZE(acpi_known); i++)
        if (!memcmp(p, acpi_known[i].signature, 4))
            break;
    if (i == ARRAY_SIZE(acpi_known) || (out->tables & acpi_known[i].bit))
        return;
    p = acpi_map_table(mem, addr, acpi_known[i].min_len, &len);
    if (p && acpi_known[i].parse(p, len, out))
        out->tables |= acpi_known[i].bit;
}

/* Goes through the XSDT (width 8) or RSDT (width 4). */
static bool acpi_walk_root(const struct acpi_mem *mem, u64 addr, u32 width, struct acpi_info *out)
{
    u32 len, n, i;
    u64 table;
    const u8 *p = acpi_map_table(mem, addr, HEADER_SIZE, &len);

    if (!p || memcmp(p, width == 8 ? "XSDT" : "RSDT", 4))
        return false;
    n = MIN((len - HEADER_SIZE) / width, (u32)ROOT_MAX_ENTRY);
    for (i = 0; i < n; i++) {
        p = mem->map(mem->ctx, addr + HEADER_SIZE + (u64)i * width, width);
        if (!p)
            return false;
        table = width == 8 ? bytes_le64(p) : bytes_le32(p);
        if (table)
            acpi_take_table(mem, table, out);
    }
    return true;
}

int acpi_read(const struct acpi_mem *mem, const u8 *rsdp, u32 rsdp_len, struct acpi_info *out,
              struct reason *why)
{
    struct acpi_root root;

    memset(out, 0, sizeof(*out));
    if ((!rsdp_len || !acpi_check_rsdp(rsdp, rsdp_len, &root)) && !acpi_find_rsdp(mem, &root))
        return reason_set(why, -ENOENT, "no ACPI RSDP between 0x%x and 0x%x", BIOS_START,
                          BIOS_START + BIOS_SIZE);
    if (root.xsdt && acpi_walk_root(mem, root.xsdt, 8, out))
        return 0;
    if (root.rsdt && acpi_walk_root(mem, root.rsdt, 4, out))
        return 0;
    return reason_set(why, -EINVAL, "ACPI: neither XSDT at 0x%llx nor RSDT at 0x%llx is usable",
                      (unsigned long long)root.xsdt, (unsigned long long)root.rsdt);
}

unsigned int acpi_cpu_index(const struct acpi_info *a, u32 apic_id)
{
    unsigned int i;

    for (i = 0; i < a->cpus && a->cpu[i].apic_id != apic_id; i++)
        ;
    return i;
}

struct acpi_override acpi_route_isa(const struct acpi_info *a, u32 irq)
{
    unsigned int i;

    for (i = 0; i < a->overrides; i++)
        if (a->override[i].irq == irq)
            return a->override[i];
    return (struct acpi_override){.irq = irq, .gsi = irq};
}
