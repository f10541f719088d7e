/* SPDX-License-Identifier: MIT */
/*
 * How are the other CPUs started, and made to do something at once?
 *
 * Start-up, one CPU at a time: code, stack and tables for it lie below 1 MiB; the two CPUs pass
 * through the states below together, each wait bounded. A CPU that does not come is put back with
 * INIT and its number given to the next.
 *
 *     boot CPU:  STARTING ............ (checks TSC) RELEASED ........ next CPU
 *     other:               ALIVE ..... (checks TSC) ........ RUNNING  upcall_secondary_start
 *
 * Cross calls: each CPU has one request of its own, which it fills, and one mailbox word, in which
 * others set their bit. It waits until every target has taken its bit out of `waiting`, serving its
 * own mailbox meanwhile. A request is never nested: what it runs starts none.
 *
 * The flush clock counts in 64 bits; stamps are its low half (pure/clockmath.h). A full flush
 * counts first and flushes after: whoever took a stamp below that count had removed its translation
 * before the flush.
 */
#include "arch/smp.h"

#include "arch/apic.h"
#include "arch/clock.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/irq.h"
#include "arch/upcalls.h"
#include "base/lib.h"
#include "pure/clockmath.h"
#include "pure/port.h"

/* --- Start-up --- */

extern const u8 smp_trampoline[], smp_trampoline_end[], smp_trampoline_args[];

struct trampoline_args {
    u64 stack, entry;
    u32 claim, cpu, cr3, efer;
};

enum ap_state { AP_STARTING, AP_ALIVE, AP_RELEASED, AP_RUNNING };

#define CLAIM_WANTED 1u
#define START_MS     3000u

static u32 ap_state;

static void ap_main(u32 cpu)
{
    insn_write_cr3(mfn_to_maddr(hmap_template()));
    cpu_init_this(cpu);
    apic_init_secondary();
    /* Release: the boot CPU sees all this done; pairs with wait_state. */
    atomic_store_release(&ap_state, AP_ALIVE);
    clock_init_secondary();
    while (atomic_load_acquire(&ap_state) != AP_RELEASED)
        insn_pause();
    atomic_store_release(&ap_state, AP_RUNNING);
    upcall_secondary_start();
}

static bool wait_state(enum ap_state want)
{
    u64 start = insn_rdtsc(), limit = clock_tsc_khz() * START_MS;

    while (atomic_load_acquire(&ap_state) != want) {
        if (insn_rdtsc() - start > limit)
            return false;
        insn_pause();
    }
    return true;
}

/* Identity map of the first 2 MiB beside the hypervisor's slots, in the pages behind the code. */
static u32 build_tables(void)
{
    u64 *l4 = hmap_direct(SMP_TRAMPOLINE + PAGE_SIZE), *l3 = l4 + 512, *l2 = l3 + 512;
    u64 phys = SMP_TRAMPOLINE + PAGE_SIZE;

    memset(l4, 0, 3 * PAGE_SIZE);
    memcpy(l4 + L4_SLOT_HV_FIRST, hmap_template_entries() + L4_SLOT_HV_FIRST,
           (L4_SLOT_HV_LAST - L4_SLOT_HV_FIRST + 1) * sizeof(*l4));
    l4[0] = (phys + PAGE_SIZE) | PTE_P | PTE_RW;
    l3[0] = (phys + 2 * PAGE_SIZE) | PTE_P | PTE_RW;
    l2[0] = PTE_P | PTE_RW | PTE_PSE;
    return (u32)phys;
}

