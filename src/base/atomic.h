/* SPDX-License-Identifier: MIT */
/*
 * Compiler atomics under names that say the ordering, and single-read accessors for memory that a
 * guest can write at the same time. Works under ThreadSanitizer; no asm here.
 */
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include "base/def.h"

/* One load or store, not torn, not repeated by the compiler. For guest-shared memory. */
#define READ_ONCE(x)       (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile __typeof__(x) *)&(x) = (val))

#define atomic_load(p)             __atomic_load_n((p), __ATOMIC_RELAXED)
#define atomic_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define atomic_store(p, v)         __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define atomic_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define atomic_xchg(p, v)          __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define atomic_add_return(p, v)    __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_sub_return(p, v)    __atomic_sub_fetch((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_or(p, v)      __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, v)     __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
/* On failure *old is what was found. */
#define atomic_cmpxchg(p, old, new_)                                                               \
    __atomic_compare_exchange_n((p), (old), (new_), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define atomic_fence()     __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define compiler_barrier() __asm__ __volatile__("" ::: "memory")

/* Bitmaps in 64-bit words: set, clear, test; the _atomic forms return the old bit. */
static inline bool bit_test(const u64 *map, unsigned int nr)
{
    return (READ_ONCE(map[nr / 64]) >> (nr % 64)) & 1;
}

static inline bool bit_set_atomic(u64 *map, unsigned int nr)
{
    return (atomic_fetch_or(&map[nr / 64], (u64)1 << (nr % 64)) >> (nr % 64)) & 1;
}

static inline bool bit_clear_atomic(u64 *map, unsigned int nr)
{
    return (atomic_fetch_and(&map[nr / 64], ~((u64)1 << (nr % 64))) >> (nr % 64)) & 1;
}

#endif
