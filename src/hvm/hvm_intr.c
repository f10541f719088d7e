/* SPDX-License-Identifier: MIT */
/*
 * What interrupts a vCPU, and when? Three sources, looked at before each entry that has something
 * to look at: NMIs, the event-channel upcall (a vector of the domain's, or one per vCPU through the
 * local APIC), and the local APIC's own requests. What cannot be delivered now waits for an exit at
 * the moment the guest allows it.
 *
 * The APIC belongs to the CPU its vCPU runs on. Others only set request bits and flags, all before
 * they set irr_any; the owner clears irr_any before it looks. A vCPU that waits for a start-up IPI
 * is down; the IPI's sender leaves the vector, and the vCPU resets itself when it runs.
 */
#include "core/console.h"
#include "core/event.h"
#include "hvm/hvm.h"

#define TIMER_MIN_NS 50000ul /* a guest's timer does not fire more often */

void hvm_intr_poke(struct vcpu *v)
{
    (void)atomic_xchg(&v->hvm->apic.irr_any, 1u);
}

/* From any CPU: it is to look now. */
static void wake(struct vcpu *v)
{
    hvm_intr_poke(v);
    vcpu_unblock(v); /* also the current one: it may just have halted */
    if (READ_ONCE(v->running) && READ_ONCE(v->cpu) != cpu_id())
        cpu_kick_work(READ_ONCE(v->cpu), WORK_EXIT);
}

static u32 upcall_vector(const struct vcpu *v)
{
    return v->domain->hvm->callback_vector;
}

static bool upcall_pending(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !v->hvm->upcall_vector && upcall_vector(v);
}

/* The per-vCPU vector goes through the APIC, once per request. */
static void request_upcall(struct vcpu *v)
{
    struct vlapic *a = &v->hvm->apic;
    u32 n = v->hvm->upcall_vector;

    if (n != 0 && READ_ONCE(v->info->evtchn_upcall_pending) && !(a->isr[n / 32] >> n % 32 & 1))
        (void)vlapic_request(a, n);
}

static void timer_settings(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    u64 now = port_now(), at = vlapic_deadline(&h->apic, now);

    if (at != 0)
        timer_set(&h->apic_timer, MAX(at, now + TIMER_MIN_NS));
    else if (READ_ONCE(h->apic_timer.queued))
        timer_stop(&h->apic_timer);
}

void hvm_apic_timer_fire(void *arg)
{
    struct vcpu *v = arg;

    WRITE_ONCE(v->hvm->apic_timer_due, true);
    wake(v);
}

/* What others have left for this vCPU. */
static void collect(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;

    if (READ_ONCE(h->apic_timer_due)) {
        WRITE_ONCE(h->apic_timer_due, false);
        vlapic_expire(&h->apic, port_now());
        timer_settings(v);
    }
    request_upcall(v);
}

/* A start, an NMI, or (asked: any, else one that can be delivered) an interrupt. */
static bool pending(struct vcpu *v, bool any)
{
    const struct hvm_vcpu *h = v->hvm;

    if (READ_ONCE(h->start) || READ_ONCE(v->defer) & VDEFER_NMI || (h->nmi_due && !h->nmi_blocked))
        return true;
    collect(v);
    return (any || hvm_vendor->can_interrupt(v)) &&
           (upcall_pending(v) || vlapic_pending(&h->apic) >= 0);
}

bool hvm_intr_due(struct vcpu *v)
{
    return pending(v, false);
}

void hvm_intr_prepare(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    bool upcall;
    int vector;

    (void)atomic_xchg(&h->apic.irr_any, 0u);
    if (unlikely(READ_ONCE(h->start)))
        hvm_context_reset(v, (u8)atomic_xchg(&h->start, 0u));
    collect(v);
    if (h->nmi_due && !h->nmi_blocked) {
        if (!hvm_vendor->queue_nmi(v)) {
            hvm_vendor->want_window(v); /* behind the event being delivered */
            hvm_intr_poke(v);
            return;
        }
        h->nmi_due = false;
        h->nmi_blocked = true;
    }
    upcall = upcall_pending(v); /* others set it at any time */
    vector = upcall ? (int)upcall_vector(v) : vlapic_pending(&h->apic);
    if (vector < 0)
        return;
    if (!hvm_vendor->can_interrupt(v)) {
        hvm_vendor->want_window(v);
        hvm_intr_poke(v); /* an exit before that will do as well */
        return;
    }
    if (!upcall)
        vlapic_accept(&h->apic, (u32)vector);
    hvm_vendor->queue_event(v, HVM_EVENT_INTR, (u32)vector, HVM_NO_ERROR);
    if (vlapic_pending(&h->apic) >= 0)
        hvm_vendor->want_window(v); /* no other exit is sure to come */
}

