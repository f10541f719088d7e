/* SPDX-License-Identifier: MIT */
/*
 * Event ports of a few domains beside a model without cleverness: an array of records per domain,
 * allocation by search from port 1, both ends of a connection changed at once. Each toy_ function
 * performs one operation on both and compares the results; toy_compare() compares all state.
 *
 * Included by one test program; everything is static.
 */
#ifndef HOST_TOY_EVTCHN_H
#define HOST_TOY_EVTCHN_H

#include <stdlib.h>

#include "host/host.h"
#include "pure/evtchn.h"

#define TOY_DOMS  3
#define TOY_VCPUS 5

static struct evtchn_domain toy[TOY_DOMS];
static const u32 toy_limit[TOY_DOMS] = {EVTCHN_PORTS_MAX, 1500, 40};
static const domid_t toy_id[TOY_DOMS] = {0, 7, 0x7ef};
static u32 toy_pages;            /* allocated now; atomic */
static unsigned int toy_no_page; /* the next this many allocations fail */

struct toy_port {
    enum evtchn_state state;
    u32 vcpu, arg;
    domid_t dom;
};

static struct toy_port toy_model[TOY_DOMS][EVTCHN_PORTS_MAX];
static u32 toy_grown[TOY_DOMS]; /* pages the model's table has */

static void *toy_alloc(void *ctx)
{
    (void)ctx;
    if (toy_no_page) {
        toy_no_page--;
        return NULL;
    }
    atomic_add_return(&toy_pages, 1u);
    return calloc(1, PAGE_SIZE);
}

static void toy_free(void *ctx, void *page)
{
    (void)ctx;
    atomic_add_return(&toy_pages, ~0u);
    free(page);
}

static const struct evtchn_mem toy_mem = {toy_alloc, toy_free, NULL};

static void toy_init(void)
{
    unsigned int d;

    memset(toy_model, 0, sizeof(toy_model));
    memset(toy_grown, 0, sizeof(toy_grown));
    toy_no_page = 0;
    for (d = 0; d < TOY_DOMS; d++)
        evtchn_init(&toy[d], toy_id[d], toy_limit[d], &toy_mem);
}

static void toy_fini(void)
{
    unsigned int d;

    for (d = 0; d < TOY_DOMS; d++)
        evtchn_fini(&toy[d]);
    CHECK_EQ(toy_pages, 0);
}

static unsigned int toy_of(domid_t id)
{
    unsigned int d;

    for (d = 0; d < TOY_DOMS && toy_id[d] != id; d++)
        ;
    return d;
}

static bool toy_used(unsigned int d, u32 port)
{
    return port < EVTCHN_PORTS_MAX && toy_model[d][port].state != EVTCHN_FREE;
}

static void toy_compare_port(unsigned int d, u32 port)
{
    const struct toy_port *m = &toy_model[d][port];
    evtchn_word_t w = evtchn_read(&toy[d], port);

    if (evtchn_state(w) != m->state)
        FAIL("d%u port %u: state %d, model %d", d, port, (int)evtchn_state(w), (int)m->state);
    if (m->state == EVTCHN_FREE)
        return;
    if (evtchn_vcpu(w) != m->vcpu || evtchn_dom(w) != m->dom || evtchn_arg(w) != m->arg)
        FAIL("d%u port %u, state %d: vcpu %u dom %u arg %u, model %u %u %u", d, port, (int)m->state,
             evtchn_vcpu(w), evtchn_dom(w), evtchn_arg(w), m->vcpu, m->dom, m->arg);
}

static void toy_compare(void)
{
    unsigned int d;
    u32 port, next;

    for (d = 0; d < TOY_DOMS; d++) {
        for (port = 0; port < EVTCHN_PORTS_MAX; port++)
            toy_compare_port(d, port);
        CHECK(evtchn_audit(&toy[d]));
        port = (u32)(host_rand() % EVTCHN_PORTS_MAX);
        for (next = port; next < EVTCHN_PORTS_MAX && !toy_used(d, next); next++)
            ;
        CHECK_EQ(evtchn_next(&toy[d], port), next < EVTCHN_PORTS_MAX ? next : 0);
    }
}

/* Reserves; 0 when both refuse. no_page: the allocator has nothing. */
static u32 toy_reserve(unsigned int d, bool no_page)
{
    u32 want = 1;
    int got, expect;

    while (want < toy_limit[d] && toy_used(d, want))
        want++;
    toy_no_page = no_page ? 1 : 0;
    got = evtchn_alloc(&toy[d]);
    toy_no_page = 0;
    if (want >= toy_limit[d])
        expect = -ENOSPC;
    else if (want / EVTCHN_PORTS_PER_PAGE >= toy_grown[d] && no_page)
        expect = -ENOMEM;
    else
        expect = (int)want;
    CHECK_EQ(got, expect);
    if (got < 0)
        return 0;
    if (want / EVTCHN_PORTS_PER_PAGE >= toy_grown[d])
        toy_grown[d]++;
    toy_model[d][want] = (struct toy_port){.state = EVTCHN_RESERVED};
    return want;
}

