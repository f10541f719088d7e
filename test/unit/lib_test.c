/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>

/* The functions under test; see host/rename.h. */
void *wh_memcpy(void *dst, const void *src, size_t n);
void *wh_memmove(void *dst, const void *src, size_t n);
void *wh_memset(void *dst, int c, size_t n);
int wh_memcmp(const void *a, const void *b, size_t n);
size_t wh_strlen(const char *s);
size_t wh_strnlen(const char *s, size_t max);
int wh_strcmp(const char *a, const char *b);
int wh_strncmp(const char *a, const char *b, size_t n);
char *wh_strchr(const char *s, int c);

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void fill(u8 *p, size_t n)
{
    while (n--)
        *p++ = (u8)host_rand();
}

TEST(memory_moves_like_the_library)
{
    u8 a[200], b[200], src[200];
    unsigned int i;

    for (i = 0; i < 20000; i++) {
        size_t n = host_rand_below(100), from = host_rand_below(100), to = host_rand_below(100);

        fill(a, sizeof(a));
        fill(src, sizeof(src));
        memcpy(b, a, sizeof(a));
        CHECK(wh_memcpy(a + to, src + from, n) == a + to);
        memcpy(b + to, src + from, n);
        CHECK_MEM(a, b, sizeof(a));
        CHECK(wh_memmove(a + to, a + from, n) == a + to);
        memmove(b + to, b + from, n);
        CHECK_MEM(a, b, sizeof(a));
        CHECK(wh_memset(a + to, (int)i, n) == a + to);
        memset(b + to, (int)i, n);
        CHECK_MEM(a, b, sizeof(a));
    }
}

TEST(memory_stays_inside_exact_buffers)
{
    size_t n;

    for (n = 1; n < 80; n++) {
        u8 *a = malloc(n), *b = malloc(n);

        fill(b, n);
        wh_memcpy(a, b, n);
        CHECK_EQ(wh_memcmp(a, b, n), 0);
        wh_memset(a, 0, n);
        wh_memmove(a, b, n);
        CHECK_MEM(a, b, n);
        free(a);
        free(b);
    }
}

TEST(memcmp_orders_like_the_library)
{
    u8 a[64], b[64];
    unsigned int i;

    for (i = 0; i < 20000; i++) {
        size_t n = host_rand_below(65);

        fill(a, sizeof(a));
        memcpy(b, a, sizeof(a));
        if (n && host_rand() & 1)
            b[host_rand_below(n)] = (u8)host_rand();
        CHECK_EQ(sign(wh_memcmp(a, b, n)), sign(memcmp(a, b, n)));
    }
}

TEST(strings_behave_like_the_library)
{
    unsigned int i;

    for (i = 0; i < 20000; i++) {
        char a[12], b[6];
        size_t n = host_rand_below(12), k, la = host_rand_below(12), lb = host_rand_below(6);

        for (k = 0; k < la; k++)
            a[k] = (char)('a' + host_rand_below(2));
        a[la] = '\0';
        for (k = 0; k < lb; k++)
            b[k] = (char)('a' + host_rand_below(2));
        b[lb] = '\0';
        CHECK_EQ(wh_strlen(a), la);
        CHECK_EQ(wh_strnlen(a, n), strnlen(a, n));
        CHECK_EQ(sign(wh_strcmp(a, b)), sign(strcmp(a, b)));
        CHECK_EQ(sign(wh_strncmp(a, b, n)), sign(strncmp(a, b, n)));
        CHECK(wh_strchr(a, 'b') == strchr(a, 'b'));
        CHECK(wh_strchr(a, 0) == a + la);
    }
    CHECK(wh_strcmp("\xff", "a") > 0);
    CHECK(wh_strncmp("\xff", "a", 1) > 0);
}

TEST(str_copy_ends_and_reports)
{
    char buf[4];

    CHECK_EQ(str_copy(buf, "ab", sizeof(buf)), 2);
    CHECK_STR(buf, "ab");
    CHECK_EQ(str_copy(buf, "abcdef", sizeof(buf)), 6);
    CHECK_STR(buf, "abc");
    CHECK_EQ(str_copy(buf, "xyz", 1), 3);
    CHECK_STR(buf, "");
}

#define FMT(want, ...)                                                                             \
    do {                                                                                           \
        char buf_[128];                                                                            \
        CHECK_EQ(fmt_snprintf(buf_, sizeof(buf_), __VA_ARGS__), strlen(want));                     \
        CHECK_STR(buf_, want);                                                                     \
    } while (0)

TEST(formats_table)
{
    char *volatile none = NULL;

    FMT("", "%s", "");
    FMT("plain", "plain");
    FMT("100%", "%d%%", 100);
    FMT("-5 5 4294967291", "%d %i %u", -5, 5, (unsigned int)-5);
    FMT("-2147483648", "%d", (int)0x80000000u);
    FMT("-9223372036854775808", "%lld", (long long)((u64)1 << 63));
    FMT("18446744073709551615", "%lu", ~0ul);
    FMT("18446744073709551615", "%zu", ~(size_t)0);
    FMT("0 0", "%d %x", 0, 0);
    FMT("deadbeef DEADBEEF", "%x %X", 0xdeadbeefu, 0xdeadbeefu);
    FMT("0xff 0 0XFF", "%#x %#x %#X", 0xff, 0, 0xff);
    FMT("  42|42  |0042|-042", "%4d|%-4d|%04d|%04d", 42, 42, 42, -42);
    FMT("0x00ff", "%#06x", 0xff);
    FMT("42  ", "%-4u", 42u);
    FMT("  -7", "%4d", -7);
    FMT("0000000000001234", "%016llx", 0x1234ull);
    FMT("ab|   ab|ab   |a", "%s|%5s|%-5s|%.1s", "ab", "ab", "ab", "ab");
    FMT("  a|", "%3.1s|", "abc");
    FMT("|", "%.0s|", "abc");
    FMT("x|  x|x  ", "%c|%3c|%-3c", 'x', 'x', 'x');
    FMT("0x1000", "%p", (void *)0x1000);
    FMT("0x0", "%p", NULL);
    FMT("(null)", "%s", (const char *)none);
    FMT("123456", "%2d", 123456);
    FMT("1 2 3 4", "%d %ld %lld %zu", 1, 2l, 3ll, (size_t)4);
}

