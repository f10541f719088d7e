/* SPDX-License-Identifier: MIT */
/*
 * The one door to memory a guest named by virtual address: of the current vCPU, in its current
 * tables. Each byte is read once; a fault gives false (callers answer -EFAULT). Addresses inside
 * the hypervisor's range are refused to PV guests, unless there is nothing to copy.
 */
#ifndef CORE_GUESTMEM_H
#define CORE_GUESTMEM_H

#include "base/def.h"

bool guestmem_copy_in(void *dst, const void *guest_src, size_t n) MUST_CHECK;
bool guestmem_copy_out(void *guest_dst, const void *src, size_t n) MUST_CHECK;
bool guestmem_clear(void *guest_dst, size_t n) MUST_CHECK;
/*
 * True when a guest may name [p, p+n): for PV guests canonical and outside the hypervisor's range,
 * also where it is empty. Says nothing about mappings. direct: and plain accesses with a fix-up may
 * be made to it, because the guest's tables are loaded.
 */
bool guestmem_range_ok(const void *p, size_t n) MUST_CHECK;
bool guestmem_direct_ok(const void *p, size_t n) MUST_CHECK;

/* Field-wise forms for handles: XEN_GUEST_HANDLE(x).p */
#define GUESTMEM_IN(dst_ptr, guest_ptr) guestmem_copy_in((dst_ptr), (guest_ptr), sizeof(*(dst_ptr)))
#define GUESTMEM_OUT(guest_ptr, src_ptr)                                                           \
    guestmem_copy_out((guest_ptr), (src_ptr), sizeof(*(src_ptr)))

#endif
