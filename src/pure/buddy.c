/* SPDX-License-Identifier: MIT */
/*
 * Which frames are free, and which to hand out?
 *
 * The binary buddy method: a free block of order k starts at a multiple of 2^k; freeing joins a
 * block with its neighbour of the same order while that is free; allocating halves a larger block.
 * Free blocks are on lists by zone and order, doubly linked through the caller's frame table, with
 * bit masks over orders and zones so that a search is a few bit operations.
 *
 * Frame number 0 is never joined to another. So no block spans a power of two, and the number of
 * bits of the first frame number bounds every address in the block.
 *
 * Dirt is kept per frame in a bitmap, and a summary in the block's info word. One freed page thus
 * makes one page dirty, however large the clean block it joins; a block's summary is recomputed
 * from the bitmap only when a dirty block is split.
 *
 * Left out: memory nodes, reservations for later, and the scrubbing itself.
 */
#include "pure/buddy.h"

#include "pure/port.h"

#define LINK_END   0xffffffffu
#define INFO_ORDER 0xffu
#define INFO_DIRTY 0x100u

#define CLEAN_ORDER 9u /* 2 MiB: from here on a clean block is looked for among larger ones */

static struct buddy_link *link_of(const struct buddy *b, u64 f)
{
    return (struct buddy_link *)(void *)((char *)b->table.base + f * b->table.stride +
                                         b->table.link_offset);
}

static u32 *info_of(const struct buddy *b, u64 f)
{
    return (u32 *)(void *)((char *)b->table.base + f * b->table.stride + b->table.info_offset);
}

static unsigned int zone_of(u64 f)
{
    return f ? 64 - (unsigned int)__builtin_clzll(f) : 0;
}

static bool bit_get(const u64 *map, u64 f)
{
    return (map[f / 64] >> (f % 64)) & 1;
}

static bool is_head(const struct buddy *b, u64 f)
{
    return bit_get(b->heads, f);
}

/* The bits of word f/64 that belong to [f, end). */
static u64 word_mask(u64 f, u64 end)
{
    u64 mask = ~(u64)0 << (f % 64);

    if (end - ROUND_DOWN(f, (u64)64) < 64)
        mask &= ((u64)1 << (end % 64)) - 1;
    return mask;
}

/* First dirty frame in [f, end), or end. */
static u64 dirt_find(const struct buddy *b, u64 f, u64 end)
{
    u64 word;

    for (; f < end; f = ROUND_DOWN(f, (u64)64) + 64) {
        word = b->dirt[f / 64] & word_mask(f, end);
        if (word)
            return ROUND_DOWN(f, (u64)64) + (u64)__builtin_ctzll(word);
    }
    return end;
}

static void dirt_mark(struct buddy *b, u64 f, u64 end)
{
    b->dirty += end - f;
    for (; f < end; f = ROUND_DOWN(f, (u64)64) + 64)
        b->dirt[f / 64] |= word_mask(f, end);
}

static u64 count_bits(u64 word)
{
    u64 n = 0;

    for (; word; word &= word - 1)
        n++;
    return n;
}

static void dirt_clear(struct buddy *b, u64 f, u64 end)
{
    u64 mask;

    for (; f < end; f = ROUND_DOWN(f, (u64)64) + 64) {
        mask = word_mask(f, end);
        b->dirty -= count_bits(b->dirt[f / 64] & mask);
        b->dirt[f / 64] &= ~mask;
    }
}

/* Puts a block on its list and into the counts. The caller has seen that no neighbour joins. */
static void block_insert(struct buddy *b, u64 f, unsigned int order, bool dirty)
{
    unsigned int z = zone_of(f);
    struct buddy_zone *zone = &b->zone[z];
    struct buddy_list *list = &zone->list[order];
    struct buddy_link *link = link_of(b, f);

    *info_of(b, f) = order | (dirty ? INFO_DIRTY : 0);
    link->next = dirty ? LINK_END : list->head;
    link->prev = dirty ? list->tail : LINK_END;
    if (link->next != LINK_END)
        link_of(b, link->next)->prev = (u32)f;
    else
        list->tail = (u32)f;
    if (link->prev != LINK_END)
        link_of(b, link->prev)->next = (u32)f;
    else
        list->head = (u32)f;
    if (dirty)
        zone->dirty_orders |= 1u << order;
    zone->orders |= 1u << order;
    zone->free += (u64)1 << order;
    b->zones |= (u64)1 << z;
    b->free += (u64)1 << order;
    b->heads[f / 64] |= (u64)1 << (f % 64);
}

