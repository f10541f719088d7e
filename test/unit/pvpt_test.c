/* SPDX-License-Identifier: MIT */
/*
 * PV page-table rules: accept and refuse lists per level; the long operations against a naive model
 * that does everything in one go on plain arrays; and random operations of three domains, cut short
 * by small budgets and left lying about, with all checks of the toy machine after each.
 */
#include <stdlib.h>

#include "host/toy_mmu.h"

#define RW              (PVPT_P | PVPT_RW | PVPT_US)
#define RO              (PVPT_P | PVPT_US)
#define PTE(mfn, flags) (((u64)(mfn) << PAGE_SHIFT) | (flags))
#define PLENTY          1000000

static int plenty;

static int *all(void)
{
    plenty = PLENTY;
    return &plenty;
}

/* Domain 1: frames 21 (L4) to 24 (L1), data 25; pinned as a whole. */
#define L4    21
#define L3    22
#define L2    23
#define L1    24
#define DATA  25
#define SPARE 26 /* to 40: untouched */

static void small_tree(void)
{
    toy_init();
    toy.mem[L4][0] = PTE(L3, RW);
    toy.mem[L3][0] = PTE(L2, RW);
    toy.mem[L2][0] = PTE(L1, RW);
    toy.mem[L1][0] = PTE(DATA, RW);
    toy.mem[L1][1] = PTE(L4, RO);
    CHECK_EQ(toy_pin(1, L4, 4, all()), 0);
    CHECK_EQ(toy_cr3(1, 0, L4, all()), 0);
    toy_check();
}

TEST(pins_a_tree)
{
    small_tree();
    CHECK_EQ(toy_type(L4), 4);
    CHECK_EQ(toy_type(L1), 1);
    CHECK_EQ(toy_type(DATA), 7);
    CHECK_EQ(toy.page[L4].count & PAGE_COUNT_MASK, 4); /* allocation, pin, CR3, read-only map */
    CHECK_EQ(toy.mem[L4][256], TOY_HV_ENTRY);
    CHECK_EQ(toy_pin(1, L4, 4, all()), -EINVAL); /* twice */
    CHECK_EQ(toy_pin(1, L4, 3, all()), -EINVAL);
    CHECK_EQ(toy_unpin(1, L3, all()), -EINVAL); /* not pinned */
    CHECK_EQ(toy_pin(1, L1, 1, all()), 0);
    CHECK_EQ(toy_unpin(1, L4, all()), 0);
    CHECK_EQ(toy_type(L4), 4); /* CR3 still */
    toy_check();
    CHECK_EQ(toy_cr3(1, 0, 0, all()), 0);
    CHECK_EQ(toy_type(L4), 0);
    CHECK_EQ(toy_type(L2), 0);
    CHECK_EQ(toy_type(L1), 1); /* its own pin */
    toy_check();
    toy_teardown(3);
}

static int set(u64 table, u64 val)
{
    int rc = toy_update(1, 1, table, 7, val, 0, all());

    toy_check();
    return rc;
}

/* What an entry is stored as; 0 when it is refused. */
static u64 stored(u64 table, u64 val)
{
    return set(table, val) ? 0 : toy.mem[table][7];
}

TEST(level_1_accepts)
{
    small_tree();
    CHECK_EQ(stored(L1, PTE(SPARE, RW)), PTE(SPARE, RW));
    CHECK_EQ(stored(L1, PTE(SPARE, RO)), PTE(SPARE, RO));
    CHECK_EQ(stored(L1, PTE(SPARE, PVPT_P)), PTE(SPARE, RO));      /* US is forced on */
    CHECK_EQ(stored(L1, PTE(SPARE, RO | PVPT_G)), PTE(SPARE, RO)); /* G never */
    CHECK_EQ(stored(L1, PTE(SPARE, RW | PVPT_A | PVPT_D | 0xe00 | 1ul << 63 | 1ul << 58)),
             PTE(SPARE, RW | PVPT_A | PVPT_D | 0xe00 | 1ul << 63 | 1ul << 58));
    CHECK_EQ(stored(L1, PTE(L4, RO)), PTE(L4, RO));
    CHECK_EQ(stored(L1, PTE(L1, RO)), PTE(L1, RO));
    CHECK_EQ(stored(L1, PTE(TOY_SPECIAL_RW, RW)), PTE(TOY_SPECIAL_RW, RW));
    CHECK_EQ(stored(L1, PTE(TOY_SPECIAL_RO, RO)), PTE(TOY_SPECIAL_RO, RO));
    CHECK_EQ(set(L1, 0), 0);
    CHECK_EQ(set(L1, 0xfffffffffffffffe), 0); /* not present: anything */
    CHECK_EQ(toy.page[SPARE].count & PAGE_COUNT_MASK, 1);
    /* Device memory with the right: write-back becomes uncached, other types stay. */
    CHECK_EQ(stored(L1, PTE(59, RW)), PTE(59, RW | PVPT_PCD | PVPT_PWT));
    CHECK_EQ(stored(L1, PTE(59, RW | PVPT_PWT)), PTE(59, RW | PVPT_PCD | PVPT_PWT));
    CHECK_EQ(stored(L1, PTE(59, RW | PVPT_PCD)), PTE(59, RW | PVPT_PCD));
    CHECK_EQ(stored(L1, PTE(59, RW | PVPT_PAT)), PTE(59, RW | PVPT_PAT));
    toy_teardown(PLENTY);
}

