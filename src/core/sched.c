/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU has this CPU, and how does the processor change hands?
 *
 * Policy is pure/credit.c; here are the locks, the kicks and the switch. A CPU chooses for itself,
 * on the way out of the hypervisor (upcall_exit_work); others only put vCPUs into its queue and
 * kick it. Two queues are held at once only with lock_try for the second, so the order does not
 * matter.
 *
 * A vCPU is `running` (and its unit busy) from the moment it is chosen, under the queue's lock,
 * until its registers are saved; a busy unit may wait on its own CPU's queue but not leave it.
 *
 * Going idle keeps the last vCPU's address space, FPU and segments in the processor (`loaded`): if
 * it comes back there is nothing to restore. Whoever needs that state elsewhere has the idle CPU
 * give it up by a cross call (sched_sync_vcpu_state).
 *
 *   work            who sets it                         effect here
 *   WORK_RESCHED    wake, sleep, slice timer, yield     sched_run
 *   WORK_EXIT       vcpu_defer, vcpu_notify             look at v->defer, then at its events
 *   WORK_LOG        console                             VIRQ_CON_RING
 */
#include "core/sched.h"

#include "arch/clock.h"
#include "arch/entry.h"
#include "arch/insn.h"
#include "arch/smp.h"
#include "arch/upcalls.h"
#include "core/domain.h"
#include "core/event.h"
#include "core/page.h"
#include "core/sched_pool.h"
#include "core/timer.h"
#include "core/vtime.h"

struct sched_cpu {
    struct lock lock; /* RANK_SCHED */
    struct credit_queue queue;
    struct vcpu *idle;
    struct vcpu *loaded; /* whose state the processor holds; own CPU only */
    struct timer slice;
    u64 idle_ns, idle_since; /* since: 0 while not idle */
    u64 switches;
    bool yield; /* the current vCPU asked for it; own CPU only */
} ALIGNED(64);

static struct sched_cpu sched_cpus[MAX_CPUS];
static const struct credit_queue *sched_queue[MAX_CPUS];
static u64 sched_online;    /* CPUs that take part; atomic bits */
static u64 sched_idle_mask; /* of those, the idle ones; atomic bits */

static struct domain sched_idle_domain = {.id = DOMID_IDLE, .max_vcpus = MAX_CPUS};
static struct vcpu *sched_idle_vcpus[MAX_CPUS];
static struct vcpu sched_idle_vcpu[MAX_CPUS];
static struct vcpu_info sched_idle_info;

static struct sched_cpu *sched_this(void)
{
    return &sched_cpus[cpu_id()];
}

static struct sched_vcpu *sched_of_unit(struct credit_unit *u)
{
    return CONTAINER_OF(u, struct sched_vcpu, unit);
}

/* Locks the queue that v is on or was last on. */
static struct sched_cpu *sched_lock_vcpu(const struct vcpu *v)
{
    for (;;) {
        u32 cpu = READ_ONCE(v->sched->unit.cpu);
        struct sched_cpu *c = &sched_cpus[cpu];

        lock_acquire(&c->lock);
        if (likely(v->sched->unit.cpu == cpu))
            return c;
        lock_release(&c->lock); /* it moved meanwhile */
    }
}

/* Start-up. */

static void sched_slice_fire(void *arg)
{
    (void)arg;
    cpu_kick_work(cpu_id(), WORK_RESCHED);
}

void sched_init_cpu(void)
{
    u32 cpu = cpu_id();
    struct sched_cpu *c = &sched_cpus[cpu];
    struct vcpu *v = &sched_idle_vcpu[cpu];

    v->id = v->cpu = cpu;
    v->domain = &sched_idle_domain;
    v->is_idle = v->running = v->initialised = true;
    v->info = &sched_idle_info;
    sched_idle_vcpus[cpu] = v;

    lock_init(&c->lock, RANK_SCHED);
    credit_queue_init(&c->queue, cpu);
    c->idle = v;
    c->idle_since = clock_now();
    timer_setup(&c->slice, sched_slice_fire, NULL);
    sched_queue[cpu] = &c->queue;
    cpu_info()->vcpu = v;
    cpu_info()->guest_ctx = NULL;
    cpu_info()->hole_start = CANONICAL_LOW_END;
    cpu_info()->hole_end = HV_VIRT_END;
    atomic_fetch_or(&sched_idle_mask, (u64)1 << cpu);
    atomic_fetch_or(&sched_online, (u64)1 << cpu);
    sched_pool_online(cpu);
}

