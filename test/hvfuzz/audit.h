/* SPDX-License-Identifier: MIT */
/* What must be true after each record, and at the end. */
#ifndef HVFUZZ_AUDIT_H
#define HVFUZZ_AUDIT_H

#include "base/def.h"

/* Before the first domain: what has to be free again at the end. */
void audit_begin(void);
/* An input begins. */
void audit_reset(void);
/* Domain `id` is about to be allowed `max` frames. */
void audit_allow(u32 id, u64 max);
/* At any time. */
void audit_always(void);
/* When no processor is inside the hypervisor: every count is exact. */
void audit_quiet(void);
/* All domains are gone. */
void audit_end(void);

#endif
