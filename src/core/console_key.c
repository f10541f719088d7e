/* SPDX-License-Identifier: MIT */
/*
 * Who gets what is typed on the serial line? dom0 or the debug keys; three times CTRL-a switches.
 * Fewer than three in a row are passed on with the character that follows, so CTRL-a still works
 * in dom0's programs.
 *
 * Received bytes wait in a queue until dom0 reads them (VIRQ_CONSOLE). When the queue is full
 * nothing more is taken from the port, so a pasted text is held back by the port's own flow control
 * where it has one, and reading starts again when dom0 has made room.
 */
#include "core/console.h"

#include "arch/clock.h"
#include "arch/insn.h"
#include "arch/irq.h"
#include "arch/serial.h"
#include "arch/smp.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/timer.h"
#include "pure/conring.h"

#define SWITCH_CHAR  0x01 /* CTRL-a */
#define SWITCH_COUNT 3
#define INPUT_SIZE   4096u
/* Room that must be left: the held-back switch characters and one more. */
#define INPUT_SLACK (SWITCH_COUNT + 1)
#define POLL_NS     20000000ul
#define STOP_NS     10000000ul /* how long to wait for a vCPU */

/* Input: under the lock. Never nested with the console's own lock, so the rank can be the same. */
static struct lock input_lock = LOCK_INIT(RANK_CONSOLE);
static struct conring input;
static char input_buf[INPUT_SIZE];
static u32 switch_seen;
static bool to_dom0;

static struct timer poll_timer;
static const struct console_key *extra_key[62];
static u32 extra_nr;

static void announce(bool dom0)
{
    log_msg(LOG_ERR, "*** Serial input to %s (type 'CTRL-a' three times to switch input)",
            dom0 ? "DOM0" : "Xen");
}

/* What to do with one byte; decided under the lock, done without it. */
enum input_act { INPUT_NOTHING, INPUT_QUEUED, INPUT_SWITCHED, INPUT_KEY };

static enum input_act input_byte(char c)
{
    static const char held[SWITCH_COUNT] = {SWITCH_CHAR, SWITCH_CHAR, SWITCH_CHAR};

    if (c == SWITCH_CHAR) {
        if (++switch_seen < SWITCH_COUNT)
            return INPUT_NOTHING;
        switch_seen = 0;
        to_dom0 = !to_dom0;
        return INPUT_SWITCHED;
    }
    if (!to_dom0) {
        switch_seen = 0;
        return INPUT_KEY;
    }
    conring_put(&input, held, switch_seen);
    switch_seen = 0;
    conring_put(&input, &c, 1);
    return INPUT_QUEUED;
}

/* Takes one byte from the port if there is room for it. */
static bool input_next(enum input_act *act, char *c)
{
    bool got = false;
    u8 byte;

    lock_acquire(&input_lock);
    if (conring_used(&input) + INPUT_SLACK <= INPUT_SIZE && serial_read(&byte)) {
        *c = (char)byte;
        *act = input_byte(*c);
        got = true;
    }
    lock_release(&input_lock);
    return got;
}

static void input_drain(void)
{
    enum input_act act;
    bool queued = false;
    u32 budget;
    char c;

    /* Bounded: a port that always has a byte must not hold the CPU. */
    for (budget = 0; budget < INPUT_SIZE && input_next(&act, &c); budget++) {
        if (act == INPUT_QUEUED)
            queued = true;
        else if (act == INPUT_SWITCHED)
            announce(to_dom0);
        else if (act == INPUT_KEY)
            console_key_run(c);
    }
    if (queued)
        event_raise_global_virq(VIRQ_CONSOLE);
}

size_t console_read_input(char *dst, size_t n)
{
    bool was_full;
    size_t got;

    lock_acquire(&input_lock);
    was_full = conring_used(&input) + INPUT_SLACK > INPUT_SIZE;
    got = conring_take(&input, dst, n);
    lock_release(&input_lock);
    if (unlikely(was_full && got))
        input_drain();
    return got;
}

static void serial_interrupt(u32 irq, void *arg)
{
    (void)arg;
    input_drain();
    if (irq_is_level(irq))
        irq_unmask(irq);
}

