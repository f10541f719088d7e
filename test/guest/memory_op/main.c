/* SPDX-License-Identifier: MIT */
/*
 * memory_op: reservations, exchange, the host's memory map, m2p queries; every sub-operation
 * without an argument; continuation and multicall of them.
 */
#include "guest.h"

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0xdead00000000ul)     /* mapped by nobody */

static uint64_t list[2048], list2[2048];

static long memory_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)arg);
}

static struct xen_memory_reservation reservation(uint64_t *extents, unsigned long nr,
                                                 unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, extents);
    return r;
}

static long reserve(unsigned int cmd, uint64_t *extents, unsigned long nr, unsigned int order,
                    unsigned int flags)
{
    struct xen_memory_reservation r = reservation(extents, nr, order);

    r.mem_flags = flags;
    return memory_op(cmd, &r);
}

static long pages_now(void)
{
    domid_t self = DOMID_SELF;

    return memory_op(XENMEM_current_reservation, &self);
}

static void every_op(void)
{
    unsigned int op;

    for (op = 0; op < 64; op++) {
        value_rc(text("op %u without argument", op),
                 op == XENMEM_maximum_ram_page ? 0 : memory_op(op, NULL));
        value_rc(text("op %u with a bad argument", op),
                 op == XENMEM_maximum_ram_page ? 0 : memory_op(op, BAD_VA));
    }
}

static void queries(void)
{
    static const unsigned int ops[] = {XENMEM_current_reservation, XENMEM_maximum_reservation,
                                       XENMEM_maximum_gpfn};
    static const unsigned int doms[] = {1, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_IDLE};
    domid_t dom = DOMID_SELF;
    unsigned int i, j;

    note("maximum_ram_page %lx", memory_op(XENMEM_maximum_ram_page, NULL));
    note("current_reservation %lx of %lx", pages_now(),
         memory_op(XENMEM_maximum_reservation, &dom));
    check(pages_now() <= memory_op(XENMEM_maximum_reservation, &dom), "current up to maximum");
    check(pages_now() >= (long)start_info->nr_pages, "current covers nr_pages");
    dom = 0;
    check(pages_now() == memory_op(XENMEM_current_reservation, &dom), "dom0 is self");
    for (i = 0; i < ARRAY_SIZE(doms); i++)
        for (j = 0; j < ARRAY_SIZE(ops); j++) {
            dom = (domid_t)doms[i];
            value_rc(text("query %u of domain %x", ops[j], doms[i]), memory_op(ops[j], &dom));
        }
    value_rc("get_sharing_freed_pages", memory_op(XENMEM_get_sharing_freed_pages, NULL));
    value_rc("get_sharing_shared_pages", memory_op(XENMEM_get_sharing_shared_pages, NULL));
}

static void machphys(void)
{
    struct xen_machphys_mapping m = {0};
    struct xen_machphys_mfn_list l = {.max_extents = 64};

    check_eq("machphys_mapping", memory_op(XENMEM_machphys_mapping, &m), 0);
    value("machphys start", "%lx", (unsigned long)m.v_start);
    value("machphys end", "%lx", (unsigned long)m.v_end);
    check((long)m.max_mfn >= memory_op(XENMEM_maximum_ram_page, NULL) - 1, "machphys covers RAM");
    set_xen_guest_handle(l.extent_start, list);
    check_eq("machphys_mfn_list", memory_op(XENMEM_machphys_mfn_list, &l), 0);
    check(l.nr_extents >= 1 && l.nr_extents <= 64 && list[0] != 0, "machphys list has entries");
    l.max_extents = 0;
    check_eq("machphys_mfn_list, no room", memory_op(XENMEM_machphys_mfn_list, &l), 0);
    value("machphys list, no room", "%u", l.nr_extents);
    l.max_extents = 1;
    set_xen_guest_handle(l.extent_start, (uint64_t *)NOWHERE);
    value_rc("machphys_mfn_list, bad list", memory_op(XENMEM_machphys_mfn_list, &l));
}

struct e820 {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static void host_map(void)
{
    static struct e820 map[128];
    struct xen_memory_map m = {.nr_entries = 128};
    unsigned int i, nr, ram = 0;
    bool sorted = true;

