/* SPDX-License-Identifier: MIT */
/*
 * Which numbers belong to a set, when the set is a few ranges?
 *
 * A sorted array searched by halving; add and remove replace the run of ranges that the argument
 * touches by at most two. The sets are small (tens of entries) and change at boot or when a domain
 * is built, so moving the tail of the array is cheap enough; look-ups happen on guest port accesses
 * and are what must be short. A tree, and growing storage, are left out.
 */
#include "base/range.h"

#include "base/err.h"
#include "base/lib.h"

void range_init(struct range_set *s, struct range *storage, u32 max)
{
    *s = (struct range_set){.r = storage, .nr = 0, .max = max};
}

/* Index of the first range whose end is at or above x; nr when none. */
static u32 first_ending_from(const struct range_set *s, u64 x)
{
    u32 low = 0, high = s->nr, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (s->r[mid].end < x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Replaces `old` ranges at index i by the `count` ranges in `with`. */
static int splice(struct range_set *s, u32 i, u32 old, const struct range *with, u32 count)
{
    if (count > old && s->nr + (count - old) > s->max)
        return -ENOSPC;
    memmove(&s->r[i + count], &s->r[i + old], (s->nr - i - old) * sizeof(*s->r));
    memcpy(&s->r[i], with, count * sizeof(*s->r));
    s->nr = s->nr - old + count;
    return 0;
}

int range_add(struct range_set *s, u64 start, u64 end)
{
    struct range whole = {start, end};
    u32 i, last;

    if (start > end)
        return -EINVAL;
    if (start == end)
        return 0;
    /* Every range that overlaps or touches the new one melts into it. */
    i = first_ending_from(s, start);
    for (last = i; last < s->nr && s->r[last].start <= end; last++) {
        whole.start = MIN(whole.start, s->r[last].start);
        whole.end = MAX(whole.end, s->r[last].end);
    }
    return splice(s, i, last - i, &whole, 1);
}

int range_remove(struct range_set *s, u64 start, u64 end)
{
    struct range rest[2];
    u32 i, last, count = 0;

    if (start > end)
        return -EINVAL;
    if (start == end)
        return 0;
    i = first_ending_from(s, start);
    if (i < s->nr && s->r[i].end == start)
        i++; /* touches only */
    for (last = i; last < s->nr && s->r[last].start < end; last++) {
        if (s->r[last].start < start)
            rest[count++] = (struct range){s->r[last].start, start};
        if (s->r[last].end > end)
            rest[count++] = (struct range){end, s->r[last].end};
    }
    return splice(s, i, last - i, rest, count);
}

bool range_contains(const struct range_set *s, u64 start, u64 end)
{
    u32 i;

    if (start >= end)
        return true;
    /* Ranges do not touch, so one of them has to hold it all. */
    i = first_ending_from(s, end);
    return i < s->nr && s->r[i].start <= start;
}

bool range_next(const struct range_set *s, u64 from, struct range *out)
{
    u32 i = first_ending_from(s, from);

    if (i < s->nr && s->r[i].end == from)
        i++;
    if (i == s->nr)
        return false;
    *out = s->r[i];
    out->start = MAX(out->start, from);
    return true;
}

u64 range_total(const struct range_set *s)
{
    u64 sum = 0;
    u32 i;

    for (i = 0; i < s->nr; i++)
        sum += s->r[i].end - s->r[i].start;
    return sum;
}

int range_claim_highest(struct range_set *s, u64 size, u64 align, u64 low, u64 high, u64 *start)
{
    u64 from, to;
    u32 i;

    if (!size || !align || align & (align - 1))
        return -EINVAL;
    for (i = s->nr; i-- > 0;) {
        from = MAX(s->r[i].start, low);
        to = MIN(s->r[i].end, high);
        if (from < to && to - from >= size && ROUND_DOWN(to - size, align) >= from) {
            *start = ROUND_DOWN(to - size, align);
            return range_remove(s, *start, *start + size);
        }
    }
    return -ENOENT;
}

bool range_audit(const struct range_set *s)
{
    u32 i;

    if (s->nr > s->max)
        return false;
    for (i = 0; i < s->nr; i++) {
        if (s->r[i].start >= s->r[i].end)
            return false;
        if (i && s->r[i - 1].end >= s->r[i].start)
            return false;
    }
    return true;
}
