/* SPDX-License-Identifier: MIT */
/*
 * The options whose values have a grammar of their own: memory of dom0, serial ports, consoles,
 * log levels, ranges. Each parser reads a list separated by one character with take_field(), writes
 * its result only when all of the value is good, and answers -EINVAL otherwise; the caller names
 * the option and the value. The grammars are those of Xen's command line documentation.
 */
#include "pure/cmdline.h"

#include "base/err.h"
#include "base/lib.h"
#include "wire/wire.h"

#define CMDLINE_FIELD 32

/*
 * Copies the text before the next separator into field[CMDLINE_FIELD] and moves *s behind it, or
 * to NULL after the last field. False when there is none left or it is too long.
 */
static bool take_field(const char **s, char separator, char *field)
{
    const char *end;
    size_t n;

    if (!*s)
        return false;
    end = strchr(*s, separator);
    n = end ? (size_t)(end - *s) : strlen(*s);
    if (n >= CMDLINE_FIELD)
        return false;
    memcpy(field, *s, n);
    field[n] = '\0';
    *s = end ? end + 1 : NULL;
    return true;
}

/* A whole field as a number in [min, max]. */
static bool take_number(const char *field, u64 min, u64 max, u64 *out)
{
    const char *end;

    return num_parse(field, out, &end) && end != field && !*end && *out >= min && *out <= max;
}

/* The index of a word in a list, or -EINVAL. */
static int find_word(const char *word, const char *const *list, unsigned int n)
{
    unsigned int i;

    for (i = 0; i < n; i++)
        if (!strcmp(word, list[i]))
            return (int)i;
    return -EINVAL;
}

static int parse_amount(const char *field, struct cmdline_amount *a)
{
    bool negative = *field == '-';
    const char *s = field + negative, *end;
    u64 bytes;

    if (!num_parse_size(s, 10, &bytes, &end) || end == s || *end)
        return -EINVAL;
    *a = (struct cmdline_amount){.given = true, .negative = negative, .bytes = bytes};
    return 0;
}

int cmdline_parse_dom0_mem(const char *value, void *dom0_mem)
{
    struct cmdline_dom0_mem m = *(struct cmdline_dom0_mem *)dom0_mem;
    char field[CMDLINE_FIELD];
    const char *s = value;
    int rc;

    do {
        if (!take_field(&s, ',', field))
            return -EINVAL;
        if (!strncmp(field, "min:", 4))
            rc = parse_amount(field + 4, &m.min);
        else if (!strncmp(field, "max:", 4))
            rc = parse_amount(field + 4, &m.max);
        else
            rc = parse_amount(field, &m.size);
        if (rc)
            return rc;
    } while (s);
    *(struct cmdline_dom0_mem *)dom0_mem = m;
    return 0;
}

/* An amount in bytes. Negative amounts are taken off avail. */
static int resolve_amount(const struct cmdline_amount *a, u64 avail, const char *what, u64 *bytes,
                          struct reason *why)
{
    *bytes = a->bytes;
    if (!a->negative)
        return 0;
    if (a->bytes > avail)
        return reason_set(why, -EINVAL,
                          "option dom0_mem: %s of -%llu KiB, but only %llu KiB are "
                          "free",
                          what, (unsigned long long)(a->bytes / KiB),
                          (unsigned long long)(avail / KiB));
    *bytes = avail - a->bytes;
    return 0;
}

int cmdline_plan_dom0_mem(const struct cmdline_dom0_mem *m, u64 avail, u64 *pages, u64 *max_pages,
                          struct reason *why)
{
    u64 size = avail - MIN(avail / 16, 128 * MiB), min = 0, max = ~(u64)0;
    int rc = 0;

    if (m->size.given)
        rc = resolve_amount(&m->size, avail, "size", &size, why);
    if (!rc && m->min.given)
        rc = resolve_amount(&m->min, avail, "min", &min, why);
    if (!rc && m->max.given)
        rc = resolve_amount(&m->max, avail, "max", &max, why);
    if (rc)
        return rc;
    if (min > max)
        return reason_set(why, -EINVAL, "option dom0_mem: min %llu KiB is above max %llu KiB",
                          (unsigned long long)(min / KiB), (unsigned long long)(max / KiB));
    size = MAX(MIN(size, max), min);
    if (size > avail)
        return reason_set(why, -EINVAL,
                          "option dom0_mem: %llu KiB wanted, but only %llu KiB are "
                          "free",
                          (unsigned long long)(size / KiB), (unsigned long long)(avail / KiB));
    *pages = size >> PAGE_SHIFT;
    *max_pages = max >> PAGE_SHIFT;
    return 0;
}

