/* SPDX-License-Identifier: MIT */
/*
 * Time as a PV kernel sees it: the time areas and their version protocol, the wall clock, the
 * one-shot and periodic timers and their refusals, run states and what they add up to.
 */
#include "guest.h"

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0x5ead00000000ul)     /* mapped by nobody */
#define MS      1000000ul

static uint32_t timer;

static long set_timer(uint64_t at)
{
    return hypercall1(__HYPERVISOR_set_timer_op, at);
}

static long singleshot(unsigned int vcpu, uint64_t at, uint32_t flags)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = at, .flags = flags};

    return vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &t);
}

static long periodic(unsigned int vcpu, uint64_t period)
{
    struct vcpu_set_periodic_timer t = {.period_ns = period};

    return vcpu_op(VCPUOP_set_periodic_timer, vcpu, &t);
}

/* Ticks since the last call. */
static unsigned int ticks(void)
{
    unsigned int n;

    event_enable();
    event_disable();
    n = event_count[0][timer];
    event_count[0][timer] = 0;
    return n;
}

/* Does a tick come within ms? And not before `from`? */
static const char *tick_within(unsigned int ms, uint64_t from)
{
    bool came;

    event_count[0][timer] = 0;
    came = event_wait(timer, 1, ms);
    if (!came)
        return "none";
    return now() >= from ? "in time" : "too early";
}

/* ---- The time area ---- */

static void scale_is_sane(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info(0)->time;
    unsigned __int128 ns;

    check(t->tsc_to_system_mul != 0, "multiplier is set");
    check(t->tsc_shift >= -32 && t->tsc_shift <= 32, "shift is small");
    /* 2^30 ticks of a processor between 100 MHz and 10 GHz. */
    ns = (unsigned __int128)(t->tsc_shift < 0 ? (1ul << 30) >> -t->tsc_shift
                                              : (1ul << 30) << t->tsc_shift);
    ns = ns * t->tsc_to_system_mul >> 32;
    check(ns > 100 * MS && ns < 11000 * MS, "the scale is that of a processor");
    check(t->tsc_timestamp <= rdtsc(), "the stamp is not in the future");
    check(!(t->version & 1), "the area is not being written");
    note("mul %x shift %d version %u flags %x", t->tsc_to_system_mul, t->tsc_shift, t->version,
         t->flags);
}

static void monotone(void)
{
    uint64_t last = now(), t;
    unsigned int i, back = 0, calls = 0;

    for (i = 0; i < 100000; i++) {
        t = now();
        back += t < last;
        last = t;
    }
    check_eq("time went back, 100000 readings", back, 0);
    for (i = 0; i < 20000; i++) {
        if (i % 100 == 0) {
            sched_op(SCHEDOP_yield, NULL);
            calls++;
        }
        t = now();
        back += t < last;
        last = t;
    }
    check_eq("time went back, with hypercalls between", back, 0);
    check_eq("hypercalls between", calls, 200);
}

static void time_against_tsc(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info(0)->time;
    uint64_t ns0 = now(), tsc0 = rdtsc(), ns1, tsc1, want;

    while (now() < ns0 + 20 * MS)
        __asm__ volatile("pause");
    ns1 = now();
    tsc1 = rdtsc();
    want = tsc1 - tsc0;
    want = t->tsc_shift < 0 ? want >> -t->tsc_shift : want << t->tsc_shift;
    want = (uint64_t)((unsigned __int128)want * t->tsc_to_system_mul >> 32);
    check(ns1 - ns0 < want + MS && want < ns1 - ns0 + MS, "system time keeps with the TSC");
}

static uint64_t wall(void)
{
    const volatile struct shared_info *s = shared_info;
    uint32_t version;
    uint64_t ns;

    do {
        version = s->wc_version;
        barrier();
        ns = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * 1000000000ul + s->wc_nsec;
        barrier();
    } while ((version & 1) || version != s->wc_version);
    return ns + now();
}

static void wall_clock(void)
{
    uint64_t a = wall(), b;

    spin_ns(5 * MS);
    b = wall();
    check(a / 1000000000ul > 1600000000ul, "the wall clock is after 2020");
    check(a / 1000000000ul < 10000000000ul, "and in this age");
    check(b >= a + 5 * MS, "the wall clock advances");
    check(shared_info->wc_nsec < 1000000000u, "wc_nsec is below a second");
}

