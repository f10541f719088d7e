/* SPDX-License-Identifier: MIT */
/*
 * Memory whose misuse is seen. The linker puts these functions before the hypervisor's own
 * (--wrap): small objects come from an arena where each has poisoned neighbours, is poisoned when
 * freed, and is never given out again in the same run; free frames are poisoned in the direct map,
 * and a frame is only freed when no TLB knows it.
 */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>

#include "core/page.h"
#include "hwport.h"
#include "machine.h"
#include "pure/buddy.h"
#include "pure/port.h"

#define OBJECTS_MAX 16384
#define GAP         32

struct object {
    u64 at;
    u32 size;
    bool live;
};

static struct object objects[OBJECTS_MAX];
static u32 object_nr, frozen_nr;
static u64 live, frozen_live, top = HEAP_BASE, frozen_top;
static u64 poisoned[MACHINE_FRAMES / 64], frozen_poisoned[MACHINE_FRAMES / 64];
static struct buddy *buddy;

void *__wrap_page_zalloc(size_t size);
void __wrap_page_zfree(void *p, size_t size);
u64 __wrap_buddy_alloc(struct buddy *b, unsigned int order, unsigned int addr_bits,
                       unsigned int flags, bool *dirty);
u64 __real_buddy_alloc(struct buddy *b, unsigned int order, unsigned int addr_bits,
                       unsigned int flags, bool *dirty);
void __wrap_buddy_free(struct buddy *b, u64 frame, unsigned int order, bool dirty);
void __real_buddy_free(struct buddy *b, u64 frame, unsigned int order, bool dirty);
void __wrap_buddy_add_range(struct buddy *b, u64 first, u64 count, bool dirty);
void __real_buddy_add_range(struct buddy *b, u64 first, u64 count, bool dirty);
u64 __wrap_buddy_take_dirty(struct buddy *b, unsigned int max_order, unsigned int *order);
u64 __real_buddy_take_dirty(struct buddy *b, unsigned int max_order, unsigned int *order);

/* Objects. */

void *__wrap_page_zalloc(size_t size)
{
    u64 align = size >= PAGE_SIZE ? PAGE_SIZE : 16, at = ROUND_UP(top + GAP, align);

    if (top == HEAP_BASE)
        __asan_poison_memory_region((void *)HEAP_BASE, HEAP_SIZE);
    if (port_inject_failure() || object_nr == OBJECTS_MAX || at + size > HEAP_BASE + HEAP_SIZE)
        return NULL;
    objects[object_nr++] = (struct object){at, (u32)size, true};
    top = at + size;
    live++;
    __asan_unpoison_memory_region((void *)at, size);
    return (void *)at;
}

void __wrap_page_zfree(void *p, size_t size)
{
    u32 lo = 0, hi = object_nr, mid;

    if (p == NULL)
        return;
    while (lo < hi) {
        mid = (lo + hi) / 2;
        if (objects[mid].at < (u64)p)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == object_nr || objects[lo].at != (u64)p || !objects[lo].live)
        machine_found("an object at %p of %zu bytes is freed that is none", p, size);
    if (objects[lo].size != size)
        machine_found("an object of %u bytes is freed as one of %zu", objects[lo].size, size);
    objects[lo].live = false;
    live--;
    __asan_poison_memory_region(p, size);
}

u64 heap_live(void)
{
    return live;
}

void heap_print_live(void)
{
    u32 i;

    for (i = 0; i < object_nr; i++)
        if (objects[i].live)
            fprintf(stderr, "object %u: %u bytes\n", i, objects[i].size);
}

/* Frames. */

static void poison(u64 first, u64 count, bool yes)
{
    void *at = hmap_direct(first << PAGE_SHIFT);
    u64 f;

    if (yes)
        __asan_poison_memory_region(at, count << PAGE_SHIFT);
    else
        __asan_unpoison_memory_region(at, count << PAGE_SHIFT);
    for (f = first; f < first + count; f++) {
        poisoned[f / 64] &= ~(1ul << (f % 64));
        poisoned[f / 64] |= (u64)yes << (f % 64);
    }
}

u64 __wrap_buddy_alloc(struct buddy *b, unsigned int order, unsigned int addr_bits,
                       unsigned int flags, bool *dirty)
{
    u64 f = __real_buddy_alloc(b, order, addr_bits, flags, dirty);

    if (f != BUDDY_NONE)
        poison(f, 1ul << order, false);
    return f;
}

void __wrap_buddy_free(struct buddy *b, u64 frame, unsigned int order, bool dirty)
{
    u64 f;

    for (f = frame; f < frame + (1ul << order); f++) {
        if (poisoned[f / 64] >> (f % 64) & 1)
            machine_found("frame %#lx is freed twice", f);
        tlb_check_free(f);
    }
    __real_buddy_free(b, frame, order, dirty);
    poison(frame, 1ul << order, true);
}

void __wrap_buddy_add_range(struct buddy *b, u64 first, u64 count, bool dirty)
{
    buddy = b;
    __real_buddy_add_range(b, first, count, dirty);
    poison(first, count, true);
}

u64 __wrap_buddy_take_dirty(struct buddy *b, unsigned int max_order, unsigned int *order)
{
    u64 f = __real_buddy_take_dirty(b, max_order, order);

    if (f != BUDDY_NONE)
        poison(f, 1ul << *order, false);
    return f;
}

const char *heap_audit(void)
{
    return buddy_audit(buddy);
}

/* Back to the start. */

void heap_freeze(void)
{
    frozen_nr = object_nr;
    frozen_live = live;
    frozen_top = top;
    memcpy(frozen_poisoned, poisoned, sizeof(poisoned));
}

void heap_reset(void)
{
    u64 f, diff;
    u32 i;

    if (top > frozen_top)
        __asan_poison_memory_region((void *)frozen_top, top - frozen_top);
    object_nr = frozen_nr;
    live = frozen_live;
    top = frozen_top;
    for (i = 0; i < frozen_nr; i++) {
        if (!objects[i].live) {
            objects[i].live = true;
            __asan_unpoison_memory_region((void *)objects[i].at, objects[i].size);
        }
    }
    for (i = 0; i < MACHINE_FRAMES / 64; i++) {
        for (diff = poisoned[i] ^ frozen_poisoned[i]; diff != 0; diff &= diff - 1) {
            f = i * 64ul + (u64)__builtin_ctzll(diff);
            poison(f, 1, frozen_poisoned[i] >> (f % 64) & 1);
        }
    }
}
