/* SPDX-License-Identifier: MIT */
/*
 * Work bits and waiting: how a CPU is told that there is something to do, and how it waits for it.
 *
 * The bits are looked at with interrupts off, last before a guest is entered or the CPU halts. An
 * interrupt that comes after the look is held until the guest runs or the halt begins, and ends
 * either: so a bit set at any time is seen.
 */
#include "arch/cpu.h"

#include "arch/insn.h"
#include "arch/irq.h"

void cpu_kick_work(u32 cpu, u32 bits)
{
    /* Bits already set: whoever set them has sent the interrupt, or the CPU has yet to look. */
    u32 old = atomic_fetch_or(&cpu_info_of(cpu)->work, bits);

    if ((old & bits) != bits && cpu != cpu_id())
        irq_send_ipi(cpu, IRQ_VECTOR_KICK);
}

void cpu_irq_window(void)
{
    /* The instruction after sti is not interrupted (SDM vol. 2, STI), so there must be one. */
    __asm__ __volatile__("sti; nop; cli" ::: "memory");
}

void cpu_idle_halt(void)
{
    if (atomic_load(&cpu_info()->work) != 0)
        cpu_irq_window();
    else
        insn_sti_hlt_cli();
}
