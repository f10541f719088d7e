/* SPDX-License-Identifier: MIT */
/*
 * Event-channel ports of a domain: the table and the binding state machine. Delivery (pending and
 * mask bits) is pure/evtchn_2l.h; who is notified is core/event.c.
 *
 *   FREE --alloc--> RESERVED --publish--> UNBOUND | IPI | VIRQ | PIRQ | INTERDOMAIN
 *   UNBOUND <----peer binds / peer closes----> INTERDOMAIN
 *   anything --close--> RESERVED --release--> FREE
 *
 * Everything about a port is one 64-bit word, so senders read it once and need no lock. A word of a
 * domain changes under that domain's lock (RANK_EVENT), with two exceptions made by the peer with
 * compare-and-swap and without that lock: UNBOUND to INTERDOMAIN when it binds, and back when it
 * closes. So no operation holds two domains' locks. Both ends are compared before a connection is
 * believed: a port is connected only if the peer's word names it too.
 */
#ifndef PURE_EVTCHN_H
#define PURE_EVTCHN_H

#include "base/atomic.h"
#include "base/def.h"
#include "base/err.h"
#include "pure/port.h"

#define EVTCHN_PORTS_MAX      4096 /* the 2-level ABI names (public header event_channel.h) */
#define EVTCHN_PORTS_PER_PAGE (PAGE_SIZE / sizeof(u64))
#define EVTCHN_TABLE_PAGES    (EVTCHN_PORTS_MAX / EVTCHN_PORTS_PER_PAGE)

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED, /* allocated but not yet bound, or being closed */
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

/* A port's word. arg: peer port, pirq or virq. dom: peer, or who may bind an unbound port. */
typedef struct {
    u64 v;
} evtchn_word_t;

static inline evtchn_word_t evtchn_word(enum evtchn_state state, u32 vcpu, domid_t dom, u32 arg)
{
    return (evtchn_word_t){(u64)state | (u64)(vcpu & 0xfff) << 4 | (u64)dom << 16 | (u64)arg << 32};
}

static inline enum evtchn_state evtchn_state(evtchn_word_t w)
{
    return (enum evtchn_state)(w.v & 0xf);
}

static inline u32 evtchn_vcpu(evtchn_word_t w)
{
    return (u32)(w.v >> 4) & 0xfff;
}

static inline domid_t evtchn_dom(evtchn_word_t w)
{
    return (domid_t)(w.v >> 16);
}

static inline u32 evtchn_arg(evtchn_word_t w)
{
    return (u32)(w.v >> 32);
}

/* Table memory: whole zeroed pages. alloc may return NULL. */
struct evtchn_mem {
    void *(*alloc)(void *ctx);
    void (*free)(void *ctx, void *page);
    void *ctx;
};

struct evtchn_domain {
    struct lock lock; /* RANK_EVENT */
    domid_t id;
    u32 limit;  /* ports 1 .. limit-1 may exist */
    u32 search; /* no free port below this one in the pages that exist */
    struct evtchn_mem mem;
    u64 *page[EVTCHN_TABLE_PAGES]; /* grown in order, never shrunk before fini */
    u64 polling[MAX_VCPUS / 64];   /* vCPUs in SCHEDOP_poll; atomic, core/event.c */
};

/* Sets up an empty table; no memory is taken before the first port. limit <= EVTCHN_PORTS_MAX. */
void evtchn_init(struct evtchn_domain *e, domid_t id, u32 limit, const struct evtchn_mem *mem);
/* Frees the table. Every port was closed before; nobody uses it any more. */
void evtchn_fini(struct evtchn_domain *e);

/* The word of a port, read once; FREE for numbers that do not exist. No lock. */
static inline evtchn_word_t evtchn_read(const struct evtchn_domain *e, u32 port)
{
    const u64 *page;

    if (unlikely(port >= EVTCHN_PORTS_MAX))
        return (evtchn_word_t){EVTCHN_FREE};
    page = atomic_load_acquire(&e->page[port / EVTCHN_PORTS_PER_PAGE]);
    if (unlikely(!page))
        return (evtchn_word_t){EVTCHN_FREE};
    return (evtchn_word_t){atomic_load_acquire(&page[port % EVTCHN_PORTS_PER_PAGE])};
}

/*
 * Reserves the lowest free port (> 0). Returns it, -ENOSPC at the limit, -ENOMEM when the table
 * cannot grow. Lock held.
 */
int evtchn_alloc(struct evtchn_domain *e) MUST_CHECK;
/* Binds a reserved port. Lock held; senders may use the port at once. */
void evtchn_publish(struct evtchn_domain *e, u32 port, evtchn_word_t w);
/* Gives a reserved port back. Lock held. */
void evtchn_release(struct evtchn_domain *e, u32 port);

/*
 * Starts closing: the port becomes RESERVED; *old says what it was, so that the caller undoes it
 * (virq, pirq), then calls evtchn_disconnect for INTERDOMAIN, clears the pending bit and releases
 * the port. -EINVAL when it is free or reserved. Lock held.
 */
int evtchn_close_begin(struct evtchn_domain *e, u32 port, evtchn_word_t *old) MUST_CHECK;
/*
 * The peer's side of a close: peer_port of `peer` becomes unbound for (dom) if it is connected to
 * exactly (dom, port). Needs no lock.
 */
void evtchn_disconnect(struct evtchn_domain *peer, u32 peer_port, domid_t dom, u32 port);

/*
 * Connects the reserved port `port` of e to `peer_port` of peer (which may be e itself), which must
 * be unbound for e's domain: -EINVAL otherwise, and the port stays reserved. Lock of e held, that
 * of peer not needed.
 */
int evtchn_connect(struct evtchn_domain *e, u32 port, struct evtchn_domain *peer,
                   u32 peer_port) MUST_CHECK;

/* Where a send from (dom, port) with word w arrives: true when peer's port agrees. No lock. */
static inline bool evtchn_connected(const struct evtchn_domain *peer, evtchn_word_t w, domid_t dom,
                                    u32 port, evtchn_word_t *peer_word)
{
    *peer_word = evtchn_read(peer, evtchn_arg(w));
    return evtchn_state(*peer_word) == EVTCHN_INTERDOMAIN && evtchn_dom(*peer_word) == dom &&
           evtchn_arg(*peer_word) == port;
}

/*
 * Who is notified from now on. -EINVAL for free and reserved ports and IPIs (their vCPU is fixed).
 * Per-vCPU VIRQs are the caller's to refuse. Lock held.
 */
int evtchn_set_vcpu(struct evtchn_domain *e, u32 port, u32 vcpu) MUST_CHECK;

/* The next port >= `port` that is not FREE, or 0. */
u32 evtchn_next(const struct evtchn_domain *e, u32 port);

/* True when the table is sound: page order, search hint, no reserved port. No operation runs. */
bool evtchn_audit(const struct evtchn_domain *e);

#endif
