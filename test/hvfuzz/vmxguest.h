/* SPDX-License-Identifier: MIT */
/* A guest under VMX: what hvmguest.h promises, and the state that ops_vmx.c changes. */
#ifndef HVFUZZ_VMXGUEST_H
#define HVFUZZ_VMXGUEST_H

#include "hvmguest.h"
#include "vmxhw.h"

#define VMX_CS_AR (VMCS_GUEST_AR + 2)
#define VMX_SS_AR (VMCS_GUEST_AR + 4)
#define VMX_TR_AR (VMCS_GUEST_AR + 14)

void vmxguest_reset(void);
bool vmxguest_enter(void);
void vmxguest_exit(void);
bool vmxguest_call(void);
bool vmxguest_unfinished(void);

/* Fields of the current structure, as the processor has them. */
u64 vmxguest_get(u32 field);
void vmxguest_put(u32 field, u64 val);
/* Register `nr` in the structure's order. */
void vmxguest_segment(u32 nr, u64 base, u32 ar);
/* The guest goes back to its tables and to 64-bit mode, if it can by itself. */
void vmxguest_home(void);
bool vmxguest_long(void);
/* STAR and the other GS as a vCPU has them from the start; the guest writes to the latter. */
u64 vmxguest_star(const struct vcpu *v);
u64 vmxguest_first_gs(u32 id, u32 vcpu);
void vmxguest_set_gs(u64 val);
/* The tools have loaded the domain's state: the processor may refuse it. */
void vmxguest_taint(u32 id);

#endif
