/* SPDX-License-Identifier: MIT */
/*
 * The MSI or MSI-X side of one interrupt of a PCI function. For irq.c only. Source: PCI Local Bus
 * Specification 3.0, 6.8; message format SDM vol. 3, 11.11.
 */
#ifndef ARCH_MSI_H
#define ARCH_MSI_H

#include "base/def.h"

struct msi {
    u8 bus, devfn;
    u8 cap;            /* offset of the capability */
    bool wide;         /* MSI: 64-bit address */
    bool maskable;     /* a mask bit exists */
    s16 entry;         /* MSI-X table entry; -1: MSI */
    volatile u8 *slot; /* the entry */
};

/*
 * Finds the capability and, for MSI-X, maps the entry; changes nothing in the device. table_base:
 * where the guest sees the table or its BAR (0: not told). -ENODEV: no such function or capability;
 * -EINVAL: entry beyond the table, or table_base contradicts the BAR; -ENXIO: memory decoding is
 * off; -ENOSPC: no room to map. May allocate: no lock of RANK_HEAP or above.
 */
int msi_find(struct msi *m, u8 bus, u8 devfn, int entry, maddr_t table_base) MUST_CHECK;

/* Writes the message; a maskable entry is masked meanwhile and left so. Any lock below RANK_PCI. */
void msi_set(const struct msi *m, u8 vector, u8 apic_id);
void msi_mask(const struct msi *m, bool masked);
/* Turns the capability on; off. */
void msi_enable(const struct msi *m);
void msi_disable(const struct msi *m);

#endif
