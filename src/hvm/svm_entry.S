/* SPDX-License-Identifier: MIT */
/*
 * Into an SVM guest and back. rsp = &cpu_info.guest in all of this; the general registers are kept
 * there, rax in the VMCB. Physical interrupts stay pending (RFLAGS.IF clear) but for the moment the
 * guest runs: a pending one then ends the run before its first instruction (AMD APM vol. 2, 15.13).
 * With the global interrupt flag clear NMIs wait too.
 */
#include "arch/asm.h"

    .section .text.entry, "ax"

/* From entry_return_guest, when the current vCPU is no PV one. */
FUNC(upcall_hvm_enter)
    jmp *hvm_enter(%rip)
FUNC_END(upcall_hvm_enter)

FUNC(svm_enter)
    mov %rsp, %rdi
    call svm_prepare
    mov %rax, CI_SCRATCH(%rsp)
    cmpl $0, CI_WORK(%rsp)
    jne entry_exit_work
    clgi
    RESTORE_GPRS
    mov (CI_SCRATCH - REGS_ERROR_CODE)(%rsp), %rax
    sti
    vmrun
    cli
    SAVE_GPRS
    stgi
    mov %rsp, %rdi
    call svm_exit
    jmp svm_enter
FUNC_END(svm_enter)

    .section .note.GNU-stack, "", @progbits
