/* SPDX-License-Identifier: MIT */
/*
 * What do MADT, FADT and HPET table say? (ACPI Specification 6.5, sections 5.2.9 and 5.2.12.)
 *
 * The MADT is a list of {type, length} records, handled by a table with each type's least length;
 * an unknown type is passed over, a record that overruns the table ends the list. FADT fields exist
 * as far as the table is long, and its 64-bit forms win over the old ones where they are set.
 */
#include "pure/acpi_tables.h"

#include "pure/bytes.h"
#include "pure/port.h"

/* ---- MADT, section 5.2.12 ---- */

#define MADT_LAPIC      36
#define MADT_RECORDS    44
#define MADT_CPU_USABLE (1u << 0) /* local APIC flags: enabled */

static void madt_full(const char *what, unsigned int max)
{
    log_msg(LOG_WARN, "ACPI: MADT lists more than %u %s, the rest is ignored", max, what);
}

static void madt_add_cpu(struct acpi_info *out, u32 apic_id, u32 acpi_id, u32 flags)
{
    /* Small ids may be listed in both forms. */
    if (!(flags & MADT_CPU_USABLE) || acpi_cpu_index(out, apic_id) < out->cpus)
        return;
    if (out->cpus == ACPI_MAX_CPUS) {
        madt_full("processors", ACPI_MAX_CPUS);
        return;
    }
    out->cpu[out->cpus++] = (struct acpi_cpu){.apic_id = apic_id, .acpi_id = acpi_id};
}

static void madt_lapic(const u8 *r, struct acpi_info *out)
{
    if (r[3] != 0xff) /* broadcast: an empty slot */
        madt_add_cpu(out, r[3], r[2], bytes_le32(r + 4));
}

static void madt_x2apic(const u8 *r, struct acpi_info *out)
{
    if (bytes_le32(r + 4) != 0xffffffffu)
        madt_add_cpu(out, bytes_le32(r + 4), bytes_le32(r + 12), bytes_le32(r + 8));
}

static void madt_ioapic(const u8 *r, struct acpi_info *out)
{
    struct acpi_ioapic *io = &out->ioapic[out->ioapics];

    if (out->ioapics == ACPI_MAX_IOAPICS) {
        madt_full("IO-APICs", ACPI_MAX_IOAPICS);
        return;
    }
    io->id = r[2];
    io->addr = bytes_le32(r + 4);
    io->gsi_base = bytes_le32(r + 8);
    if (!io->addr) {
        log_msg(LOG_WARN, "ACPI: IO-APIC %u has no address, skipped", io->id);
        return;
    }
    out->ioapics++;
}

static void madt_override(const u8 *r, struct acpi_info *out)
{
    u16 flags = bytes_le16(r + 8);

    if (r[2] || r[3] > 15) {
        log_msg(LOG_WARN, "ACPI: override of bus %u interrupt %u is not ISA's, skipped", r[2],
                r[3]);
        return;
    }
    if (out->overrides == ACPI_MAX_OVERRIDES) {
        madt_full("interrupt overrides", ACPI_MAX_OVERRIDES);
        return;
    }
    /* MPS INTI flags, table 5.24: polarity in bits 0-1, trigger in bits 2-3; 3 is low and level. */
    out->override[out->overrides++] = (struct acpi_override){.irq = r[3],
                                                             .gsi = bytes_le32(r + 4),
                                                             .level = (flags >> 2 & 3) == 3,
                                                             .low = (flags & 3) == 3};
}

static void madt_add_nmi(struct acpi_info *out, u32 acpi_id, u8 lint)
{
    if (lint > 1) {
        log_msg(LOG_WARN, "ACPI: NMI of processor %u on LINT%u, skipped", acpi_id, lint);
        return;
    }
    if (out->nmis == ACPI_MAX_NMIS) {
        madt_full("local NMIs", ACPI_MAX_NMIS);
        return;
    }
    out->nmi[out->nmis++] = (struct acpi_nmi){.acpi_id = acpi_id, .lint = lint};
}

static void madt_nmi(const u8 *r, struct acpi_info *out)
{
    madt_add_nmi(out, r[2] == 0xff ? ACPI_ALL_CPUS : r[2], r[5]);
}

static void madt_x2apic_nmi(const u8 *r, struct acpi_info *out)
{
    madt_add_nmi(out, bytes_le32(r + 4), r[8]);
}

static void madt_lapic_addr(const u8 *r, struct acpi_info *out)
{
    out->lapic_addr = bytes_le64(r + 4);
}

