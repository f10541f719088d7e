/* SPDX-License-Identifier: MIT */
/*
 * A guest's physical memory: which machine frame is behind a guest frame, and as what? Four levels
 * of 512 entries, which the processor walks too (nested paging); the leaf's type is kept in bits
 * the processor ignores. The caller serialises everything (core/physmap.h).
 *
 * Entries (bit 0 present, bits 12-51 address, bit 7 large, bits 52-55 free for software) are alike
 * in both vendors' formats: AMD APM vol. 2, 15.25 and 5.3; Intel SDM vol. 3, 29.3.2.
 */
#ifndef PURE_P2M_H
#define PURE_P2M_H

#include "base/def.h"
#include "base/err.h"

enum p2m_type {
    P2M_NONE,       /* nothing: an access exits */
    P2M_RAM_RW,     /* the domain's own frame */
    P2M_RAM_RO,     /* the same, writes exit */
    P2M_MMIO,       /* a device's */
    P2M_FOREIGN,    /* another domain's frame */
    P2M_FOREIGN_RO, /* the same, writes exit */
    P2M_GRANT,      /* a frame mapped by grant */
    P2M_GRANT_RO,
    P2M_TYPES
};

#define P2M_GFN_BITS 36 /* 48 bits of guest-physical address */

/* How one vendor's processor wants its entries: the flag bits, by use. */
struct p2m_format {
    const char *name;
    u64 table;           /* an entry that leads to a table */
    u64 large;           /* or-ed into a leaf above level 1 */
    u64 leaf[P2M_TYPES]; /* a leaf; the type itself is added by p2m.c */
};
extern const struct p2m_format p2m_format_npt, p2m_format_ept;

/* Where tables come from: zeroed frames of hypervisor memory, or MFN_INVALID. */
struct p2m_mem {
    mfn_t (*alloc)(void *ctx);
    void (*free)(void *ctx, mfn_t table);
    void *ctx;
};

struct p2m {
    const struct p2m_format *format;
    struct p2m_mem mem;
    mfn_t root;
    u64 spare; /* tables reserved for the change being made; a list, 0 ends it */
    u64 limbo; /* tables no longer used that a processor may still walk */
    u32 spares, tables;
    bool page1g;    /* the processor has 1 GiB leaves */
    bool flush_due; /* a translation has changed since p2m_flushed */
    u64 top;        /* one more than the highest frame number ever mapped */
};

/* -ENOMEM. The ctx of *mem is the allocator's. */
int p2m_init(struct p2m *p, const struct p2m_format *format, const struct p2m_mem *mem,
             bool page1g) MUST_CHECK;
/* Gives back the tables, *budget of them at most per call: 0 done, -ERESTART. No CPU uses them. */
int p2m_fini_step(struct p2m *p, u32 *budget) MUST_CHECK;

/*
 * What is at gfn: its type, the frame, and the order (0, 9, 18) of the mapping it is part of.
 * mfn and order may be NULL. P2M_NONE for numbers beyond P2M_GFN_BITS.
 */
enum p2m_type p2m_lookup(const struct p2m *p, u64 gfn, mfn_t *mfn, unsigned int *order);

/*
 * Maps 2^order frames (order 0, 9, 18) from mfn on as `type` at gfn, replacing what was there;
 * P2M_NONE unmaps. All or nothing: -ENOMEM (no tables), -EINVAL (unaligned, or beyond
 * P2M_GFN_BITS). Larger mappings in the way are split, complete tables of RAM become one large
 * mapping. The caller has taken care of what the old mapping referred to, and flushes before a
 * frame or table that was mapped gets another use: p2m.flush_due says so, p2m_flushed that it is
 * done.
 */
int p2m_set(struct p2m *p, u64 gfn, unsigned int order, mfn_t mfn, enum p2m_type type) MUST_CHECK;
void p2m_flushed(struct p2m *p);

/* The first gfn of [gfn, end) that is mapped; end: none. Skips what has no table. */
u64 p2m_next(const struct p2m *p, u64 gfn, u64 end);

/* Recounts tables and checks every entry; false when something is wrong. */
bool p2m_audit(const struct p2m *p);

#endif
