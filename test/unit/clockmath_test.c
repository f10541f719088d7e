/* SPDX-License-Identifier: MIT */
/* Scales, products and dates of pure/clockmath.c against wide arithmetic and known values. */
#include "pure/clockmath.h"

#include "host/host.h"

#define GHZ 1000000000ull

static u64 exact(u64 n, u64 from, u64 to)
{
    return (u64)((unsigned __int128)n * to / from);
}

TEST(scale_is_close_and_never_above)
{
    static const u64 hz[] = {32768,   3579545, 14318180,      100000000, 999999999, GHZ,
                             GHZ + 1, 2 * GHZ, 2394453123ull, 3 * GHZ,   4 * GHZ,   6123456789ull};
    u32 i, k;

    for (i = 0; i < ARRAY_SIZE(hz); i++) {
        struct clock_scale s, inv;

        CHECK(clockmath_scale_make(hz[i], GHZ, &s));
        CHECK(clockmath_scale_make(GHZ, hz[i], &inv));
        CHECK(s.mul >= 0x80000000u);
        for (k = 0; k < 1000; k++) {
            u64 in = host_rand_below((u64)1 << (10 + k % 34)), want = exact(in, hz[i], GHZ);
            u64 got = clockmath_scale(s, in);

            CHECK(got <= want);
            /* Right shift loses up to 2^-shift input ticks, mul up to 2^-31 of the value. */
            CHECK(want - got <= (want >> 30) + (s.shift < 0 ? (GHZ << -s.shift) / hz[i] : 0) + 2);
        }
        /* There and back loses a little, never gains. */
        CHECK(clockmath_scale(inv, clockmath_scale(s, 1000 * hz[i])) <= 1000 * hz[i]);
    }
}

TEST(scale_of_known_ratios)
{
    struct clock_scale s;

    CHECK(clockmath_scale_make(GHZ, GHZ, &s));
    CHECK_EQ(s.mul, 0x80000000u);
    CHECK_EQ(s.shift, 1);
    CHECK_EQ(clockmath_scale(s, 123456789012ull), 123456789012ull);
    CHECK(clockmath_scale_make(2 * GHZ, GHZ, &s));
    CHECK_EQ(s.shift, 0);
    CHECK_EQ(clockmath_scale(s, 1000), 500);
    CHECK(clockmath_scale_make(4 * GHZ, GHZ, &s));
    CHECK_EQ(s.shift, -1);
    CHECK_EQ(clockmath_scale(s, 4000), 1000);
}

TEST(scale_refuses_nonsense)
{
    struct clock_scale s;

    CHECK(!clockmath_scale_make(0, GHZ, &s));
    CHECK(!clockmath_scale_make(GHZ, 0, &s));
    CHECK(!clockmath_scale_make(~0ull, GHZ, &s));
    CHECK(!clockmath_scale_make(1, 1ull << 60, &s));
    CHECK(clockmath_scale_make((1ull << 61) + 1, 1ull << 61, &s));
    CHECK_EQ(s.mul, 0xffffffffu);
    CHECK(clockmath_scale_make(1ull << 61, (1ull << 61) + 12345, &s));
    CHECK_EQ(s.shift, 1);
    CHECK_EQ(s.mul, 0x80000000u);
}

TEST(mul_div_equals_wide_division)
{
    u32 i;

    for (i = 0; i < 20000; i++) {
        u64 a = host_rand() >> host_rand_below(64), b = host_rand() >> host_rand_below(64);
        u64 d = (host_rand() >> host_rand_below(64)) | 1;
        unsigned __int128 want = (unsigned __int128)a * b / d;

        if (want >> 64)
            CHECK_EQ(clockmath_mul_div(a, b, d), ~0ull);
        else
            CHECK_EQ(clockmath_mul_div(a, b, d), (u64)want);
    }
}

