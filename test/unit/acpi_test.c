/* SPDX-License-Identifier: MIT */
/* ACPI tables built in a toy physical memory: good ones, and each kind of damage. */
#include "host/host.h"
#include "pure/acpi.h"

#define LOW_SIZE 0x100000u

static u8 low[LOW_SIZE]; /* 0 .. 1 MiB */
static u8 high[0x10000]; /* at HIGH */
#define HIGH 0x7ffe0000ull

static struct acpi_info a;
static struct reason why;
static u64 mapped_bytes;

static u8 *at(u64 paddr)
{
    return paddr >= HIGH ? high + (paddr - HIGH) : low + paddr;
}

static const void *map(void *ctx, u64 paddr, size_t len)
{
    (void)ctx;
    mapped_bytes += len;
    if (paddr < LOW_SIZE && len <= LOW_SIZE - paddr)
        return low + paddr;
    if (paddr >= HIGH && paddr - HIGH < sizeof(high) && len <= sizeof(high) - (paddr - HIGH))
        return high + (paddr - HIGH);
    return NULL;
}

static const struct acpi_mem mem = {map, NULL};

static void put(u64 paddr, u64 v, size_t n)
{
    memcpy(at(paddr), &v, n);
}

static void fix_sum(u64 paddr, u32 len, u32 where)
{
    u8 sum = 0;
    u32 i;

    at(paddr)[where] = 0;
    for (i = 0; i < len; i++)
        sum = (u8)(sum + at(paddr)[i]);
    at(paddr)[where] = (u8)-sum;
}

static void seal(u64 paddr, const char *sig, u32 len)
{
    memcpy(at(paddr), sig, 4);
    put(paddr + 4, len, 4);
    fix_sum(paddr, len, 9);
}

#define RSDP 0xf5a40ull
#define RSDT (HIGH + 0x1000)
#define XSDT (HIGH + 0x1100)
#define MADT (HIGH + 0x2000)
#define FADT (HIGH + 0x3000)
#define HPET (HIGH + 0x4000)

static u32 madt_len;

static u64 madt_record(u8 type, u8 len)
{
    u64 r = MADT + madt_len;

    memset(at(r), 0, len);
    put(r, type, 1);
    put(r + 1, len, 1);
    madt_len += len;
    seal(MADT, "APIC", madt_len);
    return r;
}

static void madt_cpu(u8 acpi_id, u8 apic_id, u32 flags)
{
    u64 r = madt_record(0, 8);

    put(r + 2, acpi_id, 1);
    put(r + 3, apic_id, 1);
    put(r + 4, flags, 4);
}

static void madt_x2cpu(u32 acpi_id, u32 apic_id, u32 flags)
{
    u64 r = madt_record(9, 16);

    put(r + 4, apic_id, 4);
    put(r + 8, flags, 4);
    put(r + 12, acpi_id, 4);
}

static void madt_iso(u8 bus, u8 irq, u32 gsi, u16 flags)
{
    u64 r = madt_record(2, 10);

    put(r + 2, bus, 1);
    put(r + 3, irq, 1);
    put(r + 4, gsi, 4);
    put(r + 8, flags, 2);
}

static void madt_io(u8 id, u32 addr, u32 gsi)
{
    u64 r = madt_record(1, 12);

    put(r + 2, id, 1);
    put(r + 4, addr, 4);
    put(r + 8, gsi, 4);
}

static void make_madt(void)
{
    madt_len = 44;
    put(MADT + 36, 0xfee00000, 4);
    put(MADT + 40, 1, 4);
    madt_cpu(0, 0, 1);
    madt_cpu(1, 2, 1);
    madt_cpu(2, 4, 0);
    madt_cpu(3, 0xff, 1);
    madt_io(0, 0xfec00000, 0);
    madt_iso(0, 0, 2, 0);
    madt_iso(0, 9, 9, 0xd);
    put(madt_record(4, 6) + 2, 0xff | 1 << 24, 4);
    seal(MADT, "APIC", madt_len);
}

static void make_fadt(u32 len)
{
    put(FADT + 64, 0x604, 4);
    put(FADT + 76, 0x608, 4);
    put(FADT + 89, 2, 1);
    put(FADT + 91, 4, 1);
    put(FADT + 108, 0x32, 1);
    put(FADT + 112, 1 << 8 | 1 << 10, 4);
    put(FADT + 116, 1 | 8 << 8, 4); /* reset register: port 0xcf9, 8 bits */
    put(FADT + 120, 0xcf9, 8);
    put(FADT + 128, 0xf, 1);
    seal(FADT, "FACP", len);
}

