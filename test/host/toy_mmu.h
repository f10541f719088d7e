/* SPDX-License-Identifier: MIT */
/*
 * A toy machine for pure/ptype.c and pure/pvpt*.c: 64 frames, three domains, three CPUs of which
 * number c runs domain c. It plays the ports, knows what each CPU may have cached, and checks after
 * each operation, with loops and arrays only, that
 *
 *   - every count is what the tables and the known holders make it (a recount of its own, beside
 *     pvpt_audit),
 *   - no frame is both writable to a guest, by entry or by what a TLB may still hold, and in use as
 *     a page table or descriptor table,
 *   - no CPU walks through a frame that a guest may write.
 *
 * Included by one test program; everything is static.
 */
#ifndef HOST_TOY_MMU_H
#define HOST_TOY_MMU_H

#include "host/host.h"
#include "pure/pvpt_audit.h"

#define TOY_FRAMES      64
#define TOY_DOMS        3
#define TOY_END0        21 /* domain 0: frames 1 to 20 */
#define TOY_END1        41
#define TOY_END2        56
#define TOY_SPECIAL_RW  56 /* domain 1's, hypervisor memory */
#define TOY_SPECIAL_RO  57
#define TOY_IO_FIRST    58 /* 58, 59: in the frame table as DOMID_IO; 60 to 63: not RAM */
#define TOY_RAM_END     60
#define TOY_IO_END      64
#define TOY_IO_READONLY 62
#define TOY_HV_ENTRY    0x000f000000000001ul

/* What CPU c may have cached: frames by use. */
struct toy_cpu {
    u64 writable; /* mapped with the right to write */
    u64 table[4]; /* [level]: as a table of that level, 1 to 3 */
    u32 flushed;  /* clock of the last flush */
    u32 flushes;
};

static struct toy {
    struct page page[TOY_FRAMES];
    u64 mem[TOY_FRAMES][PVPT_ENTRIES] ALIGNED(4096);
    struct toy_cpu cpu[TOY_DOMS];
    u32 clock;
    u64 cr3[TOY_DOMS][2];                 /* frame; 0: none */
    u32 seg[TOY_FRAMES], ext[TOY_FRAMES]; /* SEG and WRITABLE references held by the test */
    struct page *leftover[TOY_DOMS];
    struct range io_range[2][4];
    struct range_set io[2]; /* rights: domain 0 all, domain 1 one frame, domain 2 none */
    u32 flushes;
} toy;

/* Ports. */

struct ptype_frames ptype_frames = {toy.page, TOY_RAM_END};

mfn_t ptype_port_mfn(const struct page *pg)
{
    return MFN((u64)(pg - toy.page));
}

u32 ptype_port_clock(void)
{
    return toy.clock;
}

static void toy_flush(unsigned int c)
{
    toy.cpu[c].writable = 0;
    memset(toy.cpu[c].table, 0, sizeof(toy.cpu[c].table));
    toy.cpu[c].flushed = ++toy.clock;
    toy.cpu[c].flushes++;
    toy.flushes++;
}

void ptype_port_flush(const struct page *pg, u32 stamp)
{
    unsigned int c;

    for (c = 0; c < TOY_DOMS; c++)
        if ((c == 0 || c == pg->owner) && toy.cpu[c].flushed <= stamp)
            toy_flush(c);
}

bool ptype_port_io_readonly(u64 mfn)
{
    return mfn == TOY_IO_READONLY;
}

static struct {
    bool on;
    u16 owner;
    u32 stamp;
} toy_dropping;

void ptype_port_drop_begin(const struct page *table)
{
    CHECK(!toy_dropping.on);
    toy_dropping.on = true;
    toy_dropping.owner = table->owner;
    toy_dropping.stamp = toy.clock;
}

void ptype_port_drop_end(void)
{
    CHECK(toy_dropping.on);
    toy_dropping.on = false;
}

