/* SPDX-License-Identifier: MIT */
/*
 * Whose is each frame, and where do new ones come from?
 *
 * Before the allocator is up, memory is claimed from the boot set (firmware RAM less image, modules
 * and low memory) and never given back. page_init then builds frame table and m2p out of it and
 * hands the rest to pure/buddy.c. Domains' frames are kept on one doubly linked list per domain,
 * by frame number, for teardown and audit.
 */
#include "core/page.h"

#include "arch/insn.h"
#include "arch/smp.h"
#include "arch/upcalls.h"
#include "base/atomic.h"
#include "base/lib.h"
#include "core/domain.h"
#include "pure/buddy.h"
#include "pure/port.h"
#include "pure/ptype.h"
#include "pure/ptype_port.h"
#include "pure/slab.h"

#define FT_CHUNK_FRAMES  (2 * MiB / sizeof(struct page)) /* frames per 2 MiB of frame table */
#define M2P_CHUNK_FRAMES (2 * MiB / sizeof(u64))
#define DROP_RUN         64u /* frames, at most, that a teardown frees at a time */
#define FT_CHUNKS_MAX    (BUDDY_FRAMES_MAX / FT_CHUNK_FRAMES + 1)

u64 page_max_mfn;
struct ptype_frames ptype_frames = {.base = page_table_base};

static struct range boot_ranges[160];
static struct range_set boot_free = {.r = boot_ranges, .max = ARRAY_SIZE(boot_ranges)};
static u64 chunk_present[(FT_CHUNKS_MAX + 63) / 64]; /* 8 KiB: 16 TiB of RAM */
static struct lock heap_lock = LOCK_INIT(RANK_HEAP);
static struct buddy buddy;
static struct slab slab;
static bool heap_up;
static u64 total_frames, hv_bytes, frametable_bytes;
static u64 claimed;   /* the sum of the domains' claims; heap lock */
static u64 scrubbing; /* free frames that page_scrub_step has off the heap; heap lock */
bool page_no_scrub;   /* while dom0 is built: nobody's secrets are in RAM yet */

int page_boot_add(u64 start, u64 end)
{
    return range_add(&boot_free, start, end);
}

int page_boot_reserve(u64 start, u64 end)
{
    return range_remove(&boot_free, ROUND_DOWN(start, PAGE_SIZE), ROUND_UP(end, PAGE_SIZE));
}

maddr_t page_boot_claim(u64 size, u64 align, u64 limit)
{
    u64 start;

    if (range_claim_highest(&boot_free, size, align, 0, limit, &start) != 0)
        return 0;
    hv_bytes += size;
    return start;
}

mfn_t upcall_alloc_table(void)
{
    maddr_t a;

    if (heap_up)
        return page_alloc_hv(0);
    a = page_boot_claim(PAGE_SIZE, PAGE_SIZE, 4 * GiB);
    if (a == 0)
        return MFN_INVALID;
    memset(hmap_direct(a), 0, PAGE_SIZE);
    return maddr_to_mfn(a);
}

/* Backs the frame table for the chunk around a frame; entries start as "not RAM". */
static bool ft_add_chunk(u64 chunk)
{
    struct page *pg = &page_table_base[chunk * FT_CHUNK_FRAMES];
    maddr_t a;
    u64 i;

    if (bit_test(chunk_present, (unsigned int)chunk))
        return true;
    a = page_boot_claim(2 * MiB, 2 * MiB, ~0ul);
    if (a == 0 || !hmap_range((u64)pg, a, 2 * MiB, PTE_P | PTE_RW | PTE_NX))
        return false;
    memset(pg, 0, 2 * MiB);
    for (i = 0; i < FT_CHUNK_FRAMES; i++)
        pg[i].owner = DOMID_IO;
    frametable_bytes += 2 * MiB;
    bit_set_atomic(chunk_present, (unsigned int)chunk);
    return true;
}

