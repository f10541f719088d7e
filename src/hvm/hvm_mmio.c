/* SPDX-License-Identifier: MIT */
/*
 * What is at a guest-physical address without memory? The local APIC's page; everything else reads
 * as ones and swallows writes. Moves are carried out (pure/x86_emul.c), which is what kernels use
 * for devices. Others are not guessed at.
 */
#include "hvm/hvm.h"
#include "pure/x86_emul.h"

static bool is_apic(const struct vcpu *v, u64 gpa)
{
    return (gpa & PAGE_MASK) == VLAPIC_BASE && v->hvm->apic.mode == VLAPIC_MODE_XAPIC;
}

struct access {
    struct vcpu *v;
    u64 gpa;
};

/* Registers are 32 bits wide, 16 bytes apart; anything else is undefined by the manuals. */
static u64 device_read(void *ctx, u32 width)
{
    const struct access *a = ctx;
    u64 val;

    (void)width;
    if (!is_apic(a->v, a->gpa))
        return ~(u64)0;
    if (!hvm_apic_read(a->v, (u32)(a->gpa & ~PAGE_MASK) >> 4, &val))
        val = 0;
    return val >> (a->gpa & 3) * 8;
}

static void device_write(void *ctx, u32 width, u64 val)
{
    const struct access *a = ctx;

    if (is_apic(a->v, a->gpa) && width == 4 && !(a->gpa & 15))
        (void)!hvm_apic_write(a->v, (u32)(a->gpa & ~PAGE_MASK) >> 4, val);
}

bool hvm_mmio(struct vcpu *v, u64 gpa, struct cpu_regs *regs)
{
    struct access a = {v, gpa};
    struct x86_emul_port port = {device_read, device_write, &a};
    struct x86_insn in;

    if (hvm_decode(v, &in, &regs->rsp) == 0)
        return true;
    if (!x86_emul_move(&in, (u64 *)(void *)regs, regs_slot, &port))
        return false;
    hvm_vendor->step(v, in.len, regs->rsp);
    return true;
}
