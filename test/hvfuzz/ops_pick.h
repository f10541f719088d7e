/* SPDX-License-Identifier: MIT */
/* Arguments from bytes: mostly values that exist. Operations are in ops.c and ops_ctl.c. */
#ifndef HVFUZZ_OPS_PICK_H
#define HVFUZZ_OPS_PICK_H

#include "base/def.h"

struct pick {
    const u8 *arg;
    u32 left;
};

u8 pick_byte(struct pick *p); /* 0 when there are no more */
u32 pick_slot(struct pick *p);
u64 pick_slot_mfn(u32 slot);
u64 pick_mfn(struct pick *p);   /* a frame, mostly data */
u64 pick_table(struct pick *p); /* a frame, mostly one that is or may become a table */
u64 pick_index(struct pick *p); /* 0 to 511 */
u64 pick_entry(struct pick *p); /* a page-table entry */
u64 pick_va(struct pick *p);    /* page aligned */
u32 pick_domid(struct pick *p);
void pick_say(struct pick *p, const char *f, ...) __attribute__((format(printf, 2, 3)));

/* ops_ctl.c */
void ops_event(struct pick *p);
void ops_sched(struct pick *p);
void ops_vcpu(struct pick *p);
void ops_domctl(struct pick *p);
void ops_destroy(struct pick *p);
void ops_grant(struct pick *p);
void ops_misc(struct pick *p);

#endif
