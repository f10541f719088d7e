/* SPDX-License-Identifier: MIT */
/*
 * Grants to oneself: what may be mapped, copied and unmapped, with which status, what the shared
 * entry says meanwhile, and that a frame in use through a grant keeps its type.
 */
#include "guest.h"

#define NOWHERE 0xdead00000000ul     /* mapped by nobody */
#define BAD_VA  0xffff800000000000ul /* the hypervisor's */
#define SHOWN   (PTE_P | PTE_RW | PTE_A | PTE_D | 0xe00ul | PTE_NX)

static grant_entry_v1_t *table; /* one frame */
static unsigned int per_frame = PAGE_SIZE / sizeof(grant_entry_v1_t);

static long grant_op(unsigned int cmd, void *arg, unsigned int nr)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, nr);
}

/* One request, whose answer is in its status. */
static void grant_one(unsigned int cmd, void *op)
{
    long rc = grant_op(cmd, op, 1);

    if (rc)
        check(false, "grant_table_op %u: %ld", cmd, rc);
}

/* An address with an empty level 1 entry. */
static void *hole_alloc(void)
{
    void *va = page_alloc();

    if (page_unmap(va))
        check(false, "hole");
    return va;
}

static void table_init(void)
{
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t frame[1];

    set_xen_guest_handle(s.frame_list, frame);
    check_eq("setup_table", grant_op(GNTTABOP_setup_table, &s, 1), 0);
    check_eq("setup_table, status", s.status, 0);
    table = page_alloc();
    check_eq("table mapped", va_set(table, MKPTE(frame[0], PTE_RWP), UVMF_INVLPG), 0);
}

static void entry_set(unsigned int ref, unsigned int flags, unsigned int dom, uint64_t mfn)
{
    table[ref].flags = 0;
    barrier();
    table[ref].frame = (uint32_t)mfn;
    table[ref].domid = (domid_t)dom;
    barrier();
    table[ref].flags = (uint16_t)flags;
}

static struct gnttab_map_grant_ref last;

static int map_dom(uint64_t addr, unsigned int flags, unsigned int ref, unsigned int dom)
{
    last = (struct gnttab_map_grant_ref){.host_addr = addr, .flags = flags, .ref = ref};
    last.dom = (domid_t)dom;
    last.status = 77;
    grant_one(GNTTABOP_map_grant_ref, &last);
    return last.status;
}

static int map(const void *va, unsigned int flags, unsigned int ref)
{
    return map_dom((uint64_t)va, flags, ref, 0);
}

static int unmap_dev(uint64_t addr, uint64_t bus, uint32_t handle)
{
    struct gnttab_unmap_grant_ref u = {.host_addr = addr, .dev_bus_addr = bus, .handle = handle};

    u.status = 77;
    grant_one(GNTTABOP_unmap_grant_ref, &u);
    return u.status;
}

static int unmap(const void *va, uint32_t handle)
{
    return unmap_dev((uint64_t)va, 0, handle);
}

/* ---- The usual ---- */

static void usual(void)
{
    volatile uint64_t *frame = page_alloc(), *hole = hole_alloc();
    uint32_t handle;

    frame[3] = 0x1234;
    entry_set(8, GTF_permit_access, 0, va_mfn((void *)frame));
    check_eq("map", map((void *)hole, GNTMAP_host_map, 8), 0);
    handle = last.handle;
    check_eq("its frame", PTE_MFN(pte_get((void *)hole)), va_mfn((void *)frame));
    value("its entry", "%lx", pte_get((void *)hole) & SHOWN);
    check_eq("its bus address", last.dev_bus_addr, va_mfn((void *)frame) << 12);
    check_eq("seen through it", hole[3], 0x1234);
    hole[4] = 0x5678;
    check_eq("written through it", frame[4], 0x5678);
    value("flags while mapped", "%x", table[8].flags);
    check_eq("unmap", unmap((void *)hole, handle), 0);
    value("entry after unmap", "%lx", pte_get((void *)hole));
    check(!va_readable((void *)hole), "nothing there after unmap");
    value("flags after unmap", "%x", table[8].flags);
    value_rc("unmap again", unmap((void *)hole, handle));

    check_eq("map read-only", map((void *)hole, GNTMAP_host_map | GNTMAP_readonly, 8), 0);
    value("read-only, entry", "%lx", pte_get((void *)hole) & SHOWN);
    value("read-only, flags", "%x", table[8].flags);
    check(va_readable((void *)hole) && !va_writable((void *)hole), "read-only is read-only");
    value_rc("read-only, unmap without address", unmap_dev(0, 0, last.handle));
    value("then flags", "%x", table[8].flags);
    value_rc("read-only, unmap", unmap((void *)hole, last.handle));
    value("read-only, flags after unmap", "%x", table[8].flags);
}

