/* SPDX-License-Identifier: MIT */
/*
 * The PV part of domains and vCPUs. pv_entry.S reads struct pv_vcpu by generated offsets
 * (arch/offsets), so the fields it needs come first.
 */
#ifndef PV_PV_H
#define PV_PV_H

#include "core/domain.h"
#include "core/page.h"

struct pv_trap {
    u64 address; /* 0: not set */
    u16 cs;
    u8 dpl;         /* for int n */
    u8 mask_events; /* interrupt-gate behaviour */
};

struct pv_callback {
    u64 address; /* 0: not set */
    bool mask_events;
};

struct pv_vcpu {
    /* Read and written by pv_entry.S. */
    u32 kernel_mode; /* 1: guest kernel, 0: guest user */
    u32 syscall_mask_events;
    u64 cr3_kernel; /* maddr of the L4 for kernel mode */
    u64 cr3_user;   /* maddr for user mode; 0: none set */
    u64 kernel_sp;  /* stack_switch */
    u64 kernel_ss;
    u64 syscall_entry;      /* callback address */
    struct vcpu_info *info; /* == vcpu->info */
    bool nmi_masked;        /* until iret */
    bool syscall_masks;     /* the flag as registered; syscall_mask_events is the short path's */
    /* C only from here. */
    struct pv_callback event, failsafe, syscall32, sysenter, nmi;
    struct pv_trap traps[256];
    u64 fs_base; /* when not running; GS bases of both modes likewise */
    u64 gs_base_kernel, gs_base_user;
    u16 ds, es, fs, gs;
    u64 gdt_frames[14]; /* mfns with a segment-descriptor type reference */
    u32 gdt_entries;
    u64 ldt_base;
    u32 ldt_entries;
    u64 *perdomain_l1; /* this vCPU's 32 entries of GDT and LDT in the per-domain tables */
    u64 cr4;           /* guest-chosen bits */
    bool cr0_ts;
    u64 cr2;
    /* The last exception it was given. */
    u64 trap_rip;
    u32 trap_vector, trap_error;
    u64 dr[4], dr6, dr7;
    u32 iopl;             /* virtual, from physdev set_iopl: 0..3 */
    const void *iobitmap; /* guest address, set_iobitmap */
    u32 iobitmap_ports;
    u32 pci_cf8; /* guest's latched config address */
};

struct pv_domain {
    mfn_t perdomain_l3;                /* what L4 slot 260 of this domain points to */
    u64 *perdomain_l1[MAX_VCPUS / 16]; /* L1 tables of the GDT area, one per 16 vCPUs */
    struct lock mmu_lock;      /* RANK_MMU: contents and validation of this domain's page tables */
    struct page *mmu_leftover; /* a table whose taking apart is not finished (pure/pvpt.h) */
    u32 mmu_teardown_phase;
    mfn_t perdomain_tables[2 + MAX_VCPUS / 16]; /* frames to free */
    u32 cmos_index;                             /* port 0x70 latch */
    u8 pit2_state[16];                          /* emulated PIT channel 2, pv_port.c */
};

static inline struct pv_vcpu *pv_current(void)
{
    return cpu_info()->guest_ctx;
}

/* True when an access of n bytes at va would touch the hypervisor's range. */
static inline bool pv_range_is_hv(u64 va, u64 n)
{
    return va < HV_VIRT_END && va + n > HV_VIRT_START;
}

/*
 * Sets the stack of the next entry to guest kernel mode. An address whose frame would lie in the
 * hypervisor's range is stored as 0: the bounce then faults and crashes the domain, as the ABI has
 * it, without a check on the system-call path.
 */
static inline void pv_set_kernel_sp(struct pv_vcpu *pv, u64 ss, u64 sp)
{
    pv->kernel_ss = ss;
    pv->kernel_sp = pv_range_is_hv((sp & ~15ul) - 128, 128) ? 0 : sp;
}

/* pv_trap.c */

/*
 * Sets the syscall callback. Address 0 or a non-canonical one is kept away from the short path
 * (syscall_mask_events 0 leads to the slow one, where no callback makes the instruction a #UD).
 */
void pv_set_syscall(struct pv_vcpu *pv, u64 address, bool mask_events);

/* Delivers an exception to the running guest: bounce frame, error code when the vector has one. */
void pv_inject(struct cpu_regs *regs, u32 vector, u32 error_code);
/* #PF with its address (written to vcpu_info.arch.cr2). */
void pv_inject_pf(struct cpu_regs *regs, u64 addr, u32 error_code);

/* pv_privop.c: #GP in a guest. True = emulated (regs advanced); false = deliver the #GP. */
bool pv_emulate_privop(struct cpu_regs *regs);
/* #UD in a guest: forced-emulation prefix (CPUID). True = emulated. */
bool pv_emulate_ud(struct cpu_regs *regs);

/* pv_mmu.c / pv_fault.c: #PF of the guest. True = handled, retry the instruction. */
bool pv_fault_fixup(struct cpu_regs *regs, u64 addr);

/* Hypercalls of the PV kind (rows of abi_table.c). Guest pointers are plain addresses. */
extern const hypercall_fn pv_hypercall_table[HYPERCALL_COUNT]; /* pv_table.c; for guest_kind */
long pv_set_trap_table(u64 traps, u64, u64, u64, u64, u64);
long pv_mmu_update(u64 reqs, u64 count, u64 pdone, u64 foreigndom, u64, u64);
long pv_set_gdt(u64 frames, u64 entries, u64, u64, u64, u64);
long pv_stack_switch(u64 ss, u64 sp, u64, u64, u64, u64);
long pv_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64, u64, u64);
long pv_fpu_taskswitch(u64 set, u64, u64, u64, u64, u64);
long pv_set_debugreg(u64 reg, u64 value, u64, u64, u64, u64);
long pv_get_debugreg(u64 reg, u64, u64, u64, u64, u64);
long pv_update_descriptor(u64 maddr, u64 desc, u64, u64, u64, u64);
long pv_update_va_mapping(u64 va, u64 val, u64 flags, u64, u64, u64);
long pv_update_va_mapping_otherdomain(u64 va, u64 val, u64 flags, u64 domid, u64, u64);
long pv_mmuext_op(u64 ops, u64 count, u64 pdone, u64 foreigndom, u64, u64);
long pv_set_segment_base(u64 which, u64 base, u64, u64, u64, u64);
long pv_iret(u64, u64, u64, u64, u64, u64);
long pv_callback_op(u64 cmd, u64 arg, u64, u64, u64, u64);

#endif
