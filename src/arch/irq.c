/* SPDX-License-Identifier: MIT */
/*
 * Which line interrupted, and who is told? Each CPU has its own map from vector to line; a line
 * knows its vector, its CPU and its device side (an IO-APIC pin or a PCI function's message).
 *
 * Interrupts arrive only in guest code, in the idle halt and in interrupt windows, so handlers run
 * with no lock held. Edge: end of interrupt, then the handler. Level: mask the pin, end of
 * interrupt, handler; whoever handled the device unmasks.
 *
 * A line moves to another CPU by getting a new vector there. The old entry of the vector map is
 * left in place and the vector is reused as late as possible (pure/vector.h), so an interrupt
 * already on its way still finds its line. What might have been lost in between (an edge while the
 * pin was masked, a message written half old, half new) is replayed by an IPI with the new vector.
 * Level lines move only when they are unmasked: the IO-APIC matches an end of interrupt by vector,
 * and changing that while one is outstanding would block the pin for good.
 */
#include "arch/irq.h"

#include "arch/apic.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/insn.h"
#include "arch/ioapic.h"
#include "arch/msi.h"
#include "arch/smp.h"
#include "arch/upcalls.h"
#include "base/atomic.h"
#include "base/lib.h"
#include "pure/port.h"
#include "pure/vector.h"

/* 0x20 to 0x2f stay free: a PIC's spurious interrupts come there. 0x80 and 0x82 are guests'. */
#define VECTOR_LINES 0x30
#define DEST_MAX     254 /* RTEs and messages have 8 bits; 255 is everybody */

enum line_kind { LINE_FREE, LINE_GSI, LINE_MSI };

struct irq_line {
    irq_handler fn; /* NULL: not bound */
    void *arg;
    u32 busy; /* CPUs in fn, atomic */
    u8 kind;  /* enum line_kind */
    u8 vector;
    bool level, low;
    bool masked;
    bool missed;  /* came while fn was NULL; atomic */
    u16 cpu;      /* where it goes */
    u16 want_cpu; /* level: where it shall go */
    u32 count;
    struct msi msi; /* LINE_MSI */
};

/* RANK_IRQ: everything below except what line_vector reads. */
static struct lock irq_lock = LOCK_INIT(RANK_IRQ);
static struct irq_line lines[IRQ_MAX];
static struct vector_pool pools[MAX_CPUS];
static u16 line_of[MAX_CPUS][256];
static const struct acpi_info *acpi_tables;
static u32 gsi_count;

/* --- Set-up --- */

#define PIC1_CMD  0x20
#define PIC1_DATA 0x21
#define PIC2_CMD  0xa0
#define PIC2_DATA 0xa1

/* Both 8259s initialised to harmless vectors, then all inputs masked (Intel 8259A data sheet). */
static void pic_disable(void)
{
    insn_outb(PIC1_DATA, 0xff);
    insn_outb(PIC2_DATA, 0xff);
    insn_outb(PIC1_CMD, 0x11); /* edge, cascade, ICW4 follows */
    insn_outb(PIC2_CMD, 0x11);
    insn_outb(PIC1_DATA, 0x20);
    insn_outb(PIC2_DATA, 0x28);
    insn_outb(PIC1_DATA, 0x04);
    insn_outb(PIC2_DATA, 0x02);
    insn_outb(PIC1_DATA, 0x01);
    insn_outb(PIC2_DATA, 0x01);
    insn_outb(PIC1_DATA, 0xff);
    insn_outb(PIC2_DATA, 0xff);
}

static void pool_init(u32 cpu)
{
    vector_init(&pools[cpu], VECTOR_LINES, IRQ_VECTOR_LAST);
    vector_reserve(&pools[cpu], 0x80);
    vector_reserve(&pools[cpu], 0x82);
}

void irq_init(const struct acpi_info *acpi)
{
    u32 i, lint = acpi->nmis != 0 ? acpi->nmi[0].lint & 1u : 1;

    acpi_tables = acpi;
    memset(line_of, 0xff, sizeof(line_of));
    for (i = 0; i < MAX_CPUS; i++)
        pool_init(i);
    pic_disable();
    /* A missing local APIC is told there; nothing runs without its timer, so stop with a name. */
    if (!apic_init(acpi->lapic_addr, lint))
        bug_at(__FILE__, __LINE__, "no usable local APIC");
    for (i = 0; i < acpi->ioapics; i++)
        ioapic_add(acpi->ioapic[i].addr, acpi->ioapic[i].gsi_base);
    gsi_count = ioapic_gsi_count();
    if (gsi_count == 0)
        log_msg(LOG_ERR, "IRQ: no IO-APIC; only message-signalled interrupts work");
}

