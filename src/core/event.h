/* SPDX-License-Identifier: MIT */
/*
 * Event channels bound to the machine: port tables of pure/evtchn.c, delivery into vcpu_info,
 * VIRQs. Lock RANK_EVENT per domain; event_raise_* take none on the delivery path.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/domain.h"
#include "pure/evtchn.h"

int event_domain_init(struct domain *d) MUST_CHECK;
void event_domain_fini(struct domain *d); /* closes every port */

/* Per-vCPU VIRQ of v (TIMER, DEBUG, ...). No-op when unbound. Any context, any CPU. */
void event_raise_virq(struct vcpu *v, u32 virq);
/* Global VIRQ to the hardware domain. */
void event_raise_global_virq(u32 virq);
/* Sets a port of d pending and notifies its vCPU (pirqs use this). */
void event_raise_port(struct domain *d, u32 port);

/* True when v, a PV one, has an upcall to take: pending and not masked. */
static inline bool event_upcall_due(struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

/*
 * Binding and use of ports; what EVTCHNOP_ sub-operations do for domain d. Results are 0 or
 * the errno Xen gives. Take d's RANK_EVENT lock, so none of that rank or above may be held.
 */
int event_alloc_unbound(struct domain *d, domid_t remote, u32 *port) MUST_CHECK;
int event_bind_interdomain(struct domain *d, struct domain *remote, u32 remote_port,
                           u32 *port) MUST_CHECK;
int event_bind_virq(struct domain *d, u32 virq, u32 vcpu, u32 *port) MUST_CHECK;
int event_bind_ipi(struct domain *d, u32 vcpu, u32 *port) MUST_CHECK;
int event_bind_pirq(struct domain *d, u32 pirq, u32 *port) MUST_CHECK;
int event_close(struct domain *d, u32 port) MUST_CHECK;
int event_send(struct domain *d, u32 port) MUST_CHECK;
int event_bind_vcpu(struct domain *d, u32 port, u32 vcpu) MUST_CHECK;
int event_unmask(struct domain *d, u32 port) MUST_CHECK;
/* Word of a port: -EINVAL beyond the table's end. */
int event_port_word(const struct domain *d, u32 port, evtchn_word_t *w) MUST_CHECK;
/* Closes one port from *port on and advances it; false when there is none left. */
bool event_close_next(struct domain *d, u32 *port);

/* Moves v's vcpu_info to another place (VCPUOP_register_vcpu_info). */
void event_move_info(struct vcpu *v, struct vcpu_info *to);

/* EVENT_CHANNEL_OP, called by the hypercall table. cmd EVTCHNOP_, arg guest address. */
long abi_event_channel_op(u64 cmd, u64 arg);

/* SCHEDOP_poll's test: 1 when this port is pending, 0 when not, -EINVAL when it is not bound. */
int event_port_pending(const struct domain *d, u32 port);
/*
 * The current vCPU v blocks until `port` (0: any port) becomes pending, even masked. Begin, then
 * look at the ports, then either sleep or end: an event between the look and the sleep ends the
 * poll (vcpu_unblock calls event_poll_end).
 */
void event_poll_begin(struct vcpu *v, u32 port);
void event_poll_end(struct vcpu *v);

void event_dump(void); /* debug key 'e' */

#endif