static volatile struct trampoline_args *copy_trampoline(void)
{
    u8 *page = hmap_direct(SMP_TRAMPOLINE);

    memcpy(page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
    return (volatile struct trampoline_args *)(void *)(page +
                                                       (smp_trampoline_args - smp_trampoline));
}

/* False when it does not answer; then it is back in the state INIT leaves. */
static bool start_one(volatile struct trampoline_args *args, u32 cpu, const struct acpi_cpu *who)
{
    u32 wanted = CLAIM_WANTED;
    bool unreached;

    clock_sync_reset();
    atomic_store(&ap_state, AP_STARTING);
    args->stack = cpu_stack_top(cpu);
    args->cpu = cpu;
    atomic_store_release(&args->claim, CLAIM_WANTED);
    irq_send_init_sipi(who->apic_id, SMP_TRAMPOLINE);
    if (wait_state(AP_ALIVE)) {
        clock_sync_secondary(cpu);
        cpu_mark_up(cpu);
        atomic_store_release(&ap_state, AP_RELEASED);
        if (wait_state(AP_RUNNING))
            return true;
        log_msg(LOG_ERR, "SMP: CPU %u (APIC id %u) stopped answering in its set-up", cpu,
                who->apic_id);
        BUG();
    }
    /* It might come after all: so it is stopped first, the line takes milliseconds. */
    unreached = atomic_cmpxchg(&args->claim, &wanted, 0u);
    apic_send_init(who->apic_id);
    log_msg(LOG_ERR, "SMP: CPU with APIC id %u does not start (%s within %u ms); left out",
            who->apic_id,
            unreached ? "start-up code not reached" : "start-up code reached, C code not",
            START_MS);
    return false;
}

/* The stack of a CPU number that failed is mapped anew for the next: forget the old frames. */
static void forget_stack(u32 cpu)
{
    u64 va = STACKS_BASE + (u64)cpu * STACK_SIZE, off;

    for (off = 0; off < STACK_SIZE; off += PAGE_SIZE)
        insn_invlpg(va + off);
}

void smp_start_all(u32 limit)
{
    const struct acpi_info *acpi = irq_acpi();
    volatile struct trampoline_args *args;
    u32 i, self = irq_this_apic_id();

    limit = MIN(limit, (u32)MAX_CPUS);
    if (limit <= 1 || acpi->cpus == 0)
        return;
    args = copy_trampoline();
    args->cr3 = build_tables();
    args->efer = (u32)(EFER_LME | (cpu_features.nx ? EFER_NX : 0));
    args->entry = (u64)ap_main;
    for (i = 0; i < acpi->cpus && cpu_count() < limit; i++) {
        const struct acpi_cpu *who = &acpi->cpu[i];

        if (who->apic_id == self)
            continue;
        if (who->apic_id > apic_id_max()) {
            log_msg(LOG_WARN, "SMP: APIC id %u is beyond xAPIC mode; CPU left out", who->apic_id);
            continue;
        }
        if (!cpu_alloc(cpu_count(), who->apic_id, who->acpi_id)) {
            log_msg(LOG_ERR, "SMP: no memory for CPU %u", cpu_count());
            break;
        }
        if (!start_one(args, cpu_count(), who))
            forget_stack(cpu_count());
    }
    args->claim = 0;
    log_msg(LOG_INFO, "SMP: %u of %u CPUs up", cpu_count(), acpi->cpus);
}

/* --- Flush clock --- */

static struct {
    u64 count;
} flush_clock ALIGNED(64);

static struct {
    u64 last; /* count of this CPU's last full flush */
} flushed[MAX_CPUS] ALIGNED(64);

u32 smp_flush_clock(void)
{
    /* The caller's removal of a translation comes before; locked table updates order it. */
    return (u32)atomic_load_acquire(&flush_clock.count);
}

struct cpu_mask smp_flush_filter(struct cpu_mask mask, u32 stamp)
{
    u64 now = atomic_load_acquire(&flush_clock.count), left = mask.bits;

    while (left != 0) {
        u32 cpu = (u32)__builtin_ctzll(left);

        left &= left - 1;
        if (clockmath_stamp_flushed(now, atomic_load(&flushed[cpu].last), stamp))
            mask.bits &= ~((u64)1 << cpu);
    }
    return mask;
}

void smp_load_cr3(u64 cr3)
{
    u64 count = atomic_add_return(&flush_clock.count, 1);

    insn_write_cr3(cr3);
    atomic_store_release(&flushed[cpu_id()].last, count);
}

/* --- Mailboxes --- */

enum request_kind { REQ_FLUSH_ALL, REQ_FLUSH_PAGE, REQ_CALL };

struct request {
    u64 waiting; /* targets that have not done it; atomic */
    u32 kind;    /* enum request_kind */
    u64 va;
    void (*fn)(void *);
    void *arg;
} ALIGNED(64);

struct mailbox {
    u64 from; /* CPUs whose request is for us; atomic */
} ALIGNED(64);

static struct request requests[MAX_CPUS];
static struct mailbox mailboxes[MAX_CPUS];

static void perform(const struct request *r)
{
    switch ((enum request_kind)r->kind) {
    case REQ_FLUSH_ALL:
        smp_load_cr3(insn_read_cr3());
        break;
    case REQ_FLUSH_PAGE:
        insn_invlpg(r->va);
        break;
    case REQ_CALL:
        r->fn(r->arg);
        break;
    }
}

static NOINLINE void serve(struct mailbox *m)
{
    u64 self = (u64)1 << cpu_id(), from;

    /* The exchange pairs with the fetch_or in send: the request is filled in. */
    from = atomic_xchg(&m->from, 0);
    while (from != 0) {
        u32 cpu = (u32)__builtin_ctzll(from);

        from &= from - 1;
        perform(&requests[cpu]);
        /* Done: after this the sender may fill in the next one. Pairs with the wait in send. */
        atomic_fetch_and(&requests[cpu].waiting, ~self);
    }
}

void smp_serve_mailbox(void)
{
    struct mailbox *m = &mailboxes[cpu_id()];

    if (unlikely(atomic_load(&m->from) != 0))
        serve(m);
}

static u64 others_of(struct cpu_mask mask, u32 self)
{
    u32 n = cpu_count();
    u64 up = n >= 64 ? ~(u64)0 : ((u64)1 << n) - 1;

    return mask.bits & up & ~((u64)1 << self);
}

/* Posts this CPU's request to the others; does its own part; waits. */
static NOINLINE void send(struct request *r, u64 others, bool here)
{
    u64 left = others, self = (u64)1 << cpu_id();

    ASSERT(atomic_load(&r->waiting) == 0);
    atomic_store(&r->waiting, others);
    while (left != 0) {
        u32 cpu = (u32)__builtin_ctzll(left);

        left &= left - 1;
        /* Not empty before: that sender's interrupt is on its way. */
        if (atomic_fetch_or(&mailboxes[cpu].from, self) == 0)
            irq_send_ipi(cpu, IRQ_VECTOR_MAILBOX);
    }
    if (here)
        perform(r);
    while (atomic_load_acquire(&r->waiting) != 0) {
        smp_serve_mailbox();
        insn_pause();
    }
}

void smp_flush_tlb(struct cpu_mask mask, u64 va)
{
    u32 self = cpu_id();
    u64 others = others_of(mask, self);
    bool here = (mask.bits >> self) & 1;
    struct request *r = &requests[self];

    if (likely(others == 0)) {
        if (!here)
            return;
        if (va == FLUSH_ALL_VA)
            smp_load_cr3(insn_read_cr3());
        else
            insn_invlpg(va);
        return;
    }
    r->kind = va == FLUSH_ALL_VA ? REQ_FLUSH_ALL : REQ_FLUSH_PAGE;
    r->va = va;
    send(r, others, here);
}

void smp_call(struct cpu_mask mask, void (*fn)(void *), void *arg)
{
    u32 self = cpu_id();
    struct request *r = &requests[self];

    r->kind = REQ_CALL;
    r->fn = fn;
    r->arg = arg;
    send(r, others_of(mask, self), (mask.bits >> self) & 1);
}

/* --- Stopping --- */

#define STOP_MS 200u

static u32 stopper; /* CPU number + 1 that stops the machine */
static u64 stopped; /* CPUs that have stopped; atomic */

void smp_stop_check(void)
{
    u32 by = atomic_load(&stopper);

    if (likely(by == 0) || by == cpu_id() + 1)
        return;
    atomic_fetch_or(&stopped, (u64)1 << cpu_id());
    cpu_halt_forever();
}

void smp_stop_others(void)
{
    u64 others = others_of(CPU_MASK_ALL, cpu_id()), start, limit;
    u32 none = 0, cpu;

    if (!atomic_cmpxchg(&stopper, &none, cpu_id() + 1)) {
        smp_stop_check();
        return; /* this CPU again: a panic within a panic */
    }
    for (cpu = 0; cpu < MAX_CPUS; cpu++)
        if ((others >> cpu) & 1)
            irq_send_nmi(cpu);
    start = insn_rdtsc();
    limit = MAX(clock_tsc_khz(), (u64)1000000) * STOP_MS;
    while ((atomic_load(&stopped) & others) != others && insn_rdtsc() - start < limit)
        insn_pause();
}
