/* SPDX-License-Identifier: MIT */
/*
 * Hostile control calls: each case is one request that no tool would make, against a victim domain,
 * a domain id that was used before, or dom0 itself. For each it prints
 *
 *     BAD name rc=RESULT [same|CHANGED what] reason=LAST LINE OF THE HYPERVISOR'S LOG
 *
 * "same" means: the list of domains, their pages and the free memory are what they were before.
 */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES    16
#define NO_DOMAIN 0x7000u
#define BAD_VA    0x10000ul /* nothing is mapped there */
#define NON_CANON 0x8000000000000000ul
#define HV_VA     0xffff830000000000ul /* the hypervisor's own */

/* Linux's include/uapi/xen/privcmd.h. */
struct privcmd_mmap_resource {
    domid_t dom;
    uint32_t type, id, idx;
    uint64_t num, addr;
};
#define IOCTL_PRIVCMD_MMAP_RESOURCE _IOC(_IOC_NONE, 'P', 7, sizeof(struct privcmd_mmap_resource))

static uint32_t victim, stale;
static xen_pfn_t frames[FRAMES], list[FRAMES];
static struct xen_domctl dc;
static struct xen_sysctl sc;
static vcpu_guest_context_t context;
static grant_entry_v1_t *grants; /* the victim's table */

/* The hypervisor's log since the last call, its last line. */
static const char *log_line(void)
{
    static uint32_t index;
    char *text = look_log(&index), *end = text + strlen(text), *line;

    while (end > text && end[-1] == '\n')
        *--end = '\0';
    line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

/* ---- Shorthands ---- */

static long domctl(uint32_t cmd, uint32_t dom)
{
    return hcall_domctl(cmd, dom, &dc);
}

static long event(uint32_t cmd, const void *arg)
{
    return hcall(__HYPERVISOR_event_channel_op, cmd, (uint64_t)arg, 0, 0, 0);
}

static long memory(uint32_t cmd, const void *arg)
{
    return hcall(__HYPERVISOR_memory_op, cmd, (uint64_t)arg, 0, 0, 0);
}

static long grant(uint32_t cmd, void *arg, uint64_t count)
{
    return hcall(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, count, 0, 0);
}

static long reserve(uint32_t cmd, uint32_t dom, uint64_t nr, uint32_t order, xen_pfn_t *extents)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .domid = (domid_t)dom};

    r.extent_start.p = extents;
    return memory(cmd, &r);
}

/* ---- The cases: each returns the result ---- */

#define CASE(name) static long case_##name(void)

CASE(domctl_version)
{
    dc.cmd = XEN_DOMCTL_pausedomain;
    dc.interface_version = XEN_DOMCTL_INTERFACE_VERSION + 1;
    dc.domain = (domid_t)victim;
    return hcall(__HYPERVISOR_domctl, (uint64_t)&dc, 0, 0, 0, 0);
}
CASE(sysctl_version)
{
    sc.cmd = XEN_SYSCTL_physinfo;
    sc.interface_version = 1;
    return hcall(__HYPERVISOR_sysctl, (uint64_t)&sc, 0, 0, 0, 0);
}
CASE(domctl_unknown)
{
    return domctl(9999, victim);
}
CASE(sysctl_unknown)
{
    return hcall_sysctl(9999, &sc);
}
CASE(domctl_bad_pointer)
{
    return hcall(__HYPERVISOR_domctl, BAD_VA, 0, 0, 0, 0);
}
CASE(domctl_hv_pointer)
{
    return hcall(__HYPERVISOR_domctl, HV_VA, 0, 0, 0, 0);
}
CASE(sysctl_bad_pointer)
{
    return hcall(__HYPERVISOR_sysctl, NON_CANON, 0, 0, 0, 0);
}
CASE(unknown_hypercall)
{
    return hcall(62, 0, 0, 0, 0, 0);
}