/* A port bound to nobody else: IPI, VIRQ, PIRQ, or UNBOUND for domain `dom`. */
static void toy_bind(unsigned int d, enum evtchn_state state, u32 vcpu, domid_t dom, u32 arg,
                     bool no_page)
{
    u32 port = toy_reserve(d, no_page);

    if (!port)
        return;
    evtchn_publish(&toy[d], port, evtchn_word(state, vcpu, dom, arg));
    toy_model[d][port] = (struct toy_port){state, vcpu, arg, dom};
}

/* bind_interdomain as core/event.c does it. */
static void toy_connect(unsigned int d, unsigned int peer, u32 peer_port)
{
    struct toy_port *remote = peer_port < EVTCHN_PORTS_MAX ? &toy_model[peer][peer_port] : NULL;
    u32 port = toy_reserve(d, false);
    bool may;
    int rc;

    if (!port)
        return;
    may = remote && remote->state == EVTCHN_UNBOUND && remote->dom == toy_id[d];
    rc = evtchn_connect(&toy[d], port, &toy[peer], peer_port);
    CHECK_EQ(rc, may ? 0 : -EINVAL);
    if (!may) {
        evtchn_release(&toy[d], port);
        toy_model[d][port].state = EVTCHN_FREE;
        return;
    }
    remote->state = EVTCHN_INTERDOMAIN;
    remote->arg = port;
    toy_model[d][port] = (struct toy_port){EVTCHN_INTERDOMAIN, 0, peer_port, toy_id[peer]};
}

/* close as core/event.c does it. */
static void toy_close(unsigned int d, u32 port)
{
    struct toy_port old = {.state = EVTCHN_FREE};
    evtchn_word_t w;
    unsigned int peer;
    int rc = evtchn_close_begin(&toy[d], port, &w);

    if (port < EVTCHN_PORTS_MAX)
        old = toy_model[d][port];
    CHECK_EQ(rc, old.state == EVTCHN_FREE ? -EINVAL : 0);
    if (rc)
        return;
    CHECK_EQ(w.v, evtchn_word(old.state, old.vcpu, old.dom, old.arg).v);
    CHECK_EQ(evtchn_close_begin(&toy[d], port, &w), -EINVAL); /* once */
    toy_model[d][port].state = EVTCHN_FREE;
    if (old.state == EVTCHN_INTERDOMAIN) {
        peer = toy_of(old.dom);
        evtchn_disconnect(&toy[peer], old.arg, toy_id[d], port);
        if (peer != d || old.arg != port) {
            struct toy_port *remote = &toy_model[peer][old.arg];

            remote->state = EVTCHN_UNBOUND;
            remote->dom = toy_id[d];
            remote->arg = 0;
        }
    }
    evtchn_release(&toy[d], port);
}

static void toy_set_vcpu(unsigned int d, u32 port, u32 vcpu)
{
    bool may = toy_used(d, port) && toy_model[d][port].state != EVTCHN_IPI;

    CHECK_EQ(evtchn_set_vcpu(&toy[d], port, vcpu), may ? 0 : -EINVAL);
    if (may)
        toy_model[d][port].vcpu = vcpu;
}

/* Where would a send go? Connected exactly when the model says so. */
static void toy_send(unsigned int d, u32 port)
{
    evtchn_word_t w = evtchn_read(&toy[d], port), peer_word;
    unsigned int peer = toy_of(evtchn_dom(w));

    if (evtchn_state(w) != EVTCHN_INTERDOMAIN || peer == TOY_DOMS)
        return;
    CHECK(evtchn_connected(&toy[peer], w, toy_id[d], port, &peer_word));
    CHECK_EQ(evtchn_vcpu(peer_word), toy_model[peer][evtchn_arg(w)].vcpu);
}

/* A peer that guesses ports changes nothing. */
static void toy_wrong_disconnect(unsigned int d, u32 port, domid_t dom, u32 from)
{
    const struct toy_port *m = port < EVTCHN_PORTS_MAX ? &toy_model[d][port] : NULL;

    if (m && m->state == EVTCHN_INTERDOMAIN && m->dom == dom && m->arg == from)
        return; /* that would be right */
    evtchn_disconnect(&toy[d], port, dom, from);
}

#endif
