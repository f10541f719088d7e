/* SPDX-License-Identifier: MIT */
/*
 * What would channel 2 of the timer read now?
 *
 * Nothing ticks: the counter is computed from the time since it was started. While the gate is
 * closed the elapsed time is kept instead of the start. Modes 0, 1, 4 and 5 count down once and go
 * on below zero, 2 and 3 start over; BCD and the read-back command are not done.
 */
#include "pure/pit2.h"

#include "pure/port.h"

#define PIT_HZ 1193182u

#define GATE    (1u << 0)
#define SPEAKER (1u << 1)

/* access: which bytes reads and writes move (1: the low one), and where they are. */
#define ACCESS_HIGH 2u
#define ACCESS_BOTH 3u        /* low, then high */
#define LATCHED     (1u << 2) /* reads take `latch` until all its bytes are read */
#define READ_HIGH   (1u << 3) /* ACCESS_BOTH: the next byte read, written is the high one */
#define WRITE_HIGH  (1u << 4)
#define LOADED      (1u << 5) /* a count was written since the mode was */

static u64 elapsed_ns(const struct pit2 *p)
{
    return p->gate & GATE ? port_now() - p->start : p->start;
}

static u64 ticks(u64 ns)
{
    return ns / 1000000000 * PIT_HZ + ns % 1000000000 * PIT_HZ / 1000000000;
}

static bool periodic(const struct pit2 *p)
{
    return p->mode == 2 || p->mode == 3;
}

static u32 period(const struct pit2 *p)
{
    return p->reload ? p->reload : 0x10000;
}

static u16 count(const struct pit2 *p)
{
    u64 t = ticks(elapsed_ns(p));

    if (!(p->access & LOADED))
        return p->reload;
    if (!periodic(p))
        return (u16)(period(p) - t);
    t %= period(p);
    if (p->mode == 3) /* counts by two, through each half */
        t = t * 2 % period(p);
    return (u16)(period(p) - t);
}

static bool output(const struct pit2 *p)
{
    u64 t = ticks(elapsed_ns(p));

    switch (p->mode) {
    case 2:
        return p->access & LOADED ? t % period(p) != period(p) - 1 : true;
    case 3:
        return p->access & LOADED ? t % period(p) < (period(p) + 1) / 2 : true;
    default: /* low while counting, then high */
        return p->access & LOADED && t >= period(p);
    }
}

static void start(struct pit2 *p)
{
    p->start = p->gate & GATE ? port_now() : 0;
    p->access |= LOADED;
}

static void write_mode(struct pit2 *p, u8 val)
{
    if (val >> 6 != 2) /* other channels; the read-back command is left out */
        return;
    if (!(val & 0x30)) {
        if (!(p->access & LATCHED))
            p->latch = count(p);
        p->access |= LATCHED;
        return;
    }
    p->access = val >> 4 & 3;
    p->mode = val >> 1 & 7;
    if (p->mode > 5) /* 6 and 7 are 2 and 3 */
        p->mode &= 3;
}

static void write_count(struct pit2 *p, u8 val)
{
    u32 bytes = p->access & ACCESS_BOTH;

    if (bytes == ACCESS_BOTH && !(p->access & WRITE_HIGH)) {
        p->low = val;
        p->access |= WRITE_HIGH;
        return;
    }
    if (bytes == ACCESS_BOTH)
        p->reload = (u16)(p->low | val << 8);
    else
        p->reload = (u16)(bytes == ACCESS_HIGH ? val << 8 : val);
    p->access &= (u8)~WRITE_HIGH;
    start(p);
}

static u8 read_count(struct pit2 *p)
{
    u32 bytes = p->access & ACCESS_BOTH;
    u16 c = p->access & LATCHED ? p->latch : count(p);
    bool high = bytes == ACCESS_HIGH || (bytes == ACCESS_BOTH && p->access & READ_HIGH);

    if (bytes == ACCESS_BOTH)
        p->access ^= READ_HIGH;
    if (bytes != ACCESS_BOTH || high)
        p->access &= (u8)~LATCHED;
    return (u8)(high ? c >> 8 : c);
}

static void write_gate(struct pit2 *p, u8 val)
{
    u8 old = p->gate;
    u64 counted = elapsed_ns(p);

    p->gate = val & (GATE | SPEAKER);
    if ((old ^ p->gate) & GATE) {
        /* Modes 0 and 4 pause; the others start over when the gate opens. */
        if (p->mode != 0 && p->mode != 4)
            counted = 0;
        p->start = p->gate & GATE ? port_now() - counted : counted;
    }
}

static u8 read_gate(const struct pit2 *p)
{
    u8 refresh = (port_now() / 15085 & 1) != 0; /* toggles with memory refresh */

    return (u8)(p->gate | refresh << 4 | output(p) << 5);
}

u8 pit2_read(struct pit2 *p, u16 port)
{
    if (port == PIT2_PORT_COUNT)
        return read_count(p);
    return port == PIT2_PORT_GATE ? read_gate(p) : 0xff;
}

void pit2_write(struct pit2 *p, u16 port, u8 val)
{
    if (port == PIT2_PORT_COUNT)
        write_count(p, val);
    else if (port == PIT2_PORT_MODE)
        write_mode(p, val);
    else
        write_gate(p, val);
}
