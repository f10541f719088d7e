/* SPDX-License-Identifier: MIT */
/*
 * What instruction do these bytes hold?
 *
 * One pass: legacy prefixes, REX or VEX/EVEX, opcode map, then a table gives each opcode its ModRM
 * and immediate shape; a few opcodes with shapes of their own are named in imm_bytes(). Every byte
 * is taken through take(), which ends the decoding at the buffer's end or at 15 bytes. Left out:
 * AMD's XOP, and whether a ModRM extension, a vector prefix or a CPU feature makes a combination
 * illegal - the processor has already said so, or will.
 */
#include "pure/x86_decode.h"

#include "base/lib.h"

/* Shape of an opcode. */
#define M   0x01 /* ModRM */
#define B   0x02 /* byte operand */
#define I8  0x04 /* immediate of one byte */
#define IZ  0x08 /* immediate of 2 or 4 bytes by operand size */
#define D64 0x10 /* operand size is 64 bits in 64-bit mode unless 66 */
#define X   0x20 /* shape of its own */
#define U   0x40 /* no instruction */
#define N64 0x80 /* no instruction in 64-bit mode */

/* One row of eight arithmetic forms; the last two slots are segment pushes or decimal adjusts. */
#define ARITH M | B, M, M | B, M, B | I8, IZ

/* clang-format off */
static const u8 shape_1[256] = {
    /* 00 */ ARITH, N64, N64, ARITH, N64, U,
    /* 10 */ ARITH, N64, N64, ARITH, N64, N64,
    /* 20 */ ARITH, U, N64, ARITH, U, N64,
    /* 30 */ ARITH, U, N64, ARITH, U, N64,
    /* 40: inc and dec; REX prefixes in 64-bit mode never get here */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* 50 */ D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64, D64,
    /* 60 */ N64, N64, N64 | M, M, U, U, U, U,
    /* 68 */ IZ | D64, M | IZ, I8 | D64, M | I8, B, 0, B, 0,
    /* 70 */ I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64,
    /* 78 */ I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64, I8 | D64,
    /* 80 */ M | B | I8, M | IZ, N64 | M | B | I8, M | I8, M | B, M, M | B, M,
    /* 88 */ M | B, M, M | B, M, M, M, M, M | D64,
    /* 90 */ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, N64 | X, 0, D64, D64, 0, 0,
    /* a0 */ B | X, X, B | X, X, B, 0, B, 0, B | I8, IZ, B, 0, B, 0, B, 0,
    /* b0 */ B | I8, B | I8, B | I8, B | I8, B | I8, B | I8, B | I8, B | I8,
    /* b8 */ X, X, X, X, X, X, X, X,
    /* c0 */ M | B | I8, M | I8, X | D64, D64, N64 | M, N64 | M, M | B | I8, M | IZ,
    /* c8 */ X | D64, D64, X, 0, 0, I8, N64, 0,
    /* d0 */ M | B, M, M | B, M, N64 | I8, N64 | I8, N64, B, M, M, M, M, M, M, M, M,
    /* e0 */ I8 | D64, I8 | D64, I8 | D64, I8 | D64, B | I8, I8, B | I8, I8,
    /* e8 */ IZ | D64, IZ | D64, N64 | X, I8 | D64, B, 0, B, 0,
    /* f0 */ U, 0, U, U, 0, 0, M | B | X, M | X, 0, 0, 0, 0, 0, 0, M | B, M,
};

#define M8 M, M, M, M, M, M, M, M

static const u8 shape_0f[256] = {
    /* 00 */ M, M, M, M, U, 0, 0, 0, 0, 0, U, 0, U, M, 0, M | I8,
    /* 10 */ M8, M8,
    /* 20 */ M | X, M | X, M | X, M | X, U, U, U, U, M8,
    /* 30 */ 0, 0, 0, 0, 0, 0, U, 0, U, U, U, U, U, U, U, U,
    /* 40 */ M8, M8,
    /* 50 */ M8, M8,
    /* 60 */ M8, M8,
    /* 70 */ M | I8, M | I8, M | I8, M | I8, M, M, M, 0, M | X, M, U, U, M, M, M, M,
    /* 80 */ IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64,
    /* 88 */ IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64, IZ | D64,
    /* 90 */ M | B, M | B, M | B, M | B, M | B, M | B, M | B, M | B,
    /* 98 */ M | B, M | B, M | B, M | B, M | B, M | B, M | B, M | B,
    /* a0 */ D64, D64, 0, M, M | I8, M, U, U, D64, D64, 0, M, M | I8, M, M, M,
    /* b0 */ M | B, M, M, M, M, M, M | B, M, M, M, M | I8, M, M, M, M | B, M,
    /* c0 */ M | B, M, M | I8, M, M | I8, M | I8, M | I8, M, 0, 0, 0, 0, 0, 0, 0, 0,
    /* d0 */ M8, M8,
    /* e0 */ M8, M8,
    /* f0 */ M8, M8,
};

