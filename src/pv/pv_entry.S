/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL from ring 3: a hypercall when the guest's kernel runs, a system call to bounce when its
 * user runs. The two ends of every guest system call, bounce to the kernel and iret hypercall back,
 * are done here without touching C; whatever is unusual goes to pv_trap.c with a full frame.
 *
 * Entered from the CPU's stub: rsp = end of cpu_info.guest (called T), rcx = rip, r11 = rflags,
 * the guest's rsp in cpu_info.scratch, interrupts off. Work bits need no look on the short paths:
 * other CPUs that set one send an interrupt, and that is taken behind the return.
 *
 * Instruction counts are in docs/ARCH.md; keep them there when a path changes.
 */
#include "arch/asm.h"

/*
 * A field of cpu_info, or of its register frame, while rsp == T. A fault's own frame goes below T
 * too, over the register frame: what must outlive one is kept in the fields above (CI_RAX, ...).
 */
#define T(f) ((f)-CI_GUEST_SIZE)(%rsp)

#define HYPERCALL_IRET 23

/* Bits of an address range: the hypervisor's 8 TiB are one value of address >> 43. */
#define HV_RANGE_SHIFT 43
#define HV_RANGE_VALUE 0x1ffff0

#define FLAGS_DROP_BOUNCE 0x54500   /* AC | NT | TF | DF; RF and VM go with sysret */
#define FLAGS_DROP_IRET   0x1a3000  /* VIP | VIF | VM | IOPL */
#define FLAGS_IF          0x200

/* What C calls a system call's frame, below T. rsp ends at its start. */
.macro PUSH_FRAME cs
    push $SEL_GUEST_DS
    push (CI_SCRATCH - CI_GUEST_SIZE + 8)(%rsp)
    push %r11
    push $\cs
    push %rcx
    push $0
    movl $VECTOR_SYSCALL, 4(%rsp)
.endm

/* fn, with that frame and all registers; then back to the guest. */
.macro CALL_C fn, cs
    PUSH_FRAME \cs
    SAVE_GPRS
    cld
    mov %rsp, %rdi
    call \fn
    jmp entry_return_guest
.endm

    .section .text.entry, "ax"

FUNC(upcall_syscall_entry)
    mov %rax, T(CI_RAX)
    mov T(CI_CTX), %rax
    cmpl $0, PV_KERNEL_MODE(%rax)
    jne syscall_from_kernel

    /* System call of the guest's user. */
    mov %rbx, T(CI_RBX)
    mov %rdx, T(CI_RDX)
    mov PV_INFO(%rax), %rdx
    cmpb $0, 1(%rdx)                    /* events masked in user mode: unusual */
    jne syscall_slow
    cmpl $0, PV_SYSCALL_MASK(%rax)
    je syscall_slow
    movb $1, 1(%rdx)
    mov PV_CR3_KERNEL(%rax), %rdx
    mov %rdx, %cr3
    swapgs
    movl $1, PV_KERNEL_MODE(%rax)
    mov PV_KERNEL_SP(%rax), %rbx        /* never inside the hypervisor: pv_set_kernel_sp */
    mov T(CI_SCRATCH), %rdx
    and $-16, %rbx
1:  movq $SEL_GUEST_DS, -8(%rbx)
2:  mov %rdx, -16(%rbx)
3:  mov %r11, -24(%rbx)
4:  movq $SEL_GUEST_CS64, -32(%rbx)     /* and a saved mask of 0 */
5:  mov %rcx, -40(%rbx)
6:  mov %r11, -48(%rbx)
7:  mov %rcx, -56(%rbx)
    mov PV_SYSCALL_ENTRY(%rax), %rcx    /* canonical, never 0 here: pv_set_syscall */
    and $~FLAGS_DROP_BOUNCE, %r11
    lea -56(%rbx), %rdx
    mov %rdx, T(CI_SCRATCH)
    mov T(CI_RAX), %rax
    mov T(CI_RBX), %rbx
    mov T(CI_RDX), %rdx
    mov T(CI_SCRATCH), %rsp
    sysretq
    EXTABLE(1b, syscall_stack_fault)
    EXTABLE(2b, syscall_stack_fault)
    EXTABLE(3b, syscall_stack_fault)
    EXTABLE(4b, syscall_stack_fault)
    EXTABLE(5b, syscall_stack_fault)
    EXTABLE(6b, syscall_stack_fault)
    EXTABLE(7b, syscall_stack_fault)

syscall_slow:
    mov T(CI_RAX), %rax
    mov T(CI_RBX), %rbx
    mov T(CI_RDX), %rdx
    CALL_C pv_syscall_slow, SEL_GUEST_CS64

syscall_stack_fault:
    mov T(CI_RAX), %rax
    mov T(CI_RBX), %rbx
    mov T(CI_RDX), %rdx
    CALL_C pv_syscall_stack_fault, SEL_GUEST_CS64

