/* SPDX-License-Identifier: MIT */
/*
 * How does a guest get its own segment descriptors into the processor's tables?
 *
 * Its frames are typed SEG, which checks their contents once and keeps every guest mapping of them
 * read-only, and are mapped into the vCPU's linear GDT or LDT, read-only and not for ring 3. The
 * descriptors' accessed bits are set by the check, so the processor never writes there. Slots
 * without a frame map a page of zeros: a selector there faults as one beyond the limit does. LDT
 * pages are mapped when the LDT is set, or on first use where that fails. Later changes of single
 * descriptors come by update_descriptor.
 */
#include "pv/pv_desc.h"

#include "arch/insn.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "core/physmap.h"
#include "pure/ptype.h"
#include "pure/segdesc.h"
#include "pv/pv_mmu.h"

#define SLOT_FLAGS      (PTE_P | PTE_A | PTE_NX)
#define CPU_FLAGS       (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)
#define SLOT_CPU        GDT_PAGES_GUEST
#define SLOT_LAST       15
#define SLOT_LDT        16
#define LDT_PAGES       16
#define GDT_LIMIT       (SEL_LDT + 15)
#define GDT_MAX_ENTRIES (GDT_PAGES_GUEST * SEGDESC_PER_PAGE)
#define LDT_MAX_ENTRIES (LDT_PAGES * SEGDESC_PER_PAGE)

static const u64 zero_page[SEGDESC_PER_PAGE] ALIGNED(4096);

static u64 gdt_base(const struct vcpu *v)
{
    return PERDOMAIN_BASE + (u64)v->id * GDT_LDT_VCPU_SIZE;
}

static u64 zero_entry(void)
{
    return hmap_virt_to_maddr(zero_page) | SLOT_FLAGS;
}

/*
 * Changes an entry of the linear tables. Only the CPU that runs v uses the address, and another CPU
 * that runs v later loads CR3 first; so a local flush is enough.
 */
static void set_slot(struct vcpu *v, u32 slot, u64 entry)
{
    u64 *e = &v->pv->perdomain_l1[slot];

    if (*e == entry)
        return;
    WRITE_ONCE(*e, entry);
    insn_invlpg(gdt_base(v) + (u64)slot * PAGE_SIZE);
}

static void fill_empty(struct vcpu *v)
{
    u32 i;

    for (i = 0; i < GDT_PAGES_GUEST; i++)
        set_slot(v, i, zero_entry());
    set_slot(v, SLOT_LAST, zero_entry());
}

/*
 * A SEG reference and the general one below it, on a frame of v's domain; contents checked.
 * False: not possible.
 */
static bool get_frame(const struct vcpu *v, u64 mfn)
{
    struct page *pg = physmap_get_page(v->domain, GFN(mfn), false);
    int rc;

    if (pg == NULL)
        return false;
    rc = ptype_get_type(pg, PTYPE_SEG);
    if (rc == 1) {
        if (segdesc_check_page(port_map(MFN(mfn)))) {
            ptype_set_checked(pg);
            rc = 0;
        } else {
            ptype_put_type(pg);
        }
    }
    if (rc)
        ptype_put_page(pg);
    return rc == 0;
}

static void put_frame(u64 mfn)
{
    struct page *pg = page_of(MFN(mfn));

    ptype_put_type(pg);
    ptype_put_page(pg);
}

static u32 gdt_pages(u32 entries)
{
    return (entries + (u32)SEGDESC_PER_PAGE - 1) / (u32)SEGDESC_PER_PAGE;
}

void pv_desc_destroy_gdt(struct vcpu *v)
{
    struct pv_vcpu *pv = v->pv;
    u32 i, n = gdt_pages(pv->gdt_entries);

    fill_empty(v);
    pv->gdt_entries = 0;
    for (i = 0; i < n; i++)
        put_frame(pv->gdt_frames[i]);
}

int pv_desc_set_gdt(struct vcpu *v, const u64 *frames, u32 entries)
{
    struct pv_vcpu *pv = v->pv;
    u32 i, nframes = gdt_pages(entries);

    if (entries > GDT_MAX_ENTRIES)
        return -EINVAL;
    for (i = 0; i < nframes; i++) {
        if (get_frame(v, frames[i]))
            continue;
        while (i-- > 0)
            put_frame(frames[i]);
        return -EINVAL;
    }
    pv_desc_destroy_gdt(v);
    for (i = 0; i < nframes; i++) {
        pv->gdt_frames[i] = frames[i];
        set_slot(v, i, frames[i] << PAGE_SHIFT | SLOT_FLAGS);
    }
    pv->gdt_entries = entries;
    return 0;
}

static void drop_ldt_pages(struct vcpu *v)
{
    u64 e;
    u32 i;

    for (i = SLOT_LDT; i < SLOT_LDT + LDT_PAGES; i++) {
        e = v->pv->perdomain_l1[i];
        if (!e)
            continue;
        set_slot(v, i, 0);
        put_frame((e & PTE_ADDR) >> PAGE_SHIFT);
    }
}

static void load_ldt(const struct vcpu *v)
{
    const struct pv_vcpu *pv = v->pv;

    cpu_load_ldt(pv->ldt_entries ? gdt_base(v) + LDT_OFFSET : 0, pv->ldt_entries);
}

