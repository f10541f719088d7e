/* SPDX-License-Identifier: MIT */
/*
 * A rate limiter: at most `limit` events per window of `length` nanoseconds. Without a lock; CPUs
 * that race at a window's edge may let up to the limit pass a second time.
 */
#ifndef PURE_RATELIMIT_H
#define PURE_RATELIMIT_H

#include "base/def.h"

struct ratelimit {
    u64 window; /* start of the current window, ns */
    u64 length; /* ns */
    u32 limit;  /* events per window, at least 1 */
    u32 used;   /* events of the current window, allowed or not */
};

#define RATELIMIT_INIT(nr, ns)                                                                     \
    {                                                                                              \
        .window = 0, .length = (ns), .limit = (nr), .used = 0                                      \
    }

/*
 * Counts an event at time `now` (ns, may jitter backwards between CPUs) and says whether it may
 * pass. *missed is set to the number of events refused in the last window when this event opens a
 * new one, else to 0. Any context.
 */
bool ratelimit_allow(struct ratelimit *rl, u64 now, u32 *missed);

#endif
