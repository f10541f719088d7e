/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables: which descriptors may stand in a GDT or an LDT, by set_gdt, update_descriptor
 * and SET_LDT; what each allowed one does when it is loaded, in kernel and in user mode; the
 * hypervisor's own entries; and every way to a writable mapping of a page that is such a table.
 */
#include "guest.h"

#define BAD_VA   0xffff830000000000ul /* the hypervisor's */
#define NOWHERE  0x5ead00000000ul     /* mapped by nobody */
#define NONCANON 0x800000000000ul

/* Access byte: P, DPL, S, type. Flags: G, D, L, AVL. */
#define DESC(base, limit, access, flags)                                                           \
    (((uint64_t)(limit)&0xffff) | ((uint64_t)(base)&0xffffff) << 16 | (uint64_t)(access) << 40 |   \
     ((uint64_t)(limit) >> 16 & 15) << 48 | (uint64_t)(flags) << 52 |                              \
     ((uint64_t)(base) >> 24 & 0xff) << 56)
#define CODE64 DESC(0, 0xfffff, 0xfb, 0xa)
#define CODE32 DESC(0, 0xfffff, 0xfb, 0xc)
#define DATA   DESC(0, 0xfffff, 0xf3, 0xc)
#define GATE   0x0000ec0000100000ul /* call gate, DPL 3, selector 10 */
#define BAD    0x0000e20000000ffful /* a system segment: never allowed */

static struct user_space user;
static uint64_t *gdt, *ldt; /* the tables in use, read-only while they are */

static long set_gdt(uint64_t mfn, uint64_t entries)
{
    return hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&mfn, entries);
}

static long update(const void *slot, uint64_t desc)
{
    return hypercall2(__HYPERVISOR_update_descriptor, va_maddr(slot), desc);
}

static uint64_t *gdt_new(void)
{
    uint64_t *t = page_alloc();

    t[2] = CODE64;
    t[3] = DATA;
    if (page_ro(t) != 0)
        error("GDT read-only");
    return t;
}

/* ---- set_gdt ---- */

static void gdt_arguments(void)
{
    uint64_t frames[16], mfn = va_mfn(gdt), *writable = page_alloc(), *table = page_alloc();
    unsigned int i;

    for (i = 0; i < 16; i++)
        frames[i] = mfn;
    value_rc("no GDT", set_gdt(0, 0));
    value_rc("no GDT, no list", hypercall2(__HYPERVISOR_set_gdt, 0, 0));
    value_rc("no GDT, list nowhere", hypercall2(__HYPERVISOR_set_gdt, NOWHERE, 0));
    value_rc("no GDT, list in the hypervisor", hypercall2(__HYPERVISOR_set_gdt, BAD_VA, 0));
    value_rc("list nowhere", hypercall2(__HYPERVISOR_set_gdt, NOWHERE, 8));
    value_rc("list in the hypervisor", hypercall2(__HYPERVISOR_set_gdt, BAD_VA, 8));
    value_rc("list non-canonical", hypercall2(__HYPERVISOR_set_gdt, NONCANON, 8));
    value_rc("1 entry", set_gdt(mfn, 1));
    value_rc("16 entries", set_gdt(mfn, 16));
    value_rc("512 entries", set_gdt(mfn, 512));
    value_rc("14 times the same frame", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 7168));
    value_rc("7167 entries", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 7167));
    value_rc("7169 entries", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 7169));
    value_rc("8192 entries", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 8192));
    value_rc("2^31 entries", set_gdt(mfn, 1ul << 31));
    value_rc("2^32 entries", set_gdt(mfn, 1ul << 32));
    value_rc("2^32 + 16 entries", set_gdt(mfn, (1ul << 32) + 16));
    value_rc("writable frame", set_gdt(va_mfn(writable), 16));
    value_rc("hypervisor's frame", set_gdt(0x200, 16));
    value_rc("frame beyond memory", set_gdt(1ul << 27, 16));
    value_rc("frame -1", set_gdt(~0ul, 16));
    value_rc("frame 1 << 52", set_gdt(1ul << 52 | mfn, 16));
    value_rc("device memory", set_gdt(0xfec00, 16));
    value_rc("low memory", set_gdt(0xa0, 16));
    value_rc("shared_info", set_gdt(start_info->shared_info >> 12, 16));
    value_rc("L4 in use", set_gdt(cr3_mfn(), 16));
    page_ro(table);
    table_pin(1, va_mfn(table));
    value_rc("pinned L1", set_gdt(va_mfn(table), 16));
    table_unpin(va_mfn(table));
    value_rc("what was an L1", set_gdt(va_mfn(table), 16));
    frames[1] = va_mfn(writable);
    value_rc("the second frame is writable",
             hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 513));
    value_rc("the second frame does not count",
             hypercall2(__HYPERVISOR_set_gdt, (uint64_t)frames, 512));
    check_eq("the table of this test", set_gdt(mfn, 512), 0);
    page_rw(table);
    page_free(table);
    page_free(writable);
}

