/* SPDX-License-Identifier: MIT */
/*
 * A queue of deadlines: the earliest first. Nodes are part of the caller's objects, nothing is
 * allocated. The caller locks (a CPU's timer queue, RANK_TIMER).
 *
 * Cost: insert and peek take a constant number of steps; removing takes O(log n) amortised. Nodes
 * with equal deadlines leave in no particular order.
 */
#ifndef PURE_TIMERQ_H
#define PURE_TIMERQ_H

#include "base/def.h"

/* Zero-initialised: on no queue. Only `deadline` may be read outside. */
struct timerq_node {
    u64 deadline;              /* nanoseconds of port_now(), or any other unit of the queue */
    struct timerq_node *child; /* first of the nodes below, none of which is earlier */
    struct timerq_node *next;  /* next sibling */
    struct timerq_node *prev;  /* previous sibling; first: the parent; root: itself; or NULL */
};

struct timerq {
    struct timerq_node *root;
};

void timerq_init(struct timerq *q);

/* Whether the node is on a queue. */
static inline bool timerq_queued(const struct timerq_node *n)
{
    return n->prev != NULL;
}

/* The node with the earliest deadline, or NULL. */
static inline struct timerq_node *timerq_peek(const struct timerq *q)
{
    return q->root;
}

/*
 * Queues a node that is on no queue. Returns true when it is now the earliest (the caller programs
 * its alarm).
 */
bool timerq_insert(struct timerq *q, struct timerq_node *n, u64 deadline);
/* Takes the node off q; no effect when it is on no queue. Returns true when it was the earliest. */
bool timerq_remove(struct timerq *q, struct timerq_node *n);
/* Takes off and returns the earliest node if its deadline is at or before now, else NULL. */
struct timerq_node *timerq_pop_expired(struct timerq *q, u64 now);

/*
 * Walks all queued nodes in no useful order: NULL gives the first, the last gives NULL. For dumps
 * and audits, not quick; the queue must not change meanwhile.
 */
struct timerq_node *timerq_walk(const struct timerq *q, const struct timerq_node *n);
/* True when heap order and links hold; *count is the number of nodes. */
bool timerq_audit(const struct timerq *q, u64 *count);

#endif