static long create(uint32_t flags, uint32_t vcpus, uint32_t dom)
{
    dc.u.createdomain.flags = flags;
    dc.u.createdomain.max_vcpus = vcpus;
    dc.u.createdomain.max_evtchn_port = 1023;
    dc.u.createdomain.max_grant_frames = 64;
    dc.u.createdomain.max_maptrack_frames = 1024;
    dc.u.createdomain.grant_opts = 1;
    return domctl(XEN_DOMCTL_createdomain, dom);
}
CASE(create_unknown_flags)
{
    return create(0x80000000u, 1, 0);
}
CASE(create_no_vcpus)
{
    return create(0, 0, 0);
}
CASE(create_many_vcpus)
{
    return create(0, 100000, 0);
}
CASE(create_existing_id)
{
    return create(0, 1, victim);
}
CASE(create_other_pool)
{
    dc.u.createdomain.cpupool_id = 77;
    return create(0, 1, 0);
}
CASE(create_grant_version)
{
    dc.u.createdomain.flags = 0;
    dc.u.createdomain.max_vcpus = 1;
    dc.u.createdomain.max_evtchn_port = 1023;
    dc.u.createdomain.max_grant_frames = 64;
    dc.u.createdomain.max_maptrack_frames = 1024;
    dc.u.createdomain.grant_opts = 9;
    return domctl(XEN_DOMCTL_createdomain, 0);
}
CASE(max_vcpus_other)
{
    dc.u.max_vcpus.max = 77;
    return domctl(XEN_DOMCTL_max_vcpus, victim);
}
CASE(pause_stale)
{
    return domctl(XEN_DOMCTL_pausedomain, stale);
}
CASE(destroy_stale)
{
    return domctl(XEN_DOMCTL_destroydomain, stale);
}
CASE(context_stale)
{
    return domctl(XEN_DOMCTL_getvcpucontext, stale);
}
CASE(pause_reserved_id)
{
    return domctl(XEN_DOMCTL_pausedomain, DOMID_XEN);
}
CASE(pause_dom0)
{
    return domctl(XEN_DOMCTL_pausedomain, 0);
}
CASE(destroy_dom0)
{
    return domctl(XEN_DOMCTL_destroydomain, 0);
}
CASE(resume_running)
{
    return domctl(XEN_DOMCTL_resumedomain, 0);
}
CASE(vcpuinfo_range)
{
    dc.u.getvcpuinfo.vcpu = 77;
    return domctl(XEN_DOMCTL_getvcpuinfo, victim);
}
static long set_context(uint32_t vcpu, const void *arg)
{
    dc.u.vcpucontext.vcpu = vcpu;
    dc.u.vcpucontext.ctxt.p = (void *)arg;
    return domctl(XEN_DOMCTL_setvcpucontext, victim);
}
CASE(context_range)
{
    return set_context(77, &context);
}
CASE(context_bad_pointer)
{
    return set_context(0, (void *)BAD_VA);
}
CASE(context_no_table)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel;
    context.ctrlreg[3] = 0x7fffffffful << 12;
    return set_context(0, &context);
}
CASE(context_foreign_table)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_in_kernel;
    context.ctrlreg[3] = 0x1000;
    return set_context(0, &context);
}
CASE(affinity_range)
{
    static uint8_t map[8] = {0xff};

    dc.u.vcpuaffinity.vcpu = 77;
    dc.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    dc.u.vcpuaffinity.cpumap_hard.bitmap.p = map;
    dc.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    return domctl(XEN_DOMCTL_setvcpuaffinity, victim);
}
CASE(affinity_empty)
{
    static uint8_t map[8];

    dc.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    dc.u.vcpuaffinity.cpumap_hard.bitmap.p = map;
    dc.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    return domctl(XEN_DOMCTL_setvcpuaffinity, victim);
}
CASE(sched_unknown)
{
    dc.u.scheduler_op.sched_id = 99;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    return domctl(XEN_DOMCTL_scheduler_op, victim);
}
CASE(sched_command)
{
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    dc.u.scheduler_op.cmd = 99;
    return domctl(XEN_DOMCTL_scheduler_op, victim);
}
CASE(frameinfo_absurd)
{
    dc.u.getpageframeinfo3.num = 1ul << 40;
    dc.u.getpageframeinfo3.array.p = list;
    return domctl(XEN_DOMCTL_getpageframeinfo3, victim);
}
CASE(tsc_mode)
{
    dc.u.tsc_info.tsc_mode = 77;
    return domctl(XEN_DOMCTL_settscinfo, victim);
}
CASE(address_size)
{
    dc.u.address_size.size = 17;
    return domctl(XEN_DOMCTL_set_address_size, victim);
}

