/* SPDX-License-Identifier: MIT */
/*
 * What time is it in the guest, how was it spent, and when does it want to be woken?
 *
 * vcpu_time_info carries the TSC's scale and one pair of TSC and nanoseconds; the guest computes
 * the rest. With TSCs that agree it never goes stale; otherwise it is renewed when the vCPU changes
 * CPU or a second has passed. Run-state accounting happens at transitions; the guest's copy is
 * written when a vCPU comes onto or leaves a CPU, through its own tables, and a fault only means
 * that it reads old numbers. Version words are read back from guest memory: a guest that scribbles
 * over them confuses only itself.
 */
#include "core/vtime.h"

#include "arch/clock.h"
#include "base/lib.h"
#include "core/event.h"
#include "core/guestmem.h"
#include "core/page.h"
#include "core/timer.h"

#define VTIME_RENEW_NS   NS_PER_SEC
#define VTIME_PERIOD_MIN 1000000ul
#define VTIME_PERIOD_MAX (~(u64)0 >> 2)
/* Every vCPU starts with a tick of 100 Hz, which kernels with other clocks turn off. */
#define VTIME_PERIOD_DEFAULT 10000000ul

struct vcpu_time {
    u32 seq;   /* odd while the accounts below change */
    int state; /* RUNSTATE_ */
    u64 since;
    u64 spent[4];
    u64 runstate_va, time_va; /* 0: none */
    u64 renewed;              /* when vcpu_time_info was written; 0: never */
    u32 renewed_cpu;
    struct timer single, periodic, poll;
    u64 period;    /* 0: none */
    u64 last_tick; /* of the periodic timer */
};

/* UTC at system time 0. */
static struct lock wallclock_lock = LOCK_INIT(RANK_TIMER);
static u64 wallclock_ns;

static void vtime_single_fire(void *arg)
{
    event_raise_virq(arg, VIRQ_TIMER);
}

static void vtime_poll_fire(void *arg)
{
    vcpu_unblock(arg);
}

/*
 * The periodic timer runs while its vCPU does: it wakes nobody, and a tick that was missed is made
 * up for by one when the vCPU comes back. So only v's own CPU touches it, with v on it.
 */
static void vtime_periodic_work(struct vcpu *v)
{
    struct vcpu_time *t = v->time;
    u64 period = READ_ONCE(t->period), now = clock_now();

    if (!period) {
        if (READ_ONCE(t->periodic.queued))
            timer_stop(&t->periodic);
        return;
    }
    if (now >= t->last_tick + period) {
        event_raise_virq(v, VIRQ_TIMER);
        t->last_tick = now;
    }
    timer_set(&t->periodic, t->last_tick + period);
}

static void vtime_periodic_fire(void *arg)
{
    vtime_periodic_work(arg);
}

