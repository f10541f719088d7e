/* SPDX-License-Identifier: MIT */
/*
 * One frame-table entry: 32 bytes per frame of RAM, at index mfn. docs/PAGES.md tells the whole
 * story; every transition of `count` and `type` passes through pure/ptype.c.
 */
#ifndef PURE_PAGE_H
#define PURE_PAGE_H

#include "base/def.h"

struct page {
    u64 count;  /* PAGE_ bits and the reference count */
    u64 type;   /* PTYPE_ bits and the type count */
    u16 owner;  /* domain id; DOMID_IO, DOMID_XEN for special frames; PAGE_OWNER_NONE */
    u16 cursor; /* how far a (de)validation got, with PTYPE_PARTIAL */
    u32 aux;    /* free: buddy order and flags; typed 0: TLB stamp of the last type drop */
    u32 next;   /* free list, or the owner's page list; PAGE_LINK_END ends it */
    u32 prev;
};
STATIC_ASSERT(sizeof(struct page) == 32, "the frame table's price is 32 bytes per 4 KiB");

#define PAGE_OWNER_NONE 0xffff
#define PAGE_LINK_END   0xffffffffu

/* count: the allocation itself holds one reference while PAGE_ALLOCATED is set. */
#define PAGE_ALLOCATED  (1ul << 63)
#define PAGE_SPECIAL    (1ul << 62) /* hypervisor memory shared with a guest: never a page table */
#define PAGE_COUNT_MASK ((1ul << 32) - 1)

/* type: mutually exclusive uses of a frame. */
#define PTYPE_NONE       (0ul << 60)
#define PTYPE_L1         (1ul << 60)
#define PTYPE_L2         (2ul << 60)
#define PTYPE_L3         (3ul << 60)
#define PTYPE_L4         (4ul << 60)
#define PTYPE_SEG        (5ul << 60) /* GDT or LDT */
#define PTYPE_WRITABLE   (7ul << 60)
#define PTYPE_MASK       (7ul << 60)
#define PTYPE_PINNED     (1ul << 59) /* the guest holds one type reference by a pin */
#define PTYPE_VALIDATED  (1ul << 58) /* contents checked for the type */
#define PTYPE_PARTIAL    (1ul << 57) /* (de)validation interrupted; page.cursor says where */
#define PTYPE_TURN       (1ul << 32) /* bits 32 to 55: puts that were not the last, modulo 2^24 */
#define PTYPE_TURN_SPILL (1ul << 56) /* always clear */
#define PTYPE_COUNT_MASK ((1ul << 32) - 1)

#endif
