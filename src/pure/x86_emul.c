/* SPDX-License-Identifier: MIT */
/*
 * What does a move do to a device and to a register? A table gives each opcode its directions and
 * its other operand. Arithmetic on device memory, string and vector moves are not there on purpose:
 * kernels do not use them on devices.
 */
#include "pure/x86_emul.h"

#define LOAD   0x01 /* memory to register */
#define STORE  0x02 /* register or immediate to memory, after the load */
#define ACC    0x04 /* the register is rax */
#define IMM    0x08 /* the source is the immediate; ModRM extension 0 */
#define WIDEN  0x10 /* the register has the operand size, the upper part is zero */
#define SIGNED 0x20 /* ... or copies of the sign */

static const u8 move_1[256] = {
    [0x86 ... 0x87] = LOAD | STORE, [0x88 ... 0x89] = STORE,       [0x8a ... 0x8b] = LOAD,
    [0xa0 ... 0xa1] = LOAD | ACC,   [0xa2 ... 0xa3] = STORE | ACC, [0xc6 ... 0xc7] = STORE | IMM,
};

static const u8 move_0f[256] = {
    [0xb6 ... 0xb7] = LOAD | WIDEN,
    [0xbe ... 0xbf] = LOAD | WIDEN | SIGNED,
    [0xc3] = STORE,
};

u64 x86_emul_reg_get(const struct x86_insn *in, u8 number, u32 width, const u64 *regs,
                     const u8 slot[16])
{
    unsigned int shift = width == 1 ? x86_decode_byte_reg(in, number, &number) : 0;

    return regs[slot[number & 15]] >> shift & x86_emul_mask(width);
}

void x86_emul_reg_put(const struct x86_insn *in, u8 number, u32 width, u64 *regs, const u8 slot[16],
                      u64 val)
{
    unsigned int shift = width == 1 ? x86_decode_byte_reg(in, number, &number) : 0;
    u64 mask = x86_emul_mask(width), *r = &regs[slot[number & 15]];

    *r = width == 4 ? (u32)val : (*r & ~(mask << shift)) | (val & mask) << shift;
}

bool x86_emul_move(const struct x86_insn *in, u64 *regs, const u8 slot[16],
                   const struct x86_emul_port *p)
{
    u8 kind = in->map == X86_MAP_1    ? move_1[in->opcode]
              : in->map == X86_MAP_0F ? move_0f[in->opcode]
                                      : 0;
    u8 number = kind & ACC ? 0 : in->reg;
    u32 width = in->width, to = kind & WIDEN ? in->osize : width;
    u64 val = 0, src;

    if (!kind || !in->mem || in->prefix & (X86_PFX_REP | X86_PFX_REPNE | X86_PFX_VEX) ||
        (kind & IMM && in->reg & 7))
        return false;
    src = kind & IMM ? (u64)in->imm : x86_emul_reg_get(in, number, width, regs, slot);
    if (kind & LOAD)
        val = p->read(p->ctx, width) & x86_emul_mask(width);
    if (kind & SIGNED && val >> (8 * width - 1))
        val |= ~x86_emul_mask(width);
    if (kind & STORE)
        p->write(p->ctx, width, src & x86_emul_mask(width));
    if (kind & LOAD)
        x86_emul_reg_put(in, number, to, regs, slot, val);
    return true;
}
