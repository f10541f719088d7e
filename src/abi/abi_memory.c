/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what memory is there, and whose? Queries are answered at once. Reservations go extent
 * by extent: the number done so far travels in the high bits of the command when the call is
 * continued (ABI: public header memory.h), and is the result; the highest count the frames of one
 * that is given up in parts. A guest's frames leave it only through a batch, so that no CPU can
 * still write to a frame that changes hands.
 *
 * Left out until they have a user: sharing, paging,
 * access control, NUMA of guests. docs/ABI.md names the answer of each.
 */
#include "abi/abi.h"
#include "abi/abi_exchange.h"
#include "abi/abi_memory_tools.h"
#include "abi/abi_physmap.h"
#include "core/domain.h"
#include "core/guestmem.h"
#include "core/host.h"
#include "core/memory.h"
#include "core/physmap.h"

#define CMD_BITS   6
#define CMD_MASK   ((1u << CMD_BITS) - 1)
#define PART_SHIFT 54
/* Largest extent: scrubbing it is the longest step without an interrupt window. */
#define EXTENT_ORDER_MAX 9
#define EXTENTS_MAX      (0xffffffffu >> CMD_BITS)
/* Frames between two looks at what else is to be done. */
#define FRAMES_PER_STEP 16u
/* Giving up frames costs a TLB flush per batch, so the batch is larger. */
#define RELEASE_PER_STEP 128u

/* A reservation whose numbers have been checked. */
struct reservation {
    struct domain *d;    /* referenced */
    u64 *list;           /* guest array, may be NULL for increase_reservation */
    u64 nr, start, part; /* extents, extents done, frames done of the next */
    unsigned int order, addr_bits;
    u32 op;
    u64 arg;
};

static long reservation_continue(const struct reservation *r, u64 done, u64 part)
{
    return hypercall_continue(__HYPERVISOR_memory_op, r->op | done << CMD_BITS | part << PART_SHIFT,
                              r->arg, 0, 0);
}

/* increase_reservation and populate_physmap: frames in, one machine frame number per extent out. */
static long reservation_add(const struct reservation *r)
{
    bool populate = r->op == XENMEM_populate_physmap;
    u64 i, j, step = MAX(FRAMES_PER_STEP >> r->order, 1u), pfn = 0;
    mfn_t mfn;

    for (i = r->start; i < r->nr; i++) {
        if (i > r->start && (i - r->start) % step == 0 && hypercall_preempt())
            return reservation_continue(r, i, 0);
        if (populate && !GUESTMEM_IN(&pfn, r->list + i)) {
            hypercall_refuse(0, "memory_op: populate_physmap: no number at %p", (void *)r->list);
            break;
        }
        mfn = page_alloc_domain(r->d, r->order, r->addr_bits);
        if (mfn_eq(mfn, MFN_INVALID)) {
            hypercall_refuse(0, "memory_op: d%u has %lu of %lu pages, no extent of order %u",
                             r->d->id, r->d->pages, r->d->max_pages, r->order);
            break;
        }
        if (r->d->physmap != NULL) {
            if (!abi_physmap_populated(r->d, GFN(pfn), r->order, mfn))
                break;
            continue;
        }
        if (populate)
            for (j = 0; j < (u64)1 << r->order; j++)
                page_m2p_set(MFN(mfn.v + j), pfn + j);
        if (r->list && !GUESTMEM_OUT(r->list + i, &mfn.v))
            break;
    }
    return (long)i;
}

/*
 * decrease_reservation: machine frame numbers in, or a translated guest's own. Frame by frame, of
 * large extents as well.
 */
