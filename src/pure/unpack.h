/* SPDX-License-Identifier: MIT */
/*
 * Unpacks a kernel payload: xz, gzip, zstd or lz4 (the legacy frames Linux uses), told apart by
 * magic. The decoders are the distribution's static libraries, called only from unpack_*.c.
 *
 * What the libraries ask of a caller without a C library (boot/unpack_glue.c answers):
 *  - malloc, calloc and free, over a scratch area of unpack_scratch_size() bytes, and the four mem*
 *    functions and memcmp;
 *  - __stack_chk_fail, and a canary at %fs:0x28: FS base must point at a mapped page whose word at
 *    0x28 does not change during the call;
 *  - SSE2 registers: CR0.EM clear, CR0.TS clear, CR4.OSFXSR set, no live FPU state to lose;
 *  - a 16-byte aligned stack at the call, about 4 KiB of it, and no interrupt that would push a
 *    frame onto it: the archives use the red zone below the stack pointer.
 * Boot time only, one caller at a time.
 */
#ifndef PURE_UNPACK_H
#define PURE_UNPACK_H

#include "base/def.h"
#include "pure/reason.h"

struct unpack_job {
    const u8 *src;
    size_t len;
    u8 *dst;
    size_t dst_size; /* bytes the payload is known to unpack to */
    size_t out_len;  /* result: bytes written to dst, also after an error */
    /* Called now and then with the bytes written so far and dst_size; may be NULL. */
    void (*progress)(size_t done, size_t total);
    struct reason *why;
};

/*
 * Unpacks exactly job->dst_size bytes. What follows the end of the stream in src is ignored, since
 * a bzImage's payload ends with its length. Nothing outside src and dst is touched.
 * 0; -EOPNOTSUPP: no decoder for this magic or these options; -EINVAL: truncated, corrupted or not
 * of the announced size; -ENOMEM: scratch too small.
 */
int unpack_run(struct unpack_job *job) MUST_CHECK;

/* Bytes of scratch the decoder for src needs to produce dst_size bytes (an upper bound). */
size_t unpack_scratch_size(const u8 *src, size_t len, size_t dst_size);

/* The decoders, each in its file; for unpack.c. Same results as unpack_run. */
int unpack_xz(struct unpack_job *job);
int unpack_gzip(struct unpack_job *job);
int unpack_zstd(struct unpack_job *job);
int unpack_lz4(struct unpack_job *job);
size_t unpack_xz_dictionary(const u8 *src, size_t len); /* bytes, 0 if it cannot be told */

/* Reports progress, if the caller wants it. */
void unpack_report(const struct unpack_job *job);

#endif
