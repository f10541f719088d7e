/* SPDX-License-Identifier: MIT */
/*
 * Guest memory by virtual address: direct loads and stores in the tables that are loaded, with a
 * fix-up for faults. A PV guest's kernel runs in ring 3, so its pages and its user's are alike. A
 * guest whose memory is not mapped here has every address refused by the first look, which its kind
 * sets for the CPU, and goes the slow way.
 */
#include "core/guestmem.h"

#include "arch/entry.h"
#include "base/lib.h"
#include "core/domain.h"

bool guestmem_direct_ok(const void *p, size_t n)
{
    const struct cpu_info *ci = cpu_info();
    u64 a = (u64)p;

    /* The lower half, or what lies above the hypervisor; no wrapping, nothing non-canonical. */
    return a + n >= a && (a + n <= ci->hole_start || a >= ci->hole_end);
}

bool guestmem_range_ok(const void *p, size_t n)
{
    u64 a = (u64)p;

    return guestmem_direct_ok(p, n) ||
           (a + n >= a && vcpu_current()->domain->kind->copy_guest != NULL);
}

/* Not by plain accesses: through the guest's tables, or not at all. */
static NOINLINE bool copy_slow(u64 guest, void *buf, size_t n, bool out)
{
    struct vcpu *v = vcpu_current();
    size_t left = n;

    if (v->domain->kind->copy_guest != NULL)
        left = v->domain->kind->copy_guest(v, guest, buf, n, out);
    if (left != 0 && !out)
        memset((u8 *)buf + (n - left), 0, left);
    return left == 0;
}

bool guestmem_copy_in(void *dst, const void *guest_src, size_t n)
{
    size_t left;

    if (n == 0)
        return true;
    if (unlikely(!guestmem_direct_ok(guest_src, n)))
        return copy_slow((u64)guest_src, dst, n, false);
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
    if (n == 0)
        return true;
    if (unlikely(!guestmem_direct_ok(guest_dst, n)))
        return copy_slow((u64)guest_dst, (void *)src, n, true); /* only read */
    return entry_copy(guest_dst, src, n) == 0;
}

bool guestmem_clear(void *guest_dst, size_t n)
{
    static u8 zero[64];
    size_t done, k;

    if (n == 0)
        return true;
    if (likely(guestmem_direct_ok(guest_dst, n)))
        return entry_clear(guest_dst, n) == 0;
    for (done = 0; done < n; done += k) {
        k = MIN(n - done, sizeof(zero));
        if (!copy_slow((u64)guest_dst + done, zero, k, true))
            return false;
    }
    return true;
}
