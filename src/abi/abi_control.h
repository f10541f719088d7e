/* SPDX-License-Identifier: MIT */
/*
 * The tools' side: sysctl (the machine) and domctl (one domain). Both are for privileged domains,
 * in the one interface version of the public headers, which the tools check too.
 *
 * A handler gets a copy of the request, checks it and acts; a row says whether the copy goes back
 * to the caller. -ERESTART from a handler: the call is continued with the same request.
 */
#ifndef ABI_ABI_CONTROL_H
#define ABI_ABI_CONTROL_H

#include "core/domain.h"
#include "pure/cpupolicy.h"
#include "wire/wire.h"

#define CONTROL_REPLY (1u << 0) /* the request is written back after success */
#define CONTROL_DYING (1u << 1) /* domctl: also for a domain that is being destroyed */

struct sysctl_row {
    long (*fn)(struct xen_sysctl *op);
    u32 flags;
};

struct domctl_row {
    long (*fn)(struct domain *d,
               struct xen_domctl *op); /* d is referenced, not the caller's lock */
    u32 flags;
};

/* What the lists and getdomaininfo say about d. */
void abi_control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *out);

/*
 * A set of up to 64 numbers as the tools pass it. put: bits beyond the guest's bitmap are left
 * out, bytes beyond ours are cleared. get: bits the bitmap has not are clear. -EFAULT.
 */
int abi_control_put_bitmap(const struct xenctl_bitmap *map, u64 bits) MUST_CHECK;
int abi_control_get_bitmap(const struct xenctl_bitmap *map, u64 *bits) MUST_CHECK;

/* The processors that are up. */
u64 abi_control_cpus(void);

/* abi_sysctl_topo.c */
long abi_sysctl_cputopoinfo(struct xen_sysctl *op);
long abi_sysctl_numainfo(struct xen_sysctl *op);
long abi_sysctl_pcitopoinfo(struct xen_sysctl *op);
long abi_sysctl_cpupool_op(struct xen_sysctl *op);
long abi_sysctl_scheduler_op(struct xen_sysctl *op);

/* abi_sysctl_cpu.c */
long abi_sysctl_cpu_featureset(struct xen_sysctl *op);
long abi_sysctl_cpu_policy(struct xen_sysctl *op);
long abi_domctl_get_cpu_policy(struct domain *d, struct xen_domctl *op);
long abi_domctl_set_cpu_policy(struct domain *d, struct xen_domctl *op);

/* abi_domctl_create.c: the domain as a whole */
long abi_domctl_createdomain(struct xen_domctl *op);
long abi_domctl_destroydomain(struct domain *d, struct xen_domctl *op);
long abi_domctl_pausedomain(struct domain *d, struct xen_domctl *op);
long abi_domctl_unpausedomain(struct domain *d, struct xen_domctl *op);
long abi_domctl_resumedomain(struct domain *d, struct xen_domctl *op);
long abi_domctl_max_mem(struct domain *d, struct xen_domctl *op);
long abi_domctl_max_vcpus(struct domain *d, struct xen_domctl *op);
long abi_domctl_setdomainhandle(struct domain *d, struct xen_domctl *op);
long abi_domctl_settimeoffset(struct domain *d, struct xen_domctl *op);
long abi_domctl_gettscinfo(struct domain *d, struct xen_domctl *op);
long abi_domctl_settscinfo(struct domain *d, struct xen_domctl *op);
long abi_domctl_set_address_size(struct domain *d, struct xen_domctl *op);
long abi_domctl_get_address_size(struct domain *d, struct xen_domctl *op);
long abi_domctl_getpageframeinfo3(struct domain *d, struct xen_domctl *op);

/* abi_domctl_vcpu.c */
long abi_domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op);
long abi_domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op);
long abi_domctl_setvcpucontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_getvcpucontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op);
long abi_domctl_scheduler_op(struct domain *d, struct xen_domctl *op);
long abi_domctl_setnodeaffinity(struct domain *d, struct xen_domctl *op);
long abi_domctl_getnodeaffinity(struct domain *d, struct xen_domctl *op);
long abi_domctl_sendtrigger(struct domain *d, struct xen_domctl *op);

/* abi_domctl_hvm.c: hardware-assisted guests */
long abi_domctl_gethvmcontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_sethvmcontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_gethvmcontext_partial(struct domain *d, struct xen_domctl *op);
long abi_domctl_get_paging_mempool_size(struct domain *d, struct xen_domctl *op);
long abi_domctl_set_paging_mempool_size(struct domain *d, struct xen_domctl *op);

/* abi_domctl_state.c: what else a saved vCPU has */
long abi_domctl_set_ext_vcpucontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_get_ext_vcpucontext(struct domain *d, struct xen_domctl *op);
long abi_domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op);
long abi_domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op);
long abi_domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op);
long abi_domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op);

#endif
