/* SPDX-License-Identifier: MIT */
/*
 * How does a guest change its page tables by hypercall? A request is copied in, its table and its
 * domains are looked up (decode), and the entry is handed to pure/pvpt.c, which checks and stores
 * it under the table owner's lock (perform).
 *
 * Requests are taken in chunks of a few, one copy and one lock round per chunk, so the usual call
 * with one entry pays for one of each. Level 1 entries are short work. An upper entry can bring a
 * whole tree in or out: that goes in steps, between which the lock is free; what the old entry's
 * tree still owes is kept in the domain's leftover slot and paid before the call returns.
 */
#include "pv/pv_mmu.h"

#include "arch/entry.h"
#include "arch/smp.h"
#include "core/console.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "core/physmap.h"

STATIC_ASSERT(PVPT_DOMID_IO == DOMID_IO, "ABI: DOMID_IO");
STATIC_ASSERT(PVPT_HV_FIRST == L4_SLOT_HV_FIRST && PVPT_HV_LAST == L4_SLOT_HV_LAST, "slots");

#define CHUNK 16
/* Bit 31 of a count: the call is a continuation (our own convention, as the guest sees neither). */
#define PREEMPTED     0x80000000u
#define PREEMPT_EVERY 4 /* chunks */

/* A decoded mmu_update call. */
struct update_call {
    struct domain *tables; /* whose page tables: PFD */
    struct domain *frames; /* FD; NULL for DOMID_IO and DOMID_XEN */
    u16 frames_id;
    bool tables_foreign, frames_foreign;
};

long pv_mmu_explain(const char *op, long err, const struct pvpt_view *w)
{
    const struct page *pg;

    if (!w->why)
        return hypercall_refuse(err, "%s: refused (%ld)", op, err);
    pg = ptype_port_page(w->bad_mfn);
    if (!pg)
        return hypercall_refuse(err, "%s: %s: entry %#lx, frame %#lx is not RAM", op, w->why,
                                w->bad, w->bad_mfn);
    return hypercall_refuse(err, "%s: %s: entry %#lx, frame %#lx of domain %u, %s x%lu, for d%u",
                            op, w->why, w->bad, w->bad_mfn, pg->owner, ptype_name(pg->type),
                            pg->type & PTYPE_COUNT_MASK, w->frames);
}

int pv_mmu_domain_of(u32 id, struct domain **d, bool *foreign)
{
    struct domain *self = vcpu_current()->domain;

    *foreign = false;
    *d = self;
    if (id == DOMID_SELF)
        return 0;
    if (id == self->id)
        return -ESRCH;
    *d = domain_get((domid_t)id);
    if (!*d)
        return -ESRCH;
    if (!self->privileged) {
        domain_put(*d);
        return -EPERM;
    }
    *foreign = true;
    return 0;
}

void pv_mmu_domain_done(struct domain *d, bool foreign)
{
    if (unlikely(foreign))
        domain_put(d);
}

int pv_mmu_drain_locked(struct domain *d, int *budget)
{
    return pvpt_leftover_step(&d->pv->mmu_leftover, budget);
}

int pv_mmu_drain(struct domain *d, int *budget)
{
    int rc;

    if (likely(!READ_ONCE(d->pv->mmu_leftover)))
        return 0;
    lock_acquire(&d->pv->mmu_lock);
    rc = pv_mmu_drain_locked(d, budget);
    lock_release(&d->pv->mmu_lock);
    return rc;
}

/* The next table down; NULL when the entry is not present. */
static ALWAYS_INLINE u64 *find_step(const u64 *table, u64 index, u64 *all)
{
    u64 e = READ_ONCE(table[index & 511]);

    *all &= e;
    return likely(e & PTE_P) ? hmap_direct(e & PTE_ADDR) : NULL;
}

static ALWAYS_INLINE u64 *find_l1(u64 l4, u64 va, u64 *all)
{
    u64 index = (va >> 39) & 511;
    u64 *table;

    /* By slot, not by address: a non-canonical address must not lead into the hypervisor's. */
    if (unlikely(index >= L4_SLOT_HV_FIRST && index <= L4_SLOT_HV_LAST))
        return NULL;
    table = find_step(hmap_direct(l4), index, all);
    if (likely(table))
        table = find_step(table, va >> 30, all);
    if (likely(table))
        table = find_step(table, va >> 21, all);
    return likely(table) ? table + ((va >> 12) & 511) : NULL;
}

