/* SPDX-License-Identifier: MIT */
/*
 * Level-1 entries: which flags and frames a domain may map, by update_va_mapping and mmu_update,
 * what is read back, and what each command and argument error answers.
 */
#include "guest.h"

#define FLAGS(pte) ((pte)&0xfff0000000000fffu)

static void *window; /* a pool page whose own entry is played with */
static uint64_t frame;

static void try_flags(const char *name, uint64_t flags)
{
    long rc = va_set(window, MKPTE(frame, flags), UVMF_INVLPG | UVMF_LOCAL);

    if (rc == 0)
        value(name, "accepted, reads back %lx", FLAGS(pte_get(window)));
    else
        value(name, "refused %ld", rc);
}

static void flags_list(void)
{
    static const struct {
        const char *name;
        uint64_t flags;
    } list[] = {
        {"flags P", PTE_P},
        {"flags P RW", PTE_P | PTE_RW},
        {"flags P RW US", PTE_P | PTE_RW | PTE_US},
        {"flags P US", PTE_P | PTE_US},
        {"flags A D", PTE_RWP},
        {"flags PWT", PTE_RWP | PTE_PWT},
        {"flags PCD", PTE_RWP | PTE_PCD},
        {"flags PWT PCD", PTE_RWP | PTE_PWT | PTE_PCD},
        {"flags PAT", PTE_RWP | PTE_PAT},
        {"flags PAT PWT", PTE_RWP | PTE_PAT | PTE_PWT},
        {"flags PAT PCD PWT", PTE_RWP | PTE_PAT | PTE_PCD | PTE_PWT},
        {"flags G", PTE_RWP | PTE_G},
        {"flags G kernel", PTE_P | PTE_RW | PTE_G},
        {"flags AVL", PTE_RWP | 0xe00},
        {"flags NX", PTE_RWP | PTE_NX},
        {"flags 52", PTE_RWP | (1ul << 52)},
        {"flags 53", PTE_RWP | (1ul << 53)},
        {"flags 54", PTE_RWP | (1ul << 54)},
        {"flags 55", PTE_RWP | (1ul << 55)},
        {"flags 56", PTE_RWP | (1ul << 56)},
        {"flags 57", PTE_RWP | (1ul << 57)},
        {"flags 58", PTE_RWP | (1ul << 58)},
        {"flags 59", PTE_RWP | (1ul << 59)},
        {"flags 60", PTE_RWP | (1ul << 60)},
        {"flags 61", PTE_RWP | (1ul << 61)},
        {"flags 62", PTE_RWP | (1ul << 62)},
        {"not present, all bits", ~1ul & ~(0xfffffffffful << 12)},
        {"not present, RW", PTE_RW},
        {"zero", 0},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++)
        try_flags(list[i].name, list[i].flags);
    va_set(window, 0, UVMF_INVLPG);
}

static void frames_list(void)
{
    uint64_t ram = MKPTE(frame, PTE_RWP);
    const uint64_t *slot = (const uint64_t *)start_info->pt_base;

    check_eq("own frame", va_set(window, ram, UVMF_INVLPG), 0);
    check_eq("own frame again", va_set(window, ram, UVMF_INVLPG), 0);
    check_eq("clear", va_set(window, 0, UVMF_INVLPG), 0);
    check_eq("frame beyond memory, bit 39", va_set(window, MKPTE(1ul << 27, PTE_RWP), 0), 0);
    check_eq("frame with all bits", va_set(window, MKPTE(0xfffffffffful, PTE_RWP), 0), -22);
    check_eq("hypervisor's L3 writable", va_set(window, MKPTE(PTE_MFN(slot[256]), PTE_RWP), 0),
             -16);
    check_eq("hypervisor's L3 read-only", va_set(window, MKPTE(PTE_MFN(slot[256]), PTE_ROP), 0),
             -16);
    check_eq("hypervisor's text", va_set(window, MKPTE(0x200, PTE_ROP), 0), -16);
    check_eq("shared_info read-only", va_set(window, start_info->shared_info | PTE_ROP, 0), 0);
    check_eq("shared_info writable", va_set(window, start_info->shared_info | PTE_RWP, 0), 0);
    check_eq("own L4 writable", va_set(window, MKPTE(cr3_mfn(), PTE_RWP), 0), -16);
    check_eq("own L4 read-only", va_set(window, MKPTE(cr3_mfn(), PTE_ROP), 0), 0);
    va_set(window, 0, UVMF_INVLPG);
}

