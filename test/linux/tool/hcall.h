/* SPDX-License-Identifier: MIT */
/*
 * Raw hypercalls from dom0's user space, through Linux's privcmd driver: what the stock tools would
 * never send. Everything handed to the hypervisor lies in memory that is locked and touched.
 */
#ifndef HCALL_H
#define HCALL_H

#include <stdint.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sysctl.h>
#include <xen/version.h>

/* Open the driver, lock our memory; ends the program with a message when that fails. */
void hcall_init(void);
/* One hypercall: its result, negative errno included. */
long hcall(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
/* A domctl or sysctl with the right interface version; fields but cmd and domain from op. */
long hcall_domctl(uint32_t cmd, uint32_t domain, struct xen_domctl *op);
long hcall_sysctl(uint32_t cmd, struct xen_sysctl *op);
/* Free pages of the host, those still to be scrubbed included. */
uint64_t hcall_free_pages(void);
/* A PV domain of one vCPU, paused and empty: its id, or a negative errno. */
long hcall_create(uint32_t vcpus, uint64_t max_pages);
/* Destroys it, however often that has to be asked. */
long hcall_destroy(uint32_t domain);
/* Gives it n frames, and their numbers. Returns how many it got. */
long hcall_populate(uint32_t domain, uint64_t n, xen_pfn_t *frames);

#endif
