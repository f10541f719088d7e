/* SPDX-License-Identifier: MIT */
/*
 * How does the machine go to sleep? By two writes to the PM1 control registers: the type first,
 * then the type with the enable bit. The values come from the control domain, which alone can
 * evaluate the firmware's bytecode. Left out: S3's way back.
 */
#include "core/machine.h"

#include "arch/clock.h"
#include "arch/insn.h"
#include "base/err.h"
#include "pure/port.h"

#define PM1_SLP_EN (1u << 13)
#define SETTLE_US  100000

struct acpi_info machine_acpi;

static void write_both(u16 val_a, u16 val_b)
{
    u16 port_b = acpi_reg_port(&machine_acpi.pm1b_cnt);

    insn_outw(acpi_reg_port(&machine_acpi.pm1a_cnt), val_a);
    if (port_b != 0)
        insn_outw(port_b, val_b);
}

int machine_acpi_sleep(u16 val_a, u16 val_b)
{
    if (acpi_reg_port(&machine_acpi.pm1a_cnt) == 0)
        return -ENODEV;
    log_msg(LOG_INFO, "ACPI sleep: PM1a %#x, PM1b %#x", val_a, val_b);
    insn_wbinvd();
    write_both((u16)(val_a & ~PM1_SLP_EN), (u16)(val_b & ~PM1_SLP_EN));
    write_both((u16)(val_a | PM1_SLP_EN), (u16)(val_b | PM1_SLP_EN));
    /* Firmware may take a moment to cut the power. */
    clock_udelay(SETTLE_US);
    return -EIO;
}