/*
 * The allocator's part: nobody remembers a free frame. The CPU of a domain that drops a table need
 * not be flushed twice for it.
 */
void ptype_port_release(struct page *pg)
{
    u64 bit = (u64)1 << (pg - toy.page);
    unsigned int c, i;

    CHECK_EQ(pg->count & PAGE_COUNT_MASK, 0);
    CHECK_EQ(pg->type & PTYPE_COUNT_MASK, 0);
    for (c = 0; c < TOY_DOMS; c++) {
        if (!toy_dropping.on || toy_dropping.owner != pg->owner || c != pg->owner ||
            toy.cpu[c].flushed <= toy_dropping.stamp)
            toy_flush(c);
        CHECK(!(toy.cpu[c].writable & bit));
        for (i = 0; i < 4; i++)
            CHECK(!(toy.cpu[c].table[i] & bit));
    }
    pg->count = 0;
    pg->type = 0;
    pg->owner = PAGE_OWNER_NONE;
}

void ptype_port_hv_slots(const struct page *l4, u64 *slots)
{
    unsigned int i;

    CHECK(l4->owner < TOY_DOMS);
    for (i = 0; i < 16; i++)
        slots[i] = TOY_HV_ENTRY;
}

/* Set-up. */

static void toy_give(u64 mfn, u16 owner)
{
    toy.page[mfn].owner = owner;
    toy.page[mfn].type = 0;
    toy.page[mfn].count = PAGE_ALLOCATED | 1;
    toy.page[mfn].aux = 0;
    memset(toy.mem[mfn], 0, PAGE_SIZE);
}

static u16 toy_home(u64 mfn)
{
    return mfn < TOY_END0 ? 0 : mfn < TOY_END1 ? 1 : 2;
}

static void toy_init(void)
{
    u64 i;
    int rc;

    memset(&toy, 0, sizeof(toy));
    host_ram_add(toy.mem, 0, TOY_FRAMES);
    for (i = 0; i < TOY_FRAMES; i++)
        toy.page[i].owner = i && i < TOY_END2 ? PAGE_OWNER_NONE : PVPT_DOMID_IO;
    for (i = 1; i < TOY_END2; i++)
        toy_give(i, toy_home(i));
    for (i = TOY_SPECIAL_RW; i <= TOY_SPECIAL_RO; i++) {
        toy_give(i, 1);
        toy.page[i].count |= PAGE_SPECIAL;
        toy.page[i].type = i == TOY_SPECIAL_RW ? PTYPE_WRITABLE | PTYPE_VALIDATED | 1 : 1;
    }
    for (i = 0; i < 2; i++)
        range_init(&toy.io[i], toy.io_range[i], 4);
    rc = range_add(&toy.io[0], TOY_IO_FIRST, TOY_IO_END);
    CHECK_EQ(rc, 0);
    rc = range_add(&toy.io[1], 59, 60);
    CHECK_EQ(rc, 0);
}

static struct pvpt_view toy_view(u16 dom, u16 frames)
{
    return (struct pvpt_view){
        .owner = dom,
        .frames = frames,
        .cache_bits = dom == 0,
        .iomem = dom < 2 ? &toy.io[dom] : NULL,
        .frames_iomem = frames < 2 && frames != dom ? &toy.io[frames] : NULL,
        .io_end = TOY_IO_END,
    };
}

static bool toy_is_hv(unsigned int level, unsigned int i)
{
    return level == 4 && i >= PVPT_HV_FIRST && i <= PVPT_HV_LAST;
}

static u64 toy_mfn(u64 e)
{
    return (e & PVPT_ADDR) >> PAGE_SHIFT;
}

static unsigned int toy_type(u64 mfn)
{
    return toy.page[mfn].type & PTYPE_COUNT_MASK
               ? (unsigned int)((toy.page[mfn].type & PTYPE_MASK) >> PTYPE_LEVEL_SHIFT)
               : 0;
}

