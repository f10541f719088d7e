/* SPDX-License-Identifier: MIT */
/*
 * Is everything accounted for? References and types of frames are recounted from the tables and
 * from what else may hold them (pure/pvpt_audit.h does the tables); event ports are compared with
 * their peers; pages with their lists and with the machine's total.
 */
#include "audit.h"

#include <stdio.h>
#include <string.h>

#include "core/domain.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/page.h"
#include "hvmguest.h"
#include "machine.h"
#include "pure/pvpt_audit.h"
#include "pv/pv.h"

#define MACHINE_DOMAINS 8 /* whose event ports are looked at for changes */

static u32 refs[MACHINE_FRAMES], types[MACHINE_FRAMES];
static struct pvpt_audit pages = {MACHINE_FRAMES, refs, types};
static u64 begin_free, begin_live, begin_bytes;

void audit_begin(void)
{
    begin_free = page_free_count();
    begin_live = heap_live();
    begin_bytes = page_hv_bytes();
}

/*
 * What each domain may have at the end of a record: what it had, or what it was allowed meanwhile.
 * Frames on their way count: nobody gets one too many for a moment. `asked`: limits that calls in
 * progress set, however soon they are lowered again.
 */
static struct {
    const struct domain *d;
    u64 had, max, asked;
} allowed[MACHINE_DOMAINS];

void audit_allow(u32 id, u64 max)
{
    if (id < MACHINE_DOMAINS)
        allowed[id].asked = MAX(allowed[id].asked, max);
}

void audit_reset(void)
{
    memset(allowed, 0, sizeof(allowed));
}

static void check_allowed(u32 id)
{
    const struct domain *d = domain_lookup((domid_t)id);
    u64 has = d ? d->pages + d->moving : 0, limit;

    if (d == allowed[id].d && d) {
        limit = MAX(MAX(allowed[id].max, allowed[id].asked), d->max_pages);
        if (has > MAX(allowed[id].had, limit))
            machine_found("d%u has %lu frames and %lu on their way; %lu are allowed, it had %lu",
                          id, d->pages, d->moving, limit, allowed[id].had);
    }
    allowed[id].d = d;
    allowed[id].had = has;
    allowed[id].max = d ? d->max_pages : 0;
    if (machine_quiet())
        allowed[id].asked = 0;
}

void audit_always(void)
{
    u32 id;

    tlb_check();
    for (id = 0; id < MACHINE_DOMAINS; id++)
        check_allowed(id);
}

/* Pages. */

static void add_entry(u64 e)
{
    if (e & PTE_P)
        pvpt_audit_add(&pages, (e & PTE_ADDR) >> PAGE_SHIFT, 1, 1);
}

static void add_vcpu(const struct vcpu *v)
{
    const struct pv_vcpu *pv = v->pv;
    u32 i;

    if (v->info_page)
        pvpt_audit_add(&pages, page_mfn(v->info_page).v, 1, 1);
    if (!pv)
        return;
    add_entry(pv->cr3_kernel ? pv->cr3_kernel | PTE_P : 0);
    add_entry(pv->cr3_user ? pv->cr3_user | PTE_P : 0);
    for (i = 0; i < (pv->gdt_entries + 511) / 512; i++)
        pvpt_audit_add(&pages, pv->gdt_frames[i], 1, 1);
    for (i = 16; i < 32; i++)
        add_entry(pv->perdomain_l1[i]);
}

/* A grant that is mapped holds its frame until the handle goes, whatever the entry says by then. */
static void add_grants(const struct domain *d)
{
    const struct maptrack *m = d->grants ? grant_handles(d) : NULL;
    u32 i;

    for (i = 0; m && i < m->nr; i++) {
        const struct maptrack_entry *e = maptrack_entry(m, i);

        if (e->flags & MAPTRACK_BUSY)
            machine_found("d%u: handle %u is claimed by nobody", d->id, i);
        if (e->flags)
            pvpt_audit_add(&pages, e->frame, 1, e->flags & GNTMAP_readonly ? 0 : 1);
    }
}

static void add_domain(const struct domain *d)
{
    u32 i;

    add_grants(d);
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            add_vcpu(d->vcpu[i]);
    if (d->teardown_at != PAGE_LINK_END)
        pvpt_audit_add(&pages, d->teardown_at, 1, 0);
    if (d->pv && d->pv->mmu_leftover)
        pvpt_audit_add(&pages, page_mfn(d->pv->mmu_leftover).v, 1, 1);
}

static void bad_frame(const struct page *pg, const char *what)
{
    u64 mfn = page_mfn(pg).v;

    machine_found("frame %#lx of d%u: %s: count %#lx type %#lx (%s); found %u references and %u "
                  "uses of the type",
                  mfn, pg->owner, what, pg->count, pg->type, ptype_name(pg->type), refs[mfn],
                  types[mfn]);
}

