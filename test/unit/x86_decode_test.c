/* SPDX-License-Identifier: MIT */
/*
 * The decoder against the assembler: each line is assembled into this program, so bytes and lengths
 * are not typed by hand; then operands, prefixes, modes and refusals one by one.
 */
#include "host/host.h"
#include "pure/x86_decode.h"

struct sample {
    s32 code; /* offset from this field */
    s32 len;
    s32 text;
};

/* One instruction and its record: section sample_list is an array of struct sample. */
#define INSN(text)                                                                                 \
    __asm__(".pushsection .text\n11: " text "\n12: .popsection\n"                                  \
            ".pushsection .rodata\n13: .asciz \"" text "\"\n.popsection\n"                         \
            ".pushsection sample_list,\"a\"\n.balign 4\n"                                          \
            ".long 11b - .\n.long 12b - 11b\n.long 13b - .\n.popsection\n");

INSN("xchg %rax, (%rdi)")
INSN("xchg %r9, 0x1000(%r12,%r13,8)")
INSN("xchgb %al, 5(%rbp)")
INSN("lock cmpxchg %rcx, 0x10(%rax,%rbx,4)")
INSN("lock cmpxchgb %cl, (%rax)")
INSN("lock cmpxchg8b (%rsi)")
INSN("lock cmpxchg16b (%rsi)")
INSN("lock andb $0xfd, 0x8(%rcx)")
INSN("lock andq $-3, (%rcx)")
INSN("lock orl $0x12345678, (%r8)")
INSN("lock btrq $1, (%rdx)")
INSN("lock btsq %rax, (%rdx)")
INSN("lock btcl $31, 0x7fffffff(%rdx)")
INSN("movabs %rax, 0x1122334455667788")
INSN("movabs $0x1122334455667788, %r10")
INSN("movq $-1, (%rax)")
INSN("movw $0x1234, (%rax)")
INSN("movb $1, 3(%rip)")
INSN("addq $0x12345678, 0x10(%rip)")
INSN("subl %esi, (,%rdi,2)")
INSN("mov %fs:0x28, %rax")
INSN("mov %gs:(%eax), %rcx")
INSN("movnti %rax, (%rdi)")
INSN("in $0x71, %al")
INSN("in (%dx), %eax")
INSN("out %ax, (%dx)")
INSN("out %al, $0x70")
INSN("rep insw")
INSN("rep outsl")
INSN("rdmsr")
INSN("wrmsr")
INSN("mov %cr4, %rax")
INSN("mov %r9, %cr8")
INSN("mov %rdx, %dr7")
INSN("cli")
INSN("sti")
INSN("clts")
INSN("hlt")
INSN("wbinvd")
INSN("xsetbv")
INSN("rdtscp")
INSN("cpuid")
INSN("rdtsc")
INSN("int $0x80")
INSN("int3")
INSN("enter $0x100, $2")
INSN("ret $8")
INSN("testb $1, (%rax)")
INSN("testq $1, (%rax)")
INSN("notq (%rax)")
INSN("divb (%rax)")
INSN("pushq $0x12345678")
INSN("pushw $0x1234")
INSN("push $5")
INSN("imul $0x1000, (%rax), %ebx")
INSN("call *0x20(%rax)")
INSN("nopw 0x0(%rax,%rax,1)")
INSN("pshufd $0xe4, %xmm0, %xmm1")
INSN("palignr $3, (%rax), %xmm2")
INSN("pshufb %xmm3, %xmm4")
INSN("extrq $1, $2, %xmm0")
INSN("vzeroupper")
INSN("vpaddd (%r15), %ymm1, %ymm2")
INSN("vpshufd $1, %xmm0, %xmm1")
INSN("vpermq $0x4e, %ymm1, %ymm9")
INSN("andn %rax, %rbx, %rcx")
INSN("vpaddd 0x40(%rax), %zmm1, %zmm2")
INSN("vpternlogd $0xff, %zmm0, %zmm0, %zmm0")
INSN("pfadd %mm0, %mm1")
INSN("lwpins $1, %eax, %ebx") /* XOP: refused */
INSN("bswap %r11")
INSN("xadd %eax, (%rax)")
INSN("sysretq")
INSN("swapgs")

extern const struct sample __start_sample_list[], __stop_sample_list[];

static const u8 *code_of(const struct sample *s)
{
    return (const u8 *)&s->code + s->code;
}

static const char *text_of(const struct sample *s)
{
    return (const char *)&s->text + s->text;
}

static struct x86_insn decode(const u8 *code, size_t n, unsigned int mode)
{
    struct x86_insn in;

    CHECK_EQ(x86_decode(&in, code, n, mode), 0);
    CHECK_EQ(in.len, n);
    return in;
}

#define DECODE(mode, ...)                                                                          \
    decode((const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__}), (mode))

