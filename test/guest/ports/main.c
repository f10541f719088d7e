/* SPDX-License-Identifier: MIT */
/*
 * I/O ports: who may use them (I/O privilege level, bitmap, user and kernel), which are the
 * machine's and which the hypervisor's, widths and edges, and string instructions with every way
 * their memory operand can go wrong.
 */
#include "guest.h"

#define BAD_VA   0xffff830000000000ul
#define NOWHERE  0x5ead00000000ul
#define NONCANON 0x800000000000ul
#define FLAGS_IF 0x200ul
#define FLAGS_DF 0x400ul
#define FLAGS_TF 0x100ul

static struct user_space user;
static uint8_t area[3 * 4096] __attribute__((aligned(4096)));

static long set_iopl(uint32_t level)
{
    struct physdev_set_iopl op = {.iopl = level};

    return hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, (uint64_t)&op);
}

static long set_bitmap(const void *map, uint32_t ports)
{
    struct physdev_set_iobitmap op = {.nr_ports = ports};

    set_xen_guest_handle(op.bitmap, (uint8_t *)map);
    return hypercall2(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, (uint64_t)&op);
}

/* in al, ax or eax, dx; what was read goes to last_in. */
static uint32_t last_in;

static const char *in(uint16_t port, unsigned int width)
{
    struct frame f = {.rax = 0x1111222233334444ul, .rdx = port};
    const char *s = width == 1   ? probe(&f, CODE("\xec"))
                    : width == 2 ? probe(&f, CODE("\x66\xed"))
                                 : probe(&f, CODE("\xed"));

    last_in = (uint32_t)f.rax & (width == 4 ? ~0u : (1u << (8 * width)) - 1);
    return s;
}

/* The same with what was read, of it the bits from `shift` up. */
static const char *in_text(uint16_t port, unsigned int width, unsigned int shift)
{
    const char *s = in(port, width);

    return text("%s, %x", s, last_in >> shift);
}

static const char *out(uint16_t port, unsigned int width, uint32_t val)
{
    struct frame f = {.rax = val, .rdx = port};

    return width == 1   ? probe(&f, CODE("\xee"))
           : width == 2 ? probe(&f, CODE("\x66\xef"))
                        : probe(&f, CODE("\xef"));
}

static const char *user_in(uint16_t port, unsigned int width)
{
    struct frame f = {.rdx = port};

    return width == 1   ? probe_user(&user, &f, CODE("\xec"))
           : width == 2 ? probe_user(&user, &f, CODE("\x66\xed"))
                        : probe_user(&user, &f, CODE("\xed"));
}

/* ---- Rights ---- */

static void rights(void)
{
    static uint8_t map[8192 + 1];
    static const uint16_t ports[] = {0,    1,    7,    8,    0x77, 0x7e, 0x7f,
                                     0x80, 0x81, 0x87, 0x88, 0xff, 0x3ff};
    unsigned int i, w;

    set_iopl(0);
    value("no rights: in", "%s", in(0x80, 1));
    memset(map, 0xff, sizeof(map));
    map[0x80 / 8] = 0xfe; /* port 80 alone */
    value_rc("bitmap", set_bitmap(map, 1024));
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        for (w = 1; w <= 4; w *= 2) {
            value(text("bitmap, port 80 alone: in %x, %u", ports[i], w), "%s", in(ports[i], w));
            value(text("bitmap, port 80 alone: user in %x, %u", ports[i], w), "%s",
                  user_in(ports[i], w));
        }
    map[0x80 / 8] = 0;
    map[0x88 / 8] = 0xfe;
    value("bitmap: in 85, 4", "%s", in(0x85, 4));
    value("bitmap: in 86, 4", "%s", in(0x86, 4));
    value("bitmap: in 87, 2", "%s", in(0x87, 2));
    value("bitmap: out 80", "%s", out(0x80, 1, 0));
    value_rc("bitmap of 129 ports", set_bitmap(map, 129));
    value("bitmap of 129 ports: in 80", "%s", in(0x80, 1));
    value("bitmap of 129 ports: in 81", "%s", in(0x81, 1));
    value("bitmap of 129 ports: in 80, 2", "%s", in(0x80, 2));
    value_rc("bitmap of 65536 ports", set_bitmap(map, 65536));
    map[8191] = 0;
    value("bitmap of 65536 ports: in ffff", "%s", in(0xffff, 1));
    value("bitmap of 65536 ports: in ffff, 2", "%s", in(0xffff, 2));
    value("bitmap of 65536 ports: in fffd, 4", "%s", in(0xfffd, 4));
    value("bitmap of 65536 ports: in fffc, 4", "%s", in(0xfffc, 4));
    value_rc("bitmap of 65537 ports", set_bitmap(map, 65537));
    value_rc("bitmap of -1 ports", set_bitmap(map, ~0u));
    value_rc("bitmap nowhere", set_bitmap((void *)NOWHERE, 1024));
    value("bitmap nowhere: in 80", "%s", in(0x80, 1));
    value_rc("bitmap in the hypervisor", set_bitmap((void *)BAD_VA, 1024));
    value("bitmap in the hypervisor: in 80", "%s", in(0x80, 1));
    value_rc("no bitmap", set_bitmap(NULL, 0));
    value("no bitmap: in 80", "%s", in(0x80, 1));
    set_iopl(3);
    value("IOPL 3: user in", "%s", user_in(0x80, 1));
    value("IOPL 3: user in of the hypervisor's port", "%s", user_in(0x3f8, 1));
    set_iopl(2);
    value("IOPL 2: user in", "%s", user_in(0x80, 1));
    set_iopl(1);
    value("IOPL 1: in", "%s", in(0x80, 1));
}

