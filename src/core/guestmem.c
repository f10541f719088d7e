/* SPDX-License-Identifier: MIT */
/*
 * Guest memory by virtual address: direct loads and stores in the tables that are loaded, with a
 * fix-up for faults. The guest's kernel runs in ring 3, so its pages and its user's are alike.
 */
#include "core/guestmem.h"

#include "arch/entry.h"
#include "arch/layout.h"
#include "base/lib.h"

#define CANONICAL_LOW_END ((u64)1 << 47)

bool guestmem_range_ok(const void *p, size_t n)
{
    u64 a = (u64)p;

    /* The lower half, or what lies above the hypervisor; no wrapping, nothing non-canonical. */
    return a + n >= a && (a + n <= CANONICAL_LOW_END || a >= HV_VIRT_END);
}

bool guestmem_copy_in(void *dst, const void *guest_src, size_t n)
{
    size_t left;

    if (n == 0)
        return true;
    if (!guestmem_range_ok(guest_src, n))
        return false;
    left = entry_copy(dst, guest_src, n);
    if (left != 0) {
        /* What was not read must not be used by mistake. */
        memset((u8 *)dst + (n - left), 0, left);
        return false;
    }
    return true;
}

bool guestmem_copy_out(void *guest_dst, const void *src, size_t n)
{
    return n == 0 || (guestmem_range_ok(guest_dst, n) && entry_copy(guest_dst, src, n) == 0);
}

bool guestmem_clear(void *guest_dst, size_t n)
{
    return n == 0 || (guestmem_range_ok(guest_dst, n) && entry_clear(guest_dst, n) == 0);
}
