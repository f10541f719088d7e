/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own page tables. One template L4; what hangs below its slots 256 to 271 is
 * shared by every L4 in the machine, so a mapping added here is seen at once everywhere.
 *
 * Entries are set once and never changed, hmap_window's excepted, so no flush is owed. All are
 * global: a guest's CR3 loads leave them in the TLB.
 */
#include "arch/hmap.h"

#include "arch/cpu.h"
#include "arch/insn.h"
#include "arch/upcalls.h"

extern u8 image_start[], image_text_end[], image_rodata_end[], image_end[];

#define WINDOW_SIZE (MiB + 2 * PAGE_SIZE)

static u64 *template_l4;
static u64 devmap_next = DEVMAP_BASE + WINDOW_SIZE;
static u64 global_bit, nx_bit;

static u64 *table_of(u64 entry)
{
    return hmap_direct(entry & PTE_ADDR);
}

static u32 index_at(u64 va, u32 level)
{
    return (u32)(va >> (12 + 9 * (level - 1))) & 511;
}

/* The table below *slot, made when absent. Intermediate entries allow everything. */
static u64 *table_below(u64 *slot)
{
    mfn_t m;

    if (*slot & PTE_P)
        return table_of(*slot);
    m = upcall_alloc_table();
    if (mfn_eq(m, MFN_INVALID))
        return NULL;
    /* US here only matters where the leaf has it too (the guests' m2p). */
    *slot = mfn_to_maddr(m) | PTE_P | PTE_RW | PTE_US | PTE_A;
    return table_of(*slot);
}

/* The largest page size at this point: its level (1 to 3). */
static u32 leaf_level(u64 va, maddr_t maddr, u64 size)
{
    if (cpu_features.page1g && ((va | maddr) & (GiB - 1)) == 0 && size >= GiB)
        return 3;
    if (((va | maddr) & (2 * MiB - 1)) == 0 && size >= 2 * MiB)
        return 2;
    return 1;
}

bool hmap_range(u64 va, maddr_t maddr, u64 size, u64 flags)
{
    while (size > 0) {
        u32 level, leaf = leaf_level(va, maddr, size);
        u64 step = PAGE_SIZE << (9 * (leaf - 1));
        u64 *table = template_l4;

        for (level = 4; level > leaf; level--) {
            table = table_below(&table[index_at(va, level)]);
            if (table == NULL)
                return false;
        }
        /* What guests see is not in all of their tables, so the TLB must not keep it for all. */
        table[index_at(va, leaf)] = maddr | (flags & ~(nx_bit ? 0 : PTE_NX)) | PTE_A | PTE_D |
                                    (flags & PTE_US ? 0 : global_bit) | (leaf > 1 ? PTE_PSE : 0);
        va += step;
        maddr += step;
        size -= MIN(step, size);
    }
    return true;
}

/* The leaf entry of an address and its level; NULL when nothing is mapped. */
static u64 *leaf_of(u64 va, u32 *level_out)
{
    u64 *table = template_l4;
    u32 level;

    for (level = 4;; level--) {
        u64 *e = &table[index_at(va, level)];

        if (!(*e & PTE_P))
            return NULL;
        if (level == 1 || (level < 4 && (*e & PTE_PSE))) {
            *level_out = level;
            return e;
        }
        table = table_of(*e);
    }
}

maddr_t hmap_virt_to_maddr(const void *va)
{
    u32 level;
    u64 *e = leaf_of((u64)va, &level);
    u64 mask;

    BUG_ON(e == NULL);
    mask = (PAGE_SIZE << (9 * (level - 1))) - 1;
    return (*e & PTE_ADDR & ~mask) | ((u64)va & mask);
}