/* The reverse; returns the block's dirty summary. */
static bool block_remove(struct buddy *b, u64 f, unsigned int order)
{
    unsigned int z = zone_of(f);
    struct buddy_zone *zone = &b->zone[z];
    struct buddy_list *list = &zone->list[order];
    struct buddy_link *link = link_of(b, f);

    if (link->next != LINK_END)
        link_of(b, link->next)->prev = link->prev;
    else
        list->tail = link->prev;
    if (link->prev != LINK_END)
        link_of(b, link->prev)->next = link->next;
    else
        list->head = link->next;
    if (list->tail == LINK_END) {
        zone->orders &= ~(1u << order);
        zone->dirty_orders &= ~(1u << order);
        if (!zone->orders)
            b->zones &= ~((u64)1 << z);
    } else if (!(*info_of(b, list->tail) & INFO_DIRTY)) {
        zone->dirty_orders &= ~(1u << order);
    }
    zone->free -= (u64)1 << order;
    b->free -= (u64)1 << order;
    b->heads[f / 64] &= ~((u64)1 << (f % 64));
    return *info_of(b, f) & INFO_DIRTY;
}

/*
 * Cuts a block that is on no list down to a part of order `to`: the one that contains `keep`, or,
 * with BUDDY_NONE, of two halves the one without dirt, else the one of the flags. The other parts
 * go on their lists. Returns the part's first frame; *dirty is its summary, before: the block's.
 */
static u64 block_cut(struct buddy *b, u64 f, unsigned int from, unsigned int to, u64 keep,
                     unsigned int flags, bool *dirty)
{
    bool low, high, up;
    u64 half;

    while (from > to) {
        from--;
        half = (u64)1 << from;
        low = *dirty && dirt_find(b, f, f + half) != f + half;
        high = *dirty && dirt_find(b, f + half, f + 2 * half) != f + 2 * half;
        if (keep != BUDDY_NONE)
            up = keep & half;
        else
            up = low == high ? flags & BUDDY_PREFER_HIGH : low;
        block_insert(b, up ? f : f + half, from, up ? low : high);
        *dirty = up ? high : low;
        f += up ? half : 0;
    }
    return f;
}

u64 buddy_bitmap_words(u64 frames)
{
    return 2 * ((frames + 63) / 64);
}

void buddy_init(struct buddy *b, const struct buddy_table *table, u64 *bitmap, u64 frames)
{
    unsigned int z, order;

    BUG_ON(frames > BUDDY_FRAMES_MAX);
    b->table = *table;
    b->heads = bitmap;
    b->dirt = bitmap + (frames + 63) / 64;
    b->frames = frames;
    b->free = 0;
    b->dirty = 0;
    b->zones = 0;
    for (z = 0; z < BUDDY_ZONES; z++) {
        b->zone[z].orders = 0;
        b->zone[z].dirty_orders = 0;
        b->zone[z].free = 0;
        for (order = 0; order < BUDDY_ORDERS; order++)
            b->zone[z].list[order] = (struct buddy_list){LINK_END, LINK_END};
    }
}

void buddy_add_range(struct buddy *b, u64 first, u64 count, bool dirty)
{
    unsigned int order;

    BUG_ON(first > b->frames || count > b->frames - first);
    while (count) {
        order = first ? (unsigned int)__builtin_ctzll(first) : 0;
        order = MIN(order, BUDDY_ORDER_MAX);
        order = MIN(order, 63 - (unsigned int)__builtin_clzll(count));
        buddy_free(b, first, order, dirty);
        first += (u64)1 << order;
        count -= (u64)1 << order;
    }
}

