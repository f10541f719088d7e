/* SPDX-License-Identifier: MIT */
/* Multiboot 1 and 2 records, good and bad, in a toy physical memory. */
#include "host/host.h"
#include "pure/bootinfo.h"
#include "unit/memmap_look.h"

#define BASE 0x8000u /* physical address of ram[0] */
#define RAM  0x8000u

static u8 ram[RAM];
static const struct phys_window win = {ram, BASE, RAM};
static struct boot_info b;
static struct reason why;

static void put(u32 addr, const void *p, size_t n)
{
    CHECK(addr >= BASE && addr - BASE + n <= RAM);
    memcpy(ram + (addr - BASE), p, n);
}

static void put32(u32 addr, u32 v)
{
    put(addr, &v, 4);
}

static void put64(u32 addr, u64 v)
{
    put(addr, &v, 8);
}

static void put_string(u32 addr, const char *s)
{
    put(addr, s, strlen(s) + 1);
}

TEST(skips_file_names)
{
    CHECK_STR(bootinfo_skip_name("placeholder com1=1"), "com1=1");
    CHECK_STR(bootinfo_skip_name("  /boot/vmlinuz-6.1 \t root=/dev/sda ro"), "root=/dev/sda ro");
    CHECK_STR(bootinfo_skip_name("root=/dev/sda ro"), "root=/dev/sda ro");
    CHECK_STR(bootinfo_skip_name("quiet /x"), "quiet /x");
    CHECK_STR(bootinfo_skip_name("placeholders a"), "placeholders a");
    CHECK_STR(bootinfo_skip_name("/only"), "");
    CHECK_STR(bootinfo_skip_name(" "), "");
    CHECK_STR(bootinfo_skip_name(""), "");
}

/* ---- Multiboot 1 ---- */

#define INFO1 0x9000u
#define MODS1 0x9100u
#define MMAP1 0x9200u
#define TEXT1 0xa000u

static void mmap1(unsigned int i, u64 start, u64 len, u32 type)
{
    u32 at = MMAP1 + i * 24;

    put32(at, 20);
    put64(at + 4, start);
    put64(at + 12, len);
    put32(at + 20, type);
    put32(INFO1 + 44, (i + 1) * 24);
}

