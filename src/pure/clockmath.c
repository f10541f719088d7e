/* SPDX-License-Identifier: MIT */
/*
 * How is one counter's value told in another's unit, and what date do the CMOS registers mean?
 *
 * Ratios are made by long division, one bit at a time, because a 128-bit quotient would need the
 * compiler's run-time library; they are made at start-up only. Applying one is inline in the
 * header.
 */
#include "pure/clockmath.h"

bool clockmath_scale_make(u64 from_hz, u64 to_hz, struct clock_scale *out)
{
    u64 num = to_hz, den = from_hz;
    int shift = 0, i;
    u32 mul = 0;

    *out = (struct clock_scale){0, 0};
    if (num == 0 || den == 0 || num >> 62 || den >> 62)
        return false;
    /* Bring num / den into [1/2, 1): then 32 quotient bits fill mul. */
    while (num >= den) {
        if (den >> 62)
            num >>= 1;
        else
            den <<= 1;
        shift++;
    }
    while (num < den - num) {
        num <<= 1;
        shift--;
    }
    if (shift > 31 || shift < -63)
        return false;
    for (i = 0; i < 32; i++) {
        num <<= 1;
        mul <<= 1;
        if (num >= den) {
            num -= den;
            mul |= 1;
        }
    }
    *out = (struct clock_scale){mul, (s8)shift};
    return true;
}

u64 clockmath_mul_div(u64 num, u64 mul, u64 div)
{
    unsigned __int128 prod = (unsigned __int128)num * mul;
    u64 rem = (u64)(prod >> 64), low = (u64)prod, quot = 0;
    int i;

    if (rem >= div)
        return ~(u64)0;
    for (i = 63; i >= 0; i--) {
        bool carry = rem >> 63;

        rem = (rem << 1) | ((low >> i) & 1);
        quot <<= 1;
        if (carry || rem >= div) {
            rem -= div;
            quot |= 1;
        }
    }
    return quot;
}

static u32 from_bcd(u8 v, bool binary)
{
    return binary ? v : (u32)(v >> 4) * 10 + (v & 15u);
}

/* Days from 1970-01-01 to a date: years start in March here, so the leap day ends them. */
static u64 days_since_epoch(u32 year, u32 month, u32 day)
{
    u32 y = month > 2 ? year : year - 1;
    u32 m = month > 2 ? month - 3 : month + 9;

    return (u64)365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

#define RTC_B_24H    0x02
#define RTC_B_BINARY 0x04
#define RTC_PM       0x80

bool clockmath_rtc_seconds(const struct clockmath_rtc *rtc, u64 *out)
{
    static const u8 month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool binary = (rtc->status_b & RTC_B_BINARY) != 0;
    u32 sec = from_bcd(rtc->sec, binary), min = from_bcd(rtc->min, binary), hour;
    u32 day = from_bcd(rtc->day, binary), month = from_bcd(rtc->month, binary);
    u32 year = from_bcd(rtc->year, binary), century = from_bcd(rtc->century, binary);

    if (rtc->status_b & RTC_B_24H) {
        hour = from_bcd(rtc->hour, binary);
    } else {
        hour = from_bcd(rtc->hour & (u8)~RTC_PM, binary);
        if (hour < 1 || hour > 12)
            return false;
        hour = hour % 12 + ((rtc->hour & RTC_PM) ? 12 : 0);
    }
    if (sec > 59 || min > 59 || hour > 23 || month < 1 || month > 12 || year > 99 || day < 1 ||
        day > month_days[month - 1])
        return false;
    /* Without a believable century register: 1970 to 2069. */
    if (century >= 20 && century <= 29)
        year += century * 100;
    else
        year += year >= 70 ? 1900 : 2000;
    *out = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + min) * 60 + sec;
    return true;
}
