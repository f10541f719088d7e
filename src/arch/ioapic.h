/* SPDX-License-Identifier: MIT */
/*
 * IO-APIC pins by global interrupt number. For irq.c only, which holds its lock (RANK_IRQ) around
 * every call. Source: Intel 82093AA data sheet, section 3.
 */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

#include "base/def.h"

/* Adds a unit, all pins masked. False (and a log line) when it does not answer. Boot only. */
bool ioapic_add(maddr_t maddr, u32 gsi_base);
/* One more than the highest pin's number. */
u32 ioapic_gsi_count(void);
bool ioapic_has_pin(u32 gsi);

/* Programs a pin, masked: fixed delivery to one APIC id. */
void ioapic_set(u32 gsi, u8 vector, u8 apic_id, bool level, bool low);
void ioapic_mask(u32 gsi);
void ioapic_unmask(u32 gsi);
/* A level interrupt of this pin was accepted by a CPU and is not yet ended (Remote IRR). */
bool ioapic_in_flight(u32 gsi);

/* A register of the unit at a machine address; false when there is no such unit or register. */
bool ioapic_read(maddr_t maddr, u32 reg, u32 *val);

#endif
