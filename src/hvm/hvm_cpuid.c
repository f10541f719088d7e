/* SPDX-License-Identifier: MIT */
/*
 * Which CPUID values does a hardware-assisted vCPU get? One policy for all (pure/cpupolicy.c),
 * computed at boot; what depends on the vCPU's state and on clocks is looked up per query.
 */
#include "arch/clock.h"
#include "arch/insn.h"
#include "hvm/hvm.h"
#include "pure/cpupolicy.h"

#define XEN_LEAF_TIME XEN_CPUID_LEAF(3)

struct cpu_policy hvm_cpuid_policy;

static void host_leaf(void *arg, u32 leaf, u32 sub, u32 out[4])
{
    (void)arg;
    insn_cpuid(leaf, sub, out);
}

void hvm_cpuid_init(void)
{
    cpupolicy_hvm(&hvm_cpuid_policy, host_leaf, NULL,
                  cpu_features.xsave ? cpu_features.xcr0_mask : 0);
}

void hvm_cpuid_query(struct vcpu *v, u32 leaf, u32 sub, u32 out[4])
{
    struct cpupolicy_ctx ctx = {
        .tsc_safe = clock_tsc_reliable(),
        .rdtscp = cpu_features.rdtscp,
        .apic_id = v->hvm->apic.id,
        .vcpu = v->id,
        .vcpus = v->domain->max_vcpus,
        .domain = v->domain->id,
        .apic_off = v->hvm->apic.mode == VLAPIC_MODE_OFF,
    };
    struct clock_scale scale;
    struct gwalk_mode m;
    u64 stamp, ns;
    bool user;

    if (leaf == 1) {
        hvm_vendor->get_paging(v, &m, &user);
        ctx.osxsave = m.cr4 & CR4_OSXSAVE;
    } else if (leaf == 0xd && cpu_features.xsave) {
        /* The register itself: not every processor (emulator) reports each change. */
        ctx.xcr0 = insn_xgetbv(0);
    } else if (leaf == XEN_LEAF_TIME) {
        clock_guest_time(&stamp, &ns, &scale);
        ctx.tsc_khz = (u32)clock_tsc_khz();
        ctx.tsc_mul = scale.mul;
        ctx.tsc_shift = scale.shift;
    }
    cpupolicy_query(domain_cpu_policy(v->domain), &ctx, leaf, sub, out);
}

u64 hvm_cpuid_cr4(const struct vcpu *v)
{
    static const struct {
        u32 leaf, reg, bit;
        u64 cr4;
    } rows[] = {
        {1, CPUPOLICY_EDX, 1, 3},
        {1, CPUPOLICY_EDX, 13, CR4_PGE},
        {1, CPUPOLICY_ECX, 17, CR4_PCIDE},
        {1, CPUPOLICY_ECX, 26, CR4_OSXSAVE},
        {7, CPUPOLICY_EBX, 0, CR4_FSGSBASE},
        {7, CPUPOLICY_EBX, 7, CR4_SMEP},
        {7, CPUPOLICY_EBX, 20, CR4_SMAP},
        {7, CPUPOLICY_ECX, 2, CR4_UMIP},
    };
    /* TSD DE PSE PAE MCE PCE OSFXSR OSXMMEXCPT. */
    u64 cr4 = 0x17cul | CR4_OSFXSR | CR4_OSXMMEXCPT;
    const struct cpu_policy *p = domain_cpu_policy(v->domain);
    u32 i;

    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (cpupolicy_has(p, rows[i].leaf, rows[i].reg, rows[i].bit))
            cr4 |= rows[i].cr4;
    return cr4;
}