/* Image: text r-x, constants r--, the rest rw-. */
static bool map_image(void)
{
    u64 text = (u64)image_text_end - (u64)image_start;
    u64 ro = (u64)image_rodata_end - (u64)image_text_end;
    u64 rw = (u64)image_end - (u64)image_rodata_end;

    return hmap_range(IMAGE_BASE, IMAGE_PHYS, text, PTE_P) &&
           hmap_range(IMAGE_BASE + text, IMAGE_PHYS + text, ro, PTE_P | PTE_NX) &&
           hmap_range(IMAGE_BASE + text + ro, IMAGE_PHYS + text + ro, rw, PTE_P | PTE_RW | PTE_NX);
}

bool hmap_map_ram(maddr_t start, maddr_t end)
{
    u64 ro_end = IMAGE_PHYS + ((u64)image_rodata_end - (u64)image_start);
    u64 flags = PTE_P | PTE_RW | PTE_NX;
    /* What is in the range of the image's text and constants stays read-only here too. */
    u64 ro = MIN(MAX(start, IMAGE_PHYS), end), rw = MIN(MAX(start, ro_end), end);

    return hmap_range(DIRECTMAP_BASE + start, start, ro - start, flags) &&
           hmap_range(DIRECTMAP_BASE + ro, ro, rw - ro, PTE_P | PTE_NX) &&
           hmap_range(DIRECTMAP_BASE + rw, rw, end - rw, flags);
}

bool hmap_build(void)
{
    mfn_t l4 = upcall_alloc_table();
    u32 slot;

    if (mfn_eq(l4, MFN_INVALID))
        return false;
    template_l4 = hmap_direct(mfn_to_maddr(l4));
    global_bit = cpu_features.pge ? PTE_G : 0;
    nx_bit = cpu_features.nx ? PTE_NX : 0;
    /* Every slot gets its L3 now: the L4 entries are copied, what is below is shared. */
    for (slot = L4_SLOT_HV_FIRST; slot <= L4_SLOT_HV_LAST; slot++)
        if (slot != L4_SLOT_PERDOMAIN && table_below(&template_l4[slot]) == NULL)
            return false;
    return map_image();
}

void hmap_activate(void)
{
    insn_write_cr3(mfn_to_maddr(hmap_template()));
}

/* Does the processor have these addresses? In an entry the bits above them are reserved. */
static bool addressable(maddr_t maddr, u64 size)
{
    u64 end = (u64)1 << cpu_features.phys_bits;

    return size <= end && maddr <= end - size;
}

volatile void *hmap_device(maddr_t maddr, u64 size)
{
    u64 offset = maddr & (PAGE_SIZE - 1);
    u64 va = devmap_next, done;

    size = ROUND_UP(size + offset, PAGE_SIZE);
    if (!addressable(maddr - offset, size) || va + size > DEVMAP_BASE + DEVMAP_SIZE)
        return NULL;
    /* Page by page: a large page here could lie over the table of an earlier device. */
    for (done = 0; done < size; done += PAGE_SIZE)
        if (!hmap_range(va + done, maddr - offset + done, PAGE_SIZE,
                        PTE_P | PTE_RW | PTE_NX | PTE_PCD | PTE_PWT))
            return NULL;
    devmap_next = va + size + PAGE_SIZE; /* a gap page between devices */
    return (volatile u8 *)va + offset;
}

const void *hmap_window(maddr_t maddr, u64 size)
{
    u64 offset = maddr & (PAGE_SIZE - 1), va;

    if (size > MiB || !addressable(maddr, size))
        return NULL;
    size = ROUND_UP(size + offset, PAGE_SIZE);
    for (va = 0; va < size; va += PAGE_SIZE) {
        if (!hmap_range(DEVMAP_BASE + va, maddr - offset + va, PAGE_SIZE, PTE_P | PTE_NX))
            return NULL;
        insn_invlpg(DEVMAP_BASE + va);
    }
    return (const u8 *)DEVMAP_BASE + offset;
}

mfn_t hmap_template(void)
{
    return maddr_to_mfn(hmap_direct_to_maddr(template_l4));
}

const u64 *hmap_template_entries(void)
{
    return template_l4;
}
