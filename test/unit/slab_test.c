/* SPDX-License-Identifier: MIT */
#include "pure/slab.h"

#include <stdlib.h>

#include "host/host.h"

#define PAGES 64

/* A source of few pages, each on its own so the sanitizer sees what leaves it. */
struct source {
    void *page[PAGES];
    bool out[PAGES];
    unsigned int limit, used;
};

static void *source_get(void *ctx)
{
    struct source *src = ctx;
    unsigned int i;

    if (src->used == src->limit)
        return NULL;
    for (i = 0; src->out[i]; i++)
        ;
    src->out[i] = true;
    src->used++;
    src->page[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(src->page[i], 0xcc, PAGE_SIZE);
    return src->page[i];
}

static void source_put(void *ctx, void *page)
{
    struct source *src = ctx;
    unsigned int i;

    for (i = 0; i < PAGES && !(src->out[i] && src->page[i] == page); i++)
        ;
    CHECK(i < PAGES);
    free(page);
    src->out[i] = false;
    src->used--;
}

static void pool_new(struct slab *p, struct source *src, unsigned int limit)
{
    memset(src, 0, sizeof(*src));
    src->limit = limit;
    slab_init(p, source_get, source_put, src);
}

static void check_audit(const struct slab *p)
{
    const char *wrong = slab_audit(p);

    if (wrong)
        FAIL("audit: %s", wrong);
}

static u64 object_count(const struct slab *p)
{
    u64 objects, pages;

    slab_count(p, &objects, &pages);
    return objects;
}

static u64 page_count(const struct slab *p)
{
    u64 objects, pages;

    slab_count(p, &objects, &pages);
    return pages;
}

/* Nothing is handed out: each size of which there was something may keep one empty page. */
static void check_empty(struct slab *p, struct source *src, unsigned int sizes)
{
    unsigned int i;

    CHECK_EQ(object_count(p), 0);
    CHECK_EQ(page_count(p), sizes);
    CHECK_EQ(src->used, sizes);
    check_audit(p);
    for (i = 0; i < PAGES; i++)
        if (src->out[i])
            source_put(src, src->page[i]);
}

static bool is_filled(const u8 *p, size_t n, u8 with)
{
    while (n--)
        if (*p++ != with)
            return false;
    return true;
}

TEST(every_size_is_zeroed_aligned_and_large_enough)
{
    struct slab p;
    struct source src;
    size_t size;

    pool_new(&p, &src, PAGES);
    for (size = 1; size <= SLAB_MAX_SIZE; size++) {
        u8 *a = slab_alloc(&p, size), *b = slab_alloc(&p, size);

        CHECK(a && b && a != b);
        CHECK(slab_size(size) >= size);
        CHECK_EQ((uintptr_t)a % 16, 0);
        CHECK(is_filled(a, slab_size(size), 0));
        memset(a, 0xff, slab_size(size));
        CHECK(is_filled(b, slab_size(size), 0));
        memset(b, 0xff, slab_size(size));
        CHECK_EQ(slab_free(&p, a), 0);
        CHECK_EQ(slab_free(&p, b), 0);
    }
    check_empty(&p, &src, SLAB_CLASSES);
}

TEST(refuses_silly_sizes)
{
    struct slab p;
    struct source src;

    pool_new(&p, &src, PAGES);
    CHECK(!slab_alloc(&p, 0));
    CHECK(!slab_alloc(&p, SLAB_MAX_SIZE + 1));
    CHECK(!slab_alloc(&p, ~(size_t)0));
    CHECK_EQ(slab_size(0), 0);
    CHECK_EQ(slab_size(2049), 0);
    CHECK_EQ(slab_size(33), 48);
    CHECK_EQ(src.used, 0);
}

TEST(refuses_bad_frees)
{
    struct slab p, other;
    struct source src, other_src;
    char *a, *b;

    pool_new(&p, &src, PAGES);
    pool_new(&other, &other_src, PAGES);
    a = slab_alloc(&p, 100);
    b = slab_alloc(&p, 100);
    CHECK(a && b);
    CHECK_EQ(slab_free(&p, NULL), 0);
    CHECK_STR(host_log_text(), "");
    CHECK_EQ(slab_free(&p, a + 16), -EINVAL);
    CHECK_EQ(slab_free(&p, a + 1), -EINVAL);
    CHECK_EQ(slab_free(&p, (void *)((uintptr_t)a & PAGE_MASK)), -EINVAL);
    CHECK_EQ(slab_free(&p, (char *)((uintptr_t)a & PAGE_MASK) + 4095), -EINVAL);
    CHECK_EQ(slab_free(&other, a), -EINVAL);
    CHECK_EQ(slab_free(&p, a), 0);
    host_log_clear();
    CHECK_EQ(slab_free(&p, a), -EINVAL);
    CHECK(strstr(host_log_text(), "second free"));
    check_audit(&p);
    CHECK_EQ(slab_free(&p, b), 0);
    check_empty(&p, &src, 1);
}

TEST(poisons_and_notices_late_writes)
{
    struct slab p;
    struct source src;
    u8 *a, *b;

    pool_new(&p, &src, PAGES);
    a = slab_alloc(&p, 64);
    b = slab_alloc(&p, 64);
    CHECK(a && b);
    memset(a, 0, 64);
    CHECK_EQ(slab_free(&p, a), 0);
    CHECK(is_filled(a, 64, 0xf5));
    a[63] = 0;
    CHECK(slab_audit(&p));
    CHECK_BUG(b = slab_alloc(&p, 64));
    a[63] = 0xf5;
    check_audit(&p);
    CHECK_EQ(slab_free(&p, b), 0);
    check_empty(&p, &src, 1);
}

TEST(memory_may_run_out)
{
    struct slab p;
    struct source src;
    void *obj[8];
    unsigned int i;

    pool_new(&p, &src, 2);
    for (i = 0; i < 4; i++) {
        obj[i] = slab_alloc(&p, 2000);
        CHECK(obj[i]);
    }
    CHECK(!slab_alloc(&p, 2000));
    CHECK(!slab_alloc(&p, 16));
    CHECK_EQ(slab_free(&p, obj[0]), 0);
    CHECK(!slab_alloc(&p, 16));
    CHECK_EQ(slab_free(&p, obj[1]), 0);
    CHECK_EQ(slab_free(&p, obj[2]), 0);
    CHECK_EQ(slab_free(&p, obj[3]), 0);
    CHECK_EQ(src.used, 1);
    host_set_failure(0, 1);
    CHECK(!slab_alloc(&p, 16));
    obj[0] = slab_alloc(&p, 16);
    CHECK(obj[0]);
    CHECK_EQ(slab_free(&p, obj[0]), 0);
    check_empty(&p, &src, 2);
}

/* The model: what each object should contain. */

#define OBJECTS 300

struct model {
    u8 *ptr[OBJECTS];
    size_t size[OBJECTS];
    u8 fill[OBJECTS];
    u64 count;
};

static void random_step(struct slab *p, struct model *m)
{
    u64 i = host_rand_below(OBJECTS);
    size_t size = 1 + host_rand_below(1 + (1ull << host_rand_below(12)));

    size = MIN(size, (size_t)SLAB_MAX_SIZE);
    if (m->ptr[i]) {
        CHECK(is_filled(m->ptr[i], m->size[i], m->fill[i]));
        CHECK_EQ(slab_free(p, m->ptr[i]), 0);
        m->ptr[i] = NULL;
        m->count--;
        return;
    }
    m->ptr[i] = slab_alloc(p, size);
    if (!m->ptr[i])
        return;
    m->size[i] = slab_size(size);
    m->fill[i] = (u8)host_rand();
    CHECK(is_filled(m->ptr[i], m->size[i], 0));
    memset(m->ptr[i], m->fill[i], m->size[i]);
    m->count++;
}

TEST(agrees_with_the_model)
{
    struct slab p;
    struct source src;
    static struct model m;
    unsigned int step, i;

    memset(&m, 0, sizeof(m));
    pool_new(&p, &src, PAGES);
    for (step = 0; step < 6000; step++) {
        random_step(&p, &m);
        CHECK_EQ(object_count(&p), m.count);
        CHECK_EQ(page_count(&p), src.used);
        if (step % 64 == 0)
            check_audit(&p);
    }
    for (i = 0; i < OBJECTS; i++)
        CHECK_EQ(slab_free(&p, m.ptr[i]), 0);
    check_empty(&p, &src, SLAB_CLASSES);
}
