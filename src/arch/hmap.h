/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own mappings: direct map, devices, image. Built at boot; after that only
 * hmap_device adds to them. Every L4 of a guest carries copies of slots 256 to 271 of
 * hmap_template(); the tables below those slots are shared by all, so an addition is seen
 * everywhere.
 */
#ifndef ARCH_HMAP_H
#define ARCH_HMAP_H

#include "arch/layout.h"
#include "base/def.h"

/* Page-table entry bits (SDM vol. 3, 4.5). */
#define PTE_P    (1ul << 0)
#define PTE_RW   (1ul << 1)
#define PTE_US   (1ul << 2)
#define PTE_PWT  (1ul << 3)
#define PTE_PCD  (1ul << 4)
#define PTE_A    (1ul << 5)
#define PTE_D    (1ul << 6)
#define PTE_PSE  (1ul << 7)
#define PTE_G    (1ul << 8)
#define PTE_NX   (1ul << 63)
#define PTE_ADDR 0x000ffffffffff000ul

/* RAM by machine address, writable (the image's text and rodata excepted). */
static inline void *hmap_direct(maddr_t a)
{
    return (void *)(DIRECTMAP_BASE + a);
}

static inline maddr_t hmap_direct_to_maddr(const void *p)
{
    return (u64)p - DIRECTMAP_BASE;
}

/*
 * Boot: the template with the image mapped; RAM [start, end) into the direct map (page-aligned; the
 * image's text and constants read-only there too); load the template on this CPU. False when
 * memory is out. Tables come from upcall_alloc_table and lie below 4 GiB until hmap_activate.
 */
bool hmap_build(void) __attribute__((warn_unused_result));
bool hmap_map_ram(maddr_t start, maddr_t end) __attribute__((warn_unused_result));
void hmap_activate(void);

/*
 * Maps [maddr, maddr+size) uncached for the hypervisor and returns the address of maddr. Boot and
 * device set-up only; never undone. NULL when the window (DEVMAP_SIZE) or memory is used up, or the
 * processor has no such address.
 */
volatile void *hmap_device(maddr_t maddr, u64 size);

/* Maps `size` bytes of frames at va in the hypervisor's tables with flags (PTE_ bits). Boot. */
bool hmap_range(u64 va, maddr_t maddr, u64 size, u64 flags);

/*
 * A window on any physical memory, RAM or not, for reading firmware tables at boot: at most 1 MiB
 * at once, replaced by the next call. NULL for more, and for what the processor cannot address.
 */
const void *hmap_window(maddr_t maddr, u64 size);

/* The template L4's frame; and its entries (slots 256 to 271 are the ones to copy). */
mfn_t hmap_template(void);
const u64 *hmap_template_entries(void);

/* The frame a hypervisor virtual address maps to; image, stacks, direct map, frame table. */
maddr_t hmap_virt_to_maddr(const void *va);

#endif
