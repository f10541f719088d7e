/* SPDX-License-Identifier: MIT */
/*
 * What does a PV kernel find when it starts? Its image, a p2m list, start_info, page tables and a
 * stack in one contiguous virtual area (public header xen.h, "Domain building"), with the tables
 * validated and pinned like any the guest will make itself.
 *
 * Pseudo-physical order: bootstrap area (pfn n at virt_base + n pages), initrd, p2m list with its
 * tables, the rest. Machine frames come from anywhere; the initrd keeps those it was loaded to.
 */
#include "boot/dom0_pv.h"

#include "arch/hmap.h"
#include "base/lib.h"
#include "core/console.h"
#include "core/page.h"
#include "pv/pv.h"
#include "pv/pv_mmu.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define AREA_ALIGN  (4 * MiB)
#define AREA_SLACK  (512 * KiB) /* mapped behind the stack, public header xen.h */

struct build {
    struct domain *d;
    struct dom0_kernel *k;
    const struct boot_module *initrd;
    u64 nr_pages;
    u64 virt_base;
    /* First pfns of the parts, in order. */
    u64 image_end, initrd_mapped, p2m_mapped, start_info, tables, stack, area_end;
    u64 nr_tables;
    u64 initrd_pfn, initrd_frames;
    u64 p2m_pfn, p2m_data, p2m_frames; /* list frames, then its table frames */
    u64 p2m_va;
    mfn_t *early; /* pfn -> mfn of everything up to `early_nr` */
    u64 early_nr;
};