bool pv_desc_ldt_fault(struct vcpu *v, u64 offset)
{
    struct pv_vcpu *pv = v->pv;
    u32 slot = SLOT_LDT + (u32)(offset >> PAGE_SHIFT);
    const u64 *l1;
    u64 e, mfn;

    if (offset >= pv->ldt_entries * 8ul || pv->perdomain_l1[slot])
        return false;
    lock_acquire(&v->domain->pv->mmu_lock);
    l1 = pv_mmu_find_l1(pv->cr3_kernel, pv->ldt_base + (offset & PAGE_MASK), NULL);
    e = l1 ? READ_ONCE(*l1) : 0;
    lock_release(&v->domain->pv->mmu_lock);
    mfn = (e & PTE_ADDR) >> PAGE_SHIFT;
    if (!(e & PTE_P) || !get_frame(v, mfn))
        return false;
    set_slot(v, slot, mfn << PAGE_SHIFT | SLOT_FLAGS);
    return true;
}

int pv_desc_set_ldt(struct vcpu *v, u64 base, u64 entries)
{
    struct pv_vcpu *pv = v->pv;
    u64 offset;

    if (entries > LDT_MAX_ENTRIES || base & ~PAGE_MASK || !va_canonical(base) ||
        (entries && pv_range_is_hv(base, entries * 8)))
        return -EINVAL;
    if (!pv->ldt_entries && !entries)
        return 0;
    /* The processor forgets the old table before its pages go. */
    pv->ldt_entries = 0;
    if (v == vcpu_current())
        load_ldt(v);
    drop_ldt_pages(v);
    pv->ldt_base = base;
    pv->ldt_entries = (u32)entries;
    if (v != vcpu_current())
        return 0;
    /*
     * What is mapped now cannot fault later inside the hypervisor, where a selector is loaded on
     * the guest's behalf. Pages that do not qualify yet are tried again when they are used.
     */
    for (offset = 0; offset < entries * 8; offset += PAGE_SIZE)
        (void)pv_desc_ldt_fault(v, offset);
    load_ldt(v);
    return 0;
}

void pv_desc_unload(void)
{
    u64 page = (u64)hmap_direct(cpu_gdt_page(cpu_id()));

    insn_lgdt(page - GDT_RESERVED_BYTES, GDT_LIMIT);
}

void pv_desc_load(struct vcpu *v)
{
    if (unlikely(!v->pv->perdomain_l1[SLOT_LAST]))
        fill_empty(v);
    set_slot(v, SLOT_CPU, cpu_gdt_page(cpu_id()) | CPU_FLAGS);
    insn_lgdt(gdt_base(v), GDT_LIMIT);
    load_ldt(v);
}

long pv_set_gdt(u64 frames, u64 entries, u64 a3, u64 a4, u64 a5, u64 a6)
{
    u64 mfn[GDT_PAGES_GUEST];
    u32 n;

    (void)a3, (void)a4, (void)a5, (void)a6;
    entries = (u32)entries; /* a 32-bit value by the ABI */
    if (entries > GDT_MAX_ENTRIES)
        return hypercall_refuse(-EINVAL, "set_gdt: %lu entries, at most %lu",
                                (unsigned long)entries, (unsigned long)GDT_MAX_ENTRIES);
    n = gdt_pages((u32)entries);
    if (!guestmem_copy_in(mfn, (const void *)frames, n * sizeof(mfn[0])))
        return hypercall_refuse(-EFAULT, "set_gdt: frame list at %#lx", (unsigned long)frames);
    if (pv_desc_set_gdt(vcpu_current(), mfn, (u32)entries))
        return hypercall_refuse(-EINVAL,
                                "set_gdt: %u frames from %#lx: one is not the domain's, is "
                                "writable, or holds a forbidden descriptor",
                                n, n ? (unsigned long)mfn[0] : 0);
    return 0;
}

/* One entry of a page the domain owns: descriptor tables after a check, plain memory as it is. */
static int write_descriptor(struct page *pg, u64 maddr, u64 desc)
{
    u64 seen = atomic_load(&pg->type);
    bool seg = (seen & PTYPE_MASK) == PTYPE_SEG && seen & PTYPE_COUNT_MASK;
    int rc = ptype_get_type(pg, seg ? PTYPE_SEG : PTYPE_WRITABLE);

    if (rc < 0)
        return rc;
    /* Fresh SEG: it lost its users meanwhile. Unchecked is fine, nobody can be using it. */
    WRITE_ONCE(*(u64 *)hmap_direct(maddr), desc);
    ptype_put_type(pg);
    return 0;
}

long pv_update_descriptor(u64 maddr, u64 desc, u64 a3, u64 a4, u64 a5, u64 a6)
{
    u64 mfn = maddr >> PAGE_SHIFT, wanted = desc;
    struct page *pg;
    int rc = -EINVAL;

    (void)a3, (void)a4, (void)a5, (void)a6;
    if (maddr & 7 || !page_valid(MFN(mfn)))
        return hypercall_refuse(-EINVAL, "update_descriptor: no slot at %#lx",
                                (unsigned long)maddr);
    if (!segdesc_check(&desc))
        return hypercall_refuse(-EINVAL, "update_descriptor: %#lx is not allowed",
                                (unsigned long)wanted);
    pg = page_of(MFN(mfn));
    if (ptype_get_page(pg, vcpu_current()->domain->id)) {
        rc = write_descriptor(pg, maddr, desc);
        ptype_put_page(pg);
    }
    if (rc)
        return hypercall_refuse(-EINVAL,
                                "update_descriptor: frame %#lx is not the domain's or is "
                                "a page table",
                                (unsigned long)mfn);
    return 0;
}
