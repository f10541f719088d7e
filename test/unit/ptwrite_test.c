/* SPDX-License-Identifier: MIT */
/*
 * Store instructions against the processor this test runs on: the same bytes are decoded and
 * computed here, and executed natively; memory, registers and defined flags must agree.
 */
#include <sys/mman.h>

#include "host/host.h"
#include "pure/ptwrite.h"

#define FLAGS_DEFINED_LOGIC 0x8c5 /* CF PF ZF SF OF; AF is undefined */
#define FLAGS_DEFINED_BIT   0x041 /* CF, and ZF kept */
#define FLAGS_ALL           0x8d5

typedef void (*native_fn)(u64 *mem, u64 rsi, u64 *rax, u64 *flags, u64 *rsi_out);

/* An instruction on (%rdi) with %rsi, by opcode bytes and immediate size. */
struct form {
    const char *name;
    u8 esc;     /* 0x0f or 0 */
    u8 op, op8; /* for 2, 4, 8 bytes, and for one byte; 0: no such form */
    u8 ext;     /* ModRM.reg: 6 is %rsi; else an extension */
    u8 imm;     /* 0; 1; 4: of the operand's size, at most 4 */
    bool lock;
    u64 flags;
};

static const struct form forms[] = {
    {"mov", 0, 0x89, 0x88, 6, 0, false, FLAGS_ALL},
    {"mov imm", 0, 0xc7, 0xc6, 0, 4, false, FLAGS_ALL},
    {"movnti", 0x0f, 0xc3, 0, 6, 0, false, FLAGS_ALL},
    {"xchg", 0, 0x87, 0x86, 6, 0, true, FLAGS_ALL},
    {"cmpxchg", 0x0f, 0xb1, 0xb0, 6, 0, true, FLAGS_ALL},
    {"or", 0, 0x09, 0x08, 6, 0, true, FLAGS_DEFINED_LOGIC},
    {"and", 0, 0x21, 0x20, 6, 0, true, FLAGS_DEFINED_LOGIC},
    {"or imm", 0, 0x81, 0x80, 1, 4, true, FLAGS_DEFINED_LOGIC},
    {"and imm", 0, 0x81, 0x80, 4, 4, true, FLAGS_DEFINED_LOGIC},
    {"or imm8", 0, 0x83, 0, 1, 1, true, FLAGS_DEFINED_LOGIC},
    {"and imm8", 0, 0x83, 0, 4, 1, true, FLAGS_DEFINED_LOGIC},
    {"bts", 0x0f, 0xab, 0, 6, 0, true, FLAGS_DEFINED_BIT},
    {"btr", 0x0f, 0xb3, 0, 6, 0, true, FLAGS_DEFINED_BIT},
    {"bts imm", 0x0f, 0xba, 0, 5, 1, true, FLAGS_DEFINED_BIT},
    {"btr imm", 0x0f, 0xba, 0, 6, 1, true, FLAGS_DEFINED_BIT},
};

static size_t assemble(u8 *p, const struct form *f, u32 width, bool lock, u64 imm)
{
    u8 *start = p;
    u8 size = f->imm == 4 ? (u8)MIN(width, 4u) : f->imm;

    if (lock)
        *p++ = 0xf0;
    if (width == 2)
        *p++ = 0x66;
    if (width == 8 || width == 1)
        *p++ = width == 8 ? 0x48 : 0x40;
    if (f->esc)
        *p++ = f->esc;
    *p++ = width == 1 ? f->op8 : f->op;
    *p++ = (u8)(f->ext << 3 | 7);
    memcpy(p, &imm, size);
    return (size_t)(p + size - start);
}

/* Loads rax and flags, the instruction, stores flags, rax and rsi. */
static void execute(const u8 *insn, size_t len, u64 *mem, u64 *rsi, u64 *rax, u64 *flags)
{
    static const u8 before[] = {0x48, 0x8b, 0x02, 0xff, 0x31, 0x9d};
    static const u8 after[] = {0x9c, 0x8f, 0x01, 0x48, 0x89, 0x02, 0x49, 0x89, 0x30, 0xc3};
    static u8 *page;
    native_fn fn;
    u8 *p;

    if (!page)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
    CHECK(page != MAP_FAILED);
    p = page;
    memcpy(p, before, sizeof(before));
    memcpy(p + sizeof(before), insn, len);
    memcpy(p + sizeof(before) + len, after, sizeof(after));
    memcpy(&fn, &p, sizeof(fn));
    fn(mem, *rsi, rax, flags, rsi);
}

