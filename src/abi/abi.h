/* SPDX-License-Identifier: MIT */
/*
 * The hypercall families. Each takes the guest's register arguments as they are, checks them, and
 * returns what the guest gets: a result or a negative errno. Called by the dispatcher for the
 * current vCPU, no lock held. docs/ABI.md has the status of each sub-operation.
 */
#ifndef ABI_ABI_H
#define ABI_ABI_H

#include "core/hypercall.h"

long abi_memory_op(u64 cmd, u64 arg, u64, u64, u64, u64);
long abi_xen_version(u64 cmd, u64 arg, u64, u64, u64, u64);
long abi_console_io(u64 cmd, u64 count, u64 buffer, u64, u64, u64);
long abi_vm_assist(u64 cmd, u64 type, u64, u64, u64, u64);
long abi_hvm_op(u64 cmd, u64 arg, u64, u64, u64, u64);
long abi_mca(u64 op, u64, u64, u64, u64, u64);
long abi_grant_table_op(u64 cmd, u64 ops, u64 count, u64, u64, u64);

long abi_set_timer_op(u64 deadline, u64, u64, u64, u64, u64);
long abi_sched_op(u64 cmd, u64 arg, u64, u64, u64, u64);
long abi_vcpu_op(u64 cmd, u64 vcpu, u64 arg, u64, u64, u64);
long abi_physdev_op(u64 cmd, u64 arg, u64, u64, u64, u64);
long abi_platform_op(u64 op, u64, u64, u64, u64, u64);
long abi_sysctl(u64 arg, u64, u64, u64, u64, u64);
long abi_domctl(u64 arg, u64, u64, u64, u64, u64);
/* abi_event_channel_op (two arguments): core/event.h */

/*
 * The domain a request names by id, referenced: DOMID_SELF or the caller's own id, or any other for
 * a privileged caller. -EPERM, -ESRCH.
 */
struct domain;
int abi_target_domain(domid_t id, struct domain **out) MUST_CHECK;

#endif
