/* SPDX-License-Identifier: MIT */
/*
 * The C library functions that the static decompression libraries call: malloc, calloc and free
 * over memory the boot code lends, and __stack_chk_fail. See pure/unpack.h for what else they need.
 */
#ifndef BOOT_UNPACK_GLUE_H
#define BOOT_UNPACK_GLUE_H

#include "base/def.h"

/*
 * Lends size bytes at memory (mapped, writable) to malloc until the next call. A size of 0 ends
 * the loan: malloc then returns NULL. Boot CPU only.
 */
void unpack_glue_init(void *memory, size_t size);

#endif