static long reservation_remove(const struct reservation *r)
{
    u64 mask = ((u64)1 << r->order) - 1, begin = (r->start << r->order) + r->part;
    bool own = r->d->physmap != NULL, ok;
    u64 n, first = 0, frame, step = own ? PHYSMAP_BATCH : RELEASE_PER_STEP;
    struct physmap_batch pb = {.d = r->d};
    struct memory_batch b;

    memory_batch_init(&b, r->d, 0);
    for (n = begin; n < r->nr << r->order; n++) {
        if (n > begin && (n - begin) % step == 0) {
            memory_batch_commit(&b);
            physmap_batch_commit(&pb);
            if (hypercall_preempt())
                return reservation_continue(r, n >> r->order, n & mask);
        }
        if ((n == begin || (n & mask) == 0) && !GUESTMEM_IN(&first, r->list + (n >> r->order)))
            break;
        frame = first + (n & mask);
        ok = own ? physmap_batch_remove(&pb, GFN(frame)) == 0 : memory_release(&b, MFN(frame));
        if (!ok) {
            hypercall_refuse(0, "memory_op: decrease_reservation: frame %#lx is not d%u's to give",
                             frame, r->d->id);
            break;
        }
    }
    memory_batch_commit(&b);
    physmap_batch_commit(&pb);
    return (long)(n >> r->order);
}

static long reservation_op(u32 op, u64 start, u64 part, u64 arg)
{
    struct xen_memory_reservation req;
    struct reservation r = {.op = op, .arg = arg, .start = start};
    long rc;

    if (!GUESTMEM_IN(&req, (const void *)arg)) {
        hypercall_refuse(0, "memory_op %u: no request can be read at %#lx", op, arg);
        return (long)start;
    }
    /* The ABI has no errno for a size that is not served: nothing (more) was done. */
    if (req.nr_extents > EXTENTS_MAX || req.extent_order > EXTENT_ORDER_MAX ||
        start > req.nr_extents) {
        hypercall_refuse(0, "memory_op %u: %lu extents of order %u", op,
                         (unsigned long)req.nr_extents, req.extent_order);
        return (long)start;
    }
    r.list = req.extent_start.p;
    r.nr = req.nr_extents;
    r.order = req.extent_order;
    r.part = part & (((u64)1 << r.order) - 1);
    r.addr_bits = XENMEMF_get_address_bits(req.mem_flags);
    if (r.addr_bits && r.addr_bits <= PAGE_SHIFT)
        return (long)start;
    if (!r.list && op != XENMEM_increase_reservation)
        return (long)start;
    rc = abi_target_domain(req.domid, &r.d);
    if (rc) {
        hypercall_refuse(rc, "memory_op: reservation of domain %u", req.domid);
        return (long)start;
    }
    if (r.d->physmap != NULL && op == XENMEM_increase_reservation)
        rc = (long)start; /* frames of a translated guest have a place */
    else if (op != XENMEM_decrease_reservation)
        rc = reservation_add(&r);
    else
        rc = reservation_remove(&r);
    domain_put(r.d);
    return rc;
}

static long domain_query(u32 op, u64 arg)
{
    struct xen_memory_domain q;
    struct domain *d;
    long rc;

    if (!GUESTMEM_IN(&q, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(q.domid, &d);
    if (rc)
        return rc;
    if (op == XENMEM_current_reservation)
        rc = (long)READ_ONCE(d->pages);
    else if (op == XENMEM_maximum_reservation)
        rc = (long)READ_ONCE(d->max_pages);
    else if (d->physmap != NULL)
        rc = (long)MAX(READ_ONCE(d->physmap->p2m.top), 1ul) - 1;
    else
        /* The guest stores the number of its frames; until it does there is one. */
        rc = (long)MAX(READ_ONCE(d->shared_info->arch.max_pfn), 1ul) - 1;
    domain_put(d);
    return rc;
}

static long machphys_mapping(u64 arg)
{
    struct xen_machphys_mapping m = {
        .v_start = M2P_RO_BASE,
        .v_end = M2P_RO_END,
        /* The table has an entry for every frame below the end of RAM. */
        .max_mfn = page_max_mfn - 1,
    };

    return GUESTMEM_OUT((struct xen_machphys_mapping *)arg, &m) ? 0 : -EFAULT;
}

/* The frames the m2p table lies in, one number per 2 MiB of table. */
static long machphys_mfn_list(u64 arg)
{
    const u64 per_extent = 2 * MiB / sizeof(u64);
    struct xen_machphys_mfn_list l;
    u64 i, mfn;

    if (!GUESTMEM_IN(&l, (const void *)arg))
        return -EFAULT;
    for (i = 0; i < l.max_extents && i * per_extent < page_max_mfn; i++) {
        mfn = maddr_to_mfn(hmap_virt_to_maddr((const void *)(M2P_RO_BASE + i * 2 * MiB))).v;
        if (!GUESTMEM_OUT(l.extent_start.p + i, &mfn))
            return -EFAULT;
    }
    l.nr_extents = (unsigned int)i;
    return GUESTMEM_OUT((struct xen_machphys_mfn_list *)arg, &l) ? 0 : -EFAULT;
}

/* One entry as BIOS INT 0x15 AX=0xe820 has it (ACPI specification, "INT 15H, E820H"). */
struct e820_entry {
    u64 addr, size;
    u32 type;
} PACKED;

static long machine_memory_map(u64 arg)
{
    const struct memmap *host = host_memory_map();
    struct xen_memory_map m;
    struct e820_entry e;
    u8 *dst;
    u32 i;

    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&m, (const void *)arg))
        return -EFAULT;
    dst = m.buffer.p;
    if (dst && m.nr_entries < host->nr)
        return hypercall_refuse(-EINVAL, "memory_op: machine_memory_map: room for %u of %u entries",
                                m.nr_entries, host->nr);
    for (i = 0; dst && i < host->nr; i++) {
        e.addr = host->entry[i].start;
        e.size = host->entry[i].end - host->entry[i].start;
        e.type = host->entry[i].type;
        if (!guestmem_copy_out(dst + i * sizeof(e), &e, sizeof(e)))
            return -EFAULT;
    }
    m.nr_entries = host->nr;
    return GUESTMEM_OUT((struct xen_memory_map *)arg, &m) ? 0 : -EFAULT;
}

