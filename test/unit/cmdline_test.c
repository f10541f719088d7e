/* SPDX-License-Identifier: MIT */
/* The command line's syntax and the values with a grammar of their own. */
#include "host/host.h"
#include "pure/cmdline.h"
#include "wire/wire.h"

static struct {
    bool on, off;
    u32 count;
    u64 size;
    char text[16];
    struct cmdline_dom0_mem mem;
    struct cmdline_com com1;
    u32 console;
    struct cmdline_loglvl lvl;
    struct cmdline_range vcpus;
    u32 sched, us;
} v;
static struct reason why;

static const struct cmdline_opt opts[] = {
    {.name = "noreboot", .kind = CMDLINE_BOOL, .dst = &v.on},
    {.name = "smp", .kind = CMDLINE_BOOL, .dst = &v.off},
    {.name = "maxcpus", .kind = CMDLINE_UINT, .dst = &v.count, .min = 1, .max = 64},
    {.name = "heap_max", .kind = CMDLINE_SIZE, .dst = &v.size, .max = ~0ull, .shift = 20},
    {.name = "title", .kind = CMDLINE_STRING, .dst = v.text, .max = sizeof(v.text)},
    {.name = "dom0_mem", .kind = CMDLINE_CUSTOM, .dst = &v.mem, .parse = cmdline_parse_dom0_mem},
    {.name = "com1", .kind = CMDLINE_CUSTOM, .dst = &v.com1, .parse = cmdline_parse_com},
    {.name = "console", .kind = CMDLINE_CUSTOM, .dst = &v.console, .parse = cmdline_parse_console},
    {.name = "sched", .kind = CMDLINE_CUSTOM, .dst = &v.sched, .parse = cmdline_parse_sched},
    {.name = "ratelimit", .kind = CMDLINE_CUSTOM, .dst = &v.us, .parse = cmdline_parse_ratelimit},
    {.name = "edd", .kind = CMDLINE_IGNORE},
    {.name = "loglvl", .kind = CMDLINE_CUSTOM, .dst = &v.lvl, .parse = cmdline_parse_loglvl},
    {.name = "dom0_max_vcpus",
     .kind = CMDLINE_CUSTOM,
     .dst = &v.vcpus,
     .parse = cmdline_parse_range},
};

static int parse(const char *line)
{
    memset(&v, 0, sizeof(v));
    v.off = true;
    v.com1.io_base = 0x3f8;
    v.com1.irq = 4;
    v.com1.data_bits = 8;
    v.com1.parity = 'n';
    v.com1.stop_bits = 1;
    why.text[0] = 0;
    return cmdline_parse(line, opts, ARRAY_SIZE(opts), &why);
}

TEST(sets_every_kind)
{
    CHECK_EQ(parse("  noreboot no-smp maxcpus=0x10 heap-max=3 title=\"a b\" edd=off edd\t"), 0);
    CHECK(v.on && !v.off);
    CHECK_EQ(v.count, 16);
    CHECK_EQ(v.size, 3 << 20);
    CHECK_STR(v.text, "a b");
    CHECK_STR(host_log_text(), "");
    CHECK_EQ(parse("heap_max=1G smp=off noreboot=yes noreboot=false"), 0);
    CHECK_EQ(v.size, 1 << 30);
    CHECK(!v.off && !v.on);
    CHECK_EQ(parse(""), 0);
    CHECK_EQ(parse("\"\" \"title=x\" -- maxcpus=99"), 0);
    CHECK_STR(v.text, "x");
}

TEST(names_unknown_words_once)
{
    CHECK_EQ(parse("noreboot iommu=off no-such maxcpus=2 \"two words\""), 0);
    CHECK_EQ(v.count, 2);
    CHECK_STR(host_log_text(), "W: unknown options ignored: iommu=off no-such two words\n");
    host_log_clear();
    CHECK_EQ(parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
                   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb "
                   "cccccccccccc d"),
             0);
    CHECK(strstr(host_log_text(), "bbb and 2 more\n"));
}