u64 *pv_mmu_find_l1(u64 l4, u64 va, u64 *rights)
{
    u64 all = ~0ul, *slot = find_l1(l4, va, &all);

    if (rights && slot)
        *rights &= all & READ_ONCE(*slot);
    return slot;
}

/* Decoding of foreigndom: FD in the low half, PFD + 1 in the high one. */
static int update_decode(struct update_call *c, u32 foreigndom)
{
    u32 fd = foreigndom & 0xffff, pfd = foreigndom >> 16;
    int rc;

    if (!pfd || pfd - 1 == vcpu_current()->domain->id)
        pfd = DOMID_SELF + 1;
    rc = pv_mmu_domain_of(pfd - 1, &c->tables, &c->tables_foreign);
    if (rc)
        return rc;
    c->frames = NULL;
    c->frames_id = (u16)fd;
    c->frames_foreign = false;
    if (!c->tables->pv)
        rc = -EINVAL;
    else if (fd != DOMID_IO && (fd != DOMID_XEN || !vcpu_current()->domain->privileged))
        rc = pv_mmu_domain_of(fd, &c->frames, &c->frames_foreign);
    if (rc)
        pv_mmu_domain_done(c->tables, c->tables_foreign);
    else if (c->frames)
        c->frames_id = c->frames->id;
    return rc;
}

static NOINLINE void update_done(struct update_call *c)
{
    pv_mmu_domain_done(c->tables, c->tables_foreign);
    if (c->frames)
        pv_mmu_domain_done(c->frames, c->frames_foreign);
}

/* MMU_MACHPHYS_UPDATE: the frame must be FD's. */
static int update_m2p(const struct update_call *c, const struct mmu_update *u)
{
    u64 mfn = u->ptr >> PAGE_SHIFT;
    struct page *pg = ptype_port_page(mfn);

    if (!c->frames || !pg || !ptype_get_page(pg, c->frames_id))
        return (int)hypercall_refuse(-EINVAL, "mmu_update: machphys of frame %#lx, not d%u's", mfn,
                                     c->frames_id);
    page_m2p_set(MFN(mfn), u->val);
    ptype_put_page(pg);
    return 0;
}

/*
 * The frame is no page table: the guest prepares one. A plain store, if it may write there. The
 * references stay for the next requests, which are usually for the same frame (update_let_go).
 */
static int update_plain(struct pvpt_view *w, struct page *pg, u64 *slot, u64 val,
                        struct page **held)
{
    u64 mfn = page_mfn(pg).v;

    if (!ptype_get_page(pg, w->owner))
        return pvpt_refuse(w, -EINVAL, "the table is not the domain's frame", val, mfn);
    if (ptype_get_type(pg, PTYPE_WRITABLE)) {
        ptype_put_page(pg);
        return pvpt_refuse(w, -EINVAL, "neither a valid table nor writable", val, mfn);
    }
    WRITE_ONCE(*slot, val);
    *held = pg;
    return 0;
}

/* Before anything that could need the held frame for another use. */
static ALWAYS_INLINE void update_let_go(struct page **held)
{
    if (*held != NULL) {
        ptype_put_mapping(*held, true);
        *held = NULL;
    }
}

/* Everything that is not a level 1 entry. -ERESTART: not done. */
static NOINLINE int update_other(struct pvpt_view *w, struct domain *d, struct page *pg, u64 *slot,
                                 u64 val, unsigned int flags, struct page **held)
{
    int budget = PV_MMU_BUDGET, rc = pv_mmu_drain_locked(d, &budget);
    unsigned int level;

    if (rc)
        return rc;
    /* Only now: the drain may have waited for other CPUs. */
    if (unlikely(atomic_load(&pg->owner) != w->owner))
        return pvpt_refuse(w, -EINVAL, "the address is not in a frame of the tables' domain", val,
                           page_mfn(pg).v);
    level = ptype_level(pg->type);
    if (!level || !(pg->type & PTYPE_COUNT_MASK))
        return update_plain(w, pg, slot, val, held);
    if (!(pg->type & PTYPE_VALIDATED))
        return pvpt_refuse(w, -EBUSY, "the table is being pinned or unpinned", val, page_mfn(pg).v);
    return pvpt_upper_update(w, &d->pv->mmu_leftover, level, (u64 *)((u64)slot & PAGE_MASK),
                             (unsigned int)(((u64)slot & ~PAGE_MASK) / 8), val, flags, &budget);
}