/* Chunks without RAM share one of "not RAM" entries: a look-up is a comparison and an add. */
static bool ft_fill_holes(u64 chunks)
{
    static maddr_t shared;
    struct page *pg;
    u64 c, i;

    for (c = 0; c < chunks; c++) {
        if (bit_test(chunk_present, (unsigned int)c))
            continue;
        if (shared == 0) {
            shared = page_boot_claim(2 * MiB, 2 * MiB, ~0ul);
            if (shared == 0)
                return false;
            pg = hmap_direct(shared);
            memset(pg, 0, 2 * MiB);
            for (i = 0; i < FT_CHUNK_FRAMES; i++)
                pg[i].owner = DOMID_IO;
            frametable_bytes += 2 * MiB;
        }
        if (!hmap_range((u64)&page_table_base[c * FT_CHUNK_FRAMES], shared, 2 * MiB,
                        PTE_P | PTE_NX))
            return false;
    }
    return true;
}

static bool m2p_add_chunk(u64 chunk)
{
    u64 va = M2P_RW_BASE + chunk * 2 * MiB;
    maddr_t a = page_boot_claim(2 * MiB, 2 * MiB, ~0ul);

    if (a == 0 || !hmap_range(va, a, 2 * MiB, PTE_P | PTE_RW | PTE_NX) ||
        !hmap_range(M2P_RO_BASE + chunk * 2 * MiB, a, 2 * MiB, PTE_P | PTE_US | PTE_NX))
        return false;
    memset((void *)va, 0xff, 2 * MiB);
    return true;
}

/* The tools map the table's frames, for reading, as the pseudo-domain's that the ABI has for it. */
static void m2p_show_chunk(u64 chunk)
{
    maddr_t a = hmap_virt_to_maddr((const void *)(M2P_RW_BASE + chunk * 2 * MiB));
    u64 m;

    for (m = a >> PAGE_SHIFT; m < (a + 2 * MiB) >> PAGE_SHIFT; m++) {
        struct page *pg = page_of(MFN(m));

        pg->owner = DOMID_XEN;
        pg->type = PTYPE_NONE | 1; /* for ever: it cannot be mapped for writing */
        pg->count = PAGE_SPECIAL | PAGE_ALLOCATED | 1;
    }
}

/* Frame-table entries and m2p for one range of RAM frames. */
static bool ram_add(u64 first, u64 end)
{
    u64 c;

    for (c = first / FT_CHUNK_FRAMES; c <= (end - 1) / FT_CHUNK_FRAMES; c++)
        if (!ft_add_chunk(c))
            return false;
    for (c = first; c < end; c++)
        page_of(MFN(c))->owner = c < PAGE_LOW_END >> PAGE_SHIFT ? DOMID_IO : PAGE_OWNER_NONE;
    total_frames += end - first;
    return true;
}

static void heap_add_all(void)
{
    struct range r = {0, 0};

    while (range_next(&boot_free, r.end, &r)) {
        u64 first = r.start >> PAGE_SHIFT, end = r.end >> PAGE_SHIFT;

        if (end > page_max_mfn)
            end = page_max_mfn;
        if (first < end)
            buddy_add_range(&buddy, first, end - first, true);
    }
}

bool page_init(const struct range_set *ram)
{
    static const struct buddy_table table = {(void *)FRAMETABLE_BASE, sizeof(struct page),
                                             offsetof(struct page, next),
                                             offsetof(struct page, aux)};
    struct range r = {0, 0};
    u64 c, words, size;
    maddr_t bitmap;

    while (range_next(ram, r.end, &r))
        page_max_mfn = r.end >> PAGE_SHIFT;
    for (r.end = 0; range_next(ram, r.end, &r);)
        if ((r.start >> PAGE_SHIFT) < (r.end >> PAGE_SHIFT) &&
            !ram_add(r.start >> PAGE_SHIFT, r.end >> PAGE_SHIFT))
            return false;
    if (!ft_fill_holes((page_max_mfn - 1) / FT_CHUNK_FRAMES + 1))
        return false;
    ptype_frames.end = page_max_mfn;
    for (c = 0; c <= (page_max_mfn - 1) / M2P_CHUNK_FRAMES; c++)
        if (!m2p_add_chunk(c))
            return false;
    for (c = 0; c <= (page_max_mfn - 1) / M2P_CHUNK_FRAMES; c++)
        m2p_show_chunk(c);
    words = buddy_bitmap_words(page_max_mfn);
    size = ROUND_UP(words * 8, PAGE_SIZE);
    bitmap = page_boot_claim(size, PAGE_SIZE, ~0ul);
    if (bitmap == 0)
        return false;
    memset(hmap_direct(bitmap), 0, size);
    buddy_init(&buddy, &table, hmap_direct(bitmap), page_max_mfn);
    heap_add_all();
    heap_up = true;
    return true;
}

