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

static long irq_status_query(struct domain *d, u64 arg)
{
    struct physdev_irq_status_query op;
    bool eoi = false;
    int rc;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    rc = pirq_status(d, op.irq, &eoi);
    if (rc)
        return hypercall_refuse(rc, "physdev_op: irq_status_query %u", op.irq);
    /* Not XENIRQSTAT_shared: a line is one guest's. */
    op.flags = eoi ? XENIRQSTAT_needs_eoi : 0;
    return GUESTMEM_OUT((void *)arg, &op) ? 0 : -EFAULT;
}

static long eoi(struct domain *d, u64 arg)
{
    struct physdev_eoi op;
    int rc;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    rc = pirq_eoi(d, op.irq);
    return rc ? hypercall_refuse(rc, "physdev_op: eoi of pirq %u", op.irq) : 0;
}

static long apic_read(struct domain *d, u64 arg)
{
    struct physdev_apic op;
    int rc;

    (void)d;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    rc = pirq_ioapic_read(op.apic_physbase, op.reg, &op.value);
    if (rc)
        return hypercall_refuse(rc, "physdev_op: apic_read register %#x at %#lx", op.reg,
                                op.apic_physbase);
    return GUESTMEM_OUT((void *)arg, &op) ? 0 : -EFAULT;
}

/* The hypervisor programs the controller; what the guest would write is of no use. */
static long apic_write(struct domain *d, u64 arg)
{
    struct physdev_apic op;
    u32 version;

    (void)d;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (pirq_ioapic_read(op.apic_physbase, 1, &version))
        return hypercall_refuse(-EINVAL, "physdev_op: apic_write at %#lx", op.apic_physbase);
    return 0;
}

/* Vectors are the hypervisor's; the number is of no use to the guest. */
static long alloc_irq_vector(struct domain *d, u64 arg)
{
    struct physdev_irq op;

    (void)d;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    op.vector = op.irq;
    return GUESTMEM_OUT((void *)arg, &op) ? 0 : -EFAULT;
}

static long setup_gsi(struct domain *d, u64 arg)
{
    struct physdev_setup_gsi op;
    int rc;

    (void)d;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (op.gsi < 0)
        return -EINVAL;
    rc = pirq_setup_gsi((u32)op.gsi, op.triggering != 0, op.polarity != 0);
    if (rc && rc != -EEXIST)
        return hypercall_refuse(rc, "physdev_op: setup_gsi %d trigger %u polarity %u", op.gsi,
                                op.triggering, op.polarity);
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

static long map_pirq(struct domain *d, u64 arg)
{
    struct physdev_map_pirq op;
    int rc;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    rc = own_domain(d, op.domid, "map_pirq");
    if (rc)
        return rc;
    switch (op.type) {
    case MAP_PIRQ_TYPE_GSI:
        rc = op.index < 0 ? -EINVAL : pirq_map_gsi(d, (u32)op.index);
        op.pirq = op.index;
        break;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        rc = map_msi(d, &op);
        op.pirq = rc;
        break;
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (op.entry_nr > 1) {
            rc = -EOPNOTSUPP; /* Linux then asks for a single message */
            break;
        }
        op.table_base = 0;
        rc = map_msi(d, &op);
        op.pirq = rc;
        break;
    default:
        rc = -EINVAL;
        break;
    }
    if (rc < 0)
        return hypercall_refuse(rc, "physdev_op: map_pirq type %d index %d device %#x:%#x entry %d",
                                op.type, op.index, (u32)op.bus, (u32)op.devfn, op.entry_nr);
    return GUESTMEM_OUT((void *)arg, &op) ? 0 : -EFAULT;
}

static long unmap_pirq(struct domain *d, u64 arg)
{
    struct physdev_unmap_pirq op;
    int rc;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    rc = own_domain(d, op.domid, "unmap_pirq");
    if (rc)
        return rc;
    rc = op.pirq < 0 ? -EINVAL : pirq_unmap(d, (u32)op.pirq);
    return rc ? hypercall_refuse(rc, "physdev_op: unmap_pirq %d", op.pirq) : 0;
}

/* What is not served by a function: its request is read, as a kernel that gives none is wrong. */
static const struct {
    long (*fn)(struct domain *d, u64 arg);
    u32 size;    /* without fn: of the request */
    long answer; /* and what it gets */
} rows[] = {
    [PHYSDEVOP_irq_status_query] = {irq_status_query, 0, 0},
    [PHYSDEVOP_apic_read] = {apic_read, 0, 0},
    [PHYSDEVOP_apic_write] = {apic_write, 0, 0},
    [PHYSDEVOP_alloc_irq_vector] = {alloc_irq_vector, 0, 0},
    [PHYSDEVOP_eoi] = {eoi, 0, 0},
    [PHYSDEVOP_map_pirq] = {map_pirq, 0, 0},
    [PHYSDEVOP_unmap_pirq] = {unmap_pirq, 0, 0},
    [PHYSDEVOP_manage_pci_add] = {NULL, sizeof(struct physdev_manage_pci), 0},
    [PHYSDEVOP_manage_pci_remove] = {NULL, sizeof(struct physdev_manage_pci), 0},
    [PHYSDEVOP_manage_pci_add_ext] = {NULL, sizeof(struct physdev_manage_pci_ext), 0},
    [PHYSDEVOP_setup_gsi] = {setup_gsi, 0, 0},
    [PHYSDEVOP_pci_mmcfg_reserved] = {NULL, sizeof(struct physdev_pci_mmcfg_reserved), 0},
    [PHYSDEVOP_pci_device_add] = {NULL, sizeof(struct physdev_pci_device_add), 0},
    [PHYSDEVOP_pci_device_remove] = {NULL, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_prepare_msix] = {NULL, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_release_msix] = {NULL, sizeof(struct physdev_pci_device), 0},
    [PHYSDEVOP_dbgp_op] = {NULL, sizeof(struct physdev_dbgp_op), 0},
    [PHYSDEVOP_restore_msi] = {NULL, sizeof(struct physdev_restore_msi), -ENOSYS},
    [PHYSDEVOP_restore_msi_ext] = {NULL, sizeof(struct physdev_pci_device), -ENOSYS},
    [PHYSDEVOP_get_free_pirq] = {NULL, sizeof(struct physdev_get_free_pirq), -ENOSYS},
};

static long canned(u32 op, u64 arg)
{
    u8 request[64];

    if (!guestmem_copy_in(request, (const void *)arg, MIN((size_t)rows[op].size, sizeof(request))))
        return -EFAULT;
    return rows[op].answer;
}

long abi_physdev_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct domain *d = vcpu_current()->domain;
    u32 op = (u32)cmd;

    (void)a3, (void)a4, (void)a5, (void)a6;
    /* Every kernel tries this one and goes on without. */
    if (op == PHYSDEVOP_pirq_eoi_gmfn_v1 || op == PHYSDEVOP_pirq_eoi_gmfn_v2)
        return -ENOSYS;
    if (op >= ARRAY_SIZE(rows) || (!rows[op].fn && !rows[op].size))
        return hypercall_refuse(-ENOSYS, "physdev_op: %u", op);
    if (!d->privileged)
        return hypercall_refuse(-EPERM, "physdev_op: %u needs the control domain", op);
    return rows[op].fn ? rows[op].fn(d, arg) : canned(op, arg);
}
