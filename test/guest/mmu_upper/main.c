/* SPDX-License-Identifier: MIT */
/*
 * Entries of levels 2 to 4: which flags are accepted in a validated table and what is read back,
 * what a child may be, the hypervisor's slots, recursive entries, and the same refusals when a
 * table is promoted with such an entry already in it.
 */
#include "guest.h"

#define FLAGS(pte) ((pte)&0xfff0000000000fffu)

/* A chain of tables hung below the current L4 at slot 300, for tests to play with. */
static uint64_t *tab[5]; /* [1..4]; 4 is the current L4 */
static uint64_t *spare[5];

#define SLOT 300

static uint64_t *table_new(void)
{
    uint64_t *t = page_alloc();

    if (page_ro(t) != 0)
        error("table read-only");
    return t;
}

static void build_chain(void)
{
    unsigned int l;

    for (l = 1; l <= 3; l++) {
        tab[l] = table_new();
        spare[l] = table_new();
    }
    spare[4] = table_new();
    tab[4] = (uint64_t *)start_info->pt_base;
    check_eq("L1 into an unused L2", pt_set(&tab[2][0], MKPTE(va_mfn(tab[1]), PTE_RWP)), 0);
    check_eq("L2 into an unused L3", pt_set(&tab[3][0], MKPTE(va_mfn(tab[2]), PTE_RWP)), 0);
    check_eq("L3 into the L4 in use", pt_set(&tab[4][SLOT], MKPTE(va_mfn(tab[3]), PTE_RWP)), 0);
}

static void level_flags(unsigned int level)
{
    static const struct {
        const char *name;
        uint64_t flags;
    } list[] = {
        {"P RW US A D", PTE_RWP},
        {"P", PTE_P},
        {"P RW", PTE_P | PTE_RW},
        {"P US", PTE_P | PTE_US},
        {"PWT", PTE_RWP | PTE_PWT},
        {"PCD", PTE_RWP | PTE_PCD},
        {"PSE", PTE_RWP | PTE_PSE},
        {"G", PTE_RWP | PTE_G},
        {"AVL", PTE_RWP | 0xe00},
        {"NX", PTE_RWP | PTE_NX},
        {"52", PTE_RWP | 1ul << 52},
        {"55", PTE_RWP | 1ul << 55},
        {"58", PTE_RWP | 1ul << 58},
        {"62", PTE_RWP | 1ul << 62},
        {"not present, all bits", ~1ul & ~(0xfffffffffful << 12)},
        {"zero", 0},
    };
    uint64_t *t = level == 4 ? tab[4] : tab[level];
    unsigned int i, slot = level == 4 ? SLOT + 1 : 5;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        long rc = pt_set(&t[slot], MKPTE(va_mfn(spare[level - 1]), list[i].flags));

        if (rc == 0)
            value(text("L%u flags %s", level, list[i].name), "accepted, reads back %lx",
                  FLAGS(t[slot]));
        else
            value(text("L%u flags %s", level, list[i].name), "refused %ld", rc);
        pt_set(&t[slot], 0);
    }
}

static void level_children(unsigned int level)
{
    uint64_t *t = level == 4 ? tab[4] : tab[level];
    unsigned int slot = level == 4 ? SLOT + 1 : 5;
    uint64_t *rw = page_alloc(), *child = table_new();
    struct {
        const char *name;
        uint64_t mfn;
    } list[] = {
        {"page mapped writable", va_mfn(rw)},
        {"frame never mapped", mfn_alloc()},
        {"L1 table", va_mfn(tab[1])},
        {"L2 table", va_mfn(tab[2])},
        {"L3 table", va_mfn(tab[3])},
        {"L4 in use", va_mfn(tab[4])},
        {"zeroed L4", va_mfn(spare[4])},
        {"device frame", 0xa0},
        {"hypervisor's table", PTE_MFN(tab[4][256])},
        {"shared_info", start_info->shared_info >> 12},
        {"frame beyond memory", 1ul << 27},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        value_rc(text("L%u child %s", level, list[i].name),
                 pt_set(&t[slot], MKPTE(list[i].mfn, PTE_RWP)));
        pt_set(&t[slot], 0);
    }
    value_rc(text("L%u child twice", level), pt_set(&t[slot], MKPTE(va_mfn(child), PTE_RWP)));
    value_rc(text("L%u child twice, second", level),
             pt_set(&t[slot + 1], MKPTE(va_mfn(child), PTE_RWP)));
    check_eq(text("L%u child drop", level), pt_set(&t[slot], 0), 0);
    value_rc(text("L%u child still used: writable?", level), page_rw(child));
    check_eq(text("L%u child drop second", level), pt_set(&t[slot + 1], 0), 0);
    check_eq(text("L%u child unused: writable", level), page_rw(child), 0);
    page_free(rw);
    page_free(child);
}

/* The L4's hypervisor part, and the entry of the running code. */
static void reserved_slots(void)
{
    uint64_t child = MKPTE(va_mfn(spare[3]), PTE_RWP);
    unsigned int s;

    for (s = 255; s <= 273; s++) {
        value_rc(text("slot %u set", s), pt_set(&tab[4][s], child));
        value_rc(text("slot %u clear", s), pt_set(&tab[4][s], 0));
    }
    value_rc("slot 256 same value", pt_set(&tab[4][256], tab[4][256]));
    value_rc("slot 257 same value", pt_set(&tab[4][257], tab[4][257]));
    check(va_readable((void *)M2P), "m2p still there");
    check_eq("user half slot 0", pt_set(&tab[4][0], child), 0);
    check_eq("user half slot 0 clear", pt_set(&tab[4][0], 0), 0);
}

