/* SPDX-License-Identifier: MIT */
/*
 * How does the hypervisor read and write a guest's memory by the guest's addresses? Page by page:
 * the guest's tables are walked (pure/gwalk.c), each step through the physical memory's tables,
 * under their lock, so that a frame cannot go away while it is accessed.
 */
#include "arch/insn.h"
#include "base/lib.h"
#include "core/console.h"
#include "hvm/hvm.h"
#include "pure/ptype.h"
#include "pure/x86_decode.h"

/* A byte of RAM, writable for us; NULL: none there. Lock held. */
static u8 *ram(const struct physmap *m, u64 gpa, bool write)
{
    enum p2m_type t;
    mfn_t mfn;

    if (mfn_eq(m->p2m.root, MFN_INVALID))
        return NULL;
    t = p2m_lookup(&m->p2m, gpa >> PAGE_SHIFT, &mfn, NULL);
    if (t != P2M_RAM_RW && (t != P2M_RAM_RO || write))
        return NULL;
    return (u8 *)port_map(mfn) + (gpa & ~PAGE_MASK);
}

static bool read_entry(void *ctx, u64 gpa, void *out, unsigned int size)
{
    const u8 *p = ram(ctx, gpa, false);

    if (unlikely(p == NULL))
        return false;
    if (size == 8)
        *(u64 *)out = READ_ONCE(*(const u64 *)(const void *)p);
    else
        *(u32 *)out = READ_ONCE(*(const u32 *)(const void *)p);
    return true;
}

size_t hvm_mem_copy(struct vcpu *v, u64 va, void *buf, size_t n, enum hvm_access access, bool user,
                    u64 *fault, u32 *pfec)
{
    struct physmap *m = v->domain->physmap;
    struct gwalk_mode mode;
    u8 *b = buf, *p;
    bool ignored;
    size_t k;
    u64 gpa;

    hvm_vendor->get_paging(v, &mode, &ignored);
    lock_acquire(&m->lock);
    while (n > 0) {
        k = MIN(n, PAGE_SIZE - (va & ~PAGE_MASK));
        *fault = va;
        if (!gwalk_translate(&mode, va, (u32)access | (user ? GWALK_USER : 0), read_entry, m, &gpa,
                             pfec))
            break;
        p = ram(m, gpa, access == HVM_WRITE);
        if (p == NULL) {
            *pfec = ~0u;
            break;
        }
        if (access == HVM_WRITE)
            memcpy(p, b, k);
        else
            memcpy(b, p, k);
        va += k;
        b += k;
        n -= k;
    }
    lock_release(&m->lock);
    return n;
}

/* The hypercall edge: as the kernel, for which SMAP does not count. */
size_t hvm_mem_copy_guest(struct vcpu *v, u64 va, void *buf, size_t n, bool out)
{
    u64 fault;
    u32 pfec;

    return hvm_mem_copy(v, va, buf, n, out ? HVM_WRITE : HVM_READ, false, &fault, &pfec);
}

bool hvm_mem_write_guest(struct vcpu *v, u64 va, const void *src, size_t len)
{
    /* The source is not written to. */
    return hvm_mem_copy_guest(v, va, (void *)src, len, true) == 0;
}

bool hvm_mem_phys(struct domain *d, u64 gpa, void *buf, size_t n, bool write)
{
    struct physmap *m = d->physmap;
    u8 *p;

    if ((gpa & ~PAGE_MASK) + n > PAGE_SIZE)
        return false;
    lock_acquire(&m->lock);
    p = ram(m, gpa, write);
    if (p != NULL && write)
        memcpy(p, buf, n);
    else if (p != NULL)
        memcpy(buf, p, n);
    lock_release(&m->lock);
    return p != NULL;
}

static unsigned int code_size(const struct hvm_state *s)
{
    if (s->efer & EFER_LMA && s->seg[HVM_CS].attr & HVM_ATTR_L)
        return 64;
    return s->seg[HVM_CS].attr & HVM_ATTR_D ? 32 : 16;
}

u32 hvm_decode(struct vcpu *v, struct x86_insn *in, u64 *rsp)
{
    struct gwalk_mode mode;
    struct hvm_state s;
    u8 code[X86_INSN_MAX];
    size_t left;
    u64 fault;
    bool user;
    u32 pfec;
    int rc;

    hvm_vendor->get_paging(v, &mode, &user);
    hvm_vendor->get_state(v, &s);
    left = hvm_mem_copy(v, s.seg[HVM_CS].base + s.rip, code, sizeof(code), HVM_FETCH, user, &fault,
                        &pfec);
    rc = x86_decode(in, code, sizeof(code) - left, code_size(&s));
    if (rc == 0 && rsp != NULL)
        *rsp = s.rsp;
    if (rc == 0)
        return in->len;
    if (rc == -EAGAIN && pfec != ~0u) {
        hvm_vendor->set_cr2(v, fault);
        hvm_intr_fault(v, TRAP_PF, pfec);
    } else {
        hvm_intr_fault(v, TRAP_UD, HVM_NO_ERROR);
    }
    return 0;
}
