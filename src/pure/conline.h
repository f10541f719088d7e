/* SPDX-License-Identifier: MIT */
/*
 * Collects the console text of unprivileged guests into lines, so that output of several guests
 * does not mix and each line can carry its origin. A few guests at once share a fixed set of
 * buffers. The owner locks.
 */
#ifndef PURE_CONLINE_H
#define PURE_CONLINE_H

#include "base/def.h"

#define CONLINE_MAX   128
#define CONLINE_SLOTS 8

struct conline {
    u16 owner; /* domain id; meaningful when used */
    u16 len;
    u32 used;           /* tick of the last use; 0: free */
    u8 more, low, high; /* UTF-8: continuation bytes to come; of the next, least and greatest */
    char text[CONLINE_MAX + 1]; /* NUL after len when the line is given out */
};

struct conline_set {
    struct conline slot[CONLINE_SLOTS];
    u32 tick;
};

/*
 * The buffer of a guest. When all are taken the one unused for longest changes hands: if it had
 * unfinished text, *evicted is its old owner, and the text is to be written out before the next
 * conline_feed; else *evicted is -1.
 */
struct conline *conline_get(struct conline_set *s, u16 owner, s32 *evicted);

/*
 * Adds one character. True: text holds a finished line (without its end), valid until the next
 * call for this buffer. Control characters (C0, DEL, C1) are dropped, tabs become a blank; a line
 * that is full ends by itself.
 */
bool conline_feed(struct conline *l, char c);

#endif