static bool is_domains(const struct page *pg)
{
    return pg->owner < DOMID_FIRST_RESERVED || pg->owner == DOMID_XEN;
}

/* Returns how many frames the hypervisor shares with domains. */
static u64 check_frames(void)
{
    static u16 owned[MACHINE_FRAMES];
    const char *bad;
    u64 shared = 0;
    u32 f, i, nr = 0;

    for (f = 0; f < MACHINE_FRAMES; f++)
        if (is_domains(page_of(MFN(f))))
            owned[nr++] = (u16)f;
    for (i = 0; i < nr; i++) {
        const struct page *pg = page_of(MFN(owned[i]));

        shared += pg->owner != DOMID_XEN && (pg->count & PAGE_SPECIAL);
        bad = pvpt_audit_frame(&pages, pg);
        if (bad)
            bad_frame(pg, bad);
    }
    for (i = 0; i < nr; i++) {
        const struct page *pg = page_of(MFN(owned[i]));

        bad = pvpt_audit_check(&pages, pg);
        if (bad)
            bad_frame(pg, bad);
    }
    return shared;
}

static void check_list(const struct domain *d)
{
    u32 at, prev = PAGE_LINK_END;
    u64 n = 0;

    for (at = d->page_list; at != PAGE_LINK_END; at = page_of(MFN(at))->next) {
        const struct page *pg = page_of(MFN(at));

        if (pg->owner != d->id || pg->prev != prev || (pg->count & PAGE_SPECIAL))
            bad_frame(pg, "on the wrong list");
        if (!(pg->count & PAGE_COUNT_MASK))
            bad_frame(pg, "a domain's frame without references");
        prev = at;
        n++;
    }
    if (n != d->pages)
        machine_found("d%u has %lu pages, %lu are on its list", d->id, d->pages, n);
}

/* Events. */

static void check_port(const struct domain *d, u32 port)
{
    evtchn_word_t w = evtchn_read(d->evt, port), pw;
    const struct domain *peer;

    switch (evtchn_state(w)) {
    case EVTCHN_INTERDOMAIN:
        peer = domain_lookup(evtchn_dom(w));
        if (!peer || !peer->evt || !evtchn_connected(peer->evt, w, d->id, port, &pw))
            machine_found("port %u of d%u: the peer, port %u of d%u, does not know it", port, d->id,
                          evtchn_arg(w), evtchn_dom(w));
        break;
    case EVTCHN_VIRQ:
        if (evtchn_arg(w) >= NR_VIRQS)
            machine_found("port %u of d%u: VIRQ %u", port, d->id, evtchn_arg(w));
        break;
    case EVTCHN_IPI:
    case EVTCHN_UNBOUND:
    case EVTCHN_PIRQ:
        break;
    default:
        machine_found("port %u of d%u: state %u", port, d->id, evtchn_state(w));
    }
    if (evtchn_vcpu(w) >= d->max_vcpus)
        machine_found("port %u of d%u notifies vCPU %u, which does not exist", port, d->id,
                      evtchn_vcpu(w));
}

static void check_virqs(const struct domain *d, const struct vcpu *v)
{
    evtchn_word_t w;
    u32 i;

    for (i = 0; i < NR_VIRQS; i++) {
        if (!v->virq_port[i])
            continue;
        w = evtchn_read(d->evt, v->virq_port[i]);
        if (evtchn_state(w) != EVTCHN_VIRQ || evtchn_arg(w) != i)
            machine_found("d%uv%u: VIRQ %u is bound to port %u, which is something else", d->id,
                          v->id, i, v->virq_port[i]);
    }
}

/* Most records leave all ports as they are: false then. */
static bool events_changed(void)
{
    static u64 seen[MACHINE_DOMAINS][EVTCHN_PORTS_PER_PAGE];
    static u64 virqs[MACHINE_DOMAINS];
    bool changed = false;
    const struct domain *d;
    u64 sum;
    u32 i, k, n;

    for (i = 0; i < MACHINE_DOMAINS; i++) {
        d = domain_lookup((domid_t)i);
        if (!d || !d->evt || !d->evt->page[0])
            continue;
        for (sum = d->evt->search, k = 0; k < d->max_vcpus; k++)
            for (n = 0; d->vcpu[k] && n < NR_VIRQS; n++)
                sum = sum * 31 + d->vcpu[k]->virq_port[n];
        changed |= sum != virqs[i] || memcmp(seen[i], d->evt->page[0], sizeof(seen[i])) != 0;
        virqs[i] = sum;
        memcpy(seen[i], d->evt->page[0], sizeof(seen[i]));
    }
    return changed;
}

