/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: blocks of 2^order frames, order 0 to 18 (4 KiB to 1 GiB), by the buddy
 * method. Frames are numbers; their contents are never touched.
 *
 * Storage is the caller's: two bitmaps, and in the frame table a pair of list links and one word
 * per frame. The allocator reads and writes a frame's links and word only while that frame heads a
 * free block, which the bitmap tells; in allocated frames they are free for any use, and frame
 * numbers that were never added need no frame-table entry behind them.
 *
 * Zones: a block's zone is the number of bits its first frame number has, so the blocks a device of
 * limited width can reach are found by a mask. Frames come from the highest zone that has them: low
 * memory is kept for those who need it.
 *
 * Dirt: a frame freed dirty stays marked until it is handed out (the caller is told and scrubs) or
 * an idle CPU takes it with buddy_take_dirty, scrubs it and frees it clean. Of one order clean
 * blocks are handed out first, and from 2 MiB on clean ones of a higher order before dirty ones; of
 * a block that is cut, a clean half.
 *
 * Locking: none inside; the caller holds its heap lock (RANK_HEAP) around every call.
 */
#ifndef PURE_BUDDY_H
#define PURE_BUDDY_H

#include "base/def.h"

#define BUDDY_ORDER_MAX  18u
#define BUDDY_ORDERS     (BUDDY_ORDER_MAX + 1)
#define BUDDY_ZONES      33u           /* frame numbers have 0 to 32 bits */
#define BUDDY_NONE       (~(u64)0)     /* no frame */
#define BUDDY_FRAMES_MAX 0xffffffffull /* 16 TiB less one frame: links have 32 bits */

/* List links of a free block's first frame; 8 bytes somewhere in each frame-table entry. */
struct buddy_link {
    u32 next, prev; /* frame numbers; 0xffffffff ends the list */
};

/* Where the per-frame storage is: entry f begins at base + f * stride. */
struct buddy_table {
    void *base;
    u32 stride;
    u32 link_offset; /* of a struct buddy_link */
    u32 info_offset; /* of a u32: order and dirty mark of a free block */
};

struct buddy_list {
    u32 head, tail; /* clean blocks in front, dirty ones behind */
};

struct buddy_zone {
    u32 orders;       /* bit k: there is a block of order k */
    u32 dirty_orders; /* bit k: one of them is dirty */
    u64 free;         /* frames */
    struct buddy_list list[BUDDY_ORDERS];
};

struct buddy {
    struct buddy_table table;
    u64 *heads; /* bit f: frame f heads a free block */
    u64 *dirt;  /* bit f: frame f is free and dirty */
    u64 frames; /* frame numbers are below this */
    u64 free;
    u64 dirty;
    u64 zones; /* bit z: zone z has a block */
    struct buddy_zone zone[BUDDY_ZONES];
};

/* Of a block that must be split the top, not the bottom, if both are clean or both have dirt. */
#define BUDDY_PREFER_HIGH (1u << 0)

/* Words of zeroed storage buddy_init wants for `frames` frame numbers: two bits for each. */
u64 buddy_bitmap_words(u64 frames);

/* An allocator without frames. `frames` is at most BUDDY_FRAMES_MAX; bitmap is zeroed. */
void buddy_init(struct buddy *b, const struct buddy_table *table, u64 *bitmap, u64 frames);

/*
 * Gives frames first .. first+count-1 to the allocator; they must not be in it already. Each then
 * counts as dirty or clean as told. Boot only: long for long ranges.
 */
void buddy_add_range(struct buddy *b, u64 first, u64 count, bool dirty);

/*
 * Takes 2^order frames, aligned to their size, all with machine addresses below 1 << addr_bits
 * (0: no limit). Returns the first frame, or BUDDY_NONE. *dirty says that some of them need
 * scrubbing; none of them is marked any more. O(zones); a split of a dirty block of order k also
 * looks at 2^k bits.
 */
u64 buddy_alloc(struct buddy *b, unsigned int order, unsigned int addr_bits, unsigned int flags,
                bool *dirty) MUST_CHECK;

/*
 * Gives back an aligned block of 2^order frames. It need not be a block as it was allocated: parts
 * may come back one by one. A block whose first frame is free already is a BUG.
 */
void buddy_free(struct buddy *b, u64 frame, unsigned int order, bool dirty);

/*
 * Takes some block with dirt in it of at most 2^max_order frames, for scrubbing: *order is its
 * size. The caller scrubs all of it without the lock and gives it back by buddy_free(..., false).
 * Meanwhile the frames do not count as free. BUDDY_NONE when nothing is dirty.
 */
u64 buddy_take_dirty(struct buddy *b, unsigned int max_order, unsigned int *order) MUST_CHECK;

/* Frames free; of these, dirty. */
u64 buddy_free_count(const struct buddy *b);
u64 buddy_dirty_count(const struct buddy *b);

/*
 * Recomputes everything from the lists: links, marks, alignment, no unmerged pair, counts, bitmaps.
 * NULL, or what is wrong. As long as all lists and both bitmaps: debug keys and tests.
 */
const char *buddy_audit(const struct buddy *b);

#endif