static void twice(void)
{
    void *frame = page_alloc(), *a = hole_alloc(), *b = hole_alloc(), *other = page_alloc();
    uint32_t ha, hb;

    entry_set(9, GTF_permit_access, 0, va_mfn(frame));
    value_rc("first, read-only", map(a, GNTMAP_host_map | GNTMAP_readonly, 9));
    ha = last.handle;
    /* What the entry says now does not matter, unless more rights are asked for. */
    entry_set(9, GTF_reading, 5, va_mfn(other));
    value_rc("second, read-only, entry withdrawn", map(b, GNTMAP_host_map | GNTMAP_readonly, 9));
    hb = last.handle;
    check_eq("it is the same frame", PTE_MFN(pte_get(b)), va_mfn(frame));
    value_rc("unmap it", unmap(b, hb));
    value_rc("second, writable, entry withdrawn", map(b, GNTMAP_host_map, 9));
    hb = last.handle;
    value("flags", "%x", table[9].flags);
    if (last.status == 0)
        value_rc("unmap writable", unmap(b, hb));
    value("flags then", "%x", table[9].flags);
    entry_set(9, GTF_permit_access | GTF_readonly | GTF_reading, 0, va_mfn(frame));
    value_rc("second, writable, entry read-only", map(b, GNTMAP_host_map, 9));
    value_rc("unmap first with the wrong address", unmap(b, ha));
    value_rc("unmap first", unmap(a, ha));
    value("flags at last", "%x", table[9].flags);
}

/* ---- Refused ---- */

static void entries_refused(void)
{
    static const unsigned int bad[] = {
        0,
        GTF_accept_transfer,
        GTF_transitive,
        GTF_permit_access | GTF_sub_page,
        GTF_permit_access | GTF_readonly,
        GTF_permit_access | GTF_PCD,
        GTF_permit_access | GTF_reading,
        GTF_permit_access | GTF_writing,
        GTF_permit_access | 0x8000,
    };
    void *frame = page_alloc(), *hole = hole_alloc();
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        entry_set(10, bad[i], 0, va_mfn(frame));
        value_rc(text("entry %x", bad[i]), map(hole, GNTMAP_host_map, 10));
        if (last.status == 0)
            check_eq("its unmap", unmap(hole, last.handle), 0);
        value(text("entry %x, flags", bad[i]), "%x", table[10].flags);
    }
    entry_set(10, GTF_permit_access, 1, va_mfn(frame));
    value_rc("entry for d1", map(hole, GNTMAP_host_map, 10));
    entry_set(10, GTF_permit_access, DOMID_SELF, va_mfn(frame));
    value_rc("entry for DOMID_SELF", map(hole, GNTMAP_host_map, 10));
    entry_set(10, GTF_permit_access, 0, 0xfee00);
    value_rc("frame of the APIC", map(hole, GNTMAP_host_map, 10));
    value("frame of the APIC, flags", "%x", table[10].flags);
    entry_set(10, GTF_permit_access, 0, 0xffffffff);
    value_rc("frame -1", map(hole, GNTMAP_host_map, 10));
    entry_set(10, GTF_permit_access, 0, cr3_mfn());
    value_rc("frame of a page table", map(hole, GNTMAP_host_map, 10));
    value("frame of a page table, flags", "%x", table[10].flags);
    value_rc("the same, read-only", map(hole, GNTMAP_host_map | GNTMAP_readonly, 10));
    if (last.status == 0)
        value_rc("its unmap", unmap(hole, last.handle));
    entry_set(10, GTF_permit_access, 0, va_mfn(frame));
}

