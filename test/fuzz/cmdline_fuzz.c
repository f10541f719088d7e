/* SPDX-License-Identifier: MIT */
/* Any text as a command line with an option of every kind. */
#include <stdlib.h>

#include "host/host.h"
#include "pure/cmdline.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static bool flag;
static u32 count, console;
static u64 bytes;
static char text[9];
static struct cmdline_dom0_mem mem;
static struct cmdline_com com;
static struct cmdline_loglvl lvl;
static struct cmdline_range range;

static const struct cmdline_opt opts[] = {
    {.name = "noreboot", .kind = CMDLINE_BOOL, .dst = &flag},
    {.name = "maxcpus", .kind = CMDLINE_UINT, .dst = &count, .min = 1, .max = 64},
    {.name = "heap", .kind = CMDLINE_SIZE, .dst = &bytes, .max = ~0ull, .shift = 20},
    {.name = "title", .kind = CMDLINE_STRING, .dst = text, .max = sizeof(text)},
    {.name = "sched", .kind = CMDLINE_IGNORE},
    {.name = "dom0_mem", .kind = CMDLINE_CUSTOM, .dst = &mem, .parse = cmdline_parse_dom0_mem},
    {.name = "com1", .kind = CMDLINE_CUSTOM, .dst = &com, .parse = cmdline_parse_com},
    {.name = "console", .kind = CMDLINE_CUSTOM, .dst = &console, .parse = cmdline_parse_console},
    {.name = "loglvl", .kind = CMDLINE_CUSTOM, .dst = &lvl, .parse = cmdline_parse_loglvl},
    {.name = "vcpus", .kind = CMDLINE_CUSTOM, .dst = &range, .parse = cmdline_parse_range},
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct reason why = {.text = ""};
    char *line = malloc(size + 1);
    u64 pages, max;

    host_reset();
    count = 1;
    memset(&mem, 0, sizeof(mem));
    memcpy(line, data, size);
    line[size] = '\0';
    if (cmdline_parse(line, opts, ARRAY_SIZE(opts), &why))
        CHECK(why.text[0]);
    CHECK(count >= 1 && count <= 64 && console < 8 && range.min <= range.max);
    CHECK(lvl.always <= lvl.limited && lvl.limited <= 4 && strnlen(text, 9) < 9);
    if (!cmdline_plan_dom0_mem(&mem, GiB, &pages, &max, &why))
        CHECK(pages <= GiB / PAGE_SIZE && pages <= max);
    free(line);
    return 0;
}