/* ---- Whose ports ---- */

static void policy(void)
{
    /* Read and written; those whose value is sure are shown. */
    static const struct {
        uint16_t port;
        bool show, write;
    } list[] = {
        {0x20, true, true},   {0x21, true, true},    {0xa0, true, true},   {0xa1, true, true},
        {0x40, true, true},   {0x41, true, true},    {0x43, true, true},   {0x3f8, true, true},
        {0x3f9, true, true},  {0x3fd, true, true},   {0x3ff, true, true},  {0x2f8, false, false},
        {0x80, false, true},  {0x64, false, false},  {0x61, false, false}, {0xcf9, false, false},
        {0xcfa, false, true}, {0xffff, false, true}, {0x0, false, false},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        if (list[i].show)
            value(text("in %x", list[i].port), "%s", in_text(list[i].port, 1, 0));
        else
            value(text("in %x", list[i].port), "%s", in(list[i].port, 1));
        if (list[i].write)
            value(text("out %x", list[i].port), "%s", out(list[i].port, 1, 0));
    }
    value("in ffff, 2", "%s", in(0xffff, 2));
    value("in fffe, 4", "%s", in(0xfffe, 4));
    value("out ffff, 4", "%s", out(0xffff, 4, 0));
    value("in 1f, 2", "%s", in(0x1f, 2));
    value("in 1e, 4: the part of the hypervisor", "%s", in_text(0x1e, 4, 16));
    value("in 3f6, 4: the part of the hypervisor", "%s", in_text(0x3f6, 4, 16));
    /* The address register of PCI configuration cycles. */
    value("out cf8, 4", "%s", out(0xcf8, 4, 0x80000000));
    value("in cf8, 4", "%s", in_text(0xcf8, 4, 0));
    value("in cfc, 4", "%s", in_text(0xcfc, 4, 0));
    value("in cfc, 2", "%s", in_text(0xcfc, 2, 0));
    value("in cfe, 2", "%s", in_text(0xcfe, 2, 0));
    value("in cff, 1", "%s", in_text(0xcff, 1, 0));
    value("in cfd, 4", "%s", in(0xcfd, 4));
    value("out cf8, 1", "%s", out(0xcf8, 1, 0));
    value("in cf8, 1", "%s", in_text(0xcf8, 1, 0));
    value("in cf8, 2", "%s", in_text(0xcf8, 2, 0));
    out(0xcf8, 4, 0x12345678);
    value("in cf8 after bits beyond", "%s", in_text(0xcf8, 4, 0));
    value("in cfc of an address that is off", "%s", in_text(0xcfc, 4, 0));
    out(0xcf8, 4, 0x8000f800 | 0x100);
    value("in cfc of a device that is not", "%s", in(0xcfc, 4));
    /* The index of the real-time clock. */
    value("out 70", "%s", out(0x70, 1, 0x8d));
    value("in 71, register d", "%s", in_text(0x71, 1, 0));
}