void hvm_intr_fault(struct vcpu *v, u32 vector, u64 error)
{
    hvm_vendor->queue_event(v, HVM_EVENT_FAULT, vector, error);
}

void hvm_intr_halt(struct vcpu *v, bool interrupts_on)
{
    struct domain *d = v->domain;
    u32 i, others = 0;

    if (interrupts_on || v->hvm->nmi_due || READ_ONCE(v->defer) & VDEFER_NMI) {
        /* Fully ordered: who requests after our look finds us blocked. */
        atomic_fetch_or(&v->pause, VPAUSE_BLOCKED);
        if (pending(v, interrupts_on)) {
            vcpu_stay(v);
            hvm_intr_poke(v);
            return;
        }
        cpu_kick_work(cpu_id(), WORK_RESCHED);
        return;
    }
    /* For good: it is switched off; the last one takes the domain with it. Down before it counts.
     */
    v->hvm->wait_start = true;
    vcpu_pause_set(v, VPAUSE_DOWN);
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL && d->vcpu[i] != v && !(READ_ONCE(d->vcpu[i]->pause) & VPAUSE_DOWN))
            others++;
    if (others == 0)
        domain_shutdown(d, SHUTDOWN_poweroff);
}

/* Interprocessor interrupts. */

static void send_to(struct vcpu *to, const struct vlapic_ipi *ipi)
{
    switch (ipi->delivery) {
    case VLAPIC_FIXED:
    case VLAPIC_LOWEST:
        if (vlapic_request(&to->hvm->apic, ipi->vector))
            wake(to);
        break;
    case VLAPIC_NMI:
        vcpu_defer(to, VDEFER_NMI);
        break;
    case VLAPIC_INIT:
        WRITE_ONCE(to->hvm->wait_start, true);
        vcpu_pause_set(to, VPAUSE_DOWN);
        break;
    case VLAPIC_STARTUP:
        if (!READ_ONCE(to->hvm->wait_start))
            break;
        WRITE_ONCE(to->hvm->wait_start, false);
        (void)atomic_xchg(&to->hvm->start, HVM_START | ipi->vector);
        hvm_intr_poke(to);
        vcpu_unblock(to); /* it may have halted before */
        to->initialised = true;
        vcpu_pause_clear(to, VPAUSE_DOWN);
        break;
    default:
        break;
    }
}

static void send_ipi(struct vcpu *v, const struct vlapic_ipi *ipi)
{
    struct domain *d = v->domain;
    u32 i;

    for (i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] == NULL || !vlapic_matches(&d->vcpu[i]->hvm->apic, &v->hvm->apic, ipi))
            continue;
        if (ipi->delivery >= VLAPIC_INIT && d->vcpu[i] == v)
            continue; /* not to oneself */
        send_to(d->vcpu[i], ipi);
        if (ipi->delivery == VLAPIC_LOWEST)
            return;
    }
}

bool hvm_apic_read(struct vcpu *v, u32 reg, u64 *val)
{
    return vlapic_read(&v->hvm->apic, reg, port_now(), val);
}

bool hvm_apic_write(struct vcpu *v, u32 reg, u64 val)
{
    struct vlapic_ipi ipi;

    switch (vlapic_write(&v->hvm->apic, reg, val, port_now(), &ipi)) {
    case VLAPIC_GP:
        return false;
    case VLAPIC_SEND:
        send_ipi(v, &ipi);
        break;
    case VLAPIC_TIMER:
        timer_settings(v);
        break;
    case VLAPIC_RECHECK:
        hvm_vendor->set_tpr(v, v->hvm->apic.tpr);
        hvm_intr_poke(v);
        break;
    case VLAPIC_DONE:
        break;
    }
    return true;
}