const struct acpi_info *irq_acpi(void)
{
    return acpi_tables;
}

u32 irq_gsi_count(void)
{
    return gsi_count;
}

u32 irq_isa_to_gsi(u32 isa, bool *level, bool *low)
{
    struct acpi_override o = acpi_route_isa(acpi_tables, isa);

    *level = o.level;
    *low = o.low;
    return o.gsi;
}

/* --- Vectors and routes; irq_lock held --- */

/* A CPU whose APIC id does not fit an entry's 8 bits cannot be reached by it. */
static bool reachable(u32 cpu)
{
    return cpu_apic_id(cpu) <= DEST_MAX;
}

static int take_vector(u32 irq, u32 cpu)
{
    int v = vector_alloc(&pools[cpu]);

    if (v >= 0)
        atomic_store_release(&line_of[cpu][v], (u16)irq);
    return v;
}

/* Writes the line's route to its device, leaving it masked or not as it should be. */
static void write_route(u32 irq)
{
    struct irq_line *l = &lines[irq];
    u8 dest = (u8)cpu_apic_id(l->cpu);

    if (l->kind == LINE_GSI) {
        ioapic_set(irq, l->vector, dest, l->level, l->low);
        if (!l->masked)
            ioapic_unmask(irq);
    } else {
        msi_set(&l->msi, l->vector, dest);
        if (!l->masked)
            msi_mask(&l->msi, false);
    }
}

static void set_masked(u32 irq, bool masked)
{
    struct irq_line *l = &lines[irq];

    l->masked = masked;
    if (l->kind == LINE_MSI)
        msi_mask(&l->msi, masked);
    else if (masked)
        ioapic_mask(irq);
    else
        ioapic_unmask(irq);
}

/* Moves a line; false when the CPU has no vector left. */
static bool move(u32 irq, u32 cpu)
{
    struct irq_line *l = &lines[irq];
    u32 old_cpu = l->cpu;
    u8 old_vector = l->vector;
    int v = take_vector(irq, cpu);

    if (v < 0)
        return false;
    l->cpu = (u16)cpu;
    l->vector = (u8)v;
    write_route(irq);
    vector_free(&pools[old_cpu], old_vector);
    return true;
}

/* --- Claiming --- */

int irq_setup_gsi(u32 gsi, bool level, bool low)
{
    struct irq_line *l = &lines[gsi];
    int rc = 0;

    if (gsi >= gsi_count || !ioapic_has_pin(gsi))
        return -EINVAL;
    lock_acquire(&irq_lock);
    if (l->kind == LINE_GSI) {
        rc = -EEXIST; /* the first setting stays */
    } else {
        rc = take_vector(gsi, 0);
        if (rc >= 0) {
            *l = (struct irq_line){.kind = LINE_GSI, .vector = (u8)rc};
            l->level = level;
            l->low = low;
            l->masked = true;
            write_route(gsi);
            rc = 0;
        }
    }
    lock_release(&irq_lock);
    return rc;
}

bool irq_is_level(u32 irq)
{
    return irq < IRQ_MAX && lines[irq].level;
}

static bool same_message(const struct msi *a, const struct msi *b)
{
    return a->bus == b->bus && a->devfn == b->devfn && a->entry == b->entry;
}

/* A free line for a message, or -errno; irq_lock held. */
static int find_message_line(const struct msi *m)
{
    int found = -ENOSPC;
    u32 i;

    for (i = gsi_count; i < IRQ_MAX; i++) {
        if (lines[i].kind == LINE_MSI && same_message(&lines[i].msi, m))
            return -EEXIST;
        if (lines[i].kind == LINE_FREE && found < 0)
            found = (int)i;
    }
    return found;
}

