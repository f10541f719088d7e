/* SPDX-License-Identifier: MIT */
/*
 * mmuext_op: pins, CR3, TLB and cache flushes, the LDT, page helpers. A list of operations, each
 * decoded and performed on its own; a long one (a pin of a whole tree) gives way between steps and
 * the call continues at it. Numbers and meanings: public header xen.h, MMUEXT_.
 */
#include "arch/entry.h"
#include "arch/insn.h"
#include "arch/smp.h"
#include "base/lib.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "pv/pv_desc.h"
#include "pv/pv_mmu.h"

#define PREEMPTED     0x80000000u /* as in pv_mmu.c */
#define PREEMPT_EVERY 16

/* What one operation works on. */
struct ext_call {
    struct domain *d; /* the domain foreigndom names */
    bool foreign;
    int budget;
};

/* Operations on the caller's own CPU or vCPU make no sense for another domain. */
static int ext_self_only(const struct ext_call *c, const char *op)
{
    return c->foreign ? (int)hypercall_refuse(-EPERM, "mmuext_op: %s for domain %u", op, c->d->id)
                      : 0;
}

/* The four ways to pin, and the one back. */
static int ext_pin(struct ext_call *c, const struct mmuext_op *op)
{
    bool unpin = op->cmd == MMUEXT_UNPIN_TABLE;
    struct pvpt_view w;
    int rc;

    pv_mmu_view(&w, c->d, c->d->id);
    lock_acquire(&c->d->pv->mmu_lock);
    rc = pv_mmu_drain_locked(c->d, &c->budget);
    if (!rc && unpin)
        rc = pvpt_unpin(&w, op->arg1.mfn, &c->d->pv->mmu_leftover, &c->budget);
    else if (!rc && c->d->state >= DOMAIN_DYING)
        rc = pvpt_refuse(&w, -EINVAL, "the domain is dying", 0, op->arg1.mfn);
    else if (!rc)
        rc = pvpt_pin(&w, op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1, &c->budget);
    lock_release(&c->d->pv->mmu_lock);
    if (unlikely(rc && rc != -ERESTART))
        pv_mmu_explain(unpin ? "mmuext_op: unpin" : "mmuext_op: pin", rc, &w);
    return rc;
}

static int ext_baseptr(struct ext_call *c, const struct mmuext_op *op)
{
    bool user = op->cmd == MMUEXT_NEW_USER_BASEPTR;
    int rc = ext_self_only(c, "new base pointer");

    if (rc)
        return rc;
    if (unlikely(!op->arg1.mfn && !user))
        return (int)hypercall_refuse(-EINVAL, "mmuext_op: base pointer 0");
    if (unlikely(op->arg1.mfn >= page_max_mfn))
        return (int)hypercall_refuse(-EINVAL, "mmuext_op: base pointer %#lx is not RAM",
                                     op->arg1.mfn);
    return pv_mmu_load_cr3(vcpu_current(), MFN(op->arg1.mfn), user, &c->budget);
}

/* The eight TLB operations. */
static int ext_flush(struct ext_call *c, const struct mmuext_op *op)
{
    u64 va = FLUSH_ALL_VA;
    struct cpu_mask mask;
    int rc = ext_self_only(c, "TLB flush");

    if (rc)
        return rc;
    if (op->cmd == MMUEXT_INVLPG_LOCAL || op->cmd == MMUEXT_INVLPG_MULTI ||
        op->cmd == MMUEXT_INVLPG_ALL) {
        va = op->arg1.linear_addr;
        /* invlpg of a hypervisor address is harmless but not the guest's. */
        if (!va_canonical(va) || pv_range_is_hv(va, 1))
            return 0;
    }
    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
        mask.bits = (u64)1 << cpu_id();
        break;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        if (!pv_mmu_vcpus_to_cpus(c->d, (u64)op->arg2.vcpumask.p, &mask))
            return (int)hypercall_refuse(-EINVAL, "mmuext_op: vCPU bitmap at %p",
                                         (const void *)op->arg2.vcpumask.p);
        break;
    default:
        mask.bits = atomic_load(&c->d->dirty_cpus.bits);
        break;
    }
    if (mask.bits)
        smp_flush_tlb(mask, va);
    return 0;
}