/* What the hardware may do at any time: walk everything in reach, and remember it. */
static void toy_walk(unsigned int c)
{
    struct toy_cpu *cpu = &toy.cpu[c];
    unsigned int level, half, f, i;
    u64 in = 0, out;

    for (half = 0; half < 2; half++)
        if (toy.cr3[c][half])
            in |= 1ul << toy.cr3[c][half];
    for (level = 4; level >= 1; level--) {
        out = 0;
        for (f = 1; f < TOY_RAM_END; f++)
            for (i = 0; (in >> f) & 1 && i < PVPT_ENTRIES; i++) {
                u64 e = toy.mem[f][i];

                if ((e & PVPT_P) && !toy_is_hv(level, i) && toy_mfn(e) < TOY_RAM_END &&
                    (level > 1 || (e & PVPT_RW)))
                    out |= 1ul << toy_mfn(e);
            }
        if (level > 1)
            in = cpu->table[level - 1] |= out;
        else
            cpu->writable |= out;
    }
}

static void toy_check_tlb(void)
{
    unsigned int c, f;

    for (c = 0; c < TOY_DOMS; c++) {
        const struct toy_cpu *cpu = &toy.cpu[c];

        toy_walk(c);
        for (f = 1; f < TOY_SPECIAL_RW; f++) {
            unsigned int type = toy_type(f);
            u64 bit = 1ul << f;

            if (type >= 1 && type <= 5 && (cpu->writable & bit))
                FAIL("cpu %u may write frame %u, a %s", c, f, ptype_name(toy.page[f].type));
            if (type == 7 && ((cpu->table[1] | cpu->table[2] | cpu->table[3]) & bit))
                FAIL("cpu %u walks through frame %u, which is writable", c, f);
        }
    }
}

/* The recount: references by kind, from entries and holders. */
static void toy_recount(u32 refs[TOY_FRAMES], u32 uses[TOY_FRAMES][8])
{
    unsigned int f, i, level, n;

    for (f = 1; f < TOY_IO_FIRST; f++) {
        const struct page *pg = &toy.page[f];

        refs[f] += (pg->count & PAGE_ALLOCATED ? 1 : 0) + toy.seg[f] + toy.ext[f];
        uses[f][5] += toy.seg[f];
        uses[f][7] += toy.ext[f];
        if (pg->count & PAGE_SPECIAL)
            uses[f][(pg->type & PTYPE_MASK) >> PTYPE_LEVEL_SHIFT]++;
        level = toy_type(f);
        if (level < 1 || level > 4)
            continue;
        n = pg->type & PTYPE_VALIDATED ? PVPT_ENTRIES : pg->cursor & PVPT_CURSOR_MASK;
        if (pg->type & PTYPE_PINNED)
            refs[f]++, uses[f][level]++;
        if ((pg->type & PTYPE_PARTIAL) && !(pg->cursor & PVPT_CURSOR_HELD))
            refs[f]++, uses[f][level]++;
        for (i = 0; i < n; i++) {
            u64 e = toy.mem[f][i], to = toy_mfn(e);

            if (!(e & PVPT_P) || toy_is_hv(level, i) || to >= TOY_IO_FIRST)
                continue;
            refs[to]++;
            if (level > 1)
                uses[to][level - 1]++;
            else if (e & PVPT_RW)
                uses[to][7]++;
        }
    }
    for (i = 0; i < TOY_DOMS; i++) {
        for (n = 0; n < 2; n++)
            if (toy.cr3[i][n])
                refs[toy.cr3[i][n]]++, uses[toy.cr3[i][n]][4]++;
        if (toy.leftover[i]) {
            f = (unsigned int)ptype_port_mfn(toy.leftover[i]).v;
            refs[f]++;
            uses[f][toy_type(f)]++;
        }
    }
}

