/* SPDX-License-Identifier: MIT */
/*
 * Stores to page tables by instruction: which instructions are carried out as an update of the
 * entry, with which result, flags and registers; which entries are refused; on which tables; and
 * that a read-only page which is no page table stays one.
 */
#include "guest.h"

#define ALIAS     ((uint64_t *)0xffff960000000000ul) /* what l1 maps */
#define FLAGS_ARI 0x8d5ul
#define BAD_VA    0xffff830000000000ul
/* Bits that differ by design: private ones of the hypervisor, G, and accessed and dirty. */
#define ENTRY(e) ((e) & ~(1ul << 52 | PTE_G | PTE_A | PTE_D))

static uint64_t *l1, *l2, *l3; /* in slot 300 of the kernel's L4 */
static uint64_t *page, *other; /* plain memory */
static struct user_space user;

static uint64_t *table_new(void)
{
    uint64_t *t = page_alloc();

    if (page_ro(t) != 0)
        error("table read-only");
    return t;
}

static void init(void)
{
    l1 = table_new();
    l2 = table_new();
    l3 = table_new();
    page = page_alloc();
    other = page_alloc();
    pt_set(&l2[0], MKPTE(va_mfn(l1), PTE_RWP));
    pt_set(&l3[0], MKPTE(va_mfn(l2), PTE_RWP));
    check_eq("chain", pt_set(&((uint64_t *)start_info->pt_base)[300], MKPTE(va_mfn(l3), PTE_RWP)),
             0);
}

#define GOOD  MKPTE(va_mfn(page), PTE_RWP)
#define GOOD2 MKPTE(va_mfn(other), PTE_RWP)

/* A run with rbx at an entry; prints what became of everything. frames are shown by name. */
static const char *entry_text(uint64_t e)
{
    uint64_t mfn = PTE_MFN(e);

    if (e == 0)
        return "0";
    if (mfn == va_mfn(page))
        return text("page %lx", ENTRY(e) & ~0xffffffffff000ul);
    if (mfn == va_mfn(other))
        return text("other %lx", ENTRY(e) & ~0xffffffffff000ul);
    if (mfn == va_mfn(l1))
        return text("table %lx", ENTRY(e) & ~0xffffffffff000ul);
    return (e & PTE_P) ? text("? %lx", ENTRY(e) & ~0xffffffffff000ul) : text("%lx", e);
}

static void store_at(const char *name, const char *code, unsigned int len, uint64_t *slot,
                     uint64_t offset, uint64_t before, struct frame f)
{
    uint64_t rax = f.rax, rcx = f.rcx;
    const char *s;

    pt_set(slot, before);
    f.rbx = (uint64_t)slot + offset;
    f.rflags = FLAGS_ARI;
    s = probe(&f, code, len);
    /* #PF at the operand, whose address changes with every build. */
    if (strcmp(s, "done") == 0)
        value(name, "done, entry %s, flags %lx%s%s", entry_text(*slot), f.rflags & FLAGS_ARI,
              f.rax == rax ? "" : text(", rax %s", entry_text(f.rax)),
              f.rcx == rcx ? "" : text(", rcx %s", entry_text(f.rcx)));
    else
        value(name, "%s, entry %s", starts_with(s, "#PF") ? text("#PF(%lx)", f.error) : s,
              entry_text(*slot));
}

static void store(const char *name, const char *code, unsigned int len, uint64_t before,
                  struct frame f)
{
    store_at(name, code, len, &l1[5], 0, before, f);
    pt_set(&l1[5], 0);
}

/* ---- Which instructions ---- */

