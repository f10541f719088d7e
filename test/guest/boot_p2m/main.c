/* SPDX-License-Identifier: MIT */
/*
 * A kernel that asks for its p2m list elsewhere (note INIT_P2M), as Linux does: the list is at that
 * address, its frames are outside the boot area and named by first_p2m_pfn.
 */
#include "guest.h"

void test_main(const char *args)
{
    const struct start_info *si = start_info;
    const uint64_t *p2m = (const uint64_t *)si->mfn_list;
    uint64_t pfn, wrong = 0, l4;

    (void)args;
    check_eq("mfn_list is where INIT_P2M says", (int64_t)si->mfn_list, 0x8000000000);
    check(va_readable(p2m), "first entry is readable");
    check(va_readable(p2m + si->nr_pages - 1), "last entry is readable");
    check(va_writable((void *)p2m), "list is writable");
    for (pfn = 0; pfn < si->nr_pages; pfn++)
        wrong += M2P[p2m[pfn]] != pfn;
    check_eq("m2p inverts p2m", (int64_t)wrong, 0);
    value("nr_p2m_frames", "%lu", si->nr_p2m_frames);
    check(si->first_p2m_pfn > (entry_regs.rsp - VIRT_BASE) >> 12, "frames behind the boot area");
    check(si->first_p2m_pfn + si->nr_p2m_frames <= si->nr_pages, "frames inside the domain");
    l4 = *pte_at(p2m, 4);
    pfn = M2P[PTE_MFN(l4)];
    check(pfn >= si->first_p2m_pfn && pfn < si->first_p2m_pfn + si->nr_p2m_frames,
          "its L3 table is among them");
    value("flags", "%x", si->flags);
    check((uint64_t)image_end <= (uint64_t)si && (uint64_t)si < (uint64_t)image_end + 65536,
          "start_info right behind the image");
}
