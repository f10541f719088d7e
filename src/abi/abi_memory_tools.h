/* SPDX-License-Identifier: MIT */
/* memory_op for the tools' side of a domain. arg: guest address of the request. */
#ifndef ABI_ABI_MEMORY_TOOLS_H
#define ABI_ABI_MEMORY_TOOLS_H

#include "base/def.h"

long abi_memory_claim(u64 arg);
long abi_memory_set_map(u64 arg);
long abi_memory_get_map(u64 arg);
long abi_memory_acquire(u64 arg);

#endif
