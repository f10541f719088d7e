/* SPDX-License-Identifier: MIT */
/* How is a PVH domain made? As libxl and libxc do, by raw hypercalls. */
#include "dom.h"

#include <xen/hvm/save.h>

#define TSC_NATIVE 2
#define CHUNK      512ul

void pvh_domctl(unsigned int id, unsigned int cmd, struct xen_domctl *op, const char *what)
{
    long rc;

    op->domain = (domid_t)id;
    rc = domctl(cmd, op);
    if (rc != 0)
        error("%s: %ld", what, rc);
}

unsigned int pvh_create(unsigned int vcpus, uint64_t pages)
{
    static struct xen_domctl op;
    unsigned int id;

    memset(&op, 0, sizeof(op));
    op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    op.u.createdomain.arch.emulation_flags = XEN_X86_EMU_LAPIC;
    op.u.createdomain.max_vcpus = vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    pvh_domctl(0, XEN_DOMCTL_createdomain, &op, "createdomain");
    id = op.domain;
    memset(&op.u, 0, sizeof(op.u));
    op.u.max_vcpus.max = vcpus;
    pvh_domctl(id, XEN_DOMCTL_max_vcpus, &op, "max_vcpus");
    op.u.max_mem.max_memkb = (pages + 64) * 4;
    pvh_domctl(id, XEN_DOMCTL_max_mem, &op, "max_mem");
    memset(&op.u, 0, sizeof(op.u));
    op.u.tsc_info.tsc_mode = TSC_NATIVE;
    pvh_domctl(id, XEN_DOMCTL_settscinfo, &op, "settscinfo");
    return id;
}

static uint64_t populate_some(unsigned int id, uint64_t first, uint64_t count, unsigned int order)
{
    static uint64_t list[CHUNK];
    struct xen_memory_reservation r = {.extent_order = order, .domid = (domid_t)id};
    uint64_t i;

    r.nr_extents = count >> order < CHUNK ? count >> order : CHUNK;
    for (i = 0; i < r.nr_extents; i++)
        list[i] = first + (i << order);
    set_xen_guest_handle(r.extent_start, list);
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r) !=
        (long)r.nr_extents)
        error("no memory for frame %lx", first);
    return (uint64_t)r.nr_extents << order;
}

void pvh_populate(unsigned int id, uint64_t first, uint64_t count)
{
    uint64_t n;

    for (; count > 0; first += n, count -= n)
        n = populate_some(id, first, count, first % CHUNK == 0 && count >= CHUNK ? 9 : 0);
}

void pvh_load(unsigned int id, uint64_t paddr, const void *from, size_t len)
{
    const char *at = from;
    size_t n;
    char *page;

    for (; len > 0; paddr += n, at += n, len -= n) {
        n = PAGE_SIZE - paddr % PAGE_SIZE;
        if (n > len)
            n = len;
        page = domu_map(id, paddr >> 12);
        memcpy(page + paddr % PAGE_SIZE, at, n);
        domu_unmap(page);
    }
}

void pvh_start_state(unsigned int id, uint64_t rip, uint64_t info)
{
    static uint8_t old[65536];
    static struct xen_domctl op;
    static struct {
        struct hvm_save_descriptor header_d;
        struct hvm_save_header header;
        struct hvm_save_descriptor cpu_d;
        struct hvm_hw_cpu cpu;
        struct hvm_save_descriptor end_d;
    } __attribute__((packed)) ctx;

    memset(&op, 0, sizeof(op));
    op.u.hvmcontext.size = sizeof(old);
    set_xen_guest_handle(op.u.hvmcontext.buffer, old);
    pvh_domctl(id, XEN_DOMCTL_gethvmcontext, &op, "gethvmcontext");
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
    ctx.cpu.rip = rip;
    ctx.cpu.rbx = info;
    ctx.end_d.typecode = HVM_SAVE_CODE(END);
    memset(&op.u, 0, sizeof(op.u));
    op.u.hvmcontext.size = sizeof(ctx);
    set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t *)&ctx);
    pvh_domctl(id, XEN_DOMCTL_sethvmcontext, &op, "sethvmcontext");
}

void pvh_nap(uint64_t ns)
{
    struct sched_poll poll = {.timeout = now() + ns};

    sched_op(SCHEDOP_poll, &poll);
}
