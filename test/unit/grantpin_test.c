/* SPDX-License-Identifier: MIT */
/*
 * One grant in use: what is refused, what the granter sees, against a naive model, and with a
 * granter that changes the entry at any moment.
 */
#include <pthread.h>

#include "host/host.h"
#include "pure/grantpin.h"

#define ME     3
#define FRAME  0x1234
#define PERMIT GTF_permit_access

static struct grantpin pin;
static grant_entry_v1_t entry;
static const char *why;

static void fresh(u16 flags, u16 domid)
{
    memset(&pin, 0, sizeof(pin));
    entry = (grant_entry_v1_t){.flags = flags, .domid = domid, .frame = FRAME};
}

static s16 take(bool write)
{
    why = NULL;
    return grantpin_take(&pin, &entry, ME, write, &why);
}

TEST(reads_and_writes)
{
    fresh(PERMIT, ME);
    CHECK_EQ(take(false), GNTST_okay);
    CHECK_EQ(entry.flags, PERMIT | GTF_reading);
    CHECK_EQ(pin.frame, FRAME);
    CHECK_EQ(take(true), GNTST_okay);
    CHECK_EQ(entry.flags, PERMIT | GTF_reading | GTF_writing);
    grantpin_drop(&pin, &entry, false);
    CHECK_EQ(entry.flags, PERMIT | GTF_reading | GTF_writing);
    CHECK_EQ(take(false), GNTST_okay);
    grantpin_drop(&pin, &entry, true);
    CHECK_EQ(entry.flags, PERMIT | GTF_reading);
    grantpin_drop(&pin, &entry, false);
    CHECK_EQ(entry.flags, PERMIT);
    CHECK(!grantpin_is_pinned(&pin));
}

TEST(other_bits_stay)
{
    fresh(PERMIT | GTF_PWT | GTF_PCD | 0x8000, ME);
    CHECK_EQ(take(true), GNTST_okay);
    CHECK_EQ(entry.flags, PERMIT | GTF_PWT | GTF_PCD | 0x8000 | GTF_reading | GTF_writing);
    CHECK_EQ(entry.domid, ME);
    grantpin_drop(&pin, &entry, true);
    CHECK_EQ(entry.flags, PERMIT | GTF_PWT | GTF_PCD | 0x8000);
}

static void refused(u16 flags, u16 domid, bool write)
{
    fresh(flags, domid);
    CHECK_EQ(take(write), GNTST_general_error);
    CHECK(why != NULL);
    CHECK_EQ(entry.flags, flags);
    CHECK_EQ(entry.domid, domid);
    CHECK(!grantpin_is_pinned(&pin));
}

TEST(entries_that_permit_nothing)
{
    refused(GTF_invalid, ME, false);
    refused(GTF_accept_transfer, ME, false);
    refused(GTF_transitive, ME, false);
    refused(PERMIT | GTF_sub_page, ME, false);
    refused(PERMIT, ME + 1, false);
    refused(PERMIT | GTF_readonly, ME, true);
    fresh(PERMIT | GTF_readonly, ME);
    CHECK_EQ(take(false), GNTST_okay);
}

TEST(the_first_use_decides)
{
    fresh(PERMIT, ME);
    CHECK_EQ(take(false), GNTST_okay);
    /* Withdrawn, changed: the frame stays the one that was granted. */
    entry = (grant_entry_v1_t){.flags = GTF_reading, .domid = ME + 1, .frame = FRAME + 1};
    CHECK_EQ(take(false), GNTST_okay);
    CHECK_EQ(pin.frame, FRAME);
    CHECK_EQ(grantpin_take(&pin, &entry, ME + 1, false, &why), GNTST_general_error);
    entry.flags |= GTF_readonly;
    CHECK_EQ(take(true), GNTST_general_error);
    grantpin_drop(&pin, &entry, false);
    grantpin_drop(&pin, &entry, false);
    CHECK_EQ(entry.flags, GTF_readonly);
}

TEST(counts_are_full)
{
    fresh(PERMIT, ME);
    CHECK_EQ(take(false), GNTST_okay);
    pin.readers = ~(u32)0;
    CHECK_EQ(take(false), GNTST_general_error);
    CHECK_EQ(pin.readers, ~(u32)0);
    CHECK_EQ(take(true), GNTST_okay);
    CHECK_BUG((memset(&pin, 0, sizeof(pin)), grantpin_drop(&pin, &entry, false)));
}

