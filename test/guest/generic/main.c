/* SPDX-License-Identifier: MIT */
/*
 * The calls every guest has: hypercall numbers, xen_version, multicall, console_io, vm_assist, the
 * set-up of the grant table.
 */
#include "guest.h"

#define BAD_VA  0xffff800000000000ul /* the hypervisor's: never a good argument */
#define NOWHERE 0xdead00000000ul     /* mapped by nobody */

static void numbers(void)
{
    /* Those that no kernel of ours may call, or that Xen does not have. */
    static const unsigned int list[] = {11, 27, 31, 38, 43,  47,   49,         55,        56,
                                        62, 63, 64, 65, 255, 1000, 0x7fffffff, 0xffffffff};
    register uint64_t rax __asm__("rax") = 0xabcd00000000ul | __HYPERVISOR_xen_version;
    uint64_t rdi = XENVER_version, rsi = 0;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++)
        value_rc(text("hypercall %u", list[i]), hypercall2(list[i], 0, 0));
    __asm__ volatile("syscall"
                     : "+r"(rax), "+D"(rdi), "+S"(rsi)
                     :
                     : "rcx", "r11", "rdx", "r8", "r9", "r10", "memory");
    value("number with a high half", "%lx", (unsigned long)rax);
}

/* ---- xen_version ---- */

static long version(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, (uint64_t)arg);
}

static bool rest_is_zero(const char *s, size_t size)
{
    size_t i;

    for (i = strlen(s); i < size; i++)
        if (s[i])
            return false;
    return true;
}

static void versions(void)
{
    static char buf[1024];
    struct xen_feature_info fi = {.submap_idx = 0};
    xen_platform_parameters_t pp = {0};
    static const unsigned int texts[] = {XENVER_extraversion, XENVER_changeset, XENVER_capabilities,
                                         XENVER_commandline};
    static const unsigned int sizes[] = {16, 64, 1024, 1024};
    unsigned int i;

    check_eq("version", version(XENVER_version, NULL), 4 << 16 | 17);
    check_eq("version, with an argument", version(XENVER_version, (void *)BAD_VA), 4 << 16 | 17);
    check_eq("pagesize", version(XENVER_pagesize, NULL), 4096);
    value_rc("pagesize, with an argument", version(XENVER_pagesize, buf));
    for (i = 0; i < ARRAY_SIZE(texts); i++) {
        memset(buf, 'x', sizeof(buf));
        check_eq(text("text %u", texts[i]), version(texts[i], buf), 0);
        check(strlen(buf) < sizes[i], "text %u ends", texts[i]);
        check(rest_is_zero(buf, sizes[i]), "text %u, the rest is zero", texts[i]);
        note("text %u: %s", texts[i], buf);
    }
    memset(buf, 'x', sizeof(buf));
    check_eq("compile_info", version(XENVER_compile_info, buf), 0);
    check(strlen(buf) && strlen(buf) < 64, "compile_info, compiler");
    check(strlen(buf + 112) < 32, "compile_info, date");
    check_eq("get_features", version(XENVER_get_features, &fi), 0);
    value("features", "%x", fi.submap);
    fi.submap_idx = 1;
    value_rc("get_features 1", version(XENVER_get_features, &fi));
    fi.submap_idx = 0xffffffff;
    value_rc("get_features -1", version(XENVER_get_features, &fi));
    check_eq("platform_parameters", version(XENVER_platform_parameters, &pp), 0);
    value("virt_start", "%lx", (unsigned long)pp.virt_start);
    check_eq("guest_handle", version(XENVER_guest_handle, buf), 0);
    for (i = 0; i < 24; i++) {
        if (i == XENVER_build_id)
            continue;
        value_rc(text("version %u without argument", i), version(i, NULL));
        value_rc(text("version %u, bad argument", i), version(i, (void *)BAD_VA));
    }
    value_rc("version -1", version(0xffffffff, NULL));
}

/* ---- multicall ---- */

static struct multicall_entry mc[600];

static long multicall(void *list, unsigned long nr)
{
    return hypercall2(__HYPERVISOR_multicall, (uint64_t)list, nr);
}

static void entry(unsigned int i, unsigned long op, uint64_t a1, uint64_t a2)
{
    memset(&mc[i], 0, sizeof(mc[i]));
    mc[i].op = op;
    mc[i].result = 0x5a5a5a5a5a5a5a5aul;
    mc[i].args[0] = a1;
    mc[i].args[1] = a2;
}

