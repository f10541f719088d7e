/* SPDX-License-Identifier: MIT */
/*
 * Decodes one x86 instruction: length, prefixes, opcode, operands. Says what the bytes are, not
 * what they do. Formats: Intel SDM vol. 2, chapter 2 and appendix A; AMD APM vol. 3.
 */
#ifndef PURE_X86_DECODE_H
#define PURE_X86_DECODE_H

#include "base/def.h"
#include "base/err.h"

#define X86_INSN_MAX 15 /* longest legal instruction */

/* Opcode maps: none, 0F, 0F 38, 0F 3A; EVEX has two more. */
enum x86_map { X86_MAP_1, X86_MAP_0F, X86_MAP_0F38, X86_MAP_0F3A, X86_MAP_5 = 5, X86_MAP_6 };

/* x86_insn.prefix bits. */
#define X86_PFX_LOCK  (1u << 0)
#define X86_PFX_REP   (1u << 1) /* F3 */
#define X86_PFX_REPNE (1u << 2) /* F2 */
#define X86_PFX_OSIZE (1u << 3) /* 66 */
#define X86_PFX_ASIZE (1u << 4) /* 67 */
#define X86_PFX_VEX   (1u << 5) /* VEX or EVEX encoded; map and opcode are as without */

/* Segment registers by their number in instructions; X86_SEG_NONE: no override prefix. */
enum x86_seg {
    X86_SEG_ES,
    X86_SEG_CS,
    X86_SEG_SS,
    X86_SEG_DS,
    X86_SEG_FS,
    X86_SEG_GS,
    X86_SEG_NONE
};

/* General registers have their encoding's number: 0 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8.. */
#define X86_REG_RIP  0xfe
#define X86_REG_NONE 0xff

struct x86_insn {
    u8 len;      /* bytes */
    u8 map;      /* enum x86_map */
    u8 opcode;   /* last opcode byte */
    u8 prefix;   /* X86_PFX_ */
    u8 rex;      /* the REX byte, or 0 */
    u8 seg;      /* override, enum x86_seg; in 64-bit mode only FS and GS count */
    u8 osize;    /* operand size in bytes: 2, 4, 8 */
    u8 asize;    /* address size in bytes: 2, 4, 8 */
    u8 width;    /* bytes of the r/m operand of an integer instruction: 1 for byte forms */
    bool modrm;  /* has a ModRM byte; then: */
    bool mem;    /* the r/m operand is in memory (also moffs forms A0-A3) */
    u8 reg;      /* reg field with REX.R; & 7 for an opcode extension */
    u8 rm;       /* r/m register with REX.B, when !mem */
    u8 base;     /* memory: register, X86_REG_RIP or X86_REG_NONE */
    u8 index;    /* memory: register or X86_REG_NONE */
    u8 scale;    /* memory: shift of index, 0..3 */
    u8 imm_size; /* bytes of the immediate as encoded; 0 none */
    s64 disp;    /* memory: displacement, sign extended (moffs: the address) */
    s64 imm;     /* immediate, sign extended from imm_size; branch offsets too */
};

/*
 * Decodes the instruction at code, of which n bytes are readable. mode: 16, 32 or 64 (of the code
 * segment). 0; -EAGAIN when the instruction goes on beyond n bytes; -EINVAL when it is longer than
 * 15 bytes or the opcode does not exist in this mode. On an error *out is not meaningful.
 */
int x86_decode(struct x86_insn *out, const u8 *code, size_t n, unsigned int mode) MUST_CHECK;

/*
 * The offset of the memory operand in its segment (the caller adds the base of FS or GS):
 * base + (index << scale) + disp, cut to the address size. regs: register values, of which register
 * r is regs[slot[r]]. next_rip: address of the following instruction. Only when in->mem.
 */
u64 x86_decode_address(const struct x86_insn *in, const u64 *regs, const u8 slot[16], u64 next_rip);

/*
 * For byte operands without a REX prefix numbers 4..7 mean ah, ch, dh, bh. Gives the register to
 * use in *reg and returns the shift (0 or 8) of the byte in it.
 */
unsigned int x86_decode_byte_reg(const struct x86_insn *in, u8 number, u8 *reg);

#endif
