/* SPDX-License-Identifier: MIT */
/*
 * ELF64 x86-64 kernels with Xen notes: what to load where, where to start, what the kernel wants.
 * Formats: System V ABI, "Object Files"; note numbers: public header xen/elfnote.h.
 * The image stays the caller's and must outlive struct elf_image. No lock, any context.
 */
#ifndef PURE_ELF_H
#define PURE_ELF_H

#include "base/def.h"
#include "pure/reason.h"

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
    u64 paddr;  /* p_paddr, before PADDR_OFFSET is taken off */
    u64 offset; /* in the image */
    u64 filesz; /* <= memsz; offset + filesz lies inside the image */
    u64 memsz;  /* > 0; paddr + memsz does not wrap */
};

/* Numeric notes are indexed by their number in xen/elfnote.h. */
#define ELF_NOTE_COUNT 19

struct elf_image {
    const u8 *image;
    u64 image_len;
    struct elf_segment segment[ELF_MAX_SEGMENTS]; /* PT_LOAD in file order, empty ones left out */
    unsigned int segments;
    u64 low, high; /* lowest paddr, one past the highest */

    u32 present;              /* bit n: note n was there */
    u64 note[ELF_NOTE_COUNT]; /* value of a numeric note; L1_MFN_VALID: the mask */
    /* From the FEATURES string and SUPPORTED_FEATURES: bits of xen/features.h. */
    u32 supported;

    /* With the ABI's defaults where a note is absent. */
    u64 entry;        /* virtual address of the first instruction */
    u64 virt_base;    /* virtual address of pseudo-physical 0 */
    u64 paddr_offset; /* pseudo-physical = paddr - paddr_offset */
    u64 virt_start;   /* virtual address of low */
    u64 virt_end;     /* virtual address of high */
};

/* Was note n (a number of xen/elfnote.h, 0 .. ELF_NOTE_COUNT - 1) there? */
static inline bool elf_has_note(const struct elf_image *e, unsigned int n)
{
    return (e->present >> n) & 1;
}

/*
 * Reads headers, segments and notes of the len bytes at image into e (about 700 bytes).
 * 0, or -ENOEXEC: not an ELF image at all; -EINVAL: an ELF image that cannot be loaded, why says
 * what is wrong; -ENODATA: no Xen notes; -E2BIG: more than ELF_MAX_SEGMENTS segments.
 */
int elf_parse(const void *image, size_t len, struct elf_image *e, struct reason *why) MUST_CHECK;

/*
 * Fills one page with what the loaded image has at the pseudo-physical byte address ppaddr
 * (page-aligned): the segments' bytes, zero elsewhere. Lets the builder load into scattered frames.
 */
void elf_fill_page(const struct elf_image *e, u64 ppaddr, void *page);

#endif