static void registers(void)
{
    struct frame f = {.rax = 0x1111222233334444ul, .rdx = 0x3f8};

    value("in al", "%s, rax %lx", probe(&f, CODE("\xec")), f.rax);
    f = (struct frame){.rax = 0x1111222233334444ul, .rdx = 0x3f8};
    value("in ax", "%s, rax %lx", probe(&f, CODE("\x66\xed")), f.rax);
    f = (struct frame){.rax = 0x1111222233334444ul, .rdx = 0x3f8};
    value("in eax", "%s, rax %lx", probe(&f, CODE("\xed")), f.rax);
    f = (struct frame){.rax = 0x1111222233334444ul, .rdx = 0x3f8};
    value("in rax", "%s, rax %lx", probe(&f, CODE("\x48\xed")), f.rax);
    f = (struct frame){.rax = 0x1111222233334444ul};
    value("in al, imm", "%s, rax %lx", probe(&f, CODE("\xe4\x20")), f.rax);
    f = (struct frame){.rax = 0x1111222233334444ul};
    value("in eax, imm", "%s", probe(&f, CODE("\xe5\x20")));
    f = (struct frame){.rax = 0};
    value("out imm, al", "%s", probe(&f, CODE("\xe6\x20")));
    f = (struct frame){.rax = 0x1111222233334444ul, .rdx = 0xabcd000003f8};
    value("in al, wide dx", "%s, rax %lx", probe(&f, CODE("\xec")), f.rax);
    f = (struct frame){.rdx = 0x80, .rflags = FLAGS_TF};
    value("in al, TF", "%s", probe(&f, CODE("\xec\x90")));
    f = (struct frame){.rdx = 0x80, .rflags = FLAGS_TF};
    value("out al, TF", "%s", probe(&f, CODE("\xee\x90")));
    f = (struct frame){.rdx = 0x80};
    value("lock out", "%s", probe(&f, CODE("\xf0\xee")));
    f = (struct frame){.rdx = 0x80, .rcx = 7};
    value("rep in", "%s, rcx %lx", probe(&f, CODE("\xf3\xec")), f.rcx);
}

/* ---- Strings ---- */

static void string(const char *name, const char *code, unsigned int len, struct frame f)
{
    uint64_t rdi = f.rdi, rsi = f.rsi, rcx = f.rcx;
    const char *s = probe(&f, code, len);

    value(name, "%s, rdi %ld rsi %ld rcx %ld", s, (long)(f.rdi - rdi), (long)(f.rsi - rsi),
          (long)(f.rcx - rcx));
}