void sched_init(void)
{
    sched_idle_domain.vcpu = sched_idle_vcpus;
    lock_init(&sched_idle_domain.lock, RANK_DOMAIN);
    domain_idle = &sched_idle_domain;
    sched_init_cpu();
}

void upcall_secondary_start(void)
{
    timer_init_cpu();
    sched_init_cpu();
    cpu_kick_work(cpu_id(), WORK_RESCHED);
    upcall_exit_work(); /* returns when a guest is current */
    entry_start_guest();
}

/* Waking and sleeping. */

/*
 * Kicks are sent after the queues' locks are released: an interrupt can take long to send where the
 * machine is a virtual one, and the CPU that gets it wants the lock at once.
 */
static void sched_kick(u64 cpus)
{
    for (; cpus; cpus &= cpus - 1)
        cpu_kick_work((u32)__builtin_ctzl(cpus), WORK_RESCHED);
}

/* Lock held: some idle CPU should come and take what waits on c: which (a bit), if any. */
static u64 sched_idle_for(const struct sched_cpu *c)
{
    u64 idle = READ_ONCE(sched_idle_mask) & ~((u64)1 << c->queue.cpu), may = 0;
    const struct credit_unit *u;

    if (likely(!idle))
        return 0;
    for (u = c->queue.first; u && !may; u = u->next)
        may = unlikely(credit_stays(u, c->queue.cpu)) ? 0 : idle & u->hard;
    return may & -may;
}

/* u has been queued on c, which is locked: the CPUs that have to act, for sched_kick. */
static u64 sched_after_insert(struct sched_cpu *c, const struct credit_unit *u)
{
    u64 mine = (u64)1 << c->queue.cpu;

    if (!c->queue.running) {
        atomic_fetch_and(&sched_idle_mask, ~mine);
        return mine;
    }
    if (!credit_disturbs(&c->queue, u))
        mine = 0;
    return mine | sched_idle_for(c);
}

void sched_wake(struct vcpu *v)
{
    struct credit_unit *u = &v->sched->unit;
    u64 now = clock_now(), kick;
    struct sched_cpu *c = sched_lock_vcpu(v), *to = c;
    u32 cpu;

    if (u->state != CREDIT_OFF || READ_ONCE(v->pause)) {
        lock_release(&c->lock);
        return;
    }
    vtime_set_runstate(v, RUNSTATE_runnable, now);
    if (!READ_ONCE(u->busy)) {
        cpu = credit_place(u, READ_ONCE(sched_online), READ_ONCE(sched_idle_mask), sched_queue);
        /* A contended queue is no good place anyway; balancing corrects the rest. */
        if (cpu != u->cpu && lock_try(&sched_cpus[cpu].lock))
            to = &sched_cpus[cpu];
    }
    credit_charge(&to->queue, now);
    credit_wake(&to->queue, u, &c->queue, now);
    kick = sched_after_insert(to, u);
    if (to != c)
        lock_release(&to->lock);
    lock_release(&c->lock);
    sched_kick(kick);
}

