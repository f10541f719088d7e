/* SPDX-License-Identifier: MIT */
/*
 * Freestanding helpers without state: memory, strings, numbers, a bounded formatter.
 * Same meaning as the C library's functions of the same names unless said.
 */
#ifndef BASE_LIB_H
#define BASE_LIB_H

#include <stdarg.h>

#include "base/def.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies at most size-1 bytes and always ends dst with a NUL (size > 0). Returns strlen(src). */
size_t str_copy(char *dst, const char *src, size_t size);

/*
 * printf's d i u x X p s c % with width, 0, -, #, l, ll, z, precision for s. Always ends buf with a
 * NUL when size > 0. Returns the length the whole text would have had.
 */
int fmt_vsnprintf(char *buf, size_t size, const char *f, va_list ap);
int fmt_snprintf(char *buf, size_t size, const char *f, ...) PRINTF_LIKE(3, 4);

/*
 * Parses an unsigned number: 0x hex, 0 octal or decimal. *end is set to the first character not
 * used (== s when there was no digit). Overflow and no digit return false; *out is then ~0 and 0.
 */
bool num_parse(const char *s, u64 *out, const char **end);
/* A size: a number with an optional suffix B K M G T (any case). Without suffix: unit_shift. */
bool num_parse_size(const char *s, unsigned int unit_shift, u64 *out, const char **end);

/* Checked arithmetic: true when the result fits. */
static inline bool add_ok(u64 a, u64 b, u64 *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool mul_ok(u64 a, u64 b, u64 *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

#endif
