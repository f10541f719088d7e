/* SPDX-License-Identifier: MIT */
/* The machine's firmware description, and its sleep states. */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "pure/acpi.h"

/* The static ACPI tables; filled once at boot, constant after. tables == 0: no ACPI. */
extern struct acpi_info machine_acpi;

/*
 * Enters an ACPI sleep state: writes the PM1 control registers (ACPI 6.5, 4.8.3.2 and 16.1.3).
 * val_a and val_b: what the operating system computed for PM1a and PM1b, SLP_EN included or not.
 * For S5 does not return when it works. -ENODEV: no such registers; -EIO: the machine is still
 * running.
 */
int machine_acpi_sleep(u16 val_a, u16 val_b) MUST_CHECK;

#endif
