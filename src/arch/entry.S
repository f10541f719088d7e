/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts: from the IDT to C and back. System calls have their own way in
 * (pv/pv_entry.S). Interrupts are off throughout; every gate is an interrupt gate.
 *
 * From ring 3 the frame lands in cpu_info.guest. From ring 0 it is wherever the stack was. Vectors
 * on an IST stack that came from ring 3 move their frame to the primary stack first, so that the
 * rest of the hypervisor sees one kind of entry.
 */
#include "arch/asm.h"

    .section .text.entry, "ax"

/*
 * One stub per vector, 16 bytes apart: makes the frame uniform (vectors with an error code: SDM
 * vol. 3, 6.3.1).
 */
    .balign 16
    .globl entry_stubs
    .hidden entry_stubs
entry_stubs:
vec = 0
.rept 256
    .balign 16
    .if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17) || (vec == 21) || \
        (vec == 29) || (vec == 30)
    movl $vec, 4(%rsp)
    .else
    push $0
    movl $vec, 4(%rsp)
    .endif
    .if (vec == 1) || (vec == 2) || (vec == 8) || (vec == 18)
    jmp entry_ist
    .elseif (vec < 32) || (vec == 0x80)
    jmp entry_exception
    .else
    jmp entry_interrupt
    .endif
vec = vec + 1
.endr

FUNC(entry_exception)
    SAVE_GPRS
    cld
    testb $3, REGS_CS(%rsp)
    jz 1f
    mov %rsp, %rdi
    call upcall_guest_trap
    jmp entry_return_guest
1:  mov %rsp, %rdi
    call trap_hypervisor
    RESTORE_GPRS
    add $8, %rsp
    iretq
FUNC_END(entry_exception)

FUNC(entry_interrupt)
    SAVE_GPRS
    cld
    movzbl REGS_VECTOR(%rsp), %edi
    testb $3, REGS_CS(%rsp)
    jz 1f
    call irq_dispatch
    jmp entry_return_guest
1:  call irq_dispatch
    RESTORE_GPRS
    add $8, %rsp
    iretq
FUNC_END(entry_interrupt)

FUNC(entry_ist)
    SAVE_GPRS
    cld
    testb $3, REGS_CS(%rsp)
    jz 1f
    /* From a guest: the whole frame goes to the top of the primary stack. */
    mov %rsp, %rsi
    mov %rsp, %rdi
    or $(STACK_SIZE - 1), %rdi
    sub $(CPU_INFO_SIZE - 1), %rdi
    mov %rdi, %rax
    mov $(CI_GUEST_SIZE / 8), %ecx
    rep movsq
    mov %rax, %rsp
    mov %rsp, %rdi
    call trap_ist_guest
    jmp entry_return_guest
1:  mov %rsp, %rdi
    call trap_ist_hypervisor
    RESTORE_GPRS
    add $8, %rsp
    iretq
FUNC_END(entry_ist)

/*
 * The one way back to a guest: rsp = &cpu_info.guest. What is left to do is done first; what runs
 * afterwards may be another vCPU than came in.
 */
FUNC(entry_return_guest)
    cmpl $0, CI_WORK(%rsp)
    jne 2f
    mov CI_CTX(%rsp), %rbx
    mov PV_INFO(%rbx), %rdx
    cmpb $0, (%rdx)                     /* evtchn_upcall_pending */
    jne 3f
entry_restore:
    RESTORE_GPRS
    add $8, %rsp
    .globl entry_iret
    .hidden entry_iret
entry_iret:
    iretq
    EXTABLE(entry_iret, entry_iret_fault)

3:  cmpb $0, 1(%rdx)                    /* evtchn_upcall_mask */
    jne entry_restore
    mov %rsp, %rdi
    call upcall_deliver_event
    cmpl $0, CI_WORK(%rsp)              /* it could not be delivered: the domain ends */
    je entry_restore                    /* the upcall masked events */

    .globl entry_exit_work
    .hidden entry_exit_work
entry_exit_work:
2:  call upcall_exit_work
    /* The frame is cpu_info.guest still; a hardware-assisted vCPU has another way in. */
    cmpq $0, CI_CTX(%rsp)
    jne entry_return_guest
    jmp upcall_hvm_enter

    /* The guest's own iret state is bad: rebuild the frame and let its kind decide. */
