/* SPDX-License-Identifier: MIT */
/* Frames, and what the page tables say. The pool lies in .bss, so each page has a mapping. */
#include "guest.h"

#define POOL_PAGES 512
#define LOOSE_MAX  4096

static uint8_t pool[POOL_PAGES][4096] __attribute__((aligned(4096)));
static void *free_pages[POOL_PAGES];
static unsigned int pool_next, free_count;
static uint64_t loose[LOOSE_MAX];
static unsigned int loose_count, loose_taken;

static const uint64_t *p2m(void)
{
    return (const uint64_t *)start_info->mfn_list;
}

void *page_alloc(void)
{
    void *va;

    if (free_count > 0)
        va = free_pages[--free_count];
    else if (pool_next < POOL_PAGES)
        va = pool[pool_next++];
    else
        error("out of pool pages");
    memset(va, 0, PAGE_SIZE);
    return va;
}

void page_free(void *va)
{
    free_pages[free_count++] = va;
}

uint64_t mfn_alloc(void)
{
    if (loose_count > 0)
        return loose[--loose_count];
    loose_taken++;
    return p2m()[start_info->nr_pages - loose_taken];
}

void mfn_free(uint64_t mfn)
{
    if (loose_count < LOOSE_MAX)
        loose[loose_count++] = mfn;
}

uint64_t va_mfn(const void *va)
{
    return p2m()[((uint64_t)va - VIRT_BASE) >> 12];
}

void *mfn_va(uint64_t mfn)
{
    return (void *)(VIRT_BASE + (M2P[mfn] << 12));
}

uint64_t cr3_mfn(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 >> 12;
}

const uint64_t *pte_at(const void *va, unsigned int level)
{
    const uint64_t *t = (const uint64_t *)mfn_va(cr3_mfn());
    unsigned int l;

    for (l = 4;; l--) {
        const uint64_t *e = &t[((uint64_t)va >> (12 + 9 * (l - 1))) & 511];

        if (l == level)
            return e;
        if (!(*e & PTE_P))
            return NULL;
        t = mfn_va(PTE_MFN(*e));
    }
}

uint64_t pte_get(const void *va)
{
    const uint64_t *e = pte_at(va, 1);

    return e ? *e : 0;
}

long va_set(const void *va, uint64_t pte, uint64_t flags)
{
    return hypercall3(__HYPERVISOR_update_va_mapping, (uint64_t)va, pte, flags);
}

long page_ro(const void *va)
{
    return va_set(va, MKPTE(va_mfn(va), PTE_ROP), UVMF_TLB_FLUSH | UVMF_ALL);
}

long page_rw(const void *va)
{
    return va_set(va, MKPTE(va_mfn(va), PTE_RWP), UVMF_TLB_FLUSH | UVMF_ALL);
}

long page_unmap(const void *va)
{
    return va_set(va, 0, UVMF_TLB_FLUSH | UVMF_ALL);
}

long pt_update_dom(uint64_t maddr, uint64_t val, unsigned int dom)
{
    struct mmu_update u = {.ptr = maddr, .val = val};

    return hypercall4(__HYPERVISOR_mmu_update, (uint64_t)&u, 1, 0, dom);
}

long pt_update(uint64_t maddr, uint64_t val)
{
    return pt_update_dom(maddr, val, DOMID_SELF);
}

long mmuext_dom(unsigned int cmd, uint64_t arg1, uint64_t arg2, unsigned int dom)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = arg1;
    memcpy(&op.arg2, &arg2, sizeof(op.arg2));
    return hypercall4(__HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, dom);
}

long mmuext(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    return mmuext_dom(cmd, arg1, arg2, DOMID_SELF);
}

bool va_readable(const void *va)
{
    uint64_t v;

    fault_take();
    __asm__ volatile(EX("movq (%1), %0") : "=r"(v) : "r"(va) : "memory");
    return fault_take() < 0;
}

bool va_writable(void *va)
{
    uint64_t v = 0;

    if (!va_readable(va))
        return false;
    __asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(va) : "memory");
    __asm__ volatile(EX("movq %0, (%1)") : : "r"(v), "r"(va) : "memory");
    return fault_take() < 0;
}
