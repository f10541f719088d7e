/* SPDX-License-Identifier: MIT */
/*
 * Scheduling policy: weighted fair share by virtual time over one run queue per CPU, with caps and
 * reservations laid over it (pure/credit_limit.h).
 *
 * Each unit (a vCPU) has a virtual time that advances with the time it runs, divided by its weight;
 * each queue a floor, the virtual time below which nobody on it is. The unit with the lowest
 * virtual time runs. A unit that slept comes back at most CREDIT_BONUS below the floor: enough to
 * preempt what runs, not enough to make up for the sleep. Virtual times are only compared within a
 * queue; a unit that moves takes its distance from the floor along. Time is charged when it is
 * used, by the clock: there is no tick to hide from.
 *
 *   OFF --wake--> WAITING --choose--> RUNNING --sleep--> OFF
 *                    ^  ^---preempted----'|
 *                    '--due--- PARKED <---' no budget is left (also from WAITING)
 *
 * A queue and its units are protected by the caller's lock of that queue (RANK_SCHED); functions
 * that take two queues need both. Fields read without it (load, waiting) are hints. Times in ns.
 */
#ifndef PURE_CREDIT_H
#define PURE_CREDIT_H

#include "base/def.h"
#include "pure/port.h"

#define CREDIT_WEIGHT_DEFAULT 256       /* virtual time is real time at this weight */
#define CREDIT_BONUS          3000000ul /* virtual: what a sleeper may be ahead of the floor */
#define CREDIT_MARGIN         500000ul  /* virtual: a waker must be this much better to preempt */
#define CREDIT_RATELIMIT      700000ul  /* real: usual length of a turn that no waker cuts short */
#define CREDIT_SLICE          5000000ul /* virtual: how far one gets ahead of the next in line */
#define CREDIT_SLICE_MIN      1000000ul /* real bounds of a slice */
#define CREDIT_SLICE_MAX      30000000ul
#define CREDIT_LEAD           50000000ul /* virtual: most a moved or woken unit is behind */
#define CREDIT_BALANCE        20000000ul /* real: how often a queue with waiters looks elsewhere */
#define CREDIT_HOT            50000000ul /* real: a moved unit is left alone this long */
#define CREDIT_CAP_PERIOD     10000000ul /* real: a cap is kept over this time */
#define CREDIT_CAP_CHUNK      1000000ul  /* real: what a unit takes of its group's budget at once */
#define CREDIT_CAP_KEEP       20ul       /* periods: how long budget that others delay stays */
#define CREDIT_TICK           20000ul    /* real: shortest time a budget is waited for */
#define CREDIT_SHARE_FULL     1000000u   /* a reserved share is given in millionths of a CPU */
#define CREDIT_SHARE_LIMIT    950000u    /* what may be promised of one CPU */

enum credit_state { CREDIT_OFF, CREDIT_WAITING, CREDIT_RUNNING, CREDIT_PARKED };

/* What units of one domain share. `lock` (RANK_CREDIT) protects budget and refill. */
struct credit_group {
    struct lock lock;
    u32 cap;    /* percent of a CPU for all of them together, 0 = none */
    s64 budget; /* what is left of this period; below 0: to be paid from the next */
    u64 refill; /* the next period begins */
};

struct credit_unit {
    struct credit_unit *next, *prev; /* waiting: neighbours by virtual time; parked: unordered */
    u64 vtime;
    u64 rest; /* ns * DEFAULT not yet turned into virtual time: less than weight */
    u64 ran;  /* ns run, exact up to the queue's last charge */
    u64 moved_at;
    u64 hard, soft; /* CPUs it may use, CPUs it should; hard is never empty */
    u32 cpu;        /* the queue it is on or was last on */
    u16 weight;
    enum credit_state state;
    bool busy; /* its context is on q's CPU: it must not move. Set and cleared by the caller */

    /* Caps and reservations: pure/credit_limit.c. */
    bool limited; /* it has one of them; the rest matters only then */
    bool extra;   /* reservation: it may run beyond its budget, as its weight allows */
    bool yielded; /* reservation: does not insist on its budget right now */
    u32 home;     /* reservation: the CPU that made the promise */
    struct credit_group *group;
    s64 quota;                 /* of the group's budget, in hand */
    u64 ready;                 /* since when it wants the CPU */
    u64 period, budget;        /* reservation: budget ns in every period ns; period 0: none */
    u64 deadline;              /* of the running period */
    s64 left;                  /* of its budget */
    u64 due;                   /* parked: when to look again */
    struct credit_unit *rnext; /* the queue's next with a reservation */
};

