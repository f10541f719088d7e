/* SPDX-License-Identifier: MIT */
/*
 * What an ordinary domain may not do: a second domain is made here, and each hypercall, each
 * operation on another domain and on the host is tried from inside it. Then its ends: whatever it
 * does to itself, we go on.
 */
#include "domu.h"

#include <xen/platform.h>
#include <xen/sysctl.h>

#define MIN_SIZE(a, b) ((a) < (b) ? (a) : (b))

static struct domu u;

static long call(unsigned int nr, uint64_t a1, uint64_t a2)
{
    return domu_call(&u, nr, a1, a2, 0, 0);
}

/* With a structure in the box. */
static long call_with(unsigned int nr, uint64_t a1, const void *arg, size_t size)
{
    memset((void *)u.box->data, 0, sizeof(u.box->data));
    memcpy((void *)u.box->data, arg, size);
    return domu_call(&u, nr, a1, DOMU_BOX(data), 1, 0);
}

/* ---- Calls by the list: a multicall of its ---- */

static char names[DOMU_CALLS_MAX][64];
static unsigned int queued;
static size_t used;

static void flush(void)
{
    unsigned int i;
    long rc = queued ? domu_call(&u, __HYPERVISOR_multicall, DOMU_LIST, queued, 0, 0) : 0;

    for (i = 0; i < queued; i++)
        value_rc(names[i], rc ? rc : (long)u.list[i].result);
    queued = 0;
    used = 0;
}

static void queue(const char *name, unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3,
                  uint64_t a4)
{
    struct multicall_entry *e = &u.list[queued];

    memset(e, 0, sizeof(*e));
    e->op = nr;
    e->args[0] = a1;
    e->args[1] = a2;
    e->args[2] = a3;
    e->args[3] = a4;
    memcpy(names[queued], name, MIN_SIZE(strlen(name) + 1, sizeof(names[0])));
    if (++queued == DOMU_CALLS_MAX)
        flush();
}

/* Room for an argument of at least that size; nobody looks at what is behind it. */
static uint64_t data(const void *arg, size_t size)
{
    uint64_t at;

    if (used + size > sizeof(u.box->data))
        flush();
    memcpy((void *)(u.box->data + used), arg, size);
    at = DOMU_BOX(data) + used;
    used += (size + 7) & ~7ul;
    return at;
}

static void numbers(void)
{
    unsigned int nr;

    for (nr = 0; nr < 64; nr++) {
        /* Those that return elsewhere, wait, or have lists of their own. */
        if (nr == __HYPERVISOR_iret || nr == __HYPERVISOR_sched_op_compat)
            continue;
        queue(text("call %u, zeros", nr), nr, 0, 0, 0, DOMID_SELF);
    }
    flush();
}

/* ---- The tools' and the control domain's ---- */

static void tools(void)
{
    static struct xen_domctl d;
    static struct xen_sysctl s;
    static struct xen_platform_op p;
    unsigned int cmd;

    for (cmd = 0; cmd < 90; cmd++) {
        d.cmd = cmd;
        d.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        d.domain = cmd & 1 ? (domid_t)u.id : 0;
        queue(text("domctl %u", cmd), __HYPERVISOR_domctl, data(&d, sizeof(d)), 0, 0, 0);
    }
    for (cmd = 0; cmd < 32; cmd++) {
        s.cmd = cmd;
        s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        queue(text("sysctl %u", cmd), __HYPERVISOR_sysctl, data(&s, sizeof(s)), 0, 0, 0);
    }
    for (cmd = 16; cmd < 66; cmd++) {
        p.cmd = cmd;
        p.interface_version = XENPF_INTERFACE_VERSION;
        queue(text("platform_op %u", cmd), __HYPERVISOR_platform_op, data(&p, sizeof(p)), 0, 0, 0);
    }
    flush();
}

