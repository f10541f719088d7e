/* SPDX-License-Identifier: MIT */
/*
 * What may a processor remember, and who must not be surprised by it?
 *
 * A processor may walk its tables at any time and keep what it finds, translations and upper
 * entries, until it loads CR3. Here each one does so all the time (tlb_fill, before each record):
 * it starts at CR3 and at every table it remembers, and forgets only in tlb_flush. invlpg is not
 * relied on by the hypervisor and does nothing here. So if a flush is missing, the frame is still
 * remembered when its use changes, whatever the order of accesses would have been.
 *
 * The rules:
 *   a frame remembered as writable is not in use as a table or a descriptor page;
 *   a frame remembered as a table is not in use as anything else;
 *   a remembered frame is not given to the allocator, and none that is free is within reach. (The
 *   hardware domain may remember a readable one: it may read all memory anyway.)
 */
#include <string.h>

#include "core/domain.h"
#include "core/page.h"
#include "core/physmap.h"
#include "hvm/hvm.h"
#include "hvmguest.h"
#include "machine.h"
#include "pure/ptype.h"
#include "vmxhw.h"

#define WORDS (MACHINE_FRAMES / 64)

struct tlb {
    u64 writable[WORDS], readable[WORDS];
    u64 table[5][WORDS]; /* by level, 1 to 4 */
};

static struct tlb tlbs[MACHINE_CPUS];

static bool get(const u64 *map, u64 mfn)
{
    return map[mfn / 64] >> (mfn % 64) & 1;
}

static void set(u64 *map, u64 mfn)
{
    map[mfn / 64] |= 1ul << (mfn % 64);
}

void tlb_flush(u32 cpu)
{
    memset(&tlbs[cpu], 0, sizeof(tlbs[cpu]));
}

void tlb_flush_everything(void)
{
    memset(tlbs, 0, sizeof(tlbs));
}

static u64 frame_of(u64 e)
{
    return (e & PTE_ADDR) >> PAGE_SHIFT;
}

static bool may_read_all(u32 cpu)
{
    const struct page *pg = page_of(MFN(machine_cr3(cpu) >> PAGE_SHIFT));

    return domain_hardware != NULL && pg->owner == domain_hardware->id;
}

static void check_reached(u32 cpu, u64 table, u64 e, bool leaf)
{
    const struct page *pg = page_of(MFN(frame_of(e)));

    if (pg->owner == PAGE_OWNER_NONE && !(leaf && !(e & PTE_RW) && may_read_all(cpu)))
        machine_found("frame %#lx is free, and CPU %u may reach it through table %#lx", frame_of(e),
                      cpu, table);
}

static void fill_table(struct tlb *t, unsigned int level, u64 mfn)
{
    const u64 *table = hmap_direct(mfn << PAGE_SHIFT);
    unsigned int i;
    u64 e;

    for (i = 0; i < 512; i++) {
        if (level == 4 && i == L4_SLOT_HV_FIRST)
            i = L4_SLOT_HV_LAST + 1;
        e = table[i];
        if (!(e & PTE_P) || frame_of(e) >= MACHINE_FRAMES)
            continue;
        check_reached((u32)(t - tlbs), mfn, e, level == 1);
        if (level > 1) {
            set(t->table[level - 1], frame_of(e));
            continue;
        }
        set(t->readable, frame_of(e));
        if (e & PTE_RW)
            set(t->writable, frame_of(e));
    }
}

/* A hardware-assisted guest: whatever its physical memory leads to. */
static void fill_nested(struct tlb *t, const struct vcpu *v)
{
    const struct p2m *m = v->hvm != NULL ? &v->domain->physmap->p2m : NULL;
    enum p2m_type type;
    mfn_t mfn;
    u64 gfn;

    if (m == NULL || mfn_eq(m->root, MFN_INVALID))
        return;
    for (gfn = 0; (gfn = p2m_next(m, gfn, m->top)) < m->top; gfn++) {
        type = p2m_lookup(m, gfn, &mfn, NULL);
        set(t->readable, mfn.v);
        if (type == P2M_RAM_RW)
            set(t->writable, mfn.v);
    }
}

/*
 * It goes back with another address space id if the memory has changed; hvmguest.c checks that. Of
 * a halted guest nothing is used.
 */
void tlb_left_guest(u32 cpu)
{
    const struct vcpu *v = cpu_info_of(cpu)->vcpu;

    if (machine_cr3(cpu) >> PAGE_SHIFT == hmap_template().v &&
        (v->hvm == NULL || v->hvm->epoch != v->domain->hvm->epoch))
        tlb_flush(cpu);
}

static void fill_cpu(u32 cpu)
{
    struct tlb *t = &tlbs[cpu];
    unsigned int level, w;
    u64 left;

    if (machine_cr3(cpu) >> PAGE_SHIFT == hmap_template().v) {
        if (machine_state(cpu) == MACHINE_GUEST)
            fill_nested(t, cpu_info_of(cpu)->vcpu);
        return;
    }
    set(t->table[4], machine_cr3(cpu) >> PAGE_SHIFT);
    for (level = 4; level >= 1; level--)
        for (w = 0; w < WORDS; w++)
            for (left = t->table[level][w]; left != 0; left &= left - 1)
                fill_table(t, level, w * 64 + (u64)__builtin_ctzll(left));
}

