/* SPDX-License-Identifier: MIT */
/* Privileged instructions of PV kernels; pv.h has the entries from the trap handlers. */
#ifndef PV_PV_PRIVOP_H
#define PV_PV_PRIVOP_H

#include "base/def.h"

struct pv_vcpu;

/* What CR4 holds while this vCPU runs: the machine's bits and the guest's choices. */
u64 pv_real_cr4(const struct pv_vcpu *pv);

#endif
