/* SPDX-License-Identifier: MIT */
/*
 * hvm_op: settings of hardware-assisted guests (public headers hvm/hvm_op.h, hvm/params.h). The
 * tools set parameters, the guest reads where its console and store are and says how it wants its
 * upcalls. Each parameter has a row that says who may touch it; those that are not listed are not
 * there.
 */
#include "abi/abi.h"
#include "core/guestmem.h"
#include "hvm/hvm.h"

#define GUEST_READS  (1u << 0)
#define GUEST_WRITES (1u << 1)
#define TOOLS        (1u << 2) /* read and write */
#define ONCE         (1u << 3) /* not changed once it is not 0 */
#define TOOLS_READ   (1u << 4) /* always 0: what saving a guest asks for */

static const u8 params[HVM_NR_PARAMS] = {
    [HVM_PARAM_CALLBACK_IRQ] = GUEST_READS | GUEST_WRITES | TOOLS,
    [HVM_PARAM_STORE_PFN] = GUEST_READS | TOOLS | ONCE,
    [HVM_PARAM_STORE_EVTCHN] = GUEST_READS | TOOLS | ONCE,
    [HVM_PARAM_PAE_ENABLED] = TOOLS,
    [HVM_PARAM_IOREQ_PFN] = TOOLS,
    [HVM_PARAM_BUFIOREQ_PFN] = TOOLS,
    [HVM_PARAM_VIRIDIAN] = TOOLS_READ,
    [HVM_PARAM_TIMER_MODE] = TOOLS,
    [HVM_PARAM_IDENT_PT] = TOOLS,
    [HVM_PARAM_ACPI_S_STATE] = TOOLS_READ,
    [HVM_PARAM_VM86_TSS] = GUEST_READS | GUEST_WRITES | TOOLS,
    [HVM_PARAM_CONSOLE_PFN] = GUEST_READS | TOOLS | ONCE,
    [HVM_PARAM_CONSOLE_EVTCHN] = GUEST_READS | TOOLS | ONCE,
    [HVM_PARAM_ACPI_IOPORTS_LOCATION] = GUEST_READS | TOOLS_READ,
    [HVM_PARAM_PAGING_RING_PFN] = TOOLS,
    [HVM_PARAM_MONITOR_RING_PFN] = TOOLS,
    [HVM_PARAM_SHARING_RING_PFN] = TOOLS,
    [HVM_PARAM_TRIPLE_FAULT_REASON] = TOOLS,
    [HVM_PARAM_IOREQ_SERVER_PFN] = TOOLS_READ,
    [HVM_PARAM_NR_IOREQ_SERVER_PAGES] = TOOLS_READ,
    [HVM_PARAM_VM_GENERATION_ID_ADDR] = GUEST_READS | TOOLS_READ,
    [HVM_PARAM_ALTP2M] = GUEST_READS | TOOLS,
    [HVM_PARAM_X87_FIP_WIDTH] = TOOLS,
    [HVM_PARAM_VM86_TSS_SIZED] = GUEST_READS | GUEST_WRITES | TOOLS,
    [HVM_PARAM_MCA_CAP] = TOOLS,
};

static long set_checked(struct domain *d, u32 index, u64 val)
{
    const u64 *now = &d->hvm->params[index];

    if (params[index] & ONCE && *now != 0 && *now != val)
        return -EEXIST;
    if ((index == HVM_PARAM_ALTP2M && val != 0) ||
        (index == HVM_PARAM_TRIPLE_FAULT_REASON && val > SHUTDOWN_MAX) ||
        (index == HVM_PARAM_TIMER_MODE && val > 3))
        return -EINVAL;
    return hvm_param_set(d, index, val);
}

static long param(u64 arg, bool set)
{
    bool privileged = vcpu_current()->domain->privileged;
    u8 need = privileged ? (set ? TOOLS : TOOLS | TOOLS_READ) : set ? GUEST_WRITES : GUEST_READS;
    struct xen_hvm_param p;
    struct domain *d;
    long rc;

    if (!GUESTMEM_IN(&p, (const void *)arg))
        return -EFAULT;
    if (p.index >= HVM_NR_PARAMS)
        return -EINVAL;
    rc = abi_target_domain(p.domid, &d);
    if (rc != 0)
        return rc;
    if (d->hvm == NULL)
        rc = -EINVAL;
    else if (!(params[p.index] & need))
        rc = params[p.index] == 0 ? -EINVAL : -EPERM;
    else if (set)
        rc = set_checked(d, p.index, p.value);
    else
        p.value = d->hvm->params[p.index];
    if (rc != 0)
        hypercall_refuse(rc, "hvm_op: %s param %u of d%u, value %#lx", set ? "set" : "get", p.index,
                         d->id, p.value);
    domain_put(d);
    if (rc == 0 && !set && !GUESTMEM_OUT((void *)arg, &p))
        rc = -EFAULT;
    return rc;
}

static long set_upcall_vector(u64 arg)
{
    struct domain *d = vcpu_current()->domain;
    struct xen_hvm_evtchn_upcall_vector u;
    struct vcpu *v;

    if (!GUESTMEM_IN(&u, (const void *)arg))
        return -EFAULT;
    if (d->hvm == NULL || u.vector < 16)
        return -EINVAL;
    v = domain_vcpu(d, u.vcpu);
    if (v == NULL)
        return -ENOENT;
    WRITE_ONCE(v->hvm->upcall_vector, u.vector);
    hvm_intr_poke(v);
    return 0;
}

long abi_hvm_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    switch (cmd) {
    case HVMOP_set_param:
        return param(arg, true);
    case HVMOP_get_param:
        return param(arg, false);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(arg);
    case HVMOP_pagetable_dying: /* for shadow paging; a guest that asks goes without */
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}
