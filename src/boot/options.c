/* SPDX-License-Identifier: MIT */
/*
 * Every option in one table. Names and meanings are Xen's where Xen has the option; those that tune
 * what does not exist here are accepted without effect, so that a boot entry written for Xen works.
 */
#include "boot/options.h"

#include "core/console.h"
#include "pure/credit.h"
#include "wire/wire.h"

struct boot_options options_given = {
    .dom0_max_vcpus = {0, 0},
    .maxcpus = MAX_CPUS,
    .sched_id = XEN_SCHEDULER_CREDIT2,
    .sched_ratelimit_us = CREDIT_RATELIMIT / 1000,
};

static const struct cmdline_opt options[] = {
    {"com1", CMDLINE_CUSTOM, &console_options.com[0], 0, 0, 0, cmdline_parse_com},
    {"com2", CMDLINE_CUSTOM, &console_options.com[1], 0, 0, 0, cmdline_parse_com},
    {"console", CMDLINE_CUSTOM, &console_options.console, 0, 0, 0, cmdline_parse_console},
    {"conring_size", CMDLINE_SIZE, &console_options.ring_size, 0, CONSOLE_RING_MAX, 10, NULL},
    {"dom0_max_vcpus", CMDLINE_CUSTOM, &options_given.dom0_max_vcpus, 0, 0, 0, cmdline_parse_range},
    {"dom0_mem", CMDLINE_CUSTOM, &options_given.dom0_mem, 0, 0, 0, cmdline_parse_dom0_mem},
    {"guest_loglvl", CMDLINE_CUSTOM, &console_options.guest_loglvl, 0, 0, 0, cmdline_parse_loglvl},
    {"loglvl", CMDLINE_CUSTOM, &console_options.loglvl, 0, 0, 0, cmdline_parse_loglvl},
    {"maxcpus", CMDLINE_UINT, &options_given.maxcpus, 1, MAX_CPUS, 0, NULL},
    {"noreboot", CMDLINE_BOOL, &console_options.noreboot, 0, 0, 0, NULL},
    {"placeholder", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"sched", CMDLINE_CUSTOM, &options_given.sched_id, 0, 0, 0, cmdline_parse_sched},
    {"sched_ratelimit_us", CMDLINE_CUSTOM, &options_given.sched_ratelimit_us, 0, 0, 0,
     cmdline_parse_ratelimit},
    {"no-real-mode", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"edd", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"vga", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"ucode", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"iommu", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"smt", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"spec-ctrl", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"xpti", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"bootscrub", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"dom0_vcpus_pin", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"clocksource", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"watchdog", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"sync_console", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
    {"gnttab", CMDLINE_IGNORE, NULL, 0, 0, 0, NULL},
};

int options_parse(const char *line, struct reason *why)
{
    return cmdline_parse(line, options, ARRAY_SIZE(options), why);
}
