/* SPDX-License-Identifier: MIT */
/* The 16550 serial port: transmit with a bounded wait, receive by interrupt or poll. */
#ifndef ARCH_SERIAL_H
#define ARCH_SERIAL_H

#include "base/def.h"

struct serial_config {
    u16 io_base; /* 0: no port */
    u32 baud;    /* 0: leave as the firmware set it */
    u8 data_bits, stop_bits;
    char parity; /* n o e m s */
};

/* False when nothing answers at io_base. */
bool serial_init(const struct serial_config *cfg);
bool serial_present(void);
/* CR is added before LF. Caller holds the console lock. A dead port is given up after a bound. */
void serial_write(const char *s, size_t n);
/* Takes one received byte; false when none. */
bool serial_read(u8 *c);
/* Turns receive interrupts on; irq is bound by the caller. */
void serial_enable_rx_irq(void);
/* True when the guest must not touch this port. */
bool serial_owns_port(u16 port);

#endif
