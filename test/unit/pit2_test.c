/* SPDX-License-Identifier: MIT */
/* The timer channel as calibration loops use it, then its modes, latches and the gate. */
#include "host/host.h"
#include "pure/pit2.h"

#define TICK 838 /* ns, a little under one count */
#define OUT2 0x20

static void out(struct pit2 *p, u16 port, u8 val)
{
    pit2_write(p, port, val);
}

static u16 read16(struct pit2 *p)
{
    u16 low = pit2_read(p, PIT2_PORT_COUNT);

    return (u16)(low | pit2_read(p, PIT2_PORT_COUNT) << 8);
}

/* Linux: gate on, mode 0, 50 ms, loop until the output rises. */
TEST(calibration_by_output)
{
    struct pit2 p = {0};
    u32 loops = 0, latch = 1193182 / 20;

    out(&p, PIT2_PORT_GATE, (pit2_read(&p, PIT2_PORT_GATE) & (u8)~2) | 1);
    out(&p, PIT2_PORT_MODE, 0xb0);
    out(&p, PIT2_PORT_COUNT, (u8)latch);
    out(&p, PIT2_PORT_COUNT, (u8)(latch >> 8));
    while (!(pit2_read(&p, PIT2_PORT_GATE) & OUT2)) {
        host_advance(1000000);
        CHECK(++loops < 60);
    }
    CHECK_EQ(loops, 50);
}

/* Linux's quick way: the high byte of a running count falls by one every 256 counts. */
TEST(calibration_by_msb)
{
    struct pit2 p = {0};
    u32 i;

    out(&p, PIT2_PORT_GATE, 1);
    out(&p, PIT2_PORT_MODE, 0xb0);
    out(&p, PIT2_PORT_COUNT, 0xff);
    out(&p, PIT2_PORT_COUNT, 0xff);
    for (i = 0; i < 20; i++) {
        u16 c = read16(&p);

        CHECK_EQ(c, 0xffff - i * 1193182ull * 214 / 1000000);
        host_advance(214000);
    }
}

TEST(one_shot_goes_below_zero)
{
    struct pit2 p = {0};

    out(&p, PIT2_PORT_GATE, 1);
    out(&p, PIT2_PORT_MODE, 0xb0);
    CHECK(!(pit2_read(&p, PIT2_PORT_GATE) & OUT2));
    out(&p, PIT2_PORT_COUNT, 2);
    out(&p, PIT2_PORT_COUNT, 0);
    CHECK_EQ(read16(&p), 2);
    host_advance(2 * TICK + 10);
    CHECK_EQ(read16(&p), 0);
    CHECK(pit2_read(&p, PIT2_PORT_GATE) & OUT2);
    host_advance(TICK);
    CHECK_EQ(read16(&p), 0xffff);
}

TEST(gate_pauses_mode_0)
{
    struct pit2 p = {0};

    out(&p, PIT2_PORT_MODE, 0xb0);
    out(&p, PIT2_PORT_COUNT, 0);
    out(&p, PIT2_PORT_COUNT, 1);
    host_advance(1000000);
    CHECK_EQ(read16(&p), 256); /* closed: nothing counts */
    out(&p, PIT2_PORT_GATE, 1);
    host_advance(10 * TICK + 10);
    out(&p, PIT2_PORT_GATE, 0);
    CHECK_EQ(read16(&p), 246);
    host_advance(1000000);
    CHECK_EQ(read16(&p), 246);
    out(&p, PIT2_PORT_GATE, 3);
    host_advance(5 * TICK + 10);
    CHECK_EQ(read16(&p), 241);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_GATE) & 3, 3);
}

TEST(periodic_modes)
{
    struct pit2 p = {0};
    u32 i, high = 0;

    out(&p, PIT2_PORT_GATE, 1);
    out(&p, PIT2_PORT_MODE, 0xb4); /* rate generator */
    out(&p, PIT2_PORT_COUNT, 100);
    out(&p, PIT2_PORT_COUNT, 0);
    host_advance(250 * TICK + 100);
    CHECK_EQ(read16(&p), 50);
    out(&p, PIT2_PORT_MODE, 0xb6); /* square wave */
    out(&p, PIT2_PORT_COUNT, 100);
    out(&p, PIT2_PORT_COUNT, 0);
    for (i = 0; i < 1000; i++) {
        u16 c = read16(&p);

        CHECK(c > 0 && c <= 100);
        high += (pit2_read(&p, PIT2_PORT_GATE) & OUT2) != 0;
        host_advance(TICK);
    }
    CHECK(high > 480 && high < 520);
}

TEST(latch_and_single_bytes)
{
    struct pit2 p = {0};
    u16 c;

    out(&p, PIT2_PORT_GATE, 1);
    out(&p, PIT2_PORT_MODE, 0xb0);
    out(&p, PIT2_PORT_COUNT, 0x34);
    out(&p, PIT2_PORT_COUNT, 0x12);
    out(&p, PIT2_PORT_MODE, 0x80); /* latch */
    host_advance(300 * TICK);
    out(&p, PIT2_PORT_MODE, 0x80); /* a second one changes nothing */
    CHECK_EQ(read16(&p), 0x1234);
    c = read16(&p);
    CHECK(c < 0x1234);
    out(&p, PIT2_PORT_MODE, 0x90); /* low byte only */
    out(&p, PIT2_PORT_COUNT, 0x80);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_COUNT), 0x80);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_COUNT), 0x80);
    out(&p, PIT2_PORT_MODE, 0xa0); /* high byte only */
    out(&p, PIT2_PORT_COUNT, 0x02);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_COUNT), 0x02);
    /* Other channels are not ours. */
    out(&p, PIT2_PORT_MODE, 0x34);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_COUNT), 0x02);
    CHECK_EQ(pit2_read(&p, PIT2_PORT_MODE), 0xff);
    CHECK(pit2_owns(0x42) && pit2_owns(0x43) && pit2_owns(0x61) && !pit2_owns(0x40));
}
