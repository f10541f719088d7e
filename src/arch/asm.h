/* SPDX-License-Identifier: MIT */
/* Shared by assembly files: the register frame and the fix-up table. */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

#include "arch/layout.h"
#include "offsets.h"

/* clang-format off */

/* One fix-up: a fault at `from` continues at `to`. Offsets from the entry itself. */
#define EXTABLE(from, to)                                                                          \
    .pushsection .extable, "a";                                                                    \
    .balign 4;                                                                                     \
    .long from - .;                                                                                \
    .long to - .;                                                                                  \
    .popsection

#define FUNC(name)                                                                                 \
    .globl name;                                                                                   \
    .hidden name;                                                                                  \
    .type name, @function;                                                                         \
    .balign 16;                                                                                    \
    name:
#define FUNC_END(name) .size name, . - name

/* The general registers below error code and vector: struct cpu_regs from its start. */
.macro SAVE_GPRS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro RESTORE_GPRS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

/* clang-format on */

#endif
