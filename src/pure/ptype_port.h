/* SPDX-License-Identifier: MIT */
/*
 * What the page-type code needs from the machine, beside pure/port.h. pv/ptype_port.c defines these
 * in the hypervisor, the test on the desk. All are called with interrupts off; those that may be
 * called under a domain's mmu lock say so, and take no lock of a lower rank.
 */
#ifndef PURE_PTYPE_PORT_H
#define PURE_PTYPE_PORT_H

#include "pure/page.h"

/* The frame table: entries 0 .. end-1, set up once. Holes have entries too, owned by DOMID_IO. */
struct ptype_frames {
    struct page *base;
    u64 end;
};
extern struct ptype_frames ptype_frames;

/*
 * The entry of a frame, or NULL beyond the table. Device memory inside it has an entry whose owner
 * is no domain's, so a caller that compares owners needs no other check.
 */
static inline struct page *ptype_port_page(u64 mfn)
{
    return likely(mfn < ptype_frames.end) ? ptype_frames.base + mfn : NULL;
}
/* Its inverse. */
mfn_t ptype_port_mfn(const struct page *pg);

/* The flush clock now: a translation dropped before this call is "dropped at" the value. */
u32 ptype_port_clock(void);

/*
 * Makes sure that no CPU still uses a translation of pg dropped at `stamp`, or walks through pg on
 * the strength of a cached upper entry. Waits for other CPUs; they answer while they spin on a
 * lock, so the mmu lock may be held.
 */
void ptype_port_flush(const struct page *pg, u32 stamp);

/* The last reference is gone: the frame goes back to the allocator. The mmu lock may be held. */
void ptype_port_release(struct page *pg);

/* Device memory that no guest may write: registers the hypervisor drives itself. */
bool ptype_port_io_readonly(u64 mfn);

/*
 * Between the two, what a table that nothing leads to any more maps is let go. All translations of
 * the table owner's that go now were out of its tables before, so one flush serves all frames that
 * become free. The owner's mmu lock is held.
 */
void ptype_port_drop_begin(const struct page *table);
void ptype_port_drop_end(void);

/* Writes the hypervisor's 16 entries (slots 256 to 271) of a level 4 table, for its owner. */
void ptype_port_hv_slots(const struct page *l4, u64 *slots);

#endif
