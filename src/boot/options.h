/* SPDX-License-Identifier: MIT */
/* The command line: one table of every option. docs/OPTIONS.md explains each. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include "pure/cmdline.h"

struct boot_options {
    struct cmdline_dom0_mem dom0_mem;
    struct cmdline_range dom0_max_vcpus;
    u32 maxcpus;
    u32 sched_id; /* XEN_SCHEDULER_: what the tools are told */
    u32 sched_ratelimit_us;
};
extern struct boot_options options_given;

/* Parses the line; a malformed value gives -EINVAL and the reason. */
int options_parse(const char *line, struct reason *why);

#endif
