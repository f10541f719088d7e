/* SPDX-License-Identifier: MIT */
/*
 * pure/port.h on the desk: locks that check balance and rank, a clock that moves when told, memory
 * and failures the test has registered, a log the test can read.
 *
 * Locks are real ticket locks, so tests may use threads; the list of held locks is per thread. A
 * single-threaded test that would wait for ever gets a BUG instead, after a long spin.
 */
#include "host/host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"

#define HELD_MAX    16
#define REGIONS_MAX 8
#define LOG_SIZE    65536
#define SPINS_MAX   20000000u

struct region {
    char *mem;
    u64 first, count;
};

static _Thread_local struct {
    unsigned int cpu;
    unsigned int nr;
    struct lock *held[HELD_MAX];
} self;

static u64 now;
static struct region regions[REGIONS_MAX];
static unsigned int region_nr;
static unsigned int inject_calls, inject_skip, inject_count;
static char log_buf[LOG_SIZE];
static size_t log_len;
static u64 rand_state = 1;
static jmp_buf *bug_env;

void host_reset(void)
{
    self.cpu = 0;
    self.nr = 0;
    now = 0;
    region_nr = 0;
    inject_calls = inject_skip = inject_count = 0;
    bug_env = NULL;
    host_log_clear();
}

/* BUG, with a way out for the tests that want one. */

void host_expect_bug(jmp_buf *env)
{
    bug_env = env;
}

void bug_at(const char *file, int line, const char *what)
{
    if (bug_env)
        longjmp(*bug_env, 1);
    fprintf(stderr, "%s:%d: BUG: %s\n%s", file, line, what, log_buf);
    abort();
}

/* Locks. */

void host_set_cpu(unsigned int cpu)
{
    self.cpu = cpu;
}

unsigned int host_locks_held(void)
{
    return self.nr;
}

void lock_init(struct lock *l, enum lock_rank rank)
{
    *l = (struct lock)LOCK_INIT((u16)rank);
}

bool lock_held(const struct lock *l)
{
    return atomic_load(&l->owner) == self.cpu + 1;
}

static void lock_note_taken(struct lock *l)
{
    BUG_ON(self.nr == HELD_MAX);
    self.held[self.nr++] = l;
    atomic_store(&l->owner, (u16)(self.cpu + 1));
}

static void lock_check_rank(const struct lock *l)
{
    unsigned int i;

    BUG_ON(l->rank == 0); /* never initialised */
    BUG_ON(lock_held(l));
    for (i = 0; i < self.nr; i++)
        BUG_ON(self.held[i]->rank >= l->rank);
}

void lock_acquire(struct lock *l)
{
    unsigned int spins = 0;
    u32 mine;

    lock_check_rank(l);
    mine = (__atomic_fetch_add(&l->ticket, 0x10000u, __ATOMIC_SEQ_CST) >> 16) & 0xffffu;
    while ((atomic_load_acquire(&l->ticket) & 0xffffu) != mine) {
        BUG_ON(++spins > SPINS_MAX);
        sched_yield();
    }
    lock_note_taken(l);
}

bool lock_try(struct lock *l)
{
    u32 t = atomic_load(&l->ticket);

    BUG_ON(l->rank == 0);
    BUG_ON(lock_held(l));
    if ((t >> 16) != (t & 0xffffu) || !atomic_cmpxchg(&l->ticket, &t, t + 0x10000u))
        return false;
    lock_note_taken(l);
    return true;
}

void lock_release(struct lock *l)
{
    unsigned int i;
    u32 t, next;

    BUG_ON(!lock_held(l));
    for (i = 0; i < self.nr && self.held[i] != l; i++)
        ;
    BUG_ON(i == self.nr);
    self.held[i] = self.held[--self.nr];
    atomic_store(&l->owner, (u16)0);
    t = atomic_load(&l->ticket);
    do
        next = (t & 0xffff0000u) | ((t + 1) & 0xffffu);
    while (!atomic_cmpxchg(&l->ticket, &t, next));
}

/* Clock. */

void host_set_now(u64 ns)
{
    now = ns;
}

void host_advance(u64 ns)
{
    now += ns;
}

u64 port_now(void)
{
    return now;
}

/* Memory. */

void host_ram_add(void *mem, u64 first, u64 count)
{
    BUG_ON(region_nr == REGIONS_MAX);
    regions[region_nr++] = (struct region){mem, first, count};
}

void *port_map(mfn_t mfn)
{
    unsigned int i;

    for (i = 0; i < region_nr; i++)
        if (mfn.v - regions[i].first < regions[i].count)
            return regions[i].mem + (mfn.v - regions[i].first) * PAGE_SIZE;
    fprintf(stderr, "port_map: frame 0x%llx is not in the toy machine\n",
            (unsigned long long)mfn.v);
    BUG();
}

/* Failures. */

void host_set_failure(unsigned int skip, unsigned int count)
{
    inject_skip = skip;
    inject_count = count;
}

unsigned int host_inject_calls(void)
{
    return inject_calls;
}

bool port_inject_failure(void)
{
    inject_calls++;
    if (inject_skip) {
        inject_skip--;
        return false;
    }
    if (!inject_count)
        return false;
    inject_count--;
    return true;
}

/* Log. */

const char *host_log_text(void)
{
    return log_buf;
}

void host_log_clear(void)
{
    log_len = 0;
    log_buf[0] = '\0';
}

void log_msg(enum log_level level, const char *f, ...)
{
    char line[512];
    size_t n;
    va_list ap;

    va_start(ap, f);
    vsnprintf(line, sizeof(line), f, ap);
    va_end(ap);
    n = strlen(line);
    while (n && line[n - 1] == '\n')
        line[--n] = '\0';
    if (getenv("HOST_VERBOSE"))
        fprintf(stderr, "%c: %s\n", "EWID"[level], line);
    if (log_len + n + 5 > LOG_SIZE)
        host_log_clear();
    log_len +=
        (size_t)snprintf(log_buf + log_len, LOG_SIZE - log_len, "%c: %s\n", "EWID"[level], line);
}

/* Random numbers: xorshift64 with a multiplier (Vigna 2016), never zero. */

void host_rand_seed(u64 seed)
{
    rand_state = seed ? seed : 1;
}

__attribute__((no_sanitize("undefined"))) u64 host_rand(void)
{
    rand_state ^= rand_state >> 12;
    rand_state ^= rand_state << 25;
    rand_state ^= rand_state >> 27;
    return rand_state * 0x2545f4914f6cdd1dull;
}

u64 host_rand_below(u64 n)
{
    return (host_rand() >> 11) % n;
}
