/* SPDX-License-Identifier: MIT */
/*
 * Which descriptors are safe in a table that a ring-3 guest kernel fills?
 *
 * Code and data segments at DPL 3 are: in 64-bit mode base and limit protect nothing anyway, the
 * page tables do. Everything that transfers control or names memory of the processor's (call
 * gates, TSS, LDT) is refused. Left out: call gates to the guest's own code, which 64-bit kernels
 * do not use.
 */
#include "pure/segdesc.h"

#define DESC_A    (1ul << 40)
#define DESC_TYPE (0xful << 40)
#define DESC_S    (1ul << 44)
#define DESC_DPL  (3ul << 45)
#define DESC_P    (1ul << 47)

bool segdesc_check(u64 *desc)
{
    u64 d = *desc;

    if (!(d & DESC_P))
        return true;
    if (!(d & DESC_S))
        return !(d & DESC_TYPE);
    *desc = d | DESC_DPL | DESC_A;
    return true;
}

bool segdesc_check_page(u64 *page)
{
    unsigned int i;
    u64 d;

    for (i = 0; i < SEGDESC_PER_PAGE; i++) {
        d = page[i];
        if (!segdesc_check(&d))
            return false;
    }
    /* Written only where something changes: most pages are nearly empty. */
    for (i = 0; i < SEGDESC_PER_PAGE; i++) {
        d = page[i];
        if (segdesc_check(&d) && d != page[i])
            page[i] = d;
    }
    return true;
}
