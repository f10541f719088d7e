/* SPDX-License-Identifier: MIT */
/*
 * Which timer is due next?
 *
 * A pairing heap: a tree in which no child is earlier than its parent, children in a singly walked
 * list whose members also know what precedes them. Joining two trees hangs the later
 * root under the earlier one. Taking a node out joins its children in pairs, then the pairs from
 * the last to the first, which gives the amortised logarithm. Setting and cancelling a timer long
 * before it fires, the usual life of a timer, touches a few words only.
 *
 * Left out: order among equal deadlines, and bulk expiry; the caller pops one at a time and runs
 * the handler without the lock.
 */
#include "pure/timerq.h"

void timerq_init(struct timerq *q)
{
    q->root = NULL;
}

/* Joins two trees whose roots have no siblings. Either may be NULL. */
static struct timerq_node *join(struct timerq_node *a, struct timerq_node *b)
{
    struct timerq_node *late;

    if (!a || !b)
        return a ? a : b;
    if (b->deadline < a->deadline) {
        late = a;
        a = b;
    } else {
        late = b;
    }
    late->next = a->child;
    if (late->next)
        late->next->prev = late;
    late->prev = a;
    a->child = late;
    return a;
}

/* Joins a list of siblings into one tree. */
static struct timerq_node *join_list(struct timerq_node *list)
{
    struct timerq_node *a, *b, *pairs = NULL, *tree = NULL;

    while (list) {
        a = list;
        b = a->next;
        list = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = join(a, b);
        a->next = pairs; /* a stack: the second pass starts with the last pair */
        pairs = a;
    }
    while (pairs) {
        a = pairs;
        pairs = a->next;
        a->next = NULL;
        tree = join(tree, a);
    }
    return tree;
}

static void set_root(struct timerq *q, struct timerq_node *root)
{
    q->root = root;
    if (root)
        root->prev = root;
}

bool timerq_insert(struct timerq *q, struct timerq_node *n, u64 deadline)
{
    ASSERT(!timerq_queued(n));
    n->deadline = deadline;
    n->child = NULL;
    n->next = NULL;
    set_root(q, join(q->root, n));
    return q->root == n;
}

bool timerq_remove(struct timerq *q, struct timerq_node *n)
{
    bool was_root = q->root == n;

    if (!timerq_queued(n))
        return false;
    if (was_root)
        q->root = NULL;
    else if (n->prev->child == n)
        n->prev->child = n->next;
    else
        n->prev->next = n->next;
    if (n->next)
        n->next->prev = n->prev;
    set_root(q, join(q->root, join_list(n->child)));
    n->child = NULL;
    n->next = NULL;
    n->prev = NULL;
    return was_root;
}

struct timerq_node *timerq_pop_expired(struct timerq *q, u64 now)
{
    struct timerq_node *n = q->root;

    if (!n || n->deadline > now)
        return NULL;
    timerq_remove(q, n);
    return n;
}

struct timerq_node *timerq_walk(const struct timerq *q, const struct timerq_node *n)
{
    if (!n)
        return q->root;
    if (n->child)
        return n->child;
    while (n != q->root && !n->next) {
        while (n->prev->child != n) /* back to the first sibling, then up */
            n = n->prev;
        n = n->prev;
    }
    return n->next;
}

bool timerq_audit(const struct timerq *q, u64 *count)
{
    const struct timerq_node *n, *child;

    *count = 0;
    if (q->root && (q->root->next || q->root->prev != q->root))
        return false;
    for (n = timerq_walk(q, NULL); n; n = timerq_walk(q, n)) {
        ++*count;
        if (n->next && n->next->prev != n)
            return false;
        if (n->child && n->child->prev != n)
            return false;
        for (child = n->child; child; child = child->next)
            if (child->deadline < n->deadline)
                return false;
    }
    return true;
}
