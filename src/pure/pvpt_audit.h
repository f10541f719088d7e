/* SPDX-License-Identifier: MIT */
/*
 * Recounts references from the tables themselves and compares with what the frames say. Nothing
 * may change meanwhile: the test is single threaded, the hypervisor holds the owner's mmu lock.
 *
 * Use: zeroed counters; pvpt_audit_frame for every frame of every domain that takes part;
 * pvpt_audit_add for each reference from outside (CR3, descriptor tables, leftover slots); then
 * pvpt_audit_check for each frame.
 */
#ifndef PURE_PVPT_AUDIT_H
#define PURE_PVPT_AUDIT_H

#include "pure/pvpt_step.h"

struct pvpt_audit {
    u64 nr;     /* frames 0 .. nr-1 have counters */
    u32 *refs;  /* expected general references */
    u32 *types; /* expected type references */
};

/* What pg holds by itself, and, as a table, by its entries. NULL, or what is wrong with it. */
const char *pvpt_audit_frame(struct pvpt_audit *a, const struct page *pg) MUST_CHECK;

void pvpt_audit_add(struct pvpt_audit *a, u64 mfn, u32 refs, u32 types);

/* Compares a frame's words with its counters. NULL, or which differs and how. */
const char *pvpt_audit_check(const struct pvpt_audit *a, const struct page *pg) MUST_CHECK;

#endif
