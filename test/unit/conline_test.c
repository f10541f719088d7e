/* SPDX-License-Identifier: MIT */
/* Guest console text to lines. */
#include "pure/conline.h"

#include "host/host.h"

static struct conline_set set;

static struct conline *get(u16 owner)
{
    struct conline *l;
    s32 evicted;

    l = conline_get(&set, owner, &evicted);
    CHECK_EQ(evicted, -1);
    return l;
}

static void feed(struct conline *l, const char *s)
{
    for (; *s; s++)
        CHECK(!conline_feed(l, *s));
}

TEST(a_newline_ends_a_line)
{
    struct conline *l;

    memset(&set, 0, sizeof(set));
    l = get(1);
    feed(l, "hello");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "hello");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "");
    feed(l, "x");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "x");
}

TEST(control_characters_do_not_reach_the_terminal)
{
    struct conline *l;

    memset(&set, 0, sizeof(set));
    l = get(1);
    feed(l, "a\x1b[31m\r\b\tb\x7f");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "a[31m b");
}

TEST(bytes_above_ascii_pass)
{
    struct conline *l;

    memset(&set, 0, sizeof(set));
    l = get(1);
    feed(l, "\xc3\xa4");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "\xc3\xa4");
}

/* U+0080 to U+009F by itself, in UTF-8, in forms that are too long, behind a byte that fails. */
TEST(c1_control_characters_do_not_reach_the_terminal)
{
    static const char *const said[][2] = {
        {"a\x9b"
         "31mb",
         "a31mb"},
        {"\x80\x9f\xa0", "\xa0"},
        {"a\xc2\x9b"
         "31mb",
         "a\xc2"
         "31mb"},
        {"\xc2\x9b\x9b", "\xc2"},
        {"\xc0\x9b\xc1\x9b", "\xc0\xc1"},
        {"\xe0\x82\x9b", "\xe0"},
        {"\xf0\x80\x82\x9b", "\xf0"},
        {"\xed\xa0\x9b", "\xed\xa0"},
        {"\xf4\x90\x9b\x9b", "\xf4"},
        {"\xf5\x9b", "\xf5"},
        {"\xe1"
         "a\x9b",
         "\xe1"
         "a"},
        {"\xc3\r\x9b", "\xc3"},
        {"\xc3\x9b\x9b", "\xc3\x9b"},
        {"\xe2\x80\x94 \xf0\x9f\x98\x80 \xed\x9f\xbf \xc3\x9f",
         "\xe2\x80\x94 \xf0\x9f\x98\x80 \xed\x9f\xbf \xc3\x9f"},
    };
    struct conline *l;
    unsigned int i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < ARRAY_SIZE(said); i++) {
        l = get(1);
        feed(l, said[i][0]);
        CHECK(conline_feed(l, '\n'));
        CHECK_STR(l->text, said[i][1]);
    }
    /* In two writes, another guest's between them; at a line's end nothing goes on. */
    feed(get(1), "\xc2");
    feed(get(2), "\xc3");
    feed(get(1), "\x9bx");
    feed(get(2), "\x84x");
    CHECK(conline_feed(get(1), '\n'));
    CHECK_STR(get(1)->text, "\xc2x");
    CHECK(conline_feed(get(2), '\n'));
    CHECK_STR(get(2)->text, "\xc3\x84x");
    feed(get(1), "\xc3");
    CHECK(conline_feed(get(1), '\n'));
    feed(get(1), "\x9bx");
    CHECK(conline_feed(get(1), '\n'));
    CHECK_STR(get(1)->text, "x");
}

TEST(a_full_line_ends_by_itself)
{
    struct conline *l;
    unsigned int i;

    memset(&set, 0, sizeof(set));
    l = get(1);
    for (i = 0; i < CONLINE_MAX - 1; i++)
        CHECK(!conline_feed(l, 'x'));
    CHECK(conline_feed(l, 'y'));
    CHECK_EQ(strlen(l->text), CONLINE_MAX);
    CHECK_EQ(l->text[CONLINE_MAX - 1], 'y');
    CHECK(!conline_feed(l, 'z'));
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "z");
}

TEST(each_guest_has_its_own)
{
    struct conline *a, *b;

    memset(&set, 0, sizeof(set));
    a = get(1);
    feed(a, "from a");
    b = get(2);
    feed(b, "from b");
    CHECK(get(1) == a);
    CHECK(conline_feed(a, '\n'));
    CHECK_STR(a->text, "from a");
    CHECK(get(2) == b);
    CHECK(conline_feed(b, '\n'));
    CHECK_STR(b->text, "from b");
}

TEST(the_longest_unused_buffer_changes_hands)
{
    struct conline *l;
    s32 evicted;
    u16 i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < CONLINE_SLOTS; i++)
        feed(get(i), "t");
    get(0); /* so that 1 is the oldest */
    l = conline_get(&set, 100, &evicted);
    CHECK_EQ(evicted, 1);
    CHECK_STR(l->text, "t");
    feed(l, "new");
    CHECK(conline_feed(l, '\n'));
    CHECK_STR(l->text, "new");
    /* Nothing unfinished: silent. Guest 2 has "t", then 3. */
    CHECK(conline_feed(get(2), '\n'));
    for (i = 3; i < CONLINE_SLOTS; i++)
        get(i);
    get(0);
    get(100);
    l = conline_get(&set, 101, &evicted);
    CHECK_EQ(evicted, -1);
}

TEST(any_bytes_stay_inside)
{
    struct conline *l;
    s32 evicted;
    unsigned int i;

    memset(&set, 0, sizeof(set));
    for (i = 0; i < 100000; i++) {
        l = conline_get(&set, (u16)host_rand_below(CONLINE_SLOTS + 3), &evicted);
        CHECK(evicted == -1 || strlen(l->text) <= CONLINE_MAX);
        if (conline_feed(l, (char)host_rand()))
            CHECK(strlen(l->text) <= CONLINE_MAX);
    }
}
