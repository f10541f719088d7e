/* SPDX-License-Identifier: MIT */
/*
 * Every exception reaches the handler the kernel registered, with the frame the ABI promises:
 * vector, error code, saved registers, event mask and stack, from kernel and from user mode. What
 * set_trap_table, callback_op and stack_switch accept and refuse. Software interrupts by privilege.
 * System calls. Each `crash` case is a frame that cannot be delivered: the domain must end, not the
 * hypervisor.
 */
#include "guest.h"

#define BAD_VA    0xffff830000000000ul /* the hypervisor's */
#define NOWHERE   0x5ead00000000ul     /* mapped by nobody */
#define NONCANON  0x800000000000ul
#define FLAGS_IF  0x200ul
#define FLAGS_TF  0x100ul
#define FLAGS_DF  0x400ul
#define FLAGS_AC  0x40000ul
#define FLAGS_RF  0x10000ul
#define FLAGS_ARI 0x8d5ul /* CF PF AF ZF SF OF */

static struct user_space user;

/* A handler that looks at its own state before anything else happens. */
extern char bare_entry[];
extern uint64_t bare_rsp, bare_flags, bare_cs, bare_ss, bare_to;
__asm__(".globl bare_entry\n"
        "bare_entry:\n"
        "movq %rsp, bare_rsp(%rip)\n"
        "pushfq\n"
        "popq bare_flags(%rip)\n"
        "movw %cs, bare_cs(%rip)\n"
        "movw %ss, bare_ss(%rip)\n"
        "jmp *bare_to(%rip)\n"
        ".data\n.align 8\n"
        ".globl bare_rsp, bare_flags, bare_cs, bare_ss, bare_to\n"
        "bare_rsp: .quad 0\nbare_flags: .quad 0\nbare_cs: .quad 0\nbare_ss: .quad 0\n"
        "bare_to: .quad 0\n.text\n");

static long set_traps(const struct trap_info *t)
{
    return hypercall1(__HYPERVISOR_set_trap_table, (uint64_t)t);
}

static char *stub(unsigned int vector)
{
    return trap_stubs + vector * 32;
}

/* One entry; flags: DPL, and 4 to mask events. */
static long set_trap(unsigned int vector, unsigned int flags, uint16_t cs, const void *address)
{
    struct trap_info t[2] = {{.vector = (uint8_t)vector,
                              .flags = (uint8_t)flags,
                              .cs = cs,
                              .address = (unsigned long)address}};

    return set_traps(t);
}

static void restore(void)
{
    trap_init();
}

/* ---- The table ---- */

static struct trap_info big[1000];

static void table_arguments(void)
{
    struct trap_info t[4];
    unsigned int i;

    check_eq("no table: all gone", set_traps(NULL), 0);
    restore();
    value_rc("table in the hypervisor", set_traps((void *)BAD_VA));
    value_rc("table nowhere", set_traps((void *)NOWHERE));
    value_rc("table non-canonical", set_traps((void *)NONCANON));
    memset(t, 0, sizeof(t));
    check_eq("empty table", set_traps(t), 0);
    value_rc("non-canonical handler", set_trap(200, 4, FLAT_KERNEL_CS, (void *)NONCANON));
    value_rc("non-canonical handler, high",
             set_trap(200, 4, FLAT_KERNEL_CS, (void *)0xffff7ffffffffffful));
    value_rc("handler in the hypervisor", set_trap(200, 4, FLAT_KERNEL_CS, (void *)BAD_VA));
    value_rc("handler at the last canonical",
             set_trap(200, 4, FLAT_KERNEL_CS, (void *)(NONCANON - 1)));
    for (i = 0; i < 256; i += 15)
        value_rc(text("vector %u", i), set_trap(i, 4, FLAT_KERNEL_CS, stub(i)));
    for (i = 0; i < 256; i = i < 8 ? i + 1 : i * 2)
        value_rc(text("flags %x", i), set_trap(200, i, FLAT_KERNEL_CS, stub(200)));
    value_rc("selector 0", set_trap(200, 7, 0, stub(200)));
    value_rc("selector 3", set_trap(200, 7, 3, stub(200)));
    value_rc("selector 8", set_trap(200, 7, 8, stub(200)));
    value_rc("selector of ring 0", set_trap(200, 7, 0xe008, stub(200)));
    value_rc("selector ffff", set_trap(200, 7, 0xffff, stub(200)));
    restore();

    /* Entries before a bad one count. */
    memset(t, 0, sizeof(t));
    t[0] = (struct trap_info){
        .vector = VECTOR_UD, .cs = FLAT_KERNEL_CS, .address = (unsigned long)stub(77)};
    t[1] = (struct trap_info){.vector = 78, .cs = FLAT_KERNEL_CS, .address = NONCANON};
    value_rc("good, then bad", set_traps(t));
    {
        struct frame f = {0};

        value("the good one counts", "%s", probe(&f, CODE("\x0f\x0b")));
    }
    restore();
    t[1].address = 0;
    t[2] = (struct trap_info){
        .vector = VECTOR_UD, .cs = FLAT_KERNEL_CS, .address = (unsigned long)stub(79)};
    check_eq("entries behind the end", set_traps(t), 0);
    {
        struct frame f = {0};

        value("do not count", "%s", probe(&f, CODE("\x0f\x0b")));
    }
    restore();
    for (i = 0; i < ARRAY_SIZE(big) - 1; i++)
        big[i] = (struct trap_info){.vector = (uint8_t)i,
                                    .flags = 4,
                                    .cs = FLAT_KERNEL_CS,
                                    .address = (unsigned long)stub(i & 255)};
    value_rc("999 entries", set_traps(big));
    restore();
}

