/* SPDX-License-Identifier: MIT */
/*
 * Carries out moves between a register or an immediate and a memory operand that is no plain
 * memory: a device's registers. Hardware-free; compared with the processor by test/native.
 */
#ifndef PURE_X86_EMUL_H
#define PURE_X86_EMUL_H

#include "pure/x86_decode.h"

/* Where the memory operand is; width: 1, 2, 4, 8 bytes; values are cut to the width by the user. */
struct x86_emul_port {
    u64 (*read)(void *ctx, u32 width);
    void (*write)(void *ctx, u32 width, u64 val);
    void *ctx;
};

static inline u64 x86_emul_mask(u32 width)
{
    return width >= 8 ? ~(u64)0 : ((u64)1 << (8 * width)) - 1;
}

/*
 * Operand register `number` (0..15) of an instruction, of `width` bytes: ah..bh for byte forms
 * without REX; a 4-byte write clears the upper half as the hardware does. regs, slot: as for
 * x86_decode_address.
 */
u64 x86_emul_reg_get(const struct x86_insn *in, u8 number, u32 width, const u64 *regs,
                     const u8 slot[16]);
void x86_emul_reg_put(const struct x86_insn *in, u8 number, u32 width, u64 *regs, const u8 slot[16],
                      u64 val);

/*
 * mov, movnti, movzx, movsx, xchg with a memory operand, which is accessed once for each direction,
 * reading first. Flags and rip are not touched. False: some other instruction, nothing was done.
 */
bool x86_emul_move(const struct x86_insn *in, u64 *regs, const u8 slot[16],
                   const struct x86_emul_port *p) MUST_CHECK;

#endif
