/* SPDX-License-Identifier: MIT */
/* References and types of a frame: the states of docs/PAGES.md, alone and under contention. */
#include <pthread.h>

#include "base/atomic.h"
#include "host/host.h"
#include "pure/ptype.h"

#define OWNER 7

static struct page page;
static u32 the_clock, released, flushes;
static u32 last_stamp;

struct ptype_frames ptype_frames = {&page, 1};

mfn_t ptype_port_mfn(const struct page *pg)
{
    (void)pg;
    return MFN(1);
}

static void (*between)(void); /* another CPU, once, while the clock is being read */

u32 ptype_port_clock(void)
{
    void (*other)(void) = between;
    u32 t = atomic_load(&the_clock);

    if (other) {
        between = NULL;
        other();
    }
    return t;
}

void ptype_port_flush(const struct page *pg, u32 stamp)
{
    (void)pg;
    atomic_store(&last_stamp, stamp);
    atomic_add_return(&flushes, 1);
    atomic_add_return(&the_clock, 1);
}

void ptype_port_release(struct page *pg)
{
    (void)pg;
    released++;
}

bool ptype_port_io_readonly(u64 mfn)
{
    return mfn == 0;
}

void ptype_port_drop_begin(const struct page *table)
{
    (void)table;
}

void ptype_port_drop_end(void)
{
}

void ptype_port_hv_slots(const struct page *l4, u64 *slots)
{
    (void)l4;
    (void)slots;
}

static void fresh(void)
{
    page = (struct page){.count = PAGE_ALLOCATED | 1, .owner = OWNER};
    the_clock = 10;
    released = flushes = 0;
}

/* The frame is mapped writable after a flush, and no more when this returns. */
static void comes_and_goes(void)
{
    atomic_add_return(&the_clock, 5);
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    atomic_add_return(&the_clock, 1);
    ptype_put_type(&page);
}

TEST(stamp_of_the_latest_drop)
{
    fresh();
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    between = comes_and_goes;
    ptype_put_type(&page);
    CHECK_EQ(page.type & PTYPE_COUNT_MASK, 0);
    CHECK_EQ(page.aux, 16); /* not 10, when the last but one went */
    CHECK_EQ(ptype_table_take(&page, PTYPE_L1), 0);
    CHECK_EQ(last_stamp, 16);
}

TEST(turns_stay_in_their_field)
{
    u64 turns = -PTYPE_TURN; /* all ones */

    fresh();
    page.type = PTYPE_WRITABLE | PTYPE_VALIDATED | turns | 2;
    ptype_put_type(&page);
    CHECK_EQ(page.type, PTYPE_WRITABLE | PTYPE_VALIDATED | 1);
    ptype_put_type(&page);
    CHECK_EQ(page.type, PTYPE_WRITABLE | PTYPE_VALIDATED);
}

TEST(general_references)
{
    fresh();
    CHECK(ptype_get_page(&page, OWNER));
    CHECK(!ptype_get_page(&page, OWNER + 1));
    ptype_put_page(&page);
    CHECK_EQ(released, 0);
    ptype_put_page(&page);
    CHECK_EQ(released, 1);
    CHECK(!ptype_get_page(&page, OWNER)); /* free */
    page.count = PAGE_ALLOCATED | PAGE_COUNT_MASK;
    CHECK(!ptype_get_page(&page, OWNER)); /* full */
    CHECK_EQ(page.count, PAGE_ALLOCATED | PAGE_COUNT_MASK);
}

TEST(types_exclude_each_other)
{
    static const u64 free_types[] = {PTYPE_WRITABLE, PTYPE_SEG};
    unsigned int i, level;

    for (i = 0; i < 2; i++) {
        fresh();
        CHECK(ptype_get_type(&page, free_types[i]) >= 0);
        CHECK(ptype_get_type(&page, free_types[i]) >= 0);
        CHECK_EQ(ptype_get_type(&page, free_types[1 - i]), -EBUSY);
        for (level = 1; level <= 4; level++)
            CHECK_EQ(ptype_table_take(&page, PTYPE_TABLE(level)), -EBUSY);
        ptype_put_type(&page);
        CHECK_EQ(ptype_table_take(&page, PTYPE_L1), -EBUSY);
        ptype_put_type(&page);
        CHECK_EQ(ptype_table_take(&page, PTYPE_L1), 0);
        CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), -EBUSY);
        CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), -EBUSY);
        CHECK_EQ(ptype_table_take(&page, PTYPE_L2), -EBUSY);
        ptype_table_last(&page);
        CHECK(ptype_get_type(&page, free_types[i]) >= 0);
        ptype_put_type(&page);
    }
}

