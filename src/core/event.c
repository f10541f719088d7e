/* SPDX-License-Identifier: MIT */
/*
 * Who is told when something happens, and what are the ports for?
 *
 * Raising takes no lock and allocates nothing: the port's word is read once, the bits in the shared
 * pages say whether a vCPU must be notified. A send that races with a close may leave an event on a
 * port that has just been closed or bound anew; guests take such an event for spurious. Binding and
 * closing hold the lock of one domain only (pure/evtchn.h says why that is enough).
 *
 * Left out: the FIFO ABI.
 */
#include "core/event.h"

#include "core/page.h"
#include "core/pirq.h"
#include "pure/evtchn_2l.h"

STATIC_ASSERT(ARRAY_SIZE(((struct vcpu *)0)->virq_port) == NR_VIRQS, "one port per VIRQ");

static void *event_page_alloc(void *ctx)
{
    return domain_zalloc(ctx, PAGE_SIZE);
}

static void event_page_free(void *ctx, void *page)
{
    domain_zfree(ctx, page, PAGE_SIZE);
}

int event_domain_init(struct domain *d)
{
    struct evtchn_domain *e = domain_zalloc(d, sizeof(*e));
    struct evtchn_mem mem = {event_page_alloc, event_page_free, d};

    if (!e)
        return -ENOMEM;
    evtchn_init(e, d->id, EVTCHN_PORTS_MAX, &mem);
    d->evt = e;
    return 0;
}

void event_domain_fini(struct domain *d)
{
    struct evtchn_domain *e = d->evt;
    u32 port = 1;

    if (!e)
        return;
    while (event_close_next(d, &port))
        ;
    d->evt = NULL;
    evtchn_fini(e);
    domain_zfree(d, e, sizeof(*e));
}

/* Raising. */

static NOINLINE void event_wake_pollers(struct domain *d, u32 port)
{
    unsigned int i;

    for (i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];

        if (!v || !bit_test(d->evt->polling, i))
            continue;
        if (!READ_ONCE(v->poll_port) || READ_ONCE(v->poll_port) == port)
            vcpu_unblock(v);
    }
}

static bool event_anyone_polls(const struct evtchn_domain *e)
{
    unsigned int i;
    u64 any = 0;

    for (i = 0; i < ARRAY_SIZE(e->polling); i++)
        any |= READ_ONCE(e->polling[i]);
    return any != 0;
}

static void event_deliver(struct domain *d, u32 port, u32 vcpu)
{
    struct vcpu *v = domain_vcpu(d, vcpu);
    unsigned int owed;

    if (!v)
        return;
    owed = evtchn_2l_raise(d->shared_info, &v->info, port);
    if (owed & EVTCHN_2L_NOTIFY)
        vcpu_notify(v);
    /* The pending bit was set with full ordering before this look: see event_poll_begin. */
    if ((owed & EVTCHN_2L_NEW) && unlikely(event_anyone_polls(d->evt)))
        event_wake_pollers(d, port);
}

void event_raise_port(struct domain *d, u32 port)
{
    evtchn_word_t w = evtchn_read(d->evt, port);

    if (evtchn_state(w) > EVTCHN_RESERVED)
        event_deliver(d, port, evtchn_vcpu(w));
}

void event_raise_virq(struct vcpu *v, u32 virq)
{
    u32 port;
    evtchn_word_t w;

    ASSERT(virq < NR_VIRQS);
    port = READ_ONCE(v->virq_port[virq]);
    if (!port)
        return;
    w = evtchn_read(v->domain->evt, port);
    if (evtchn_state(w) == EVTCHN_VIRQ && evtchn_arg(w) == virq)
        event_deliver(v->domain, port, evtchn_vcpu(w));
}

void event_raise_global_virq(u32 virq)
{
    struct domain *d = domain_hardware;

    if (d && d->vcpu[0])
        event_raise_virq(d->vcpu[0], virq);
}

int event_send(struct domain *d, u32 port)
{
    evtchn_word_t w = evtchn_read(d->evt, port), peer_word;
    struct domain *peer;

    switch (evtchn_state(w)) {
    case EVTCHN_IPI:
        event_deliver(d, port, evtchn_vcpu(w));
        return 0;
    case EVTCHN_UNBOUND:
        return 0;
    case EVTCHN_INTERDOMAIN:
        break;
    default:
        return -EINVAL;
    }
    peer = evtchn_dom(w) == d->id ? d : domain_get(evtchn_dom(w));
    if (!peer)
        return 0; /* dying: this port is about to become unbound */
    if (peer->evt && evtchn_connected(peer->evt, w, d->id, port, &peer_word))
        event_deliver(peer, evtchn_arg(w), evtchn_vcpu(peer_word));
    if (peer != d)
        domain_put(peer);
    return 0;
}