/* The sample with this text, decoded. */
static struct x86_insn sample(const char *text)
{
    const struct sample *s;

    for (s = __start_sample_list; s < __stop_sample_list; s++)
        if (!strcmp(text_of(s), text))
            return decode(code_of(s), (size_t)s->len, 64);
    FAIL("no sample %s", text);
}

TEST(lengths_agree_with_the_assembler)
{
    const struct sample *s;
    struct x86_insn in;
    u8 buf[32];
    int rc;

    for (s = __start_sample_list; s < __stop_sample_list; s++) {
        memset(buf, 0x90, sizeof(buf));
        memcpy(buf, code_of(s), (size_t)s->len);
        rc = x86_decode(&in, buf, sizeof(buf), 64);
        if (strstr(text_of(s), "lwpins")) {
            CHECK_EQ(rc, -EINVAL);
            continue;
        }
        if (rc || in.len != s->len)
            FAIL("%s: rc %d, length %u, not %d", text_of(s), rc, in.len, s->len);
    }
}

/* Each shorter piece says that more is needed, and is not read beyond. */
TEST(truncations_ask_for_more)
{
    const struct sample *s;
    struct x86_insn in;
    s32 n;

    for (s = __start_sample_list; s < __stop_sample_list; s++)
        for (n = 0; n < s->len; n++) {
            u8 exact[16];

            memcpy(exact, code_of(s), (size_t)n);
            if (x86_decode(&in, exact, (size_t)n, 64) != -EAGAIN && !strstr(text_of(s), "lwpins"))
                FAIL("%s cut to %d bytes", text_of(s), n);
        }
}

TEST(memory_operands)
{
    struct x86_insn in = sample("lock cmpxchg %rcx, 0x10(%rax,%rbx,4)");

    CHECK(in.prefix & X86_PFX_LOCK);
    CHECK_EQ(in.map, X86_MAP_0F);
    CHECK_EQ(in.opcode, 0xb1);
    CHECK(in.mem);
    CHECK_EQ(in.reg, 1);
    CHECK_EQ(in.base, 0);
    CHECK_EQ(in.index, 3);
    CHECK_EQ(in.scale, 2);
    CHECK_EQ(in.disp, 0x10);
    CHECK_EQ(in.width, 8);

    in = sample("xchg %r9, 0x1000(%r12,%r13,8)");
    CHECK_EQ(in.reg, 9);
    CHECK_EQ(in.base, 12);
    CHECK_EQ(in.index, 13);
    CHECK_EQ(in.scale, 3);
    CHECK_EQ(in.disp, 0x1000);

    in = sample("subl %esi, (,%rdi,2)");
    CHECK_EQ(in.base, X86_REG_NONE);
    CHECK_EQ(in.index, 7);
    CHECK_EQ(in.width, 4);

    in = sample("movabs %rax, 0x1122334455667788");
    CHECK(in.mem);
    CHECK_EQ(in.disp, 0x1122334455667788);
    CHECK_EQ(in.base, X86_REG_NONE);

    in = sample("mov %fs:0x28, %rax");
    CHECK_EQ(in.seg, X86_SEG_FS);
    CHECK_EQ(in.disp, 0x28);
    in = sample("mov %gs:(%eax), %rcx");
    CHECK_EQ(in.seg, X86_SEG_GS);
    CHECK_EQ(in.asize, 4);
}

TEST(widths_and_immediates)
{
    struct x86_insn in = sample("lock andb $0xfd, 0x8(%rcx)");

    CHECK_EQ(in.width, 1);
    CHECK_EQ(in.imm, -3);
    CHECK_EQ(in.imm_size, 1);
    CHECK_EQ(in.reg & 7, 4);
    in = sample("lock orl $0x12345678, (%r8)");
    CHECK_EQ(in.width, 4);
    CHECK_EQ(in.imm, 0x12345678);
    in = sample("movq $-1, (%rax)");
    CHECK_EQ(in.width, 8);
    CHECK_EQ(in.imm_size, 4);
    CHECK_EQ(in.imm, -1);
    in = sample("movabs $0x1122334455667788, %r10");
    CHECK_EQ(in.imm, 0x1122334455667788);
    in = sample("movw $0x1234, (%rax)");
    CHECK_EQ(in.width, 2);
    CHECK_EQ(in.imm, 0x1234);
    in = sample("lock btrq $1, (%rdx)");
    CHECK_EQ(in.opcode, 0xba);
    CHECK_EQ(in.reg & 7, 6);
    CHECK_EQ(in.imm, 1);
    in = sample("in $0x71, %al");
    CHECK_EQ(in.width, 1);
    CHECK_EQ((u8)in.imm, 0x71);
    CHECK_EQ(sample("out %ax, (%dx)").width, 2);
    in = sample("rep insw");
    CHECK(in.prefix & X86_PFX_REP);
    CHECK_EQ(in.width, 2);
    CHECK_EQ(sample("pushq $0x12345678").osize, 8);
    CHECK_EQ(DECODE(64, 0x0f, 0xb7, 0x00).width, 2); /* movzwl (%rax), %eax */
    CHECK_EQ(DECODE(64, 0x0f, 0xb6, 0x00).width, 1);
}