static u64 some_value(void)
{
    static const u64 edges[] = {0,
                                1,
                                0x7f,
                                0x80,
                                0xff,
                                0x7fff,
                                0x8000,
                                0x7fffffff,
                                0x80000000,
                                0xffffffff,
                                0x8000000000000000,
                                ~0ul,
                                0x67,
                                0x8000000000000067};

    return host_rand_below(2) ? edges[host_rand_below(ARRAY_SIZE(edges))] : host_rand();
}

static u64 cut(u64 v, u32 width)
{
    return width == 8 ? v : v & ((1ul << (8 * width)) - 1);
}

/* A register after a write of the operand's width. */
static u64 merged(u64 reg, u64 val, u32 width)
{
    return width >= 4 ? cut(val, width) : (reg & ~cut(~0ul, width)) | cut(val, width);
}

static void compare(const struct form *f, u32 width)
{
    u64 mem = some_value(), rsi = some_value(), rax = host_rand_below(2) ? mem : some_value();
    u64 flags = 0x202 | (host_rand() & FLAGS_ALL), old = cut(mem, width), imm = some_value(), val;
    u64 n_mem = mem, n_rsi = rsi, n_rax = rax, n_flags = flags;
    struct x86_insn in;
    struct ptwrite w;
    u8 code[16];
    size_t len;
    bool store;

    if (f->esc && (f->op == 0xab || f->op == 0xb3))
        rsi = n_rsi = rsi % (8 * width); /* beyond the operand is refused, see below */
    len = assemble(code, f, width, f->lock && host_rand_below(2), imm);
    CHECK_EQ(x86_decode(&in, code, len, 64), 0);
    CHECK_EQ(in.len, len);
    if (!ptwrite_decode(&in, rsi, &w))
        FAIL("%s, %u bytes: not understood", f->name, width);
    CHECK_EQ(w.width, width);
    val = ptwrite_value(&w, old, rax, &store);
    execute(code, len, &n_mem, &n_rsi, &n_rax, &n_flags);
    if (n_mem != (store ? (mem & ~cut(~0ul, width)) | cut(val, width) : mem))
        FAIL("%s, %u bytes: memory %llx became %llx, expected %llx", f->name, width,
             (unsigned long long)mem, (unsigned long long)n_mem, (unsigned long long)val);
    flags = ptwrite_flags(&w, flags, old, val, rax);
    if ((flags ^ n_flags) & f->flags)
        FAIL("%s, %u bytes: flags %llx, expected %llx", f->name, width, (unsigned long long)n_flags,
             (unsigned long long)flags);
    CHECK_EQ(n_rsi, w.op == PTWRITE_XCHG ? merged(rsi, old, width) : rsi);
    CHECK_EQ(n_rax, w.op == PTWRITE_CMPXCHG && !store ? merged(rax, old, width) : rax);
}

TEST(agrees_with_the_processor)
{
    static const u32 widths[] = {1, 2, 4, 8};
    unsigned int i, j, k;

    for (i = 0; i < ARRAY_SIZE(forms); i++)
        for (j = 0; j < 4; j++) {
            if (widths[j] == 1 && !forms[i].op8)
                continue;
            if (widths[j] == 2 && forms[i].op == 0xc3)
                continue;
            for (k = 0; k < 500; k++)
                compare(&forms[i], widths[j]);
        }
}

static bool understood(const char *code, size_t n, u64 reg)
{
    struct x86_insn in;
    struct ptwrite w;

    CHECK_EQ(x86_decode(&in, (const u8 *)code, n, 64), 0);
    return ptwrite_decode(&in, reg, &w);
}

