/* SPDX-License-Identifier: MIT */
/*
 * The seam between hardware-free code and the machine. core/port.c defines these in the
 * hypervisor, test/host/port.c on the desk (where it also checks lock balance and rank).
 */
#ifndef PURE_PORT_H
#define PURE_PORT_H

#include "base/def.h"

/* A spin lock with a rank: a CPU may only take a lock of a higher rank than those it holds. */
struct lock {
    u32 ticket; /* next ticket to hand out (high half), ticket served (low half) */
    u16 rank;   /* enum lock_rank */
    u16 owner;  /* cpu + 1 when held, for the checker and the dump; 0 = free */
};

/* Ranks, lowest taken first. docs/LOCKS.md explains each. */
enum lock_rank {
    RANK_DOMLIST = 1, /* the list of domains */
    RANK_DOMAIN,      /* one domain's lifecycle and settings */
    RANK_GRANT,       /* a domain's grant table */
    RANK_MMU,         /* a domain's PV page tables: serialises type changes of its tables */
    RANK_P2M,         /* a translated domain's physical memory */
    RANK_EVENT,       /* a domain's event ports */
    RANK_PIRQ,        /* physical irq bindings */
    RANK_POOL,        /* CPU pools, promised shares */
    RANK_SCHED,       /* a CPU's run queue */
    RANK_CREDIT,      /* a capped domain's budget */
    RANK_TIMER,       /* a CPU's timer queue */
    RANK_HEAP,        /* page allocator, small-object pools, accounting */
    RANK_IRQ,         /* interrupt controller registers */
    RANK_PCI,         /* one PCI configuration cycle */
    RANK_CONSOLE,     /* console ring and serial port: any code may log */
};

#define LOCK_INIT(r)                                                                               \
    {                                                                                              \
        .ticket = 0, .rank = (r), .owner = 0                                                       \
    }

void lock_init(struct lock *l, enum lock_rank rank);
/* Spins; while spinning serves this CPU's cross-call mailbox. Not for NMI context. */
void lock_acquire(struct lock *l);
bool lock_try(struct lock *l) MUST_CHECK;
void lock_release(struct lock *l);
bool lock_held(const struct lock *l); /* by this CPU */

/* Nanoseconds since the hypervisor's start; monotonic on one CPU and across CPUs. */
u64 port_now(void);

/* A writable view of a frame of RAM; valid for ever (direct map). Never for MMIO. */
void *port_map(mfn_t mfn);

/* Random failure for tests: true means the caller behaves as if the allocation failed. */
bool port_inject_failure(void);

/* Log levels as Xen's loglvl= option has them. */
enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };
/* One line, or several with newlines between them. */
void log_msg(enum log_level level, const char *f, ...) PRINTF_LIKE(2, 3);

#endif