/* clang-format on */

struct cursor {
    const u8 *code;
    size_t n; /* readable */
    size_t pos;
    int err;
};

/* The next byte; 0 and an error when there is none. */
static u8 take(struct cursor *c)
{
    if (c->pos >= X86_INSN_MAX)
        c->err = -EINVAL;
    else if (c->pos >= c->n)
        c->err = c->err ? c->err : -EAGAIN;
    if (c->err)
        return 0;
    return c->code[c->pos++];
}

/* A little-endian field of 0, 1, 2, 4 or 8 bytes, sign extended. */
static s64 take_signed(struct cursor *c, unsigned int bytes)
{
    u64 v = 0;
    unsigned int i, top = 64 - 8 * bytes;

    for (i = 0; i < bytes; i++)
        v |= (u64)take(c) << (8 * i);
    if (!bytes)
        return 0;
    return (s64)(v << top) >> top;
}

/* Legacy prefixes in any order, then REX, which only counts as the last one. */
static u8 take_prefixes(struct cursor *c, struct x86_insn *in, unsigned int mode)
{
    for (;;) {
        u8 b = take(c), rex = in->rex;

        if (c->err)
            return 0;
        if (mode == 64 && (b & 0xf0) == 0x40) {
            in->rex = b;
            continue;
        }
        in->rex = 0;
        if (mode == 64 && (b & 0xe7) == 0x26) /* ES, CS, SS, DS: no meaning, FS or GS stays */
            continue;
        /* clang-format off */
        switch (b) {
        case 0x26: in->seg = X86_SEG_ES; break;
        case 0x2e: in->seg = X86_SEG_CS; break;
        case 0x36: in->seg = X86_SEG_SS; break;
        case 0x3e: in->seg = X86_SEG_DS; break;
        case 0x64: in->seg = X86_SEG_FS; break;
        case 0x65: in->seg = X86_SEG_GS; break;
        case 0x66: in->prefix |= X86_PFX_OSIZE; break;
        case 0x67: in->prefix |= X86_PFX_ASIZE; break;
        case 0xf0: in->prefix |= X86_PFX_LOCK; break;
        case 0xf2: in->prefix = (u8)((in->prefix & ~X86_PFX_REP) | X86_PFX_REPNE); break;
        case 0xf3: in->prefix = (u8)((in->prefix & ~X86_PFX_REPNE) | X86_PFX_REP); break;
        default: in->rex = rex; return b;
        }
        /* clang-format on */
    }
}

/* The pp field of VEX and EVEX stands for a 66, F3 or F2 prefix. */
static void vex_prefix(struct x86_insn *in, u8 pp)
{
    static const u8 pfx[4] = {0, X86_PFX_OSIZE, X86_PFX_REP, X86_PFX_REPNE};

    in->prefix |= pfx[pp & 3] | X86_PFX_VEX;
}

/*
 * C4, C5 and 62: always VEX or EVEX in 64-bit mode; otherwise only when the next byte would be a
 * ModRM with mod 3, which LES, LDS and BOUND do not have. False: not a vector prefix.
 */
static bool take_vex(struct cursor *c, struct x86_insn *in, u8 b, unsigned int mode)
{
    u8 p0, p1, map;

    if (b != 0xc4 && b != 0xc5 && b != 0x62)
        return false;
    if (mode != 64 && (c->pos >= c->n || c->code[c->pos] < 0xc0))
        return false;
    p0 = take(c);
    if (b == 0xc5) {
        vex_prefix(in, p0);
        in->rex = (u8)(0x40 | (~p0 >> 5 & 4));
        map = 1;
    } else {
        p1 = take(c);
        vex_prefix(in, p1);
        /* R, X, B are stored inverted, W is not. */
        in->rex = (u8)(0x40 | (~p0 >> 5 & 7) | (p1 >> 4 & 8));
        map = p0 & (b == 0x62 ? 7 : 0x1f);
        if (b == 0x62)
            (void)take(c);
    }
    if (mode != 64)
        in->rex = 0;
    if (map < 1 || (map > 3 && !(b == 0x62 && (map == X86_MAP_5 || map == X86_MAP_6))))
        c->err = c->err ? c->err : -EINVAL;
    in->map = map;
    in->opcode = take(c);
    return true;
}