static void requests_refused(void)
{
    static const unsigned int doms[] = {DOMID_SELF, 1,      DOMID_IO, DOMID_XEN,
                                        DOMID_COW,  0x7fff, 0xffff};
    void *hole = hole_alloc(), *plain = page_alloc();
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(doms); i++)
        value_rc(text("domain %x", doms[i]), map_dom((uint64_t)hole, GNTMAP_host_map, 10, doms[i]));
    value_rc("entry beyond the table", map(hole, GNTMAP_host_map, per_frame));
    value_rc("entry -1", map(hole, GNTMAP_host_map, 0xffffffff));
    value_rc("flags 0", map(hole, 0, 10));
    value_rc("flags read-only", map(hole, GNTMAP_readonly, 10));
    value_rc("at 0", map_dom(0, GNTMAP_host_map, 10, 0));
    value_rc("nowhere", map_dom(NOWHERE, GNTMAP_host_map, 10, 0));
    value_rc("at a hypervisor's address", map_dom(BAD_VA, GNTMAP_host_map, 10, 0));
    value_rc("at a non-canonical address",
             map_dom((uint64_t)hole & ~(1ul << 62), GNTMAP_host_map, 10, 0));
    value_rc("entry in a plain page",
             map_dom(va_maddr(plain), GNTMAP_host_map | GNTMAP_contains_pte, 10, 0));
    value_rc("entry in no page", map_dom(~0xffful, GNTMAP_host_map | GNTMAP_contains_pte, 10, 0));
    value_rc("entry of level 2",
             map_dom(va_maddr(pte_at(hole, 2)), GNTMAP_host_map | GNTMAP_contains_pte, 10, 0));
    value_rc("entry not aligned",
             map_dom(va_maddr(pte_at(hole, 1)) + 4, GNTMAP_host_map | GNTMAP_contains_pte, 10, 0));
    value("the entry after all this", "%lx", pte_get(hole));
    value_rc("unmap of handle -1", unmap(hole, 0xffffffff));
    value_rc("unmap of handle 1000000", unmap(hole, 1000000));
    value_rc("unmap of handle 200", unmap(hole, 200));
    value("flags after all this", "%x", table[10].flags);
}

/* ---- Entries by machine address, devices, replaced ---- */

static void by_entry(void)
{
    void *hole = hole_alloc();
    uint64_t e = va_maddr(pte_at(hole, 1));
    unsigned int flags = GNTMAP_host_map | GNTMAP_application_map | GNTMAP_contains_pte;

    value_rc("entry by address", map_dom(e, flags | 5u << 16, 10, 0));
    value("it is", "%lx", pte_get(hole) & SHOWN);
    value_rc("unmap by virtual address", unmap(hole, last.handle));
    value_rc("unmap by the next entry", unmap_dev(e + 8, 0, last.handle));
    value_rc("unmap by entry", unmap_dev(e, 0, last.handle));
    value("left there", "%lx", pte_get(hole));
}

static void devices(void)
{
    void *hole = hole_alloc();
    uint64_t bus;

    value_rc("device map", map(NULL, GNTMAP_device_map, 10));
    bus = last.dev_bus_addr;
    value("device map, flags", "%x", table[10].flags);
    value_rc("unmap with the wrong bus address", unmap_dev(0, bus + PAGE_SIZE, last.handle));
    value_rc("unmap with an address", unmap(hole, last.handle));
    value_rc("unmap with the bus address", unmap_dev(0, bus, last.handle));
    value("device map, flags then", "%x", table[10].flags);
    value_rc("device and host map", map(hole, GNTMAP_device_map | GNTMAP_host_map, 10));
    bus = last.dev_bus_addr;
    value_rc("unmap the host map", unmap(hole, last.handle));
    value("flags in between", "%x", table[10].flags);
    value_rc("unmap the host map again", unmap(hole, last.handle));
    value_rc("unmap the device map", unmap_dev(0, bus, last.handle));
    value("flags in the end", "%x", table[10].flags);
    value_rc("both, once more", map(hole, GNTMAP_device_map | GNTMAP_host_map, 10));
    bus = last.dev_bus_addr;
    value_rc("unmap both, wrong bus address", unmap_dev((uint64_t)hole, bus + 1, last.handle));
    value_rc("unmap both", unmap_dev((uint64_t)hole, bus, last.handle));
    value("flags in the very end", "%x", table[10].flags);
}

static int replace(const void *va, const void *from, uint32_t handle)
{
    struct gnttab_unmap_and_replace u = {.handle = handle};

    u.host_addr = (uint64_t)va;
    u.new_addr = (uint64_t)from;
    u.status = 77;
    grant_one(GNTTABOP_unmap_and_replace, &u);
    return u.status;
}