static void devices(void)
{
    static const uint8_t zeros[64];
    unsigned int cmd;
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct evtchn_bind_pirq bind = {.pirq = 9};
    struct physdev_set_iopl iopl = {.iopl = 1};

    for (cmd = 0; cmd < 34; cmd++)
        queue(text("physdev_op %u", cmd), __HYPERVISOR_physdev_op, cmd, data(zeros, sizeof(zeros)),
              0, 0);
    flush();
    value_rc("map a line",
             call_with(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &map, sizeof(map)));
    value_rc("bind a line",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, &bind, sizeof(bind)));
    value_rc("set_iopl",
             call_with(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl, sizeof(iopl)));
    value_rc("read the console",
             domu_call(&u, __HYPERVISOR_console_io, CONSOLEIO_read, 16, DOMU_BOX(data), 0));
    memcpy((void *)u.box->data, "# from domU\n", 12);
    value_rc("write to the console",
             domu_call(&u, __HYPERVISOR_console_io, CONSOLEIO_write, 12, DOMU_BOX(data), 0));
}

/* ---- Memory ---- */

/* An entry of its spare page's in the L1 table. */
static void map_frame(const char *name, uint64_t mfn, uint64_t flags, unsigned int dom)
{
    struct mmu_update m = {.ptr = (u.mfn[3] << 12) + 8 * 15, .val = MKPTE(mfn, flags)};

    queue(name, __HYPERVISOR_mmu_update, data(&m, sizeof(m)), 1, 0, dom);
}

static void memory(void)
{
    static const unsigned int doms[] = {0, 1, 77, DOMID_IO, DOMID_XEN, DOMID_SELF, DOMID_INVALID};
    static const unsigned int ops[] = {XENMEM_current_reservation, XENMEM_maximum_reservation,
                                       XENMEM_maximum_gpfn};
    static const uint8_t zeros[64];
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE};
    domid_t dom;
    unsigned int i, j;

    for (i = 0; i < ARRAY_SIZE(doms); i++) {
        dom = (domid_t)(doms[i] == 1 ? u.id : doms[i]);
        for (j = 0; j < ARRAY_SIZE(ops); j++)
            queue(text("memory_op %u of %x", ops[j], doms[i]), __HYPERVISOR_memory_op, ops[j],
                  data(&dom, sizeof(dom)), 0, 0);
        map_frame(text("map our frame for domain %x", doms[i]), va_mfn(u.mfn), PTE_ROP, dom);
        map_frame(text("map its frame for domain %x", doms[i]), u.mfn[15], PTE_RWP, dom);
        pin.arg1.mfn = va_mfn(u.mfn);
        queue(text("pin our frame for domain %x", doms[i]), __HYPERVISOR_mmuext_op,
              data(&pin, sizeof(pin)), 1, 0, dom);
    }
    map_frame("map the IO-APIC", 0xfec00, PTE_RWP, DOMID_SELF);
    map_frame("map the VGA hole", 0xa0, PTE_RWP, DOMID_SELF);
    map_frame("map the BIOS read-only", 0xf0, PTE_ROP, DOMID_SELF);
    map_frame("map the IO-APIC for DOMID_IO", 0xfec00, PTE_RWP, DOMID_IO);
    map_frame("map a hypervisor frame", 0x200, PTE_ROP, DOMID_SELF);
    map_frame("map its L4 writable", u.mfn[0], PTE_RWP, DOMID_SELF);
    map_frame("map its spare page uncached", u.mfn[15], PTE_RWP | PTE_PCD, DOMID_SELF);
    map_frame("map its spare page again", u.mfn[15], PTE_RWP, DOMID_SELF);
    for (i = 0; i < 32; i++)
        queue(text("memory_op %u", i), __HYPERVISOR_memory_op, i, data(zeros, sizeof(zeros)), 0, 0);
    flush();
}

/* ---- Others' events and grants, the host's state ---- */

