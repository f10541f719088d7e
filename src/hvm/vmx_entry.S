/* SPDX-License-Identifier: MIT */
/*
 * Into a VMX guest and back. rsp = &cpu_info.guest in all of this; the general registers are kept
 * there, the others in the control structure. An exit arrives at vmx_exit_entry with the stack
 * pointer where SAVE_GPRS wants it (VMCS_HOST_RSP). Interrupts stay off: a pending one ends the
 * guest's run at once (Intel SDM vol. 3, 26.2).
 */
#include "arch/asm.h"

    .section .text.entry, "ax"

FUNC(vmx_enter)
    mov %rsp, %rdi
    call vmx_prepare
    cmpl $0, CI_WORK(%rsp)
    jne entry_exit_work
    test %al, %al
    RESTORE_GPRS
    jz 1f
    vmresume
    jmp 2f
1:  vmlaunch
2:  SAVE_GPRS                           /* neither went in */
    mov %rsp, %rdi
    call vmx_refused
    jmp vmx_enter
FUNC_END(vmx_enter)

FUNC(vmx_exit_entry)
    SAVE_GPRS
    mov %rsp, %rdi
    call vmx_exit
    jmp vmx_enter
FUNC_END(vmx_exit_entry)

    .section .note.GNU-stack, "", @progbits