static void replaced(void)
{
    void *hole = hole_alloc(), *from = page_alloc(), *bare = hole_alloc(), *lost = page_alloc();
    uint64_t mfn = va_mfn(from);

    check_eq("map to replace", map(hole, GNTMAP_host_map, 10), 0);
    value_rc("replace from nowhere", replace(hole, (void *)NOWHERE, last.handle));
    value_rc("replace the wrong address", replace(bare, lost, last.handle));
    value("then the other's entry", "%lx", pte_get(lost) & 0xfff & SHOWN);
    value_rc("replace", replace(hole, from, last.handle));
    check_eq("replaced by the other's frame", PTE_MFN(pte_get(hole)), mfn);
    value("the other's entry", "%lx", pte_get(from));
    check(va_writable(hole), "replaced, writable");
    value("replaced, flags", "%x", table[10].flags);
    check_eq("map to replace", map(hole, GNTMAP_host_map, 10), 0);
    value_rc("replace by an empty entry", replace(hole, bare, last.handle));
    value("then it is", "%lx", pte_get(hole));
    check_eq("map to replace", map(hole, GNTMAP_host_map, 10), 0);
    value_rc("replace by nothing", replace(hole, NULL, last.handle));
    value("then too", "%lx", pte_get(hole));
}

/* ---- The guest meddles ---- */

static void overwritten(void)
{
    void *frame = mfn_va(table[10].frame), *hole = hole_alloc(), *own = page_alloc();
    uint32_t handle;

    check_eq("map", map(hole, GNTMAP_host_map, 10), 0);
    handle = last.handle;
    check_eq("made read-only by hand", va_set(hole, MKPTE(va_mfn(frame), PTE_ROP), UVMF_INVLPG), 0);
    value_rc("unmap what is read-only now", unmap(hole, handle));
    check_eq("replaced by hand", va_set(hole, MKPTE(va_mfn(own), PTE_RWP), UVMF_INVLPG), 0);
    value_rc("unmap what is not there", unmap(hole, handle));
    check_eq("cleared by hand", va_set(hole, 0, UVMF_INVLPG), 0);
    value_rc("unmap what is empty", unmap(hole, handle));
    value("flags meanwhile", "%x", table[10].flags);
    check_eq("put back by hand", va_set(hole, MKPTE(va_mfn(frame), PTE_RWP), UVMF_INVLPG), 0);
    value_rc("unmap what is back", unmap(hole, handle));
    value("flags then", "%x", table[10].flags);
}

/* A frame mapped writable by a grant cannot become a page table. */
static void typed(void)
{
    void *frame = page_alloc(), *hole = hole_alloc();
    uint64_t mfn = va_mfn(frame);

    entry_set(11, GTF_permit_access, 0, mfn);
    check_eq("no mapping of its own", page_unmap(frame), 0);
    check_eq("map", map(hole, GNTMAP_host_map, 11), 0);
    check(table_pin(1, mfn) != 0, "granted writable, no page table");
    check_eq("unmap", unmap(hole, last.handle), 0);
    check_eq("then a page table", table_pin(1, mfn), 0);
    value_rc("a page table, map writable", map(hole, GNTMAP_host_map, 11));
    value_rc("a page table, map read-only", map(hole, GNTMAP_host_map | GNTMAP_readonly, 11));
    value_rc("unmap it", unmap(hole, last.handle));
    check_eq("no page table", table_unpin(mfn), 0);
    check_eq("map once more", map(hole, GNTMAP_host_map, 11), 0);
    check(va_writable(hole), "and write");
    check_eq("unmap once more", unmap(hole, last.handle), 0);
}

/* ---- Copies ---- */

static struct gnttab_copy copy_of(uint64_t from, uint64_t to, unsigned int flags)
{
    struct gnttab_copy c = {.flags = (uint16_t)flags, .len = 100, .status = 77};

    if (flags & GNTCOPY_source_gref)
        c.source.u.ref = (grant_ref_t)from;
    else
        c.source.u.gmfn = from;
    if (flags & GNTCOPY_dest_gref)
        c.dest.u.ref = (grant_ref_t)to;
    else
        c.dest.u.gmfn = to;
    c.source.domid = flags & GNTCOPY_source_gref ? 0 : DOMID_SELF;
    c.dest.domid = flags & GNTCOPY_dest_gref ? 0 : DOMID_SELF;
    return c;
}

