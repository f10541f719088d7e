/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: RAX number, RDI RSI RDX R10 R8 arguments, RAX result. By the syscall instruction, or
 * as HYPERCALL_INSN says.
 */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include <stdint.h>

#ifndef HYPERCALL_INSN
#define HYPERCALL_INSN "syscall"
#endif

static inline long hypercall5(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a4;
    register uint64_t r8 __asm__("r8") = a5;
    uint64_t rax = nr;

    __asm__ volatile(HYPERCALL_INSN
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "r9", "memory");
    return (long)rax;
}

static inline long hypercall4(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    return hypercall5(nr, a1, a2, a3, a4, 0);
}

static inline long hypercall3(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
    return hypercall5(nr, a1, a2, a3, 0, 0);
}

static inline long hypercall2(unsigned int nr, uint64_t a1, uint64_t a2)
{
    return hypercall5(nr, a1, a2, 0, 0, 0);
}

static inline long hypercall1(unsigned int nr, uint64_t a1)
{
    return hypercall5(nr, a1, 0, 0, 0, 0);
}

#endif
