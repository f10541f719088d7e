/* SPDX-License-Identifier: MIT */
/*
 * Reading the instruction a guest stopped at, and its operands. Runs on the CPU that took the
 * exception, before anything else of the guest ran.
 */
#ifndef PV_PV_INSN_H
#define PV_PV_INSN_H

#include "arch/regs.h"
#include "pure/x86_decode.h"

/*
 * Fetches and decodes the instruction at regs->rip from the current tables; a fetch that runs into
 * an unmapped page is fine when the instruction ends before it. False: no such instruction or a
 * fault.
 */
bool pv_insn_fetch(const struct cpu_regs *regs, struct x86_insn *in) MUST_CHECK;

/* Linear address of the memory operand, base of FS or GS included. */
u64 pv_insn_address(const struct cpu_regs *regs, const struct x86_insn *in);

/*
 * Value of an operand register of `width` bytes (ah..bh for byte forms), and writing one: 4-byte
 * writes clear the upper half as the hardware does.
 */
u64 pv_insn_reg_read(struct cpu_regs *regs, const struct x86_insn *in, u8 number, u32 width);
void pv_insn_reg_write(struct cpu_regs *regs, const struct x86_insn *in, u8 number, u32 width,
                       u64 val);

/* Past an instruction of len bytes that was carried out. */
static inline void pv_insn_skip(struct cpu_regs *regs, u32 len)
{
    regs->rip += len;
    regs->rflags &= ~RFLAGS_RF;
}

/*
 * After everything else about a carried-out instruction: single-stepping sees it like any other.
 * May build a frame on the guest's stack, so no lock may be held.
 */
void pv_insn_trap(struct cpu_regs *regs);
static inline void pv_insn_step(struct cpu_regs *regs)
{
    if (unlikely(regs->rflags & RFLAGS_TF))
        pv_insn_trap(regs);
}

#endif
