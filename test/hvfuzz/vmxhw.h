/* SPDX-License-Identifier: MIT */
/*
 * A processor with VMX: its instructions (Intel SDM vol. 3, chapter 31) and its control structures,
 * whose fields lie in the region itself. What software must not do is found: a field of no
 * structure or an unknown one, a structure loaded on two processors, one that is freed while a
 * processor may still write to it. A structure cleared for the first time holds anything.
 */
#ifndef HVFUZZ_VMXHW_H
#define HVFUZZ_VMXHW_H

#include "hvm/vmx.h"

#define VMXHW_NONE (~0ul) /* no structure is current */

/* Of the processors at boot: whether they tag translations (VPID). */
void vmxhw_init(bool vpid);
void vmxhw_freeze(void);
void vmxhw_reset(void);

/* Capabilities (appendix A). False: not one of them. */
bool vmxhw_msr(u32 msr, u64 *val);
/* A control's bits: those that must be 1 in the low half, those that may be in the high half. */
u64 vmxhw_allowed(u32 field);

/* Of the CPU that plays. */
u64 vmxhw_current(void);
bool vmxhw_on(void);
/* Fields of a structure as the processor accesses them. */
u64 vmxhw_get(u64 vmcs, u32 field);
void vmxhw_put(u64 vmcs, u32 field, u64 val);
bool vmxhw_launched(u64 vmcs);
void vmxhw_set_launched(u64 vmcs);
/* A frame becomes free. */
void vmxhw_check_free(u64 mfn);

/* vmxguest.c: translations are forgotten on the CPU that plays. */
void vmxguest_invept(u64 eptp);
void vmxguest_invvpid(void);

#endif
