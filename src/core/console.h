/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's log: ring for `xl dmesg`, serial port, levels and rate limits; dom0's console
 * output; input switching and debug keys; panic.
 *
 * log_msg (pure/port.h) and everything that prints here may be called from any context, NMI
 * included: the console lock has the highest rank, is only waited for with a bound on an interrupt
 * stack, and is not waited for at all by the CPU that panics. Each message is a line of its own;
 * a newline at its end is optional.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "arch/regs.h"
#include "pure/cmdline.h"
#include "pure/port.h"

struct domain;
struct vcpu;

/* Boot, first thing: the ring only. */
void console_init_early(void);
/* Boot, with page_init done: the ring gets the size that was asked for, with what it holds. */
void console_init_ring(void);
/* Targets of the command line's table: com1=, com2=, console=, loglvl=, guest_loglvl=, noreboot. */
struct console_options {
    struct cmdline_com com[2];
    u32 console; /* CMDLINE_CONSOLE_ bits; the lowest of COM1 and COM2 is used */
    struct cmdline_loglvl loglvl, guest_loglvl;
    bool noreboot;
    u64 ring_size; /* conring_size= */
};
extern struct console_options console_options;
#define CONSOLE_RING_MAX (4u * MiB)
/* Boot, after the options: opens the serial port and sends what the ring holds. */
void console_init_serial(void);
/* The serial port that console= chose. */
const struct cmdline_com *console_com(void);
/*
 * Boot, with interrupts and timers up: receive interrupt or poll timer. Input goes to the debug
 * keys until dom0 is built, then (console_input_to_dom0) to dom0.
 */
void console_init_irq(void);
void console_input_to_dom0(void);

/*
 * A line about what a guest did: obeys guest_loglvl= and its rate limit, and is close to free when
 * it is not printed.
 */
void console_guest_log(enum log_level level, const char *f, ...) PRINTF_LIKE(2, 3);
/*
 * The two halves of console_guest_log for callers that add a prefix: whether a line may be printed
 * now (counts it), and printing it after `prefix`.
 */
bool console_guest_allows(enum log_level level);
void console_vprint(const char *prefix, const char *f, __builtin_va_list ap);

/* Guest text: whole lines with prefix for unprivileged domains, raw for dom0; rate limited. */
void console_guest_write(struct domain *d, const char *s, size_t n);
/* dom0 reads input; returns bytes copied. */
size_t console_read_input(char *dst, size_t n);
/* Ring for sysctl readconsole: copies from absolute index *idx on, advances it. */
size_t console_ring_read(u32 *idx, char *dst, size_t n, bool clear);

/*
 * Dump and stop: message, registers, stack with names, all CPUs stopped; reboot after five seconds
 * unless noreboot. Any context; needs no lock.
 */
NORETURN void console_panic(const char *f, ...) PRINTF_LIKE(1, 2);
/* From now on this CPU prints without waiting for the lock: the others are stopped. */
void console_force(void);

/* Registers of a frame; guest: of the current vCPU, and names are left out. */
void console_dump_regs(const struct cpu_regs *r, bool guest);
/* Registers of what each CPU was doing, taken by NMI. Not from NMI context. */
void console_dump_cpus(void);
/* Writes name+0xoff/0xsize of a hypervisor address, or "?", to buf. */
void console_symbol(u64 addr, char *buf, size_t size);

/* A debug key: one letter, run from the serial interrupt with the registers of what ran. */
struct console_key {
    char key;
    const char *what;
    void (*fn)(void);
};
/* k stays valid for ever. False when the key is taken or no ASCII letter or digit. Boot. */
bool console_key_register(const struct console_key *k);
/* Runs a key's function, or says that there is none. No lock held. */
void console_key_run(char key);

#endif
