/* SPDX-License-Identifier: MIT */
/*
 * How do bytes get from one domain's frame to another's without a mapping? Each side is a grant to
 * the caller, or a frame of its own. Both frames are referenced, the destination as WRITABLE, for
 * as long as the copy takes; then the granters are told that it is over. The content may change
 * meanwhile, which is between the domains: no byte of it is looked at.
 */
#include "base/lib.h"
#include "core/grant.h"
#include "core/grant_map.h"
#include "core/hypercall.h"
#include "core/physmap.h"
#include "pure/ptype.h"

/* One end of a copy, referenced. */
struct copy_side {
    struct domain *granter; /* NULL: the caller's own frame */
    u32 ref;
    bool write;
    struct page *pg;
};

static s16 own_take(struct copy_side *s, u64 frame)
{
    s->granter = NULL;
    s->pg = physmap_get_page(vcpu_current()->domain, GFN(frame), s->write);
    if (!s->pg)
        return (s16)hypercall_refuse(GNTST_bad_page,
                                     "grant_table_op: copy: frame %#lx is not the caller's", frame);
    if (!s->write || !ptype_get_type(s->pg, PTYPE_WRITABLE))
        return GNTST_okay;
    ptype_put_page(s->pg);
    return (s16)hypercall_refuse(GNTST_general_error,
                                 "grant_table_op: copy: frame %#lx is not writable", frame);
}

static s16 side_take(struct copy_side *s, struct grant_peer *peer, domid_t id, bool grant, u32 ref,
                     u64 frame)
{
    struct domain *self = vcpu_current()->domain;
    struct domain *granter;

    if (!grant && id != DOMID_SELF)
        return (s16)hypercall_refuse(GNTST_permission_denied,
                                     "grant_table_op: copy: a frame of d%u without grant", id);
    if (!grant)
        return own_take(s, frame);
    granter = grant_peer_find(peer, id == DOMID_SELF ? self->id : id);
    if (unlikely(!granter))
        return (s16)hypercall_refuse(GNTST_bad_domain, "grant_table_op: copy: no domain %u", id);
    s->granter = granter;
    s->ref = ref;
    return grant_pin(granter, ref, self->id, s->write, &s->pg);
}

static void side_put(const struct copy_side *s)
{
    if (s->granter)
        grant_unpin(s->granter, s->ref, s->write, s->pg);
    else
        ptype_put_mapping(s->pg, s->write);
}

void grant_copy(struct grant_peer peer[2], struct gnttab_copy *op)
{
    struct copy_side from = {.write = false}, to = {.write = true};
    u8 *src, *dst;

    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE) {
        op->status = (s16)hypercall_refuse(GNTST_bad_copy_arg,
                                           "grant_table_op: copy: %u bytes from %u to %u in a page",
                                           op->len, op->source.offset, op->dest.offset);
        return;
    }
    op->status = side_take(&from, &peer[0], op->source.domid, op->flags & GNTCOPY_source_gref,
                           op->source.u.ref, op->source.u.gmfn);
    if (unlikely(op->status != GNTST_okay))
        return;
    op->status = side_take(&to, &peer[1], op->dest.domid, op->flags & GNTCOPY_dest_gref,
                           op->dest.u.ref, op->dest.u.gmfn);
    if (likely(op->status == GNTST_okay)) {
        src = (u8 *)port_map(page_mfn(from.pg)) + op->source.offset;
        dst = (u8 *)port_map(page_mfn(to.pg)) + op->dest.offset;
        if (likely(from.pg != to.pg))
            memcpy(dst, src, op->len);
        else
            memmove(dst, src, op->len);
        side_put(&to);
    }
    side_put(&from);
}