static void whole_entries(void)
{
    store("mov", CODE("\x48\x89\x0b"), 0, (struct frame){.rcx = GOOD});
    store("mov over another", CODE("\x48\x89\x0b"), GOOD2, (struct frame){.rcx = GOOD});
    store("mov of 0", CODE("\x48\x89\x0b"), GOOD, (struct frame){.rcx = 0});
    store("mov r9", CODE("\x4c\x89\x0b"), 0, (struct frame){.r9 = GOOD});
    store("mov with disp8", CODE("\x48\x89\x4b\x00"), 0, (struct frame){.rcx = GOOD});
    store("mov with disp32", CODE("\x48\x89\x8b\x00\x00\x00\x00"), 0, (struct frame){.rcx = GOOD});
    store("mov with index", CODE("\x48\x89\x0c\x3b"), 0, (struct frame){.rcx = GOOD});
    store("mov imm32", CODE("\x48\xc7\x03\x00\x00\x00\x00"), GOOD, (struct frame){0});
    store("mov by rax, moffs form of rcx", CODE("\x48\x8b\xc1\x48\x89\x03"), 0,
          (struct frame){.rcx = GOOD});
    store("movnti", CODE("\x48\x0f\xc3\x0b"), 0, (struct frame){.rcx = GOOD});
    store("xchg", CODE("\x48\x87\x0b"), GOOD2, (struct frame){.rcx = GOOD});
    store("xchg with 0", CODE("\x48\x87\x0b"), GOOD2, (struct frame){.rcx = 0});
    store("lock xchg", CODE("\xf0\x48\x87\x0b"), GOOD2, (struct frame){.rcx = GOOD});
    store("cmpxchg, equal", CODE("\x48\x0f\xb1\x0b"), 0, (struct frame){.rcx = GOOD, .rax = 0});
    store("lock cmpxchg, equal", CODE("\xf0\x48\x0f\xb1\x0b"), 0,
          (struct frame){.rcx = GOOD, .rax = 0});
    store("cmpxchg, not equal", CODE("\x48\x0f\xb1\x0b"), 0, (struct frame){.rcx = GOOD, .rax = 1});
    store("lock cmpxchg, not equal", CODE("\xf0\x48\x0f\xb1\x0b"), 0,
          (struct frame){.rcx = GOOD, .rax = 0x1000});
    store("lock and", CODE("\xf0\x48\x21\x0b"), GOOD, (struct frame){.rcx = ~PTE_RW});
    store("and", CODE("\x48\x21\x0b"), GOOD, (struct frame){.rcx = 0});
    store("lock or", CODE("\xf0\x48\x09\x0b"), GOOD & ~PTE_RW, (struct frame){.rcx = PTE_RW});
    store("or imm8", CODE("\x48\x83\x0b\x02"), GOOD & ~PTE_RW, (struct frame){0});
    store("and imm8", CODE("\x48\x83\x23\xfd"), GOOD, (struct frame){0});
    store("lock btr imm", CODE("\xf0\x48\x0f\xba\x33\x01"), GOOD, (struct frame){0});
    store("lock bts imm", CODE("\xf0\x48\x0f\xba\x2b\x01"), GOOD & ~PTE_RW, (struct frame){0});
    store("lock btc imm", CODE("\xf0\x48\x0f\xba\x3b\x01"), GOOD, (struct frame){0});
    store("btr register", CODE("\x48\x0f\xb3\x0b"), GOOD, (struct frame){.rcx = 1});
    store("bts register", CODE("\x48\x0f\xab\x0b"), GOOD & ~PTE_RW, (struct frame){.rcx = 1});
    store("btr register, beyond", CODE("\x48\x0f\xb3\x0b"), GOOD, (struct frame){.rcx = 65});
    store("lock xadd", CODE("\xf0\x48\x0f\xc1\x0b"), GOOD & ~PTE_RW, (struct frame){.rcx = PTE_RW});
    store("lock add", CODE("\xf0\x48\x01\x0b"), GOOD & ~PTE_RW, (struct frame){.rcx = PTE_RW});
    store("sub", CODE("\x48\x29\x0b"), GOOD, (struct frame){.rcx = PTE_RW});
    store("lock xor", CODE("\xf0\x48\x31\x0b"), GOOD, (struct frame){.rcx = PTE_RW});
    store("pop", CODE("\x6a\x00\x8f\x03"), GOOD, (struct frame){0});
    store("stosq", CODE("\x48\x89\xdf\x48\xab"), GOOD, (struct frame){0});
    store("rep stosq", CODE("\x48\x89\xdf\xf3\x48\xab"), GOOD, (struct frame){.rcx = 1});
    store("movsq", CODE("\x48\x89\xdf\x48\xa5"), GOOD, (struct frame){.rsi = (uint64_t)page});
    store("movq xmm", CODE("\x66\x0f\xd6\x03"), GOOD, (struct frame){0});
    store("movups", CODE("\x0f\x11\x03"), GOOD, (struct frame){0});
    store("setc", CODE("\x0f\x92\x03"), GOOD, (struct frame){0});
    store("mov segment", CODE("\x8c\x1b"), GOOD, (struct frame){0});
    store("cmpxchg16b", CODE("\x48\x0f\xc7\x0b"), GOOD, (struct frame){0});
    store("sgdt", CODE("\x0f\x01\x03"), GOOD, (struct frame){0});
    store("xsave", CODE("\x0f\xae\x23"), GOOD, (struct frame){.rax = 1});
    store("rep mov", CODE("\xf3\x48\x89\x0b"), 0, (struct frame){.rcx = GOOD});
    store("16-bit prefix and rex, mov", CODE("\x66\x48\x89\x0b"), 0, (struct frame){.rcx = GOOD});
    store("fs mov", CODE("\x64\x48\x89\x0b"), 0, (struct frame){.rcx = GOOD});
}

