/* SPDX-License-Identifier: MIT */
#include "pure/gwalk.h"

#include "host/host.h"

#define MEM_PAGES 64
#define PG        (1ul << 31)
#define PE        1ul
#define WP        (1ul << 16)
#define PSE       (1ul << 4)
#define PAE       (1ul << 5)
#define SMEP      (1ul << 20)
#define SMAP      (1ul << 21)
#define LMA       (1ul << 10)
#define NXE       (1ul << 11)
#define NX        (1ul << 63)
#define P         1ul
#define W         2ul
#define U         4ul
#define LARGE     0x80ul

static u64 mem[MEM_PAGES * 512];

static bool read_mem(void *ctx, u64 gpa, void *out, unsigned int size)
{
    (void)ctx;
    if (gpa + size > sizeof(mem))
        return false;
    memcpy(out, (u8 *)mem + gpa, size);
    return true;
}

static void put(u64 table, unsigned int index, u64 e)
{
    mem[table / 8 + index] = e;
}

static const struct gwalk_mode lm = {
    .cr0 = PG | PE | WP, .cr3 = 0x1000, .cr4 = PAE, .efer = LMA | NXE};

/* True and the address, or false and the error code. */
static u64 walk(const struct gwalk_mode *m, u64 va, u32 access, bool *ok)
{
    u64 gpa = 0;
    u32 pfec = 0;

    *ok = gwalk_translate(m, va, access, read_mem, NULL, &gpa, &pfec);
    return *ok ? gpa : pfec;
}

static void check_ok(const struct gwalk_mode *m, u64 va, u32 access, u64 gpa)
{
    bool ok;
    u64 r = walk(m, va, access, &ok);

    CHECK(ok);
    CHECK_EQ(r, gpa);
}

static void check_fault(const struct gwalk_mode *m, u64 va, u32 access, u32 pfec)
{
    bool ok;
    u64 r = walk(m, va, access, &ok);

    CHECK(!ok);
    CHECK_EQ(r, pfec);
}

static void build(u64 leaf_flags)
{
    memset(mem, 0, sizeof(mem));
    put(0x1000, 1, 0x2000 | P | W | U);
    put(0x2000, 2, 0x3000 | P | W | U);
    put(0x2000, 3, 0x40000000 | P | W | LARGE);
    put(0x3000, 3, 0x4000 | P | W | U);
    put(0x3000, 4, 0x600000 | P | W | U | LARGE);
    put(0x4000, 5, 0x9000 | leaf_flags);
}

#define VA4K ((1ul << 39) | (2ul << 30) | (3ul << 21) | (5ul << 12) | 0x123)
#define VA2M ((1ul << 39) | (2ul << 30) | (4ul << 21) | 0x12345)
#define VA1G ((1ul << 39) | (3ul << 30) | 0x1234567)

TEST(long_mode_sizes)
{
    build(P | W | U);
    check_ok(&lm, VA4K, 0, 0x9123);
    check_ok(&lm, VA2M, GWALK_WRITE | GWALK_USER, 0x612345);
    check_ok(&lm, VA1G, GWALK_WRITE, 0x41234567);
    check_fault(&lm, VA1G, GWALK_USER, GWALK_USER | 1);
    check_fault(&lm, VA4K + 0x1000, GWALK_WRITE, GWALK_WRITE);
    check_fault(&lm, 1ul << 47, 0, 0);
    check_fault(&lm, VA4K | 1ul << 50, 0, 0);
}

TEST(rights)
{
    struct gwalk_mode m = lm;

    build(P);
    check_ok(&m, VA4K, 0, 0x9123);
    check_fault(&m, VA4K, GWALK_USER, GWALK_USER | 1);
    check_fault(&m, VA4K, GWALK_WRITE, GWALK_WRITE | 1);
    m.cr0 &= ~WP;
    check_ok(&m, VA4K, GWALK_WRITE, 0x9123);
    m = lm;
    build(P | U);
    check_fault(&m, VA4K, GWALK_WRITE | GWALK_USER, GWALK_WRITE | GWALK_USER | 1);
    m.cr0 &= ~WP; /* does not help user accesses */
    check_fault(&m, VA4K, GWALK_WRITE | GWALK_USER, GWALK_WRITE | GWALK_USER | 1);
    m = lm;
    build(P | W | U | NX);
    check_fault(&m, VA4K, GWALK_INSN | GWALK_USER, GWALK_INSN | GWALK_USER | 1);
    check_ok(&m, VA4K, GWALK_USER, 0x9123);
    m.efer &= ~NXE; /* the bit is reserved then */
    check_fault(&m, VA4K, GWALK_INSN, 9);
}

