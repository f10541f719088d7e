/* SPDX-License-Identifier: MIT */
/*
 * May this vCPU run, who must hear that it may not, and where is its vcpu_info?
 *
 * A vCPU is runnable when no reason against it is set in `pause`. The one who sets the first reason
 * or clears the last tells the scheduler, which looks at `pause` again under its lock: so setters
 * and clearers may race freely. Events reach a vCPU by its upcall byte; this file only makes sure
 * that somebody looks at it.
 */
#include "core/vcpu.h"

#include "arch/insn.h"
#include "arch/smp.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/vtime.h"
#include "pure/ptype.h"

static size_t vcpu_fpu_size(void)
{
    return MAX((size_t)fpu_area_size(), PAGE_SIZE); /* whole pages: 64-byte aligned */
}

static int vcpu_init_parts(struct vcpu *v)
{
    void *area = domain_zalloc(v->domain, vcpu_fpu_size());
    int rc;

    if (!area)
        return -ENOMEM;
    fpu_init_state(&v->fpu, area);
    rc = sched_vcpu_init(v);
    if (rc == 0)
        rc = vtime_vcpu_init(v);
    if (rc == 0)
        rc = v->domain->kind->vcpu_init(v);
    return rc;
}

void vcpu_info_forget(struct vcpu *v)
{
    WRITE_ONCE(v->info, &v->no_info);
    if (v->domain->kind->info_moved)
        v->domain->kind->info_moved(v);
}

void vcpu_info_release(struct vcpu *v)
{
    struct page *pg = v->info_page;

    if (!pg)
        return;
    v->info_page = NULL;
    ptype_put_type(pg);
    ptype_put_page(pg);
}

static void vcpu_free(struct vcpu *v)
{
    if (v->pv || v->hvm)
        v->domain->kind->vcpu_fini(v);
    vtime_vcpu_fini(v);
    sched_vcpu_fini(v);
    vcpu_info_release(v);
    domain_zfree(v->domain, v->fpu.area, vcpu_fpu_size());
    domain_zfree(v->domain, v, sizeof(*v));
}

int vcpu_create(struct domain *d, u32 id)
{
    struct vcpu *v;
    int rc;

    if (id >= d->max_vcpus)
        return -EINVAL;
    if (d->vcpu[id])
        return -EEXIST;
    v = domain_zalloc(d, sizeof(*v));
    if (!v)
        return -ENOMEM;
    v->id = id;
    v->domain = d;
    v->pause = VPAUSE_DOWN;
    if (READ_ONCE(d->pause_count))
        v->pause |= VPAUSE_DOMAIN;
    v->no_info.evtchn_upcall_mask = 1;
    v->info =
        id < ARRAY_SIZE(d->shared_info->vcpu_info) ? &d->shared_info->vcpu_info[id] : &v->no_info;
    rc = vcpu_init_parts(v);
    if (rc) {
        vcpu_free(v);
        return rc;
    }
    atomic_store_release(&d->vcpu[id], v);
    return 0;
}

void vcpu_destroy(struct vcpu *v)
{
    if (v->sched) {
        vcpu_pause_set(v, VPAUSE_DOWN);
        vcpu_pause_wait(v, VPAUSE_DOWN);
    }
    v->domain->vcpu[v->id] = NULL;
    vcpu_free(v);
}

void vcpu_pause_set(struct vcpu *v, u32 bits)
{
    if (atomic_fetch_or(&v->pause, bits) == 0)
        sched_sleep(v);
}

void vcpu_pause_clear(struct vcpu *v, u32 bits)
{
    u32 old = atomic_fetch_and(&v->pause, ~bits);

    if (old && !(old & ~bits))
        sched_wake(v);
}

void vcpu_pause_wait(struct vcpu *v, u32 bits)
{
    ASSERT(v != vcpu_current());
    sched_sleep(v); /* whoever set the first bit may not have come to it */
    /* Its CPU was kicked; it may itself be waiting for us to answer a cross call. */
    while (atomic_load_acquire(&v->running) && READ_ONCE(v->pause) & bits) {
        smp_serve_mailbox();
        insn_pause();
    }
    sched_sync_vcpu_state(v);
}

void vcpu_unblock(struct vcpu *v)
{
    if (!(READ_ONCE(v->pause) & VPAUSE_BLOCKED))
        return;
    if (READ_ONCE(v->poll_any)) {
        event_poll_end(v);
        vtime_poll_timeout(v, 0);
    }
    vcpu_pause_clear(v, VPAUSE_BLOCKED);
}

void vcpu_notify(struct vcpu *v)
{
    if (v == vcpu_current() && likely(!(READ_ONCE(v->pause) & VPAUSE_BLOCKED)))
        return; /* it looks at its events on the way out */
    vcpu_unblock(v);
    /*
     * Also when its events are masked: it may be unmasking them right now, past its own check.
     * Not running, or just chosen: it looks before it enters (sched_choose orders that).
     */
    if (READ_ONCE(v->running) && READ_ONCE(v->cpu) != cpu_id())
        cpu_kick_work(READ_ONCE(v->cpu), WORK_EXIT);
}

bool vcpu_block(struct vcpu *v)
{
    WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
    if (READ_ONCE(v->info->evtchn_upcall_pending))
        return false;
    /* Fully ordered: who raises an event after our second look finds us blocked. */
    atomic_fetch_or(&v->pause, VPAUSE_BLOCKED);
    if (v->domain->kind->event_due(v)) {
        vcpu_stay(v);
        return false;
    }
    cpu_kick_work(cpu_id(), WORK_RESCHED);
    return true;
}

void vcpu_stay(struct vcpu *v)
{
    /* A pause that came meanwhile found a vCPU that was about to sleep, and kicked nobody. */
    if (atomic_fetch_and(&v->pause, ~VPAUSE_BLOCKED) & ~VPAUSE_BLOCKED)
        cpu_kick_work(cpu_id(), WORK_RESCHED);
}

void vcpu_defer(struct vcpu *v, u32 bits)
{
    atomic_fetch_or(&v->defer, bits);
    if (bits & VDEFER_NMI)
        vcpu_unblock(v);
    if (v == vcpu_current())
        cpu_kick_work(cpu_id(), WORK_EXIT);
    else if (READ_ONCE(v->running))
        cpu_kick_work(READ_ONCE(v->cpu), WORK_EXIT);
}

int vcpu_register_info(struct vcpu *v, mfn_t mfn, u32 offset)
{
    struct domain *d = v->domain;
    struct page *pg;

    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
        return -ENXIO;
    if (v->info_page || (v != vcpu_current() && !(READ_ONCE(v->pause) & VPAUSE_DOWN)))
        return -EINVAL;
    if (!page_valid(mfn))
        return -EINVAL;
    pg = page_of(mfn);
    if (!ptype_get_page(pg, d->id))
        return -EINVAL;
    if (ptype_get_type(pg, PTYPE_WRITABLE)) {
        ptype_put_page(pg);
        return -EINVAL;
    }
    v->info_page = pg;
    event_move_info(v, (struct vcpu_info *)(void *)((u8 *)port_map(mfn) + offset));
    if (d->kind->info_moved)
        d->kind->info_moved(v);
    return 0;
}
