/* SPDX-License-Identifier: MIT */
/*
 * How does a domain get a frame of another one into its address space, and how does it let go?
 *
 *   map     handle, use of the entry (pin and frame reference), page-table entry, handle published
 *   unmap   handle claimed, page-table entry cleared, TLBs flushed; then pin, reference, handle
 *
 * The guest can overwrite the page-table entry by itself. That drops what the entry held, but not
 * what the mapping holds: the handle stays, unmap finds another entry than it expects and refuses,
 * and the teardown ends it. So at no time can a frame be freed, or become a page table of its
 * owner, while a TLB of the mapper may have it.
 *
 * GNTMAP_device_map without an IOMMU is a use of the entry and nothing else: devices see machine
 * addresses. Frames of devices cannot be granted.
 */
#include "core/grant_map.h"

#include "arch/smp.h"
#include "core/grant.h"
#include "core/hypercall.h"
#include "pure/ptype.h"

#define MAP_KINDS (GNTMAP_device_map | GNTMAP_host_map)
/* What a handle remembers of the request. */
#define MAP_KEPT (MAP_KINDS | GNTMAP_readonly | GNTMAP_application_map | GNTMAP_contains_pte)
STATIC_ASSERT(!(MAP_KEPT & MAPTRACK_BUSY) && MAP_KEPT <= 0xffff, "flags fit");

struct domain *grant_peer_find(struct grant_peer *p, domid_t id)
{
    if (likely(p->d && p->id == id))
        return p->d;
    grant_peer_done(p);
    p->d = domain_get(id);
    p->id = id;
    return p->d;
}

void grant_peer_done(struct grant_peer *p)
{
    if (p->d)
        domain_put(p->d);
    p->d = NULL;
}

/* Everything but the look-ups: *e is a claimed entry. */
static s16 map_entry(struct domain *granter, const struct gnttab_map_grant_ref *op,
                     struct maptrack_entry *e)
{
    struct vcpu *v = vcpu_current();
    bool write = !(op->flags & GNTMAP_readonly);
    struct page *pg;
    s16 rc;

    rc = grant_pin(granter, op->ref, v->domain->id, write, &pg);
    if (unlikely(rc != GNTST_okay))
        return rc;
    e->ref = op->ref;
    e->domid = granter->id;
    e->frame = (u32)page_mfn(pg).v;
    if (!(op->flags & GNTMAP_host_map) ||
        likely(v->domain->kind->grant_map(v, op->host_addr, op->flags, page_mfn(pg), granter->id)))
        return GNTST_okay;
    grant_unpin(granter, op->ref, write, pg);
    return GNTST_general_error;
}

void grant_map(struct grant_peer *peer, struct gnttab_map_grant_ref *op)
{
    struct domain *granter, *d = vcpu_current()->domain;
    struct maptrack_entry *e;
    u32 handle;

    if (unlikely(!(op->flags & MAP_KINDS))) {
        op->status = (s16)hypercall_refuse(GNTST_bad_gntref,
                                           "grant_table_op: map: flags %#x map nothing", op->flags);
        return;
    }
    granter = grant_peer_find(peer, op->dom);
    if (unlikely(!granter)) {
        op->status =
            (s16)hypercall_refuse(GNTST_bad_domain, "grant_table_op: map: no domain %u", op->dom);
        return;
    }
    handle = grant_handle_alloc(d);
    if (unlikely(handle == MAPTRACK_NONE)) {
        op->status =
            (s16)hypercall_refuse(GNTST_no_device_space, "grant_table_op: map: no handle left");
        return;
    }
    e = maptrack_entry(grant_handles(d), handle);
    op->status = map_entry(granter, op, e);
    if (unlikely(op->status != GNTST_okay)) {
        grant_handle_free(d, handle);
        return;
    }
    op->handle = handle;
    op->dev_bus_addr = mfn_to_maddr(MFN(e->frame));
    maptrack_publish(e, (u16)(op->flags & MAP_KEPT));
}

/* What the request asks to end, of what there is. */
static s16 unmap_kinds(const struct maptrack_entry *e, u64 host_addr, u64 dev_bus_addr,
                       u64 new_addr, u16 flags, u16 *done)
{
    struct vcpu *v = vcpu_current();

    *done = 0;
    if (dev_bus_addr && (flags & GNTMAP_device_map)) {
        if (dev_bus_addr != mfn_to_maddr(MFN(e->frame)))
            return (s16)hypercall_refuse(GNTST_bad_dev_addr,
                                         "grant_table_op: unmap: device address %#lx of frame %#x",
                                         dev_bus_addr, e->frame);
        *done |= GNTMAP_device_map;
    }
    if (!host_addr || !(flags & GNTMAP_host_map))
        return GNTST_okay;
    if (unlikely(!v->domain->kind->grant_unmap(v, host_addr, new_addr, flags, MFN(e->frame)))) {
        *done = 0;
        return GNTST_general_error;
    }
    *done |= GNTMAP_host_map;
    return GNTST_okay;
}

void grant_unmap_begin(struct grant_unmap *u, u32 handle, u64 host_addr, u64 dev_bus_addr,
                       u64 new_addr)
{
    struct domain *d = vcpu_current()->domain;
    struct maptrack_entry *e;
    u16 flags, done;

    u->handle = handle;
    e = maptrack_claim(grant_handles(d), handle, &flags);
    if (unlikely(!e)) {
        u->left = GRANT_UNMAP_NONE;
        u->status =
            (s16)hypercall_refuse(GNTST_bad_handle, "grant_table_op: unmap: handle %#x", handle);
        return;
    }
    u->status = unmap_kinds(e, host_addr, dev_bus_addr, new_addr, flags, &done);
    u->left = flags & (u16)~done;
}

void grant_unmap_flush(void)
{
    struct domain *d = vcpu_current()->domain;

    smp_flush_tlb((struct cpu_mask){atomic_load(&d->dirty_cpus.bits)}, FLUSH_ALL_VA);
}

/* A claimed entry of d with nothing mapped any more. */
static void unmap_entry(struct domain *d, u32 handle, const struct maptrack_entry *e, bool write)
{
    struct page *pg = page_of(MFN(e->frame));
    /* The reference on the frame keeps its owner. */
    struct domain *granter = domain_lookup(e->domid);
    u32 ref = e->ref;

    grant_handle_free(d, handle);
    grant_unpin(granter, ref, write, pg);
}

void grant_unmap_end(const struct grant_unmap *u)
{
    struct domain *d = vcpu_current()->domain;
    struct maptrack_entry *e;

    if (unlikely(u->left == GRANT_UNMAP_NONE))
        return;
    e = maptrack_entry(grant_handles(d), u->handle);
    if (unlikely(u->left & MAP_KINDS))
        maptrack_publish(e, u->left);
    else
        unmap_entry(d, u->handle, e, !(u->left & GNTMAP_readonly));
}

int grant_unmap_all_step(struct domain *d, u32 *at, int *budget)
{
    struct maptrack *m = grant_handles(d);
    struct maptrack_entry *e;
    u16 flags;

    for (; *at < m->nr; ++*at) {
        if (--*budget < 0)
            return -ERESTART;
        e = maptrack_claim(m, *at, &flags);
        if (e)
            unmap_entry(d, *at, e, !(flags & GNTMAP_readonly));
    }
    return 0;
}
