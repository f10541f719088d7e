/* SPDX-License-Identifier: MIT */
/*
 * The micro dom0 of a PVH test: builds a domain around the embedded kernel by the tools' own calls,
 * starts it as they do, prints what it says, does what it asks for, and records how it ended. Then
 * the same again while the kernel has more rounds.
 */
#include "box.h"
#include "domu.h"

#include <xen/hvm/params.h>
#include <xen/hvm/save.h>
#include <xen/arch-x86/hvm/start_info.h>

#define SECONDS 10ul
#define TSC_NATIVE 2

extern const char payload[], payload_end[];
__asm__(".pushsection .rodata\n"
        "payload:\n.incbin " PAYLOAD "\npayload_end:\n"
        ".popsection");

static struct xen_domctl op;
static struct domu guest;
static volatile struct pvh_box *box;

static void call(unsigned int cmd, const char *what)
{
    long rc;

    op.domain = (domid_t)guest.id;
    rc = domctl(cmd, &op);
    if (rc != 0)
        error("%s: %ld", what, rc);
}

static void create(void)
{
    memset(&op, 0, sizeof(op));
    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    op.u.createdomain.arch.emulation_flags = XEN_X86_EMU_LAPIC;
    op.u.createdomain.max_vcpus = 2;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    guest.id = 0;
    call(XEN_DOMCTL_createdomain, "createdomain");
    guest.id = op.domain;
    memset(&op.u, 0, sizeof(op.u));
    op.u.max_vcpus.max = 2;
    call(XEN_DOMCTL_max_vcpus, "max_vcpus");
    op.u.max_mem.max_memkb = (PVH_PAGES + 64) * 4;
    call(XEN_DOMCTL_max_mem, "max_mem");
    memset(&op.u, 0, sizeof(op.u));
    op.u.tsc_info.tsc_mode = TSC_NATIVE;
    call(XEN_DOMCTL_settscinfo, "settscinfo");
}

static void populate(uint64_t first, uint64_t count)
{
    static uint64_t list[PVH_PAGES];
    struct xen_memory_reservation r = {.nr_extents = count, .domid = (domid_t)guest.id};
    uint64_t i;

    for (i = 0; i < count; i++)
        list[i] = first + i;
    set_xen_guest_handle(r.extent_start, list);
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r) != (long)count)
        error("no memory for the guest");
}

static void load(void)
{
    const char *from;
    uint64_t gfn;
    size_t n;
    void *page;

    for (from = payload, gfn = PVH_LOAD >> 12; from < payload_end; from += PAGE_SIZE, gfn++) {
        n = (size_t)(payload_end - from);
        page = domu_map(guest.id, gfn);
        memcpy(page, from, n < PAGE_SIZE ? n : PAGE_SIZE);
        domu_unmap(page);
    }
}

static void fill_info(const char *args, uint32_t round)
{
    struct hvm_start_info *info = domu_map(guest.id, PVH_INFO >> 12);
    struct hvm_memmap_table_entry *map = (void *)(info + 1);

    *info = (struct hvm_start_info){.magic = XEN_HVM_START_MAGIC_VALUE,
                                    .version = 1,
                                    .memmap_paddr = PVH_INFO + sizeof(*info),
                                    .memmap_entries = 1};
    *map = (struct hvm_memmap_table_entry){.size = PVH_PAGES << 12, .type = 1};
    domu_unmap(info);
    box = domu_map(guest.id, PVH_BOX >> 12);
    box->round = round;
    box->seconds = SECONDS;
    memcpy((void *)box->args, args, strlen(args) + 1);
    memcpy((void *)box->name, "the test", 9);
}