/* Operations that are not served: they answer their errno to a request that can be read. */
static const struct refusal {
    u32 op;
    u32 size; /* of the request; 0: it is not read */
    long err;
} refusals[] = {
    {XENMEM_access_op, sizeof(struct xen_mem_access_op), -EOPNOTSUPP},
    {XENMEM_machphys_compat_mfn_list, 0, -EOPNOTSUPP},
    {XENMEM_get_vnumainfo, sizeof(struct xen_vnuma_topology_info), -EOPNOTSUPP},
    {XENMEM_reserved_device_memory_map, sizeof(struct xen_reserved_device_memory_map), -ENOSYS},
};

static long simple_op(u32 op, u64 arg)
{
    u8 request[64];
    unsigned int i;

    switch (op) {
    case XENMEM_maximum_ram_page:
        return (long)page_max_mfn;
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0;
    default:
        break;
    }
    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        if (refusals[i].op != op)
            continue;
        if (!guestmem_copy_in(request, (const void *)arg,
                              MIN((size_t)refusals[i].size, sizeof(request))))
            return -EFAULT;
        return hypercall_refuse(refusals[i].err, "memory_op: %u is not served", op);
    }
    return hypercall_refuse(-ENOSYS, "memory_op: %u is unknown", op);
}

long abi_memory_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    static long (*const ops[])(u64 arg) = {
        [XENMEM_machphys_mfn_list] = machphys_mfn_list,
        [XENMEM_machine_memory_map] = machine_memory_map,
        [XENMEM_add_to_physmap] = abi_physmap_add,
        [XENMEM_add_to_physmap_batch] = abi_physmap_add_batch,
        [XENMEM_remove_from_physmap] = abi_physmap_remove,
        [XENMEM_set_pod_target] = abi_physmap_pod,
        [XENMEM_get_pod_target] = abi_physmap_pod,
        [XENMEM_exchange] = abi_exchange,
        [XENMEM_machphys_mapping] = machphys_mapping,
        [XENMEM_claim_pages] = abi_memory_claim,
        [XENMEM_set_memory_map] = abi_memory_set_map,
        [XENMEM_memory_map] = abi_memory_get_map,
        [XENMEM_acquire_resource] = abi_memory_acquire,
    };
    u32 op = (u32)cmd & CMD_MASK;
    u64 start = cmd << (64 - PART_SHIFT) >> (64 - PART_SHIFT + CMD_BITS);

    (void)a3, (void)a4, (void)a5, (void)a6;
    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return reservation_op(op, start, cmd >> PART_SHIFT, arg);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return domain_query(op, arg);
    default:
        return op < ARRAY_SIZE(ops) && ops[op] != NULL ? ops[op](arg) : simple_op(op, arg);
    }
}