TEST(without_a_table)
{
    fresh(PERMIT, ME);
    CHECK_EQ(take(true), GNTST_okay);
    grantpin_drop(&pin, NULL, true);
    CHECK(!grantpin_is_pinned(&pin));
    CHECK_EQ(entry.flags, PERMIT | GTF_reading | GTF_writing);
}

/* The model: lists of uses instead of counts and marks. */
struct model {
    unsigned int uses[2];
    u16 who;
    u32 frame;
};

static s16 model_take(struct model *m, u16 who, bool write)
{
    bool used = m->uses[0] + m->uses[1] > 0;

    if (used && m->who != who)
        return GNTST_general_error;
    if (!used) {
        if ((entry.flags & GTF_type_mask) != PERMIT || (entry.flags & GTF_sub_page) ||
            entry.domid != who)
            return GNTST_general_error;
    }
    if (write && !m->uses[1] && (entry.flags & GTF_readonly))
        return GNTST_general_error;
    if (!used) {
        m->who = who;
        m->frame = entry.frame;
    }
    m->uses[write]++;
    return GNTST_okay;
}

/* A granter that keeps the protocol never sees a mark go while there is a use. */
static void granter_step(const struct model *m)
{
    u16 marks = entry.flags & (GTF_reading | GTF_writing);

    if (host_rand_below(2)) {
        if (!marks) /* ends access, grants anew */
            entry =
                (grant_entry_v1_t){.flags = (u16)host_rand_below(8) | (u16)(host_rand() & 0x100),
                                   .domid = (u16)(ME + host_rand_below(2)),
                                   .frame = (u32)host_rand()};
    } else if (!(marks & GTF_writing)) {
        entry.flags = (u16)((entry.flags & ~GTF_readonly) | (host_rand() & GTF_readonly));
    }
    CHECK_EQ(!!(marks & GTF_reading), m->uses[0] + m->uses[1] > 0);
    CHECK_EQ(!!(marks & GTF_writing), m->uses[1] > 0);
}

TEST(model)
{
    struct model m = {.who = 0};
    unsigned int i;

    fresh(PERMIT, ME);
    for (i = 0; i < 200000; i++) {
        bool write = host_rand_below(2);
        u16 who = (u16)(ME + host_rand_below(2));

        if (host_rand_below(2)) {
            why = NULL;
            CHECK_EQ(grantpin_take(&pin, &entry, who, write, &why), model_take(&m, who, write));
        } else if (m.uses[write]) {
            m.uses[write]--;
            grantpin_drop(&pin, &entry, write);
        }
        granter_step(&m);
        CHECK_EQ(pin.readers, m.uses[0]);
        CHECK_EQ(pin.writers, m.uses[1]);
        if (m.uses[0] + m.uses[1]) {
            CHECK_EQ(pin.frame, m.frame);
            CHECK_EQ(pin.domid, m.who);
        }
    }
}

/* A hostile granter: the word changes all the time. Nothing hangs, marks and counts agree. */
static bool stop;

static void *hostile(void *arg)
{
    u32 n = 0;

    (void)arg;
    while (!atomic_load(&stop)) {
        n = n * 1664525 + 1013904223;
        atomic_store(&entry.flags, (u16)(PERMIT | ((n >> 16) & (GTF_readonly | GTF_PWT))));
        atomic_store(&entry.frame, n);
    }
    return NULL;
}

TEST(hostile_granter)
{
    unsigned int i, taken = 0;
    pthread_t t;

    fresh(PERMIT, ME);
    atomic_store(&stop, false);
    CHECK_EQ(pthread_create(&t, NULL, hostile, NULL), 0);
    for (i = 0; i < 20000; i++) {
        bool write = i & 1;
        s16 rc = take(write);

        if (rc == GNTST_okay) {
            u32 frame = pin.frame;

            taken++;
            if (take(false) == GNTST_okay)
                grantpin_drop(&pin, &entry, false);
            if (pin.frame != frame)
                break;
            grantpin_drop(&pin, &entry, write);
        } else if (why == NULL) {
            break;
        }
    }
    atomic_store(&stop, true);
    pthread_join(t, NULL);
    CHECK_EQ(i, 20000);
    CHECK(taken > 0);
    CHECK(!grantpin_is_pinned(&pin));
}