CASE(populate_absurd)
{
    return reserve(XENMEM_populate_physmap, victim, 1ul << 60, 0, list);
}
CASE(populate_order)
{
    return reserve(XENMEM_populate_physmap, victim, 1, 60, list);
}
CASE(populate_stale)
{
    return reserve(XENMEM_populate_physmap, stale, 1, 0, list);
}
CASE(populate_pointer)
{
    return reserve(XENMEM_populate_physmap, victim, 4, 0, (xen_pfn_t *)NON_CANON);
}
CASE(populate_over_maximum)
{
    /* Its maximum is what it has. */
    return reserve(XENMEM_populate_physmap, victim, 4, 0, list);
}
CASE(decrease_foreign)
{
    list[0] = 0x1000; /* dom0's, or nobody's */
    return reserve(XENMEM_decrease_reservation, victim, 1, 0, list);
}
CASE(decrease_no_frame)
{
    list[0] = 0x7fffffffful;
    return reserve(XENMEM_decrease_reservation, victim, 1, 0, list);
}
CASE(claim_absurd)
{
    return reserve(XENMEM_claim_pages, victim, 1ul << 30, 0, NULL);
}
CASE(memory_unknown)
{
    return memory(60, list);
}
CASE(resource_type)
{
    struct xen_mem_acquire_resource r = {.domid = (domid_t)victim, .type = 77, .nr_frames = 1};

    r.frame_list.p = list;
    return memory(XENMEM_acquire_resource, &r);
}
CASE(resource_absurd)
{
    struct xen_mem_acquire_resource r = {.domid = (domid_t)victim,
                                         .type = XENMEM_resource_grant_table,
                                         .frame = 1ul << 40,
                                         .nr_frames = 1};

    r.frame_list.p = list;
    return memory(XENMEM_acquire_resource, &r);
}
CASE(exchange_absurd)
{
    struct xen_memory_exchange e = {.in = {.nr_extents = 1ul << 50, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1ul << 50, .domid = DOMID_SELF}};

    e.in.extent_start.p = list;
    e.out.extent_start.p = list;
    return memory(XENMEM_exchange, &e);
}

/* A port of dom0 that was closed again. */
static uint32_t freed_port(void)
{
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = (domid_t)victim};
    struct evtchn_close c;

    if (event(EVTCHNOP_alloc_unbound, &a) != 0)
        return 4000;
    c.port = a.port;
    event(EVTCHNOP_close, &c);
    return a.port;
}
CASE(send_freed_port)
{
    struct evtchn_send s = {.port = freed_port()};

    return event(EVTCHNOP_send, &s);
}
CASE(send_range)
{
    struct evtchn_send s = {.port = 0xfffffff0u};

    return event(EVTCHNOP_send, &s);
}
CASE(close_freed_port)
{
    struct evtchn_close c = {.port = freed_port()};

    return event(EVTCHNOP_close, &c);
}
CASE(interdomain_stale)
{
    struct evtchn_bind_interdomain b = {.remote_dom = (domid_t)stale, .remote_port = 1};

    return event(EVTCHNOP_bind_interdomain, &b);
}
CASE(interdomain_freed_port)
{
    struct evtchn_bind_interdomain b = {.remote_dom = (domid_t)victim, .remote_port = 900};

    return event(EVTCHNOP_bind_interdomain, &b);
}
CASE(unbound_stale)
{
    struct evtchn_alloc_unbound a = {.dom = (domid_t)stale, .remote_dom = 0};

    return event(EVTCHNOP_alloc_unbound, &a);
}
CASE(virq_range)
{
    struct evtchn_bind_virq b = {.virq = 99};

    return event(EVTCHNOP_bind_virq, &b);
}
CASE(pirq_range)
{
    struct evtchn_bind_pirq b = {.pirq = 999999};

    return event(EVTCHNOP_bind_pirq, &b);
}
CASE(event_unknown)
{
    return event(77, list);
}