static void ext_wbinvd(void *arg)
{
    (void)arg;
    insn_wbinvd();
}

static int ext_cache(struct ext_call *c, const struct mmuext_op *op)
{
    int rc = ext_self_only(c, "cache flush");

    if (rc)
        return rc;
    if (!c->d->privileged)
        return (int)hypercall_refuse(-EACCES, "mmuext_op: cache flush without device rights");
    if (op->cmd == MMUEXT_FLUSH_CACHE)
        insn_wbinvd();
    else
        smp_call(CPU_MASK_ALL, ext_wbinvd, NULL);
    return 0;
}

static int ext_set_ldt(struct ext_call *c, const struct mmuext_op *op)
{
    struct vcpu *v = vcpu_current();
    u64 base = op->arg1.linear_addr;
    u32 entries = op->arg2.nr_ents;
    int rc = ext_self_only(c, "set LDT");

    if (rc)
        return rc;
    if (v->pv->ldt_base == base && v->pv->ldt_entries == entries)
        return 0;
    rc = pv_desc_set_ldt(v, base, entries);
    return rc == 0
               ? 0
               : (int)hypercall_refuse(rc, "mmuext_op: LDT at %#lx with %u entries", base, entries);
}

/* CLEAR_PAGE and COPY_PAGE: the frame is written, so it must be writable to the domain. */
static int ext_page(struct ext_call *c, const struct mmuext_op *op)
{
    struct page *dst = ptype_port_page(op->arg1.mfn), *src = NULL;
    int rc = -EINVAL;

    if (!dst || !ptype_get_page(dst, c->d->id))
        return (int)hypercall_refuse(rc, "mmuext_op: frame %#lx is not d%u's", op->arg1.mfn,
                                     c->d->id);
    if (op->cmd == MMUEXT_COPY_PAGE) {
        src = ptype_port_page(op->arg2.src_mfn);
        if (!src || !ptype_get_page(src, c->d->id)) {
            ptype_put_page(dst);
            return (int)hypercall_refuse(rc, "mmuext_op: frame %#lx is not d%u's", op->arg2.src_mfn,
                                         c->d->id);
        }
    }
    if (ptype_get_type(dst, PTYPE_WRITABLE)) {
        hypercall_refuse(rc, "mmuext_op: frame %#lx is a %s", op->arg1.mfn, ptype_name(dst->type));
    } else {
        rc = 0;
        if (src)
            memcpy(port_map(page_mfn(dst)), port_map(page_mfn(src)), PAGE_SIZE);
        else
            memset(port_map(page_mfn(dst)), 0, PAGE_SIZE);
        ptype_put_type(dst);
    }
    if (src)
        ptype_put_page(src);
    ptype_put_page(dst);
    return rc;
}

static int ext_one(struct ext_call *c, const struct mmuext_op *op)
{
    switch (op->cmd) {
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
        return ext_baseptr(c, op);
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
    case MMUEXT_UNPIN_TABLE:
        return ext_pin(c, op);
    case MMUEXT_TLB_FLUSH_LOCAL:
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return ext_flush(c, op);
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return ext_cache(c, op);
    case MMUEXT_SET_LDT:
        return ext_set_ldt(c, op);
    case MMUEXT_CLEAR_PAGE:
    case MMUEXT_COPY_PAGE:
        return ext_page(c, op);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return (int)hypercall_refuse(-EOPNOTSUPP, "mmuext_op: superpages (%u)", op->cmd);
    default:
        return (int)hypercall_refuse(-ENOSYS, "mmuext_op: unknown operation %u", op->cmd);
    }
}

/* What is left to take apart, to the end. -ERESTART: preempted. */
static int ext_settle(struct ext_call *c)
{
    while (unlikely(READ_ONCE(c->d->pv->mmu_leftover))) {
        c->budget = PV_MMU_BUDGET;
        if (pv_mmu_drain(c->d, &c->budget) && hypercall_preempt())
            return -ERESTART;
    }
    return 0;
}