static void time_areas(void)
{
    struct vcpu_register_time_memory_area a;
    volatile struct vcpu_time_info *t = page_alloc();
    uint32_t version;
    uint64_t end;

    value_rc("time area without argument", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, NULL));
    value_rc("time area, bad argument", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, BAD_VA));
    a.addr.p = (uint64_t)t;
    check_eq("time area", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a), 0);
    version = t->version;
    check(t->tsc_to_system_mul == vcpu_info(0)->time.tsc_to_system_mul, "it is filled at once");
    end = now() + 5 * MS;
    while (t->version == version && now() < end)
        sched_op(SCHEDOP_yield, NULL);
    check(!(t->version & 1), "its version is even");
    value_rc("time area of vcpu 1",
             (a.addr.p += 64, vcpu_op(VCPUOP_register_vcpu_time_memory_area, 1, &a)));
    a.addr.p = (uint64_t)t + 3;
    value_rc("time area, odd address", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a));
    a.addr.p = (uint64_t)NOWHERE;
    value_rc("time area, unmapped", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a));
    a.addr.p = (uint64_t)BAD_VA;
    value_rc("time area in the hypervisor", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a));
    a.addr.p = 0x800000000000ul;
    value_rc("time area, not canonical", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a));
    a.addr.p = 0;
    value_rc("time area at 0", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &a));
    value_rc("time area at 0, vcpu 1", vcpu_op(VCPUOP_register_vcpu_time_memory_area, 1, &a));
}

/* ---- Timers ---- */

/* A vCPU starts with a tick of its own, which runs while the vCPU does. */
static void default_tick(void)
{
    uint64_t start;
    unsigned int n;

    ticks();
    start = now();
    check(event_wait(timer, 3, 1000), "ticks that nobody asked for");
    check(now() - start >= 15 * MS && now() - start < 500 * MS, "at about 100 Hz");
    set_timer(now() + 100 * MS);
    event_count[0][timer] = 0;
    start = now();
    event_enable();
    sched_op(SCHEDOP_block, NULL);
    event_disable();
    check(now() - start >= 90 * MS, "a blocked vcpu is not woken by it");
    ticks();
    check_eq("stop it", vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    spin_ns(30 * MS);
    n = ticks();
    check_eq("ticks after that", n, 0);
}

static void one_shots(void)
{
    uint64_t at;

    check_eq("set_timer in the past", set_timer(1), 0);
    value("tick of the past", "%s", tick_within(500, 0));
    check_eq("set_timer off", set_timer(0), 0);
    value("tick when off", "%s", tick_within(5, 0));
    at = now() + 10 * MS;
    check_eq("set_timer in 10 ms", set_timer(at), 0);
    value("tick in 10 ms", "%s", tick_within(1000, at));
    value("no second tick", "%s", tick_within(5, 0));
    at = now() + 10 * MS;
    set_timer(now() + 3000 * MS);
    check_eq("set_timer nearer", set_timer(at), 0);
    value("tick of the nearer", "%s", tick_within(1000, at));
    set_timer(now() + 100 * MS);
    at = now() + 150 * MS;
    check_eq("set_timer further", set_timer(at), 0);
    value("tick of the further", "%s", tick_within(1000, at));
    set_timer(now() + 100 * MS);
    check_eq("set_timer, then off", set_timer(0), 0);
    value("tick of a cancelled one", "%s", tick_within(150, 0));
    check_eq("set_timer to the end of time", set_timer(~0ul >> 1), 0);
    value("tick of the end of time", "%s", tick_within(5, 0));
    check_eq("set_timer -1", set_timer(~0ul), 0);
    value("tick of -1", "%s", tick_within(500, 0));
    check_eq("set_timer 2^63", set_timer(1ul << 63), 0);
    value("tick of 2^63", "%s", tick_within(500, 0));
    set_timer(0);
    ticks();
}

static void singleshots(void)
{
    uint64_t at;

    value_rc("singleshot without argument", vcpu_op(VCPUOP_set_singleshot_timer, 0, NULL));
    value_rc("singleshot, bad argument", vcpu_op(VCPUOP_set_singleshot_timer, 0, BAD_VA));
    value_rc("singleshot of vcpu 1", singleshot(1, 1, 0));
    value_rc("singleshot of vcpu 2", singleshot(2, 1, 0));
    check_eq("singleshot in the past", singleshot(0, 1, 0), 0);
    value("singleshot, tick of the past", "%s", tick_within(500, 0));
    value_rc("singleshot in the past, future only", singleshot(0, 1, VCPU_SSHOTTMR_future));
    value("singleshot, tick of a refused one", "%s", tick_within(5, 0));
    at = now() + 5 * MS;
    check_eq("singleshot, future only", singleshot(0, at, VCPU_SSHOTTMR_future), 0);
    value("singleshot, its tick", "%s", tick_within(1000, at));
    value_rc("singleshot, unknown flags", singleshot(0, now() + 5 * MS, 0xfffffffe));
    value("singleshot, tick with unknown flags", "%s", tick_within(1000, 0));
    value_rc("singleshot at 0", singleshot(0, 0, 0));
    value("singleshot, tick of 0", "%s", tick_within(100, 0));
    value_rc("singleshot at -1", singleshot(0, ~0ul, 0));
    value("singleshot, tick of -1", "%s", tick_within(100, 0));
    value_rc("singleshot at -1, future only", singleshot(0, ~0ul, VCPU_SSHOTTMR_future));
    value_rc("stop_singleshot", vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL));
    value_rc("stop_singleshot again", vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL));
    value_rc("stop_singleshot of vcpu 1", vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL));
    ticks();
    singleshot(0, now() + 100 * MS, 0);
    check_eq("singleshot, then stop", vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    value("singleshot, tick of a stopped one", "%s", tick_within(150, 0));
    /* One timer under two names. */
    singleshot(0, now() + 100 * MS, 0);
    set_timer(0);
    value("singleshot, tick after set_timer off", "%s", tick_within(150, 0));
    ticks();
}

