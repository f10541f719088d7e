/* SPDX-License-Identifier: MIT */
/*
 * sched_op: yielding, blocking without losing a wake-up, polling of ports, the watchdogs, pinning;
 * and what is refused. The shutdowns that succeed are in crash_shutdown.
 */
#include "guest.h"

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0x5ead00000000ul)     /* mapped by nobody */
#define MS      1000000ul

static uint32_t timer, ipi;

static void set_timer(uint64_t at)
{
    hypercall1(__HYPERVISOR_set_timer_op, at);
}

/* Forgets what is pending; upcalls stay masked. */
static void drain(void)
{
    set_timer(0);
    event_enable();
    event_disable();
    event_count[0][timer] = event_count[0][ipi] = 0;
}

static void every_op(void)
{
    unsigned int op;

    for (op = 2; op < 12; op++) {
        value_rc(text("op %u without argument", op), sched_op(op, NULL));
        value_rc(text("op %u, bad argument", op), sched_op(op, BAD_VA));
        value_rc(text("op %u, unmapped argument", op), sched_op(op, NOWHERE));
    }
    value_rc("op -1", sched_op(0xffffffff, NULL));
    value_rc("old sched_op, yield", hypercall2(__HYPERVISOR_sched_op_compat, 0, 0));
}

static void yields(void)
{
    unsigned int i, wrong = 0;

    for (i = 0; i < 1000; i++)
        wrong += sched_op(SCHEDOP_yield, NULL) != 0;
    check_eq("1000 yields", wrong, 0);
    value_rc("yield with an argument", sched_op(SCHEDOP_yield, BAD_VA));
}

/* ---- Block ---- */

static void blocks(void)
{
    uint64_t start;

    drain();
    evtchn_send(ipi);
    check_eq("block with an event pending", sched_op(SCHEDOP_block, NULL), 0);
    check_eq("it was delivered", event_count[0][ipi], 1);
    check_eq("block leaves events unmasked", vcpu_info(0)->evtchn_upcall_mask, 0);
    event_disable();

    drain();
    start = now();
    set_timer(start + 20 * MS);
    check_eq("block until the timer", sched_op(SCHEDOP_block, NULL), 0);
    check(now() >= start + 20 * MS, "not before it");
    check_eq("and it was delivered", event_count[0][timer], 1);
    event_disable();

    drain();
    evtchn_mask(ipi, true);
    evtchn_send(ipi);
    start = now();
    set_timer(start + 20 * MS);
    check_eq("block with a masked port pending", sched_op(SCHEDOP_block, NULL), 0);
    check(now() >= start + 20 * MS, "it does not end the block");
    event_disable();
    evtchn_mask(ipi, false);
    evtchn_clear(ipi);

    drain();
    event_upcalls[0] = 0;
    vcpu_info(0)->evtchn_upcall_pending = 1;
    check_eq("block with the upcall byte set", sched_op(SCHEDOP_block, NULL), 0);
    check_eq("one upcall", event_upcalls[0], 1);
    event_disable();
}

/* The timer fires before, while and after the vCPU goes to sleep: each block must end. */
static void no_lost_wakeup(void)
{
    unsigned int i;
    uint64_t seed = 12345;

    drain();
    for (i = 0; i < 1000; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        event_disable();
        event_count[0][timer] = 0;
        set_timer(now() + (seed >> 40) % 60000);
        while (event_count[0][timer] == 0)
            sched_op(SCHEDOP_block, NULL);
    }
    event_disable();
    check_eq("blocks that ended", i, 1000);
}

/* ---- Poll ---- */

static long poll(evtchn_port_t *ports, unsigned int nr, uint64_t timeout)
{
    struct sched_poll p = {.nr_ports = nr, .timeout = timeout};

    set_xen_guest_handle(p.ports, ports);
    return sched_op(SCHEDOP_poll, &p);
}