/* ---- Parts of an entry ---- */

static void parts(void)
{
    store("lock and, byte", CODE("\xf0\x80\x23\xfd"), GOOD, (struct frame){0});
    store("lock and, byte, all away", CODE("\xf0\x80\x23\x00"), GOOD, (struct frame){0});
    store("and, byte", CODE("\x80\x23\xfd"), GOOD, (struct frame){0});
    store("lock or, byte", CODE("\xf0\x80\x0b\x02"), GOOD & ~PTE_RW, (struct frame){0});
    store("mov, byte", CODE("\xc6\x03\x00"), GOOD, (struct frame){0});
    store("mov cl", CODE("\x88\x0b"), GOOD, (struct frame){.rcx = 0x65});
    store("mov ch", CODE("\x88\x2b"), GOOD, (struct frame){.rcx = 0x6500});
    store("mov cx", CODE("\x66\x89\x0b"), 0x12345000, (struct frame){.rcx = 0x6000});
    store("mov ecx", CODE("\x89\x0b"), 0x12345678000, (struct frame){.rcx = 0});
    store("mov ecx, present", CODE("\x89\x0b"), GOOD, (struct frame){.rcx = (uint32_t)GOOD2});
    store("xchg ecx", CODE("\x87\x0b"), GOOD, (struct frame){.rcx = 0x1234567800000000ul});
    store("xchg cl", CODE("\x86\x0b"), GOOD, (struct frame){.rcx = 0x65});
    store("cmpxchg ecx, equal", CODE("\x0f\xb1\x0b"), 0, (struct frame){.rcx = 0x5000});
    store("cmpxchg ecx, not equal", CODE("\x0f\xb1\x0b"), 0,
          (struct frame){.rcx = 0x5000, .rax = 0xabcd00000001ul});
    store("cmpxchg cl, not equal", CODE("\x0f\xb0\x0b"), 0,
          (struct frame){.rcx = 0, .rax = 0x1234});
    store("lock btr, 32 bits", CODE("\xf0\x0f\xba\x33\x01"), GOOD, (struct frame){0});
    store("lock btr, 16 bits", CODE("\x66\xf0\x0f\xba\x33\x01"), GOOD, (struct frame){0});
    store("lock bts, 32 bits, offset 33", CODE("\xf0\x0f\xba\x2b\x21"), GOOD & ~PTE_RW,
          (struct frame){0});
}