static void others(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = 0, .remote_dom = (domid_t)u.id};
    struct evtchn_status status = {.dom = 0, .port = 1};
    struct evtchn_reset reset = {.dom = 0};
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct evtchn_bind_virq virq = {.vcpu = 0};
    struct sched_remote_shutdown remote = {.domain_id = 0, .reason = SHUTDOWN_crash};
    struct sched_pin_override pin = {.pcpu = 0};
    struct gnttab_query_size size = {.dom = 0};
    struct gnttab_setup_table setup = {.dom = 0, .nr_frames = 1};
    struct gnttab_get_version version = {.dom = 0};
    unsigned int i;

    value_rc("alloc_unbound in domain 0", call_with(__HYPERVISOR_event_channel_op,
                                                    EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc)));
    value_rc("status in domain 0",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status, sizeof(status)));
    status.dom = 77;
    value_rc("status in domain 77",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status, sizeof(status)));
    value_rc("reset of domain 0",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, &reset, sizeof(reset)));
    bind.remote_port = (uint32_t)evtchn_unbound(DOMID_SELF, 77);
    value_rc(
        "connect to a port for another",
        call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof(bind)));
    for (i = 0; i < 24; i++) {
        virq.virq = i;
        queue(text("bind virq %u", i), __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq,
              data(&virq, sizeof(virq)), 0, 0);
    }
    flush();
    value_rc("remote shutdown of domain 0",
             call_with(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, &remote, sizeof(remote)));
    value_rc("pin_override",
             call_with(__HYPERVISOR_sched_op, SCHEDOP_pin_override, &pin, sizeof(pin)));
    value_rc("get_physid",
             domu_call(&u, __HYPERVISOR_vcpu_op, VCPUOP_get_physid, 0, DOMU_BOX(data), 0));
    value_rc("query_size of domain 0",
             call_with(__HYPERVISOR_grant_table_op, GNTTABOP_query_size, &size, sizeof(size)));
    value("its status", "%d", ((struct gnttab_query_size *)u.box->data)->status);
    value_rc("setup_table of domain 0",
             call_with(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, sizeof(setup)));
    value("setup status", "%d", ((struct gnttab_setup_table *)u.box->data)->status);
    value_rc("get_version of domain 0", call_with(__HYPERVISOR_grant_table_op, GNTTABOP_get_version,
                                                  &version, sizeof(version)));
    memset((void *)u.box->data, 'x', 1100);
    value_rc("command line", call(__HYPERVISOR_xen_version, XENVER_commandline, DOMU_BOX(data)));
    value("it is", "%s", (char *)u.box->data);
    value_rc("build id", call(__HYPERVISOR_xen_version, XENVER_build_id, 0));
    memset((void *)u.box->data, 0, 8);
    value_rc("features", call(__HYPERVISOR_xen_version, XENVER_get_features, DOMU_BOX(data)));
    value("feature bits", "%x", ((struct xen_feature_info *)u.box->data)->submap);
}

/* A channel between the two, with both ends. */
static void channel(void)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = 0};
    struct evtchn_send send = {.port = 0};
    int ours = evtchn_unbound(DOMID_SELF, u.id);
    long rc;

    bind.remote_port = (uint32_t)ours;
    rc = call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof(bind));
    check_eq("it connects to our port", rc, 0);
    send.port = ((struct evtchn_bind_interdomain *)u.box->data)->local_port;
    evtchn_clear((uint32_t)ours);
    check_eq("it sends",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, sizeof(send)), 0);
    check(evtchn_pending((uint32_t)ours), "we are told");
    check_eq("we send", evtchn_send((uint32_t)ours), 0);
    check_eq("we close", evtchn_close((uint32_t)ours), 0);
    check_eq("it sends to nobody",
             call_with(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send, sizeof(send)), 0);
}

/* ---- Versions and ids of our own calls about it ---- */

static void about(void)
{
    static const unsigned int versions[] = {0, XEN_DOMCTL_INTERFACE_VERSION - 1,
                                            XEN_DOMCTL_INTERFACE_VERSION + 1, 0xffffffff};
    static struct xen_domctl d;
    static struct xen_sysctl s;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(versions); i++) {
        memset(&d, 0, sizeof(d));
        d.cmd = XEN_DOMCTL_getdomaininfo;
        d.interface_version = versions[i];
        value_rc(text("domctl, version %x", versions[i]),
                 hypercall1(__HYPERVISOR_domctl, (uint64_t)&d));
        memset(&s, 0, sizeof(s));
        s.cmd = XEN_SYSCTL_physinfo;
        s.interface_version = versions[i];
        value_rc(text("sysctl, version %x", versions[i]),
                 hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s));
    }
    value_rc("domctl without argument", hypercall1(__HYPERVISOR_domctl, 0));
    value_rc("sysctl without argument", hypercall1(__HYPERVISOR_sysctl, 0));
    memset(&d, 0, sizeof(d));
    d.domain = 77;
    value_rc("pause domain 77", domctl(XEN_DOMCTL_pausedomain, &d));
    value_rc("destroy domain 77", domctl(XEN_DOMCTL_destroydomain, &d));
    value_rc("getdomaininfo from 77", domctl(XEN_DOMCTL_getdomaininfo, &d));
    d.domain = DOMID_SELF;
    value_rc("pause ourselves", domctl(XEN_DOMCTL_pausedomain, &d));
    d.domain = 0;
    value_rc("pause domain 0", domctl(XEN_DOMCTL_pausedomain, &d));
    value_rc("destroy domain 0", domctl(XEN_DOMCTL_destroydomain, &d));
    value_rc("unpause domain 0", domctl(XEN_DOMCTL_unpausedomain, &d));
    d.domain = (domid_t)u.id;
    value_rc("unpause the running", domctl(XEN_DOMCTL_unpausedomain, &d));
    value_rc("pause it", domctl(XEN_DOMCTL_pausedomain, &d));
    value_rc("unpause it", domctl(XEN_DOMCTL_unpausedomain, &d));
    value_rc("resume the running", domctl(XEN_DOMCTL_resumedomain, &d));
}

