/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer's machine has no SVM, so src/hvm is left out: hvm_offered() says no, and none of its
 * functions is reached.
 */
#include <stdlib.h>

#include "hvm/hvm.h"

const struct hvm_vendor *hvm_vendor;
const struct guest_kind hvm_guest_kind;

const struct cpu_policy *hvm_cpuid_policy(void)
{
    abort();
}

int hvm_param_set(struct domain *d, u32 index, u64 val)
{
    (void)d, (void)index, (void)val;
    abort();
}

void hvm_intr_poke(struct vcpu *v)
{
    (void)v;
    abort();
}

int hvm_context_save(struct domain *d, u8 *to, u32 room, u32 *len)
{
    (void)d, (void)to, (void)room, (void)len;
    abort();
}

int hvm_context_save_one(struct domain *d, u32 type, u32 vcpu, u8 *to, u32 room, u32 *len)
{
    (void)d, (void)type, (void)vcpu, (void)to, (void)room, (void)len;
    abort();
}

int hvm_context_load(struct domain *d, const u8 *from, u32 len)
{
    (void)d, (void)from, (void)len;
    abort();
}
