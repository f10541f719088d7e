/* SPDX-License-Identifier: MIT */
/* Reasons: the error passes through, the text is cut and always ends. */
#include <stdio.h>

#include "host/host.h"
#include "pure/reason.h"

TEST(returns_the_error)
{
    struct reason why = {"old"};

    CHECK_EQ(reason_set(&why, -EINVAL, "entry %u of %u", 3u, 7u), -EINVAL);
    CHECK_STR(why.text, "entry 3 of 7");
    CHECK_EQ(reason_set(&why, 0, "%s", ""), 0);
    CHECK_STR(why.text, "");
    CHECK_EQ(reason_set(NULL, -ENOSPC, "nobody asks, value %d", 1), -ENOSPC);
}

/* Beside the C library's formatter: every length around the limit, nothing past the end. */
TEST(cuts_like_snprintf)
{
    struct {
        struct reason why;
        char guard[16];
    } box;
    char text[2 * REASON_MAX + 1], want[REASON_MAX];
    unsigned int n, i;

    for (n = 0; n < sizeof(text); n++) {
        long number = (long)(host_rand() >> host_rand_below(63));
        int written;

        for (i = 0; i < n; i++)
            text[i] = (char)('!' + host_rand_below(94));
        text[n] = 0;
        memset(&box, 0x5a, sizeof(box));
        CHECK_EQ(reason_set(&box.why, -1, "%s: value %#lx", text, number), -1);
        written = snprintf(want, sizeof(want), "%s: value %#lx", text, number);
        CHECK(written > 0);
        if (number)
            CHECK_STR(box.why.text, want);
        for (i = 0; i < sizeof(box.guard); i++)
            CHECK_EQ(box.guard[i], 0x5a);
    }
}