/* Heap lock held. */
static void free_run(u64 m, u64 end)
{
    unsigned int order;

    for (; m < end; m += (u64)1 << order) {
        for (order = 0; order < 9 && !(m & ((u64)1 << order)) && m + (2ul << order) <= end;)
            order++;
        buddy_free(&buddy, m, order, true);
    }
}

void page_boot_release(maddr_t start, maddr_t end)
{
    u64 m = ROUND_UP(start, PAGE_SIZE) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;

    if (m < PAGE_LOW_END >> PAGE_SHIFT)
        m = PAGE_LOW_END >> PAGE_SHIFT;
    lock_acquire(&heap_lock);
    free_run(m, last);
    lock_release(&heap_lock);
}

void page_boot_unclaim(maddr_t start, maddr_t end)
{
    hv_bytes -= end - start;
    page_boot_release(start, end);
}

static void scrub(mfn_t mfn, unsigned int order)
{
    memset(port_map(mfn), 0, PAGE_SIZE << order);
}

/* Nothing was found: once more, with what an idle CPU scrubs at this time. Heap lock not held. */
static bool try_again(bool *tried)
{
    if (*tried)
        return false;
    while (READ_ONCE(scrubbing)) {
        smp_serve_mailbox();
        insn_pause();
    }
    return *tried = true;
}

mfn_t page_alloc_raw(unsigned int order, unsigned int addr_bits)
{
    bool dirty, tried = false;
    u64 f;

    do {
        lock_acquire(&heap_lock);
        f = buddy_alloc(&buddy, order, addr_bits, BUDDY_PREFER_HIGH, &dirty);
        lock_release(&heap_lock);
    } while (f == BUDDY_NONE && try_again(&tried));
    if (f == BUDDY_NONE)
        return MFN_INVALID;
    if (dirty)
        scrub(MFN(f), order);
    return MFN(f);
}

mfn_t page_alloc_hv(unsigned int order)
{
    mfn_t m = page_alloc_raw(order, 0);

    if (!mfn_eq(m, MFN_INVALID))
        __atomic_fetch_add(&hv_bytes, PAGE_SIZE << order, __ATOMIC_RELAXED);
    return m;
}

void page_free_hv(mfn_t mfn, unsigned int order)
{
    page_free_raw(mfn, order);
    __atomic_fetch_sub(&hv_bytes, PAGE_SIZE << order, __ATOMIC_RELAXED);
}

static unsigned int order_of(size_t size)
{
    unsigned int order = 0;

    while ((PAGE_SIZE << order) < size)
        order++;
    return order;
}

