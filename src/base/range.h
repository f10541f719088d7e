/* SPDX-License-Identifier: MIT */
/*
 * Sets of 64-bit numbers as sorted, disjoint, non-touching ranges [start, end): memory map algebra,
 * and the I/O ports, I/O memory frames and interrupts a domain may use.
 *
 * The caller owns the storage and does the locking; nothing is allocated. An operation that would
 * need more ranges than the storage holds fails with -ENOSPC and changes nothing. ~0 itself cannot
 * be a member, as end is exclusive.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include "base/def.h"

struct range {
    u64 start, end; /* start < end */
};

/* Readable by anyone: r[0..nr) in ascending order. Changed here only. */
struct range_set {
    struct range *r;
    u32 nr, max;
};

/* An empty set over `max` slots at `storage`. */
void range_init(struct range_set *s, struct range *storage, u32 max);

/*
 * Adds or removes [start, end); parts that are in, or out, already do not matter. An empty range is
 * no change. -EINVAL when start > end, -ENOSPC when a slot is missing.
 */
int range_add(struct range_set *s, u64 start, u64 end) MUST_CHECK;
int range_remove(struct range_set *s, u64 start, u64 end) MUST_CHECK;

/* Whether all of [start, end) is in the set. All of nothing is. */
bool range_contains(const struct range_set *s, u64 start, u64 end);

/*
 * The first piece at or above `from`: a member range, cut at `from` where it begins below. False
 * when there is none. To walk a set: from = 0, then from = out->end.
 */
bool range_next(const struct range_set *s, u64 from, struct range *out);

/* How many numbers are in the set. */
u64 range_total(const struct range_set *s);

/*
 * Finds `size` consecutive members inside [low, high), starting at a multiple of `align` (a power
 * of two), takes them out and stores the first in *start: the highest such place.
 * -ENOENT when there is none, -ENOSPC when the split needs a slot, -EINVAL for size 0 or an align
 * that is not a power of two.
 */
int range_claim_highest(struct range_set *s, u64 size, u64 align, u64 low, u64 high,
                        u64 *start) MUST_CHECK;

/* True when the set is well formed: sorted, disjoint, not touching, none empty. */
bool range_audit(const struct range_set *s);

#endif
