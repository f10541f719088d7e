/* SPDX-License-Identifier: MIT */
/*
 * Which characters make a line? Text up to a newline or CONLINE_MAX bytes. A guest may write
 * anything, so escape sequences are defused here: no control character reaches the terminal of
 * the administrator. The bytes 0x80 to 0x9f are such for some terminals (C1, ECMA-48 section 5.3),
 * and so is their UTF-8 form; they pass only inside a well-formed character from U+00A0 up (Unicode
 * 15.0, table 3-7). A guest's finished line of length 0 is a line too.
 */
#include "pure/conline.h"

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

static bool is_text(struct conline *l, u8 c)
{
    bool inside = l->more != 0 && c >= l->low && c <= l->high;

    if (inside)
        l->more--;
    else
        l->more = c < 0xc3 || c > 0xf4 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    l->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    l->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return inside || (c >= ' ' && (c < 0x7f || c > 0x9f));
}

bool conline_feed(struct conline *l, char c)
{
    if (l->len == CONLINE_DONE)
        l->len = l->more = 0;
    if (c == '\t')
        c = ' ';
    if (c != '\n') {
        if (!is_text(l, (u8)c))
            return false;
        l->text[l->len++] = c;
        if (l->len < CONLINE_MAX)
            return false;
    }
    l->text[l->len] = '\0';
    l->len = CONLINE_DONE;
    return true;
}
