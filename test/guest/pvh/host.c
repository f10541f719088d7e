/* SPDX-License-Identifier: MIT */
/*
 * The micro dom0 of a PVH test: builds a domain around the embedded kernel by the tools' own calls,
 * starts it as they do, prints what it says, does what it asks for, and records how it ended. Then
 * the same again while the kernel has more rounds.
 */
#include "box.h"
#include "dom.h"

#include <xen/arch-x86/hvm/start_info.h>

#define SECONDS 10ul

extern const char payload[], payload_end[];
__asm__(".pushsection .rodata\n"
        "payload:\n.incbin " PAYLOAD "\npayload_end:\n"
        ".popsection");

static struct domu guest;
static volatile struct pvh_box *box;

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
    pvh_populate(guest.id, gfn, 1);
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

/* Pauses it so many times, and lets it go on for up to 100 us in between. */
static int64_t pauses(uint32_t n)
{
    static struct xen_domctl op;
    uint64_t until;

    for (; n > 0; n--) {
        pvh_domctl(guest.id, XEN_DOMCTL_pausedomain, &op, "pausedomain");
        pvh_domctl(guest.id, XEN_DOMCTL_unpausedomain, &op, "unpausedomain");
        for (until = now() + n * 37 % 100 * 1000; now() < until;)
            barrier();
    }
    return 0;
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
    case PVH_ASK_PAUSE:
        box->result = pauses(box->arg);
        break;
    default:
        box->result = -38;
        break;
    }
    barrier();
    box->ask = PVH_ASK_NONE;
}

static void report_hang(void)
{
    static struct vcpu_guest_context c;
    static struct xen_domctl op;

    pvh_domctl(guest.id, XEN_DOMCTL_pausedomain, &op, "pausedomain");
    memset(&op.u, 0, sizeof(op.u));
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &c);
    pvh_domctl(guest.id, XEN_DOMCTL_getvcpucontext, &op, "getvcpucontext");
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

    guest.id = pvh_create(2, PVH_PAGES);
    pvh_populate(guest.id, 0, PVH_HOLE);
    pvh_populate(guest.id, PVH_HOLE + 2, PVH_PAGES - PVH_HOLE - 2);
    pvh_load(guest.id, PVH_LOAD, payload, (size_t)(payload_end - payload));
    fill_info(args, round);
    pvh_start_state(guest.id, PVH_LOAD, PVH_INFO);
    domu_run(&guest);
    do {
        pvh_nap(300000);
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
