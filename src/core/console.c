/* SPDX-License-Identifier: MIT */
/*
 * Where do messages go? Every byte goes to a ring in memory and, when there is one, to the serial
 * port, in one critical section, so both have the same order. Transmission is synchronous: what was
 * logged before a crash was sent. Formatting happens in one buffer under the same lock, which keeps
 * stack frames small.
 *
 * Levels follow Xen's loglvl= and guest_loglvl=: below one threshold always, below the other rate
 * limited. Left out: a screen; it belongs to dom0.
 */
#include "core/console.h"

#include "arch/insn.h"
#include "arch/layout.h"
#include "arch/serial.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/page.h"
#include "pure/conline.h"
#include "pure/conring.h"
#include "pure/ratelimit.h"

#define RING_SIZE (128u * 1024)
#define LINE_SIZE 1024u
#define PREFIX    "(XEN) "
/* Tries for the lock on an interrupt stack: some tens of milliseconds. */
#define TRIES_MAX 1000000u

/* How a CPU got the console. */
enum entry { ENTRY_NONE, ENTRY_LOCKED, ENTRY_FORCED };

static struct lock console_lock = LOCK_INIT(RANK_CONSOLE);
/* Under the lock. */
static struct conring ring;
static char ring_buf[RING_SIZE];
static char line_buf[LINE_SIZE];
static struct conline_set guest_lines;
static char last_char = '\n';
static bool serial_up;
/* Messages dropped because the lock was not to be had; atomic. */
static u32 dropped;
/* The CPU that prints without the lock, + 1. */
static u32 forced_cpu;

/* Xen's defaults, except that LOG_INFO is shown and the first serial port is used unasked. */
struct console_options console_options = {
    .com = {{.data_bits = 8, .parity = 'n', .stop_bits = 1, .io_base = 0x3f8, .irq = 4},
            {.data_bits = 8, .parity = 'n', .stop_bits = 1, .io_base = 0x2f8, .irq = 3}},
    .console = CMDLINE_CONSOLE_COM1 | CMDLINE_CONSOLE_VGA,
    .loglvl = {3, 3},
    .guest_loglvl = {0, 2},
};
static struct ratelimit host_limit = RATELIMIT_INIT(10, 5 * NS_PER_SEC);
/* Of dom0, whose requests the tools' users ask about, and of all other guests together. */
static struct ratelimit dom0_limit = RATELIMIT_INIT(10, NS_PER_SEC);
static struct ratelimit guest_limit = RATELIMIT_INIT(10, NS_PER_SEC);

/* On an interrupt stack (NMI, #MC, #DF, #DB) the lock's holder may be what was interrupted. */
static bool on_interrupt_stack(void)
{
    u64 sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (sp & (STACK_SIZE - 1)) < STACK_PRIMARY_BASE;
}

static enum entry console_enter(void)
{
    u32 tries;

    if (unlikely(atomic_load(&forced_cpu)) && atomic_load(&forced_cpu) == cpu_id() + 1)
        return ENTRY_FORCED;
    if (unlikely(lock_held(&console_lock)))
        return ENTRY_NONE;
    if (likely(!on_interrupt_stack())) {
        lock_acquire(&console_lock);
        return ENTRY_LOCKED;
    }
    for (tries = 0; tries < TRIES_MAX; tries++) {
        if (lock_try(&console_lock))
            return ENTRY_LOCKED;
        insn_pause();
    }
    return ENTRY_NONE;
}

static void console_leave(enum entry e)
{
    if (e == ENTRY_LOCKED)
        lock_release(&console_lock);
}

/* The functions named emit_ run inside enter and leave. */
static void emit(const char *s, size_t n)
{
    if (!n)
        return;
    conring_put(&ring, s, n);
    atomic_fetch_or(&cpu_info()->work, WORK_LOG); /* also before there is a cpu_info_of() */
    if (serial_up)
        serial_write(s, n);
    last_char = s[n - 1];
}

static void emit_str(const char *s)
{
    emit(s, strlen(s));
}

/* A text of one or more lines, each with both prefixes; raw guest output is ended first. */
static void emit_lines(const char *prefix, const char *s)
{
    const char *end;

    if (last_char != '\n')
        emit_str("\n");
    do {
        end = strchr(s, '\n');
        emit_str(PREFIX);
        emit_str(prefix);
        emit(s, end ? (size_t)(end - s) : strlen(s));
        emit_str("\n");
        s = end ? end + 1 : "";
    } while (*s);
}

void console_vprint(const char *prefix, const char *f, __builtin_va_list ap)
{
    enum entry e = console_enter();
    u32 lost;

    if (e == ENTRY_NONE) {
        atomic_add_return(&dropped, 1u);
        return;
    }
    lost = atomic_load(&dropped);
    if (unlikely(lost)) {
        atomic_sub_return(&dropped, lost);
        fmt_snprintf(line_buf, sizeof(line_buf), "console: %u messages lost", lost);
        emit_lines("", line_buf);
    }
    fmt_vsnprintf(line_buf, sizeof(line_buf), f, ap);
    emit_lines(prefix, line_buf);
    console_leave(e);
}

static void PRINTF_LIKE(1, 2) print(const char *f, ...)
{
    va_list ap;

    va_start(ap, f);
    console_vprint("", f, ap);
    va_end(ap);
}