static int copy(struct gnttab_copy *c)
{
    grant_one(GNTTABOP_copy, c);
    return c->status;
}

static void copies_done(void)
{
    uint8_t *a = page_alloc(), *b = page_alloc();
    struct gnttab_copy c;
    unsigned int flags, i;

    for (i = 0; i < PAGE_SIZE; i++)
        a[i] = (uint8_t)(i * 7 + (i >> 8));
    entry_set(12, GTF_permit_access | GTF_readonly, 0, va_mfn(a));
    entry_set(13, GTF_permit_access, 0, va_mfn(b));
    for (flags = 0; flags < 4; flags++) {
        memset(b, 0, PAGE_SIZE);
        c = copy_of(flags & 1 ? 12 : va_mfn(a), flags & 2 ? 13 : va_mfn(b), flags);
        c.source.offset = 10;
        c.dest.offset = 1000;
        value_rc(text("copy %u", flags), copy(&c));
        check(!memcmp(b + 1000, a + 10, 100), "copy %u, bytes", flags);
        check(!b[999] && !b[1100], "copy %u, no others", flags);
        c.source.offset = c.dest.offset = 0;
        c.len = PAGE_SIZE;
        value_rc(text("copy %u of a page", flags), copy(&c));
        check(!memcmp(a, b, PAGE_SIZE), "copy %u of a page, bytes", flags);
    }
    c = copy_of(va_mfn(a), va_mfn(a), 0);
    c.source.offset = 0;
    c.dest.offset = 2000;
    value_rc("copy within a page", copy(&c));
    check(!memcmp(a + 2000, a, 100), "copy within a page, bytes");
    c.len = 0;
    value_rc("copy nothing", copy(&c));
    c = copy_of(12, 13, 3 | 0x100);
    value_rc("copy, unknown flag", copy(&c));
    value("flags of the source", "%x", table[12].flags);
    value("flags of the destination", "%x", table[13].flags);
}

static void copy_bad(const char *name, struct gnttab_copy c)
{
    value_rc(name, copy(&c));
}

static void copies_refused(void)
{
    uint64_t a = va_mfn(page_alloc()), b = va_mfn(page_alloc());
    struct gnttab_copy c = copy_of(a, b, 0);

    c.source.offset = 3997;
    copy_bad("copy, source too long", c);
    c = copy_of(a, b, 0);
    c.dest.offset = 3997;
    copy_bad("copy, destination too long", c);
    c = copy_of(a, b, 0);
    c.len = 0xffff;
    copy_bad("copy, length 65535", c);
    c.len = 0;
    c.source.offset = 0xffff;
    copy_bad("copy, nothing from far away", c);
    c = copy_of(a, b, 0);
    c.source.domid = 0;
    copy_bad("copy, source by frame of d0", c);
    c = copy_of(a, b, 0);
    c.dest.domid = 0;
    copy_bad("copy, destination by frame of d0", c);
    c = copy_of(12, 13, 3);
    c.source.domid = 1;
    copy_bad("copy, source of nobody", c);
    c = copy_of(12, 13, 3);
    c.dest.domid = 0x7fff;
    copy_bad("copy, destination of nobody", c);
    c = copy_of(12, 13, 3);
    c.source.domid = c.dest.domid = DOMID_SELF;
    copy_bad("copy, grants of DOMID_SELF", c);
    copy_bad("copy, source entry beyond the table", copy_of(per_frame, 13, 3));
    copy_bad("copy, destination entry -1", copy_of(12, 0xffffffff, 3));
    copy_bad("copy to a read-only entry", copy_of(13, 12, 3));
    copy_bad("copy, source frame of the APIC", copy_of(0xfee00, b, 0));
    copy_bad("copy, destination frame of the APIC", copy_of(a, 0xfee00, 0));
    copy_bad("copy, destination frame -1", copy_of(a, ~0ul, 0));
    copy_bad("copy from a page table", copy_of(cr3_mfn(), b, 0));
    copy_bad("copy to a page table", copy_of(a, cr3_mfn(), 0));
    entry_set(14, GTF_permit_access, 0, cr3_mfn());
    copy_bad("copy to a granted page table", copy_of(a, 14, 2));
    entry_set(14, GTF_permit_access, 1, b);
    copy_bad("copy to an entry for d1", copy_of(a, 14, 2));
    entry_set(14, GTF_transitive, 0, b);
    copy_bad("copy to a transitive entry", copy_of(a, 14, 2));
    entry_set(14, 0, 0, b);
    copy_bad("copy to an invalid entry", copy_of(a, 14, 2));
    value("flags of the source", "%x", table[12].flags);
    value("flags of the destination", "%x", table[13].flags);
}