/* Bad attempts leave the old table in place. */
static void gdt_stays(void)
{
    uint64_t *bad = page_alloc();

    fault_take();
    __asm__ volatile(EX("movw %0, %%es") : : "r"((uint16_t)0x1b));
    check_eq("data selector", fault_take(), -1);
    set_gdt(va_mfn(bad), 16);
    __asm__ volatile(EX("movw %0, %%es") : : "r"((uint16_t)0x1b));
    check_eq("data selector after a refused set_gdt", fault_take(), -1);
    hypercall2(__HYPERVISOR_set_gdt, BAD_VA, 16);
    __asm__ volatile(EX("movw %0, %%es") : : "r"((uint16_t)0x1b));
    check_eq("data selector after an unreadable list", fault_take(), -1);
    set_gdt(0, 0);
    __asm__ volatile(EX("movw %0, %%es") : : "r"((uint16_t)0x1b));
    value("data selector without GDT", "%s %lx", vector_name(fault_take()), fault.error);
    set_gdt(va_mfn(gdt), 2);
    __asm__ volatile(EX("movw %0, %%es") : : "r"((uint16_t)0x1b));
    value("data selector beyond the entries given", "%s %lx", vector_name(fault_take()),
          fault.error);
    set_gdt(va_mfn(gdt), 512);
    __asm__ volatile("movw %0, %%es" : : "r"((uint16_t)0));
    page_free(bad);
}

/* ---- Which descriptors ---- */

/* Sixteen types at once: what update_descriptor says, and the access bytes that then stand there.
 */
static void sixteen(unsigned int access, unsigned int flags, uint64_t base)
{
    char what[17], back[16 * 3 + 1];
    unsigned int type;

    for (type = 0; type < 16; type++) {
        uint64_t d = DESC(base, 0xfffff, access | type, flags);
        bool gate = (access | type) == (0x8c | (access & 0x60));
        long rc;

        update(&gdt[5], 0);
        rc = gate ? 0 : update(&gdt[5], d); /* call gates: below */
        what[type] = gate ? '-' : rc == 0 ? 'a' : rc == -22 ? 'r' : '?';
        memcpy(&back[type * 3],
               text("%02x ", (unsigned int)((gdt[5] >> 40) & 0xff) | (access >> 4 & 1)), 3);
        if (!gate && rc == 0 && (gdt[5] | 0xfful << 40) != (d | 0xfful << 40))
            what[type] = 'A'; /* corrected */
    }
    what[16] = '\0';
    back[16 * 3 - 1] = '\0';
    value(text("access %02x-, flags %x, base %lx", access >> 4, flags, base), "%s %s", what, back);
}

static void each_type(void)
{
    unsigned int access, flags;

    for (access = 0; access < 256; access += 16)
        sixteen(access, 0xa, 0);
    for (flags = 0; flags < 16; flags++)
        sixteen(0xf0, flags, 0x12345678);
    sixteen(0x80, 0xc, 0x12345678);
    sixteen(0xe0, 0xc, 0x12345678);
    update(&gdt[5], 0);
}

