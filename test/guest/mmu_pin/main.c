/* SPDX-License-Identifier: MIT */
/*
 * mmuext_op, each command with what it accepts and refuses: pinning at each level, base pointers,
 * flushes, LDT, page operations; batches and their count.
 */
#include "guest.h"

static uint64_t *table_new(void)
{
    uint64_t *t = page_alloc();

    if (page_ro(t) != 0)
        error("table read-only");
    return t;
}

static void pin_each(unsigned int level)
{
    uint64_t *t = table_new(), *rw = page_alloc();
    unsigned int other;

    check_eq(text("pin L%u", level), table_pin(level, va_mfn(t)), 0);
    check_eq(text("pin L%u again", level), table_pin(level, va_mfn(t)), -22);
    for (other = 1; other <= 4; other++) {
        if (other != level)
            value_rc(text("pin L%u also as L%u", level, other), table_pin(other, va_mfn(t)));
    }
    check_eq(text("pinned L%u writable", level), page_rw(t), -16);
    check_eq(text("unpin L%u", level), table_unpin(va_mfn(t)), 0);
    check_eq(text("unpin L%u again", level), table_unpin(va_mfn(t)), -22);
    page_rw(t);
    memset(t, 0, PAGE_SIZE); /* an L4 keeps the hypervisor's slots */
    page_ro(t);
    for (other = 1; other <= 4; other++) {
        check_eq(text("unpinned L%u as L%u", level, other), table_pin(other, va_mfn(t)), 0);
        check_eq(text("and unpin it, L%u as L%u", level, other), table_unpin(va_mfn(t)), 0);
    }
    check_eq(text("unpinned L%u writable", level), page_rw(t), 0);
    check_eq(text("pin L%u of a writable page", level), table_pin(level, va_mfn(rw)), -22);
    check_eq(text("pin L%u of an unmapped frame", level), table_pin(level, mfn_alloc()), 0);
    value_rc(text("pin L%u of a device frame", level), table_pin(level, 0xa0));
    value_rc(text("pin L%u of a hypervisor frame", level), table_pin(level, 0x200));
    value_rc(text("pin L%u beyond memory", level), table_pin(level, 1ul << 27));
    value_rc(text("pin L%u of shared_info", level),
             table_pin(level, start_info->shared_info >> 12));
    page_free(t);
    page_free(rw);
}

static void unpin_list(void)
{
    value_rc("unpin a plain page", table_unpin(va_mfn(page_alloc())));
    value_rc("unpin a device frame", table_unpin(0xa0));
    value_rc("unpin a hypervisor frame", table_unpin(0x200));
    value_rc("unpin beyond memory", table_unpin(1ul << 27));
    check_eq("unpin the L4 in use", table_unpin(cr3_mfn()), 0);
    check_eq("pin it again", table_pin(4, cr3_mfn()), 0);
}

static void foreign(void)
{
    uint64_t *t = table_new();

    check_eq("pin for domain 5", mmuext_dom(MMUEXT_PIN_L1_TABLE, va_mfn(t), 0, 5), -3);
    value_rc("pin for domain 0", mmuext_dom(MMUEXT_PIN_L1_TABLE, va_mfn(t), 0, 0));
    value_rc("pin for DOMID_IO", mmuext_dom(MMUEXT_PIN_L1_TABLE, va_mfn(t), 0, DOMID_IO));
    value_rc("pin for DOMID_XEN", mmuext_dom(MMUEXT_PIN_L1_TABLE, va_mfn(t), 0, DOMID_XEN));
    value_rc("flush for domain 5", mmuext_dom(MMUEXT_TLB_FLUSH_LOCAL, 0, 0, 5));
}

