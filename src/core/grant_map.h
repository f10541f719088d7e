/* SPDX-License-Identifier: MIT */
/*
 * Mapping the grants of other domains into the current one, and copying through them: one request
 * at a time, as the ABI has it (public header grant_table.h). Results are GNTST_ codes in the
 * requests. No lock held by the caller.
 *
 * A mapping is a handle with a use of the granter's entry (core/grant.h) that lasts until the
 * mapping is ended, whatever the guest does to the page-table entry meanwhile; the entry holds
 * references of its own.
 */
#ifndef CORE_GRANT_MAP_H
#define CORE_GRANT_MAP_H

#include "core/domain.h"

/* A domain kept referenced from one request to the next, so that a batch looks it up once. */
struct grant_peer {
    struct domain *d; /* NULL: none yet */
    u32 id;           /* as it was asked for */
};
/* The domain `id`, or NULL. The peer keeps it until another is asked for or it is done. */
struct domain *grant_peer_find(struct grant_peer *p, domid_t id);
void grant_peer_done(struct grant_peer *p);

/* Fills in status, and when that is GNTST_okay handle and dev_bus_addr. */
void grant_map(struct grant_peer *granter, struct gnttab_map_grant_ref *op);

/*
 * Ending mappings, in three steps, so that many share one flush: `begin` takes the entry out of
 * the page tables, `flush` takes it out of the TLBs of the domain, `end` gives everything back.
 * Every begin is followed by flush and end, whatever its status says.
 */
struct grant_unmap {
    u32 handle;
    s16 status;
    u16 left; /* flags of what is still mapped; NONE: not begun */
};
#define GRANT_UNMAP_NONE 0xffffu
/* new_addr: unmap_and_replace's; 0: the entry is cleared. */
void grant_unmap_begin(struct grant_unmap *u, u32 handle, u64 host_addr, u64 dev_bus_addr,
                       u64 new_addr);
void grant_unmap_flush(void);
void grant_unmap_end(const struct grant_unmap *u);

/* Copies between frames of the caller and grants to it; fills in status. peer: source's, dest's. */
void grant_copy(struct grant_peer peer[2], struct gnttab_copy *op);

/*
 * Teardown of d, after its page tables are gone from all CPUs: ends its mappings. *at begins as 0.
 * 0: done. -ERESTART.
 */
int grant_unmap_all_step(struct domain *d, u32 *at, int *budget) MUST_CHECK;

#endif