static long map_ref(uint32_t dom, uint32_t ref)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = (uint64_t)list, .flags = GNTMAP_host_map, .ref = ref, .dom = (domid_t)dom};
    long rc = grant(GNTTABOP_map_grant_ref, &m, 1);

    return rc != 0 ? rc : m.status;
}
static long map_frame(uint32_t frame)
{
    long rc;

    if (!grants)
        return 99;
    grants[20].frame = frame;
    grants[20].domid = 0;
    __atomic_store_n(&grants[20].flags, GTF_permit_access, __ATOMIC_SEQ_CST);
    rc = map_ref(victim, 20);
    __atomic_store_n(&grants[20].flags, 0, __ATOMIC_SEQ_CST);
    return rc;
}
CASE(map_unused_ref)
{
    return map_ref(victim, 21);
}
CASE(map_ref_range)
{
    return map_ref(victim, 0xffffff00u);
}
CASE(map_stale)
{
    return map_ref(stale, 1);
}
CASE(map_foreign_frame)
{
    return map_frame(0x1000);
}
CASE(map_no_frame)
{
    return map_frame(0xfffffff0u);
}
CASE(map_not_for_us)
{
    long rc;

    if (!grants)
        return 99;
    grants[20].frame = (uint32_t)frames[0];
    grants[20].domid = 5;
    __atomic_store_n(&grants[20].flags, GTF_permit_access, __ATOMIC_SEQ_CST);
    rc = map_ref(victim, 20);
    __atomic_store_n(&grants[20].flags, 0, __ATOMIC_SEQ_CST);
    return rc;
}
CASE(unmap_handle)
{
    struct gnttab_unmap_grant_ref u = {.host_addr = (uint64_t)list, .handle = 0x7fffff00};
    long rc = grant(GNTTABOP_unmap_grant_ref, &u, 1);

    return rc != 0 ? rc : u.status;
}
static long copy(uint64_t frame, uint32_t dom, uint16_t offset, uint16_t len)
{
    struct gnttab_copy c = {.source = {.domid = (domid_t)dom, .offset = offset},
                            .dest = {.domid = DOMID_SELF},
                            .len = len};
    long rc;

    c.source.u.gmfn = frame;
    c.dest.u.gmfn = frame;
    rc = grant(GNTTABOP_copy, &c, 1);
    return rc != 0 ? rc : c.status;
}
CASE(copy_foreign_frame)
{
    return copy(frames[0], DOMID_SELF, 0, 16);
}
CASE(copy_other_domain)
{
    return copy(frames[0], victim, 0, 16);
}
CASE(copy_over_page)
{
    return copy(frames[0], DOMID_SELF, 4090, 16);
}
CASE(setup_absurd)
{
    struct gnttab_setup_table s = {.dom = (domid_t)victim, .nr_frames = 1000000};
    long rc;

    s.frame_list.p = list;
    rc = grant(GNTTABOP_setup_table, &s, 1);
    return rc != 0 ? rc : s.status;
}
CASE(grant_pointer)
{
    return grant(GNTTABOP_copy, (void *)NON_CANON, 1000);
}
CASE(grant_unknown)
{
    return grant(77, list, 1);
}

static long mmu_update(uint64_t ptr, uint64_t val, uint32_t dom)
{
    struct mmu_update u = {.ptr = ptr, .val = val};

    return hcall(__HYPERVISOR_mmu_update, (uint64_t)&u, 1, 0, dom, 0);
}
CASE(mmu_foreign_table)
{
    return mmu_update(frames[0] << 12, 0, DOMID_SELF);
}
CASE(mmu_no_frame)
{
    return mmu_update(0x7fffffffful << 12, 0, DOMID_SELF);
}
CASE(mmu_stale_domain)
{
    return mmu_update(frames[0] << 12, 0, stale);
}
CASE(m2p_foreign)
{
    return mmu_update((frames[0] << 12) | MMU_MACHPHYS_UPDATE, 5, DOMID_SELF);
}
static long pin(uint64_t frame, uint32_t dom)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE};

    op.arg1.mfn = frame;
    return hcall(__HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, dom, 0);
}
CASE(pin_foreign)
{
    return pin(frames[0], DOMID_SELF);
}
CASE(pin_no_frame)
{
    return pin(0x7fffffffful, victim);
}
CASE(pin_stale)
{
    return pin(frames[0], stale);
}
CASE(multicall_pointer)
{
    return hcall(__HYPERVISOR_multicall, NON_CANON, 1000, 0, 0, 0);
}
CASE(version_unknown)
{
    return hcall(__HYPERVISOR_xen_version, 99, (uint64_t)list, 0, 0, 0);
}

