/* SPDX-License-Identifier: MIT */
/*
 * What time is it, in nanoseconds since start, the same on every CPU? The TSC, scaled; its
 * frequency comes from watching it against a counter of known frequency: HPET (IA-PC HPET 1.0a),
 * else ACPI PM timer (ACPI 6.4, 4.8.3.3), else PIT channel 2 (Intel 8254).
 *
 * Each reading of the reference is bracketed by two of the TSC and the tightest of many brackets
 * counts, so a virtual machine's pauses do not enter the result; the median of three measurements
 * is taken. At its start each further CPU races the boot CPU through one locked word: a TSC that
 * runs behind shows as a step back. Then offsets are estimated and a shared maximum keeps the clock
 * monotonic; the common case carries neither. The frequency is not steered later: a machine whose
 * TSC changes speed (none without the invariant bit in this century's servers) would drift.
 */
#include "arch/clock.h"

#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "base/atomic.h"
#include "base/lib.h"
#include "pure/port.h"

#define MEASURE_MS    2
#define MEASURE_RUNS  3
#define MEASURE_READS 12
#define MEASURE_PPM   50
#define READS_MAX     4000000u

#define PM_TIMER_HZ 3579545u
#define PIT_HZ      1193182u

static struct {
    u64 base;                 /* boot CPU's TSC at time 0 */
    u32 mul;                  /* TSC to ns: (ticks * mul) >> down */
    u8 down;                  /* 1 .. 63 */
    bool guard;               /* some CPU's TSC differs: offset and last apply */
    struct clock_scale scale; /* the same as the ABI has it, for guests */
    bool steady;              /* invariant, or a hypervisor's */
    struct clock_scale back;  /* ns to TSC, rounded up */
    u64 hz;
    u64 last;             /* latest time given out, when guarded */
    s64 offset[MAX_CPUS]; /* what brings a CPU's TSC to the boot CPU's, when guarded */
} clock;

static u8 century_reg; /* of the CMOS clock; 0 = none */

/* --- Reading --- */

/*
 * Ticks to ns. As clockmath_scale with clock.scale, or 1 ns more: there the ABI's formula drops
 * low bits before it multiplies, here nothing is dropped. Asm because a shift count below 64 cannot
 * be promised to the compiler.
 */
static ALWAYS_INLINE u64 to_ns(u64 ticks)
{
    u64 ns = clock.mul;

    __asm__("mul %1; shrd %%cl, %%rdx, %0" : "+a"(ns), "+d"(ticks) : "c"(clock.down) : "cc");
    return ns;
}

/* Not later than any time given out before, whatever the CPU. */
static NOINLINE u64 guarded_time(u64 tsc)
{
    s64 ticks = (s64)(tsc + (u64)clock.offset[cpu_id()] - clock.base);
    u64 now = to_ns(ticks > 0 ? (u64)ticks : 0);
    u64 last = atomic_load(&clock.last);

    while (now > last)
        if (atomic_cmpxchg(&clock.last, &last, now))
            return now;
    return last;
}

u64 clock_now(void)
{
    u64 tsc = insn_rdtsc_ordered();

    if (unlikely(clock.guard))
        return guarded_time(tsc);
    return to_ns(tsc - clock.base);
}

/* clock_now for a given TSC reading of this CPU. */
static u64 from_tsc(u64 tsc)
{
    s64 ticks = (s64)(tsc - clock.base);

    if (unlikely(clock.guard))
        ticks += clock.offset[cpu_id()];
    return to_ns(ticks > 0 ? (u64)ticks : 0);
}

void clock_guest_time(u64 *tsc_stamp, u64 *ns, struct clock_scale *scale)
{
    *scale = clock.scale;
    if (clock_tsc_reliable()) {
        *tsc_stamp = clock.base;
        *ns = 0;
        return;
    }
    *tsc_stamp = insn_rdtsc_ordered();
    *ns = from_tsc(*tsc_stamp);
}

u64 clock_tsc_khz(void)
{
    return (clock.hz + 500) / 1000;
}

bool clock_tsc_reliable(void)
{
    return clock.steady && !clock.guard;
}

void clock_set_alarm(u64 deadline)
{
    u64 tsc, now;

    if (deadline == 0) {
        apic_timer_arm(0);
        return;
    }
    /* From here, not from time 0: the error of the scale back must stay below a tick or two. */
    tsc = insn_rdtsc();
    now = from_tsc(tsc);
    if (deadline > now)
        tsc += clockmath_scale(clock.back, MIN(deadline - now, (u64)1 << 56)) + 2;
    apic_timer_arm(tsc);
}

