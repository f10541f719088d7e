/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: how the control domain's kernel gets its interrupt lines and messages, and tells the
 * hypervisor about PCI. Lines and messages become pirqs (core/pirq.c); PCI announcements are
 * accepted and not needed. set_iopl and set_iobitmap are the guest kind's and never arrive here.
 * Refused: the shared EOI page and message blocks; Linux has a way without each.
 */
#include "abi/abi.h"
#include "core/domain.h"
#include "core/guestmem.h"
#include "core/pirq.h"

/*
 * Each gets its request as read, in `request`, changes it as the caller is to see it, and returns
 * what the caller gets.
 */

static long irq_status_query(struct domain *d, void *request)
{
    struct physdev_irq_status_query *op = request;
    bool eoi = false;
    int rc = pirq_status(d, op->irq, &eoi);

    /* Not XENIRQSTAT_shared: a line is one guest's. */
    op->flags = eoi ? XENIRQSTAT_needs_eoi : 0;
    return rc ? hypercall_refuse(rc, "physdev_op: irq_status_query %u", op->irq) : 0;
}

static long eoi(struct domain *d, void *request)
{
    const struct physdev_eoi *op = request;
    int rc = pirq_eoi(d, op->irq);

    return rc ? hypercall_refuse(rc, "physdev_op: eoi of pirq %u", op->irq) : 0;
}

static long apic_read(struct domain *d, void *request)
{
    struct physdev_apic *op = request;
    int rc = pirq_ioapic_read(op->apic_physbase, op->reg, &op->value);

    (void)d;
    return rc ? hypercall_refuse(rc, "physdev_op: apic_read register %#x at %#lx", op->reg,
                                 op->apic_physbase)
              : 0;
}

/* The hypervisor programs the controller; what the guest would write is of no use. */
static long apic_write(struct domain *d, void *request)
{
    const struct physdev_apic *op = request;
    u32 version;

    (void)d;
    if (pirq_ioapic_read(op->apic_physbase, 1, &version))
        return hypercall_refuse(-EINVAL, "physdev_op: apic_write at %#lx", op->apic_physbase);
    return 0;
}

/* Vectors are the hypervisor's; the number is of no use to the guest. */
static long alloc_irq_vector(struct domain *d, void *request)
{
    struct physdev_irq *op = request;

    (void)d;
    op->vector = op->irq;
    return 0;
}

static long setup_gsi(struct domain *d, void *request)
{
    const struct physdev_setup_gsi *op = request;
    int rc;

    (void)d;
    if (op->gsi < 0)
        return -EINVAL;
    rc = pirq_setup_gsi((u32)op->gsi, op->triggering != 0, op->polarity != 0);
    if (rc && rc != -EEXIST)
        return hypercall_refuse(rc, "physdev_op: setup_gsi %d trigger %u polarity %u", op->gsi,
                                op->triggering, op->polarity);
    return rc;
}

/* 0 for the caller itself: no interrupts for other domains. */
static int own_domain(const struct domain *d, domid_t id, const char *what)
{
    struct domain *other;
    int rc;

    if (id == DOMID_SELF || id == d->id)
        return 0;
    rc = abi_target_domain(id, &other);
    if (rc)
        return rc;
    domain_put(other);
    return (int)hypercall_refuse(-EOPNOTSUPP, "physdev_op: %s for d%u is not offered", what, id);
}

static int map_msi(struct domain *d, const struct physdev_map_pirq *op)
{
    u32 bus = (u32)op->bus;
    u16 seg = op->type == MAP_PIRQ_TYPE_MSI ? 0 : (u16)(bus >> 16);
    int entry = op->table_base ? op->entry_nr : -1; /* no table: plain MSI */

    return pirq_map_msi(d, seg, (u8)bus, (u8)op->devfn, entry, op->table_base);
}

static long map_pirq(struct domain *d, void *request)
{
    struct physdev_map_pirq *op = request;
    int rc = own_domain(d, op->domid, "map_pirq");

    if (rc)
        return rc;
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        rc = op->index < 0 ? -EINVAL : pirq_map_gsi(d, (u32)op->index);
        op->pirq = op->index;
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        rc = map_msi(d, op);
        op->pirq = rc;
        break;
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (op->entry_nr > 1) {
            rc = -EOPNOTSUPP; /* Linux then asks for a single message */
            break;
        }
        op->table_base = 0;
        rc = map_msi(d, op);
        op->pirq = rc;
        break;
    default:
        rc = -EINVAL;
        break;
    }
    if (rc < 0)
        return hypercall_refuse(rc, "physdev_op: map_pirq type %d index %d device %#x:%#x entry %d",
                                op->type, op->index, (u32)op->bus, (u32)op->devfn, op->entry_nr);
    return 0;
}

