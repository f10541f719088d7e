/* SPDX-License-Identifier: MIT */
/*
 * How is a device's interrupt line routed? By its pin's redirection entry. The entry's low word is
 * kept here, so masking a pin takes two register writes and no read.
 */
#include "arch/ioapic.h"

#include "arch/hmap.h"
#include "arch/insn.h"
#include "pure/port.h"

#define MAX_UNITS 16
#define MAX_GSI   512

#define OFF_SELECT  0x00
#define OFF_WINDOW  0x10
#define REG_VERSION 1
#define REG_ENTRY   0x10 /* two registers per pin, low first */

#define ENTRY_LOW_ACTIVE (1u << 13)
#define ENTRY_REMOTE_IRR (1u << 14)
#define ENTRY_LEVEL      (1u << 15)
#define ENTRY_MASKED     (1u << 16)

struct unit {
    volatile u8 *regs;
    maddr_t maddr;
    u32 gsi_base, pins;
};

struct pin {
    volatile u8 *regs; /* NULL: no such pin */
    u32 low;           /* the entry's low word as written */
    u32 reg;           /* its register number */
};

static struct unit units[MAX_UNITS];
static u32 unit_count, gsi_count;
static struct pin pins[MAX_GSI];

static u32 reg_read(volatile u8 *regs, u32 reg)
{
    mmio_write32(regs + OFF_SELECT, reg);
    return mmio_read32(regs + OFF_WINDOW);
}

static void reg_write(volatile u8 *regs, u32 reg, u32 val)
{
    mmio_write32(regs + OFF_SELECT, reg);
    mmio_write32(regs + OFF_WINDOW, val);
}

static void write_low(struct pin *p, u32 low)
{
    p->low = low;
    reg_write(p->regs, p->reg, low);
}

bool ioapic_add(maddr_t maddr, u32 gsi_base)
{
    struct unit *u = &units[unit_count];
    u32 version, i;

    if (unit_count == MAX_UNITS)
        return false;
    u->regs = hmap_device(maddr, 0x20);
    version = u->regs != NULL ? reg_read(u->regs, REG_VERSION) : ~0u;
    u->pins = ((version >> 16) & 0xff) + 1;
    if (version == ~0u || gsi_base > MAX_GSI || u->pins > MAX_GSI - gsi_base) {
        log_msg(LOG_WARN, "IO-APIC at %#lx: version %#x, first GSI %u; ignored", maddr, version,
                gsi_base);
        return false;
    }
    u->maddr = maddr;
    u->gsi_base = gsi_base;
    for (i = 0; i < u->pins; i++) {
        struct pin *p = &pins[gsi_base + i];

        *p = (struct pin){.regs = u->regs, .reg = REG_ENTRY + 2 * i};
        write_low(p, ENTRY_MASKED);
        reg_write(p->regs, p->reg + 1, 0);
    }
    unit_count++;
    gsi_count = MAX(gsi_count, gsi_base + u->pins);
    log_msg(LOG_INFO, "IO-APIC at %#lx: version %#x, GSI %u to %u", maddr, version & 0xff, gsi_base,
            gsi_base + u->pins - 1);
    return true;
}

u32 ioapic_gsi_count(void)
{
    return gsi_count;
}

bool ioapic_has_pin(u32 gsi)
{
    return gsi < MAX_GSI && pins[gsi].regs != NULL;
}

void ioapic_set(u32 gsi, u8 vector, u8 apic_id, bool level, bool low)
{
    struct pin *p = &pins[gsi];

    ASSERT(ioapic_has_pin(gsi));
    /* Masked first: no interrupt leaves with half of each meaning. */
    write_low(p, p->low | ENTRY_MASKED);
    reg_write(p->regs, p->reg + 1, (u32)apic_id << 24);
    write_low(p, ENTRY_MASKED | vector | (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_LOW_ACTIVE : 0));
}

void ioapic_mask(u32 gsi)
{
    write_low(&pins[gsi], pins[gsi].low | ENTRY_MASKED);
}

void ioapic_unmask(u32 gsi)
{
    write_low(&pins[gsi], pins[gsi].low & ~ENTRY_MASKED);
}

bool ioapic_in_flight(u32 gsi)
{
    return (reg_read(pins[gsi].regs, pins[gsi].reg) & ENTRY_REMOTE_IRR) != 0;
}

bool ioapic_read(maddr_t maddr, u32 reg, u32 *val)
{
    u32 i;

    for (i = 0; i < unit_count; i++) {
        if (units[i].maddr != maddr)
            continue;
        if (reg > 3 && (reg < REG_ENTRY || reg >= REG_ENTRY + 2 * units[i].pins))
            return false;
        *val = reg_read(units[i].regs, reg);
        return true;
    }
    return false;
}
