/* SPDX-License-Identifier: MIT */
/*
 * How does a byte get out of, or in from, a 16550 serial port? Source: National Semiconductor
 * PC16550D data sheet, section 8.
 *
 * The transmitter is polled: logging must work in any state of the machine. After "transmitter
 * holding register empty" a port with FIFOs takes sixteen bytes without another look. The wait is
 * bounded by a number of TSC ticks; a port that missed it once gets a single poll per byte until it
 * answers again, so a dead port costs microseconds and not seconds.
 */
#include "arch/serial.h"

#include "arch/insn.h"

#define REG_DATA 0 /* DLAB: divisor low */
#define REG_IER  1 /* DLAB: divisor high */
#define REG_IIR  2 /* read; FCR when written */
#define REG_LCR  3
#define REG_MCR  4
#define REG_LSR  5
#define REG_MSR  6
#define REG_SCR  7
#define REG_NR   8

#define IER_RX        0x01
#define FCR_ENABLE    0x01
#define FCR_CLEAR     0x06
#define FCR_TRIGGER_8 0x80
#define IIR_FIFOS     0xc0
#define LCR_DLAB      0x80
#define MCR_DTR_RTS   0x03
#define MCR_OUT2      0x08 /* gates the interrupt line on a PC */
#define MCR_LOOP      0x10
#define LSR_DR        0x01
#define LSR_THRE      0x20

#define UART_CLOCK 115200u /* baud rate at divisor 1 */
#define FIFO_BYTES 16
/* TSC ticks, some seconds: an emulated port stalls while whoever reads it is not run. */
#define WAIT_MAX 8000000000ul

static u16 base; /* 0: no port */
static u32 fifo_room, fifo_left;
static bool gave_up;

static u8 reg_in(u32 reg)
{
    return insn_inb((u16)(base + reg));
}

static void reg_out(u32 reg, u8 val)
{
    insn_outb((u16)(base + reg), val);
}

/* A 16450 or later keeps a scratch byte; an 8250 at least loops its modem lines back. */
static bool answers(void)
{
    u8 mcr, lines;

    reg_out(REG_SCR, 0x5a);
    if (reg_in(REG_SCR) == 0x5a) {
        reg_out(REG_SCR, 0xa5);
        if (reg_in(REG_SCR) == 0xa5)
            return true;
    }
    if (reg_in(REG_LSR) == 0xff)
        return false;
    mcr = reg_in(REG_MCR);
    reg_out(REG_MCR, MCR_LOOP | 0x0a); /* RTS and OUT2 come back as CTS and DCD */
    lines = reg_in(REG_MSR) & 0xf0;
    reg_out(REG_MCR, mcr);
    return lines == 0x90;
}

static u8 line_control(const struct serial_config *cfg)
{
    u32 bits = cfg->data_bits >= 5 && cfg->data_bits <= 8 ? cfg->data_bits : 8;
    u8 lcr = (u8)(bits - 5);

    if (cfg->stop_bits == 2)
        lcr |= 0x04;
    if (cfg->parity == 'o')
        lcr |= 0x08;
    else if (cfg->parity == 'e')
        lcr |= 0x18;
    else if (cfg->parity == 'm')
        lcr |= 0x28;
    else if (cfg->parity == 's')
        lcr |= 0x38;
    return lcr;
}

bool serial_init(const struct serial_config *cfg)
{
    u8 lcr = line_control(cfg);

    base = cfg->io_base;
    if (base == 0 || base > 0xffff - REG_NR + 1 || !answers()) {
        base = 0;
        return false;
    }
    reg_out(REG_IER, 0);
    if (cfg->baud != 0) {
        u32 divisor = MAX(UART_CLOCK / cfg->baud, 1u);

        divisor = MIN(divisor, 0xffffu);
        reg_out(REG_LCR, lcr | LCR_DLAB);
        reg_out(REG_DATA, (u8)divisor);
        reg_out(REG_IER, (u8)(divisor >> 8));
    }
    reg_out(REG_LCR, lcr);
    reg_out(REG_IIR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_8);
    fifo_room = (reg_in(REG_IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_BYTES : 1;
    fifo_left = 0;
    gave_up = false;
    reg_out(REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    return true;
}

bool serial_present(void)
{
    return base != 0;
}

/* Waits until the transmitter is empty; false when the bound is reached. */
static bool wait_empty(void)
{
    u64 start = insn_rdtsc();

    do {
        if (reg_in(REG_LSR) & LSR_THRE) {
            gave_up = false;
            return true;
        }
        insn_pause();
    } while (!gave_up && insn_rdtsc() - start < WAIT_MAX);
    gave_up = true;
    return false;
}

static void put(u8 c)
{
    if (fifo_left == 0) {
        if (!wait_empty())
            return;
        fifo_left = fifo_room;
    }
    fifo_left--;
    reg_out(REG_DATA, c);
}

void serial_write(const char *s, size_t n)
{
    size_t i;

    if (base == 0)
        return;
    for (i = 0; i < n; i++) {
        if (s[i] == '\n')
            put('\r');
        put((u8)s[i]);
    }
    /* The next call cannot know how far the FIFO has drained. */
    fifo_left = 0;
}

bool serial_read(u8 *c)
{
    u8 lsr;

    if (base == 0)
        return false;
    lsr = reg_in(REG_LSR);
    if (lsr == 0xff || !(lsr & LSR_DR))
        return false;
    *c = reg_in(REG_DATA);
    return true;
}

void serial_enable_rx_irq(void)
{
    if (base == 0)
        return;
    reg_out(REG_IER, IER_RX);
    /* Ends whatever cause is latched, so that the next one makes an edge. */
    (void)reg_in(REG_IIR);
    (void)reg_in(REG_MSR);
}

bool serial_owns_port(u16 port)
{
    return base != 0 && port >= base && port < base + REG_NR;
}
