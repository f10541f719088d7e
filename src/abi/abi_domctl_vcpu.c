/* SPDX-License-Identifier: MIT */
/*
 * domctl for the vCPUs of a domain: where they run and what they start with (public header
 * domctl.h).
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "core/sched.h"

long abi_domctl_setvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    u64 cpus = abi_control_cpus();
    struct cpu_mask hard, soft;
    struct reason why = {""};
    int rc = 0;

    if (v == NULL)
        return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    sched_get_affinity(v, &hard, &soft);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = abi_control_get_bitmap(&a->cpumap_hard, &hard.bits);
    if (rc == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = abi_control_get_bitmap(&a->cpumap_soft, &soft.bits);
    if (rc == 0)
        rc = sched_set_affinity(v, hard, soft, a->flags & XEN_VCPUAFFINITY_FORCE, &why);
    if (rc != 0)
        return hypercall_refuse(rc, "domctl: setvcpuaffinity: d%uv%u on CPUs %#lx: %s", d->id,
                                v->id, hard.bits, why.text);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = abi_control_put_bitmap(&a->cpumap_hard, hard.bits & cpus);
    if (rc == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = abi_control_put_bitmap(&a->cpumap_soft, soft.bits & hard.bits & cpus);
    return rc;
}

long abi_domctl_getvcpuaffinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    const struct vcpu *v = domain_vcpu(d, a->vcpu);
    struct cpu_mask hard, soft;
    int rc = 0;

    if (v == NULL)
        return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    sched_get_affinity(v, &hard, &soft);
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = abi_control_put_bitmap(&a->cpumap_hard, hard.bits);
    if (rc == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = abi_control_put_bitmap(&a->cpumap_soft, soft.bits);
    return rc;
}

/* The domain is paused: its vCPU does not run. The lock is for other callers of the same. */
static long context_step(struct vcpu *v, struct vcpu_guest_context *ctx)
{
    struct domain *d = v->domain;
    long rc;

    lock_acquire(&d->lock);
    /* The teardown does not come back for tables a vCPU gets later. */
    rc = d->state < DOMAIN_DYING ? d->kind->hypercall_context(v, ctx, true) : -ESRCH;
    lock_release(&d->lock);
    return rc;
}

static long context_set(struct vcpu *v, const void *guest)
{
    struct vcpu_guest_context *ctx = page_zalloc(sizeof(*ctx));
    long rc = -EFAULT;

    if (ctx == NULL)
        return -ENOMEM;
    if (guestmem_copy_in(ctx, guest, sizeof(*ctx))) {
        do
            rc = context_step(v, ctx);
        while (rc == -ERESTART && !hypercall_preempt());
        if (rc == 0 && ctx->flags & VGCF_online)
            vcpu_pause_clear(v, VPAUSE_DOWN);
        else if (rc == 0)
            vcpu_pause_set(v, VPAUSE_DOWN);
    }
    page_zfree(ctx, sizeof(*ctx));
    return rc;
}

long abi_domctl_setvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);
    long rc;

    if (v == NULL || d == vcpu_current()->domain)
        return -EINVAL;
    if (op->u.vcpucontext.ctxt.p == NULL)
        return hypercall_refuse(-EOPNOTSUPP, "domctl: setvcpucontext: reset of d%uv%u", d->id,
                                v->id);
    domain_pause(d);
    rc = context_set(v, op->u.vcpucontext.ctxt.p);
    domain_unpause(d);
    if (rc != 0 && rc != -ERESTART)
        return hypercall_refuse(rc, "domctl: setvcpucontext: d%uv%u: error %ld", d->id, v->id, -rc);
    return rc;
}

long abi_domctl_getvcpucontext(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domain_vcpu(d, op->u.vcpucontext.vcpu);
    struct vcpu_guest_context *ctx;
    long rc;

    if (v == NULL || d == vcpu_current()->domain)
        return -EINVAL;
    if (!v->initialised)
        return -ENODATA;
    ctx = page_zalloc(sizeof(*ctx));
    if (ctx == NULL)
        return -ENOMEM;
    domain_pause(d);
    lock_acquire(&d->lock);
    rc = d->kind->hypercall_context(v, ctx, false);
    lock_release(&d->lock);
    domain_unpause(d);
    if (rc == 0 && !guestmem_copy_out(op->u.vcpucontext.ctxt.p, ctx, sizeof(*ctx)))
        rc = -EFAULT;
    page_zfree(ctx, sizeof(*ctx));
    return rc;
}

long abi_domctl_getvcpuinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *i = &op->u.getvcpuinfo;
    const struct vcpu *v = domain_vcpu(d, i->vcpu);
    u32 pause;

    if (v == NULL)
        return i->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
    pause = READ_ONCE(v->pause);
    i->online = !(pause & VPAUSE_DOWN);
    i->blocked = !!(pause & VPAUSE_BLOCKED);
    i->running = READ_ONCE(v->running);
    i->cpu_time = sched_cpu_time(v);
    i->cpu = READ_ONCE(v->cpu);
    return 0;
}

/* There is one node; a set without it cannot be met. */
long abi_domctl_setnodeaffinity(struct domain *d, struct xen_domctl *op)
{
    u64 nodes;
    int rc = abi_control_get_bitmap(&op->u.nodeaffinity.nodemap, &nodes);

    (void)d;
    if (rc == 0 && !(nodes & 1))
        return -EINVAL;
    return rc;
}

long abi_domctl_getnodeaffinity(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    return abi_control_put_bitmap(&op->u.nodeaffinity.nodemap, 1);
}

long abi_domctl_sendtrigger(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domain_vcpu(d, op->u.sendtrigger.vcpu);

    if (v == NULL)
        return -ESRCH;
    switch (op->u.sendtrigger.trigger) {
    case XEN_DOMCTL_SENDTRIGGER_NMI:
        vcpu_defer(v, VDEFER_NMI);
        return 0;
    case XEN_DOMCTL_SENDTRIGGER_POWER:
    case XEN_DOMCTL_SENDTRIGGER_SLEEP:
        return hypercall_refuse(d->hvm != NULL ? -ENODEV : -EINVAL,
                                "domctl: sendtrigger: d%u has no such button", d->id);
    default:
        return -ENOSYS;
    }
}