/* One entry, under the lock of the tables' owner. */
static ALWAYS_INLINE int update_one(struct pvpt_view *w, struct domain *d,
                                    const struct mmu_update *u, struct page **held)
{
    unsigned int cmd = (unsigned int)u->ptr & 7;
    unsigned int flags = cmd == MMU_PT_UPDATE_PRESERVE_AD ? PVPT_KEEP_AD : 0;
    struct page *pg = ptype_port_page(u->ptr >> PAGE_SHIFT);
    u64 *slot = hmap_direct(u->ptr & ~7ul);

    update_let_go(held);
    if (unlikely(cmd > MMU_PT_UPDATE_NO_TRANSLATE))
        return pvpt_refuse(w, -ENOSYS, "unknown command in the low bits of the address", u->val,
                           u->ptr >> PAGE_SHIFT);
    if (unlikely(!pg))
        return pvpt_refuse(w, -EINVAL, "the address is not RAM", u->val, u->ptr >> PAGE_SHIFT);
    if (likely(pv_mmu_is_l1(d, pg)))
        return pvpt_l1_update(w, slot, u->val, flags);
    return update_other(w, d, pg, slot, u->val, flags, held);
}

/* The same for tables of a domain that does not run here. */
static NOINLINE int update_foreign(struct pvpt_view *w, struct domain *d,
                                   const struct mmu_update *u, struct page **held)
{
    struct page *pg = ptype_port_page(u->ptr >> PAGE_SHIFT);
    int rc;

    if (!pg || !ptype_get_page(pg, w->owner))
        return pvpt_refuse(w, -EINVAL, "the address is not in a frame of the tables' domain",
                           u->val, u->ptr >> PAGE_SHIFT);
    rc = update_one(w, d, u, held);
    ptype_put_page(pg);
    return rc;
}

/*
 * The frames of a translated domain are named by its own numbers, but for requests that say
 * otherwise. Returns how many requests, from the first on, could be translated; whether a frame may
 * be mapped is seen later, by its owner.
 */
static NOINLINE u32 update_translate(const struct update_call *c, struct mmu_update *u, u32 n)
{
    mfn_t mfn;
    u32 i;

    for (i = 0; i < n; i++) {
        u32 cmd = (u32)u[i].ptr & 7;

        if (cmd == MMU_PT_UPDATE_NO_TRANSLATE || !(u[i].val & PTE_P))
            continue;
        if (!physmap_find(c->frames, GFN((u[i].val & PTE_ADDR) >> PAGE_SHIFT), &mfn)) {
            hypercall_refuse(0, "mmu_update: d%u has nothing at gfn %#lx", c->frames->id,
                             (u[i].val & PTE_ADDR) >> PAGE_SHIFT);
            break;
        }
        u[i].val = (u[i].val & ~PTE_ADDR) | mfn_to_maddr(mfn);
    }
    return i;
}

/*
 * Up to n requests of a chunk. *done counts the finished ones; 0, an error of the next one, or
 * -ERESTART: work is left in the next one or in the leftover slot.
 */
static ALWAYS_INLINE int update_chunk(struct update_call *c, struct mmu_update *u, u32 n, u32 *done)
{
    struct domain *d = c->tables;
    struct page *held = NULL;
    struct pvpt_view w;
    u64 held_at = 0;
    int rc = 0;
    u32 i;

    pv_mmu_view(&w, d, c->frames_id);
    if (unlikely(c->frames && c->frames != d)) {
        w.frames_iomem = c->frames->iomem;
        if (c->frames->physmap != NULL)
            n = update_translate(c, u, n);
        if (n == 0)
            return -EINVAL;
    }
    lock_acquire(&d->pv->mmu_lock);
    for (i = 0; i < n && !rc; i++) {
        if (held != NULL && u[i].ptr - held_at < PAGE_SIZE && !(u[i].ptr & 7)) {
            WRITE_ONCE(*(u64 *)hmap_direct(u[i].ptr), u[i].val);
            continue;
        }
        if (unlikely((u[i].ptr & 7) == MMU_MACHPHYS_UPDATE)) {
            rc = update_m2p(c, &u[i]);
        } else {
            rc = likely(!c->tables_foreign) ? update_one(&w, d, &u[i], &held)
                                            : update_foreign(&w, d, &u[i], &held);
            held_at = u[i].ptr & PAGE_MASK;
        }
        if (unlikely(rc)) {
            /* A tree half taken apart may be in the way: finish it and try again. */
            if (d->pv->mmu_leftover)
                rc = -ERESTART;
            break;
        }
        if (unlikely(d->pv->mmu_leftover)) {
            int budget = PV_MMU_BUDGET;

            rc = pv_mmu_drain_locked(d, &budget);
        }
    }
    update_let_go(&held);
    lock_release(&d->pv->mmu_lock);
    *done += i;
    if (unlikely(rc && rc != -ERESTART && w.why))
        pv_mmu_explain("mmu_update", rc, &w);
    return rc;
}