/* Gates are two entries wide and have a target. */
static void gates(void)
{
    static const struct {
        const char *name;
        uint64_t desc;
    } list[] = {
        {"call gate to code", 0x00008c0000100000ul},
        {"call gate, DPL 3", 0x0000ec0000100000ul},
        {"call gate, flat kernel selector", 0x0000ec00e0330000ul},
        {"call gate, null selector", 0x0000ec0000000000ul},
        {"call gate, hypervisor's selector", 0x0000ec00e0080000ul},
        {"call gate, parameters", 0x0000ec1f00100000ul},
        {"call gate, not present", 0x00006c0000100000ul},
        {"call gate, 16 bits", 0x0000e40000100000ul},
        {"interrupt gate", 0x0000ee0000100000ul},
        {"trap gate", 0x0000ef0000100000ul},
        {"task gate", 0x0000e50000100000ul},
        {"TSS, available", 0x0000e90000000067ul},
        {"TSS, busy", 0x0000eb0000000067ul},
        {"LDT", 0x0000e20000000fff},
        {"LDT, not present", 0x0000620000000ffful},
        {"type 0, present", 0x0000e00000000000ul},
        {"type 0, present, DPL 0", 0x0000800000000000ul},
    };
    unsigned int i;
    long rc;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        update(&gdt[5], 0);
        rc = update(&gdt[5], list[i].desc);
        value(text("update %s", list[i].name), "%ld, %lx stands there", rc, gdt[5]);
    }
    update(&gdt[5], DESC(0, 0xfffff, 0xf2, 0xc));
    value("access byte f2 becomes", "%lx", gdt[5] >> 40 & 0xff);
    update(&gdt[5], 0);
}

/* The same as part of a page that becomes a table. */
static void whole_pages(void)
{
    uint64_t *t = page_alloc();
    unsigned int access;
    char what[17];

    what[16] = '\0';
    for (access = 0; access < 256; access++) {
        page_rw(t);
        t[100] = DESC(0, 0xfffff, access, 0xa);
        page_ro(t);
        what[access & 15] = (access & 0x9f) == 0x8c ? '-' : set_gdt(va_mfn(t), 16) == 0 ? 'a' : 'r';
        if (what[access & 15] == 'a' && (t[100] | 1ul << 40) != DESC(0, 0xfffff, access | 1, 0xa))
            what[access & 15] = 'A'; /* corrected */
        set_gdt(va_mfn(gdt), 512);
        if ((access & 15) == 15)
            value(text("page with access %02x-", access & 0xf0), "%s", what);
    }
    page_rw(t);
    t[100] = 0;
    t[511] = BAD;
    page_ro(t);
    value_rc("page with a bad last entry", set_gdt(va_mfn(t), 16));
    set_gdt(va_mfn(gdt), 512);
    check_eq("page writable again", page_rw(t), 0);
    page_free(t);
}

/* ---- update_descriptor's address ---- */

static void update_arguments(void)
{
    uint64_t *plain = page_alloc(), *ro = page_alloc(), *table = page_alloc();
    unsigned int i;

    page_ro(ro);
    page_ro(table);
    value_rc("update in a writable page", update(&plain[7], DATA));
    value("it stands there", "%lx", plain[7]);
    value_rc("update in a writable page, gate", update(&plain[8], BAD));
    value_rc("update in a read-only page", update(&ro[7], DATA));
    value("it stands there, too", "%lx", ro[7]);
    value_rc("update in a read-only page, gate", update(&ro[8], BAD));
    table_pin(1, va_mfn(table));
    value_rc("update in an L1", update(&table[7], DATA));
    value_rc("update in an L1, not present", update(&table[7], 0));
    table_unpin(va_mfn(table));
    value_rc("update in what was an L1", update(&table[7], DATA));
    value_rc("update in the L4 in use", pt_update(0, 0) == 0 ? 0 : update(mfn_va(cr3_mfn()), DATA));
    for (i = 1; i < 8; i++)
        value_rc(text("update at byte %u", i),
                 hypercall2(__HYPERVISOR_update_descriptor, va_maddr(&gdt[5]) + i, DATA));
    value_rc("update in the hypervisor",
             hypercall2(__HYPERVISOR_update_descriptor, 0x200000, DATA));
    value_rc("update in device memory",
             hypercall2(__HYPERVISOR_update_descriptor, 0xfec00000, DATA));
    value_rc("update beyond memory", hypercall2(__HYPERVISOR_update_descriptor, 1ul << 39, DATA));
    value_rc("update at -8", hypercall2(__HYPERVISOR_update_descriptor, -8ul, DATA));
    value_rc("update in shared_info",
             hypercall2(__HYPERVISOR_update_descriptor, start_info->shared_info + 2048, DATA));
    value_rc("update entry 0", update(&gdt[0], DATA));
    value("entry 0", "%lx", gdt[0]);
    value_rc("update the last entry", update(&gdt[511], DATA));
    update(&gdt[0], 0);
    page_rw(ro);
    page_rw(table);
    page_free(plain);
    page_free(ro);
    page_free(table);
}

