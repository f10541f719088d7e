/* SPDX-License-Identifier: MIT */
/*
 * How does a guest learn of an event, with bits it may change under our hands?
 *
 * Pending, then (unless masked) selector, then the upcall byte: each an atomic exchange, and only
 * the one that finds the bit clear goes on, so that repeated events cost one access and notify
 * nobody twice. The guest consumes in the opposite order, so nothing is lost. The fully ordered
 * exchanges are the barriers between the levels.
 */
#include "pure/evtchn_2l.h"

#include "base/lib.h"

STATIC_ASSERT(sizeof(((struct shared_info *)0)->evtchn_pending) == 4096 / 8, "4096 ports");
STATIC_ASSERT(sizeof(((struct vcpu_info *)0)->evtchn_pending_sel) == 8, "64 selectors");

static unsigned int evtchn_2l_tell(struct vcpu_info *const *info, u32 port)
{
    struct vcpu_info *vi = READ_ONCE(*info);
    u64 bit = (u64)1 << (port / 64);

    if (atomic_fetch_or(&vi->evtchn_pending_sel, bit) & bit)
        return 0;
    return atomic_xchg(&vi->evtchn_upcall_pending, (u8)1) ? 0 : EVTCHN_2L_NOTIFY;
}

unsigned int evtchn_2l_raise(struct shared_info *s, struct vcpu_info *const *info, u32 port)
{
    u64 bit = (u64)1 << (port % 64);

    if (atomic_fetch_or(&s->evtchn_pending[port / 64], bit) & bit)
        return 0;
    if (READ_ONCE(s->evtchn_mask[port / 64]) & bit)
        return EVTCHN_2L_NEW;
    return EVTCHN_2L_NEW | evtchn_2l_tell(info, port);
}

unsigned int evtchn_2l_unmask(struct shared_info *s, struct vcpu_info *const *info, u32 port)
{
    u64 bit = (u64)1 << (port % 64);

    if (!(atomic_fetch_and(&s->evtchn_mask[port / 64], ~bit) & bit))
        return 0; /* it was not masked: the raise told the vCPU */
    if (!(READ_ONCE(s->evtchn_pending[port / 64]) & bit))
        return 0;
    return evtchn_2l_tell(info, port);
}

void evtchn_2l_clear(struct shared_info *s, u32 port)
{
    atomic_fetch_and(&s->evtchn_pending[port / 64], ~((u64)1 << (port % 64)));
}

bool evtchn_2l_pending(const struct shared_info *s, u32 port)
{
    return (READ_ONCE(s->evtchn_pending[port / 64]) >> (port % 64)) & 1;
}

bool evtchn_2l_masked(const struct shared_info *s, u32 port)
{
    return (READ_ONCE(s->evtchn_mask[port / 64]) >> (port % 64)) & 1;
}

void evtchn_2l_move(struct vcpu_info **info, struct vcpu_info *to)
{
    memcpy(to, *info, sizeof(*to));
    atomic_store_release(info, to);
    /* Whoever told the old place set the pending bit before; whoever comes later reads `to`. */
    atomic_xchg(&to->evtchn_pending_sel, ~(u64)0);
    atomic_xchg(&to->evtchn_upcall_pending, (u8)1);
}