static void offsets(void)
{
    static const struct {
        const char *name, *code;
        unsigned int len, bytes;
    } list[] = {
        {"mov of 8", CODE("\x48\x89\x0b"), 8},          {"mov of 4", CODE("\x89\x0b"), 4},
        {"mov of 2", CODE("\x66\x89\x0b"), 2},          {"mov of 1", CODE("\x88\x0b"), 1},
        {"lock and of 1", CODE("\xf0\x80\x23\xff"), 1},
    };
    unsigned int i, offset;

    for (i = 0; i < ARRAY_SIZE(list); i++)
        for (offset = 1; offset < 8; offset++)
            store_at(text("%s at byte %u", list[i].name, offset), list[i].code, list[i].len, &l1[5],
                     offset, 0x12345678000, (struct frame){.rcx = 0});
    pt_set(&l1[5], 0);
    store_at("mov across the table's end", CODE("\x48\x89\x0b"), &l1[511], 4, 0, (struct frame){0});
    pt_set(&l1[511], 0);
}

/* ---- Which entries ---- */

static void try(const char *name, uint64_t val)
{
    store(text("mov %s", name), CODE("\x48\x89\x0b"), GOOD2, (struct frame){.rcx = val});
    store(text("xchg %s", name), CODE("\x48\x87\x0b"), GOOD2, (struct frame){.rcx = val});
    store(text("lock cmpxchg %s", name), CODE("\xf0\x48\x0f\xb1\x0b"), 0,
          (struct frame){.rcx = val, .rax = 0});
}

static void entries(void)
{
    uint64_t *gdt = page_alloc(), *gone = page_alloc();
    uint64_t gdt_mfn = va_mfn(gdt);

    try("the table itself, writable", MKPTE(va_mfn(l1), PTE_RWP));
    try("the table itself, read-only", MKPTE(va_mfn(l1), PTE_ROP));
    try("its L2, writable", MKPTE(va_mfn(l2), PTE_RWP));
    try("its L2, read-only", MKPTE(va_mfn(l2), PTE_ROP));
    try("the L4, writable", MKPTE(cr3_mfn(), PTE_RWP));
    try("the user's L4, writable", MKPTE(va_mfn(user.l4), PTE_RWP));
    page_ro(gdt);
    check_eq("GDT", hypercall2(__HYPERVISOR_set_gdt, (uint64_t)&gdt_mfn, 8), 0);
    try("a GDT, writable", MKPTE(gdt_mfn, PTE_RWP));
    try("a GDT, read-only", MKPTE(gdt_mfn, PTE_ROP));
    hypercall2(__HYPERVISOR_set_gdt, 0, 0);
    try("what was a GDT, writable", MKPTE(va_mfn(page), PTE_RWP));
    try("the hypervisor, read-only", MKPTE(0x200, PTE_ROP));
    try("the hypervisor, writable", MKPTE(0x200, PTE_RWP));
    try("no memory", MKPTE(1ul << 27, PTE_RWP));
    try("beyond all addresses", MKPTE((1ul << 40) - 1, PTE_RWP));
    try("bit 51", MKPTE(va_mfn(page), PTE_RWP) | 1ul << 51);
    try("NX", GOOD | PTE_NX);
    try("PWT", GOOD | PTE_PWT);
    try("AVL", GOOD | 0xe00);
    try("kernel's", GOOD & ~PTE_US);
    try("global", GOOD | PTE_G);
    try("not present, all bits", ~1ul);
    try("not present, its own table", MKPTE(va_mfn(l1), PTE_RWP) & ~PTE_P);
    page_free(gone);
    /* By parts: each half is harmless. */
    pt_set(&l1[5], MKPTE(va_mfn(l1), PTE_ROP));
    {
        struct frame f = {.rbx = (uint64_t)&l1[5]};
        const char *s = probe(&f, CODE("\xf0\x80\x0b\x02"));

        value("made writable by a byte", "%s, RW %u", starts_with(s, "#PF") ? "#PF" : s,
              !!(l1[5] & PTE_RW));
        f = (struct frame){.rbx = (uint64_t)&l1[5]};
        s = probe(&f, CODE("\xf0\x48\x0f\xba\x2b\x01"));
        value("made writable by a bit", "%s, RW %u", starts_with(s, "#PF") ? "#PF" : s,
              !!(l1[5] & PTE_RW));
    }
    pt_set(&l1[5], 0);
}

