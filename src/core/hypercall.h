/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: dispatch, multicall, continuation, the reason line of a refusal.
 *
 * A handler gets its six arguments in registers order and returns the result. When work is left it
 * returns hypercall_continue(...): the call is re-issued with new arguments after the guest had a
 * chance to take events; never visible to the guest otherwise.
 */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "base/def.h"

typedef long (*hypercall_fn)(u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6);

#define HYPERCALL_COUNT 64
extern const hypercall_fn abi_table_rows[HYPERCALL_COUNT]; /* abi/abi_table.c */

/* Arranges that this hypercall is executed again with these first arguments. Returns a value the
 * handler must return at once. Works inside a multicall too. */
long hypercall_continue(u32 nr, u64 a1, u64 a2, u64 a3, u64 a4);

/* True when a long operation should stop: takes an interrupt window and looks at the work bits.
 * No lock held. */
bool hypercall_preempt(void);

/*
 * One line why a request of the current vCPU was refused; returns err. The text starts with the
 * operation's name; "(XEN) d0v1 " is put before it. Rate limited, and subject to guest_loglvl=
 * (a warning); a line that is not printed costs a clock reading.
 */
long hypercall_refuse(long err, const char *f, ...) PRINTF_LIKE(2, 3);

/*
 * The line for a handler's error at the edge of a family of calls, where `what` is the operation:
 * the error in words, unless a reason was given since hypercall_reason_forget() on this CPU.
 * Returns err.
 */
void hypercall_reason_forget(void);
long hypercall_refuse_rest(long err, const char *what, u64 op, domid_t dom);

/* PV entry: executes number nr for the current vCPU with the arguments in regs, result in rax. */
struct cpu_regs;
void hypercall_dispatch(struct cpu_regs *regs);
long hypercall_multicall(u64 list, u64 count);

#endif
