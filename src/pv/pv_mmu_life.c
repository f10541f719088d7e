/* SPDX-License-Identifier: MIT */
/*
 * Page tables as whole things: pinning from inside the hypervisor, what CR3 holds, and the end of a
 * domain's tables and frames.
 *
 * CR3 of a vCPU is a user of its table like any other: a general and a type reference per half. The
 * new table is taken and loaded before the old one is dropped, so the loaded one always has its
 * references. A CPU that idles may still have a dead domain's table loaded; the teardown sends it
 * away first.
 */
#include "arch/smp.h"
#include "core/console.h"
#include "pv/pv_desc.h"
#include "pv/pv_domain.h"
#include "pv/pv_mmu.h"

int pv_mmu_pin(struct domain *owner, mfn_t table, unsigned int level)
{
    struct pvpt_view w;
    int budget, rc;

    pv_mmu_view(&w, owner, owner->id);
    do {
        budget = PV_MMU_BUDGET;
        lock_acquire(&owner->pv->mmu_lock);
        rc = pv_mmu_drain_locked(owner, &budget);
        if (!rc)
            rc = pvpt_pin(&w, table.v, level, &budget);
        lock_release(&owner->pv->mmu_lock);
    } while (rc == -ERESTART);
    if (rc)
        log_msg(LOG_ERR, "d%u: level %u table %#lx not pinned: %s: entry %#lx, frame %#lx",
                owner->id, level, (unsigned long)table.v, w.why ? w.why : "?", (unsigned long)w.bad,
                (unsigned long)w.bad_mfn);
    return rc;
}

/* Tables of the kernel map the m2p, those only used for user mode do not. */
static void show_m2p(mfn_t l4)
{
    u64 *slot = (u64 *)hmap_direct(mfn_to_maddr(l4)) + L4_SLOT_M2P;

    if (unlikely(!READ_ONCE(*slot)))
        WRITE_ONCE(*slot, hmap_template_entries()[L4_SLOT_M2P]);
}

/* Replaces one half's table under the lock. */
static int cr3_replace(struct vcpu *v, u64 *cr3, mfn_t l4, bool load, int *budget)
{
    struct pv_domain *pd = v->domain->pv;
    u64 old = *cr3, new = mfn_to_maddr(l4);
    struct pvpt_view w;
    int rc = pv_mmu_drain_locked(v->domain, budget);

    if (rc)
        return rc;
    if (new &&new != old) {
        pv_mmu_view(&w, v->domain, v->domain->id);
        rc = pvpt_table_get(&w, l4.v, 4, budget);
        if (rc == -ERESTART)
            return rc;
        if (rc)
            return (int)pv_mmu_explain("new CR3", rc, &w);
    }
    if (new &&cr3 == &v->pv->cr3_kernel)
        show_m2p(l4);
    *cr3 = new;
    if (load)
        smp_load_cr3(new);
    if (old && new != old)
        pvpt_table_put(page_of(maddr_to_mfn(old)), &pd->mmu_leftover, budget);
    return 0;
}

int pv_mmu_load_cr3(struct vcpu *v, mfn_t l4, bool user, int *budget)
{
    struct pv_vcpu *pv = v->pv;
    bool load = v == vcpu_current() && (bool)pv->kernel_mode == !user && l4.v;
    int rc;

    lock_acquire(&v->domain->pv->mmu_lock);
    rc = cr3_replace(v, user ? &pv->cr3_user : &pv->cr3_kernel, l4, load, budget);
    lock_release(&v->domain->pv->mmu_lock);
    return rc;
}

int pv_mmu_set_cr3(struct vcpu *v, mfn_t kernel_l4)
{
    int budget, rc;

    do {
        budget = PV_MMU_BUDGET;
        rc = pv_mmu_load_cr3(v, kernel_l4, false, &budget);
    } while (rc == -ERESTART);
    return rc;
}

/* Phases of the teardown. */
enum { TEARDOWN_START, TEARDOWN_VCPUS, TEARDOWN_UNPIN, TEARDOWN_RELEASE, TEARDOWN_DONE };

static void teardown_forget(void *arg)
{
    pv_domain_forget(arg);
}

/* Descriptor tables and CR3 of every vCPU. */
static int teardown_vcpus(struct domain *d, int *budget)
{
    u32 i;
    int rc;

    for (i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        if (v->pv->ldt_entries && pv_desc_set_ldt(v, 0, 0))
            v->pv->ldt_entries = 0;
        pv_desc_destroy_gdt(v);
        rc = v->pv->cr3_user ? pv_mmu_load_cr3(v, MFN(0), true, budget) : 0;
        if (!rc && v->pv->cr3_kernel)
            rc = pv_mmu_load_cr3(v, MFN(0), false, budget);
        if (rc)
            return rc;
    }
    return pv_mmu_drain(d, budget);
}

/* One frame: its pin, or the half-made table it is. */
static int teardown_unpin(struct domain *d, struct page *pg, int *budget)
{
    struct pvpt_view w;
    int rc;

    if (!ptype_level(atomic_load(&pg->type)) ||
        !(atomic_load(&pg->type) & (PTYPE_PINNED | PTYPE_PARTIAL)))
        return 0;
    pv_mmu_view(&w, d, d->id);
    lock_acquire(&d->pv->mmu_lock);
    rc = pv_mmu_drain_locked(d, budget);
    if (!rc && (pg->type & PTYPE_PINNED)) {
        rc = pvpt_unpin(&w, page_mfn(pg).v, &d->pv->mmu_leftover, budget);
        if (!rc)
            rc = pv_mmu_drain_locked(d, budget);
    } else if (!rc) {
        rc = pvpt_step_abandon(pg, budget);
    }
    lock_release(&d->pv->mmu_lock);
    return rc;
}

int pv_mmu_teardown_step(struct domain *d)
{
    struct pv_domain *pd = d->pv;
    int budget = PV_MMU_BUDGET, rc = 0;

    switch (pd->mmu_teardown_phase) {
    case TEARDOWN_START:
        smp_call(d->dirty_cpus, teardown_forget, d);
        break;
    case TEARDOWN_VCPUS:
        rc = teardown_vcpus(d, &budget);
        break;
    case TEARDOWN_UNPIN:
        rc = domain_walk_frames(d, PTYPE_PINNED | PTYPE_PARTIAL, teardown_unpin, &budget);
        break;
    case TEARDOWN_RELEASE:
        rc = domain_release_frames(d, &budget);
        break;
    default:
        return 0;
    }
    if (!rc)
        pd->mmu_teardown_phase++;
    return pd->mmu_teardown_phase == TEARDOWN_DONE ? 0 : -ERESTART;
}