static u64 frames(u64 bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* L1 to L4 frames to map the area. */
static u64 table_frames(u64 base, u64 end)
{
    u64 n = 1; /* L4 */
    u32 level;

    for (level = 1; level <= 3; level++) {
        u32 shift = 12 + 9 * level;

        n += ((end - 1) >> shift) - (base >> shift) + 1;
    }
    return n;
}

static void plan_area(struct build *b)
{
    const struct elf_image *e = &b->k->elf;
    u64 pfn, end, tables = 0;

    b->virt_base = e->virt_base;
    b->image_end = frames(e->high - e->paddr_offset);
    pfn = b->image_end;
    b->initrd_mapped = b->p2m_mapped = 0;
    if (b->initrd != NULL && !elf_has_note(e, XEN_ELFNOTE_MOD_START_PFN)) {
        b->initrd_mapped = pfn;
        pfn += frames(b->initrd->end - b->initrd->start);
    }
    if (!elf_has_note(e, XEN_ELFNOTE_INIT_P2M)) {
        b->p2m_mapped = pfn;
        pfn += frames(b->nr_pages * 8);
    }
    b->start_info = pfn++;
    b->tables = pfn;
    /* Room for the tables moves the end, which moves the number of tables. */
    do {
        b->nr_tables = tables;
        b->stack = b->tables + tables;
        end = b->virt_base + ((b->stack + 1) << PAGE_SHIFT) + AREA_SLACK;
        end = ROUND_UP(end, AREA_ALIGN);
        tables = table_frames(b->virt_base, end);
    } while (tables != b->nr_tables);
    b->area_end = (end - b->virt_base) >> PAGE_SHIFT;
}

static void plan_rest(struct build *b)
{
    const struct elf_image *e = &b->k->elf;
    u64 pfn = b->area_end;

    if (b->initrd != NULL && b->initrd_mapped == 0) {
        b->initrd_pfn = pfn;
        b->initrd_frames = frames(b->initrd->end - b->initrd->start);
        pfn += b->initrd_frames;
    }
    if (b->p2m_mapped == 0) {
        b->p2m_va = e->note[XEN_ELFNOTE_INIT_P2M];
        b->p2m_pfn = pfn;
        b->p2m_data = frames(b->nr_pages * 8);
        b->p2m_frames =
            b->p2m_data + table_frames(b->p2m_va, b->p2m_va + (b->p2m_data << PAGE_SHIFT)) - 1;
        pfn += b->p2m_frames;
    } else {
        b->p2m_va = b->virt_base + (b->p2m_mapped << PAGE_SHIFT);
    }
    b->early_nr = pfn;
    if (pfn > b->nr_pages)
        console_panic("dom0_mem: %lu MiB do not hold kernel, initrd and tables, which take %lu MiB",
                      (unsigned long)(b->nr_pages >> 8), (unsigned long)(pfn >> 8) + 1);
}

static void *pfn_ptr(const struct build *b, u64 pfn)
{
    return port_map(b->early[pfn]);
}

static void out_of_memory(const struct build *b)
{
    console_panic("dom0_mem: only %lu of %lu MiB could be allocated",
                  (unsigned long)(b->d->pages >> 8), (unsigned long)(b->nr_pages >> 8));
}

/* A pfn's entry of the p2m list. */
static u64 *p2m_slot(const struct build *b, u64 pfn)
{
    u64 first = b->p2m_mapped ? b->p2m_mapped : b->p2m_pfn;

    return (u64 *)pfn_ptr(b, first + pfn / 512) + pfn % 512;
}

/* The frames of what the builder fills itself, remembered; the p2m list is among them. */
static void alloc_early(struct build *b)
{
    u64 pfn = 0;

    b->early = page_zalloc(b->early_nr * sizeof(mfn_t));
    if (b->early == NULL)
        out_of_memory(b);
    while (pfn < b->early_nr) {
        unsigned int order = 9, i;
        mfn_t m;

        if (b->initrd_frames && pfn == b->initrd_pfn) {
            m = maddr_to_mfn(b->initrd->start);
            page_assign_domain(b->d, m, b->initrd_frames);
            for (i = 0; i < b->initrd_frames; i++)
                b->early[pfn++] = MFN(m.v + i);
            continue;
        }
        while (order > 0 &&
               ((pfn & ((1ul << order) - 1)) || pfn + (1ul << order) > b->early_nr ||
                (b->initrd_frames && pfn < b->initrd_pfn && pfn + (1ul << order) > b->initrd_pfn)))
            order--;
        m = page_alloc_domain(b->d, order, 0);
        if (mfn_eq(m, MFN_INVALID))
            out_of_memory(b);
        for (i = 0; i < 1u << order; i++)
            b->early[pfn++] = MFN(m.v + i);
    }
}

static void set_p2m(struct build *b, u64 pfn, mfn_t m)
{
    *p2m_slot(b, pfn) = m.v;
    page_m2p_set(m, pfn);
}

/* The other frames, and the p2m list of all. */
static void alloc_rest(struct build *b)
{
    u64 pfn, i;

    for (pfn = 0; pfn < b->early_nr; pfn++)
        set_p2m(b, pfn, b->early[pfn]);
    while (pfn < b->nr_pages) {
        unsigned int order = 10;
        mfn_t m;

        while (order > 0 && ((pfn & ((1ul << order) - 1)) || pfn + (1ul << order) > b->nr_pages))
            order--;
        do
            m = page_alloc_domain(b->d, order, 0);
        while (mfn_eq(m, MFN_INVALID) && order-- > 0);
        if (mfn_eq(m, MFN_INVALID))
            out_of_memory(b);
        for (i = 0; i < 1ul << order; i++)
            set_p2m(b, pfn++, MFN(m.v + i));
    }
}

static u64 *next_table(struct build *b, u64 *pfn, u64 *entry)
{
    u64 *t = pfn_ptr(b, *pfn);

    memset(t, 0, PAGE_SIZE);
    *entry = mfn_to_maddr(b->early[*pfn]) | TABLE_FLAGS;
    (*pfn)++;
    return t;
}

/* Maps one page, taking missing tables from *pool. */
static void map_page(struct build *b, u64 va, u64 entry, u64 *pool)
{
    u64 *t = pfn_ptr(b, b->tables); /* the L4 is the first frame */
    u32 level;

    for (level = 4; level > 1; level--) {
        u64 *slot = &t[(va >> (12 + 9 * (level - 1))) & 511];

        t = *slot ? hmap_direct(*slot & PTE_ADDR) : next_table(b, pool, slot);
    }
    t[(va >> 12) & 511] = entry;
}

static void build_tables(struct build *b)
{
    u64 pfn, pool = b->tables + 1, l4_entry;
    u64 l4 = b->tables;

    next_table(b, &l4, &l4_entry);
    for (pfn = 0; pfn < b->area_end; pfn++) {
        bool is_table = pfn >= b->tables && pfn < b->tables + b->nr_tables;

        map_page(b, b->virt_base + (pfn << PAGE_SHIFT),
                 mfn_to_maddr(b->early[pfn]) | (is_table ? TABLE_FLAGS & ~PTE_RW : TABLE_FLAGS),
                 &pool);
    }
    BUG_ON(pool != b->tables + b->nr_tables);
    pool = b->p2m_pfn + b->p2m_data;
    for (pfn = 0; pfn < b->p2m_data; pfn++)
        map_page(b, b->p2m_va + (pfn << PAGE_SHIFT),
                 mfn_to_maddr(b->early[b->p2m_pfn + pfn]) | TABLE_FLAGS, &pool);
}

static void load_image(struct build *b)
{
    const struct elf_image *e = &b->k->elf;
    u64 pfn;

    for (pfn = 0; pfn < b->area_end; pfn++)
        elf_fill_page(e, pfn << PAGE_SHIFT, pfn_ptr(b, pfn));
    if (b->initrd_mapped != 0)
        for (pfn = 0; pfn < frames(b->initrd->end - b->initrd->start); pfn++)
            memcpy(pfn_ptr(b, b->initrd_mapped + pfn),
                   hmap_direct(b->initrd->start + pfn * PAGE_SIZE), PAGE_SIZE);
}

static void fill_start_info(struct build *b, const char *cmdline)
{
    struct start_info *si = pfn_ptr(b, b->start_info);

    memset(si, 0, PAGE_SIZE);
    str_copy(si->magic, "xen-3.0-x86_64p", sizeof(si->magic));
    si->nr_pages = b->nr_pages;
    si->shared_info = hmap_direct_to_maddr(b->d->shared_info);
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = b->virt_base + (b->tables << PAGE_SHIFT);
    si->nr_pt_frames = b->nr_tables;
    si->mfn_list = b->p2m_va;
    si->first_p2m_pfn = b->p2m_pfn;
    si->nr_p2m_frames = b->p2m_frames;
    if (b->initrd != NULL) {
        si->mod_len = b->initrd->end - b->initrd->start;
        if (b->initrd_mapped != 0) {
            si->mod_start = b->virt_base + (b->initrd_mapped << PAGE_SHIFT);
        } else {
            si->mod_start = b->initrd_pfn;
            si->flags |= SIF_MOD_START_PFN;
        }
    }
    str_copy((char *)si->cmd_line, cmdline, sizeof(si->cmd_line));
}

/* The hypercall page of kernels that ask for one: 32 bytes a number (ABI: public header xen.h). */
static void fill_hypercall_page(struct build *b)
{
    static const u8 call[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,   0, 0, /* push rcx, r11; mov eax */
                              0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};     /* syscall; pops; ret */
    static const u8 iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 23, 0, 0, 0, 0x0f, 0x05};
    const struct elf_image *e = &b->k->elf;
    u64 va;
    u8 *page;
    u32 nr;

    if (!elf_has_note(e, XEN_ELFNOTE_HYPERCALL_PAGE))
        return;
    va = e->note[XEN_ELFNOTE_HYPERCALL_PAGE];
    if ((va & ~PAGE_MASK) || va < b->virt_base || (va - b->virt_base) >> PAGE_SHIFT >= b->image_end)
        console_panic("dom0 kernel: hypercall page %#lx lies outside the image", (unsigned long)va);
    page = pfn_ptr(b, (va - b->virt_base) >> PAGE_SHIFT);
    for (nr = 0; nr < 128; nr++, page += 32) {
        memset(page, 0xcc, 32);
        memcpy(page, call, sizeof(call));
        memcpy(page + 4, &nr, 4);
        if (nr == __HYPERVISOR_iret)
            memcpy(page, iret, sizeof(iret));
    }
}