/* The new mapping counts at once, and the old one no longer. */
static void takes_effect(void)
{
    volatile uint64_t *va = ALIAS + 5 * 512;
    struct frame f = {.rbx = (uint64_t)&l1[5], .rcx = GOOD};

    page[0] = 0x1111;
    other[0] = 0x2222;
    probe(&f, CODE("\x48\x89\x0b"));
    check_eq("mapped by mov", (int64_t)*va, 0x1111);
    f = (struct frame){.rbx = (uint64_t)&l1[5], .rcx = GOOD2};
    probe(&f, CODE("\x48\x87\x0b"));
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0);
    check_eq("changed by xchg", (int64_t)*va, 0x2222);
    f = (struct frame){.rbx = (uint64_t)&l1[5]};
    probe(&f, CODE("\xf0\x80\x23\xfd"));
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0);
    check(va_readable((void *)va) && !va_writable((void *)va), "read-only by lock and");
    f = (struct frame){.rbx = (uint64_t)&l1[5], .rcx = 0};
    probe(&f, CODE("\x48\x87\x0b"));
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0);
    check(!va_readable((void *)va), "gone by xchg");
    /* A page that a store unmapped may become a table. */
    page[0] = 0;
    page_ro(page);
    check_eq("pin what a store unmapped", table_pin(1, va_mfn(page)), 0);
    f = (struct frame){.rbx = (uint64_t)&l1[5], .rcx = GOOD};
    probe(&f, CODE("\x48\x89\x0b"));
    check_eq("and not map it writable", (int64_t)l1[5], 0);
    table_unpin(va_mfn(page));
    page_rw(page);
}

/* ---- Which tables ---- */

static void on(const char *name, uint64_t *t, uint64_t val)
{
    uint64_t before = t[9];
    struct frame f = {.rbx = (uint64_t)&t[9], .rcx = val};
    const char *s = probe(&f, CODE("\x48\x89\x0b"));

    value(text("store to %s", name), "%s, %s",
          starts_with(s, "#PF") ? text("#PF(%lx)", f.error) : s,
          t[9] == before ? "unchanged" : "changed");
    f = (struct frame){.rbx = (uint64_t)&t[9], .rcx = before};
    s = probe(&f, CODE("\x48\x87\x0b"));
    value(text("xchg of the same in %s", name), "%s", starts_with(s, "#PF") ? "#PF" : s);
    if (t[9] != before)
        pt_set(&t[9], before);
}

