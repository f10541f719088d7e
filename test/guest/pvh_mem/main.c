/* SPDX-License-Identifier: MIT */
/*
 * Nested-paging faults of a PVH guest: moves of all widths to and from addresses without memory,
 * also across the end of memory; memory that comes, goes and comes back, by the guest's own calls
 * and by dom0's; the shared page; devices' addresses a PC would have.
 */
#include "pvh.h"

#define HOLE (PVH_HOLE << 12)
#define GFN  1600ul
#define PAGE (GFN << 12)

static volatile uint64_t *const page = (volatile uint64_t *)PAGE;

struct move {
    const char *name, *code;
    unsigned int len;
    enum pvh_mode mode;
};

static const struct move moves[] = {
    {"mov al, [rbx]", CODE("\x8a\x03"), KERNEL64},
    {"mov ah, [rbx]", CODE("\x8a\x23"), KERNEL64},
    {"mov ax, [rbx]", CODE("\x66\x8b\x03"), KERNEL64},
    {"mov eax, [rbx]", CODE("\x8b\x03"), KERNEL64},
    {"mov rax, [rbx]", CODE("\x48\x8b\x03"), KERNEL64},
    {"mov r9d, [rbx]", CODE("\x44\x8b\x0b"), KERNEL64},
    {"movzx eax, byte [rbx]", CODE("\x0f\xb6\x03"), KERNEL64},
    {"movzx eax, word [rbx]", CODE("\x0f\xb7\x03"), KERNEL64},
    {"movzx rax, byte [rbx]", CODE("\x48\x0f\xb6\x03"), KERNEL64},
    {"mov [rbx], al", CODE("\x88\x03"), KERNEL64},
    {"mov [rbx], ax", CODE("\x66\x89\x03"), KERNEL64},
    {"mov [rbx], eax", CODE("\x89\x03"), KERNEL64},
    {"mov [rbx], rax", CODE("\x48\x89\x03"), KERNEL64},
    {"mov dword [rbx], 5", CODE("\xc7\x03\x05\x00\x00\x00"), KERNEL64},
    {"mov byte [rbx], 5", CODE("\xc6\x03\x05"), KERNEL64},
    {"xchg [rbx], eax", CODE("\x87\x03"), KERNEL64},
    {"mov eax, [rbx] in user mode", CODE("\x8b\x03"), USER64},
    {"mov [rbx], eax in user mode", CODE("\x89\x03"), USER64},
    {"mov eax, [ebx] in 32-bit code", CODE("\x8b\x03"), KERNEL32},
    {"mov [ebx], eax in 32-bit code", CODE("\x89\x03"), KERNEL32},
    {"mov eax, [rbx + rcx * 4 + 8]", CODE("\x8b\x44\x8b\x08"), KERNEL64},
    {"mov eax, [moffs]", CODE("\xa1\x00\x00\x60\x00\x00\x00\x00\x00"), KERNEL64},
    {"mov [moffs], eax", CODE("\xa3\x00\x00\x60\x00\x00\x00\x00\x00"), KERNEL64},
    {"mov eax, fs:[rbx]", CODE("\x64\x8b\x03"), KERNEL64},
};

static void one(const char *where, const struct move *m, uint64_t rbx)
{
    struct frame f = {.rax = 0x1122334455667788, .rbx = rbx, .r9 = 0x99};
    const char *s;

    if (m->mode == KERNEL32)
        f.rax = 0x55667788;
    s = pvh_probe(m->mode, &f, m->code, m->len);
    value(text("%s: %s", where, m->name), "%s, rax %lx r9 %lx", s, f.rax, f.r9);
}

static void holes(void)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(moves); i++)
        one("a hole", &moves[i], HOLE);
}

/* Addresses where a PC has something. */
static void devices(void)
{
    static const struct {
        const char *name;
        uint64_t at;
    } list[] = {
        {"the IO-APIC", 0xfec00000},     {"the HPET", 0xfed00000},        {"the TPM", 0xfed40000},
        {"the BIOS", 0xfffffff0},        {"behind the APIC", 0xfee01000}, {"MMCONFIG", 0xe0000000},
        {"behind RAM", PVH_PAGES << 12},
    };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        one(list[i].name, &moves[3], list[i].at);
        one(list[i].name, &moves[11], list[i].at);
    }
    *(volatile uint32_t *)0xa0000 = 0x12345678;
    value("video memory is", "%x", *(volatile uint32_t *)0xa0000);
}

