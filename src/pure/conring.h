/* SPDX-License-Identifier: MIT */
/*
 * A byte ring that overwrites its oldest contents, read by absolute index: positions count bytes
 * since the start, modulo 2^32, as sysctl readconsole has them (public header sysctl.h). The owner
 * locks.
 */
#ifndef PURE_CONRING_H
#define PURE_CONRING_H

#include "base/def.h"

struct conring {
    char *buf;
    u32 size; /* a power of two, at most 1 GiB */
    u32 prod; /* position after the newest byte */
    u32 cons; /* position of the oldest byte kept */
};

/* An empty ring over buf. */
void conring_init(struct conring *r, char *buf, u32 size);

/* Appends; the oldest bytes give way. */
void conring_put(struct conring *r, const char *s, size_t n);

/* Bytes kept. */
u32 conring_used(const struct conring *r);

/*
 * Copies up to n bytes from position *idx on to dst, moves *idx behind them and returns their
 * number. A position that is no longer (or not yet) kept is taken as the oldest one.
 */
u32 conring_read(const struct conring *r, u32 *idx, char *dst, size_t n);

/* Takes up to n of the oldest bytes: a queue. Returns their number. */
u32 conring_take(struct conring *r, char *dst, size_t n);

/* Forgets everything before the newest byte. */
void conring_clear(struct conring *r);

#endif