int event_unmask(struct domain *d, u32 port)
{
    struct vcpu *v;
    evtchn_word_t w;

    /* Any port of the table, as Xen has it: a kernel may unmask one that has just been closed. */
    if (event_port_word(d, port, &w))
        return -EINVAL;
    v = domain_vcpu(d, evtchn_vcpu(w));
    if (!v)
        return -EINVAL;
    if (evtchn_2l_unmask(d->shared_info, &v->info, port) & EVTCHN_2L_NOTIFY)
        vcpu_notify(v);
    return 0;
}

/* Binding. */

/* A reserved port without an event of an earlier life; the lock is held when this succeeds. */
static int event_reserve(struct domain *d, u32 *port)
{
    int rc;

    lock_acquire(&d->evt->lock);
    rc = d->state >= DOMAIN_DYING ? -ESRCH : evtchn_alloc(d->evt);
    if (rc < 0) {
        lock_release(&d->evt->lock);
        return rc;
    }
    *port = (u32)rc;
    evtchn_2l_clear(d->shared_info, *port);
    return 0;
}

static void event_publish(struct domain *d, u32 port, evtchn_word_t w)
{
    evtchn_publish(d->evt, port, w);
    lock_release(&d->evt->lock);
}

int event_alloc_unbound(struct domain *d, domid_t remote, u32 *port)
{
    int rc = event_reserve(d, port);

    if (rc == 0)
        event_publish(d, *port, evtchn_word(EVTCHN_UNBOUND, 0, remote, 0));
    return rc;
}

int event_bind_interdomain(struct domain *d, struct domain *remote, u32 remote_port, u32 *port)
{
    int rc = event_reserve(d, port);

    if (rc)
        return rc;
    rc = evtchn_connect(d->evt, *port, remote->evt, remote_port);
    if (rc)
        evtchn_release(d->evt, *port);
    lock_release(&d->evt->lock);
    /* The peer may have sent before we were there (public header event_channel.h). */
    if (rc == 0)
        event_raise_port(d, *port);
    return rc;
}

