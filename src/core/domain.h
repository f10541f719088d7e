/* SPDX-License-Identifier: MIT */
/*
 * A domain: identity, references, lifecycle, and pointers to the parts its modules own.
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include "arch/smp.h"
#include "base/range.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "pure/port.h"
#include "wire/wire.h"

struct cpu_policy;
struct evtchn_domain;
struct grant_table;
struct hvm_domain;
struct page;
struct physmap;
struct guest_kind;
struct pirq_domain;
struct pv_domain;
struct sched_domain;

enum domain_state { DOMAIN_BUILDING, DOMAIN_ALIVE, DOMAIN_SHUTDOWN, DOMAIN_DYING, DOMAIN_DEAD };

#define DOMAIN_CODE_NONE (~0u)

struct domain {
    domid_t id;
    bool privileged;
    enum domain_state state;
    u32 shutdown_code;   /* SHUTDOWN_; DOMAIN_CODE_NONE until it or the guest's wish is known */
    u32 refs;            /* atomic; last put frees */
    u32 pause_count;     /* atomic */
    struct domain *next; /* on the list of those whose last reference is gone */
    struct lock lock;    /* RANK_DOMAIN */
    const struct guest_kind *kind;
    u32 max_vcpus;
    struct vcpu **vcpu; /* max_vcpus slots, NULL until created */
    struct shared_info *shared_info;
    u32 assist; /* VMASST_TYPE_ bits */
    u8 handle[16];
    /* Frames: counts under RANK_HEAP. */
    u64 pages, max_pages;
    u64 moving;                 /* frames on their way to or from it */
    u64 shared_pages;           /* special frames (page_share_with) */
    u64 claim;                  /* frames set aside for it (page_set_claim) */
    u64 charge;                 /* bytes of the hypervisor's objects for it; atomic */
    bool no_frames;             /* it gets no more: it is dying */
    bool last_frame_puts;       /* the domain's own reference goes with its last frame */
    u32 page_list;              /* head, PAGE_LINK_END = empty */
    u32 teardown_at;            /* frame the teardown's walk stands on, referenced; else as above */
    struct cpu_mask dirty_cpus; /* CPUs that may hold this domain's translations; atomic bits */
    /* What it may touch. Static after building, changed under `lock`. */
    struct range_set *ioports, *iomem, *irqs;
    s64 time_offset; /* seconds, wallclock */
    /* What the tools set and read back. Changed under `lock`. */
    u32 tool_pauses; /* domctl pauses, included in pause_count */
    u32 tsc_mode;    /* XEN_DOMCTL settscinfo, as given */
    u32 tsc_incarnation;
    bool was_shut_down;                 /* shutdown_code is valid, also when DYING */
    bool relinquished;                  /* teardown is over; others may still hold references */
    struct domain_map *memory_map;      /* what memory_map tells the guest; NULL: not set */
    struct cpu_policy *cpu_policy;      /* NULL: the kind's default */
    struct domain_watchdogs *watchdogs; /* core/watchdog.c; NULL until used */
    struct domain_teardown *teardown;   /* core/domain_teardown.c; NULL while alive */
    struct evtchn_domain *evt;
    struct grant_table *grants;
    struct pirq_domain *pirq;
    struct sched_domain *sched; /* core/sched_pool.h */
    struct physmap *physmap;    /* core/physmap.h; NULL: not translated */
    struct pv_domain *pv;       /* one of these, by kind */
    struct hvm_domain *hvm;
};

/* Memory map of a guest, BIOS INT 0x15 AX=0xe820 entries as the tools gave them. */
#define DOMAIN_MAP_MAX 128
struct domain_map {
    u32 nr;
    u8 entry[DOMAIN_MAP_MAX][20];
};

/* The kind's behaviour; defined by pv and hvm, looked up once at create. */
struct guest_kind {
    const char *name;
    /* HYPERCALL_COUNT rows only this kind has; NULL rows are looked up in abi_table_rows. */
    const hypercall_fn *hypercalls;
    int (*domain_init)(struct domain *d);
    void (*domain_fini)(struct domain *d);
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_fini)(struct vcpu *v);
    void (*switch_out)(struct vcpu *v); /* the CPU's state to v; regs are already saved */
    void (*switch_in)(struct vcpu *v);  /* v's state to the CPU; regs follow */
    /* The current vCPU v would take an event if it ran on now. */
    bool (*event_due)(struct vcpu *v);
    /* Deferred VDEFER_NMI: make the guest see it. */
    void (*inject_nmi)(struct vcpu *v);
    /* Writes `len` bytes at a guest virtual address of v (running or not); false on a fault. */
    bool (*write_guest)(struct vcpu *v, u64 va, const void *src, size_t len);
    /*
     * Copies between a buffer and guest virtual addresses of the current vCPU, for kinds whose
     * memory is not mapped while they call; the number of bytes not copied. NULL for others.
     */
    size_t (*copy_guest)(struct vcpu *v, u64 va, void *buf, size_t n, bool out);
    /* One resumable step of teardown: 0 done, -ERESTART again. */
    int (*teardown_step)(struct domain *d);
    /* v->info has changed: copies of the pointer follow. NULL when there are none. */
    void (*info_moved)(struct vcpu *v);
    u64 (*dump)(struct vcpu *v); /* registers to the log; returns the stack pointer */
    /*
     * A vCPU's state as the ABI has it, in or out. v does not run. set: under the domain's lock;
     * one step, -ERESTART: again with the same context.
     */
    int (*hypercall_context)(struct vcpu *v, struct vcpu_guest_context *ctx, bool set);
    /* What vcpu_guest_context has no room for; the vCPU does not run. -EINVAL. */
    int (*ext_context)(struct vcpu *v, struct xen_domctl_ext_vcpucontext *ctx, bool set);
    /*
     * Grants (GNTMAP_ flags; lock: none held): the page at `where` of v, which is the current vCPU,
     * becomes frame mfn of `granter`. unmap: `where` must map mfn as the flags say; it is cleared,
     * or, with new_where, gets what is mapped there, which is cleared. False: no such place.
     */
    bool (*grant_map)(struct vcpu *v, u64 where, u32 flags, mfn_t mfn, domid_t granter);
    bool (*grant_unmap)(struct vcpu *v, u64 where, u64 new_where, u32 flags, mfn_t mfn);
    /* CPUID of domains without a policy of their own (pure/cpupolicy.h). */
    const struct cpu_policy *cpu_policy;
};
extern const struct guest_kind pv_guest_kind;

