/* SPDX-License-Identifier: MIT */
/*
 * What every freestanding program needs from a C library: memory, strings, numbers, formatting.
 *
 * The compiler may call memcpy, memmove, memset and memcmp on its own, so these exist under those
 * names. They move eight bytes at a time with unaligned words, which x86 does at full speed. Each
 * loop has a compiler barrier so that the optimiser cannot recognise it and replace the body of,
 * say, memset by a call to memset.
 *
 * Left out: locales, floating point, wide characters, anything that allocates.
 */
#include "base/lib.h"

#include "base/atomic.h"

/* A word at any address, aliasing anything. */
struct word {
    u64 v;
} PACKED __attribute__((may_alias));

struct half {
    u32 v;
} PACKED __attribute__((may_alias));

static void copy_up(u8 *d, const u8 *s, size_t n)
{
    for (; n >= 32; n -= 32, d += 32, s += 32) {
        const struct word *ws = (const struct word *)s;
        struct word *wd = (struct word *)d;
        u64 a = ws[0].v, b = ws[1].v, c = ws[2].v, e = ws[3].v;

        wd[0].v = a;
        wd[1].v = b;
        wd[2].v = c;
        wd[3].v = e;
        compiler_barrier();
    }
    for (; n >= 8; n -= 8, d += 8, s += 8) {
        ((struct word *)d)->v = ((const struct word *)s)->v;
        compiler_barrier();
    }
    for (; n; n--) {
        *d++ = *s++;
        compiler_barrier();
    }
}

/* From the end: for a destination that overlaps the source from above. */
static void copy_down(u8 *d, const u8 *s, size_t n)
{
    for (; n >= 8; n -= 8) {
        ((struct word *)(d + n - 8))->v = ((const struct word *)(s + n - 8))->v;
        compiler_barrier();
    }
    for (; n; n--) {
        d[n - 1] = s[n - 1];
        compiler_barrier();
    }
}

/* The last words overlap the ones before instead of being copied byte by byte. */
static void copy_small(u8 *d, const u8 *s, size_t n)
{
    if (n >= 8) {
        u64 last = ((const struct word *)(s + n - 8))->v;

        for (; n > 8; n -= 8, s += 8, d += 8) {
            ((struct word *)d)->v = ((const struct word *)s)->v;
            compiler_barrier();
        }
        ((struct word *)(d + n - 8))->v = last;
    } else if (n >= 4) {
        u32 first = ((const struct half *)s)->v;
        u32 last = ((const struct half *)(s + n - 4))->v;

        ((struct half *)d)->v = first;
        ((struct half *)(d + n - 4))->v = last;
    } else {
        for (; n; n--) {
            *d++ = *s++;
            compiler_barrier();
        }
    }
}

void *memcpy(void *dst, const void *src, size_t n)
{
    if (n <= 64)
        copy_small(dst, src, n);
    else
        copy_up(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    /* Upwards is right unless dst lies inside the source: then the difference is below n. */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        copy_up(dst, src, n);
    else
        copy_down(dst, src, n);
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    u8 *d = dst;
    u64 v = (u8)c * 0x0101010101010101ull;

    for (; n >= 32; n -= 32, d += 32) {
        struct word *w = (struct word *)d;

        w[0].v = v;
        w[1].v = v;
        w[2].v = v;
        w[3].v = v;
        compiler_barrier();
    }
    for (; n >= 8; n -= 8, d += 8) {
        ((struct word *)d)->v = v;
        compiler_barrier();
    }
    for (; n; n--) {
        *d++ = (u8)c;
        compiler_barrier();
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;

    for (; n >= 8; n -= 8, x += 8, y += 8) {
        if (((const struct word *)x)->v != ((const struct word *)y)->v)
            break;
        compiler_barrier();
    }
    for (; n; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
        compiler_barrier();
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    for (; s[n]; n++)
        compiler_barrier();
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    for (; n < max && s[n]; n++)
        compiler_barrier();
    return n;
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n && *a && *a == *b; a++, b++, n--)
        ;
    return n ? (u8)*a - (u8)*b : 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return (char *)(uintptr_t)s;
}

size_t str_copy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src);
    size_t n = MIN(len, size - 1);

    memcpy(dst, src, n);
    dst[n] = '\0';
    return len;
}

/* Where formatted text goes; len runs on past the end of the buffer. */
struct fmt_out {
    char *buf;
    size_t size;
    size_t len;
};

/* One conversion: %[-0#][width][.prec][l|ll|z]conv */
struct fmt_spec {
    bool left, zero, alt;
    bool wide; /* the argument has 64 bits */
    bool has_prec;
    size_t width, prec;
    char conv;
};