static int sched_off_state(const struct vcpu *v)
{
    return READ_ONCE(v->pause) & VPAUSE_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void sched_sleep(struct vcpu *v)
{
    struct credit_unit *u = &v->sched->unit;
    struct sched_cpu *c;

    if (v == vcpu_current()) {
        cpu_kick_work(cpu_id(), WORK_RESCHED);
        return;
    }
    c = sched_lock_vcpu(v);
    if (READ_ONCE(v->pause) && (u->state == CREDIT_WAITING || u->state == CREDIT_PARKED)) {
        credit_charge(&c->queue, clock_now());
        credit_sleep(&c->queue, u);
        vtime_set_runstate(v, sched_off_state(v), clock_now());
    } else if (u->state == CREDIT_RUNNING) {
        cpu_kick_work(c->queue.cpu, WORK_RESCHED);
    }
    lock_release(&c->lock);
}

void sched_yield(void)
{
    struct sched_cpu *c = sched_this();

    if (!READ_ONCE(c->queue.waiting)) {
        insn_pause(); /* it spins: whoever shares the processor may want to know */
        return;
    }
    c->yield = true;
    cpu_kick_work(cpu_id(), WORK_RESCHED);
}

/* Switching. */

/*
 * The processor's guest state goes to its vCPU. leave: the address space too. The GDT in use lies
 * in that, so it goes last (an NMI may come); and it goes before others may take the tables apart.
 */
static void sched_unload(struct sched_cpu *c, bool leave)
{
    struct vcpu *v = c->loaded;

    if (!v)
        return;
    v->domain->kind->switch_out(v);
    fpu_save(&v->fpu);
    c->loaded = NULL;
    if (leave)
        insn_write_cr3(mfn_to_maddr(hmap_template()));
    atomic_store_release(&v->sched->loaded, 0u);
}

/* On the CPU that holds v's state: cross call, or direct. */
static void sched_give_up(void *arg)
{
    struct sched_cpu *c = sched_this();
    struct vcpu *v = arg;

    if (c->loaded == v && vcpu_current() != v)
        sched_unload(c, true);
}

void sched_sync_vcpu_state(struct vcpu *v)
{
    u32 loaded = atomic_load_acquire(&v->sched->loaded);

    /* Once is enough: nobody loads the state of one that does not run. */
    if (loaded != 0)
        smp_call((struct cpu_mask){(u64)1 << (loaded - 1)}, sched_give_up, v);
}

static void sched_load(struct sched_cpu *c, struct vcpu *v)
{
    struct cpu_info *ci = cpu_info();

    ci->vcpu = v;
    ci->guest_ctx = v->pv;
    fpu_restore(&v->fpu);
    v->domain->kind->switch_in(v);
    c->loaded = v;
    atomic_store(&v->sched->loaded, cpu_id() + 1);
}

/* prev's registers are saved: others may run it. */
static void sched_let_go(struct vcpu *prev)
{
    atomic_store_release(&prev->running, false);
    atomic_store_release(&prev->sched->unit.busy, false);
}

static void sched_switch(struct sched_cpu *c, struct vcpu *prev, struct vcpu *next)
{
    struct cpu_info *ci = cpu_info();

    c->switches++;
    if (!prev->is_idle) {
        prev->regs = ci->guest;
        vtime_switch_out(prev);
    }
    if (next->is_idle) {
        ci->vcpu = next;
        sched_let_go(prev);
        return;
    }
    if (c->loaded == next) {
        ci->vcpu = next;
    } else {
        /*
         * First out, then in: two CPUs that exchange vCPUs must not wait for each other. The old
         * address space stays in CR3 meanwhile only if nobody can take it apart, that is not while
         * waiting for another CPU.
         */
        sched_unload(c, atomic_load_acquire(&next->sched->loaded) != 0);
        if (!prev->is_idle)
            sched_let_go(prev);
        ci->vcpu = c->idle;
        sched_sync_vcpu_state(next);
        sched_load(c, next);
    }
    ci->guest = next->regs;
    vtime_switch_in(next);
}

/* Choosing. */

/* Lock held. Takes a waiting unit from another CPU's queue to c, which has none. */
static bool sched_steal(struct sched_cpu *c, u64 now)
{
    u64 others = READ_ONCE(sched_online) & ~((u64)1 << c->queue.cpu);
    bool missed = false, got = false;

    for (; others && !got; others &= others - 1) {
        struct sched_cpu *from = &sched_cpus[__builtin_ctzl(others)];
        struct credit_unit *u;

        /* An idle CPU with one that waits has been kicked and is about to take it itself. */
        if (READ_ONCE(from->queue.waiting) < (READ_ONCE(from->queue.running) ? 1u : 2u))
            continue;
        if (!lock_try(&from->lock)) {
            missed = true;
            continue;
        }
        u = credit_steal(&from->queue, c->queue.cpu);
        if (u) {
            credit_charge(&from->queue, now);
            credit_move(&from->queue, &c->queue, u, now);
            got = true;
        }
        lock_release(&from->lock);
    }
    if (missed && !got)
        cpu_kick_work(cpu_id(), WORK_RESCHED); /* look again before halting */
    return got;
}

/*
 * Units wait here: should one be on another CPU? Returns whom to kick. After the switch: before it
 * the one that has just run cannot leave, and there may be no other.
 */
static u64 sched_balance(struct sched_cpu *c)
{
    u64 online = READ_ONCE(sched_online), kick = 0, now;
    struct credit_unit *u;
    struct sched_cpu *to;
    u32 cpu, again;

    lock_acquire(&c->lock);
    now = clock_now(); /* no earlier than what others, who had the lock, wrote */
    credit_charge(&c->queue, now);
    if (now - c->queue.balanced >= CREDIT_BALANCE &&
        credit_push(&c->queue, online, sched_queue, now, &cpu) && lock_try(&sched_cpus[cpu].lock)) {
        to = &sched_cpus[cpu];
        u = credit_push(&c->queue, online, sched_queue, now, &again);
        if (u && again == cpu) {
            credit_charge(&to->queue, now);
            credit_move(&c->queue, &to->queue, u, now);
            kick = sched_after_insert(to, u);
        }
        lock_release(&to->lock);
    }
    lock_release(&c->lock);
    return kick;
}

/* Lock held: accounts for prev; true when prev must leave this CPU although it is ready. */
static bool sched_retire(struct sched_cpu *c, struct vcpu *prev, u64 now)
{
    struct credit_unit *u = &prev->sched->unit;

    if (READ_ONCE(prev->pause)) {
        credit_sleep(&c->queue, u);
        vtime_set_runstate(prev, sched_off_state(prev), now);
        return false;
    }
    if ((!(u->hard >> c->queue.cpu & 1) && (u->hard & READ_ONCE(sched_online))) ||
        unlikely(credit_strays(&c->queue, u, now))) {
        credit_sleep(&c->queue, u);
        vtime_set_runstate(prev, RUNSTATE_runnable, now);
        return true;
    }
    if (c->yield)
        credit_yield(&c->queue);
    return false;
}

/* Lock held: the vCPU that has the CPU from now on. */
static struct vcpu *sched_choose(struct sched_cpu *c, u64 now)
{
    u64 bit = (u64)1 << c->queue.cpu;
    struct credit_unit *u = credit_choose(&c->queue, now);
    struct vcpu *v;

    if (!u) {
        /* Visible as idle before looking for work elsewhere: see sched_after_insert. */
        atomic_fetch_or(&sched_idle_mask, bit);
        /* What came may have used up its cap: then it is parked here. */
        if (!sched_steal(c, now) || !(u = credit_choose(&c->queue, now)))
            return c->idle;
    }
    if (READ_ONCE(sched_idle_mask) & bit)
        atomic_fetch_and(&sched_idle_mask, ~bit);
    v = sched_of_unit(u)->vcpu;
    v->cpu = c->queue.cpu;
    WRITE_ONCE(u->busy, true);
    /* Fully ordered: an event raised from now on kicks us or is seen on the way out. */
    (void)atomic_xchg(&v->running, true);
    vtime_set_runstate(v, RUNSTATE_running, now);
    return v;
}

static void sched_account_idle(struct sched_cpu *c, bool idle, u64 now)
{
    if (idle == (c->idle_since != 0))
        return;
    if (idle) {
        c->idle_since = now;
    } else {
        c->idle_ns += now - c->idle_since;
        c->idle_since = 0;
    }
}

/* Chooses and switches: cpu_info()->guest becomes the next vCPU's registers. */
static void sched_run(void)
{
    struct sched_cpu *c = sched_this();
    struct vcpu *prev = vcpu_current(), *next;
    bool displaced = false;
    u64 now = clock_now(), slice, kick;

    lock_acquire(&c->lock);
    credit_charge(&c->queue, now);
    if (!prev->is_idle)
        displaced = sched_retire(c, prev, now);
    c->yield = false;
    next = sched_choose(c, now);
    if (next != prev && !prev->is_idle && prev->sched->unit.state != CREDIT_OFF)
        vtime_set_runstate(prev, RUNSTATE_runnable, now);
    sched_account_idle(c, next->is_idle, now);
    slice = credit_slice(&c->queue, now);
    lock_release(&c->lock);

    if (slice)
        timer_set(&c->slice, now + slice);
    else if (READ_ONCE(c->slice.queued))
        timer_stop(&c->slice);
    if (next != prev)
        sched_switch(c, prev, next);
    if (displaced)
        sched_wake(prev);
    if (READ_ONCE(c->queue.waiting)) {
        if (now - c->queue.balanced >= CREDIT_BALANCE)
            sched_kick(sched_balance(c));
        if (READ_ONCE(sched_idle_mask)) {
            lock_acquire(&c->lock);
            kick = sched_idle_for(c);
            lock_release(&c->lock);
            sched_kick(kick);
        }
    }
}

/* Settings and accounts. */

void sched_vcpu_restrict(struct vcpu *v, u64 hard, u64 soft)
{
    struct sched_cpu *c = sched_lock_vcpu(v);
    struct credit_unit *u = &v->sched->unit;
    bool move;

    u->hard = hard;
    u->soft = soft;
    move = !(hard >> c->queue.cpu & 1);
    if (move && (u->state == CREDIT_WAITING || u->state == CREDIT_PARKED) && !READ_ONCE(u->busy)) {
        credit_charge(&c->queue, clock_now());
        credit_sleep(&c->queue, u);
        lock_release(&c->lock);
        sched_wake(v);
        return;
    }
    /* The one that runs is displaced when its CPU chooses again; a sleeper when it wakes. */
    if (move && u->state != CREDIT_OFF)
        cpu_kick_work(c->queue.cpu, WORK_RESCHED);
    lock_release(&c->lock);
}

void sched_vcpu_limit(struct vcpu *v, u64 period, u64 budget, bool extra, u32 home)
{
    struct sched_cpu *c = sched_lock_vcpu(v);
    u64 now = clock_now();

    credit_charge(&c->queue, now);
    credit_limit_set(&c->queue, &v->sched->unit, period, budget, extra, home, now);
    if (v->sched->unit.state != CREDIT_OFF)
        cpu_kick_work(c->queue.cpu, WORK_RESCHED); /* budgets have changed: choose again */
    lock_release(&c->lock);
}

void sched_vcpu_weight(struct vcpu *v, u16 weight)
{
    struct sched_cpu *c = sched_lock_vcpu(v);

    credit_set_weight(&c->queue, &v->sched->unit, weight, clock_now());
    lock_release(&c->lock);
}

void sched_cpu_ratelimit(u32 cpu, u64 ns)
{
    lock_acquire(&sched_cpus[cpu].lock);
    sched_cpus[cpu].queue.ratelimit = ns;
    lock_release(&sched_cpus[cpu].lock);
}

u64 sched_cpu_time(const struct vcpu *v)
{
    struct sched_cpu *c = sched_lock_vcpu(v);
    u64 ns;

    credit_charge(&c->queue, clock_now());
    ns = v->sched->unit.ran;
    lock_release(&c->lock);
    return ns;
}

u64 sched_idle_time(u32 cpu)
{
    struct sched_cpu *c = &sched_cpus[cpu];
    u64 now, ns;

    if (cpu >= MAX_CPUS || !(READ_ONCE(sched_online) >> cpu & 1))
        return 0;
    lock_acquire(&c->lock);
    now = clock_now();
    ns = c->idle_ns;
    if (c->idle_since && now > c->idle_since)
        ns += now - c->idle_since;
    lock_release(&c->lock);
    return ns;
}

static void sched_dump_unit(const char *what, struct credit_unit *u, u64 floor)
{
    const struct vcpu *v = sched_of_unit(u)->vcpu;

    log_msg(LOG_ERR, "    %s d%uv%u weight %u lag %lld us ran %llu ms pause %x hard %llx", what,
            v->domain->id, v->id, u->weight, (long long)(u->vtime - floor) / 1000,
            (unsigned long long)u->ran / 1000000, v->pause, (unsigned long long)u->hard);
    if (u->limited)
        log_msg(LOG_ERR,
                "           cap %u %%, %lld us in hand; %llu of %llu us by cpu%u, %lld us left",
                u->group->cap, (long long)u->quota / 1000, (unsigned long long)u->budget / 1000,
                (unsigned long long)u->period / 1000, u->home, (long long)u->left / 1000);
}

void sched_dump(void)
{
    u32 cpu;

    log_msg(LOG_ERR, "run queues: online %llx idle %llx", (unsigned long long)sched_online,
            (unsigned long long)sched_idle_mask);
    for (cpu = 0; cpu < MAX_CPUS; cpu++) {
        struct sched_cpu *c = &sched_cpus[cpu];
        struct credit_unit *u;
        u32 lines = 0;

        if (!(READ_ONCE(sched_online) >> cpu & 1))
            continue;
        if (!lock_try(&c->lock)) {
            log_msg(LOG_ERR, "  cpu%u: queue is locked", cpu);
            continue;
        }
        log_msg(LOG_ERR, "  cpu%u: %s, %u waiting, load %llu, %llu switches", cpu,
                c->queue.running ? "busy" : "idle", c->queue.waiting,
                (unsigned long long)c->queue.load, (unsigned long long)c->switches);
        if (c->queue.running)
            sched_dump_unit("runs ", c->queue.running, c->queue.floor);
        for (u = c->queue.first; u && lines++ < 64; u = u->next)
            sched_dump_unit("waits", u, c->queue.floor);
        for (u = c->queue.parked; u && lines++ < 64; u = u->next)
            sched_dump_unit("parks", u, c->queue.floor);
        lock_release(&c->lock);
    }
}

/* The way out. */

static void sched_do_deferred(struct vcpu *v)
{
    u32 bits = atomic_xchg(&v->defer, 0u);

    if (bits & VDEFER_CRASH) {
        domain_crash_deferred(v);
        return;
    }
    if (bits & VDEFER_TIMEINFO)
        vtime_update(v);
    if (bits & VDEFER_RUNSTATE)
        vtime_switch_in(v);
    if (bits & VDEFER_NMI)
        v->domain->kind->inject_nmi(v); /* may defer it again, until the guest's iret */
}

void upcall_exit_work(void)
{
    struct cpu_info *ci = cpu_info();

    for (;;) {
        u32 work = atomic_xchg(&ci->work, 0u);

        if (unlikely(work & WORK_LOG))
            event_raise_global_virq(VIRQ_CON_RING);
        if (work & WORK_RESCHED)
            sched_run();
        if (ci->vcpu->is_idle) {
            if (page_dirty_count() && page_scrub_step())
                cpu_irq_window();
            else
                cpu_idle_halt();
            continue;
        }
        if (unlikely(READ_ONCE(ci->vcpu->defer)))
            sched_do_deferred(ci->vcpu);
        if (likely(!READ_ONCE(ci->work)))
            return;
    }
}

void upcall_timer(void)
{
    timer_run();
}