/* The state the tools start a kernel in: 32-bit protected mode, flat, start info in ebx. */
static void start_state(void)
{
    static uint8_t old[65536];
    static struct {
        struct hvm_save_descriptor header_d;
        struct hvm_save_header header;
        struct hvm_save_descriptor cpu_d;
        struct hvm_hw_cpu cpu;
        struct hvm_save_descriptor end_d;
    } __attribute__((packed)) ctx;

    memset(&op.u, 0, sizeof(op.u));
    op.u.hvmcontext.size = sizeof(old);
    set_xen_guest_handle(op.u.hvmcontext.buffer, old);
    call(XEN_DOMCTL_gethvmcontext, "gethvmcontext");
    memset(&ctx, 0, sizeof(ctx));
    memcpy(&ctx, old, sizeof(ctx.header_d) + sizeof(ctx.header));
    ctx.cpu_d = (struct hvm_save_descriptor){HVM_SAVE_CODE(CPU), 0, sizeof(ctx.cpu)};
    ctx.cpu.cs_limit = ctx.cpu.ds_limit = ctx.cpu.es_limit = ctx.cpu.ss_limit = ~0u;
    ctx.cpu.cs_arbytes = 0xc9b;
    ctx.cpu.ds_arbytes = ctx.cpu.es_arbytes = ctx.cpu.ss_arbytes = 0xc93;
    ctx.cpu.tr_limit = 0x67;
    ctx.cpu.tr_arbytes = 0x8b;
    ctx.cpu.cr0 = 0x11;
    ctx.cpu.dr6 = 0xffff0ff0;
    ctx.cpu.dr7 = 0x400;
    ctx.cpu.rflags = 2;
    ctx.cpu.rip = PVH_LOAD;
    ctx.cpu.rbx = PVH_INFO;
    ctx.end_d.typecode = HVM_SAVE_CODE(END);
    memset(&op.u, 0, sizeof(op.u));
    op.u.hvmcontext.size = sizeof(ctx);
    set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t *)&ctx);
    call(XEN_DOMCTL_sethvmcontext, "sethvmcontext");
}

/* ---- While it runs ---- */

static void drain(void)
{
    static char line[320];
    static unsigned int at;

    while (box->tail != box->head) {
        char c = box->text[box->tail % sizeof(box->text)];

        barrier();
        box->tail++;
        if (c == '\n' || at == sizeof(line) - 1) {
            line[at] = '\0';
            relay(line);
            at = 0;
        } else {
            line[at++] = c;
        }
    }
}

static int64_t physmap(bool add, uint32_t gfn)
{
    struct xen_remove_from_physmap r = {.domid = (domid_t)guest.id, .gpfn = gfn};

    if (!add)
        return hypercall2(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (uint64_t)&r);
    populate(gfn, 1);
    return 0;
}

/* Sends an event to a port the guest has left for us. */
static int64_t send(uint32_t port)
{
    int ours = evtchn_interdomain(guest.id, port);
    long rc;

    if (ours < 0)
        return ours;
    rc = evtchn_send((uint32_t)ours);
    evtchn_close((uint32_t)ours);
    return rc;
}

static void answer(void)
{
    switch (box->ask) {
    case PVH_ASK_NONE:
        return;
    case PVH_ASK_SEND:
        box->result = send(box->arg);
        break;
    case PVH_ASK_ADD:
    case PVH_ASK_REMOVE:
        box->result = physmap(box->ask == PVH_ASK_ADD, box->arg);
        break;
    default:
        box->result = -38;
        break;
    }
    barrier();
    box->ask = PVH_ASK_NONE;
}

static void nap(uint64_t ns)
{
    struct sched_poll poll = {.timeout = now() + ns};

    sched_op(SCHEDOP_poll, &poll);
}

static void report_hang(void)
{
    static struct vcpu_guest_context c;

    call(XEN_DOMCTL_pausedomain, "pausedomain");
    memset(&op.u, 0, sizeof(op.u));
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &c);
    call(XEN_DOMCTL_getvcpucontext, "getvcpucontext");
    value(text("end of %s", (char *)box->name), "none");
    note("rip %lx flags %lx rsp %lx", c.user_regs.rip, c.user_regs.rflags, c.user_regs.rsp);
}

static const char *end_name(uint32_t flags)
{
    static const char *const names[] = {"poweroff", "reboot",   "suspend",
                                        "crash",    "watchdog", "soft reset"};
    uint32_t code = flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    return code < ARRAY_SIZE(names) ? names[code] : text("code %u", code);
}

static bool run(const char *args, uint32_t round)
{
    uint64_t begin = now();
    bool again, over = false;
    long flags;

    create();
    populate(0, PVH_HOLE);
    populate(PVH_HOLE + 2, PVH_PAGES - PVH_HOLE - 2);
    load();
    fill_info(args, round);
    start_state();
    domu_run(&guest);
    do {
        nap(300000);
        flags = domu_flags(&guest);
        over = flags < 0 || flags & XEN_DOMINF_shutdown;
        drain();
        answer();
    } while (!over && now() < begin + box->seconds * 1000000000ul);
    if (over)
        value(text("end of %s", (char *)box->name), "%s", end_name((uint32_t)flags));
    else
        report_hang();
    again = box->again;
    domu_unmap((void *)box);
    guest.box = NULL;
    if (domu_destroy(&guest) != 0)
        check(false, "domain destroyed");
    return again;
}

void test_main(const char *args)
{
    uint32_t round = 0;

    while (run(args, round))
        round++;
}
