/* SPDX-License-Identifier: MIT */
/*
 * How does a domain end, while others still look at it, map its frames and are bound to its ports?
 *
 *   STOP      it is DYING: no vCPU runs again, no port is bound, no frame comes
 *   EVENTS    ports are closed; the peers' ends become unbound
 *   SHARED    shared_info and the vCPUs' info pages are exchanged for a dummy; the grant table is
 *             closed
 *   FRAMES    CR3, pins, page tables, frames (the guest kind's steps)
 *   GRANTS    what it had mapped of others is given back: no CPU has its page tables any more
 *   DONE      VIRQ_DOM_EXC; what others hold keeps the domain visible as dying
 *
 * Each step is short and the next one may be executed by another CPU. A frame somebody maps keeps
 * its count; with the last one the domain's own reference goes, and with the last reference the
 * domain, its id, and what it consists of (core/domain.c).
 *
 * Event delivery takes no lock and no reference on the pages it writes to. It does so in one go,
 * without a spin loop: a cross call to all CPUs after the pointers have changed waits for those who
 * still use the old ones.
 */
#include "core/domain.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/grant_map.h"
#include "core/page.h"
#include "core/sched_pool.h"
#include "pure/ptype.h"

#define PORTS_PER_STEP   64
#define HANDLES_PER_STEP 256
#define FRAMES_PER_LOOK  64
#define LOOK_COST        32 /* of the budget: lists in no order miss the cache at each frame */

enum phase { STOP, EVENTS, SHARED, FRAMES, GRANTS, DONE };

struct domain_teardown {
    enum phase phase;
    u32 busy; /* a CPU is executing a step; atomic */
    u32 port;
    u32 handle;                /* of its mappings, the next to look at */
    struct shared_info *dummy; /* a page nobody looks at */
};

static void nothing(void *arg)
{
    (void)arg;
}

static int close_ports(struct domain *d)
{
    struct domain_teardown *t = d->teardown;
    u32 n;

    for (n = 0; n < PORTS_PER_STEP; n++)
        if (!event_close_next(d, &t->port))
            return 0;
    return -ERESTART;
}

static void drop_shared(struct domain *d)
{
    struct shared_info *old = d->shared_info;
    u32 i;

    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_info_forget(d->vcpu[i]);
    WRITE_ONCE(d->shared_info, d->teardown->dummy);
    smp_call(CPU_MASK_ALL, nothing, NULL); /* who still uses the old one */
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_info_release(d->vcpu[i]);
    page_release(page_of(maddr_to_mfn(hmap_direct_to_maddr(old))));
    grant_domain_close(d);
}

/*
 * The frame the walk stands on is referenced, so that it stays on the list while the lock is free
 * and other frames leave it.
 */
int domain_walk_frames(struct domain *d, u64 bits, int (*fn)(struct domain *, struct page *, int *),
                       int *budget)
{
    struct page *pg = NULL, *next;
    u32 at;
    int rc;

    for (;;) {
        if (d->teardown_at != PAGE_LINK_END) {
            pg = page_of(MFN(d->teardown_at));
            rc = fn(d, pg, budget);
            if (rc != 0)
                return rc;
        }
        at = page_list_next(d, pg, bits, FRAMES_PER_LOOK);
        next = at != PAGE_LINK_END ? page_of(MFN(at)) : NULL;
        /* A neighbour that is just being freed by another CPU: it is off the list soon. */
        if (next != NULL && !ptype_get_page(next, d->id))
            return -ERESTART;
        d->teardown_at = at;
        if (pg != NULL)
            ptype_put_page(pg);
        if (next == NULL)
            return 0;
        *budget -= bits ? LOOK_COST : 1;
        if (*budget <= 0)
            return -ERESTART;
    }
}

static int release_frame(struct domain *d, struct page *pg, int *budget)
{
    u32 nr;

    page_release(pg);
    while (*budget > 0 && (nr = page_drop_unused(d, pg)) != 0)
        *budget -= (int)nr;
    return 0;
}

int domain_release_frames(struct domain *d, int *budget)
{
    return domain_walk_frames(d, 0, release_frame, budget);
}

static void finish(struct domain *d)
{
    WRITE_ONCE(d->relinquished, true);
    event_raise_global_virq(VIRQ_DOM_EXC);
    /* The caller has a reference of his own. */
    if (page_domain_finish(d))
        domain_put(d);
}

static int step(struct domain *d)
{
    struct domain_teardown *t = d->teardown;
    int rc = 0, budget;

    switch (t->phase) {
    case STOP:
        domain_stop_vcpus(d);
        sched_domain_retire(d);
        break;
    case EVENTS:
        rc = close_ports(d);
        break;
    case SHARED:
        drop_shared(d);
        break;
    case FRAMES:
        rc = d->kind->teardown_step(d);
        break;
    case GRANTS:
        budget = HANDLES_PER_STEP;
        rc = grant_unmap_all_step(d, &t->handle, &budget);
        if (rc == 0)
            finish(d);
        break;
    case DONE:
        return 0;
    }
    if (rc == 0)
        t->phase++;
    return t->phase == DONE ? 0 : -ERESTART;
}

/* The state from which there is no way back. */
static int begin(struct domain *d)
{
    struct domain_teardown *t = domain_zalloc(d, sizeof(*t));

    if (t != NULL)
        t->dummy = domain_zalloc(d, PAGE_SIZE);
    if (t == NULL || t->dummy == NULL) {
        domain_zfree(d, t, sizeof(*t));
        return -ENOMEM;
    }
    t->port = 1;
    lock_acquire(&d->lock);
    if (d->teardown == NULL) {
        d->state = DOMAIN_DYING;
        /* Before another caller can take the first step: a frame that came later would stay. */
        page_domain_close(d);
        atomic_store_release(&d->teardown, t);
        t = NULL;
    }
    lock_release(&d->lock);
    if (t != NULL) {
        domain_zfree(d, t->dummy, PAGE_SIZE);
        domain_zfree(d, t, sizeof(*t));
    }
    return 0;
}

int domain_destroy_step(struct domain *d)
{
    struct domain_teardown *t;
    int rc;

    if (d == domain_hardware || d == vcpu_current()->domain)
        return -EINVAL;
    if (atomic_load_acquire(&d->teardown) == NULL) {
        rc = begin(d);
        if (rc != 0)
            return rc;
    }
    t = d->teardown;
    if (atomic_xchg(&t->busy, 1u) != 0)
        return -ERESTART;
    rc = step(d);
    atomic_store_release(&t->busy, 0u);
    return rc;
}

void domain_teardown_fini(struct domain *d)
{
    struct domain_teardown *t = d->teardown;

    if (t == NULL)
        return;
    domain_zfree(d, t->dummy, PAGE_SIZE);
    domain_zfree(d, t, sizeof(*t));
}
