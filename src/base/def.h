/* SPDX-License-Identifier: MIT */
/*
 * Types, attributes, frame numbers and the assertion macros: what every file includes.
 *
 * Frame numbers are one-word structs, so a machine frame cannot be passed where a guest frame is
 * meant; this ABI passes them in a register, so they cost nothing.
 */
#ifndef BASE_DEF_H
#define BASE_DEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One static image: no symbol is looked up through a table (also for declarations of others'). */
#if !__STDC_HOSTED__
#pragma GCC visibility push(hidden)
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define NORETURN          __attribute__((noreturn))
#define PACKED            __attribute__((packed))
#define ALIGNED(n)        __attribute__((aligned(n)))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NOINLINE          __attribute__((noinline))
#define ALWAYS_INLINE     inline __attribute__((always_inline))
#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define STATIC_ASSERT(c, why)         _Static_assert(c, why)
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define MIN(a, b)                     ((a) < (b) ? (a) : (b))
#define MAX(a, b)                     ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, a)                (((x) + ((a)-1)) & ~((a)-1)) /* a is a power of two */
#define ROUND_DOWN(x, a)              ((x) & ~((a)-1))

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((u64)1 << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define KiB        ((u64)1 << 10)
#define MiB        ((u64)1 << 20)
#define GiB        ((u64)1 << 30)
#define NS_PER_SEC 1000000000ul

/* Frame numbers: machine, guest-physical (as the ABI sees a domain's frames). */
typedef struct {
    u64 v;
} mfn_t;
typedef struct {
    u64 v;
} gfn_t;
typedef u64 maddr_t; /* machine byte address */
typedef u16 domid_t; /* a domain id; the ABI header's typedef is the same type */

#define MFN(x)      ((mfn_t){(u64)(x)})
#define GFN(x)      ((gfn_t){(u64)(x)})
#define MFN_INVALID MFN(~(u64)0)

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.v == b.v;
}

/* An address of 48 bits, with the upper ones as the processor wants them. */
static inline bool va_canonical(u64 va)
{
    return va == (u64)((s64)(va << 16) >> 16);
}

static inline maddr_t mfn_to_maddr(mfn_t m)
{
    return m.v << PAGE_SHIFT;
}

static inline mfn_t maddr_to_mfn(maddr_t a)
{
    return MFN(a >> PAGE_SHIFT);
}

/* Compile-time maxima; everything else is a boot option. */
#define MAX_CPUS       64
#define MAX_VCPUS      128 /* per domain */
#define MAX_NUMA_NODES 1

/* Who built this image, for the version report; the Makefile gives them. */
#ifndef BUILD_BY
#define BUILD_BY "wheeler"
#endif
#ifndef BUILD_DATE
#define BUILD_DATE "unknown"
#endif
#ifndef BUILD_COMMIT
#define BUILD_COMMIT ""
#endif

/*
 * BUG: an invariant of ours is broken; dump and stop. Always compiled in. No path from a guest may
 * reach one. ASSERT: believed impossible, checked in debug builds (WHEELER_DEBUG=1), and the code
 * below it must still be safe without it.
 */
NORETURN void bug_at(const char *file, int line, const char *what);
#define BUG() bug_at(__FILE__, __LINE__, "BUG")
#define BUG_ON(c)                                                                                  \
    do {                                                                                           \
        if (unlikely(c))                                                                           \
            bug_at(__FILE__, __LINE__, #c);                                                        \
    } while (0)
#ifdef WHEELER_DEBUG
#define BUILD_DEBUG 1
#define ASSERT(c)                                                                                  \
    do {                                                                                           \
        if (unlikely(!(c)))                                                                        \
            bug_at(__FILE__, __LINE__, "assertion: " #c);                                          \
    } while (0)
#else
#define BUILD_DEBUG 0
#define ASSERT(c)   ((void)sizeof(!(c)))
#endif

#endif
