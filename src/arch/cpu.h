/* SPDX-License-Identifier: MIT */
/*
 * What belongs to one physical CPU: the block at the top of its stack, found from the stack
 * pointer alone (the hypervisor never uses FS or GS: they hold the guest's bases), its descriptor
 * tables, and the features of the machine.
 *
 * Interrupts are off in hypervisor code, except in cpu_idle_halt and cpu_irq_window; so a block's
 * fields are only touched by their own CPU, `work` excepted.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "arch/layout.h"
#include "arch/regs.h"
#include "base/atomic.h"
#include "base/def.h"

struct vcpu;

/* Work to do before the next entry to a guest; any CPU may set bits with cpu_kick_work. */
#define WORK_RESCHED (1u << 0) /* the scheduler wants to choose again */
#define WORK_EXIT    (1u << 1) /* the current vCPU has something deferred (core/vcpu.h, defer) */
#define WORK_LOG     (1u << 2) /* the log ring has grown: dom0 may want to know */

struct cpu_info {
    struct cpu_regs guest; /* the hardware frame of an entry from ring 3 ends here */
    struct vcpu *vcpu;     /* the vCPU that runs here; never NULL after start-up */
    void *guest_ctx;       /* the guest kind's part of it (pv: struct pv_vcpu), for assembly */
    u32 cpu_id;            /* 0 .. cpu_count()-1, dense */
    u32 work;              /* WORK_ bits, atomic */
    u64 scratch;           /* syscall stub's home for the guest's stack pointer */
    u64 rax, rbx, rdx;     /* the guest's, while the short paths use the registers */
    u64 unused;
    u64 hole_start;   /* addresses a guest pointer must not name: the hypervisor's range, */
    u64 hole_end;     /* or all of them when its memory is not mapped here (core/guestmem.h) */
    u64 fixup_vector; /* of the last fault of ours that the fix-up table solved; and its code */
    u64 fixup_error;
};
/* The end of `guest` is where the CPU's stack pointer is loaded on an entry from ring 3. */
STATIC_ASSERT((sizeof(struct cpu_info) - sizeof(struct cpu_regs)) % 16 == 0,
              "the processor aligns the stack to 16 on an entry: nothing may shift");

/* This CPU's block. */
static ALWAYS_INLINE struct cpu_info *cpu_info(void)
{
    u64 sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info));
}

static ALWAYS_INLINE u32 cpu_id(void)
{
    return cpu_info()->cpu_id;
}

/* Another CPU's block; valid for ids below cpu_count(). */
struct cpu_info *cpu_info_of(u32 cpu);

/* CPUs brought up; and the APIC id and ACPI processor id of one. */
u32 cpu_count(void);
u32 cpu_apic_id(u32 cpu);
u32 cpu_acpi_id(u32 cpu);

/* Sets work bits for a CPU and, when it is another one, makes it look (IPI). Any context. */
void cpu_kick_work(u32 cpu, u32 bits);

/*
 * Interrupt window: takes what is pending. Only at preemption points, with no lock held.
 * cpu_idle_halt: the same and waits for an interrupt unless work is set; the check and the halt
 * are atomic against it.
 */
void cpu_irq_window(void);
void cpu_idle_halt(void);

/*
 * Features probed once at start (CPUID); plain fields because they are read everywhere.
 */
struct cpu_features {
    char vendor[13];
    u32 max_leaf, max_ext_leaf;
    u32 leaf1_eax;
    u8 phys_bits;
    bool amd, intel;
    bool nx, pge, page1g, smep, fsgsbase, xsave, xsaveopt, rdtscp, x2apic, tsc_deadline,
        tsc_invariant, syscall32, sep, svm, vmx;
    bool in_vm;     /* a hypervisor says that it is there */
    u64 xcr0_mask;  /* XCR0 bits the hypervisor enables and offers */
    u32 xsave_size; /* bytes of an XSAVE area for xcr0_mask, standard format */
};
extern struct cpu_features cpu_features;

/*
 * Prepares CPU number `cpu` (dense, 0 first): stacks, cpu_info, GDT page, TSS, syscall stub. Boot
 * only; false when memory is out.
 */
bool cpu_alloc(u32 cpu, u32 apic_id, u32 acpi_id);
/* Corrects its ids. Boot only. */
void cpu_set_ids(u32 cpu, u32 apic_id, u32 acpi_id);
/* Stack pointer to start on: just below the CPU's cpu_info. */
u64 cpu_stack_top(u32 cpu);
/* Counts a CPU as up; cpu_count() covers it from now on. */
void cpu_mark_up(u32 cpu);

/* Boot CPU: probe features. Early, before anything else in this file. */
void cpu_probe(void);

/*
 * Loads GDT, IDT, TSS, syscall MSRs, control registers, PAT and XCR0 on the running CPU. The stack
 * for `cpu` exists and is the one in use.
 */
void cpu_init_this(u32 cpu);

/* CR4 without a guest's own choices. add: more bits, from now on; the caller loads them. */
u64 cpu_cr4_base(void);
void cpu_cr4_base_add(u64 bits);
/* What this CPU's descriptor tables and task segment are, for who loads them behind our back. */
void cpu_table_bases(u64 *gdt, u64 *tss, u64 *idt);
/* The system-call MSRs as PV guests have them, on this CPU. */
void cpu_load_syscall(void);

/* maddr of this CPU's GDT page: what core maps as page 14 of the running vCPU's GDT. */
maddr_t cpu_gdt_page(u32 cpu);
/* Writes the LDT descriptor of this CPU's GDT page and loads it; entries 0 = null LDT. */
void cpu_load_ldt(u64 base, u32 entries);

/*
 * Whether NMI, #MC, #DF and #DB use stacks of their own on this CPU (as after cpu_init_this). Off
 * while the task register is a hardware-assisted guest's: they stay on the stack they interrupt
 * then.
 */
void cpu_use_ist(bool on);

/* Stops this CPU for ever, interrupts off. */
NORETURN void cpu_halt_forever(void);

#endif