static void make1(void)
{
    u32 i;

    memset(ram, 0, sizeof(ram));
    for (i = 2; i < 9; i++) { /* not counted below, but there */
        put32(MODS1 + i * 16, BASE);
        put32(MODS1 + i * 16 + 4, BASE);
    }
    put32(INFO1, 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    put32(INFO1 + 4, 639);
    put32(INFO1 + 8, 1024);
    put32(INFO1 + 16, TEXT1);
    put_string(TEXT1, "/img/wheeler.elf com1=115200 console=com1");
    put32(INFO1 + 20, 2);
    put32(INFO1 + 24, MODS1);
    put32(MODS1, 0xb000);
    put32(MODS1 + 4, 0xb800);
    put32(MODS1 + 8, TEXT1 + 0x100);
    put_string(TEXT1 + 0x100, "/boot/vmlinuz root=/dev/sda1 ro");
    put32(MODS1 + 16, 0xc000);
    put32(MODS1 + 20, 0xc100);
    put32(INFO1 + 48, MMAP1);
    mmap1(0, 0, 0x9fc00, 1);
    mmap1(1, 0x9fc00, 0x400, 2);
    mmap1(2, 0x100000, 0x7ee0000, 1);
    put32(INFO1 + 64, TEXT1 + 0x200);
    put_string(TEXT1 + 0x200, "qemu");
}

static int parse1(void)
{
    return bootinfo_parse(BOOTINFO_MAGIC1, INFO1, &win, &b, &why);
}

TEST(mb1_reads_everything)
{
    make1();
    CHECK_EQ(parse1(), 0);
    CHECK_STR(b.cmdline, "com1=115200 console=com1");
    CHECK_STR(b.loader, "qemu");
    CHECK_EQ(b.modules, 2);
    CHECK_EQ(b.module[0].start, 0xb000);
    CHECK_EQ(b.module[0].end, 0xb800);
    CHECK_STR(b.module[0].args, "root=/dev/sda1 ro");
    CHECK_STR(b.module[1].args, "");
    CHECK_EQ(b.map.nr, 3);
    CHECK_EQ(memmap_total(&b.map, MEMMAP_RAM), 0x9fc00 + 0x7ee0000);
    CHECK_EQ(b.info_start, INFO1);
}

TEST(mb1_falls_back_to_basic_memory)
{
    make1();
    put32(INFO1, 1);
    CHECK_EQ(parse1(), 0);
    CHECK_EQ(b.modules, 0);
    CHECK_STR(b.cmdline, "");
    CHECK_EQ(b.map.nr, 2);
    CHECK_EQ(b.map.entry[0].end, 639 * KiB);
    CHECK_EQ(b.map.entry[1].end, 2 * MiB);
    put32(INFO1, 0);
    CHECK_EQ(parse1(), -ENODATA);
    CHECK_STR(why.text, "the boot loader gave no memory map");
}

TEST(mb1_resolves_overlaps)
{
    make1();
    mmap1(3, 0x200000, 0x1000, 4);
    mmap1(4, 0x1ff000, 0x10000, 1);
    mmap1(5, ~0ull - 0xfff, 0x2000, 2);
    mmap1(6, 0x10000000, ~0ull, 1); /* RAM without end is none */
    host_log_clear();
    CHECK_EQ(parse1(), 0);
    CHECK(memmap_audit(&b.map));
    CHECK_EQ(memmap_type(&b.map, 0x10000000), 0);
    CHECK_STR(host_log_text(), "W: memory map: RAM of 0xffffffffffffffff bytes at 0x10000000 "
                               "passes 2^64, ignored\n");
    CHECK_EQ(memmap_type(&b.map, 0x200800), MEMMAP_NVS);
    CHECK_EQ(memmap_type(&b.map, 0x201000), MEMMAP_RAM);
    CHECK_EQ(b.map.entry[b.map.nr - 1].end, ~0ull);
}

struct bad1 {
    u32 addr, value;
    int rc;
    const char *why;
};

TEST(mb1_refuses)
{
    static const struct bad1 bad[] = {
        {INFO1 + 16, 0x7fff, -EINVAL, "command line lies at 0x7fff, outside usable memory"},
        {INFO1 + 16, 0xfffffff0, -EINVAL, NULL},
        {INFO1 + 20, 9, -E2BIG, "more than 8 modules"},
        {INFO1 + 20, 0xffffffff, -EINVAL, NULL},
        {INFO1 + 24, BASE + RAM - 31, -EINVAL,
         "list of 2 modules at 0xffe1 lies outside usable memory"},
        {MODS1 + 4, 0xafff, -EINVAL, "module 0 at 0xb000-0xafff lies outside usable memory"},
        {MODS1 + 20, BASE + RAM + 1, -EINVAL, NULL},
        {MODS1 + 8, 0x10000, -EINVAL, "string of module 0 lies at 0x10000, outside usable memory"},
        {INFO1 + 44, RAM, -EINVAL, "memory map at 0x9200+0x8000 lies outside usable memory"},
        {MMAP1 + 24, 19, -EINVAL, "memory map entry of 19 bytes"},
        {MMAP1 + 24, 0, -EINVAL, NULL},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        make1();
        put32(bad[i].addr, bad[i].value);
        CHECK_EQ(parse1(), bad[i].rc);
        if (bad[i].why)
            CHECK_STR(why.text, bad[i].why);
    }
    make1();
    CHECK_EQ(bootinfo_parse(BOOTINFO_MAGIC1, BASE + RAM - 51, &win, &b, &why), -EINVAL);
    CHECK_EQ(bootinfo_parse(BOOTINFO_MAGIC1, ~0ull - 10, &win, &b, &why), -EINVAL);
    CHECK_EQ(bootinfo_parse(0x12345678, INFO1, &win, &b, &why), -ENOEXEC);
    CHECK_STR(why.text, "started by no Multiboot loader: EAX was 0x12345678");
    /* A huge size only ends the list. */
    put32(MMAP1 + 24, 0xffffffff);
    CHECK_EQ(parse1(), 0);
}

TEST(modules_that_cannot_be_used)
{
    static const struct {
        struct range module[2];
        const char *why;
    } c[] = {
        {{{0x100000, 0x123456}, {0x200000, 0x2fffff}}, ""},
        {{{0x100800, 0x123456}, {0x124000, 0x400000}}, ""},
        {{{0x100000, 0x123456}, {0, 0}}, ""},
        {{{0xff000, 0x123456}, {0, 0}}, "module 0 at 0xff000-0x123456 is not in RAM"},
        {{{0x200000, 0x400001}, {0, 0}}, "module 0 at 0x200000-0x400001 is not in RAM"},
        {{{0x100000, 0x123456}, {0x3ff000, 0x501000}},
         "module 1 at 0x3ff000-0x501000 is not in RAM"},
        {{{0x100000, 0x123456}, {0xc0000000, 0xc0001000}},
         "module 1 at 0xc0000000-0xc0001000 is not in RAM"},
        {{{0x100000, 0x123456}, {0x200800, 0x300000}},
         "module 1 at 0x200800-0x300000 does not begin a page"},
        {{{0x100000, 0x123456}, {0x123000, 0x124000}},
         "module 1 at 0x123000-0x124000 overlaps the first"},
        {{{0x200000, 0x300000}, {0x100000, 0x200001}},
         "module 1 at 0x100000-0x200001 overlaps the first"},
    };
    struct range ranges[] = {{0x100000, 0x400000}, {0x500000, 0x600000}};
    struct range_set set = {.r = ranges, .nr = 2, .max = 2};
    unsigned int i, k;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        memset(&b, 0, sizeof(b));
        b.modules = 2;
        for (k = 0; k < 2; k++) {
            b.module[k].start = c[i].module[k].start;
            b.module[k].end = c[i].module[k].end;
        }
        why.text[0] = '\0';
        CHECK_EQ(bootinfo_check_modules(&b, &set, &why), *c[i].why ? -EINVAL : 0);
        CHECK_STR(why.text, c[i].why);
    }
    b.modules = 1; /* the last one's initrd is not there */
    CHECK_EQ(bootinfo_check_modules(&b, &set, &why), 0);
}

