/* SPDX-License-Identifier: MIT */
/*
 * How does a frame full of numbers become a page table the hardware may use, and how does a table
 * stop being one, without ever working for long?
 *
 * A cursor moves over the 512 entries: up while the frame is made a table, down while it is taken
 * apart; the entries below it hold their references. When the budget is used up the table is left
 * PARTIAL at the cursor and whoever comes next goes on from there, in the direction he needs: the
 * state does not depend on where it came from. Two facts must be remembered beside the position:
 *
 *   HELD  the table's last user is dropping it. The one reference of the type word is still his,
 *         and he will come back. Without HELD the reference belongs to the frame itself: nobody
 *         has been given it yet, and the first who completes the table gets it.
 *   UNDO  an entry was refused while nobody held the table. The cursor only goes down from here;
 *         at the bottom the frame is free of its type and the caller learns of the refusal.
 *
 * A table in between refuses no one who wants it as the same table: he completes it. Tables nest
 * four deep, so does the recursion; a child's work is charged to the same budget, and a parent
 * charges for an entry only when it is finished, so a budget of one makes progress.
 */
#include "pure/pvpt_step.h"

#include "pure/port.h"

static bool step_is_hv_slot(unsigned int level, unsigned int i)
{
    return level == 4 && i >= PVPT_HV_FIRST && i <= PVPT_HV_LAST;
}

static unsigned int step_position(const struct page *pg)
{
    return pg->cursor & PVPT_CURSOR_MASK;
}

static void step_move(struct page *pg, unsigned int position)
{
    pg->cursor = (u16)((pg->cursor & ~(unsigned int)PVPT_CURSOR_MASK) | position);
}

static int step_up_l1(struct pvpt_view *w, struct page *pg, u64 *table, int *budget)
{
    unsigned int from = step_position(pg), i = from, end = PVPT_ENTRIES;
    int rc;

    if (*budget < (int)(end - from))
        end = from + (unsigned int)MAX(*budget, 0);
    rc = pvpt_l1_take(w, table, &i, end);
    *budget -= (int)(i - from);
    step_move(pg, i);
    if (rc)
        return rc;
    return i < PVPT_ENTRIES ? -ERESTART : 0;
}

static int step_down_l1(struct page *pg, const u64 *table, int *budget)
{
    unsigned int end = step_position(pg), first = 0;

    if (*budget < (int)end)
        first = end - (unsigned int)MAX(*budget, 0);
    ptype_port_drop_begin(pg);
    pvpt_l1_release(table, first, end);
    ptype_port_drop_end();
    *budget -= (int)(end - first);
    step_move(pg, first);
    return first ? -ERESTART : 0;
}

/* The table below an upper entry: a general and a type reference for the entry. */
static int step_take_child(struct pvpt_view *w, unsigned int level, u64 *e, int *budget)
{
    u64 mfn = (*e & PVPT_ADDR) >> PAGE_SHIFT;
    int rc = pvpt_upper_check(w, e);

    if (rc)
        return rc;
    return pvpt_table_get(w, mfn, level - 1, budget);
}

/*
 * On the way up again after a way down: the entry below the cursor still holds its table, but that
 * one may have lost some of its own entries. It is completed first, or the hardware would find
 * entries in it that hold nothing.
 */
static int step_mend(struct pvpt_view *w, struct page *pg, unsigned int level, const u64 *table,
                     int *budget)
{
    unsigned int i = step_position(pg);
    u64 e = i ? READ_ONCE(table[i - 1]) : 0;
    struct page *child;
    int rc;

    if (!(e & PVPT_P) || step_is_hv_slot(level, i - 1))
        return 0;
    child = ptype_port_page((e & PVPT_ADDR) >> PAGE_SHIFT);
    if (!(child->type & PTYPE_PARTIAL))
        return 0;
    rc = pvpt_table_get(w, ptype_port_mfn(child).v, level - 1, budget);
    if (rc)
        return rc;
    ptype_table_drop(child); /* the entry has one already */
    ptype_put_page(child);
    return 0;
}

static int step_up_upper(struct pvpt_view *w, struct page *pg, unsigned int level, u64 *table,
                         int *budget)
{
    unsigned int i;
    u64 e, was;
    int rc = step_mend(w, pg, level, table, budget);

    if (rc)
        return rc;
    for (i = step_position(pg); i < PVPT_ENTRIES; step_move(pg, ++i)) {
        if (*budget <= 0)
            return -ERESTART;
        was = e = READ_ONCE(table[i]);
        if (!(e & PVPT_P)) {
            i += i % 8 == 0 && pvpt_eight_empty(table, i) ? 7 : 0;
        } else if (!step_is_hv_slot(level, i)) {
            rc = step_take_child(w, level, &e, budget);
            if (rc)
                return rc;
            if (e != was)
                WRITE_ONCE(table[i], e);
        }
        --*budget;
    }
    if (level == 4)
        ptype_port_hv_slots(pg, table + PVPT_HV_FIRST);
    return 0;
}

