/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what is where? One NUMA node, one socket, one core per processor (public header
 * sysctl.h).
 */
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"

#define NODE_DISTANCE_SELF 10 /* ACPI specification, SLIT */

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
