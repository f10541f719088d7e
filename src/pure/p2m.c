/* SPDX-License-Identifier: MIT */
/*
 * How is a guest's physical memory changed, all or nothing, under a processor that walks it?
 *
 * A change first finds out how many tables it needs on its way down and reserves them; only then
 * it touches the tree, and nothing can fail any more. Each entry is one store: a processor sees the
 * old translation or the new one. Tables taken out of the tree wait in limbo until the caller has
 * flushed, because a processor may still hold the entry that led to them.
 *
 * A table whose 512 entries have become one run of RAM is replaced by a large leaf. It is looked
 * for when the last entry of a table is written, which is when memory is filled in order.
 */
#include "pure/p2m.h"

#include "base/atomic.h"
#include "base/lib.h"
#include "pure/port.h"

#define ENTRIES    512u
#define PRESENT    1ul
#define LARGE      (1ul << 7)
#define ADDR       0x000ffffffffff000ul
#define TYPE_SHIFT 52
#define LEVELS     4u

#define NPT_P  (1ul << 0)
#define NPT_RW (1ul << 1)
#define NPT_US (1ul << 2) /* nested walks count as user accesses */
#define NPT_A  (1ul << 5)
#define NPT_D  (1ul << 6)
#define NPT_NX (1ul << 63)

const struct p2m_format p2m_format_npt = {
    .name = "NPT",
    .table = NPT_P | NPT_RW | NPT_US | NPT_A,
    .large = LARGE,
    .leaf = {[P2M_RAM_RW] = NPT_P | NPT_RW | NPT_US | NPT_A | NPT_D,
             [P2M_RAM_RO] = NPT_P | NPT_US | NPT_A | NPT_D,
             [P2M_MMIO] = NPT_P | NPT_RW | NPT_US | NPT_A | NPT_D | NPT_NX | 1ul << 4,
             [P2M_FOREIGN] = NPT_P | NPT_RW | NPT_US | NPT_A | NPT_D | NPT_NX,
             [P2M_FOREIGN_RO] = NPT_P | NPT_US | NPT_A | NPT_D | NPT_NX,
             [P2M_GRANT] = NPT_P | NPT_RW | NPT_US | NPT_A | NPT_D | NPT_NX,
             [P2M_GRANT_RO] = NPT_P | NPT_US | NPT_A | NPT_D | NPT_NX},
};

#define EPT_R  (1ul << 0)
#define EPT_W  (1ul << 1)
#define EPT_X  (1ul << 2)
#define EPT_WB (6ul << 3) /* memory type of a leaf */
#define EPT_UC (0ul << 3)

const struct p2m_format p2m_format_ept = {
    .name = "EPT",
    .table = EPT_R | EPT_W | EPT_X,
    .large = LARGE,
    .leaf = {[P2M_RAM_RW] = EPT_R | EPT_W | EPT_X | EPT_WB,
             [P2M_RAM_RO] = EPT_R | EPT_X | EPT_WB,
             [P2M_MMIO] = EPT_R | EPT_W | EPT_UC,
             [P2M_FOREIGN] = EPT_R | EPT_W | EPT_WB,
             [P2M_FOREIGN_RO] = EPT_R | EPT_WB,
             [P2M_GRANT] = EPT_R | EPT_W | EPT_WB,
             [P2M_GRANT_RO] = EPT_R | EPT_WB},
};

STATIC_ASSERT(P2M_TYPES <= 16, "the type fits four bits of an entry");

static ALWAYS_INLINE u64 *table_of(u64 entry)
{
    return port_map(maddr_to_mfn(entry & ADDR));
}

static ALWAYS_INLINE unsigned int index_of(u64 gfn, unsigned int level)
{
    return gfn >> (9 * (level - 1)) & (ENTRIES - 1);
}

static ALWAYS_INLINE bool is_leaf(u64 e, unsigned int level)
{
    return level == 1 || e & LARGE;
}

static u64 leaf_entry(const struct p2m *p, mfn_t mfn, enum p2m_type type, unsigned int level)
{
    if (type == P2M_NONE)
        return 0;
    return mfn_to_maddr(mfn) | p->format->leaf[type] | (u64)type << TYPE_SHIFT |
           (level > 1 ? p->format->large : 0);
}

/* Tables: reserved, taken, given up. The lists run through the tables' first words. */

static void list_push(u64 *list, u64 table)
{
    *(u64 *)table_of(table) = *list;
    *list = table & ADDR;
}

static u64 list_pop(u64 *list)
{
    u64 table = *list, *t = table_of(table);

    *list = t[0];
    t[0] = 0;
    return table;
}

static int reserve(struct p2m *p, u32 need)
{
    while (p->spares < need) {
        mfn_t m = port_inject_failure() ? MFN_INVALID : p->mem.alloc(p->mem.ctx);

        if (mfn_eq(m, MFN_INVALID))
            return -ENOMEM;
        list_push(&p->spare, mfn_to_maddr(m));
        p->spares++;
        p->tables++;
    }
    return 0;
}