static void toy_check_counts(void)
{
    static u32 refs[TOY_FRAMES], uses[TOY_FRAMES][8];
    unsigned int f, t, total;

    memset(refs, 0, sizeof(refs));
    memset(uses, 0, sizeof(uses));
    toy_recount(refs, uses);
    for (f = 1; f < TOY_IO_FIRST; f++) {
        const struct page *pg = &toy.page[f];

        for (t = total = 0; t < 8; t++) {
            total += uses[f][t];
            if (uses[f][t] && t != (pg->type & PTYPE_MASK) >> PTYPE_LEVEL_SHIFT)
                FAIL("frame %u is used as type %u and typed %s", f, t, ptype_name(pg->type));
        }
        if (total != (pg->type & PTYPE_COUNT_MASK) || refs[f] != (pg->count & PAGE_COUNT_MASK))
            FAIL("frame %u (%s): %u uses and %u references, words say %llu and %llu", f,
                 ptype_name(pg->type), total, refs[f],
                 (unsigned long long)(pg->type & PTYPE_COUNT_MASK),
                 (unsigned long long)(pg->count & PAGE_COUNT_MASK));
    }
}

/* The production audit must see the same. */
static void toy_check_audit(void)
{
    static u32 refs[TOY_FRAMES], types[TOY_FRAMES];
    struct pvpt_audit a = {TOY_FRAMES, refs, types};
    const char *bad;
    unsigned int f, i;

    memset(refs, 0, sizeof(refs));
    memset(types, 0, sizeof(types));
    for (f = 1; f < TOY_IO_FIRST; f++) {
        bad = pvpt_audit_frame(&a, &toy.page[f]);
        if (bad)
            FAIL("frame %u: %s", f, bad);
        pvpt_audit_add(&a, f, toy.seg[f] + toy.ext[f], toy.seg[f] + toy.ext[f]);
    }
    for (i = 0; i < TOY_DOMS; i++) {
        for (f = 0; f < 2; f++)
            if (toy.cr3[i][f])
                pvpt_audit_add(&a, toy.cr3[i][f], 1, 1);
        if (toy.leftover[i])
            pvpt_audit_add(&a, ptype_port_mfn(toy.leftover[i]).v, 1, 1);
    }
    for (f = 1; f < TOY_IO_FIRST; f++) {
        bad = pvpt_audit_check(&a, &toy.page[f]);
        if (bad)
            FAIL("frame %u: %s", f, bad);
    }
}

static void toy_check(void)
{
    toy_check_counts();
    toy_check_audit();
    toy_check_tlb();
}

/* Guest actions, as pv/ calls the pure code. */

static int toy_drain(u16 dom, int *budget)
{
    return pvpt_leftover_step(&toy.leftover[dom], budget);
}

/* mmu_update of slot i of frame t: -ERESTART: again. */
static int toy_update(u16 dom, u16 frames, u64 t, unsigned int i, u64 val, unsigned int flags,
                      int *budget)
{
    struct pvpt_view w = toy_view(dom, frames);
    struct page *pg = ptype_port_page(t);
    unsigned int level;
    int rc;

    if (!pg || pg->owner != dom)
        return -EINVAL;
    level = ptype_level(pg->type);
    if ((pg->type & PTYPE_VALIDATED) && level == 1)
        return pvpt_l1_update(&w, &toy.mem[t][i], val, flags);
    rc = toy_drain(dom, budget);
    if (rc)
        return rc;
    if (!level || !(pg->type & PTYPE_COUNT_MASK)) {
        if (!ptype_get_page(pg, dom))
            return -EINVAL;
        rc = ptype_get_type(pg, PTYPE_WRITABLE);
        if (!rc) {
            toy.mem[t][i] = val;
            ptype_put_type(pg);
        }
        ptype_put_page(pg);
        return rc;
    }
    if (!(pg->type & PTYPE_VALIDATED))
        return -EBUSY;
    return pvpt_upper_update(&w, &toy.leftover[dom], level, toy.mem[t], i, val, flags, budget);
}

