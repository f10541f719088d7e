/* SPDX-License-Identifier: MIT */
/* Where a micro guest begins, its Xen notes, and the way in and out of every trap. */
#include <xen/elfnote.h>

#include "frame.inc"

#define PAGE 4096
#define VECTOR_EVENT    256
#define VECTOR_FAILSAFE 257
#define VECTOR_SYSCALL  258
#define VECTOR_SYSCALL32 259
#define VECTOR_NMI_CB   260
#define HYPERVISOR_IRET 23

        .macro note type, value
        .align  4
        .long   4, 8, \type
        .asciz  "Xen"
        .quad   \value
        .endm

        .macro note_text type, value
        .align  4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      .asciz  "\value"
2:      .align  4
        .endm

        .section .note.Xen, "a", @note
        note      XEN_ELFNOTE_ENTRY, guest_entry
        note      XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000
        note      XEN_ELFNOTE_PADDR_OFFSET, 0
#ifdef GUEST_HYPERCALL_PAGE
        note      XEN_ELFNOTE_HYPERCALL_PAGE, hypercall_page
#endif
#ifdef GUEST_INIT_P2M
        note      XEN_ELFNOTE_INIT_P2M, GUEST_INIT_P2M
#endif
#ifdef GUEST_MOD_START_PFN
        note      XEN_ELFNOTE_MOD_START_PFN, 1
#endif
        /* writable_page_tables and dom0 */
        note      XEN_ELFNOTE_SUPPORTED_FEATURES, 0x801
        note_text XEN_ELFNOTE_XEN_VERSION, "xen-3.0"
        note_text XEN_ELFNOTE_GUEST_OS, "wheeler-test"
        note_text XEN_ELFNOTE_LOADER, "generic"
        note_text XEN_ELFNOTE_PAE_MODE, "yes"
        note_text XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb"

        .text
        .globl  guest_entry
guest_entry:
        movq    %rax, entry_regs + 0(%rip)
        movq    %rcx, entry_regs + 8(%rip)
        movq    %rdx, entry_regs + 16(%rip)
        movq    %rbx, entry_regs + 24(%rip)
        movq    %rsp, entry_regs + 32(%rip)
        movq    %rbp, entry_regs + 40(%rip)
        movq    %rsi, entry_regs + 48(%rip)
        movq    %rdi, entry_regs + 56(%rip)
        pushfq
        popq    entry_regs + 64(%rip)
        movw    %cs, entry_regs + 72(%rip)
        movw    %ss, entry_regs + 74(%rip)
        movw    %ds, entry_regs + 76(%rip)
        movw    %es, entry_regs + 78(%rip)
        movw    %fs, entry_regs + 80(%rip)
        movw    %gs, entry_regs + 82(%rip)
        cld
        leaq    boot_stack_top(%rip), %rsp
        xorl    %ebp, %ebp
        movq    %rsi, %rdi
        call    guest_start
1:      jmp     1b

        /* A secondary vCPU: its stack holds the function and its argument. */
        .globl  vcpu_entry
vcpu_entry:
        popq    %rax
        popq    %rdi
        subq    $8, %rsp
        call    *%rax
1:      jmp     1b

/*
 * Every way in ends in struct frame (guest.h): general registers, vector, error code, the iret
 * frame. Vector numbers carry the vCPU's number in bit 16 up, as each vCPU has its own table.
 */
        .macro  trap_stub cpu, vec
        .align  32
        popq    %rcx
        popq    %r11
        .if !(\vec == 8 || (\vec >= 10 && \vec <= 14) || \vec == 17 || \vec == 21)
        pushq   $0
        .endif
        pushq   $(\vec | (\cpu << 16))
        jmp     trap_common
        .endm

        .globl  trap_stubs
        .align  32
trap_stubs:
        .set    cpu, 0
        .rept   2
        .set    vec, 0
        .rept   256
        trap_stub cpu, vec
        .set    vec, vec + 1
        .endr
        .set    cpu, cpu + 1
        .endr

        .globl  event_entry, failsafe_entry, syscall_entry, syscall32_entry, nmi_entry
        .macro  callback_stub name, number
\name:
        .set    cpu, 0
        .rept   2
        trap_stub cpu, \number
        .set    cpu, cpu + 1
        .endr
        .endm
        .align  32
        callback_stub event_entry, VECTOR_EVENT
        callback_stub syscall_entry, VECTOR_SYSCALL
        callback_stub syscall32_entry, VECTOR_SYSCALL32
        callback_stub nmi_entry, VECTOR_NMI_CB

        .align  32
failsafe_entry:
        popq    %rcx
        popq    %r11
        popq    failsafe_selectors + 0(%rip)
        popq    failsafe_selectors + 8(%rip)
        popq    failsafe_selectors + 16(%rip)
        popq    failsafe_selectors + 24(%rip)
        pushq   $0
        pushq   $VECTOR_FAILSAFE

        frame_common trap_dispatch
        pushq   iret_flags(%rip)
        pushq   %rcx
        pushq   %r11
        pushq   %rax
        movl    $HYPERVISOR_IRET, %eax
        .globl  iret_syscall
iret_syscall:
        syscall

        frame_switch

        .data
        .globl  entry_regs, failsafe_selectors, iret_flags
        .align  8
entry_regs:
        .fill   96, 1, 0
failsafe_selectors:
        .quad   0, 0, 0, 0
iret_flags:
        .quad   0

        .bss
        .align  PAGE
        .globl  boot_stack, boot_stack_top
boot_stack:
        .fill   4 * PAGE, 1, 0
boot_stack_top:

#ifdef GUEST_HYPERCALL_PAGE
        .text
        .align  PAGE
        .globl  hypercall_page
hypercall_page:
        .fill   PAGE, 1, 0xcc
#endif
        .section .note.GNU-stack, "", @progbits
