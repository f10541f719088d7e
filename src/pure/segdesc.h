/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors a PV guest may put into its GDT and LDT pages. The processor reads those
 * pages itself, so nothing may get there that gives more rights than ring 3 has.
 * Format: Intel SDM vol. 3, 3.4.5 and 5.8.3; AMD APM vol. 2, 4.8.
 */
#ifndef PURE_SEGDESC_H
#define PURE_SEGDESC_H

#include "base/def.h"

#define SEGDESC_PER_PAGE (PAGE_SIZE / 8)

/*
 * May this descriptor stand in a guest's table? Fixes what is harmless to fix: DPL becomes 3, and
 * the accessed bit is set, so that the processor never writes to the table. Not-present entries
 * pass unchanged; present system descriptors (gates, TSS, LDT) do not, type 0 excepted, which no
 * instruction accepts. False: refuse, *desc unchanged.
 */
bool segdesc_check(u64 *desc) MUST_CHECK;

/*
 * The same for a whole page, 512 entries, about to become a descriptor page: nothing may write to
 * it meanwhile. Fixes entries in place; false leaves the page unchanged.
 */
bool segdesc_check_page(u64 *page) MUST_CHECK;

#endif
