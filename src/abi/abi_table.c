/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls every kind of guest has, by number. A NULL row answers -ENOSYS: sub-systems that
 * do not exist here (xsm, kexec, tmem, argo, xenoprof, hypfs), calls of another
 * guest kind, and those of the tools that come later. The rows of PV guests are in pv/pv_table.c.
 */
#include "abi/abi.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/hypercall.h"

static long multicall(u64 list, u64 count, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    return hypercall_multicall(list, count);
}

static long event_channel_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    return abi_event_channel_op(cmd, arg);
}

/* No performance counters are virtualised; Linux takes this answer and goes on. */
static long xenpmu_op(u64 op, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)op, (void)arg, (void)a3, (void)a4, (void)a5, (void)a6;
    return -EOPNOTSUPP;
}

/* No security labels: the tools ask for one at each step, and go on. */
static long xsm_op(u64 op, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)op, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    return -ENOSYS;
}

const hypercall_fn abi_table_rows[HYPERCALL_COUNT] = {
    [__HYPERVISOR_platform_op] = abi_platform_op,
    [__HYPERVISOR_memory_op] = abi_memory_op,
    [__HYPERVISOR_multicall] = multicall,
    [__HYPERVISOR_set_timer_op] = abi_set_timer_op,
    [__HYPERVISOR_xen_version] = abi_xen_version,
    [__HYPERVISOR_console_io] = abi_console_io,
    [__HYPERVISOR_grant_table_op] = abi_grant_table_op,
    [__HYPERVISOR_vm_assist] = abi_vm_assist,
    [__HYPERVISOR_vcpu_op] = abi_vcpu_op,
    [__HYPERVISOR_sched_op] = abi_sched_op,
    [__HYPERVISOR_xsm_op] = xsm_op,
    [__HYPERVISOR_event_channel_op] = event_channel_op,
    [__HYPERVISOR_physdev_op] = abi_physdev_op,
    [__HYPERVISOR_hvm_op] = abi_hvm_op,
    [__HYPERVISOR_sysctl] = abi_sysctl,
    [__HYPERVISOR_domctl] = abi_domctl,
    [__HYPERVISOR_xenpmu_op] = xenpmu_op,
    [__HYPERVISOR_arch_0] = abi_mca,
};

int abi_target_domain(domid_t id, struct domain **out)
{
    struct domain *me = vcpu_current()->domain, *d;

    d = domain_get(id == DOMID_SELF ? me->id : id);
    if (!d)
        return -ESRCH;
    if (d != me && !me->privileged) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}
