/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what the tools ask about the machine and tell the hypervisor (public header sysctl.h).
 * One table of rows; the privilege is the same for all: a privileged domain.
 *
 * Left out: tracing, profiles, power management, taking CPUs and pages off line, cache allocation,
 * live patches. Each answers what its tool takes for "not here".
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "base/lib.h"
#include "core/console.h"
#include "core/guestmem.h"
#include "core/host.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/sched_pool.h"
#include "hvm/hvm.h"

#define TEXT_CHUNK 128u
#define KEYS_MAX   64u

u64 abi_control_cpus(void)
{
    u32 n = cpu_count();

    return n >= 64 ? ~(u64)0 : ((u64)1 << n) - 1;
}

int abi_control_put_bitmap(const struct xenctl_bitmap *map, u64 bits)
{
    u32 bytes = (map->nr_bits + 7) / 8, ours = MIN(bytes, (u32)sizeof(bits));

    if (map->nr_bits < 64)
        bits &= ((u64)1 << map->nr_bits) - 1;
    if (!guestmem_copy_out(map->bitmap.p, &bits, ours) ||
        !guestmem_clear(map->bitmap.p + ours, bytes - ours))
        return -EFAULT;
    return 0;
}

int abi_control_get_bitmap(const struct xenctl_bitmap *map, u64 *bits)
{
    u32 bytes = MIN((map->nr_bits + 7) / 8, (u32)sizeof(*bits));

    *bits = 0;
    if (!guestmem_copy_in(bits, map->bitmap.p, bytes))
        return -EFAULT;
    if (map->nr_bits < 64)
        *bits &= ((u64)1 << map->nr_bits) - 1;
    return 0;
}

/* From the oldest byte on, or from a position of an earlier call. */
static long readconsole(struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *c = &op->u.readconsole;
    u32 idx = c->incremental ? c->index : 0, done = 0, n;
    char text[TEXT_CHUNK];

    while (done < c->count) {
        n = (u32)console_ring_read(&idx, text, MIN(c->count - done, TEXT_CHUNK), false);
        if (n == 0)
            break;
        if (!guestmem_copy_out(c->buffer.p + done, text, n))
            return -EFAULT;
        done += n;
    }
    if (c->clear)
        (void)console_ring_read(&idx, text, 0, true);
    c->index = idx;
    c->count = done;
    return 0;
}

static long physinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;
    u32 n = cpu_count();

    memset(p, 0, sizeof(*p));
    /* One thread per core, one socket: the scheduler treats all processors alike. */
    p->threads_per_core = 1;
    p->cores_per_socket = n;
    p->nr_cpus = n;
    p->max_cpu_id = n - 1;
    p->nr_nodes = MAX_NUMA_NODES;
    p->max_node_id = MAX_NUMA_NODES - 1;
    p->cpu_khz = host_tsc_khz();
    p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1;
    if (hvm_offered())
        p->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
    p->total_pages = page_total_count();
    p->free_pages = page_free_count();
    p->scrub_pages = page_dirty_count();
    p->outstanding_pages = page_claimed_count();
    p->max_mfn = page_max_mfn - 1;
    host_cpu_caps(p->hw_cap);
    return 0;
}

static long sched_id(struct xen_sysctl *op)
{
    op->u.sched_id.sched_id = sched_pool_default();
    return 0;
}

static long getdomaininfolist(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
    struct xen_domctl_getdomaininfo info;
    struct domain *d;
    u32 n = 0, id = l->first_domain;

    while (n < l->max_domains && id < DOMID_FIRST_RESERVED) {
        d = domain_next((domid_t)id);
        if (d == NULL)
            break;
        id = d->id + 1u;
        abi_control_domain_info(d, &info);
        domain_put(d);
        if (!GUESTMEM_OUT(l->buffer.p + n, &info))
            return -EFAULT;
        n++;
    }
    l->num_domains = n;
    return 0;
}

static long debug_keys(struct xen_sysctl *op)
{
    const struct xen_sysctl_debug_keys *k = &op->u.debug_keys;
    u32 i;
    char c;

    if (k->nr_keys > KEYS_MAX)
        return -E2BIG;
    for (i = 0; i < k->nr_keys; i++) {
        if (!GUESTMEM_IN(&c, k->keys.p + i))
            return -EFAULT;
        console_key_run(c);
    }
    return 0;
}