TEST(refuses_bad_values)
{
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"dom0_mem=12Q", "option dom0_mem: bad value \"12Q\""},
        {"maxcpus=0", "option maxcpus: bad value \"0\""},
        {"maxcpus=65", "option maxcpus: bad value \"65\""},
        {"maxcpus=4294967297", NULL},
        {"maxcpus=99999999999999999999", NULL},
        {"maxcpus=2x", NULL},
        {"maxcpus=", "option maxcpus: bad value \"\""},
        {"maxcpus", "option maxcpus: needs a value"},
        {"heap_max=-1", NULL},
        {"heap_max=17592186044416M", NULL},
        {"no-maxcpus", "option maxcpus: cannot be negated"},
        {"no-dom0_mem", "option dom0_mem: bad value \"no\""},
        {"noreboot=maybe", "option noreboot: bad value \"maybe\""},
        {"title=0123456789abcdef", NULL},
        {"maxcpus=0 dom0_mem=12Q", "option maxcpus: bad value \"0\""},
        {"x title=\"never ends", "option with a quote that does not end: title=never ends"},
    };
    char line[400];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_EQ(parse(bad[i].line), -EINVAL);
        CHECK(why.text[0]);
        if (bad[i].why)
            CHECK_STR(why.text, bad[i].why);
    }
    /* The good words around a bad one count: a panic that follows obeys noreboot. */
    CHECK_EQ(parse("noreboot=no maxcpus=7 dom0_mem=12Q noreboot"), -EINVAL);
    CHECK_EQ(v.count, 7);
    CHECK(v.on);
    memset(line, 'y', sizeof(line));
    line[399] = 0;
    CHECK_EQ(parse(line), -EINVAL);
    CHECK(!strncmp(why.text, "option longer than 159 characters: yyy", 38));
    line[CMDLINE_WORD - 1] = 0;
    CHECK_EQ(parse(line), 0);
}

TEST(booleans)
{
    CHECK_EQ(cmdline_parse_bool(""), 1);
    CHECK_EQ(cmdline_parse_bool("enable"), 1);
    CHECK_EQ(cmdline_parse_bool("1"), 1);
    CHECK_EQ(cmdline_parse_bool("disable"), 0);
    CHECK_EQ(cmdline_parse_bool("0"), 0);
    CHECK_EQ(cmdline_parse_bool("2"), -EINVAL);
}

TEST(dom0_mem_grammar)
{
    static const char *const bad[] = {
        "",  ",",  "512M,", "max:", "min:x", "--5M",         "1M,max", "5M,maximum:3",
        "-", "0x", "1.5G",  "5 M",  "5Mx",   "99999999999T", "1/4",
    };
    unsigned int i;

    CHECK_EQ(parse("dom0_mem=768M,max:1G"), 0);
    CHECK(v.mem.size.given && !v.mem.size.negative && v.mem.max.given && !v.mem.min.given);
    CHECK_EQ(v.mem.size.bytes, 768 * MiB);
    CHECK_EQ(v.mem.max.bytes, GiB);
    CHECK_EQ(parse("dom0_mem=min:256M,-1g,max:-64M"), 0);
    CHECK(v.mem.size.negative && v.mem.max.negative && !v.mem.min.negative);
    CHECK_EQ(v.mem.size.bytes, GiB);
    CHECK_EQ(parse("dom0_mem=524288"), 0);
    CHECK_EQ(v.mem.size.bytes, 512 * MiB);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cmdline_dom0_mem m = {.size = {.bytes = 7}};

        CHECK_EQ(cmdline_parse_dom0_mem(bad[i], &m), -EINVAL);
        CHECK_EQ(m.size.bytes, 7);
    }
}

static int plan(const char *value, u64 avail, u64 *pages, u64 *max)
{
    struct cmdline_dom0_mem m = {.size = {.given = false}};

    if (*value)
        CHECK_EQ(cmdline_parse_dom0_mem(value, &m), 0);
    return cmdline_plan_dom0_mem(&m, avail, pages, max, &why);
}