static void start_vcpu(struct build *b)
{
    struct vcpu *v = b->d->vcpu[0];
    struct cpu_regs *r = &v->regs;
    int rc;

    rc = pv_mmu_pin(b->d, b->early[b->tables], 4);
    if (rc == 0)
        rc = pv_mmu_set_cr3(v, b->early[b->tables]);
    if (rc != 0)
        console_panic("dom0: its initial page tables do not validate (%d)", rc);
    memset(r, 0, sizeof(*r));
    r->rip = b->k->elf.entry;
    r->cs = SEL_GUEST_CS64;
    r->ss = SEL_GUEST_DS;
    r->rsp = b->virt_base + ((b->stack + 1) << PAGE_SHIFT);
    r->rsi = b->virt_base + (b->start_info << PAGE_SHIFT);
    r->rflags = RFLAGS_MBS | RFLAGS_IF;
    v->pv->kernel_mode = 1;
    v->initialised = true;
}

static void create_vcpus(struct domain *d, u32 n)
{
    u32 i;
    int rc;

    for (i = 0; i < n; i++) {
        rc = vcpu_create(d, i);
        if (rc != 0)
            console_panic("dom0: vCPU %u cannot be created (%d)", i, rc);
    }
}

static void plan_memory(struct build *b, const struct dom0_config *cfg)
{
    struct reason why;
    u64 extra = b->initrd ? frames(b->initrd->end - b->initrd->start) : 0;
    u64 avail = (page_free_count() + extra) << PAGE_SHIFT;
    int rc = cmdline_plan_dom0_mem(&cfg->mem, avail, &b->nr_pages, &b->d->max_pages, &why);

    if (rc != 0)
        console_panic("%s", why.text);
}

