/* SPDX-License-Identifier: MIT */
/* What entry.S, head.S and trap.c give to C. */
#ifndef ARCH_ENTRY_H
#define ARCH_ENTRY_H

#include "arch/regs.h"

/* 256 stubs of 16 bytes: the IDT's targets. */
extern const u8 entry_stubs[];

/* Leaves the calling code for good and enters what cpu_info() says is current. */
NORETURN void entry_start_guest(void);
/* Switches to a stack and calls fn there; never returns. */
NORETURN void head_switch_stack(u64 sp, void (*fn)(void));

/* Guest memory accesses with a fix-up: bytes left over, or false on a fault. */
size_t entry_copy(void *dst, const void *src, size_t n);
size_t entry_clear(void *dst, size_t n);
bool entry_load_u64(const void *p, u64 *out);

/*
 * One 8-byte store with a fix-up, inline: false on a fault. The caller has checked the address
 * against the hypervisor's range.
 */
static ALWAYS_INLINE bool entry_store_u64(u64 addr, u64 val)
{
    __asm__ goto("1: mov %1, (%0)\n"
                 ".pushsection .extable, \"a\"\n"
                 ".balign 4\n"
                 ".long 1b - .\n"
                 ".long %l2 - .\n"
                 ".popsection"
                 :
                 : "r"(addr), "er"(val)
                 : "memory"
                 : fault);
    return true;
fault:
    return false;
}

/* One 8-byte load, likewise. *out is left alone on a fault. */
static ALWAYS_INLINE bool entry_read_u64(const u64 *p, u64 *out)
{
    u64 v;

    __asm__ goto("1: mov %1, %0\n"
                 ".pushsection .extable, \"a\"\n"
                 ".balign 4\n"
                 ".long 1b - .\n"
                 ".long %l2 - .\n"
                 ".popsection"
                 : "=r"(v)
                 : "m"(*p)
                 : "memory"
                 : fault);
    *out = v;
    return true;
fault:
    return false;
}

/* Selector loads with a fix-up: false = faulted, the null selector is loaded. */
bool entry_load_ds(u16 sel);
bool entry_load_es(u16 sel);
bool entry_load_fs(u16 sel);
bool entry_load_gs(u16 sel);

/* trap.c, called by entry.S. */
void trap_hypervisor(struct cpu_regs *regs);
void trap_ist_guest(struct cpu_regs *regs);
void trap_ist_hypervisor(struct cpu_regs *regs);

#endif
