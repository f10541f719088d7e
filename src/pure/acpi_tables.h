/* SPDX-License-Identifier: MIT */
/*
 * The contents of single ACPI tables, for acpi.c. Each takes a table of len bytes whose checksum is
 * good and whose len is at least what acpi.c's list of known tables says, adds to out, and returns
 * false, after a log line, when the table is of no use.
 */
#ifndef PURE_ACPI_TABLES_H
#define PURE_ACPI_TABLES_H

#include "base/def.h"
#include "pure/acpi.h"

bool acpi_tables_madt(const u8 *table, u32 len, struct acpi_info *out);
bool acpi_tables_fadt(const u8 *table, u32 len, struct acpi_info *out);
bool acpi_tables_hpet(const u8 *table, u32 len, struct acpi_info *out);

#endif
