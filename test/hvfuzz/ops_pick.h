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
u32 pick_port(struct pick *p); /* an event port, mostly one the domain has */
/* An unbound port of another domain that waits for the caller; false: there is none. */
bool pick_unbound(struct pick *p, u32 *id, u32 *port);
/* An entry granted to the caller; false: there is none. */
bool pick_granted(struct pick *p, u32 *id, u32 *ref);
u32 pick_handle(struct pick *p); /* of a mapped grant */
void pick_say(struct pick *p, const char *f, ...) __attribute__((format(printf, 2, 3)));

/* ops_guest.c */
void ops_trap(struct pick *p);
void ops_return(struct pick *p);
void ops_shared(struct pick *p);
void ops_callback(struct pick *p);
/* The guest's user mode has the processor: a system call, or a trap. */
void ops_user(struct pick *p);

/* ops_grant.c */
void ops_grant(struct pick *p);
void ops_grant_entry(struct pick *p);
void ops_grant_map(struct pick *p);
void ops_grant_unmap(struct pick *p);
void ops_grant_copy(struct pick *p);

/* ops_ctl.c */
void ops_event(struct pick *p);
void ops_sched(struct pick *p);
void ops_vcpu(struct pick *p);
void ops_domctl(struct pick *p);
void ops_destroy(struct pick *p);
void ops_machine(struct pick *p);
void ops_misc(struct pick *p);

#endif
