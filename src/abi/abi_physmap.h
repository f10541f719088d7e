/* SPDX-License-Identifier: MIT */
/* memory_op for translated guests; abi_physmap.c. Results are what the hypercall returns. */
#ifndef ABI_ABI_PHYSMAP_H
#define ABI_ABI_PHYSMAP_H

#include "core/physmap.h"

long abi_physmap_add(u64 arg);
long abi_physmap_add_batch(u64 arg);
long abi_physmap_remove(u64 arg);
long abi_physmap_pod(u64 arg);
/* 2^order frames that were just allocated for d go to gfn, or back. False: they went back. */
bool abi_physmap_populated(struct domain *d, gfn_t gfn, unsigned int order, mfn_t mfn) MUST_CHECK;

#endif
