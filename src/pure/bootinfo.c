/* SPDX-License-Identifier: MIT */
/*
 * What did the boot loader hand over?
 *
 * Multiboot 1 is a struct of optional fields with pointers, Multiboot 2 a list of tags. Both are
 * read through one window of physical memory, byte by byte, so nothing they claim is trusted: each
 * pointer, length and string end is checked. Strings that do not fit are refused instead of cut,
 * because half an argument can mean something else. Left out: ELF symbols, drives, APM, network,
 * framebuffer and VBE (the screen is dom0's), EFI and its memory map (the e820-like one covers it).
 */
#include "pure/bootinfo.h"

#include "base/err.h"
#include "base/lib.h"
#include "pure/bytes.h"
#include "pure/port.h"

/* Multiboot 1 (section 3.3): size of the part every loader has, bits of its flags. */
#define MB1_SIZE      52
#define MB1_SIZE_NAME 68
#define MB1_MEMORY    (1u << 0)
#define MB1_CMDLINE   (1u << 2)
#define MB1_MODULES   (1u << 3)
#define MB1_MMAP      (1u << 6)
#define MB1_LOADER    (1u << 9)

/* Multiboot 2 (section 3.6): tag types. */
enum {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER = 2,
    MB2_MODULE = 3,
    MB2_MEMORY = 4,
    MB2_MMAP = 6,
    MB2_RSDP1 = 14,
    MB2_RSDP2 = 15,
};

#define MB2_MAX_SIZE (1u << 20) /* a record larger than this is not one */

