/* SPDX-License-Identifier: MIT */
/*
 * What does a paravirtualized kernel's ELF file ask for?
 *
 * One pass over the program headers collects PT_LOAD segments and reads every PT_NOTE; kernels
 * that carry their notes only in sections (no PT_NOTE held one named "Xen") get a second pass over
 * the section headers. Then defaults are filled in and the load rule is checked once: virtual =
 * VIRT_BASE + (paddr - PADDR_OFFSET), without wrapping, and the entry inside. p_vaddr is not used:
 * per-CPU segments have 0 there. Left out: symbols, relocations, 32-bit files and the __xen_guest
 * section that notes replaced long ago.
 */
#include "pure/elf.h"

#include "base/err.h"
#include "base/lib.h"
#include "pure/bytes.h"
#include "wire/wire.h"

/* System V ABI chapter 4, "ELF Header", "Sections" and 5, "Program Header", 64-bit layouts. */
struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
STATIC_ASSERT(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct elf_program {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
STATIC_ASSERT(sizeof(struct elf_program) == 56, "Elf64_Phdr");

struct elf_section {
    u32 name, type;
    u64 flags, addr, offset, size;
    u32 link, info;
    u64 align, entsize;
};
STATIC_ASSERT(sizeof(struct elf_section) == 64, "Elf64_Shdr");

#define ELF_CLASS_64   2
#define ELF_DATA_LSB   1
#define ELF_TYPE_EXEC  2
#define ELF_TYPE_DYN   3
#define ELF_MACH_X86   62
#define ELF_PT_LOAD    1
#define ELF_PT_NOTE    4
#define ELF_SHT_NOTE   7
#define ELF_MAX_HEADER 256 /* program or section headers looked at */

STATIC_ASSERT(XEN_ELFNOTE_MAX + 1 == ELF_NOTE_COUNT, "every note has a slot");

static const struct {
    const char *name;
    u8 bit;
} feature_names[] = {
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"mmu_pt_update_preserve_ad", XENFEAT_mmu_pt_update_preserve_ad},
    {"highmem_assist", XENFEAT_highmem_assist},
    {"gnttab_map_avail_bits", XENFEAT_gnttab_map_avail_bits},
    {"hvm_callback_vector", XENFEAT_hvm_callback_vector},
    {"hvm_safe_pvclock", XENFEAT_hvm_safe_pvclock},
    {"hvm_pirqs", XENFEAT_hvm_pirqs},
    {"dom0", XENFEAT_dom0},
};

static u64 elf_round4(u64 n)
{
    return (n + 3) & ~(u64)3;
}

/* One word of the FEATURES string: a name the kernel supports or, after '!', requires. */
static int elf_add_feature(struct elf_image *e, const char *s, size_t n, struct reason *why)
{
    bool must = n && *s == '!';
    char name[64];
    unsigned int i;

    if (must) {
        s++;
        n--;
    }
    for (i = 0; i < ARRAY_SIZE(feature_names); i++) {
        if (strlen(feature_names[i].name) != n || memcmp(feature_names[i].name, s, n))
            continue;
        e->supported |= 1u << feature_names[i].bit;
        return 0;
    }
    if (!must || !n)
        return 0;
    n = MIN(n, sizeof(name) - 1);
    memcpy(name, s, n);
    name[n] = '\0';
    return reason_set(why, -EINVAL, "kernel requires an unknown feature: %s", name);
}

static int elf_parse_features(struct elf_image *e, const u8 *desc, u64 len, struct reason *why)
{
    const char *s = (const char *)desc;
    size_t n = strnlen(s, (size_t)len), i, start = 0;
    int rc;

    for (i = 0; i <= n; i++) {
        if (i < n && s[i] != '|')
            continue;
        rc = elf_add_feature(e, s + start, i - start, why);
        if (rc)
            return rc;
        start = i + 1;
    }
    return 0;
}

/* Is note n a number? The others are strings nobody here needs. */
static bool elf_note_is_numeric(u32 n)
{
    switch (n) {
    case XEN_ELFNOTE_ENTRY:
    case XEN_ELFNOTE_HYPERCALL_PAGE:
    case XEN_ELFNOTE_VIRT_BASE:
    case XEN_ELFNOTE_PADDR_OFFSET:
    case XEN_ELFNOTE_HV_START_LOW:
    case XEN_ELFNOTE_SUSPEND_CANCEL:
    case XEN_ELFNOTE_INIT_P2M:
    case XEN_ELFNOTE_MOD_START_PFN:
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
    case XEN_ELFNOTE_PHYS32_ENTRY:
        return true;
    default:
        return false;
    }
}

static int elf_add_note(struct elf_image *e, u32 n, const u8 *desc, u64 len, struct reason *why)
{
    if (n >= ELF_NOTE_COUNT)
        return 0; /* newer than this hypervisor: the kernel cannot depend on it */
    if (elf_note_is_numeric(n)) {
        if (len != 4 && len != 8)
            return reason_set(why, -EINVAL, "Xen note %u has %llu bytes, not 4 or 8", n,
                              (unsigned long long)len);
        e->note[n] = len == 4 ? bytes_le32(desc) : bytes_le64(desc);
    } else if (n == XEN_ELFNOTE_L1_MFN_VALID) {
        /* Pairs of mask and value, four or eight bytes each; one pair exists in practice. */
        if (len != 8 && (len < 16 || len % 16))
            return reason_set(why, -EINVAL, "Xen note %u has %llu bytes, not pairs of numbers", n,
                              (unsigned long long)len);
        e->note[n] = len == 8 ? bytes_le32(desc) : bytes_le64(desc);
    } else if (n == XEN_ELFNOTE_FEATURES) {
        int rc = elf_parse_features(e, desc, len, why);

        if (rc)
            return rc;
    }
    e->present |= 1u << n;
    return 0;
}

/* The notes of one segment or section: {namesz, descsz, type, name, desc}, padded to 4 bytes. */
static int elf_parse_notes(struct elf_image *e, u64 off, u64 len, struct reason *why)
{
    u64 namesz, descsz, desc, next, pos = 0;
    const u8 *p;
    int rc;

    if (!bytes_inside(off, len, e->image_len))
        return reason_set(why, -EINVAL, "ELF notes at 0x%llx+0x%llx lie outside the file",
                          (unsigned long long)off, (unsigned long long)len);
    p = e->image + off;
    while (len - pos >= 12) {
        namesz = bytes_le32(p + pos);
        descsz = bytes_le32(p + pos + 4);
        desc = pos + 12 + elf_round4(namesz); /* 32-bit sizes: no overflow in 64 bits */
        next = desc + elf_round4(descsz);
        if (desc + descsz > len)
            return reason_set(why, -EINVAL, "ELF note at 0x%llx with %llu+%llu bytes overflows",
                              (unsigned long long)(off + pos), (unsigned long long)namesz,
                              (unsigned long long)descsz);
        if (namesz == 4 && !memcmp(p + pos + 12, "Xen", 4)) {
            rc = elf_add_note(e, bytes_le32(p + pos + 8), p + desc, descsz, why);
            if (rc)
                return rc;
        }
        if (next >= len)
            break;
        pos = next;
    }
    return 0;
}

static int elf_add_segment(struct elf_image *e, const struct elf_program *ph, struct reason *why)
{
    struct elf_segment *s;
    u64 end;

    if (ph->filesz > ph->memsz)
        return reason_set(why, -EINVAL,
                          "ELF segment has 0x%llx bytes in the file but 0x%llx in "
                          "memory",
                          (unsigned long long)ph->filesz, (unsigned long long)ph->memsz);
    if (!ph->memsz)
        return 0;
    if (!bytes_inside(ph->offset, ph->filesz, e->image_len))
        return reason_set(why, -EINVAL,
                          "ELF segment at 0x%llx+0x%llx, but the file has 0x%llx "
                          "bytes",
                          (unsigned long long)ph->offset, (unsigned long long)ph->filesz,
                          (unsigned long long)e->image_len);
    if (!add_ok(ph->paddr, ph->memsz, &end))
        return reason_set(why, -EINVAL, "ELF segment at address 0x%llx wraps with 0x%llx bytes",
                          (unsigned long long)ph->paddr, (unsigned long long)ph->memsz);
    if (e->segments == ELF_MAX_SEGMENTS)
        return reason_set(why, -E2BIG, "more than %u ELF segments", ELF_MAX_SEGMENTS);

    s = &e->segment[e->segments++];
    s->paddr = ph->paddr;
    s->offset = ph->offset;
    s->filesz = ph->filesz;
    s->memsz = ph->memsz;
    e->low = MIN(e->low, s->paddr);
    e->high = MAX(e->high, end);
    return 0;
}

static int elf_parse_programs(struct elf_image *e, const struct elf_header *h, struct reason *why)
{
    struct elf_program ph;
    unsigned int i;
    int rc;

    if (h->phentsize != sizeof(ph) || !h->phnum || h->phnum > ELF_MAX_HEADER)
        return reason_set(why, -EINVAL, "%u ELF program headers of %u bytes", h->phnum,
                          h->phentsize);
    if (!bytes_inside(h->phoff, (u64)h->phnum * sizeof(ph), e->image_len))
        return reason_set(why, -EINVAL, "ELF program headers at 0x%llx lie outside the file",
                          (unsigned long long)h->phoff);
    for (i = 0; i < h->phnum; i++) {
        memcpy(&ph, e->image + h->phoff + i * sizeof(ph), sizeof(ph));
        rc = 0;
        if (ph.type == ELF_PT_LOAD)
            rc = elf_add_segment(e, &ph, why);
        else if (ph.type == ELF_PT_NOTE)
            rc = elf_parse_notes(e, ph.offset, ph.filesz, why);
        if (rc)
            return rc;
    }
    return 0;
}

/* Notes kept in sections. A broken section table only means that there are none. */
static int elf_parse_sections(struct elf_image *e, const struct elf_header *h, struct reason *why)
{
    struct elf_section sh;
    unsigned int i;
    int rc;

    if (!h->shoff || h->shentsize != sizeof(sh) || h->shnum > ELF_MAX_HEADER ||
        !bytes_inside(h->shoff, (u64)h->shnum * sizeof(sh), e->image_len))
        return 0;
    for (i = 0; i < h->shnum; i++) {
        memcpy(&sh, e->image + h->shoff + i * sizeof(sh), sizeof(sh));
        if (sh.type != ELF_SHT_NOTE)
            continue;
        rc = elf_parse_notes(e, sh.offset, sh.size, why);
        if (rc)
            return rc;
    }
    return 0;
}

/* Defaults (public header xen/elfnote.h, at each note), then the load rule. */
static int elf_check_layout(struct elf_image *e, const struct elf_header *h, struct reason *why)
{
    e->virt_base = e->note[XEN_ELFNOTE_VIRT_BASE]; /* absent: 0, as PADDR_OFFSET */
    e->paddr_offset = e->note[XEN_ELFNOTE_PADDR_OFFSET];
    e->entry = elf_has_note(e, XEN_ELFNOTE_ENTRY) ? e->note[XEN_ELFNOTE_ENTRY] : h->entry;
    if (elf_has_note(e, XEN_ELFNOTE_SUPPORTED_FEATURES))
        e->supported |= (u32)e->note[XEN_ELFNOTE_SUPPORTED_FEATURES];

    if (!e->segments)
        return reason_set(why, -EINVAL, "ELF image has nothing to load");
    if (e->low < e->paddr_offset)
        return reason_set(why, -EINVAL, "ELF segment at 0x%llx lies below PADDR_OFFSET 0x%llx",
                          (unsigned long long)e->low, (unsigned long long)e->paddr_offset);
    if (!add_ok(e->virt_base, e->low - e->paddr_offset, &e->virt_start) ||
        !add_ok(e->virt_base, e->high - e->paddr_offset, &e->virt_end))
        return reason_set(why, -EINVAL, "ELF image at 0x%llx-0x%llx wraps with VIRT_BASE 0x%llx",
                          (unsigned long long)e->low, (unsigned long long)e->high,
                          (unsigned long long)e->virt_base);
    if (e->entry < e->virt_start || e->entry >= e->virt_end)
        return reason_set(why, -EINVAL, "ELF entry 0x%llx lies outside the image 0x%llx-0x%llx",
                          (unsigned long long)e->entry, (unsigned long long)e->virt_start,
                          (unsigned long long)e->virt_end);
    return 0;
}

static int elf_check_header(const struct elf_header *h, struct reason *why)
{
    if (h->ident[4] != ELF_CLASS_64)
        return reason_set(why, -EINVAL, "ELF class %u, not 2 (64-bit)", h->ident[4]);
    if (h->ident[5] != ELF_DATA_LSB)
        return reason_set(why, -EINVAL, "ELF byte order %u, not 1 (little-endian)", h->ident[5]);
    if (h->machine != ELF_MACH_X86)
        return reason_set(why, -EINVAL, "ELF machine %u, not 62 (x86-64)", h->machine);
    if (h->type != ELF_TYPE_EXEC && h->type != ELF_TYPE_DYN)
        return reason_set(why, -EINVAL, "ELF type %u, not 2 or 3 (executable)", h->type);
    return 0;
}

int elf_parse(const void *image, size_t len, struct elf_image *e, struct reason *why)
{
    struct elf_header h;
    int rc;

    memset(e, 0, sizeof(*e));
    e->image = image;
    e->image_len = len;
    e->low = ~(u64)0;

    if (len < 4 || memcmp(image, "\177ELF", 4))
        return reason_set(why, -ENOEXEC, "no ELF magic in %zu bytes", len);
    if (len < sizeof(h))
        return reason_set(why, -EINVAL, "truncated ELF: %zu bytes end inside its header", len);
    memcpy(&h, image, sizeof(h));

    rc = elf_check_header(&h, why);
    if (!rc)
        rc = elf_parse_programs(e, &h, why);
    if (!rc && !e->present)
        rc = elf_parse_sections(e, &h, why);
    if (rc)
        return rc;
    if (!e->present)
        return reason_set(why, -ENODATA, "ELF image has no Xen notes: not a kernel for Xen");
    return elf_check_layout(e, &h, why);
}

void elf_fill_page(const struct elf_image *e, u64 ppaddr, void *page)
{
    const struct elf_segment *s;
    u64 want, end, from, to;
    unsigned int i;

    memset(page, 0, PAGE_SIZE);
    if (!add_ok(ppaddr, e->paddr_offset, &want) || !add_ok(want, PAGE_SIZE, &end))
        return;
    for (i = 0; i < e->segments; i++) {
        s = &e->segment[i];
        from = MAX(want, s->paddr);
        to = MIN(end, s->paddr + s->filesz);
        if (from < to)
            memcpy((u8 *)page + (from - want), e->image + s->offset + (from - s->paddr), to - from);
    }
}