static void check_polls(const struct domain *d)
{
    u32 i;

    for (i = 0; d->evt && i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (v && (v->poll_any != bit_test(d->evt->polling, i) ||
                  (v->poll_any && !(v->pause & VPAUSE_BLOCKED))))
            machine_found("d%uv%u: polls, or does not", d->id, i);
    }
}

static void check_events(const struct domain *d)
{
    u32 port, i;

    if (!d->evt)
        return;
    if (!evtchn_audit(d->evt))
        machine_found("d%u: the table of event ports is unsound", d->id);
    for (port = 1; (port = evtchn_next(d->evt, port)) != 0; port++)
        check_port(d, port);
    for (i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = d->vcpu[i];

        if (!v)
            continue;
        check_virqs(d, v);
    }
}

/* vCPUs. */

static void check_vcpu(const struct vcpu *v)
{
    bool current = false, paused = v->domain->pause_count || v->domain->state >= DOMAIN_SHUTDOWN;
    u32 cpu;

    if (!(v->pause & VPAUSE_DOMAIN) == paused)
        machine_found("d%uv%u: paused %u times, state %u, but pause is %#x", v->domain->id, v->id,
                      v->domain->pause_count, v->domain->state, v->pause);
    for (cpu = 0; cpu < MACHINE_CPUS; cpu++)
        current |= cpu_info_of(cpu)->vcpu == v;
    if (v->running != current)
        machine_found("d%uv%u is %s, and %s", v->domain->id, v->id,
                      v->running ? "running" : "not running", current ? "on a CPU" : "on no CPU");
    if (current && cpu_info_of(v->cpu)->vcpu != v)
        machine_found("d%uv%u runs elsewhere than on CPU %u", v->domain->id, v->id, v->cpu);
    /* Also the frames that tables cannot show: a vCPU that may run has a table. */
    if (v->hvm) {
        hvmguest_audit_vcpu(v);
        return;
    }
    if (current &&
        machine_cr3(v->cpu) != (v->pv->kernel_mode ? v->pv->cr3_kernel : v->pv->cr3_user))
        machine_found("d%uv%u runs on the tables at %#lx", v->domain->id, v->id,
                      machine_cr3(v->cpu));
}

static void check_domain(const struct domain *d, bool events)
{
    u32 i;

    /* The one it began with, and the one this look took. */
    if (d->refs != 2)
        machine_found("d%u: %u references to the domain, not 1", d->id, d->refs - 1);
    if (d->moving != 0)
        machine_found("d%u: %lu frames are on their way", d->id, d->moving);
    if (d->tool_pauses > d->pause_count)
        machine_found("d%u: paused %u times, %u of them by the tools", d->id, d->pause_count,
                      d->tool_pauses);
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i])
            check_vcpu(d->vcpu[i]);
    check_list(d);
    if (d->hvm)
        hvmguest_audit_domain(d);
    check_polls(d);
    if (events)
        check_events(d);
}

void audit_quiet(void)
{
    u64 used = 0, claimed = 0, shared = 0;
    bool events = events_changed();
    struct domain *d;
    u32 id;

    memset(refs, 0, sizeof(refs));
    memset(types, 0, sizeof(types));
    for (id = 0; (d = domain_next((domid_t)id)) != NULL; id = d->id + 1u, domain_put(d)) {
        add_domain(d);
        check_domain(d, events);
        used += d->pages;
        claimed += d->claim;
        shared += d->shared_pages;
    }
    if (check_frames() != shared)
        machine_found("the domains count %lu shared pages", shared);
    used += (page_hv_bytes() - begin_bytes) >> PAGE_SHIFT;
    if (page_free_count() + used != begin_free)
        machine_found("%lu frames are free, %lu in use: not the %lu there were", page_free_count(),
                      used, begin_free);
    if (claimed != page_claimed_count())
        machine_found("claims of %lu frames, not %lu", claimed, page_claimed_count());
}

void audit_end(void)
{
    const char *bad = heap_audit();

    if (domain_next(0) != NULL)
        machine_found("domain %u is still there", domain_next(0)->id);
    if (page_free_count() != begin_free || page_hv_bytes() != begin_bytes)
        machine_found("%lu frames are free at the end, not %lu; the hypervisor has %lu bytes, not "
                      "%lu",
                      page_free_count(), begin_free, page_hv_bytes(), begin_bytes);
    if (heap_live() != begin_live) {
        heap_print_live();
        machine_found("%lu objects are left, not %lu", heap_live(), begin_live);
    }
    if (page_claimed_count() != 0)
        machine_found("%lu frames are claimed by nobody", page_claimed_count());
    if (bad)
        machine_found("the frame allocator: %s", bad);
}
