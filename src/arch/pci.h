/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by ports 0xcf8/0xcfc, under one lock (RANK_PCI, inside this module) so
 * that the guest's emulated cycles and our own MSI programming never mix.
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 (configuration mechanism #1).
 */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include "base/def.h"

/* size 1, 2 or 4; reg < 256 (ext regs need ECAM and are refused: reads give all ones). */
u32 pci_read(u8 bus, u8 devfn, u16 reg, u32 size);
void pci_write(u8 bus, u8 devfn, u16 reg, u32 size, u32 val);
/*
 * One guest cycle with its own address register: low bits of the data port select the byte
 * (offset 0 to 3). An address register whose enable bit (31) is clear, or bytes beyond the data
 * port: reads give all ones, writes do nothing.
 */
u32 pci_cycle_read(u32 cf8, u32 offset, u32 size);
void pci_cycle_write(u32 cf8, u32 offset, u32 size, u32 val);

/*
 * Offset of a function's first capability with this id, 0 when there is none. Works on any device:
 * a broken list ends after 48 entries. PCI 3.0, 6.7.
 */
u8 pci_find_cap(u8 bus, u8 devfn, u8 id);

#endif
