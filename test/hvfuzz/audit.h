/* SPDX-License-Identifier: MIT */
/* What must be true after each record, and at the end. */
#ifndef HVFUZZ_AUDIT_H
#define HVFUZZ_AUDIT_H

#include "base/def.h"

/* Before the first domain: what has to be free again at the end. */
void audit_begin(void);
/* At any time. */
void audit_always(void);
/* When no processor is inside the hypervisor: every count is exact. */
void audit_quiet(void);
/* All domains are gone. */
void audit_end(void);

#endif
