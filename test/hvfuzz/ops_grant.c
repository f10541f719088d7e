/* SPDX-License-Identifier: MIT */
/* Grants: a few entries of each table, a few handles, a few addresses. */
#include <string.h>

#include "core/domain.h"
#include "guest.h"
#include "machine.h"
#include "ops_pick.h"

static u32 pick_ref(struct pick *p)
{
    u8 b = pick_byte(p);

    return b < 0xf8 ? b % 4 : b * 3u;
}

/* The granter says what is shared, or takes it back. */
void ops_grant_entry(struct pick *p)
{
    static const u16 flags[8] = {
        GTF_permit_access, GTF_permit_access, GTF_permit_access,   GTF_permit_access | GTF_readonly,
        GTF_invalid,       GTF_permit_access, GTF_accept_transfer, 0x1f};
    u32 ref = pick_ref(p) & 511;
    u8 b = pick_byte(p);
    grant_entry_v1_t e = {.flags = flags[b & 7], .domid = (domid_t)pick_domid(p)};
    bool ok;

    e.frame = (u32)pick_mfn(p);
    if (guest_in_list())
        return;
    if (b & 0x80) /* no longer: the rest of the entry stays */
        ok = machine_guest_write(GUEST_GRANTS + ref * sizeof(e), &flags[4], sizeof(flags[4]));
    else
        ok = machine_guest_write(GUEST_GRANTS + ref * sizeof(e), &e, sizeof(e));
    pick_say(p, "the guest's grant %u: flags %#x, to d%u, frame %#x%s", ref,
             b & 0x80 ? 0u : e.flags, e.domid, e.frame, ok ? "" : ": not writable");
}

/* Where a mapping goes: an address, or an entry of a level 1 table. */
static u64 pick_where(struct pick *p, bool pte)
{
    if (!pte)
        return pick_va(p);
    return pick_slot_mfn(pick_byte(p) & 1 ? 3 : 5) << PAGE_SHIFT | (pick_byte(p) & 15) * 8u;
}

void ops_grant_map(struct pick *p)
{
    static const u32 flags[8] = {GNTMAP_host_map,
                                 GNTMAP_host_map,
                                 GNTMAP_host_map | GNTMAP_readonly,
                                 GNTMAP_host_map | GNTMAP_contains_pte,
                                 GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly,
                                 GNTMAP_device_map,
                                 GNTMAP_device_map | GNTMAP_host_map,
                                 0};
    struct guest_vcpu *gv = guest_vcpu();
    struct gnttab_map_grant_ref op[2];
    u32 nr = 1 + (pick_byte(p) & 1), i, id;

    memset(op, 0, sizeof(op));
    for (i = 0; i < nr; i++) {
        op[i].flags = flags[pick_byte(p) & 7];
        if (pick_byte(p) >= 0xe0 || !pick_granted(p, &id, &op[i].ref)) {
            id = pick_domid(p);
            op[i].ref = pick_ref(p);
        }
        op[i].dom = (domid_t)id;
        op[i].host_addr = pick_where(p, op[i].flags & GNTMAP_contains_pte);
    }
    pick_say(p, "maps %u grants: d%u's %u at %#lx, flags %#x", nr, op[0].dom, op[0].ref,
             op[0].host_addr, op[0].flags);
    id = guest_in_list() ? GUEST_HOOK_NONE : GUEST_HOOK_MAPS;
    gv->hook = (enum guest_hook)id;
    gv->hook_va = guest_put(op, sizeof(op));
    gv->hook_nr = nr;
    guest_call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, gv->hook_va, nr, 0);
}

void ops_grant_unmap(struct pick *p)
{
    struct gnttab_unmap_grant_ref op[2];
    struct gnttab_unmap_and_replace replace;
    u8 b = pick_byte(p);
    u32 nr = 1 + (b & 1), i;

    memset(op, 0, sizeof(op));
    memset(&replace, 0, sizeof(replace));
    for (i = 0; i < nr; i++) {
        op[i].handle = pick_handle(p);
        op[i].host_addr =
            pick_byte(p) < 0xe0 ? guest_current()->map_at[op[i].handle % 8] : pick_where(p, b & 4);
        op[i].dev_bus_addr = b & 8 ? pick_mfn(p) << PAGE_SHIFT : 0;
    }
    if (b & 0x80) {
        replace.handle = op[0].handle;
        replace.host_addr = op[0].host_addr;
        replace.new_addr = pick_va(p);
        pick_say(p, "handle %u at %#lx is replaced by %#lx", replace.handle, replace.host_addr,
                 replace.new_addr);
        guest_call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace,
                   guest_put(&replace, sizeof(replace)), 1, 0);
        return;
    }
    pick_say(p, "unmaps %u grants: handle %u at %#lx", nr, op[0].handle, op[0].host_addr);
    guest_call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, guest_put(op, sizeof(op)), nr,
               0);
}

void ops_grant_copy(struct pick *p)
{
    struct gnttab_copy op;
    u8 b = pick_byte(p);
    u32 id;

    memset(&op, 0, sizeof(op));
    op.flags = b & 3;
    op.source.domid = op.dest.domid = DOMID_SELF;
    op.source.u.gmfn = pick_mfn(p);
    op.dest.u.gmfn = pick_mfn(p);
    if (b & GNTCOPY_source_gref) {
        id = pick_granted(p, &id, &op.source.u.ref) ? id : pick_domid(p);
        op.source.domid = (domid_t)id;
    }
    if (b & GNTCOPY_dest_gref) {
        id = pick_granted(p, &id, &op.dest.u.ref) ? id : pick_domid(p);
        op.dest.domid = (domid_t)id;
    }
    op.source.offset = b & 0x80 ? (u16)(pick_byte(p) * 17u) : 0;
    op.dest.offset = b & 0x40 ? (u16)(pick_byte(p) * 17u) : 0;
    op.len = (u16)(pick_byte(p) * 16u);
    pick_say(p, "copies %u bytes from %#lx of d%u to %#lx of d%u", op.len, (u64)op.source.u.gmfn,
             op.source.domid, (u64)op.dest.u.gmfn, op.dest.domid);
    guest_call(__HYPERVISOR_grant_table_op, GNTTABOP_copy, guest_put(&op, sizeof(op)), 1, 0);
}

void ops_grant(struct pick *p)
{
    struct gnttab_setup_table setup = {.nr_frames = pick_byte(p) % 5};
    struct gnttab_query_size query = {.dom = DOMID_SELF};
    u32 cmd = GNTTABOP_setup_table;
    u64 list[4] = {0}, arg;

    if (pick_byte(p) & 1) {
        cmd = GNTTABOP_query_size;
        query.dom = (domid_t)pick_domid(p);
        arg = guest_put(&query, sizeof(query));
    } else {
        setup.dom = pick_byte(p) & 1 ? DOMID_SELF : (domid_t)pick_domid(p);
        setup.frame_list.p = (xen_pfn_t *)guest_put(list, sizeof(list));
        arg = guest_put(&setup, sizeof(setup));
    }
    pick_say(p, "grant_table_op %u", cmd);
    guest_call(__HYPERVISOR_grant_table_op, cmd, arg, 1, 0);
}
