/* SPDX-License-Identifier: MIT */
/*
 * Linux bzImage: where in the file the compressed kernel lies.
 * Layout: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
 */
#ifndef PURE_BZIMAGE_H
#define PURE_BZIMAGE_H

#include "base/def.h"
#include "pure/reason.h"

struct bzimage {
    u16 protocol;       /* boot protocol, 0x0208 or later */
    size_t payload;     /* byte offset in the file */
    size_t payload_len; /* with the last four bytes, which hold unpacked_len */
    u32 unpacked_len;   /* bytes the payload unpacks to */
};

/*
 * Reads the header of the len bytes at file. Nothing beyond file + len is touched.
 * 0: out is filled and payload .. payload + payload_len lies inside the file.
 * -ENOEXEC: no bzImage at all (the caller may try another format). -EINVAL: a bzImage that is cut
 * short or contradicts itself. -EOPNOTSUPP: a boot protocol without a payload field.
 */
int bzimage_parse(const void *file, size_t len, struct bzimage *out, struct reason *why) MUST_CHECK;

#endif