static void strings(void)
{
    uint64_t a = (uint64_t)area;
    unsigned int i;

    memset(area, 0x5a, sizeof(area));
    /* The hypervisor's port reads as ones: what was stored is seen. */
    string("insb", CODE("\x6c"), (struct frame){.rdi = a, .rdx = 0x3f8});
    value("insb stored", "%02x %02x", area[0], area[1]);
    string("insw", CODE("\x66\x6d"), (struct frame){.rdi = a + 16, .rdx = 0x3f8});
    value("insw stored", "%02x %02x %02x", area[16], area[17], area[18]);
    string("insd", CODE("\x6d"), (struct frame){.rdi = a + 32, .rdx = 0x3f8});
    value("insd stored", "%02x %02x %02x", area[32], area[35], area[36]);
    string("rex insd", CODE("\x48\x6d"), (struct frame){.rdi = a + 48, .rdx = 0x3f8});
    value("rex insd stored", "%02x %02x %02x", area[48], area[51], area[52]);
    string("insb down", CODE("\x6c"),
           (struct frame){.rdi = a + 64, .rdx = 0x3f8, .rflags = FLAGS_DF});
    string("rep insb, 0", CODE("\xf3\x6c"), (struct frame){.rdi = a, .rdx = 0x3f8});
    string("rep insb, 0, nowhere", CODE("\xf3\x6c"), (struct frame){.rdi = NOWHERE, .rdx = 0x3f8});
    string("rep insb, 10", CODE("\xf3\x6c"),
           (struct frame){.rdi = a + 100, .rcx = 10, .rdx = 0x3f8});
    value("rep insb stored", "%02x %02x %02x", area[99], area[109], area[110]);
    string("repne insb, 10", CODE("\xf2\x6c"), (struct frame){.rdi = a, .rcx = 10, .rdx = 0x3f8});
    string("rep insd, 1000", CODE("\xf3\x6d"),
           (struct frame){.rdi = a + 200, .rcx = 1000, .rdx = 0x3f8});
    value("rep insd stored", "%02x %02x", area[4199], area[4200]);
    string("rep insw down, 10", CODE("\xf3\x66\x6d"),
           (struct frame){.rdi = a + 6000, .rcx = 10, .rdx = 0x3f8, .rflags = FLAGS_DF});
    string("rep insb, 10, address size 4", CODE("\x67\xf3\x6c"),
           (struct frame){.rdi = USER_DATA, .rcx = 10, .rdx = 0x3f8});
    string("insb nowhere", CODE("\x6c"), (struct frame){.rdi = NOWHERE, .rdx = 0x3f8});
    string("insb non-canonical", CODE("\x6c"), (struct frame){.rdi = NONCANON, .rdx = 0x3f8});
    string("insb into the hypervisor", CODE("\x6c"), (struct frame){.rdi = BAD_VA, .rdx = 0x3f8});
    string("insb into the m2p", CODE("\x6c"),
           (struct frame){.rdi = 0xffff800000000000ul, .rdx = 0x3f8});
    string("insd around the end", CODE("\x6d"), (struct frame){.rdi = -2ul, .rdx = 0x3f8});
    string("rep insb at the hypervisor's edge", CODE("\xf3\x6c"),
           (struct frame){.rdi = 0xffff800000000000ul - 8, .rcx = 16, .rdx = 0x3f8});
    string("outsb", CODE("\x6e"), (struct frame){.rsi = a, .rdx = 0x80});
    string("outsw", CODE("\x66\x6f"), (struct frame){.rsi = a, .rdx = 0x3f8});
    string("rep outsd, 100", CODE("\xf3\x6f"), (struct frame){.rsi = a, .rcx = 100, .rdx = 0x3f8});
    string("outsb nowhere", CODE("\x6e"), (struct frame){.rsi = NOWHERE, .rdx = 0x80});
    string("outsb of the hypervisor", CODE("\x6e"), (struct frame){.rsi = BAD_VA, .rdx = 0x80});
    string("outsb non-canonical", CODE("\x6e"), (struct frame){.rsi = NONCANON, .rdx = 0x80});
    hypercall2(__HYPERVISOR_set_segment_base, SEGBASE_FS, a);
    string("fs outsb", CODE("\x64\x6e"), (struct frame){.rsi = 5, .rdx = 0x80});
    hypercall2(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0);
    string("insb, TF", CODE("\x6c\x90"),
           (struct frame){.rdi = a, .rdx = 0x3f8, .rflags = FLAGS_TF});
    string("rep insb, TF", CODE("\xf3\x6c\x90"),
           (struct frame){.rdi = a, .rcx = 3, .rdx = 0x3f8, .rflags = FLAGS_TF});
    /* A page that ends, or may not be written, on the way. */
    page_ro(area + 4096);
    memset(area, 0x5a, 4096);
    string("rep insb into a read-only page", CODE("\xf3\x6c"),
           (struct frame){.rdi = a + 4090, .rcx = 16, .rdx = 0x3f8});
    value("rep insb into a read-only page: stored", "%02x %02x", area[4089], area[4095]);
    string("insd across into a read-only page", CODE("\x6d"),
           (struct frame){.rdi = a + 4094, .rdx = 0x3f8});
    page_unmap(area + 4096);
    string("rep insb into a missing page", CODE("\xf3\x6c"),
           (struct frame){.rdi = a + 4090, .rcx = 16, .rdx = 0x3f8});
    string("rep outsb from a missing page", CODE("\xf3\x6e"),
           (struct frame){.rsi = a + 4090, .rcx = 16, .rdx = 0x80});
    string("rep insb down into a missing page", CODE("\xf3\x6c"),
           (struct frame){.rdi = a + 8194, .rcx = 16, .rdx = 0x3f8, .rflags = FLAGS_DF});
    page_rw(area + 4096);
    /* Into a page table: its entries are not ports' business. */
    for (i = 0; i < 512; i++)
        ((uint64_t *)(void *)(area + 4096))[i] = 0;
    page_ro(area + 4096);
    table_pin(1, va_mfn(area + 4096));
    string("insb into an L1", CODE("\x6c"), (struct frame){.rdi = a + 4096, .rdx = 0x3f8});
    string("rep insd into an L1", CODE("\xf3\x6d"),
           (struct frame){.rdi = a + 4096, .rcx = 2, .rdx = 0x3f8});
    check_eq("L1 unchanged", *(int64_t *)(void *)(area + 4096), 0);
    table_unpin(va_mfn(area + 4096));
    page_rw(area + 4096);
    set_iopl(3);
    {
        struct frame f = {.rdi = USER_DATA + 512, .rcx = 4, .rdx = 0x3f8};
        const char *s = probe_user(&user, &f, CODE("\xf3\x6c"));

        value("user rep insb", "%s, rcx %lx", s, f.rcx);
        f = (struct frame){.rdi = (uint64_t)area, .rdx = 0x3f8};
        value("user insb into the kernel", "%s", probe_user(&user, &f, CODE("\x6c")));
        f = (struct frame){.rdi = USER_CODE, .rdx = 0x3f8};
        value("user insb into read-only", "%s", probe_user(&user, &f, CODE("\x6c")));
        f = (struct frame){.rsi = 0x700000, .rdx = 0x80};
        value("user outsb from nowhere", "%s", probe_user(&user, &f, CODE("\x6e")));
    }
    set_iopl(1);
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    rights();
    policy();
    registers();
    strings();
    set_iopl(0);
}
