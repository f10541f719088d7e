/* SPDX-License-Identifier: MIT */
/*
 * pure/ptype_port.h on the machine: the frame table, the flush clock, the hypervisor's slots.
 *
 * Who may hold a stale translation of a frame? The CPUs its owner's vCPUs ran on, and those of the
 * hardware domain, the only one that maps other domains' frames without a grant (grants flush when
 * they are unmapped).
 */
#include "pure/ptype_port.h"

#include "arch/smp.h"
#include "core/page.h"
#include "pure/port.h"
#include "pv/pv_mmu.h"

static struct range protected_ranges[32];
static struct range_set protected_io = {.r = protected_ranges, .max = ARRAY_SIZE(protected_ranges)};

bool ptype_port_io_readonly(u64 mfn)
{
    return range_contains(&protected_io, mfn, mfn + 1);
}

int ptype_port_protect_io(u64 first, u64 end)
{
    return range_add(&protected_io, first, end);
}

mfn_t ptype_port_mfn(const struct page *pg)
{
    return page_mfn(pg);
}

u32 ptype_port_clock(void)
{
    return smp_flush_clock();
}

void ptype_port_flush(const struct page *pg, u32 stamp)
{
    const struct domain *d = page_owner(pg);
    struct cpu_mask mask = {0};

    if (d)
        mask.bits |= atomic_load(&d->dirty_cpus.bits);
    if (domain_hardware && domain_hardware != d)
        mask.bits |= atomic_load(&domain_hardware->dirty_cpus.bits);
    mask = smp_flush_filter(mask, stamp);
    if (mask.bits)
        smp_flush_tlb(mask, FLUSH_ALL_VA);
}

void ptype_port_release(struct page *pg)
{
    page_free_domain(pg);
}

void ptype_port_drop_begin(const struct page *table)
{
    page_drop_begin(table->owner);
}

void ptype_port_drop_end(void)
{
    page_drop_end();
}

void ptype_port_hv_slots(const struct page *l4, u64 *slots)
{
    const struct domain *d = page_owner(l4);
    const u64 *from = hmap_template_entries();
    unsigned int i;

    for (i = 0; i <= L4_SLOT_HV_LAST - L4_SLOT_HV_FIRST; i++)
        WRITE_ONCE(slots[i], from[L4_SLOT_HV_FIRST + i]);
    WRITE_ONCE(slots[L4_SLOT_PERDOMAIN - L4_SLOT_HV_FIRST],
               mfn_to_maddr(d->pv->perdomain_l3) | PTE_P | PTE_RW | PTE_A);
    /* The m2p comes with the first use as a kernel's table: user mode does not see it. */
    WRITE_ONCE(slots[L4_SLOT_M2P - L4_SLOT_HV_FIRST], 0);
}