struct credit_queue {
    struct credit_unit *first, *last; /* waiting, lowest virtual time first */
    struct credit_unit *running;      /* NULL: idle */
    u64 charged;                      /* the running unit is charged up to here */
    u64 started;                      /* when it was chosen */
    u64 floor;
    u64 load;      /* weights of running and waiting */
    u64 balanced;  /* last look for imbalance */
    u64 turn;      /* since when the running unit is waited for, to move it; 0: it is not */
    u64 ratelimit; /* real: a turn lasts so long before a waker without reservation ends it */
    bool promised; /* the running unit's turn is one by reservation, or began as one */
    u32 waiting;
    u32 cpu;
    u32 limited;                  /* units here with a cap or reservation, parked ones included */
    struct credit_unit *reserved; /* those waiting or running with a reservation, by rnext */
    struct credit_unit *parked;
};

void credit_queue_init(struct credit_queue *q, u32 cpu);
/* Off any queue, at the floor of cpu's queue when it first wakes. */
void credit_unit_init(struct credit_unit *u, struct credit_group *g, u32 cpu, u64 hard);

/* Brings the running unit's account up to now. Every other function expects that it was called. */
void credit_charge(struct credit_queue *q, u64 now);

/*
 * u, off, becomes ready on q. `from` is the queue of u->cpu (only its floor is read, a hint), or q.
 * Sets u->cpu.
 */
void credit_wake(struct credit_queue *q, struct credit_unit *u, const struct credit_queue *from,
                 u64 now);
/* u, running, waiting or parked on q, stops being ready. */
void credit_sleep(struct credit_queue *q, struct credit_unit *u);
/* The running unit lets the next in line go first, once. */
void credit_yield(struct credit_queue *q);

/* Should somebody in line replace the running unit before its slice ends? */
bool credit_preempts(const struct credit_queue *q);
/* u has just come to q, which runs another: must its CPU choose again, or set a shorter slice? */
bool credit_disturbs(const struct credit_queue *q, const struct credit_unit *u);
/*
 * Chooses what runs now: the running unit, or the first in line when the slice is over or it
 * preempts; first of all those whose reservation is due. NULL: nobody is ready.
 */
struct credit_unit *credit_choose(struct credit_queue *q, u64 now);
/* Real ns the choice is good for; 0: until something changes (nobody waits, no budget runs). */
u64 credit_slice(const struct credit_queue *q, u64 now);

/* Charges and sets a new weight in place. */
void credit_set_weight(struct credit_queue *q, struct credit_unit *u, u16 weight, u64 now);

/*
 * Where u should become ready: its last CPU when idle, else an idle one it should use, else an idle
 * one it may use, else the one that promised it a share, else the least loaded of those it should
 * use. queue[cpu] for all bits of online.
 */
u32 credit_place(const struct credit_unit *u, u64 online, u64 idle,
                 const struct credit_queue *const *queue);
/*
 * u has no business elsewhere than on this CPU: what it may have is promised here, and nothing
 * more; on another it would be in the way of that one's promises.
 */
static inline bool credit_stays(const struct credit_unit *u, u32 cpu)
{
    return u->limited && u->period && !u->extra && u->home == cpu;
}
/* For an idle CPU: the waiting unit of q to take, or NULL. Busy units stay. */
struct credit_unit *credit_steal(const struct credit_queue *q, u32 cpu);
/*
 * For a queue with waiters: a unit that another CPU should have instead, the least loaded of those
 * that unit should use, and which (*to); or NULL. Moves that only swap the roles of two CPUs are
 * wanted too: they let three equal units share two CPUs; so that all take their turns, the one goes
 * that has not moved for longest, though it be the one that runs and has to wait first: that is
 * waited for as long as two turns may take. Nobody leaves an idle CPU. Says in q->balanced when to
 * look again. queue[cpu] for all bits of online; their loads are hints.
 */
struct credit_unit *credit_push(struct credit_queue *q, u64 online,
                                const struct credit_queue *const *queue, u64 now, u32 *to);
/* A waiting unit changes its queue. */
void credit_move(struct credit_queue *q, struct credit_queue *to, struct credit_unit *u, u64 now);

/* Order, links, counts, load, floor, lists of the limited. */
bool credit_audit(const struct credit_queue *q);

#endif