static long getcpuinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *c = &op->u.getcpuinfo;
    struct xen_sysctl_cpuinfo info;
    u32 i, n = MIN(c->max_cpus, cpu_count());

    for (i = 0; i < n; i++) {
        info.idletime = sched_idle_time(i);
        if (!GUESTMEM_OUT(c->info.p + i, &info))
            return -EFAULT;
    }
    c->nr_cpus = n;
    return 0;
}

static long availheap(struct xen_sysctl *op)
{
    struct xen_sysctl_availheap *a = &op->u.availheap;

    if (a->node > 0)
        return -EINVAL;
    a->avail_bytes = page_free_count() << PAGE_SHIFT;
    return 0;
}

/* CPUID of PV guests cannot be masked or made to fault on purpose. */
static long levelling_caps(struct xen_sysctl *op)
{
    op->u.cpu_levelling_caps.caps = 0;
    return 0;
}

static long no_device(struct xen_sysctl *op)
{
    (void)op;
    return -ENODEV;
}

static long not_supported(struct xen_sysctl *op)
{
    (void)op;
    return -EOPNOTSUPP;
}

static const struct sysctl_row rows[] = {
    [XEN_SYSCTL_readconsole] = {readconsole, CONTROL_REPLY},
    [XEN_SYSCTL_tbuf_op] = {not_supported, 0},
    [XEN_SYSCTL_physinfo] = {physinfo, CONTROL_REPLY},
    [XEN_SYSCTL_sched_id] = {sched_id, CONTROL_REPLY},
    [XEN_SYSCTL_getdomaininfolist] = {getdomaininfolist, CONTROL_REPLY},
    [XEN_SYSCTL_debug_keys] = {debug_keys, 0},
    [XEN_SYSCTL_getcpuinfo] = {getcpuinfo, CONTROL_REPLY},
    [XEN_SYSCTL_availheap] = {availheap, CONTROL_REPLY},
    [XEN_SYSCTL_get_pmstat] = {no_device, 0},
    [XEN_SYSCTL_cpu_hotplug] = {not_supported, 0},
    [XEN_SYSCTL_pm_op] = {not_supported, 0},
    [XEN_SYSCTL_cputopoinfo] = {abi_sysctl_cputopoinfo, CONTROL_REPLY},
    [XEN_SYSCTL_numainfo] = {abi_sysctl_numainfo, CONTROL_REPLY},
    [XEN_SYSCTL_cpupool_op] = {abi_sysctl_cpupool_op, CONTROL_REPLY},
    [XEN_SYSCTL_scheduler_op] = {abi_sysctl_scheduler_op, CONTROL_REPLY},
    [XEN_SYSCTL_coverage_op] = {not_supported, 0},
    [XEN_SYSCTL_psr_cmt_op] = {no_device, 0},
    [XEN_SYSCTL_pcitopoinfo] = {abi_sysctl_pcitopoinfo, CONTROL_REPLY},
    [XEN_SYSCTL_psr_alloc] = {no_device, 0},
    [XEN_SYSCTL_get_cpu_levelling_caps] = {levelling_caps, CONTROL_REPLY},
    [XEN_SYSCTL_get_cpu_featureset] = {abi_sysctl_cpu_featureset, CONTROL_REPLY},
    [XEN_SYSCTL_get_cpu_policy] = {abi_sysctl_cpu_policy, CONTROL_REPLY},
};

long abi_sysctl(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct xen_sysctl op;
    long rc;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return hypercall_refuse(-EFAULT, "sysctl: no request can be read at %#lx", arg);
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return hypercall_refuse(-EACCES, "sysctl: interface version %#x, not %#x",
                                op.interface_version, XEN_SYSCTL_INTERFACE_VERSION);
    if (op.cmd >= ARRAY_SIZE(rows) || rows[op.cmd].fn == NULL)
        return hypercall_refuse(-ENOSYS, "sysctl: %u is not offered", op.cmd);
    hypercall_reason_forget();
    rc = rows[op.cmd].fn(&op);
    /* The tools walk the list of pools to this end. */
    if (rc == -ENOENT && op.cmd == XEN_SYSCTL_cpupool_op)
        return rc;
    if (rc < 0)
        return hypercall_refuse_rest(rc, "sysctl", op.cmd, vcpu_current()->domain->id);
    if (rows[op.cmd].flags & CONTROL_REPLY && !GUESTMEM_OUT((void *)arg, &op))
        return -EFAULT;
    return rc;
}
