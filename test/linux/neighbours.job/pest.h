/* SPDX-License-Identifier: MIT */
/* What a hostile guest of either kind does: pest.c (PV), pest_pvh.c. */
#ifndef PEST_H
#define PEST_H

#include "front.h"

#define FRAMES 64
#define PORTS  64

static uint64_t frames[FRAMES];
static uint64_t failed; /* what should have worked */

static void must(bool ok)
{
    failed += !ok;
}

static long grant_op(unsigned int cmd, void *arg)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, 1);
}

static long reserve(unsigned int cmd, uint64_t count, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, frames);
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)&r);
}

static unsigned int own_id(void)
{
    const char *at;
    char id[8] = "";

    xs_read("domid", id, sizeof(id));
    at = id;
    return (unsigned int)read_number(&at);
}

/* The frame is the domain's own to read, by this reference. */
static void grant(grant_entry_v1_t *entry, unsigned int to, void *frame)
{
    *entry = (grant_entry_v1_t){.domid = (domid_t)to, .frame = (uint32_t)va_mfn(frame)};
    barrier();
    entry->flags = GTF_permit_access;
}

static void copy_round(unsigned int self, uint32_t ref, void *frame)
{
    struct gnttab_copy c = {.len = PAGE_SIZE, .flags = GNTCOPY_source_gref};

    c.source.u.ref = ref;
    c.source.domid = (domid_t)self;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = va_mfn(frame);
    must(grant_op(GNTTABOP_copy, &c) == 0 && c.status == 0);
}

static void event_round(void)
{
    int port[PORTS], far[PORTS];
    unsigned int i;

    for (i = 0; i < PORTS; i++) {
        port[i] = evtchn_unbound(DOMID_SELF, DOMID_SELF);
        far[i] = evtchn_interdomain(DOMID_SELF, (uint32_t)port[i]);
        must(far[i] > 0 && evtchn_send((uint32_t)far[i]) == 0);
    }
    for (i = 0; i < PORTS; i++)
        must(evtchn_close((uint32_t)port[i]) == 0 && evtchn_close((uint32_t)far[i]) == 0);
}

/* Does round always, and says each second how often. */
static void go_on(unsigned int self, void (*round)(void))
{
    uint64_t n, next = 0;

    ring_print(text("PEST up, d%u, failed=%lu\r\n", self, failed));
    for (n = 1;; n++) {
        round();
        if (now() < next)
            continue;
        next = now() + 1000000000;
        ring_print(text("PEST rounds=%lu failed=%lu ;\r\n", n, failed));
    }
}

#endif
