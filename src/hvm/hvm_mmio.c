/* SPDX-License-Identifier: MIT */
/*
 * What is at a guest-physical address without memory? The local APIC's page; everything else reads
 * as ones and swallows writes. The instruction is decoded (pure/x86_decode.c); plain moves are
 * carried out, which is what kernels use for devices. Others are not guessed at.
 */
#include "base/lib.h"
#include "hvm/hvm.h"
#include "pure/x86_decode.h"

/* The register numbers' places in struct cpu_regs; rsp (4) is the processor's. */
u64 *hvm_reg(struct cpu_regs *r, u32 nr)
{
    u64 *const slot[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                           &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

    return slot[nr & 15];
}

static u64 mask_of(u32 width)
{
    return width == 8 ? ~(u64)0 : ((u64)1 << (width * 8)) - 1;
}

static bool is_apic(const struct vcpu *v, u64 gpa)
{
    return (gpa & PAGE_MASK) == VLAPIC_BASE && v->hvm->apic.mode == VLAPIC_MODE_XAPIC;
}

/* Registers are 32 bits wide, 16 bytes apart; anything else is undefined by the manuals. */
static u64 device_read(struct vcpu *v, u64 gpa, u32 width)
{
    u64 val;

    if (!is_apic(v, gpa))
        return mask_of(width);
    if (!hvm_apic_read(v, (u32)(gpa & ~PAGE_MASK) >> 4, &val))
        val = 0;
    return (val >> (gpa & 3) * 8) & mask_of(width);
}

static void device_write(struct vcpu *v, u64 gpa, u32 width, u64 val)
{
    if (is_apic(v, gpa) && width == 4 && !(gpa & 15))
        (void)!hvm_apic_write(v, (u32)(gpa & ~PAGE_MASK) >> 4, (u32)val);
}

static void reg_put(struct cpu_regs *r, const struct x86_insn *in, u64 val, u32 width)
{
    unsigned int shift = 0;
    u8 nr = in->reg;
    u64 *p;

    if (width == 1)
        shift = x86_decode_byte_reg(in, in->reg, &nr);
    p = hvm_reg(r, nr);
    if (width == 4)
        *p = (u32)val;
    else
        *p = (*p & ~(mask_of(width) << shift)) | (val & mask_of(width)) << shift;
}

static u64 reg_get(struct cpu_regs *r, const struct x86_insn *in, u32 width)
{
    unsigned int shift = 0;
    u8 nr = in->reg;

    if (width == 1)
        shift = x86_decode_byte_reg(in, in->reg, &nr);
    return *hvm_reg(r, nr) >> shift & mask_of(width);
}

/* mov in its forms, movzx, xchg. False: something else. */
static bool perform(struct vcpu *v, u64 gpa, const struct x86_insn *in, struct cpu_regs *r)
{
    u64 val;

    if (in->map == X86_MAP_0F && (in->opcode == 0xb6 || in->opcode == 0xb7)) {
        val = device_read(v, gpa, in->opcode == 0xb6 ? 1 : 2);
        reg_put(r, in, val, MAX(in->osize, (u8)2));
        return true;
    }
    if (in->map != X86_MAP_1)
        return false;
    switch (in->opcode) {
    case 0x88:
    case 0x89:
        device_write(v, gpa, in->width, reg_get(r, in, in->width));
        return true;
    case 0x8a:
    case 0x8b:
        reg_put(r, in, device_read(v, gpa, in->width), in->width);
        return true;
    case 0x86:
    case 0x87:
        val = device_read(v, gpa, in->width);
        device_write(v, gpa, in->width, reg_get(r, in, in->width));
        reg_put(r, in, val, in->width);
        return true;
    case 0xa0:
    case 0xa1:
        val = device_read(v, gpa, in->width);
        r->rax = in->width == 4 ? val : (r->rax & ~mask_of(in->width)) | val;
        return true;
    case 0xa2:
    case 0xa3:
        device_write(v, gpa, in->width, r->rax & mask_of(in->width));
        return true;
    case 0xc6:
    case 0xc7:
        device_write(v, gpa, in->width, (u64)in->imm & mask_of(in->width));
        return true;
    default:
        return false;
    }
}

bool hvm_mmio(struct vcpu *v, u64 gpa, bool write, struct cpu_regs *regs)
{
    struct x86_insn in;

    (void)write;
    if (hvm_decode(v, &in) == 0)
        return true;
    if (!in.mem || in.prefix & (X86_PFX_REP | X86_PFX_REPNE | X86_PFX_VEX))
        return false;
    regs->rsp = hvm_vendor->get_rsp(v);
    if (!perform(v, gpa, &in, regs))
        return false;
    hvm_vendor->step(v, in.len, regs->rsp);
    return true;
}
