/* SPDX-License-Identifier: MIT */
/*
 * A domain's grant table: the frames it shares with the hypervisor, which of its grants are in use,
 * and the handles of those it has mapped from others. Version 1 entries only.
 *
 * Two locks of rank GRANT per domain, never both and never those of two domains at once: one for
 * its entries as a granter, one for its free handles as a mapper.
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/domain.h"
#include "core/page.h"
#include "pure/grantpin.h"
#include "pure/maptrack.h"

#define GRANT_FRAMES_MAX   64   /* 32768 entries */
#define GRANT_MAPTRACK_MAX 1024 /* pages of handles: 262144 mappings */

/* With the parts of a new domain: an empty table with the limits above. -ENOMEM. */
int grant_domain_init(struct domain *d) MUST_CHECK;
/* Lower limits, for a domain that has not run: frames of its table, pages of its handles. */
void grant_set_limits(struct domain *d, u32 frames, u32 maptrack);

/*
 * Makes the table at least nr frames large. -ENOMEM, -EINVAL when nr is above the domain's maximum
 * or the table is closed. No lock held.
 */
int grant_grow(struct domain *d, u32 nr) MUST_CHECK;
/* Frames the table has (0 before the first grant_grow), at most, and frame i of them. */
u32 grant_frames(const struct domain *d);
u32 grant_frames_max(const struct domain *d);
mfn_t grant_frame(const struct domain *d, u32 i);

/*
 * One use of granter's entry `ref` by domain `who`, reading, or writing as well: the entry is
 * pinned (pure/grantpin.h) and its frame *pg referenced, as WRITABLE when `write`. The caller has a
 * reference on the granter. A GNTST_ code, the refusal explained; no lock held.
 */
s16 grant_pin(struct domain *granter, u32 ref, domid_t who, bool write,
              struct page **pg) MUST_CHECK;
/*
 * The end of that use. Nobody may be able to reach the frame through it any more, and no TLB know
 * it. With the frame the granter may go.
 */
void grant_unpin(struct domain *granter, u32 ref, bool write, struct page *pg);

/* The handles of d, for core/grant_map.c, and a handle claimed with flags 0 or MAPTRACK_NONE. */
struct maptrack *grant_handles(const struct domain *d);
u32 grant_handle_alloc(struct domain *d) MUST_CHECK;
void grant_handle_free(struct domain *d, u32 handle);

/* Teardown: no new use, the shared frames go; what is in use stays until it ends. */
void grant_domain_close(struct domain *d);
/* With the domain's other parts: nothing is in use any more. */
void grant_domain_fini(struct domain *d);
/* Debug key: what d grants, and what it has mapped. */
void grant_dump(const struct domain *d);

#endif