static long unmap_pirq(struct domain *d, void *request)
{
    const struct physdev_unmap_pirq *op = request;
    int rc = own_domain(d, op->domid, "unmap_pirq");

    if (rc)
        return rc;
    rc = op->pirq < 0 ? -EINVAL : pirq_unmap(d, (u32)op->pirq);
    return rc ? hypercall_refuse(rc, "physdev_op: unmap_pirq %d", op->pirq) : 0;
}

#define REQUEST_MAX 64
/* The size of a request; compiles when it is at most that. */
#define SIZE(type)                                                                                 \
    (sizeof(struct type) + 0 * sizeof(char[sizeof(struct type) <= REQUEST_MAX ? 1 : -1]))

/* What is not served by a function: its request is read, as a kernel that gives none is wrong. */
static const struct {
    u32 size; /* of the request */
    long (*fn)(struct domain *d, void *request);
    bool reply;  /* it is written back after success */
    long answer; /* without fn */
} rows[] = {
    [PHYSDEVOP_irq_status_query] = {SIZE(physdev_irq_status_query), irq_status_query, true, 0},
    [PHYSDEVOP_apic_read] = {SIZE(physdev_apic), apic_read, true, 0},
    [PHYSDEVOP_apic_write] = {SIZE(physdev_apic), apic_write, false, 0},
    [PHYSDEVOP_alloc_irq_vector] = {SIZE(physdev_irq), alloc_irq_vector, true, 0},
    [PHYSDEVOP_eoi] = {SIZE(physdev_eoi), eoi, false, 0},
    [PHYSDEVOP_map_pirq] = {SIZE(physdev_map_pirq), map_pirq, true, 0},
    [PHYSDEVOP_unmap_pirq] = {SIZE(physdev_unmap_pirq), unmap_pirq, false, 0},
    [PHYSDEVOP_manage_pci_add] = {SIZE(physdev_manage_pci), NULL, false, 0},
    [PHYSDEVOP_manage_pci_remove] = {SIZE(physdev_manage_pci), NULL, false, 0},
    [PHYSDEVOP_manage_pci_add_ext] = {SIZE(physdev_manage_pci_ext), NULL, false, 0},
    [PHYSDEVOP_setup_gsi] = {SIZE(physdev_setup_gsi), setup_gsi, false, 0},
    [PHYSDEVOP_pci_mmcfg_reserved] = {SIZE(physdev_pci_mmcfg_reserved), NULL, false, 0},
    [PHYSDEVOP_pci_device_add] = {SIZE(physdev_pci_device_add), NULL, false, 0},
    [PHYSDEVOP_pci_device_remove] = {SIZE(physdev_pci_device), NULL, false, 0},
    [PHYSDEVOP_prepare_msix] = {SIZE(physdev_pci_device), NULL, false, 0},
    [PHYSDEVOP_release_msix] = {SIZE(physdev_pci_device), NULL, false, 0},
    [PHYSDEVOP_dbgp_op] = {SIZE(physdev_dbgp_op), NULL, false, 0},
    [PHYSDEVOP_restore_msi] = {SIZE(physdev_restore_msi), NULL, false, -ENOSYS},
    [PHYSDEVOP_restore_msi_ext] = {SIZE(physdev_pci_device), NULL, false, -ENOSYS},
    [PHYSDEVOP_get_free_pirq] = {SIZE(physdev_get_free_pirq), NULL, false, -ENOSYS},
};

long abi_physdev_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct domain *d = vcpu_current()->domain;
    u64 request[REQUEST_MAX / sizeof(u64)];
    u32 op = (u32)cmd;
    long rc;

    (void)a3, (void)a4, (void)a5, (void)a6;
    /* Every kernel tries this one and goes on without. */
    if (op == PHYSDEVOP_pirq_eoi_gmfn_v1 || op == PHYSDEVOP_pirq_eoi_gmfn_v2)
        return -ENOSYS;
    if (op >= ARRAY_SIZE(rows) || !rows[op].size)
        return hypercall_refuse(-ENOSYS, "physdev_op: %u", op);
    if (!d->privileged)
        return hypercall_refuse(-EPERM, "physdev_op: %u needs the control domain", op);
    if (!guestmem_copy_in(request, (const void *)arg, rows[op].size))
        return -EFAULT;
    rc = rows[op].fn ? rows[op].fn(d, request) : rows[op].answer;
    if (!rc && rows[op].reply && !guestmem_copy_out((void *)arg, request, rows[op].size))
        return -EFAULT;
    return rc;
}
