/* SPDX-License-Identifier: MIT */
/*
 * Which breakpoints may a PV guest set, and when are they in the hardware?
 *
 * Only addresses outside the hypervisor, no port breakpoints, no general detect. The hardware holds
 * them while the vCPU runs and any of them is enabled; otherwise DR7 is clear and nothing is
 * switched. The hypervisor's own accesses to guest memory may still hit one: the #DB handler of
 * hypervisor code ignores it. Source: SDM vol. 3, 17.2.
 */
#include "pv/pv_debug.h"

#include "arch/insn.h"
#include "core/hypercall.h"
#include "pv/pv.h"

#define DR6_ONES   0xffff0ff0ul
#define DR6_MASK   0xffffefff
#define DR7_ONES   0x400ul
#define DR7_MASK   0xffff27fful
#define DR7_GD     (1ul << 13)
#define DR7_ENABLE 0xfful
#define DR7_RW_IO  2

static u32 unalias(const struct vcpu *v, u32 reg)
{
    if ((reg == 4 || reg == 5) && !(v->pv->cr4 & CR4_DE))
        return reg + 2;
    return reg;
}

int pv_debug_get(const struct vcpu *v, u32 reg, u64 *val)
{
    const struct pv_vcpu *pv = v->pv;

    reg = unalias(v, reg);
    if (reg < 4)
        *val = pv->dr[reg];
    else if (reg == 6)
        *val = pv->dr6 | DR6_ONES;
    else if (reg == 7)
        *val = pv->dr7 | DR7_ONES;
    else
        return -ENODEV;
    return 0;
}

static bool dr7_allowed(u64 val)
{
    u32 i;

    if (val & DR7_GD)
        return false;
    for (i = 0; i < 4; i++)
        if (val >> (2 * i) & 3 && (val >> (16 + 4 * i) & 3) == DR7_RW_IO)
            return false;
    return true;
}

static void load(const struct pv_vcpu *pv)
{
    insn_write_dr0(pv->dr[0]);
    insn_write_dr1(pv->dr[1]);
    insn_write_dr2(pv->dr[2]);
    insn_write_dr3(pv->dr[3]);
    insn_write_dr6(pv->dr6 | DR6_ONES);
    insn_write_dr7(pv->dr7 | DR7_ONES);
}

static int set_dr7(struct vcpu *v, u64 val)
{
    struct pv_vcpu *pv = v->pv;
    bool was_armed = pv->dr7 & DR7_ENABLE;

    val &= DR7_MASK;
    if (!dr7_allowed(val))
        return -EPERM;
    pv->dr7 = val;
    if (v == vcpu_current() && val & DR7_ENABLE)
        load(pv);
    else if (v == vcpu_current() && was_armed)
        insn_write_dr7(DR7_ONES);
    return 0;
}

int pv_debug_set(struct vcpu *v, u32 reg, u64 val)
{
    struct pv_vcpu *pv = v->pv;

    reg = unalias(v, reg);
    if ((reg == 6 || reg == 7) && val >> 32)
        return -EINVAL;
    if (reg < 4) {
        /* Eight bytes is the longest a breakpoint watches. */
        if (!va_canonical(val) || pv_range_is_hv(val, 8))
            return -EPERM;
        pv->dr[reg] = val;
    } else if (reg == 6) {
        pv->dr6 = (val & DR6_MASK) | DR6_ONES;
    } else if (reg == 7) {
        return set_dr7(v, val);
    } else {
        return -ENODEV;
    }
    if (v == vcpu_current() && pv->dr7 & DR7_ENABLE)
        load(pv);
    return 0;
}

void pv_debug_switch_out(struct vcpu *v)
{
    /* DR6 stays: what a breakpoint of the guest's put there is in pv->dr6 since its #DB. */
    if (unlikely(v->pv->dr7 & DR7_ENABLE))
        insn_write_dr7(DR7_ONES);
}

void pv_debug_switch_in(struct vcpu *v)
{
    if (unlikely(v->pv->dr7 & DR7_ENABLE))
        load(v->pv);
}

long pv_set_debugreg(u64 reg, u64 value, u64 a3, u64 a4, u64 a5, u64 a6)
{
    int rc = pv_debug_set(vcpu_current(), (u32)reg, value);

    (void)a3, (void)a4, (void)a5, (void)a6;
    if (rc)
        return hypercall_refuse(rc, "set_debugreg: register %u = %#lx", (u32)reg,
                                (unsigned long)value);
    return 0;
}

long pv_get_debugreg(u64 reg, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    u64 val = 0;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (pv_debug_get(vcpu_current(), (u32)reg, &val))
        return hypercall_refuse(-ENODEV, "get_debugreg: register %u", (u32)reg);
    return (long)val;
}
