/* SPDX-License-Identifier: MIT */
/*
 * The machine's memory map: sorted, disjoint ranges with a type each, as the firmware's e820 table
 * has them (ACPI specification, "Address Range Types"). Owned by the caller; no lock.
 */
#ifndef PURE_MEMMAP_H
#define PURE_MEMMAP_H

#include "base/def.h"

#define MEMMAP_MAX 128

enum memmap_type {
    MEMMAP_RAM = 1,
    MEMMAP_RESERVED = 2,
    MEMMAP_ACPI = 3,     /* tables, usable once read */
    MEMMAP_NVS = 4,      /* firmware's, to be kept */
    MEMMAP_UNUSABLE = 5, /* bad RAM */
};

struct memmap_entry {
    u64 start, end; /* bytes, start < end */
    u32 type;       /* enum memmap_type, or a number the firmware invented */
};

struct memmap {
    unsigned int nr;
    struct memmap_entry entry[MEMMAP_MAX]; /* ascending; equal neighbours are merged */
};

/*
 * Adds [start, end). Where it overlaps what is there, the less usable type wins: unusable, then
 * reserved and unknown, NVS, ACPI, RAM. An empty range changes nothing. -ENOSPC when the result
 * needs more than MEMMAP_MAX entries: the map is then incomplete and must not be used.
 */
int memmap_add(struct memmap *m, u64 start, u64 end, u32 type) MUST_CHECK;

/* The whole pages of an entry below limit, itself a page's start. False: there are none. */
bool memmap_pages(const struct memmap_entry *e, u64 limit, u64 *start, u64 *end);

/* True when the map is sorted, disjoint, merged and without empty entries. */
bool memmap_audit(const struct memmap *m);

#endif