/* What is left to take apart; false: preempted before the end. */
static NOINLINE bool update_settle(struct domain *d)
{
    int budget = PV_MMU_BUDGET;

    while (pv_mmu_drain(d, &budget)) {
        if (hypercall_preempt())
            return false;
        budget = PV_MMU_BUDGET;
    }
    return true;
}

/*
 * The loop over chunks: the hypercall's result, or -ERESTART when preempted. Not inlined: its chunk
 * and what the caller has on the stack would be more than a frame may have.
 */
static NOINLINE long update_run(struct update_call *c, const struct mmu_update *reqs, u32 count,
                                u32 *done)
{
    struct mmu_update chunk[CHUNK];
    u32 rounds = 0, n, i = 0;
    int rc = 0;

    while (i < count) {
        n = MIN(count - i, CHUNK);
        if (unlikely(!guestmem_copy_in(chunk, reqs + i, n * sizeof(chunk[0])))) {
            rc = -EFAULT;
            break;
        }
        rc = update_chunk(c, chunk, n, &i);
        if (likely(!rc && i == count))
            break;
        if (rc && rc != -ERESTART)
            break;
        if (rc && !update_settle(c->tables))
            break;
        if ((rc || ++rounds % PREEMPT_EVERY == 0) && hypercall_preempt()) {
            rc = -ERESTART;
            break;
        }
    }
    *done += i;
    /* The last request may have left a tree behind. */
    if (unlikely(READ_ONCE(c->tables->pv->mmu_leftover)) && !update_settle(c->tables) && !rc)
        rc = -ERESTART;
    return i == count && rc == -ERESTART && !c->tables->pv->mmu_leftover ? 0 : rc;
}

/*
 * The usual call: one level 1 entry of the caller's own tables and frames, no count wanted. False:
 * not that, or refused; the long way finds out what.
 */
static ALWAYS_INLINE bool update_short(const u64 *req)
{
    struct domain *d = vcpu_current()->domain;
    struct pvpt_view w;
    struct page *pg;
    u64 ptr, val;
    int rc = -EINVAL;

    if (unlikely(pv_range_is_hv((u64)req, sizeof(struct mmu_update)) ||
                 !entry_load_u64(&req[0], &ptr) || !entry_load_u64(&req[1], &val)))
        return false;
    pg = ptype_port_page(ptr >> PAGE_SHIFT);
    if (unlikely(!pg || (ptr & 7)))
        return false;
    pv_mmu_view(&w, d, d->id);
    lock_acquire(&d->pv->mmu_lock);
    if (likely(pv_mmu_is_l1(d, pg)))
        rc = pvpt_l1_update(&w, hmap_direct(ptr), val, 0);
    lock_release(&d->pv->mmu_lock);
    return likely(!rc);
}

static NOINLINE long update_long(u64 reqs, u64 count, u64 pdone, u64 foreigndom)
{
    u32 done = 0, before, nr = (u32)count & ~PREEMPTED;
    struct update_call c;
    long rc;

    if (unlikely((u32)count & PREEMPTED) && pdone &&
        !guestmem_copy_in(&done, (const void *)pdone, sizeof(done)))
        return -EFAULT;
    rc = update_decode(&c, (u32)foreigndom);
    if (unlikely(rc))
        return hypercall_refuse(rc, "mmu_update: foreign domain word %#lx", foreigndom);
    before = done;
    rc = update_run(&c, (const struct mmu_update *)reqs, nr, &done);
    if (unlikely(c.tables_foreign || c.frames_foreign))
        update_done(&c);
    /* A count that cannot be stored is the caller's loss; the reference hypervisor says nothing. */
    if (pdone)
        (void)!guestmem_copy_out((void *)pdone, &done, sizeof(done));
    if (unlikely(rc == -ERESTART))
        return hypercall_continue(__HYPERVISOR_mmu_update,
                                  reqs + (done - before) * sizeof(struct mmu_update),
                                  (nr - (done - before)) | PREEMPTED, pdone, foreigndom);
    return rc;
}

long pv_mmu_update(u64 reqs, u64 count, u64 pdone, u64 foreigndom, u64 unused5, u64 unused6)
{
    (void)unused5;
    (void)unused6;
    if (likely((u32)count == 1 && !pdone && (u32)foreigndom == DOMID_SELF) &&
        likely(update_short((const u64 *)reqs)))
        return 0;
    return update_long(reqs, count, pdone, foreigndom);
}

