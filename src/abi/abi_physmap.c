/* SPDX-License-Identifier: MIT */
/*
 * memory_op of guests with physical memory of their own: which hypervisor frames appear where in
 * it, and what is taken out (ABI: public header memory.h, XENMEM_add_to_physmap and following). The
 * shared info page and grant frames are placed; foreign frames are for a control domain that is
 * translated itself, and refused.
 */
#include "abi/abi_physmap.h"

#include "abi/abi.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/guestmem.h"

bool abi_physmap_populated(struct domain *d, gfn_t gfn, unsigned int order, mfn_t mfn)
{
    int rc = physmap_add_ram(d, gfn, order, mfn);
    u64 i;

    if (rc == 0)
        return true;
    for (i = 0; i < (u64)1 << order; i++)
        page_release(page_of(MFN(mfn.v + i)));
    hypercall_refuse(0, "memory_op: populate_physmap: gfn %#lx order %u of d%u: error %d", gfn.v,
                     order, d->id, -rc);
    return false;
}

/* The hypervisor frame a space and an index name. */
static int find_frame(struct domain *d, u32 space, u64 idx, mfn_t *mfn)
{
    int rc;

    switch (space) {
    case XENMAPSPACE_shared_info:
        if (idx != 0)
            return -EINVAL;
        *mfn = maddr_to_mfn(hmap_direct_to_maddr(d->shared_info));
        return 0;
    case XENMAPSPACE_grant_table:
        if (idx >= GRANT_FRAMES_MAX)
            return -EINVAL;
        rc = grant_grow(d, (u32)idx + 1);
        if (rc == 0)
            *mfn = grant_frame(d, (u32)idx);
        return rc == 0 && mfn_eq(*mfn, MFN_INVALID) ? -EINVAL : rc;
    default:
        return -EOPNOTSUPP;
    }
}

static int place(struct domain *d, u32 space, u64 idx, u64 gfn)
{
    mfn_t mfn = MFN_INVALID;
    int rc;

    if (d->physmap == NULL || d->state >= DOMAIN_DYING)
        return -EINVAL;
    rc = find_frame(d, space, idx, &mfn);
    if (rc == 0)
        rc = physmap_place(d, GFN(gfn), mfn);
    if (rc != 0)
        hypercall_refuse(rc,
                         "memory_op: add_to_physmap: space %u index %#lx at gfn %#lx of d%u: %d",
                         space, idx, gfn, d->id, -rc);
    return rc;
}

long abi_physmap_add(u64 arg)
{
    struct xen_add_to_physmap a;
    struct domain *d;
    long rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(a.domid, &d);
    if (rc != 0)
        return rc;
    rc = place(d, a.space, a.idx, a.gpfn);
    domain_put(d);
    return rc;
}

static int place_one(struct domain *d, const struct xen_add_to_physmap_batch *b, u32 i)
{
    xen_ulong_t idx;
    xen_pfn_t gfn;
    int rc;

    if (!GUESTMEM_IN(&idx, b->idxs.p + i) || !GUESTMEM_IN(&gfn, b->gpfns.p + i))
        return -EFAULT;
    rc = place(d, b->space, idx, gfn);
    return GUESTMEM_OUT(b->errs.p + i, &rc) ? 0 : -EFAULT;
}

/* At most 65535 entries; what is done already is told by the request itself. */
long abi_physmap_add_batch(u64 arg)
{
    struct xen_add_to_physmap_batch b;
    struct domain *d;
    long rc;
    u32 i;

    if (!GUESTMEM_IN(&b, (const void *)arg))
        return -EFAULT;
    if (b.u.res0 != 0)
        return -EINVAL;
    rc = abi_target_domain(b.domid, &d);
    if (rc != 0)
        return rc;
    for (i = 0; i < b.size && rc == 0; i++) {
        if (i != 0 && i % 16 == 0 && hypercall_preempt()) {
            b.size = (u16)(b.size - i);
            b.idxs.p += i;
            b.gpfns.p += i;
            b.errs.p += i;
            domain_put(d);
            if (!GUESTMEM_OUT((void *)arg, &b))
                return -EFAULT;
            return hypercall_continue(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, arg, 0,
                                      0);
        }
        rc = place_one(d, &b, i);
    }
    domain_put(d);
    return rc;
}

long abi_physmap_remove(u64 arg)
{
    struct xen_remove_from_physmap r;
    struct physmap_batch b;
    struct domain *d;
    long rc;

    if (!GUESTMEM_IN(&r, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(r.domid, &d);
    if (rc != 0)
        return rc;
    b.d = d;
    b.nr = 0;
    rc = d->physmap != NULL ? physmap_batch_remove(&b, GFN(r.gpfn)) : -EINVAL;
    if (rc == 0)
        physmap_batch_commit(&b);
    domain_put(d);
    return rc;
}

/* Nothing is populated on demand: a target is what the domain has. */
long abi_physmap_pod(u64 arg)
{
    struct xen_pod_target t;
    struct domain *d;
    long rc;

    if (!GUESTMEM_IN(&t, (const void *)arg))
        return -EFAULT;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    rc = abi_target_domain(t.domid, &d);
    if (rc != 0)
        return rc;
    t.tot_pages = READ_ONCE(d->pages);
    t.pod_cache_pages = 0;
    t.pod_entries = 0;
    rc = d->physmap != NULL ? 0 : -EINVAL;
    domain_put(d);
    if (rc == 0 && !GUESTMEM_OUT((void *)arg, &t))
        rc = -EFAULT;
    return rc;
}