static void multicalls(void)
{
    unsigned int i, good = 0;
    uint8_t *edge;
    long rc;

    check_eq("multicall of none", multicall(mc, 0), 0);
    value_rc("multicall of none, bad list", multicall((void *)BAD_VA, 0));
    value_rc("multicall, bad list", multicall((void *)BAD_VA, 1));
    value_rc("multicall, unmapped list", multicall((void *)NOWHERE, 1));

    entry(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    entry(1, 11, 0, 0);
    entry(2, __HYPERVISOR_xen_version, 99, 0);
    entry(3, 1ul << 32 | __HYPERVISOR_xen_version, XENVER_version, 0);
    entry(4, 64, 0, 0);
    entry(5, __HYPERVISOR_xen_version, XENVER_pagesize, 0);
    check_eq("multicall of six", multicall(mc, 6), 0);
    for (i = 0; i < 6; i++)
        value(text("result %u", i), "%ld", (long)mc[i].result);
    value("entry left as it was", "%lx %lx %lx", (unsigned long)mc[0].op,
          (unsigned long)mc[0].args[0], (unsigned long)mc[0].args[1]);

    entry(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    entry(1, __HYPERVISOR_multicall, (uint64_t)&mc[10], 1);
    entry(2, __HYPERVISOR_xen_version, XENVER_version, 0);
    entry(10, __HYPERVISOR_xen_version, XENVER_version, 0);
    rc = multicall(mc, 3);
    value_rc("multicall in a multicall", rc);
    value("nested: results", "%lx %lx %lx", (unsigned long)mc[1].result,
          (unsigned long)mc[2].result, (unsigned long)mc[10].result);

    for (i = 0; i < ARRAY_SIZE(mc); i++)
        entry(i, __HYPERVISOR_xen_version, XENVER_version, 0);
    check_eq("multicall of 600", multicall(mc, ARRAY_SIZE(mc)), 0);
    for (i = 0; i < ARRAY_SIZE(mc); i++)
        good += mc[i].result == (4 << 16 | 17);
    check_eq("600 results", good, 600);

    /* The list runs from a mapped page into one that is not there. */
    edge = page_alloc();
    if (va_mfn(edge) && page_unmap(page_alloc()) == 0) {
        struct multicall_entry *e = (void *)(edge + PAGE_SIZE - 2 * sizeof(*e));

        memset(e, 0, 2 * sizeof(*e));
        e[0].op = e[1].op = __HYPERVISOR_xen_version;
        value_rc("multicall off the end", multicall(e, 3));
        value("results before the end", "%lx %lx", (unsigned long)e[0].result,
              (unsigned long)e[1].result);
    }
    /* A list that cannot be written: the call happens, its result is lost. */
    entry(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    edge = page_alloc();
    memcpy(edge, mc, sizeof(mc[0]));
    check_eq("list page read-only", page_ro(edge), 0);
    value_rc("multicall, read-only list", multicall(edge, 1));
}

/* ---- console_io, vm_assist ---- */

static long console_io(unsigned int cmd, unsigned long n, const void *buf)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, n, (uint64_t)buf);
}

static void console(void)
{
    static char line[4000];
    char buf[16];
    unsigned int i;

    for (i = 0; i < sizeof(line); i++)
        line[i] = i % 80 == 79 ? '\n' : '.';
    check_eq("console_io write", console_io(CONSOLEIO_write, 9, "# hello\n\n"), 0);
    check_eq("console_io write, long", console_io(CONSOLEIO_write, sizeof(line), line), 0);
    check_eq("console_io write nothing", console_io(CONSOLEIO_write, 0, NULL), 0);
    value_rc("console_io write, bad buffer", console_io(CONSOLEIO_write, 4, (void *)BAD_VA));
    value_rc("console_io write, unmapped", console_io(CONSOLEIO_write, 4, (void *)NOWHERE));
    value_rc("console_io write, 2 GiB", console_io(CONSOLEIO_write, 1ul << 31, (void *)NOWHERE));
    value_rc("console_io write, 4 GiB", console_io(CONSOLEIO_write, 1ul << 32, (void *)NOWHERE));
    check_eq("console_io read", console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
    value_rc("console_io read, bad buffer", console_io(CONSOLEIO_read, 4, (void *)BAD_VA));
    value_rc("console_io 2", console_io(2, 0, NULL));
    value_rc("console_io -1", console_io(0xffffffff, 0, NULL));
}

static void assists(void)
{
    unsigned int i;

    for (i = 0; i < 40; i++) {
        value_rc(text("vm_assist enable %u", i), hypercall2(__HYPERVISOR_vm_assist, 0, i));
        value_rc(text("vm_assist disable %u", i), hypercall2(__HYPERVISOR_vm_assist, 1, i));
    }
    value_rc("vm_assist 64", hypercall2(__HYPERVISOR_vm_assist, 0, 64));
    value_rc("vm_assist -1", hypercall2(__HYPERVISOR_vm_assist, 0, 0xffffffff));
    value_rc("vm_assist command 2", hypercall2(__HYPERVISOR_vm_assist, 2, 2));
    value_rc("vm_assist command -1", hypercall2(__HYPERVISOR_vm_assist, 0xffffffff, 2));
}

/* ---- grant_table_op, a domain's own table ---- */

static long grant(unsigned int cmd, void *arg, unsigned int nr)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, nr);
}

