/* SPDX-License-Identifier: MIT */
/*
 * The PV MMU as the rest of the hypervisor sees it. Lock: pv_domain.mmu_lock (RANK_MMU) of the
 * domain that owns the tables, taken inside; never two of them. ABI: public header xen.h.
 */
#ifndef PV_PV_MMU_H
#define PV_PV_MMU_H

#include "pure/pvpt.h"
#include "pv/pv.h"

/* Entries visited before the lock is dropped and work bits are looked at. */
#define PV_MMU_BUDGET 2048

/*
 * Pins a table of `owner` at level 1 to 4: what the guest's PIN hypercall does, without preemption.
 * For the dom0 builder and the toolstack's side. -EINVAL with a logged reason.
 */
int pv_mmu_pin(struct domain *owner, mfn_t table, unsigned int level) MUST_CHECK;

/*
 * CR3 of v for its kernel, or for its user half (user: an MFN of 0 means none). Takes the table as
 * level 4 with references, loads it when v runs here in that mode, then drops the old one. v is the
 * current vCPU or does not run. Work may be left in the domain (pv_mmu_drain). -EINVAL, -ERESTART.
 */
int pv_mmu_load_cr3(struct vcpu *v, mfn_t l4, bool user, int *budget) MUST_CHECK;
/* The kernel's in one go, for the dom0 builder. -EINVAL. */
int pv_mmu_set_cr3(struct vcpu *v, mfn_t kernel_l4) MUST_CHECK;

/*
 * Finishes what an earlier operation on d's tables left to take apart. 0: nothing is left.
 * -ERESTART: out of budget. Takes the lock; _locked: the caller has it.
 */
int pv_mmu_drain(struct domain *d, int *budget) MUST_CHECK;
int pv_mmu_drain_locked(struct domain *d, int *budget) MUST_CHECK;

/*
 * Whose frames or tables a request names: d is set to the domain `id` (DOMID_SELF: the caller's;
 * its own number is refused, as the reference does). *foreign: it is another one, referenced;
 * pv_mmu_domain_done drops it. -EPERM, -ESRCH.
 */
int pv_mmu_domain_of(u32 id, struct domain **d, bool *foreign) MUST_CHECK;
void pv_mmu_domain_done(struct domain *d, bool foreign);

/*
 * Boot: device frames first to end-1 are driven by the hypervisor (IO-APICs, HPET). Whoever has the
 * right to map them gets a read-only mapping. -ENOSPC.
 */
int ptype_port_protect_io(u64 first, u64 end) MUST_CHECK;

/* A view on tables of `owner` for frames of domain `frames`. */
static ALWAYS_INLINE void pv_mmu_view(struct pvpt_view *w, const struct domain *owner, u16 frames)
{
    w->owner = owner->id;
    w->frames = frames;
    w->cache_bits = owner->privileged;
    w->iomem = owner->iomem;
    w->frames_iomem = NULL;
    w->io_end = (u64)1 << (cpu_features.phys_bits - PAGE_SHIFT);
    w->why = NULL;
}

/* Reason line of a refusal by pure/pvpt.c; returns err. op: "mmu_update", ... */
long pv_mmu_explain(const char *op, long err, const struct pvpt_view *w);

/*
 * The level 1 entry that maps va in the tables of l4 (maddr), or NULL when there is none or it is
 * the hypervisor's. Lock of the domain held; the entry is in a validated table while it is. rights,
 * when not NULL, is and-ed with the entries of all levels: P, RW and US say what is allowed.
 */
u64 *pv_mmu_find_l1(u64 l4, u64 va, u64 *rights);

/*
 * Is pg a level 1 table of d's, whose lock is held? Then it stays one. A frame can leave d without
 * the lock and be another domain's table, but no new owner gets it before the CPUs of d have
 * answered a TLB flush; this one, which runs d, answers none between the two looks. So they must
 * not be separated by anything that spins, and for a domain that does not run here a reference must
 * be held (update_foreign in pv_mmu.c).
 */
static ALWAYS_INLINE bool pv_mmu_is_l1(const struct domain *d, const struct page *pg)
{
    return atomic_load(&pg->owner) == d->id &&
           (atomic_load(&pg->type) & (PTYPE_MASK | PTYPE_VALIDATED)) ==
               (PTYPE_L1 | PTYPE_VALIDATED);
}

/* CPUs that may hold translations of the vCPUs in the guest's bitmap; false: it cannot be read. */
bool pv_mmu_vcpus_to_cpus(const struct domain *d, u64 bitmap, struct cpu_mask *out) MUST_CHECK;

/*
 * One step of the end of d, whose vCPUs have stopped for good: CR3 and descriptor references, pins,
 * then the frames. 0 when done, -ERESTART: again.
 */
int pv_mmu_teardown_step(struct domain *d) MUST_CHECK;

/* Debug key 'p': recounts the references of every domain's frames and reports differences. */
void pv_mmu_audit_dump(void);

#endif
