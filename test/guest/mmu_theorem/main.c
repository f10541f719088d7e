/* SPDX-License-Identifier: MIT */
/*
 * No frame is at once writable by the guest and in use as its page table or descriptor table. Every
 * way to such a pair is tried in both orders: the writable mapping first and then the use, and the
 * use first and then the mapping, directly, through aliases, foreign-domain arguments, tables that
 * hold the mapping when they are promoted, plain stores, page operations and guest-memory results
 * of other hypercalls.
 */
#include "guest.h"

static uint64_t *window; /* a page whose entry is free to be changed */
static uint64_t *l1;     /* an L1 of ours, hung into slot 300: maps ALIAS.. */
static uint64_t chain[4];

#define ALIAS ((uint64_t *)0xffff960000000000ul)

static uint64_t *table_new(void)
{
    uint64_t *t = page_alloc();

    if (page_ro(t) != 0)
        error("table read-only");
    return t;
}

static void chain_init(void)
{
    uint64_t *l2 = table_new(), *l3 = table_new();

    l1 = table_new();
    pt_set(&l2[0], MKPTE(va_mfn(l1), PTE_RWP));
    pt_set(&l3[0], MKPTE(va_mfn(l2), PTE_RWP));
    check_eq("chain", pt_set(&((uint64_t *)start_info->pt_base)[300], MKPTE(va_mfn(l3), PTE_RWP)),
             0);
    chain[1] = va_mfn(l1);
    chain[2] = va_mfn(l2);
    chain[3] = va_mfn(l3);
    window = page_alloc();
    page_unmap(window);
}

/* A store of a writable mapping of the table itself, as its last entry. */
static bool store_refused(uint64_t *va, uint64_t mfn)
{
    uint64_t old = va[511];

    fault_take();
    __asm__ volatile(EX("movq %0, 4088(%1)") : : "r"(MKPTE(mfn, PTE_RWP)), "r"(va) : "memory");
    return fault_take() == VECTOR_PF && va[511] == old;
}

/* All ways to a writable mapping of a frame in use. Each must be refused. */
static void attempts(const char *name, uint64_t mfn)
{
    char what[32];
    uint64_t entry = va_maddr(pte_at(window, 1)), w = MKPTE(mfn, PTE_RWP);
    uint64_t *t = page_alloc();
    long rc;

    memcpy(what, name, strlen(name) + 1);
    value_rc(text("%s: update_va_mapping", what), va_set(window, w, UVMF_INVLPG));
    value_rc(text("%s: mmu_update", what), pt_update(entry, w));
    value_rc(text("%s: preserving A/D", what), pt_update(entry | MMU_PT_UPDATE_PRESERVE_AD, w));
    value_rc(text("%s: untranslated", what), pt_update(entry | MMU_PT_UPDATE_NO_TRANSLATE, w));
    value_rc(text("%s: as DOMID_IO's", what), pt_update_dom(entry, w, DOMID_IO));
    value_rc(text("%s: as DOMID_XEN's", what), pt_update_dom(entry, w, DOMID_XEN));
    check(pte_get(window) == 0, "%s: window still empty", what);
    check_eq(text("%s: read-only is accepted", what),
             va_set(window, MKPTE(mfn, PTE_ROP), UVMF_INVLPG), 0);
    value_rc(text("%s: read-only made writable", what), va_set(window, w, UVMF_INVLPG));
    check(store_refused(window, mfn), "%s: and is not", what);
    value_rc(text("%s: preserving A/D, made writable", what),
             pt_update(entry | MMU_PT_UPDATE_PRESERVE_AD, w));
    check(store_refused(window, mfn), "%s: and is not, again", what);
    va_set(window, 0, UVMF_INVLPG);
    t[5] = w;
    page_ro(t);
    rc = table_pin(1, va_mfn(t));
    value_rc(text("%s: in an L1 to be pinned", what), rc);
    if (rc == 0)
        table_unpin(va_mfn(t));
    page_rw(t);
    page_free(t);
    value_rc(text("%s: clear page", what), mmuext(MMUEXT_CLEAR_PAGE, mfn, 0));
    value_rc(text("%s: copy page", what), mmuext(MMUEXT_COPY_PAGE, mfn, va_mfn(boot_stack)));
}

