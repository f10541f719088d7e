/* SPDX-License-Identifier: MIT */
/*
 * Stores to page tables as instructions: which ones are understood, what they store, and the flags
 * they leave. Operands are values; fetching and storing is the caller's (pv/pv_fault.c).
 */
#ifndef PURE_PTWRITE_H
#define PURE_PTWRITE_H

#include "pure/x86_decode.h"

enum ptwrite_op {
    PTWRITE_MOV,
    PTWRITE_XCHG,
    PTWRITE_CMPXCHG,
    PTWRITE_OR,
    PTWRITE_AND,
    PTWRITE_BTS,
    PTWRITE_BTR,
};

struct ptwrite {
    enum ptwrite_op op;
    u32 width; /* bytes of the memory operand: 1, 2, 4, 8 */
    u64 src;   /* source operand, cut to the width; for BTS and BTR the mask of the bit */
};

/*
 * Understands a store with a memory operand: mov, movnti, xchg, cmpxchg, and, or, bts, btr, with or
 * without lock. reg: the value of the register operand in->reg, when there is one. False: some
 * other instruction, or a bit offset beyond the operand.
 */
bool ptwrite_decode(const struct x86_insn *in, u64 reg, struct ptwrite *w) MUST_CHECK;

/* One of the three instructions Linux uses most, told from its first eight bytes alone. */
struct ptwrite_quick {
    enum ptwrite_op op; /* XCHG or MOV of 8 bytes with reg, AND of 1 byte with imm */
    u8 len, reg, imm;
};

/*
 * bytes: the instruction, first byte lowest, as 64-bit code. True only for xchg and mov of a 64-bit
 * register to memory, and lock and of an immediate with a byte of memory, not longer than eight
 * bytes; the address is not computed, as a page fault tells it. False: decode it the long way.
 */
bool ptwrite_quick(u64 bytes, struct ptwrite_quick *q) MUST_CHECK;

/* The operand's new value for `old`; *store false: a cmpxchg that found something else. */
u64 ptwrite_value(const struct ptwrite *w, u64 old, u64 rax, bool *store);

/* RFLAGS afterwards; SDM vol. 2 for each instruction, undefined flags are cleared or kept. */
u64 ptwrite_flags(const struct ptwrite *w, u64 rflags, u64 old, u64 val, u64 rax);

#endif
