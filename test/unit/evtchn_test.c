/* SPDX-License-Identifier: MIT */
/* Event ports against the model of host/toy_evtchn.h, with failing memory and racing peers. */
#include <pthread.h>

#include "host/toy_evtchn.h"

TEST(lowest_free_port_first)
{
    evtchn_word_t w;
    u32 port;

    toy_init();
    CHECK_EQ(evtchn_next(&toy[2], 1), 0);
    for (port = 1; port < toy_limit[2]; port++)
        toy_bind(2, EVTCHN_IPI, port % TOY_VCPUS, 0, 0, false);
    CHECK_EQ(evtchn_alloc(&toy[2]), -ENOSPC);
    toy_close(2, 17);
    toy_close(2, 5);
    CHECK_EQ(evtchn_alloc(&toy[2]), 5);
    evtchn_release(&toy[2], 5);
    CHECK_EQ(evtchn_close_begin(&toy[2], 5, &w), -EINVAL);
    CHECK_EQ(evtchn_close_begin(&toy[2], 4095, &w), -EINVAL);
    CHECK_EQ(evtchn_close_begin(&toy[2], EVTCHN_PORTS_MAX, &w), -EINVAL);
    CHECK_EQ(evtchn_close_begin(&toy[2], ~0u, &w), -EINVAL);
    toy_compare();
    toy_fini();
}

TEST(every_port_of_the_largest_table)
{
    u32 port;

    toy_init();
    for (port = 1; port < EVTCHN_PORTS_MAX; port++)
        toy_bind(0, EVTCHN_UNBOUND, 0, toy_id[1], 0, false);
    CHECK_EQ(toy_pages, EVTCHN_TABLE_PAGES);
    CHECK_EQ(evtchn_alloc(&toy[0]), -ENOSPC);
    CHECK_EQ(evtchn_state(evtchn_read(&toy[0], EVTCHN_PORTS_MAX)), EVTCHN_FREE);
    CHECK_EQ(evtchn_state(evtchn_read(&toy[0], ~0u)), EVTCHN_FREE);
    toy_compare();
    toy_fini();
}

TEST(memory_runs_out)
{
    toy_init();
    CHECK_EQ(toy_reserve(0, true), 0);
    host_set_failure(0, 1);
    CHECK_EQ(evtchn_alloc(&toy[0]), -ENOMEM);
    CHECK_EQ(evtchn_alloc(&toy[0]), 1); /* and later there is some */
    evtchn_release(&toy[0], 1);
    toy_grown[0] = 1;
    toy_compare();
    toy_fini();
}

TEST(own_domain_connects_to_itself)
{
    toy_init();
    toy_bind(1, EVTCHN_UNBOUND, 2, toy_id[1], 0, false);
    toy_connect(1, 1, 1);
    toy_compare();
    toy_send(1, 1);
    toy_send(1, 2);
    toy_close(1, 1);
    toy_compare();
    CHECK_EQ(evtchn_state(evtchn_read(&toy[1], 2)), EVTCHN_UNBOUND);
    toy_close(1, 2);
    toy_fini();
}

TEST(connect_refuses)
{
    toy_init();
    toy_bind(0, EVTCHN_UNBOUND, 0, toy_id[1], 0, false);
    toy_bind(0, EVTCHN_VIRQ, 0, 0, 3, false);
    toy_connect(2, 0, 1); /* for domain 1 */
    toy_connect(1, 0, 2); /* not unbound */
    toy_connect(1, 0, 3); /* free */
    toy_connect(1, 0, 4000);
    toy_connect(1, 0, EVTCHN_PORTS_MAX);
    toy_connect(1, 0, ~0u);
    toy_compare();
    toy_connect(1, 0, 1);
    toy_connect(1, 0, 1); /* taken */
    toy_compare();
    toy_fini();
}

static u32 some_port(unsigned int d)
{
    u32 range = (u32)host_rand_below(3) == 0 ? EVTCHN_PORTS_MAX + 2 : 60, i, port;

    port = (u32)host_rand_below(range);
    for (i = 0; i < 40 && !toy_used(d, port); i++)
        port = (u32)host_rand_below(range);
    return port;
}

TEST(random_operations)
{
    static const enum evtchn_state kinds[] = {EVTCHN_UNBOUND, EVTCHN_UNBOUND, EVTCHN_UNBOUND,
                                              EVTCHN_IPI,     EVTCHN_VIRQ,    EVTCHN_PIRQ};
    unsigned int i, d, peer;

    toy_init();
    for (i = 0; i < 30000; i++) {
        d = (unsigned int)host_rand_below(TOY_DOMS);
        peer = (unsigned int)host_rand_below(TOY_DOMS);
        switch (host_rand_below(9)) {
        case 0:
        case 1:
        case 2:
            toy_bind(d, kinds[host_rand_below(6)], (u32)host_rand_below(TOY_VCPUS), toy_id[peer],
                     (u32)host_rand_below(24), host_rand_below(4) == 0);
            break;
        case 3:
        case 4:
            toy_connect(d, peer, some_port(peer));
            break;
        case 5:
        case 6:
            toy_close(d, some_port(d));
            break;
        case 7:
            toy_set_vcpu(d, some_port(d), (u32)host_rand_below(TOY_VCPUS));
            break;
        default:
            toy_send(d, some_port(d));
            toy_wrong_disconnect(d, some_port(d), toy_id[peer], some_port(peer));
            break;
        }
        if (i % 250 == 0)
            toy_compare();
    }
    toy_compare();
    toy_fini();
}

