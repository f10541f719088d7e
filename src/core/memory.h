/* SPDX-License-Identifier: MIT */
/*
 * Changing what frames a domain has: adding, giving up, exchanging. Mechanism for memory_op; no
 * lock held, any CPU.
 *
 * Frames that leave a domain are collected in a batch, so that one TLB flush serves all of them:
 * a guest may have dropped its mapping without flushing, and a frame must not reach its next owner
 * while a CPU can still write to it.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include "core/page.h"

struct memory_batch {
    struct domain *d;
    u32 old;   /* stolen frames, linked by page.next */
    u32 fresh; /* first frames of new extents, linked likewise, in order */
    u32 fresh_last;
    unsigned int fresh_order;
    u64 old_nr;
};

/* An empty batch for frames of d and new extents of 2^fresh_order frames. */
void memory_batch_init(struct memory_batch *b, struct domain *d, unsigned int fresh_order);

/*
 * Takes 2^order frames from the domain; false when one of them is not free of references, and then
 * none of this extent is taken.
 */
bool memory_batch_steal(struct memory_batch *b, mfn_t first, unsigned int order) MUST_CHECK;

/* Allocates one new extent below 1 << addr_bits; false when memory is out. */
bool memory_batch_alloc(struct memory_batch *b, unsigned int addr_bits) MUST_CHECK;

/* The stolen frames go back to the domain, the new ones to the allocator; the batch is empty. */
void memory_batch_undo(struct memory_batch *b);

/*
 * The stolen frames go to the allocator, after a TLB flush. The new extents are then handed out by
 * memory_batch_next, which gives them to the domain with m2p entries pfn, pfn + 1, ...;
 * MFN_INVALID: the domain is dying and gets nothing.
 */
void memory_batch_commit(struct memory_batch *b);
mfn_t memory_batch_next(struct memory_batch *b, u64 pfn);

/*
 * Gives up one frame: into the batch if nothing refers to it, else only the domain's claim ends and
 * the last reference frees it. False when it is not the domain's to give.
 */
bool memory_release(struct memory_batch *b, mfn_t mfn) MUST_CHECK;

#endif