static int toy_pin(u16 dom, u64 mfn, unsigned int level, int *budget)
{
    struct pvpt_view w = toy_view(dom, dom);
    int rc = toy_drain(dom, budget);

    return rc ? rc : pvpt_pin(&w, mfn, level, budget);
}

static int toy_unpin(u16 dom, u64 mfn, int *budget)
{
    struct pvpt_view w = toy_view(dom, dom);
    int rc = toy_drain(dom, budget);

    return rc ? rc : pvpt_unpin(&w, mfn, &toy.leftover[dom], budget);
}

static int toy_cr3(u16 dom, unsigned int half, u64 mfn, int *budget)
{
    struct pvpt_view w = toy_view(dom, dom);
    u64 old = toy.cr3[dom][half];
    int rc = toy_drain(dom, budget);

    if (rc || mfn == old)
        return rc;
    rc = mfn ? pvpt_table_get(&w, mfn, 4, budget) : 0;
    if (rc)
        return rc;
    toy.cr3[dom][half] = mfn;
    toy_flush(dom); /* loading CR3 does */
    if (old)
        pvpt_table_put(&toy.page[old], &toy.leftover[dom], budget);
    return 0;
}

/* The test as a holder of WRITABLE or SEG references. */
static int toy_hold(u16 dom, u64 mfn, u64 type)
{
    struct page *pg = ptype_port_page(mfn);
    int rc;

    if (!pg || !ptype_get_page(pg, dom))
        return -EINVAL;
    rc = ptype_get_type(pg, type);
    if (rc == 1) {
        ptype_set_checked(pg);
        rc = 0;
    }
    if (rc)
        ptype_put_page(pg);
    else
        (type == PTYPE_SEG ? toy.seg : toy.ext)[mfn]++;
    return rc;
}

static void toy_unhold(u64 mfn, u64 type)
{
    u32 *n = &(type == PTYPE_SEG ? toy.seg : toy.ext)[mfn];

    if (!*n)
        return;
    --*n;
    ptype_put_type(&toy.page[mfn]);
    ptype_put_page(&toy.page[mfn]);
}

/* The domain gives a frame back; it is free when its last user goes. */
static void toy_release(u64 mfn)
{
    if (mfn >= TOY_END2 || !(toy.page[mfn].count & PAGE_ALLOCATED))
        return;
    toy.page[mfn].count &= ~PAGE_ALLOCATED;
    ptype_put_page(&toy.page[mfn]);
}

/* The end of everything: all frames must come back. */
static void toy_teardown(int per_step)
{
    unsigned int f, half;
    int budget;
    u16 d;

    for (d = 0; d < TOY_DOMS; d++)
        for (half = 0; half < 2; half++)
            do
                budget = per_step;
            while (toy_cr3(d, half, 0, &budget));
    for (f = 1; f < TOY_IO_FIRST; f++) {
        while (toy.seg[f])
            toy_unhold(f, PTYPE_SEG);
        while (toy.ext[f])
            toy_unhold(f, PTYPE_WRITABLE);
        d = toy.page[f].owner;
        if (d >= TOY_DOMS)
            continue;
        while (toy.page[f].type & PTYPE_PINNED) {
            budget = per_step;
            (void)!toy_unpin(d, f, &budget);
        }
        do
            budget = per_step;
        while (toy_drain(d, &budget));
        do
            budget = per_step;
        while (pvpt_step_abandon(&toy.page[f], &budget));
        toy_check_counts();
    }
    for (f = 1; f < TOY_END2; f++)
        toy_release(f);
    for (f = 1; f < TOY_END2; f++)
        if (toy.page[f].owner != PAGE_OWNER_NONE)
            FAIL("frame %u is not free at the end: count %llx type %llx", f,
                 (unsigned long long)toy.page[f].count, (unsigned long long)toy.page[f].type);
}

#endif