static void make_rsdp(u64 where, u8 revision)
{
    memset(at(where), 0, revision >= 2 ? 36 : 20);
    memcpy(at(where), "RSD PTR ", 8);
    put(where + 15, revision, 1);
    put(where + 16, RSDT, 4);
    if (revision >= 2) {
        put(where + 20, 36, 4);
        put(where + 24, XSDT, 8);
    }
    fix_sum(where, 20, 8);
    if (revision >= 2)
        fix_sum(where, 36, 32);
}

static void make(u8 revision)
{
    static const u64 tables[] = {FADT, MADT, HPET, 0, HIGH + 0x5000, HIGH + 0x6000};
    unsigned int i;

    memset(low, 0, sizeof(low));
    memset(high, 0, sizeof(high));
    make_rsdp(RSDP, revision);
    for (i = 0; i < ARRAY_SIZE(tables); i++) {
        put(RSDT + 36 + i * 4, tables[i], 4);
        put(XSDT + 36 + i * 8, tables[i], 8);
    }
    seal(RSDT, "RSDT", 36 + sizeof(tables) / 2);
    seal(XSDT, "XSDT", 36 + sizeof(tables));
    make_madt();
    make_fadt(244);
    put(HPET + 44, 0xfed00000, 8);
    seal(HPET, "HPET", 56);
    memcpy(at(HIGH + 0x5000), "MCFG", 4);
    memcpy(at(HIGH + 0x6000), "SSDT", 4);
    host_log_clear();
}

static int parse(void)
{
    return acpi_read(&mem, NULL, 0, &a, &why);
}

#define ALL (ACPI_HAS_MADT | ACPI_HAS_FADT | ACPI_HAS_HPET)

static void check_good(void)
{
    CHECK_EQ(a.tables, ALL);
    CHECK_EQ(a.lapic_addr, 0xfee00000);
    CHECK_EQ(a.cpus, 2);
    CHECK_EQ(a.cpu[1].apic_id, 2);
    CHECK_EQ(a.cpu[1].acpi_id, 1);
    CHECK_EQ(a.ioapics, 1);
    CHECK_EQ(a.ioapic[0].addr, 0xfec00000);
    CHECK_EQ(a.overrides, 2);
    CHECK_EQ(a.nmis, 1);
    CHECK_EQ(a.nmi[0].acpi_id, ACPI_ALL_CPUS);
    CHECK_EQ(a.nmi[0].lint, 1);
    CHECK_EQ(a.pm1a_cnt.addr, 0x604);
    CHECK_EQ(a.pm1a_cnt.bits, 16);
    CHECK_EQ(a.pm1b_cnt.addr, 0);
    CHECK_EQ(a.pm_timer.addr, 0x608);
    CHECK_EQ(a.pm_timer.space, ACPI_SPACE_IO);
    CHECK(a.pm_timer_32);
    CHECK_EQ(a.reset.addr, 0xcf9);
    CHECK_EQ(a.reset.space, ACPI_SPACE_IO);
    CHECK_EQ(a.reset_value, 0xf);
    CHECK_EQ(a.century, 0x32);
    CHECK_EQ(a.hpet_addr, 0xfed00000);
    CHECK_STR(host_log_text(), "");
}

TEST(reads_by_xsdt_and_by_rsdt)
{
    make(2);
    put(RSDT, 0, 4);
    CHECK_EQ(parse(), 0);
    check_good();
    make(0);
    put(XSDT, 0, 4);
    CHECK_EQ(parse(), 0);
    check_good();
}

TEST(falls_back_to_the_rsdt)
{
    make(2);
    at(XSDT)[9]++;
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL);
    CHECK_STR(host_log_text(),
              "W: ACPI: table at 0x7ffe1100 with 84 bytes has a bad checksum, skipped\n");
    make(2);
    put(XSDT, 0x54445352, 4); /* says RSDT */
    fix_sum(XSDT, 84, 9);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL);
    make(2);
    at(RSDP)[32]++; /* extended checksum */
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL);
    make(2);
    at(XSDT)[9]++;
    at(RSDT)[9]++;
    CHECK_EQ(parse(), -EINVAL);
    CHECK_STR(why.text, "ACPI: neither XSDT at 0x7ffe1100 nor RSDT at 0x7ffe1000 is usable");
}

