/* SPDX-License-Identifier: MIT */
/*
 * A hardware-assisted guest's own page tables, walked as its processor would: virtual to
 * guest-physical address, with the page-fault error code on refusal. All paging modes but 5-level
 * (AMD APM vol. 2, 5.2 and 5.3; Intel SDM vol. 3, 4.3 to 4.6). Accessed and dirty bits are not set.
 */
#ifndef PURE_GWALK_H
#define PURE_GWALK_H

#include "base/def.h"

struct gwalk_mode {
    u64 cr0, cr3, cr4, efer;
    bool ac; /* RFLAGS.AC: suspends SMAP for explicit accesses */
};

/* An access, in page-fault error code bits: PFEC_WRITE, PFEC_USER, PFEC_INSN. */
#define GWALK_WRITE 2u
#define GWALK_USER  4u
#define GWALK_INSN  16u

/* Reads a table entry of `size` (4 or 8) bytes at a guest-physical address; false: no RAM there. */
typedef bool (*gwalk_read_fn)(void *ctx, u64 gpa, void *out, unsigned int size);

/*
 * True: *gpa is the translation, valid to the end of va's 4 KiB page. False: *pfec is the error
 * code of the page fault (present bit and reserved bit included).
 */
bool gwalk_translate(const struct gwalk_mode *m, u64 va, u32 access, gwalk_read_fn read, void *ctx,
                     u64 *gpa, u32 *pfec) MUST_CHECK;

#endif