/* ---- Exceptions of the kernel ---- */

static void kernel_exceptions(void)
{
    struct frame f;
    static const struct {
        const char *name, *code;
        unsigned int len;
        uint64_t rax, rbx, rcx, rdx;
    } list[] = {
        {"nothing", CODE("\x90"), 0, 0, 0, 0},
        {"div by 0", CODE("\x90\x48\xf7\xf1"), 1, 0, 0, 0},
        {"idiv overflow", CODE("\x48\xf7\xf9"), 0, 0, ~0ul, 1ul << 63},
        {"int1", CODE("\xf1"), 0, 0, 0, 0},
        {"int3", CODE("\xcc\x90"), 0, 0, 0, 0},
        {"ud2", CODE("\x0f\x0b"), 0, 0, 0, 0},
        {"ud1", CODE("\x0f\xb9\xc0"), 0, 0, 0, 0},
        {"into", CODE("\xce"), 0, 0, 0, 0},
        {"lock nop", CODE("\xf0\x90"), 0, 0, 0, 0},
        {"16 prefixes", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 0,
         0, 0, 0},
        {"read non-canonical", CODE("\x48\x8b\x03"), 0, NONCANON, 0, 0},
        {"write non-canonical", CODE("\x48\x89\x03"), 0, NONCANON, 0, 0},
        {"stack segment non-canonical", CODE("\x48\x89\xdd\x48\x8b\x45\x00"), 0, NONCANON, 0, 0},
        {"read nowhere", CODE("\x48\x8b\x03"), 0, NOWHERE, 0, 0},
        {"write nowhere", CODE("\x48\x89\x03"), 0, NOWHERE, 0, 0},
        {"jump nowhere", CODE("\xff\xe3"), 0, NOWHERE, 0, 0},
        {"jump non-canonical", CODE("\xff\xe3"), 0, NONCANON, 0, 0},
        {"call non-canonical", CODE("\xff\xd3"), 0, NONCANON, 0, 0},
        {"read the hypervisor", CODE("\x48\x8b\x03"), 0, BAD_VA, 0, 0},
        {"write the hypervisor", CODE("\x48\x89\x03"), 0, BAD_VA, 0, 0},
        {"jump into the hypervisor", CODE("\xff\xe3"), 0, BAD_VA, 0, 0},
        {"write the m2p", CODE("\x48\x89\x03"), 0, 0xffff800000000000ul, 0, 0},
        {"jump into the m2p", CODE("\xff\xe3"), 0, 0xffff800000000000ul, 0, 0},
        {"read the per-domain area", CODE("\x48\x8b\x03"), 0, 0xffff820000000000ul, 0, 0},
        {"bad selector into ds", CODE("\x8e\xdb"), 0, 0x1230, 0, 0},
        {"bad selector into es", CODE("\x8e\xc3"), 0, 0x1233, 0, 0},
        {"bad selector into fs", CODE("\x8e\xe3"), 0, 0xe000, 0, 0},
        {"bad selector into gs", CODE("\x8e\xeb"), 0, 0xffff, 0, 0},
        {"null selector into ss", CODE("\x8e\xd3"), 0, 0, 0, 0},
        {"null selector 3 into ss", CODE("\x8e\xd3"), 0, 3, 0, 0},
        {"code selector into ss", CODE("\x8e\xd3"), 0, FLAT_KERNEL_CS, 0, 0},
        {"rpl 0 selector into ss", CODE("\x8e\xd3"), 0, FLAT_KERNEL_SS & ~3, 0, 0},
        {"selector into cs", CODE("\x8e\xcb"), 0, FLAT_KERNEL_CS, 0, 0},
        {"LDT selector into ds", CODE("\x8e\xdb"), 0, 0x7, 0, 0},
        {"iretq", CODE("\x48\xcf"), 0, 0, 0, 0},
        {"sysretq", CODE("\x48\x0f\x07"), 0, 0, 0, 0},
        {"sysenter", CODE("\x0f\x34"), 0, 0, 0, 0},
        {"sysexit", CODE("\x0f\x35"), 0, 0, 0, 0},
        {"hlt", CODE("\xf4"), 0, 0, 0, 0},
        {"swapgs", CODE("\x0f\x01\xf8"), 0, 0, 0, 0},
        {"vmcall", CODE("\x0f\x01\xc1"), 0, 0, 0, 0},
        {"vmmcall", CODE("\x0f\x01\xd9"), 0, 0, 0, 0},
        {"rsm", CODE("\x0f\xaa"), 0, 0, 0, 0},
        {"far jump", CODE("\x48\xff\x2b"), 0, (uint64_t)big, 0, 0},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        memset(&f, 0, sizeof(f));
        f.rax = list[i].rax;
        f.rbx = list[i].rbx;
        f.rcx = list[i].rcx;
        f.rdx = list[i].rdx;
        memset(big, 0, 16);
        value(text("kernel %s", list[i].name), "%s", probe(&f, list[i].code, list[i].len));
    }
}

