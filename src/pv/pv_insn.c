/* SPDX-License-Identifier: MIT */
/*
 * Which instruction did the guest stop at, and where are its operands?
 *
 * The bytes come through guestmem in at most two pieces, so that an instruction at the end of the
 * last mapped page is still read. The guest may change the bytes meanwhile: what was read is what
 * is emulated, with the guest's own rights, so that harms nobody else.
 */
#include "pv/pv_insn.h"

#include "arch/insn.h"
#include "arch/layout.h"
#include "core/guestmem.h"
#include "pure/x86_emul.h"
#include "pv/pv.h"

#define DR6_BS (1ul << 14)

void pv_insn_trap(struct cpu_regs *regs)
{
    pv_current()->dr6 |= DR6_BS;
    pv_inject(regs, TRAP_DB, 0);
}

#define DESC_L (1ul << 53) /* 64-bit code */

/* 64 or 32: what the code segment of regs says; guest kernels are always 64-bit. */
static unsigned int code_mode(const struct cpu_regs *regs)
{
    const struct vcpu *v = vcpu_current();
    const struct pv_vcpu *pv = v->pv;
    u32 sel = (u32)regs->cs & 0xffff;
    const u64 *gdt;

    if (pv->kernel_mode || sel == SEL_GUEST_CS64)
        return 64;
    /* 64-bit code in an LDT is unheard of; its page may be unmapped by now. */
    if (sel & 4 || (sel >> 3) >= pv->gdt_entries)
        return 32;
    gdt = (const u64 *)(PERDOMAIN_BASE + (u64)v->id * GDT_LDT_VCPU_SIZE);
    return READ_ONCE(gdt[sel >> 3]) & DESC_L ? 64 : 32;
}

bool pv_insn_fetch(const struct cpu_regs *regs, struct x86_insn *in)
{
    unsigned int mode = code_mode(regs);
    u64 rip = mode == 64 ? regs->rip : (u32)regs->rip;
    u64 in_page = PAGE_SIZE - (rip & ~PAGE_MASK);
    size_t n = in_page < X86_INSN_MAX ? in_page : X86_INSN_MAX;
    u8 code[X86_INSN_MAX + 1];
    int rc;

    if (!guestmem_copy_in(code, (const void *)rip, n))
        return false;
    rc = x86_decode(in, code, n, mode);
    if (rc == -EAGAIN && n < X86_INSN_MAX) {
        if (!guestmem_copy_in(code + n, (const void *)(rip + n), X86_INSN_MAX - n))
            return false;
        rc = x86_decode(in, code, X86_INSN_MAX, mode);
    }
    return rc == 0;
}

u64 pv_insn_address(const struct cpu_regs *regs, const struct x86_insn *in)
{
    u64 a = x86_decode_address(in, (const u64 *)(const void *)regs, regs_slot, regs->rip + in->len);

    /* FS and GS keep the guest's bases while the hypervisor runs. */
    if (in->seg == X86_SEG_FS)
        a += insn_rdmsr(MSR_FS_BASE);
    else if (in->seg == X86_SEG_GS)
        a += insn_rdmsr(MSR_GS_BASE);
    return a;
}

u64 pv_insn_reg_read(struct cpu_regs *regs, const struct x86_insn *in, u8 number, u32 width)
{
    return x86_emul_reg_get(in, number, width, (const u64 *)(const void *)regs, regs_slot);
}

void pv_insn_reg_write(struct cpu_regs *regs, const struct x86_insn *in, u8 number, u32 width,
                       u64 val)
{
    x86_emul_reg_put(in, number, width, (u64 *)(void *)regs, regs_slot, val);
}