static void periodics(void)
{
    static const uint64_t bad[] = {
        1, 1000, 99999, 100000, 999999, 1ul << 52, (1ul << 52) + 1, 1ul << 62, ~0ul};
    uint64_t start;
    unsigned int i, n;

    for (i = 0; i < ARRAY_SIZE(bad); i++)
        value_rc(text("period of %lu", (unsigned long)bad[i]), periodic(0, bad[i]));
    value_rc("stop_periodic", vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL));
    value_rc("stop_periodic again", vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL));
    value_rc("periodic without argument", vcpu_op(VCPUOP_set_periodic_timer, 0, NULL));
    value_rc("periodic, bad argument", vcpu_op(VCPUOP_set_periodic_timer, 0, BAD_VA));
    value_rc("periodic of vcpu 1", periodic(1, 100 * MS));
    value_rc("stop_periodic of vcpu 1", vcpu_op(VCPUOP_stop_periodic_timer, 1, NULL));
    value_rc("periodic of 0", periodic(0, 0));

    ticks();
    start = now();
    check_eq("periodic of 2 ms", periodic(0, 2 * MS), 0);
    check(event_wait(timer, 10, 2000), "ten ticks come");
    check(now() - start >= 17 * MS, "not faster than the period");
    check_eq("stop_periodic at last", vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    ticks();
    spin_ns(10 * MS);
    n = ticks();
    check_eq("ticks after the stop", n, 0);
    /* Both at once: each has its ticks. */
    periodic(0, 5 * MS);
    set_timer(now() + 12 * MS);
    check(event_wait(timer, 4, 2000), "periodic and one-shot together");
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    set_timer(0);
    ticks();
}

static void masked_and_unbound(void)
{
    uint64_t end;

    check_eq("close the port", evtchn_close(timer), 0);
    check_eq("timer without port", set_timer(now() + 1 * MS), 0);
    spin_ns(100 * MS);
    timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0);
    check(!evtchn_pending(timer), "its tick is lost");
    end = now() + 1000 * MS;
    set_timer(now() + 1 * MS);
    while (!evtchn_pending(timer) && now() < end)
        __asm__ volatile("pause");
    check(evtchn_pending(timer), "a tick while upcalls are masked stays pending");
    check(event_wait(timer, 1, 10), "and comes when they are unmasked");
    ticks();
}

/* ---- Run states ---- */

static void show_states(const char *name, const struct vcpu_runstate_info *r)
{
    note("%s: state %d since %lu, %lu %lu %lu %lu", name, r->state,
         (unsigned long)r->state_entry_time, (unsigned long)r->time[0], (unsigned long)r->time[1],
         (unsigned long)r->time[2], (unsigned long)r->time[3]);
}