/* #NM by TS, #MF, #XM, #AC. */
static void fpu_and_alignment(void)
{
    struct frame f = {0};
    static uint32_t words[4];

    check_eq("TS on", hypercall1(__HYPERVISOR_fpu_taskswitch, 1), 0);
    value("fnop with TS", "%s", probe(&f, CODE("\xd9\xd0")));
    value("fnop after that", "%s", probe(&f, CODE("\xd9\xd0")));
    check_eq("TS on, again", hypercall1(__HYPERVISOR_fpu_taskswitch, 1), 0);
    value("movaps with TS", "%s", probe(&f, CODE("\x0f\x28\xc0")));
    hypercall1(__HYPERVISOR_fpu_taskswitch, 1);
    check_eq("TS off", hypercall1(__HYPERVISOR_fpu_taskswitch, 0), 0);
    value("fnop without TS", "%s", probe(&f, CODE("\xd9\xd0")));
    value_rc("TS 2", hypercall1(__HYPERVISOR_fpu_taskswitch, 2));
    value("fnop with TS 2", "%s", probe(&f, CODE("\xd9\xd0")));
    value_rc("TS 1 << 32", hypercall1(__HYPERVISOR_fpu_taskswitch, 1ul << 32));
    value("fnop with TS 1 << 32", "%s", probe(&f, CODE("\xd9\xd0")));
    hypercall1(__HYPERVISOR_fpu_taskswitch, 0);

    words[0] = 0x37b; /* divide by zero unmasked */
    f.rbx = (uint64_t)words;
    /* fninit; fldcw [rbx]; fld1; fldz; fdivp; fwait */
    value("x87 divide", "%s", probe(&f, CODE("\xdb\xe3\xd9\x2b\xd9\xe8\xd9\xee\xde\xf9\x9b")));
    probe(&f, CODE("\xdb\xe3"));
    words[0] = 0x1d80; /* divide by zero unmasked in MXCSR */
    words[1] = 0x3f800000;
    words[2] = 0;
    /* ldmxcsr [rbx]; movss 4(rbx), xmm0; divss 8(rbx), xmm0 */
    f.rbx = (uint64_t)words;
    value("SSE divide", "%s",
          probe(&f, CODE("\x0f\xae\x13\xf3\x0f\x10\x43\x04\xf3\x0f\x5e\x43\x08")));
    words[0] = 0x1f80;
    f.rbx = (uint64_t)words;
    probe(&f, CODE("\x0f\xae\x13"));
    f.rflags = FLAGS_AC;
    f.rbx = (uint64_t)words + 1;
    value("kernel unaligned with AC", "%s", probe(&f, CODE("\x8b\x03")));
    f.rflags = FLAGS_AC;
    f.rbx = USER_DATA + 0x101;
    value("user unaligned with AC", "%s", probe_user(&user, &f, CODE("\x8b\x03")));
}

/* ---- The frame ---- */

static void fill(struct frame *f)
{
    uint64_t *w = (uint64_t *)f;
    unsigned int i;

    for (i = 0; i < 15; i++)
        w[i] = 0x1111111111111111ul * (i + 1);
}

static void check_gprs(const char *what, const struct frame *a, const struct frame *b)
{
    check(memcmp(a, b, 15 * 8) == 0, "%s: general registers are kept", what);
}

/* ud2 with these flags and stack: what the handler finds. */
static void kernel_frame(const char *what, uint64_t rflags, uint64_t rsp, bool masked)
{
    struct frame f, before;

    memset(&f, 0, sizeof(f));
    fill(&f);
    f.rsp = rsp;
    f.rflags = rflags | (masked ? 0 : FLAGS_IF);
    before = f;
    bare_to = (uint64_t)stub(VECTOR_UD);
    value(what, "%s", probe(&f, CODE("\x0f\x0b")));
    check_gprs(what, &f, &before);
    check_eq(text("%s: rsp", what), (int64_t)f.rsp, (int64_t)rsp);
    value(text("%s: cs and mask", what), "%lx", f.cs);
    value(text("%s: ss", what), "%lx", f.ss);
    value(text("%s: rflags", what), "%lx", f.rflags);
    check_eq(text("%s: frame below rsp", what), (int64_t)((rsp & ~15ul) - bare_rsp), 56);
    value(text("%s: handler's flags", what), "%lx", bare_flags & ~FLAGS_ARI);
    value(text("%s: handler's selectors", what), "%lx %lx", bare_cs & 0xffff, bare_ss & 0xffff);
    value(text("%s: mask in the handler", what), "%u", vcpu_info(0)->evtchn_upcall_mask);
    vcpu_info(0)->evtchn_upcall_mask = 1;
}

