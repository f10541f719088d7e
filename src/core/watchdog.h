/* SPDX-License-Identifier: MIT */
/*
 * A domain's watchdogs: deadlines that shut it down unless it moves them (SCHEDOP_watchdog, public
 * header sched.h). Numbered from 1.
 */
#ifndef CORE_WATCHDOG_H
#define CORE_WATCHDOG_H

#include "core/domain.h"

/*
 * Sets watchdog id to now + seconds; id 0 takes a free one and returns its number. Otherwise 0
 * seconds stop it. -EINVAL: no such watchdog in use; -ENOSPC, -ENOMEM. No lock held.
 */
long watchdog_set(struct domain *d, u32 id, u32 seconds) MUST_CHECK;
/* The domain's end: stops and frees them. */
void watchdog_domain_fini(struct domain *d);

#endif
