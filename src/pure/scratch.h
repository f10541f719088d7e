/* SPDX-License-Identifier: MIT */
/*
 * A stack-like allocator over a caller's memory, for libraries that want malloc for a moment.
 * Blocks freed in another order than the reverse of their allocation come back when everything
 * above them is free. Owned by one caller; no lock.
 */
#ifndef PURE_SCRATCH_H
#define PURE_SCRATCH_H

#include "base/def.h"

struct scratch {
    u8 *base;
    size_t size, used; /* bytes */
    size_t last;       /* offset of the topmost block's head; SIZE_MAX: none */
};

/* Takes size bytes at memory; they stay the caller's. Forgets everything allocated before. */
void scratch_init(struct scratch *s, void *memory, size_t size);

/* n bytes aligned to 16, with undefined content; NULL when they do not fit. */
void *scratch_alloc(struct scratch *s, size_t n);

/* The same for count * n bytes of zeros. */
void *scratch_alloc_zeroed(struct scratch *s, size_t count, size_t n);

/* Gives back what scratch_alloc returned; NULL is allowed. A pointer from elsewhere is a BUG. */
void scratch_free(struct scratch *s, void *p);

#endif