static NOINLINE bool allowed_limited(struct ratelimit *rl, const char *what)
{
    u32 missed;

    if (!ratelimit_allow(rl, port_now(), &missed))
        return false;
    if (missed)
        print("%u more %smessages suppressed", missed, what);
    return true;
}

bool console_guest_allows(enum log_level level)
{
    if ((u32)level < console_options.guest_loglvl.always)
        return true;
    if ((u32)level >= console_options.guest_loglvl.limited)
        return false;
    if (vcpu_current()->domain == domain_hardware)
        return allowed_limited(&dom0_limit, "dom0 ");
    return allowed_limited(&guest_limit, "guest ");
}

static bool host_allows(enum log_level level)
{
    if ((u32)level < console_options.loglvl.always)
        return true;
    return (u32)level < console_options.loglvl.limited && allowed_limited(&host_limit, "");
}

void log_msg(enum log_level level, const char *f, ...)
{
    va_list ap;

    va_start(ap, f);
    if (host_allows(level))
        console_vprint("", f, ap);
    va_end(ap);
}

void console_guest_log(enum log_level level, const char *f, ...)
{
    va_list ap;

    va_start(ap, f);
    if (console_guest_allows(level))
        console_vprint("", f, ap);
    va_end(ap);
}

/* One line of an unprivileged guest. */
static void emit_guest_line(u32 domid, const char *text)
{
    fmt_snprintf(line_buf, sizeof(line_buf), "(d%u) %s\n", domid, text);
    if (last_char != '\n')
        emit_str("\n");
    emit_str(line_buf);
}

static bool guest_line_allowed(void)
{
    u32 missed;

    if ((u32)LOG_DEBUG < console_options.guest_loglvl.always)
        return true;
    if ((u32)LOG_DEBUG >= console_options.guest_loglvl.limited ||
        !ratelimit_allow(&guest_limit, port_now(), &missed))
        return false;
    if (missed) {
        fmt_snprintf(line_buf, sizeof(line_buf), "%u more guest messages suppressed", missed);
        emit_lines("", line_buf);
    }
    return true;
}

static void emit_guest_text(u16 domid, const char *s, size_t n)
{
    struct conline *l;
    s32 evicted;
    size_t i;

    l = conline_get(&guest_lines, domid, &evicted);
    if (evicted >= 0 && guest_line_allowed())
        emit_guest_line((u32)evicted, l->text);
    for (i = 0; i < n; i++)
        if (conline_feed(l, s[i]) && guest_line_allowed())
            emit_guest_line(domid, l->text);
}

void console_guest_write(struct domain *d, const char *s, size_t n)
{
    enum entry e = console_enter();

    if (e == ENTRY_NONE)
        return;
    if (d == domain_hardware && n) {
        /* Not into the ring: a tool that prints the ring on this console would never end. */
        if (serial_up)
            serial_write(s, n);
        last_char = s[n - 1];
    } else if (d != domain_hardware) {
        emit_guest_text(d->id, s, n);
    }
    console_leave(e);
}

size_t console_ring_read(u32 *idx, char *dst, size_t n, bool clear)
{
    enum entry e = console_enter();
    size_t done = 0;

    if (e == ENTRY_NONE)
        return 0;
    done = conring_read(&ring, idx, dst, n);
    if (clear)
        conring_clear(&ring);
    console_leave(e);
    return done;
}

void console_force(void)
{
    atomic_store(&forced_cpu, cpu_id() + 1);
}

void console_init_early(void)
{
    conring_init(&ring, ring_buf, sizeof(ring_buf));
}

void console_init_ring(void)
{
    struct conring larger;
    enum entry e;
    u32 idx, n;
    u64 size;
    char *buf;

    for (size = RING_SIZE; size < console_options.ring_size;)
        size *= 2;
    if (size == RING_SIZE)
        return;
    buf = page_zalloc(size);
    if (buf == NULL) {
        log_msg(LOG_WARN, "conring_size: no %lu KiB of memory for it", (unsigned long)size >> 10);
        return;
    }
    conring_init(&larger, buf, (u32)size);
    e = console_enter();
    larger.prod = larger.cons = idx = ring.cons;
    while ((n = conring_read(&ring, &idx, line_buf, sizeof(line_buf))) != 0)
        conring_put(&larger, line_buf, n);
    ring = larger;
    console_leave(e);
}

const struct cmdline_com *console_com(void)
{
    return &console_options.com[console_options.console & CMDLINE_CONSOLE_COM1 ? 0 : 1];
}

void console_init_serial(void)
{
    const struct cmdline_com *c = console_com();
    struct serial_config cfg = {
        .io_base = c->io_base,
        .baud = c->baud,
        .data_bits = c->data_bits,
        .stop_bits = c->stop_bits,
        .parity = c->parity,
    };
    u32 both = CMDLINE_CONSOLE_COM1 | CMDLINE_CONSOLE_COM2, idx = 0, n;
    enum entry e;

    if ((console_options.console & both) == both)
        log_msg(LOG_WARN, "console: of com1 and com2 only com1 is used");
    if (!(console_options.console & both) || !serial_init(&cfg))
        return;
    e = console_enter();
    serial_up = true;
    while ((n = conring_read(&ring, &idx, line_buf, sizeof(line_buf))) != 0)
        serial_write(line_buf, n);
    console_leave(e);
}