const char *bootinfo_skip_name(const char *s)
{
    const char *end;
    bool path = false, assigned = false;

    while (*s == ' ' || *s == '\t')
        s++;
    for (end = s; *end && *end != ' ' && *end != '\t'; end++) {
        path |= *end == '/';
        assigned |= *end == '=';
    }
    if ((path && !assigned) || (end - s == 11 && !memcmp(s, "placeholder", 11)))
        s = end;
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* Copies a string of at most max bytes, if its end is among them, without its file name. */
static int boot_copy_string(char *dst, size_t size, const u8 *src, u64 max, const char *what,
                            struct reason *why)
{
    size_t n = strnlen((const char *)src, (size_t)max);
    const char *s;

    if (n == max)
        return reason_set(why, -EINVAL, "%s has no end", what);
    s = bootinfo_skip_name((const char *)src);
    n -= (size_t)(s - (const char *)src);
    if (n >= size)
        return reason_set(why, -E2BIG, "%s has %zu characters, the limit is %zu", what, n,
                          size - 1);
    memcpy(dst, s, n + 1);
    return 0;
}

/* The loader's name is only for the log, so it is cut instead of refused. */
static void boot_copy_loader(struct boot_info *b, const u8 *src, u64 max)
{
    size_t n = strnlen((const char *)src, (size_t)MIN(max, (u64)sizeof(b->loader) - 1));

    memcpy(b->loader, src, n);
    b->loader[n] = '\0';
}

static int boot_add_memory(struct boot_info *b, u64 start, u64 len, u32 type, struct reason *why)
{
    u64 end;

    if (!add_ok(start, len, &end)) {
        if (type == MEMMAP_RAM) {
            log_msg(LOG_WARN, "memory map: RAM of 0x%llx bytes at 0x%llx passes 2^64, ignored",
                    (unsigned long long)len, (unsigned long long)start);
            return 0;
        }
        end = ~(u64)0;
    }
    if (memmap_add(&b->map, start, end, type))
        return reason_set(why, -E2BIG, "memory map has more than %u pieces", MEMMAP_MAX);
    return 0;
}

/* Loaders without a map tell KiB below 640 KiB and from 1 MiB up (mem_lower, mem_upper). */
static int boot_add_basic(struct boot_info *b, u32 lower, u32 upper, struct reason *why)
{
    int rc = boot_add_memory(b, 0, lower * KiB, MEMMAP_RAM, why);

    return rc ? rc : boot_add_memory(b, MiB, upper * KiB, MEMMAP_RAM, why);
}

/* Takes one module; args is its string, of which max bytes can be read. */
static int boot_add_module(struct boot_info *b, const struct phys_window *w, u64 start, u64 end,
                           const u8 *args, u64 max, struct reason *why)
{
    struct boot_module *m = &b->module[b->modules];
    char what[32];

    if (b->modules == BOOTINFO_MODULES)
        return reason_set(why, -E2BIG, "more than %u modules", BOOTINFO_MODULES);
    if (end < start || !phys_window_at(w, start, end - start))
        return reason_set(why, -EINVAL, "module %u at 0x%llx-0x%llx lies outside usable memory",
                          b->modules, (unsigned long long)start, (unsigned long long)end);
    m->start = start;
    m->end = end;
    fmt_snprintf(what, sizeof(what), "string of module %u", b->modules);
    b->modules++;
    return boot_copy_string(m->args, sizeof(m->args), args, max, what, why);
}

/* ---- Multiboot 1 ---- */

/* A string somewhere in memory, as long as the window lets it be. */
static const u8 *boot_window_rest(const struct phys_window *w, u64 addr, u64 *max)
{
    const u8 *p = phys_window_at(w, addr, 1);

    if (p)
        *max = w->size - (addr - w->start);
    return p;
}

static int boot1_mmap(struct boot_info *b, const u8 *info, const struct phys_window *w,
                      struct reason *why)
{
    u32 len = bytes_le32(info + 44), addr = bytes_le32(info + 48), size;
    const u8 *p = phys_window_at(w, addr, len);
    u64 pos = 0;
    int rc;

    if (!p)
        return reason_set(why, -EINVAL, "memory map at 0x%x+0x%x lies outside usable memory", addr,
                          len);
    /* {size, addr, len, type}: size does not count itself and may be larger than the fields. */
    while (len - pos >= 24) {
        size = bytes_le32(p + pos);
        if (size < 20)
            return reason_set(why, -EINVAL, "memory map entry of %u bytes", size);
        rc = boot_add_memory(b, bytes_le64(p + pos + 4), bytes_le64(p + pos + 12),
                             bytes_le32(p + pos + 20), why);
        if (rc)
            return rc;
        pos += 4 + (u64)size;
        if (pos > len)
            break;
    }
    return 0;
}

static int boot1_modules(struct boot_info *b, const u8 *info, const struct phys_window *w,
                         struct reason *why)
{
    u32 count = bytes_le32(info + 20), addr = bytes_le32(info + 24), i, string;
    const u8 *p = phys_window_at(w, addr, (u64)count * 16), *s;
    u64 max = 1;
    int rc;

    if (!p)
        return reason_set(why, -EINVAL, "list of %u modules at 0x%x lies outside usable memory",
                          count, addr);
    for (i = 0; i < count; i++, p += 16) {
        string = bytes_le32(p + 8);
        s = string ? boot_window_rest(w, string, &max) : (const u8 *)"";
        if (!s)
            return reason_set(why, -EINVAL,
                              "string of module %u lies at 0x%x, outside usable "
                              "memory",
                              i, string);
        rc = boot_add_module(b, w, bytes_le32(p), bytes_le32(p + 4), s, string ? max : 1, why);
        if (rc)
            return rc;
    }
    return 0;
}

static int boot1_cmdline(struct boot_info *b, const u8 *info, const struct phys_window *w,
                         struct reason *why)
{
    u32 addr = bytes_le32(info + 16);
    u64 max;
    const u8 *s = boot_window_rest(w, addr, &max);

    if (!s)
        return reason_set(why, -EINVAL, "command line lies at 0x%x, outside usable memory", addr);
    return boot_copy_string(b->cmdline, sizeof(b->cmdline), s, max, "command line", why);
}

/* The loader's name lies behind the first 52 bytes: older loaders do not have it. */
static void boot1_loader(struct boot_info *b, u64 info, u32 flags, const struct phys_window *w)
{
    const u8 *p = phys_window_at(w, info, MB1_SIZE_NAME), *s;
    u64 max;

    if (p && (flags & MB1_LOADER)) {
        s = boot_window_rest(w, bytes_le32(p + 64), &max);
        if (s)
            boot_copy_loader(b, s, max);
    }
}

static int boot1_parse(struct boot_info *b, u64 info, const struct phys_window *w,
                       struct reason *why)
{
    const u8 *p = phys_window_at(w, info, MB1_SIZE);
    u32 flags;
    int rc = 0;

    if (!p)
        return reason_set(why, -EINVAL, "Multiboot record at 0x%llx lies outside usable memory",
                          (unsigned long long)info);
    flags = bytes_le32(p);
    b->info_start = info;
    b->info_end = info + MB1_SIZE;
    if (flags & MB1_CMDLINE)
        rc = boot1_cmdline(b, p, w, why);
    if (!rc && (flags & MB1_MODULES) && bytes_le32(p + 20))
        rc = boot1_modules(b, p, w, why);
    if (!rc && (flags & MB1_MMAP))
        rc = boot1_mmap(b, p, w, why);
    else if (!rc && (flags & MB1_MEMORY))
        rc = boot_add_basic(b, bytes_le32(p + 4), bytes_le32(p + 8), why);
    if (!rc)
        boot1_loader(b, info, flags, w);
    return rc;
}

/* ---- Multiboot 2 ---- */

static int boot2_mmap(struct boot_info *b, const u8 *tag, u32 size, struct reason *why)
{
    u32 each, pos;
    int rc;

    if (size < 16)
        return reason_set(why, -EINVAL, "memory map tag of %u bytes", size);
    each = bytes_le32(tag + 8);
    if (each < 24 || each % 8)
        return reason_set(why, -EINVAL, "memory map entries of %u bytes", each);
    for (pos = 16; size - pos >= each; pos += each) {
        rc = boot_add_memory(b, bytes_le64(tag + pos), bytes_le64(tag + pos + 8),
                             bytes_le32(tag + pos + 16), why);
        if (rc)
            return rc;
    }
    return 0;
}

static void boot2_rsdp(struct boot_info *b, const u8 *tag, u32 size)
{
    u32 n = MIN(size - 8, (u32)BOOTINFO_RSDP);

    if (n < 20 || n <= b->rsdp_len) /* the ACPI 2.0 copy is longer and wins */
        return;
    memcpy(b->rsdp, tag + 8, n);
    b->rsdp_len = n;
}

/* One tag of size bytes, at least 8. Types not named here are passed over. */
static int boot2_tag(struct boot_info *b, const u8 *tag, u32 size, const struct phys_window *w,
                     struct reason *why)
{
    switch (bytes_le32(tag)) {
    case MB2_CMDLINE:
        return boot_copy_string(b->cmdline, sizeof(b->cmdline), tag + 8, size - 8, "command line",
                                why);
    case MB2_LOADER:
        boot_copy_loader(b, tag + 8, size - 8);
        return 0;
    case MB2_MODULE:
        if (size < 17)
            return reason_set(why, -EINVAL, "module tag of %u bytes", size);
        return boot_add_module(b, w, bytes_le32(tag + 8), bytes_le32(tag + 12), tag + 16, size - 16,
                               why);
    case MB2_MMAP:
        return boot2_mmap(b, tag, size, why);
    case MB2_RSDP1:
    case MB2_RSDP2:
        boot2_rsdp(b, tag, size);
        return 0;
    default:
        return 0;
    }
}

static int boot2_parse(struct boot_info *b, u64 info, const struct phys_window *w,
                       struct reason *why)
{
    const u8 *p = phys_window_at(w, info, 8), *basic = NULL;
    u32 total = p ? bytes_le32(p) : 0, pos, size = 0;
    int rc;

    if (total < 16 || total > MB2_MAX_SIZE || !phys_window_at(w, info, total))
        return reason_set(why, -EINVAL, "Multiboot2 record at 0x%llx with 0x%x bytes",
                          (unsigned long long)info, total);
    b->info_start = info;
    b->info_end = info + total;
    for (pos = 8; total - pos >= 8; pos += ROUND_UP(size, 8u)) {
        size = bytes_le32(p + pos + 4);
        if (size < 8 || size > total - pos)
            return reason_set(why, -EINVAL, "Multiboot2 tag %u at +0x%x has 0x%x bytes",
                              bytes_le32(p + pos), pos, size);
        if (bytes_le32(p + pos) == MB2_END)
            break;
        if (bytes_le32(p + pos) == MB2_MEMORY && size >= 16)
            basic = p + pos;
        rc = boot2_tag(b, p + pos, size, w, why);
        if (rc)
            return rc;
        if (ROUND_UP(size, 8u) > total - pos)
            break;
    }
    if (!b->map.nr && basic)
        return boot_add_basic(b, bytes_le32(basic + 8), bytes_le32(basic + 12), why);
    return 0;
}

int bootinfo_parse(u32 magic, u64 info, const struct phys_window *w, struct boot_info *out,
                   struct reason *why)
{
    int rc;

    memset(out, 0, sizeof(*out));
    out->magic = magic;
    if (magic == BOOTINFO_MAGIC1)
        rc = boot1_parse(out, info, w, why);
    else if (magic == BOOTINFO_MAGIC2)
        rc = boot2_parse(out, info, w, why);
    else
        return reason_set(why, -ENOEXEC, "started by no Multiboot loader: EAX was 0x%x", magic);
    if (!rc && !out->map.nr)
        return reason_set(why, -ENODATA, "the boot loader gave no memory map");
    return rc;
}

static bool boot_pages_overlap(const struct boot_module *a, const struct boot_module *b)
{
    return a->start < a->end && b->start < b->end &&
           (a->start & PAGE_MASK) < ROUND_UP(b->end, PAGE_SIZE) &&
           (b->start & PAGE_MASK) < ROUND_UP(a->end, PAGE_SIZE);
}

int bootinfo_check_modules(const struct boot_info *b, const struct range_set *ram,
                           struct reason *why)
{
    const struct boot_module *m = b->module;
    const char *fault = NULL;
    unsigned int i;

    for (i = 0; i < MIN(b->modules, 2u); i++) {
        if (!range_contains(ram, m[i].start & PAGE_MASK, ROUND_UP(m[i].end, PAGE_SIZE)))
            fault = "is not in RAM";
        else if (i == 1 && (m[i].start & ~PAGE_MASK))
            fault = "does not begin a page";
        else if (i == 1 && boot_pages_overlap(&m[0], &m[1]))
            fault = "overlaps the first";
        if (fault)
            return reason_set(why, -EINVAL, "module %u at 0x%llx-0x%llx %s", i,
                              (unsigned long long)m[i].start, (unsigned long long)m[i].end, fault);
    }
    return 0;
}
