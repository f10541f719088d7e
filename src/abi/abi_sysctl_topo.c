/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what is where? One NUMA node, one socket, one core per processor, and one CPU pool with
 * every processor and domain in it (public header sysctl.h).
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"

#define NODE_DISTANCE_SELF 10 /* ACPI specification, SLIT */
#define RATELIMIT_US       1000

long abi_sysctl_cputopoinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
    struct xen_sysctl_cputopo cpu = {.socket = 0, .node = 0};
    u32 i, n = cpu_count();

    for (i = 0; t->cputopo.p != NULL && i < MIN(n, t->num_cpus); i++) {
        cpu.core = i;
        if (!GUESTMEM_OUT(t->cputopo.p + i, &cpu))
            return -EFAULT;
    }
    t->num_cpus = n;
    return 0;
}

long abi_sysctl_numainfo(struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *ni = &op->u.numainfo;
    struct xen_sysctl_meminfo mem = {
        .memsize = page_total_count() << PAGE_SHIFT,
        .memfree = page_free_count() << PAGE_SHIFT,
    };
    u32 distance = NODE_DISTANCE_SELF;

    if (ni->num_nodes != 0 && ni->meminfo.p != NULL && !GUESTMEM_OUT(ni->meminfo.p, &mem))
        return -EFAULT;
    if (ni->num_nodes != 0 && ni->distance.p != NULL && !GUESTMEM_OUT(ni->distance.p, &distance))
        return -EFAULT;
    ni->num_nodes = MAX_NUMA_NODES;
    return 0;
}

/* Every device is near the one node. */
long abi_sysctl_pcitopoinfo(struct xen_sysctl *op)
{
    struct xen_sysctl_pcitopoinfo *t = &op->u.pcitopoinfo;
    u32 i, node = 0;

    if (t->devs.p == NULL || t->nodes.p == NULL || t->num_devs > 0x10000)
        return -EINVAL;
    for (i = 0; i < t->num_devs; i++)
        if (!GUESTMEM_OUT(t->nodes.p + i, &node))
            return -EFAULT;
    return 0;
}

static u32 count_domains(void)
{
    struct domain *d;
    u32 n = 0, id;

    for (d = domain_next(0); d != NULL; d = domain_next((domid_t)id)) {
        id = d->id + 1u;
        domain_put(d);
        n++;
    }
    return n;
}

static long pool_info(struct xen_sysctl_cpupool_op *p)
{
    if (p->cpupool_id != 0 && p->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
        return -ENOENT; /* the tools count up until they get this */
    p->cpupool_id = 0;
    p->sched_id = XEN_SCHEDULER_CREDIT2;
    p->n_dom = count_domains();
    return abi_control_put_bitmap(&p->cpumap, abi_control_cpus());
}

static long pool_move(const struct xen_sysctl_cpupool_op *p)
{
    struct domain *d = domain_get((domid_t)p->domid);

    if (d == NULL)
        return -EINVAL;
    domain_put(d);
    return p->cpupool_id == 0 ? 0 : -ENOENT;
}

long abi_sysctl_cpupool_op(struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *p = &op->u.cpupool_op;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO: /* processors in no pool */
        return abi_control_put_bitmap(&p->cpumap, 0);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return pool_move(p);
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return hypercall_refuse(-EOPNOTSUPP, "sysctl: cpupool_op: there is one pool");
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return p->cpupool_id == 0 ? -EBUSY : -ENOENT;
    default:
        return -ENOSYS;
    }
}

/* The rate limit cannot be changed: the answer to a change is what is in force. */
long abi_sysctl_scheduler_op(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;

    if (s->cpupool_id != 0 || s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (s->cmd == XEN_SYSCTL_SCHEDOP_putinfo &&
        (s->u.sched_credit2.ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX ||
         s->u.sched_credit2.ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
        return -EINVAL;
    s->u.sched_credit2.ratelimit_us = RATELIMIT_US;
    return 0;
}