/* Public header xen.h: these are bound per vCPU, all others once per domain, on vCPU 0. */
static bool event_virq_is_global(u32 virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

int event_bind_virq(struct domain *d, u32 virq, u32 vcpu, u32 *port)
{
    struct vcpu *v;
    int rc;

    if (virq >= NR_VIRQS || (event_virq_is_global(virq) && vcpu != 0))
        return -EINVAL;
    v = domain_vcpu(d, vcpu);
    if (!v)
        return -ENOENT;
    rc = event_reserve(d, port);
    if (rc)
        return rc;
    if (v->virq_port[virq]) {
        evtchn_release(d->evt, *port);
        lock_release(&d->evt->lock);
        return -EEXIST;
    }
    WRITE_ONCE(v->virq_port[virq], (u16)*port);
    event_publish(d, *port, evtchn_word(EVTCHN_VIRQ, vcpu, 0, virq));
    return 0;
}

int event_bind_ipi(struct domain *d, u32 vcpu, u32 *port)
{
    int rc;

    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    rc = event_reserve(d, port);
    if (rc == 0)
        event_publish(d, *port, evtchn_word(EVTCHN_IPI, vcpu, 0, 0));
    return rc;
}

int event_bind_pirq(struct domain *d, u32 pirq, u32 *port)
{
    int rc = event_reserve(d, port);

    if (rc)
        return rc;
    /* The port first: an interrupt may come as soon as the pirq is bound. */
    evtchn_publish(d->evt, *port, evtchn_word(EVTCHN_PIRQ, 0, 0, pirq));
    rc = pirq_bind(d, pirq, *port);
    if (rc) {
        evtchn_word_t w;

        if (evtchn_close_begin(d->evt, *port, &w) == 0)
            evtchn_release(d->evt, *port);
    }
    lock_release(&d->evt->lock);
    return rc;
}

/* Forgets the VIRQ or pirq behind a port that is being closed. Lock held. */
static void event_unbind(struct domain *d, u32 port, evtchn_word_t w)
{
    struct vcpu *v;

    if (evtchn_state(w) == EVTCHN_PIRQ) {
        pirq_unbind(d, evtchn_arg(w));
        return;
    }
    if (evtchn_state(w) != EVTCHN_VIRQ)
        return;
    /* A global VIRQ is registered on vCPU 0 wherever it notifies. */
    v = domain_vcpu(d, event_virq_is_global(evtchn_arg(w)) ? 0 : evtchn_vcpu(w));
    if (v && v->virq_port[evtchn_arg(w)] == port)
        WRITE_ONCE(v->virq_port[evtchn_arg(w)], 0);
}

int event_close(struct domain *d, u32 port)
{
    struct domain *peer;
    evtchn_word_t w;
    int rc;

    lock_acquire(&d->evt->lock);
    rc = evtchn_close_begin(d->evt, port, &w);
    if (rc == 0)
        event_unbind(d, port, w);
    lock_release(&d->evt->lock);
    if (rc)
        return rc;
    /* Reserved now: nobody else touches the port until it is released. */
    if (evtchn_state(w) == EVTCHN_INTERDOMAIN) {
        peer = evtchn_dom(w) == d->id ? d : domain_get(evtchn_dom(w));
        if (peer && peer->evt)
            evtchn_disconnect(peer->evt, evtchn_arg(w), d->id, port);
        if (peer && peer != d)
            domain_put(peer);
    }
    lock_acquire(&d->evt->lock);
    evtchn_2l_clear(d->shared_info, port);
    evtchn_release(d->evt, port);
    lock_release(&d->evt->lock);
    return 0;
}

bool event_close_next(struct domain *d, u32 *port)
{
    u32 p = evtchn_next(d->evt, *port);

    if (!p)
        return false;
    (void)!event_close(d, p); /* reserved: its owner is closing it */
    *port = p + 1;
    return true;
}

int event_bind_vcpu(struct domain *d, u32 port, u32 vcpu)
{
    struct vcpu *v = domain_vcpu(d, vcpu);
    evtchn_word_t w;
    int rc;

    if (!v)
        return -ENOENT;
    lock_acquire(&d->evt->lock);
    w = evtchn_read(d->evt, port);
    if (evtchn_state(w) == EVTCHN_VIRQ && !event_virq_is_global(evtchn_arg(w)))
        rc = -EINVAL;
    else
        rc = evtchn_set_vcpu(d->evt, port, vcpu);
    lock_release(&d->evt->lock);
    if (rc == 0 && evtchn_state(w) == EVTCHN_PIRQ)
        pirq_set_cpu(d, evtchn_arg(w), READ_ONCE(v->cpu));
    return rc;
}

int event_port_word(const struct domain *d, u32 port, evtchn_word_t *w)
{
    if (port >= EVTCHN_PORTS_MAX || !READ_ONCE(d->evt->page[port / EVTCHN_PORTS_PER_PAGE]))
        return -EINVAL;
    *w = evtchn_read(d->evt, port);
    return 0;
}

void event_move_info(struct vcpu *v, struct vcpu_info *to)
{
    evtchn_2l_move(&v->info, to);
}

/* Polling. */

int event_port_pending(const struct domain *d, u32 port)
{
    if (evtchn_state(evtchn_read(d->evt, port)) <= EVTCHN_RESERVED)
        return -EINVAL;
    return evtchn_2l_pending(d->shared_info, port);
}

void event_poll_begin(struct vcpu *v, u32 port)
{
    WRITE_ONCE(v->poll_port, port);
    WRITE_ONCE(v->poll_any, true);
    /*
     * Fully ordered: either the one who raises sees the bit, or the caller, who looks at the ports
     * after this, sees the event.
     */
    bit_set_atomic(v->domain->evt->polling, v->id);
}

void event_poll_end(struct vcpu *v)
{
    bit_clear_atomic(v->domain->evt->polling, v->id);
    WRITE_ONCE(v->poll_any, false);
    WRITE_ONCE(v->poll_port, 0);
}

/* Debug key. */

static void event_dump_port(const struct domain *d, u32 port, evtchn_word_t w)
{
    static const char *const name[] = {"free", "reserved", "unbound", "interdomain",
                                       "pirq", "virq",     "ipi"};
    const char *n = evtchn_state(w) < ARRAY_SIZE(name) ? name[evtchn_state(w)] : "?";

    log_msg(LOG_ERR, "    %4u [%u/%u] vcpu%u %s d%u arg %u", port,
            evtchn_2l_pending(d->shared_info, port), evtchn_2l_masked(d->shared_info, port),
            evtchn_vcpu(w), n, evtchn_dom(w), evtchn_arg(w));
}

void event_dump(void)
{
    struct domain *d = NULL;
    u32 i, port;

    while ((d = domain_after(d)) != NULL) {
        log_msg(LOG_ERR, "d%u event channels: port [pending/masked]", d->id);
        for (i = 0; i < d->max_vcpus; i++)
            if (d->vcpu[i])
                log_msg(LOG_ERR, "  vcpu%u: pending %u masked %u selectors %llx", i,
                        READ_ONCE(d->vcpu[i]->info->evtchn_upcall_pending),
                        READ_ONCE(d->vcpu[i]->info->evtchn_upcall_mask),
                        (unsigned long long)READ_ONCE(d->vcpu[i]->info->evtchn_pending_sel));
        for (port = 1; d->evt && (port = evtchn_next(d->evt, port)); port++)
            event_dump_port(d, port, evtchn_read(d->evt, port));
    }
}
