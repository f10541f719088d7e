/* SPDX-License-Identifier: MIT */
/*
 * Making a frame a page table and undoing it, in steps. Under the owner's mmu lock; for pvpt.c.
 *
 * A table in between has PTYPE_PARTIAL, a type count of exactly 1, and holds what the entries below
 * page.cursor name. Bits of the cursor word say who the one reference belongs to and where it goes.
 */
#ifndef PURE_PVPT_STEP_H
#define PURE_PVPT_STEP_H

#include "pure/pvpt.h"

#define PVPT_CURSOR_MASK 0x03ff
/* The one reference is someone's who is dropping it (an entry above, a leftover slot). Without
 * this bit the frame holds it itself, with a general reference, until someone asks again. */
#define PVPT_CURSOR_HELD 0x8000
/* An entry was refused: the cursor goes down, then the refusal is reported. */
#define PVPT_CURSOR_UNDO 0x4000

/*
 * Takes a type reference of `level` on pg for the caller, who brings a general reference of his
 * own. 0: he has both. -EINVAL: he has the general one still. -ERESTART: he has none; call again.
 */
int pvpt_step_get(struct pvpt_view *w, struct page *pg, unsigned int level, int *budget) MUST_CHECK;

/* Drops a type and a general reference. -ERESTART: not dropped yet, call again. */
int pvpt_step_put(struct page *pg, int *budget) MUST_CHECK;

#endif