/* Operands in memory that are not of the operand's size, as processors have them. */
TEST(odd_widths)
{
    CHECK_EQ(DECODE(64, 0x48, 0x63, 0x00).width, 4);             /* movslq (%rax), %rax */
    CHECK_EQ(DECODE(32, 0x63, 0x00).width, 2);                   /* arpl */
    CHECK_EQ(DECODE(64, 0x8c, 0x18).width, 2);                   /* mov %ds, (%rax) */
    CHECK_EQ(DECODE(64, 0x8c, 0xd8).width, 4);                   /* mov %ds, %eax */
    CHECK_EQ(DECODE(64, 0xff, 0x10).width, 8);                   /* call *(%rax) */
    CHECK_EQ(DECODE(64, 0x66, 0xff, 0x20).width, 8);             /* jmp *(%rax) */
    CHECK_EQ(DECODE(64, 0xff, 0x30).width, 8);                   /* push (%rax) */
    CHECK_EQ(DECODE(64, 0x66, 0xff, 0x30).width, 2);             /* pushw (%rax) */
    CHECK_EQ(DECODE(64, 0xff, 0x00).width, 4);                   /* incl (%rax) */
    CHECK_EQ(DECODE(32, 0xff, 0x10).width, 4);                   /* call *(%eax) */
    CHECK_EQ(DECODE(16, 0x0f, 0xc3, 0x07).width, 4);             /* movnti %eax, (%bx) */
    CHECK_EQ(DECODE(64, 0xf2, 0x0f, 0x38, 0xf0, 0x00).width, 1); /* crc32b (%rax), %eax */
    CHECK_EQ(DECODE(64, 0x0f, 0x38, 0xf0, 0x00).width, 4);       /* movbe (%rax), %eax */
}

/* mov to and from control registers has register operands whatever mod says. */
TEST(control_register_moves)
{
    struct x86_insn in = sample("mov %r9, %cr8");

    CHECK_EQ(in.reg, 8);
    CHECK_EQ(in.rm, 9);
    CHECK(!in.mem);
    in = DECODE(64, 0x0f, 0x20, 0x05);
    CHECK(!in.mem);
    CHECK_EQ(in.rm, 5);
    in = sample("xsetbv");
    CHECK_EQ(in.opcode, 1);
    CHECK_EQ(in.reg, 2);
    CHECK_EQ(in.rm, 1);
}

TEST(prefix_order)
{
    struct x86_insn in;

    /* REX only counts right before the opcode. */
    in = DECODE(64, 0x48, 0x66, 0x89, 0x00);
    CHECK_EQ(in.rex, 0);
    CHECK_EQ(in.width, 2);
    in = DECODE(64, 0x66, 0x48, 0x89, 0x00);
    CHECK_EQ(in.width, 8);
    /* The last of F2 and F3 counts, and the last segment. */
    in = DECODE(64, 0xf3, 0xf2, 0x6c);
    CHECK_EQ(in.prefix, X86_PFX_REPNE);
    in = DECODE(64, 0x65, 0x64, 0x8b, 0x00);
    CHECK_EQ(in.seg, X86_SEG_FS);
    /* In 64-bit mode the others are no overrides: FS or GS stays. */
    CHECK_EQ(DECODE(64, 0x65, 0x3e, 0x8b, 0x00).seg, X86_SEG_GS);
    CHECK_EQ(DECODE(64, 0x26, 0x8b, 0x00).seg, X86_SEG_NONE);
    CHECK_EQ(DECODE(32, 0x65, 0x3e, 0x8b, 0x00).seg, X86_SEG_DS);
    in = DECODE(64, 0x48, 0x3e, 0x89, 0x00);
    CHECK_EQ(in.rex, 0);
}

