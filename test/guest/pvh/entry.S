/* SPDX-License-Identifier: MIT */
/* A PVH test kernel: entered in 32-bit protected mode without paging, leaves it for 64-bit mode. */
#include "../lib/frame.inc"

#define P_RW_US_PS 0x87
#define P_RW_US    0x07
#define EFER       0xc0000080

        .section .text.start, "ax"
        .code32
        .globl  pvh_start
pvh_start:
        movl    %eax, pvh_entry + 0
        movl    %ebx, pvh_entry + 4
        movl    %ecx, pvh_entry + 8
        movl    %edx, pvh_entry + 12
        movl    %esi, pvh_entry + 16
        movl    %edi, pvh_entry + 20
        movl    %ebp, pvh_entry + 24
        movl    %esp, pvh_entry + 28
        movl    $boot_stack_top, %esp
        pushfl
        popl    pvh_entry + 32
        movl    %cr0, %eax
        movl    %eax, pvh_entry + 36
        movl    %cr2, %eax
        movl    %eax, pvh_entry + 40
        movl    %cr3, %eax
        movl    %eax, pvh_entry + 44
        movl    %cr4, %eax
        movl    %eax, pvh_entry + 48
        movl    $EFER, %ecx
        rdmsr
        movl    %eax, pvh_entry + 52
        movl    %dr6, %eax
        movl    %eax, pvh_entry + 56
        movl    %dr7, %eax
        movl    %eax, pvh_entry + 60
        movw    %cs, pvh_entry + 64
        movw    %ds, pvh_entry + 66
        movw    %es, pvh_entry + 68
        movw    %fs, pvh_entry + 70
        movw    %gs, pvh_entry + 72
        movw    %ss, pvh_entry + 74
        str     pvh_entry + 76
        sldt    pvh_entry + 78
        sgdtl   pvh_entry + 80
        sidtl   pvh_entry + 86

        /* .bss, with the page tables in it. */
        cld
        movl    $bss_start, %edi
        movl    $bss_end, %ecx
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb

        /* VMMCALL on AMD, VMCALL on Intel. */
        cpuid
        cmpl    $0x756e6547, %ebx
        jne     1f
        movb    $0xc1, pvh_hypercall + 2
1:      movl    $17, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        .byte   0xe8 /* call, as assembled for 64-bit mode */
        .long   pvh_hypercall - 2f
2:      movl    %eax, pvh_entry + 92

        movl    $pd0, %edi
        movl    $P_RW_US_PS, %eax
3:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        cmpl    $pd0 + 4 * 4096, %edi
        jb      3b
        movl    $pd0 + P_RW_US, pvh_pdpt
        movl    $pd0 + 0x1000 + P_RW_US, pvh_pdpt + 8
        movl    $pd0 + 0x2000 + P_RW_US, pvh_pdpt + 16
        movl    $pd0 + 0x3000 + P_RW_US, pvh_pdpt + 24
        movl    $pvh_pdpt + P_RW_US, pvh_pml4

        .globl  pvh_long_mode
        /* Both vCPUs: to 64-bit mode on these tables. ebx: the stack, edi: where to go. */
        movl    $boot_stack_top, %ebx
        movl    $pvh_main, %edi
pvh_long_mode:
        movl    %cr4, %eax
        orl     $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $pvh_pml4, %eax
        movl    %eax, %cr3
        movl    $EFER, %ecx
        rdmsr
        orl     $0x101, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80010022, %eax /* PG, WP, NE, MP */
        movl    %eax, %cr0
        lgdtl   pvh_gdt_ptr
        ljmp    $0x08, $1f
        .code64
1:      movl    $0x33, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    $0x10, %eax
        movl    %eax, %ss
        movl    %ebx, %esp
        xorl    %ebp, %ebp
        call    *%rdi
2:      jmp     2b

/* The second vCPU, copied to PVH_AP: real mode. Calls from there, then on to 64-bit mode. */
        .globl  ap_code, ap_code_end, ap_version, ap_real
        .code16
ap_code:
        movw    %cs, %ax
        movw    %ax, %ds
        movl    $17, %eax
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        movb    ap_intel - ap_code, %dl
        testb   %dl, %dl
        jnz     1f
        vmmcall
        jmp     2f
1:      vmcall
2:      movl    %eax, ap_version - ap_code
        movw    %cs, ap_real - ap_code
        lgdtl   ap_gdt_ptr - ap_code
        movl    %cr0, %eax
        movl    %eax, ap_real + 4 - ap_code
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $ap_protected
        .align  4
ap_version:
        .long   0
ap_real:
        .long   0, 0
ap_gdt_ptr:
        .word   pvh_gdt_end - pvh_gdt - 1
        .long   pvh_gdt
        .globl  ap_intel
ap_intel:
        .byte   0
ap_code_end:
        .code32
ap_protected:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $ap_stack_top, %ebx
        movl    $pvh_ap_main, %edi
        jmp     pvh_long_mode

        .code64
        .text
        .globl  pvh_hypercall
        .align  16
pvh_hypercall:
        vmmcall
        ret

        .macro  stub vec
        .align  16
        .if !(\vec == 8 || (\vec >= 10 && \vec <= 14) || \vec == 17 || \vec == 21)
        pushq   $0
        .endif
        pushq   $\vec
        jmp     trap_common
        .endm
        .globl  pvh_stubs
        .align  16
pvh_stubs:
        .set    vec, 0
        .rept   256
        stub    vec
        .set    vec, vec + 1
        .endr

        frame_common pvh_trap
        .globl  pvh_iret
pvh_iret:
        iretq

        frame_switch

        .data
        .globl  pvh_entry, pvh_gdt_tss
        .align  16
pvh_entry:
        .fill   128, 1, 0
pvh_gdt:
        .quad   0
        .quad   0x00af9b000000ffff
        .quad   0x00cf93000000ffff
        .quad   0x00cf9b000000ffff
        .quad   0x008f9b000000ffff
        .quad   0x00cffb000000ffff
        .quad   0x00cff3000000ffff
        .quad   0x00affb000000ffff
pvh_gdt_tss:
        .quad   0, 0
pvh_gdt_end:
pvh_gdt_ptr:
        .word   pvh_gdt_end - pvh_gdt - 1
        .quad   pvh_gdt

        .bss
        .globl  pvh_pml4, pvh_pdpt, pd0, ap_stack_top
        .align  4096
pvh_pml4:
        .fill   4096, 1, 0
pvh_pdpt:
        .fill   4096, 1, 0
pd0:
        .fill   4 * 4096, 1, 0
        .fill   16384, 1, 0
boot_stack_top:
        .fill   8192, 1, 0
ap_stack_top:
        .section .note.GNU-stack, "", @progbits