static void grant_size(const char *name, unsigned int dom)
{
    struct gnttab_query_size q = {.dom = (domid_t)dom, .status = 77};
    long rc = grant(GNTTABOP_query_size, &q, 1);

    value(name, "%ld, status %d", rc, q.status);
    if (!rc && !q.status)
        note("%u frames of %u", q.nr_frames, q.max_nr_frames);
}

static void grant_frames(void)
{
    static uint64_t list[64];
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 4};
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    void *page = page_alloc();
    unsigned int i;
    bool distinct = true;

    set_xen_guest_handle(s.frame_list, list);
    check_eq("setup_table", grant(GNTTABOP_setup_table, &s, 1), 0);
    check_eq("setup_table, status", s.status, 0);
    for (i = 0; i < 4; i++)
        distinct = distinct && list[i] && (!i || list[i] != list[i - 1]);
    check(distinct, "setup_table gives frames");
    check_eq("query_size", grant(GNTTABOP_query_size, &q, 1), 0);
    check(q.nr_frames >= 4, "the table has grown");
    check_eq("map a frame", va_set(page, MKPTE(list[0], PTE_RWP), UVMF_INVLPG), 0);
    check(va_writable(page), "a frame can be written");
    check_eq("it is all zero", (int64_t)((uint64_t *)page)[100], 0);
    value_rc("a frame as a page table", table_pin(1, list[1]));
    i = (unsigned int)list[0];
    s.nr_frames = 2;
    check_eq("setup_table again", grant(GNTTABOP_setup_table, &s, 1), 0);
    check_eq("the same frames", (int64_t)list[0], i);
    s.nr_frames = 100000;
    s.status = 77;
    value_rc("setup_table, too many", grant(GNTTABOP_setup_table, &s, 1));
    value("setup_table, too many, status", "%d", s.status);
    s.nr_frames = 1;
    s.dom = 1;
    value_rc("setup_table of nobody", grant(GNTTABOP_setup_table, &s, 1));
    value("setup_table of nobody, status", "%d", s.status);
    s.dom = DOMID_SELF;
    set_xen_guest_handle(s.frame_list, (uint64_t *)NOWHERE);
    value_rc("setup_table, bad list", grant(GNTTABOP_setup_table, &s, 1));
    value("setup_table, bad list, status", "%d", s.status);
    value_rc("setup_table of none", grant(GNTTABOP_setup_table, &s, 0));
    value_rc("setup_table of two", grant(GNTTABOP_setup_table, &s, 2));
}

static void grant_versions(void)
{
    struct gnttab_set_version v = {.version = 1};
    struct gnttab_get_version g = {.dom = DOMID_SELF};
    static const unsigned int bad[] = {0, 3, 0xffffffff};
    unsigned int i;

    check_eq("set_version 1", grant(GNTTABOP_set_version, &v, 1), 0);
    check_eq("version set", v.version, 1);
    check_eq("get_version", grant(GNTTABOP_get_version, &g, 1), 0);
    check_eq("version got", g.version, 1);
    g.dom = 1;
    value_rc("get_version of nobody", grant(GNTTABOP_get_version, &g, 1));
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        v.version = bad[i];
        value_rc(text("set_version %x", bad[i]), grant(GNTTABOP_set_version, &v, 1));
        value(text("version after %x", bad[i]), "%x", v.version);
    }
}

static void grants(void)
{
    unsigned int i;

    grant_size("query_size of self", DOMID_SELF);
    grant_size("query_size of 0", 0);
    grant_size("query_size of nobody", 1);
    grant_size("query_size of DOMID_IO", DOMID_IO);
    grant_frames();
    grant_versions();
    for (i = 0; i < 20; i++) {
        value_rc(text("grant op %u of none", i), grant(i, NULL, 0));
        if (i == GNTTABOP_dump_table)
            continue;
        value_rc(text("grant op %u, bad argument", i), grant(i, (void *)BAD_VA, 1));
    }
    value_rc("grant op, count -1", grant(GNTTABOP_copy, (void *)BAD_VA, 0xffffffff));
}

void test_main(const char *args)
{
    (void)args;
    numbers();
    versions();
    multicalls();
    console();
    assists();
    grants();
}
