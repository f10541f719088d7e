/* SPDX-License-Identifier: MIT */
/*
 * console_io: how much it takes, from where, with what in it; what a read gives when nobody types.
 * Lines of the tried texts start with '#', which the runner does not look at.
 */
#include "guest.h"

#include <xen/sysctl.h>

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0x5ead00000000ul)     /* mapped by nobody */
#define CROOKED ((void *)0x900000000000ul)     /* not canonical */

static long console_io(unsigned long cmd, unsigned long n, const void *buf)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, n, (uint64_t)buf);
}

static long say(const char *s, unsigned long n)
{
    return console_io(CONSOLEIO_write, n, s);
}

static void texts(void)
{
    static char buf[3000];
    unsigned int i;

    check_eq("a line", say("# a line\n", 9), 0);
    check_eq("a line in pieces", say("# half", 6) | say(" and ", 5) | say("half\n", 5), 0);
    check_eq("an empty line", say("\n", 1), 0);
    check_eq("a line with a zero", say("# zero \0 zero\n", 14), 0);
    check_eq("carriage returns", say("# a\rb\r\n", 7), 0);
    check_eq("tabs and backspaces", say("# a\tb\b\b\n", 8), 0);
    check_eq("escapes", say("# \033[31mred\033[0m \033]0;title\007\n", 26), 0);
    check_eq("format characters", say("# %s %n %d %%\n", 14), 0);
    check_eq("a level mark", say("<0># level\n", 11), 0);
    buf[0] = '#';
    for (i = 1; i < 257; i++)
        buf[i] = i - 1 == '\n' ? ' ' : (char)(i - 1);
    buf[257] = '\n';
    check_eq("every byte", say(buf, 258), 0);
    memset(buf, '=', sizeof(buf));
    buf[0] = '#';
    buf[2999] = '\n';
    check_eq("a line of 3000", say(buf, 3000), 0);
    for (i = 0; i < 3000; i++)
        buf[i] = i % 2 ? '\n' : '#';
    check_eq("1000 lines", say(buf, 2000), 0);
    check_eq("nothing", say(buf, 0), 0);
}

/* What was printed of a refused text may be without its end of line. */
static void refused(const char *name, const char *s, unsigned long n)
{
    long rc = say(s, n);

    say("\n", 1);
    value_rc(name, rc);
}

static void buffers(void)
{
    char *page = page_alloc(), *hole = page_alloc(), *tail = hole - 40;

    memset(page, '.', PAGE_SIZE);
    memcpy(tail, "# tail ", 7);
    hole[-1] = '\n';
    if (hole != page + PAGE_SIZE || page_unmap(hole) != 0)
        error("no hole behind a page");
    check_eq("up to a hole", say(tail, 40), 0);
    refused("into a hole", tail, 41);
    refused("from the last byte into a hole", hole - 1, 2);
    refused("2 GiB - 1 into a hole", tail, 0x7fffffff);
    refused("2 GiB into a hole", tail, 0x80000000);
    refused("-1 into a hole", tail, 0xffffffff);
    refused("-1 in 64 bits into a hole", tail, ~0ul);
    refused("4 GiB + 2, which are 2", "#\n", (1ul << 32) + 2);
    page_rw(hole);
    check_eq("a read-only page", page_ro(page), 0);
    check_eq("from a read-only page", say(tail, 40), 0);
    page_rw(page);
    refused("nothing from nowhere", NOWHERE, 0);
    refused("nothing from the hypervisor", BAD_VA, 0);
    refused("nothing from a crooked address", CROOKED, 0);
    refused("from nowhere", NOWHERE, 10);
    refused("from the hypervisor", BAD_VA, 10);
    refused("from a crooked address", CROOKED, 10);
    refused("from 0", NULL, 10);
    refused("from the end", (char *)-4l, 10);
    refused("up to the hypervisor", (char *)BAD_VA - 4, 10);
}

static void reads(void)
{
    char buf[64];

    memset(buf, 'x', sizeof(buf));
    check_eq("read", console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
    check(buf[0] == 'x', "nothing was written");
    value_rc("read nothing", console_io(CONSOLEIO_read, 0, buf));
    value_rc("read nothing to nowhere", console_io(CONSOLEIO_read, 0, NOWHERE));
    value_rc("read to nowhere", console_io(CONSOLEIO_read, 10, NOWHERE));
    value_rc("read to the hypervisor", console_io(CONSOLEIO_read, 10, BAD_VA));
    value_rc("read to a crooked address", console_io(CONSOLEIO_read, 10, CROOKED));
    value_rc("read -1", console_io(CONSOLEIO_read, 0xffffffff, buf));
    value_rc("read 2 GiB", console_io(CONSOLEIO_read, 0x80000000, buf));
    value_rc("read -1 in 64 bits", console_io(CONSOLEIO_read, ~0ul, buf));
}

static void commands(void)
{
    static const unsigned long bad[] = {2, 3, 255, 0x7fffffff, 0x80000000, 0xffffffff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        value_rc(text("command %lx", bad[i]), console_io(bad[i], 2, "#\n"));
        value_rc(text("command %lx, bad buffer", bad[i]), console_io(bad[i], 2, BAD_VA));
    }
    value_rc("write, high half", console_io(1ul << 32 | CONSOLEIO_write, 2, "#\n"));
}

/* VIRQ_CON_RING says that there is more to be read; a debug key prints something. */
static void ring(void)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_debug_keys,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    struct xen_sysctl r = {.cmd = XEN_SYSCTL_readconsole,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    int port = evtchn_virq(VIRQ_CON_RING, 0);
    static char log[1 << 20];
    uint64_t begin, i;
    char key = 'h';

    check(port > 0, "VIRQ_CON_RING can be bound");
    set_xen_guest_handle(r.u.readconsole.buffer, log);
    r.u.readconsole.count = sizeof(log);
    check_eq("the log is read", hypercall1(__HYPERVISOR_sysctl, (uint64_t)&r), 0);
    evtchn_clear((uint32_t)port);
    r.u.readconsole.incremental = 1;
    set_xen_guest_handle(s.u.debug_keys.keys, &key);
    s.u.debug_keys.nr_keys = 1;
    check_eq("a debug key", hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s), 0);
    for (begin = now(); !evtchn_pending((uint32_t)port) && now() - begin < 1000000000ul;)
        sched_op(SCHEDOP_yield, NULL);
    check(evtchn_pending((uint32_t)port), "new messages raise it");
    r.u.readconsole.count = sizeof(log);
    check_eq("what is new is read", hypercall1(__HYPERVISOR_sysctl, (uint64_t)&r), 0);
    check(r.u.readconsole.count > 100 && r.u.readconsole.count < 8192, "it is the key's output");

    /* conring_size=256k is among the options: more than the usual 128 KiB are kept. */
    for (i = 0; i * r.u.readconsole.count < 200000; i++)
        hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s);
    r.u.readconsole.count = sizeof(log);
    r.u.readconsole.incremental = 0;
    check_eq("all is read", hypercall1(__HYPERVISOR_sysctl, (uint64_t)&r), 0);
    check(r.u.readconsole.count > 190000 && r.u.readconsole.count <= 256u << 10,
          "the ring is as large as was asked for");
}

void test_main(const char *args)
{
    (void)args;
    ring();
    texts();
    buffers();
    reads();
    commands();
}
