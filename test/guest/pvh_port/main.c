/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of a PVH guest: nothing is behind any. Each size, both directions, immediate and by dx,
 * string instructions, from user mode by TSS and IOPL; every port of the lower range read once.
 */
#include "pvh.h"

#define FLAGS_IOPL3 0x3000ul

static uint8_t area[4096] __attribute__((aligned(4096)));

static void run(const char *name, enum pvh_mode mode, const char *code, unsigned int len,
                uint64_t rdx, uint64_t flags)
{
    /* 32-bit and 16-bit code: what becomes of the upper halves is nowhere defined. */
    uint64_t rax = mode <= USER64 ? 0x1122334455667788 : 0x55667788;
    struct frame f = {.rax = rax,
                      .rdx = rdx,
                      .rcx = 3,
                      .rdi = (uint64_t)area,
                      .rsi = (uint64_t)area,
                      .rflags = flags};
    const char *s = pvh_probe(mode, &f, code, len);

    memset(area + 1, 0, 15);
    if (strcmp(s, "done") == 0 && f.rax != rax)
        value(text("%s: %s", pvh_mode_name[mode], name), "done, rax %lx", f.rax);
    else
        value(text("%s: %s", pvh_mode_name[mode], name), "%s", s);
}

static void sizes(enum pvh_mode mode, uint64_t port, uint64_t flags)
{
    const char *how = flags ? ", IOPL 3" : "";

    run(text("inb %lx%s", port, how), mode, CODE("\xec"), port, flags);
    run(text("inw %lx%s", port, how), mode, CODE("\x66\xed"), port, flags);
    run(text("inl %lx%s", port, how), mode, CODE("\xed"), port, flags);
    run(text("outb %lx%s", port, how), mode, CODE("\xee"), port, flags);
    run(text("outw %lx%s", port, how), mode, CODE("\x66\xef"), port, flags);
    run(text("outl %lx%s", port, how), mode, CODE("\xef"), port, flags);
}

static void all_ports(void)
{
    uint32_t port, other = 0, first = 0;
    uint8_t val;

    for (port = 0; port < 0x1000; port++) {
        if (port == 0x80 || port == 0xed) /* Debian's Xen passes these to the machine */
            continue;
        __asm__ volatile("inb %w1, %0" : "=a"(val) : "d"(port));
        if (val != 0xff && other++ == 0)
            first = port;
    }
    value("ports below 0x1000 that do not read ones", "%u, the first %x", other, first);
}

void test_main(const char *args)
{
    static const uint16_t ports[] = {0x20,  0x40,  0x61,  0x70,   0x92,
                                     0x3f8, 0xcf8, 0xcfc, 0xb000, 0xffff};
    unsigned int i;

    (void)args;
    pvh_round("ports", true);
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        sizes(KERNEL64, ports[i], 0);
    sizes(USER64, 0x3f8, 0);
    sizes(USER64, 0x3f8, FLAGS_IOPL3);
    sizes(KERNEL32, 0x3f8, 0);
    sizes(KERNEL16, 0x3f8, 0);
    run("in immediate", KERNEL64, CODE("\xe4\x21"), 0, 0);
    run("out immediate", KERNEL64, CODE("\xe6\x21"), 0, 0);
    run("insb", KERNEL64, CODE("\x6c"), 0x3f8, 0);
    run("rep insb", KERNEL64, CODE("\xf3\x6c"), 0x3f8, 0);
    run("outsb", KERNEL64, CODE("\x6e"), 0x3f8, 0);
    run("rep outsl", KERNEL64, CODE("\xf3\x6f"), 0x3f8, 0);
    all_ports();
}