static void fmt_put(struct fmt_out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void fmt_pad(struct fmt_out *o, char c, size_t from, size_t to)
{
    for (; from < to; from++)
        fmt_put(o, c);
}

static void fmt_text(struct fmt_out *o, const struct fmt_spec *sp, const char *s)
{
    size_t n, i;

    if (!s)
        s = "(null)";
    n = sp->has_prec ? strnlen(s, sp->prec) : strlen(s);
    if (!sp->left)
        fmt_pad(o, ' ', n, sp->width);
    for (i = 0; i < n; i++)
        fmt_put(o, s[i]);
    if (sp->left)
        fmt_pad(o, ' ', n, sp->width);
}

static void fmt_number(struct fmt_out *o, const struct fmt_spec *sp, u64 v, const char *prefix)
{
    bool hex = sp->conv == 'x' || sp->conv == 'X' || sp->conv == 'p';
    const char *digits = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char tmp[20]; /* 2^64 has twenty decimal digits */
    size_t n = 0, len;

    do {
        tmp[n++] = digits[hex ? v & 15 : v % 10];
        v = hex ? v >> 4 : v / 10;
    } while (v);
    len = n + strlen(prefix);
    if (!sp->left && !sp->zero)
        fmt_pad(o, ' ', len, sp->width);
    while (*prefix)
        fmt_put(o, *prefix++);
    if (!sp->left && sp->zero)
        fmt_pad(o, '0', len, sp->width);
    while (n)
        fmt_put(o, tmp[--n]);
    if (sp->left)
        fmt_pad(o, ' ', len, sp->width);
}

static size_t fmt_parse_count(const char **f)
{
    size_t n = 0;

    for (; **f >= '0' && **f <= '9'; (*f)++)
        if (n < 4096)
            n = n * 10 + (size_t)(**f - '0');
    return n;
}

/* f is behind the '%'; returns the place behind the conversion character. */
static const char *fmt_parse_spec(struct fmt_spec *sp, const char *f)
{
    *sp = (struct fmt_spec){.conv = 0};
    for (;; f++) {
        if (*f == '-')
            sp->left = true;
        else if (*f == '0')
            sp->zero = true;
        else if (*f == '#')
            sp->alt = true;
        else
            break;
    }
    sp->width = fmt_parse_count(&f);
    if (*f == '.') {
        f++;
        sp->has_prec = true;
        sp->prec = fmt_parse_count(&f);
    }
    for (; *f == 'l' || *f == 'z'; f++)
        sp->wide = true;
    sp->conv = *f;
    return *f ? f + 1 : f;
}

static void fmt_char(struct fmt_out *o, const struct fmt_spec *sp, char c)
{
    if (!sp->left)
        fmt_pad(o, ' ', 1, sp->width);
    fmt_put(o, c);
    if (sp->left)
        fmt_pad(o, ' ', 1, sp->width);
}

static void fmt_signed(struct fmt_out *o, const struct fmt_spec *sp, s64 v)
{
    fmt_number(o, sp, v < 0 ? 0 - (u64)v : (u64)v, v < 0 ? "-" : "");
}

static void fmt_unsigned(struct fmt_out *o, const struct fmt_spec *sp, u64 v)
{
    bool prefix = sp->alt && v && sp->conv != 'u';

    fmt_number(o, sp, v, !prefix ? "" : sp->conv == 'X' ? "0X" : "0x");
}

int fmt_vsnprintf(char *buf, size_t size, const char *f, va_list ap)
{
    struct fmt_out o = {buf, size, 0};
    struct fmt_spec sp;

    while (*f) {
        if (*f != '%') {
            fmt_put(&o, *f++);
            continue;
        }
        f = fmt_parse_spec(&sp, f + 1);
        switch (sp.conv) {
        case 'd':
        case 'i':
            fmt_signed(&o, &sp, sp.wide ? va_arg(ap, s64) : va_arg(ap, int));
            break;
        case 'u':
        case 'x':
        case 'X':
            fmt_unsigned(&o, &sp, sp.wide ? va_arg(ap, u64) : va_arg(ap, unsigned int));
            break;
        case 'p':
            fmt_number(&o, &sp, (uintptr_t)va_arg(ap, void *), "0x");
            break;
        case 's':
            fmt_text(&o, &sp, va_arg(ap, const char *));
            break;
        case 'c':
            fmt_char(&o, &sp, (char)va_arg(ap, int));
            break;
        case '%':
            fmt_put(&o, '%');
            break;
        default: /* the compiler's format check lets none through */
            fmt_put(&o, '?');
            break;
        }
    }
    if (size)
        buf[MIN(o.len, size - 1)] = '\0';
    return (int)o.len;
}

int fmt_snprintf(char *buf, size_t size, const char *f, ...)
{
    va_list ap;
    int n;

    va_start(ap, f);
    n = fmt_vsnprintf(buf, size, f, ap);
    va_end(ap);
    return n;
}

/* The value of a digit in any base up to 16; 255 when it is none. */
static unsigned int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned int)(c - 'A') + 10;
    return 255;
}

bool num_parse(const char *s, u64 *out, const char **end)
{
    const char *p = s;
    unsigned int base = 10, digit;
    bool fits = true;
    u64 v = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
        base = 16;
        p += 2;
    } else if (p[0] == '0') {
        base = 8;
    }
    for (; (digit = digit_value(*p)) < base; p++)
        fits = fits && mul_ok(v, base, &v) && add_ok(v, digit, &v);
    *end = p;
    *out = fits ? v : ~(u64)0;
    return fits && p != s;
}

bool num_parse_size(const char *s, unsigned int unit_shift, u64 *out, const char **end)
{
    static const char suffixes[] = "BKMGTbkmgt";
    unsigned int shift = unit_shift;
    const char *suffix;

    if (!num_parse(s, out, end))
        return false;
    suffix = **end ? strchr(suffixes, **end) : NULL;
    if (suffix) {
        shift = (unsigned int)(suffix - suffixes) % 5 * 10;
        (*end)++;
    }
    if (shift >= 64 || *out > ~(u64)0 >> shift) {
        *out = ~(u64)0;
        return false;
    }
    *out <<= shift;
    return true;
}