TEST(formats_unterminated_text_with_precision)
{
    char raw[3] = {'a', 'b', 'c'};

    FMT("abc", "%.3s", raw);
}

TEST(formats_broken_conversions_harmlessly)
{
    const char *volatile lone = "50%", *volatile odd = "%k!";
    char buf[16];
    va_list none;

    memset(&none, 0, sizeof(none));
    fmt_vsnprintf(buf, sizeof(buf), lone, none);
    CHECK_STR(buf, "50?");
    fmt_vsnprintf(buf, sizeof(buf), odd, none);
    CHECK_STR(buf, "?!");
}

TEST(formatter_respects_the_buffer)
{
    size_t size;

    for (size = 0; size < 12; size++) {
        char *buf = malloc(size + 1);

        memset(buf, '~', size + 1);
        CHECK_EQ(fmt_snprintf(buf, size, "%s-%04d", "abc", 7), 8);
        CHECK_EQ(buf[size], '~');
        if (size) {
            char want[9];

            snprintf(want, sizeof(want) < size ? sizeof(want) : size, "abc-0007");
            CHECK_STR(buf, want);
        }
        free(buf);
    }
}

TEST(formats_random_numbers_like_the_library)
{
    static const char *const specs[] = {"%llx",     "%#llx",   "%lld", "%llu",  "%20lld",
                                        "%-20lld|", "%020lld", "%llX", "%3llx", "%03llx"};
    unsigned int i;

    for (i = 0; i < 20000; i++) {
        const char *volatile f = specs[host_rand_below(ARRAY_SIZE(specs))];
        unsigned long long v = host_rand() >> host_rand_below(64);
        char a[64], b[64];
        int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        n = snprintf(b, sizeof(b), f, v);
        CHECK_EQ(fmt_snprintf(a, sizeof(a), f, v), n);
#pragma GCC diagnostic pop
        CHECK_STR(a, b);
    }
}

struct num_row {
    const char *text;
    bool ok;
    u64 value;
    size_t used;
};

TEST(parses_numbers)
{
    static const struct num_row rows[] = {
        {"0", true, 0, 1},
        {"10", true, 10, 2},
        {"010", true, 8, 3},
        {"08", true, 0, 1},
        {"0x10", true, 16, 4},
        {"0XaFg", true, 0xaf, 4},
        {"0x", true, 0, 1},
        {"0xg", true, 0, 1},
        {"12,34", true, 12, 2},
        {"12a", true, 12, 2},
        {"18446744073709551615", true, ~(u64)0, 20},
        {"18446744073709551616", false, ~(u64)0, 20},
        {"99999999999999999999999 ", false, ~(u64)0, 23},
        {"0xffffffffffffffff", true, ~(u64)0, 18},
        {"0x10000000000000000", false, ~(u64)0, 19},
        {"01777777777777777777777", true, ~(u64)0, 23},
        {"02000000000000000000000", false, ~(u64)0, 23},
        {"", false, 0, 0},
        {"x", false, 0, 0},
        {"-1", false, 0, 0},
        {" 1", false, 0, 0},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct num_row *r = &rows[i];
        const char *end;
        u64 v;

        if (num_parse(r->text, &v, &end) != r->ok || v != r->value ||
            (size_t)(end - r->text) != r->used)
            FAIL("row %zu \"%s\": 0x%llx, used %zd", i, r->text, (unsigned long long)v,
                 (ssize_t)(end - r->text));
    }
}

TEST(parses_sizes)
{
    static const struct num_row rows[] = {
        {"1", true, MiB, 1},
        {"1B", true, 1, 2},
        {"2k", true, 2 * KiB, 2},
        {"2K,", true, 2 * KiB, 2},
        {"512M", true, 512 * MiB, 4},
        {"0x4g", true, 4 * GiB, 4},
        {"1T", true, 1024 * GiB, 2},
        {"1t", true, 1024 * GiB, 2},
        {"1MB", true, MiB, 2},
        {"0b", true, 0, 2},
        {"1x", true, MiB, 1},
        {"16777216T", false, ~(u64)0, 9},
        {"16777215T", true, 0xffffff0000000000ull, 9},
        {"M", false, 0, 0},
        {"", false, 0, 0},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct num_row *r = &rows[i];
        const char *end;
        u64 v;

        if (num_parse_size(r->text, 20, &v, &end) != r->ok || v != r->value ||
            (size_t)(end - r->text) != r->used)
            FAIL("row %zu \"%s\": 0x%llx, used %zd", i, r->text, (unsigned long long)v,
                 (ssize_t)(end - r->text));
    }
}

TEST(checked_arithmetic)
{
    u64 v;

    CHECK(add_ok(1, 2, &v));
    CHECK_EQ(v, 3);
    CHECK(!add_ok(~(u64)0, 1, &v));
    CHECK(mul_ok((u64)1 << 32, ((u64)1 << 32) - 1, &v));
    CHECK(!mul_ok((u64)1 << 32, (u64)1 << 32, &v));
}
