/* SPDX-License-Identifier: MIT */
/*
 * Frames of RAM: the frame table bound to real memory, allocation for the hypervisor and for
 * domains, and the machine-to-phys table. Locks: RANK_HEAP inside.
 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "arch/hmap.h"
#include "arch/layout.h"
#include "base/atomic.h"
#include "base/range.h"
#include "pure/page.h"
#include "wire/wire.h"

struct domain;

#define page_table_base ((struct page *)FRAMETABLE_BASE)

/*
 * Memory below belongs to the firmware and the PC's devices and is never allocated; the hardware
 * domain may map it like a device's (DOMID_IO owns it).
 */
#define PAGE_LOW_END MiB

extern u64 page_max_mfn; /* first frame number beyond RAM */

/* The entry of a frame. The frame must satisfy page_valid. */
static inline struct page *page_of(mfn_t mfn)
{
    return &page_table_base[mfn.v];
}

static inline mfn_t page_mfn(const struct page *pg)
{
    return MFN(pg - page_table_base);
}

/* True for RAM of the frame table (false for holes of the memory map and low memory). */
static inline bool page_valid(mfn_t mfn)
{
    return mfn.v < page_max_mfn && READ_ONCE(page_of(mfn)->owner) != DOMID_IO;
}

/*
 * Hypervisor memory: 2^order frames, order 0 zeroed; MFN_INVALID when there is none. Freed with the
 * same order.
 */
mfn_t page_alloc_hv(unsigned int order);
void page_free_hv(mfn_t mfn, unsigned int order);
/* Small objects, zeroed, 16-byte aligned, up to 2 KiB; above: whole pages. NULL when out. */
void *page_zalloc(size_t size);
void page_zfree(void *p, size_t size);
/* What an object of this size occupies, in bytes. */
size_t page_zsize(size_t size);
/* How many small objects there are, and the pages they lie on. */
void page_small_count(u64 *objects, u64 *pages);

/*
 * A domain's frames: scrubbed, owner set, one reference held by PAGE_ALLOCATED, on the domain's
 * list. Fails (MFN_INVALID) beyond d's maximum or when memory is out. addr_bits: the frames lie
 * below 1 << addr_bits (0: anywhere).
 */
mfn_t page_alloc_domain(struct domain *d, unsigned int order, unsigned int addr_bits);
/*
 * Sets frames aside for d: until it has `total` of them no other domain can get the difference. 0
 * ends it. -EINVAL: not more than d has, or above its maximum; -ENOMEM: not there.
 */
int page_set_claim(struct domain *d, u64 total) MUST_CHECK;
u64 page_claimed_count(void);
/*
 * The end of a domain. close: it gets no more frames. finish: the domain's own reference goes with
 * its last frame; true: it has none left, and the caller puts the reference.
 */
void page_domain_close(struct domain *d);
bool page_domain_finish(struct domain *d) MUST_CHECK;
/* Takes raw frames (boot modules) into a domain: owner, list, accounting. */
void page_assign_domain(struct domain *d, mfn_t mfn, u64 nr);
/*
 * Drops the allocation reference; the frame returns to the allocator when the last reference goes
 * (ptype_put does that through page_free_domain).
 */
void page_release(struct page *pg);
/*
 * Between the two, on this CPU: every translation by which domain `owner` knew a frame that becomes
 * free now was out of its tables at the beginning, and no CPU of it can make a new one (the caller
 * has what keeps them from that). Its CPUs are then flushed once, not for each frame.
 */
void page_drop_begin(domid_t owner);
void page_drop_end(void);
/* Last reference gone: off the owner's list, accounting, dirty to the allocator. */
void page_free_domain(struct page *pg);
/*
 * For a domain's end, by a caller with a reference to pg. next: the frame behind pg on d's list
 * (NULL: the first), or with bits the first whose type has one of them, but at most the max-th;
 * PAGE_LINK_END. drop_unused: frees those behind pg up to the first that is referenced, some at a
 * time; returns how many.
 */
u32 page_list_next(const struct domain *d, const struct page *pg, u64 bits, u32 max);
u32 page_drop_unused(struct domain *d, struct page *pg);
/*
 * Frames on their way between domain and allocator, for exchange: owned by nobody, `next` free for
 * the caller's use. Until the way ends they count against d's maximum, and d does not go away.
 * page_steal: a frame of d that nothing refers to leaves d. TLBs of d's CPUs may still know it:
 *   flush before it is freed or given to another domain. False (no change) when d does not own it,
 *   when it is mapped, pinned or in use otherwise, or when it is a special frame.
 * page_unsteal: it goes back to d, which remembers what its CPUs may have cached (ptype.c); of a
 *   dying domain, to the allocator.
 * page_stolen_gone: nr stolen frames are the allocator's.
 * page_stolen_replace: instead of 2^order stolen frames d gets these; false: d is dying and they
 *   went to the allocator.
 * page_alloc_raw: 2^order frames, scrubbed, below 1 << addr_bits (0: anywhere); MFN_INVALID.
 * page_assign_domain gives them to a domain, page_free_raw to the allocator.
 */
bool page_steal(struct domain *d, mfn_t mfn) MUST_CHECK;
void page_unsteal(struct domain *d, mfn_t mfn);
void page_stolen_gone(struct domain *d, u64 nr);
bool page_stolen_replace(struct domain *d, mfn_t mfn, unsigned int order) MUST_CHECK;
mfn_t page_alloc_raw(unsigned int order, unsigned int addr_bits);
void page_free_raw(mfn_t mfn, unsigned int order);
/* The domain for an owner id, without a reference; valid while it owns any page. */
struct domain *page_owner(const struct page *pg);
/* Makes a hypervisor page visible to d as a special page (shared_info, grant frames). */
void page_share_with(struct domain *d, mfn_t mfn, bool writable);

u64 page_free_count(void);
u64 page_total_count(void);

u64 page_dirty_count(void);
/* Bytes the hypervisor itself took, frame table and m2p included. */
u64 page_hv_bytes(void);
u64 page_frametable_bytes(void);
/*
 * Scrubs one dirty block of at most 64 frames, for idle CPUs. False when nothing is dirty, another
 * CPU is at it or the heap is busy: never waits for the heap's lock before it has a block.
 */
bool page_scrub_step(void);
/* True while dom0 is built: its frames are handed out unscrubbed. */
extern bool page_no_scrub;

/*
 * Boot, in order: RAM is added and what is in use reserved (bytes; reserve rounds outward); early
 * claims from it, highest first (0: none left); page_init with all RAM builds the tables and gives
 * the rest to the allocator. page_boot_release gives a reserved range back later (modules).
 */
int page_boot_add(u64 start, u64 end) MUST_CHECK;
int page_boot_reserve(u64 start, u64 end) MUST_CHECK;
maddr_t page_boot_claim(u64 size, u64 align, u64 limit);
bool page_init(const struct range_set *ram) MUST_CHECK;
void page_boot_release(maddr_t start, maddr_t end);
void page_boot_unclaim(maddr_t start, maddr_t end); /* the same for what was claimed */

/* Machine-to-phys table. */
#define M2P_INVALID (~(u64)0)
static inline void page_m2p_set(mfn_t mfn, u64 pfn)
{
    ((u64 *)M2P_RW_BASE)[mfn.v] = pfn;
}

static inline u64 page_m2p_get(mfn_t mfn)
{
    return ((const u64 *)M2P_RW_BASE)[mfn.v];
}

#endif
