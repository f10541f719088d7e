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
#define PTYPE_LEVEL_SHIFT  36
#define PTYPE_TABLE(level) ((u64)(level) << PTYPE_LEVEL_SHIFT) /* level 1 to 4 */
#define PTYPE_NONE         PTYPE_TABLE(0)
#define PTYPE_L1           PTYPE_TABLE(1)
#define PTYPE_L2           PTYPE_TABLE(2)
#define PTYPE_L3           PTYPE_TABLE(3)
#define PTYPE_L4           PTYPE_TABLE(4)
#define PTYPE_SEG          PTYPE_TABLE(5) /* GDT or LDT */
#define PTYPE_WRITABLE     PTYPE_TABLE(7)
#define PTYPE_MASK         PTYPE_TABLE(7)
#define PTYPE_PINNED       (1ul << 35) /* the guest holds one type reference by a pin */
#define PTYPE_VALIDATED    (1ul << 34) /* contents checked for the type */
#define PTYPE_PARTIAL      (1ul << 33) /* (de)validation interrupted; page.cursor says where */
#define PTYPE_TURN         (1ul << 40) /* bits 40 to 63: puts that were not the last, modulo 2^24 */
#define PTYPE_COUNT_MASK   ((1ul << 32) - 1)

#endif