syscall_from_kernel:
    cmpl $HYPERCALL_IRET, T(CI_RAX)
    je iret_fast
    mov T(CI_RAX), %rax

    /*
     * Hypercall. C keeps rbx, rbp and r12 to r15, so they are stored only when something more than
     * the plain return happens.
     */
    PUSH_FRAME SEL_GUEST_CS64
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    sub $48, %rsp
    mov %rsp, %rdi
    call hypercall_dispatch
    cmpl $0, CI_WORK(%rsp)
    jne hypercall_full
    mov CI_CTX(%rsp), %rcx
    mov PV_INFO(%rcx), %rcx
    cmpb $0, (%rcx)
    jne hypercall_full
    mov REGS_RIP(%rsp), %rcx
    mov %rcx, %r11
    sar $47, %r11                       /* sysret to a non-canonical address faults in ring 0 */
    add $1, %r11
    cmp $1, %r11
    ja hypercall_full
    mov REGS_RFLAGS(%rsp), %r11
    mov REGS_RAX(%rsp), %rax
    mov REGS_RDI(%rsp), %rdi
    mov REGS_RSI(%rsp), %rsi
    mov REGS_RDX(%rsp), %rdx
    mov REGS_R8(%rsp), %r8
    mov REGS_R9(%rsp), %r9
    mov REGS_R10(%rsp), %r10
    mov REGS_RSP(%rsp), %rsp
    sysretq

hypercall_full:
    mov %rbx, REGS_RBX(%rsp)
    mov %rbp, REGS_RBP(%rsp)
    mov %r12, REGS_R12(%rsp)
    mov %r13, REGS_R13(%rsp)
    mov %r14, REGS_R14(%rsp)
    mov %r15, REGS_R15(%rsp)
    jmp entry_return_guest

    /*
     * iret hypercall: nine words at the guest's rsp: rax, r11, rcx, flags, rip, cs, rflags, rsp,
     * ss (ABI: public header arch-x86/xen-x86_64.h, struct iret_context). All are read before
     * anything changes: the slow path starts over.
     */
iret_fast:
    mov T(CI_SCRATCH), %rcx
    mov %rdx, T(CI_RDX)
    mov PV_INFO(%rax), %rdx
    cmpb $0, (%rdx)                     /* an event is due, or nearly */
    jne iret_slow
    cmpb $0, PV_NMI_MASKED(%rax)
    jne iret_slow
    mov %rcx, %r11
    shr $HV_RANGE_SHIFT, %r11
    cmp $HV_RANGE_VALUE, %r11d
    je iret_slow
1:  mov 64(%rcx), %rdx
    or $3, %edx
    movzwl %dx, %edx
    mov %rdx, T(REGS_SS)
2:  mov 56(%rcx), %rdx
    mov %rdx, T(REGS_RSP)
3:  mov 32(%rcx), %rdx
    mov %rdx, T(REGS_RIP)
4:  mov 16(%rcx), %rdx
    mov %rdx, T(REGS_RCX)
5:  mov 8(%rcx), %rdx
    mov %rdx, T(REGS_R11)
6:  mov (%rcx), %rdx
    mov %rdx, T(REGS_RAX)
7:  mov 48(%rcx), %r11
8:  movzwl 40(%rcx), %edx
    mov %edx, %ecx
    or $3, %edx
    mov %rdx, T(REGS_CS)
    and $3, %ecx
    cmp $3, %ecx
    jne 9f
    mov PV_CR3_USER(%rax), %rdx
    test %rdx, %rdx
    jz iret_slow
    mov %rdx, %cr3
    swapgs
    movl $0, PV_KERNEL_MODE(%rax)
9:  mov PV_INFO(%rax), %rdx
    bt $9, %r11d
    setnc 1(%rdx)                       /* evtchn_upcall_mask = !IF */
    and $~FLAGS_DROP_IRET, %r11d
    or $FLAGS_IF, %r11d
    mov %r11, T(REGS_RFLAGS)
    /* An event raised since the look above comes with an interrupt or is found at the next exit. */
    mov T(REGS_RAX), %rax
    mov T(REGS_RCX), %rcx
    mov T(CI_RDX), %rdx
    mov T(REGS_R11), %r11
    sub $(CI_GUEST_SIZE - REGS_RIP), %rsp
    jmp entry_iret
    EXTABLE(1b, iret_slow)
    EXTABLE(2b, iret_slow)
    EXTABLE(3b, iret_slow)
    EXTABLE(4b, iret_slow)
    EXTABLE(5b, iret_slow)
    EXTABLE(6b, iret_slow)
    EXTABLE(7b, iret_slow)
    EXTABLE(8b, iret_slow)

iret_slow:
    mov T(CI_RDX), %rdx
    mov $HYPERCALL_IRET, %eax
    CALL_C pv_iret_slow, SEL_GUEST_CS64
FUNC_END(upcall_syscall_entry)

/* SYSCALL from 32-bit code (AMD): never a hypercall. */
FUNC(upcall_syscall32_entry)
    CALL_C pv_syscall32, SEL_GUEST_CS32
FUNC_END(upcall_syscall32_entry)

    .section .note.GNU-stack, "", @progbits
