/* SPDX-License-Identifier: MIT */
/*
 * The host test harness: a tiny runner, checks, and knobs for the ports of pure/port.h.
 *
 * A test program is one file test/unit/NAME_test.c. It writes its cases as
 *
 *     TEST(binds_a_port)
 *     {
 *         CHECK_EQ(evtchn_bind(...), 0);
 *     }
 *
 * and nothing else: cases register themselves, the runner has main(). Before each case the ports
 * are reset (clock 0, log empty, no memory registered, no failures armed); after it the runner
 * fails the case if a lock is still held. A failed CHECK ends its case. Command line: words select
 * the cases whose name contains one of them. Environment: HOST_SEED=n (random seed, printed on
 * failure), HOST_VERBOSE=1 (log to stderr, name each case).
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <setjmp.h>
#include <string.h>

#include "base/def.h"
#include "base/err.h"
#include "base/lib.h"
#include "pure/port.h"

struct host_case {
    const char *name;
    void (*run)(void);
    struct host_case *next;
};

void host_register(struct host_case *c);

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        static struct host_case c = {#name, test_##name, NULL};                                    \
        host_register(&c);                                                                         \
    }                                                                                              \
    static void test_##name(void)

/* Ends the running case as failed. In a fuzz program: aborts. */
void host_fail(const char *file, int line, const char *f, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#define FAIL(...) host_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c))                                                                                  \
            host_fail(__FILE__, __LINE__, "%s", #c);                                               \
    } while (0)
/* For integers: prints both sides as signed and hexadecimal. */
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long a_ = (long long)(a), b_ = (long long)(b);                                        \
        if (a_ != b_)                                                                              \
            host_fail(__FILE__, __LINE__, "%s == %s: %lld (0x%llx) is not %lld (0x%llx)", #a, #b,  \
                      a_, a_, b_, b_);                                                             \
    } while (0)
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *a_ = (a), *b_ = (b);                                                           \
        if (strcmp(a_, b_))                                                                        \
            host_fail(__FILE__, __LINE__, "%s == %s: \"%s\" is not \"%s\"", #a, #b, a_, b_);       \
    } while (0)
#define CHECK_MEM(a, b, n)                                                                         \
    do {                                                                                           \
        if (memcmp((a), (b), (n)))                                                                 \
            host_fail(__FILE__, __LINE__, "%s and %s differ", #a, #b);                             \
    } while (0)

/* The statement must run into BUG, BUG_ON or a failed ASSERT (also those of the lock checks). */
#define CHECK_BUG(stmt)                                                                            \
    do {                                                                                           \
        jmp_buf env_;                                                                              \
        if (!setjmp(env_)) {                                                                       \
            host_expect_bug(&env_);                                                                \
            stmt;                                                                                  \
            host_expect_bug(NULL);                                                                 \
            host_fail(__FILE__, __LINE__, "no BUG from: %s", #stmt);                               \
        }                                                                                          \
        host_expect_bug(NULL);                                                                     \
    } while (0)
void host_expect_bug(jmp_buf *env);

/* Everything back to the state at the start of a case. Fuzz targets call it per input. */
void host_reset(void);

/* The clock of port_now(), in nanoseconds. It moves only here. */
void host_set_now(u64 ns);
void host_advance(u64 ns);

/*
 * Which CPU the calling thread plays (0 at first); it becomes the owner of the locks taken. Locks
 * really exclude each other between threads. lock_acquire and lock_try go BUG on a rank that is not
 * higher than the highest held (lock_try may break rank: it cannot deadlock), on taking a lock
 * twice, and after a long spin; lock_release on a lock this CPU does not hold.
 */
void host_set_cpu(unsigned int cpu);
unsigned int host_locks_held(void); /* by the calling thread */

/*
 * port_inject_failure(): `skip` calls return false, the next `count` return true, then false again.
 * host_inject_calls() is the number of calls since the case began, so a test can first count the
 * failure points of an operation and then fail each in turn.
 */
void host_set_failure(unsigned int skip, unsigned int count);
unsigned int host_inject_calls(void);

/*
 * The toy machine's memory: frames first .. first+count-1 are at mem (count * PAGE_SIZE bytes) for
 * port_map(), which goes BUG on any other frame. Up to 8 regions.
 */
void host_ram_add(void *mem, u64 first, u64 count);

/* What log_msg() has written, one line per message with the level's letter: "E: text\n". */
const char *host_log_text(void);
void host_log_clear(void);

/* Random numbers from the case's seed; host_rand_below(n) is in [0, n), n > 0. */
u64 host_rand(void);
u64 host_rand_below(u64 n);
void host_rand_seed(u64 seed);

#endif