/* Hypercalls that write to guest memory must not write through a read-only mapping. */
static void results_into(const char *what, void *va)
{
    struct evtchn_alloc_unbound *op = va;
    unsigned int *done = va;
    struct mmu_update none = {0, 0};

    (void)op;
    value_rc(text("%s: get_features into it", what),
             hypercall2(__HYPERVISOR_xen_version, XENVER_extraversion, (uint64_t)va));
    value_rc(text("%s: done count into it", what),
             hypercall4(__HYPERVISOR_mmu_update, (uint64_t)&none, 0, (uint64_t)done, DOMID_SELF));
    value_rc(text("%s: runstate into it", what), vcpu_op(VCPUOP_get_runstate_info, 0, va));
    value_rc(text("%s: console input into it", what),
             hypercall3(__HYPERVISOR_console_io, CONSOLEIO_read, 8, (uint64_t)va));
}

static void table_in_use(unsigned int level)
{
    uint64_t *t = table_new();
    uint64_t before;

    if (table_pin(level, va_mfn(t)) != 0)
        error("pin L%u", level);
    attempts(text("pinned L%u", level), va_mfn(t));
    before = t[0];
    results_into(text("pinned L%u", level), t);
    check(t[0] == before, "pinned L%u: not written", level);
    table_unpin(va_mfn(t));
    page_rw(t);
    page_free(t);
}

/* The writable mapping first: in another table, then the use. */
static void alias_first(void)
{
    uint64_t *t = table_new(), *page = page_alloc();
    unsigned int level;

    check_eq("alias of a page", pt_set(&l1[1], MKPTE(va_mfn(t), PTE_RWP)), 0);
    for (level = 1; level <= 4; level++)
        check_eq(text("pin L%u, writable alias", level), table_pin(level, va_mfn(t)), -22);
    value_rc("base pointer with a writable alias", mmuext(MMUEXT_NEW_BASEPTR, va_mfn(t), 0));
    value_rc("user base with a writable alias", mmuext(MMUEXT_NEW_USER_BASEPTR, va_mfn(t), 0));
    value_rc("GDT with a writable alias",
             hypercall2(__HYPERVISOR_set_gdt, (uint64_t) & (uint64_t){va_mfn(t)}, 8));
    check_eq("as L2's child with a writable alias",
             pt_set(&((uint64_t *)mfn_va(chain[2]))[1], MKPTE(va_mfn(t), PTE_RWP)), -22);
    check_eq("as L3's child with a writable alias",
             pt_set(&((uint64_t *)mfn_va(chain[3]))[1], MKPTE(va_mfn(t), PTE_RWP)), -22);
    check_eq("as L4's child with a writable alias",
             pt_set(&((uint64_t *)start_info->pt_base)[301], MKPTE(va_mfn(t), PTE_RWP)), -22);
    check_eq("alias read-only", pt_set(&l1[1], MKPTE(va_mfn(t), PTE_ROP)), 0);
    check_eq("pin L1 then", table_pin(1, va_mfn(t)), 0);
    check_eq("alias writable then", pt_set(&l1[1], MKPTE(va_mfn(t), PTE_RWP)), -16);
    check_eq("unpin", table_unpin(va_mfn(t)), 0);
    check_eq("alias away", pt_set(&l1[1], 0), 0);

    /* An L1 that holds a writable mapping of a page which is to be a table above it. */
    check_eq("page into our L1", pt_set(&l1[2], MKPTE(va_mfn(page), PTE_RWP)), 0);
    page_ro(page);
    check_eq("that page as L2", table_pin(2, va_mfn(page)), -22);
    check_eq("cut our L1 off", pt_set(&((uint64_t *)mfn_va(chain[2]))[0], 0), 0);
    value_rc("that page as L2, its L1 unused", table_pin(2, va_mfn(page)));
    value_rc("L1 back while it is",
             pt_set(&((uint64_t *)mfn_va(chain[2]))[0], MKPTE(chain[1], PTE_RWP)));
    table_unpin(va_mfn(page));
    value_rc("L1 back", pt_set(&((uint64_t *)mfn_va(chain[2]))[0], MKPTE(chain[1], PTE_RWP)));
    pt_set(&l1[2], 0);
    page_rw(page);
}

/* A stale TLB entry of the writable mapping must not survive the change of type. */
static void stale_tlb(void)
{
    uint64_t *t = page_alloc();
    volatile uint64_t *alias = ALIAS + 3 * 512;

    check_eq("alias for the TLB", pt_set(&l1[3], MKPTE(va_mfn(t), PTE_RWP)), 0);
    *alias = 1;
    check_eq("alias read-only without flush", pt_set(&l1[3], MKPTE(va_mfn(t), PTE_ROP)), 0);
    check_eq("own mapping read-only without flush", va_set(t, MKPTE(va_mfn(t), PTE_ROP), UVMF_NONE),
             0);
    *t = 0;
    check_eq("pin", table_pin(1, va_mfn(t)), 0);
    check(store_refused((uint64_t *)alias, va_mfn(t)), "no stale store through the alias");
    check(store_refused(t, va_mfn(t)), "no stale store through the own mapping");
    table_unpin(va_mfn(t));
    pt_set(&l1[3], 0);
    page_rw(t);
}