static u64 take(struct p2m *p)
{
    p->spares--;
    return list_pop(&p->spare);
}

/* The frames a failed or cheaper change did not need. */
static void release_spares(struct p2m *p)
{
    while (p->spare != 0) {
        p->mem.free(p->mem.ctx, maddr_to_mfn(list_pop(&p->spare)));
        p->spares--;
        p->tables--;
    }
}

/* Everything below an entry at `level` that leads to a table: at most 513 tables (1 GiB). */
static void retire(struct p2m *p, u64 entry, unsigned int level)
{
    const u64 *t = table_of(entry);
    unsigned int i;

    for (i = 0; level > 2 && i < ENTRIES; i++)
        if (t[i] & PRESENT && !is_leaf(t[i], level - 1))
            retire(p, t[i], level - 1);
    list_push(&p->limbo, entry & ADDR);
}

int p2m_init(struct p2m *p, const struct p2m_format *format, const struct p2m_mem *mem, bool page1g)
{
    memset(p, 0, sizeof(*p));
    p->format = format;
    p->mem = *mem;
    p->page1g = page1g;
    p->root = p->mem.alloc(p->mem.ctx);
    if (mfn_eq(p->root, MFN_INVALID))
        return -ENOMEM;
    p->tables = 1;
    return 0;
}

/* Frees the deepest tables first, so the way down is found again by the next call. */
static int fini_below(struct p2m *p, u64 *t, unsigned int level, u32 *budget)
{
    unsigned int i;
    int rc;

    for (i = 0; level > 1 && i < ENTRIES; i++) {
        if (!(t[i] & PRESENT) || is_leaf(t[i], level))
            continue;
        rc = fini_below(p, table_of(t[i]), level - 1, budget);
        if (rc != 0)
            return rc;
        if (*budget == 0)
            return -ERESTART;
        --*budget;
        p->mem.free(p->mem.ctx, maddr_to_mfn(t[i] & ADDR));
        p->tables--;
        t[i] = 0;
    }
    return 0;
}

int p2m_fini_step(struct p2m *p, u32 *budget)
{
    int rc;

    if (mfn_eq(p->root, MFN_INVALID))
        return 0;
    p2m_flushed(p);
    release_spares(p);
    rc = fini_below(p, port_map(p->root), LEVELS, budget);
    if (rc != 0)
        return rc;
    p->mem.free(p->mem.ctx, p->root);
    p->tables--;
    p->root = MFN_INVALID;
    return 0;
}

enum p2m_type p2m_lookup(const struct p2m *p, u64 gfn, mfn_t *mfn, unsigned int *order)
{
    const u64 *t = port_map(p->root);
    unsigned int level;
    u64 e;

    if (unlikely(gfn >> P2M_GFN_BITS))
        return P2M_NONE;
    for (level = LEVELS;; level--) {
        e = READ_ONCE(t[index_of(gfn, level)]);
        if (unlikely(!(e & PRESENT)))
            return P2M_NONE;
        if (is_leaf(e, level))
            break;
        t = table_of(e);
    }
    if (mfn != NULL)
        mfn->v = ((e & ADDR) >> PAGE_SHIFT) + (gfn & (((u64)1 << (9 * (level - 1))) - 1));
    if (order != NULL)
        *order = 9 * (level - 1);
    return (enum p2m_type)(e >> TYPE_SHIFT & 15);
}

/*
 * Tables a change at `target` level needs. *done: the change would alter nothing (unmapping what is
 * not mapped).
 */
static u32 tables_needed(const struct p2m *p, u64 gfn, unsigned int target, enum p2m_type type,
                         bool *done)
{
    const u64 *t = port_map(p->root);
    unsigned int level;
    u64 e;

    *done = false;
    for (level = LEVELS; level > target; level--) {
        e = t[index_of(gfn, level)];
        if (!(e & PRESENT)) {
            *done = type == P2M_NONE;
            return *done ? 0 : level - target;
        }
        if (is_leaf(e, level))
            return level - target;
        t = table_of(e);
    }
    return 0;
}

/* A large leaf's translations, one level down. */
static void split(struct p2m *p, u64 *slot, unsigned int level)
{
    u64 e = *slot, table = take(p), *t = table_of(table);
    u64 flags = e & ~ADDR, step = PAGE_SIZE << (9 * (level - 2));
    unsigned int i;

    if (level == 2)
        flags &= ~p->format->large;
    for (i = 0; i < ENTRIES; i++)
        t[i] = (e & ADDR) + i * step + flags;
    atomic_store_release(slot, table | p->format->table);
}