TEST(dom0_mem_plan)
{
    u64 pages, max;

    CHECK_EQ(plan("", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, (4 * GiB - 128 * MiB) / PAGE_SIZE);
    CHECK_EQ(max, ~0ull >> PAGE_SHIFT);
    CHECK_EQ(plan("", 512 * MiB, &pages, &max), 0);
    CHECK_EQ(pages, 480 * MiB / PAGE_SIZE);
    CHECK_EQ(plan("768M,max:1G", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, 768 * MiB / PAGE_SIZE);
    CHECK_EQ(max, GiB / PAGE_SIZE);
    CHECK_EQ(plan("-1G", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, 3 * GiB / PAGE_SIZE);
    CHECK_EQ(plan("2G,max:1G", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, GiB / PAGE_SIZE);
    CHECK_EQ(plan("64M,min:1G", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, GiB / PAGE_SIZE);
    CHECK_EQ(plan("max:1G", 4 * GiB, &pages, &max), 0);
    CHECK_EQ(pages, GiB / PAGE_SIZE);

    CHECK_EQ(plan("8G", 4 * GiB, &pages, &max), -EINVAL);
    CHECK_STR(why.text, "option dom0_mem: 8388608 KiB wanted, but only 4194304 KiB are free");
    CHECK_EQ(plan("-8G", 4 * GiB, &pages, &max), -EINVAL);
    CHECK_STR(why.text, "option dom0_mem: size of -8388608 KiB, but only 4194304 KiB are free");
    CHECK_EQ(plan("min:2G,max:1G", 4 * GiB, &pages, &max), -EINVAL);
    CHECK_EQ(plan("min:5G", 4 * GiB, &pages, &max), -EINVAL);
    CHECK_EQ(plan("min:-5G", 4 * GiB, &pages, &max), -EINVAL);
    CHECK_EQ(plan("max:-5G", 4 * GiB, &pages, &max), -EINVAL);
}

TEST(com_grammar)
{
    static const char *const bad[] = {
        "9600x",
        "fast",
        "115201",
        "1000000",
        "7",
        "9600,9n1",
        "9600,8x1",
        "9600,8n3",
        "9600,8n",
        "9600,8n1,0",
        "9600,8n1,0x10000",
        "9600,8n1,0x3f8,16",
        "9600,8n1,pci",
        "9600,8n1,0x3f8,4,",
        "9600,8n1,0x3f8,4,5",
    };
    unsigned int i;

    CHECK_EQ(parse("com1=115200,8n1,0x3f8,4"), 0);
    CHECK(v.com1.given);
    CHECK_EQ(v.com1.baud, 115200);
    CHECK_EQ(parse("com1=9600,7e2,0x2f8,0"), 0);
    CHECK_EQ(v.com1.baud, 9600);
    CHECK_EQ(v.com1.data_bits, 7);
    CHECK_EQ(v.com1.parity, 'e');
    CHECK_EQ(v.com1.stop_bits, 2);
    CHECK_EQ(v.com1.io_base, 0x2f8);
    CHECK_EQ(v.com1.irq, 0);
    CHECK_EQ(parse("com1=auto,,0x3e8"), 0);
    CHECK_EQ(v.com1.baud, 0);
    CHECK_EQ(v.com1.data_bits, 8);
    CHECK_EQ(v.com1.io_base, 0x3e8);
    CHECK_EQ(v.com1.irq, 4);
    CHECK_EQ(parse("com1"), 0);
    CHECK(v.com1.given);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cmdline_com c = {.given = false};

        if (!cmdline_parse_com(bad[i], &c))
            FAIL("com1=%s taken", bad[i]);
        CHECK(!c.given);
    }
}

TEST(console_grammar)
{
    CHECK_EQ(parse("console=com1,vga"), 0);
    CHECK_EQ(v.console, CMDLINE_CONSOLE_COM1 | CMDLINE_CONSOLE_VGA);
    CHECK_EQ(parse("console=none"), 0);
    CHECK_EQ(v.console, 0);
    CHECK_EQ(parse("console=com3"), -EINVAL);
    CHECK_EQ(parse("console=com1,"), -EINVAL);
    CHECK_EQ(parse("console"), -EINVAL);
}

TEST(loglvl_grammar)
{
    CHECK_EQ(parse("loglvl=all"), 0);
    CHECK_EQ(v.lvl.always, 4);
    CHECK_EQ(v.lvl.limited, 4);
    CHECK_EQ(parse("loglvl=none/info"), 0);
    CHECK_EQ(v.lvl.always, 0);
    CHECK_EQ(v.lvl.limited, 3);
    CHECK_EQ(parse("loglvl=debug/error"), 0);
    CHECK_EQ(v.lvl.always, 4);
    CHECK_EQ(v.lvl.limited, 4);
    CHECK_EQ(parse("loglvl=warning"), 0);
    CHECK_EQ(v.lvl.always, LOG_WARN + 1);
    CHECK_EQ(parse("loglvl=loud"), -EINVAL);
    CHECK_EQ(parse("loglvl=info/"), -EINVAL);
    CHECK_EQ(parse("loglvl=info/all/none"), -EINVAL);
    CHECK_EQ(parse("loglvl="), -EINVAL);
}

TEST(range_grammar)
{
    CHECK_EQ(parse("dom0_max_vcpus=4"), 0);
    CHECK_EQ(v.vcpus.min, 4);
    CHECK_EQ(v.vcpus.max, 4);
    CHECK_EQ(parse("dom0_max_vcpus=2-8"), 0);
    CHECK_EQ(v.vcpus.min, 2);
    CHECK_EQ(v.vcpus.max, 8);
    CHECK_EQ(parse("dom0_max_vcpus=0-1"), 0);
    CHECK_EQ(parse("dom0_max_vcpus=0"), -EINVAL);
    CHECK_EQ(parse("dom0_max_vcpus=0-0"), -EINVAL);
    CHECK_EQ(parse("dom0_max_vcpus=8-2"), -EINVAL);
    CHECK_EQ(parse("dom0_max_vcpus=2-"), -EINVAL);
    CHECK_EQ(parse("dom0_max_vcpus=-2"), -EINVAL);
    CHECK_EQ(parse("dom0_max_vcpus=2-3-4"), -EINVAL);
}

TEST(rate_limits)
{
    CHECK_EQ(parse("ratelimit=100"), 0);
    CHECK_EQ(v.us, 100);
    CHECK_EQ(parse("ratelimit=500000"), 0);
    CHECK_EQ(v.us, 500000);
    CHECK_EQ(parse("ratelimit=99"), -EINVAL);
    CHECK_EQ(parse("ratelimit=500001"), -EINVAL);
    CHECK_EQ(parse("ratelimit=100us"), -EINVAL);
    CHECK_EQ(parse("ratelimit="), -EINVAL);
    CHECK_EQ(parse("ratelimit"), -EINVAL);
    v.us = 1;
    CHECK_EQ(cmdline_parse_ratelimit("0", &v.us), 0);
    CHECK_EQ(v.us, 0);
}

TEST(scheduler_names)
{
    CHECK_EQ(parse("sched=credit"), 0);
    CHECK_EQ(v.sched, XEN_SCHEDULER_CREDIT);
    CHECK_EQ(parse("sched=rtds"), 0);
    CHECK_EQ(v.sched, XEN_SCHEDULER_RTDS);
    CHECK_EQ(parse("sched=credit2"), 0);
    CHECK_EQ(v.sched, XEN_SCHEDULER_CREDIT2);
    CHECK_EQ(parse("sched=null"), 0); /* Xen has it */
    CHECK_EQ(v.sched, XEN_SCHEDULER_CREDIT2);
    CHECK_EQ(parse("sched=bvt"), -EINVAL);
    CHECK_EQ(parse("sched"), -EINVAL);
}
