/* SPDX-License-Identifier: MIT */
/*
 * What a PV kernel finds at its entry: registers and selectors, start_info, the initial page
 * tables, the p2m and m2p lists, shared_info, feature bits.
 */
#include "guest.h"

static void entry_state(void)
{
    check_eq("entry cs", entry_regs.cs, FLAT_KERNEL_CS);
    check_eq("entry ss", entry_regs.ss, FLAT_KERNEL_SS);
    check_eq("entry rsi is start_info", (int64_t)(entry_regs.rsi & 0xfff), 0);
    check_eq("entry rsp page aligned", (int64_t)(entry_regs.rsp & 0xfff), 0);
    value("entry ds", "%x", entry_regs.ds);
    value("entry es", "%x", entry_regs.es);
    value("entry fs", "%x", entry_regs.fs);
    value("entry gs", "%x", entry_regs.gs);
    check(entry_regs.rflags & 0x200, "entry rflags has IF");
    value("entry rflags", "%lx", entry_regs.rflags);
    value("entry rax", "%lx", entry_regs.rax);
    value("entry rcx", "%lx", entry_regs.rcx);
    value("entry rdx", "%lx", entry_regs.rdx);
    value("entry rbx", "%lx", entry_regs.rbx);
    value("entry rbp", "%lx", entry_regs.rbp);
    value("entry rdi", "%lx", entry_regs.rdi);
}

static void start_info_fields(void)
{
    const struct start_info *si = start_info;

    value("magic", "%s", si->magic);
    check_eq("nr_pages", (int64_t)si->nr_pages, 128 * 256);
    value("flags", "%x", si->flags);
    check_eq("shared_info page aligned", (int64_t)(si->shared_info & 0xfff), 0);
    check_eq("store_mfn", (int64_t)si->store_mfn, 0);
    check_eq("store_evtchn", si->store_evtchn, 0);
    check_eq("mod_start", (int64_t)si->mod_start, 0);
    check_eq("mod_len", (int64_t)si->mod_len, 0);
    check_eq("nr_p2m_frames", (int64_t)si->nr_p2m_frames, 0);
    check((uint64_t)image_end <= (uint64_t)si->mfn_list, "p2m list behind the image");
    check_eq("p2m list page aligned", (int64_t)(si->mfn_list & 0xfff), 0);
    check(si->mfn_list + si->nr_pages * 8 <= (uint64_t)si, "start_info behind the p2m list");
    check((uint64_t)si < si->pt_base, "tables behind start_info");
    check(si->pt_base + si->nr_pt_frames * PAGE_SIZE + PAGE_SIZE == entry_regs.rsp,
          "stack page behind the tables");
    value("nr_pt_frames", "%lu", si->nr_pt_frames);
}

/* Every virtual page from VIRT_BASE to the end of the mapping: pfn n at n pages. */
static void initial_mapping(void)
{
    const struct start_info *si = start_info;
    const uint64_t *p2m = (const uint64_t *)si->mfn_list;
    uint64_t va, pfn, wrong = 0, ro_outside = 0, rw_tables = 0, nx = 0, end;
    uint64_t pt_end = si->pt_base + si->nr_pt_frames * PAGE_SIZE;

    for (va = VIRT_BASE, pfn = 0; pfn < si->nr_pages; va += PAGE_SIZE, pfn++) {
        const uint64_t *l2 = pte_at((void *)va, 2);
        uint64_t pte;

        if (!l2 || !(*l2 & PTE_P))
            break;
        pte = pte_get((void *)va);
        if (!(pte & PTE_P))
            break;
        if (va == (uint64_t)shared_info)
            continue;
        wrong += PTE_MFN(pte) != p2m[pfn];
        nx += (pte & PTE_NX) != 0;
        if (va >= si->pt_base && va < pt_end)
            rw_tables += (pte & PTE_RW) != 0;
        else
            ro_outside += (pte & PTE_RW) == 0;
    }
    end = va;
    check_eq("mapping is the p2m list's", (int64_t)wrong, 0);
    check_eq("tables mapped read-only", (int64_t)rw_tables, 0);
    check_eq("all else mapped writable", (int64_t)ro_outside, 0);
    check_eq("no NX", (int64_t)nx, 0);
    check(end >= entry_regs.rsp + 512 * 1024, "512 KiB mapped behind the stack");
    check_eq("mapping ends at 4 MiB", (int64_t)(end & 0x3fffff), 0);
    value("PTE flags of the image", "%lx", pte_get(image_start) & 0xfff0000000000fffu);
    value("PTE flags of a table", "%lx", pte_get((void *)si->pt_base) & 0xfff0000000000fffu);
    value("L2E flags", "%lx", *pte_at(image_start, 2) & 0xfff0000000000fffu);
    value("L3E flags", "%lx", *pte_at(image_start, 3) & 0xfff0000000000fffu);
    value("L4E flags", "%lx", *pte_at(image_start, 4) & 0xfff0000000000fffu);
    check_eq("pt_base is the L4", (int64_t)va_mfn((void *)si->pt_base), (int64_t)cr3_mfn());
}

static void frame_lists(void)
{
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;
    uint64_t pfn, wrong = 0, slot, used = 0;

    for (pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += M2P[p2m[pfn]] != pfn;
    check_eq("m2p inverts p2m", (int64_t)wrong, 0);
    for (slot = 0; slot < 512; slot++) {
        if (slot >= 256 && slot <= 271)
            continue;
        used += ((const uint64_t *)start_info->pt_base)[slot] != 0;
    }
    check_eq("L4 slots in use", (int64_t)used, 1);
    check(!va_writable((void *)M2P), "m2p is not writable");
    check(!va_readable((void *)0xffff808000000000ul), "slot 257 is not readable");
    check(!va_readable((void *)0xffff820000000000ul), "slot 260 is not readable");
    check(!va_readable((void *)0xffff82d080000000ul), "slot 261 is not readable");
    check(!va_readable((void *)0xffff830000000000ul), "slot 262 is not readable");
    check(!va_readable((void *)0xffff87ffffffe000ul), "slot 271 is not readable");
}

static void shared_page(void)
{
    unsigned int i, wrong = 0;

    for (i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        wrong += vcpu_info(i)->evtchn_upcall_mask != 1;
    check_eq("all upcalls masked", wrong, 0);
    check(vcpu_info(0)->time.tsc_to_system_mul != 0, "time scale is set");
    check(!(vcpu_info(0)->time.version & 1), "time is not being updated");
    check(shared_info->wc_sec > 1600000000u, "wall clock is set");
    check(!(shared_info->wc_version & 1), "wall clock is not being updated");
    check_eq("nothing pending", vcpu_info(0)->evtchn_upcall_pending, 0);
    wrong = 0;
    for (i = 0; i < 64; i++)
        wrong += shared_info->evtchn_pending[i] != 0;
    check_eq("no event pending", wrong, 0);
    wrong = 0;
    for (i = 0; i < 64; i++)
        wrong += shared_info->evtchn_mask[i] != 0;
    check_eq("no event masked", wrong, 0);
}

static void memory_is_clear(void)
{
    const uint64_t *p = (const uint64_t *)boot_stack;
    uint64_t wrong = 0;

    /* The lower half of the stack has not been used yet. */
    for (; p < (const uint64_t *)(boot_stack + 4096); p++)
        wrong += *p != 0;
    check_eq("bss is zero", (int64_t)wrong, 0);
}

void test_main(const char *args)
{
    memory_is_clear();
    check(strcmp(args, "hello world") == 0, "command line: %s", args);
    entry_state();
    start_info_fields();
    initial_mapping();
    frame_lists();
    shared_page();
}