static void serial_poll(void *arg)
{
    (void)arg;
    input_drain();
    timer_set(&poll_timer, clock_now() + POLL_NS);
}

static bool bind_serial_irq(u32 isa)
{
    bool level, low;
    u32 gsi = irq_isa_to_gsi(isa, &level, &low);

    if (irq_setup_gsi(gsi, level, low) || irq_bind(gsi, serial_interrupt, NULL))
        return false;
    irq_unmask(gsi);
    serial_enable_rx_irq();
    return true;
}

void console_init_irq(void)
{
    u32 isa = console_com()->irq;

    conring_init(&input, input_buf, sizeof(input_buf));
    if (!serial_present())
        return;
    if (isa && bind_serial_irq(isa)) {
        /* What arrived before raises no further edge. */
        input_drain();
        return;
    }
    if (isa)
        log_msg(LOG_WARN, "console: serial interrupt %u is not to be had, polling", isa);
    timer_setup(&poll_timer, serial_poll, NULL);
    timer_set(&poll_timer, clock_now() + POLL_NS);
}

void console_input_to_dom0(void)
{
    lock_acquire(&input_lock);
    to_dom0 = true;
    lock_release(&input_lock);
    if (serial_present())
        announce(true);
}

/* Debug keys. */

static const char *domain_state_name(enum domain_state s)
{
    static const char *const names[] = {"building", "alive", "shutdown", "dying", "dead"};

    return (u32)s < ARRAY_SIZE(names) ? names[s] : "?";
}

static void key_vcpu(const struct vcpu *v)
{
    log_msg(LOG_ERR, "  v%u: cpu %u %s pause %02x defer %02x%s upcall %02x mask %02x", v->id,
            v->cpu, v->running ? "running" : "-", v->pause, v->defer,
            v->initialised ? "" : " not initialised", READ_ONCE(v->info->evtchn_upcall_pending),
            READ_ONCE(v->info->evtchn_upcall_mask));
}

static void key_domain(const struct domain *d)
{
    u32 i;

    log_msg(LOG_ERR, "domain %u (%s): %s%s, refs %u, paused %u, pages %lu of %lu", d->id,
            d->kind ? d->kind->name : "idle", domain_state_name(d->state),
            d->privileged ? ", privileged" : "", d->refs, d->pause_count, d->pages, d->max_pages);
    log_msg(LOG_ERR, "  shutdown code %d, assists %02x, dirty CPUs %lx", d->shutdown_code,
            d->assist, d->dirty_cpus.bits);
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            key_vcpu(d->vcpu[i]);
}

static void key_domains(void)
{
    struct domain *d = NULL;

    log_msg(LOG_ERR, "now %lu ns, %u CPUs", port_now(), cpu_count());
    while ((d = domain_after(d)) != NULL)
        key_domain(d);
}

static void key_grants(void)
{
    struct domain *d = NULL;

    while ((d = domain_after(d)) != NULL)
        grant_dump(d);
}

static void key_memory(void)
{
    u64 total = page_total_count(), left = page_free_count(), objects, pages;
    struct domain *d = NULL;

    page_small_count(&objects, &pages);
    log_msg(LOG_ERR, "RAM: %lu MiB in %lu pages, %lu free, highest frame %lx", total >> 8, total,
            left, page_max_mfn);
    log_msg(LOG_ERR, "small objects: %lu in %lu pages", objects, pages);
    while ((d = domain_after(d)) != NULL)
        log_msg(LOG_ERR, "d%u: %lu of %lu pages; %lu shared pages and %lu bytes because of it",
                d->id, d->pages, d->max_pages, d->shared_pages, d->charge);
}

static void key_stopped_vcpu(const struct vcpu *v)
{
    log_msg(LOG_ERR, "*** d%uv%u, pause %02x ***", v->domain->id, v->id, v->pause);
    log_msg(LOG_ERR, "RIP: %04x:[<%016lx>] RFLAGS: %016lx RSP: %04x:%016lx", (u32)(u16)v->regs.cs,
            v->regs.rip, v->regs.rflags, (u32)(u16)v->regs.ss, v->regs.rsp);
    log_msg(LOG_ERR, "rax: %016lx rbx: %016lx rcx: %016lx rdx: %016lx", v->regs.rax, v->regs.rbx,
            v->regs.rcx, v->regs.rdx);
    log_msg(LOG_ERR, "rsi: %016lx rdi: %016lx rbp: %016lx r8:  %016lx", v->regs.rsi, v->regs.rdi,
            v->regs.rbp, v->regs.r8);
}

