/* SPDX-License-Identifier: MIT */
/*
 * What the static decompression libraries need of a C library, and nothing more. The mem*
 * functions are in base/lib.c. Nothing else in the hypervisor calls malloc.
 */
#include "boot/unpack_glue.h"

#include "pure/scratch.h"

/* The C library's names, which the archives refer to. */
void *malloc(size_t n);
void *calloc(size_t count, size_t n);
void free(void *p);
NORETURN void __stack_chk_fail(void);
/* libzstd's tracing hooks: weak references of the archive, which could not reach address 0. */
unsigned long long ZSTD_trace_decompress_begin(const void *ctx);
void ZSTD_trace_decompress_end(unsigned long long trace, const void *record);

static struct scratch unpack_scratch;

void unpack_glue_init(void *memory, size_t size)
{
    scratch_init(&unpack_scratch, memory, size);
}

void *malloc(size_t n)
{
    return scratch_alloc(&unpack_scratch, n);
}

void *calloc(size_t count, size_t n)
{
    return scratch_alloc_zeroed(&unpack_scratch, count, n);
}

void free(void *p)
{
    scratch_free(&unpack_scratch, p);
}

NORETURN void __stack_chk_fail(void)
{
    bug_at(__FILE__, __LINE__, "a decompressor overran its stack frame");
}

/* 0: do not trace this one. */
unsigned long long ZSTD_trace_decompress_begin(const void *ctx)
{
    (void)ctx;
    return 0;
}

void ZSTD_trace_decompress_end(unsigned long long trace, const void *record)
{
    (void)trace;
    (void)record;
}
