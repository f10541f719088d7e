/* SPDX-License-Identifier: MIT */
/*
 * domctl: how much a domain may have (public header domctl.h, XEN_DOMCTL_scheduler_op).
 *
 * There is one scheduler with the settings of three of Xen's: weight and cap as credit2 and credit
 * have them, and RTDS's budget in a period as a reservation. All are answered whatever the domain's
 * CPU pool is called, so that xl sched-rtds can reserve for a guest whose weight xl sched-credit2
 * sets.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/sched_pool.h"

#define NO_VALUE 0x10000u /* of a 16-bit setting */

/* What RTDS gives a vCPU for which nothing was set; the tools read it, and set it for new guests
 * of a pool that is called RTDS. */
#define RTDS_PERIOD_US 10000u
#define RTDS_BUDGET_US 4000u

static long set_share(struct domain *d, u16 weight, u16 cap)
{
    struct reason why = {""};
    int rc = sched_set_params(d, weight, cap, &why);

    if (rc != 0)
        return hypercall_refuse(rc, "domctl: scheduler_op: d%u: %s", d->id, why.text);
    return 0;
}

/* cap_kept: the value that stands for no change. */
static long credit_op(struct domain *d, struct xen_domctl_scheduler_op *s, u16 *weight, u16 *cap,
                      u32 cap_kept)
{
    u16 old_weight, old_cap;
    long rc = 0;

    sched_get_params(d, &old_weight, &old_cap);
    if (s->cmd == XEN_DOMCTL_SCHEDOP_putinfo)
        rc = set_share(d, *weight, *cap == cap_kept ? old_cap : *cap);
    else if (s->cmd != XEN_DOMCTL_SCHEDOP_getinfo)
        return -EINVAL; /* no settings per vCPU */
    sched_get_params(d, weight, cap);
    return rc;
}

/* Copies the caller's list into the plan, or what is in force into the list. */
static long rtds_vcpu(struct domain *d, struct xen_domctl_scheduler_op *s, u32 i, bool put,
                      struct sched_reserve *plan)
{
    struct xen_domctl_schedparam_vcpu one;
    struct sched_reserve r;
    const struct vcpu *v;

    if (!GUESTMEM_IN(&one, s->u.v.vcpus.p + i))
        return -EFAULT;
    v = domain_vcpu(d, one.vcpuid);
    if (v == NULL)
        return -EINVAL;
    if (put) {
        if (one.u.rtds.period == 0 || one.u.rtds.budget == 0)
            return hypercall_refuse(-EINVAL, "domctl: scheduler_op: d%uv%u: %u of %u us", d->id,
                                    one.vcpuid, one.u.rtds.budget, one.u.rtds.period);
        plan[one.vcpuid] = (struct sched_reserve){true, one.u.rtds.flags & XEN_DOMCTL_SCHEDRT_extra,
                                                  one.u.rtds.period, one.u.rtds.budget};
        return 0;
    }
    sched_reserved(v, &r);
    one.u.rtds.period = r.period_us ? r.period_us : RTDS_PERIOD_US;
    one.u.rtds.budget = r.budget_us;
    one.u.rtds.flags = r.extra ? XEN_DOMCTL_SCHEDRT_extra : 0;
    return GUESTMEM_OUT(s->u.v.vcpus.p + i, &one) ? 0 : -EFAULT;
}

static long rtds_reserve(struct domain *d, const struct sched_reserve *plan)
{
    struct reason why = {""};
    int rc = sched_reserve(d, plan, &why);

    if (rc != 0)
        return hypercall_refuse(rc, "domctl: scheduler_op: %s", why.text);
    return 0;
}

static long rtds_all(struct domain *d, const struct xen_domctl_sched_rtds *rtds,
                     struct sched_reserve *plan)
{
    u32 i;

    if (rtds->period == 0 || rtds->budget == 0)
        return -EINVAL;
    for (i = 0; i < d->max_vcpus; i++)
        plan[i] = (struct sched_reserve){true, rtds->flags & XEN_DOMCTL_SCHEDRT_extra, rtds->period,
                                         rtds->budget};
    return rtds_reserve(d, plan);
}

static long rtds_op(struct domain *d, struct xen_domctl_scheduler_op *s, struct sched_reserve *plan)
{
    bool put = s->cmd == XEN_DOMCTL_SCHEDOP_putvcpuinfo;
    long rc = 0;
    u32 i;

    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.rtds.period = RTDS_PERIOD_US;
        s->u.rtds.budget = RTDS_BUDGET_US;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return rtds_all(d, &s->u.rtds, plan);
    case XEN_DOMCTL_SCHEDOP_putvcpuinfo:
    case XEN_DOMCTL_SCHEDOP_getvcpuinfo:
        if (s->u.v.nr_vcpus > d->max_vcpus)
            return -EINVAL;
        for (i = 0; i < s->u.v.nr_vcpus && rc == 0; i++)
            rc = rtds_vcpu(d, s, i, put, plan);
        return put && rc == 0 ? rtds_reserve(d, plan) : rc;
    default:
        return -EINVAL;
    }
}

long abi_domctl_scheduler_op(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
    size_t size = d->max_vcpus * sizeof(struct sched_reserve);
    struct sched_reserve *plan;
    long rc;

    switch (s->sched_id) {
    case XEN_SCHEDULER_CREDIT2:
        return credit_op(d, s, &s->u.credit2.weight, &s->u.credit2.cap, NO_VALUE);
    case XEN_SCHEDULER_CREDIT:
        return credit_op(d, s, &s->u.credit.weight, &s->u.credit.cap, 0xffff);
    case XEN_SCHEDULER_RTDS:
        plan = page_zalloc(size);
        if (plan == NULL)
            return -ENOMEM;
        rc = rtds_op(d, s, plan);
        page_zfree(plan, size);
        return rc;
    default:
        return hypercall_refuse(-EINVAL, "domctl: scheduler_op: scheduler %u is not offered",
                                s->sched_id);
    }
}
