/* SPDX-License-Identifier: MIT */
/*
 * domctl: creating, configuring and ending domains (public header domctl.h). One table of rows. The
 * caller is a privileged domain; the domain a request names is found and referenced here, so that a
 * handler sees a domain that stays. One that is being destroyed is only shown to the rows that say
 * so.
 *
 * Left out: device assignment, monitoring, sharing, cache allocation.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "base/lib.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/sched_pool.h"

static u32 info_flags(const struct domain *d, u32 *online)
{
    u32 flags = XEN_DOMINF_blocked, i;

    *online = 0;
    for (i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];
        u32 pause = v != NULL ? READ_ONCE(v->pause) : VPAUSE_DOWN;

        if (pause & VPAUSE_DOWN)
            continue;
        ++*online;
        if (!(pause & VPAUSE_BLOCKED))
            flags &= ~XEN_DOMINF_blocked;
        if (READ_ONCE(v->running))
            flags |= XEN_DOMINF_running;
    }
    return *online != 0 ? flags : 0;
}

void abi_control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    u32 i;

    memset(out, 0, sizeof(*out));
    out->domain = d->id;
    out->flags = info_flags(d, &out->nr_online_vcpus);
    if (READ_ONCE(d->relinquished))
        out->flags |= XEN_DOMINF_dying;
    if (READ_ONCE(d->was_shut_down))
        out->flags |= XEN_DOMINF_shutdown;
    if (READ_ONCE(d->tool_pauses) != 0)
        out->flags |= XEN_DOMINF_paused;
    out->flags |=
        (d->was_shut_down ? d->shutdown_code & XEN_DOMINF_shutdownmask : XEN_DOMINF_shutdownmask)
        << XEN_DOMINF_shutdownshift;
    out->tot_pages = READ_ONCE(d->pages);
    out->max_pages = READ_ONCE(d->max_pages);
    out->outstanding_pages = READ_ONCE(d->claim);
    out->shared_info_frame = maddr_to_mfn(hmap_direct_to_maddr(READ_ONCE(d->shared_info))).v;
    out->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for (i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] == NULL)
            continue;
        out->cpu_time += sched_cpu_time(d->vcpu[i]);
        out->max_vcpu_id = i;
    }
    memcpy(out->handle, d->handle, sizeof(out->handle));
    out->gpaddr_bits = cpu_features.phys_bits;
    out->cpupool = sched_pool_of(d);
    if (d->hvm != NULL) {
        out->flags |= XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
        out->arch_config.emulation_flags = XEN_X86_EMU_LAPIC;
    }
}

/* The domain with the lowest id from the one given on: the tools walk the list by it. */
static long getdomaininfo(struct xen_domctl *op)
{
    struct domain *d = domain_next(op->domain);

    if (d == NULL)
        return -ESRCH;
    abi_control_domain_info(d, &op->u.getdomaininfo);
    op->domain = d->id;
    domain_put(d);
    return 0;
}

/* There is no dirty logging: live migration is not offered, saving does not need it. */
static long shadow_op(struct domain *d, struct xen_domctl *op)
{
    if (op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_OFF)
        return -EINVAL; /* it was not on: what the tools get at the end of each save */
    return hypercall_refuse(-EOPNOTSUPP, "domctl: shadow_op %u for d%u: no dirty logging",
                            op->u.shadow_op.op, d->id);
}

static long accept(struct domain *d, struct xen_domctl *op)
{
    (void)d, (void)op;
    return 0;
}