/* ---- Its ends ---- */

static void end_of(const char *name, const void *code, size_t len)
{
    uint64_t limit = now() + 2000000000ul;
    struct domu v;
    long flags = 0;

    memset(&v, 0, sizeof(v));
    domu_create(&v, code, len);
    domu_run(&v);
    while (now() < limit && !((flags = domu_flags(&v)) & XEN_DOMINF_shutdown))
        sched_op(SCHEDOP_yield, NULL);
    value(text("end by %s", name), "%s, code %ld",
          flags & XEN_DOMINF_shutdown ? "shut down" : "still there",
          flags >> XEN_DOMINF_shutdownshift & 255);
    check_eq(text("%s: destroyed", name), domu_destroy(&v), 0);
    value_rc(text("%s: gone", name), domu_flags(&v));
}

static void ends(void)
{
    end_of("ud2", "\x0f\x0b", 2);
    end_of("int3", "\xcc", 1);
    end_of("a fault on its stack", "\x31\xe4\x0f\x0b", 4); /* xor esp,esp; ud2 */
    end_of("hlt", "\xf4", 1);
    end_of("a jump to nowhere", "\x31\xc0\xff\xe0", 4); /* xor eax,eax; jmp rax */
    end_of("iret without a frame", "\x31\xe4\xb8\x17\0\0\0\x0f\x05", 9);
    end_of("a new base pointer of 0", /* mmuext_op NEW_BASEPTR */
           "\xc7\x03\x05\0\0\0\x48\xc7\x43\x08\0\0\0\0\x48\x89\xdf\xbe\x01\0\0\0\x31\xd2"
           "\x41\xba\xf0\x7f\0\0\xb8\x1a\0\0\0\x0f\x05\x0f\x0b",
           39);
    end_of("vcpu down", "\xbf\x02\0\0\0\x31\xf6\xb8\x18\0\0\0\x0f\x05", 14);
    end_of("shutdown 0", "\xc7\x03\0\0\0\0\xbf\x02\0\0\0\x48\x89\xde\xb8\x1d\0\0\0\x0f\x05", 21);
    end_of("shutdown 3", "\xc7\x03\x03\0\0\0\xbf\x02\0\0\0\x48\x89\xde\xb8\x1d\0\0\0\x0f\x05", 21);
    end_of("shutdown 77", "\xc7\x03\x4d\0\0\0\xbf\x02\0\0\0\x48\x89\xde\xb8\x1d\0\0\0\x0f\x05", 21);
    end_of("shutdown 256", "\xc7\x03\0\x01\0\0\xbf\x02\0\0\0\x48\x89\xde\xb8\x1d\0\0\0\x0f\x05",
           21);
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    domu_create(&u, NULL, 0);
    value_rc("flags before it runs", domu_flags(&u) & 0xff);
    domu_run(&u);
    check_eq("it answers", call(__HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17);
    others();
    devices();
    tools();
    memory();
    channel();
    about();
    numbers();
    check_eq("it answers at last", call(__HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17);
    check_eq("destroyed", domu_destroy(&u), 0);
    value_rc("gone", domu_flags(&u));
    ends();
}
