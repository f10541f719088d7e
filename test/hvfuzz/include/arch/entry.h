/* SPDX-License-Identifier: MIT */
/* The two inline accesses to guest memory go through the machine's walk like the others. */
#ifndef HVFUZZ_ENTRY_H
#define HVFUZZ_ENTRY_H

#include "base/def.h"

#define entry_store_u64 hw_store_u64
#define entry_read_u64  hw_read_u64
#include_next "arch/entry.h"
#undef entry_store_u64
#undef entry_read_u64

bool entry_store_u64(u64 addr, u64 val);
bool entry_read_u64(const u64 *p, u64 *out);

#endif