static u8 take_opcode(struct cursor *c, struct x86_insn *in, u8 b, unsigned int mode)
{
    u8 shape;

    if (take_vex(c, in, b, mode)) {
        /* All have ModRM but vzeroupper; the immediates are those of the legacy encodings. */
        shape = M;
        if (in->map == X86_MAP_0F3A || (in->map == X86_MAP_0F && shape_0f[in->opcode] & I8))
            shape |= I8;
        return in->map == X86_MAP_0F && in->opcode == 0x77 ? 0 : shape;
    }
    in->opcode = b;
    if (b != 0x0f)
        return shape_1[b];
    in->map = X86_MAP_0F;
    in->opcode = take(c);
    if (in->opcode == 0x38 || in->opcode == 0x3a) {
        in->map = in->opcode == 0x38 ? X86_MAP_0F38 : X86_MAP_0F3A;
        in->opcode = take(c);
        return in->map == X86_MAP_0F38 ? M : M | I8;
    }
    return shape_0f[in->opcode];
}

static void set_sizes(struct x86_insn *in, u8 shape, unsigned int mode)
{
    bool o = in->prefix & X86_PFX_OSIZE, a = in->prefix & X86_PFX_ASIZE;

    if (mode == 64) {
        in->asize = a ? 4 : 8;
        if (in->rex & 8)
            in->osize = 8;
        else if (shape & D64)
            in->osize = o ? 2 : 8;
        else
            in->osize = o ? 2 : 4;
    } else {
        in->osize = o == (mode == 16) ? 4 : 2;
        in->asize = a == (mode == 16) ? 4 : 2;
    }
    in->width = shape & B ? 1 : in->osize;
}

/* Whose memory operand is not of the operand's size; shape and ModRM are known. */
static void set_odd_width(struct x86_insn *in, unsigned int mode)
{
    u8 ext = in->reg & 7;

    if (in->prefix & X86_PFX_VEX)
        return;
    if (in->map == X86_MAP_0F && (in->opcode == 0xb7 || in->opcode == 0xbf))
        in->width = 2; /* movzx, movsx from a word */
    else if (in->map == X86_MAP_0F && in->opcode == 0xc3)
        in->width = MAX(in->width, (u8)4); /* movnti */
    else if (in->map == X86_MAP_0F38 && in->opcode == 0xf0 && in->prefix & X86_PFX_REPNE)
        in->width = 1; /* crc32 of a byte */
    else if (in->map != X86_MAP_1)
        return;
    else if (in->opcode == 0x63) /* movsxd, arpl */
        in->width = mode == 64 ? MIN(in->width, (u8)4) : 2;
    else if (in->opcode == 0x8c && in->mem) /* mov from a segment register */
        in->width = 2;
    else if (in->opcode == 0xff && mode == 64 && (ext == 2 || ext == 4 || ext == 6))
        in->width = ext != 6 || in->osize != 2 ? 8 : 2; /* near call, jmp; push */
}

/* 16-bit addressing: r/m names one of eight fixed sums. SDM vol. 2, table 2-1. */
static void take_mem16(struct cursor *c, struct x86_insn *in, u8 mod, u8 rm)
{
    static const u8 base[8] = {3, 3, 5, 5, 6, 7, 5, 3};
    static const u8 index[8] = {6, 7, 6, 7, X86_REG_NONE, X86_REG_NONE, X86_REG_NONE, X86_REG_NONE};

    if (mod == 0 && rm == 6) {
        in->disp = take_signed(c, 2);
        return;
    }
    in->base = base[rm];
    in->index = index[rm];
    in->disp = take_signed(c, mod);
}

/* 32- and 64-bit addressing. SDM vol. 2, tables 2-2 and 2-3, and 2.2.1.6 for RIP. */
static void take_mem(struct cursor *c, struct x86_insn *in, u8 mod, u8 rm, unsigned int mode)
{
    u8 rex_b = in->rex & 1 ? 8 : 0, rex_x = in->rex & 2 ? 8 : 0;
    unsigned int disp = mod == 2 ? 4 : mod;

    if (rm == 4) {
        u8 sib = take(c);

        in->scale = sib >> 6;
        in->index = (u8)((sib >> 3 & 7) | rex_x);
        if (in->index == 4)
            in->index = X86_REG_NONE;
        rm = sib & 7;
        in->base = rm | rex_b;
        if (rm == 5 && mod == 0) {
            in->base = X86_REG_NONE;
            disp = 4;
        }
    } else if (rm == 5 && mod == 0) {
        in->base = mode == 64 ? X86_REG_RIP : X86_REG_NONE;
        disp = 4;
    } else {
        in->base = rm | rex_b;
    }
    in->disp = take_signed(c, disp);
}