/* ---- Loads ---- */

static const char *load_of(unsigned int seg, uint16_t sel)
{
    /* mov cx, seg */
    static const uint8_t modrm[] = {0xd9, 0xc1, 0xe1, 0xe9, 0xd1};
    uint8_t code[2] = {0x8e, modrm[seg]};
    struct frame f = {.rcx = sel};

    return text("%s", probe(&f, code, 2));
}

static void loads(void)
{
    static const char *const names[] = {"ds", "es", "fs", "gs", "ss"};
    static const struct {
        const char *name;
        uint64_t desc;
    } list[] = {
        {"data", DATA},
        {"data, read-only", DESC(0, 0xfffff, 0xf1, 0xc)},
        {"data, expand down", DESC(0, 0xfffff, 0xf7, 0xc)},
        {"data, not present", DESC(0, 0xfffff, 0x73, 0xc)},
        {"data, DPL 0", DESC(0, 0xfffff, 0x93, 0xc)},
        {"data, limit 0", DESC(0, 0, 0xf3, 0x4)},
        {"data, base", DESC(0x12345678, 0xfffff, 0xf3, 0xc)},
        {"data, L", DESC(0, 0xfffff, 0xf3, 0xa)},
        {"code, readable", CODE64},
        {"code, execute-only", DESC(0, 0xfffff, 0xf9, 0xa)},
        {"code, conforming", DESC(0, 0xfffff, 0xff, 0xa)},
        {"code, not present", DESC(0, 0xfffff, 0x7b, 0xa)},
        {"type 0", 0x0000e00000000000ul},
        {"nothing", 0},
    };
    unsigned int i, seg;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        update(&gdt[5], list[i].desc);
        for (seg = 0; seg < 5; seg++)
            value(text("%s into %s", list[i].name, names[seg]), "%s", load_of(seg, 0x2b));
        value(text("%s into es, RPL 0", list[i].name), "%s", load_of(1, 0x28));
        load_of(0, 0);
        load_of(1, 0);
        load_of(2, 0);
        load_of(3, 0);
    }
    for (i = 0xdff8; i < 0x10000; i += 8) {
        if (i > 0xe080 && i < 0xfff8)
            continue;
        value(text("selector %x into es", i | 3), "%s", load_of(1, (uint16_t)(i | 3)));
        load_of(1, 0);
    }
}

