/* SPDX-License-Identifier: MIT */
/*
 * How do frames leave a domain and others take their place, all or nothing? Frames are first taken
 * off the domain, which proves that nothing refers to them; new ones are allocated; only when both
 * worked the change is made, and that cannot fail. The lists run through the frame table, so no
 * memory is needed for them.
 */
#include "core/memory.h"

#include "arch/smp.h"
#include "core/domain.h"
#include "pure/ptype.h"

void memory_batch_init(struct memory_batch *b, struct domain *d, unsigned int fresh_order)
{
    b->d = d;
    b->old = PAGE_LINK_END;
    b->old_nr = 0;
    b->fresh = PAGE_LINK_END;
    b->fresh_last = PAGE_LINK_END;
    b->fresh_order = fresh_order;
}

static void old_push(struct memory_batch *b, mfn_t mfn)
{
    page_of(mfn)->next = b->old;
    b->old = (u32)mfn.v;
    b->old_nr++;
}

static mfn_t old_pop(struct memory_batch *b)
{
    mfn_t mfn = MFN(b->old);

    b->old = page_of(mfn)->next;
    b->old_nr--;
    return mfn;
}

static mfn_t fresh_pop(struct memory_batch *b)
{
    mfn_t mfn = MFN(b->fresh);

    b->fresh = page_of(mfn)->next;
    return mfn;
}

bool memory_batch_steal(struct memory_batch *b, mfn_t first, unsigned int order)
{
    u64 i, nr = (u64)1 << order;

    for (i = 0; i < nr && page_steal(b->d, MFN(first.v + i)); i++)
        old_push(b, MFN(first.v + i));
    if (i == nr)
        return true;
    while (i--)
        page_unsteal(b->d, old_pop(b));
    return false;
}

bool memory_batch_alloc(struct memory_batch *b, unsigned int addr_bits)
{
    mfn_t mfn = page_alloc_raw(b->fresh_order, addr_bits);

    if (mfn_eq(mfn, MFN_INVALID))
        return false;
    page_of(mfn)->next = PAGE_LINK_END;
    if (b->fresh == PAGE_LINK_END)
        b->fresh = (u32)mfn.v;
    else
        page_of(MFN(b->fresh_last))->next = (u32)mfn.v;
    b->fresh_last = (u32)mfn.v;
    return true;
}

void memory_batch_undo(struct memory_batch *b)
{
    while (b->old != PAGE_LINK_END)
        page_unsteal(b->d, old_pop(b));
    while (b->fresh != PAGE_LINK_END)
        page_free_raw(fresh_pop(b), b->fresh_order);
}

/*
 * Who may still know a frame that leaves: the domain's CPUs, whatever they mapped, and the hardware
 * domain's, which maps foreign frames and may have written to it since (page_free_domain has the
 * same rule).
 */
static struct cpu_mask old_known_to(const struct memory_batch *b)
{
    struct cpu_mask mask = {atomic_load(&b->d->dirty_cpus.bits)}, hardware;
    u32 at;

    if (domain_hardware == NULL || domain_hardware == b->d)
        return mask;
    hardware.bits = atomic_load(&domain_hardware->dirty_cpus.bits);
    for (at = b->old; at != PAGE_LINK_END; at = page_of(MFN(at))->next)
        mask.bits |= smp_flush_filter(hardware, page_of(MFN(at))->aux).bits;
    return mask;
}

void memory_batch_commit(struct memory_batch *b)
{
    u64 nr = b->old_nr;
    mfn_t mfn;

    if (b->old == PAGE_LINK_END)
        return;
    smp_flush_tlb(old_known_to(b), FLUSH_ALL_VA);
    while (b->old != PAGE_LINK_END) {
        mfn = old_pop(b);
        page_m2p_set(mfn, M2P_INVALID);
        page_free_raw(mfn, 0);
    }
    if (b->fresh == PAGE_LINK_END)
        page_stolen_gone(b->d, nr);
}

mfn_t memory_batch_next(struct memory_batch *b, u64 pfn)
{
    mfn_t mfn = fresh_pop(b);
    u64 i;

    if (!page_stolen_replace(b->d, mfn, b->fresh_order))
        return MFN_INVALID;
    for (i = 0; i < (u64)1 << b->fresh_order; i++)
        page_m2p_set(MFN(mfn.v + i), pfn + i);
    return mfn;
}

bool memory_release(struct memory_batch *b, mfn_t mfn)
{
    struct page *pg;

    if (page_steal(b->d, mfn)) {
        old_push(b, mfn);
        return true;
    }
    if (!page_valid(mfn))
        return false;
    pg = page_of(mfn);
    if (!ptype_get_page(pg, b->d->id))
        return false;
    /* The hypervisor's own claim on what it shares is not the guest's to end. */
    if (READ_ONCE(pg->count) & PAGE_SPECIAL) {
        ptype_put_page(pg);
        return false;
    }
    page_release(pg);
    ptype_put_page(pg);
    return true;
}
