/* SPDX-License-Identifier: MIT */
/*
 * A domain's grant table: the frames it shares with the hypervisor. Version 1 entries only; the
 * guest fills them, mapping and copying come with their own modules. Lock RANK_GRANT.
 */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/domain.h"

#define GRANT_FRAMES_MAX 64 /* 32768 entries */

/*
 * Makes the table at least nr frames large; the first call creates it. -ENOMEM, -EINVAL when nr is
 * above the maximum. No lock held.
 */
int grant_grow(struct domain *d, u32 nr) MUST_CHECK;
/* Frames the table has (0 before the first grant_grow), and frame i of them. */
u32 grant_frames(const struct domain *d);
mfn_t grant_frame(const struct domain *d, u32 i);
/* Teardown: drops the table; frames the guest still maps live until their last reference. */
void grant_domain_fini(struct domain *d);

#endif