/* Code selectors by an iret of the hypercall, and by a far return. */
static void code_loads(void)
{
    static const struct {
        const char *name;
        uint64_t desc;
    } list[] = {
        {"64 bits", CODE64},
        {"64 bits, execute-only", DESC(0, 0xfffff, 0xf9, 0xa)},
        {"64 bits, conforming", DESC(0, 0xfffff, 0xff, 0xa)},
        {"64 bits, DPL 0", DESC(0, 0xfffff, 0x9b, 0xa)},
        {"64 bits, base and limit", DESC(0x12345678, 0, 0xfb, 0x2)},
        {"64 bits, not present", DESC(0, 0xfffff, 0x7b, 0xa)},
        {"L and D", DESC(0, 0xfffff, 0xfb, 0xe)},
        {"data", DATA},
    };
    struct frame f;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        update(&gdt[5], list[i].desc);
        memset(&f, 0, sizeof(f));
        memcpy(code_page, "\x90\xcc", 2);
        f.rip = (uint64_t)code_page;
        f.cs = 0x28;
        f.ss = 0x18;
        f.rsp = (uint64_t)boot_stack + 2048;
        f.rflags = 2;
        value(text("kernel in %s", list[i].name), "%s",
              outcome_of(&f, run_frame(&f), (uint64_t)code_page, 1));
        value(text("kernel in %s: frame", list[i].name), "cs %lx ss %lx", f.cs, f.ss);
        memset(&f, 0, sizeof(f));
        memcpy(user.data, "\x90\xcc", 2);
        f.rip = USER_DATA;
        f.cs = 0x2b;
        f.ss = 0x1b;
        f.rsp = USER_STACK;
        f.rflags = 2;
        value(text("user in %s", list[i].name), "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
        value(text("user in %s: frame", list[i].name), "cs %lx ss %lx", f.cs, f.ss);
        /* push 2b; push (rbx: the address); lretq, in user mode */
        memset(&f, 0, sizeof(f));
        f.rbx = USER_DATA + 5;
        value(text("user's far return to %s", list[i].name), "%s",
              probe_user(&user, &f, CODE("\x6a\x2b\x53\x48\xcb\x90")));
    }
    /* 32-bit code of the user's own, with a base and a limit that count. */
    update(&gdt[5], DESC(USER_DATA, 1, 0xfb, 0x4));
    f = (struct frame){.cs = 0x2b, .ss = 0x1b, .rsp = USER_STACK, .rflags = 2};
    memcpy(user.data, "\x90\x90\xcc", 3);
    value("user in 32 bits, base and limit", "%s", outcome_of(&f, run_frame(&f), 0, 2));
    update(&gdt[5], DESC(USER_DATA, 0xff, 0xfb, 0x4));
    f = (struct frame){.cs = 0x2b, .ss = 0x1b, .rsp = USER_STACK, .rflags = 2};
    value("user in 32 bits, base and larger limit", "%s", outcome_of(&f, run_frame(&f), 0, 2));
    /* Emulated instructions there must be fetched with the base in mind, or not at all. */
    f = (struct frame){.cs = 0x2b, .ss = 0x1b, .rsp = USER_STACK, .rflags = 2, .rdx = 0x80};
    memcpy(user.data, "\xec\xcc\xcc", 3);
    value("user in 32 bits, in", "%s", outcome_of(&f, run_frame(&f), 0, 1));
    update(&gdt[5], DESC(USER_DATA, 0xff, 0xfb, 0x0));
    f = (struct frame){.cs = 0x2b, .ss = 0x1b, .rsp = USER_STACK, .rflags = 2};
    memcpy(user.data, "\x90\x90\xcc", 3);
    value("user in 16 bits", "%s", outcome_of(&f, run_frame(&f), 0, 2));
    update(&gdt[5], 0);
}

/* What lar, lsl, verr and verw tell of the hypervisor's own entries. */
static void looks(void)
{
    unsigned int sel;

    for (sel = 0xe000; sel < 0xe080; sel += 8) {
        uint64_t ar = 0, limit = 0;
        bool has_ar, has_limit, r, w;

        __asm__ volatile("lar %2, %0\nsetz %1" : "+r"(ar), "=qm"(has_ar) : "r"((uint64_t)sel | 3));
        __asm__ volatile("lsl %2, %0\nsetz %1"
                         : "+r"(limit), "=qm"(has_limit)
                         : "r"((uint64_t)sel | 3));
        __asm__ volatile("verr %1\nsetz %0" : "=qm"(r) : "r"((uint16_t)(sel | 3)));
        __asm__ volatile("verw %1\nsetz %0" : "=qm"(w) : "r"((uint16_t)(sel | 3)));
        if (sel == 0xe060 || sel == 0xe078)
            continue; /* Xen keeps the processor's number there, in the limit */
        value(text("look at %x", sel), "ar %u limit %u r %u w %u", has_ar, has_limit, r, w);
    }
}

/* ---- The LDT ---- */

static long set_ldt(const void *va, uint64_t entries)
{
    return mmuext(MMUEXT_SET_LDT, (uint64_t)va, entries);
}