static const struct domctl_row rows[] = {
    [XEN_DOMCTL_destroydomain] = {abi_domctl_destroydomain, CONTROL_DYING},
    [XEN_DOMCTL_pausedomain] = {abi_domctl_pausedomain, 0},
    [XEN_DOMCTL_unpausedomain] = {abi_domctl_unpausedomain, 0},
    [XEN_DOMCTL_setvcpuaffinity] = {abi_domctl_setvcpuaffinity, CONTROL_REPLY},
    [XEN_DOMCTL_shadow_op] = {shadow_op, 0},
    [XEN_DOMCTL_max_mem] = {abi_domctl_max_mem, 0},
    [XEN_DOMCTL_setvcpucontext] = {abi_domctl_setvcpucontext, 0},
    [XEN_DOMCTL_getvcpucontext] = {abi_domctl_getvcpucontext, CONTROL_REPLY},
    [XEN_DOMCTL_getvcpuinfo] = {abi_domctl_getvcpuinfo, CONTROL_REPLY | CONTROL_DYING},
    [XEN_DOMCTL_max_vcpus] = {abi_domctl_max_vcpus, 0},
    [XEN_DOMCTL_scheduler_op] = {abi_domctl_scheduler_op, CONTROL_REPLY},
    [XEN_DOMCTL_gethvmcontext] = {abi_domctl_gethvmcontext, CONTROL_REPLY},
    [XEN_DOMCTL_sethvmcontext] = {abi_domctl_sethvmcontext, 0},
    [XEN_DOMCTL_gethvmcontext_partial] = {abi_domctl_gethvmcontext_partial, CONTROL_REPLY},
    [XEN_DOMCTL_get_paging_mempool_size] = {abi_domctl_get_paging_mempool_size, CONTROL_REPLY},
    [XEN_DOMCTL_set_paging_mempool_size] = {abi_domctl_set_paging_mempool_size, 0},
    [XEN_DOMCTL_setdomainhandle] = {abi_domctl_setdomainhandle, 0},
    [XEN_DOMCTL_settimeoffset] = {abi_domctl_settimeoffset, 0},
    [XEN_DOMCTL_getvcpuaffinity] = {abi_domctl_getvcpuaffinity, CONTROL_REPLY},
    [XEN_DOMCTL_resumedomain] = {abi_domctl_resumedomain, 0},
    [XEN_DOMCTL_sendtrigger] = {abi_domctl_sendtrigger, 0},
    [XEN_DOMCTL_set_address_size] = {abi_domctl_set_address_size, 0},
    [XEN_DOMCTL_get_address_size] = {abi_domctl_get_address_size, CONTROL_REPLY},
    [XEN_DOMCTL_set_ext_vcpucontext] = {abi_domctl_set_ext_vcpucontext, 0},
    [XEN_DOMCTL_get_ext_vcpucontext] = {abi_domctl_get_ext_vcpucontext, CONTROL_REPLY},
    [XEN_DOMCTL_set_target] = {accept, 0},
    [XEN_DOMCTL_gettscinfo] = {abi_domctl_gettscinfo, CONTROL_REPLY},
    [XEN_DOMCTL_settscinfo] = {abi_domctl_settscinfo, 0},
    [XEN_DOMCTL_getpageframeinfo3] = {abi_domctl_getpageframeinfo3, 0},
    [XEN_DOMCTL_setvcpuextstate] = {abi_domctl_setvcpuextstate, 0},
    [XEN_DOMCTL_getvcpuextstate] = {abi_domctl_getvcpuextstate, CONTROL_REPLY},
    [XEN_DOMCTL_setnodeaffinity] = {abi_domctl_setnodeaffinity, 0},
    [XEN_DOMCTL_getnodeaffinity] = {abi_domctl_getnodeaffinity, CONTROL_REPLY},
    [XEN_DOMCTL_get_vcpu_msrs] = {abi_domctl_get_vcpu_msrs, CONTROL_REPLY},
    [XEN_DOMCTL_set_vcpu_msrs] = {abi_domctl_set_vcpu_msrs, 0},
    [XEN_DOMCTL_get_cpu_policy] = {abi_domctl_get_cpu_policy, CONTROL_REPLY},
    [XEN_DOMCTL_set_cpu_policy] = {abi_domctl_set_cpu_policy, CONTROL_REPLY},
};

static long reply(u64 arg, const struct xen_domctl *op)
{
    return GUESTMEM_OUT((struct xen_domctl *)arg, op) ? 0 : -EFAULT;
}

/* Without a line: what the tools ask to learn that it is so. */
static bool expected_error(const struct xen_domctl *op)
{
    return op->cmd == XEN_DOMCTL_shadow_op && op->u.shadow_op.op == XEN_DOMCTL_SHADOW_OP_OFF;
}

static long for_domain(const struct domctl_row *row, struct xen_domctl *op, u64 arg)
{
    struct domain *d = domain_get(op->domain);
    long rc;

    if (d == NULL)
        return -ESRCH;
    if (d->state >= DOMAIN_DYING && !(row->flags & CONTROL_DYING)) {
        domain_put(d);
        return -ESRCH;
    }
    rc = row->fn(d, op);
    domain_put(d);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_domctl, arg, 0, 0, 0);
    if (rc == 0 && row->flags & CONTROL_REPLY)
        rc = reply(arg, op);
    return rc;
}

long abi_domctl(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct xen_domctl op;
    long rc;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return hypercall_refuse(-EFAULT, "domctl: no request can be read at %#lx", arg);
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return hypercall_refuse(-EACCES, "domctl: interface version %#x, not %#x",
                                op.interface_version, XEN_DOMCTL_INTERFACE_VERSION);
    if (op.cmd == XEN_DOMCTL_createdomain || op.cmd == XEN_DOMCTL_getdomaininfo) {
        rc = op.cmd == XEN_DOMCTL_createdomain ? abi_domctl_createdomain(&op) : getdomaininfo(&op);
        return rc == 0 ? reply(arg, &op) : rc;
    }
    if (op.cmd >= ARRAY_SIZE(rows) || rows[op.cmd].fn == NULL)
        return hypercall_refuse(-ENOSYS, "domctl: %u for d%u is not offered", op.cmd, op.domain);
    hypercall_reason_forget();
    rc = for_domain(&rows[op.cmd], &op, arg);
    return rc < 0 && !expected_error(&op) ? hypercall_refuse_rest(rc, "domctl", op.cmd, op.domain)
                                          : rc;
}
