/* SPDX-License-Identifier: MIT */
/*
 * domctl for the domain as a whole: create, configure, pause, destroy (public header domctl.h).
 * What cannot be had is refused with a line that says what and why.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "base/lib.h"
#include "core/grant.h"
#include "core/guestmem.h"
#include "core/host.h"
#include "core/page.h"
#include "core/vtime.h"
#include "hvm/hvm.h"
#include "pure/ptype.h"

STATIC_ASSERT(XEN_DOMCTL_PFINFO_NOTAB == 0, "frame_info");
/* Named in the reasons below. */
STATIC_ASSERT(MAX_VCPUS == 128 && GRANT_FRAMES_MAX == 64 && GRANT_MAPTRACK_MAX == 1024, "limits");

#define TSC_MODE_DEFAULT 0
#define TSC_MODE_NATIVE  2 /* public header arch-x86/cpuid.h: never emulated */

/* Of a hardware-assisted guest: nothing is emulated but the local APIC. */
static const char *hvm_check(const struct xen_domctl_createdomain *c)
{
    if (!hvm_offered())
        return "hardware-assisted guests are not offered by this machine";
    if (!(c->flags & XEN_DOMCTL_CDF_hap))
        return "shadow paging";
    if (c->arch.emulation_flags != XEN_X86_EMU_LAPIC)
        return "emulated devices beside the local APIC";
    return NULL;
}

/* The reason a configuration is refused, or NULL; *err is set then. */
static const char *create_check(const struct xen_domctl_createdomain *c, long *err)
{
    *err = -EINVAL;
    if (c->flags & ~(u32)(XEN_DOMCTL_CDF_MAX * 2 - 1))
        return "unknown flags";
    if (c->flags & (XEN_DOMCTL_CDF_iommu | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu))
        return "IOMMU, nested virtualization or performance counters are not offered";
    if (!(c->flags & XEN_DOMCTL_CDF_hvm) && c->flags & XEN_DOMCTL_CDF_hap)
        return "hardware-assisted paging of a PV guest";
    if (c->iommu_opts != 0 || c->vmtrace_size != 0)
        return "IOMMU options or a trace buffer";
    if (c->max_vcpus == 0 || c->max_vcpus > MAX_VCPUS)
        return "vCPUs, 1 to 128";
    if (!(c->flags & XEN_DOMCTL_CDF_hvm) && c->arch.emulation_flags != 0)
        return "devices emulated for a PV guest";
    if (XEN_DOMCTL_GRANT_version(c->grant_opts) < 1 || XEN_DOMCTL_GRANT_version(c->grant_opts) > 2)
        return "grant table version";
    /* Negative: the default, which is the most. */
    if (c->max_grant_frames == 0 || c->max_grant_frames > GRANT_FRAMES_MAX)
        return "grant frames, 1 to 64";
    if (c->max_maptrack_frames > GRANT_MAPTRACK_MAX)
        return "pages of grant handles, up to 1024";
    if (c->flags & XEN_DOMCTL_CDF_hvm && hvm_check(c) != NULL)
        return hvm_check(c);
    return NULL;
}

/* As grant_set_limits wants it. */
static u32 limit_of(s32 n)
{
    return n < 0 ? ~(u32)0 : (u32)n;
}

long abi_domctl_createdomain(struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    const struct guest_kind *kind =
        c->flags & XEN_DOMCTL_CDF_hvm ? &hvm_guest_kind : &pv_guest_kind;
    struct domain *d;
    const char *why;
    long rc;

    why = create_check(c, &rc);
    if (why != NULL)
        return hypercall_refuse(
            rc, "domctl: createdomain: %s (flags %#x, vCPUs %u, grant frames %d, handle pages %d)",
            why, c->flags, c->max_vcpus, c->max_grant_frames, c->max_maptrack_frames);
    if (op->domain == 0 || op->domain >= DOMID_FIRST_RESERVED) {
        rc = domain_create_any(kind, c->max_vcpus, c->cpupool_id, &d);
    } else {
        rc = domain_create(op->domain, kind, c->max_vcpus, c->cpupool_id, false, &d);
        if (rc == 0)
            d->tool_pauses = 1;
    }
    if (rc != 0)
        return hypercall_refuse(rc, "domctl: createdomain %u in CPU pool %u: error %ld", op->domain,
                                c->cpupool_id, -rc);
    grant_set_limits(d, limit_of(c->max_grant_frames), limit_of(c->max_maptrack_frames));
    memcpy(d->handle, c->handle, sizeof(d->handle));
    op->domain = d->id;
    domain_put(d);
    return 0;
}

long abi_domctl_destroydomain(struct domain *d, struct xen_domctl *op)
{
    long rc;

    (void)op;
    do
        rc = domain_destroy_step(d);
    while (rc == -ERESTART && !hypercall_preempt());
    return rc;
}

