/* SPDX-License-Identifier: MIT */
/*
 * Exceptions in hypervisor mode: the fix-up table decides, else it is our own mistake and fatal.
 * Also sorts the vectors that arrive on stacks of their own (NMI, #MC, #DF, #DB).
 */
#include "arch/entry.h"

#include "arch/insn.h"
#include "arch/smp.h"
#include "arch/upcalls.h"

struct extable_entry {
    s32 from, to; /* offsets from their own addresses */
};
extern const struct extable_entry extable_start[], extable_end[];

/* Where a fault at rip continues; 0: nowhere. */
static u64 fixup(u64 rip)
{
    const struct extable_entry *e;

    /* A few dozen entries, looked at on faults only. */
    for (e = extable_start; e < extable_end; e++)
        if ((u64)((s64)(u64)&e->from + e->from) == rip)
            return (u64)((s64)(u64)&e->to + e->to);
    return 0;
}

void trap_hypervisor(struct cpu_regs *regs)
{
    u64 to = fixup(regs->rip);

    if (to == 0)
        upcall_fatal_trap(regs);
    cpu_info()->fixup_vector = regs->vector;
    cpu_info()->fixup_error = regs->error_code;
    regs->rip = to;
}

void trap_ist_guest(struct cpu_regs *regs)
{
    if (regs->vector == TRAP_NMI) {
        smp_stop_check();
        if (upcall_nmi(regs))
            return;
    }
    upcall_guest_trap(regs);
}

void trap_ist_hypervisor(struct cpu_regs *regs)
{
    switch (regs->vector) {
    case TRAP_NMI:
        smp_stop_check();
        if (upcall_nmi(regs))
            return;
        break;
    case TRAP_DB:
        /*
         * A guest can arm a data breakpoint on the stack slot behind a mov ss and have it fire on
         * the first instruction of our entry (SDM vol. 3, 6.8.3). It is not ours: drop it.
         */
        insn_write_dr6(0xffff0ff0);
        regs->rflags &= ~RFLAGS_TF;
        return;
    default:
        break;
    }
    upcall_fatal_trap(regs);
}