int vtime_vcpu_init(struct vcpu *v)
{
    struct vcpu_time *t = domain_zalloc(v->domain, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->state = RUNSTATE_offline;
    t->since = t->last_tick = clock_now();
    t->period = VTIME_PERIOD_DEFAULT;
    timer_setup(&t->single, vtime_single_fire, v);
    timer_setup(&t->periodic, vtime_periodic_fire, v);
    timer_setup(&t->poll, vtime_poll_fire, v);
    v->time = t;
    return 0;
}

void vtime_vcpu_fini(struct vcpu *v)
{
    struct vcpu_time *t = v->time;

    if (!t)
        return;
    WRITE_ONCE(t->period, 0);
    timer_stop_sync(&t->single);
    timer_stop_sync(&t->periodic);
    timer_stop_sync(&t->poll);
    v->time = NULL;
    domain_zfree(v->domain, t, sizeof(*t));
}

/* Fields first or version first: the stores stay in this order on x86 (SDM vol. 3, 9.2.2). */
static void vtime_write_info(struct vcpu_time_info *to, const struct vcpu_time_info *from)
{
    u32 version = READ_ONCE(to->version) & ~1u;

    WRITE_ONCE(to->version, version + 1);
    compiler_barrier();
    WRITE_ONCE(to->tsc_timestamp, from->tsc_timestamp);
    WRITE_ONCE(to->system_time, from->system_time);
    WRITE_ONCE(to->tsc_to_system_mul, from->tsc_to_system_mul);
    WRITE_ONCE(to->tsc_shift, from->tsc_shift);
    WRITE_ONCE(to->flags, from->flags);
    compiler_barrier();
    WRITE_ONCE(to->version, version + 2);
}

/* The copy at a guest address has the same version words as the original. */
static void vtime_write_area(struct vcpu *v)
{
    const struct guest_kind *kind = v->domain->kind;
    u64 va = v->time->time_va;
    struct vcpu_time_info ti = v->info->time;
    u32 version = ti.version;

    ti.version = version - 1;
    if (kind->write_guest(v, va, &ti.version, sizeof(ti.version)) &&
        kind->write_guest(v, va, &ti, sizeof(ti)))
        (void)kind->write_guest(v, va, &version, sizeof(version));
}

void vtime_update(struct vcpu *v)
{
    struct vcpu_time_info ti = {.version = 0};
    struct vcpu_time *t = v->time;
    struct clock_scale scale;
    u64 stamp, ns;

    clock_guest_time(&stamp, &ns, &scale);
    ti.tsc_timestamp = stamp;
    ti.system_time = ns;
    ti.tsc_to_system_mul = scale.mul;
    ti.tsc_shift = scale.shift;
    ti.flags = clock_tsc_reliable() ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    vtime_write_info(&v->info->time, &ti);
    t->renewed = ns ? ns : 1;
    t->renewed_cpu = cpu_id();
    if (t->time_va)
        vtime_write_area(v);
}

/* wallclock_lock held. */
static void vtime_write_wallclock(struct domain *d)
{
    struct shared_info *s = d->shared_info;
    u32 version = READ_ONCE(s->wc_version) & ~1u;
    u64 sec = wallclock_ns / NS_PER_SEC + (u64)d->time_offset;

    WRITE_ONCE(s->wc_version, version + 1);
    compiler_barrier();
    WRITE_ONCE(s->wc_sec, (u32)sec);
    WRITE_ONCE(s->wc_nsec, (u32)(wallclock_ns % NS_PER_SEC));
    WRITE_ONCE(s->wc_sec_hi, (u32)(sec >> 32));
    compiler_barrier();
    WRITE_ONCE(s->wc_version, version + 2);
}

void vtime_update_wallclock(struct domain *d)
{
    u64 rtc_ns = 0;

    if (!READ_ONCE(wallclock_ns))
        rtc_ns = clock_read_rtc() * NS_PER_SEC;
    lock_acquire(&wallclock_lock);
    if (!wallclock_ns)
        wallclock_ns = rtc_ns - clock_now();
    vtime_write_wallclock(d);
    lock_release(&wallclock_lock);
}

void vtime_set_wallclock(u64 sec, u32 nsec, u64 at_ns)
{
    struct domain *d = NULL;

    lock_acquire(&wallclock_lock);
    wallclock_ns = sec * NS_PER_SEC + nsec - at_ns;
    lock_release(&wallclock_lock);
    while ((d = domain_after(d)) != NULL)
        vtime_update_wallclock(d);
}

void vtime_set_runstate(struct vcpu *v, int state, u64 now)
{
    struct vcpu_time *t = v->time;

    if (t->state == state)
        return;
    /* Readers on other CPUs retry while seq is odd or has changed; stores stay in order. */
    WRITE_ONCE(t->seq, t->seq + 1);
    compiler_barrier();
    if (now > t->since) {
        t->spent[t->state] += now - t->since;
        t->since = now;
    }
    t->state = state;
    compiler_barrier();
    WRITE_ONCE(t->seq, t->seq + 1);
}

/* The accounts at the last transition. */
static void vtime_read_runstate(const struct vcpu *v, struct vcpu_runstate_info *out)
{
    const struct vcpu_time *t = v->time;
    u32 seq;

    memset(out, 0, sizeof(*out));
    do {
        seq = atomic_load_acquire(&t->seq) & ~1u; /* odd: fails below */
        out->state = READ_ONCE(t->state);
        out->state_entry_time = READ_ONCE(t->since);
        memcpy(out->time, t->spent, sizeof(t->spent));
        compiler_barrier();
    } while (READ_ONCE(t->seq) != seq);
}

void vtime_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    u64 now;

    vtime_read_runstate(v, out);
    now = clock_now();
    if (now > out->state_entry_time)
        out->time[out->state & 3] += now - out->state_entry_time;
}

