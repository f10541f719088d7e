/* SPDX-License-Identifier: MIT */
/*
 * Two-level delivery against a model that holds each bit in a byte of its own, with a guest that
 * masks, unmasks and consumes as the ABI says, and with threads: no event is lost.
 */
#include <pthread.h>

#include "host/host.h"
#include "pure/evtchn_2l.h"

#define PORTS 4096
#define VCPUS 3

static struct shared_info shared;
static struct vcpu_info places[VCPUS][2];
static struct vcpu_info *info[VCPUS];

static struct {
    bool pending[PORTS], mask[PORTS];
    bool sel[VCPUS][64], upcall[VCPUS];
} model;

static void fresh(void)
{
    unsigned int v;

    memset(&shared, 0, sizeof(shared));
    memset(places, 0, sizeof(places));
    memset(&model, 0, sizeof(model));
    for (v = 0; v < VCPUS; v++)
        info[v] = &places[v][0];
}

static void compare(void)
{
    unsigned int p, v;

    for (p = 0; p < PORTS; p++) {
        CHECK_EQ(evtchn_2l_pending(&shared, p), model.pending[p]);
        CHECK_EQ(evtchn_2l_masked(&shared, p), model.mask[p]);
        CHECK_EQ((shared.evtchn_pending[p / 64] >> (p % 64)) & 1, model.pending[p]);
        CHECK_EQ((shared.evtchn_mask[p / 64] >> (p % 64)) & 1, model.mask[p]);
    }
    for (v = 0; v < VCPUS; v++) {
        CHECK_EQ(info[v]->evtchn_upcall_pending, model.upcall[v]);
        for (p = 0; p < 64; p++)
            CHECK_EQ((info[v]->evtchn_pending_sel >> p) & 1, model.sel[v][p]);
    }
}

static unsigned int model_tell(unsigned int v, unsigned int port)
{
    if (model.sel[v][port / 64])
        return 0;
    model.sel[v][port / 64] = true;
    if (model.upcall[v])
        return 0;
    model.upcall[v] = true;
    return EVTCHN_2L_NOTIFY;
}

static unsigned int model_raise(unsigned int v, unsigned int port)
{
    if (model.pending[port])
        return 0;
    model.pending[port] = true;
    return EVTCHN_2L_NEW | (model.mask[port] ? 0 : model_tell(v, port));
}

static unsigned int model_unmask(unsigned int v, unsigned int port)
{
    bool was = model.mask[port];

    model.mask[port] = false;
    return was && model.pending[port] ? model_tell(v, port) : 0;
}

TEST(first_event_notifies)
{
    struct vcpu_info *const *to = &info[0];

    fresh();
    CHECK_EQ(evtchn_2l_raise(&shared, to, 70), EVTCHN_2L_NEW | EVTCHN_2L_NOTIFY);
    CHECK_EQ(evtchn_2l_raise(&shared, to, 70), 0);
    CHECK_EQ(evtchn_2l_raise(&shared, to, 71), EVTCHN_2L_NEW); /* same selector */
    CHECK_EQ(evtchn_2l_raise(&shared, to, 4095), EVTCHN_2L_NEW);
    CHECK_EQ(places[0][0].evtchn_pending_sel, 1ul << 1 | 1ul << 63);
    CHECK_EQ(places[0][0].evtchn_upcall_pending, 1);
}

TEST(masked_event_waits_for_unmask)
{
    fresh();
    shared.evtchn_mask[0] = 1ul << 9;
    CHECK_EQ(evtchn_2l_raise(&shared, &info[1], 9), EVTCHN_2L_NEW);
    CHECK_EQ(places[1][0].evtchn_upcall_pending, 0);
    CHECK_EQ(evtchn_2l_unmask(&shared, &info[1], 9), EVTCHN_2L_NOTIFY);
    CHECK_EQ(evtchn_2l_unmask(&shared, &info[1], 9), 0);
    evtchn_2l_clear(&shared, 9);
    CHECK(!evtchn_2l_pending(&shared, 9));
}

TEST(random_operations)
{
    unsigned int i, v, p;

    fresh();
    for (i = 0; i < 40000; i++) {
        v = (unsigned int)host_rand_below(VCPUS);
        p = (unsigned int)host_rand_below(host_rand_below(2) ? PORTS : 130);
        switch (host_rand_below(8)) {
        case 0:
        case 1:
        case 2:
            CHECK_EQ(evtchn_2l_raise(&shared, &info[v], p), model_raise(v, p));
            break;
        case 3: /* the guest masks */
            shared.evtchn_mask[p / 64] |= 1ul << (p % 64);
            model.mask[p] = true;
            break;
        case 4:
            CHECK_EQ(evtchn_2l_unmask(&shared, &info[v], p), model_unmask(v, p));
            break;
        case 5:
            evtchn_2l_clear(&shared, p);
            model.pending[p] = false;
            break;
        case 6: /* the guest takes its upcall and one selector word */
            info[v]->evtchn_upcall_pending = 0;
            info[v]->evtchn_pending_sel &= ~(1ul << (p / 64));
            model.upcall[v] = model.sel[v][p / 64] = false;
            break;
        default:
            if (host_rand_below(20))
                break;
            evtchn_2l_move(&info[v], &places[v][info[v] == &places[v][0]]);
            model.upcall[v] = true;
            memset(model.sel[v], true, sizeof(model.sel[v]));
            break;
        }
        if (i % 64 == 0)
            compare();
    }
    compare();
}

/*
 * Threads: raisers and a guest that consumes top-down, moves its vcpu_info and masks now and then.
 * What was raised as new is consumed exactly once; a notify is owed whenever the guest sleeps.
 */
#define RAISES 60000

static u32 new_events[2], notified;

static void *raiser(void *arg)
{
    unsigned long me = (unsigned long)arg;
    unsigned int i, got;

    for (i = 0; i < RAISES; i++) {
        got = evtchn_2l_raise(&shared, (struct vcpu_info *const *)&info[0],
                              (unsigned int)(me * 64 + i % 40));
        if (got & EVTCHN_2L_NEW)
            new_events[me]++;
        if (got & EVTCHN_2L_NOTIFY)
            atomic_store(&notified, 1u);
    }
    return NULL;
}

static u64 consume(void)
{
    struct vcpu_info *vi = atomic_load_acquire(&info[0]);
    u64 sel, n = 0;
    unsigned int w;

    atomic_xchg(&vi->evtchn_upcall_pending, (u8)0);
    sel = atomic_xchg(&vi->evtchn_pending_sel, (u64)0);
    for (w = 0; w < 64; w++)
        if ((sel >> w) & 1)
            n += (u64)__builtin_popcountl(atomic_xchg(&shared.evtchn_pending[w], (u64)0));
    return n;
}

TEST(threads_lose_nothing)
{
    pthread_t t[2];
    unsigned long i;
    u64 consumed = 0, rounds = 0;

    fresh();
    new_events[0] = new_events[1] = 0;
    for (i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, raiser, (void *)i), 0);
    while (rounds < 30000) {
        rounds++;
        if (atomic_xchg(&notified, 0u) || atomic_load(&info[0]->evtchn_upcall_pending))
            consumed += consume();
        if (rounds % 512 == 0) {
            struct vcpu_info *to = &places[0][info[0] == &places[0][0]];

            evtchn_2l_move(&info[0], to);
        }
    }
    for (i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    while (atomic_load(&info[0]->evtchn_upcall_pending))
        consumed += consume();
    CHECK_EQ(consumed, new_events[0] + new_events[1]);
    for (i = 0; i < 64; i++)
        CHECK_EQ(shared.evtchn_pending[i], 0);
}