/* Zones whose blocks lie below 1 << addr_bits. */
static u64 zones_below(unsigned int addr_bits)
{
    if (!addr_bits || addr_bits >= PAGE_SHIFT + BUDDY_ZONES - 1)
        return ((u64)1 << BUDDY_ZONES) - 1;
    if (addr_bits < PAGE_SHIFT)
        return 0;
    return ((u64)1 << (addr_bits - PAGE_SHIFT + 1)) - 1;
}

/*
 * The smallest block that is large enough; but scrubbing a large one takes longer than keeping
 * larger ones whole is worth, the largest excepted.
 */
static unsigned int pick_order(const struct buddy *b, unsigned int z, unsigned int order)
{
    u32 orders = b->zone[z].orders >> order << order;
    unsigned int k, least = (unsigned int)__builtin_ctz(orders);

    for (; order >= CLEAN_ORDER && orders; orders &= orders - 1) {
        k = (unsigned int)__builtin_ctz(orders);
        if (k < BUDDY_ORDER_MAX && !(*info_of(b, b->zone[z].list[k].head) & INFO_DIRTY))
            return k;
    }
    return least;
}

u64 buddy_alloc(struct buddy *b, unsigned int order, unsigned int addr_bits, unsigned int flags,
                bool *dirty)
{
    u64 zones, f, end;
    unsigned int z, k;

    *dirty = false;
    if (order > BUDDY_ORDER_MAX || port_inject_failure())
        return BUDDY_NONE;
    for (zones = b->zones & zones_below(addr_bits); zones; zones &= ~((u64)1 << z)) {
        z = 63 - (unsigned int)__builtin_clzll(zones);
        if (!(b->zone[z].orders >> order))
            continue;
        k = pick_order(b, z, order);
        f = b->zone[z].list[k].head;
        *dirty = block_remove(b, f, k);
        f = block_cut(b, f, k, order, BUDDY_NONE, flags, dirty);
        end = f + ((u64)1 << order);
        if (*dirty)
            dirt_clear(b, f, end);
        return f;
    }
    return BUDDY_NONE;
}

/* Whether a free block contains frame f. Such a block lies in f's zone. */
static bool in_free_block(const struct buddy *b, u64 f)
{
    u32 orders = b->zone[zone_of(f)].orders;
    u64 head;

    for (; orders; orders &= orders - 1) {
        head = ROUND_DOWN(f, (u64)1 << __builtin_ctz(orders));
        if (is_head(b, head) && (f - head) >> (*info_of(b, head) & INFO_ORDER) == 0)
            return true;
    }
    return false;
}

void buddy_free(struct buddy *b, u64 frame, unsigned int order, bool dirty)
{
    u64 size = (u64)1 << order, other;

    BUG_ON(order > BUDDY_ORDER_MAX || frame & (size - 1));
    BUG_ON(frame >= b->frames || size > b->frames - frame);
    BUG_ON((!frame && order) || in_free_block(b, frame));
    if (dirty)
        dirt_mark(b, frame, frame + size);
    for (; order < BUDDY_ORDER_MAX; order++) {
        other = frame ^ (u64)1 << order;
        if (!frame || !other || other >= b->frames || !is_head(b, other) ||
            (*info_of(b, other) & INFO_ORDER) != order)
            break;
        if (block_remove(b, other, order))
            dirty = true;
        frame &= other;
    }
    block_insert(b, frame, order, dirty);
}

u64 buddy_take_dirty(struct buddy *b, unsigned int max_order, unsigned int *order)
{
    unsigned int z, k, size;
    u64 zones, f, first;
    bool dirty;

    if (!b->dirty)
        return BUDDY_NONE;
    for (zones = b->zones; zones; zones &= ~((u64)1 << z)) {
        z = 63 - (unsigned int)__builtin_clzll(zones);
        if (!b->zone[z].dirty_orders)
            continue;
        k = 31 - (unsigned int)__builtin_clz(b->zone[z].dirty_orders);
        f = b->zone[z].list[k].tail;
        dirty = block_remove(b, f, k);
        first = dirt_find(b, f, f + ((u64)1 << k));
        size = MIN(k, max_order);
        f = block_cut(b, f, k, size, first, 0, &dirty);
        dirt_clear(b, f, f + ((u64)1 << size));
        *order = size;
        return f;
    }
    return BUDDY_NONE;
}