TEST(finds_the_rsdp)
{
    make(2);
    memset(at(RSDP), 0, 36);
    CHECK_EQ(parse(), -ENOENT);
    CHECK_STR(why.text, "no ACPI RSDP between 0xe0000 and 0x100000");
    make_rsdp(RSDP + 8, 2); /* not at a 16-byte step */
    CHECK_EQ(parse(), -ENOENT);
    make_rsdp(0xfffe0, 0); /* the last place */
    CHECK_EQ(parse(), 0);
    memset(at(0xfffe0), 0, 32);
    put(0x40e, 0x9fc0, 2);
    make_rsdp(0x9fc30, 2);
    CHECK_EQ(parse(), 0);
    put(0x40e, 0xffff, 2);
    CHECK_EQ(parse(), -ENOENT);
    at(0x9fc30)[0] = 'X';
    put(0x40e, 0x9fc0, 2);
    CHECK_EQ(parse(), -ENOENT);
}

TEST(takes_the_loaders_copy)
{
    u8 copy[36];

    make(2);
    memcpy(copy, at(RSDP), 36);
    memset(at(RSDP), 0, 36);
    CHECK_EQ(acpi_read(&mem, copy, 36, &a, &why), 0);
    check_good();
    CHECK_EQ(acpi_read(&mem, copy, 20, &a, &why), 0); /* revision 2, cut: RSDT */
    CHECK_EQ(a.tables, ALL);
    CHECK_EQ(acpi_read(&mem, copy, 19, &a, &why), -ENOENT);
    copy[3]++;
    CHECK_EQ(acpi_read(&mem, copy, 36, &a, &why), -ENOENT);
}

TEST(skips_damaged_tables)
{
    static const u64 table[] = {MADT, FADT, HPET};
    static const u32 bit[] = {ACPI_HAS_MADT, ACPI_HAS_FADT, ACPI_HAS_HPET};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(table); i++) {
        make(2);
        at(table[i])[20]++;
        CHECK_EQ(parse(), 0);
        CHECK_EQ(a.tables, ALL & ~bit[i]);
        CHECK(strstr(host_log_text(), "has a bad checksum"));
        make(2);
        put(table[i] + 4, 35, 4);
        CHECK_EQ(parse(), 0);
        CHECK_EQ(a.tables, ALL & ~bit[i]);
        CHECK(strstr(host_log_text(), "has a length of 35"));
        make(2);
        put(table[i] + 4, 0xfffff, 4);
        CHECK_EQ(parse(), 0);
        CHECK_EQ(a.tables, ALL & ~bit[i]);
        CHECK(strstr(host_log_text(), "cannot be read"));
        make(2);
        put(table[i] + 4, 0xffffffff, 4);
        CHECK_EQ(parse(), 0);
        CHECK_EQ(a.tables, ALL & ~bit[i]);
    }
    make(2);
    put(XSDT + 36, 0xdeadbeef00000000ull, 8);
    seal(XSDT, "XSDT", 84);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL & ~ACPI_HAS_FADT);
    CHECK_STR(host_log_text(), "W: ACPI: table at 0xdeadbeef00000000 cannot be read, skipped\n");
}

TEST(madt_details)
{
    unsigned int i;

    make(2);
    madt_x2cpu(7, 2, 1); /* a second listing of processor 1 */
    madt_x2cpu(300, 300, 1);
    madt_x2cpu(301, ~0u, 1);
    madt_x2cpu(302, 302, 2);
    madt_iso(1, 4, 20, 0); /* not ISA */
    madt_iso(0, 16, 20, 0);
    put(madt_record(5, 12) + 4, 0xfee10000, 8);
    madt_io(1, 0, 24);
    put(madt_record(4, 6) + 2, 7u << 24, 4);
    madt_record(99, 2);
    madt_record(0, 7); /* too short for its type */
    i = (unsigned int)madt_record(10, 12) - (unsigned int)MADT;
    put(MADT + i + 4, 300, 4);
    seal(MADT, "APIC", madt_len);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.cpus, 3);
    CHECK_EQ(a.cpu[2].apic_id, 300);
    CHECK_EQ(a.overrides, 2);
    CHECK_EQ(a.lapic_addr, 0xfee10000);
    CHECK_EQ(a.ioapics, 1);
    CHECK_EQ(a.nmis, 2);
    CHECK_EQ(a.nmi[1].acpi_id, 300);
    CHECK(strstr(host_log_text(), "IO-APIC 1 has no address"));
    CHECK(strstr(host_log_text(), "NMI of processor 0 on LINT7"));
}

