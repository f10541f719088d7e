/* SPDX-License-Identifier: MIT */
/*
 * Which interrupt vectors of one CPU are in use. Vectors are handed out round robin, so a freed one
 * is not used again for as long as possible: an interrupt still on its way when its line moved
 * away finds the old meaning of its vector.
 */
#ifndef PURE_VECTOR_H
#define PURE_VECTOR_H

#include "base/def.h"

struct vector_pool {
    u64 used[4]; /* bit per vector */
    u8 next;     /* where the search begins */
};

/* All vectors outside first..last are taken; first <= last. */
void vector_init(struct vector_pool *p, u8 first, u8 last);
/* Takes one vector out of the pool for good. */
void vector_reserve(struct vector_pool *p, u8 vector);
/* A free vector, or -ENOSPC. The caller holds the lock that guards the pool. */
int vector_alloc(struct vector_pool *p) MUST_CHECK;
void vector_free(struct vector_pool *p, u8 vector);

#endif