static void frames(void)
{
    static uint8_t area[4096] __attribute__((aligned(64)));
    uint64_t top = (uint64_t)area + 2048;
    struct frame f = {0};
    unsigned int i;

    set_trap(VECTOR_UD, 4, FLAT_KERNEL_CS, bare_entry);
    kernel_frame("masked", 0, top, true);
    kernel_frame("unmasked", 0, top, false);
    kernel_frame("flags", FLAGS_ARI, top, false);
    kernel_frame("flags DF", FLAGS_DF, top, false);
    kernel_frame("flags RF", FLAGS_RF, top, false);
    kernel_frame("flags AC", FLAGS_AC, top, false);
    kernel_frame("flags ID", 0x200000, top, false);
    kernel_frame("flags NT", 0x4000, top, false);
    kernel_frame("flags IOPL", 0x3000, top, false);
    for (i = 1; i < 16; i += 7)
        kernel_frame(text("stack + %u", i), 0, top + i, true);
    set_trap(VECTOR_UD, 0, FLAT_KERNEL_CS, bare_entry);
    kernel_frame("trap gate, masked", 0, top, true);
    kernel_frame("trap gate, unmasked", 0, top, false);
    set_trap(VECTOR_UD, 3, FLAT_KERNEL_CS, bare_entry);
    kernel_frame("trap gate of DPL 3", 0, top, false);
    set_trap(VECTOR_UD, 4, 0x1230, bare_entry);
    kernel_frame("handler's selector 1230", 0, top, true);
    set_trap(VECTOR_UD, 4, 0xe023, bare_entry);
    kernel_frame("handler's selector e023", 0, top, true);
    restore();

    /* With an error code the frame is one word longer. */
    f.rsp = top;
    f.rcx = 0xc0c0c0c0;
    f.r11 = 0x11111111;
    set_trap(VECTOR_GP, 4, FLAT_KERNEL_CS, bare_entry);
    bare_to = (uint64_t)stub(VECTOR_GP);
    value("hlt", "%s", probe(&f, CODE("\xf4")));
    check_eq("hlt: frame below rsp", (int64_t)(top - bare_rsp), 64);
    check_eq("hlt: rcx", (int64_t)f.rcx, 0xc0c0c0c0);
    check_eq("hlt: r11", (int64_t)f.r11, 0x11111111);
    restore();
}

/* The saved mask is a byte of memory that the guest may set to anything. */
static void odd_masks(void)
{
    static const uint8_t masks[] = {0, 1, 2, 0x80, 0xff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(masks); i++) {
        fault_take();
        vcpu_info(0)->evtchn_upcall_mask = masks[i];
        __asm__ volatile(EX("ud2") : : : "memory");
        vcpu_info(0)->evtchn_upcall_mask = 1;
        value(text("mask %x", masks[i]), "cs %lx rflags %lx", fault.frame.cs,
              fault.frame.rflags & ~FLAGS_ARI);
    }
}

/* ---- User mode ---- */

