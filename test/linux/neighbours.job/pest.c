/* SPDX-License-Identifier: MIT */
/*
 * A guest that keeps the hypervisor busy as fast as it can: memory given back and taken again,
 * frames mapped and copied by grants of its own, event channels made, rung and closed, page tables
 * validated, pinned and undone, long lists of each, and as many requests that must be refused.
 * Each second it writes the number of rounds done to its console ring.
 */
#include "front.h"

#define FRAMES  64
#define UPDATES 512
#define PORTS   64

static grant_entry_v1_t *grants;
static void *frame, *hole, *table;
static unsigned int self;
static uint64_t frames[FRAMES];
static struct mmu_update updates[UPDATES];
static uint64_t failed; /* what should have worked */

static void must(bool ok)
{
    failed += !ok;
}

static long grant_op(unsigned int cmd, void *arg)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, 1);
}

static void set_up(void)
{
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t gfn[1];
    const char *at;
    char id[8] = "";
    unsigned int i;

    xs_read("domid", id, sizeof(id));
    at = id;
    self = (unsigned int)read_number(&at);
    set_xen_guest_handle(s.frame_list, gfn);
    must(grant_op(GNTTABOP_setup_table, &s) == 0 && s.status == 0);
    grants = page_alloc();
    must(va_set(grants, MKPTE(gfn[0], PTE_RWP), UVMF_INVLPG) == 0);
    frame = page_alloc();
    table = page_alloc();
    hole = page_alloc();
    must(page_unmap(hole) == 0);
    for (i = 0; i < FRAMES; i++)
        frames[i] = mfn_alloc();
    grants[8] = (grant_entry_v1_t){.domid = (domid_t)self, .frame = (uint32_t)va_mfn(frame)};
    barrier();
    grants[8].flags = GTF_permit_access;
}

static long reserve(unsigned int cmd, uint64_t count, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, frames);
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)&r);
}

static void memory_round(void)
{
    must(reserve(XENMEM_decrease_reservation, FRAMES, 0) == FRAMES);
    must(reserve(XENMEM_increase_reservation, FRAMES, 0) == FRAMES);
}

static void grant_round(void)
{
    struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)hole, .flags = GNTMAP_host_map};
    struct gnttab_unmap_grant_ref u = {.host_addr = (uint64_t)hole};
    struct gnttab_copy c = {.len = PAGE_SIZE, .flags = GNTCOPY_source_gref};

    m.ref = c.source.u.ref = 8;
    m.dom = c.source.domid = (domid_t)self;
    c.dest.domid = DOMID_SELF;
    must(grant_op(GNTTABOP_map_grant_ref, &m) == 0 && m.status == 0);
    u.handle = m.handle;
    must(grant_op(GNTTABOP_unmap_grant_ref, &u) == 0 && u.status == 0);
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

static void table_round(void)
{
    uint64_t *entry = table;
    unsigned int i;

    for (i = 0; i < UPDATES; i++)
        entry[i] = MKPTE(va_mfn(frame), PTE_ROP);
    must(page_ro(table) == 0 && table_pin(1, va_mfn(table)) == 0);
    for (i = 0; i < UPDATES; i++)
        updates[i] = (struct mmu_update){
            va_maddr(&entry[i]), i & 1 ? MKPTE(frames[i % FRAMES], PTE_RWP) : 0};
    must(hypercall4(__HYPERVISOR_mmu_update, (uint64_t)updates, UPDATES, 0, DOMID_SELF) == 0);
    must(table_unpin(va_mfn(table)) == 0 && page_rw(table) == 0);
}

static void refused_round(void)
{
    must(reserve(XENMEM_increase_reservation, 1, 12) == 0);
    must(evtchn_send(4000) < 0);
    must(va_set(hole, MKPTE(1, PTE_RWP), UVMF_INVLPG) < 0);
    must(table_pin(4, va_mfn(frame)) < 0);
    must(hypercall1(__HYPERVISOR_domctl, (uint64_t)frame) < 0);
    must(hypercall1(60, 0) < 0);
}

void test_main(const char *args)
{
    uint64_t n, next = 0;

    (void)args;
    set_up();
    ring_print(text("PEST up, d%u, failed=%lu\r\n", self, failed));
    for (n = 1;; n++) {
        memory_round();
        grant_round();
        event_round();
        table_round();
        refused_round();
        if (now() < next)
            continue;
        next = now() + 1000000000;
        ring_print(text("PEST rounds=%lu failed=%lu ;\r\n", n, failed));
    }
}