TEST(finds_a_processor_by_its_apic_id)
{
    make(2);
    madt_len = 44;
    madt_cpu(5, 8, 1); /* the boot processor need not come first */
    madt_cpu(6, 4, 0);
    madt_cpu(7, 0, 1);
    madt_x2cpu(8, 300, 1);
    seal(MADT, "APIC", madt_len);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(acpi_cpu_index(&a, 8), 0);
    CHECK_EQ(acpi_cpu_index(&a, 0), 1);
    CHECK_EQ(a.cpu[acpi_cpu_index(&a, 0)].acpi_id, 7);
    CHECK_EQ(acpi_cpu_index(&a, 300), 2);
    CHECK_EQ(acpi_cpu_index(&a, 4), 3); /* not usable */
    CHECK_EQ(acpi_cpu_index(&a, 1), 3);
    memset(&a, 0, sizeof(a));
    CHECK_EQ(acpi_cpu_index(&a, 0), 0); /* no MADT */
}

TEST(madt_stops_at_an_overrun)
{
    u64 r;

    make(2);
    r = madt_record(0, 8);
    put(r + 1, 9, 1);
    seal(MADT, "APIC", madt_len);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.cpus, 2);
    CHECK(strstr(host_log_text(), "MADT record of 9 bytes"));
    make(2);
    r = madt_record(0, 8);
    put(r + 1, 0, 1);
    seal(MADT, "APIC", madt_len);
    CHECK_EQ(parse(), 0);
    CHECK(strstr(host_log_text(), "MADT record of 0 bytes"));
}

TEST(madt_limits)
{
    unsigned int i;

    make(2);
    for (i = 0; i < 300; i++)
        madt_x2cpu(i, 1000 + i, 1);
    for (i = 1; i < 20; i++)
        madt_io((u8)i, 0xfec00000 + i * 0x1000, i * 24);
    for (i = 0; i < 80; i++)
        madt_iso(0, (u8)(i % 16), i, 0);
    for (i = 0; i < 80; i++)
        madt_record(4, 6);
    seal(MADT, "APIC", madt_len);
    CHECK(madt_len < 0x1000 * 14);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.cpus, ACPI_MAX_CPUS);
    CHECK_EQ(a.ioapics, ACPI_MAX_IOAPICS);
    CHECK_EQ(a.overrides, ACPI_MAX_OVERRIDES);
    CHECK_EQ(a.nmis, ACPI_MAX_NMIS);
}

TEST(madt_without_processors_is_of_no_use)
{
    make(2);
    madt_len = 44;
    madt_io(0, 0xfec00000, 0);
    seal(MADT, "APIC", madt_len);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL & ~ACPI_HAS_MADT);
}

TEST(fadt_forms)
{
    make(2);
    put(FADT + 172, 0 | 16 << 8, 4); /* X_PM1a_CNT in memory */
    put(FADT + 176, 0xfed90004, 8);
    put(FADT + 112, 0, 4);
    put(FADT + 108, 0x80, 1); /* not a CMOS index */
    make_rsdp(RSDP, 2);
    seal(FADT, "FACP", 244);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.pm1a_cnt.addr, 0xfed90004);
    CHECK_EQ(a.pm1a_cnt.space, ACPI_SPACE_MEMORY);
    CHECK_EQ(a.reset.addr, 0);
    CHECK(!a.pm_timer_32);
    CHECK_EQ(a.century, 0);

    make(2);
    make_fadt(116); /* ACPI 1.0: no reset register */
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.reset.addr, 0);
    CHECK_EQ(a.pm1a_cnt.addr, 0x604);

    make(2);
    put(FADT + 91, 0, 1);
    seal(FADT, "FACP", 244);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.pm_timer.addr, 0);
}

TEST(registers_that_are_ports)
{
    struct acpi_reg r = {.space = ACPI_SPACE_IO, .addr = 0x608};

    CHECK_EQ(acpi_reg_port(&r), 0x608);
    r.addr = 0x10608;
    CHECK_EQ(acpi_reg_port(&r), 0);
    r = (struct acpi_reg){.space = ACPI_SPACE_MEMORY, .addr = 0x608};
    CHECK_EQ(acpi_reg_port(&r), 0);
}

TEST(hpet_details)
{
    make(2);
    put(HPET + 40, 1, 1);
    seal(HPET, "HPET", 56);
    CHECK_EQ(parse(), 0);
    CHECK_EQ(a.tables, ALL & ~ACPI_HAS_HPET);
}

TEST(routes_isa_interrupts)
{
    struct acpi_override o;

    make(2);
    CHECK_EQ(parse(), 0);
    o = acpi_route_isa(&a, 0);
    CHECK_EQ(o.gsi, 2);
    CHECK(!o.level && !o.low);
    o = acpi_route_isa(&a, 9);
    CHECK_EQ(o.gsi, 9);
    CHECK(o.level && !o.low);
    o = acpi_route_isa(&a, 4);
    CHECK_EQ(o.gsi, 4);
    CHECK(!o.level && !o.low);
}