/* Device memory: dom0 may map what is not RAM. */
static void device_list(void)
{
    static const struct {
        const char *name;
        uint64_t mfn;
    } list[] = {
        {"VGA hole", 0xa0},   {"BIOS", 0xf0},          {"hole above RAM", 0xc0000},
        {"IO-APIC", 0xfec00}, {"local APIC", 0xfee00}, {"HPET", 0xfed00},
        {"flash", 0xfffff},   {"frame 0", 0},          {"low RAM", 0x10},
    };
    static const struct {
        const char *name;
        uint64_t flags;
    } kinds[] = {
        {"writable", PTE_RWP},
        {"read-only", PTE_ROP},
        {"PWT", PTE_RWP | PTE_PWT},
        {"UC", PTE_RWP | PTE_PCD | PTE_PWT},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list) * ARRAY_SIZE(kinds); i++) {
        unsigned int at = i / ARRAY_SIZE(kinds), kind = i % ARRAY_SIZE(kinds);

        va_set(window, 0, UVMF_INVLPG);
        frame = list[at].mfn;
        try_flags(text("%s %s", list[at].name, kinds[kind].name), kinds[kind].flags);
    }
    va_set(window, 0, UVMF_INVLPG);
}

static void mmu_commands(void)
{
    const uint64_t *entry = pte_at(window, 1);
    uint64_t at = va_maddr(entry), ram = MKPTE(frame, PTE_RWP);
    struct mmu_update u[3];
    unsigned int done = 77;
    long rc;

    check_eq("normal update", pt_update(at, ram), 0);
    check_eq("normal update takes effect", (int64_t)PTE_MFN(pte_get(window)), (int64_t)frame);
    check(va_writable(window), "and is a mapping");
    check_eq("preserve A/D",
             pt_update(at | MMU_PT_UPDATE_PRESERVE_AD, MKPTE(frame, PTE_P | PTE_RW)), 0);
    value("preserve A/D reads back", "%lx", FLAGS(pte_get(window)));
    check_eq("no translate", pt_update(at | MMU_PT_UPDATE_NO_TRANSLATE, ram), 0);
    check_eq("machphys update", pt_update((frame << 12) | MMU_MACHPHYS_UPDATE, 0x1234), 0);
    check_eq("machphys takes effect", (int64_t)M2P[frame], 0x1234);
    check_eq("machphys beyond memory", pt_update((1ul << 39) | MMU_MACHPHYS_UPDATE, 1), -22);
    check_eq("machphys of device frame", pt_update(0xa0000 | MMU_MACHPHYS_UPDATE, 1), -22);
    check_eq("machphys of hypervisor's frame", pt_update(0x200000 | MMU_MACHPHYS_UPDATE, 1), -22);
    check_eq("table beyond memory", pt_update(1ul << 39, ram), -22);
    check_eq("table in device frame", pt_update(0xa0000, ram), -22);
    check_eq("table in the hypervisor", pt_update(0x200000, ram), -22);
    check_eq("unaligned pointer", pt_update(at | 4, ram), -38);
    check_eq("foreign domain 5", pt_update_dom(at, ram, 5), -3);
    check_eq("foreign domain itself by number", pt_update_dom(at, ram, 0), -3);
    check_eq("foreign domain DOMID_IO, RAM", pt_update_dom(at, ram, DOMID_IO), 0);
    check_eq("foreign domain DOMID_IO, device", pt_update_dom(at, MKPTE(0xa0, PTE_RWP), DOMID_IO),
             0);
    check_eq("foreign domain DOMID_XEN, RAM", pt_update_dom(at, ram, DOMID_XEN), -16);
    check_eq("foreign domain DOMID_XEN, m2p read-only",
             pt_update_dom(at, MKPTE(PTE_MFN(*pte_at(window, 1)), PTE_ROP), DOMID_XEN), -1);
    check_eq("foreign domain DOMID_INVALID", pt_update_dom(at, ram, DOMID_INVALID), -3);
    check_eq("table owner 5 in the high half", pt_update_dom(at, ram, DOMID_SELF | (6u << 16)), -3);
    check_eq("plain store into a writable frame", pt_update(va_maddr(window), 0x55), 0);
    pt_update(at, 0);

    u[0].ptr = at, u[0].val = ram;
    u[1].ptr = at, u[1].val = MKPTE(0xfffffffffful, PTE_RWP);
    u[2].ptr = at, u[2].val = 0;
    rc = hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, 3, (uint64_t)&done, DOMID_SELF);
    check_eq("batch stops at the refused one", rc, -22);
    check_eq("batch says how many are done", done, 1);
    check_eq("the first of them took effect", (int64_t)PTE_MFN(pte_get(window)), (int64_t)frame);
    rc = hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, 0, (uint64_t)&done, DOMID_SELF);
    check_eq("empty batch", rc, 0);
    value("empty batch done", "%u", done);
    check_eq("unreadable requests",
             hypercall4(__HYPERVISOR_mmu_update, 0xffff808000000000ul, 1, 0, DOMID_SELF), -14);
    u[0].val = 0;
    rc = hypercall4(__HYPERVISOR_mmu_update, (uint64_t)u, 1, 0xffff808000000000ul, DOMID_SELF);
    value_rc("unwritable done pointer", rc);
    check_eq("and was performed", (int64_t)pte_get(window), 0);
}