int irq_setup_msi(u16 seg, u8 bus, u8 devfn, int entry, maddr_t table_base)
{
    struct irq_line *l;
    struct msi m;
    int irq, rc;

    if (seg != 0)
        return -ENODEV; /* ports 0xcf8/0xcfc reach segment 0 only */
    rc = msi_find(&m, bus, devfn, entry, table_base);
    if (rc != 0)
        return rc;
    lock_acquire(&irq_lock);
    irq = rc = find_message_line(&m);
    if (irq >= 0)
        rc = take_vector((u32)irq, 0);
    if (rc >= 0) {
        l = &lines[irq];
        *l = (struct irq_line){.kind = LINE_MSI, .vector = (u8)rc, .msi = m};
        write_route((u32)irq);
        msi_enable(&m);
        rc = irq;
    }
    lock_release(&irq_lock);
    return rc;
}

/* Does another line belong to the same function? irq_lock held. */
static bool function_in_use(const struct msi *m)
{
    u32 i;

    for (i = gsi_count; i < IRQ_MAX; i++)
        if (lines[i].kind == LINE_MSI && lines[i].msi.bus == m->bus &&
            lines[i].msi.devfn == m->devfn)
            return true;
    return false;
}

void irq_release_msi(u32 irq)
{
    struct irq_line *l = &lines[irq];

    if (irq >= IRQ_MAX || l->kind != LINE_MSI)
        return;
    irq_unbind(irq);
    lock_acquire(&irq_lock);
    set_masked(irq, true);
    l->kind = LINE_FREE;
    if (!function_in_use(&l->msi))
        msi_disable(&l->msi);
    vector_free(&pools[l->cpu], l->vector);
    lock_release(&irq_lock);
}

int irq_bind(u32 irq, irq_handler fn, void *arg)
{
    struct irq_line *l = &lines[irq];
    int rc = 0;

    if (irq >= IRQ_MAX || l->kind == LINE_FREE)
        return -EINVAL;
    lock_acquire(&irq_lock);
    if (l->fn != NULL) {
        rc = -EBUSY;
    } else {
        l->arg = arg;
        /* Release: who sees fn sees arg; pairs with the acquires in line_vector. */
        atomic_store_release(&l->fn, fn);
        /* First fn, then missed; there first missed, then fn: one sees what the other did. */
        if (atomic_xchg(&l->missed, false) && !l->level)
            irq_send_ipi(l->cpu, l->vector); /* locked: they do not change */
    }
    lock_release(&irq_lock);
    return rc;
}

void irq_unbind(u32 irq)
{
    struct irq_line *l = &lines[irq];

    if (irq >= IRQ_MAX || l->kind == LINE_FREE)
        return;
    lock_acquire(&irq_lock);
    if (l->kind == LINE_GSI)
        set_masked(irq, true);
    atomic_store(&l->fn, (irq_handler)NULL);
    lock_release(&irq_lock);
    /* Sequentially consistent against busy then fn in line_vector: it sees NULL or we see it. */
    atomic_fence();
    while (atomic_load_acquire(&l->busy) != 0) {
        smp_serve_mailbox();
        insn_pause();
    }
}

/* --- Masking and moving --- */

void irq_mask(u32 irq)
{
    if (irq >= IRQ_MAX || lines[irq].kind == LINE_FREE)
        return;
    lock_acquire(&irq_lock);
    set_masked(irq, true);
    lock_release(&irq_lock);
}

void irq_unmask(u32 irq)
{
    struct irq_line *l = &lines[irq];

    if (irq >= IRQ_MAX || l->kind == LINE_FREE)
        return;
    lock_acquire(&irq_lock);
    if (l->level && l->want_cpu != l->cpu && l->masked && !ioapic_in_flight(irq))
        move(irq, l->want_cpu);
    set_masked(irq, false);
    lock_release(&irq_lock);
}

void irq_set_cpu(u32 irq, u32 cpu)
{
    struct irq_line *l = &lines[irq];

    if (irq >= IRQ_MAX || l->kind == LINE_FREE || cpu >= cpu_count() || !reachable(cpu))
        return;
    if (l->level) {
        l->want_cpu = (u16)cpu;
        return;
    }
    if (l->cpu == cpu)
        return;
    lock_acquire(&irq_lock);
    if (l->kind != LINE_FREE && l->cpu != cpu && move(irq, cpu) && !l->masked && l->fn != NULL &&
        (l->kind == LINE_GSI || !l->msi.maskable))
        irq_send_ipi(cpu, l->vector);
    lock_release(&irq_lock);
}

/* --- Taking one --- */

