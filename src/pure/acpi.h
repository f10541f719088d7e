/* SPDX-License-Identifier: MIT */
/*
 * The static ACPI tables a hypervisor needs: processors, interrupt controllers, power and timer
 * registers, HPET. AML and MCFG stay dom0's business.
 * Source: ACPI Specification 6.5, chapter 5.2; HPET: IA-PC HPET Specification 1.0a, section 3.2.4.
 * Boot time only, no lock.
 */
#ifndef PURE_ACPI_H
#define PURE_ACPI_H

#include "base/def.h"
#include "pure/reason.h"

#define ACPI_MAX_CPUS      256
#define ACPI_MAX_IOAPICS   16
#define ACPI_MAX_OVERRIDES 64
#define ACPI_MAX_NMIS      64
#define ACPI_ALL_CPUS      0xffffffffu /* as acpi_id of a local NMI */

/* Which tables were found good: bits of acpi_info.tables. */
#define ACPI_HAS_MADT (1u << 0)
#define ACPI_HAS_FADT (1u << 1)
#define ACPI_HAS_HPET (1u << 2)

/* How tables are reached: len readable bytes at physical paddr, or NULL. Valid until the next call.
 */
struct acpi_mem {
    const void *(*map)(void *ctx, u64 paddr, size_t len);
    void *ctx;
};

struct acpi_cpu {
    u32 apic_id; /* above 254: x2APIC mode only */
    u32 acpi_id;
};

struct acpi_ioapic {
    u32 id, gsi_base;
    u64 addr;
};

/* An ISA interrupt that does not reach the GSI of its number, edge and active high. */
struct acpi_override {
    u32 irq, gsi;
    bool level, low;
};

/* A local interrupt pin (LINT0 or 1) wired to NMI. */
struct acpi_nmi {
    u32 acpi_id; /* or ACPI_ALL_CPUS */
    u8 lint;
};

/* A register: Generic Address Structure. addr 0: absent. */
struct acpi_reg {
    u8 space; /* ACPI_SPACE_* */
    u8 bits;
    u64 addr;
};
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

/* The I/O port of a register; 0: it is none, or absent. */
static inline u16 acpi_reg_port(const struct acpi_reg *r)
{
    return r->space == ACPI_SPACE_IO && r->addr < 0x10000 ? (u16)r->addr : 0;
}

struct acpi_info {
    u32 tables; /* ACPI_HAS_* */

    /* MADT */
    u64 lapic_addr;
    unsigned int cpus; /* enabled ones, in table order, each apic_id once */
    struct acpi_cpu cpu[ACPI_MAX_CPUS];
    unsigned int ioapics;
    struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
    unsigned int overrides;
    struct acpi_override override[ACPI_MAX_OVERRIDES];
    unsigned int nmis;
    struct acpi_nmi nmi[ACPI_MAX_NMIS];

    /* FADT */
    struct acpi_reg pm1a_cnt, pm1b_cnt, pm_timer;
    bool pm_timer_32; /* counts 32 bits instead of 24 */
    struct acpi_reg reset;
    u8 reset_value;
    u8 century; /* CMOS index; 0: none */

    /* HPET: address in memory; 0: none */
    u64 hpet_addr;
};

/*
 * Reads the tables into out (about 6 KiB). rsdp is the boot loader's copy of rsdp_len bytes; with
 * rsdp_len 0, or if the copy is bad, the firmware's is searched below 1 MiB. A malformed table is
 * named through log_msg and skipped, entries beyond a limit as well: look at out->tables.
 * 0; -ENOENT: no RSDP; -EINVAL: no usable XSDT or RSDT.
 */
int acpi_read(const struct acpi_mem *mem, const u8 *rsdp, u32 rsdp_len, struct acpi_info *out,
              struct reason *why) MUST_CHECK;

/* The index in cpu[] of the processor with this local APIC id; a->cpus: none has it. */
unsigned int acpi_cpu_index(const struct acpi_info *a, u32 apic_id);

/* Where an ISA interrupt (0-15) arrives: by the overrides, else its own number, edge, high. */
struct acpi_override acpi_route_isa(const struct acpi_info *a, u32 irq);

#endif