void clock_udelay(u32 us)
{
    /* Before calibration: as if the TSC ran at 5 GHz. */
    u64 ticks = (clock.hz != 0 ? clock.hz / 1000000 + 1 : 5000) * us, start = insn_rdtsc();

    while (insn_rdtsc() - start < ticks)
        insn_pause();
}

/* --- Measuring --- */

struct reading {
    u64 tsc, ref, window;
};

/* The tightest of several bracketed readings. */
static struct reading read_pair(const struct clock_counter *c)
{
    struct reading best = {.window = ~(u64)0};
    u32 i;

    for (i = 0; i < MEASURE_READS; i++) {
        u64 before = insn_rdtsc_ordered(), ref = c->read();
        u64 window = insn_rdtsc_ordered() - before;

        if (window < best.window)
            best = (struct reading){before + window / 2, ref, window};
    }
    return best;
}

bool clock_measure(const struct clock_counter *c, u64 min_ref, u64 min_tsc, u64 *ref_ticks,
                   u64 *tsc_ticks)
{
    struct reading start = read_pair(c), end;
    u64 ref = 0, tsc, error;
    u32 i;

    for (i = 0; i < READS_MAX; i++) {
        insn_pause();
        ref = (c->read() - start.ref) & c->mask;
        if (ref < min_ref || insn_rdtsc() - start.tsc < min_tsc)
            continue;
        end = read_pair(c);
        ref = (end.ref - start.ref) & c->mask;
        tsc = end.tsc - start.tsc;
        error = (start.window + end.window) / 2;
        if (error < tsc / (1000000 / MEASURE_PPM) || (ref > 2 * min_ref && tsc > 2 * min_tsc)) {
            *ref_ticks = ref;
            *tsc_ticks = tsc;
            return ref != 0 && tsc != 0;
        }
    }
    return false;
}

static volatile u8 *hpet;
static u16 pm_port;

#define HPET_CAPS       0x00
#define HPET_PERIOD     0x04 /* femtoseconds */
#define HPET_CONFIG     0x10
#define HPET_COUNTER    0xf0
#define HPET_ENABLE     1u
#define HPET_PERIOD_MAX 100000000u

static u64 hpet_read(void)
{
    return mmio_read32(hpet + HPET_COUNTER);
}

static u64 pm_read(void)
{
    return insn_inl(pm_port);
}

/* Channel 2 counts down; the latch command freezes a copy of both bytes. */
#define PIT_MODE     0x43
#define PIT_CHANNEL2 0x42
#define PIT_GATE     0x61

static u64 pit_read(void)
{
    u32 lo;

    insn_outb(PIT_MODE, 0x80);
    lo = insn_inb(PIT_CHANNEL2);
    return 0xffff - (lo | (u32)insn_inb(PIT_CHANNEL2) << 8);
}

static void pit_start(void)
{
    insn_outb(PIT_GATE, (u8)((insn_inb(PIT_GATE) & 0xfc) | 1)); /* gate on, speaker off */
    insn_outb(PIT_MODE, 0xb0);                                  /* channel 2, two bytes, mode 0 */
    insn_outb(PIT_CHANNEL2, 0xff);
    insn_outb(PIT_CHANNEL2, 0xff);
}

/* TSC frequency against one counter: the median of three measurements; 0 = no result. */
static u64 measure_hz(u64 (*read)(void), u64 mask, u64 ref_hz, void (*start)(void))
{
    const struct clock_counter c = {read, mask};
    u64 hz[MEASURE_RUNS], ref, tsc;
    u32 i, j;

    for (i = 0; i < MEASURE_RUNS; i++) {
        u64 val;

        if (start != NULL)
            start();
        if (!clock_measure(&c, ref_hz * MEASURE_MS / 1000, 0, &ref, &tsc))
            return 0;
        val = clockmath_mul_div(tsc, ref_hz, ref);
        for (j = i; j > 0 && hz[j - 1] > val; j--)
            hz[j] = hz[j - 1];
        hz[j] = val;
    }
    return hz[MEASURE_RUNS / 2];
}

