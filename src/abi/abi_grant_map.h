/* SPDX-License-Identifier: MIT */
/* grant_table_op: the lists of requests that map, unmap and copy. */
#ifndef ABI_ABI_GRANT_MAP_H
#define ABI_ABI_GRANT_MAP_H

#include "base/def.h"

/*
 * GNTTABOP_map_grant_ref, _unmap_grant_ref, _unmap_and_replace or _copy on nr requests at guest
 * address ops. The result of each is in its status; 0, -EFAULT when a request cannot be read or
 * answered (those before it are done), or continued.
 */
long abi_grant_map_list(u32 cmd, u64 ops, u32 nr);

#endif
