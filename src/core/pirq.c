/* SPDX-License-Identifier: MIT */
/*
 * Which event port does a hardware interrupt raise?
 *
 * A table per privileged domain maps pirq numbers to interrupt lines of arch/irq.h, and the line's
 * handler raises the port. A level line comes masked and stays so until the guest says it is done
 * (pirq_eoi); edges and messages need nothing. Left out: lines shared between domains, and
 * messages in blocks of more than one.
 *
 * A level line that interrupts again and again as soon as it is unmasked rests for a moment: an
 * emulated device may lower its line only when its own thread gets to run, and a guest that is
 * interrupted for nothing a hundred thousand times gives the line up.
 */
#include "core/pirq.h"

#include "arch/clock.h"
#include "arch/irq.h"
#include "core/event.h"
#include "core/page.h"
#include "core/timer.h"

#define STORM_GAP  50000ul  /* ns from unmasking to the next interrupt that count as at once */
#define STORM_RUN  128u     /* that many in a row */
#define STORM_REST 500000ul /* ns the line then stays masked */

struct pirq {
    struct domain *d;
    u32 irq;
    u32 port;
    bool mapped, msi, bound;
    u32 at_once;         /* interrupts in a row that followed their unmasking at once */
    u64 unmasked;        /* when, ns; level lines */
    struct timer unmask; /* ends a rest */
};

struct pirq_domain {
    struct lock lock;
    struct pirq pirq[PIRQ_MAX];
};

/* Too late, after the line was given up, it does no harm: who has no handler is masked again. */
static void rest_over(void *arg)
{
    struct pirq *p = arg;

    WRITE_ONCE(p->unmasked, clock_now());
    irq_unmask(p->irq);
}

int pirq_domain_init(struct domain *d)
{
    struct pirq_domain *t;
    u32 i;

    if (!d->privileged)
        return 0;
    t = domain_zalloc(d, sizeof(*t));
    if (!t)
        return -ENOMEM;
    lock_init(&t->lock, RANK_PIRQ);
    for (i = 0; i < PIRQ_MAX; i++) {
        t->pirq[i].d = d;
        timer_setup(&t->pirq[i].unmask, rest_over, &t->pirq[i]);
    }
    d->pirq = t;
    return 0;
}

/* In the interrupt: p is bound, so its port is stable. */
static void deliver(u32 irq, void *arg)
{
    struct pirq *p = arg;

    /* Level lines come one at a time, so the account has one writer. */
    if (irq_is_level(irq))
        p->at_once = clock_now() - READ_ONCE(p->unmasked) < STORM_GAP ? p->at_once + 1 : 0;
    event_raise_port(p->d, p->port);
}

static struct pirq *find(struct domain *d, u32 pirq)
{
    if (!d->pirq || pirq >= PIRQ_MAX)
        return NULL;
    return &d->pirq->pirq[pirq];
}

static void unbind_locked(struct pirq *p)
{
    if (!p->bound)
        return;
    timer_stop(&p->unmask);
    irq_mask(p->irq);
    irq_unbind(p->irq);
    p->bound = false;
}

static void unmap_locked(struct pirq *p)
{
    unbind_locked(p);
    if (p->mapped && p->msi)
        irq_release_msi(p->irq);
    p->mapped = false;
}

void pirq_domain_fini(struct domain *d)
{
    struct pirq_domain *t = d->pirq;
    u32 i;

    if (!t)
        return;
    lock_acquire(&t->lock);
    for (i = 0; i < PIRQ_MAX; i++)
        unmap_locked(&t->pirq[i]);
    lock_release(&t->lock);
    d->pirq = NULL;
    for (i = 0; i < PIRQ_MAX; i++)
        if (t->pirq[i].unmasked)
            timer_stop_sync(&t->pirq[i].unmask);
    domain_zfree(d, t, sizeof(*t));
}

/* A line nobody set up yet is set up as the bus it belongs to has it: ISA by the MADT, else PCI. */
static int setup_default(u32 gsi)
{
    bool level = true, low = true;
    u32 isa;
    int rc;

    for (isa = 0; isa < 16; isa++) {
        bool l, h;

        if (irq_isa_to_gsi(isa, &l, &h) == gsi) {
            level = l;
            low = h;
            break;
        }
    }
    rc = irq_setup_gsi(gsi, level, low);
    return rc == -EEXIST ? 0 : rc;
}