static void plain_store(void)
{
    uint64_t *t = page_alloc();

    check_eq("store into an untyped page", pt_update(va_maddr(&t[3]), 0x1122334455667788), 0);
    check_eq("store is seen", (int64_t)t[3], 0x1122334455667788);
    check_eq("any value is accepted there",
             pt_update(va_maddr(&t[3]), MKPTE(0xfffffffffful, 0xfff)), 0);
    check_eq("store into shared_info", pt_update(start_info->shared_info + 2048, 0), 0);
}

static void va_arguments(void)
{
    uint64_t ram = MKPTE(frame, PTE_RWP), bitmap = 1;

    check_eq("va without L1", va_set((void *)0x10000000ul, ram, 0), -22);
    check_eq("va in hypervisor's range", va_set((void *)M2P, ram, 0), -22);
    check_eq("va in private range", va_set((void *)0xffff830000000000ul, ram, 0), -22);
    check_eq("va non-canonical", va_set((void *)0x0000900000000000ul, ram, 0), -22);
    check_eq("va unaligned", va_set((char *)window + 5, ram, UVMF_INVLPG), 0);
    check_eq("flush all TLBs", va_set(window, ram, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    check_eq("flush local", va_set(window, ram, UVMF_TLB_FLUSH | UVMF_LOCAL), 0);
    check_eq("invlpg all", va_set(window, ram, UVMF_INVLPG | UVMF_ALL), 0);
    check_eq("flush by bitmap",
             va_set(window, ram, UVMF_TLB_FLUSH | UVMF_MULTI | (uint64_t)&bitmap), 0);
    check_eq("invlpg by bitmap", va_set(window, ram, UVMF_INVLPG | UVMF_MULTI | (uint64_t)&bitmap),
             0);
    value_rc("flush by unreadable bitmap",
             va_set(window, ram, UVMF_TLB_FLUSH | 0xffff808000000000ul));
    value_rc("flush kind 3", va_set(window, ram, 3));
    check_eq("other domain's",
             hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, (uint64_t)window, ram, 0, 5),
             -3);
    check_eq("own domain's by number",
             hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, (uint64_t)window, ram, 0, 0),
             -3);
    check_eq("other domain DOMID_IO, device",
             hypercall4(__HYPERVISOR_update_va_mapping_otherdomain, (uint64_t)window,
                        MKPTE(0xa0, PTE_RWP), 0, DOMID_IO),
             0);
    check_eq("clear at the end", va_set(window, 0, UVMF_INVLPG), 0);
}

void test_main(const char *args)
{
    (void)args;
    window = page_alloc();
    frame = mfn_alloc();
    check_eq("unmap the window", page_unmap(window), 0);
    flags_list();
    frames_list();
    mmu_commands();
    va_arguments();
    plain_store();
    device_list();
}
