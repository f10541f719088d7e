/* SPDX-License-Identifier: MIT */
/*
 * How is a PCI function's configuration space read and written? By the address and data ports every
 * PC has; the pair is one shared resource, so one lock covers each cycle.
 *
 * The address port keeps whatever the last cycle left: a guest's own value lives in its emulation,
 * and firmware (SMM) saves and restores what it finds.
 */
#include "arch/pci.h"

#include "arch/insn.h"
#include "pure/port.h"

#define PORT_ADDR  0xcf8
#define PORT_DATA  0xcfc
#define CF8_ENABLE (1u << 31)
/* Bus, device, function, double word; the reserved bits are sent as zero. */
#define CF8_USED 0x80fffffcu

#define REG_STATUS      0x06
#define STATUS_CAPS     0x10
#define REG_HEADER      0x0e
#define REG_CAP         0x34
#define REG_CAP_CARDBUS 0x14
#define MAX_CAPS        48

static struct lock pci_lock = LOCK_INIT(RANK_PCI);

static u32 all_ones(u32 size)
{
    return size >= 4 ? ~0u : (1u << (8 * size)) - 1;
}

static bool cycle_ok(u32 cf8, u32 offset, u32 size)
{
    return (cf8 & CF8_ENABLE) && (size == 1 || size == 2 || size == 4) && offset + size <= 4;
}

u32 pci_cycle_read(u32 cf8, u32 offset, u32 size)
{
    u16 port = (u16)(PORT_DATA + offset);
    u32 val;

    if (!cycle_ok(cf8, offset, size))
        return all_ones(size);
    lock_acquire(&pci_lock);
    insn_outl(PORT_ADDR, cf8 & CF8_USED);
    val = size == 1 ? insn_inb(port) : size == 2 ? insn_inw(port) : insn_inl(port);
    lock_release(&pci_lock);
    return val;
}

void pci_cycle_write(u32 cf8, u32 offset, u32 size, u32 val)
{
    u16 port = (u16)(PORT_DATA + offset);

    if (!cycle_ok(cf8, offset, size))
        return;
    lock_acquire(&pci_lock);
    insn_outl(PORT_ADDR, cf8 & CF8_USED);
    if (size == 1)
        insn_outb(port, (u8)val);
    else if (size == 2)
        insn_outw(port, (u16)val);
    else
        insn_outl(port, val);
    lock_release(&pci_lock);
}

/* The address register's value for a register; 0 (not enabled) when it cannot be reached. */
static u32 cf8_of(u8 bus, u8 devfn, u16 reg)
{
    if (reg > 0xff)
        return 0;
    return CF8_ENABLE | (u32)bus << 16 | (u32)devfn << 8 | (reg & 0xfcu);
}

u32 pci_read(u8 bus, u8 devfn, u16 reg, u32 size)
{
    return pci_cycle_read(cf8_of(bus, devfn, reg), reg & 3u, size);
}

void pci_write(u8 bus, u8 devfn, u16 reg, u32 size, u32 val)
{
    pci_cycle_write(cf8_of(bus, devfn, reg), reg & 3u, size, val);
}

u8 pci_find_cap(u8 bus, u8 devfn, u8 id)
{
    u32 header = pci_read(bus, devfn, REG_HEADER, 1) & 0x7f, i;
    u8 pos;

    if (pci_read(bus, devfn, 0, 2) == 0xffff ||
        !(pci_read(bus, devfn, REG_STATUS, 2) & STATUS_CAPS))
        return 0;
    pos = (u8)pci_read(bus, devfn, header == 2 ? REG_CAP_CARDBUS : REG_CAP, 1);
    for (i = 0; i < MAX_CAPS && pos >= 0x40; i++) {
        u32 head;

        pos &= 0xfc;
        head = pci_read(bus, devfn, pos, 2);
        if ((head & 0xff) == id)
            return pos;
        pos = (u8)(head >> 8);
    }
    return 0;
}
