/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: identity, run state, what it waits for, and pointers to the parts its modules own.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "arch/cpu.h"
#include "arch/fpu.h"
#include "arch/regs.h"
#include "pure/port.h"
#include "pure/timerq.h"
#include "wire/wire.h"

struct domain;
struct sched_vcpu;
struct hvm_vcpu;
struct pv_vcpu;

/* Why a vCPU may not run; it is runnable when `pause` is 0. Atomic bits. */
#define VPAUSE_DOWN    (1u << 0) /* not initialised, or VCPUOP_down */
#define VPAUSE_BLOCKED (1u << 1) /* SCHEDOP_block or poll: an event wakes it */
#define VPAUSE_DOMAIN  (1u << 2) /* the domain is paused or shut down */
#define VPAUSE_REMOTE  (1u << 3) /* another CPU wants it stopped for a moment */

/* Deferred work of a vCPU, honoured in one place before it enters its guest. Atomic bits. */
#define VDEFER_NMI      (1u << 0) /* inject an NMI */
#define VDEFER_TIMEINFO (1u << 1) /* refresh vcpu_time_info */
#define VDEFER_RUNSTATE (1u << 2) /* write the run-state area */
#define VDEFER_CRASH    (1u << 3) /* the domain was crashed; do not enter */

struct vcpu {
    u32 id;
    u32 cpu; /* processor it runs on or last ran on */
    struct domain *domain;
    u32 pause; /* VPAUSE_ */
    u32 defer; /* VDEFER_ */
    bool is_idle;
    bool running; /* registers are on a CPU's stack, not in `regs` */
    bool initialised;
    bool poll_any;            /* in SCHEDOP_poll */
    u32 poll_port;            /* the one port polled; 0 = several or none */
    struct vcpu_info *info;   /* hypervisor's mapping of what the guest sees; never NULL */
    struct vcpu_info no_info; /* what info leads to without a place (id >= 32 at first; dying) */
    struct page *info_page;   /* referenced frame behind info when registered, else NULL */
    struct cpu_regs regs;     /* when not running */
    struct fpu_state fpu;
    u64 tsc_aux;        /* PV: the MSR */
    struct pv_vcpu *pv; /* one of these, by kind */
    struct hvm_vcpu *hvm;
    struct sched_vcpu *sched;
    struct vcpu_time *time; /* run state, areas, timers: core/vtime.c */
    u16 virq_port[24];      /* event port per VIRQ; 0 = unbound */
};

static inline struct vcpu *vcpu_current(void)
{
    return cpu_info()->vcpu;
}

/* Allocates vCPU `id` of d, down. -EINVAL, -EEXIST, -ENOMEM. Domain lock held. */
int vcpu_create(struct domain *d, u32 id) MUST_CHECK;
void vcpu_destroy(struct vcpu *v);

/* Set or clear a reason not to run; wakes or kicks as needed. Any context. */
void vcpu_pause_set(struct vcpu *v, u32 bits);
void vcpu_pause_clear(struct vcpu *v, u32 bits);
/*
 * Waits until v, paused because of `bits`, is off its CPU and its state in struct vcpu, or all of
 * these reasons are gone. No lock that the other CPU could need.
 */
void vcpu_pause_wait(struct vcpu *v, u32 bits);

/* Defers work to v's next entry; kicks the CPU it runs on. */
void vcpu_defer(struct vcpu *v, u32 bits);

/* An event is pending for v: wakes it if blocked, kicks it if it runs elsewhere. */
void vcpu_notify(struct vcpu *v);
/* Ends SCHEDOP_block or poll. No effect on one that is not blocked. Any context. */
void vcpu_unblock(struct vcpu *v);
/*
 * The current vCPU v blocks: VPAUSE_BLOCKED, effective on the way out. An upcall that is due by the
 * time this looks cancels it (SCHEDOP_block loses no wake-up). Returns false then.
 */
bool vcpu_block(struct vcpu *v);
/* The current vCPU v has VPAUSE_BLOCKED, and does not block after all. */
void vcpu_stay(struct vcpu *v);

/*
 * Moves v's vcpu_info to `offset` in a frame of its domain, which stays referenced and writable.
 * -ENXIO: does not lie in one page, or misaligned. -EINVAL: done before, v runs elsewhere, or the
 * frame is not the domain's or in use as a table. Domain lock held.
 */
int vcpu_register_info(struct vcpu *v, mfn_t mfn, u32 offset) MUST_CHECK;

/*
 * The end of a vCPU that never runs again. forget: v->info leads to v->no_info, which
 * nobody reads. release: the frame it was in is given up; in between every CPU must have left
 * whatever it was doing (smp_call).
 */
void vcpu_info_forget(struct vcpu *v);
void vcpu_info_release(struct vcpu *v);

#endif
