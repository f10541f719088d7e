/* SPDX-License-Identifier: MIT */
/*
 * The library of the PVH test kernels: native 64-bit mode, all memory below 4 GiB mapped one to one
 * in 2 MiB pages, exceptions taken on a stack of their own. A test defines test_main(), as the PV
 * ones do; each round of it is a domain of its own.
 */
#ifndef PVH_H
#define PVH_H

#include "box.h"
#include "guest.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define BOX ((struct pvh_box *)PVH_BOX)

/* What the processor was like at the first instruction; filled by entry.S. */
struct pvh_entry {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags;
    uint32_t cr0, cr2, cr3, cr4, efer, dr6, dr7;
    uint16_t cs, ds, es, fs, gs, ss, tr, ldtr;
    uint16_t gdt_limit;
    uint32_t gdt_base;
    uint16_t idt_limit;
    uint32_t idt_base;
    uint32_t version; /* xen_version called from there: 32-bit mode without paging */
} __attribute__((packed));
extern struct pvh_entry pvh_entry;

/* Selectors (entry.S). */
enum {
    KERNEL_CS = 0x08,
    KERNEL_DS = 0x10,
    KERNEL_CS32 = 0x18,
    KERNEL_CS16 = 0x20,
    USER_CS32 = 0x2b,
    USER_DS = 0x33,
    USER_CS = 0x3b,
};

enum pvh_mode { KERNEL64, USER64, KERNEL32, USER32, KERNEL16 };
extern const char *const pvh_mode_name[5];

/* What the kernel was told: box.c in a test, tools.c in a guest for `xl create`. */
const char *pvh_args(void);
/* This domain's round, its name for the record of how it ends, and whether another follows. */
void pvh_round(const char *name, bool last);
/* A request to dom0 (box.h); its result. */
int64_t pvh_ask(uint32_t ask, uint32_t arg);

/*
 * Runs len bytes with f's registers and flags in a mode, and says what happened: "done", "#GP(0)",
 * "+n" for a RIP n bytes into the code. rsp 0: a stack of its own.
 */
const char *pvh_probe(enum pvh_mode mode, struct frame *f, const void *code, unsigned int len);

/* MSRs; false: the access faulted. */
bool msr_read(uint32_t msr, uint64_t *val);
bool msr_write(uint32_t msr, uint64_t val);
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}

/* Interrupts taken so far, by vector; a vector with a hook (guest.h) is the hook's. */
extern volatile uint32_t pvh_taken[256];
/* Vectors in the order in which they were taken. */
extern volatile uint8_t pvh_order[64];
extern volatile uint32_t pvh_order_count;
/* Vectors that are counted, and return: set before interrupts are enabled. */
void pvh_count(unsigned int vector);

static inline void sti(void)
{
    __asm__ volatile("sti; nop" ::: "memory");
}
static inline void cli(void)
{
    __asm__ volatile("cli" ::: "memory");
}

/* The local APIC, in the mode it is in; reg: the offset of its page, 16 bytes a register. */
extern bool apic_x2;
uint32_t apic_read(unsigned int reg);
void apic_write(unsigned int reg, uint32_t val);

long hvm_op(unsigned int cmd, void *arg);
long hvm_param_set(uint32_t index, uint64_t val);
/* Maps shared_info at PVH_SHARED. */
void shared_map(void);
/* Where a second vCPU arrives in 64-bit mode; the test's own if it has one. */
void pvh_ap_main(void);
/* Ticks of the TSC. */
void spin_tsc(uint64_t ticks);

#endif
