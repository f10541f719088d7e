/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op: one small function per sub-operation (public header event_channel.h): copy in,
 * find the domain, act, copy out. The FIFO ABI is not offered; Linux falls back to two levels.
 */
#include "abi/abi.h"
#include "core/event.h"
#include "core/guestmem.h"
#include "core/hypercall.h"

/* The results of these are written back whole; the effect stands when that fails. */
static long reply(u64 arg, const void *s, size_t n, int rc)
{
    if (rc != 0)
        return rc;
    return guestmem_copy_out((void *)arg, s, n) ? 0 : -EFAULT;
}

static long op_alloc_unbound(u64 arg)
{
    struct evtchn_alloc_unbound a;
    struct domain *d;
    int rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(a.dom, &d);
    if (rc != 0)
        return rc;
    rc = event_alloc_unbound(
        d, a.remote_dom == DOMID_SELF ? vcpu_current()->domain->id : a.remote_dom, &a.port);
    domain_put(d);
    return reply(arg, &a, sizeof(a), rc);
}

static long op_bind_interdomain(u64 arg)
{
    struct evtchn_bind_interdomain a;
    struct domain *d = vcpu_current()->domain, *remote;
    int rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    remote = domain_get(a.remote_dom == DOMID_SELF ? d->id : a.remote_dom);
    if (remote == NULL)
        return -ESRCH;
    rc = event_bind_interdomain(d, remote, a.remote_port, &a.local_port);
    domain_put(remote);
    return reply(arg, &a, sizeof(a), rc);
}

static long op_bind_virq(u64 arg)
{
    struct evtchn_bind_virq a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return reply(arg, &a, sizeof(a),
                 event_bind_virq(vcpu_current()->domain, a.virq, a.vcpu, &a.port));
}

static long op_bind_ipi(u64 arg)
{
    struct evtchn_bind_ipi a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return reply(arg, &a, sizeof(a), event_bind_ipi(vcpu_current()->domain, a.vcpu, &a.port));
}

static long op_bind_pirq(u64 arg)
{
    struct evtchn_bind_pirq a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return reply(arg, &a, sizeof(a), event_bind_pirq(vcpu_current()->domain, a.pirq, &a.port));
}

static long op_close(u64 arg)
{
    struct evtchn_close a;

    return GUESTMEM_IN(&a, (const void *)arg) ? event_close(vcpu_current()->domain, a.port)
                                              : -EFAULT;
}

static long op_send(u64 arg)
{
    struct evtchn_send a;

    return GUESTMEM_IN(&a, (const void *)arg) ? event_send(vcpu_current()->domain, a.port)
                                              : -EFAULT;
}

static long op_unmask(u64 arg)
{
    struct evtchn_unmask a;

    return GUESTMEM_IN(&a, (const void *)arg) ? event_unmask(vcpu_current()->domain, a.port)
                                              : -EFAULT;
}

static long op_bind_vcpu(u64 arg)
{
    struct evtchn_bind_vcpu a;

    return GUESTMEM_IN(&a, (const void *)arg)
               ? event_bind_vcpu(vcpu_current()->domain, a.port, a.vcpu)
               : -EFAULT;
}

static void fill_status(struct evtchn_status *a, evtchn_word_t w)
{
    a->vcpu = evtchn_vcpu(w);
    switch (evtchn_state(w)) {
    case EVTCHN_UNBOUND:
        a->status = EVTCHNSTAT_unbound;
        a->u.unbound.dom = evtchn_dom(w);
        break;
    case EVTCHN_INTERDOMAIN:
        a->status = EVTCHNSTAT_interdomain;
        a->u.interdomain.dom = evtchn_dom(w);
        a->u.interdomain.port = evtchn_arg(w);
        break;
    case EVTCHN_PIRQ:
        a->status = EVTCHNSTAT_pirq;
        a->u.pirq = evtchn_arg(w);
        break;
    case EVTCHN_VIRQ:
        a->status = EVTCHNSTAT_virq;
        a->u.virq = evtchn_arg(w);
        break;
    case EVTCHN_IPI:
        a->status = EVTCHNSTAT_ipi;
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    default:
        a->status = EVTCHNSTAT_closed;
        break;
    }
}

static long op_status(u64 arg)
{
    struct evtchn_status a;
    struct domain *d;
    evtchn_word_t w;
    int rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(a.dom, &d);
    if (rc != 0)
        return rc;
    rc = event_port_word(d, a.port, &w);
    domain_put(d);
    if (rc == 0)
        fill_status(&a, w);
    return reply(arg, &a, sizeof(a), rc);
}

static long op_reset(u64 arg)
{
    struct evtchn_reset a;
    struct domain *d;
    u32 port = 1;
    int rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    rc = abi_target_domain(a.dom, &d);
    if (rc != 0)
        return rc;
    while (event_close_next(d, &port)) {
        if (hypercall_preempt()) {
            domain_put(d);
            return hypercall_continue(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, arg, 0, 0);
        }
    }
    domain_put(d);
    return 0;
}

long abi_event_channel_op(u64 cmd, u64 arg)
{
    static long (*const ops[])(u64 arg) = {
        [EVTCHNOP_bind_interdomain] = op_bind_interdomain,
        [EVTCHNOP_bind_virq] = op_bind_virq,
        [EVTCHNOP_bind_pirq] = op_bind_pirq,
        [EVTCHNOP_close] = op_close,
        [EVTCHNOP_send] = op_send,
        [EVTCHNOP_status] = op_status,
        [EVTCHNOP_alloc_unbound] = op_alloc_unbound,
        [EVTCHNOP_bind_ipi] = op_bind_ipi,
        [EVTCHNOP_bind_vcpu] = op_bind_vcpu,
        [EVTCHNOP_unmask] = op_unmask,
        [EVTCHNOP_reset] = op_reset,
    };
    long rc;

    cmd = (u32)cmd;
    /* Kernels ask for the FIFO at every start, and do without. */
    if (cmd >= EVTCHNOP_init_control && cmd <= EVTCHNOP_set_priority)
        return -ENOSYS;
    if (cmd >= ARRAY_SIZE(ops) || ops[cmd] == NULL)
        return hypercall_refuse(-ENOSYS, "event_channel_op %lu: there is none", (unsigned long)cmd);
    hypercall_reason_forget();
    rc = ops[cmd](arg);
    /* Tools look for the end of a table by -EINVAL from status: no news. */
    if (rc < 0 && cmd != EVTCHNOP_status)
        return hypercall_refuse_rest(rc, "event_channel_op", (u64)cmd, vcpu_current()->domain->id);
    return rc;
}