static void user_exceptions(void)
{
    struct frame f;
    static const struct {
        const char *name, *code;
        unsigned int len;
        uint64_t rax, rbx, rcx, rdx;
    } list[] = {
        {"div by 0", CODE("\x90\x48\xf7\xf1"), 1, 0, 0, 0},
        {"int1", CODE("\xf1"), 0, 0, 0, 0},
        {"int3", CODE("\xcc\x90"), 0, 0, 0, 0},
        {"ud2", CODE("\x0f\x0b"), 0, 0, 0, 0},
        {"forced cpuid", CODE("\x0f\x0b\x78\x65\x6e\x0f\xa2"), 0x40000000, 0, 0, 0},
        {"hlt", CODE("\xf4"), 0, 0, 0, 0},
        {"cli", CODE("\xfa"), 0, 0, 0, 0},
        {"sti", CODE("\xfb"), 0, 0, 0, 0},
        {"in", CODE("\xec"), 0, 0, 0, 0x80},
        {"rdmsr", CODE("\x0f\x32"), 0, 0, 0xc0000102, 0},
        {"mov cr0", CODE("\x0f\x20\xc0"), 0, 0, 0, 0},
        {"mov cr2", CODE("\x0f\x20\xd0"), 0, 0, 0, 0},
        {"clts", CODE("\x0f\x06"), 0, 0, 0, 0},
        {"wbinvd", CODE("\x0f\x09"), 0, 0, 0, 0},
        {"swapgs", CODE("\x0f\x01\xf8"), 0, 0, 0, 0},
        {"iretq", CODE("\x48\xcf"), 0, 0, 0, 0},
        {"read non-canonical", CODE("\x48\x8b\x03"), 0, NONCANON, 0, 0},
        {"read nowhere", CODE("\x48\x8b\x03"), 0, 0x700000, 0, 0},
        {"write nowhere", CODE("\x48\x89\x03"), 0, 0x700000, 0, 0},
        {"write read-only", CODE("\x48\x89\x03"), 0, USER_CODE, 0, 0},
        {"jump nowhere", CODE("\xff\xe3"), 0, 0x700000, 0, 0},
        {"jump to stack", CODE("\xff\xe3"), 0, USER_STACK - 0x800, 0, 0},
        {"jump non-canonical", CODE("\xff\xe3"), 0, NONCANON, 0, 0},
        {"read the kernel", CODE("\x48\x8b\x03"), 0, VIRT_BASE + 0x100000, 0, 0},
        {"read the hypervisor", CODE("\x48\x8b\x03"), 0, BAD_VA, 0, 0},
        {"read the m2p", CODE("\x48\x8b\x03"), 0, 0xffff800000000000ul, 0, 0},
        {"bad selector into ds", CODE("\x8e\xdb"), 0, 0x1230, 0, 0},
        {"vmmcall", CODE("\x0f\x01\xd9"), 0, 0, 0, 0},
        {"syscall", CODE("\x0f\x05"), 17, 0, 0, 0},
        {"sysenter", CODE("\x0f\x34"), 0, 0, 0, 0},
        {"int 80", CODE("\xcd\x80"), 0, 0, 0, 0},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        memset(&f, 0, sizeof(f));
        f.rax = list[i].rax;
        f.rbx = list[i].rbx;
        f.rcx = list[i].rcx;
        f.rdx = list[i].rdx;
        value(text("user %s", list[i].name), "%s",
              probe_user(&user, &f, list[i].code, list[i].len));
    }
}

/* A fault of user mode: the frame lies on the kernel's stack. */
static void user_frame_on(const char *what, uint64_t ss, uint64_t sp, uint64_t rflags)
{
    struct frame f, before;

    check_eq(text("%s: stack_switch", what), hypercall2(__HYPERVISOR_stack_switch, ss, sp), 0);
    memset(&f, 0, sizeof(f));
    fill(&f);
    f.rsp = USER_STACK - 24;
    f.rflags = rflags;
    before = f;
    bare_to = (uint64_t)stub(VECTOR_UD);
    value(what, "%s", probe_user(&user, &f, CODE("\x0f\x0b")));
    check_gprs(what, &f, &before);
    check_eq(text("%s: rsp", what), (int64_t)f.rsp, USER_STACK - 24);
    value(text("%s: cs and mask", what), "%lx", f.cs);
    value(text("%s: ss", what), "%lx", f.ss);
    value(text("%s: rflags", what), "%lx", f.rflags);
    check_eq(text("%s: frame below the kernel stack", what), (int64_t)((sp & ~15ul) - bare_rsp),
             56);
    value(text("%s: handler's selectors", what), "%lx %lx", bare_cs & 0xffff, bare_ss & 0xffff);
    value(text("%s: handler's flags", what), "%lx", bare_flags & ~FLAGS_ARI);
}

static void user_frames(void)
{
    uint64_t top = (uint64_t)trap_stack_top;

    set_trap(VECTOR_UD, 4, FLAT_KERNEL_CS, bare_entry);
    user_frame_on("user", FLAT_KERNEL_SS, top, FLAGS_IF);
    user_frame_on("user masked", FLAT_KERNEL_SS, top, 0);
    user_frame_on("user flags", FLAT_KERNEL_SS, top, FLAGS_IF | FLAGS_ARI | FLAGS_DF);
    user_frame_on("user, odd stack", FLAT_KERNEL_SS, top - 7, FLAGS_IF);
    user_frame_on("user, stack segment 0", 0, top, FLAGS_IF);
    user_frame_on("user, stack segment 1230", 0x1230, top, FLAGS_IF);
    user_frame_on("user, stack segment e028", 0xe028, top, FLAGS_IF);
    user_frame_on("user, stack segment wide", 0x123400000000e02bul, top, FLAGS_IF);
    restore();
    /* Anything goes as long as nobody uses it. */
    value_rc("stack in the hypervisor",
             hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, BAD_VA));
    value_rc("stack non-canonical",
             hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, NONCANON));
    value_rc("stack 0", hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, 0));
    check_eq("stack again", hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, top), 0);
}

/* ---- Software interrupts ---- */

/*
 * QEMU 7.2 gives the error code of int n as 16 n + 2 instead of 8 n + 2, and Xen believes it: so
 * vector 2 n has the same handler here, and the error code is looked at only once.
 */
static void int_n(const char *mode, unsigned int n, bool from_user)
{
    struct frame f = {0};
    uint8_t code[2] = {0xcd, (uint8_t)n};

    if (from_user)
        probe_user(&user, &f, code, 2);
    else
        probe(&f, code, 2);
    value(text("%s int %x", mode, n), "%s +%lu", vector_name((int)f.vector & 0xffff),
          f.rip & (PAGE_SIZE - 1));
}