long abi_domctl_pausedomain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (d == vcpu_current()->domain)
        return -EINVAL;
    domain_tool_pause(d);
    return 0;
}

long abi_domctl_unpausedomain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return domain_tool_unpause(d);
}

long abi_domctl_resumedomain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (d == vcpu_current()->domain)
        return -EINVAL;
    (void)!domain_resume(d); /* one that runs goes on */
    return 0;
}

/* A maximum below what the domain has keeps it from getting more. */
long abi_domctl_max_mem(struct domain *d, struct xen_domctl *op)
{
    u64 pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    WRITE_ONCE(d->max_pages, MIN(pages, (u64)0xffffffff));
    return 0;
}

long abi_domctl_max_vcpus(struct domain *d, struct xen_domctl *op)
{
    u32 i, max = op->u.max_vcpus.max;
    int rc = 0;

    if (max != d->max_vcpus || d == vcpu_current()->domain)
        return hypercall_refuse(-EINVAL, "domctl: max_vcpus: %u, d%u was created for %u", max,
                                d->id, d->max_vcpus);
    for (i = 0; i < max && rc == 0; i++) {
        lock_acquire(&d->lock);
        if (d->vcpu[i] == NULL)
            rc = vcpu_create(d, i);
        lock_release(&d->lock);
    }
    if (rc != 0)
        return hypercall_refuse(rc, "domctl: max_vcpus: vCPU %u of d%u: error %d", i - 1, d->id,
                                -rc);
    return 0;
}

long abi_domctl_setdomainhandle(struct domain *d, struct xen_domctl *op)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

long abi_domctl_settimeoffset(struct domain *d, struct xen_domctl *op)
{
    d->time_offset = op->u.settimeoffset.time_offset_seconds;
    vtime_update_wallclock(d);
    return 0;
}

long abi_domctl_gettscinfo(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    memset(t, 0, sizeof(*t));
    t->tsc_mode = d->tsc_mode;
    t->incarnation = d->tsc_incarnation;
    t->gtsc_khz = host_tsc_khz();
    t->elapsed_nsec = host_now();
    return 0;
}

/* A guest reads the machine's TSC, whatever is asked for: modes that need more are refused. */
long abi_domctl_settscinfo(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_tsc_info *t = &op->u.tsc_info;

    if (t->tsc_mode > TSC_MODE_NATIVE)
        return hypercall_refuse(-EINVAL, "domctl: settscinfo: mode %u of d%u is unknown",
                                t->tsc_mode, d->id);
    if (t->tsc_mode != TSC_MODE_DEFAULT && t->tsc_mode != TSC_MODE_NATIVE)
        return hypercall_refuse(-EOPNOTSUPP, "domctl: settscinfo: mode %u of d%u is not offered",
                                t->tsc_mode, d->id);
    d->tsc_mode = t->tsc_mode;
    d->tsc_incarnation = t->incarnation;
    return 0;
}

long abi_domctl_set_address_size(struct domain *d, struct xen_domctl *op)
{
    if (op->u.address_size.size != 64)
        return hypercall_refuse(-EINVAL, "domctl: set_address_size: d%u with %u bits", d->id,
                                op->u.address_size.size);
    return 0;
}

long abi_domctl_get_address_size(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    op->u.address_size.size = 64;
    return 0;
}

/* What a saved frame, by the domain's own number if it is translated, must become again. */
static u64 frame_info(struct domain *d, u64 frame)
{
    struct page *pg = physmap_get_page(d, GFN(frame), false);
    u64 type, info;

    if (pg == NULL)
        return XEN_DOMCTL_PFINFO_XTAB;
    /* A level of 0, as all frames of a translated domain have it, is XEN_DOMCTL_PFINFO_NOTAB. */
    type = READ_ONCE(pg->type);
    info = (u64)(type & PTYPE_COUNT_MASK ? ptype_level(type) : 0) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
    if (type & PTYPE_PINNED)
        info |= XEN_DOMCTL_PFINFO_LPINTAB;
    ptype_put_page(pg);
    return info;
}

/* At most 1024 frames at once (ABI), short enough to be done in one go. */
long abi_domctl_getpageframeinfo3(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *g = &op->u.getpageframeinfo3;
    u64 i, entry;

    if (g->num > 1024 || d == vcpu_current()->domain)
        return -E2BIG;
    for (i = 0; i < g->num; i++) {
        if (!GUESTMEM_IN(&entry, g->array.p + i))
            return -EFAULT;
        entry = frame_info(d, entry);
        if (!GUESTMEM_OUT(g->array.p + i, &entry))
            return -EFAULT;
    }
    return 0;
}
