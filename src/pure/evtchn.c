/* SPDX-License-Identifier: MIT */
/*
 * What is this port bound to, and who may change that?
 *
 * The table is up to eight pages of one word per port, added in order when the ports so far are in
 * use. A hint below which nothing is free keeps allocation of the lowest free port cheap. Changes
 * of a word are compare-and-swap even under the lock, because the peer of a connection changes the
 * two connected states without it (see the header).
 *
 * Left out: the FIFO ABI and ports beyond what two levels of bits can name.
 */
#include "pure/evtchn.h"

#include "base/lib.h"

static u64 *evtchn_slot(const struct evtchn_domain *e, u32 port)
{
    u64 *page;

    if (port >= EVTCHN_PORTS_MAX)
        return NULL;
    /* A peer comes without the lock: pairs with the release in evtchn_grow. */
    page = atomic_load_acquire(&e->page[port / EVTCHN_PORTS_PER_PAGE]);
    return page ? &page[port % EVTCHN_PORTS_PER_PAGE] : NULL;
}

void evtchn_init(struct evtchn_domain *e, domid_t id, u32 limit, const struct evtchn_mem *mem)
{
    ASSERT(limit <= EVTCHN_PORTS_MAX);
    memset(e, 0, sizeof(*e));
    lock_init(&e->lock, RANK_EVENT);
    e->id = id;
    e->limit = MIN(limit, (u32)EVTCHN_PORTS_MAX);
    e->search = 1; /* port 0 is never valid */
    e->mem = *mem;
}

void evtchn_fini(struct evtchn_domain *e)
{
    unsigned int i;

    for (i = 0; i < EVTCHN_TABLE_PAGES && e->page[i]; i++) {
        e->mem.free(e->mem.ctx, e->page[i]);
        e->page[i] = NULL;
    }
}

static bool evtchn_grow(struct evtchn_domain *e, u32 port)
{
    u32 i = port / (u32)EVTCHN_PORTS_PER_PAGE;
    u64 *page = port_inject_failure() ? NULL : e->mem.alloc(e->mem.ctx);

    if (!page)
        return false;
    /* Pairs with the acquires in evtchn_read and evtchn_slot: zeroes are seen before the page. */
    atomic_store_release(&e->page[i], page);
    return true;
}

int evtchn_alloc(struct evtchn_domain *e)
{
    u32 port;

    for (port = e->search; port < e->limit; port++) {
        u64 *slot = evtchn_slot(e, port);

        if (!slot) {
            if (!evtchn_grow(e, port)) {
                e->search = port;
                return -ENOMEM;
            }
            slot = evtchn_slot(e, port);
        }
        if ((atomic_load(slot) & 0xf) == EVTCHN_FREE) {
            atomic_store(slot, EVTCHN_RESERVED);
            e->search = port + 1;
            return (int)port;
        }
    }
    e->search = port;
    return -ENOSPC;
}

void evtchn_publish(struct evtchn_domain *e, u32 port, evtchn_word_t w)
{
    u64 *slot = evtchn_slot(e, port);

    ASSERT(slot && atomic_load(slot) == EVTCHN_RESERVED);
    if (slot)
        atomic_store_release(slot, w.v);
}

void evtchn_release(struct evtchn_domain *e, u32 port)
{
    u64 *slot = evtchn_slot(e, port);

    ASSERT(slot && atomic_load(slot) == EVTCHN_RESERVED);
    if (!slot)
        return;
    atomic_store_release(slot, EVTCHN_FREE);
    if (port < e->search)
        e->search = port;
}

int evtchn_close_begin(struct evtchn_domain *e, u32 port, evtchn_word_t *old)
{
    u64 *slot = evtchn_slot(e, port);
    u64 w;

    if (!slot)
        return -EINVAL;
    w = atomic_load(slot);
    /* The loop ends: only the peer interferes, and it can only bind once and close once. */
    do {
        if ((w & 0xf) == EVTCHN_FREE || (w & 0xf) == EVTCHN_RESERVED)
            return -EINVAL;
    } while (!atomic_cmpxchg(slot, &w, (u64)EVTCHN_RESERVED));
    old->v = w;
    return 0;
}

void evtchn_disconnect(struct evtchn_domain *peer, u32 peer_port, domid_t dom, u32 port)
{
    u64 *slot = evtchn_slot(peer, peer_port);
    evtchn_word_t w;

    if (!slot)
        return;
    w.v = atomic_load(slot);
    while (evtchn_state(w) == EVTCHN_INTERDOMAIN && evtchn_dom(w) == dom && evtchn_arg(w) == port)
        if (atomic_cmpxchg(slot, &w.v, evtchn_word(EVTCHN_UNBOUND, evtchn_vcpu(w), dom, 0).v))
            return;
}

int evtchn_connect(struct evtchn_domain *e, u32 port, struct evtchn_domain *peer, u32 peer_port)
{
    u64 *local = evtchn_slot(e, port), *remote = evtchn_slot(peer, peer_port);
    evtchn_word_t w, mine = evtchn_word(EVTCHN_INTERDOMAIN, 0, peer->id, peer_port);

    ASSERT(local && atomic_load(local) == EVTCHN_RESERVED);
    if (!local || !remote)
        return -EINVAL;
    w.v = atomic_load(remote);
    do {
        if (evtchn_state(w) != EVTCHN_UNBOUND || evtchn_dom(w) != e->id)
            return -EINVAL;
    } while (!atomic_cmpxchg(remote, &w.v,
                             evtchn_word(EVTCHN_INTERDOMAIN, evtchn_vcpu(w), e->id, port).v));
    atomic_store_release(local, mine.v);
    /*
     * The peer may have closed its port between the two steps; its disconnect found a reserved port
     * here and left it. The exchange above and this fence order our store before the look.
     */
    atomic_fence();
    if (!evtchn_connected(peer, mine, e->id, port, &w))
        evtchn_disconnect(e, port, peer->id, peer_port);
    return 0;
}

int evtchn_set_vcpu(struct evtchn_domain *e, u32 port, u32 vcpu)
{
    u64 *slot = evtchn_slot(e, port);
    evtchn_word_t w, new_word;

    if (!slot)
        return -EINVAL;
    w.v = atomic_load(slot);
    do {
        enum evtchn_state s = evtchn_state(w);

        if (s == EVTCHN_FREE || s == EVTCHN_RESERVED || s == EVTCHN_IPI)
            return -EINVAL;
        new_word = evtchn_word(s, vcpu, evtchn_dom(w), evtchn_arg(w));
    } while (!atomic_cmpxchg(slot, &w.v, new_word.v));
    return 0;
}

u32 evtchn_next(const struct evtchn_domain *e, u32 port)
{
    for (; port < e->limit; port++) {
        if (!e->page[port / EVTCHN_PORTS_PER_PAGE])
            return 0; /* pages are added in order */
        if (evtchn_state(evtchn_read(e, port)) != EVTCHN_FREE)
            return port;
    }
    return 0;
}

bool evtchn_audit(const struct evtchn_domain *e)
{
    unsigned int i;
    u32 port;

    for (i = 1; i < EVTCHN_TABLE_PAGES; i++)
        if (e->page[i] && !e->page[i - 1])
            return false;
    for (port = 0; port < EVTCHN_PORTS_MAX; port++) {
        enum evtchn_state s = evtchn_state(evtchn_read(e, port));

        if (s > EVTCHN_IPI || s == EVTCHN_RESERVED)
            return false;
        if (s == EVTCHN_FREE && port && port < e->search)
            return false;
        if (s != EVTCHN_FREE && (!port || port >= e->limit))
            return false;
    }
    return true;
}