u64 buddy_free_count(const struct buddy *b)
{
    return b->free;
}

u64 buddy_dirty_count(const struct buddy *b)
{
    return b->dirty;
}

struct audit_sum {
    u64 blocks, free, dirty;
};

/* One block against its list, its marks and its neighbour. */
static const char *audit_block(const struct buddy *b, u64 f, unsigned int z, unsigned int order,
                               struct audit_sum *sum)
{
    u64 end = f + ((u64)1 << order), other = f ^ (u64)1 << order, at;
    bool dirty = *info_of(b, f) & INFO_DIRTY;

    if (f & (((u64)1 << order) - 1) || end > b->frames)
        return "block is not aligned or beyond the end";
    if (zone_of(f) != z || zone_of(end - 1) != z)
        return "block is in the wrong zone";
    if (!is_head(b, f) || (*info_of(b, f) & INFO_ORDER) != order)
        return "block is not marked as one of its order";
    if (order < BUDDY_ORDER_MAX && f && other && other < b->frames && is_head(b, other) &&
        (*info_of(b, other) & INFO_ORDER) == order)
        return "two buddies are not joined";
    if (dirty != (dirt_find(b, f, end) != end))
        return "dirty mark does not match the frames";
    for (at = dirt_find(b, f, end); at < end; at = dirt_find(b, at + 1, end))
        sum->dirty++;
    sum->blocks++;
    sum->free += (u64)1 << order;
    return NULL;
}

static const char *audit_list(const struct buddy *b, unsigned int z, unsigned int order,
                              struct audit_sum *sum)
{
    const struct buddy_list *list = &b->zone[z].list[order];
    const char *wrong;
    bool dirty = false;
    u32 f, prev = LINK_END;

    for (f = list->head; f != LINK_END; prev = f, f = link_of(b, f)->next) {
        if (f >= b->frames || sum->blocks > b->frames)
            return "list leads nowhere";
        if (link_of(b, f)->prev != prev)
            return "list is not linked back";
        if (dirty && !(*info_of(b, f) & INFO_DIRTY))
            return "clean block behind a dirty one";
        dirty = *info_of(b, f) & INFO_DIRTY;
        wrong = audit_block(b, f, z, order, sum);
        if (wrong)
            return wrong;
    }
    if (list->tail != prev)
        return "list tail is wrong";
    if (((b->zone[z].orders >> order) & 1) != (prev != LINK_END))
        return "zone's mask of orders is wrong";
    if (((b->zone[z].dirty_orders >> order) & 1) != dirty)
        return "zone's mask of dirty orders is wrong";
    return NULL;
}

const char *buddy_audit(const struct buddy *b)
{
    struct audit_sum sum = {0, 0, 0};
    u64 heads = 0, dirty = 0, before, w;
    const char *wrong;
    unsigned int z, order;

    for (z = 0; z < BUDDY_ZONES; z++) {
        before = sum.free;
        for (order = 0; order < BUDDY_ORDERS; order++) {
            wrong = audit_list(b, z, order, &sum);
            if (wrong)
                return wrong;
        }
        if (b->zone[z].free != sum.free - before)
            return "zone's count is wrong";
        if (((b->zones >> z) & 1) != (b->zone[z].orders != 0))
            return "mask of zones is wrong";
    }
    for (w = 0; w < (b->frames + 63) / 64; w++) {
        heads += count_bits(b->heads[w]);
        dirty += count_bits(b->dirt[w]);
    }
    if (heads != sum.blocks || sum.free != b->free)
        return "count of blocks or free frames is wrong";
    if (dirty != sum.dirty || sum.dirty != b->dirty)
        return "count of dirty frames is wrong";
    return NULL;
}
