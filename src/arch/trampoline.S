/* SPDX-License-Identifier: MIT */
/*
 * A further CPU's first instructions: real mode to C. smp.c copies this to SMP_TRAMPOLINE and fills
 * in the words at its end, one CPU at a time. Only data here; it is never executed where it is
 * linked. Start-up state: SDM vol. 3, 9.4.4; mode switch: 9.8.5.
 */
#define TRAMPOLINE 0x8000
#define AT(label)  (TRAMPOLINE + (label) - smp_trampoline)

    .section .rodata
    .balign 16
    .globl smp_trampoline, smp_trampoline_end, smp_trampoline_args
    .hidden smp_trampoline, smp_trampoline_end, smp_trampoline_args

    .code16
smp_trampoline:
    cli
    cld
    xor %ax, %ax
    mov %ax, %ds
    /* 1 = wanted, 2 = taken: a CPU that comes too late, or uncalled, stops here. */
    mov $1, %eax
    mov $2, %ecx
    lock cmpxchgl %ecx, AT(arg_claim)
    jne 1f
    lgdtl AT(gdtr)
    mov $0x11, %eax                     /* ET | PE */
    mov %eax, %cr0
    ljmpl $8, $AT(start32)
1:  hlt
    jmp 1b

    .code32
start32:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x620, %eax                    /* PAE | OSFXSR | OSXMMEXCPT */
    mov %eax, %cr4
    mov AT(arg_cr3), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER */
    rdmsr
    or AT(arg_efer), %eax
    wrmsr
    mov $0x80010033, %eax               /* PG | WP | NE | ET | MP | PE */
    mov %eax, %cr0
    ljmp $24, $AT(start64)

    .code64
start64:
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov AT(arg_stack), %rsp
    and $-16, %rsp
    mov AT(arg_cpu), %edi
    xor %ebp, %ebp
    call *AT(arg_entry)
2:  hlt
    jmp 2b

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff            /* 8: 32-bit code */
    .quad 0x00cf93000000ffff            /* 16: data */
    .quad 0x00af9b000000ffff            /* 24: 64-bit code */
gdtr:
    .word 31
    .long AT(gdt)
    .balign 8
    /* struct trampoline_args of smp.c */
smp_trampoline_args:
arg_stack:
    .quad 0
arg_entry:
    .quad 0
arg_claim:
    .long 0
arg_cpu:
    .long 0
arg_cr3:
    .long 0
arg_efer:
    .long 0
smp_trampoline_end:

    .section .note.GNU-stack, "", @progbits