static int bind_locked(struct pirq *p, u32 port)
{
    int rc;

    if (!p->mapped)
        return -EINVAL;
    if (p->bound)
        return -EEXIST;
    p->port = port;
    rc = irq_bind(p->irq, deliver, p);
    if (rc == -EINVAL && !p->msi) { /* nobody set the line up */
        rc = setup_default(p->irq);
        if (!rc)
            rc = irq_bind(p->irq, deliver, p);
    }
    if (rc)
        return rc;
    p->bound = true;
    irq_unmask(p->irq);
    return 0;
}

int pirq_bind(struct domain *d, u32 pirq, u32 port)
{
    struct pirq *p = find(d, pirq);
    int rc;

    if (!d->pirq)
        return -EPERM;
    if (!p)
        return -EINVAL;
    lock_acquire(&d->pirq->lock);
    rc = bind_locked(p, port);
    lock_release(&d->pirq->lock);
    return rc;
}

void pirq_unbind(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);

    if (!p)
        return;
    lock_acquire(&d->pirq->lock);
    unbind_locked(p);
    lock_release(&d->pirq->lock);
}

void pirq_set_cpu(struct domain *d, u32 pirq, u32 cpu)
{
    struct pirq *p = find(d, pirq);

    if (!p)
        return;
    lock_acquire(&d->pirq->lock);
    if (p->bound)
        irq_set_cpu(p->irq, cpu);
    lock_release(&d->pirq->lock);
}

int pirq_map_gsi(struct domain *d, u32 gsi)
{
    struct pirq *p = find(d, gsi);

    if (!d->pirq)
        return -EPERM;
    if (!p || gsi >= irq_gsi_count())
        return -EINVAL;
    lock_acquire(&d->pirq->lock);
    if (!p->mapped) {
        p->mapped = true;
        p->msi = false;
        p->irq = gsi;
    }
    lock_release(&d->pirq->lock);
    return 0;
}

/* The highest number that is free and no GSI's. */
static u32 free_msi_pirq(const struct pirq_domain *t)
{
    u32 i;

    for (i = PIRQ_MAX; i > irq_gsi_count(); i--)
        if (!t->pirq[i - 1].mapped)
            return i - 1;
    return PIRQ_MAX;
}

int pirq_map_msi(struct domain *d, u16 seg, u8 bus, u8 devfn, int entry, maddr_t table_base)
{
    struct pirq_domain *t = d->pirq;
    struct pirq *p;
    int irq;
    u32 nr;

    if (!t)
        return -EPERM;
    lock_acquire(&t->lock);
    nr = free_msi_pirq(t);
    irq = nr < PIRQ_MAX ? irq_setup_msi(seg, bus, devfn, entry, table_base) : -ENOSPC;
    if (irq >= 0) {
        p = &t->pirq[nr];
        p->mapped = p->msi = true;
        p->irq = (u32)irq;
    }
    lock_release(&t->lock);
    return irq < 0 ? irq : (int)nr;
}

int pirq_unmap(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);
    bool mapped;

    if (!p)
        return -EINVAL;
    lock_acquire(&d->pirq->lock);
    mapped = p->mapped;
    unmap_locked(p);
    lock_release(&d->pirq->lock);
    return mapped ? 0 : -EINVAL;
}

int pirq_setup_gsi(u32 gsi, bool level, bool low)
{
    return irq_setup_gsi(gsi, level, low);
}

/* The guest has served its level line. */
static void line_served(struct pirq *p)
{
    u64 now = clock_now();

    if (unlikely(p->at_once >= STORM_RUN)) {
        p->at_once = 0;
        timer_set(&p->unmask, now + STORM_REST);
    } else if (!p->unmask.queued) {
        WRITE_ONCE(p->unmasked, now);
        irq_unmask(p->irq);
    }
}

int pirq_eoi(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);
    int rc = 0;

    if (!p)
        return -EINVAL;
    lock_acquire(&d->pirq->lock);
    if (!p->mapped)
        rc = -EINVAL;
    else if (p->bound && !p->msi && irq_is_level(p->irq))
        line_served(p);
    lock_release(&d->pirq->lock);
    return rc;
}

int pirq_status(struct domain *d, u32 pirq, bool *needs_eoi)
{
    struct pirq *p = find(d, pirq);

    if (!p)
        return -EINVAL;
    lock_acquire(&d->pirq->lock);
    *needs_eoi = p->mapped && !p->msi && irq_is_level(p->irq);
    lock_release(&d->pirq->lock);
    return 0;
}

int pirq_ioapic_read(maddr_t base, u32 reg, u32 *val)
{
    return irq_ioapic_read(base, reg, val) ? 0 : -EINVAL;
}
