/* SPDX-License-Identifier: MIT */
/*
 * Two-level delivery (public header xen.h, struct shared_info and vcpu_info): a
 * pending and a mask bit per port in the page shared with the guest, a selector bit per 64 ports
 * and an upcall byte per vCPU. The guest writes all of it at any time, so every step is one access.
 */
#ifndef PURE_EVTCHN_2L_H
#define PURE_EVTCHN_2L_H

#include "base/atomic.h"
#include "wire/wire.h"

/* What the caller of a delivery step owes. */
#define EVTCHN_2L_NEW    1u /* the pending bit was clear before: pollers of the port may go on */
#define EVTCHN_2L_NOTIFY 2u /* the vCPU's upcall byte was clear before: notify it */

/*
 * An event for `port`, told to the vCPU whose vcpu_info *info points to. The pointer is read after
 * the pending bit is set: evtchn_2l_move relies on that. Any context, no lock.
 */
unsigned int evtchn_2l_raise(struct shared_info *s, struct vcpu_info *const *info, u32 port);
/* EVTCHNOP_unmask: clears the mask; EVTCHN_2L_NOTIFY as above when the event was waiting. */
unsigned int evtchn_2l_unmask(struct shared_info *s, struct vcpu_info *const *info, u32 port);
/* The port is closed: no event of its old life remains. */
void evtchn_2l_clear(struct shared_info *s, u32 port);
bool evtchn_2l_pending(const struct shared_info *s, u32 port);
bool evtchn_2l_masked(const struct shared_info *s, u32 port);

/*
 * Moves a vCPU's information from *info to `to`: contents are copied, *info is switched, then all
 * selectors and the upcall are raised, so that an event told to the old place meanwhile is found.
 */
void evtchn_2l_move(struct vcpu_info **info, struct vcpu_info *to);

#endif
