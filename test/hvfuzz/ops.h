/* SPDX-License-Identifier: MIT */
/* What a record of the input makes a guest do. */
#ifndef HVFUZZ_OPS_H
#define HVFUZZ_OPS_H

#include "base/def.h"

/*
 * One record. where: bits 0-1 the CPU, bit 7: `pattern` says where it gives way (machine.h), bit
 * 6: it says which allocations fail, bit 5: it says how short steps are. The meaning of arg is the
 * operation's.
 */
struct record {
    u8 where, op;
    u16 pattern;
    u8 arg[12];
};
STATIC_ASSERT(sizeof(struct record) == 16, "records are taken from the input as they are");

#define RECORDS_MAX 96 /* of an input */

/* On the CPU whose guest acts. r[1..left-1] are the records that follow; returns how many of them
 * were taken too. */
u32 ops_perform(const struct record *r, u32 left);

#endif
