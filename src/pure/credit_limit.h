/* SPDX-License-Identifier: MIT */
/*
 * Caps and reservations, laid over the fair queue of pure/credit.h.
 *
 * A cap is an upper bound, in percent of one CPU, for the units of a group (a domain) together. In
 * every CREDIT_CAP_PERIOD the group gets that much budget; units draw it in chunks and are parked
 * when nothing is left.
 *
 * A reservation is a lower bound for one unit: `budget` ns in every `period` ns, whatever the
 * weights say. While budget is left the unit goes before all others of its queue, the earliest
 * deadline first; afterwards its weight counts, or, without extra time, it is parked until the next
 * period. A unit that wakes, or that its cap kept away, does not bring budget along that the
 * others' promises do not allow (constant bandwidth server: Abeni and Buttazzo 1998). Each
 * reservation has a home CPU, and the shares promised by one CPU are at most CREDIT_SHARE_LIMIT, so
 * that all of them can be kept.
 *
 * Locks and time as in pure/credit.h. credit.c calls the first half.
 */
#ifndef PURE_CREDIT_LIMIT_H
#define PURE_CREDIT_LIMIT_H

#include "pure/credit.h"

#define CREDIT_RESERVE_PERIOD_MIN 1000000ul    /* ns; a shorter one costs more than it gives */
#define CREDIT_RESERVE_PERIOD_MAX 1000000000ul /* ns */
#define CREDIT_RESERVE_GRAIN      10000000ul   /* ns: longer periods are kept in equal parts */

void credit_group_init(struct credit_group *g);
/* Percent of a CPU, 0: none. No unit's lock is needed; follow with credit_limit_set for each. */
void credit_group_set_cap(struct credit_group *g, u32 cap, u64 now);

/*
 * u's reservation (period 0: none; budget <= period, and period within the bounds above) and its
 * home; also after the group's cap changed. u may be in any state; a parked one waits again. q is
 * u's queue, locked and charged.
 */
void credit_limit_set(struct credit_queue *q, struct credit_unit *u, u64 period, u64 budget,
                      bool extra, u32 home, u64 now);

/* budget / period in millionths, rounded up; 0 for no reservation. */
u32 credit_share(u64 period, u64 budget);
/*
 * The CPU of `may` that can promise `share` more, `prefer` if possible, else the fullest that can;
 * -1: none. promised[cpu]: millionths given away already.
 */
s32 credit_admit(const u32 *promised, u64 may, u32 share, u32 prefer);
/* u runs here only because the CPU was idle, and others wait or are due to: it should go home. */
bool credit_strays(const struct credit_queue *q, const struct credit_unit *u, u64 now);

/* For credit.c: u, limited, comes to or leaves q (parked or not); it may be chosen, or not. */
void credit_limit_enter(struct credit_queue *q, struct credit_unit *u);
void credit_limit_leave(struct credit_queue *q, struct credit_unit *u);
/* u, limited, wakes on q; or goes to sleep: what it drew and did not use goes back. */
void credit_limit_wake(struct credit_queue *q, struct credit_unit *u, u64 now);
void credit_limit_sleep(struct credit_queue *q, struct credit_unit *u);
/* u was parked and is about to wait again. */
void credit_limit_unpark(struct credit_unit *u, u64 now);
/*
 * u, running, used `ns` up to now; a period that ended meanwhile is followed by the next. alone:
 * nobody waited.
 */
void credit_limit_spend(struct credit_unit *u, u64 ns, u64 now, bool alone);
/* New periods begin; true when u may run. Else u->due says when to ask again. */
bool credit_limit_allows(struct credit_unit *u, u64 now);
/* u insists on budget that is left. */
bool credit_limit_insists(const struct credit_unit *u);
/* The waiting unit of q that insists, with the earliest deadline, or NULL. */
struct credit_unit *credit_limit_first(const struct credit_queue *q);
/* New periods of everybody on q with a reservation. */
void credit_limit_renew(struct credit_queue *q, u64 now);
/* The slice of credit_slice, cut to what the budgets allow. */
u64 credit_limit_slice(const struct credit_queue *q, u64 slice, u64 now);
/* For credit_limit.c: a parked unit waits again. */
void credit_unpark(struct credit_queue *q, struct credit_unit *u);
bool credit_limit_audit(const struct credit_queue *q);

#endif