/* Entries that are wrong before the table has a type: promotion must find them. */
static void promote_with(unsigned int level, const char *name, uint64_t entry, unsigned int slot)
{
    uint64_t *t = page_alloc();
    long rc;

    t[slot] = entry;
    if (page_ro(t) != 0)
        error("table read-only");
    rc = table_pin(level, va_mfn(t));
    value_rc(text("promote L%u with %s", level, name), rc);
    if (rc == 0)
        check_eq(text("unpin L%u with %s", level, name), table_unpin(va_mfn(t)), 0);
    check_eq(text("L%u with %s writable again", level, name), page_rw(t), 0);
    page_free(t);
}

static void promotions(void)
{
    uint64_t *rw = page_alloc();
    uint64_t good[5] = {0, va_mfn(rw), va_mfn(spare[1]), va_mfn(spare[2]), va_mfn(spare[3])};
    unsigned int l;

    for (l = 1; l <= 4; l++) {
        promote_with(l, "nothing", 0, 0);
        promote_with(l, "a good entry", MKPTE(good[l], PTE_RWP), 7);
        promote_with(l, "a good last entry", MKPTE(good[l], PTE_RWP), 511);
        promote_with(l, "PSE", MKPTE(good[l], PTE_RWP | PTE_PSE), 7);
        promote_with(l, "G", MKPTE(good[l], PTE_RWP | PTE_G), 7);
        promote_with(l, "PCD", MKPTE(good[l], PTE_RWP | PTE_PCD), 7);
        promote_with(l, "not present bits", 0xffe, 7);
        promote_with(l, "a frame beyond memory", MKPTE(1ul << 39, PTE_RWP), 7);
        promote_with(l, "the L4 in use", MKPTE(cr3_mfn(), PTE_RWP), 7);
        promote_with(l, "the L4 in use read-only", MKPTE(cr3_mfn(), PTE_ROP), 7);
        promote_with(l, "a hypervisor frame", MKPTE(0x200, PTE_RWP), 7);
        promote_with(l, "a writable page", MKPTE(va_mfn(rw), PTE_RWP), 7);
        promote_with(l, "a writable page read-only", MKPTE(va_mfn(rw), PTE_ROP), 7);
    }
    promote_with(4, "slot 256", MKPTE(good[4], PTE_RWP), 256);
    promote_with(4, "slot 271", MKPTE(good[4], PTE_RWP), 271);
    promote_with(4, "slot 256 rubbish", ~0ul, 256);
    page_free(rw);
}

/* Tables that map themselves or each other. */
static void recursive(void)
{
    uint64_t self4 = MKPTE(cr3_mfn(), PTE_ROP);
    unsigned int l;

    value_rc("L4 self read-only", pt_set(&tab[4][SLOT + 2], self4));
    pt_set(&tab[4][SLOT + 2], 0);
    value_rc("L4 self writable", pt_set(&tab[4][SLOT + 2], self4 | PTE_RW));
    pt_set(&tab[4][SLOT + 2], 0);
    value_rc("L4 of another read-only",
             pt_set(&tab[4][SLOT + 2], MKPTE(va_mfn(spare[4]), PTE_ROP)));
    pt_set(&tab[4][SLOT + 2], 0);
    for (l = 2; l <= 3; l++) {
        value_rc(text("L%u self read-only", l), pt_set(&tab[l][9], MKPTE(va_mfn(tab[l]), PTE_ROP)));
        pt_set(&tab[l][9], 0);
        value_rc(text("L%u self writable", l), pt_set(&tab[l][9], MKPTE(va_mfn(tab[l]), PTE_RWP)));
        pt_set(&tab[l][9], 0);
    }
    check_eq("L1 maps itself read-only", pt_set(&tab[1][9], MKPTE(va_mfn(tab[1]), PTE_ROP)), 0);
    check_eq("L1 maps itself writable", pt_set(&tab[1][9], MKPTE(va_mfn(tab[1]), PTE_RWP)), -16);
    pt_set(&tab[1][9], 0);
}

/* A chain built whole and hung in with one update, then used. */
static void use_chain(void)
{
    uint64_t *page = page_alloc();
    uint64_t *va = (uint64_t *)(0xffff000000000000ul | ((uint64_t)SLOT << 39));

    check_eq("leaf", pt_set(&tab[1][0], MKPTE(va_mfn(page), PTE_RWP)), 0);
    fault_take();
    if (va_writable(va)) {
        *va = 0x1234;
        check_eq("mapping works", (int64_t)page[0], 0x1234);
    } else {
        check(false, "mapping works: fault %d", fault.vector);
    }
    check_eq("cut at L3", pt_set(&tab[3][0], 0), 0);
    check_eq("flush", mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    check(!va_readable(va), "gone");
    check_eq("hang in again", pt_set(&tab[3][0], MKPTE(va_mfn(tab[2]), PTE_RWP)), 0);
    check(va_readable(va), "back");
    check_eq("make it read-only at L2", pt_set(&tab[2][0], MKPTE(va_mfn(tab[1]), PTE_ROP)), 0);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    check(!va_writable(va), "read-only by its L2");
    check_eq("NX at L2", pt_set(&tab[2][0], MKPTE(va_mfn(tab[1]), PTE_RWP | PTE_NX)), 0);
    check_eq("back to writable", pt_set(&tab[2][0], MKPTE(va_mfn(tab[1]), PTE_RWP)), 0);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    check(va_writable(va), "writable again");
    check_eq("leaf away", pt_set(&tab[1][0], 0), 0);
}

void test_main(const char *args)
{
    (void)args;
    build_chain();
    use_chain();
    level_flags(2);
    level_flags(3);
    level_flags(4);
    level_children(2);
    level_children(3);
    level_children(4);
    reserved_slots();
    recursive();
    promotions();
}
