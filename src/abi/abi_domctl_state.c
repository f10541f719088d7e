/* SPDX-License-Identifier: MIT */
/*
 * domctl for what a saved vCPU has beside its vcpu_guest_context: entries for 32-bit system calls,
 * and the extended processor state (public header domctl.h). There are no MSRs to save: those of a
 * PV vCPU are in its context.
 *
 * The extended state is XCR0, all bits XCR0 ever had, and the XSAVE image. What the processor would
 * refuse to load is refused here.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"

struct extstate_head {
    u64 xcr0, xcr0_accum;
};

static struct vcpu *vcpu_of(const struct domain *d, u32 id)
{
    return id < d->max_vcpus && d != vcpu_current()->domain ? d->vcpu[id] : NULL;
}

static long ext_context(struct domain *d, struct xen_domctl *op, bool set)
{
    struct vcpu *v = vcpu_of(d, op->u.ext_vcpucontext.vcpu);
    long rc;

    if (v == NULL)
        return -ESRCH;
    domain_pause(d);
    rc = d->kind->ext_context(v, &op->u.ext_vcpucontext, set);
    domain_unpause(d);
    return rc;
}

long abi_domctl_set_ext_vcpucontext(struct domain *d, struct xen_domctl *op)
{
    return ext_context(d, op, true);
}

long abi_domctl_get_ext_vcpucontext(struct domain *d, struct xen_domctl *op)
{
    return ext_context(d, op, false);
}

static u32 extstate_size(void)
{
    return cpu_features.xsave ? (u32)sizeof(struct extstate_head) + fpu_area_size() : 0;
}

long abi_domctl_getvcpuextstate(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuextstate *x = &op->u.vcpuextstate;
    struct vcpu *v = vcpu_of(d, x->vcpu);
    u64 size = x->size;
    struct extstate_head head;
    void *image;
    bool ok;

    if (v == NULL)
        return -ESRCH;
    x->size = extstate_size();
    x->xfeature_mask = cpu_features.xsave ? cpu_features.xcr0_mask : 0;
    if (size == 0 || x->size == 0)
        return 0;
    if (size != x->size)
        return -EINVAL;
    image = page_zalloc(fpu_area_size());
    if (image == NULL)
        return -ENOMEM;
    domain_pause(d);
    head = (struct extstate_head){v->fpu.xcr0, v->fpu.xcr0_accum};
    fpu_get_image(&v->fpu, image);
    domain_unpause(d);
    ok = guestmem_copy_out(x->buffer.p, &head, sizeof(head)) &&
         guestmem_copy_out(x->buffer.p + sizeof(head), image, fpu_area_size());
    page_zfree(image, fpu_area_size());
    return ok ? 0 : -EFAULT;
}

static long extstate_load(struct vcpu *v, const struct extstate_head *head, const void *image,
                          size_t n)
{
    bool ok;

    domain_pause(v->domain);
    ok = fpu_set_image(&v->fpu, head->xcr0, head->xcr0_accum, image, n);
    domain_unpause(v->domain);
    return ok ? 0
              : hypercall_refuse(-EINVAL, "domctl: setvcpuextstate: d%uv%u, XCR0 %#lx of %#lx",
                                 v->domain->id, v->id, head->xcr0, head->xcr0_accum);
}

long abi_domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *x = &op->u.vcpuextstate;
    struct vcpu *v = vcpu_of(d, x->vcpu);
    struct extstate_head head;
    void *image;
    long rc = -EFAULT;

    if (v == NULL)
        return -ESRCH;
    if (x->size <= sizeof(head) || x->size > extstate_size())
        return hypercall_refuse(-EINVAL, "domctl: setvcpuextstate: %lu bytes, not %u",
                                (unsigned long)x->size, extstate_size());
    image = page_zalloc(fpu_area_size());
    if (image == NULL)
        return -ENOMEM;
    if (GUESTMEM_IN(&head, x->buffer.p) &&
        guestmem_copy_in(image, x->buffer.p + sizeof(head), x->size - sizeof(head)))
        rc = extstate_load(v, &head, image, x->size - sizeof(head));
    page_zfree(image, fpu_area_size());
    return rc;
}

long abi_domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    if (vcpu_of(d, op->u.vcpu_msrs.vcpu) == NULL)
        return -EINVAL;
    op->u.vcpu_msrs.msr_count = 0;
    return 0;
}

long abi_domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    if (vcpu_of(d, op->u.vcpu_msrs.vcpu) == NULL)
        return -EINVAL;
    return op->u.vcpu_msrs.msr_count == 0
               ? 0
               : hypercall_refuse(-EINVAL, "domctl: set_vcpu_msrs: %u entries for d%uv%u",
                                  op->u.vcpu_msrs.msr_count, d->id, op->u.vcpu_msrs.vcpu);
}
