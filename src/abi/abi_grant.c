/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op: the part a domain needs to set up its own table, and the dispatch (ABI: public
 * header grant_table.h). Version 1 only. Results go into the status field of the request; an errno
 * is only for a request that cannot be read or does not exist, because drivers stop at one.
 */
#include "abi/abi.h"
#include "abi/abi_grant_map.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/guestmem.h"

/* The domain a request is about, referenced, or the status to answer. */
static s16 target(domid_t id, struct domain **out)
{
    int rc = abi_target_domain(id, out);

    if (rc == -EPERM)
        return GNTST_permission_denied;
    return rc ? GNTST_bad_domain : GNTST_okay;
}

/* Frame numbers to the guest. The table may grow meanwhile, never shrink. */
static long put_frames(const struct domain *d, const struct gnttab_setup_table *op)
{
    u32 i;

    for (i = 0; i < op->nr_frames; i++) {
        u64 mfn = grant_frame(d, i).v;

        if (!GUESTMEM_OUT(op->frame_list.p + i, &mfn))
            return -EFAULT;
    }
    return 0;
}

static long setup_table(u64 arg)
{
    struct gnttab_setup_table *guest = (struct gnttab_setup_table *)arg;
    struct gnttab_setup_table op;
    struct domain *d;
    long rc = 0;

    if (!GUESTMEM_IN(&op, guest))
        return -EFAULT;
    op.status = target(op.dom, &d);
    if (op.status == GNTST_okay) {
        if (op.nr_frames > grant_frames_max(d) || grant_grow(d, op.nr_frames)) {
            hypercall_refuse(0, "grant_table_op: setup_table: %u frames, the maximum is %u",
                             op.nr_frames, grant_frames_max(d));
            op.status = GNTST_general_error;
        } else {
            rc = put_frames(d, &op);
        }
        domain_put(d);
    }
    return !rc && !GUESTMEM_OUT(&guest->status, &op.status) ? -EFAULT : rc;
}

static long query_size(u64 arg)
{
    struct gnttab_query_size *guest = (struct gnttab_query_size *)arg;
    struct gnttab_query_size op;
    struct domain *d;

    if (!GUESTMEM_IN(&op, guest))
        return -EFAULT;
    op.status = target(op.dom, &d);
    if (op.status == GNTST_okay) {
        op.nr_frames = grant_frames(d);
        op.max_nr_frames = grant_frames_max(d);
        domain_put(d);
    }
    return GUESTMEM_OUT(guest, &op) ? 0 : -EFAULT;
}

static long set_version(u64 arg)
{
    struct gnttab_set_version *guest = (struct gnttab_set_version *)arg;
    struct gnttab_set_version op;
    long rc = 0;

    if (!GUESTMEM_IN(&op, guest))
        return -EFAULT;
    /* As a hypervisor limited to version 1 answers: the guest then stays with it. */
    if (op.version == 2)
        rc = -ENOSYS;
    else if (op.version != 1)
        rc = -EINVAL;
    op.version = 1;
    if (!GUESTMEM_OUT(guest, &op))
        return -EFAULT;
    return rc;
}

static long get_version(u64 arg)
{
    struct gnttab_get_version *guest = (struct gnttab_get_version *)arg;
    struct gnttab_get_version op;
    struct domain *d;
    int rc;

    if (!GUESTMEM_IN(&op, guest))
        return -EFAULT;
    rc = abi_target_domain(op.dom, &d);
    if (rc)
        return rc;
    domain_put(d);
    op.version = 1;
    return GUESTMEM_OUT(guest, &op) ? 0 : -EFAULT;
}

/* What is not served: an empty list is fine, drivers flush those all the time. */
static long unserved(u32 cmd, u64 ops, u32 nr)
{
    static const u32 sizes[] = {
        [GNTTABOP_transfer] = sizeof(struct gnttab_transfer),
        [GNTTABOP_get_status_frames] = sizeof(struct gnttab_get_status_frames),
        [GNTTABOP_swap_grant_ref] = sizeof(struct gnttab_swap_grant_ref),
        [GNTTABOP_cache_flush] = sizeof(struct gnttab_cache_flush),
    };
    u8 request[64];

    if (cmd >= ARRAY_SIZE(sizes) || !sizes[cmd])
        return hypercall_refuse(-ENOSYS, "grant_table_op: %u is unknown", cmd);
    if (cmd == GNTTABOP_get_status_frames && nr != 1)
        return -EINVAL;
    if (nr == 0)
        return 0;
    if (!guestmem_copy_in(request, (const void *)ops, MIN((size_t)sizes[cmd], sizeof(request))))
        return -EFAULT;
    return hypercall_refuse(-ENOSYS, "grant_table_op: %u is not served", cmd);
}

long abi_grant_table_op(u64 cmd, u64 ops, u64 count, u64 a4, u64 a5, u64 a6)
{
    u32 nr = (u32)count;

    (void)a4, (void)a5, (void)a6;
    /* Above bit 11 a command carries where it was left off, for none of ours. */
    if (nr > 0x7fffffff || (u32)cmd >> 12)
        return -EINVAL;
    switch ((u32)cmd) {
    case GNTTABOP_setup_table:
        return nr == 1 ? setup_table(ops) : -EINVAL;
    case GNTTABOP_query_size:
        return nr == 1 ? query_size(ops) : -EINVAL;
    case GNTTABOP_set_version:
        return set_version(ops);
    case GNTTABOP_get_version:
        return get_version(ops);
    case GNTTABOP_map_grant_ref:
    case GNTTABOP_unmap_grant_ref:
    case GNTTABOP_copy:
    case GNTTABOP_unmap_and_replace:
        return abi_grant_map_list((u32)cmd, ops, nr);
    default:
        return unserved((u32)cmd, ops, nr);
    }
}
