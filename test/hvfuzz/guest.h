/* SPDX-License-Identifier: MIT */
/*
 * The guests: what their kernels know (which frames they have, where those are mapped), and how
 * they make a hypercall. Each begins alike:
 *
 *   slot  frame
 *   0-3   level 4 to level 1 table: slot n is mapped at GUEST_VA(n), tables read-only
 *   4     a spare page          5    a second level 1 table, for GUEST_VA(512 + n)
 *   6     descriptor page       7    code and kernel stack
 *   8-11  arguments of hypercalls, two pages per vCPU
 *   12    shared_info           13-61  data
 *   63    the first frame of the grant table
 */
#ifndef HVFUZZ_GUEST_H
#define HVFUZZ_GUEST_H

#include "core/domain.h"
#include "machine.h"

#define GUEST_MAX      4 /* domains 0 to 3 */
#define GUEST_SLOTS    62
#define GUEST_DATA     13
#define GUEST_VA(slot) (HV_VIRT_END + (u64)(slot)*PAGE_SIZE)
#define GUEST_GRANTS   GUEST_VA(63)
#define GUEST_RIP      (GUEST_VA(7) + 0x800)

enum guest_hook { GUEST_HOOK_NONE, GUEST_HOOK_FRAMES, GUEST_HOOK_MAPS };

struct guest_vcpu {
    enum guest_hook hook; /* what the kernel does when the call returns */
    u64 hook_va;
    u32 hook_nr;
    u32 program; /* building a domain: the step; 0: none */
    u32 program_domain, program_vcpus;
    u64 arg; /* next free byte of the arguments */
};

struct guest {
    u32 nr; /* slots in use */
    u64 mfn[GUEST_SLOTS];
    u64 map_at[8]; /* where the grant with a handle was mapped */
    struct guest_vcpu vcpu[2];
};

/* Three domains, as they are when each input begins; audit_begin is called at the right moment. */
void guest_boot(void);
void guest_reset(void);
/* Domain `id`'s, or NULL when it is none of the four. */
struct guest *guest_of(u32 id);
struct guest *guest_current(void);
struct guest_vcpu *guest_vcpu(void);

/* A hypercall of the current vCPU; in a list, the next entry of it. */
void guest_call(u32 nr, u64 a1, u64 a2, u64 a3, u64 a4);
/* The instruction of a call with work left is executed again. False: there is none. */
bool guest_continue(void);
void guest_list_begin(void);
void guest_list_end(void);
bool guest_in_list(void);

/* Arguments: n bytes into the vCPU's pages; the address. */
u64 guest_put(const void *p, size_t n);
void guest_arg_reset(void);

/* A step of building the domain that the vCPU's program names. */
void guest_build_step(void);
/* Start state of a vCPU with `l4` as its table. */
void guest_context(const struct guest *g, struct vcpu_guest_context *c, u64 l4);

/* Every domain, the hardware domain too, is ended by the hypervisor itself. */
void guest_end_all(void);

#endif