struct domain *dom0_build(const struct dom0_config *cfg, struct dom0_kernel *k)
{
    struct build b = {.k = k, .initrd = cfg->initrd};
    int rc = domain_create(0, &pv_guest_kind, cfg->max_vcpus, 0, true, &b.d);

    if (rc != 0)
        console_panic("dom0: domain 0 cannot be created (%d)", rc);
    domain_hardware = b.d;
    create_vcpus(b.d, cfg->max_vcpus);
    plan_memory(&b, cfg);
    page_no_scrub = true;
    plan_area(&b);
    plan_rest(&b);
    log_msg(LOG_INFO, "Dom0 kernel: 64-bit, paddr %#lx -> %#lx, entry %#lx",
            (unsigned long)k->elf.low, (unsigned long)k->elf.high, (unsigned long)k->elf.entry);
    /* Above what the machine has, a limit is none. */
    log_msg(LOG_INFO, "Dom0 memory: %lu MiB, max %lu MiB; %u vCPUs",
            (unsigned long)(b.nr_pages >> 8),
            (unsigned long)(MIN(b.d->max_pages, page_total_count()) >> 8), cfg->max_vcpus);
    alloc_early(&b);
    /* Fills every page of the area, so before the p2m list is written there. */
    load_image(&b);
    alloc_rest(&b);
    fill_hypercall_page(&b);
    build_tables(&b);
    fill_start_info(&b, cfg->kernel->args);
    start_vcpu(&b);
    page_zfree(b.early, b.early_nr * sizeof(mfn_t));
    page_no_scrub = false;
    domain_put(b.d); /* it has its own */
    return b.d;
}
