/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine: reset by what the firmware names, then by the ways every PC has had;
 * halt. Power-off proper is dom0's: its ACPI code asks for S5 through platform_op, before it shuts
 * itself down.
 */
#include "core/domain.h"

#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/smp.h"
#include "core/machine.h"

/* ACPI 6.5, 4.8.3.6: the reset register in I/O or memory space. */
static void reset_acpi(void)
{
    const struct acpi_reg *r = &machine_acpi.reset;
    volatile u8 *p;

    if (!(machine_acpi.tables & ACPI_HAS_FADT) || r->addr == 0)
        return;
    if (acpi_reg_port(r) != 0) {
        insn_outb(acpi_reg_port(r), machine_acpi.reset_value);
    } else if (r->space == ACPI_SPACE_MEMORY) {
        p = hmap_device(r->addr, 1);
        if (p != NULL)
            *p = machine_acpi.reset_value;
    }
}

static void spin(u32 n)
{
    while (n-- > 0)
        insn_pause();
}

void domain_machine_restart(void)
{
    u32 i;

    insn_cli();
    smp_stop_others();
    reset_acpi();
    spin(1000000);
    insn_outb(0xcf9, 0x02); /* chipset reset: hard, then go */
    insn_outb(0xcf9, 0x06);
    spin(1000000);
    for (i = 0; i < 10; i++) {
        insn_outb(0x64, 0xfe); /* keyboard controller's reset line */
        spin(100000);
    }
    /* Triple fault: an exception without an IDT. */
    insn_lidt(0, 0);
    __asm__ __volatile__("int3");
    cpu_halt_forever();
}

void domain_machine_halt(void)
{
    insn_cli();
    smp_stop_others();
    cpu_halt_forever();
}
