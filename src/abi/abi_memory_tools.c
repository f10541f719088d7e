/* SPDX-License-Identifier: MIT */
/*
 * memory_op as the tools use it to build a domain: frames set aside before it is populated, the
 * memory map it will read, and hypervisor frames of it that they fill in (ABI: public header
 * memory.h). Resources other than the grant table do not exist here.
 */
#include "abi/abi_memory_tools.h"

#include "abi/abi.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/guestmem.h"
#include "core/page.h"

#define E820_SIZE 20u /* of an entry: address, size, type */

long abi_memory_claim(u64 arg)
{
    struct xen_memory_reservation req;
    struct domain *d;
    long rc;

    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&req, (const void *)arg))
        return -EFAULT;
    if (req.extent_start.p || req.extent_order || req.mem_flags)
        return -EINVAL;
    d = domain_get(req.domid);
    if (!d)
        return -EINVAL;
    rc = page_set_claim(d, req.nr_extents);
    if (rc)
        hypercall_refuse(rc,
                         "memory_op: claim of %lu pages for d%u: it has %lu of %lu; %lu free, "
                         "%lu claimed",
                         req.nr_extents, d->id, d->pages, d->max_pages, page_free_count(),
                         page_claimed_count());
    domain_put(d);
    return rc;
}

long abi_memory_set_map(u64 arg)
{
    struct xen_foreign_memory_map req;
    struct domain_map *map, *old;
    struct domain *d;
    long rc;

    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&req, (const void *)arg))
        return -EFAULT;
    if (req.map.nr_entries > DOMAIN_MAP_MAX)
        return -EINVAL;
    rc = abi_target_domain(req.domid, &d);
    if (rc)
        return rc;
    map = domain_zalloc(d, sizeof(*map));
    rc = map ? 0 : -ENOMEM;
    if (map && !guestmem_copy_in(map->entry, req.map.buffer.p, req.map.nr_entries * E820_SIZE))
        rc = -EFAULT;
    if (!rc) {
        map->nr = req.map.nr_entries;
        lock_acquire(&d->lock);
        old = d->memory_map;
        d->memory_map = map;
        lock_release(&d->lock);
        map = old;
    }
    domain_zfree(d, map, sizeof(*map));
    domain_put(d);
    return rc;
}

/* Entry by entry: the guest's memory is not touched with the lock held. */
static bool map_entry(struct domain *d, u32 i, u8 entry[E820_SIZE], u32 *nr)
{
    bool ok;

    lock_acquire(&d->lock);
    *nr = d->memory_map ? d->memory_map->nr : 0;
    ok = i < *nr;
    if (ok)
        memcpy(entry, d->memory_map->entry[i], E820_SIZE);
    lock_release(&d->lock);
    return ok;
}

long abi_memory_get_map(u64 arg)
{
    struct domain *d = vcpu_current()->domain;
    struct xen_memory_map m;
    u8 entry[E820_SIZE], *dst;
    u32 i, nr = 0;

    if (!GUESTMEM_IN(&m, (const void *)arg))
        return -EFAULT;
    dst = m.buffer.p;
    for (i = 0; map_entry(d, i, entry, &nr); i++) {
        if (m.nr_entries < nr)
            return -EINVAL;
        if (!guestmem_copy_out(dst + i * E820_SIZE, entry, E820_SIZE))
            return -EFAULT;
    }
    if (nr == 0)
        return -ENOSYS; /* nobody set one: the guest takes all its memory from 0 on */
    m.nr_entries = nr;
    return GUESTMEM_OUT((struct xen_memory_map *)arg, &m) ? 0 : -EFAULT;
}

static long acquire_frames(struct domain *d, const struct xen_mem_acquire_resource *r)
{
    u32 i, max = grant_frames_max(d);
    u64 mfn;
    long rc;

    if (r->frame >= max || r->nr_frames > max - r->frame)
        return hypercall_refuse(-EINVAL, "memory_op: acquire_resource: frames %lu to %lu of d%u",
                                (unsigned long)r->frame, (unsigned long)r->frame + r->nr_frames,
                                d->id);
    rc = grant_grow(d, (u32)r->frame + r->nr_frames);
    for (i = 0; !rc && i < r->nr_frames; i++) {
        mfn = grant_frame(d, (u32)r->frame + i).v;
        if (!GUESTMEM_OUT(r->frame_list.p + i, &mfn))
            rc = -EFAULT;
    }
    return rc;
}

long abi_memory_acquire(u64 arg)
{
    struct xen_mem_acquire_resource r;
    struct domain *d;
    long rc;

    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&r, (const void *)arg))
        return -EFAULT;
    if (r.pad)
        return -EINVAL;
    if (r.type != XENMEM_resource_grant_table || r.id != XENMEM_resource_grant_table_id_shared)
        return hypercall_refuse(-EOPNOTSUPP, "memory_op: acquire_resource: type %u, id %u", r.type,
                                r.id);
    rc = abi_target_domain(r.domid, &d);
    if (rc)
        return rc;
    if (r.frame_list.p) {
        rc = d->state < DOMAIN_DYING ? acquire_frames(d, &r) : -ESRCH;
    } else {
        rc = r.nr_frames ? -EINVAL : 0;
        r.nr_frames = grant_frames_max(d);
        if (!rc && !GUESTMEM_OUT((struct xen_mem_acquire_resource *)arg, &r))
            rc = -EFAULT;
    }
    domain_put(d);
    return rc;
}
