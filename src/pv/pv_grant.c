/* SPDX-License-Identifier: MIT */
/*
 * Which page-table entry does a grant operation mean, and what is written there? It is named by the
 * address it translates, or by its own machine address, and changed through the same function as
 * any other level 1 entry (pure/pvpt.c). It takes its own references beside those of the mapping,
 * so the guest may overwrite it like any entry of its tables.
 *
 * Memory types that the granter wishes (GTF_PWT and so on) are left out: RAM is mapped write-back.
 */
#include "pv/pv_grant.h"

#include "core/hypercall.h"
#include "pv/pv_mmu.h"

#define AVAIL_SHIFT 9 /* the three available bits of an entry */

/* What the entry says beside the frame; code of others is not executed. */
static u64 entry_bits(u32 flags)
{
    u64 bits = PTE_P | PTE_A | PTE_D | PTE_US | PTE_NX;

    if (!(flags & GNTMAP_readonly))
        bits |= PTE_RW;
    return bits | (u64)((flags >> _GNTMAP_guest_avail0) & 7) << AVAIL_SHIFT;
}

/* Under the lock: the entry that translates va, or NULL. */
static u64 *slot_by_address(const struct vcpu *v, u64 va)
{
    if (!v->pv->cr3_kernel || !va_canonical(va))
        return NULL;
    return pv_mmu_find_l1(v->pv->cr3_kernel, va, NULL);
}

/* Under the lock: the entry a request means, or NULL when it is not in one of d's tables. */
static u64 *find_slot(const struct vcpu *v, u64 where, u32 flags)
{
    const struct page *pg;

    if (!(flags & GNTMAP_contains_pte))
        return slot_by_address(v, where);
    pg = ptype_port_page(where >> PAGE_SHIFT);
    return pg && !(where & 7) && pv_mmu_is_l1(v->domain, pg) ? hmap_direct(where) : NULL;
}

static bool refuse(const char *op, u64 where, u32 flags, const char *why)
{
    return hypercall_refuse(false, "grant_table_op: %s: %s %#lx: %s", op,
                            flags & GNTMAP_contains_pte ? "entry" : "address", where, why);
}

bool pv_grant_map(struct vcpu *v, u64 where, u32 flags, mfn_t mfn, domid_t granter)
{
    struct domain *d = v->domain;
    struct pvpt_view w;
    int rc = -EINVAL;
    u64 *slot;

    pv_mmu_view(&w, d, granter);
    w.why = "not in a level 1 table";
    lock_acquire(&d->pv->mmu_lock);
    slot = find_slot(v, where, flags);
    if (likely(slot))
        rc = pvpt_l1_update(&w, slot, mfn_to_maddr(mfn) | entry_bits(flags), 0);
    lock_release(&d->pv->mmu_lock);
    return likely(!rc) || refuse("map", where, flags, w.why);
}

/* Under the lock: the entry maps mfn as the mapping's flags say. */
static bool slot_maps(const u64 *slot, mfn_t mfn, u32 flags)
{
    u64 e = READ_ONCE(*slot), want = mfn_to_maddr(mfn) | entry_bits(flags);

    return !((e ^ want) & (PTE_ADDR | PTE_P | PTE_RW));
}

/* Under the lock: *from moves to *to. Refused when its frame is not w->frames'. */
static int slot_move(struct pvpt_view *w, u64 *to, u64 *from)
{
    int rc = pvpt_l1_update(w, to, READ_ONCE(*from), 0);

    return rc ? rc : pvpt_l1_update(w, from, 0, 0);
}

bool pv_grant_unmap(struct vcpu *v, u64 where, u64 new_where, u32 flags, mfn_t mfn)
{
    struct domain *d = v->domain;
    struct pvpt_view w;
    u64 *slot, *from;
    int rc = -EINVAL;

    if (new_where && (flags & GNTMAP_contains_pte))
        return refuse("unmap", where, flags, "replaced by an address");
    pv_mmu_view(&w, d, d->id);
    lock_acquire(&d->pv->mmu_lock);
    slot = find_slot(v, where, flags);
    from = new_where ? slot_by_address(v, new_where) : NULL;
    if (!slot || (new_where && (!from || from == slot)))
        w.why = "not in a level 1 table";
    else if (!slot_maps(slot, mfn, flags))
        w.why = "it does not map the grant";
    else
        rc = from ? slot_move(&w, slot, from) : pvpt_l1_update(&w, slot, 0, 0);
    lock_release(&d->pv->mmu_lock);
    return likely(!rc) || refuse("unmap", where, flags, w.why);
}
