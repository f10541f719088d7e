/* SPDX-License-Identifier: MIT */
/*
 * Which characters make a line? Text up to a newline or CONLINE_MAX bytes. A guest may write
 * anything, so escape sequences are defused here: no control character reaches the terminal of
 * the administrator. A guest's finished line of length 0 is a line too.
 */
#include "pure/conline.h"

#include "base/lib.h"

/*
 * len == CONLINE_DONE marks a line that was given out: the next character starts afresh. It keeps
 * the text valid for the caller without a copy.
 */
#define CONLINE_DONE 0xffff

struct conline *conline_get(struct conline_set *s, u16 owner, s32 *evicted)
{
    struct conline *best = &s->slot[0];
    unsigned int i;

    *evicted = -1;
    s->tick++;
    for (i = 0; i < CONLINE_SLOTS; i++) {
        if (s->slot[i].used && s->slot[i].owner == owner) {
            s->slot[i].used = s->tick;
            return &s->slot[i];
        }
        if (s->slot[i].used < best->used)
            best = &s->slot[i];
    }
    if (best->used && best->len && best->len != CONLINE_DONE)
        *evicted = best->owner;
    best->text[best->len <= CONLINE_MAX ? best->len : 0] = '\0';
    best->used = s->tick;
    best->len = CONLINE_DONE;
    best->owner = owner;
    return best;
}

bool conline_feed(struct conline *l, char c)
{
    if (l->len == CONLINE_DONE)
        l->len = 0;
    if (c == '\t')
        c = ' ';
    if (c != '\n') {
        if ((unsigned char)c < ' ' || c == 0x7f)
            return false;
        l->text[l->len++] = c;
        if (l->len < CONLINE_MAX)
            return false;
    }
    l->text[l->len] = '\0';
    l->len = CONLINE_DONE;
    return true;
}
