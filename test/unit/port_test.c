/* SPDX-License-Identifier: MIT */
/* The harness itself: a check that never fires is worse than none. */
#include <pthread.h>
#include <stdlib.h>

#include "host/host.h"

TEST(locks_check_rank_and_balance)
{
    struct lock low, high, none = {0};

    lock_init(&low, RANK_DOMAIN);
    lock_init(&high, RANK_HEAP);
    CHECK(!lock_held(&low));
    lock_acquire(&low);
    lock_acquire(&high);
    CHECK(lock_held(&low) && lock_held(&high));
    CHECK_EQ(host_locks_held(), 2);
    CHECK_BUG(lock_acquire(&high));
    lock_release(&low);
    CHECK_BUG(lock_acquire(&low));
    CHECK(lock_try(&low));
    lock_release(&low);
    lock_release(&high);
    CHECK_BUG(lock_release(&high));
    CHECK_BUG(lock_acquire(&none));
    CHECK_EQ(host_locks_held(), 0);
}

TEST(locks_belong_to_a_cpu)
{
    struct lock l;
    unsigned int i;

    lock_init(&l, RANK_DOMAIN);
    for (i = 0; i < 70000; i++) { /* beyond a 16-bit ticket */
        lock_acquire(&l);
        lock_release(&l);
    }
    CHECK(lock_try(&l));
    host_set_cpu(3);
    CHECK(!lock_held(&l));
    CHECK(!lock_try(&l));
    CHECK_BUG(lock_release(&l));
    host_set_cpu(0);
    lock_release(&l);
}

static struct lock shared_lock;
static u64 shared_count;

static void *count_up(void *cpu)
{
    unsigned int i;

    host_set_cpu((unsigned int)(uintptr_t)cpu);
    for (i = 0; i < 10000; i++) {
        lock_acquire(&shared_lock);
        shared_count++;
        lock_release(&shared_lock);
    }
    return NULL;
}

TEST(locks_exclude_threads)
{
    pthread_t other;

    lock_init(&shared_lock, RANK_HEAP);
    shared_count = 0;
    CHECK_EQ(pthread_create(&other, NULL, count_up, (void *)1), 0);
    count_up((void *)0);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(shared_count, 20000);
}

TEST(clock_moves_when_told)
{
    CHECK_EQ(port_now(), 0);
    host_set_now(100);
    host_advance(11);
    CHECK_EQ(port_now(), 111);
}

TEST(failures_come_on_order)
{
    CHECK(!port_inject_failure());
    host_set_failure(1, 2);
    CHECK(!port_inject_failure());
    CHECK(port_inject_failure());
    CHECK(port_inject_failure());
    CHECK(!port_inject_failure());
    CHECK_EQ(host_inject_calls(), 5);
}

TEST(memory_is_what_was_registered)
{
    char *ram = malloc(3 * PAGE_SIZE);

    host_ram_add(ram, 0x100, 2);
    host_ram_add(ram + 2 * PAGE_SIZE, 0x200, 1);
    CHECK(port_map(MFN(0x100)) == ram);
    CHECK(port_map(MFN(0x101)) == ram + PAGE_SIZE);
    CHECK(port_map(MFN(0x200)) == ram + 2 * PAGE_SIZE);
    free(ram);
}

TEST(log_is_readable)
{
    log_msg(LOG_WARN, "value %d\n", 7);
    log_msg(LOG_ERR, "x");
    CHECK_STR(host_log_text(), "W: value 7\nE: x\n");
    host_log_clear();
    CHECK_STR(host_log_text(), "");
}