static const struct {
    const char *name;
    long (*fn)(void);
} cases[] = {
#define ROW(name)                                                                                  \
    {                                                                                              \
#name, case_##name                                                                         \
    }
    ROW(domctl_version),      ROW(sysctl_version),       ROW(domctl_unknown),
    ROW(sysctl_unknown),      ROW(domctl_bad_pointer),   ROW(domctl_hv_pointer),
    ROW(sysctl_bad_pointer),  ROW(unknown_hypercall),    ROW(create_unknown_flags),
    ROW(create_no_vcpus),     ROW(create_many_vcpus),    ROW(create_existing_id),
    ROW(create_other_pool),   ROW(create_grant_version), ROW(max_vcpus_other),
    ROW(pause_stale),         ROW(destroy_stale),        ROW(context_stale),
    ROW(pause_reserved_id),   ROW(pause_dom0),           ROW(destroy_dom0),
    ROW(resume_running),      ROW(vcpuinfo_range),       ROW(context_range),
    ROW(context_bad_pointer), ROW(context_no_table),     ROW(context_foreign_table),
    ROW(affinity_range),      ROW(affinity_empty),       ROW(sched_unknown),
    ROW(sched_command),       ROW(frameinfo_absurd),     ROW(tsc_mode),
    ROW(address_size),        ROW(populate_absurd),      ROW(populate_order),
    ROW(populate_stale),      ROW(populate_pointer),     ROW(populate_over_maximum),
    ROW(decrease_foreign),    ROW(decrease_no_frame),    ROW(claim_absurd),
    ROW(memory_unknown),      ROW(resource_type),        ROW(resource_absurd),
    ROW(exchange_absurd),     ROW(send_freed_port),      ROW(send_range),
    ROW(close_freed_port),    ROW(interdomain_stale),    ROW(interdomain_freed_port),
    ROW(unbound_stale),       ROW(virq_range),           ROW(pirq_range),
    ROW(event_unknown),       ROW(map_unused_ref),       ROW(map_ref_range),
    ROW(map_stale),           ROW(map_foreign_frame),    ROW(map_no_frame),
    ROW(map_not_for_us),      ROW(unmap_handle),         ROW(copy_foreign_frame),
    ROW(copy_other_domain),   ROW(copy_over_page),       ROW(setup_absurd),
    ROW(grant_pointer),       ROW(grant_unknown),        ROW(mmu_foreign_table),
    ROW(mmu_no_frame),        ROW(mmu_stale_domain),     ROW(m2p_foreign),
    ROW(pin_foreign),         ROW(pin_no_frame),         ROW(pin_stale),
    ROW(multicall_pointer),   ROW(version_unknown),
};

/* The victim's grant table, in our address space. */
static grant_entry_v1_t *map_grants(void)
{
    struct privcmd_mmap_resource r = {
        .dom = (domid_t)victim, .type = XENMEM_resource_grant_table, .num = 1};
    int fd = open("/dev/xen/privcmd", O_RDWR);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    r.addr = (uint64_t)p;
    if (fd < 0 || p == MAP_FAILED || ioctl(fd, IOCTL_PRIVCMD_MMAP_RESOURCE, &r) != 0) {
        printf("BAD note: the victim's grant table cannot be mapped: %d\n", errno);
        return NULL;
    }
    return p;
}

int main(void)
{
    struct look before, after;
    const char *reason;
    unsigned int i;
    long rc;

    hcall_init();
    rc = hcall_create(1, FRAMES);
    if (rc < 0 || hcall_destroy((uint32_t)rc) != 0) {
        printf("BAD setup: no domain: %ld\n", rc);
        return 1;
    }
    stale = (uint32_t)rc;
    /* The id that was used comes round again only after all others. */
    rc = hcall_create(1, FRAMES);
    if (rc < 0 || (victim = (uint32_t)rc) == stale ||
        hcall_populate(victim, FRAMES, frames) != FRAMES) {
        printf("BAD setup: no victim: %ld (stale %u)\n", rc, stale);
        return 1;
    }
    grants = map_grants();
    usleep(300000);
    log_line();
    look(&before);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&dc, 0, sizeof(dc));
        memset(&sc, 0, sizeof(sc));
        memset(list, 0, sizeof(list));
        rc = cases[i].fn();
        reason = log_line();
        look(&after);
        printf("BAD %s rc=%ld [%s] reason=%s\n", cases[i].name, rc,
               look_compare(&before, &after, 1), reason);
        before = after;
    }
    if (grants)
        munmap(grants, 4096);
    rc = hcall_destroy(victim);
    printf("BAD done %u cases, victim destroyed %ld\n", i, rc);
    return rc != 0;
}