/* A return through a table whose page comes in at its first use, and one whose page cannot. */
static void ldt_returns(void)
{
    struct frame f;

    memcpy(user.data, "\x90\xcc", 2);
    page_rw(ldt);
    check_eq("set LDT, page is writable", set_ldt(ldt, 16), 0);
    page_ro(ldt);
    f = (struct frame){.rip = USER_DATA, .cs = 0x17, .ss = 0xf, .rsp = USER_STACK, .rflags = 2};
    f.rcx = 0x1234;
    value("return to the LDT's code, page new", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
    value("return to the LDT's code, page new: frame", "cs %lx ss %lx rcx %lx", f.cs, f.ss, f.rcx);
    check_eq("no LDT, returned", set_ldt(NULL, 0), 0);
    page_rw(ldt);
    check_eq("set LDT, page stays writable", set_ldt(ldt, 16), 0);
    f = (struct frame){.rip = USER_DATA, .cs = 0x17, .ss = 0xf, .rsp = USER_STACK, .rflags = 2};
    value("return to the LDT's code, page writable", "vector %x", run_frame(&f));
    value("its address in the LDT", "%lx", vcpu_info(0)->arch.cr2 - (uint64_t)ldt);
    check_eq("no LDT, not returned", set_ldt(NULL, 0), 0);
    page_ro(ldt);
}

static void ldt_loads(void)
{
    uint64_t *bad = page_alloc(), *two;
    struct frame f;

    value("LDT selector without LDT", "%s", load_of(1, 0xf));
    ldt[1] = DATA;
    ldt[2] = CODE64;
    check_eq("LDT read-only", page_ro(ldt), 0);
    check_eq("set LDT", set_ldt(ldt, 16), 0);
    value("LDT entry 1", "%s", load_of(1, 0xf));
    value("LDT entry 15, empty", "%s", load_of(1, 0x7f));
    value("LDT entry 16, beyond the limit", "%s", load_of(1, 0x87));
    load_of(1, 0);
    memset(&f, 0, sizeof(f));
    memcpy(user.data, "\x90\xcc", 2);
    f = (struct frame){.rip = USER_DATA, .cs = 0x17, .ss = 0xf, .rsp = USER_STACK, .rflags = 2};
    value("user in the LDT's code", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
    value("user in the LDT's code: frame", "cs %lx ss %lx", f.cs, f.ss);
    f = (struct frame){
        .rip = USER_DATA, .cs = 0x17, .ss = 0xf, .rsp = USER_STACK, .rflags = 2, .rdx = 0x80};
    memcpy(user.data, "\xec\xcc", 2);
    value("user in the LDT's code, in", "%s", outcome_of(&f, run_frame(&f), USER_DATA, 1));
    value_rc("update an LDT entry", update(&ldt[3], DATA));
    value("LDT entry 3", "%s", load_of(1, 0x1f));
    value_rc("update an LDT entry, gate", update(&ldt[3], BAD));
    value_rc("update an LDT entry, LDT", update(&ldt[3], 0x0000e20000000ffful));
    load_of(1, 0);
    value("lldt", "%s", ({
              f = (struct frame){.rcx = 0};
              probe(&f, CODE("\x0f\x00\xd1"));
          }));
    value("user lldt", "%s", ({
              f = (struct frame){.rcx = 0};
              probe_user(&user, &f, CODE("\x0f\x00\xd1"));
          }));
    check_eq("no LDT", set_ldt(NULL, 0), 0);
    value("LDT entry 1 without LDT", "%s", load_of(1, 0xf));

    bad[1] = DATA;
    bad[9] = BAD;
    page_ro(bad);
    value_rc("LDT on a page with a gate", set_ldt(bad, 16));
    value("its entry 1", "%s", load_of(1, 0xf));
    value("its entry 9", "%s", load_of(1, 0x4f));
    value_rc("that page writable", page_rw(bad));
    fault_take();
    __asm__ volatile(EX("movq %0, (%1)") : : "r"(0ul), "r"(&bad[9]) : "memory");
    value("gate taken out", "%s", vector_name(fault_take()));
    value("entry 1 of a writable page", "%s", load_of(1, 0xf));
    page_ro(bad);
    value("entry 1 of the corrected page", "%s", load_of(1, 0xf));
    load_of(1, 0);
    check_eq("no LDT again", set_ldt(NULL, 0), 0);
    value_rc("page writable", page_rw(bad));
    page_free(bad);

    value_rc("LDT nowhere", set_ldt((void *)(NOWHERE), 16));
    value("entry 1 of nowhere", "%s", load_of(1, 0xf));
    check_eq("no LDT, third", set_ldt(NULL, 0), 0);
    ldt_returns();
    /* Two pages; the second is not there. */
    two = page_alloc();
    two = (uint64_t *)((uint64_t)two & ~(PAGE_SIZE - 1));
    two[1] = DATA;
    page_ro(two);
    value_rc("LDT of 1024 entries", set_ldt(two, 1024));
    value("entry 1 of two pages", "%s", load_of(1, 0xf));
    value("entry 513, page is writable", "%s", load_of(1, 513 * 8 + 7));
    load_of(1, 0);
    f = (struct frame){.rbx = 0xffff820000010008};
    value("read the LDT where the hypervisor has it", "%s", probe(&f, CODE("\x48\x8b\x03")));
    f = (struct frame){.rbx = 0xffff820000011008};
    value("read an LDT page that is not there", "%s", probe(&f, CODE("\x48\x8b\x03")));
    f = (struct frame){.rbx = 0xffff820000000008};
    value("read the GDT where the hypervisor has it", "%s", probe(&f, CODE("\x48\x8b\x03")));
    check_eq("no LDT, fourth", set_ldt(NULL, 0), 0);
    page_rw(two);
    value_rc("LDT on a page table", set_ldt(mfn_va(cr3_mfn()), 16));
    value("entry 1 of a page table", "%s", load_of(1, 0xf));
    value_rc("LDT on the GDT", set_ldt(gdt, 16));
    value("entry 3 of the GDT as LDT", "%s", load_of(1, 0x1f));
    load_of(1, 0);
    check_eq("no LDT, fifth", set_ldt(NULL, 0), 0);
    value_rc("LDT in the m2p", set_ldt((void *)0xffff800000000000ul, 16));
    set_ldt(NULL, 0);
}

/* ---- Writable mappings of a table in use ---- */

static void store(const char *what, void *va, const char *how)
{
    fault_take();
    if (how[0] == 'm')
        __asm__ volatile(EX("movq %0, (%1)") : : "r"(BAD), "r"(va) : "memory");
    else if (how[0] == 'x')
        __asm__ volatile(EX("xchgq %0, (%1)") : : "r"(0ul), "r"(va) : "memory");
    else
        __asm__ volatile(EX("lock andb $0x7f, (%0)") : : "r"(va) : "memory");
    value(text("%s: store by %s", what, how), "%s %lx", vector_name(fault_take()), fault.error);
}

static void attempts(const char *what, uint64_t *t)
{
    uint64_t mfn = va_mfn(t), *window = page_alloc(), *l1 = page_alloc(), before = t[40];
    uint64_t w = MKPTE(mfn, PTE_RWP), entry, own = mfn, out = 0;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};

    entry = va_maddr(pte_at(window, 1));
    page_unmap(window);
    value_rc(text("%s: own mapping writable", what), page_rw(t));
    value_rc(text("%s: alias", what), va_set(window, w, UVMF_INVLPG));
    value_rc(text("%s: alias by mmu_update", what), pt_update(entry, w));
    value_rc(text("%s: alias preserving A/D", what),
             pt_update(entry | MMU_PT_UPDATE_PRESERVE_AD, w));
    value_rc(text("%s: alias untranslated", what),
             pt_update(entry | MMU_PT_UPDATE_NO_TRANSLATE, w));
    value_rc(text("%s: alias as DOMID_IO's", what), pt_update_dom(entry, w, DOMID_IO));
    value_rc(text("%s: alias as DOMID_XEN's", what), pt_update_dom(entry, w, DOMID_XEN));
    check_eq(text("%s: read-only alias", what), va_set(window, MKPTE(mfn, PTE_ROP), UVMF_INVLPG),
             0);
    value_rc(text("%s: read-only alias made writable", what), va_set(window, w, UVMF_INVLPG));
    fault_take();
    __asm__ volatile(EX("btsq $1, (%0)") : : "r"(pte_at(window, 1)) : "memory");
    value(text("%s: entry made writable by a store", what), "%s", vector_name(fault_take()));
    store(what, &t[40], "mov");
    store(what, &t[40], "xchg");
    store(what, &t[40], "lock and");
    store(text("%s, alias", what), (uint64_t *)window + 40, "mov");
    va_set(window, 0, UVMF_INVLPG);
    l1[7] = w;
    page_ro(l1);
    value_rc(text("%s: L1 that maps it writable", what), table_pin(1, va_mfn(l1)));
    table_unpin(va_mfn(l1));
    page_rw(l1);
    value_rc(text("%s: pin as L1", what), table_pin(1, mfn));
    value_rc(text("%s: pin as L4", what), table_pin(4, mfn));
    value_rc(text("%s: as CR3", what), mmuext(MMUEXT_NEW_BASEPTR, mfn, 0));
    value_rc(text("%s: clear", what), mmuext(MMUEXT_CLEAR_PAGE, mfn, 0));
    value_rc(text("%s: copy to", what), mmuext(MMUEXT_COPY_PAGE, mfn, va_mfn(boot_stack)));
    value_rc(text("%s: version text into it", what),
             hypercall2(__HYPERVISOR_xen_version, XENVER_extraversion, (uint64_t)&t[40]));
    value_rc(text("%s: runstate into it", what), vcpu_op(VCPUOP_get_runstate_info, 0, &t[40]));
    set_xen_guest_handle(x.in.extent_start, &own);
    set_xen_guest_handle(x.out.extent_start, &out);
    value_rc(text("%s: exchange", what),
             hypercall2(__HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)&x));
    (void)r;
    check(t[40] == before, "%s: is as before", what);
    page_rw(window);
    page_free(window);
    page_free(l1);
}

