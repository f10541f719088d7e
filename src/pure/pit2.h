/* SPDX-License-Identifier: MIT */
/*
 * Channel 2 of the interval timer (8254) and the gate and speaker port: no sound, but it counts.
 * Source: Intel 8254 data sheet; PC/AT technical reference for port 0x61. The caller locks.
 */
#ifndef PURE_PIT2_H
#define PURE_PIT2_H

#include "base/def.h"

#define PIT2_PORT_COUNT 0x42
#define PIT2_PORT_MODE  0x43
#define PIT2_PORT_GATE  0x61

/* All zero is the state at reset. */
struct pit2 {
    u64 start;  /* gate open: ns when counting began; closed: ns counted so far */
    u16 reload; /* 0 means 65536 */
    u16 latch;  /* frozen count */
    u8 gate;    /* port 0x61, bits 0 and 1 */
    u8 mode;    /* 0 to 5 */
    u8 access;  /* bytes that move, and flags: pit2.c */
    u8 low;     /* first byte of a write */
};

static inline bool pit2_owns(u16 port)
{
    return port == PIT2_PORT_COUNT || port == PIT2_PORT_MODE || port == PIT2_PORT_GATE;
}

/* One byte access to a port pit2_owns, at time port_now(). */
u8 pit2_read(struct pit2 *p, u16 port);
void pit2_write(struct pit2 *p, u16 port, u8 val);

#endif
