/* SPDX-License-Identifier: MIT */
/*
 * Which domains are there, who refers to them, and how do they live and end?
 *
 *   BUILDING --unpause--> ALIVE --shutdown/crash--> SHUTDOWN --destroy--> DYING --last ref--> DEAD
 *
 * The last reference may go anywhere, with locks held: what is left of the domain is then freed by
 * a timer, which finds nothing held.
 *
 * Domains are found through a two-level directory by id; a reference keeps one from being freed.
 * What a domain consists of is created here in one order and undone in the reverse one.
 */
#include "core/domain.h"

#include "core/console.h"
#include "core/event.h"
#include "core/page.h"
#include "core/grant.h"
#include "core/pirq.h"
#include "core/sched_pool.h"
#include "core/timer.h"
#include "core/vtime.h"
#include "core/watchdog.h"
#include "pure/cpupolicy.h"

#define DIR_SHIFT   9
#define DIR_ENTRIES (1u << DIR_SHIFT)

struct domain *domain_hardware;
struct domain *domain_idle;

static struct domain **dir[DOMID_FIRST_RESERVED / DIR_ENTRIES + 1];
static struct lock list_lock = LOCK_INIT(RANK_DOMLIST);

/* Domains without references, and who frees them. */
static struct domain *reap_list; /* atomic */
static struct timer reap_timer;
static domid_t last_id; /* given out by domain_create_any; under list_lock */

struct domain *domain_lookup(domid_t id)
{
    struct domain **page;

    if (id >= DOMID_FIRST_RESERVED)
        return NULL;
    page = atomic_load_acquire(&dir[id >> DIR_SHIFT]);
    return page == NULL ? NULL : atomic_load_acquire(&page[id & (DIR_ENTRIES - 1)]);
}

/* One more reference unless the last one has gone. */
static struct domain *ref(struct domain *d)
{
    u32 n = d != NULL ? atomic_load(&d->refs) : 0;

    while (n != 0)
        if (atomic_cmpxchg(&d->refs, &n, n + 1))
            return d;
    return NULL;
}

struct domain *domain_get(domid_t id)
{
    struct domain *d;

    lock_acquire(&list_lock);
    d = ref(domain_lookup(id));
    lock_release(&list_lock);
    return d;
}

struct domain *domain_next(domid_t id)
{
    struct domain *d = NULL;
    u32 i = id;

    lock_acquire(&list_lock);
    while (i < DOMID_FIRST_RESERVED && d == NULL) {
        if (dir[i >> DIR_SHIFT] == NULL) {
            i = (i | (DIR_ENTRIES - 1)) + 1;
            continue;
        }
        d = ref(domain_lookup((domid_t)i++));
    }
    lock_release(&list_lock);
    return d;
}

struct domain *domain_after(struct domain *d)
{
    u32 id = d != NULL ? d->id + 1u : 0;

    if (d != NULL)
        domain_put(d);
    return domain_next((domid_t)id);
}

static int dir_insert(struct domain *d)
{
    struct domain ***slot = &dir[d->id >> DIR_SHIFT];
    struct domain **fresh = NULL;
    int rc = 0;

    if (*slot == NULL) {
        fresh = page_zalloc(DIR_ENTRIES * sizeof(struct domain *));
        if (fresh == NULL)
            return -ENOMEM;
    }
    lock_acquire(&list_lock);
    if (*slot == NULL) {
        atomic_store_release(slot, fresh);
        fresh = NULL;
    }
    if ((*slot)[d->id & (DIR_ENTRIES - 1)] != NULL)
        rc = -EEXIST;
    else
        atomic_store_release(&(*slot)[d->id & (DIR_ENTRIES - 1)], d);
    lock_release(&list_lock);
    page_zfree(fresh, DIR_ENTRIES * sizeof(struct domain *));
    return rc;
}

static void dir_remove(struct domain *d)
{
    lock_acquire(&list_lock);
    atomic_store_release(&dir[d->id >> DIR_SHIFT][d->id & (DIR_ENTRIES - 1)],
                         (struct domain *)NULL);
    lock_release(&list_lock);
}

