/* SPDX-License-Identifier: MIT */
/*
 * sysctl: CPU pools, and what can be set for the scheduler of one (public header sysctl.h). Errors
 * are those of Xen's pools: the tools tell cases apart by them.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/sched_pool.h"

STATIC_ASSERT(XEN_SYSCTL_CPUPOOL_PAR_ANY == SCHED_POOL_ANY, "passed on as it is");

/* The first pool from the number given on: the tools count up until there is none. */
static long pool_info(struct xen_sysctl_cpupool_op *p)
{
    struct sched_pool_info info;
    int rc = sched_pool_next(p->cpupool_id, &info);

    if (rc != 0)
        return rc;
    p->cpupool_id = info.id;
    p->sched_id = info.sched_id;
    p->n_dom = info.domains;
    return abi_control_put_bitmap(&p->cpumap, info.cpus);
}

static long pool_create(struct xen_sysctl_cpupool_op *p)
{
    int rc = sched_pool_create(&p->cpupool_id, p->sched_id);

    if (rc != 0)
        return hypercall_refuse(rc, "sysctl: cpupool_op: create pool %u with scheduler %u: %s",
                                p->cpupool_id, p->sched_id,
                                rc == -ENOENT   ? "no such scheduler"
                                : rc == -EEXIST ? "exists"
                                                : "too many pools");
    return 0;
}

static long pool_remove_cpu(const struct xen_sysctl_cpupool_op *p)
{
    struct reason why = {""};
    int rc = sched_pool_remove_cpu(p->cpupool_id, p->cpu, &why);

    if (rc != 0)
        return hypercall_refuse(rc, "sysctl: cpupool_op: remove CPU: %s", why.text);
    return 0;
}

static long pool_move(const struct xen_sysctl_cpupool_op *p)
{
    struct reason why = {""};
    struct domain *d;
    int rc;

    if (p->domid >= DOMID_FIRST_RESERVED)
        return p->domid == DOMID_SELF ? -EPERM : -ESRCH;
    d = domain_get((domid_t)p->domid);
    if (d == NULL)
        return -ESRCH;
    rc = d == vcpu_current()->domain ? reason_set(&why, -EPERM, "of the caller")
                                     : sched_pool_move(d, p->cpupool_id, &why);
    domain_put(d);
    if (rc != 0)
        return hypercall_refuse(rc, "sysctl: cpupool_op: move d%u: %s", p->domid, why.text);
    return 0;
}

long abi_sysctl_cpupool_op(struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *p = &op->u.cpupool_op;
    int rc;

    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(p);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return abi_control_put_bitmap(&p->cpumap, sched_pool_free());
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return pool_move(p);
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return pool_create(p);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        rc = sched_pool_destroy(p->cpupool_id);
        if (rc == -EBUSY)
            return hypercall_refuse(rc, "sysctl: cpupool_op: pool %u has CPUs or domains",
                                    p->cpupool_id);
        return rc;
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        rc = sched_pool_add_cpu(p->cpupool_id, p->cpu);
        if (rc == -ENODEV)
            return hypercall_refuse(rc, "sysctl: cpupool_op: CPU %u is not free", p->cpu);
        return rc;
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_remove_cpu(p);
    default:
        return -ENOSYS;
    }
}

static bool ratelimit_bad(u32 us)
{
    return us != 0 && (us > XEN_SYSCTL_SCHED_RATELIMIT_MAX || us < XEN_SYSCTL_SCHED_RATELIMIT_MIN);
}

/* The time slice and the time a vCPU stays hot are built in: only their values can be set. */
static bool credit_bad(const struct xen_sysctl_credit_schedule *c)
{
    return c->tslice_ms != CREDIT_SLICE_MAX / 1000000 ||
           c->vcpu_migr_delay_us != CREDIT_HOT / 1000 || ratelimit_bad(c->ratelimit_us);
}

long abi_sysctl_scheduler_op(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;
    struct xen_sysctl_credit_schedule *c = &s->u.sched_credit;
    bool put = s->cmd == XEN_SYSCTL_SCHEDOP_putinfo, credit = s->sched_id == XEN_SCHEDULER_CREDIT;
    u32 us = SCHED_POOL_ANY;
    int rc;

    if (s->cmd != XEN_SYSCTL_SCHEDOP_putinfo && s->cmd != XEN_SYSCTL_SCHEDOP_getinfo)
        return -EINVAL;
    if (s->sched_id == XEN_SCHEDULER_RTDS)
        return sched_pool_ratelimit(s->cpupool_id, &us); /* nothing to set */
    if (!credit && s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (put && (credit ? credit_bad(c) : ratelimit_bad(s->u.sched_credit2.ratelimit_us)))
        return hypercall_refuse(-EINVAL, "sysctl: scheduler_op: rate limit out of range, or a "
                                         "change of the time slice or migration delay");
    if (put)
        us = credit ? c->ratelimit_us : s->u.sched_credit2.ratelimit_us;
    rc = sched_pool_ratelimit(s->cpupool_id, &us);
    if (rc != 0)
        return rc;
    if (credit)
        *c = (struct xen_sysctl_credit_schedule){CREDIT_SLICE_MAX / 1000000, us, CREDIT_HOT / 1000};
    else
        s->u.sched_credit2.ratelimit_us = us;
    return 0;
}
