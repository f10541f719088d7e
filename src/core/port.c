/* SPDX-License-Identifier: MIT */
/*
 * How does hardware-free code take a lock, read the time, reach a frame? This is pure/port.h on the
 * machine. Locks are ticket locks: first come, first served. A CPU that spins serves its cross-call
 * mailbox, because the holder may be waiting for it to flush its TLB and interrupts are off. In
 * debug builds each CPU's held locks are listed and the rank order is checked. Random failures are
 * for the host tests; here nothing fails on purpose.
 */
#include "pure/port.h"

#include "arch/clock.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/smp.h"

#define TICKET_ONE  0x10000u
#define TICKET_MASK 0xffffu
#define HELD_MAX    8

/* Locks this CPU holds, newest last; debug builds only. */
struct held_locks {
    u32 nr;
    const struct lock *lock[HELD_MAX];
};
static struct held_locks held_locks[MAX_CPUS];

static void held_check_rank(const struct lock *l)
{
    const struct held_locks *h = &held_locks[cpu_id()];
    u32 i;

    BUG_ON(l->rank == 0 || lock_held(l));
    for (i = 0; i < h->nr; i++)
        BUG_ON(h->lock[i]->rank >= l->rank);
}

static void held_add(const struct lock *l)
{
    struct held_locks *h = &held_locks[cpu_id()];

    BUG_ON(h->nr == HELD_MAX);
    h->lock[h->nr++] = l;
}

static void held_remove(const struct lock *l)
{
    struct held_locks *h = &held_locks[cpu_id()];
    u32 i;

    for (i = 0; i < h->nr; i++) {
        if (h->lock[i] == l) {
            h->lock[i] = h->lock[--h->nr];
            return;
        }
    }
    BUG();
}

void lock_init(struct lock *l, enum lock_rank rank)
{
    *l = (struct lock)LOCK_INIT((u16)rank);
}

bool lock_held(const struct lock *l)
{
    return atomic_load(&l->owner) == cpu_id() + 1;
}

static NOINLINE void lock_wait(const struct lock *l, u32 mine)
{
    /* Acquire: pairs with the release store of the low half in lock_release. */
    while ((atomic_load_acquire(&l->ticket) & TICKET_MASK) != mine) {
        smp_serve_mailbox();
        insn_pause();
    }
}

void lock_acquire(struct lock *l)
{
    u32 t;

    if (BUILD_DEBUG)
        held_check_rank(l);
    t = __atomic_fetch_add(&l->ticket, TICKET_ONE, __ATOMIC_ACQUIRE);
    if (unlikely((t >> 16) != (t & TICKET_MASK)))
        lock_wait(l, t >> 16);
    atomic_store(&l->owner, (u16)(cpu_id() + 1));
    if (BUILD_DEBUG)
        held_add(l);
}

bool lock_try(struct lock *l)
{
    u32 t = atomic_load(&l->ticket);

    if ((t >> 16) != (t & TICKET_MASK) || !atomic_cmpxchg(&l->ticket, &t, t + TICKET_ONE))
        return false;
    atomic_store(&l->owner, (u16)(cpu_id() + 1));
    if (BUILD_DEBUG)
        held_add(l);
    return true;
}

void lock_release(struct lock *l)
{
    /* The low half, "now serving", is only written by the holder: a plain 16-bit store will do. */
    u16 *serving = (u16 *)(void *)&l->ticket;

    if (BUILD_DEBUG) {
        BUG_ON(!lock_held(l));
        held_remove(l);
    }
    atomic_store(&l->owner, (u16)0);
    /* Release: pairs with the acquire in lock_acquire, lock_wait and lock_try. */
    atomic_store_release(serving, (u16)(*serving + 1));
}

u64 port_now(void)
{
    return clock_now();
}

void *port_map(mfn_t mfn)
{
    return hmap_direct(mfn_to_maddr(mfn));
}

bool port_inject_failure(void)
{
    return false;
}
