/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange, how a PV guest gets memory a device can use: extents of one size go in, extents
 * of another come out (ABI: public header memory.h, xen_memory_exchange).
 *
 * A chunk is the larger of the two sizes. Each chunk is all or nothing: the old frames are taken
 * off the guest, new ones allocated, and only then does anything change that the guest can see.
 * nr_exchanged in guest memory counts the input extents of finished chunks; it is also where an
 * interrupted call goes on.
 */
#include "abi/abi_exchange.h"

#include "abi/abi.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/guestmem.h"
#include "core/memory.h"
#include "wire/wire.h"

/* 2 MiB: as much as is scrubbed and flushed at once. */
#define CHUNK_ORDER_MAX 9

/* A request whose numbers have been checked. */
struct exchange {
    struct domain *d; /* referenced */
    const u64 *in;
    u64 *out;
    unsigned int in_order, out_order, addr_bits;
    u64 in_per_chunk, out_per_chunk;
    u64 done, chunks; /* of the whole call */
};

static int exchange_check(const struct xen_memory_exchange *x, struct exchange *e)
{
    unsigned int chunk_order = MAX(x->in.extent_order, x->out.extent_order);
    u64 in_frames, out_frames;

    if (x->in.domid != x->out.domid || x->in.extent_order > 63 || x->out.extent_order > 63)
        return -EINVAL;
    if (chunk_order > CHUNK_ORDER_MAX)
        return -EPERM;
    if (!mul_ok(x->in.nr_extents, (u64)1 << x->in.extent_order, &in_frames) ||
        !mul_ok(x->out.nr_extents, (u64)1 << x->out.extent_order, &out_frames) ||
        in_frames != out_frames || x->nr_exchanged > x->in.nr_extents)
        return -EINVAL;
    e->in = x->in.extent_start.p;
    e->out = x->out.extent_start.p;
    e->in_order = x->in.extent_order;
    e->out_order = x->out.extent_order;
    e->addr_bits = XENMEMF_get_address_bits(x->out.mem_flags);
    e->in_per_chunk = (u64)1 << (chunk_order - x->in.extent_order);
    e->out_per_chunk = (u64)1 << (chunk_order - x->out.extent_order);
    if (in_frames & (((u64)1 << chunk_order) - 1) || x->nr_exchanged % e->in_per_chunk)
        return -EINVAL;
    e->chunks = in_frames >> chunk_order;
    e->done = x->nr_exchanged / e->in_per_chunk;
    /* A limit within the first pages can never be met. */
    return e->addr_bits && e->addr_bits <= e->out_order + PAGE_SHIFT ? -ENOMEM : 0;
}

/* Old frames out, new ones in hand; on an error everything is as before. */
static long chunk_prepare(const struct exchange *e, struct memory_batch *b)
{
    u64 i, mfn;

    for (i = 0; i < e->in_per_chunk; i++) {
        if (!GUESTMEM_IN(&mfn, e->in + e->done * e->in_per_chunk + i))
            return -EFAULT;
        if (!memory_batch_steal(b, MFN(mfn), e->in_order))
            return hypercall_refuse(-EINVAL,
                                    "memory_op: exchange: frame %lx (order %u) is in use "
                                    "or not d%u's",
                                    mfn, e->in_order, e->d->id);
    }
    for (i = 0; i < e->out_per_chunk; i++)
        if (!memory_batch_alloc(b, e->addr_bits))
            return -ENOMEM;
    return 0;
}

/*
 * The new frames become the guest's. A fault in its list is its own loss: it has the frames but
 * not their numbers.
 */
static long chunk_finish(const struct exchange *e, struct memory_batch *b)
{
    u64 *out = e->out + e->done * e->out_per_chunk;
    u64 i, pfn;
    long rc = 0;
    mfn_t mfn;

    memory_batch_commit(b);
    for (i = 0; i < e->out_per_chunk; i++) {
        if (!GUESTMEM_IN(&pfn, out + i)) {
            pfn = M2P_INVALID;
            rc = -EFAULT;
        }
        mfn = memory_batch_next(b, pfn);
        if (mfn_eq(mfn, MFN_INVALID))
            rc = -EINVAL;
        else if (!GUESTMEM_OUT(out + i, &mfn.v))
            rc = -EFAULT;
    }
    return rc;
}

static long exchange_chunk(const struct exchange *e)
{
    struct memory_batch b;
    long rc;

    memory_batch_init(&b, e->d, e->out_order);
    rc = chunk_prepare(e, &b);
    if (rc) {
        memory_batch_undo(&b);
        return rc;
    }
    return chunk_finish(e, &b);
}

static long exchange_chunks(struct exchange *e, u64 arg)
{
    struct xen_memory_exchange *guest = (struct xen_memory_exchange *)arg;
    bool again = false;
    long rc = 0;
    u64 nr;

    while (e->done < e->chunks && !rc && !again) {
        rc = exchange_chunk(e);
        if (!rc)
            e->done++;
        again = !rc && e->done < e->chunks && hypercall_preempt();
    }
    nr = e->done * e->in_per_chunk;
    if (!GUESTMEM_OUT(&guest->nr_exchanged, &nr))
        return -EFAULT;
    return again ? hypercall_continue(__HYPERVISOR_memory_op, XENMEM_exchange, arg, 0, 0) : rc;
}

long abi_exchange(u64 arg)
{
    struct xen_memory_exchange x;
    struct exchange e;
    long rc;

    if (!GUESTMEM_IN(&x, (const void *)arg))
        return -EFAULT;
    rc = exchange_check(&x, &e);
    if (rc)
        return rc;
    rc = abi_target_domain(x.in.domid, &e.d);
    if (rc)
        return rc;
    rc = -EOPNOTSUPP; /* a translated guest's frames have no machine addresses to care for */
    if (e.d->physmap == NULL)
        rc = exchange_chunks(&e, arg);
    domain_put(e.d);
    return rc;
}