static void with_dpl(unsigned int dpl)
{
    struct frame f = {0};

    set_trap(0x80, dpl, FLAT_KERNEL_CS, stub(0x80));
    set_trap(0x31, dpl, FLAT_KERNEL_CS, stub(0x31));
    set_trap(0x62, dpl, FLAT_KERNEL_CS, stub(0x31));
    set_trap(3, dpl, FLAT_KERNEL_CS, stub(3));
    set_trap(4, dpl, FLAT_KERNEL_CS, stub(4));
    int_n(text("DPL %u, kernel", dpl), 0x80, false);
    int_n(text("DPL %u, user", dpl), 0x80, true);
    int_n(text("DPL %u, kernel", dpl), 0x31, false);
    int_n(text("DPL %u, user", dpl), 0x31, true);
    int_n(text("DPL %u, kernel", dpl), 3, false);
    int_n(text("DPL %u, user", dpl), 3, true);
    int_n(text("DPL %u, kernel", dpl), 4, false);
    int_n(text("DPL %u, user", dpl), 4, true);
    value(text("DPL %u, kernel int3", dpl), "%s", probe(&f, CODE("\xcc\x90")));
    memset(&f, 0, sizeof(f));
    value(text("DPL %u, user int3", dpl), "%s", probe_user(&user, &f, CODE("\xcc\x90")));
    memset(&f, 0, sizeof(f));
    value(text("DPL %u, kernel int1", dpl), "%s", probe(&f, CODE("\xf1")));
    memset(&f, 0, sizeof(f));
    value(text("DPL %u, kernel int 80 refused", dpl), "%s", probe(&f, CODE("\xcd\x80")));
    memset(&f, 0, sizeof(f));
    value(text("DPL %u, user int 80 refused", dpl), "%s", probe_user(&user, &f, CODE("\xcd\x80")));
}

static void soft_interrupts(void)
{
    static const uint8_t vectors[] = {0x30, 0x40, 0x48, 0x78};
    struct frame f = {0};
    unsigned int i;

    value("error code of int 5", "%s", probe(&f, CODE("\xcd\x05")));
    for (i = 0; i < ARRAY_SIZE(vectors); i++) {
        set_trap(vectors[i] * 2, 7, FLAT_KERNEL_CS, stub(vectors[i]));
        int_n("kernel", vectors[i], false);
        int_n("user", vectors[i], true);
    }
    int_n("kernel", 0x80, false);
    int_n("user", 0x80, true);
    restore();
    for (i = 0; i < 4; i++)
        with_dpl(i);
    restore();
    /* Where a prefix stands before. */
    value("rep int 80", "%s", probe(&f, CODE("\xf3\xcd\x80")));
    value("rex int 80", "%s", probe(&f, CODE("\x48\xcd\x80")));
    value("lock int 80", "%s", probe(&f, CODE("\xf0\xcd\x80")));
    set_trap(0x60, 7, FLAT_KERNEL_CS, stub(0x30));
    value("rep int 30", "%s", probe(&f, CODE("\xf3\xcd\x30")));
    value("rex int 30", "%s", probe(&f, CODE("\x48\xcd\x30")));
    /* Those without a handler. */
    check_eq("table away", set_traps(NULL), 0);
    set_trap(VECTOR_GP, 4, FLAT_KERNEL_CS, stub(VECTOR_GP));
    set_trap(VECTOR_BP, 7, FLAT_KERNEL_CS, stub(VECTOR_BP));
    int_n("no handler, kernel", 0x80, false);
    int_n("no handler, user", 0x80, true);
    int_n("no handler, kernel", 0x30, false);
    int_n("no handler, user", 0x30, true);
    restore();
}

/* ---- System calls ---- */

static void user_syscall(const char *what, uint64_t rflags)
{
    struct frame f, before;

    memset(&f, 0, sizeof(f));
    fill(&f);
    f.rsp = USER_STACK - 40;
    f.rflags = rflags;
    before = f;
    bare_to = (uint64_t)stub_of(syscall_entry, 0);
    value(what, "%s", probe_user(&user, &f, CODE("\x0f\x05")));
    value(text("%s: rcx", what), "%lx", f.rcx);
    value(text("%s: r11", what), "%lx", f.r11 & ~FLAGS_ARI);
    f.rcx = before.rcx;
    f.r11 = before.r11;
    check_gprs(what, &f, &before);
    value(text("%s: selectors", what), "cs %lx ss %lx", f.cs, f.ss);
    value(text("%s: rflags", what), "%lx", f.rflags);
    check_eq(text("%s: rsp", what), (int64_t)f.rsp, USER_STACK - 40);
    check_eq(text("%s: frame below the kernel stack", what),
             (int64_t)((uint64_t)trap_stack_top - bare_rsp), 56);
    value(text("%s: handler's flags", what), "%lx", bare_flags & ~FLAGS_ARI);
    value(text("%s: handler's selectors", what), "%lx %lx", bare_cs & 0xffff, bare_ss & 0xffff);
    value(text("%s: mask in the handler", what), "%u", vcpu_info(0)->evtchn_upcall_mask);
    vcpu_info(0)->evtchn_upcall_mask = 1;
}

