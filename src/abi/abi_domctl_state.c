/* SPDX-License-Identifier: MIT */
/*
 * domctl for what a saved vCPU has beside its vcpu_guest_context: entries for 32-bit system calls,
 * the extended processor state, and TSC_AUX, the one MSR of a PV vCPU that its context does not
 * have (public header domctl.h).
 *
 * The extended state is XCR0, all bits XCR0 ever had, and the XSAVE image. What the processor would
 * refuse to load is refused here.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"

#define MSR_TSC_AUX 0xc0000103 /* SDM vol. 4 */

struct extstate_head {
    u64 xcr0, xcr0_accum;
};

static struct vcpu *vcpu_of(const struct domain *d, u32 id)
{
    return d != vcpu_current()->domain ? domain_vcpu(d, id) : NULL;
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
    struct extstate_head *image;
    u64 size = x->size;
    bool ok;

    if (v == NULL)
        return -ESRCH;
    x->size = extstate_size();
    x->xfeature_mask = cpu_features.xsave ? cpu_features.xcr0_mask : 0;
    if (size == 0 || x->size == 0)
        return 0;
    if (size != x->size)
        return -EINVAL;
    image = page_zalloc(size);
    if (image == NULL)
        return -ENOMEM;
    domain_pause(d);
    *image = (struct extstate_head){v->fpu.xcr0, v->fpu.xcr0_accum};
    fpu_get_image(&v->fpu, image + 1);
    domain_unpause(d);
    ok = guestmem_copy_out(x->buffer.p, image, size);
    page_zfree(image, size);
    return ok ? 0 : -EFAULT;
}

static long extstate_load(struct vcpu *v, const struct extstate_head *head, size_t n)
{
    bool ok;

    domain_pause(v->domain);
    ok = fpu_set_image(&v->fpu, head->xcr0, head->xcr0_accum, head + 1, n);
    domain_unpause(v->domain);
    return ok ? 0
              : hypercall_refuse(-EINVAL, "domctl: setvcpuextstate: d%uv%u, XCR0 %#lx of %#lx",
                                 v->domain->id, v->id, head->xcr0, head->xcr0_accum);
}

long abi_domctl_setvcpuextstate(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *x = &op->u.vcpuextstate;
    struct vcpu *v = vcpu_of(d, x->vcpu);
    struct extstate_head *image;
    long rc = -EFAULT;

    if (v == NULL)
        return -ESRCH;
    if (x->size <= sizeof(*image) || x->size > extstate_size())
        return hypercall_refuse(-EINVAL, "domctl: setvcpuextstate: %lu bytes, not %u",
                                (unsigned long)x->size, extstate_size());
    image = page_zalloc(x->size);
    if (image == NULL)
        return -ENOMEM;
    if (guestmem_copy_in(image, x->buffer.p, x->size))
        rc = extstate_load(v, image, x->size - sizeof(*image));
    page_zfree(image, x->size);
    return rc;
}

long abi_domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
    const struct vcpu *v = vcpu_of(d, m->vcpu);
    struct xen_domctl_vcpu_msr e = {.index = MSR_TSC_AUX};
    u32 room = m->msr_count;

    if (v == NULL || d->pv == NULL)
        return v == NULL ? -ESRCH : -EINVAL;
    e.value = READ_ONCE(v->tsc_aux);
    m->msr_count = m->msrs.p == NULL || e.value != 0;
    if (m->msrs.p == NULL || m->msr_count == 0)
        return 0;
    if (room == 0)
        return -ENOBUFS;
    return GUESTMEM_OUT(m->msrs.p, &e) ? 0 : -EFAULT;
}

long abi_domctl_set_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
    struct vcpu *v = vcpu_of(d, m->vcpu);
    struct xen_domctl_vcpu_msr e;

    if (v == NULL || d->pv == NULL)
        return v == NULL ? -ESRCH : -EINVAL;
    if (m->msr_count == 0)
        return 0;
    if (!GUESTMEM_IN(&e, m->msrs.p))
        return -EFAULT;
    if (m->msr_count != 1 || e.index != MSR_TSC_AUX || e.reserved != 0 || e.value >> 32 ||
        !cpu_features.rdtscp)
        return hypercall_refuse(-EINVAL, "domctl: set_vcpu_msrs: %u entries, MSR %#x, %#lx",
                                m->msr_count, e.index, (unsigned long)e.value);
    domain_pause(d); /* it is loaded when the vCPU runs again */
    v->tsc_aux = e.value;
    domain_unpause(d);
    return 0;
}