void tlb_fill(void)
{
    u32 cpu;

    for (cpu = 0; cpu < MACHINE_CPUS; cpu++)
        fill_cpu(cpu);
}

static void check_writable(u32 cpu, u64 mfn)
{
    const struct page *pg = page_of(MFN(mfn));
    u64 type = pg->type & PTYPE_MASK;

    if (pg->owner == DOMID_IO)
        return;
    if ((pg->type & PTYPE_COUNT_MASK) && type != PTYPE_WRITABLE)
        machine_found("frame %#lx of d%u is a %s, and CPU %u may still have it writable", mfn,
                      pg->owner, ptype_name(pg->type), cpu);
}

static void check_table(u32 cpu, unsigned int level, u64 mfn)
{
    const struct page *pg = page_of(MFN(mfn));

    if ((pg->type & PTYPE_COUNT_MASK) && ptype_level(pg->type) != level)
        machine_found("frame %#lx of d%u is a %s, and CPU %u may still walk it as level %u", mfn,
                      pg->owner, ptype_name(pg->type), cpu, level);
}

static void check_cpu(u32 cpu)
{
    const struct tlb *t = &tlbs[cpu];
    unsigned int level, w;
    u64 left;

    for (w = 0; w < WORDS; w++) {
        for (left = t->writable[w]; left != 0; left &= left - 1)
            check_writable(cpu, w * 64 + (u64)__builtin_ctzll(left));
        for (level = 1; level <= 4; level++)
            for (left = t->table[level][w]; left != 0; left &= left - 1)
                check_table(cpu, level, w * 64 + (u64)__builtin_ctzll(left));
    }
}

void tlb_check(void)
{
    u32 cpu;

    for (cpu = 0; cpu < MACHINE_CPUS; cpu++)
        check_cpu(cpu);
}

void tlb_check_free(u64 mfn)
{
    unsigned int level;
    u32 cpu;

    vmxhw_check_free(mfn);
    for (cpu = 0; cpu < MACHINE_CPUS; cpu++) {
        const struct tlb *t = &tlbs[cpu];

        if (machine_state(cpu) == MACHINE_STOPPED || cpu_info_of(cpu)->vcpu->is_idle)
            tlb_left_guest(cpu);
        if (get(t->writable, mfn) || (get(t->readable, mfn) && !may_read_all(cpu)))
            machine_found("frame %#lx is freed, and CPU %u may still have it %s", mfn, cpu,
                          get(t->writable, mfn) ? "writable" : "readable");
        for (level = 1; level <= 4; level++)
            if (get(t->table[level], mfn))
                machine_found("frame %#lx is freed, and CPU %u may still walk it as level %u", mfn,
                              cpu, level);
    }
}

/* Guest accesses: through the tables as they are; what a stale entry would do is checked above. */

bool machine_walk(u64 cr3, u64 va, u64 *entry)
{
    u64 table = cr3 & PTE_ADDR, e, all = ~0ul;
    unsigned int level;

    if ((u64)((s64)(va << 16) >> 16) != va || (va >= HV_VIRT_START && va < HV_VIRT_END))
        return false;
    for (level = 4; level >= 1; level--) {
        if (table >> PAGE_SHIFT >= MACHINE_FRAMES)
            return false;
        e = ((const u64 *)hmap_direct(table))[(va >> (12 + 9 * (level - 1))) & 511];
        if (!(e & PTE_P))
            return false;
        all &= e;
        table = e & PTE_ADDR;
    }
    *entry = (e & ~(PTE_RW | PTE_US)) | (all & (PTE_RW | PTE_US));
    return table >> PAGE_SHIFT < MACHINE_FRAMES;
}

static bool access_guest(u64 va, void *buf, size_t n, bool write)
{
    u64 cr3 = machine_cr3(machine_cpu()), e;
    char *p = buf, *at;
    size_t part;

    if (vcpu_current()->hvm != NULL)
        return hvmguest_access(va, buf, n, write);
    for (; n != 0; n -= part, va += part, p += part) {
        part = MIN(n, PAGE_SIZE - (va & ~PAGE_MASK));
        if (!machine_walk(cr3, va, &e) || !(e & PTE_US) || (write && !(e & PTE_RW)))
            return false;
        at = (char *)hmap_direct(e & PTE_ADDR) + (va & ~PAGE_MASK);
        if (write)
            memcpy(at, p, part);
        else
            memcpy(p, at, part);
    }
    return true;
}

bool machine_guest_read(u64 va, void *dst, size_t n)
{
    return access_guest(va, dst, n, false);
}

bool machine_guest_write(u64 va, const void *src, size_t n)
{
    return access_guest(va, (void *)(u64)src, n, true);
}