TEST(special_pages_keep_their_type)
{
    fresh();
    page.type = PTYPE_NONE | 1; /* shared read-only */
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), -EBUSY);
    CHECK_EQ(ptype_table_take(&page, PTYPE_L1), -EBUSY);
    page.type = PTYPE_WRITABLE | PTYPE_VALIDATED | 1;
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    CHECK_EQ(ptype_table_take(&page, PTYPE_L1), -EBUSY);
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), -EBUSY);
}

TEST(flushes_on_type_change_only)
{
    fresh();
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    ptype_put_type(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    CHECK_EQ(flushes, 0);
    the_clock = 33;
    ptype_put_type(&page);
    CHECK_EQ(ptype_table_take(&page, PTYPE_L1), 0);
    CHECK_EQ(flushes, 1);
    CHECK_EQ(last_stamp, 33);
    ptype_table_mark(&page, PTYPE_VALIDATED, 0);
    the_clock = 40;
    ptype_table_last(&page);
    CHECK_EQ(ptype_table_take(&page, PTYPE_L1), 0);
    CHECK_EQ(flushes, 1);
    ptype_table_last(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    CHECK_EQ(flushes, 2);
    CHECK_EQ(last_stamp, 40);
    CHECK(page.type & PTYPE_VALIDATED);
}

TEST(descriptor_pages_are_checked_once)
{
    fresh();
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), 1);
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), 1); /* not checked yet: the second must as well */
    ptype_set_checked(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), 0);
    ptype_put_type(&page);
    ptype_put_type(&page);
    ptype_put_type(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), 0); /* nobody could write it meanwhile */
    ptype_put_type(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_WRITABLE), 0);
    ptype_put_type(&page);
    CHECK_EQ(ptype_get_type(&page, PTYPE_SEG), 1);
}

TEST(table_counts)
{
    fresh();
    CHECK_EQ(ptype_table_take(&page, PTYPE_L3), 0);
    ptype_table_mark(&page, PTYPE_PARTIAL, 0);
    ptype_table_mark(&page, PTYPE_VALIDATED, PTYPE_PARTIAL);
    CHECK_EQ(ptype_table_add(&page), 0);
    CHECK_EQ(page.type, PTYPE_L3 | PTYPE_VALIDATED | 2);
    ptype_table_drop(&page);
    page.type |= PTYPE_COUNT_MASK;
    CHECK_EQ(ptype_table_add(&page), -EBUSY);
    CHECK_STR(ptype_name(page.type), "level 3 table");
    CHECK_EQ(ptype_level(page.type), 3);
    CHECK_EQ(ptype_level(PTYPE_WRITABLE), 0);
    CHECK_EQ(ptype_level(PTYPE_SEG), 0);
}

/* Threads: whoever has a type, nobody has another one at the same time. */

#define THREADS 4
#define ROUNDS  20000

static u32 users[3]; /* writable, seg, table */
static struct lock mmu_lock;
static u32 clashes;

static void enter(unsigned int kind)
{
    unsigned int i;

    atomic_add_return(&users[kind], 1);
    for (i = 0; i < 3; i++)
        if (i != kind && atomic_load(&users[i]))
            atomic_add_return(&clashes, 1);
}

static void leave(unsigned int kind)
{
    atomic_sub_return(&users[kind], 1);
}

static void free_round(u64 type, unsigned int kind)
{
    int rc;

    if (!ptype_get_page(&page, OWNER))
        return;
    rc = ptype_get_type(&page, type);
    if (rc >= 0) {
        enter(kind);
        if (rc == 1)
            ptype_set_checked(&page);
        leave(kind);
        ptype_put_type(&page);
    }
    ptype_put_page(&page);
}

static void table_round(void)
{
    lock_acquire(&mmu_lock);
    if (ptype_get_page(&page, OWNER)) {
        if (ptype_table_take(&page, PTYPE_L1) == 0) {
            enter(2);
            ptype_table_mark(&page, PTYPE_VALIDATED, 0);
            leave(2);
            ptype_table_last(&page);
        }
        ptype_put_page(&page);
    }
    lock_release(&mmu_lock);
}

static void *contender(void *arg)
{
    unsigned int id = (unsigned int)(u64)arg, i;

    host_set_cpu(id);
    for (i = 0; i < ROUNDS; i++) {
        switch ((i + id) % 4) {
        case 0:
            table_round();
            break;
        case 1:
            free_round(PTYPE_SEG, 1);
            break;
        default:
            free_round(PTYPE_WRITABLE, 0);
            break;
        }
    }
    return NULL;
}

TEST(contention)
{
    pthread_t t[THREADS];
    unsigned int i;

    fresh();
    lock_init(&mmu_lock, RANK_MMU);
    clashes = 0;
    for (i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, contender, (void *)(u64)i), 0);
    for (i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
    CHECK_EQ(clashes, 0);
    CHECK_EQ(page.count, PAGE_ALLOCATED | 1);
    CHECK_EQ(page.type & PTYPE_COUNT_MASK, 0);
    CHECK_EQ(released, 0);
    CHECK(flushes > 0);
}
