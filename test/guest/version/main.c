/* SPDX-License-Identifier: MIT */
/*
 * xen_version, each sub-operation with every kind of bad pointer and with a buffer that just fits
 * or just does not; vm_assist, each type, and what the assists do.
 */
#include "guest.h"

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0x5ead00000000ul)     /* mapped by nobody */
#define CROOKED ((void *)0x900000000000ul)     /* not canonical */

static long version(unsigned long cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, (uint64_t)arg);
}

/* Several lengths end exactly at a hole: the smallest that is taken is the operation's size. */
static void sizes(void)
{
    uint8_t *page = page_alloc(), *hole = page_alloc();
    unsigned int cmd, n;

    if (hole != page + PAGE_SIZE || page_unmap(hole) != 0)
        error("no hole behind a page");
    for (cmd = 1; cmd < 12; cmd++) {
        if (cmd == XENVER_pagesize || cmd == XENVER_build_id)
            continue;
        for (n = 0; n <= 1200; n += n < 200 ? 4 : 8) {
            memset(page, 0, PAGE_SIZE);
            if (version(cmd, hole - n) == 0)
                break;
        }
        value(text("version %u, bytes it takes", cmd), "%u", n > 1200 ? 0 : n);
    }
    page_rw(hole);
}

static void pointers(void)
{
    uint8_t *ro = page_alloc();
    unsigned int cmd;

    check_eq("a read-only page", page_ro(ro), 0);
    for (cmd = 0; cmd < 16; cmd++) {
        /* Of the image's identity: with an argument its answer is the image's. */
        if (cmd == XENVER_build_id)
            continue;
        value_rc(text("version %u, no argument", cmd), version(cmd, NULL));
        value_rc(text("version %u, argument in the hypervisor", cmd), version(cmd, BAD_VA));
        value_rc(text("version %u, argument before it", cmd), version(cmd, BAD_VA - 8));
        value_rc(text("version %u, unmapped argument", cmd), version(cmd, NOWHERE));
        value_rc(text("version %u, crooked argument", cmd), version(cmd, CROOKED));
        value_rc(text("version %u, read-only argument", cmd), version(cmd, ro));
        value_rc(text("version %u, argument at the end", cmd), version(cmd, (void *)-1ul));
    }
    value_rc("version, high half", version(1ul << 32 | XENVER_version, NULL));
    value_rc("version 2^31", version(1ul << 31, NULL));
    page_rw(ro);
}

static bool printable(const char *s, size_t size)
{
    size_t i;

    for (i = 0; i < size && s[i]; i++)
        if ((s[i] < ' ' && s[i] != '\n') || s[i] > '~')
            return false;
    return i < size;
}

static void contents(void)
{
    static char buf[1100];
    static const unsigned int texts[] = {XENVER_extraversion, XENVER_changeset, XENVER_capabilities,
                                         XENVER_commandline};
    static const unsigned int size[] = {16, 64, 1024, 1024};
    struct xen_feature_info fi;
    unsigned int i, n;

    for (i = 0; i < ARRAY_SIZE(texts); i++) {
        memset(buf, 'x', sizeof(buf));
        check_eq(text("text %u", texts[i]), version(texts[i], buf), 0);
        check(printable(buf, size[i]), "text %u ends and can be printed", texts[i]);
        for (n = size[i]; n < sizeof(buf) && buf[n] == 'x'; n++)
            ;
        check_eq(text("text %u, nothing behind it", texts[i]), n, sizeof(buf));
    }
    version(XENVER_capabilities, buf);
    check(starts_with(buf, "xen-3.0-x86_64 "), "64-bit PV is among the capabilities");
    memset(buf, 'x', sizeof(buf));
    version(XENVER_commandline, buf);
    note("command line: %s", buf);
    for (i = 0; i < 4; i++) {
        fi = (struct xen_feature_info){.submap_idx = i, .submap = 0x12345678};
        value_rc(text("features %u", i), version(XENVER_get_features, &fi));
        value(text("feature bits %u", i), "%x", fi.submap);
    }
    memset(buf, 'x', sizeof(buf));
    version(XENVER_guest_handle, buf);
    for (n = 0; n < 16 && buf[n] == 0; n++)
        ;
    value("handle, zero bytes", "%u", n);
    value("handle, the byte behind it", "%c", buf[16]);
}

static long assist(unsigned long cmd, unsigned long type)
{
    return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

/* Does a store to a table's entry through a read-only mapping succeed? */
static int store(uint64_t *entry, uint64_t val)
{
    fault_take();
    __asm__ volatile(EX("movq %0, (%1)") : : "r"(val), "r"(entry) : "memory");
    return fault_take();
}

static void assists(void)
{
    void *page = page_alloc();
    uint64_t *entry = (uint64_t *)pte_at(page, 1), pte = pte_get(page);
    static const unsigned int types[] = {
        VMASST_TYPE_4gb_segments, VMASST_TYPE_4gb_segments_notify, VMASST_TYPE_writable_pagetables,
        VMASST_TYPE_pae_extended_cr3, VMASST_TYPE_runstate_update_flag};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        value_rc(text("disable %u first", types[i]), assist(VMASST_CMD_disable, types[i]));
        value_rc(text("enable %u", types[i]), assist(VMASST_CMD_enable, types[i]));
        value_rc(text("enable %u again", types[i]), assist(VMASST_CMD_enable, types[i]));
        value_rc(text("enable %u, high half", types[i]),
                 assist(VMASST_CMD_enable, 1ul << 32 | types[i]));
        value_rc(text("enable %u, high half of the command", types[i]),
                 assist(1ul << 32 | VMASST_CMD_enable, types[i]));
        value_rc(text("command 7 of %u", types[i]), assist(7, types[i]));
        value_rc(text("disable %u", types[i]), assist(VMASST_CMD_disable, types[i]));
        value_rc(text("disable %u again", types[i]), assist(VMASST_CMD_disable, types[i]));
    }
    for (i = 6; i < 70; i++)
        if (i != 32) /* m2p_strict has its row in generic */
            value_rc(text("enable %u", i), assist(VMASST_CMD_enable, i));
    value("store to a page table without the assist", "%d", store(entry, pte));
    check_eq("the assist", assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    value("store to a page table with it", "%d", store(entry, pte & ~PTE_RW));
    check(!(pte_get(page) & PTE_RW), "was done");
    page_rw(page);
}

void test_main(const char *args)
{
    (void)args;
    pointers();
    sizes();
    contents();
    assists();
}