static void poll_refused(void)
{
    static evtchn_port_t ports[200];
    static const unsigned int bad[] = {4096, 5000, 0x7fffffff, 0xffffffff};
    unsigned int i;

    drain();
    value_rc("poll of 128 ports", poll(ports, 128, 1));
    value_rc("poll of 129 ports", poll(ports, 129, 1));
    value_rc("poll of -1 ports", poll(ports, 0xffffffff, 1));
    value_rc("poll, no list", poll(NULL, 1, 1));
    value_rc("poll, bad list", poll(BAD_VA, 1, 1));
    value_rc("poll, unmapped list", poll(NOWHERE, 1, 1));
    value_rc("poll of none, bad list", poll(BAD_VA, 0, 1));
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        ports[0] = bad[i];
        value_rc(text("poll of port %x", bad[i]), poll(ports, 1, 1));
        ports[0] = ipi;
        ports[1] = bad[i];
        value_rc(text("poll of a good one and %x", bad[i]), poll(ports, 2, 1));
        evtchn_mask(ipi, true);
        evtchn_send(ipi);
        value_rc(text("poll of a pending one and %x", bad[i]), poll(ports, 2, 1));
        evtchn_mask(ipi, false);
        evtchn_clear(ipi);
    }
    ports[0] = 0;
    value_rc("poll of port 0", poll(ports, 1, 1));
    ports[0] = 50;
    value_rc("poll of a free port", poll(ports, 1, 1));
    ports[0] = 3000;
    value_rc("poll of a port beyond the table", poll(ports, 1, 1));
}

static void timed(const char *name, evtchn_port_t *ports, unsigned int nr, unsigned int ms,
                  bool full)
{
    uint64_t start = now();

    check_eq(name, poll(ports, nr, start + ms * MS), 0);
    check(full ? now() >= start + ms * MS : now() < start + ms * MS, "%s, %s", name,
          full ? "for its whole time" : "ends early");
}

static void polls(void)
{
    uint32_t other = (uint32_t)evtchn_ipi(0);
    evtchn_port_t ports[3];
    uint64_t start;

    drain();
    timed("poll of nothing", NULL, 0, 20, true);
    ports[0] = ipi;
    timed("poll until its timeout", ports, 1, 20, true);
    evtchn_mask(ipi, true);
    evtchn_send(ipi);
    timed("poll of a pending port", ports, 1, 2000, false);
    check(evtchn_pending(ipi), "which stays pending");
    evtchn_clear(ipi);
    start = now();
    check_eq("poll with a timeout in the past", poll(ports, 1, start), 0);
    check_eq("poll with a timeout of 1", poll(ports, 1, 1), 0);
    check_eq("poll, timeout -1, a pending port", (evtchn_send(ipi), poll(ports, 1, ~0ul)), 0);
    evtchn_clear(ipi);
    evtchn_mask(ipi, false);
    check(vcpu_info(0)->evtchn_upcall_mask == 1, "poll leaves upcalls masked");

    /* The timer's port raises while we sleep. */
    drain();
    evtchn_mask(timer, true);
    ports[0] = timer;
    set_timer(now() + 20 * MS);
    timed("poll of the masked timer", ports, 1, 5000, false);
    check(evtchn_pending(timer), "the timer came");
    evtchn_clear(timer);
    set_timer(now() + 20 * MS);
    check_eq("poll without timeout", poll(ports, 1, 0), 0);
    check(evtchn_pending(timer), "the timer ended it");
    evtchn_clear(timer);
    ports[0] = ipi;
    ports[1] = timer;
    set_timer(now() + 20 * MS);
    timed("poll of two, the second comes", ports, 2, 5000, false);
    evtchn_clear(timer);
    set_timer(now() + 20 * MS);
    start = now();
    check_eq("poll of one, another comes", poll(ports, 1, start + 100 * MS), 0);
    value("it slept", "%s", now() >= start + 100 * MS ? "on" : "until that");
    evtchn_clear(timer);
    ports[1] = other;
    set_timer(now() + 20 * MS);
    start = now();
    check_eq("poll of two, a third comes", poll(ports, 2, start + 100 * MS), 0);
    value("then it slept", "%s", now() >= start + 100 * MS ? "on" : "until that");
    evtchn_clear(timer);
    evtchn_mask(timer, false);

    /* With upcalls unmasked. */
    drain();
    set_timer(now() + 20 * MS);
    start = now();
    vcpu_info(0)->evtchn_upcall_mask = 0;
    check_eq("poll with upcalls unmasked", poll(ports, 1, start + 2000 * MS), 0);
    event_disable();
    check(now() < start + 2000 * MS, "an upcall ends it");
    check_eq("and is delivered", event_count[0][timer], 1);
    drain();
    vcpu_info(0)->evtchn_upcall_pending = 1;
    timed("poll with the upcall byte set, masked", ports, 1, 20, true);
    drain();
}