TEST(refuses_the_rest)
{
    CHECK(understood("\x48\x89\x01", 3, 0));
    CHECK(!understood("\x48\x8b\x01", 3, 0));         /* a load */
    CHECK(!understood("\x48\x89\xc1", 3, 0));         /* no memory operand */
    CHECK(!understood("\xf3\xa4", 2, 0));             /* rep movsb */
    CHECK(!understood("\x48\x01\x01", 3, 0));         /* add */
    CHECK(!understood("\x48\x83\x01\x01", 4, 0));     /* add imm */
    CHECK(!understood("\x48\x83\x29\x01", 4, 0));     /* sub imm */
    CHECK(!understood("\xf0\x48\x0f\xc1\x01", 5, 0)); /* xadd */
    CHECK(!understood("\xf0\x48\x0f\xc7\x09", 5, 0)); /* cmpxchg16b */
    CHECK(!understood("\x48\x0f\xba\x39\x01", 5, 0)); /* btc */
    CHECK(!understood("\x0f\x11\x01", 3, 0));         /* movups */
    CHECK(!understood("\x67\x48\x89\x01", 4, 0));     /* address size */
    CHECK(understood("\x48\x0f\xb3\x31", 4, 63));
    CHECK(!understood("\x48\x0f\xb3\x31", 4, 64)); /* the next word */
    CHECK(!understood("\x48\x0f\xb3\x31", 4, ~0ul));
    CHECK(!understood("\x0f\xb3\x31", 3, 32));
}

/* The quick reader never disagrees with the decoder, and knows what Linux uses. */
TEST(quick_agrees_with_the_decoder)
{
    static const u8 first[] = {0xf0, 0x48, 0x49, 0x4c, 0x4d, 0x41,
                               0x40, 0x87, 0x89, 0x80, 0x66, 0x64};
    u32 i, k, known = 0;

    for (i = 0; i < 400000; i++) {
        struct ptwrite_quick q;
        struct x86_insn in;
        struct ptwrite w;
        u64 bytes = 0;
        u8 code[16] = {0};

        for (k = 0; k < 8; k++)
            code[k] = (u8)host_rand();
        for (k = 0; k < 1 + i % 4; k++)
            if (host_rand_below(4))
                code[k] = first[host_rand_below(ARRAY_SIZE(first))];
        memcpy(&bytes, code, 8);
        if (!ptwrite_quick(bytes, &q))
            continue;
        known++;
        CHECK(x86_decode(&in, code, 15, 64) == 0);
        CHECK(in.mem && in.len == q.len);
        CHECK(ptwrite_decode(&in, 0x1122334455667788, &w));
        CHECK(w.op == q.op);
        CHECK(w.width == (q.op == PTWRITE_AND ? 1 : 8));
        if (q.op == PTWRITE_AND)
            CHECK(w.src == q.imm);
        else
            CHECK(in.reg == q.reg);
    }
    CHECK(known > 1000);
}

/* The bytes as they stand in Linux 6.1: xchg and lock and with various addresses. */
TEST(quick_knows_linux)
{
    static const struct {
        u8 code[8];
        u8 len;
        enum ptwrite_op op;
    } cases[] = {
        {{0x48, 0x87, 0x06}, 3, PTWRITE_XCHG},                  /* xchg %rax,(%rsi) */
        {{0x49, 0x87, 0x44, 0x24, 0x08}, 5, PTWRITE_XCHG},      /* xchg %rax,8(%r12) */
        {{0xf0, 0x80, 0x24, 0x24, 0xfd}, 5, PTWRITE_AND},       /* lock andb $,(%rsp) */
        {{0xf0, 0x41, 0x80, 0x65, 0x00, 0xfd}, 6, PTWRITE_AND}, /* lock andb $,0(%r13) */
        {{0xf0, 0x80, 0xa3, 0x00, 0x01, 0x00, 0x00, 0xdf}, 8, PTWRITE_AND},
        {{0x48, 0x89, 0x02}, 3, PTWRITE_MOV}, /* mov %rax,(%rdx) */
    };
    struct ptwrite_quick q;
    u64 bytes;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        memcpy(&bytes, cases[i].code, 8);
        CHECK(ptwrite_quick(bytes, &q));
        CHECK(q.len == cases[i].len && q.op == cases[i].op);
        if (q.op == PTWRITE_AND)
            CHECK(q.imm == cases[i].code[q.len - 1]);
    }
    CHECK(!ptwrite_quick(0xc08748, &q)); /* a register operand */
    CHECK(!ptwrite_quick(0x0687, &q));   /* four bytes wide */
    CHECK(!ptwrite_quick(0x06874866, &q));
}
