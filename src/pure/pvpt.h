/* SPDX-License-Identifier: MIT */
/*
 * What a PV guest may write into its page tables: the rules per level and the one function per kind
 * of change. Tables hold machine frame numbers and are used by the hardware as they are, so an
 * entry is checked and its references are taken before it is stored.
 *
 * Every function runs under the mmu lock of the domain that owns the tables. Long ones take a
 * budget (entries to visit) and return -ERESTART when it is used up: release the lock, come back
 * with the same arguments. Errors leave the entry as it was and name their reason in the view.
 */
#ifndef PURE_PVPT_H
#define PURE_PVPT_H

#include "base/range.h"
#include "pure/ptype.h"

/* Entry bits (SDM vol. 3, 4.5; the public header xen.h lists them for mmu_update). */
#define PVPT_P     (1ul << 0)
#define PVPT_RW    (1ul << 1)
#define PVPT_US    (1ul << 2)
#define PVPT_PWT   (1ul << 3)
#define PVPT_PCD   (1ul << 4)
#define PVPT_A     (1ul << 5)
#define PVPT_D     (1ul << 6)
#define PVPT_PSE   (1ul << 7) /* levels 2 to 4 */
#define PVPT_PAT   (1ul << 7) /* level 1 */
#define PVPT_G     (1ul << 8)
#define PVPT_ADDR  0x000ffffffffff000ul
#define PVPT_CACHE (PVPT_PAT | PVPT_PCD | PVPT_PWT)

#define PVPT_ENTRIES  512u
#define PVPT_HV_FIRST 256u /* slots of a level 4 table that are the hypervisor's */
#define PVPT_HV_LAST  271u

/* Domain ids as the ABI has them; pure code does not include the ABI's headers. */
#define PVPT_DOMID_IO 0x7ff1

/*
 * Whose tables, whose frames, which rights: set up by the caller per request. `why`, `bad` and
 * `bad_mfn` are set by a refusal: the check that failed, the entry, the frame.
 */
struct pvpt_view {
    u16 owner;                            /* the domain whose tables these are */
    u16 frames;                           /* the domain whose frames a level 1 entry names */
    bool cache_bits;                      /* may choose memory types for RAM */
    const struct range_set *iomem;        /* device frames the owner may map */
    const struct range_set *frames_iomem; /* and `frames` too, when another domain; else NULL */
    u64 io_end;                           /* first frame number beyond the CPU's physical address */
    const char *why;
    u64 bad, bad_mfn;
};

/* Flags of an update. */
#define PVPT_KEEP_AD 1u /* A and D bits the hardware has set meanwhile stay set */

/*
 * A level 1 entry of a validated table: *slot becomes `want` (as rewritten: US on, G off, device
 * memory uncached), references of the new frame are taken, those of the old dropped. Never long.
 * -EBUSY: not a frame of `frames`, or of a type that forbids it. -EPERM: no right to this device
 * memory. -EINVAL: the entry's bits.
 */
int pvpt_l1_update(struct pvpt_view *w, u64 *slot, u64 want, unsigned int flags) MUST_CHECK;
/* The same if *slot is still `expect`, else -EAGAIN: for emulated read-modify-write. */
int pvpt_l1_swap(struct pvpt_view *w, u64 *slot, u64 expect, u64 want) MUST_CHECK;

/*
 * An entry of a validated table of level 2 to 4. *leftover must be NULL; when the table the old
 * entry named lost its last user and its taking apart is not finished, it is put there and the
 * result is 0 (the update is done): call pvpt_leftover_step until it is NULL. -ERESTART: not done.
 */
int pvpt_upper_update(struct pvpt_view *w, struct page **leftover, unsigned int level, u64 *table,
                      unsigned int index, u64 want, unsigned int flags, int *budget) MUST_CHECK;

/* Goes on taking apart *leftover; 0: it is NULL now. */
int pvpt_leftover_step(struct page **leftover, int *budget) MUST_CHECK;

/*
 * Takes a frame of w->owner as a table of `level` for the caller: a general and a type reference
 * (CR3 holds such a pair). -EINVAL, or what an entry below was refused with; -ERESTART.
 */
int pvpt_table_get(struct pvpt_view *w, u64 mfn, unsigned int level, int *budget) MUST_CHECK;
/* Drops the pair; what is left to do goes to *leftover (NULL before). */
void pvpt_table_put(struct page *pg, struct page **leftover, int *budget);

/* The guest's pin: the same pair, remembered in the frame. -EINVAL also when pinned already. */
int pvpt_pin(struct pvpt_view *w, u64 mfn, unsigned int level, int *budget) MUST_CHECK;
/* -EINVAL when not pinned. *leftover as above. */
int pvpt_unpin(struct pvpt_view *w, u64 mfn, struct page **leftover, int *budget) MUST_CHECK;

/*
 * Teardown of a domain: takes apart a table that is in between (PTYPE_PARTIAL) because someone
 * began to make it one and never came back. 0: done, or nothing to do. -ERESTART.
 */
int pvpt_step_abandon(struct page *pg, int *budget) MUST_CHECK;

/*
 * For pvpt_step.c: entries *i up to end of a level 1 table are checked, rewritten, and take what
 * they need of the owner's frames. *i ends at `end`, or at the entry that is refused.
 */
int pvpt_l1_take(struct pvpt_view *w, u64 *table, unsigned int *i, unsigned int end) MUST_CHECK;
/* Gives back what entries first to end-1 hold. */
void pvpt_l1_release(const u64 *table, unsigned int first, unsigned int end);
/* True when none of the eight entries from i on, a multiple of eight, is present. */
static inline bool pvpt_eight_empty(const u64 *table, unsigned int i)
{
    const u64 *t = &table[i];

    return !((t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) & PVPT_P);
}
/* The same checks for an upper entry: bits only. */
int pvpt_upper_check(struct pvpt_view *w, u64 *e) MUST_CHECK;

/* Notes the reason of a refusal in the view; returns err. */
int pvpt_refuse(struct pvpt_view *w, int err, const char *why, u64 bad, u64 bad_mfn);

#endif