static void tables(void)
{
    uint64_t *pinned = table_new(), *plain = table_new(), *half = table_new();
    uint64_t *fresh = page_alloc();
    struct frame f;
    const char *s;

    on("an L1 in use", l1, GOOD);
    on("an L2 in use", l2, 0x1000);
    on("an L3 in use", l3, 0x1000);
    on("the L4 in use", (uint64_t *)start_info->pt_base, 0x1000);
    on("the user's L1", user.l1, 0x1000);
    on("the user's L4", user.l4, 0x1000);
    table_pin(1, va_mfn(pinned));
    on("a pinned L1", pinned, GOOD);
    table_unpin(va_mfn(pinned));
    on("what was a pinned L1", pinned, GOOD);
    table_pin(2, va_mfn(pinned));
    on("a pinned L2", pinned, 0x1000);
    table_unpin(va_mfn(pinned));
    on("a read-only page that is no table", plain, GOOD);
    on("another", half, 0x1000);
    on("a writable page", fresh, GOOD);
    /* From user mode, and by a user mapping. */
    pt_set(&user.l1[((USER_DATA >> 12) + 1) & 511], MKPTE(va_mfn(l1), PTE_ROP));
    f = (struct frame){.rbx = USER_DATA + 4096 + 40, .rcx = GOOD};
    s = probe_user(&user, &f, CODE("\x48\x89\x0b"));
    value("user store to an L1", "%s, %s", s, l1[5] ? "changed" : "unchanged");
    pt_set(&user.l1[((USER_DATA >> 12) + 1) & 511], 0);
    /* Through an alias in another place. */
    pt_set(&l1[6], MKPTE(va_mfn(l1), PTE_ROP));
    f = (struct frame){.rbx = (uint64_t)(ALIAS + 6 * 512 + 5), .rcx = GOOD};
    s = probe(&f, CODE("\x48\x89\x0b"));
    value("store through a read-only alias", "%s, %s", starts_with(s, "#PF") ? "#PF" : s,
          l1[5] ? "changed" : "unchanged");
    /* That very store takes the alias itself away. */
    f = (struct frame){.rbx = (uint64_t)(ALIAS + 6 * 512 + 6), .rcx = 0};
    s = probe(&f, CODE("\x48\x89\x0b"));
    value("store that takes its own mapping", "%s, %lx", starts_with(s, "#PF") ? "#PF" : s, l1[6]);
    pt_set(&l1[6], 0);
    pt_set(&l1[5], 0);
    /* The instruction's bytes through a mapping that only exists for executing. */
    f = (struct frame){.rbx = BAD_VA, .rcx = 0};
    value("store to the hypervisor", "%s", probe(&f, CODE("\x48\x89\x0b")));
    f = (struct frame){.rbx = 0xffff800000000000ul, .rcx = 0};
    value("store to the m2p", "%s", probe(&f, CODE("\x48\x89\x0b")));
    f = (struct frame){.rflags = 0x100, .rbx = (uint64_t)&l1[5], .rcx = GOOD};
    s = probe(&f, CODE("\x48\x89\x0b\x90"));
    value("store, single-stepped", "%s, %s", s, l1[5] ? "changed" : "unchanged");
    pt_set(&l1[5], 0);
}

/* Many entries in one go, as kernels do at the end of an address space. */
static void many(void)
{
    unsigned int i, bad = 0;
    uint64_t old;

    for (i = 0; i < 512; i++) {
        uint64_t val = MKPTE(va_mfn(i & 1 ? page : other), PTE_RWP);

        __asm__ volatile("movq %0, (%1)" : : "r"(val), "r"(&l1[i]) : "memory");
    }
    for (i = 0; i < 512; i++)
        bad += PTE_MFN(l1[i]) != va_mfn(i & 1 ? page : other);
    check_eq("512 entries by mov", bad, 0);
    for (i = 0, bad = 0; i < 512; i++) {
        old = 0;
        __asm__ volatile("xchgq %0, (%1)" : "+r"(old) : "r"(&l1[i]) : "memory");
        bad += PTE_MFN(old) != va_mfn(i & 1 ? page : other) || l1[i];
    }
    check_eq("512 entries by xchg", bad, 0);
    page[0] = 0;
    page_ro(page);
    check_eq("no use of the page is left over", table_pin(4, va_mfn(page)), 0);
    table_unpin(va_mfn(page));
    page_rw(page);
}

void test_main(const char *args)
{
    (void)args;
    user_init(&user);
    init();
    whole_entries();
    parts();
    offsets();
    entries();
    takes_effect();
    tables();
    many();
}