void *domain_zalloc(struct domain *d, size_t size)
{
    void *p = page_zalloc(size);

    if (p != NULL)
        __atomic_fetch_add(&d->charge, page_zsize(size), __ATOMIC_RELAXED);
    return p;
}

void domain_zfree(struct domain *d, void *p, size_t size)
{
    if (p != NULL)
        __atomic_fetch_sub(&d->charge, page_zsize(size), __ATOMIC_RELAXED);
    page_zfree(p, size);
}

mfn_t domain_alloc_frame(struct domain *d)
{
    mfn_t m = page_alloc_hv(0);

    if (!mfn_eq(m, MFN_INVALID))
        __atomic_fetch_add(&d->charge, PAGE_SIZE, __ATOMIC_RELAXED);
    return m;
}

void domain_free_frame(struct domain *d, mfn_t mfn)
{
    __atomic_fetch_sub(&d->charge, PAGE_SIZE, __ATOMIC_RELAXED);
    page_free_hv(mfn, 0);
}

#define RANGES_MAX 64

static struct range_set *range_set_new(struct domain *d)
{
    struct range_set *s = domain_zalloc(d, sizeof(*s) + RANGES_MAX * sizeof(struct range));

    if (s != NULL)
        range_init(s, (struct range *)(s + 1), RANGES_MAX);
    return s;
}

static void range_set_free(struct domain *d, struct range_set *s)
{
    domain_zfree(d, s, sizeof(*s) + RANGES_MAX * sizeof(struct range));
}

static void shared_info_free(struct domain *d)
{
    if (d->shared_info != NULL && d->teardown == NULL)
        page_release(page_of(maddr_to_mfn(hmap_direct_to_maddr(d->shared_info))));
}

static int shared_info_new(struct domain *d)
{
    mfn_t m = page_alloc_hv(0);
    u32 i;

    if (mfn_eq(m, MFN_INVALID))
        return -ENOMEM;
    d->shared_info = port_map(m);
    for (i = 0; i < ARRAY_SIZE(d->shared_info->vcpu_info); i++)
        d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    page_share_with(d, m, true);
    return 0;
}

static int parts_create(struct domain *d, u32 pool)
{
    int rc;

    d->ioports = range_set_new(d);
    d->iomem = range_set_new(d);
    d->irqs = range_set_new(d);
    d->vcpu = domain_zalloc(d, d->max_vcpus * sizeof(struct vcpu *));
    if (d->ioports == NULL || d->iomem == NULL || d->irqs == NULL || d->vcpu == NULL)
        return -ENOMEM;
    rc = sched_domain_init(d, pool);
    if (rc == 0)
        rc = shared_info_new(d);
    if (rc == 0)
        rc = event_domain_init(d);
    if (rc == 0)
        rc = pirq_domain_init(d);
    if (rc == 0)
        rc = grant_domain_init(d);
    if (rc == 0)
        rc = d->kind->domain_init(d);
    if (rc == 0)
        vtime_update_wallclock(d);
    return rc;
}