int cmdline_parse_range(const char *value, void *range)
{
    struct cmdline_range *r = range;
    char field[CMDLINE_FIELD];
    const char *s = value;
    u64 min, max;

    if (!take_field(&s, '-', field) || !take_number(field, 0, UINT32_MAX, &min))
        return -EINVAL;
    max = min;
    if (s && (!take_field(&s, '-', field) || s || !take_number(field, min, UINT32_MAX, &max)))
        return -EINVAL;
    if (max == 0) /* a dom0 without any */
        return -EINVAL;
    r->min = (u32)min;
    r->max = (u32)max;
    return 0;
}

static int parse_baud(const char *field, struct cmdline_com *c)
{
    u64 baud = 0;

    if (strcmp(field, "auto") && (!take_number(field, 1, 115200, &baud) || 115200 % baud))
        return -EINVAL;
    c->baud = (u32)baud;
    return 0;
}

static int parse_frame(const char *field, struct cmdline_com *c)
{
    if (strlen(field) != 3 || field[0] < '5' || field[0] > '8' || !strchr("noems", field[1]) ||
        field[2] < '1' || field[2] > '2')
        return -EINVAL;
    c->data_bits = (u8)(field[0] - '0');
    c->parity = field[1];
    c->stop_bits = (u8)(field[2] - '0');
    return 0;
}

static int parse_io_base(const char *field, struct cmdline_com *c)
{
    u64 port;

    if (!take_number(field, 1, 0xfff8, &port))
        return -EINVAL;
    c->io_base = (u16)port;
    return 0;
}

static int parse_irq(const char *field, struct cmdline_com *c)
{
    u64 irq;

    if (!take_number(field, 0, 15, &irq))
        return -EINVAL;
    c->irq = (u8)irq;
    return 0;
}

int cmdline_parse_com(const char *value, void *com)
{
    static int (*const part[])(const char *, struct cmdline_com *) = {parse_baud, parse_frame,
                                                                      parse_io_base, parse_irq};
    struct cmdline_com c = *(struct cmdline_com *)com;
    char field[CMDLINE_FIELD];
    const char *s = value;
    unsigned int i;

    for (i = 0; s; i++) {
        if (i == ARRAY_SIZE(part) || !take_field(&s, ',', field))
            return -EINVAL;
        if (*field && part[i](field, &c))
            return -EINVAL;
    }
    c.given = true;
    *(struct cmdline_com *)com = c;
    return 0;
}

int cmdline_parse_console(const char *value, void *mask)
{
    static const char *const names[] = {"com1", "com2", "vga", "none"};
    char field[CMDLINE_FIELD];
    const char *s = value;
    u32 bits = 0;
    int i;

    do {
        if (!take_field(&s, ',', field))
            return -EINVAL;
        i = find_word(field, names, ARRAY_SIZE(names));
        if (i < 0)
            return i;
        if (i < 3)
            bits |= 1u << i;
    } while (s);
    *(u32 *)mask = bits;
    return 0;
}

int cmdline_parse_loglvl(const char *value, void *loglvl)
{
    static const char *const names[] = {"none", "error", "warning", "info", "debug", "all"};
    struct cmdline_loglvl *l = loglvl;
    char field[CMDLINE_FIELD];
    const char *s = value;
    int always, limited;

    if (!take_field(&s, '/', field))
        return -EINVAL;
    always = limited = find_word(field, names, ARRAY_SIZE(names));
    if (s) {
        if (!take_field(&s, '/', field) || s)
            return -EINVAL;
        limited = find_word(field, names, ARRAY_SIZE(names));
    }
    if (always < 0 || limited < 0)
        return -EINVAL;
    l->always = MIN((u32)always, 4u); /* debug is the last level: all shows no more */
    l->limited = MAX(MIN((u32)limited, 4u), l->always);
    return 0;
}

int cmdline_parse_sched(const char *value, void *sched_id)
{
    static const char *const names[] = {"credit", "credit2", "arinc653", "rtds", "null"};
    static const u32 ids[] = {XEN_SCHEDULER_CREDIT, XEN_SCHEDULER_CREDIT2, XEN_SCHEDULER_CREDIT2,
                              XEN_SCHEDULER_RTDS, XEN_SCHEDULER_CREDIT2};
    int i = find_word(value, names, ARRAY_SIZE(names));

    if (i < 0)
        return -EINVAL;
    *(u32 *)sched_id = ids[i];
    return 0;
}

int cmdline_parse_ratelimit(const char *value, void *ratelimit_us)
{
    u64 us;

    if (!take_number(value, 0, XEN_SYSCTL_SCHED_RATELIMIT_MAX, &us) ||
        (us != 0 && us < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
        return -EINVAL;
    *(u32 *)ratelimit_us = (u32)us;
    return 0;
}
