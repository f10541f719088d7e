/* SPDX-License-Identifier: MIT */
/*
 * Grants in PV page tables: the PV kind's part of struct guest_kind. Lock: mmu_lock of v's domain,
 * taken inside. No flush: who unmaps does it (core/grant_map.c).
 */
#ifndef PV_PV_GRANT_H
#define PV_PV_GRANT_H

#include "core/vcpu.h"

/*
 * The level 1 entry at `where` of v's tables (GNTMAP_contains_pte: at that machine address) maps
 * frame mfn of `granter`, with references of its own; what it held before is dropped. False: there
 * is no such entry in a level 1 table of v's domain, or the frame is refused.
 */
bool pv_grant_map(struct vcpu *v, u64 where, u32 flags, mfn_t mfn, domid_t granter);
/*
 * The entry is cleared, or gets the entry at address new_where, which is cleared. False, with
 * nothing changed, unless it maps mfn as the flags say.
 */
bool pv_grant_unmap(struct vcpu *v, u64 where, u64 new_where, u32 flags, mfn_t mfn);

#endif