static void take_modrm(struct cursor *c, struct x86_insn *in, u8 shape, unsigned int mode)
{
    u8 b = take(c), mod = b >> 6, rm = b & 7;

    in->modrm = true;
    in->reg = (u8)((b >> 3 & 7) | (in->rex & 4 ? 8 : 0));
    in->rm = rm | (in->rex & 1 ? 8 : 0);
    /* mov to and from control and debug registers ignores mod. */
    if (mod == 3 || (in->map == X86_MAP_0F && shape & X && (in->opcode & 0xfc) == 0x20))
        return;
    in->mem = true;
    if (in->asize == 2)
        take_mem16(c, in, mod, rm);
    else
        take_mem(c, in, mod, rm, mode);
}

/* Bytes of the immediate; *extra further bytes after it that nobody looks at. */
static unsigned int imm_bytes(const struct x86_insn *in, u8 shape, unsigned int mode, u32 *extra)
{
    unsigned int z = in->osize == 2 ? 2 : 4;

    *extra = 0;
    if (shape & I8)
        return 1;
    if (shape & IZ) /* near branches have 4 bytes in 64-bit mode, whatever 66 says */
        return mode == 64 && (in->map == X86_MAP_0F || in->opcode >= 0xe8) ? 4 : z;
    if (!(shape & X))
        return 0;
    if (in->map == X86_MAP_0F) { /* extrq and insertq have two bytes, vmread none */
        bool sse4a = in->opcode == 0x78 && in->prefix & (X86_PFX_OSIZE | X86_PFX_REPNE);

        *extra = sse4a;
        return sse4a;
    }
    switch (in->opcode) {
    case 0x9a:
    case 0xea: /* far pointer: offset, selector */
        *extra = 2;
        return z;
    case 0xc2:
    case 0xca:
        return 2;
    case 0xc8: /* enter */
        *extra = 1;
        return 2;
    case 0xf6:
        return (in->reg & 6) == 0; /* test */
    case 0xf7:
        return (in->reg & 6) == 0 ? z : 0;
    default: /* b8+: mov reg, imm */
        return in->osize;
    }
}

/* A0-A3: the address itself, of address size, stands where an immediate would. */
static void take_moffs(struct cursor *c, struct x86_insn *in)
{
    in->mem = true;
    in->disp = take_signed(c, in->asize);
}

int x86_decode(struct x86_insn *out, const u8 *code, size_t n, unsigned int mode)
{
    struct cursor c = {.code = code, .n = n};
    u8 b, shape;
    u32 extra;

    memset(out, 0, sizeof(*out));
    out->seg = X86_SEG_NONE;
    out->base = out->index = X86_REG_NONE;
    b = take_prefixes(&c, out, mode);
    if (c.err)
        return c.err;
    shape = take_opcode(&c, out, b, mode);
    if (c.err)
        return c.err;
    if (shape & U || (mode == 64 && shape & N64))
        return -EINVAL;
    set_sizes(out, shape, mode);
    if (shape & M)
        take_modrm(&c, out, shape, mode);
    set_odd_width(out, mode);
    if (out->map == X86_MAP_1 && (out->opcode & 0xfc) == 0xa0) {
        take_moffs(&c, out);
    } else {
        out->imm_size = (u8)imm_bytes(out, shape, mode, &extra);
        out->imm = take_signed(&c, out->imm_size);
        while (extra--)
            (void)take(&c);
    }
    out->len = (u8)c.pos;
    if (!c.err && out->map == X86_MAP_1 && out->opcode == 0x8f && out->reg & 7)
        return -EINVAL; /* only /0 is pop; the others are XOP */
    return c.err;
}

u64 x86_decode_address(const struct x86_insn *in, const u64 *regs, const u8 slot[16], u64 next_rip)
{
    u64 a = (u64)in->disp;

    if (in->base == X86_REG_RIP)
        a += next_rip;
    else if (in->base != X86_REG_NONE)
        a += regs[slot[in->base & 15]];
    if (in->index != X86_REG_NONE)
        a += regs[slot[in->index & 15]] << in->scale;
    if (in->asize == 4)
        a &= 0xffffffff;
    else if (in->asize == 2)
        a &= 0xffff;
    return a;
}

unsigned int x86_decode_byte_reg(const struct x86_insn *in, u8 number, u8 *reg)
{
    if (!in->rex && number >= 4 && number < 8) {
        *reg = number - 4;
        return 8;
    }
    *reg = number;
    return 0;
}
