/* SPDX-License-Identifier: MIT */
/*
 * sched_op, vcpu_op and set_timer_op (public headers sched.h, vcpu.h): waiting, shutting down,
 * bringing up the other vCPUs, and the per-vCPU areas and timers.
 */
#include "abi/abi.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "core/page.h"
#include "core/physmap.h"
#include "core/sched.h"
#include "core/vtime.h"
#include "core/watchdog.h"

#define POLL_PORTS_MAX 128

static long op_block(void)
{
    struct vcpu *v = vcpu_current();

    WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
    (void)vcpu_block(v);
    return 0;
}

/* True when one of the ports is pending; *rc is an error when they cannot be read. */
static bool poll_look(const struct sched_poll *p, u32 *first, long *rc)
{
    const struct domain *d = vcpu_current()->domain;
    evtchn_port_t port;
    u32 i;

    *rc = 0;
    for (i = 0; i < p->nr_ports; i++) {
        if (!GUESTMEM_IN(&port, p->ports.p + i)) {
            *rc = -EFAULT;
            return true;
        }
        *rc = event_port_pending(d, port);
        if (*rc != 0) {
            *rc = MIN(*rc, 0);
            return true;
        }
        if (i == 0)
            *first = port;
    }
    return false;
}

static long op_poll(u64 arg)
{
    struct vcpu *v = vcpu_current();
    struct sched_poll p;
    u32 first = 0;
    long rc;

    if (!GUESTMEM_IN(&p, (const void *)arg))
        return -EFAULT;
    if (p.nr_ports > POLL_PORTS_MAX)
        return -EINVAL;
    if (!guestmem_range_ok(p.ports.p, p.nr_ports * sizeof(evtchn_port_t)))
        return -EFAULT;
    if (poll_look(&p, &first, &rc))
        return rc;
    /*
     * Blocked and announced first, then a second look: an event after it finds both and wakes us
     * (vcpu_unblock), one before it is seen by the look.
     */
    atomic_fetch_or(&v->pause, VPAUSE_BLOCKED);
    event_poll_begin(v, p.nr_ports == 1 ? first : 0);
    if (v->domain->kind->event_due(v) || poll_look(&p, &first, &rc)) {
        event_poll_end(v);
        vcpu_stay(v);
        return rc;
    }
    if (p.timeout != 0)
        vtime_poll_timeout(v, p.timeout);
    cpu_kick_work(cpu_id(), WORK_RESCHED);
    return 0;
}

static long op_shutdown(u64 arg)
{
    struct sched_shutdown s;

    if (!GUESTMEM_IN(&s, (const void *)arg))
        return -EFAULT;
    /* With its registers, for who has to find out why. Effective on the way out. */
    if ((u8)s.reason == SHUTDOWN_crash) {
        domain_crash(vcpu_current()->domain, "its kernel says so (SHUTDOWN_crash)");
        return 0;
    }
    /* The tools see eight bits; what a code means is between them and the guest. */
    domain_shutdown(vcpu_current()->domain, (u8)s.reason);
    return 0;
}

static long op_shutdown_code(u64 arg)
{
    struct sched_shutdown s;

    if (!GUESTMEM_IN(&s, (const void *)arg))
        return -EFAULT;
    domain_latch_shutdown_code(vcpu_current()->domain, (u8)s.reason);
    return 0;
}

static long op_watchdog(u64 arg)
{
    struct sched_watchdog w;

    if (!GUESTMEM_IN(&w, (const void *)arg))
        return -EFAULT;
    return watchdog_set(vcpu_current()->domain, w.id, w.timeout);
}

static long op_remote_shutdown(u64 arg)
{
    struct sched_remote_shutdown s;
    struct domain *d;

    if (!GUESTMEM_IN(&s, (const void *)arg))
        return -EFAULT;
    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    /* By its number: no DOMID_SELF here. */
    d = domain_get(s.domain_id);
    if (d == NULL)
        return -ESRCH;
    domain_shutdown(d, (u8)s.reason);
    domain_put(d);
    return 0;
}

static long op_pin_override(u64 arg)
{
    struct sched_pin_override p;

    if (!vcpu_current()->domain->privileged)
        return -EPERM;
    if (!GUESTMEM_IN(&p, (const void *)arg))
        return -EFAULT;
    return sched_pin_override(vcpu_current(), p.pcpu);
}

long abi_sched_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    switch ((u32)cmd) {
    case SCHEDOP_yield:
        sched_yield();
        return 0;
    case SCHEDOP_block:
        return op_block();
    case SCHEDOP_shutdown:
        return op_shutdown(arg);
    case SCHEDOP_poll:
        return op_poll(arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(arg);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(arg);
    case SCHEDOP_watchdog:
        return op_watchdog(arg);
    case SCHEDOP_pin_override:
        return op_pin_override(arg);
    default:
        return -ENOSYS;
    }
}

/* A deadline with the top bit is a wrapped one and means now, here and in set_singleshot. */
long abi_set_timer_op(u64 deadline, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    vtime_set_singleshot(vcpu_current(), (s64)deadline < 0 ? 1 : deadline);
    return 0;
}

/* Under the domain's lock: two vCPUs may start a third at the same time. */
static long initialise_step(struct vcpu *v, struct vcpu_guest_context *ctx)
{
    struct domain *d = v->domain;
    long rc = -EEXIST;

    lock_acquire(&d->lock);
    if (!v->initialised)
        rc = d->kind->hypercall_context(v, ctx, true);
    lock_release(&d->lock);
    return rc;
}

