/* SPDX-License-Identifier: MIT */
/*
 * Is this domain still alive enough to move a deadline? If not, it is shut down with the code for
 * that. Two timers per domain, made at the first use and freed with the domain; changed under the
 * domain's lock, because a timer is set by one CPU at a time.
 */
#include "core/watchdog.h"

#include "arch/clock.h"
#include "core/page.h"
#include "core/timer.h"

#define WATCHDOGS 2u

struct domain_watchdogs {
    struct timer timer[WATCHDOGS];
    bool used[WATCHDOGS];
};

static void watchdog_bites(void *arg)
{
    struct domain *d = arg;

    log_msg(LOG_ERR, "Watchdog timer fired for domain %u", d->id);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

static int watchdog_create(struct domain *d)
{
    struct domain_watchdogs *w = domain_zalloc(d, sizeof(*w));
    u32 i;

    if (w == NULL)
        return -ENOMEM;
    for (i = 0; i < WATCHDOGS; i++)
        timer_setup(&w->timer[i], watchdog_bites, d);
    lock_acquire(&d->lock);
    if (d->watchdogs == NULL) {
        d->watchdogs = w;
        w = NULL;
    }
    lock_release(&d->lock);
    domain_zfree(d, w, sizeof(*w));
    return 0;
}

static long take(struct domain_watchdogs *w, u64 deadline)
{
    u32 i;

    for (i = 0; i < WATCHDOGS; i++) {
        if (w->used[i])
            continue;
        w->used[i] = true;
        timer_set(&w->timer[i], deadline);
        return i + 1;
    }
    return -ENOSPC;
}

static long change(struct domain_watchdogs *w, u32 i, u32 seconds, u64 deadline)
{
    if (!w->used[i])
        return -EINVAL;
    if (seconds != 0) {
        timer_set(&w->timer[i], deadline);
    } else {
        timer_stop(&w->timer[i]);
        w->used[i] = false;
    }
    return 0;
}

long watchdog_set(struct domain *d, u32 id, u32 seconds)
{
    u64 deadline = clock_now() + seconds * NS_PER_SEC;
    long rc;

    if (id > WATCHDOGS)
        return -EINVAL;
    if (d->watchdogs == NULL && watchdog_create(d) != 0)
        return -ENOMEM;
    lock_acquire(&d->lock);
    rc = id == 0 ? take(d->watchdogs, deadline) : change(d->watchdogs, id - 1, seconds, deadline);
    lock_release(&d->lock);
    return rc;
}

void watchdog_domain_fini(struct domain *d)
{
    u32 i;

    if (d->watchdogs == NULL)
        return;
    for (i = 0; i < WATCHDOGS; i++)
        timer_stop_sync(&d->watchdogs->timer[i]);
    domain_zfree(d, d->watchdogs, sizeof(*d->watchdogs));
    d->watchdogs = NULL;
}
