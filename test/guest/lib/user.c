/* SPDX-License-Identifier: MIT */
/* A user half: one L4 with the section .user, a data page and a stack, and the way into it. */
#include "guest.h"

char trap_stack[8192] __attribute__((aligned(4096)));
extern char trap_stack_top[] __asm__("trap_stack_top");
__asm__(".globl trap_stack_top\n.set trap_stack_top, trap_stack + 8192");

static void must(long rc, const char *what)
{
    if (rc != 0)
        error("%s: %ld", what, rc);
}

static void fill_l1(struct user_space *u)
{
    uint64_t va, n = (uint64_t)(user_code_end - user_code) / PAGE_SIZE;

    for (va = 0; va < n; va++) {
        u->l1[((USER_CODE >> 12) + va) & 511] = MKPTE(va_mfn(user_code + va * PAGE_SIZE), PTE_ROP);
    }
    u->l1[(USER_DATA >> 12) & 511] = MKPTE(va_mfn(u->data), PTE_RWP);
    u->l1[((USER_STACK - PAGE_SIZE) >> 12) & 511] = MKPTE(va_mfn(u->stack), PTE_RWP);
}

void user_init(struct user_space *u)
{
    u->l4 = page_alloc();
    u->l3 = page_alloc();
    u->l2 = page_alloc();
    u->l1 = page_alloc();
    u->data = page_alloc();
    u->stack = page_alloc();
    fill_l1(u);
    u->l2[(USER_CODE >> 21) & 511] = MKPTE(va_mfn(u->l1), PTE_RWP);
    u->l3[0] = MKPTE(va_mfn(u->l2), PTE_RWP);
    u->l4[0] = MKPTE(va_mfn(u->l3), PTE_RWP);
    must(page_ro(u->l1), "user L1 read-only");
    must(page_ro(u->l2), "user L2 read-only");
    must(page_ro(u->l3), "user L3 read-only");
    must(page_ro(u->l4), "user L4 read-only");
    must(table_pin(4, va_mfn(u->l4)), "pin user L4");
    must(mmuext(MMUEXT_NEW_USER_BASEPTR, va_mfn(u->l4), 0), "user base pointer");
    must(hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, (uint64_t)trap_stack_top),
         "stack_switch");
}

void user_frame(struct frame *f, uint64_t rip)
{
    memset(f, 0, sizeof(*f));
    f->rip = rip;
    f->cs = FLAT_USER_CS;
    f->ss = FLAT_USER_SS;
    f->rsp = USER_STACK;
    f->rflags = 0x202;
}
