/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic of time: scales between two counters, ages of flush stamps, the CMOS calendar.
 */
#ifndef PURE_CLOCKMATH_H
#define PURE_CLOCKMATH_H

#include "base/def.h"

/*
 * A ratio as the ABI's vcpu_time_info has it: out = ((in << shift) * mul) >> 32; a negative shift
 * goes right. Public header xen.h, struct vcpu_time_info.
 */
struct clock_scale {
    u32 mul;
    s8 shift;
};

/* Applies a scale; the product is 96 bits wide, so nothing overflows for in << shift < 2^64. */
static ALWAYS_INLINE u64 clockmath_scale(struct clock_scale s, u64 in)
{
    in = likely(s.shift <= 0) ? in >> -s.shift : in << s.shift;
    return (u64)(((unsigned __int128)in * s.mul) >> 32);
}

/*
 * The scale that turns counts at from_hz into counts at to_hz, mul rounded down and at least 2^31.
 * Both below 2^62 and their ratio within 2^-63 .. 2^31; false (scale of 0) outside.
 */
bool clockmath_scale_make(u64 from_hz, u64 to_hz, struct clock_scale *out) MUST_CHECK;

/* num * mul / div without overflow of the product; div > 0; result must fit 64 bits (else ~0). */
u64 clockmath_mul_div(u64 num, u64 mul, u64 div);

/*
 * Flush stamps: `clock` counts flushes in 64 bits, a stamp is its low half at some earlier time.
 * True when a flush that happened at count `flushed` came after the stamp. A stamp older than 2^32
 * flushes is taken for a younger one, so the error is always towards "not flushed".
 */
static inline bool clockmath_stamp_flushed(u64 clock, u64 flushed, u32 stamp)
{
    u64 at = clock - (u32)((u32)clock - stamp);

    return flushed > at;
}

/* The CMOS clock's registers as read (MC146818 data sheet; century by the FADT, 0 = none). */
struct clockmath_rtc {
    u8 sec, min, hour, day, month, year, century;
    u8 status_b; /* bit 2: binary, bit 1: 24 hours */
};

/* Seconds since 1970-01-01 00:00 UTC; false when a field is out of its range. */
bool clockmath_rtc_seconds(const struct clockmath_rtc *rtc, u64 *out) MUST_CHECK;

#endif
