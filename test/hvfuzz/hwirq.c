/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines and PCI as src/arch has them by its headers: 16 lines without devices, no
 * functions on the bus, no further processors to start.
 */
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/pci.h"
#include "arch/serial.h"
#include "base/err.h"
#include "hwport.h"
#include "machine.h"

#define LINES 16

static struct {
    irq_handler fn;
    bool set_up;
} lines[LINES];

/* arch/smp.c's start-up, which never runs. */
extern const u8 smp_trampoline[], smp_trampoline_end[], smp_trampoline_args[];
const u8 smp_trampoline[1], smp_trampoline_end[1], smp_trampoline_args[1];

u32 irq_gsi_count(void)
{
    return LINES;
}

u32 irq_isa_to_gsi(u32 isa, bool *level, bool *low)
{
    *level = *low = false;
    return isa;
}

int irq_setup_gsi(u32 gsi, bool level, bool low)
{
    (void)level, (void)low;
    if (gsi >= LINES)
        return -EINVAL;
    if (lines[gsi].set_up)
        return -EEXIST;
    lines[gsi].set_up = true;
    return 0;
}

bool irq_is_level(u32 irq)
{
    return irq & 1;
}

int irq_setup_msi(u16 seg, u8 bus, u8 devfn, int entry, maddr_t table_base)
{
    (void)seg, (void)bus, (void)devfn, (void)entry, (void)table_base;
    return -ENODEV;
}

void irq_release_msi(u32 irq)
{
    BUG_ON(irq < LINES);
}

int irq_bind(u32 irq, irq_handler fn, void *arg)
{
    (void)arg;
    if (irq >= LINES || !lines[irq].set_up)
        return -EINVAL;
    if (lines[irq].fn)
        return -EBUSY;
    lines[irq].fn = fn;
    return 0;
}

void irq_unbind(u32 irq)
{
    BUG_ON(irq >= LINES || !lines[irq].fn);
    lines[irq].fn = NULL;
}

void irq_mask(u32 irq)
{
    BUG_ON(irq >= LINES);
}

void irq_unmask(u32 irq)
{
    BUG_ON(irq >= LINES);
}

void irq_set_cpu(u32 irq, u32 cpu)
{
    BUG_ON(irq >= LINES || cpu >= MACHINE_CPUS);
}

bool irq_ioapic_read(maddr_t base, u32 reg, u32 *val)
{
    (void)base, (void)reg, (void)val;
    return false;
}

const struct acpi_info *irq_acpi(void)
{
    static struct acpi_info none;

    return &none;
}

void apic_init_secondary(void)
{
}

u32 irq_this_apic_id(void)
{
    return machine_cpu();
}

void irq_send_nmi(u32 cpu)
{
    (void)cpu;
}

void apic_send_init(u32 id)
{
    (void)id;
}

void irq_send_init_sipi(u32 apic_id, maddr_t trampoline)
{
    (void)apic_id, (void)trampoline;
}

u32 apic_id_max(void)
{
    return 255;
}

bool cpu_alloc(u32 cpu, u32 apic_id, u32 acpi_id)
{
    (void)cpu, (void)apic_id, (void)acpi_id;
    return false;
}

u64 cpu_stack_top(u32 cpu)
{
    (void)cpu;
    return 0;
}

void cpu_mark_up(u32 cpu)
{
    (void)cpu;
}

void cpu_init_this(u32 cpu)
{
    (void)cpu;
}

u32 pci_cycle_read(u32 address, u32 offset, u32 size)
{
    (void)address, (void)offset, (void)size;
    return ~0u;
}

void pci_cycle_write(u32 address, u32 offset, u32 size, u32 val)
{
    (void)address, (void)offset, (void)size, (void)val;
}

bool serial_owns_port(u16 port)
{
    (void)port;
    return false;
}
