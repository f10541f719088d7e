/* SPDX-License-Identifier: MIT */
/*
 * What CPUID tells a guest: built once from the processor's own leaves by lists of what is
 * allowed, then asked leaf by leaf. Leaves: Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E;
 * the hypervisor's: public header arch-x86/cpuid.h.
 */
#ifndef PURE_CPUPOLICY_H
#define PURE_CPUPOLICY_H

#include "base/def.h"

enum { CPUPOLICY_EAX, CPUPOLICY_EBX, CPUPOLICY_ECX, CPUPOLICY_EDX };

/* Subleaf number of leaves that have none. */
#define CPUPOLICY_NO_SUB 0xffffffffu

struct cpu_policy_leaf {
    u32 leaf, sub; /* sub: CPUPOLICY_NO_SUB when the leaf ignores ECX */
    u32 r[4];      /* EAX EBX ECX EDX */
};

#define CPUPOLICY_MAX_LEAVES 64

struct cpu_policy {
    u32 nr;
    bool xsave, hvm;
    u64 xcr0_mask; /* XCR0 bits a guest may set */
    struct cpu_policy_leaf leaf[CPUPOLICY_MAX_LEAVES];
};

/* The processor's answer for a leaf; called with leaves that exist only. */
typedef void (*cpupolicy_host_fn)(void *arg, u32 leaf, u32 sub, u32 out[4]);

/* Fills *p for PV guests. xcr0_mask: state components the hypervisor switches; 0 = no XSAVE. */
void cpupolicy_pv(struct cpu_policy *p, cpupolicy_host_fn host, void *arg, u64 xcr0_mask);
/* The same for hardware-assisted guests. */
void cpupolicy_hvm(struct cpu_policy *p, cpupolicy_host_fn host, void *arg, u64 xcr0_mask);

/* What depends on who asks, and when. */
struct cpupolicy_ctx {
    u64 xcr0;      /* the vCPU's */
    bool pv;       /* kind of guest, for the hypervisor's leaves */
    bool tsc_safe; /* the machine's TSCs agree and do not stop */
    bool rdtscp;
    u32 tsc_khz;
    u32 tsc_mul; /* ns = ((tsc << shift) * mul) >> 32 */
    s8 tsc_shift;
    u32 apic_id, vcpu, vcpus, domain; /* hardware-assisted guests */
    bool osxsave, apic_off;           /* theirs: CR4.OSXSAVE; the APIC is disabled */
    u8 addr_bits; /* width of machine addresses; up to 44 keeps guests on grants v1 */
};

/* One CPUID execution. Leaves beyond the policy give zeros. */
void cpupolicy_query(const struct cpu_policy *p, const struct cpupolicy_ctx *ctx, u32 leaf, u32 sub,
                     u32 out[4]);

/* Bytes of an XSAVE area for the components of xcr0, in standard or compacted format. */
u32 cpupolicy_xsave_size(const struct cpu_policy *p, u64 xcr0, bool compact);

/* True when bit `bit` of register `reg` of a leaf is offered. */
bool cpupolicy_has(const struct cpu_policy *p, u32 leaf, u32 reg, u32 bit);

/* The policy's own row for a leaf, or NULL. */
const struct cpu_policy_leaf *cpupolicy_find(const struct cpu_policy *p, u32 leaf, u32 sub);

#endif