/* Three writes when the guest wants to be told of updates (VMASST_TYPE_runstate_update_flag). */
static void vtime_write_runstate(struct vcpu *v)
{
    const struct guest_kind *kind = v->domain->kind;
    const u64 va = v->time->runstate_va;
    const u64 entry_va = va + offsetof(struct vcpu_runstate_info, state_entry_time);
    struct vcpu_runstate_info ri;
    u64 entry;

    vtime_read_runstate(v, &ri);
    if (!(v->domain->assist >> VMASST_TYPE_runstate_update_flag & 1)) {
        (void)kind->write_guest(v, va, &ri, sizeof(ri));
        return;
    }
    entry = ri.state_entry_time;
    ri.state_entry_time = entry | XEN_RUNSTATE_UPDATE;
    if (kind->write_guest(v, entry_va, &ri.state_entry_time, sizeof(entry)) &&
        kind->write_guest(v, va, &ri, sizeof(ri)))
        (void)kind->write_guest(v, entry_va, &entry, sizeof(entry));
}

/*
 * Whether the memory is there matters only when it is written, as the guest may map and unmap it at
 * any time. The address belongs to the caller's tables, which v shares or will load.
 */
static int vtime_register(struct vcpu *v, u64 *area, u64 guest_va, const void *now, size_t size)
{
    if (guest_va && !guestmem_range_ok((const void *)guest_va, size))
        return -EFAULT;
    *area = guest_va;
    if (guest_va)
        (void)v->domain->kind->write_guest(vcpu_current(), guest_va, now, size);
    return 0;
}

int vtime_register_runstate(struct vcpu *v, u64 guest_va)
{
    struct vcpu_runstate_info ri;

    vtime_get_runstate(v, &ri);
    return vtime_register(v, &v->time->runstate_va, guest_va, &ri, sizeof(ri));
}

int vtime_register_time_area(struct vcpu *v, u64 guest_va)
{
    struct vcpu_time_info ti = v->info->time;

    return vtime_register(v, &v->time->time_va, guest_va, &ti, sizeof(ti));
}

void vtime_set_singleshot(struct vcpu *v, u64 deadline)
{
    struct timer *t = &v->time->single;

    if (deadline > clock_now()) {
        timer_set(t, deadline);
        return;
    }
    if (READ_ONCE(t->queued))
        timer_stop(t);
    if (deadline)
        event_raise_virq(v, VIRQ_TIMER);
}

/* One that runs elsewhere does it on its own CPU, one that does not run when it comes back. */
static void vtime_periodic_changed(struct vcpu *v)
{
    if (v == vcpu_current())
        vtime_periodic_work(v);
    else
        vcpu_defer(v, VDEFER_RUNSTATE);
}

int vtime_set_periodic(struct vcpu *v, u64 period_ns)
{
    struct vcpu_time *t = v->time;

    if (period_ns < VTIME_PERIOD_MIN || period_ns > VTIME_PERIOD_MAX)
        return -EINVAL;
    WRITE_ONCE(t->period, period_ns);
    vtime_periodic_changed(v);
    return 0;
}

void vtime_stop_periodic(struct vcpu *v)
{
    WRITE_ONCE(v->time->period, 0);
    vtime_periodic_changed(v);
}

void vtime_switch_in(struct vcpu *v)
{
    struct vcpu_time *t = v->time;
    u32 cpu = cpu_id();

    if (!t->renewed || (!clock_tsc_reliable() &&
                        (t->renewed_cpu != cpu || clock_now() - t->renewed > VTIME_RENEW_NS)))
        vtime_update(v);
    if (t->runstate_va)
        vtime_write_runstate(v);
    timer_migrate(&t->single, cpu);
    if (READ_ONCE(t->period) || READ_ONCE(t->periodic.queued))
        vtime_periodic_work(v);
}

void vtime_switch_out(struct vcpu *v)
{
    if (READ_ONCE(v->time->periodic.queued))
        timer_stop(&v->time->periodic);
    if (v->time->runstate_va)
        vtime_write_runstate(v);
}

void vtime_poll_timeout(struct vcpu *v, u64 deadline)
{
    if (deadline == 0)
        timer_stop(&v->time->poll);
    else
        timer_set(&v->time->poll, deadline);
}