static void tables_in_use(void)
{
    attempts("GDT", gdt);
    value("GDT still works", "%s", load_of(1, 0x1b));
    load_of(1, 0);
    check_eq("set LDT to be used", set_ldt(ldt, 512), 0);
    value("LDT works", "%s", load_of(1, 0xf));
    load_of(1, 0);
    attempts("LDT", ldt);
    value("LDT still works", "%s", load_of(1, 0xf));
    load_of(1, 0);
    value_rc("LDT's page unmapped", page_unmap(ldt));
    value("LDT without its mapping", "%s", load_of(1, 0xf));
    load_of(1, 0);
    value_rc("LDT's page mapped writable", page_rw(ldt));
    value("LDT whose mapping was to be writable", "%s", load_of(1, 0xf));
    load_of(1, 0);
    value_rc("LDT's page mapped read-only", page_ro(ldt));
    value("LDT mapped again", "%s", load_of(1, 0xf));
    load_of(1, 0);
    check_eq("LDT away", set_ldt(NULL, 0), 0);
    check_eq("LDT's page writable then", page_rw(ldt), 0);
    ldt[60] = BAD;
    check_eq("GDT away", set_gdt(0, 0), 0);
    check_eq("GDT's page writable then", page_rw(gdt), 0);
    gdt[60] = BAD;
    page_ro(gdt);
    value_rc("GDT with a gate written meanwhile", set_gdt(va_mfn(gdt), 512));
    set_gdt(0, 0);
    page_rw(gdt);
    gdt[60] = 0;
    page_ro(gdt);
    check_eq("GDT corrected", set_gdt(va_mfn(gdt), 512), 0);
    /* Two users: the page stays a table until the last is gone. */
    check_eq("GDT as LDT", set_ldt(gdt, 512), 0);
    value("GDT's entry as the LDT's", "%s", load_of(1, 0x1f));
    load_of(1, 0);
    check_eq("GDT away, LDT not", set_gdt(0, 0), 0);
    value_rc("page of the LDT writable", page_rw(gdt));
    check_eq("LDT away too", set_ldt(NULL, 0), 0);
    check_eq("page writable at last", page_rw(gdt), 0);
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    gdt = gdt_new();
    ldt = page_alloc();
    gdt_arguments();
    gdt_stays();
    each_type();
    gates();
    whole_pages();
    update_arguments();
    loads();
    code_loads();
    looks();
    ldt_loads();
    tables_in_use();
}