/* One operation and what it leaves to take apart. -ERESTART: preempted; *finished: it is done. */
static int ext_run_one(struct ext_call *c, const struct mmuext_op *op, bool *finished)
{
    int rc;

    *finished = false;
    do {
        c->budget = PV_MMU_BUDGET;
        rc = ext_one(c, op);
    } while (rc == -ERESTART && !hypercall_preempt());
    if (rc)
        return rc;
    *finished = true;
    return ext_settle(c);
}

/* The list from its first operation; *i is how many are done. */
static int ext_run(struct ext_call *c, u64 ops, u32 nr, u32 *i)
{
    struct mmuext_op op;
    bool finished;
    /* A continuation may have nothing left but what its last operation owes. */
    int rc = ext_settle(c);

    while (*i < nr && !rc) {
        if (unlikely(!guestmem_copy_in(&op, (const void *)(ops + *i * sizeof(op)), sizeof(op))))
            return -EFAULT;
        rc = ext_run_one(c, &op, &finished);
        if (finished)
            ++*i;
        if (*i < nr && !rc && *i % PREEMPT_EVERY == 0 && hypercall_preempt())
            rc = -ERESTART;
    }
    return rc;
}

/*
 * One flush of the caller's own CPU: most calls are this. False: something else, or the operation
 * cannot be read; the long way finds out what.
 */
static ALWAYS_INLINE bool ext_short(const u64 *op)
{
    u64 cmd, va;

    if (unlikely(pv_range_is_hv((u64)op, sizeof(struct mmuext_op)) ||
                 !entry_read_u64(&op[0], &cmd) || !entry_read_u64(&op[1], &va)))
        return false;
    switch ((u32)cmd) {
    case MMUEXT_INVLPG_LOCAL:
        /* invlpg of a hypervisor address is harmless but not the guest's. */
        if (va_canonical(va) && !pv_range_is_hv(va, 1))
            insn_invlpg(va);
        return true;
    case MMUEXT_TLB_FLUSH_LOCAL:
        smp_load_cr3(insn_read_cr3());
        return true;
    default:
        return false;
    }
}

static NOINLINE long ext_long(u64 ops, u64 count, u64 pdone, u64 foreigndom)
{
    u32 done = 0, i = 0, nr = (u32)count & ~PREEMPTED;
    struct ext_call c;
    long rc;

    if (unlikely((u32)count & PREEMPTED) && pdone &&
        !guestmem_copy_in(&done, (const void *)pdone, sizeof(done)))
        return -EFAULT;
    /* The pseudo-domains have no tables. */
    if (unlikely((u32)foreigndom == DOMID_IO || (u32)foreigndom == DOMID_XEN))
        return hypercall_refuse(-EINVAL, "mmuext_op: domain %#x", (u32)foreigndom);
    rc = pv_mmu_domain_of((u32)foreigndom, &c.d, &c.foreign);
    if (unlikely(rc))
        return hypercall_refuse(rc, "mmuext_op: domain %u", (u32)foreigndom);
    if (likely(c.d->pv))
        rc = ext_run(&c, ops, nr, &i);
    else
        rc = hypercall_refuse(-EINVAL, "mmuext_op: domain %u is not PV", c.d->id);
    pv_mmu_domain_done(c.d, c.foreign);
    done += i;
    if (pdone)
        (void)!guestmem_copy_out((void *)pdone, &done, sizeof(done));
    if (unlikely(rc == -ERESTART))
        return hypercall_continue(__HYPERVISOR_mmuext_op, ops + i * sizeof(struct mmuext_op),
                                  (nr - i) | PREEMPTED, pdone, foreigndom);
    return rc;
}

long pv_mmuext_op(u64 ops, u64 count, u64 pdone, u64 foreigndom, u64 unused5, u64 unused6)
{
    (void)unused5;
    (void)unused6;
    if (likely((u32)count == 1 && !pdone && (u32)foreigndom == DOMID_SELF) &&
        ext_short((const u64 *)ops))
        return 0;
    return ext_long(ops, count, pdone, foreigndom);
}