/* ---- Lists ---- */

#define MANY 1000
static struct gnttab_map_grant_ref maps[MANY];
static struct gnttab_unmap_grant_ref unmaps[MANY];

static void lists(void)
{
    void *frame = page_alloc();
    unsigned int i, good = 0, bad = 0;

    for (i = 0; i < MANY / 100; i++)
        entry_set(16 + i, GTF_permit_access, 0, va_mfn(frame));
    for (i = 0; i < MANY; i++)
        maps[i] = (struct gnttab_map_grant_ref){
            .flags = GNTMAP_device_map, .ref = i % 100 == 50 ? 15 : 16 + i / 100, .status = 77};
    check_eq("map many", grant_op(GNTTABOP_map_grant_ref, maps, MANY), 0);
    for (i = 0; i < MANY; i++) {
        good += maps[i].status == 0;
        bad += maps[i].status == GNTST_general_error;
        unmaps[i] = (struct gnttab_unmap_grant_ref){
            .dev_bus_addr = va_mfn(frame) << 12, .handle = maps[i].handle, .status = 77};
        if (maps[i].status != 0)
            unmaps[i].handle = 0xfffffff0;
    }
    check_eq("map many, mapped", good, MANY - MANY / 100);
    check_eq("map many, refused", bad, MANY / 100);
    value("map many, flags", "%x", table[16].flags);
    check_eq("unmap many", grant_op(GNTTABOP_unmap_grant_ref, unmaps, MANY), 0);
    for (good = bad = i = 0; i < MANY; i++) {
        good += unmaps[i].status == 0;
        bad += unmaps[i].status == GNTST_bad_handle;
    }
    check_eq("unmap many, unmapped", good, MANY - MANY / 100);
    check_eq("unmap many, refused", bad, MANY / 100);
    value("unmap many, flags", "%x", table[16].flags);
}

/* How often can one entry be in use? */
static void often(void)
{
    unsigned int i, good = 0;

    for (i = 0; i < 300; i++)
        maps[i] = (struct gnttab_map_grant_ref){.flags = GNTMAP_device_map, .ref = 16};
    check_eq("map one often", grant_op(GNTTABOP_map_grant_ref, maps, 300), 0);
    for (i = 0; i < 300; i++) {
        good += maps[i].status == 0;
        if (maps[i].status == 0 && unmap_dev(0, maps[i].dev_bus_addr, maps[i].handle))
            check(false, "unmap one of many");
    }
    value("map one often, mapped", "%u", good);
    value("map one often, flags then", "%x", table[16].flags);
}

/* A list that ends in an unmapped page: what comes before is done. */
static void list_ends(void)
{
    uint8_t *edge = page_alloc(), *next = page_alloc();
    struct gnttab_map_grant_ref *m;

    if (next != edge + PAGE_SIZE) {
        skip("list off the end", "the pool's pages are not neighbours");
        return;
    }
    check_eq("no next page", page_unmap(next), 0);
    m = (void *)(edge + PAGE_SIZE - 2 * sizeof(*m));
    m[0] = m[1] =
        (struct gnttab_map_grant_ref){.flags = GNTMAP_device_map, .ref = 16, .status = 77};
    value_rc("list off the end", grant_op(GNTTABOP_map_grant_ref, m, 3));
    value("list off the end, statuses", "%d %d", m[0].status, m[1].status);
    value_rc("its first", unmap_dev(0, m[0].dev_bus_addr, m[0].handle));
    value_rc("its second", unmap_dev(0, m[1].dev_bus_addr, m[1].handle));
    value("list off the end, flags", "%x", table[16].flags);
}

void test_main(const char *args)
{
    (void)args;
    table_init();
    usual();
    twice();
    entries_refused();
    requests_refused();
    by_entry();
    devices();
    replaced();
    overwritten();
    typed();
    copies_done();
    copies_refused();
    lists();
    often();
    list_ends();
}
