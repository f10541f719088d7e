/* SPDX-License-Identifier: MIT */
/*
 * Interrupt lines and messages: vectors, IO-APIC pins (GSIs), MSI and MSI-X of PCI functions, and
 * who gets told. A line is named by an irq number: 0..gsi_count-1 are GSIs, then messages.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include "base/def.h"
#include "base/err.h"
#include "pure/acpi.h"

#define IRQ_MAX 1024

/* Vectors 0x20-0xef are for lines, the rest are fixed. */
#define IRQ_VECTOR_LAST     0xef
#define IRQ_VECTOR_TIMER    0xf0
#define IRQ_VECTOR_KICK     0xf1 /* look at your work bits */
#define IRQ_VECTOR_MAILBOX  0xf2
#define IRQ_VECTOR_ERROR    0xfe
#define IRQ_VECTOR_SPURIOUS 0xff

/*
 * Called with interrupts off on the CPU the line goes to, after the APIC was told (edge, message)
 * or the pin masked (level). Holds no lock.
 */
typedef void (*irq_handler)(u32 irq, void *arg);

/*
 * Sets up PIC (masked), local APIC of the boot CPU, IO-APICs from the MADT. acpi must stay. Boot,
 * after cpu_init_this(0) and before clock_init.
 */
void irq_init(const struct acpi_info *acpi);

u32 irq_gsi_count(void);
/* ISA irq -> GSI with trigger and polarity by the MADT's overrides. */
u32 irq_isa_to_gsi(u32 isa, bool *level, bool *low);

/*
 * Claims a GSI: programs the pin masked with a fresh vector to CPU 0. -EEXIST when it is already
 * set up, also in another way (no change), -EINVAL when there is
 * no such pin, -ENOSPC without vectors.
 */
int irq_setup_gsi(u32 gsi, bool level, bool low) MUST_CHECK;
bool irq_is_level(u32 irq);

/*
 * Claims a message vector for a PCI function: programs its MSI capability (entry < 0) or an MSI-X
 * table entry, unmasked, enables the capability, and returns the irq (>= 0) or -errno: -ENODEV no
 * such segment, function or capability; -EINVAL bad entry, or table_base contradicts the BAR;
 * -ENXIO memory decoding is off; -EEXIST already claimed; -ENOSPC no irq, vector or mapping left.
 * table_base: where the guest sees the table or its BAR; 0 = not told.
 *
 * Callers serialise claims and releases among themselves (RANK_PIRQ) and hold no higher lock.
 */
int irq_setup_msi(u16 seg, u8 bus, u8 devfn, int entry, maddr_t table_base) MUST_CHECK;
void irq_release_msi(u32 irq);

/*
 * Who is called. -EBUSY when another handler is bound, -EINVAL when irq was not set up. An
 * interrupt that came between set-up and this is replayed.
 */
int irq_bind(u32 irq, irq_handler fn, void *arg) MUST_CHECK;
/*
 * Masks the line, and waits until the handler runs nowhere. Not from the handler; the caller holds
 * no lock the handler takes.
 */
void irq_unbind(u32 irq);

void irq_mask(u32 irq);   /* a message line without mask bit keeps coming */
void irq_unmask(u32 irq); /* for level lines also the end of interrupt to the pin */
/*
 * Sends further interrupts of this line to a CPU; a level line moves at its next unmask. Never
 * loses one, but an edge or a message may be seen once too often. Cheap when nothing changes.
 */
void irq_set_cpu(u32 irq, u32 cpu);

/* Entry from assembly: handles vector (>= 32). */
void irq_dispatch(u32 vector);

/* IPIs. Any context. */
void irq_send_ipi(u32 cpu, u32 vector);
void irq_send_nmi(u32 cpu);
/* To a CPU that is not up, by APIC id; trampoline: page below 1 MiB. Takes some 10 ms. */
void irq_send_init_sipi(u32 apic_id, maddr_t trampoline);
u32 irq_this_apic_id(void);

/* IO-APIC registers as dom0 reads them (physdev apic_read). False when no such unit or reg. */
bool irq_ioapic_read(maddr_t base, u32 reg, u32 *val);

/* The tables irq_init was given. */
const struct acpi_info *irq_acpi(void);

/* One line per line in use: vector, CPU, trigger, mask, count. Debug key. */
void irq_dump(void);

#endif
