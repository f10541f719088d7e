/* SPDX-License-Identifier: MIT */
/*
 * domctl for hardware-assisted guests (public header domctl.h): their vCPUs' state as a stream of
 * records, which the builder starts them with, and the memory their tables may take.
 */
#include "abi/abi.h"
#include "abi/abi_control.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "hvm/hvm.h"

/* Larger than the records of MAX_VCPUS vCPUs, and than any one record. */
#define CONTEXT_MAX (1024u * 1024)
#define RECORD_MAX  8192u

static bool is_target(const struct domain *d)
{
    return d->hvm != NULL && d != vcpu_current()->domain;
}

long abi_domctl_gethvmcontext(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    u32 room, len = 0;
    u8 *buf;
    long rc;

    if (!is_target(d))
        return -EINVAL;
    domain_pause(d);
    lock_acquire(&d->lock);
    rc = hvm_context_save(d, NULL, 0, &room);
    buf = rc == 0 && c->buffer.p != NULL ? page_zalloc(room) : NULL;
    if (buf != NULL)
        rc = hvm_context_save(d, buf, room, &len);
    lock_release(&d->lock);
    domain_unpause(d);
    if (c->buffer.p == NULL) {
        c->size = room;
        return rc;
    }
    if (buf == NULL)
        return -ENOMEM;
    if (rc == 0 && len > c->size)
        rc = -ENOSPC;
    if (rc == 0 && !guestmem_copy_out(c->buffer.p, buf, len))
        rc = -EFAULT;
    c->size = len;
    page_zfree(buf, room);
    return rc;
}

long abi_domctl_sethvmcontext(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
    u32 size = c->size;
    long rc = -EFAULT;
    u8 *buf;

    if (!is_target(d) || size == 0 || size > CONTEXT_MAX)
        return -EINVAL;
    buf = page_zalloc(size);
    if (buf == NULL)
        return -ENOMEM;
    if (guestmem_copy_in(buf, c->buffer.p, size)) {
        domain_pause(d);
        lock_acquire(&d->lock);
        rc = hvm_context_load(d, buf, size);
        lock_release(&d->lock);
        domain_unpause(d);
    }
    page_zfree(buf, size);
    return rc;
}

long abi_domctl_gethvmcontext_partial(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_hvmcontext_partial *c = &op->u.hvmcontext_partial;
    const u32 head = sizeof(struct hvm_save_descriptor), room = RECORD_MAX;
    u32 len = 0;
    u8 *buf;
    long rc;

    if (!is_target(d))
        return -EINVAL;
    buf = page_zalloc(room);
    if (buf == NULL)
        return -ENOMEM;
    domain_pause(d);
    lock_acquire(&d->lock);
    rc = hvm_context_save_one(d, c->type, c->instance, buf, room, &len);
    lock_release(&d->lock);
    domain_unpause(d);
    /* The body without its descriptor. */
    if (rc == 0 && c->buffer.p != NULL && c->bufsz < len - head)
        rc = -ENOSPC;
    else if (rc == 0 && c->buffer.p != NULL &&
             !guestmem_copy_out(c->buffer.p, buf + head, len - head))
        rc = -EFAULT;
    if (rc == 0)
        c->bufsz = len - head;
    page_zfree(buf, room);
    return rc;
}

long abi_domctl_get_paging_mempool_size(struct domain *d, struct xen_domctl *op)
{
    if (d->physmap == NULL)
        return -EOPNOTSUPP;
    op->u.paging_mempool.size = physmap_pool(d);
    return 0;
}

long abi_domctl_set_paging_mempool_size(struct domain *d, struct xen_domctl *op)
{
    u64 size = op->u.paging_mempool.size;
    int rc;

    if (d->physmap == NULL)
        return -EOPNOTSUPP;
    if (size & ~PAGE_MASK)
        return -EINVAL;
    rc = physmap_set_pool(d, size);
    if (rc != 0)
        return hypercall_refuse(rc, "domctl: paging pool of d%u: %lu bytes, more are in use", d->id,
                                size);
    return 0;
}
