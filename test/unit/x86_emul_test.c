/* SPDX-License-Identifier: MIT */
/*
 * Moves to and from a device, by hand: which instructions, the order of accesses, parts of
 * registers. That a processor does the same is shown by test/native.
 */
#include "host/host.h"
#include "pure/x86_emul.h"

static const u8 slot[16] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
static u64 regs[16], device;
static char order[8];
static u32 widths[8], accesses;

static u64 device_read(void *ctx, u32 width)
{
    CHECK(ctx == &device);
    order[accesses] = 'r';
    widths[accesses++] = width;
    return device;
}

static void device_write(void *ctx, u32 width, u64 val)
{
    CHECK(ctx == &device);
    order[accesses] = 'w';
    widths[accesses++] = width;
    device = val;
}

static bool perform(const u8 *code, size_t n)
{
    static const struct x86_emul_port port = {device_read, device_write, &device};
    struct x86_insn in;
    u32 i;

    for (i = 0; i < 16; i++)
        regs[slot[i]] = 0x1111111111111111ul * i;
    device = 0x8899aabbccddeeff;
    accesses = 0;
    memset(order, 0, sizeof(order));
    CHECK_EQ(x86_decode(&in, code, n, 64), 0);
    return x86_emul_move(&in, regs, slot, &port);
}
#define PERFORM(...) perform((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}))

TEST(loads_and_stores)
{
    CHECK(PERFORM(0x89, 0x1f)); /* mov %ebx, (%rdi) */
    CHECK(!strcmp(order, "w"));
    CHECK_EQ(widths[0], 4);
    CHECK_EQ(device, 0x33333333);
    CHECK(PERFORM(0x44, 0x8b, 0x0f)); /* mov (%rdi), %r9d */
    CHECK(!strcmp(order, "r"));
    CHECK_EQ(regs[slot[9]], 0xccddeeff);
    CHECK(PERFORM(0x66, 0x8b, 0x0f)); /* mov (%rdi), %cx */
    CHECK_EQ(regs[slot[1]], 0x111111111111eeff);
    CHECK(PERFORM(0xc6, 0x07, 0x85)); /* movb $0x85, (%rdi) */
    CHECK_EQ(widths[0], 1);
    CHECK_EQ(device, 0x85);
    CHECK(PERFORM(0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff)); /* movq $-2, (%rdi) */
    CHECK_EQ(device, 0xfffffffffffffffe);
    CHECK(PERFORM(0xa3, 1, 2, 3, 4, 5, 6, 7, 8)); /* mov %eax, moffs */
    CHECK_EQ(device, 0);
    CHECK(PERFORM(0x0f, 0xc3, 0x1f)); /* movnti %ebx, (%rdi) */
    CHECK_EQ(device, 0x33333333);
}

TEST(high_bytes)
{
    CHECK(PERFORM(0x88, 0x27)); /* mov %ah, (%rdi) */
    CHECK_EQ(device, 0);
    CHECK(PERFORM(0x8a, 0x2f)); /* mov (%rdi), %ch */
    CHECK_EQ(regs[slot[1]], 0x111111111111ff11);
    CHECK(PERFORM(0x40, 0x8a, 0x2f)); /* mov (%rdi), %bpl */
    CHECK_EQ(regs[slot[5]], 0x55555555555555ff);
}

TEST(widening)
{
    CHECK(PERFORM(0x0f, 0xb6, 0x0f)); /* movzbl (%rdi), %ecx */
    CHECK_EQ(regs[slot[1]], 0xff);
    CHECK(PERFORM(0x48, 0x0f, 0xbf, 0x0f)); /* movswq (%rdi), %rcx */
    CHECK_EQ(widths[0], 2);
    CHECK_EQ(regs[slot[1]], 0xffffffffffffeeff);
    CHECK(PERFORM(0x66, 0x0f, 0xbe, 0x0f)); /* movsbw (%rdi), %cx */
    CHECK_EQ(regs[slot[1]], 0x111111111111ffff);
}

TEST(exchange_reads_before_it_writes)
{
    CHECK(PERFORM(0x87, 0x1f)); /* xchg %ebx, (%rdi) */
    CHECK(!strcmp(order, "rw"));
    CHECK_EQ(device, 0x33333333);
    CHECK_EQ(regs[slot[3]], 0xccddeeff);
}

TEST(others_do_nothing)
{
    CHECK(!PERFORM(0x01, 0x1f));             /* add %ebx, (%rdi) */
    CHECK(!PERFORM(0x89, 0xdf));             /* mov %ebx, %edi */
    CHECK(!PERFORM(0xf3, 0x89, 0x1f));       /* xrelease mov: not guessed at */
    CHECK(!PERFORM(0xa4));                   /* movsb */
    CHECK(!PERFORM(0xc7, 0x37, 1, 2, 3, 4)); /* no mov */
    CHECK(!PERFORM(0xc5, 0xf8, 0xc3, 0x07)); /* a vector instruction */
    CHECK_EQ(accesses, 0);
}
