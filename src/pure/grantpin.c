/* SPDX-License-Identifier: MIT */
/*
 * May this domain use that grant, and when may the granter take it back?
 *
 *      GTF_reading, GTF_writing in the entry:     -- granter: cmpxchg of flags to 0 while both
 * clear
 *
 *      not in use ── first take ──▶ read ── first writer ──▶ read, written
 *          ▲                         │  ▲                       │
 *          └────── last drop ────────┘  └── last writer drops ──┘
 *
 * The marks are set before the frame number is read: once "read" is set in an entry that permits
 * access, an honest granter changes nothing there, so the frame belongs to the permission that was
 * checked. Flags and domain are one 32-bit word and are swapped together; the granter can make the
 * swap fail for ever, so the tries are counted. Clearing needs no try: it does not look.
 *
 * Left out: what the frame is, and the references on it (core/grant.c); sub-page and transitive
 * grants, which version 1 does not have.
 */
#include "pure/grantpin.h"

#define TRIES 5

/* flags and domid as one word (little endian). */
union word {
    u32 raw;
    struct {
        u16 flags;
        u16 domid;
    };
};

static s16 refuse(const char **why, const char *text)
{
    *why = text;
    return GNTST_general_error;
}

/* Checks the entry, unless it is pinned already, and sets the marks. */
static s16 mark(u32 *shared, bool pinned, u16 who, bool write, const char **why)
{
    union word now, want;
    unsigned int i;

    now.raw = atomic_load(shared);
    for (i = 0; i < TRIES; i++) {
        if (!pinned && (now.flags & (GTF_type_mask | GTF_sub_page)) != GTF_permit_access)
            return refuse(why, "the entry does not permit access");
        if (!pinned && now.domid != who)
            return refuse(why, "the entry is for another domain");
        if (write && (now.flags & GTF_readonly))
            return refuse(why, "writing, the entry is read-only");
        want = now;
        want.flags |= GTF_reading;
        if (write)
            want.flags |= GTF_writing;
        /* Full barrier: the frame is read after the marks are seen. */
        if (atomic_cmpxchg(shared, &now.raw, want.raw))
            return GNTST_okay;
    }
    return refuse(why, "the entry keeps changing");
}

s16 grantpin_take(struct grantpin *p, grant_entry_v1_t *e, u16 who, bool write, const char **why)
{
    bool pinned = grantpin_is_pinned(p);
    u32 *count = write ? &p->writers : &p->readers;
    s16 rc;

    if (pinned && p->domid != who)
        return refuse(why, "another domain is using the entry");
    if (*count == ~(u32)0)
        return refuse(why, "used four billion times");
    if (!pinned || (write && !p->writers)) {
        rc = mark((u32 *)(void *)e, pinned, who, write, why);
        if (rc != GNTST_okay)
            return rc;
    }
    if (!pinned) {
        p->frame = atomic_load(&e->frame);
        p->domid = who;
    }
    (*count)++;
    return GNTST_okay;
}

void grantpin_drop(struct grantpin *p, grant_entry_v1_t *e, bool write)
{
    u32 *count = write ? &p->writers : &p->readers;
    u16 clear = 0;

    ASSERT(*count);
    if (!*count)
        return;
    (*count)--;
    if (write && !p->writers)
        clear |= GTF_writing;
    if (!grantpin_is_pinned(p))
        clear |= GTF_reading;
    if (clear && e)
        (void)atomic_fetch_and(&e->flags, (u16)~clear);
}