/* A vCPU's registers: at the stack's top when it is what this CPU interrupted, else stopped. */
static void key_dom0_vcpu(struct vcpu *v)
{
    u64 limit = clock_now() + STOP_NS;

    if (v == vcpu_current()) {
        log_msg(LOG_ERR, "*** d%uv%u, running here ***", v->domain->id, v->id);
        console_dump_regs(&cpu_info()->guest, true);
        return;
    }
    vcpu_pause_set(v, VPAUSE_REMOTE);
    while (READ_ONCE(v->running) && clock_now() < limit) {
        smp_serve_mailbox();
        insn_pause();
    }
    if (!atomic_load_acquire(&v->running))
        key_stopped_vcpu(v);
    else
        log_msg(LOG_ERR, "*** d%uv%u does not leave CPU %u ***", v->domain->id, v->id, v->cpu);
    vcpu_pause_clear(v, VPAUSE_REMOTE);
}

static void key_dom0(void)
{
    static u32 busy; /* two CPUs would stop each other's vCPUs */
    u32 none = 0, i;

    if (!domain_hardware)
        return;
    if (!atomic_cmpxchg(&busy, &none, 1u)) {
        log_msg(LOG_ERR, "busy: another CPU dumps them");
        return;
    }
    for (i = 0; i < domain_hardware->max_vcpus; i++)
        if (domain_hardware->vcpu[i] && domain_hardware->vcpu[i]->initialised)
            key_dom0_vcpu(domain_hardware->vcpu[i]);
    atomic_store_release(&busy, 0u);
}

static void key_reboot(void)
{
    log_msg(LOG_ERR, "rebooting");
    domain_machine_restart();
}

static void key_help(void);

static const struct console_key core_key[] = {
    {'0', "dump dom0's registers", key_dom0},
    {'R', "reboot the machine", key_reboot},
    {'a', "dump timers", timer_dump},
    {'d', "dump registers of all CPUs", console_dump_cpus},
    {'e', "dump event channels", event_dump},
    {'g', "dump grant tables", key_grants},
    {'h', "show this help", key_help},
    {'i', "dump interrupts", irq_dump},
    {'m', "memory", key_memory},
    {'q', "dump domains and vCPUs", key_domains},
    {'r', "dump run queues", sched_dump},
};

static void key_help(void)
{
    u32 i;

    for (i = 0; i < ARRAY_SIZE(core_key); i++)
        log_msg(LOG_ERR, " key '%c' => %s", core_key[i].key, core_key[i].what);
    for (i = 0; i < extra_nr; i++)
        log_msg(LOG_ERR, " key '%c' => %s", extra_key[i]->key, extra_key[i]->what);
}

static const struct console_key *find_key(char key)
{
    u32 i;

    for (i = 0; i < ARRAY_SIZE(core_key); i++)
        if (core_key[i].key == key)
            return &core_key[i];
    for (i = 0; i < extra_nr; i++)
        if (extra_key[i]->key == key)
            return extra_key[i];
    return NULL;
}

bool console_key_register(const struct console_key *k)
{
    bool alnum = (k->key >= '0' && k->key <= '9') || (k->key >= 'A' && k->key <= 'Z') ||
                 (k->key >= 'a' && k->key <= 'z');

    if (!alnum || find_key(k->key) || extra_nr == ARRAY_SIZE(extra_key))
        return false;
    extra_key[extra_nr++] = k;
    return true;
}

void console_key_run(char key)
{
    const struct console_key *k = find_key(key);

    if (k) {
        log_msg(LOG_ERR, "'%c' pressed -> %s", key, k->what);
        k->fn();
    } else if (key > ' ' && key < 0x7f) {
        log_msg(LOG_ERR, "'%c' pressed: no such key, 'h' shows them", key);
    }
}