static void base_pointers(void)
{
    uint64_t old = cr3_mfn(), i, *l4 = page_alloc(), *l1 = table_new();

    for (i = 0; i < 512; i++) {
        if (i < 256 || i > 271)
            l4[i] = ((uint64_t *)start_info->pt_base)[i];
    }
    check_eq("new base: writable page", mmuext(MMUEXT_NEW_BASEPTR, va_mfn(l4), 0), -22);
    page_ro(l4);
    check_eq("new base: a copy of the L4", mmuext(MMUEXT_NEW_BASEPTR, va_mfn(l4), 0), 0);
    check_eq("new base is in CR3", (int64_t)cr3_mfn(), (int64_t)va_mfn(l4));
    check(va_readable((void *)M2P), "it has the hypervisor's slots");
    check_eq("in use: writable", page_rw(l4), -16);
    check_eq("same base again", mmuext(MMUEXT_NEW_BASEPTR, va_mfn(l4), 0), 0);
    check_eq("old base", mmuext(MMUEXT_NEW_BASEPTR, old, 0), 0);
    check_eq("unused: writable", page_rw(l4), 0);
    check_eq("new base: L1 table",
             (table_pin(1, va_mfn(l1)), mmuext(MMUEXT_NEW_BASEPTR, va_mfn(l1), 0)), -22);
    table_unpin(va_mfn(l1));
    value_rc("new base: 0", mmuext(MMUEXT_NEW_BASEPTR, 0, 0));
    value_rc("new base: beyond memory", mmuext(MMUEXT_NEW_BASEPTR, 1ul << 27, 0));
    value_rc("new base: hypervisor", mmuext(MMUEXT_NEW_BASEPTR, 0x200, 0));
    check_eq("still on the old base", (int64_t)cr3_mfn(), (int64_t)old);

    memset(l4, 0, PAGE_SIZE);
    check_eq("user base: writable page", mmuext(MMUEXT_NEW_USER_BASEPTR, va_mfn(l4), 0), -22);
    page_ro(l4);
    check_eq("user base: empty L4", mmuext(MMUEXT_NEW_USER_BASEPTR, va_mfn(l4), 0), 0);
    check_eq("user base: writable", page_rw(l4), -16);
    check_eq("user base: same again", mmuext(MMUEXT_NEW_USER_BASEPTR, va_mfn(l4), 0), 0);
    check_eq("user base: none", mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    check_eq("user base away: writable", page_rw(l4), 0);
    check_eq("user base: none again", mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    check_eq("user base: kernel's L4", mmuext(MMUEXT_NEW_USER_BASEPTR, old, 0), 0);
    check_eq("user base: none at the end", mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
}

static void flushes(void)
{
    uint64_t bitmap = 3;
    void *va = page_alloc();

    check_eq("flush local", mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    check_eq("flush all", mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    check_eq("flush multi", mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&bitmap), 0);
    value_rc("flush multi, unreadable bitmap",
             mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, 0xffff808000000000ul));
    check_eq("invlpg local", mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0), 0);
    check_eq("invlpg all", mmuext(MMUEXT_INVLPG_ALL, (uint64_t)va, 0), 0);
    check_eq("invlpg multi", mmuext(MMUEXT_INVLPG_MULTI, (uint64_t)va, (uint64_t)&bitmap), 0);
    check_eq("invlpg non-canonical", mmuext(MMUEXT_INVLPG_LOCAL, 0x0000900000000000ul, 0), 0);
    check_eq("invlpg of the hypervisor", mmuext(MMUEXT_INVLPG_LOCAL, 0xffff830000000000ul, 0), 0);
    check_eq("flush cache", mmuext(MMUEXT_FLUSH_CACHE, 0, 0), 0);
    check_eq("flush cache everywhere", mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
}

static void others(void)
{
    uint64_t *a = page_alloc(), *b = page_alloc(), *t = table_new();
    uint64_t loose = mfn_alloc();

    a[0] = 0x11;
    b[0] = 0x22;
    check_eq("LDT of 0 entries", mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    value_rc("LDT unaligned", mmuext(MMUEXT_SET_LDT, (uint64_t)a + 8, 4));
    value_rc("LDT of 8193 entries", mmuext(MMUEXT_SET_LDT, (uint64_t)a, 8193));
    value_rc("LDT of 8192 entries", mmuext(MMUEXT_SET_LDT, (uint64_t)a, 8192));
    value_rc("LDT in the hypervisor", mmuext(MMUEXT_SET_LDT, 0xffff830000000000ul, 4));
    value_rc("LDT non-canonical", mmuext(MMUEXT_SET_LDT, 0x0000900000000000ul, 4));
    check_eq("LDT of 0 entries at the end", mmuext(MMUEXT_SET_LDT, 0, 0), 0);

    check_eq("clear page", mmuext(MMUEXT_CLEAR_PAGE, va_mfn(a), 0), 0);
    check_eq("is clear", (int64_t)a[0], 0);
    check_eq("copy page", mmuext(MMUEXT_COPY_PAGE, va_mfn(a), va_mfn(b)), 0);
    check_eq("is copied", (int64_t)a[0], 0x22);
    check_eq("clear an unmapped frame", mmuext(MMUEXT_CLEAR_PAGE, loose, 0), 0);
    table_pin(1, va_mfn(t));
    value_rc("clear a page table", mmuext(MMUEXT_CLEAR_PAGE, va_mfn(t), 0));
    value_rc("copy to a page table", mmuext(MMUEXT_COPY_PAGE, va_mfn(t), va_mfn(b)));
    check_eq("copy from a page table", mmuext(MMUEXT_COPY_PAGE, va_mfn(a), va_mfn(t)), 0);
    value_rc("clear the L4 in use", mmuext(MMUEXT_CLEAR_PAGE, cr3_mfn(), 0));
    value_rc("clear the hypervisor", mmuext(MMUEXT_CLEAR_PAGE, 0x200, 0));
    value_rc("copy from the hypervisor", mmuext(MMUEXT_COPY_PAGE, va_mfn(a), 0x200));
    value_rc("clear beyond memory", mmuext(MMUEXT_CLEAR_PAGE, 1ul << 27, 0));
    value_rc("mark super", mmuext(MMUEXT_MARK_SUPER, 512, 0));
    value_rc("unmark super", mmuext(MMUEXT_UNMARK_SUPER, 512, 0));
    value_rc("command 14", mmuext(14, 0, 0));
    value_rc("command 21", mmuext(21, 0, 0));
    value_rc("command 1000", mmuext(1000, 0, 0));
}

static void batches(void)
{
    struct mmuext_op op[3];
    unsigned int done = 77;
    uint64_t *t = table_new();
    long rc;

    memset(op, 0, sizeof(op));
    op[0].cmd = MMUEXT_PIN_L1_TABLE;
    op[0].arg1.mfn = va_mfn(t);
    op[1].cmd = MMUEXT_PIN_L1_TABLE;
    op[1].arg1.mfn = 1ul << 27;
    op[2].cmd = MMUEXT_UNPIN_TABLE;
    op[2].arg1.mfn = va_mfn(t);
    rc = hypercall4(__HYPERVISOR_mmuext_op, (uint64_t)op, 3, (uint64_t)&done, DOMID_SELF);
    check_eq("batch stops at the refused one", rc, -22);
    check_eq("batch says how many are done", done, 1);
    check_eq("the first was done", table_unpin(va_mfn(t)), 0);
    op[1] = op[2];
    rc = hypercall4(__HYPERVISOR_mmuext_op, (uint64_t)op, 2, (uint64_t)&done, DOMID_SELF);
    check_eq("batch of two", rc, 0);
    check_eq("both done", done, 2);
    rc = hypercall4(__HYPERVISOR_mmuext_op, (uint64_t)op, 0, (uint64_t)&done, DOMID_SELF);
    check_eq("empty batch", rc, 0);
    value("empty batch done", "%u", done);
    check_eq("unreadable operations",
             hypercall4(__HYPERVISOR_mmuext_op, 0xffff808000000000ul, 1, 0, DOMID_SELF), -14);
    check_eq("operations in the hypervisor",
             hypercall4(__HYPERVISOR_mmuext_op, 0xffff830000000000ul, 1, 0, DOMID_SELF), -14);
}

void test_main(const char *args)
{
    (void)args;
    pin_each(1);
    pin_each(2);
    pin_each(3);
    pin_each(4);
    unpin_list();
    foreign();
    base_pointers();
    flushes();
    others();
    batches();
}