    set_xen_guest_handle(m.buffer, map);
    check_eq("machine_memory_map", memory_op(XENMEM_machine_memory_map, &m), 0);
    nr = m.nr_entries;
    check(nr >= 3 && nr <= 128, "the host has a memory map");
    for (i = 0; i < nr; i++) {
        ram += map[i].type == 1;
        sorted = sorted && map[i].size && (!i || map[i].addr >= map[i - 1].addr + map[i - 1].size);
    }
    check(ram >= 2, "there is RAM below and above 640 KiB");
    check(sorted, "the map is sorted and disjoint");
    m.nr_entries = 1;
    value_rc("machine_memory_map, room for one", memory_op(XENMEM_machine_memory_map, &m));
    m.nr_entries = 0;
    value_rc("machine_memory_map, room for none", memory_op(XENMEM_machine_memory_map, &m));
    m.nr_entries = 128;
    set_xen_guest_handle(m.buffer, NOWHERE);
    value_rc("machine_memory_map, bad buffer", memory_op(XENMEM_machine_memory_map, &m));
    m.nr_entries = 128;
    set_xen_guest_handle(m.buffer, map);
    value_rc("memory_map", memory_op(XENMEM_memory_map, &m));
}

static void decrease(void)
{
    long before = pages_now();
    void *page;

    list[0] = mfn_alloc();
    check_eq("decrease", reserve(XENMEM_decrease_reservation, list, 1, 0, 0), 1);
    check_eq("decrease, pages", pages_now(), before - 1);
    check_eq("decrease again", reserve(XENMEM_decrease_reservation, list, 1, 0, 0), 0);
    check_eq("increase", reserve(XENMEM_increase_reservation, list, 1, 0, 0), 1);
    check_eq("increase, pages", pages_now(), before);
    check_eq("decrease none", reserve(XENMEM_decrease_reservation, list, 0, 0, 0), 0);
    list2[0] = 1ul << 40;
    check_eq("decrease nonsense", reserve(XENMEM_decrease_reservation, list2, 1, 0, 0), 0);
    list2[0] = 0x200;
    check_eq("decrease hypervisor's", reserve(XENMEM_decrease_reservation, list2, 1, 0, 0), 0);
    list2[0] = PTE_MFN(pte_get(shared_info));
    value_rc("decrease shared_info", reserve(XENMEM_decrease_reservation, list2, 1, 0, 0));
    value_rc("decrease, bad list", reserve(XENMEM_decrease_reservation, NOWHERE, 1, 0, 0));
    value_rc("decrease, no list", reserve(XENMEM_decrease_reservation, NULL, 1, 0, 0));
    value_rc("decrease, order 30", reserve(XENMEM_decrease_reservation, list, 1, 30, 0));
    value_rc("decrease, too many", reserve(XENMEM_decrease_reservation, list, 1ul << 40, 0, 0));
    /* A good one, a bad one, a good one: stops at the bad one. */
    list2[0] = list[0];
    list2[1] = 1ul << 40;
    list2[2] = mfn_alloc();
    check_eq("decrease stops at a bad frame", reserve(XENMEM_decrease_reservation, list2, 3, 0, 0),
             1);
    mfn_free(list2[2]);
    check_eq("increase back", reserve(XENMEM_increase_reservation, list, 1, 0, 0), 1);
    mfn_free(list[0]);
    /* Mapped: the frame goes when the mapping goes. */
    page = page_alloc();
    list[0] = va_mfn(page);
    value_rc("decrease a mapped frame", reserve(XENMEM_decrease_reservation, list, 1, 0, 0));
    value("decrease a mapped frame, pages", "%ld", pages_now() - before);
    check(va_writable(page), "a frame given up stays mapped");
    check_eq("unmap it", page_unmap(page), 0);
    value("and unmapped, pages", "%ld", pages_now() - before);
    check_eq("increase for it", reserve(XENMEM_increase_reservation, list, 1, 0, 0), 1);
    check_eq("map the new one", va_set(page, MKPTE(list[0], PTE_RWP), UVMF_INVLPG), 0);
}

static void populate(void)
{
    long before = pages_now();

    list[0] = mfn_alloc();
    list[1] = mfn_alloc();
    check_eq("decrease two", reserve(XENMEM_decrease_reservation, list, 2, 0, 0), 2);
    list[0] = 0x12345;
    list[1] = 0x54321;
    check_eq("populate", reserve(XENMEM_populate_physmap, list, 2, 0, 0), 2);
    check(list[0] != 0x12345 && list[1] != 0x54321, "populate returns frames");
    check(M2P[list[0]] == 0x12345 && M2P[list[1]] == 0x54321, "populate sets the m2p");
    check_eq("populate, pages", pages_now(), before);
    check_eq("decrease them", reserve(XENMEM_decrease_reservation, list, 2, 0, 0), 2);
    list[0] = 0x1000;
    check_eq("populate order 1", reserve(XENMEM_populate_physmap, list, 1, 1, 0), 1);
    check(!(list[0] & 1), "an extent is aligned");
    check(M2P[list[0]] == 0x1000 && M2P[list[0] + 1] == 0x1001, "m2p of an extent");
    check_eq("beyond the maximum", reserve(XENMEM_populate_physmap, list2, 1, 4, 0), 0);
    check_eq("decrease order 1", reserve(XENMEM_decrease_reservation, list, 1, 1, 0), 1);
    list[0] = list[1] = 7;
    check_eq("populate below 4 GiB",
             reserve(XENMEM_populate_physmap, list, 2, 0, XENMEMF_address_bits(32)), 2);
    check(list[0] < 1ul << 20 && list[1] < 1ul << 20, "below 4 GiB");
    check_eq("decrease those", reserve(XENMEM_decrease_reservation, list, 2, 0, 0), 2);
    list[0] = 7;
    value_rc("populate below 4 KiB",
             reserve(XENMEM_populate_physmap, list, 1, 0, XENMEMF_address_bits(12)));
    value_rc("populate, no list", reserve(XENMEM_populate_physmap, NULL, 1, 0, 0));
    value_rc("populate, bad list", reserve(XENMEM_populate_physmap, NOWHERE, 1, 0, 0));
    value_rc("populate, order 30", reserve(XENMEM_populate_physmap, list, 1, 30, 0));
    check_eq("increase two", reserve(XENMEM_increase_reservation, list, 2, 0, 0), 2);
    check_eq("pages as before", pages_now(), before);
    mfn_free(list[0]);
    mfn_free(list[1]);
}

/* The ABI hides a start in the command's high bits; a list is then done from there on. */
static void started(void)
{
    list[0] = mfn_alloc();
    list[1] = mfn_alloc();
    check_eq("decrease, started at 1", reserve(XENMEM_decrease_reservation | 1 << 6, list, 2, 0, 0),
             2);
    value_rc("increase, started behind the end",
             reserve(XENMEM_increase_reservation | 5 << 6, list + 1, 1, 0, 0));
    check_eq("increase one", reserve(XENMEM_increase_reservation, list + 1, 1, 0, 0), 1);
    mfn_free(list[0]);
    mfn_free(list[1]);
}

/* Long lists are done in pieces; the guest sees one call. */
static void many(void)
{
    unsigned int i, nr = 1500;
    bool unique = true;
    long before = pages_now();

    for (i = 0; i < nr; i++)
        list[i] = mfn_alloc();
    memcpy(list2, list, sizeof(list));
    check_eq("decrease many", reserve(XENMEM_decrease_reservation, list, nr, 0, 0), nr);
    check_eq("decrease many, pages", pages_now(), before - (long)nr);
    check(!memcmp(list, list2, sizeof(list)), "decrease leaves the list");
    for (i = 0; i < nr; i++)
        list[i] = 0x100000 + i;
    check_eq("populate many", reserve(XENMEM_populate_physmap, list, nr, 0, 0), nr);
    for (i = 0; i < nr; i++)
        unique = unique && M2P[list[i]] == 0x100000 + i;
    check(unique, "populate many, m2p");
    check_eq("populate many, pages", pages_now(), before);
    for (i = 0; i < nr; i++)
        mfn_free(list[i]);
}

static void multicalled(void)
{
    struct multicall_entry mc[3];
    domid_t self = DOMID_SELF;
    unsigned int i, nr = 1500;
    struct xen_memory_reservation r = reservation(list, nr, 0), bad = reservation(list2, 1, 0);

    for (i = 0; i < nr; i++)
        list[i] = mfn_alloc();
    list2[0] = 1ul << 40;
    memset(mc, 0, sizeof(mc));
    for (i = 0; i < 3; i++)
        mc[i].op = __HYPERVISOR_memory_op;
    mc[0].args[0] = XENMEM_current_reservation;
    mc[0].args[1] = (uint64_t)&self;
    mc[1].args[0] = XENMEM_decrease_reservation;
    mc[1].args[1] = (uint64_t)&r;
    mc[2].args[0] = XENMEM_decrease_reservation;
    mc[2].args[1] = (uint64_t)&bad;
    mc[0].result = ~0ul;
    check_eq("multicall", hypercall2(__HYPERVISOR_multicall, (uint64_t)mc, 3), 0);
    check((long)mc[0].result == pages_now() + (long)nr, "multicall: a query");
    check_eq("multicall: decrease many", (int64_t)mc[1].result, nr);
    check_eq("multicall: a refused one", (int64_t)mc[2].result, 0);
    check_eq("increase many", reserve(XENMEM_increase_reservation, list, nr, 0, 0), nr);
    for (i = 0; i < nr; i++)
        mfn_free(list[i]);
}

static void claims(void)
{
    struct xen_memory_reservation r = reservation(NULL, 0, 0);

    value_rc("claim for self", memory_op(XENMEM_claim_pages, &r));
    r.domid = 0;
    value_rc("claim 0", memory_op(XENMEM_claim_pages, &r));
    r.nr_extents = 1;
    value_rc("claim 1", memory_op(XENMEM_claim_pages, &r));
    r.nr_extents = 1ul << 31;
    value_rc("claim 8 TiB", memory_op(XENMEM_claim_pages, &r));
    r.nr_extents = 1;
    r.extent_order = 1;
    value_rc("claim with an order", memory_op(XENMEM_claim_pages, &r));
    r = reservation(list, 1, 0);
    r.domid = 0;
    value_rc("claim with a list", memory_op(XENMEM_claim_pages, &r));
    r = reservation(NULL, 1, 0);
    r.domid = 1;
    value_rc("claim for nobody", memory_op(XENMEM_claim_pages, &r));
}

static struct xen_memory_exchange exchange_of(unsigned long in, unsigned int in_order,
                                              unsigned long out, unsigned int out_order,
                                              unsigned int bits)
{
    struct xen_memory_exchange x = {.in = reservation(list, in, in_order),
                                    .out = reservation(list2, out, out_order)};
    unsigned int i;

    for (i = 0; i < in; i++)
        list[i] = mfn_alloc();
    for (i = 0; i < out; i++)
        list2[i] = 0x200000 + (i << out_order);
    x.out.mem_flags = XENMEMF_address_bits(bits);
    return x;
}

static void give_back(unsigned int nr, const uint64_t *mfns)
{
    while (nr--)
        mfn_free(mfns[nr]);
}

/* Are the first nr extents at list2 aligned, below the limit and in the m2p as asked? */
static bool extents_good(unsigned int nr, unsigned int order, unsigned int bits)
{
    unsigned int i, j;

    for (i = 0; i < nr; i++)
        for (j = 0; j < 1u << order; j++)
            if ((list2[i] & ((1u << order) - 1)) || (bits && (list2[i] + j) >> (bits - 12)) ||
                M2P[list2[i] + j] != 0x200000 + (i << order) + j)
                return false;
    return true;
}

static void exchange(void)
{
    struct xen_memory_exchange x;
    long before = pages_now();
    uint64_t extents[2];
    unsigned int i;

    x = exchange_of(8, 0, 1, 3, 0);
    check_eq("exchange 8 for an order 3", memory_op(XENMEM_exchange, &x), 0);
    check_eq("exchange, nr_exchanged", (int64_t)x.nr_exchanged, 8);
    check(extents_good(1, 3, 0), "exchange, the extent");
    check_eq("exchange, pages", pages_now(), before);
    check_eq("the old ones are gone", reserve(XENMEM_decrease_reservation, list, 1, 0, 0), 0);
    extents[0] = list2[0];
    x = exchange_of(0, 0, 8, 0, 0);
    list[0] = extents[0];
    x.in.nr_extents = 1;
    x.in.extent_order = 3;
    check_eq("exchange it back", memory_op(XENMEM_exchange, &x), 0);
    check_eq("exchange back, nr_exchanged", (int64_t)x.nr_exchanged, 1);
    check(extents_good(8, 0, 0), "exchange back, the frames");
    give_back(8, list2);

    x = exchange_of(16, 0, 2, 3, 32);
    check_eq("exchange in two chunks, 32 bits", memory_op(XENMEM_exchange, &x), 0);
    check_eq("two chunks, nr_exchanged", (int64_t)x.nr_exchanged, 16);
    check(extents_good(2, 3, 32), "two chunks, the extents");
    for (i = 0; i < 16; i++)
        mfn_free(list2[i / 8] + i % 8);

    x = exchange_of(1000, 0, 1000, 0, 0);
    check_eq("exchange many", memory_op(XENMEM_exchange, &x), 0);
    check_eq("exchange many, nr_exchanged", (int64_t)x.nr_exchanged, 1000);
    check(extents_good(1000, 0, 0), "exchange many, the frames");
    give_back(1000, list2);
    check_eq("exchange, pages at last", pages_now(), before);
}

static void try_exchange(const char *name, struct xen_memory_exchange *x)
{
    long rc = memory_op(XENMEM_exchange, x);

    value(name, "%ld, exchanged %lu", rc, (unsigned long)x->nr_exchanged);
}

static void exchange_refused(void)
{
    struct xen_memory_exchange x;
    long before = pages_now();
    void *page = page_alloc();

    x = exchange_of(8, 0, 1, 2, 0);
    try_exchange("exchange 8 for 4", &x);
    x.out.extent_order = 3;
    x.out.domid = 1;
    try_exchange("exchange between domains", &x);
    x.in.domid = 1;
    try_exchange("exchange of nobody", &x);
    x.in.domid = x.out.domid = DOMID_SELF;
    x.nr_exchanged = 9;
    try_exchange("exchange, 9 of 8 done", &x);
    x.nr_exchanged = 8;
    try_exchange("exchange, all done", &x);
    x.nr_exchanged = 0;
    x.out.mem_flags = XENMEMF_address_bits(13);
    try_exchange("exchange below 8 KiB", &x);
    x.out.mem_flags = 0;
    x.in.extent_order = x.out.extent_order = 30;
    try_exchange("exchange, order 30", &x);
    x.in.extent_order = 0;
    x.out.extent_order = 3;
    set_xen_guest_handle(x.in.extent_start, (uint64_t *)NOWHERE);
    try_exchange("exchange, bad list in", &x);
    set_xen_guest_handle(x.in.extent_start, list);
    list[8] = list[3];
    list[3] = va_mfn(page);
    try_exchange("exchange with a mapped frame", &x);
    list[3] = 0x200;
    try_exchange("exchange with a hypervisor's", &x);
    list[3] = list[4];
    try_exchange("exchange with one twice", &x);
    list[3] = list[8];
    x.in.nr_extents = x.out.nr_extents = 0;
    try_exchange("exchange nothing", &x);
    x.in.nr_extents = 8;
    x.out.nr_extents = 1;
    check_eq("the frames are still ours", memory_op(XENMEM_exchange, &x), 0);
    check(extents_good(1, 3, 0), "and became an extent");
    check_eq("refused exchanges, pages", pages_now(), before);
    page_free(page);
}

void test_main(const char *args)
{
    struct xen_memory_reservation r = reservation(list, 1, 0);

    (void)args;
    every_op();
    queries();
    machphys();
    host_map();
    decrease();
    populate();
    started();
    many();
    multicalled();
    claims();
    exchange();
    exchange_refused();
    r.domid = 1;
    value_rc("increase for nobody", memory_op(XENMEM_increase_reservation, &r));
    value_rc("decrease for nobody", memory_op(XENMEM_decrease_reservation, &r));
    value_rc("populate for nobody", memory_op(XENMEM_populate_physmap, &r));
}