static void fixed_vector(u32 vector)
{
    switch (vector) {
    case IRQ_VECTOR_TIMER:
        apic_eoi();
        upcall_timer();
        break;
    case IRQ_VECTOR_KICK: /* the work bits are looked at on the way out */
        apic_eoi();
        break;
    case IRQ_VECTOR_MAILBOX:
        apic_eoi();
        smp_serve_mailbox();
        break;
    case IRQ_VECTOR_ERROR:
        apic_eoi();
        apic_error();
        break;
    case IRQ_VECTOR_SPURIOUS: /* no end of interrupt: SDM vol. 3, 11.9 */
        break;
    default:
        apic_eoi();
        log_msg(LOG_WARN, "IRQ: vector %#x on CPU %u is nobody's", vector, cpu_id());
        break;
    }
}

/* A vector without a line: a late interrupt of a released one, or the PIC's. */
static void stray(u32 vector)
{
    static u32 seen;

    if (apic_in_service(vector))
        apic_eoi();
    if (seen++ < 10)
        log_msg(LOG_INFO, "IRQ: stray vector %#x on CPU %u", vector, cpu_id());
}

static void mask_and_eoi(u32 irq)
{
    lock_acquire(&irq_lock);
    set_masked(irq, true);
    lock_release(&irq_lock);
    apic_eoi();
}

static NOINLINE void line_vector(u32 vector)
{
    struct irq_line *l;
    irq_handler fn;
    u32 irq;

    irq = atomic_load(&line_of[cpu_id()][vector]);
    if (unlikely(irq >= IRQ_MAX || lines[irq].kind == LINE_FREE)) {
        stray(vector);
        return;
    }
    l = &lines[irq];
    if (l->level)
        mask_and_eoi(irq);
    else
        apic_eoi();
    l->count++;
    atomic_add_return(&l->busy, 1);
    fn = atomic_load_acquire(&l->fn);
    if (unlikely(fn == NULL)) {
        (void)atomic_xchg(&l->missed, true);
        fn = atomic_load_acquire(&l->fn);
        /* Bound meanwhile: whoever takes `missed` back passes it on, irq_bind or we. */
        if (fn != NULL && !atomic_xchg(&l->missed, false))
            fn = NULL;
    }
    if (likely(fn != NULL))
        fn(irq, l->arg);
    atomic_sub_return(&l->busy, 1);
}

void irq_dispatch(u32 vector)
{
    if (vector <= IRQ_VECTOR_LAST)
        line_vector(vector);
    else
        fixed_vector(vector);
}

/* --- IPIs and the rest --- */

void irq_send_ipi(u32 cpu, u32 vector)
{
    apic_send_fixed(cpu_apic_id(cpu), vector);
}

void irq_send_nmi(u32 cpu)
{
    apic_send_nmi(cpu_apic_id(cpu));
}

/* SDM vol. 3, 9.4.4.1: INIT, 10 ms, start-up, 200 us, start-up again. */
void irq_send_init_sipi(u32 apic, maddr_t trampoline)
{
    u32 page = (u32)(trampoline >> PAGE_SHIFT);

    apic_send_init(apic);
    clock_udelay(10000);
    apic_send_startup(apic, page);
    clock_udelay(200);
    apic_send_startup(apic, page);
}

u32 irq_this_apic_id(void)
{
    return apic_id();
}

bool irq_ioapic_read(maddr_t base, u32 reg, u32 *val)
{
    bool ok;

    lock_acquire(&irq_lock);
    ok = ioapic_read(base, reg, val);
    lock_release(&irq_lock);
    return ok;
}

void irq_dump(void)
{
    u32 i;

    for (i = 0; i < IRQ_MAX; i++) {
        const struct irq_line *l = &lines[i];

        if (l->kind == LINE_GSI)
            log_msg(LOG_INFO, "irq %3u: pin, %s %s, vector %02x CPU %u%s%s, count %u", i,
                    l->level ? "level" : "edge", l->low ? "low" : "high", l->vector, l->cpu,
                    l->masked ? ", masked" : "", l->fn != NULL ? "" : ", unbound", l->count);
        else if (l->kind == LINE_MSI)
            log_msg(LOG_INFO, "irq %3u: %s %02x:%02x.%u entry %d, vector %02x CPU %u%s, count %u",
                    i, l->msi.entry < 0 ? "MSI" : "MSI-X", l->msi.bus, l->msi.devfn >> 3,
                    l->msi.devfn & 7, l->msi.entry, l->vector, l->cpu,
                    l->fn != NULL ? "" : ", unbound", l->count);
    }
}
