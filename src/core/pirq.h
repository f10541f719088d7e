/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts as event channels: the pirq numbers of a domain, what interrupt line each
 * stands for, and the port that is raised. pirq == GSI for lines; messages count down from the top.
 * Only privileged domains have a table. Lock RANK_PIRQ per domain, taken inside; delivery takes
 * none.
 */
#ifndef CORE_PIRQ_H
#define CORE_PIRQ_H

#include "core/domain.h"

#define PIRQ_MAX 512

int pirq_domain_init(struct domain *d) MUST_CHECK; /* -ENOMEM */
void pirq_domain_fini(struct domain *d);           /* unbinds and unmaps everything */

/*
 * Event ports. bind: port of d is raised at each interrupt of pirq. One domain is bound at a
 * time, whether it would share or not. -EINVAL: not mapped; -EEXIST: bound
 * already; -EPERM: no table. May be called with the event lock held.
 */
int pirq_bind(struct domain *d, u32 pirq, u32 port) MUST_CHECK;
void pirq_unbind(struct domain *d, u32 pirq);
/* Sends the interrupt to a processor, where the port's vCPU runs. */
void pirq_set_cpu(struct domain *d, u32 pirq, u32 cpu);

/* Maps GSI `gsi` as pirq `gsi`: 0 also when it is mapped already. -EINVAL, -EPERM. */
int pirq_map_gsi(struct domain *d, u32 gsi) MUST_CHECK;
/*
 * A message of a PCI function (entry < 0: MSI; else the MSI-X table entry): programs the device.
 * The pirq, or -errno of arch/irq.h, -ENOSPC.
 */
int pirq_map_msi(struct domain *d, u16 seg, u8 bus, u8 devfn, int entry,
                 maddr_t table_base) MUST_CHECK;
int pirq_unmap(struct domain *d, u32 pirq) MUST_CHECK; /* -EINVAL */

/* Trigger mode of a GSI as dom0 read it from the firmware. 0, -EEXIST: as it is already. */
int pirq_setup_gsi(u32 gsi, bool level, bool low) MUST_CHECK;

/* The guest has served the interrupt: a level line may interrupt again. -EINVAL. */
int pirq_eoi(struct domain *d, u32 pirq) MUST_CHECK;
/* needs_eoi: pirq_eoi has to follow each event. -EINVAL. */
int pirq_status(struct domain *d, u32 pirq, bool *needs_eoi) MUST_CHECK;

/* A register of the I/O interrupt controller at machine address `base`. -EINVAL: no such thing. */
int pirq_ioapic_read(maddr_t base, u32 reg, u32 *val) MUST_CHECK;

#endif