/* vCPU `id` of d, or NULL. */
static inline struct vcpu *domain_vcpu(const struct domain *d, u32 id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

/* CPUID of d: by its own policy, if it was given one. */
static inline const struct cpu_policy *domain_cpu_policy(const struct domain *d)
{
    return d->cpu_policy != NULL ? d->cpu_policy : d->kind->cpu_policy;
}

/*
 * Creates a domain with nothing but its parts: shared_info page, event and pirq tables, vCPU slots.
 * id: exact. pool: of CPUs. -EEXIST, -EINVAL, -ENOMEM; -ESRCH, -ENODEV: no such pool, or one
 * without CPUs. The result is paused once; others may find it, and end it, at once: the caller has
 * a reference of his own.
 */
int domain_create(domid_t id, const struct guest_kind *kind, u32 max_vcpus, u32 pool,
                  bool privileged, struct domain **out) MUST_CHECK;
/*
 * The same with a free id, the one after the last given out if possible; the tools' pause is
 * counted. -ENOSPC: no id is free.
 */
int domain_create_any(const struct guest_kind *kind, u32 max_vcpus, u32 pool,
                      struct domain **out) MUST_CHECK;
/* A referenced domain by id, or NULL. */
struct domain *domain_get(domid_t id);
void domain_put(struct domain *d);
/* The same without a reference: for a caller that knows the domain cannot go. */
struct domain *domain_lookup(domid_t id);
/* First referenced domain with id >= `id`, or NULL. */
struct domain *domain_next(domid_t id);
/* All in turn: d's reference goes (NULL: begin), the next one is referenced; NULL at the end. */
struct domain *domain_after(struct domain *d);

/* page_zalloc and page_zfree for what exists because of d: counted as its (debug key m). */
void *domain_zalloc(struct domain *d, size_t size);
void domain_zfree(struct domain *d, void *p, size_t size);
/* The same for a frame: page_alloc_hv(0) and page_free_hv(mfn, 0). */
mfn_t domain_alloc_frame(struct domain *d);
void domain_free_frame(struct domain *d, mfn_t mfn);

/*
 * Pause and unpause, by the tools and otherwise: the tools may not undo other pauses (-EINVAL: they
 * hold none). Waits until the vCPUs are off their CPUs, or another CPU has ended the tools' pause.
 */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
void domain_tool_pause(struct domain *d);
int domain_tool_unpause(struct domain *d) MUST_CHECK;
/* A reason not to run for each vCPU there is. */
void domain_pause_vcpus(struct domain *d, u32 bits);
/* Of a dying domain: its vCPUs are off their CPUs for good. */
void domain_stop_vcpus(struct domain *d);
/* A domain that has shut down goes on (a cancelled suspend). -EINVAL: it has not. */
int domain_resume(struct domain *d) MUST_CHECK;
/*
 * One step of a domain's end (core/domain_teardown.c): stopped, cut off from its peers, its frames
 * given back. 0: done, and VIRQ_DOM_EXC raised; the domain itself goes with the last reference and
 * the last frame somebody else maps. -ERESTART: again. -EINVAL: it must not be destroyed. The
 * caller has a reference; no lock held.
 */
int domain_destroy_step(struct domain *d) MUST_CHECK;
/*
 * For the kinds' teardown_step: calls fn for each frame of d, with bits for each whose type has one
 * of them (and some others). 0: done for all; -ERESTART: again; or what fn returned, which then
 * sees that frame again.
 */
int domain_walk_frames(struct domain *d, u64 bits, int (*fn)(struct domain *, struct page *, int *),
                       int *budget) MUST_CHECK;
int domain_release_frames(struct domain *d, int *budget) MUST_CHECK;
/* For the last domain_put: releases what the teardown kept. */
void domain_teardown_fini(struct domain *d);
/*
 * The guest shut itself down, or is shut down: SHUTDOWN_ code, unless the guest has latched another
 * one. Tells dom0; dom0's own acts on the machine.
 */
void domain_shutdown(struct domain *d, u32 reason);
/* What the coming shutdown will be called; the first wish counts. */
void domain_latch_shutdown_code(struct domain *d, u32 code);
/*
 * core/crash.c. Crashes the current vCPU's domain, or any: named reason in the log, SHUTDOWN_crash;
 * of the current one registers, stack and console text as well.
 */
void domain_crash(struct domain *d, const char *f, ...) PRINTF_LIKE(2, 3);

/* The second half of domain_crash for the current vCPU: dump and shut down (VDEFER_CRASH). */
void domain_crash_deferred(struct vcpu *v);

extern struct domain *domain_hardware; /* dom0 */
extern struct domain *domain_idle;     /* owner of the idle vCPUs */

/* The end of the machine: reset, or halt with the power on. The other CPUs are stopped first. */
NORETURN void domain_machine_restart(void);
NORETURN void domain_machine_halt(void);

#endif
