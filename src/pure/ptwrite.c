/* SPDX-License-Identifier: MIT */
/*
 * What does a store instruction do to its memory operand? The few that kernels use on page tables
 * where no hypercall is at hand: plain and non-temporal mov, xchg, cmpxchg, and, or, bit set and
 * bit reset. Others (string stores, arithmetic, SSE) are not understood on purpose: they do not
 * mean a page table.
 */
#include "pure/ptwrite.h"

#include "pure/x86_emul.h"

/* RFLAGS bits, SDM vol. 1, 3.4.3. */
#define FLAG_CF  0x001ul
#define FLAG_PF  0x004ul
#define FLAG_AF  0x010ul
#define FLAG_ZF  0x040ul
#define FLAG_SF  0x080ul
#define FLAG_OF  0x800ul
#define FLAG_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* One-byte opcodes. */
static bool decode_plain(const struct x86_insn *in, struct ptwrite *w)
{
    unsigned int ext = in->reg & 7;

    switch (in->opcode) {
    case 0x86:
    case 0x87:
        w->op = PTWRITE_XCHG;
        return true;
    case 0x88:
    case 0x89:
        w->op = PTWRITE_MOV;
        return true;
    case 0xc6:
    case 0xc7:
        w->op = PTWRITE_MOV;
        w->src = (u64)in->imm;
        return ext == 0;
    case 0x08:
    case 0x09:
        w->op = PTWRITE_OR;
        return true;
    case 0x20:
    case 0x21:
        w->op = PTWRITE_AND;
        return true;
    case 0x80:
    case 0x81:
    case 0x83:
        w->op = ext == 1 ? PTWRITE_OR : PTWRITE_AND;
        w->src = (u64)in->imm;
        return ext == 1 || ext == 4;
    default:
        return false;
    }
}

/* bts, btr: from an offset to a mask. */
static bool decode_bit(struct ptwrite *w, enum ptwrite_op op, u64 offset)
{
    w->op = op;
    w->src = (u64)1 << (offset & 63);
    return offset < 8ul * w->width;
}

/* Opcodes after 0F. */
static bool decode_0f(const struct x86_insn *in, struct ptwrite *w)
{
    unsigned int ext = in->reg & 7;

    switch (in->opcode) {
    case 0xb0:
    case 0xb1:
        w->op = PTWRITE_CMPXCHG;
        return true;
    case 0xc3:
        w->op = PTWRITE_MOV;
        return true;
    case 0xab:
        return decode_bit(w, PTWRITE_BTS, w->src);
    case 0xb3:
        return decode_bit(w, PTWRITE_BTR, w->src);
    case 0xba:
        /* Immediate offsets wrap inside the operand. */
        return (ext == 5 || ext == 6) && decode_bit(w, ext == 5 ? PTWRITE_BTS : PTWRITE_BTR,
                                                    (u64)in->imm & (8ul * w->width - 1));
    default:
        return false;
    }
}

bool ptwrite_decode(const struct x86_insn *in, u64 reg, struct ptwrite *w)
{
    bool known = false;

    if (!in->mem || !in->modrm ||
        (in->prefix & (X86_PFX_REP | X86_PFX_REPNE | X86_PFX_ASIZE | X86_PFX_VEX)))
        return false;
    w->width = in->width;
    w->src = reg & x86_emul_mask(w->width);
    if (in->map == X86_MAP_1)
        known = decode_plain(in, w);
    else if (in->map == X86_MAP_0F)
        known = decode_0f(in, w);
    w->src &= x86_emul_mask(w->width);
    return known;
}

u64 ptwrite_value(const struct ptwrite *w, u64 old, u64 rax, bool *store)
{
    *store = true;
    switch (w->op) {
    case PTWRITE_OR:
    case PTWRITE_BTS:
        return old | w->src;
    case PTWRITE_AND:
        return old & w->src;
    case PTWRITE_BTR:
        return old & ~w->src;
    case PTWRITE_CMPXCHG:
        *store = old == (rax & x86_emul_mask(w->width));
        return w->src;
    case PTWRITE_MOV:
    case PTWRITE_XCHG:
    default:
        return w->src;
    }
}

/* ZF, SF and PF of a result. */
static u64 flags_of(u64 r, u32 width)
{
    u64 f = 0;

    if (!(r & x86_emul_mask(width)))
        f |= FLAG_ZF;
    if ((r >> (8 * width - 1)) & 1)
        f |= FLAG_SF;
    if (!__builtin_parity((unsigned int)(r & 0xff)))
        f |= FLAG_PF;
    return f;
}

/* Of the comparison a - b. */
static u64 flags_of_cmp(u64 a, u64 b, u32 width)
{
    u64 r = (a - b) & x86_emul_mask(width), f = flags_of(r, width);

    if (a < b)
        f |= FLAG_CF;
    if ((a & 15) < (b & 15))
        f |= FLAG_AF;
    if ((((a ^ b) & (a ^ r)) >> (8 * width - 1)) & 1)
        f |= FLAG_OF;
    return f;
}

u64 ptwrite_flags(const struct ptwrite *w, u64 rflags, u64 old, u64 val, u64 rax)
{
    switch (w->op) {
    case PTWRITE_CMPXCHG:
        return (rflags & ~FLAG_ALL) | flags_of_cmp(rax & x86_emul_mask(w->width), old, w->width);
    case PTWRITE_OR:
    case PTWRITE_AND:
        return (rflags & ~FLAG_ALL) | flags_of(val, w->width);
    case PTWRITE_BTS:
    case PTWRITE_BTR:
        return (rflags & ~FLAG_CF) | (old & w->src ? FLAG_CF : 0);
    case PTWRITE_MOV:
    case PTWRITE_XCHG:
    default:
        return rflags;
    }
}

bool ptwrite_quick(u64 bytes, struct ptwrite_quick *q)
{
    u32 len = 2, rex = 0, modrm, mod, rm, extra;
    bool lock = false;

    if ((bytes & 0xff) == 0xf0) {
        lock = true;
        bytes >>= 8;
        len++;
    }
    if ((bytes & 0xf0) == 0x40) {
        rex = bytes & 0xf;
        bytes >>= 8;
        len++;
    }
    modrm = (bytes >> 8) & 0xff;
    mod = modrm >> 6;
    rm = modrm & 7;
    q->reg = (u8)(((modrm >> 3) & 7) | (rex & 4) << 1);
    switch (bytes & 0xff) {
    case 0x87:
        q->op = PTWRITE_XCHG;
        break;
    case 0x89:
        q->op = PTWRITE_MOV;
        if (lock)
            return false;
        break;
    case 0x80:
        q->op = PTWRITE_AND;
        if (!lock || (q->reg & 7) != 4)
            return false;
        break;
    default:
        return false;
    }
    if (mod == 3 || (q->op != PTWRITE_AND && !(rex & 8)))
        return false;
    /* A SIB byte, and a displacement; base 5 without mod has one of four bytes. */
    extra = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (mod == 0 && (rm == 5 || (rm == 4 && ((bytes >> 16) & 7) == 5)))
        extra = 4;
    if (rm == 4)
        extra++;
    len += extra;
    if (q->op == PTWRITE_AND) {
        q->imm = (u8)(bytes >> (16 + 8 * extra));
        len++;
    }
    q->len = (u8)len;
    return len <= 8;
}