static long callback(unsigned int type, unsigned int flags, uint64_t address)
{
    struct callback_register r = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = address};

    return hypercall2(__HYPERVISOR_callback_op, CALLBACKOP_register, (uint64_t)&r);
}

static void syscalls(void)
{
    struct frame f = {0};

    check_eq("syscall callback",
             callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, (uint64_t)bare_entry), 0);
    user_syscall("syscall", FLAGS_IF);
    user_syscall("syscall masked", 0);
    user_syscall("syscall flags", FLAGS_IF | FLAGS_ARI);
    user_syscall("syscall DF", FLAGS_IF | FLAGS_DF);
    user_syscall("syscall AC", FLAGS_IF | FLAGS_AC);
    user_syscall("syscall NT", FLAGS_IF | 0x4000);
    user_syscall("syscall ID", FLAGS_IF | 0x200000);
    user_syscall("syscall RF", FLAGS_IF | FLAGS_RF);
    user_syscall("syscall TF", FLAGS_IF | FLAGS_TF);
    check_eq("syscall callback, events stay",
             callback(CALLBACKTYPE_syscall, 0, (uint64_t)bare_entry), 0);
    user_syscall("syscall, events stay", FLAGS_IF);
    user_syscall("syscall masked, events stay", 0);
    user_syscall("syscall DF, events stay", FLAGS_IF | FLAGS_DF);
    user_syscall("syscall TF, events stay", FLAGS_IF | FLAGS_TF);
    check_eq("syscall callback, odd flags",
             callback(CALLBACKTYPE_syscall, 0xfffe, (uint64_t)bare_entry), 0);
    user_syscall("syscall, odd flags", FLAGS_IF);
    value_rc("no syscall callback", callback(CALLBACKTYPE_syscall, 1, 0));
    value("syscall without callback", "%s", probe_user(&user, &f, CODE("\x0f\x05")));
    restore();
    /* In the compatibility selector's code the same instruction is another call. */
    f = (struct frame){
        .rip = USER_DATA, .cs = 0xe023, .ss = 0xe02b, .rsp = USER_STACK, .rflags = FLAGS_IF | 2};
    memcpy(user.data, "\x0f\x05\xcc", 3);
    callback(CALLBACKTYPE_syscall32, 1, (uint64_t)stub_of(syscall32_entry, 0));
    value("32-bit syscall", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 2));
    value("32-bit syscall: frame", "cs %lx ss %lx rsp %lx rflags %lx", f.cs, f.ss, f.rsp, f.rflags);
    f = (struct frame){
        .rip = USER_DATA, .cs = 0xe023, .ss = 0xe02b, .rsp = USER_STACK, .rflags = FLAGS_IF | 2};
    callback(CALLBACKTYPE_syscall32, 1, 0);
    value("32-bit syscall without callback", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 2));
    f = (struct frame){
        .rip = USER_DATA, .cs = 0xe023, .ss = 0xe02b, .rsp = USER_STACK, .rflags = FLAGS_IF | 2};
    memcpy(user.data, "\xcd\x80\xcc", 3);
    value("32-bit int 80", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 2));
    value("32-bit int 80: frame", "cs %lx ss %lx rsp %lx rflags %lx", f.cs, f.ss, f.rsp, f.rflags);
    f = (struct frame){
        .rip = USER_DATA, .cs = 0xe023, .ss = 0xe02b, .rsp = USER_STACK, .rflags = FLAGS_IF | 2};
    memcpy(user.data, "\x0f\x34\xcc", 3);
    value("32-bit sysenter", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 2));
    f = (struct frame){.rip = USER_DATA,
                       .cs = 0xe023,
                       .ss = 0xe02b,
                       .rsp = USER_STACK,
                       .rflags = FLAGS_IF | 2,
                       .rax = 0x10};
    memcpy(user.data, "\xce\xcc", 2);
    value("32-bit into, no overflow", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
    f = (struct frame){.rip = USER_DATA,
                       .cs = 0xe023,
                       .ss = 0xe02b,
                       .rsp = USER_STACK,
                       .rflags = FLAGS_IF | 2 | 0x800};
    value("32-bit into, overflow", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
}

/* ---- callback_op ---- */

static void callbacks(void)
{
    struct callback_unregister u = {0};
    unsigned int type, i;
    static const uint64_t addresses[] = {0, NONCANON, 0xffff7ffffffffffful, BAD_VA, NONCANON - 1};

    for (type = 0; type < 10; type++) {
        if (type == CALLBACKTYPE_sysenter || type == CALLBACKTYPE_sysenter_deprecated) {
            skip(text("register type %u", type), "depends on the processor's make");
            continue;
        }
        value_rc(text("register type %u", type), callback(type, 0, (uint64_t)bare_entry));
        for (i = 0; i < ARRAY_SIZE(addresses); i++)
            value_rc(text("register type %u at %lx", type, addresses[i]),
                     callback(type, 0, addresses[i]));
        value_rc(text("register type %u, flags ffff", type),
                 callback(type, 0xffff, (uint64_t)bare_entry));
    }
    value_rc("register type ffff", callback(0xffff, 0, (uint64_t)bare_entry));
    for (type = 0; type < 10; type++) {
        u.type = (uint16_t)type;
        value_rc(text("unregister type %u", type),
                 hypercall2(__HYPERVISOR_callback_op, CALLBACKOP_unregister, (uint64_t)&u));
    }
    value_rc("command 2", hypercall2(__HYPERVISOR_callback_op, 2, (uint64_t)&u));
    value_rc("command -1", hypercall2(__HYPERVISOR_callback_op, 0xffffffff, (uint64_t)&u));
    value_rc("register nowhere", hypercall2(__HYPERVISOR_callback_op, 0, NOWHERE));
    value_rc("register in the hypervisor", hypercall2(__HYPERVISOR_callback_op, 0, BAD_VA));
    value_rc("unregister nowhere", hypercall2(__HYPERVISOR_callback_op, 1, NOWHERE));
    restore();
    value_rc("set_callbacks, bad event", hypercall3(__HYPERVISOR_set_callbacks, NONCANON, 0, 0));
    value_rc("set_callbacks, bad failsafe", hypercall3(__HYPERVISOR_set_callbacks, 0, NONCANON, 0));
    value_rc("set_callbacks, bad syscall", hypercall3(__HYPERVISOR_set_callbacks, 0, 0, NONCANON));
    value_rc("set_callbacks, none", hypercall3(__HYPERVISOR_set_callbacks, 0, 0, 0));
    check_eq("set_callbacks",
             hypercall3(__HYPERVISOR_set_callbacks, (uint64_t)stub_of(event_entry, 0),
                        (uint64_t)failsafe_entry, (uint64_t)bare_entry),
             0);
    user_syscall("set_callbacks' syscall", FLAGS_IF);
    restore();
}

/* ---- Frames that cannot be delivered ---- */

static bool crash(const char *how)
{
    static uint8_t area[2 * 4096] __attribute__((aligned(4096)));
    struct frame f = {0};
    uint64_t stack = 0;

    if (!starts_with(how, "crash "))
        return false;
    how += 6;
    if (strcmp(how, "unmapped") == 0)
        stack = NOWHERE;
    else if (strcmp(how, "noncanonical") == 0)
        stack = NONCANON;
    else if (strcmp(how, "hypervisor") == 0)
        stack = BAD_VA;
    else if (strcmp(how, "wrap") == 0)
        stack = 0x10;
    else if (strcmp(how, "readonly") == 0) {
        page_ro(area);
        stack = (uint64_t)area + 4096;
    } else if (strcmp(how, "half") == 0) { /* the frame's lower words hit a read-only page */
        page_ro(area);
        stack = (uint64_t)area + 4096 + 16;
    } else if (strcmp(how, "edge") == 0) { /* just above the hypervisor's range */
        stack = 0xffff880000000000ul + 16;
    }
    expect_crash(how);
    if (strcmp(how, "handler") == 0) {
        set_traps(NULL);
        __asm__ volatile("ud2");
    } else if (strcmp(how, "handler-bad") == 0) {
        set_trap(VECTOR_PF, 4, FLAT_KERNEL_CS, (void *)NOWHERE);
        __asm__ volatile("movq (%0), %%rax" : : "r"(NOWHERE) : "rax");
    } else if (strcmp(how, "handler-hypervisor") == 0) {
        set_trap(VECTOR_PF, 4, FLAT_KERNEL_CS, (void *)BAD_VA);
        __asm__ volatile("movq (%0), %%rax" : : "r"(NOWHERE) : "rax");
    } else if (strcmp(how, "kernel") == 0) {
        f.rsp = NOWHERE;
        probe(&f, CODE("\x0f\x0b"));
    } else if (strcmp(how, "kernel-hypervisor") == 0) {
        f.rsp = BAD_VA + 4096;
        probe(&f, CODE("\x0f\x0b"));
    } else {
        bool sys = stack == NOWHERE || stack == BAD_VA;

        hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, stack);
        f.rflags = FLAGS_IF;
        if (sys)
            probe_user(&user, &f, CODE("\x0f\x05"));
        else
            probe_user(&user, &f, CODE("\x0f\x0b"));
    }
    check(false, "the domain lives on");
    return true;
}

void test_main(const char *args)
{
    user_init(&user);
    if (crash(args))
        return;
    table_arguments();
    kernel_exceptions();
    fpu_and_alignment();
    frames();
    odd_masks();
    user_exceptions();
    user_frames();
    soft_interrupts();
    syscalls();
    callbacks();
}