static long vcpu_initialise(struct vcpu *v, u64 arg)
{
    struct vcpu_guest_context *ctx;
    long rc = -EFAULT;

    if (v->hvm != NULL)
        return hypercall_refuse(-EOPNOTSUPP, "vcpu_op: initialise: vCPU %u starts by IPI", v->id);
    /* It would run without a place for its events. */
    if (v->info == &v->no_info)
        return hypercall_refuse(-EINVAL, "vcpu_op: initialise: vCPU %u has no vcpu_info", v->id);
    ctx = page_zalloc(sizeof(*ctx));
    if (ctx == NULL)
        return -ENOMEM;
    if (guestmem_copy_in(ctx, (const void *)arg, sizeof(*ctx))) {
        do
            rc = initialise_step(v, ctx);
        while (rc == -ERESTART && !hypercall_preempt());
    }
    page_zfree(ctx, sizeof(*ctx));
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_vcpu_op, VCPUOP_initialise, v->id, arg, 0);
    return rc;
}

static long vcpu_up(struct vcpu *v)
{
    if (!v->initialised)
        return -EINVAL;
    vcpu_pause_clear(v, VPAUSE_DOWN);
    return 0;
}

static long vcpu_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    u32 i, others = 0;

    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL && d->vcpu[i] != v && !(READ_ONCE(d->vcpu[i]->pause) & VPAUSE_DOWN))
            others++;
    if (others == 0)
        domain_shutdown(d, SHUTDOWN_poweroff);
    else
        vcpu_pause_set(v, VPAUSE_DOWN);
    return 0;
}

static long register_info(struct vcpu *v, u64 arg)
{
    struct vcpu_register_vcpu_info a;
    mfn_t mfn;
    long rc;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    mfn = MFN(a.mfn);
    if (v->domain->physmap != NULL && !physmap_find(v->domain, GFN(a.mfn), &mfn))
        return -EINVAL;
    lock_acquire(&v->domain->lock);
    rc = vcpu_register_info(v, mfn, a.offset);
    lock_release(&v->domain->lock);
    return rc;
}

static long register_runstate(struct vcpu *v, u64 arg)
{
    struct vcpu_register_runstate_memory_area a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return vtime_register_runstate(v, (u64)a.addr.h.p);
}

static long register_time(struct vcpu *v, u64 arg)
{
    struct vcpu_register_time_memory_area a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return vtime_register_time_area(v, (u64)a.addr.h.p);
}

static long get_runstate(struct vcpu *v, u64 arg)
{
    struct vcpu_runstate_info r;

    vtime_get_runstate(v, &r);
    return GUESTMEM_OUT((void *)arg, &r) ? 0 : -EFAULT;
}

static long set_periodic(struct vcpu *v, u64 arg)
{
    struct vcpu_set_periodic_timer a;

    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    return vtime_set_periodic(v, a.period_ns);
}

static long set_singleshot(struct vcpu *v, u64 arg)
{
    struct vcpu_set_singleshot_timer a;

    if (v != vcpu_current())
        return -EINVAL;
    if (!GUESTMEM_IN(&a, (const void *)arg))
        return -EFAULT;
    /*
     * VCPU_SSHOTTMR_future may be ignored (public header vcpu.h): an error for a deadline that has
     * just passed keeps a loaded guest trying for ever.
     */
    vtime_set_singleshot(v, (s64)a.timeout_abs_ns <= 0 ? 1 : a.timeout_abs_ns);
    return 0;
}

static long get_physid(struct vcpu *v, u64 arg)
{
    struct vcpu_get_physid p;

    /* One that may move has no processor that its kernel could name. */
    if (v->domain != domain_hardware || !sched_is_pinned(v))
        return -EINVAL;
    p.phys_id = cpu_apic_id(v->cpu) | ((u64)cpu_acpi_id(v->cpu) << 32);
    return GUESTMEM_OUT((void *)arg, &p) ? 0 : -EFAULT;
}

static long vcpu_op(u64 cmd, struct vcpu *v, u64 arg)
{
    switch (cmd) {
    case VCPUOP_initialise:
        return vcpu_initialise(v, arg);
    case VCPUOP_up:
        return vcpu_up(v);
    case VCPUOP_down:
        return vcpu_down(v);
    case VCPUOP_is_up:
        return !(READ_ONCE(v->pause) & VPAUSE_DOWN);
    case VCPUOP_get_runstate_info:
        return get_runstate(v, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        vtime_stop_periodic(v);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        if (v != vcpu_current())
            return -EINVAL;
        vtime_set_singleshot(v, 0);
        return 0;
    case VCPUOP_register_vcpu_info:
        return register_info(v, arg);
    case VCPUOP_send_nmi:
        vcpu_defer(v, VDEFER_NMI);
        return 0;
    case VCPUOP_get_physid:
        return get_physid(v, arg);
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time(v, arg);
    default:
        return -ENOSYS;
    }
}

long abi_vcpu_op(u64 cmd, u64 vcpu, u64 arg, u64 a4, u64 a5, u64 a6)
{
    struct vcpu *v = domain_vcpu(vcpu_current()->domain, (u32)vcpu);

    (void)a4, (void)a5, (void)a6;
    /* Linux asks is_up for thousands of ids at boot. */
    return v != NULL ? vcpu_op((u32)cmd, v, arg) : -ENOENT;
}
