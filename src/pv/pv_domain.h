/* SPDX-License-Identifier: MIT */
/* The PV guest kind beyond its ops table (core/domain.h: pv_guest_kind). */
#ifndef PV_PV_DOMAIN_H
#define PV_PV_DOMAIN_H

#include "core/domain.h"

/* Leaves d's address space on this CPU, where it may still be loaded lazily. Own CPU only. */
void pv_domain_forget(struct domain *d);

/*
 * vcpu_guest_context of v, both ways (pv_context.c). set: validates everything, takes the type
 * references, -EINVAL/-EBUSY changes nothing. The vCPU is not running.
 */
int pv_context(struct vcpu *v, struct vcpu_guest_context *ctx, bool set);

/* The same for the rest of a vCPU's state (domctl ext_vcpucontext): 32-bit system-call entries. */
int pv_ext_context(struct vcpu *v, struct xen_domctl_ext_vcpucontext *ctx, bool set);

#endif
