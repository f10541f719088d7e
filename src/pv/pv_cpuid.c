/* SPDX-License-Identifier: MIT */
/*
 * Which CPUID values does a PV vCPU get? One policy for all (pure/cpupolicy.c), computed at boot
 * from this machine; the parts that depend on the vCPU and on clocks are looked up per query.
 */
#include "pv/pv_cpuid.h"

#include "arch/clock.h"
#include "arch/insn.h"
#include "core/domain.h"
#include "core/page.h"

/* Guests compare the width with this to choose grant-table v2, which is not offered. */
#define MAX_ADDR_BITS 44

struct cpu_policy pv_cpuid_policy;

static void host_leaf(void *arg, u32 leaf, u32 sub, u32 out[4])
{
    (void)arg;
    insn_cpuid(leaf, sub, out);
}

void pv_cpuid_init(void)
{
    cpupolicy_pv(&pv_cpuid_policy, host_leaf, NULL,
                 cpu_features.xsave ? cpu_features.xcr0_mask : 0);
}

/* Bits of the highest address RAM can have here. */
static u8 addr_bits(void)
{
    u64 top = page_max_mfn ? (page_max_mfn << PAGE_SHIFT) - 1 : PAGE_SIZE;
    u8 bits = (u8)(64 - __builtin_clzl(top));

    return MIN(MAX(bits, 32), MAX_ADDR_BITS);
}

void pv_cpuid_query(const struct vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
    struct cpupolicy_ctx ctx = {
        .xcr0 = v->fpu.xcr0,
        .pv = true,
        .tsc_safe = clock_tsc_reliable(),
        .rdtscp = cpu_features.rdtscp,
        .addr_bits = addr_bits(),
    };
    struct clock_scale scale;
    u64 stamp, ns;

    if (leaf == XEN_CPUID_LEAF(3)) {
        clock_guest_time(&stamp, &ns, &scale);
        ctx.tsc_khz = (u32)clock_tsc_khz();
        ctx.tsc_mul = scale.mul;
        ctx.tsc_shift = scale.shift;
    }
    cpupolicy_query(domain_cpu_policy(v->domain), &ctx, leaf, sub, out);
}
