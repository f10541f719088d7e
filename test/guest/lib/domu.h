/* SPDX-License-Identifier: MIT */
/*
 * A second domain, made by the test with the tools' own hypercalls: sixteen pages, one vCPU, and a
 * loop that executes the hypercalls it is handed. It shares one page with us, the box.
 */
#ifndef DOMU_H
#define DOMU_H

#include "guest.h"

#include <xen/domctl.h>

#define DOMU_PAGES 16
#define DOMU_VA    0x10000000ul /* page n of the domain at n pages behind */

struct domu_box {
    uint64_t go, nr, args[6], result;
    uint8_t data[3000]; /* for arguments that are pointers: DOMU_BOX(data) */
};

struct domu {
    unsigned int id;
    void (*context)(struct domu *u, struct vcpu_guest_context *c); /* may change it, or NULL */
    uint64_t mfn[DOMU_PAGES];
    volatile struct domu_box *box;
    struct multicall_entry *list; /* a page for a list of calls: DOMU_LIST */
};

#define DOMU_LIST      (DOMU_VA + 7 * PAGE_SIZE)
#define DOMU_CALLS_MAX (PAGE_SIZE / sizeof(struct multicall_entry))
/* Where a member of the box is in the domain. */
#define DOMU_BOX(member) (DOMU_VA + 5 * PAGE_SIZE + offsetof(struct domu_box, member))

/* One domctl; op.domain and op.u are the caller's. */
long domctl(unsigned int cmd, struct xen_domctl *op);
/* A frame of another domain (of a PVH one: by its own number) at an address of ours, and away. */
void *domu_map(unsigned int id, uint64_t frame);
void domu_unmap(void *va);
/* Makes the domain, paused; ends the test when it cannot. code: its first instructions, or NULL for
 * the loop. */
void domu_create(struct domu *u, const void *code, size_t len);
void domu_run(struct domu *u);
/* Its vCPU's context, in or out. */
long domu_context(const struct domu *u, struct vcpu_guest_context *c, bool set);
/* A hypercall in the domain; DOMU_GONE when it does not come back within two seconds. */
#define DOMU_GONE (-99999)
long domu_call(struct domu *u, unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
/* XEN_DOMINF_ flags, or a negative errno. */
long domu_flags(const struct domu *u);
/* Destroys it and gives our page back. */
long domu_destroy(struct domu *u);

#endif
