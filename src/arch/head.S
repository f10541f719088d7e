/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to C: multiboot 1 and 2 headers, 32-bit entry, long mode on boot page
 * tables (4 GiB of identity and direct map, the image at its own address), then main_boot.
 *
 * Entry state: Multiboot 0.6.96 section 3.2, Multiboot2 2.0 section 3.3: protected mode, paging
 * off, eax magic, ebx info; everything else undefined.
 */
#include "arch/asm.h"

#define PHYS(sym) ((sym) - IMAGE_BASE + IMAGE_PHYS)

#define MB1_MAGIC 0x1badb002
#define MB1_FLAGS 0x3 /* page-align modules, memory map */
#define MB2_MAGIC 0xe85250d6

    .section .head, "ax"
    .code32
    .globl head_start
head_start:
    jmp start32

    .balign 4
    .long MB1_MAGIC
    .long MB1_FLAGS
    .long -(MB1_MAGIC + MB1_FLAGS)

    .balign 8
mb2_header:
    .long MB2_MAGIC
    .long 0                             /* i386 */
    .long mb2_header_end - mb2_header
    .long -(MB2_MAGIC + mb2_header_end - mb2_header)
    .short 1, 0                         /* information request: cmdline, modules, map, RSDPs */
    .long 4 * 7
    .long 1, 3, 6, 14, 15
    .balign 8
    .short 4, 1                         /* console: text is fine */
    .long 12
    .long 2
    .balign 8
    .short 6, 0                         /* modules page-aligned */
    .long 8
    .short 0, 0
    .long 8
mb2_header_end:

start32:
    cli
    cld
    mov $PHYS(boot_stack_top), %esp
    mov %eax, %esi
    mov %ebx, %edi

    /* Long mode there? (CPUID 0x80000001 edx bit 29) */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc no_long_mode
    mov %edx, %ebp                      /* bit 20: NX */

    /* Four L2 tables of 2 MiB pages: physical 0 to 4 GiB. */
    mov $PHYS(boot_l2), %ebx
    mov $0x83, %eax                     /* P | RW | PSE */
    mov $2048, %ecx
1:  mov %eax, (%ebx)
    movl $0, 4(%ebx)
    add $0x200000, %eax
    add $8, %ebx
    dec %ecx
    jnz 1b
    /* L3: four entries. */
    mov $PHYS(boot_l3), %ebx
    mov $PHYS(boot_l2) + 3, %eax
    mov $4, %ecx
1:  mov %eax, (%ebx)
    add $0x1000, %eax
    add $8, %ebx
    dec %ecx
    jnz 1b
    /* Image: 8 pages of 2 MiB at IMAGE_PHYS. */
    mov $PHYS(boot_image_l2), %ebx
    mov $IMAGE_PHYS + 0x83, %eax
    mov $8, %ecx
1:  mov %eax, (%ebx)
    add $0x200000, %eax
    add $8, %ebx
    dec %ecx
    jnz 1b
    movl $PHYS(boot_image_l2) + 3, PHYS(boot_image_l3)
    movl $PHYS(boot_l3) + 3, PHYS(boot_l4)
    movl $PHYS(boot_l3) + 3, PHYS(boot_l4) + 262 * 8
    movl $PHYS(boot_image_l3) + 3, PHYS(boot_l4) + 261 * 8

    mov $PHYS(boot_l4), %eax
    mov %eax, %cr3
    mov $0x620, %eax                    /* PAE | OSFXSR | OSXMMEXCPT */
    mov %eax, %cr4
    mov $0xc0000080, %ecx               /* EFER: LME, NX where present */
    rdmsr
    or $0x100, %eax
    bt $20, %ebp
    jnc 1f
    or $0x800, %eax
1:  wrmsr
    mov $0x80010033, %eax               /* PG | WP | NE | ET | MP | PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdtr)
    ljmp $8, $PHYS(start64_low)

no_long_mode:
    /* COM1 by polling: all that is known here is the usual port. */
    mov $PHYS(msg_no_long_mode), %esi
1:  lodsb
    test %al, %al
    jz 3f
    mov %al, %ah
    mov $0x3fd, %dx
    mov $0x10000, %ecx
2:  in %dx, %al
    test $0x20, %al
    loopz 2b
    mov $0x3f8, %dx
    mov %ah, %al
    out %al, %dx
    jmp 1b
3:  hlt
    jmp 3b

    .code64
start64_low:
    movabs $start64, %rax
    jmp *%rax

msg_no_long_mode:
    .ascii "Wheeler: this processor has no 64-bit long mode (CPUID 0x80000001 edx "
    .asciz "bit 29); halted\r\n"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 64-bit code */
    .quad 0x00cf93000000ffff            /* data */
boot_gdtr:
    .word 23
    .long PHYS(boot_gdt)
    .long 0

    .text
start64:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lea boot_stack_top(%rip), %rsp
    sub $CPU_INFO_SIZE, %rsp
    mov %edi, %edi
    xchg %rdi, %rsi                     /* main_boot(magic, info) */
    mov %edi, %edi
    xor %ebp, %ebp
    call main_boot
1:  hlt
    jmp 1b

/* void head_switch_stack(u64 sp, void (*fn)(void)): never returns. */
FUNC(head_switch_stack)
    mov %rdi, %rsp
    xor %ebp, %ebp
    call *%rsi
    ud2
FUNC_END(head_switch_stack)

    .section .bss.stack, "aw", @nobits
    .balign STACK_SIZE
boot_stack:
    .skip STACK_SIZE
boot_stack_top:
    .balign 4096
boot_l4:
    .skip 4096
boot_l3:
    .skip 4096
boot_l2:
    .skip 4 * 4096
boot_image_l3:
    .skip 4096
boot_image_l2:
    .skip 4096

    .section .note.GNU-stack, "", @progbits