/* Is a table one run of RAM that a leaf one level up can stand for? */
static bool is_run(const u64 *t, unsigned int level)
{
    u64 step = PAGE_SIZE << (9 * (level - 1)), first = t[0];
    u64 type = first >> TYPE_SHIFT & 15;
    unsigned int i;

    if (!(first & PRESENT) || !is_leaf(first, level) || (type != P2M_RAM_RW && type != P2M_RAM_RO))
        return false;
    if (first & ADDR & (step * ENTRIES - 1))
        return false;
    for (i = 1; i < ENTRIES; i++)
        if (t[i] != first + i * step)
            return false;
    return true;
}

/* slot[level] is the entry the change passed at that level. */
static void merge(struct p2m *p, u64 *const slot[LEVELS + 1], unsigned int level)
{
    unsigned int top = p->page1g ? 3 : 2;
    u64 e;

    for (; level < top; level++) {
        e = *slot[level + 1];
        if (((u64)slot[level] & (PAGE_SIZE - 1)) != (ENTRIES - 1) * 8 ||
            !is_run(table_of(e), level))
            return;
        WRITE_ONCE(*slot[level + 1], *(u64 *)table_of(e) | p->format->large);
        list_push(&p->limbo, e & ADDR);
        p->flush_due = true;
    }
}

static void apply(struct p2m *p, u64 gfn, unsigned int target, mfn_t mfn, enum p2m_type type)
{
    u64 *slot[LEVELS + 1], *t = port_map(p->root), old, e = leaf_entry(p, mfn, type, target);
    unsigned int level;

    for (level = LEVELS; level > target; level--) {
        slot[level] = &t[index_of(gfn, level)];
        if (!(*slot[level] & PRESENT))
            atomic_store_release(slot[level], take(p) | p->format->table);
        else if (is_leaf(*slot[level], level))
            split(p, slot[level], level);
        t = table_of(*slot[level]);
    }
    slot[target] = &t[index_of(gfn, target)];
    old = *slot[target];
    if (old == e)
        return;
    WRITE_ONCE(*slot[target], e);
    if (old & PRESENT) {
        p->flush_due = true;
        if (!is_leaf(old, target))
            retire(p, old, target);
    }
    if (type != P2M_NONE)
        merge(p, slot, target);
}

int p2m_set(struct p2m *p, u64 gfn, unsigned int order, mfn_t mfn, enum p2m_type type)
{
    u64 nr = (u64)1 << order;
    bool done;
    int rc;

    if (order % 9 != 0 || order > (p->page1g ? 18u : 9u) || type >= P2M_TYPES)
        return -EINVAL;
    if (gfn >> P2M_GFN_BITS || gfn & (nr - 1))
        return -EINVAL;
    if (type != P2M_NONE && (mfn.v & (nr - 1) || mfn.v >> (52 - PAGE_SHIFT)))
        return -EINVAL;
    rc = reserve(p, tables_needed(p, gfn, order / 9 + 1, type, &done));
    if (rc == 0 && !done)
        apply(p, gfn, order / 9 + 1, mfn, type);
    release_spares(p);
    if (rc == 0 && type != P2M_NONE && gfn + nr > p->top)
        p->top = gfn + nr;
    return rc;
}

void p2m_flushed(struct p2m *p)
{
    p->flush_due = false;
    while (p->limbo != 0) {
        p->mem.free(p->mem.ctx, maddr_to_mfn(list_pop(&p->limbo)));
        p->tables--;
    }
}

u64 p2m_next(const struct p2m *p, u64 gfn, u64 end)
{
    while (gfn < end && !(gfn >> P2M_GFN_BITS)) {
        const u64 *t = port_map(p->root);
        unsigned int level;
        u64 e;

        for (level = LEVELS;; level--) {
            e = t[index_of(gfn, level)];
            if (!(e & PRESENT))
                break;
            if (is_leaf(e, level))
                return gfn;
            t = table_of(e);
        }
        gfn = (gfn | (((u64)1 << (9 * (level - 1))) - 1)) + 1;
    }
    return end;
}

static bool audit_table(const struct p2m *p, u64 table, unsigned int level, u32 *count)
{
    const u64 *t = table_of(table);
    unsigned int i;
    u64 type;

    ++*count;
    for (i = 0; i < ENTRIES; i++) {
        if (!(t[i] & PRESENT)) {
            if (t[i] != 0)
                return false;
            continue;
        }
        if (!is_leaf(t[i], level)) {
            if ((t[i] & ~ADDR) != p->format->table || !audit_table(p, t[i], level - 1, count))
                return false;
            continue;
        }
        type = t[i] >> TYPE_SHIFT & 15;
        if (level > (p->page1g ? 3u : 2u) || type == P2M_NONE || type >= P2M_TYPES ||
            t[i] != leaf_entry(p, maddr_to_mfn(t[i] & ADDR), (enum p2m_type)type, level))
            return false;
    }
    return true;
}

bool p2m_audit(const struct p2m *p)
{
    u32 count = p->spares;
    u64 l;

    for (l = p->limbo; l != 0; l = *(u64 *)table_of(l))
        count++;
    return audit_table(p, mfn_to_maddr(p->root), LEVELS, &count) && count == p->tables;
}
