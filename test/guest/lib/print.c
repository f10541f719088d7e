/* SPDX-License-Identifier: MIT */
/* What has the test to say? Text to the console, the lines of the checks, the verdict. */
#include "guest.h"

struct out {
    char *at, *end;
};

static unsigned int ok_count, fail_count, skip_count;

void *memset(void *d, int c, size_t n)
{
    void *start = d;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return start;
}

void *memcpy(void *d, const void *s, size_t n)
{
    void *start = d;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    while (n-- > 0) {
        if (*x != *y)
            return *x - *y;
        x++;
        y++;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

bool starts_with(const char *s, const char *prefix)
{
    return memcmp(s, prefix, strlen(prefix)) == 0;
}

static void put(struct out *o, char c)
{
    if (o->at < o->end)
        *o->at++ = c;
}

static void put_number(struct out *o, uint64_t n, unsigned int base, int width, char fill)
{
    char digits[24];
    int len = 0;

    do {
        digits[len++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0);
    for (; width > len; width--)
        put(o, fill);
    while (len > 0)
        put(o, digits[--len]);
}

static void put_signed(struct out *o, int64_t n, int width, char fill)
{
    if (n < 0) {
        put(o, '-');
        n = -n;
    }
    put_number(o, (uint64_t)n, 10, width, fill);
}

static void put_string(struct out *o, const char *s)
{
    while (*s != '\0')
        put(o, *s++);
}

/* One conversion; fmt is behind the '%'. Returns the rest of the format. */
static const char *convert(struct out *o, const char *fmt, va_list *ap)
{
    char fill = ' ';
    int width = 0, longs = 0;
    uint64_t n;

    if (*fmt == '#')
        fmt++;
    if (*fmt == '0')
        fill = *fmt++;
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        width = width * 10 + (*fmt - '0');
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        longs++;
    switch (*fmt) {
    case 'c':
        put(o, (char)va_arg(*ap, int));
        break;
    case 's':
        put_string(o, va_arg(*ap, const char *));
        break;
    case 'd':
        put_signed(o, longs ? va_arg(*ap, long) : va_arg(*ap, int), width, fill);
        break;
    case 'p':
        put_number(o, va_arg(*ap, uint64_t), 16, width, fill);
        break;
    case 'u':
    case 'x':
        n = longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
        put_number(o, n, *fmt == 'u' ? 10 : 16, width, fill);
        break;
    default:
        put(o, *fmt);
        break;
    }
    return fmt + 1;
}

void format_args(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, buf + size - 1};
    va_list copy;

    va_copy(copy, ap);
    while (*fmt != '\0') {
        if (*fmt != '%')
            put(&o, *fmt++);
        else
            fmt = convert(&o, fmt + 1, &copy);
    }
    va_end(copy);
    *o.at = '\0';
}

const char *text(const char *fmt, ...)
{
    static char buffers[16][160];
    static unsigned int turn;
    char *buf = buffers[turn++ % ARRAY_SIZE(buffers)];
    va_list ap;

    va_start(ap, fmt);
    format_args(buf, sizeof(buffers[0]), fmt, ap);
    va_end(ap);
    return buf;
}

void print(const char *fmt, ...)
{
    char line[320];
    va_list ap;

    va_start(ap, fmt);
    format_args(line, sizeof(line), fmt, ap);
    va_end(ap);
    console_write(line);
}

void check(bool ok, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    format_args(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (ok)
        ok_count++;
    else
        fail_count++;
    print("%s %s\n", ok ? "ok" : "FAIL", line);
}

void check_eq(const char *name, int64_t got, int64_t want)
{
    if (got == want) {
        check(true, "%s", name);
    } else if (got > 0xffff || got < -0xffff || want > 0xffff || want < -0xffff) {
        check(false, "%s: got 0x%lx expected 0x%lx", name, (uint64_t)got, (uint64_t)want);
    } else {
        check(false, "%s: got %ld expected %ld", name, got, want);
    }
}

void value(const char *name, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    format_args(line, sizeof(line), fmt, ap);
    va_end(ap);
    print("value %s = %s\n", name, line);
}

void value_rc(const char *name, int64_t rc)
{
    value(name, "%ld", rc);
}

void note(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    format_args(line, sizeof(line), fmt, ap);
    va_end(ap);
    print("note %s\n", line);
}

void skip(const char *name, const char *reason)
{
    skip_count++;
    print("skip %s: %s\n", name, reason);
}

void relay(const char *line)
{
    ok_count += starts_with(line, "ok ");
    fail_count += starts_with(line, "FAIL ");
    skip_count += starts_with(line, "skip ");
    print("%s\n", line);
}

void verdict(void)
{
    const char *word = fail_count > 0 ? "failure" : ok_count > 0 ? "success" : "skip";

    print("VERDICT %s %u ok %u failed %u skipped\n", word, ok_count, fail_count, skip_count);
    power_off();
}

void error(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    format_args(line, sizeof(line), fmt, ap);
    va_end(ap);
    print("error %s\nVERDICT error %u ok %u failed %u skipped\n", line, ok_count, fail_count,
          skip_count);
    power_off();
}

void expect_crash(const char *name)
{
    print("CRASH %s\n", name);
}
