/* SPDX-License-Identifier: MIT */
/* A PVH domain, built by the tools' own hypercalls: for a micro dom0. What fails ends the test. */
#ifndef PVH_DOM_H
#define PVH_DOM_H

#include "domu.h"

/* Creates it, paused, with room for that many pages; the TSC is the machine's. Its number. */
unsigned int pvh_create(unsigned int vcpus, uint64_t pages);
/* Memory for count frames from first on. */
void pvh_populate(unsigned int id, uint64_t first, uint64_t count);
void pvh_load(unsigned int id, uint64_t paddr, const void *from, size_t len);
/* The state the tools start a kernel in: 32-bit protected mode, flat, start info in ebx. */
void pvh_start_state(unsigned int id, uint64_t rip, uint64_t info);
/* One domctl about it; op.u is the caller's. */
void pvh_domctl(unsigned int id, unsigned int cmd, struct xen_domctl *op, const char *what);
/* Sleeps. */
void pvh_nap(uint64_t ns);

#endif