static void parts_destroy(struct domain *d)
{
    u32 i;

    for (i = 0; d->vcpu != NULL && i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_destroy(d->vcpu[i]);
    sched_domain_fini(d);
    if (d->pv != NULL || d->hvm != NULL)
        d->kind->domain_fini(d);
    if (d->pirq != NULL)
        pirq_domain_fini(d);
    if (d->evt != NULL)
        event_domain_fini(d);
    grant_domain_fini(d);
    shared_info_free(d);
    domain_teardown_fini(d);
    watchdog_domain_fini(d);
    domain_zfree(d, d->vcpu, d->max_vcpus * sizeof(struct vcpu *));
    domain_zfree(d, d->memory_map, sizeof(*d->memory_map));
    domain_zfree(d, d->cpu_policy, sizeof(*d->cpu_policy));
    range_set_free(d, d->ioports);
    range_set_free(d, d->iomem);
    range_set_free(d, d->irqs);
}

static void free_last(struct domain *d)
{
    ASSERT(d->charge == page_zsize(sizeof(*d))); /* all that was taken for it is freed */
    page_zfree(d, sizeof(*d));
}

static void reap(void *arg);

int domain_create(domid_t id, const struct guest_kind *kind, u32 max_vcpus, u32 pool,
                  bool privileged, struct domain **out)
{
    struct domain *d;
    int rc;

    if (privileged) /* the first one, at boot */
        timer_setup(&reap_timer, reap, NULL);

    if (id >= DOMID_FIRST_RESERVED || max_vcpus == 0 || max_vcpus > MAX_VCPUS)
        return -EINVAL;
    d = page_zalloc(sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    d->id = id;
    d->charge = page_zsize(sizeof(*d));
    d->kind = kind;
    d->max_vcpus = max_vcpus;
    d->privileged = privileged;
    d->state = DOMAIN_BUILDING;
    d->pause_count = 1;
    d->shutdown_code = DOMAIN_CODE_NONE;
    d->page_list = d->teardown_at = PAGE_LINK_END;
    lock_init(&d->lock, RANK_DOMAIN);
    rc = dir_insert(d);
    if (rc == 0) {
        rc = parts_create(d, pool);
        if (rc != 0)
            dir_remove(d);
    }
    /* Without a reference nobody finds it: all its parts are there first. */
    if (rc == 0)
        atomic_store_release(&d->refs, 2u); /* its own, the caller's */
    if (rc != 0) {
        parts_destroy(d);
        free_last(d);
        return rc;
    }
    *out = d;
    return 0;
}

int domain_create_any(const struct guest_kind *kind, u32 max_vcpus, u32 pool, struct domain **out)
{
    u32 tries, id;
    int rc = -ENOSPC;

    for (tries = 1; tries < DOMID_FIRST_RESERVED; tries++) {
        lock_acquire(&list_lock);
        id = last_id + 1u < DOMID_FIRST_RESERVED ? last_id + 1u : 1;
        last_id = (domid_t)id;
        lock_release(&list_lock);
        if (domain_lookup((domid_t)id) != NULL)
            continue;
        rc = domain_create((domid_t)id, kind, max_vcpus, pool, false, out);
        if (rc != -EEXIST)
            break;
    }
    if (rc == 0)
        (*out)->tool_pauses = 1;
    return rc;
}

/* In the timer interrupt: no lock is held. */
static void reap(void *arg)
{
    struct domain *d = atomic_xchg(&reap_list, (struct domain *)NULL), *next;

    (void)arg;
    for (; d != NULL; d = next) {
        next = d->next;
        d->state = DOMAIN_DEAD;
        parts_destroy(d);
        dir_remove(d);
        free_last(d);
        event_raise_global_virq(VIRQ_DOM_EXC);
    }
}

void domain_put(struct domain *d)
{
    struct domain *head;

    if (atomic_sub_return(&d->refs, 1) != 0)
        return;
    head = atomic_load(&reap_list);
    do
        d->next = head;
    while (!atomic_cmpxchg(&reap_list, &head, d));
    timer_set(&reap_timer, 1); /* a time that is past: at the next interrupt window */
}

void domain_pause_vcpus(struct domain *d, u32 bits)
{
    u32 i;

    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_pause_set(d->vcpu[i], bits);
}

/* Waits until the vCPUs are off their CPUs, each as long as it is paused. */
static void vcpus_sync(struct domain *d)
{
    u32 i;

    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL && d->vcpu[i] != vcpu_current())
            vcpu_pause_wait(d->vcpu[i], VPAUSE_DOMAIN);
}

void domain_stop_vcpus(struct domain *d)
{
    domain_pause_vcpus(d, VPAUSE_DOMAIN);
    vcpus_sync(d);
}

/* Lock held: the count is zero and the domain may run. */
static void vcpus_unpause(struct domain *d)
{
    u32 i;

    if (d->pause_count != 0 || d->state >= DOMAIN_SHUTDOWN)
        return;
    d->state = DOMAIN_ALIVE;
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_pause_clear(d->vcpu[i], VPAUSE_DOMAIN);
}

void domain_pause(struct domain *d)
{
    lock_acquire(&d->lock);
    d->pause_count++;
    domain_pause_vcpus(d, VPAUSE_DOMAIN);
    lock_release(&d->lock);
    /* The count keeps them paused. */
    vcpus_sync(d);
}

void domain_unpause(struct domain *d)
{
    lock_acquire(&d->lock);
    d->pause_count--;
    vcpus_unpause(d);
    lock_release(&d->lock);
}

void domain_tool_pause(struct domain *d)
{
    lock_acquire(&d->lock);
    d->tool_pauses++;
    d->pause_count++;
    domain_pause_vcpus(d, VPAUSE_DOMAIN);
    lock_release(&d->lock);
    vcpus_sync(d);
}

int domain_tool_unpause(struct domain *d)
{
    int rc = -EINVAL;

    lock_acquire(&d->lock);
    if (d->tool_pauses != 0) {
        d->tool_pauses--;
        d->pause_count--;
        vcpus_unpause(d);
        rc = 0;
    }
    lock_release(&d->lock);
    return rc;
}

int domain_resume(struct domain *d)
{
    int rc = -EINVAL;

    lock_acquire(&d->lock);
    if (d->state == DOMAIN_SHUTDOWN) {
        d->state = DOMAIN_ALIVE;
        d->was_shut_down = false;
        d->shutdown_code = DOMAIN_CODE_NONE;
        vcpus_unpause(d);
        rc = 0;
    }
    lock_release(&d->lock);
    return rc;
}

/* dom0's own shutdown is the machine's. */
static NORETURN void hardware_shutdown(u32 reason)
{
    static const char *const name[] = {"poweroff", "reboot",   "suspend",
                                       "crash",    "watchdog", "soft reset"};

    if (console_options.noreboot && reason != SHUTDOWN_poweroff) {
        log_msg(LOG_ERR, "Hardware Dom0 %s (code %u, %s): halted, as noreboot says",
                reason == SHUTDOWN_crash ? "crashed" : "shutdown", reason,
                reason < ARRAY_SIZE(name) ? name[reason] : "unknown");
        domain_machine_halt();
    }
    switch (reason) {
    case SHUTDOWN_poweroff:
        log_msg(LOG_ERR, "Hardware Dom0 halted: halting machine");
        domain_machine_halt();
    case SHUTDOWN_crash:
        log_msg(LOG_ERR, "Hardware Dom0 crashed: rebooting machine");
        break;
    case SHUTDOWN_watchdog:
        log_msg(LOG_ERR, "Hardware Dom0 shutdown: watchdog rebooting machine");
        break;
    default:
        log_msg(LOG_ERR, "Hardware Dom0 shutdown: rebooting machine");
        break;
    }
    domain_machine_restart();
}

/* Lock held. */
static void latch_code(struct domain *d, u32 code)
{
    if (d->shutdown_code == DOMAIN_CODE_NONE)
        d->shutdown_code = code;
}

void domain_latch_shutdown_code(struct domain *d, u32 code)
{
    lock_acquire(&d->lock);
    latch_code(d, code);
    lock_release(&d->lock);
}

void domain_shutdown(struct domain *d, u32 reason)
{
    bool first;

    lock_acquire(&d->lock);
    first = d->state < DOMAIN_SHUTDOWN;
    if (first)
        latch_code(d, reason);
    if (d == domain_hardware) {
        lock_release(&d->lock);
        hardware_shutdown(d->shutdown_code);
    }
    if (first) {
        d->state = DOMAIN_SHUTDOWN;
        d->was_shut_down = true;
        domain_pause_vcpus(d, VPAUSE_DOMAIN);
    }
    lock_release(&d->lock);
    if (!first)
        return;
    event_raise_global_virq(VIRQ_DOM_EXC);
}