entry_iret_fault:
    push $0
    SAVE_GPRS
    mov %rsp, %rdi
    call upcall_iret_fault
    jmp entry_return_guest
FUNC_END(entry_return_guest)

/* void entry_start_guest(void): leaves boot or idle code for good; rsp is set to the frame. */
FUNC(entry_start_guest)
    or $(STACK_SIZE - 1), %rsp
    sub $(CPU_INFO_SIZE - 1), %rsp
    jmp entry_exit_work
FUNC_END(entry_start_guest)

/* bool insn_rdmsr_safe(u32 msr, u64 *val) */
FUNC(insn_rdmsr_safe)
    mov %edi, %ecx
1:  rdmsr
    shl $32, %rdx
    mov %eax, %eax
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret
2:  xor %eax, %eax
    ret
    EXTABLE(1b, 2b)
FUNC_END(insn_rdmsr_safe)

/* bool insn_wrmsr_safe(u32 msr, u64 val) */
FUNC(insn_wrmsr_safe)
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
1:  wrmsr
    mov $1, %eax
    ret
2:  xor %eax, %eax
    ret
    EXTABLE(1b, 2b)
FUNC_END(insn_wrmsr_safe)

/* bool entry_load_gs(u16 sel): loads GS (base follows the descriptor); false on a fault. */
    .macro load_selector seg
FUNC(entry_load_\seg)
1:  mov %edi, %\seg
    mov $1, %eax
    ret
2:  xor %eax, %eax
    mov %eax, %\seg
    ret
    EXTABLE(1b, 2b)
FUNC_END(entry_load_\seg)
    .endm
    load_selector gs
    load_selector fs
    load_selector ds
    load_selector es

/*
 * size_t entry_copy(void *dst, const void *src, size_t n): copies with a fix-up; returns the number
 * of bytes not copied. Words first: most guest structures are multiples of eight.
 */
FUNC(entry_copy)
    mov %rdx, %rcx
    shr $3, %rcx
    cmp $16, %rcx
    ja 4f
    jmp 2f
1:  mov (%rsi), %rax
10: mov %rax, (%rdi)
11: mov 8(%rsi), %rax                   /* a fault here leaves the pair uncounted: harmless */
12: mov %rax, 8(%rdi)
    add $16, %rsi
    add $16, %rdi
    sub $16, %rdx
2:  cmp $16, %rdx
    jae 1b
    cmp $8, %rdx
    jb 14f
13: mov (%rsi), %rax
15: mov %rax, (%rdi)
    add $8, %rsi
    add $8, %rdi
    sub $8, %rdx
14: test %rdx, %rdx
    jz 9f
3:  mov (%rsi), %al
16: mov %al, (%rdi)
    inc %rsi
    inc %rdi
    dec %rdx
    jnz 3b
9:  mov %rdx, %rax
    ret
4:  and $7, %edx
5:  rep movsq
    jmp 2b
6:  lea (%rdx, %rcx, 8), %rax
    ret
    EXTABLE(1b, 9b)
    EXTABLE(10b, 9b)
    EXTABLE(11b, 9b)
    EXTABLE(12b, 9b)
    EXTABLE(13b, 9b)
    EXTABLE(15b, 9b)
    EXTABLE(3b, 9b)
    EXTABLE(16b, 9b)
    EXTABLE(5b, 6b)
FUNC_END(entry_copy)

/* size_t entry_clear(void *dst, size_t n): zeroes with a fix-up; bytes left. */
FUNC(entry_clear)
    mov %rsi, %rcx
    xor %eax, %eax
1:  rep stosb
2:  mov %rcx, %rax
    ret
    EXTABLE(1b, 2b)
FUNC_END(entry_clear)

/* bool entry_load_u64(const void *p, u64 *out) */
FUNC(entry_load_u64)
1:  mov (%rdi), %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret
2:  xor %eax, %eax
    ret
    EXTABLE(1b, 2b)
FUNC_END(entry_load_u64)

    .section .note.GNU-stack, "", @progbits
