/* SPDX-License-Identifier: MIT */
/*
 * Function names of the running image, from the table that tools/gen_symbols.py builds out of the
 * first link. Constant data: any context.
 */
#ifndef CORE_SYMBOLS_H
#define CORE_SYMBOLS_H

#include "base/def.h"

struct symbol {
    const char *name;
    u64 start;
    u32 size; /* up to the next symbol */
};

/* The function that holds addr. False when addr is not in the image's code (or no table). */
bool symbols_find(u64 addr, struct symbol *out);

/* Number of names; 0 means the image was linked without the table. */
u32 symbols_total(void);

#endif