bool pv_mmu_vcpus_to_cpus(const struct domain *d, u64 bitmap, struct cpu_mask *out)
{
    u64 word = 0;
    u32 i;

    out->bits = 0;
    for (i = 0; i < d->max_vcpus; i++) {
        if (i % 64 == 0 && !guestmem_copy_in(&word, (const u64 *)bitmap + i / 64, sizeof(word)))
            return false;
        if ((word >> (i % 64)) & 1 && d->vcpu[i])
            out->bits |= (u64)1 << READ_ONCE(d->vcpu[i]->cpu);
    }
    /* A vCPU that moved left its translations behind; there they go when it comes back. */
    out->bits &= atomic_load(&d->dirty_cpus.bits);
    return true;
}

/* The flush that update_va_mapping asks for in its flags. */
static NOINLINE long va_flush(u64 va, u64 flags)
{
    const struct domain *d = vcpu_current()->domain;
    u64 bitmap = flags & ~(u64)UVMF_FLUSHTYPE_MASK, what;
    struct cpu_mask mask;

    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
        what = FLUSH_ALL_VA;
        break;
    case UVMF_INVLPG:
        what = va;
        break;
    default:
        return 0;
    }
    if (bitmap == UVMF_ALL)
        mask.bits = atomic_load(&d->dirty_cpus.bits);
    else if (bitmap == UVMF_LOCAL)
        mask.bits = (u64)1 << cpu_id();
    else if (!pv_mmu_vcpus_to_cpus(d, bitmap, &mask))
        return -EFAULT;
    smp_flush_tlb(mask, what);
    return 0;
}

static ALWAYS_INLINE long va_update(u64 va, u64 val, u64 flags, u16 frames, const struct domain *fd)
{
    struct domain *d = vcpu_current()->domain;
    struct pvpt_view w;
    u64 all = 0, *slot;
    int rc = -EINVAL;

    pv_mmu_view(&w, d, frames);
    if (unlikely(fd && fd != d))
        w.frames_iomem = fd->iomem;
    lock_acquire(&d->pv->mmu_lock);
    slot = find_l1(pv_current()->cr3_kernel, va, &all);
    if (likely(slot)) {
        rc = pvpt_l1_update(&w, slot, val, 0);
        if (unlikely(rc && d->pv->mmu_leftover))
            rc = -ERESTART;
    }
    lock_release(&d->pv->mmu_lock);
    if (likely(!rc))
        return likely(!(flags & UVMF_FLUSHTYPE_MASK)) ? 0 : va_flush(va, flags);
    if (!slot)
        return hypercall_refuse(rc, "update_va_mapping: no level 1 entry for %#lx", va);
    return rc == -ERESTART ? rc : pv_mmu_explain("update_va_mapping", rc, &w);
}

long pv_update_va_mapping(u64 va, u64 val, u64 flags, u64 unused4, u64 unused5, u64 unused6)
{
    struct domain *d = vcpu_current()->domain;
    long rc;

    (void)unused4;
    (void)unused5;
    (void)unused6;
    while (unlikely((rc = va_update(va, val, flags, d->id, NULL)) == -ERESTART))
        if (!update_settle(d))
            return hypercall_continue(__HYPERVISOR_update_va_mapping, va, val, flags, 0);
    return rc;
}

long pv_update_va_mapping_otherdomain(u64 va, u64 val, u64 flags, u64 domid, u64 unused5,
                                      u64 unused6)
{
    struct domain *fd = NULL;
    bool foreign = false;
    u16 frames = (u16)domid;
    long rc = 0;

    (void)unused5;
    (void)unused6;
    if (frames != DOMID_IO && (frames != DOMID_XEN || !vcpu_current()->domain->privileged)) {
        rc = pv_mmu_domain_of(frames, &fd, &foreign);
        if (rc)
            return hypercall_refuse(rc, "update_va_mapping_otherdomain: domain %u", frames);
        frames = fd->id;
    }
    while ((rc = va_update(va, val, flags, frames, fd)) == -ERESTART) {
        if (!update_settle(vcpu_current()->domain)) {
            rc = hypercall_continue(__HYPERVISOR_update_va_mapping_otherdomain, va, val, flags,
                                    domid);
            break;
        }
    }
    if (fd)
        pv_mmu_domain_done(fd, foreign);
    return rc;
}