static u64 hpet_hz(maddr_t maddr)
{
    u32 period;

    if (maddr == 0)
        return 0;
    hpet = hmap_device(maddr, 1024);
    if (hpet == NULL) {
        log_msg(LOG_WARN, "clock: HPET at %#lx cannot be mapped; not used", maddr);
        return 0;
    }
    period = mmio_read32(hpet + HPET_PERIOD);
    if (mmio_read32(hpet + HPET_CAPS) == ~0u || period == 0 || period > HPET_PERIOD_MAX) {
        log_msg(LOG_WARN, "clock: HPET at %#lx has period %u fs; not used", maddr, period);
        return 0;
    }
    mmio_write32(hpet + HPET_CONFIG, mmio_read32(hpet + HPET_CONFIG) | HPET_ENABLE);
    return measure_hz(hpet_read, 0xffffffff, (1000000000000000ul + period / 2) / period, NULL);
}

/*
 * What CPUID says: a hypervisor's leaf (kHz, VMware's convention, also KVM's) or the crystal and
 * its ratio (SDM vol. 2, CPUID leaf 15H). 0 when it says nothing.
 */
static u64 cpuid_hz(void)
{
    u32 r[4];

    if (cpu_features.in_vm) {
        insn_cpuid(0x40000000, 0, r);
        if (r[0] >= 0x40000010 && r[0] < 0x40010000) {
            insn_cpuid(0x40000010, 0, r);
            if (r[0] != 0)
                return (u64)r[0] * 1000;
        }
    }
    if (cpu_features.max_leaf < 0x15)
        return 0;
    insn_cpuid(0x15, 0, r);
    return r[0] != 0 && r[1] != 0 ? clockmath_mul_div(r[2], r[1], r[0]) : 0;
}

static u64 calibrate(const struct clock_sources *src, const char **name)
{
    u64 told = cpuid_hz(), hz;

    *name = "HPET";
    hz = hpet_hz(src->hpet);
    pm_port = src->pm_timer_port;
    if (hz == 0 && pm_port != 0) {
        *name = "ACPI PM timer";
        hz = measure_hz(pm_read, src->pm_timer_32bit ? 0xffffffff : 0xffffff, PM_TIMER_HZ, NULL);
    }
    if (hz == 0) {
        *name = "PIT";
        hz = measure_hz(pit_read, 0xffff, PIT_HZ, pit_start);
    }
    if (hz == 0) {
        *name = told != 0 ? "CPUID" : "nothing (no timer answers; a guess)";
        return told != 0 ? told : NS_PER_SEC;
    }
    /* Told and measured agree: the told one has no reading error. */
    if (told != 0 && MAX(told, hz) - MIN(told, hz) < hz / 5000)
        return told;
    if (told != 0)
        log_msg(LOG_WARN, "clock: CPUID says TSC %lu kHz, measured %lu kHz", told / 1000,
                hz / 1000);
    return hz;
}

void clock_init(const struct clock_sources *src)
{
    const char *name;

    clock.steady = cpu_features.tsc_invariant || cpu_features.in_vm;
    clock.hz = calibrate(src, &name);
    century_reg = src->rtc_century;
    BUG_ON(!clockmath_scale_make(clock.hz, NS_PER_SEC, &clock.scale));
    BUG_ON(!clockmath_scale_make(NS_PER_SEC, clock.hz, &clock.back) || clock.scale.shift < -31);
    clock.mul = clock.scale.mul;
    clock.down = (u8)(32 - clock.scale.shift);
    if (clock.back.mul != ~0u)
        clock.back.mul++;
    clock.base = insn_rdtsc();
    log_msg(LOG_INFO, "clock: TSC %lu.%03lu MHz by %s%s", clock.hz / 1000000,
            clock.hz / 1000 % 1000, name,
            cpu_features.tsc_invariant ? ", invariant"
            : clock.steady             ? ", virtual"
                                       : "");
    apic_timer_init();
}

/* --- Comparing --- */

#define RACE_ROUNDS 2000u
#define PING_ROUNDS 64u
#define MEET_MS     2000

static struct {
    u32 met; /* CPUs that reached the meeting points, counted up */
    u32 lock;
    u32 late; /* a meeting failed */
    u64 last; /* latest TSC seen by either */
    u64 warp; /* largest step back */
    u32 ping, pong;
    u64 pong_tsc;
} sync ALIGNED(64);

/* Both CPUs have called it `nr` times; false when the other does not come. */
static bool meet(u32 nr)
{
    u64 start = insn_rdtsc();

    atomic_add_return(&sync.met, 1);
    while (atomic_load_acquire(&sync.met) < 2 * nr) {
        if (atomic_load(&sync.late) || insn_rdtsc() - start > clock.hz / 1000 * MEET_MS) {
            atomic_store(&sync.late, 1);
            return false;
        }
        insn_pause();
    }
    return true;
}