static int step_up(struct pvpt_view *w, struct page *pg, unsigned int level, int *budget)
{
    u64 *table = port_map(ptype_port_mfn(pg));

    return level == 1 ? step_up_l1(w, pg, table, budget)
                      : step_up_upper(w, pg, level, table, budget);
}

static int step_down(struct page *pg, int *budget)
{
    unsigned int level = ptype_level(pg->type), i;
    u64 *table = port_map(ptype_port_mfn(pg)), e;
    int rc;

    if (level == 1)
        return step_down_l1(pg, table, budget);
    for (i = step_position(pg); i > 0; step_move(pg, --i)) {
        if (*budget <= 0)
            return -ERESTART;
        e = READ_ONCE(table[i - 1]);
        if (!(e & PVPT_P)) {
            i -= i % 8 == 0 && pvpt_eight_empty(table, i - 8) ? 7 : 0;
        } else if (!step_is_hv_slot(level, i - 1)) {
            rc = pvpt_step_put(ptype_port_page((e & PVPT_ADDR) >> PAGE_SHIFT), budget);
            if (rc)
                return rc;
        }
        --*budget;
    }
    return 0;
}

/* A table nobody holds whose entries were refused, or are not wanted any more. */
static int step_undo(struct page *pg, int *budget)
{
    int rc;

    pg->cursor |= PVPT_CURSOR_UNDO;
    rc = step_down(pg, budget);
    if (!rc)
        ptype_table_last(pg);
    return rc;
}

/* First use as a table. */
static int step_begin(struct pvpt_view *w, struct page *pg, unsigned int level, int *budget)
{
    int rc = ptype_table_take(pg, PTYPE_TABLE(level));

    if (rc)
        return pvpt_refuse(w, -EINVAL, "the frame is in use as another type", 0,
                           ptype_port_mfn(pg).v);
    pg->cursor = 0;
    ptype_table_mark(pg, PTYPE_PARTIAL, 0);
    rc = step_up(w, pg, level, budget);
    if (!rc) {
        ptype_table_mark(pg, PTYPE_VALIDATED, PTYPE_PARTIAL);
        return 0;
    }
    /* On -ERESTART the caller's general reference stays with the frame. */
    if (rc == -ERESTART)
        return rc;
    return step_undo(pg, budget) ? -ERESTART : rc;
}

/* Goes on with a table in between. */
static int step_resume(struct pvpt_view *w, struct page *pg, unsigned int level, int *budget)
{
    bool held = pg->cursor & PVPT_CURSOR_HELD;
    int rc = -EINVAL;

    if (!(pg->cursor & PVPT_CURSOR_UNDO)) {
        rc = step_up(w, pg, level, budget);
        if (rc == -ERESTART) {
            ptype_put_page(pg);
            return rc;
        }
        if (!rc) {
            ptype_table_mark(pg, PTYPE_VALIDATED, PTYPE_PARTIAL);
            if (held)
                return ptype_table_add(pg);
            ptype_put_page(pg); /* the frame's own; the caller has his */
            return 0;
        }
        /* The holder goes on taking it apart when he comes back. */
        if (held)
            return rc;
    } else {
        pvpt_refuse(w, rc, "an entry of the table was refused", 0, ptype_port_mfn(pg).v);
    }
    if (step_undo(pg, budget)) {
        ptype_put_page(pg);
        return -ERESTART;
    }
    ptype_put_page(pg);
    return rc;
}

int pvpt_step_get(struct pvpt_view *w, struct page *pg, unsigned int level, int *budget)
{
    u64 x = atomic_load(&pg->type);

    if ((x & PTYPE_MASK) != PTYPE_TABLE(level) || !(x & PTYPE_COUNT_MASK))
        return step_begin(w, pg, level, budget);
    if (likely(x & PTYPE_VALIDATED)) {
        if (ptype_table_add(pg))
            return pvpt_refuse(w, -EINVAL, "too many uses of the table", 0, ptype_port_mfn(pg).v);
        return 0;
    }
    ASSERT(x & PTYPE_PARTIAL);
    return step_resume(w, pg, level, budget);
}

int pvpt_step_put(struct page *pg, int *budget)
{
    u64 x = atomic_load(&pg->type);
    int rc;

    if ((x & PTYPE_COUNT_MASK) > 1) {
        ptype_table_drop(pg);
        ptype_put_page(pg);
        return 0;
    }
    if (x & PTYPE_VALIDATED) {
        ptype_table_mark(pg, PTYPE_PARTIAL, PTYPE_VALIDATED);
        pg->cursor = PVPT_ENTRIES | PVPT_CURSOR_HELD;
    }
    ASSERT(pg->cursor & PVPT_CURSOR_HELD);
    rc = step_down(pg, budget);
    if (rc)
        return rc;
    ptype_table_last(pg);
    ptype_put_page(pg);
    return 0;
}

int pvpt_step_abandon(struct page *pg, int *budget)
{
    if (!(pg->type & PTYPE_PARTIAL) || (pg->cursor & PVPT_CURSOR_HELD))
        return 0;
    if (step_undo(pg, budget))
        return -ERESTART;
    ptype_put_page(pg);
    return 0;
}
