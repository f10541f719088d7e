/* SPDX-License-Identifier: MIT */
/*
 * How does a PCI function send its interrupt as a message? Through its MSI capability, or an entry
 * of its MSI-X table in device memory.
 *
 * The control domain shares the capability with us: it sets and clears enable and function-mask in
 * the control word around its calls. So the word is only ever read, changed by one bit and written
 * back, and what keeps an interrupt going (the entry's own mask bit) lives in the table, which it
 * leaves to us. Multiple-message MSI is left out.
 *
 * Table pages are mapped once and remembered by address: a driver loaded a thousand times uses one
 * mapping.
 */
#include "arch/msi.h"

#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/pci.h"
#include "base/err.h"
#include "pure/port.h"

#define CAP_MSI  0x05
#define CAP_MSIX 0x11

#define REG_COMMAND    0x04
#define COMMAND_MEMORY 0x0002
#define REG_BAR0       0x10
#define BAR_IO         1u
#define BAR_64BIT      4u
#define BAR_TYPE       6u

/* MSI: control word, then address, (address high), data, mask. */
#define CTRL         2
#define MSI_ENABLE   0x0001
#define MSI_MULTIPLE 0x0070
#define MSI_64BIT    0x0080
#define MSI_MASKABLE 0x0100
#define MSI_ADDRESS  4
/* MSI-X. */
#define MSIX_TABLE      4
#define MSIX_SIZE       0x07ff
#define MSIX_MASK_ALL   0x4000
#define MSIX_ENABLE     0x8000
#define SLOT_SIZE       16u
#define SLOT_ADDRESS    0
#define SLOT_ADDRESS_HI 4
#define SLOT_DATA       8
#define SLOT_CTRL       12
#define SLOT_MASKED     1u

#define MESSAGE_BASE 0xfee00000u

#define MAX_TABLE_PAGES 256

static struct {
    maddr_t maddr;
    volatile u8 *va;
} table_pages[MAX_TABLE_PAGES];
static u32 table_page_count;

static volatile u8 *map_table(maddr_t a)
{
    maddr_t page = a & PAGE_MASK;
    u32 i;

    for (i = 0; i < table_page_count; i++)
        if (table_pages[i].maddr == page)
            return table_pages[i].va + (a - page);
    if (i == MAX_TABLE_PAGES)
        return NULL;
    table_pages[i].va = hmap_device(page, PAGE_SIZE);
    if (table_pages[i].va == NULL)
        return NULL;
    table_pages[i].maddr = page;
    table_page_count++;
    return table_pages[i].va + (a - page);
}

static u32 ctrl_read(const struct msi *m)
{
    return pci_read(m->bus, m->devfn, (u16)(m->cap + CTRL), 2);
}

static void ctrl_write(const struct msi *m, u32 val)
{
    pci_write(m->bus, m->devfn, (u16)(m->cap + CTRL), 2, val);
}

/* A memory BAR's address; 0 when it is not one or not set. */
static maddr_t bar_address(const struct msi *m, u32 bar)
{
    u16 reg = (u16)(REG_BAR0 + 4 * bar);
    u32 low;
    maddr_t a;

    if (bar > 5)
        return 0;
    low = pci_read(m->bus, m->devfn, reg, 4);
    if (low & BAR_IO)
        return 0;
    a = low & ~15u;
    if ((low & BAR_TYPE) == BAR_64BIT && bar < 5)
        a |= (u64)pci_read(m->bus, m->devfn, (u16)(reg + 4), 4) << 32;
    return a;
}

static int find_entry(struct msi *m, u32 entry, maddr_t table_base)
{
    u32 table, offset;
    maddr_t bar;

    if (entry > (ctrl_read(m) & MSIX_SIZE))
        return -EINVAL;
    if (!(pci_read(m->bus, m->devfn, REG_COMMAND, 2) & COMMAND_MEMORY))
        return -ENXIO;
    table = pci_read(m->bus, m->devfn, (u16)(m->cap + MSIX_TABLE), 4);
    offset = table & ~7u;
    bar = bar_address(m, table & 7);
    /* A virtual function's BARs are in its parent: then the guest's word is all there is. */
    if (bar == 0)
        bar = table_base;
    /* Kernels tell the BAR's address, some the table's. */
    if (bar == 0 || (table_base != 0 && table_base != bar && table_base != bar + offset)) {
        log_msg(LOG_WARN, "MSI-X of %02x:%02x.%u: table said to be at %#lx, BAR at %#lx", m->bus,
                m->devfn >> 3, m->devfn & 7, table_base, bar);
        return -EINVAL;
    }
    m->slot = map_table(bar + offset + entry * SLOT_SIZE);
    return m->slot != NULL ? 0 : -ENOSPC;
}

int msi_find(struct msi *m, u8 bus, u8 devfn, int entry, maddr_t table_base)
{
    u32 ctrl;

    if (entry > (int)MSIX_SIZE)
        return -EINVAL;
    *m = (struct msi){.bus = bus, .devfn = devfn, .entry = (s16)(entry < 0 ? -1 : entry)};
    m->cap = pci_find_cap(bus, devfn, entry < 0 ? CAP_MSI : CAP_MSIX);
    if (m->cap == 0)
        return -ENODEV;
    if (entry >= 0) {
        m->maskable = true;
        return find_entry(m, (u32)entry, table_base);
    }
    ctrl = ctrl_read(m);
    m->wide = (ctrl & MSI_64BIT) != 0;
    m->maskable = (ctrl & MSI_MASKABLE) != 0;
    return 0;
}

void msi_mask(const struct msi *m, bool masked)
{
    u16 reg;

    if (!m->maskable)
        return;
    if (m->slot != NULL) {
        mmio_write32(m->slot + SLOT_CTRL, masked ? SLOT_MASKED : 0);
        return;
    }
    reg = (u16)(m->cap + (m->wide ? 16 : 12));
    pci_write(m->bus, m->devfn, reg, 4, masked ? 1 : 0);
}

void msi_set(const struct msi *m, u8 vector, u8 apic_id)
{
    u32 address = MESSAGE_BASE | (u32)apic_id << 12;
    u16 reg = (u16)(m->cap + MSI_ADDRESS);

    msi_mask(m, true);
    if (m->slot != NULL) {
        mmio_write32(m->slot + SLOT_ADDRESS, address);
        mmio_write32(m->slot + SLOT_ADDRESS_HI, 0);
        mmio_write32(m->slot + SLOT_DATA, vector);
        return;
    }
    pci_write(m->bus, m->devfn, reg, 4, address);
    if (m->wide)
        pci_write(m->bus, m->devfn, (u16)(reg + 4), 4, 0);
    pci_write(m->bus, m->devfn, (u16)(reg + (m->wide ? 8 : 4)), 2, vector);
}

void msi_enable(const struct msi *m)
{
    u32 ctrl = ctrl_read(m);

    if (m->slot == NULL) {
        ctrl_write(m, (ctrl & ~(u32)MSI_MULTIPLE) | MSI_ENABLE);
        return;
    }
    /* Already on: the control domain is at work and will lift its function mask itself. */
    if (!(ctrl & MSIX_ENABLE))
        ctrl_write(m, (ctrl & ~(u32)MSIX_MASK_ALL) | MSIX_ENABLE);
}

void msi_disable(const struct msi *m)
{
    u32 bit = m->slot != NULL ? MSIX_ENABLE : MSI_ENABLE;
    u32 ctrl = ctrl_read(m);

    /* All ones: the function is gone. */
    if (ctrl != 0xffff && (ctrl & bit))
        ctrl_write(m, ctrl & ~bit);
}
