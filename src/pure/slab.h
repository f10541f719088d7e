/* SPDX-License-Identifier: MIT */
/*
 * Small objects, 1 to 2048 bytes, out of single pages. Objects are zeroed when handed out, 16-byte
 * aligned, poisoned while free; a wrong or second free is refused and logged.
 *
 * A pool takes pages from the functions it is given and returns them when nothing is left on them,
 * keeping at most one empty page for each size. The caller locks (RANK_HEAP); the page functions
 * run under that lock.
 */
#ifndef PURE_SLAB_H
#define PURE_SLAB_H

#include "base/def.h"

#define SLAB_MAX_SIZE 2048u
#define SLAB_CLASSES  16u

struct slab_page;

struct slab_class {
    struct slab_page *partial; /* pages with a free slot; the allocator serves from the first */
    struct slab_page *full;
    u64 pages, objects;
};

/*
 * A pool. get_page gives a page of memory, page-aligned, contents irrelevant, or NULL when there is
 * none; put_page takes one back. ctx is theirs.
 */
struct slab {
    void *(*get_page)(void *ctx);
    void (*put_page)(void *ctx, void *page);
    void *ctx;
    struct slab_class cls[SLAB_CLASSES];
};

void slab_init(struct slab *p, void *(*get_page)(void *ctx),
               void (*put_page)(void *ctx, void *page), void *ctx);

/* A zeroed object of at least `size` bytes; NULL for size 0, above SLAB_MAX_SIZE, or no memory. */
void *slab_alloc(struct slab *p, size_t size) MUST_CHECK;

/*
 * Frees what slab_alloc of this pool returned; NULL is no change. -EINVAL, logged and without
 * effect, for a pointer that is no object of the pool or is free already. The page around ptr must
 * be readable.
 */
int slab_free(struct slab *p, void *ptr);

/* How many bytes an object of this size occupies; 0 when slab_alloc would refuse it. */
size_t slab_size(size_t size);

/* Objects handed out and pages held. */
void slab_count(const struct slab *p, u64 *objects, u64 *pages);

/* Rechecks lists, counts, headers and the poison of all free slots: NULL, or what is wrong. */
const char *slab_audit(const struct slab *p);

#endif