TEST(level_1_refuses)
{
    small_tree();
    toy.mem[30][0] = PTE(31, RW);
    CHECK_EQ(toy_pin(1, 30, 1, all()), 0);
    CHECK_EQ(toy_hold(1, 32, PTYPE_SEG), 0);
    CHECK_EQ(set(L1, PTE(SPARE, RW)), 0);
    CHECK_EQ(set(L1, PTE(L1, RW)), -EBUSY); /* a table, each level, pinned or not */
    CHECK_EQ(set(L1, PTE(L2, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(L3, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(L4, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(30, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(32, RW)), -EBUSY); /* a descriptor page */
    CHECK_EQ(set(L1, PTE(TOY_SPECIAL_RO, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(1, RO)), -EBUSY); /* another domain's */
    CHECK_EQ(set(L1, PTE(45, RW)), -EBUSY);
    CHECK_EQ(set(L1, PTE(SPARE + 1, RW | PVPT_PCD)), -EINVAL); /* memory types without rights */
    CHECK_EQ(set(L1, PTE(SPARE + 1, RW | PVPT_PWT)), -EINVAL);
    CHECK_EQ(set(L1, PTE(SPARE + 1, RW | PVPT_PAT)), -EINVAL);
    CHECK_EQ(set(L1, PTE(58, RO)), -EPERM); /* device memory without rights */
    CHECK_EQ(set(L1, PTE(60, RW)), -EPERM);
    CHECK_EQ(set(L1, PTE(0, RW)), -EPERM);
    CHECK_EQ(set(L1, PTE(TOY_IO_END, RW)), -EPERM); /* reserved address bits */
    CHECK_EQ(set(L1, 0x000ff00000000003), -EPERM);
    CHECK_EQ(set(L1, 0x000ffffffffff003), -EINVAL);          /* "no frame" */
    CHECK_EQ(toy.mem[L1][7], PTE(SPARE, RW));                /* unchanged */
    CHECK_EQ(toy_update(2, 2, L1, 7, 0, 0, all()), -EINVAL); /* another domain's table */
    toy_teardown(PLENTY);
}

TEST(upper_levels_accept)
{
    static const u64 table[3] = {L2, L3, L4}, below[3] = {L1, L2, L3};
    unsigned int i;

    small_tree();
    for (i = 0; i < 3; i++) {
        CHECK_EQ(stored(table[i], PTE(below[i], PVPT_P | PVPT_RW)), PTE(below[i], RW));
        CHECK_EQ(stored(table[i], PTE(below[i], RO | PVPT_A | PVPT_D | 0xe00 | 1ul << 63)),
                 PTE(below[i], RO | PVPT_A | PVPT_D | 0xe00 | 1ul << 63));
        CHECK_EQ(toy.page[below[i]].type & PTYPE_COUNT_MASK, 2);
        CHECK_EQ(stored(table[i], PTE(SPARE + i, RW)), PTE(SPARE + i, RW)); /* an empty one */
        CHECK_EQ(toy_type(SPARE + i), i + 1);
        CHECK_EQ(set(table[i], 0), 0);
        CHECK_EQ(toy_type(SPARE + i), 0);
        CHECK_EQ(set(table[i], 0xabcde), 0);
    }
    toy_teardown(PLENTY);
}

TEST(upper_levels_refuse)
{
    static const u64 table[3] = {L2, L3, L4}, below[3] = {L1, L2, L3};
    unsigned int i, j;

    small_tree();
    toy.mem[30][3] = PTE(DATA + 10, RW | PVPT_PSE);
    for (i = 0; i < 3; i++) {
        u64 e = PTE(below[i], RW);

        CHECK_EQ(set(table[i], e | PVPT_PSE), -EINVAL);
        CHECK_EQ(set(table[i], e | PVPT_G), -EINVAL);
        CHECK_EQ(set(table[i], e | PVPT_PCD), -EINVAL);
        CHECK_EQ(set(table[i], e | PVPT_PWT), -EINVAL);
        CHECK_EQ(set(table[i], PTE(table[i], RW)), -EINVAL); /* linear */
        for (j = i + 1; j < 3; j++)
            CHECK_EQ(set(table[i], PTE(table[j], RW)), -EINVAL); /* upwards */
        CHECK_EQ(set(table[i], PTE(DATA, RO)), -EINVAL);         /* writable page */
        CHECK_EQ(set(table[i], PTE(5, RO)), -EINVAL);            /* another domain's */
        CHECK_EQ(set(table[i], PTE(58, RO)), -EINVAL);           /* no RAM */
        CHECK_EQ(set(table[i], PTE(61, RO)), -EINVAL);
        CHECK_EQ(set(table[i], PTE(TOY_SPECIAL_RW, RO)), -EINVAL);
        CHECK_EQ(set(table[i], PTE(TOY_SPECIAL_RO, RO)), -EINVAL);
        if (i > 0)
            CHECK_EQ(set(table[i], PTE(30, RO)), -EINVAL); /* a bad entry below */
    }
    for (i = PVPT_HV_FIRST; i <= PVPT_HV_LAST; i++)
        CHECK_EQ(toy_update(1, 1, L4, i, PTE(L3, RW), 0, all()), -EINVAL);
    CHECK_EQ(toy_update(1, 1, L4, 255, PTE(L3, RW), 0, all()), 0);
    CHECK_EQ(toy_update(1, 1, L4, 272, PTE(L3, RW), 0, all()), 0);
    CHECK_EQ(toy_update(1, 1, L3, 260, PTE(L2, RW), 0, all()), 0);
    toy_check();
    toy_teardown(PLENTY);
}

TEST(pin_refuses)
{
    toy_init();
    CHECK_EQ(toy_pin(1, 0, 1, all()), -EINVAL);
    CHECK_EQ(toy_pin(1, 62, 1, all()), -EINVAL);
    CHECK_EQ(toy_pin(1, 1, 1, all()), -EINVAL); /* not its own */
    CHECK_EQ(toy_pin(1, TOY_SPECIAL_RW, 1, all()), -EINVAL);
    toy.mem[21][0] = PTE(21, RW); /* maps itself writable */
    CHECK_EQ(toy_pin(1, 21, 1, all()), -EBUSY);
    toy.mem[22][511] = PTE(22, RW); /* linear, every level */
    CHECK_EQ(toy_pin(1, 22, 2, all()), -EINVAL);
    CHECK_EQ(toy_pin(1, 22, 3, all()), -EINVAL);
    CHECK_EQ(toy_pin(1, 22, 4, all()), -EINVAL);
    toy.mem[23][0] = PTE(24, RW); /* a later entry refused: the earlier ones are given back */
    toy.mem[23][1] = PTE(1, RO);
    CHECK_EQ(toy_pin(1, 23, 1, all()), -EBUSY);
    CHECK_EQ(toy.page[24].count & PAGE_COUNT_MASK, 1);
    toy.mem[25][0] = PTE(26, RW); /* a table whose table maps it writable */
    toy.mem[26][0] = PTE(25, RW);
    CHECK_EQ(toy_pin(1, 25, 2, all()), -EBUSY);
    CHECK_EQ(toy_hold(1, 27, PTYPE_WRITABLE), 0);
    CHECK_EQ(toy_pin(1, 27, 1, all()), -EINVAL);
    CHECK_EQ(toy_hold(1, 28, PTYPE_SEG), 0);
    CHECK_EQ(toy_pin(1, 28, 4, all()), -EINVAL);
    toy_check();
    toy_teardown(1);
}

/* Entries of the hypervisor's slots are not the guest's: whatever is there is replaced. */
TEST(level_4_slots)
{
    toy_init();
    toy.mem[21][256] = PTE(40, RW | PVPT_PSE);
    toy.mem[21][271] = ~0ul;
    CHECK_EQ(toy_pin(1, 21, 4, all()), 0);
    CHECK_EQ(toy.mem[21][256], TOY_HV_ENTRY);
    CHECK_EQ(toy.mem[21][271], TOY_HV_ENTRY);
    CHECK_EQ(toy_unpin(1, 21, all()), 0);
    toy_check();
    toy.mem[22][272] = PTE(40, RW | PVPT_PSE);
    CHECK_EQ(toy_pin(1, 22, 4, all()), -EINVAL);
    toy_teardown(1);
}

TEST(foreign_frames)
{
    toy_init();
    CHECK_EQ(toy_pin(0, 1, 1, all()), 0);
    CHECK_EQ(toy_update(0, 1, 1, 0, PTE(30, RW), 0, all()), 0);
    toy_check();
    CHECK_EQ(toy_pin(1, 30, 1, all()), -EINVAL);                     /* domain 0 may write it */
    CHECK_EQ(toy_update(0, 2, 1, 1, PTE(30, RO), 0, all()), -EBUSY); /* not domain 2's */
    CHECK_EQ(toy_update(0, 1, 1, 1, PTE(58, RW), 0, all()), -EPERM); /* nor may 1 have this */
    CHECK_EQ(toy_update(0, PVPT_DOMID_IO, 1, 1, PTE(58, RW), 0, all()), 0);
    CHECK_EQ(toy_update(0, PVPT_DOMID_IO, 1, 1, PTE(30, RO), 0, all()), -EBUSY);
    CHECK_EQ(toy_update(0, 0, 1, 2, PTE(2, RW | PVPT_PAT), 0, all()), 0); /* device rights */
    CHECK_EQ(toy_update(0, 0, 1, 3, PTE(TOY_IO_READONLY, RW | PVPT_PCD), 0, all()), 0);
    CHECK_EQ(toy.mem[1][3], PTE(TOY_IO_READONLY, RO | PVPT_PCD)); /* the hypervisor's device */
    CHECK_EQ(toy_update(0, 2, 1, 4, PTE(60, RO), 0, all()), -EPERM);
    CHECK_EQ(toy_update(0, 0x7ff2, 1, 4, PTE(60, RO), 0, all()), -EPERM);
    toy_release(30); /* the owner lets go: it stays while it is mapped */
    CHECK_EQ(toy.page[30].owner, 1);
    toy_check();
    CHECK_EQ(toy_update(0, 0, 1, 0, 0, 0, all()), 0);
    CHECK_EQ(toy.page[30].owner, PAGE_OWNER_NONE);
    toy_teardown(PLENTY);
}

TEST(preserves_accessed_and_dirty)
{
    small_tree();
    toy.mem[L1][0] |= PVPT_A | PVPT_D;
    CHECK_EQ(toy_update(1, 1, L1, 0, PTE(DATA, RO), PVPT_KEEP_AD, all()), 0);
    CHECK_EQ(toy.mem[L1][0], PTE(DATA, RO | PVPT_A | PVPT_D));
    CHECK_EQ(toy_type(DATA), 0);
    CHECK_EQ(toy_update(1, 1, L1, 0, PTE(DATA, RW), 0, all()), 0);
    CHECK_EQ(toy.mem[L1][0], PTE(DATA, RW));
    toy.mem[L3][0] |= PVPT_A;
    CHECK_EQ(toy_update(1, 1, L3, 0, PTE(SPARE, RW), PVPT_KEEP_AD, all()), 0);
    CHECK_EQ(toy.mem[L3][0], PTE(SPARE, RW | PVPT_A));
    toy_check();
    toy_teardown(PLENTY);
}

TEST(swaps_an_entry)
{
    struct pvpt_view w;
    u64 *slot = &toy.mem[L1][0];

    small_tree();
    w = toy_view(1, 1);
    CHECK_EQ(pvpt_l1_swap(&w, slot, 0, PTE(SPARE, RW)), -EAGAIN);
    CHECK_EQ(pvpt_l1_swap(&w, slot, PTE(DATA, RW), PTE(L2, RW)), -EBUSY);
    toy_check();
    CHECK_EQ(pvpt_l1_swap(&w, slot, PTE(DATA, RW), PTE(SPARE, RW)), 0);
    CHECK_EQ(pvpt_l1_swap(&w, slot, PTE(SPARE, RW), PTE(SPARE, RO)), 0);
    CHECK_EQ(toy_type(SPARE), 0);
    CHECK_EQ(pvpt_l1_swap(&w, slot, PTE(SPARE, RO), 0), 0);
    toy_check();
    toy_teardown(PLENTY);
}

/* A frame that was writable a moment ago is flushed out of the TLBs that may know it, once. */
/* Frames given back while a table maps them become free with it, after one flush of their owner. */
TEST(frees_after_one_flush)
{
    u32 before, i;

    toy_init();
    for (i = 0; i < 8; i++)
        toy.mem[21][i] = PTE(22 + i, i & 1 ? RW : RO);
    CHECK_EQ(toy_pin(1, 21, 1, all()), 0);
    for (i = 0; i < 8; i++)
        toy_release(22 + i);
    before = toy.cpu[1].flushes;
    CHECK_EQ(toy_unpin(1, 21, all()), 0);
    CHECK_EQ(toy.cpu[1].flushes - before, 1);
    for (i = 0; i < 8; i++)
        CHECK_EQ(toy.page[22 + i].owner, PAGE_OWNER_NONE);
    toy_check();
    toy_teardown(3);
}

TEST(type_change_flushes)
{
    u32 n;

    small_tree();
    CHECK_EQ(toy_update(1, 1, L1, 0, 0, 0, all()), 0);
    n = toy.flushes;
    CHECK_EQ(toy_pin(1, DATA, 1, all()), 0);
    CHECK_EQ(toy.flushes, n + 2); /* CPU 1 and the hardware domain's */
    toy_check();
    CHECK_EQ(toy_unpin(1, DATA, all()), 0);
    n = toy.flushes;
    CHECK_EQ(toy_pin(1, DATA, 1, all()), 0); /* same type: nothing to forget */
    CHECK_EQ(toy.flushes, n);
    CHECK_EQ(toy_unpin(1, DATA, all()), 0);
    CHECK_EQ(toy_update(1, 1, L1, 0, PTE(DATA, RW), 0, all()), 0); /* table to writable */
    CHECK(toy.flushes > n);
    toy_check();
    n = toy.flushes;
    CHECK_EQ(toy_update(1, 1, L1, 3, PTE(SPARE, RW), 0, all()), 0); /* never typed */
    CHECK_EQ(toy.flushes, n);
    toy_teardown(PLENTY);
}

/*
 * The naive model: types and references in arrays, operations in one go; a refused one is undone by
 * copying everything back.
 */
static struct model {
    unsigned int type[TOY_FRAMES], uses[TOY_FRAMES], refs[TOY_FRAMES];
    u16 owner[TOY_FRAMES];
    bool pinned[TOY_FRAMES];
    u64 mem[TOY_FRAMES][PVPT_ENTRIES];
    u64 cr3[TOY_DOMS][2];
} now, saved;

static void model_load(void)
{
    unsigned int f;

    memset(&now, 0, sizeof(now));
    memcpy(now.mem, toy.mem, sizeof(now.mem));
    memcpy(now.cr3, toy.cr3, sizeof(now.cr3));
    for (f = 0; f < TOY_FRAMES; f++) {
        now.type[f] = toy_type(f);
        now.uses[f] = (unsigned int)(toy.page[f].type & PTYPE_COUNT_MASK);
        now.refs[f] = (unsigned int)(toy.page[f].count & PAGE_COUNT_MASK);
        now.owner[f] = toy.page[f].owner;
        now.pinned[f] = toy.page[f].type & PTYPE_PINNED;
    }
}

static bool model_use(u64 f, unsigned int type)
{
    if (now.uses[f] && now.type[f] != type)
        return false;
    now.type[f] = type;
    now.uses[f]++;
    return true;
}

static void model_unref(u64 f)
{
    if (--now.refs[f] == 0)
        now.owner[f] = PAGE_OWNER_NONE;
}

static bool model_l1_take(u16 dom, u16 frames, u64 *e)
{
    u64 f = toy_mfn(*e);
    bool cache = *e & PVPT_CACHE;

    *e = (*e | PVPT_US) & ~PVPT_G;
    if (f == 0 || f >= TOY_RAM_END || toy.page[f].owner == PVPT_DOMID_IO) {
        if (dom == 2 || (dom == 1 && f != 59) || f < TOY_IO_FIRST || f >= TOY_IO_END)
            return false;
        if (frames == 1 && f != 59)
            return false;
        if (!(*e & (PVPT_PAT | PVPT_PCD)))
            *e |= PVPT_PCD | PVPT_PWT;
        if (f == TOY_IO_READONLY)
            *e &= ~PVPT_RW;
        return true;
    }
    if ((cache && dom != 0) || now.owner[f] != frames)
        return false;
    now.refs[f]++;
    return !(*e & PVPT_RW) || model_use(f, 7);
}

static void model_l1_put(u64 e)
{
    u64 f = toy_mfn(e);

    if (f >= TOY_IO_FIRST)
        return;
    if (e & PVPT_RW)
        now.uses[f]--;
    model_unref(f);
}

static bool model_get(u16 dom, u64 f, unsigned int level)
{
    unsigned int i;

    if (f == 0 || f >= TOY_RAM_END || now.owner[f] != dom)
        return false;
    now.refs[f]++;
    if (!model_use(f, level))
        return false;
    for (i = 0; i < PVPT_ENTRIES && now.uses[f] == 1; i++) {
        u64 *e = &now.mem[f][i];

        if (toy_is_hv(level, i)) {
            *e = TOY_HV_ENTRY;
        } else if (!(*e & PVPT_P)) {
            continue;
        } else if (level == 1) {
            if (!model_l1_take(dom, dom, e))
                return false;
        } else {
            if (*e & (PVPT_PSE | PVPT_G | PVPT_PCD | PVPT_PWT))
                return false;
            *e |= PVPT_US;
            if (!model_get(dom, toy_mfn(*e), level - 1))
                return false;
        }
    }
    return true;
}

static void model_put(u64 f, unsigned int level)
{
    unsigned int i;

    if (--now.uses[f] == 0)
        for (i = 0; i < PVPT_ENTRIES; i++)
            if ((now.mem[f][i] & PVPT_P) && !toy_is_hv(level, i)) {
                if (level == 1)
                    model_l1_put(now.mem[f][i]);
                else
                    model_put(toy_mfn(now.mem[f][i]), level - 1);
            }
    model_unref(f);
}

static bool model_update(u16 dom, u16 frames, u64 t, unsigned int i, u64 val)
{
    unsigned int level = now.uses[t] ? now.type[t] : 0;
    u64 old = now.mem[t][i], keep;

    if (now.owner[t] != dom)
        return false;
    if (level == 0 || level == 7) {
        now.mem[t][i] = val;
        return true;
    }
    if (level == 5 || toy_is_hv(level, i))
        return false;
    keep = val & PVPT_P && old & PVPT_P && toy_mfn(val) == toy_mfn(old);
    if (level == 1) {
        keep = keep && !((old ^ val) & PVPT_CACHE) && !(val & ~old & PVPT_RW);
        if (keep) {
            val = (val | PVPT_US) & ~PVPT_G;
            if (toy_mfn(val) < TOY_IO_FIRST && (old & ~val & PVPT_RW))
                now.uses[toy_mfn(val)]--;
        } else if ((val & PVPT_P) && !model_l1_take(dom, frames, &val)) {
            return false;
        }
    } else if (val & PVPT_P) {
        if (val & (PVPT_PSE | PVPT_G | PVPT_PCD | PVPT_PWT))
            return false;
        val |= PVPT_US;
        if (!keep && !model_get(dom, toy_mfn(val), level - 1))
            return false;
    }
    now.mem[t][i] = val;
    if (old & PVPT_P && !keep) {
        if (level == 1)
            model_l1_put(old);
        else
            model_put(toy_mfn(old), level - 1);
    }
    return true;
}

static void model_compare(bool contents)
{
    unsigned int f;

    for (f = 1; f < TOY_IO_FIRST; f++) {
        if (now.uses[f] != (toy.page[f].type & PTYPE_COUNT_MASK) ||
            (now.uses[f] && now.type[f] != toy_type(f)) ||
            now.refs[f] != (toy.page[f].count & PAGE_COUNT_MASK) ||
            now.owner[f] != toy.page[f].owner)
            FAIL("frame %u: model has %u uses as type %u, %u refs, owner %u; words %llx %llx %u", f,
                 now.uses[f], now.type[f], now.refs[f], now.owner[f],
                 (unsigned long long)toy.page[f].type, (unsigned long long)toy.page[f].count,
                 toy.page[f].owner);
        if (contents && now.owner[f] != PAGE_OWNER_NONE &&
            memcmp(now.mem[f], toy.mem[f], PAGE_SIZE))
            FAIL("frame %u: contents differ from the model's", f);
    }
}

/* Random material. Frames have usual roles, so that trees succeed often enough to matter. */

static const u16 some_slots[] = {0, 1, 2, 3, 255, 256, 271, 272, 300, 510, 511};

static unsigned int any_slot(void)
{
    return some_slots[host_rand_below(ARRAY_SIZE(some_slots))];
}

static u64 any_frame(u16 dom)
{
    static const u8 first[TOY_DOMS] = {1, TOY_END0, TOY_END1};
    static const u8 end[TOY_DOMS] = {TOY_END0, TOY_END1, TOY_END2};

    return first[dom] + host_rand_below(end[dom] - first[dom]);
}

/* Roles by frame number: 1 to 4 a table of that level, else data. */
static unsigned int role(u64 f)
{
    static const u8 roles[10] = {4, 3, 2, 2, 1, 1, 1, 0, 0, 0};

    return roles[f % 10];
}

static u64 frame_with_role(u16 dom, unsigned int r)
{
    u64 f;

    do
        f = any_frame(dom);
    while (role(f) != r && host_rand_below(12));
    return f;
}

static u64 any_entry(u16 dom, unsigned int level)
{
    u64 f, e;

    if (host_rand_below(5) == 0)
        return host_rand_below(2) ? 0 : host_rand() & ~PVPT_P;
    if (level == 1) {
        f = host_rand_below(8) ? frame_with_role(dom, 0) : host_rand_below(66);
        e = PTE(f, role(f) == 0 || !host_rand_below(6) ? RW : RO);
        if (!host_rand_below(20))
            e |= host_rand() & (PVPT_CACHE | PVPT_G);
    } else {
        f = host_rand_below(20) ? frame_with_role(dom, level - 1) : host_rand_below(66);
        e = PTE(f, RW);
        if (!host_rand_below(40))
            e |= host_rand() & (PVPT_PSE | PVPT_G | PVPT_PCD);
    }
    return host_rand_below(4) ? e : e & ~PVPT_US;
}

/* Fills tables that nobody uses yet, as a guest does before it pins. */
static void scribble(u16 dom)
{
    unsigned int n = (unsigned int)host_rand_below(6);
    u64 f = any_frame(dom);
    unsigned int level = role(f) ? role(f) : 1;

    if (host_rand_below(4) == 0 && toy_type(f) == 0 && toy.page[f].owner == dom)
        memset(toy.mem[f], 0, PAGE_SIZE);
    while (n--) {
        int budget = PLENTY;

        if (toy_type(f) == 0)
            (void)!toy_update(dom, dom, f, any_slot(), any_entry(dom, level), 0, &budget);
    }
}

/* One operation in both worlds; the real one in steps of `step`. */
static void paired_op(u16 dom, int step, unsigned int *successes)
{
    u64 f = any_frame(dom), val;
    unsigned int i = any_slot(), kind = (unsigned int)host_rand_below(8), level;
    u16 frames = dom == 0 && !host_rand_below(4) ? 1 : dom;
    bool ok;
    int rc, budget;

    scribble(dom);
    model_load();
    saved = now;
    level = role(f) ? role(f) : 1 + (unsigned int)host_rand_below(4);
    val = any_entry(frames, toy_type(f) >= 1 && toy_type(f) <= 4 ? toy_type(f) : level);
    if (kind == 2 && host_rand_below(3))
        f = host_rand_below(2) ? 0 : frame_with_role(dom, 4);
    switch (kind) {
    case 0:
        ok = !now.pinned[f] && model_get(dom, f, level);
        break;
    case 1:
        ok = now.pinned[f];
        if (ok)
            model_put(f, now.type[f]);
        break;
    case 2:
        ok = f == now.cr3[dom][1] || f == 0 || model_get(dom, f, 4);
        if (ok && f != now.cr3[dom][1] && now.cr3[dom][1])
            model_put(now.cr3[dom][1], 4);
        break;
    default:
        ok = model_update(dom, frames, f, i, val);
        break;
    }
    do {
        budget = step;
        rc = kind == 0   ? toy_pin(dom, f, level, &budget)
             : kind == 1 ? toy_unpin(dom, f, &budget)
             : kind == 2 ? toy_cr3(dom, 1, f, &budget)
                         : toy_update(dom, frames, f, i, val, 0, &budget);
    } while (rc == -ERESTART);
    do
        budget = step;
    while (toy_drain(dom, &budget));
    if (ok != (rc == 0))
        FAIL("operation %u on frame %llu: model says %d, result %d", kind, (unsigned long long)f,
             ok, rc);
    *successes += ok;
    if (!ok)
        now = saved;
    model_compare(ok);
}

static void paired_run(int step, unsigned int rounds)
{
    unsigned int successes[TOY_DOMS] = {0}, i;

    toy_init();
    for (i = 0; i < rounds; i++) {
        u16 dom = (u16)host_rand_below(TOY_DOMS);

        paired_op(dom, step, &successes[dom]);
        if (i % 4 == 0)
            toy_check();
    }
    for (i = 0; i < TOY_DOMS; i++)
        CHECK(successes[i] > rounds / 20);
    toy_teardown(step);
}

TEST(model_in_one_go)
{
    paired_run(PLENTY, 3000);
}

TEST(model_budget_1)
{
    paired_run(1, 800);
}

TEST(model_budget_7)
{
    paired_run(7, 1500);
}

TEST(model_budget_600)
{
    paired_run(600, 1500);
}

/* One unfinished operation after another; nothing is repeated on purpose. */
static void chaos_op(void)
{
    u16 dom = (u16)host_rand_below(TOY_DOMS);
    u16 frames = dom == 0 && !host_rand_below(4) ? 1 : dom;
    u64 f = any_frame(dom);
    unsigned int level = role(f) ? role(f) : 1 + (unsigned int)host_rand_below(4);
    int budget = host_rand_below(3) ? (int)host_rand_below(40) + 1 : (int)host_rand_below(3000) + 1;
    struct pvpt_view w;
    u64 val;

    switch (host_rand_below(16)) {
    case 0:
    case 1:
    case 2:
        /* Also while an earlier operation's tree is half taken apart. */
        w = toy_view(dom, dom);
        (void)!(host_rand_below(2) ? toy_pin(dom, f, level, &budget)
                                   : pvpt_pin(&w, f, level, &budget));
        break;
    case 3:
    case 4:
        (void)!toy_unpin(dom, f, &budget);
        break;
    case 5:
        (void)!toy_cr3(dom, (unsigned int)host_rand_below(2),
                       host_rand_below(4) ? frame_with_role(dom, 4) : 0, &budget);
        break;
    case 6:
        (void)!toy_hold(dom, f, host_rand_below(2) ? PTYPE_SEG : PTYPE_WRITABLE);
        break;
    case 7:
        toy_unhold(f, PTYPE_SEG);
        toy_unhold(f, PTYPE_WRITABLE);
        break;
    case 8:
        if (!host_rand_below(8))
            toy_release(f);
        else if (toy.page[f].owner == PAGE_OWNER_NONE)
            toy_give(f, toy_home(f));
        break;
    case 9:
        (void)!toy_drain(dom, &budget);
        break;
    case 10:
    case 11:
        scribble(dom);
        break;
    default:
        level = toy_type(f) >= 1 && toy_type(f) <= 4 ? toy_type(f) : level;
        val = any_entry(frames, level);
        (void)!toy_update(dom, frames, f, any_slot(), val, host_rand_below(4) ? 0 : PVPT_KEEP_AD,
                          &budget);
        break;
    }
}

static void chaos_run(unsigned int rounds)
{
    unsigned int i;

    toy_init();
    for (i = 0; i < rounds; i++) {
        chaos_op();
        toy_check();
    }
    toy_teardown(1 + (int)host_rand_below(50));
}

TEST(chaos)
{
    unsigned int i;

    for (i = 0; i < 8; i++) {
        chaos_run(1500);
        host_reset();
    }
}

/*
 * A table is being taken apart below an entry when another user wants the whole again: the child
 * must be completed before the parent counts as valid.
 */
TEST(turning_round_completes_the_child)
{
    int budget, n;

    for (n = 1; n < 2600; n += 37) {
        small_tree();
        toy.mem[30][0] = PTE(L3, RW);
        CHECK_EQ(toy_cr3(1, 0, 0, all()), 0);
        budget = n; /* unpin gets this far */
        CHECK_EQ(toy_unpin(1, L4, &budget), 0);
        toy_check();
        if (toy_type(L3) == 3) {
            struct pvpt_view w = toy_view(1, 1);

            /* What another CPU's pin of frame 30 would do before the leftover is drained. */
            budget = PLENTY;
            CHECK_EQ(pvpt_pin(&w, 30, 4, &budget), 0);
            toy_check();
            CHECK_EQ(toy.page[L1].type & PTYPE_VALIDATED, PTYPE_VALIDATED);
        }
        do
            budget = 5;
        while (toy_drain(1, &budget));
        toy_check();
        toy_teardown(PLENTY);
        host_reset();
    }
}
