/* SPDX-License-Identifier: MIT */
/*
 * One grant in use: how often its entry is pinned, and what the granter is told about it in the
 * entry it shares with us (ABI: public header grant_table.h, version 1).
 *
 * The caller holds the lock of the granter's table. The shared entry is the granter's memory and
 * may change at any moment: it is read by single reads and changed by locked instructions, in a
 * bounded number of tries.
 */
#ifndef PURE_GRANTPIN_H
#define PURE_GRANTPIN_H

#include "base/atomic.h"
#include "wire/wire.h"

/* Zeroed: not in use. */
struct grantpin {
    u32 frame;   /* while pinned: what the entry named when it was first pinned */
    u16 domid;   /* while pinned: to whom it was granted */
    u16 unused;  /* zero */
    u32 readers; /* uses that may only read */
    u32 writers; /* uses that may write */
};
STATIC_ASSERT(sizeof(struct grantpin) == 16, "256 to a page");
STATIC_ASSERT(sizeof(grant_entry_v1_t) == 8, "ABI: grant_entry_v1");

static inline bool grantpin_is_pinned(const struct grantpin *p)
{
    return p->readers || p->writers;
}

/*
 * One more use of the entry `e` by domain `who`. First it is checked, marked as read (and written),
 * and its frame noted; further uses take the frame from the note, whatever the entry says by then.
 * A GNTST_ code; when it is not GNTST_okay nothing has changed and *why says what was wrong.
 */
s16 grantpin_take(struct grantpin *p, grant_entry_v1_t *e, u16 who, bool write,
                  const char **why) MUST_CHECK;

/*
 * One use less. With the last writer the mark "written" goes, with the last use also "read": from
 * then on the granter may use the frame for something else. e is NULL when the table is gone.
 */
void grantpin_drop(struct grantpin *p, grant_entry_v1_t *e, bool write);

#endif
