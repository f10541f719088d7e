/* SPDX-License-Identifier: MIT */
/*
 * GDT and LDT of PV vCPUs. The linear GDT of a vCPU is 16 pages in its domain's per-domain area:
 * the guest's frames, page 14 this CPU's own, page 15 empty; the LDT follows it. Frames there carry
 * a general and a SEG type reference each, so no guest can write to them.
 */
#ifndef PV_PV_DESC_H
#define PV_PV_DESC_H

#include "base/def.h"

struct vcpu;

/*
 * The guest's frames (mfns of v's domain) become v's GDT; the old ones are dropped. v is current or
 * not running. -EINVAL: too many, not the domain's, in use otherwise, or holding a descriptor that
 * is not allowed; nothing is changed.
 */
int pv_desc_set_gdt(struct vcpu *v, const u64 *frames, u32 entries) MUST_CHECK;
void pv_desc_destroy_gdt(struct vcpu *v);

/*
 * The LDT (mmuext SET_LDT): entries 8-byte entries at a page-aligned guest address. Pages
 * are mapped at once when v is current, else by pv_desc_ldt_fault when they are used. v is current
 * or not running; entries 0 only drops the old one. Takes the mmu lock. -EINVAL.
 */
int pv_desc_set_ldt(struct vcpu *v, u64 base, u64 entries) MUST_CHECK;
/* A fault at byte `offset` of the current vCPU's LDT: true = mapped, retry. Takes the mmu lock. */
bool pv_desc_ldt_fault(struct vcpu *v, u64 offset);

/*
 * Context switch. Unload comes before CR3 leaves the address space of the domain: the CPU then uses
 * its own GDT page at its direct-map address, valid in every address space. Load comes after CR3 of
 * v's domain is in place.
 */
void pv_desc_unload(void);
void pv_desc_load(struct vcpu *v);

#endif