TEST(smep_and_smap)
{
    struct gwalk_mode m = lm;

    build(P | W | U);
    m.cr4 |= SMEP | SMAP;
    check_fault(&m, VA4K, GWALK_INSN, GWALK_INSN | 1);
    check_ok(&m, VA4K, GWALK_INSN | GWALK_USER, 0x9123);
    check_fault(&m, VA4K, 0, 1);
    m.ac = true;
    check_ok(&m, VA4K, 0, 0x9123);
    check_fault(&m, VA4K, GWALK_INSN, GWALK_INSN | 1);
    build(P | W);
    m.ac = false;
    check_ok(&m, VA4K, GWALK_INSN, 0x9123);
    check_ok(&m, VA4K, GWALK_WRITE, 0x9123);
}

TEST(no_paging_and_no_memory)
{
    struct gwalk_mode m = {.cr0 = PE};

    check_ok(&m, 0x123456789, GWALK_WRITE | GWALK_USER, 0x23456789);
    m = lm;
    m.cr3 = (u64)1 << 40;
    check_fault(&m, VA4K, 0, 0);
}

TEST(pae)
{
    struct gwalk_mode m = {.cr0 = PG | PE | WP, .cr3 = 0x1020, .cr4 = PAE, .efer = NXE};

    memset(mem, 0, sizeof(mem));
    put(0x1020, 1, 0x3000 | P); /* no rights at the top level */
    put(0x3000, 3, 0x4000 | P | W | U);
    put(0x3000, 4, 0x600000 | P | W | U | LARGE);
    put(0x4000, 5, 0x9000 | P | W | U | NX);
    check_ok(&m, 0x40000000 | 3 << 21 | 5 << 12 | 7, GWALK_USER | GWALK_WRITE, 0x9007);
    check_fault(&m, 0x40000000 | 3 << 21 | 5 << 12, GWALK_INSN, GWALK_INSN | 1);
    check_ok(&m, 0x40000000 | 4 << 21 | 0x1ffff, GWALK_USER, 0x61ffff);
    check_ok(&m, (1ul << 32) | 0x40000000 | 4 << 21, 0, 0x600000); /* the address is cut */
    check_fault(&m, 0x80000000, GWALK_USER, GWALK_USER);
}

TEST(thirty_two_bit)
{
    struct gwalk_mode m = {.cr0 = PG | PE | WP, .cr3 = 0x1fff, .cr4 = PSE};
    u32 *t = (u32 *)mem;

    memset(mem, 0, sizeof(mem));
    t[0x1000 / 4 + 1] = 0x3000 | 7;
    t[0x1000 / 4 + 2] = 0x00c00000u | 7 | 0x80 | 3 << 13; /* with address bits 32 and 33 */
    t[0x3000 / 4 + 9] = 0x8000 | 5;
    check_ok(&m, 1 << 22 | 9 << 12 | 0xabc, GWALK_USER, 0x8abc);
    check_fault(&m, 1 << 22 | 9 << 12, GWALK_WRITE, GWALK_WRITE | 1);
    check_ok(&m, 2 << 22 | 0x3fffff, GWALK_WRITE | GWALK_USER, 0x300ffffff);
    m.cr4 = 0; /* then it is a table */
    check_fault(&m, 2 << 22, 0, 0);
}

/* Any memory as tables: no read outside what the callback allows, and a translation keeps the
 * offset in the page. */
TEST(random_tables)
{
    unsigned int i, j;
    bool ok;
    u64 r;

    for (i = 0; i < 200; i++) {
        for (j = 0; j < ARRAY_SIZE(mem); j++)
            mem[j] = (host_rand_below(MEM_PAGES) << 12) | (host_rand() & 0x87) |
                     (host_rand() % 8 ? P | W | U : 0);
        for (j = 0; j < 50; j++) {
            struct gwalk_mode m = {.cr0 = PE | (host_rand() & (PG | WP)),
                                   .cr3 = host_rand_below(MEM_PAGES) << 12,
                                   .cr4 = host_rand() & (PSE | PAE | SMEP | SMAP),
                                   .efer = host_rand() & NXE};
            u64 va = host_rand();

            if (host_rand() & 1) {
                m.efer |= LMA;
                m.cr4 |= PAE;
                va = (u64)((s64)(va << 16) >> 16);
            }
            r = walk(&m, va, (u32)host_rand() & (GWALK_WRITE | GWALK_USER | GWALK_INSN), &ok);
            if (ok)
                CHECK_EQ(r & 0xfff, va & 0xfff);
            else
                CHECK_EQ(r & ~0x1ful, 0);
        }
    }
}
