/* SPDX-License-Identifier: MIT */
/*
 * The grant operations of drivers, which come in lists (ABI: public header grant_table.h). A batch
 * is done without looking for interrupts: it looks up a domain once, and flushes once after all its
 * unmappings. Between batches the call may be continued.
 */
#include "abi/abi_grant_map.h"

#include "core/grant_map.h"
#include "core/guestmem.h"

#define BATCH 32

static long map_batch(u64 ops, u32 n)
{
    struct gnttab_map_grant_ref *guest = (struct gnttab_map_grant_ref *)ops, op;
    struct grant_peer granter = {.d = NULL};
    long rc = 0;
    u32 i;

    for (i = 0; i < n && !rc; i++) {
        if (unlikely(!GUESTMEM_IN(&op, guest + i))) {
            rc = -EFAULT;
            break;
        }
        grant_map(&granter, &op);
        if (unlikely(!GUESTMEM_OUT(guest + i, &op)))
            rc = -EFAULT;
    }
    grant_peer_done(&granter);
    return rc;
}

static long copy_batch(u64 ops, u32 n)
{
    struct gnttab_copy *guest = (struct gnttab_copy *)ops, op;
    struct grant_peer peer[2] = {{.d = NULL}, {.d = NULL}};
    long rc = 0;
    u32 i;

    for (i = 0; i < n && !rc; i++) {
        if (unlikely(!GUESTMEM_IN(&op, guest + i))) {
            rc = -EFAULT;
            break;
        }
        grant_copy(peer, &op);
        if (unlikely(!GUESTMEM_OUT(&guest[i].status, &op.status)))
            rc = -EFAULT;
    }
    grant_peer_done(&peer[0]);
    grant_peer_done(&peer[1]);
    return rc;
}

/* The two kinds of unmap requests: read one, begin it. */
static bool unmap_read(u64 ops, u32 i, struct grant_unmap *u)
{
    struct gnttab_unmap_grant_ref op;

    if (unlikely(!GUESTMEM_IN(&op, (struct gnttab_unmap_grant_ref *)ops + i)))
        return false;
    grant_unmap_begin(u, op.handle, op.host_addr, op.dev_bus_addr, 0);
    return true;
}

static bool replace_read(u64 ops, u32 i, struct grant_unmap *u)
{
    struct gnttab_unmap_and_replace op;

    if (unlikely(!GUESTMEM_IN(&op, (struct gnttab_unmap_and_replace *)ops + i)))
        return false;
    grant_unmap_begin(u, op.handle, op.host_addr, 0, op.new_addr);
    return true;
}

static bool unmap_answer(u64 ops, u32 i, const struct grant_unmap *u)
{
    return GUESTMEM_OUT(&((struct gnttab_unmap_grant_ref *)ops)[i].status, &u->status);
}

static bool replace_answer(u64 ops, u32 i, const struct grant_unmap *u)
{
    return GUESTMEM_OUT(&((struct gnttab_unmap_and_replace *)ops)[i].status, &u->status);
}

static long unmap_batch_of(u64 ops, u32 n, bool (*read)(u64, u32, struct grant_unmap *),
                           bool (*answer)(u64, u32, const struct grant_unmap *))
{
    struct grant_unmap u[BATCH];
    u32 i, begun;
    long rc = 0;

    for (begun = 0; begun < n && read(ops, begun, &u[begun]); begun++)
        ;
    if (begun < n)
        rc = -EFAULT;
    grant_unmap_flush();
    for (i = 0; i < begun; i++) {
        grant_unmap_end(&u[i]);
        if (unlikely(!answer(ops, i, &u[i])))
            rc = -EFAULT;
    }
    return rc;
}

static long unmap_batch(u64 ops, u32 n)
{
    return unmap_batch_of(ops, n, unmap_read, unmap_answer);
}

static long replace_batch(u64 ops, u32 n)
{
    return unmap_batch_of(ops, n, replace_read, replace_answer);
}

long abi_grant_map_list(u32 cmd, u64 ops, u32 nr)
{
    static const struct {
        long (*fn)(u64 ops, u32 n); /* n is 1 to BATCH */
        u32 size;
    } rows[] = {
        [GNTTABOP_map_grant_ref] = {map_batch, sizeof(struct gnttab_map_grant_ref)},
        [GNTTABOP_unmap_grant_ref] = {unmap_batch, sizeof(struct gnttab_unmap_grant_ref)},
        [GNTTABOP_copy] = {copy_batch, sizeof(struct gnttab_copy)},
        [GNTTABOP_unmap_and_replace] = {replace_batch, sizeof(struct gnttab_unmap_and_replace)},
    };
    u32 n;
    long rc;

    while (nr > 0) {
        n = MIN(nr, BATCH);
        rc = rows[cmd].fn(ops, n);
        if (unlikely(rc))
            return hypercall_refuse(rc, "grant_table_op %u: no list of %u at %#lx", cmd, n, ops);
        nr -= n;
        ops += (u64)n * rows[cmd].size;
        if (unlikely(nr > 0) && hypercall_preempt())
            return hypercall_continue(__HYPERVISOR_grant_table_op, cmd, ops, nr, 0);
    }
    return 0;
}
