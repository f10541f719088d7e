/* SPDX-License-Identifier: MIT */
/*
 * Time: the TSC as the one clock, calibrated against HPET, ACPI PM timer or PIT (best present), and
 * the local APIC timer as the one alarm of each CPU.
 */
#ifndef ARCH_CLOCK_H
#define ARCH_CLOCK_H

#include "base/def.h"
#include "pure/clockmath.h"

struct clock_sources {
    maddr_t hpet;      /* 0: none */
    u16 pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    u8 rtc_century; /* CMOS index of the century, FADT; 0: none */
};

/*
 * Boot CPU: calibrate, start counting at 0, set up the alarm. After irq_init. Logs source and
 * frequency.
 */
void clock_init(const struct clock_sources *src);
/*
 * A further CPU: compares its TSC with the boot CPU's, which meanwhile runs clock_sync_secondary
 * for this CPU's number, and sets up its alarm. Both return together; each waits a bounded time.
 * reset: before a CPU is started, when none that was started before is in clock_init_secondary.
 */
void clock_init_secondary(void);
void clock_sync_secondary(u32 cpu);
void clock_sync_reset(void);

/* Nanoseconds since clock_init; monotonic on each CPU, and across them. */
u64 clock_now(void);
/*
 * What a guest needs to compute clock_now itself on this CPU: ns + scale(tsc - tsc_stamp). When
 * clock_tsc_reliable() the answer is the same on every CPU and never changes, so that times read on
 * different CPUs compare exactly.
 */
void clock_guest_time(u64 *tsc_stamp, u64 *ns, struct clock_scale *scale);
u64 clock_tsc_khz(void);
/* True when all CPUs' TSCs agree and do not stop: guests may use the TSC unguarded. */
bool clock_tsc_reliable(void);

/* Sets this CPU's one alarm to an absolute time in ns (0 = none). Past = at once. */
void clock_set_alarm(u64 deadline);

/* Seconds since 1970 from the CMOS clock; for reading once at boot, after clock_init. */
u64 clock_read_rtc(void);

/* Busy wait. Before clock_init it waits too long rather than too short. */
void clock_udelay(u32 us);

/* A counter that counts up, modulo mask + 1. */
struct clock_counter {
    u64 (*read)(void);
    u64 mask;
};

/*
 * How many TSC ticks pass during how many ticks of another counter? Watches it for at least
 * min_ref of its ticks and min_tsc of the TSC's, at most about twice that, until the reading error
 * is small; false when it stands still. Boot only.
 */
bool clock_measure(const struct clock_counter *c, u64 min_ref, u64 min_tsc, u64 *ref_ticks,
                   u64 *tsc_ticks) MUST_CHECK;

#endif