static const struct {
    u8 type, min_len;
    void (*take)(const u8 *record, struct acpi_info *out);
} madt_records[] = {
    {0, 8, madt_lapic},       {1, 12, madt_ioapic}, {2, 10, madt_override},    {4, 6, madt_nmi},
    {5, 12, madt_lapic_addr}, {9, 16, madt_x2apic}, {10, 12, madt_x2apic_nmi},
};

bool acpi_tables_madt(const u8 *table, u32 len, struct acpi_info *out)
{
    u32 pos, size;
    unsigned int i;

    out->lapic_addr = bytes_le32(table + MADT_LAPIC);
    for (pos = MADT_RECORDS; len - pos >= 2; pos += size) {
        size = table[pos + 1];
        if (size < 2 || size > len - pos) {
            log_msg(LOG_WARN, "ACPI: MADT record of %u bytes at 0x%x of 0x%x, the rest is ignored",
                    size, pos, len);
            break;
        }
        for (i = 0; i < ARRAY_SIZE(madt_records); i++)
            if (madt_records[i].type == table[pos] && size >= madt_records[i].min_len)
                madt_records[i].take(table + pos, out);
    }
    return out->cpus > 0;
}

/* ---- FADT, section 5.2.9 ---- */

#define FADT_PM1A_CNT    64
#define FADT_PM1B_CNT    68
#define FADT_PM_TMR      76
#define FADT_PM1_CNT_LEN 89
#define FADT_PM_TMR_LEN  91
#define FADT_CENTURY     108
#define FADT_FLAGS       112
#define FADT_RESET_REG   116
#define FADT_RESET_VALUE 128
#define FADT_X_PM1A_CNT  172
#define FADT_X_PM1B_CNT  184
#define FADT_X_PM_TMR    208
#define FADT_TMR_VAL_EXT (1u << 8)
#define FADT_RESET_SUP   (1u << 10)

/* A 12-byte Generic Address Structure, section 5.2.3.2. */
static struct acpi_reg acpi_gas(const u8 *p)
{
    return (struct acpi_reg){.space = p[0], .bits = p[1], .addr = bytes_le64(p + 4)};
}

/* A fixed register: its 64-bit form at wide if the table has one that is set, else the port. */
static struct acpi_reg fadt_reg(const u8 *t, u32 len, u32 port, u32 port_len, u32 wide)
{
    struct acpi_reg r = {.space = ACPI_SPACE_IO};

    if (len >= wide + 12) {
        r = acpi_gas(t + wide);
        if (r.addr)
            return r;
    }
    r.space = ACPI_SPACE_IO;
    r.bits = (u8)(t[port_len] * 8);
    r.addr = bytes_le32(t + port);
    return r;
}

bool acpi_tables_fadt(const u8 *table, u32 len, struct acpi_info *out)
{
    u32 flags = bytes_le32(table + FADT_FLAGS);

    /* Bit 7 of the index port masks NMIs. */
    out->century = table[FADT_CENTURY] < 0x80 ? table[FADT_CENTURY] : 0;
    out->pm1a_cnt = fadt_reg(table, len, FADT_PM1A_CNT, FADT_PM1_CNT_LEN, FADT_X_PM1A_CNT);
    out->pm1b_cnt = fadt_reg(table, len, FADT_PM1B_CNT, FADT_PM1_CNT_LEN, FADT_X_PM1B_CNT);
    /* A length of 0 says that there is no timer, whatever its address field holds. */
    if (table[FADT_PM_TMR_LEN] == 4)
        out->pm_timer = fadt_reg(table, len, FADT_PM_TMR, FADT_PM_TMR_LEN, FADT_X_PM_TMR);
    out->pm_timer_32 = flags & FADT_TMR_VAL_EXT;
    if ((flags & FADT_RESET_SUP) && len > FADT_RESET_VALUE) {
        out->reset = acpi_gas(table + FADT_RESET_REG);
        out->reset_value = table[FADT_RESET_VALUE];
    }
    return true;
}

/* ---- HPET ---- */

#define HPET_ADDRESS 40

bool acpi_tables_hpet(const u8 *table, u32 len, struct acpi_info *out)
{
    struct acpi_reg r = acpi_gas(table + HPET_ADDRESS);

    (void)len;
    if (r.space != ACPI_SPACE_MEMORY || !r.addr) {
        log_msg(LOG_WARN, "ACPI: HPET at 0x%llx in address space %u, skipped",
                (unsigned long long)r.addr, r.space);
        return false;
    }
    out->hpet_addr = r.addr;
    return true;
}
