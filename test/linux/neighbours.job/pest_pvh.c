/* SPDX-License-Identifier: MIT */
/*
 * pest.c as a PVH guest: memory given back, missed and taken again in small pages and a large one,
 * hypervisor frames moved about in its physical memory, frames copied by a grant of its own, event
 * channels, and whatever else makes the processor leave it: CPUID, ports, MSRs, its APIC, halts
 * that are over at once; as many requests that must be refused, and accesses that fault.
 */
#include "pest.h"

#include "pvh.h"

#define LARGE   0x200000ul
#define REF     8
#define MOVES   16
#define EXITS   16
#define SPIV    0xf0
#define ICR     0x300
#define EOI     0xb0
#define SELF    0x40000u
#define VECTOR  0x61
#define NO_PORT 0x80

static grant_entry_v1_t *grants;
static void *frame, *window;
static unsigned int self;
/* What is given back lies in one large page of the nested tables. */
static uint8_t arena[2 * LARGE] __attribute__((aligned(4096)));
static uint8_t *large;

static long physmap(unsigned int space, uint64_t idx, const void *at)
{
    struct xen_add_to_physmap a = {
        .domid = DOMID_SELF, .space = (uint16_t)space, .idx = idx, .gpfn = va_mfn(at)};

    return hypercall2(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&a);
}

static void set_up(void)
{
    self = own_id();
    large = (uint8_t *)(((uint64_t)arena + LARGE - 1) & -LARGE);
    grants = page_alloc();
    window = page_alloc();
    frame = page_alloc();
    must(physmap(XENMAPSPACE_grant_table, 0, grants) == 0);
    grant(&grants[REF], self, frame);
    apic_write(SPIV, 0x1ff);
    pvh_count(VECTOR);
}

/* Each of these pages is touched while it is there and while it is not. */
static void pages_round(void)
{
    unsigned int i;

    for (i = 0; i < FRAMES; i++)
        frames[i] = va_mfn(large) + i * 7;
    must(reserve(XENMEM_decrease_reservation, FRAMES, 0) == FRAMES);
    for (i = 0; i < FRAMES; i++)
        must(*(volatile uint64_t *)(frames[i] << 12) == ~0ul);
    must(reserve(XENMEM_populate_physmap, FRAMES, 0) == FRAMES);
    for (i = 0; i < FRAMES; i++)
        must(*(volatile uint64_t *)(frames[i] << 12) == 0);
}

/* All of the large page at once, taken again piece by piece until it is one. */
static void large_round(void)
{
    unsigned int i, j;

    frames[0] = va_mfn(large);
    must(reserve(XENMEM_decrease_reservation, 1, 9) == 1);
    for (i = 0; i < LARGE / PAGE_SIZE; i += FRAMES) {
        for (j = 0; j < FRAMES; j++)
            frames[j] = va_mfn(large) + i + j;
        must(reserve(XENMEM_populate_physmap, FRAMES, 0) == FRAMES);
    }
}

static void physmap_round(void)
{
    unsigned int i;

    for (i = 0; i < MOVES; i++) {
        must(physmap(XENMAPSPACE_grant_table, 0, i & 1 ? (void *)grants : window) == 0);
        must(((volatile grant_entry_v1_t *)(i & 1 ? (void *)grants : window))[REF].domid == self);
    }
}

static void exits_round(void)
{
    uint32_t r[4], taken = pvh_taken[VECTOR];
    uint64_t val;
    unsigned int i;

    for (i = 0; i < EXITS; i++) {
        cpuid(i, 0, r);
        cpuid(0x40000000 + (i & 7), 0, r);
        __asm__ volatile("outb %%al, %w0; inb %w0, %%al" : : "d"(NO_PORT), "a"(0));
        msr_write(0xc0000080, 0xffffffff); /* EFER with what is not there */
        msr_read(i, &val);
        apic_write(ICR, SELF | VECTOR);
        __asm__ volatile("sti; hlt; cli" ::: "memory");
        apic_write(EOI, 0);
    }
    must(pvh_taken[VECTOR] == taken + EXITS);
}

static void refused_round(void)
{
    must(reserve(XENMEM_increase_reservation, 1, 12) <= 0);
    must(evtchn_send(4000) < 0);
    must(physmap(XENMAPSPACE_grant_table, 99, window) < 0);
    must(physmap(XENMAPSPACE_shared_info, 0, (void *)(1ul << 52)) < 0);
    must(hypercall1(__HYPERVISOR_domctl, (uint64_t)frame) < 0);
    must(hypercall1(60, 0) < 0);
}

static void all_rounds(void)
{
    static unsigned int round;

    if (round++ % 16 == 0)
        large_round();
    pages_round();
    physmap_round();
    copy_round(self, REF, frame);
    event_round();
    exits_round();
    refused_round();
}

void test_main(const char *args)
{
    (void)args;
    set_up();
    go_on(self, all_rounds);
}