TEST(mb1_limits_strings)
{
    make1();
    memset(ram + 0x4000, 'x', 0x4000);
    put32(MODS1 + 8, BASE + 0x4000);
    CHECK_EQ(parse1(), -EINVAL);
    CHECK_STR(why.text, "string of module 0 has no end");
    put32(BASE + 0x4000 + BOOTINFO_ARGS, 0);
    CHECK_EQ(parse1(), -E2BIG);
    CHECK_STR(why.text, "string of module 0 has 1024 characters, the limit is 1023");
    put32(BASE + 0x4000 + BOOTINFO_ARGS - 1, 0);
    CHECK_EQ(parse1(), 0);
    CHECK_EQ(strlen(b.module[0].args), BOOTINFO_ARGS - 1);
}

/* ---- Multiboot 2 ---- */

#define INFO2 0x9000u
static u32 pos2;

static u32 tag2(u32 type, u32 size)
{
    u32 at = INFO2 + pos2;

    put32(at, type);
    put32(at + 4, size);
    pos2 += (size + 7) & ~7u;
    put32(INFO2, pos2 + 8);
    put32(INFO2 + pos2, 0);
    put32(INFO2 + pos2 + 4, 8);
    return at;
}

static void module2(u32 start, u32 end, const char *args)
{
    u32 at = tag2(3, (u32)(17 + strlen(args)));

    put32(at + 8, start);
    put32(at + 12, end);
    put_string(at + 16, args);
}

static void mmap2(unsigned int n, const u64 (*e)[3])
{
    u32 at = tag2(6, 16 + n * 24), i;

    put32(at + 8, 24);
    for (i = 0; i < n; i++) {
        put64(at + 16 + i * 24, e[i][0]);
        put64(at + 24 + i * 24, e[i][1]);
        put32(at + 32 + i * 24, (u32)e[i][2]);
    }
}

static void make2(void)
{
    static const u64 e[3][3] = {{0, 0x9f000, 1}, {0xf0000, 0x10000, 2}, {0x100000, 0x7f00000, 1}};
    u32 at;

    memset(ram, 0, sizeof(ram));
    pos2 = 8;
    at = tag2(1, 8 + 25);
    put_string(at + 8, "placeholder dom0_mem=512");
    at = tag2(2, 8 + 10);
    put_string(at + 8, "GRUB 2.06");
    module2(0xb000, 0xb123, "placeholder root=/dev/vda ro");
    module2(0xc000, 0xc000, "");
    mmap2(3, e);
    tag2(17, 100);
    at = tag2(14, 8 + 20);
    put_string(at + 8, "RSD PTR old");
}