/*
 * Two domains connect to each other's ports and close them at will, each under its own lock only.
 * At the end every port is closed by its owner; no half of a connection may survive.
 */
#define RACE_ROUNDS 20000

static void *racer(void *arg)
{
    unsigned int d = (unsigned int)(unsigned long)arg, peer = !d, i;
    u64 x = 88172645463325252ul + d;
    evtchn_word_t old;
    int port, rc;

    host_set_cpu(d);
    for (i = 0; i < RACE_ROUNDS; i++) {
        u32 guess;

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        guess = 1 + (u32)(x >> 40) % 6;
        lock_acquire(&toy[d].lock);
        if (x & 1) {
            port = evtchn_alloc(&toy[d]);
            if (port > 0 && (x & 2)) {
                evtchn_publish(&toy[d], (u32)port, evtchn_word(EVTCHN_UNBOUND, 0, toy_id[peer], 0));
            } else if (port > 0) {
                rc = evtchn_connect(&toy[d], (u32)port, &toy[peer], guess);
                if (rc)
                    evtchn_release(&toy[d], (u32)port);
            }
        } else if (!evtchn_close_begin(&toy[d], guess, &old)) {
            if (evtchn_state(old) == EVTCHN_INTERDOMAIN)
                evtchn_disconnect(&toy[peer], evtchn_arg(old), toy_id[d], guess);
            evtchn_release(&toy[d], guess);
        }
        lock_release(&toy[d].lock);
    }
    return NULL;
}

TEST(peers_race)
{
    pthread_t t[2];
    unsigned long d;
    evtchn_word_t w, back;
    u32 port;
    int rc;

    toy_init();
    for (d = 0; d < 2; d++) {
        rc = evtchn_alloc(&toy[d]); /* the tables have a page: the threads allocate none */
        CHECK_EQ(rc, 1);
        evtchn_release(&toy[d], 1);
    }
    for (d = 0; d < 2; d++)
        CHECK_EQ(pthread_create(&t[d], NULL, racer, (void *)d), 0);
    for (d = 0; d < 2; d++)
        pthread_join(t[d], NULL);
    for (d = 0; d < 2; d++) {
        CHECK(evtchn_audit(&toy[d]));
        for (port = 1; port < EVTCHN_PORTS_MAX; port++) {
            w = evtchn_read(&toy[d], port);
            CHECK(evtchn_state(w) == EVTCHN_FREE || evtchn_state(w) == EVTCHN_UNBOUND ||
                  evtchn_state(w) == EVTCHN_INTERDOMAIN);
            if (evtchn_state(w) == EVTCHN_INTERDOMAIN)
                CHECK(evtchn_connected(&toy[!d], w, toy_id[d], port, &back));
        }
    }
    toy_fini();
}

/*
 * The narrow one: a port is closed while its peer connects to it. Whoever comes first, no half of
 * a connection is left.
 */
static u32 meet;

static void together(u32 round)
{
    atomic_add_return(&meet, 1u);
    while (atomic_load_acquire(&meet) < 2 * round)
        ;
}

#define MEETINGS 5000

static void *closer(void *arg)
{
    evtchn_word_t old;
    u32 i, n;
    int rc;

    (void)arg;
    for (i = 0; i < MEETINGS; i++) {
        together(2 * i + 1);
        for (n = i * 7 % 97; n; n--) /* now earlier, now later */
            atomic_fence();
        rc = evtchn_close_begin(&toy[0], 1, &old);
        if (rc == 0 && evtchn_state(old) == EVTCHN_INTERDOMAIN)
            evtchn_disconnect(&toy[1], evtchn_arg(old), toy_id[0], 1);
        together(2 * i + 2);
    }
    return NULL;
}

TEST(close_meets_connect)
{
    pthread_t t;
    u32 i;
    evtchn_word_t w;
    int rc;

    toy_init();
    meet = 0;
    CHECK_EQ(evtchn_alloc(&toy[0]), 1);
    CHECK_EQ(evtchn_alloc(&toy[1]), 1);
    CHECK_EQ(pthread_create(&t, NULL, closer, NULL), 0);
    for (i = 0; i < MEETINGS; i++) {
        evtchn_publish(&toy[0], 1, evtchn_word(EVTCHN_UNBOUND, 0, toy_id[1], 0));
        together(2 * i + 1);
        rc = evtchn_connect(&toy[1], 1, &toy[0], 1);
        together(2 * i + 2);
        CHECK_EQ(evtchn_state(evtchn_read(&toy[0], 1)), EVTCHN_RESERVED);
        CHECK_EQ(evtchn_state(evtchn_read(&toy[1], 1)), rc ? EVTCHN_RESERVED : EVTCHN_UNBOUND);
        if (rc == 0)
            CHECK_EQ(evtchn_close_begin(&toy[1], 1, &w), 0);
    }
    pthread_join(t, NULL);
    evtchn_release(&toy[0], 1);
    evtchn_release(&toy[1], 1);
    toy_fini();
}
