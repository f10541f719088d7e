/* SPDX-License-Identifier: MIT */
/*
 * Hardware-assisted guests (HVFUZZ_HVM=1): how they are built, what the processor does when one is
 * entered, and how it makes a hypercall. Frame numbers in their struct guest are guest frames;
 * their tables map GUEST_VA(n), and n pages from 0, to guest frame n.
 */
#ifndef HVFUZZ_HVMGUEST_H
#define HVFUZZ_HVMGUEST_H

#include "guest.h"
#include "hvm/svm.h"

/* Switched on for this process. */
extern bool hvmguest_on, hvmguest_vmx; /* vmx: by Intel's VMX, not by AMD's SVM */
extern u32 hvmguest_prepared;          /* entries begun so far */

void hvmguest_boot_domain(domid_t id, u32 vcpus, u32 slots, struct guest *g);

/* The processors have no translations. */
void hvmguest_reset(void);

/* Memory of the current vCPU, by GUEST_VA or guest-physical address, as its tables began. */
bool hvmguest_access(u64 va, void *buf, size_t n, bool write);

/*
 * The current vCPU runs: what comes before an entry, and the processor's checks of the control
 * block. False: another vCPU has the processor now. The control block is the guest's then.
 */
bool hvmguest_enter(void);
/*
 * What is wrong with an event to be injected that a control block's word describes (both vendors'
 * are alike), or NULL. errors: the guest is in a mode in which exceptions have error codes.
 */
const char *hvmguest_event_wrong(u64 e, bool errors);
/* It exits as the control block and the registers say. */
void hvmguest_exit(void);

/* The instruction that calls, and what follows when the call is over. True: it is. */
bool hvmguest_call(void);
/* An unfinished call is the next instruction. */
bool hvmguest_unfinished(void);

/* What vCPUs and their memory look like when no processor is inside the hypervisor. */
void hvmguest_audit_vcpu(const struct vcpu *v);
void hvmguest_audit_domain(const struct domain *d);

/* ops_hvm.c: what a record makes such a guest do; what the tools do to one. */
struct pick;
void ops_hvm(struct pick *p, u8 op);
void ops_hvm_tools(struct pick *p);

/* What both vendors' exits have in common. */
struct insn {
    u8 n, code[7];
};
extern const struct insn ops_hvm_device[24]; /* instructions on a device */
u64 ops_hvm_word(struct pick *p);
u64 ops_hvm_gfn(struct pick *p);
u32 ops_hvm_leaf(struct pick *p);
u64 ops_hvm_gpa(struct pick *p, u8 b, u8 how);
/* RDMSR or WRMSR by the registers; true: WRMSR. */
bool ops_hvm_msr(struct pick *p, struct cpu_regs *regs);
/* ops_vmx.c */
void ops_vmx_exit(struct pick *p);

#endif