/* ---- Watchdogs ---- */

static long watchdog(uint32_t id, uint32_t timeout)
{
    struct sched_watchdog w = {.id = id, .timeout = timeout};

    return sched_op(SCHEDOP_watchdog, &w);
}

static void watchdogs(void)
{
    static const unsigned int ids[] = {1, 2, 3, 31, 32, 0xffffffff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(ids); i++) {
        value_rc(text("watchdog %x unused, on", ids[i]), watchdog(ids[i], 600));
        value_rc(text("watchdog %x unused, off", ids[i]), watchdog(ids[i], 0));
    }
    value_rc("a watchdog", watchdog(0, 600));
    value_rc("a second", watchdog(0, 600));
    value_rc("a third", watchdog(0, 600));
    value_rc("watchdog 1 again", watchdog(1, 300));
    value_rc("watchdog 1 with the longest time", watchdog(1, 0xffffffff));
    value_rc("watchdog 2 off", watchdog(2, 0));
    value_rc("watchdog 2 off again", watchdog(2, 0));
    value_rc("watchdog 2 on, by number", watchdog(2, 600));
    value_rc("a watchdog once more", watchdog(0, 600));
    value_rc("watchdog 1 off", watchdog(1, 0));
    value_rc("watchdog 2 off at last", watchdog(2, 0));
    /* One that was stopped in time does nothing. */
    value_rc("a watchdog of 1 s", watchdog(0, 1));
    value_rc("it is stopped", watchdog(1, 0));
    spin_ns(1200 * MS);
    check(true, "it did not bite");
}

/* ---- Rights of dom0 ---- */

static long pin(int32_t cpu)
{
    struct sched_pin_override p = {.pcpu = cpu};

    return sched_op(SCHEDOP_pin_override, &p);
}

static void pins(void)
{
    static const int32_t cpus[] = {63, 64, 1000, 0x7fffffff};
    unsigned int i;

    value_rc("unpin, not pinned", pin(-1));
    value_rc("pin to cpu 0", pin(0));
    value_rc("pin to cpu 0 again", pin(0));
    value_rc("pin to another while pinned", pin(1));
    value_rc("unpin", pin(-1));
    value_rc("unpin again", pin(-2));
    for (i = 0; i < ARRAY_SIZE(cpus); i++)
        value_rc(text("pin to cpu %d", cpus[i]), pin(cpus[i]));
    value_rc("unpin after the refused", pin(-1));
    value_rc("pin to cpu 0 once more", pin(0));
    yields();
    value_rc("unpin at last", pin(-0x7fffffff - 1));
}

static void remote_shutdowns(void)
{
    static const unsigned int doms[] = {1,          0x7fef, DOMID_IO,  DOMID_XEN, DOMID_INVALID,
                                        DOMID_IDLE, 0xffff, DOMID_SELF};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(doms); i++) {
        struct sched_remote_shutdown r = {.domain_id = (domid_t)doms[i],
                                          .reason = SHUTDOWN_poweroff};

        value_rc(text("remote shutdown of %x", doms[i]), sched_op(SCHEDOP_remote_shutdown, &r));
    }
}

static void shutdown_codes(void)
{
    static const unsigned int codes[] = {0, 3, 5, 6, 254, 255, 256, 0xffffffff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(codes); i++) {
        struct sched_shutdown s = {.reason = codes[i]};

        value_rc(text("shutdown_code %x", codes[i]), sched_op(SCHEDOP_shutdown_code, &s));
    }
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0);
    ipi = (uint32_t)evtchn_ipi(0);
    every_op();
    yields();
    blocks();
    no_lost_wakeup();
    poll_refused();
    polls();
    watchdogs();
    pins();
    remote_shutdowns();
    shutdown_codes();
}
