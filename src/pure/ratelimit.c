/* SPDX-License-Identifier: MIT */
/*
 * May this line be printed now? Windows of fixed length: the first event after the end of a window
 * opens the next one and learns how many were refused before. There is no carry-over of unused
 * events, and an empty window costs nothing.
 */
#include "pure/ratelimit.h"

#include "base/atomic.h"

bool ratelimit_allow(struct ratelimit *rl, u64 now, u32 *missed)
{
    u64 start = atomic_load(&rl->window);
    u32 used;

    *missed = 0;
    /* Signed: a clock slightly behind the CPU that opened the window is inside it. */
    if (start == 0 || (s64)(now - start) >= (s64)rl->length) {
        /* 0 means "never opened", so time 0 is taken as 1. */
        if (atomic_cmpxchg(&rl->window, &start, now ? now : 1)) {
            used = atomic_xchg(&rl->used, 1u);
            *missed = used > rl->limit ? used - rl->limit : 0;
            return true;
        }
    }
    used = atomic_load(&rl->used);
    /* Saturates: a storm of 2^32 events in a window must not wrap to "allowed". */
    if (used == ~0u)
        return false;
    return atomic_add_return(&rl->used, 1u) <= rl->limit;
}