static uint64_t sum(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

static void runstates(void)
{
    struct vcpu_runstate_info a, b;
    uint64_t t0, t1;

    value_rc("get_runstate without argument", vcpu_op(VCPUOP_get_runstate_info, 0, NULL));
    value_rc("get_runstate, bad argument", vcpu_op(VCPUOP_get_runstate_info, 0, BAD_VA));
    value_rc("get_runstate of vcpu 2", vcpu_op(VCPUOP_get_runstate_info, 2, &a));
    t0 = now();
    check_eq("get_runstate", vcpu_op(VCPUOP_get_runstate_info, 0, &a), 0);
    check_eq("it is running", a.state, RUNSTATE_running);
    spin_ns(10 * MS);
    check_eq("get_runstate again", vcpu_op(VCPUOP_get_runstate_info, 0, &b), 0);
    t1 = now();
    show_states("before", &a);
    show_states("after", &b);
    check(b.time[RUNSTATE_running] > a.time[RUNSTATE_running], "running time grows");
    check(sum(&b) - sum(&a) <= t1 - t0, "the states add up to no more than the time");
    check(sum(&b) - sum(&a) >= 10 * MS, "nor to less");
    check_eq("no time off line", (int64_t)(b.time[RUNSTATE_offline] - a.time[RUNSTATE_offline]), 0);

    set_timer(now() + 100 * MS);
    event_enable();
    while (event_count[0][timer] == 0)
        sched_op(SCHEDOP_block, NULL);
    event_disable();
    vcpu_op(VCPUOP_get_runstate_info, 0, &a);
    show_states("after a block", &a);
    check(a.time[RUNSTATE_blocked] - b.time[RUNSTATE_blocked] >= 10 * MS, "blocked time grows");
    ticks();

    check_eq("get_runstate of vcpu 1", vcpu_op(VCPUOP_get_runstate_info, 1, &b), 0);
    check_eq("vcpu 1 is off line", b.state, RUNSTATE_offline);
    check(b.time[RUNSTATE_offline] > 0, "its time off line grows");
    check_eq("it never ran", (int64_t)b.time[RUNSTATE_running], 0);
}

static void sleep_ms(unsigned int ms)
{
    set_timer(now() + ms * MS);
    event_wait(timer, event_count[0][timer] + 1, ms + 1000);
    set_timer(now() + 1 * MS);
    event_enable();
    sched_op(SCHEDOP_block, NULL);
    event_disable();
    ticks();
}

static void runstate_areas(void)
{
    struct vcpu_register_runstate_memory_area a;
    volatile struct vcpu_runstate_info *r = page_alloc();
    uint8_t *edge = page_alloc();
    uint64_t blocked;

    value_rc("runstate area without argument",
             vcpu_op(VCPUOP_register_runstate_memory_area, 0, NULL));
    value_rc("runstate area, bad argument",
             vcpu_op(VCPUOP_register_runstate_memory_area, 0, BAD_VA));
    a.addr.v = (struct vcpu_runstate_info *)r;
    check_eq("runstate area", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a), 0);
    check_eq("filled at once", r->state, RUNSTATE_running);
    blocked = r->time[RUNSTATE_blocked];
    sleep_ms(5);
    check(r->time[RUNSTATE_blocked] > blocked, "the area counts blocked time");
    check_eq("running again", r->state, RUNSTATE_running);
    check_eq(
        "vm_assist runstate_update_flag",
        hypercall2(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    sleep_ms(5);
    check(!(r->state_entry_time & XEN_RUNSTATE_UPDATE), "no update mark outside an update");

    a.addr.v = (struct vcpu_runstate_info *)(edge + PAGE_SIZE - 8);
    value_rc("runstate area over two pages", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    a.addr.v = (struct vcpu_runstate_info *)(edge + 3);
    value_rc("runstate area, odd address", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    a.addr.v = BAD_VA;
    value_rc("runstate area in the hypervisor",
             vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    a.addr.v = NOWHERE;
    value_rc("runstate area, unmapped", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    a.addr.v = (void *)0x800000000000ul;
    value_rc("runstate area, not canonical", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    a.addr.v = (struct vcpu_runstate_info *)edge;
    check_eq("page read-only", page_ro(edge), 0);
    value_rc("runstate area, read-only", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    check_eq("page writable", page_rw(edge), 0);
    check_eq("runstate area for the next", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a), 0);
    check_eq("which then goes away", page_unmap(edge), 0);
    sleep_ms(2);
    check(true, "still alive without the page");
    a.addr.v = NULL;
    value_rc("runstate area at 0", vcpu_op(VCPUOP_register_runstate_memory_area, 0, &a));
    sleep_ms(2);
}

void test_main(const char *args)
{
    (void)args;
    timer = (uint32_t)evtchn_virq(VIRQ_TIMER, 0);
    scale_is_sane();
    monotone();
    time_against_tsc();
    wall_clock();
    time_areas();
    default_tick();
    one_shots();
    singleshots();
    periodics();
    masked_and_unbound();
    runstates();
    runstate_areas();
}
