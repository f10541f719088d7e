/* SPDX-License-Identifier: MIT */
/* Handles of mappings: given out once, claimed by one, against a naive model and by threads. */
#include <pthread.h>
#include <stdlib.h>

#include "host/host.h"
#include "pure/maptrack.h"

#define PAGES 3
#define TOTAL (PAGES * (u32)MAPTRACK_PER_PAGE)

static struct maptrack m;
static struct maptrack_entry *slots[PAGES];
static struct maptrack_entry pages[PAGES + 1][MAPTRACK_PER_PAGE];

static void fresh(void)
{
    memset(pages, 0, sizeof(pages));
    memset(slots, 0, sizeof(slots));
    maptrack_init(&m, PAGES);
    m.page = slots;
}

static u32 get(void)
{
    u32 handle = maptrack_alloc(&m);

    if (handle == MAPTRACK_NONE && maptrack_add(&m, pages[m.nr / MAPTRACK_PER_PAGE]) == 0)
        handle = maptrack_alloc(&m);
    return handle;
}

TEST(grows_to_its_limit)
{
    static bool seen[TOTAL];
    u32 i, handle;
    u16 flags;

    fresh();
    memset(seen, 0, sizeof(seen));
    CHECK_EQ(maptrack_alloc(&m), MAPTRACK_NONE);
    for (i = 0; i < TOTAL; i++) {
        handle = get();
        CHECK_EQ(handle, i); /* low ones first */
        CHECK(!seen[handle]);
        seen[handle] = true;
        CHECK(maptrack_claim(&m, handle, &flags) == NULL); /* not published */
        maptrack_publish(maptrack_entry(&m, handle), 2);
    }
    CHECK_EQ(get(), MAPTRACK_NONE);
    CHECK_EQ(maptrack_add(&m, pages[PAGES]), -ENOSPC);
    CHECK_EQ(m.nr, TOTAL);
}

TEST(claimed_once)
{
    struct maptrack_entry *e;
    u16 flags = 0;
    u32 handle;

    fresh();
    CHECK(maptrack_claim(&m, 0, &flags) == NULL); /* no page */
    handle = get();
    CHECK(maptrack_claim(&m, TOTAL, &flags) == NULL);
    CHECK(maptrack_claim(&m, MAPTRACK_NONE, &flags) == NULL);
    CHECK(maptrack_claim(&m, handle + 1, &flags) == NULL); /* free */
    maptrack_publish(maptrack_entry(&m, handle), 0x1f);
    e = maptrack_claim(&m, handle, &flags);
    CHECK(e == maptrack_entry(&m, handle));
    CHECK_EQ(flags, 0x1f);
    CHECK(maptrack_claim(&m, handle, &flags) == NULL);
    maptrack_publish(e, 0x1d); /* put back with less */
    CHECK(maptrack_claim(&m, handle, &flags) == e);
    CHECK_EQ(flags, 0x1d);
    maptrack_free(&m, handle);
    CHECK(maptrack_claim(&m, handle, &flags) == NULL);
    CHECK_EQ(get(), handle);
    maptrack_free(&m, handle);
    CHECK_BUG(maptrack_free(&m, handle));
}

/* The model: one flags word per handle, NONE when free. */
TEST(model)
{
    static u32 model[TOTAL];
    u32 i, handle, used = 0;
    u16 flags;

    fresh();
    memset(model, 0xff, sizeof(model));
    for (i = 0; i < 300000; i++) {
        if (host_rand_below(100) < 52) {
            handle = get();
            CHECK_EQ(handle == MAPTRACK_NONE, used == TOTAL);
            if (handle == MAPTRACK_NONE)
                continue;
            CHECK(handle < TOTAL && model[handle] == ~0u);
            model[handle] = 1 + (u32)host_rand_below(0x7fff);
            maptrack_publish(maptrack_entry(&m, handle), (u16)model[handle]);
            used++;
        } else {
            struct maptrack_entry *e;

            handle = (u32)host_rand_below(TOTAL);
            e = maptrack_claim(&m, handle, &flags);
            CHECK_EQ(e != NULL, model[handle] != ~0u);
            if (!e)
                continue;
            CHECK_EQ(flags, model[handle]);
            if (host_rand_below(4) == 0) {
                maptrack_publish(e, flags);
                continue;
            }
            maptrack_free(&m, handle);
            model[handle] = ~0u;
            used--;
        }
    }
}

/* Several CPUs end the same mappings: each is ended by one of them. */
#define THREADS 4
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static u32 ended[THREADS];

static void *ender(void *arg)
{
    u32 self = (u32)(uintptr_t)arg, i;
    u16 flags;

    for (i = 0; i < TOTAL; i++) {
        if (!maptrack_claim(&m, i, &flags))
            continue;
        ended[self]++;
        pthread_mutex_lock(&lock);
        maptrack_free(&m, i);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

TEST(threads)
{
    pthread_t t[THREADS];
    u32 i, round, sum;

    fresh();
    for (round = 0; round < 20; round++) {
        for (i = 0; i < TOTAL; i++)
            maptrack_publish(maptrack_entry(&m, get()), 1);
        CHECK_EQ(get(), MAPTRACK_NONE);
        memset(ended, 0, sizeof(ended));
        for (i = 0; i < THREADS; i++)
            CHECK_EQ(pthread_create(&t[i], NULL, ender, (void *)(uintptr_t)i), 0);
        for (sum = i = 0; i < THREADS; i++) {
            pthread_join(t[i], NULL);
            sum += ended[i];
        }
        CHECK_EQ(sum, TOTAL);
    }
}
