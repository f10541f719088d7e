/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: a table of options, filled from Xen's syntax.
 *
 *   name            a boolean becomes true            name=value
 *   no-name         a boolean becomes false           name="value with blanks"
 *
 * '-' and '_' in names are the same. A boolean's value is yes, on, true, enable, 1 or no, off,
 * false, disable, 0. A later word overrides an earlier one. "--" ends the line.
 * Boot time only; no lock.
 */
#ifndef PURE_CMDLINE_H
#define PURE_CMDLINE_H

#include "base/def.h"
#include "pure/reason.h"

#define CMDLINE_WORD 160 /* longest word, with its end */

enum cmdline_kind {
    CMDLINE_BOOL,   /* dst: bool */
    CMDLINE_UINT,   /* dst: u32, in [min, max] */
    CMDLINE_SIZE,   /* dst: u64 bytes, in [min, max]; without suffix in units of 1 << shift */
    CMDLINE_STRING, /* dst: char[max] */
    CMDLINE_CUSTOM, /* parse(value, dst) */
    CMDLINE_IGNORE, /* known, accepted in any form, without effect */
};

struct cmdline_opt {
    const char *name;
    enum cmdline_kind kind;
    void *dst;
    u64 min, max;
    unsigned int shift;
    /* value is "" for a bare name and "no" for no-name. Nonzero: a bad value. */
    int (*parse)(const char *value, void *dst);
};

/*
 * Sets what the n options of the table ask for. Unknown words are named in one warning through
 * log_msg and ignored. 0, or -EINVAL with a text such as: option dom0_mem: bad value "12Q",
 * of the first bad word; the good ones around it have taken effect.
 */
int cmdline_parse(const char *line, const struct cmdline_opt *opts, unsigned int n,
                  struct reason *why) MUST_CHECK;

/* A boolean's value: 1, 0, or -EINVAL for any other text. "" is true. */
int cmdline_parse_bool(const char *value);

/* ---- Values with a grammar of their own: for CMDLINE_CUSTOM, 0 or -EINVAL ---- */

/* An amount of memory; negative: that much less than there is. */
struct cmdline_amount {
    bool given, negative;
    u64 bytes;
};

/* dom0_mem=<size>[,min:<size>][,max:<size>] in any order; sizes may be negative, unit KiB. */
struct cmdline_dom0_mem {
    struct cmdline_amount size, min, max;
};
int cmdline_parse_dom0_mem(const char *value, void *dom0_mem);

/*
 * What dom0_mem means on a machine with avail bytes for dom0: *pages to build it with, *max_pages
 * it may grow to. Without an option: all but a sixteenth, at most 128 MiB less. -EINVAL when more
 * is asked for than there is, or min is above max.
 */
int cmdline_plan_dom0_mem(const struct cmdline_dom0_mem *m, u64 avail, u64 *pages, u64 *max_pages,
                          struct reason *why) MUST_CHECK;

/* dom0_max_vcpus=<n> or <min>-<max>; the larger is not 0. */
struct cmdline_range {
    u32 min, max;
};
int cmdline_parse_range(const char *value, void *range);

/*
 * com1=<baud>[,<data bits><parity><stop bits>[,<io base>[,<irq>]]]; a field left empty keeps what
 * the caller put there. baud may be "auto": 0.
 */
struct cmdline_com {
    bool given;
    u32 baud; /* a divisor of 115200; 0: as the firmware left it */
    u8 data_bits, stop_bits;
    char parity; /* n o e m s */
    u16 io_base;
    u8 irq; /* 0: poll */
};
int cmdline_parse_com(const char *value, void *com);

/* console=com1,com2,vga or none. dst: u32 with these bits. */
#define CMDLINE_CONSOLE_COM1 1u
#define CMDLINE_CONSOLE_COM2 2u
#define CMDLINE_CONSOLE_VGA  4u
int cmdline_parse_console(const char *value, void *mask);

/*
 * loglvl=<level>[/<level>]: none, error, warning, info, debug, all. As numbers of log levels
 * shown: a message of enum log_level l is printed always if l < always, rate-limited if l <
 * limited.
 */
struct cmdline_loglvl {
    u32 always, limited;
};
int cmdline_parse_loglvl(const char *value, void *loglvl);

/* sched=credit, credit2 or rtds: the scheduler's number in the ABI; Xen's others are credit2. */
int cmdline_parse_sched(const char *value, void *sched_id);

/* sched_ratelimit_us=<n>, a u32: 0 or what the ABI lets tools set, XEN_SYSCTL_SCHED_RATELIMIT_. */
int cmdline_parse_ratelimit(const char *value, void *ratelimit_us);

#endif