static void race(void)
{
    u32 i;

    for (i = 0; i < RACE_ROUNDS; i++) {
        u64 now;

        while (atomic_xchg(&sync.lock, 1))
            insn_pause();
        now = insn_rdtsc_ordered();
        if (now < sync.last)
            sync.warp = MAX(sync.warp, sync.last - now);
        sync.last = now;
        atomic_store_release(&sync.lock, 0);
        if (i % 16 == 0)
            insn_pause();
    }
}

/* The boot CPU answers each ping with its TSC. */
static void answer_pings(void)
{
    u32 i;

    for (i = 1; i <= PING_ROUNDS; i++) {
        while (atomic_load_acquire(&sync.ping) != i && !atomic_load(&sync.late))
            insn_pause();
        sync.pong_tsc = insn_rdtsc_ordered();
        atomic_store_release(&sync.pong, i);
    }
}

/* The boot CPU's TSC minus ours, from the quickest exchange. */
static s64 measure_offset(void)
{
    u64 best = ~(u64)0;
    s64 offset = 0;
    u32 i;

    for (i = 1; i <= PING_ROUNDS; i++) {
        u64 start = insn_rdtsc_ordered(), trip;

        atomic_store_release(&sync.ping, i);
        while (atomic_load_acquire(&sync.pong) != i && !atomic_load(&sync.late))
            insn_pause();
        trip = insn_rdtsc_ordered() - start;
        if (trip < best) {
            best = trip;
            offset = (s64)(sync.pong_tsc - (start + trip / 2));
        }
    }
    return offset;
}

void clock_init_secondary(void)
{
    if (meet(1)) {
        race();
        if (meet(2) && sync.warp != 0)
            clock.offset[cpu_id()] = measure_offset();
        meet(3);
    }
    apic_timer_init();
}

void clock_sync_reset(void)
{
    memset(&sync, 0, sizeof(sync));
}

void clock_sync_secondary(u32 cpu)
{
    bool warped = false;

    if (meet(1)) {
        race();
        warped = meet(2) && sync.warp != 0;
        if (warped)
            answer_pings();
        meet(3);
    }
    if (sync.late)
        log_msg(LOG_WARN, "clock: CPU %u did not come to the TSC check; its TSC is not trusted",
                cpu);
    if (warped)
        log_msg(LOG_WARN, "clock: TSC of CPU %u is off by %ld ticks (stepped back %lu)", cpu,
                (long)clock.offset[cpu], sync.warp);
    /* The maximum starts where the unguarded clock has come to. */
    if ((warped || sync.late) && !clock.guard) {
        clock.last = clock_now();
        atomic_store_release(&clock.guard, true);
    }
}

/* --- The CMOS clock (MC146818) --- */

#define CMOS_INDEX   0x70
#define CMOS_DATA    0x71
#define RTC_STATUS_A 0x0a
#define RTC_STATUS_B 0x0b
#define RTC_UPDATING 0x80
#define RTC_TRIES    100u
#define RTC_POLLS    20000u

static u8 cmos_read(u8 reg)
{
    insn_outb(CMOS_INDEX, reg);
    return insn_inb(CMOS_DATA);
}

static struct clockmath_rtc rtc_registers(void)
{
    u32 i;

    /* An update takes 2 ms; without it no register changes for at least 244 us. */
    for (i = 0; i < RTC_POLLS && (cmos_read(RTC_STATUS_A) & RTC_UPDATING); i++)
        insn_pause();
    return (struct clockmath_rtc){
        .sec = cmos_read(0),
        .min = cmos_read(2),
        .hour = cmos_read(4),
        .day = cmos_read(7),
        .month = cmos_read(8),
        .year = cmos_read(9),
        .century = century_reg != 0 ? cmos_read(century_reg) : (u8)0,
        .status_b = cmos_read(RTC_STATUS_B),
    };
}

u64 clock_read_rtc(void)
{
    u64 sec, again;
    u32 i;

    for (i = 0; i < RTC_TRIES; i++) {
        struct clockmath_rtc a = rtc_registers(), b = rtc_registers();

        /* Equal twice: no update went through the middle. */
        if (clockmath_rtc_seconds(&a, &sec) && clockmath_rtc_seconds(&b, &again) && sec == again)
            return sec;
    }
    log_msg(LOG_WARN, "clock: the CMOS clock holds no valid date; using 1970-01-01");
    return 0;
}