TEST(other_modes)
{
    struct x86_insn in;

    in = DECODE(32, 0x40); /* inc %eax */
    CHECK_EQ(in.opcode, 0x40);
    in = DECODE(32, 0xc5, 0x00); /* lds (%eax), %eax */
    CHECK(in.mem);
    in = DECODE(32, 0x8b, 0x05, 1, 2, 3, 4);
    CHECK_EQ(in.base, X86_REG_NONE);
    CHECK_EQ(in.disp, 0x04030201);
    in = DECODE(32, 0xea, 1, 2, 3, 4, 5, 6);
    CHECK_EQ(in.imm, 0x04030201);
    in = DECODE(32, 0xa1, 1, 2, 3, 4);
    CHECK_EQ(in.disp, 0x04030201);
    in = DECODE(32, 0x67, 0x8b, 0x47, 0x05); /* 5(%bx) */
    CHECK_EQ(in.base, 3);
    CHECK_EQ(in.index, X86_REG_NONE);
    CHECK_EQ(in.asize, 2);
    in = DECODE(16, 0x8b, 0x42, 0xff); /* -1(%bp,%si) */
    CHECK_EQ(in.base, 5);
    CHECK_EQ(in.index, 6);
    CHECK_EQ(in.disp, -1);
    CHECK_EQ(in.osize, 2);
    in = DECODE(16, 0x8b, 0x06, 0x34, 0x12);
    CHECK_EQ(in.disp, 0x1234);
    CHECK_EQ(in.base, X86_REG_NONE);
    in = DECODE(16, 0x66, 0xb8, 1, 2, 3, 4);
    CHECK_EQ(in.osize, 4);
    in = DECODE(16, 0xe8, 1, 2);
    CHECK_EQ(in.imm_size, 2);
    in = DECODE(64, 0x62, 0xf5, 0x7c, 0x48, 0x58, 0x40, 0x01); /* vaddph 64(%rax), %zmm0, %zmm0 */
    CHECK_EQ(in.map, X86_MAP_5);
    CHECK_EQ(in.len, 7);
    in = DECODE(32, 0xd6); /* salc */
    CHECK_EQ(in.len, 1);
}

TEST(refusals)
{
    static const u8 bad64[][4] = {
        {0x06},
        {0x27},
        {0x60},
        {0x9a, 0, 0, 0},
        {0xea, 0, 0, 0},
        {0xce},
        {0xd4, 0},
        {0x82, 0, 0},
        {0x0f, 0x04},
        {0x0f, 0x24, 0xc0},
        {0xd6},
        {0x0f, 0xff - 0xf5},
        {0x8f, 0xc8},
        {0xc4, 0xe0, 0, 0},
        {0x62, 0xf4, 0, 0},
    };
    struct x86_insn in;
    u8 buf[32];
    u32 i;

    for (i = 0; i < ARRAY_SIZE(bad64); i++) {
        memset(buf, 0, sizeof(buf));
        memcpy(buf, bad64[i], sizeof(bad64[i]));
        if (x86_decode(&in, buf, sizeof(buf), 64) != -EINVAL)
            FAIL("%02x %02x %02x was accepted", buf[0], buf[1], buf[2]);
    }
    /* 15 bytes are legal, 16 are not. */
    memset(buf, 0x66, sizeof(buf));
    buf[14] = 0x90;
    CHECK_EQ(x86_decode(&in, buf, sizeof(buf), 64), 0);
    CHECK_EQ(in.len, 15);
    buf[14] = 0x66;
    CHECK_EQ(x86_decode(&in, buf, sizeof(buf), 64), -EINVAL);
}

TEST(addresses)
{
    static const u8 slot[16] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    struct x86_insn in;
    u64 regs[16];
    u32 i;

    for (i = 0; i < 16; i++)
        regs[slot[i]] = 0x100000000ul * (i + 1);
    in = sample("lock cmpxchg %rcx, 0x10(%rax,%rbx,4)");
    CHECK_EQ(x86_decode_address(&in, regs, slot, 0), 0x100000000 + 4 * 0x400000000 + 0x10);
    in = sample("addq $0x12345678, 0x10(%rip)");
    CHECK_EQ(x86_decode_address(&in, regs, slot, 0xffff800000001000), 0xffff800000001010);
    regs[slot[0]] = 0x1fffffff0;
    in = sample("mov %gs:(%eax), %rcx");
    CHECK_EQ(x86_decode_address(&in, regs, slot, 0), 0xfffffff0);
    in = DECODE(16, 0x8b, 0x40, 0x20); /* 0x20(%bx,%si) */
    regs[slot[3]] = 0xfff0;
    regs[slot[6]] = 0x10;
    CHECK_EQ(x86_decode_address(&in, regs, slot, 0), 0x20);
}

TEST(byte_registers)
{
    struct x86_insn in = DECODE(64, 0x86, 0x20); /* xchg %ah, (%rax) */
    u8 reg;

    CHECK_EQ(x86_decode_byte_reg(&in, in.reg, &reg), 8);
    CHECK_EQ(reg, 0);
    in = DECODE(64, 0x40, 0x86, 0x20); /* xchg %spl, (%rax) */
    CHECK_EQ(x86_decode_byte_reg(&in, in.reg, &reg), 0);
    CHECK_EQ(reg, 4);
    in = DECODE(64, 0x86, 0x18); /* xchg %bl, (%rax) */
    CHECK_EQ(x86_decode_byte_reg(&in, in.reg, &reg), 0);
    CHECK_EQ(reg, 3);
}