/* Stores by instruction to a page table through its read-only mapping: faults. */
static void stores(unsigned int level)
{
    uint64_t *t = table_new();

    table_pin(level, va_mfn(t));
    fault_take();
    __asm__ volatile(EX("movq %0, (%1)") : : "r"(MKPTE(va_mfn(t), PTE_RWP)), "r"(t) : "memory");
    value(text("store of a bad entry into an L%u", level), "vector %d error %lx", fault.vector,
          fault.error);
    check_eq(text("L%u unchanged", level), (int64_t)t[0], 0);
    fault_take();
    table_unpin(va_mfn(t));
    page_rw(t);
    page_free(t);
}

static void exchange(void)
{
    uint64_t *t = table_new(), in = va_mfn(t), out = 0;
    struct xen_memory_exchange x;
    struct xen_memory_reservation r;
    long rc;

    table_pin(1, in);
    memset(&x, 0, sizeof(x));
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    x.in.nr_extents = x.out.nr_extents = 1;
    x.in.domid = x.out.domid = DOMID_SELF;
    rc = hypercall2(__HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)&x);
    value_rc("exchange a page table", rc);
    check_eq("none exchanged", (int64_t)x.nr_exchanged, 0);
    memset(&r, 0, sizeof(r));
    set_xen_guest_handle(r.extent_start, &in);
    r.nr_extents = 1;
    r.domid = DOMID_SELF;
    check_eq("release a pinned page table",
             hypercall2(__HYPERVISOR_memory_op, XENMEM_decrease_reservation, (uint64_t)&r), 1);
    check_eq("still pinned", table_unpin(in), 0);
}

static void gdt_in_use(void)
{
    uint64_t *t = table_new(), mfn = va_mfn(t);

    check_eq("set_gdt", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&mfn, 512), 0);
    attempts("GDT", mfn);
    check_eq("GDT unmapped: pin L1", table_pin(1, mfn), -22);
    fault_take();
    __asm__ volatile(EX("movq %0, (%1)") : : "r"(0ul), "r"(t) : "memory");
    check_eq("store into the GDT faults", fault_take(), VECTOR_PF);
    check_eq("no GDT", hypercall2(__HYPERVISOR_set_gdt, 0, 0), 0);
    check_eq("GDT page writable again", page_rw(t), 0);
    check_eq("writable page as GDT", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&mfn, 512), -22);
}

static void ldt_in_use(void)
{
    uint64_t *t = page_alloc();
    uint16_t sel = 4; /* entry 0, LDT, RPL 0 */

    t[0] = 0x00cff3000000ffff;
    check_eq("set LDT on a writable page", mmuext(MMUEXT_SET_LDT, (uint64_t)t, 16), 0);
    fault_take();
    __asm__ volatile(EX("movw %0, %%es") : : "r"(sel));
    value("load from a writable LDT page", "vector %d error %lx", fault.vector, fault.error);
    page_ro(t);
    fault_take();
    __asm__ volatile(EX("movw %0, %%es") : : "r"(sel));
    check_eq("load from a read-only LDT page", fault_take(), -1);
    value_rc("LDT page in use: writable", page_rw(t));
    check(!va_writable(t), "LDT page in use is not writable");
    value_rc("LDT page in use: alias", va_set(window, MKPTE(va_mfn(t), PTE_RWP), UVMF_INVLPG));
    value_rc("LDT page in use: pin L1", table_pin(1, va_mfn(t)));
    __asm__ volatile("movw %0, %%es" : : "r"((uint16_t)0));
    check_eq("no LDT", mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    check_eq("LDT page writable again", page_rw(t), 0);
    va_set(window, 0, UVMF_INVLPG);
}

void test_main(const char *args)
{
    unsigned int level;

    (void)args;
    chain_init();
    for (level = 1; level <= 4; level++)
        table_in_use(level);
    attempts("L4 in use", cr3_mfn());
    attempts("linked L1", chain[1]);
    attempts("linked L2", chain[2]);
    attempts("linked L3", chain[3]);
    alias_first();
    stale_tlb();
    for (level = 1; level <= 4; level++)
        stores(level);
    exchange();
    gdt_in_use();
    ldt_in_use();
}