TEST(stamps_err_towards_not_flushed)
{
    u32 i;

    CHECK(clockmath_stamp_flushed(10, 6, 5));
    CHECK(!clockmath_stamp_flushed(10, 5, 5));
    CHECK(!clockmath_stamp_flushed(10, 4, 5));
    /* Across the wrap of the low half. */
    CHECK(clockmath_stamp_flushed(0x100000005ull, 0x100000000ull, 0xffffffff));
    CHECK(!clockmath_stamp_flushed(0x100000005ull, 0xfffffffeull, 0xffffffff));
    for (i = 0; i < 20000; i++) {
        u64 clock = host_rand() >> (4 + host_rand_below(40));
        u64 stamp = host_rand_below(clock + 1), flushed = host_rand_below(clock + 1);

        if (clockmath_stamp_flushed(clock, flushed, (u32)stamp))
            CHECK(flushed > stamp);
        else if (clock - stamp <= 0xffffffff)
            CHECK(flushed <= stamp);
    }
}

static void check_date(struct clockmath_rtc r, u64 want)
{
    u64 got;

    CHECK(clockmath_rtc_seconds(&r, &got));
    CHECK_EQ(got, want);
}

TEST(rtc_dates)
{
    /* date -u -d '...' +%s */
    check_date((struct clockmath_rtc){0, 0, 0, 1, 1, 70, 19, 6}, 0);
    check_date((struct clockmath_rtc){59, 59, 23, 31, 12, 99, 19, 6}, 946684799);
    check_date((struct clockmath_rtc){0x00, 0x00, 0x00, 0x29, 0x02, 0x00, 0x20, 2}, 951782400);
    check_date((struct clockmath_rtc){0x07, 0x35, 0x03, 0x21, 0x11, 0x26, 0x20, 2}, 1795232107);
    /* No century register, or one that nobody has changed since. */
    check_date((struct clockmath_rtc){0x07, 0x35, 0x03, 0x21, 0x11, 0x26, 0x19, 2}, 1795232107);
    check_date((struct clockmath_rtc){0x07, 0x35, 0x03, 0x21, 0x11, 0x26, 0, 2}, 1795232107);
    /* 12-hour clock: noon, midnight, afternoon. */
    check_date((struct clockmath_rtc){0, 0, 0x92, 1, 1, 0x70, 0x19, 0}, 12 * 3600);
    check_date((struct clockmath_rtc){0, 0, 0x12, 1, 1, 0x70, 0x19, 0}, 0);
    check_date((struct clockmath_rtc){0, 0, 0x83, 1, 1, 0x70, 0x19, 0}, 15 * 3600);
    check_date((struct clockmath_rtc){0, 0, 0x8b, 1, 1, 70, 19, 4}, 23 * 3600);
    check_date((struct clockmath_rtc){0, 0, 12, 1, 3, 0, 21, 6}, 4107585600);
}

TEST(rtc_every_day_follows_the_last)
{
    static const u8 days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    u64 want = 0, got;
    u32 y, m, d;

    for (y = 1970; y < 2400; y++)
        for (m = 1; m <= 12; m++) {
            u32 n = days[m - 1] + (m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));

            for (d = 1; d <= n; d++, want += 86400) {
                struct clockmath_rtc r = {0, 0, 0, (u8)d, (u8)m, (u8)(y % 100), (u8)(y / 100), 6};

                CHECK(clockmath_rtc_seconds(&r, &got));
                CHECK_EQ(got, want);
            }
        }
}

TEST(rtc_refuses_nonsense)
{
    static const struct clockmath_rtc bad[] = {
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0, 0, 0, 0, 1, 20, 20, 6},
        {0, 0, 0, 1, 0, 20, 20, 6},
        {0, 0, 0, 1, 13, 20, 20, 6},
        {60, 0, 0, 1, 1, 20, 20, 6},
        {0, 60, 0, 1, 1, 20, 20, 6},
        {0, 0, 24, 1, 1, 20, 20, 6},
        {0, 0, 0, 31, 4, 20, 20, 6},
        {0, 0, 0, 1, 1, 20, 20, 0},
        {0, 0, 0x13, 1, 1, 20, 20, 0},
    };
    u64 got;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK(!clockmath_rtc_seconds(&bad[i], &got));
}
