/* SPDX-License-Identifier: MIT */
/*
 * A guest that keeps the hypervisor busy as fast as it can: memory given back and taken again,
 * frames mapped and copied by grants of its own, event channels made, rung and closed, page tables
 * validated, pinned and undone, long lists of each, and as many requests that must be refused.
 * Each second it writes the number of rounds done to its console ring.
 */
#include "pest.h"

#define UPDATES 512

static grant_entry_v1_t *grants;
static void *frame, *hole, *table;
static unsigned int self;
static struct mmu_update updates[UPDATES];

static void set_up(void)
{
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t gfn[1];
    unsigned int i;

    self = own_id();
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
    grant(&grants[8], self, frame);
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

    m.ref = 8;
    m.dom = (domid_t)self;
    must(grant_op(GNTTABOP_map_grant_ref, &m) == 0 && m.status == 0);
    u.handle = m.handle;
    must(grant_op(GNTTABOP_unmap_grant_ref, &u) == 0 && u.status == 0);
    copy_round(self, 8, frame);
}

static void table_round(void)
{
    uint64_t *entry = table;
    unsigned int i;

    for (i = 0; i < UPDATES; i++)
        entry[i] = MKPTE(va_mfn(frame), PTE_ROP);
    must(page_ro(table) == 0 && table_pin(1, va_mfn(table)) == 0);
    for (i = 0; i < UPDATES; i++)
        updates[i] = (struct mmu_update){va_maddr(&entry[i]),
                                         i & 1 ? MKPTE(frames[i % FRAMES], PTE_RWP) : 0};
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

static void all_rounds(void)
{
    memory_round();
    grant_round();
    event_round();
    table_round();
    refused_round();
}

void test_main(const char *args)
{
    (void)args;
    set_up();
    go_on(self, all_rounds);
}