static long reservation(unsigned int cmd, uint64_t gfn)
{
    uint64_t frame = gfn;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, &frame);
    return hypercall2(__HYPERVISOR_memory_op, cmd, (uint64_t)&r);
}

static void by_guest(void)
{
    uint32_t i;

    *page = 0x1234;
    value_rc("a page given back", reservation(XENMEM_decrease_reservation, GFN));
    check_eq("reads ones", (int64_t)*page, -1);
    *page = 1;
    check_eq("a write goes nowhere", (int64_t)*page, -1);
    value_rc("given back again", reservation(XENMEM_decrease_reservation, GFN));
    value_rc("taken", reservation(XENMEM_populate_physmap, GFN));
    check_eq("empty", (int64_t)*page, 0);
    *page = 0x5678;
    check_eq("memory", (int64_t)*page, 0x5678);
    value_rc("taken where there is one", reservation(XENMEM_populate_physmap, GFN));
    value("what is there then", "%lx", *page);
    /* Many times: no translation may stay behind. */
    for (i = 0; i < 50; i++) {
        *page = i;
        reservation(XENMEM_decrease_reservation, GFN);
        if (*page != ~0ul || reservation(XENMEM_populate_physmap, GFN) != 1 || *page != 0)
            break;
    }
    check_eq("fifty times", i, 50);
    /* In the middle of what may be one large page. */
    check_eq("its neighbours are as before", (int64_t)page[-8] | (int64_t)page[512], 0);
}

static void by_dom0(void)
{
    *page = 0x77;
    value_rc("removed by dom0", pvh_ask(PVH_ASK_REMOVE, GFN));
    check_eq("then reads ones", (int64_t)*page, -1);
    value_rc("added by dom0", pvh_ask(PVH_ASK_ADD, GFN));
    check_eq("then empty", (int64_t)*page, 0);
    *page = 0x99;
    check_eq("then memory", (int64_t)*page, 0x99);
    value_rc("added to the hole by dom0", pvh_ask(PVH_ASK_ADD, PVH_HOLE));
    *(volatile uint64_t *)HOLE = 5;
    check_eq("the hole is memory", (int64_t) * (volatile uint64_t *)HOLE, 5);
    value_rc("removed from the hole by dom0", pvh_ask(PVH_ASK_REMOVE, PVH_HOLE));
    check_eq("the hole is one again", (int64_t) * (volatile uint64_t *)HOLE, -1);
}

static long add(unsigned int space, uint64_t idx, uint64_t gfn)
{
    struct xen_add_to_physmap a = {
        .domid = DOMID_SELF, .space = (uint16_t)space, .idx = idx, .gpfn = gfn};

    return hypercall2(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&a);
}

static long rid(uint64_t gfn)
{
    struct xen_remove_from_physmap r = {.domid = DOMID_SELF, .gpfn = gfn};

    return hypercall2(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (uint64_t)&r);
}

static void special(void)
{
    volatile uint32_t *grants = (volatile uint32_t *)((PVH_HOLE + 1) << 12);

    value_rc("shared_info over memory", add(XENMAPSPACE_shared_info, 0, GFN));
    value("shared_info: version of the time", "%s",
          ((volatile struct shared_info *)PAGE)->vcpu_info[0].time.tsc_to_system_mul ? "there"
                                                                                     : "missing");
    value_rc("shared_info twice", add(XENMAPSPACE_shared_info, 0, PVH_HOLE));
    value("where it was first", "%s", *page == ~0ul ? "nothing" : "something");
    value_rc("removed", rid(PVH_HOLE));
    value_rc("removed again", rid(PVH_HOLE));
    value_rc("a grant table's frame", add(XENMAPSPACE_grant_table, 0, PVH_HOLE + 1));
    grants[0] = 0;
    value("it is written", "%x", grants[0]);
    value_rc("frame 99 of the grant table", add(XENMAPSPACE_grant_table, 99, PVH_HOLE));
    value_rc("another guest frame", add(XENMAPSPACE_gmfn, GFN + 1, PVH_HOLE));
    value_rc("space 9", add(9, 0, PVH_HOLE));
    value_rc("to a frame beyond all", add(XENMAPSPACE_shared_info, 0, 1ul << 40));
    value_rc("removed beyond all", rid(1ul << 40));
}

void test_main(const char *args)
{
    (void)args;
    pvh_round("memory", true);
    holes();
    devices();
    by_guest();
    by_dom0();
    special();
}
