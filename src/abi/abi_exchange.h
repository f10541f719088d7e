/* SPDX-License-Identifier: MIT */
/* XENMEM_exchange: frames of the caller against others that are contiguous or lie lower. */
#ifndef ABI_ABI_EXCHANGE_H
#define ABI_ABI_EXCHANGE_H

#include "base/def.h"

/* arg: guest address of struct xen_memory_exchange. 0 when all extents were exchanged, -errno. */
long abi_exchange(u64 arg);

#endif
