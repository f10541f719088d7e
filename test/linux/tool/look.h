/* SPDX-License-Identifier: MIT */
/*
 * What a request that fails must leave as it is: the list of domains, their pages and the free
 * memory; and what the hypervisor said meanwhile.
 */
#ifndef LOOK_H
#define LOOK_H

#include "hcall.h"

#define LOOK_DOMAINS 8

struct look {
    uint64_t free_pages;
    uint32_t domains;
    struct {
        domid_t id;
        uint32_t flags;
        uint64_t pages;
    } domain[LOOK_DOMAINS];
};

void look(struct look *l);
/*
 * "same", or "CHANGED what". slack: free pages that may be missing, as the hypervisor keeps an
 * empty page of small objects now and then.
 */
const char *look_compare(const struct look *before, const struct look *after, uint64_t slack);
/* The hypervisor's log from *index on, which is moved to its end. Valid until the next call. */
char *look_log(uint32_t *index);

#endif
