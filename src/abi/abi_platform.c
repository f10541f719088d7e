/* SPDX-License-Identifier: MIT */
/*
 * platform_op: what the control domain's kernel tells and asks the machine's owner - wall clock,
 * firmware data, processors, sleep. Left out: microcode, memory types, EFI run-time calls, idle
 * times for a governor in dom0, which answer -ENOSYS, as their callers expect, and taking
 * processors off line.
 */
#include "abi/abi.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/guestmem.h"
#include "core/machine.h"
#include "core/vtime.h"

#define ACPI_S5 5

/* Four thousand million nanoseconds are a bit more than four seconds. */
static long settime(u64 sec, u32 nsec, u64 at_ns)
{
    vtime_set_wallclock(sec + nsec / NS_PER_SEC, (u32)(nsec % NS_PER_SEC), at_ns);
    return 0;
}

static long settime32(struct xen_platform_op *op)
{
    const struct xenpf_settime32 *t = &op->u.settime32;

    return settime(t->secs, t->nsecs, t->system_time);
}

static long settime64(struct xen_platform_op *op)
{
    const struct xenpf_settime64 *t = &op->u.settime64;

    if (t->mbz)
        return hypercall_refuse(-EINVAL, "platform_op: settime64 with mbz %#x", t->mbz);
    return settime(t->secs, t->nsecs, t->system_time);
}

/* Nothing was asked of the BIOS before the hypervisor started: lists are empty. */
static long firmware_info(struct xen_platform_op *op)
{
    struct xenpf_firmware_info *i = &op->u.firmware_info;

    switch (i->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (i->index)
            return -ESRCH;
        i->u.kbd_shift_flags = 0;
        return 0;
    case XEN_FW_EFI_INFO:
        return -ENOSYS;
    default:
        return -EINVAL;
    }
}

static long get_cpuinfo(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *i = &op->u.pcpu_info;
    u32 cpu = i->xen_cpuid;

    i->max_present = cpu_count() - 1;
    if (cpu >= cpu_count()) {
        i->flags = XEN_PCPU_FLAGS_INVALID;
        i->apic_id = i->acpi_id = ~0u;
        return 0;
    }
    i->flags = XEN_PCPU_FLAGS_ONLINE;
    i->apic_id = cpu_apic_id(cpu);
    i->acpi_id = cpu_acpi_id(cpu);
    return 0;
}

/* Family, model and stepping: SDM vol. 2, CPUID leaf 1. */
static long get_cpu_version(struct xen_platform_op *op)
{
    struct xenpf_pcpu_version *i = &op->u.pcpu_version;
    u32 sig = cpu_features.leaf1_eax, family = sig >> 8 & 0xf, model = sig >> 4 & 0xf;

    i->max_present = cpu_count() - 1;
    if (i->xen_cpuid >= cpu_count()) {
        memset(i->vendor_id, 0, sizeof(i->vendor_id));
        i->family = i->model = i->stepping = 0;
        return 0;
    }
    if (family == 0xf || family == 6)
        model |= sig >> 12 & 0xf0;
    if (family == 0xf)
        family += sig >> 20 & 0xff;
    memcpy(i->vendor_id, cpu_features.vendor, sizeof(i->vendor_id));
    i->family = family;
    i->model = model;
    i->stepping = sig & 0xf;
    return 0;
}

static long enter_acpi_sleep(struct xen_platform_op *op)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

    if (s->sleep_state > ACPI_S5 || s->flags > XENPF_ACPI_SLEEP_EXTENDED)
        return -EINVAL;
    if (s->flags & XENPF_ACPI_SLEEP_EXTENDED || s->sleep_state != ACPI_S5)
        return hypercall_refuse(-EOPNOTSUPP, "platform_op: sleep state S%u, flags %#x",
                                s->sleep_state, s->flags);
    return machine_acpi_sleep(s->val_a, s->val_b);
}

/* All processors are on line and stay so. */
static long cpu_online(struct xen_platform_op *op)
{
    return op->u.cpu_ol.cpuid < cpu_count() ? 0 : -EINVAL;
}

static long cpu_offline(struct xen_platform_op *op)
{
    if (op->u.cpu_ol.cpuid >= cpu_count())
        return -EINVAL;
    return hypercall_refuse(-EOPNOTSUPP, "platform_op: processor %u stays on line",
                            op->u.cpu_ol.cpuid);
}

/* Power states are the firmware's own choice. */
static long accept(struct xen_platform_op *op)
{
    (void)op;
    return 0;
}

static const struct {
    long (*fn)(struct xen_platform_op *op);
    bool reply; /* the caller reads the structure */
} rows[] = {
    [XENPF_settime32] = {settime32, false},
    [XENPF_settime64] = {settime64, false},
    [XENPF_get_cpu_version] = {get_cpu_version, true},
    [XENPF_firmware_info] = {firmware_info, true},
    [XENPF_enter_acpi_sleep] = {enter_acpi_sleep, false},
    [XENPF_set_processor_pminfo] = {accept, false},
    [XENPF_get_cpuinfo] = {get_cpuinfo, true},
    [XENPF_cpu_online] = {cpu_online, false},
    [XENPF_cpu_offline] = {cpu_offline, false},
};

long abi_platform_op(u64 arg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct xen_platform_op op;
    long rc;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return hypercall_refuse(-EACCES, "platform_op: interface version %#x, not %#x",
                                op.interface_version, XENPF_INTERFACE_VERSION);
    if (op.cmd >= ARRAY_SIZE(rows) || !rows[op.cmd].fn)
        return hypercall_refuse(-ENOSYS, "platform_op: %u", op.cmd);
    rc = rows[op.cmd].fn(&op);
    if (!rc && rows[op.cmd].reply && !GUESTMEM_OUT((void *)arg, &op))
        return -EFAULT;
    return rc;
}