static void *slab_get_page(void *ctx)
{
    bool dirty;
    u64 f;

    /* Called by slab_alloc under the heap lock. */
    (void)ctx;
    f = buddy_alloc(&buddy, 0, 0, BUDDY_PREFER_HIGH, &dirty);
    if (f == BUDDY_NONE)
        return NULL;
    /* Others change it without the lock. */
    __atomic_fetch_add(&hv_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    return port_map(MFN(f));
}

static void slab_put_page(void *ctx, void *page)
{
    (void)ctx;
    __atomic_fetch_sub(&hv_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    buddy_free(&buddy, maddr_to_mfn(hmap_direct_to_maddr(page)).v, 0, true);
}

size_t page_zsize(size_t size)
{
    return size > SLAB_MAX_SIZE ? PAGE_SIZE << order_of(size) : slab_size(size);
}

void *page_zalloc(size_t size)
{
    bool tried = false;
    void *p;
    mfn_t m;

    if (size > SLAB_MAX_SIZE) {
        m = page_alloc_hv(order_of(size));
        return mfn_eq(m, MFN_INVALID) ? NULL : port_map(m);
    }
    do {
        lock_acquire(&heap_lock);
        if (slab.get_page == NULL)
            slab_init(&slab, slab_get_page, slab_put_page, NULL);
        p = slab_alloc(&slab, size);
        lock_release(&heap_lock);
    } while (p == NULL && try_again(&tried));
    return p;
}

void page_zfree(void *p, size_t size)
{
    int rc;

    if (p == NULL)
        return;
    if (size > SLAB_MAX_SIZE) {
        page_free_hv(maddr_to_mfn(hmap_direct_to_maddr(p)), order_of(size));
        return;
    }
    lock_acquire(&heap_lock);
    rc = slab_free(&slab, p);
    lock_release(&heap_lock);
    BUG_ON(rc != 0);
}

void page_small_count(u64 *objects, u64 *pages)
{
    lock_acquire(&heap_lock);
    slab_count(&slab, objects, pages);
    lock_release(&heap_lock);
}

struct domain *page_owner(const struct page *pg)
{
    return domain_lookup(READ_ONCE(pg->owner));
}

static void list_insert(struct domain *d, struct page *pg)
{
    u32 self = (u32)page_mfn(pg).v;

    pg->prev = PAGE_LINK_END;
    pg->next = d->page_list;
    if (d->page_list != PAGE_LINK_END)
        page_of(MFN(d->page_list))->prev = self;
    d->page_list = self;
}

static void list_remove(struct domain *d, struct page *pg)
{
    if (pg->prev == PAGE_LINK_END)
        d->page_list = pg->next;
    else
        page_of(MFN(pg->prev))->next = pg->next;
    if (pg->next != PAGE_LINK_END)
        page_of(MFN(pg->next))->prev = pg->prev;
}

/* Heap lock held. */
static void adopt(struct domain *d, struct page *pg)
{
    pg->owner = d->id;
    list_insert(d, pg);
    d->pages++;
    /* The owner is in place before the count makes the frame referable. */
    atomic_store_release(&pg->count, PAGE_ALLOCATED | 1);
}

/* Heap lock held. */
static void assign(struct domain *d, mfn_t mfn, u64 nr)
{
    u64 i;

    for (i = 0; i < nr; i++) {
        struct page *pg = page_of(MFN(mfn.v + i));

        pg->type = 0;
        pg->cursor = 0;
        pg->aux = smp_flush_clock();
        adopt(d, pg);
    }
}

void page_assign_domain(struct domain *d, mfn_t mfn, u64 nr)
{
    lock_acquire(&heap_lock);
    assign(d, mfn, nr);
    lock_release(&heap_lock);
}

/* Heap lock held: may d have nr more frames, and are there so many that no other one claims? */
static bool may_have(const struct domain *d, u64 nr)
{
    return d->pages + d->moving + nr <= d->max_pages && !d->no_frames &&
           nr + claimed - d->claim <= page_free_count();
}

/* Heap lock held, a frame of d has gone: true when the caller is to put d's own reference. */
static bool was_last(struct domain *d)
{
    if (!d->last_frame_puts || d->pages + d->shared_pages + d->moving != 0)
        return false;
    d->last_frame_puts = false;
    return true;
}

/* Heap lock held: nr frames, if there are any, become d's if it still gets some. */
static bool arrive(struct domain *d, mfn_t m, unsigned int order)
{
    if (mfn_eq(m, MFN_INVALID))
        return false;
    if (d->no_frames) {
        buddy_free(&buddy, m.v, order, true);
        return false;
    }
    assign(d, m, (u64)1 << order);
    return true;
}

/* Heap lock held: nr frames are no longer on their way. Returns as was_last. */
static bool moved(struct domain *d, u64 nr)
{
    d->moving -= nr;
    return was_last(d);
}

/* Heap lock held: frames off the heap for d, out of its claim first; BUDDY_NONE. */
static u64 take_for(struct domain *d, unsigned int order, unsigned int addr_bits, bool *dirty)
{
    u64 nr = (u64)1 << order, used = MIN(d->claim, nr);
    u64 f = buddy_alloc(&buddy, order, addr_bits, BUDDY_PREFER_HIGH, dirty);

    if (f != BUDDY_NONE) {
        d->moving += nr; /* at once: two CPUs cannot both take the last page */
        d->claim -= used;
        claimed -= used;
    }
    return f;
}

mfn_t page_alloc_domain(struct domain *d, unsigned int order, unsigned int addr_bits)
{
    bool dirty, last, may, tried = false;
    mfn_t m;
    u64 f;

    do {
        lock_acquire(&heap_lock);
        may = may_have(d, (u64)1 << order);
        f = may ? take_for(d, order, addr_bits, &dirty) : BUDDY_NONE;
        lock_release(&heap_lock);
    } while (may && f == BUDDY_NONE && try_again(&tried));
    if (f == BUDDY_NONE)
        return MFN_INVALID;
    if (dirty && !page_no_scrub)
        scrub(MFN(f), order);
    lock_acquire(&heap_lock);
    m = arrive(d, MFN(f), order) ? MFN(f) : MFN_INVALID;
    last = moved(d, (u64)1 << order);
    lock_release(&heap_lock);
    if (last)
        domain_put(d);
    return m;
}

int page_set_claim(struct domain *d, u64 total)
{
    u64 nr;
    int rc = 0;

    lock_acquire(&heap_lock);
    claimed -= d->claim;
    d->claim = 0;
    nr = total - d->pages - d->moving;
    if (total != 0 && (total <= d->pages + d->moving || total > d->max_pages || d->no_frames)) {
        rc = -EINVAL;
    } else if (total != 0 && nr + claimed > page_free_count()) {
        rc = -ENOMEM;
    } else if (total != 0) {
        d->claim = nr;
        claimed += nr;
    }
    lock_release(&heap_lock);
    return rc;
}

u64 page_claimed_count(void)
{
    return claimed;
}

void page_domain_close(struct domain *d)
{
    lock_acquire(&heap_lock);
    d->no_frames = true;
    claimed -= d->claim;
    d->claim = 0;
    lock_release(&heap_lock);
}

bool page_domain_finish(struct domain *d)
{
    bool none;

    lock_acquire(&heap_lock);
    none = d->pages + d->shared_pages + d->moving == 0;
    d->last_frame_puts = !none;
    lock_release(&heap_lock);
    return none;
}

void page_release(struct page *pg)
{
    if (atomic_fetch_and(&pg->count, ~PAGE_ALLOCATED) & PAGE_ALLOCATED)
        ptype_put_page(pg);
}

/* What page_drop_begin said; own CPU only. */
static struct {
    u32 stamp;
    domid_t owner;
    bool on;
} ALIGNED(64) dropping[MAX_CPUS];

void page_drop_begin(domid_t owner)
{
    u32 cpu = cpu_id();

    dropping[cpu].stamp = smp_flush_clock();
    dropping[cpu].owner = owner;
    dropping[cpu].on = true;
}

void page_drop_end(void)
{
    dropping[cpu_id()].on = false;
}

/* The CPUs that may hold translations the owner made. */
static u64 known_to_owner(const struct domain *d)
{
    const struct cpu_mask dirty = {atomic_load(&d->dirty_cpus.bits)};
    u32 cpu = cpu_id();

    if (!dropping[cpu].on || dropping[cpu].owner != d->id)
        return dirty.bits;
    return smp_flush_filter(dirty, dropping[cpu].stamp).bits;
}

/*
 * Who used a frame may know it still: the owner's CPUs, whatever it mapped and dropped without a
 * flush, and the hardware domain's, which may have written to it (the stamp says since when not).
 */
static u64 known_to_hardware(const struct domain *d, u32 stamp)
{
    struct cpu_mask mask = {0};

    if (domain_hardware == NULL || domain_hardware == d)
        return 0;
    mask.bits = atomic_load(&domain_hardware->dirty_cpus.bits);
    return smp_flush_filter(mask, stamp).bits;
}

static void flush_before_free(const struct domain *d, u64 cpus)
{
    struct cpu_mask mask = {cpus};

    if (d != NULL)
        mask.bits |= known_to_owner(d);
    if (mask.bits != 0)
        smp_flush_tlb(mask, FLUSH_ALL_VA);
}

void page_free_domain(struct page *pg)
{
    struct domain *d = page_owner(pg);
    bool special = pg->count & PAGE_SPECIAL, last = false;
    mfn_t m = page_mfn(pg);

    /* A special frame's type is never dropped, so its stamp is as old as the frame. */
    flush_before_free(d, known_to_hardware(d, special ? smp_flush_clock() : pg->aux));
    page_m2p_set(m, M2P_INVALID);
    lock_acquire(&heap_lock);
    if (d != NULL && special) {
        d->shared_pages--;
    } else if (d != NULL) {
        list_remove(d, pg);
        d->pages--;
    }
    last = d != NULL && was_last(d);
    pg->owner = PAGE_OWNER_NONE;
    pg->count = 0;
    pg->type = 0;
    if (special)
        __atomic_fetch_sub(&hv_bytes, PAGE_SIZE, __ATOMIC_RELAXED);
    buddy_free(&buddy, m.v, 0, true);
    lock_release(&heap_lock);
    if (last)
        domain_put(d);
}

u32 page_list_next(const struct domain *d, const struct page *pg, u64 bits, u32 max)
{
    u32 at;

    lock_acquire(&heap_lock);
    at = pg != NULL ? pg->next : d->page_list;
    while (bits && at != PAGE_LINK_END && --max && !(READ_ONCE(page_of(MFN(at))->type) & bits))
        at = page_of(MFN(at))->next;
    lock_release(&heap_lock);
    return at;
}

/* Heap lock held: the unused frames behind pg leave d's list, nr of them; who may know them. */
static u32 detach_unused(struct domain *d, struct page *pg, u64 *cpus)
{
    u32 at = pg->next, nr = 0, stamp = 0;

    while (at != PAGE_LINK_END && nr < DROP_RUN && (nr == 0 || (at + 1) % DROP_RUN != 0)) {
        struct page *next = page_of(MFN(at));
        u64 unused = PAGE_ALLOCATED | 1;

        if (!atomic_cmpxchg(&next->count, &unused, (u64)0))
            break;
        if (nr++ == 0 || next->aux != stamp) {
            stamp = next->aux;
            *cpus |= known_to_hardware(d, stamp);
        }
        next->owner = PAGE_OWNER_NONE;
        next->type = 0;
        page_m2p_set(MFN(at), M2P_INVALID);
        at = next->next;
    }
    pg->next = at;
    if (at != PAGE_LINK_END)
        page_of(MFN(at))->prev = (u32)page_mfn(pg).v;
    d->pages -= nr;
    d->moving += nr;
    return nr;
}

/* Heap lock held: nr frames, linked from `at` on, are free. Neighbours follow up or down. */
static void free_chain(u32 at, u32 nr)
{
    u64 first = at, end = at;

    for (; nr; nr--) {
        if (at == end) {
            end++;
        } else if (at + 1ul == first) {
            first--;
        } else {
            free_run(first, end);
            first = at;
            end = at + 1ul;
        }
        at = page_of(MFN(at))->next;
    }
    free_run(first, end);
}

u32 page_drop_unused(struct domain *d, struct page *pg)
{
    u64 cpus = 0;
    u32 at, nr;
    bool last;

    lock_acquire(&heap_lock);
    at = pg->next;
    nr = detach_unused(d, pg, &cpus);
    lock_release(&heap_lock);
    if (nr == 0)
        return 0;
    flush_before_free(d, cpus);
    lock_acquire(&heap_lock);
    free_chain(at, nr);
    last = moved(d, nr);
    lock_release(&heap_lock);
    if (last)
        domain_put(d);
    return nr;
}

bool page_steal(struct domain *d, mfn_t mfn)
{
    u64 unused = PAGE_ALLOCATED | 2;
    struct page *pg;

    if (!page_valid(mfn))
        return false;
    pg = page_of(mfn);
    /* With a reference of ours the owner cannot change; that and the allocation's are all. */
    if (!ptype_get_page(pg, d->id))
        return false;
    if (!atomic_cmpxchg(&pg->count, &unused, (u64)0)) {
        ptype_put_page(pg);
        return false;
    }
    lock_acquire(&heap_lock);
    list_remove(d, pg);
    d->pages--;
    d->moving++;
    pg->owner = PAGE_OWNER_NONE;
    lock_release(&heap_lock);
    return true;
}

void page_unsteal(struct domain *d, mfn_t mfn)
{
    struct page *pg = page_of(mfn);
    bool stays;

    lock_acquire(&heap_lock);
    stays = !d->no_frames;
    if (stays) {
        adopt(d, pg);
        d->moving--;
    }
    lock_release(&heap_lock);
    if (stays)
        return;
    flush_before_free(d, known_to_hardware(d, pg->aux));
    page_m2p_set(mfn, M2P_INVALID);
    pg->type = 0;
    page_free_raw(mfn, 0);
    page_stolen_gone(d, 1);
}

void page_stolen_gone(struct domain *d, u64 nr)
{
    bool last;

    lock_acquire(&heap_lock);
    last = moved(d, nr);
    lock_release(&heap_lock);
    if (last)
        domain_put(d);
}

bool page_stolen_replace(struct domain *d, mfn_t mfn, unsigned int order)
{
    bool last, there;

    lock_acquire(&heap_lock);
    there = arrive(d, mfn, order);
    last = moved(d, (u64)1 << order);
    lock_release(&heap_lock);
    if (last)
        domain_put(d);
    return there;
}

void page_free_raw(mfn_t mfn, unsigned int order)
{
    lock_acquire(&heap_lock);
    buddy_free(&buddy, mfn.v, order, true);
    lock_release(&heap_lock);
}

void page_share_with(struct domain *d, mfn_t mfn, bool writable)
{
    struct page *pg = page_of(mfn);

    pg->owner = d->id;
    pg->aux = smp_flush_clock();
    lock_acquire(&heap_lock);
    d->shared_pages++;
    lock_release(&heap_lock);
    /* The permanent type reference keeps it from ever becoming a table. */
    pg->type = writable ? (PTYPE_WRITABLE | PTYPE_VALIDATED | 1) : (PTYPE_NONE | 1);
    atomic_store_release(&pg->count, PAGE_SPECIAL | PAGE_ALLOCATED | 1);
}

bool page_scrub_step(void)
{
    static u32 busy; /* one idle CPU at a time: the others would only wait for the lock */
    unsigned int order;
    u32 none = 0;
    u64 f;

    if (READ_ONCE(busy) || !atomic_cmpxchg(&busy, &none, 1u))
        return false;
    f = BUDDY_NONE;
    if (lock_try(&heap_lock)) {
        f = buddy_take_dirty(&buddy, 6, &order);
        if (f != BUDDY_NONE)
            scrubbing = (u64)1 << order;
        lock_release(&heap_lock);
    }
    if (f != BUDDY_NONE) {
        scrub(MFN(f), order);
        lock_acquire(&heap_lock);
        buddy_free(&buddy, f, order, false);
        scrubbing = 0;
        lock_release(&heap_lock);
    }
    atomic_store_release(&busy, 0u);
    return f != BUDDY_NONE;
}

u64 page_free_count(void)
{
    return buddy_free_count(&buddy) + scrubbing;
}

u64 page_total_count(void)
{
    return total_frames;
}

u64 page_dirty_count(void)
{
    return buddy_dirty_count(&buddy);
}

u64 page_hv_bytes(void)
{
    return hv_bytes;
}

u64 page_frametable_bytes(void)
{
    return frametable_bytes;
}