static int parse2(void)
{
    return bootinfo_parse(BOOTINFO_MAGIC2, INFO2, &win, &b, &why);
}

TEST(mb2_reads_everything)
{
    u32 at;

    make2();
    CHECK_EQ(parse2(), 0);
    CHECK_STR(b.cmdline, "dom0_mem=512");
    CHECK_STR(b.loader, "GRUB 2.06");
    CHECK_EQ(b.modules, 2);
    CHECK_EQ(b.module[0].end, 0xb123);
    CHECK_STR(b.module[0].args, "root=/dev/vda ro");
    CHECK_EQ(b.map.nr, 3);
    CHECK_EQ(b.rsdp_len, 20);
    CHECK_MEM(b.rsdp, "RSD PTR old", 12);

    at = tag2(15, 8 + 36);
    put_string(at + 8, "RSD PTR new");
    at = tag2(14, 8 + 20);
    put_string(at + 8, "RSD PTR old");
    tag2(18, 8); /* of no interest here */
    CHECK_EQ(parse2(), 0);
    CHECK_EQ(b.rsdp_len, 36);
    CHECK_MEM(b.rsdp, "RSD PTR new", 12);
}

TEST(mb2_falls_back_to_basic_memory)
{
    u32 at;

    memset(ram, 0, sizeof(ram));
    pos2 = 8;
    at = tag2(4, 16);
    CHECK_EQ(parse2(), -ENODATA);
    put32(at + 8, 600);
    put32(at + 12, 2048);
    CHECK_EQ(parse2(), 0);
    CHECK_EQ(memmap_total(&b.map, MEMMAP_RAM), 2648 * KiB);
}

TEST(mb2_refuses_bad_lists)
{
    u32 at;

    make2();
    put32(INFO2, 0xffffffff);
    CHECK_EQ(parse2(), -EINVAL);
    put32(INFO2, 8);
    CHECK_EQ(parse2(), -EINVAL);
    CHECK_EQ(bootinfo_parse(BOOTINFO_MAGIC2, BASE + RAM - 4, &win, &b, &why), -EINVAL);

    make2();
    at = tag2(1, 8);
    put32(at + 4, 7);
    CHECK_EQ(parse2(), -EINVAL);
    put32(at + 4, 0xfffffff9);
    CHECK_EQ(parse2(), -EINVAL);
    put32(at + 4, 8); /* a string without even a NUL */
    CHECK_EQ(parse2(), -EINVAL);
    CHECK_STR(why.text, "command line has no end");

    make2();
    at = tag2(3, 16);
    CHECK_EQ(parse2(), -EINVAL);
    make2();
    module2(0xb000, 0x20000, "x");
    CHECK_EQ(parse2(), -EINVAL);
    CHECK_STR(why.text, "module 2 at 0xb000-0x20000 lies outside usable memory");
    make2();
    at = tag2(6, 12);
    CHECK_EQ(parse2(), -EINVAL);
    make2();
    at = tag2(6, 64);
    CHECK_EQ(parse2(), -EINVAL);
    CHECK_STR(why.text, "memory map entries of 0 bytes");
    put32(at + 8, 0xfffffff8);
    CHECK_EQ(parse2(), 0);
}

TEST(mb2_takes_as_many_modules_as_fit)
{
    int i;

    make2();
    for (i = 2; i < BOOTINFO_MODULES; i++)
        module2(0xb000, 0xb001, "m");
    CHECK_EQ(parse2(), 0);
    CHECK_EQ(b.modules, BOOTINFO_MODULES);
    module2(0xb000, 0xb001, "m");
    CHECK_EQ(parse2(), -E2BIG);
}

TEST(survives_random_changes)
{
    int round, k;

    for (round = 0; round < 3000; round++) {
        make2();
        for (k = 0; k < 3; k++)
            ram[INFO2 - BASE + host_rand_below(pos2 + 8)] = (u8)host_rand();
        if (!parse2())
            CHECK(memmap_audit(&b.map));
        make1();
        for (k = 0; k < 3; k++)
            ram[INFO1 - BASE + host_rand_below(0x300)] = (u8)host_rand();
        if (!parse1())
            CHECK(memmap_audit(&b.map));
    }
}
