/* SPDX-License-Identifier: MIT */
/*
 * Debug key 'p': do the frames' words agree with the tables? Each domain's tables are read under
 * its lock. Writable and descriptor references and grants change without it, and other holders
 * (a copy that is going on) are not known here, so a frame with too many references is only counted
 * as held from elsewhere; one with too few, or a broken table, is an error and named.
 */
#include "base/lib.h"
#include "core/console.h"
#include "core/grant.h"
#include "pure/pvpt_audit.h"
#include "pv/pv_mmu.h"

#define ERRORS_NAMED 8

struct audit_run {
    struct pvpt_audit a;
    u64 frames, tables, pinned, extra, errors;
};

static void audit_error(struct audit_run *r, const struct page *pg, const char *what)
{
    u64 mfn = page_mfn(pg).v;

    if (r->errors++ >= ERRORS_NAMED)
        return;
    log_msg(LOG_ERR, "audit: frame %#lx of d%u: %s: count %#lx type %#lx (%s), found %u and %u",
            (unsigned long)mfn, pg->owner, what, (unsigned long)pg->count, (unsigned long)pg->type,
            ptype_name(pg->type), r->a.refs[mfn], r->a.types[mfn]);
}

/* References from outside the tables: CR3, GDT and LDT of each vCPU, registered vcpu_info. */
static void audit_vcpu(struct audit_run *r, const struct vcpu *v)
{
    const struct pv_vcpu *pv = v->pv;
    u32 i;

    if (pv->cr3_kernel)
        pvpt_audit_add(&r->a, pv->cr3_kernel >> PAGE_SHIFT, 1, 1);
    if (pv->cr3_user)
        pvpt_audit_add(&r->a, pv->cr3_user >> PAGE_SHIFT, 1, 1);
    for (i = 0; i < (pv->gdt_entries + 511) / 512; i++)
        pvpt_audit_add(&r->a, pv->gdt_frames[i], 1, 1);
    for (i = 16; pv->perdomain_l1 && i < 32; i++)
        if (pv->perdomain_l1[i] & PTE_P)
            pvpt_audit_add(&r->a, (pv->perdomain_l1[i] & PTE_ADDR) >> PAGE_SHIFT, 1, 1);
    if (v->info_page)
        pvpt_audit_add(&r->a, page_mfn(v->info_page).v, 1, 1);
}

/* The grants d has mapped: references of their own, beside those of the entries. */
static void audit_grants(struct audit_run *r, const struct domain *d)
{
    const struct maptrack *m = grant_handles(d);
    u32 i, nr = atomic_load_acquire(&m->nr);

    for (i = 0; i < nr; i++) {
        const struct maptrack_entry *e = maptrack_entry(m, i);
        u16 flags = atomic_load_acquire(&e->flags);

        if (flags & ~MAPTRACK_BUSY)
            pvpt_audit_add(&r->a, e->frame, 1, flags & GNTMAP_readonly ? 0 : 1);
    }
}

static void audit_domain(struct audit_run *r, const struct domain *d)
{
    const char *bad;
    u32 at, i;

    audit_grants(r, d);
    if (d->pv->mmu_leftover)
        pvpt_audit_add(&r->a, page_mfn(d->pv->mmu_leftover).v, 1, 1);
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] && d->vcpu[i]->pv)
            audit_vcpu(r, d->vcpu[i]);
    for (at = d->page_list; at != PAGE_LINK_END; at = page_of(MFN(at))->next) {
        const struct page *pg = page_of(MFN(at));

        r->frames++;
        if (ptype_level(pg->type) && (pg->type & PTYPE_COUNT_MASK)) {
            r->tables++;
            r->pinned += pg->type & PTYPE_PINNED ? 1 : 0;
        }
        bad = pvpt_audit_frame(&r->a, pg);
        if (bad)
            audit_error(r, pg, bad);
    }
}

static void audit_compare(struct audit_run *r, const struct domain *d)
{
    const char *bad;
    u32 at;

    for (at = d->page_list; at != PAGE_LINK_END; at = page_of(MFN(at))->next) {
        const struct page *pg = page_of(MFN(at));
        u64 mfn = page_mfn(pg).v;

        bad = pvpt_audit_check(&r->a, pg);
        if (bad && (pg->type & PTYPE_COUNT_MASK) >= r->a.types[mfn] &&
            (pg->count & PAGE_COUNT_MASK) >= r->a.refs[mfn] && !ptype_level(pg->type))
            r->extra++;
        else if (bad)
            audit_error(r, pg, bad);
    }
}

/*
 * All PV domains, each read and compared in one hold of its lock: what its own CPUs change between
 * the two would look like an error. What a later domain holds of an earlier one's frames is not
 * known yet and counts as held from elsewhere; dom0, which maps the others' tables, comes first. A
 * mapping of a later domain's frame that goes before that one's turn still looks like an error.
 */
static void audit_all(struct audit_run *r)
{
    struct domain *d = NULL;

    while ((d = domain_after(d)) != NULL) {
        if (!d->pv)
            continue;
        lock_acquire(&d->pv->mmu_lock);
        audit_domain(r, d);
        audit_compare(r, d);
        lock_release(&d->pv->mmu_lock);
    }
}

void pv_mmu_audit_dump(void)
{
    size_t size = (size_t)page_max_mfn * 2 * sizeof(u32);
    struct audit_run r = {.frames = 0};

    r.a.nr = page_max_mfn;
    r.a.refs = page_zalloc(size);
    if (!r.a.refs) {
        log_msg(LOG_WARN, "audit: no %lu KiB for the counters", (unsigned long)(size / KiB));
        return;
    }
    memset(r.a.refs, 0, size);
    r.a.types = r.a.refs + page_max_mfn;
    audit_all(&r);
    log_msg(LOG_INFO,
            "audit: %lu frames, %lu tables (%lu pinned), %lu frames held from elsewhere, "
            "%lu errors",
            (unsigned long)r.frames, (unsigned long)r.tables, (unsigned long)r.pinned,
            (unsigned long)r.extra, (unsigned long)r.errors);
    page_zfree(r.a.refs, size);
}
