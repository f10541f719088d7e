/* SPDX-License-Identifier: MIT */
/*
 * What would a kernel do? Its tables are written as a domain builder does, its calls are put into
 * the registers as the system call instruction finds them, and a call that steps back onto the
 * instruction is executed again when the vCPU has its next turn: meanwhile anything may happen.
 */
#include "guest.h"

#include <stdio.h>
#include <string.h>

#include "arch/upcalls.h"
#include "audit.h"
#include "core/event.h"
#include "core/grant.h"
#include "core/page.h"
#include "core/sched.h"
#include "hvmguest.h"
#include "hwport.h"
#include "pv/pv_mmu.h"

#define FLAGS_RW 0x67ul /* present, writable, user, accessed, dirty */
#define FLAGS_RO 0x65ul
#define LIST_MAX 8

static struct guest guests[GUEST_MAX], frozen[GUEST_MAX];
static struct multicall_entry list[LIST_MAX];
static u32 list_nr;
static bool in_list;

struct guest *guest_of(u32 id)
{
    return id < GUEST_MAX ? &guests[id] : NULL;
}

struct guest *guest_current(void)
{
    return guest_of(vcpu_current()->domain->id);
}

struct guest_vcpu *guest_vcpu(void)
{
    return &guest_current()->vcpu[vcpu_current()->id & 1];
}

bool guest_in_list(void)
{
    return in_list;
}

/* Arguments. */

static u64 arg_page(void)
{
    return GUEST_VA(8 + 2 * (vcpu_current()->id & 1));
}

void guest_arg_reset(void)
{
    guest_vcpu()->arg = arg_page();
}

u64 guest_put(const void *p, size_t n)
{
    struct guest_vcpu *gv = guest_vcpu();
    u64 va = gv->arg;

    if (va + n > arg_page() + 2 * PAGE_SIZE)
        return va;
    (void)!machine_guest_write(va, p, n);
    gv->arg = ROUND_UP(va + n, 8);
    return va;
}

/* Calls. */

static void hook_frames(struct guest_vcpu *gv)
{
    struct guest *g = guest_current();
    u32 i, slot = GUEST_DATA;
    u64 mfn;

    for (i = 0; i < gv->hook_nr; i++) {
        if (!machine_guest_read(gv->hook_va + i * 8, &mfn, 8) || mfn >= MACHINE_FRAMES ||
            page_of(MFN(mfn))->owner != vcpu_current()->domain->id)
            continue;
        while (slot < GUEST_SLOTS && slot < g->nr &&
               page_of(MFN(g->mfn[slot]))->owner == vcpu_current()->domain->id)
            slot++;
        if (slot == GUEST_SLOTS)
            return;
        g->mfn[slot] = mfn;
        g->nr = MAX(g->nr, slot + 1);
    }
}

static void hook_maps(struct guest_vcpu *gv)
{
    struct gnttab_map_grant_ref op;
    u32 i;

    for (i = 0; i < gv->hook_nr; i++)
        if (machine_guest_read(gv->hook_va + i * sizeof(op), &op, sizeof(op)) && op.status == 0)
            guest_current()->map_at[op.handle % 8] = op.host_addr;
}

/* Executes the instruction; what follows it happens if the call is over. */
static void syscall_insn(void)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct guest_vcpu *gv = guest_vcpu();
    struct vcpu *v = vcpu_current();
    bool done = true;

    regs->rip = GUEST_RIP + 2;
    regs->vector = VECTOR_SYSCALL;
    if (v->hvm) {
        done = hvmguest_call();
    } else {
        if (insn_rdmsr(MSR_STAR) != HWPORT_STAR)
            machine_found("d%uv%u calls by another's system-call registers", v->domain->id, v->id);
        hypercall_dispatch(regs);
    }
    if (!done || (!v->hvm && regs->rip == GUEST_RIP)) {
        machine_note("    cpu%u d%uv%u: work is left\n", machine_cpu(), v->domain->id, v->id);
        return;
    }
    machine_note("    cpu%u d%uv%u -> %ld\n", machine_cpu(), v->domain->id, v->id, (long)regs->rax);
    if (gv->hook == GUEST_HOOK_FRAMES && !v->hvm)
        hook_frames(gv);
    else if (gv->hook == GUEST_HOOK_MAPS)
        hook_maps(gv);
    gv->hook = GUEST_HOOK_NONE;
}

bool guest_continue(void)
{
    if (vcpu_current()->hvm ? !hvmguest_unfinished() : cpu_info()->guest.rip != GUEST_RIP)
        return false;
    machine_note("  cpu%u d%uv%u goes on\n", machine_cpu(), vcpu_current()->domain->id,
                 vcpu_current()->id);
    syscall_insn();
    return true;
}

void guest_call(u32 nr, u64 a1, u64 a2, u64 a3, u64 a4)
{
    struct cpu_regs *regs = &cpu_info()->guest;

    if (in_list) {
        if (list_nr < LIST_MAX)
            list[list_nr++] = (struct multicall_entry){.op = nr, .args = {a1, a2, a3, a4}};
        return;
    }
    regs->rax = nr;
    regs->rdi = a1;
    regs->rsi = a2;
    regs->rdx = a3;
    regs->r10 = a4;
    regs->r8 = regs->r9 = 0;
    syscall_insn();
}

void guest_list_begin(void)
{
    in_list = true;
    list_nr = 0;
}

void guest_list_end(void)
{
    u64 va = guest_put(list, list_nr * sizeof(list[0]));

    in_list = false;
    guest_call(__HYPERVISOR_multicall, va, list_nr, 0, 0);
}

/* Building. */

static void write_tables(const struct guest *g, const struct domain *d)
{
    u64 shared = hmap_direct_to_maddr(d->shared_info) >> PAGE_SHIFT;
    u64 *l1 = hmap_direct(g->mfn[3] << PAGE_SHIFT);
    u32 i;

    for (i = 0; i < 6; i++)
        memset(hmap_direct(g->mfn[i] << PAGE_SHIFT), 0, PAGE_SIZE);
    memset(hmap_direct(g->mfn[6] << PAGE_SHIFT), 0, PAGE_SIZE);
    ((u64 *)hmap_direct(g->mfn[0] << PAGE_SHIFT))[272] = g->mfn[1] << PAGE_SHIFT | FLAGS_RW;
    ((u64 *)hmap_direct(g->mfn[1] << PAGE_SHIFT))[0] = g->mfn[2] << PAGE_SHIFT | FLAGS_RW;
    ((u64 *)hmap_direct(g->mfn[2] << PAGE_SHIFT))[0] = g->mfn[3] << PAGE_SHIFT | FLAGS_RW;
    ((u64 *)hmap_direct(g->mfn[2] << PAGE_SHIFT))[1] = g->mfn[5] << PAGE_SHIFT | FLAGS_RW;
    for (i = 0; i < g->nr; i++)
        l1[i] = g->mfn[i] << PAGE_SHIFT | (i < 4 || i == 5 || i == 6 ? FLAGS_RO : FLAGS_RW);
    l1[12] = shared << PAGE_SHIFT | FLAGS_RW;
    if (grant_frames(d) != 0)
        l1[63] = grant_frame(d, 0).v << PAGE_SHIFT | FLAGS_RW;
}

void guest_context(const struct guest *g, struct vcpu_guest_context *c, u64 l4)
{
    u32 i;

    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = GUEST_RIP + 2;
    c->user_regs.rsp = GUEST_VA(7) + 0x700;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    for (i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        c->trap_ctxt[i] =
            (struct trap_info){.vector = (u8)i, .cs = FLAT_KERNEL_CS, .address = GUEST_RIP + 64};
    c->gdt_ents = 512;
    c->gdt_frames[0] = g->mfn[6];
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = GUEST_VA(7) + 0x700;
    c->ctrlreg[3] = l4 << PAGE_SHIFT;
    c->ctrlreg[1] = l4 << PAGE_SHIFT;
    c->event_callback_eip = c->failsafe_callback_eip = c->syscall_callback_eip = GUEST_RIP + 96;
}

/* A domain as the boot code would build it, ready to run. */
static void boot_domain(domid_t id, u32 vcpus, u32 slots)
{
    static struct vcpu_guest_context ctx;
    struct guest *g = &guests[id];
    struct domain *d;
    u32 i;
    int rc = domain_create(id, &pv_guest_kind, vcpus, 0, id == 0, &d);

    BUG_ON(rc != 0);
    d->max_pages = slots + 64;
    if (id == 0) {
        domain_hardware = d;
        rc = range_add(d->iomem, MACHINE_IO, MACHINE_IO + MACHINE_IO_NR);
        BUG_ON(rc != 0);
    }
    rc = grant_grow(d, 1);
    BUG_ON(rc != 0);
    for (g->nr = 0; g->nr < slots; g->nr++)
        g->mfn[g->nr] = page_alloc_domain(d, 0, 0).v;
    write_tables(g, d);
    rc = pv_mmu_pin(d, MFN(g->mfn[0]), 4);
    BUG_ON(rc != 0);
    guest_context(g, &ctx, g->mfn[0]);
    for (i = 0; i < vcpus; i++) {
        rc = vcpu_create(d, i);
        if (rc == 0)
            rc = d->kind->hypercall_context(d->vcpu[i], &ctx, true);
        BUG_ON(rc != 0);
        vcpu_pause_clear(d->vcpu[i], VPAUSE_DOWN);
    }
    domain_unpause(d);
    domain_put(d);
}

/* The domain directory has a page for good once there was a domain. */
static void boot_first_domain(void)
{
    struct domain *d;
    int rc = domain_create(0, &pv_guest_kind, 1, 0, true, &d);

    BUG_ON(rc != 0);
    do
        rc = domain_destroy_step(d);
    while (rc == -ERESTART);
    domain_put(d);
    upcall_timer();
    BUG_ON(rc != 0 || domain_lookup(0) != NULL);
}

void guest_boot(void)
{
    boot_first_domain();
    audit_begin();
    boot_domain(0, 2, 48);
    if (hvmguest_on) {
        hvmguest_boot_domain(1, 2, 36, &guests[1]);
        hvmguest_boot_domain(2, 1, 36, &guests[2]);
    } else {
        boot_domain(1, 2, 36);
        boot_domain(2, 1, 36);
    }
    memcpy(frozen, guests, sizeof(guests));
}

void guest_reset(void)
{
    memcpy(guests, frozen, sizeof(guests));
    hvmguest_reset();
    audit_reset();
    in_list = false;
}

/* The tools' way: one hypercall per step. */

#define BUILD_PAGES 32u

static void build_call(struct xen_domctl *op, u32 cmd, u32 id)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = (domid_t)id;
    guest_call(__HYPERVISOR_domctl, guest_put(op, sizeof(*op)), 0, 0, 0);
}

/* The tools make the table before the guest runs. */
static void build_grants(u32 id)
{
    struct xen_mem_acquire_resource r = {.domid = (domid_t)id, .nr_frames = 1};
    u64 mfn = 0;

    r.type = XENMEM_resource_grant_table;
    r.frame_list.p = (xen_pfn_t *)guest_put(&mfn, sizeof(mfn));
    guest_call(__HYPERVISOR_memory_op, XENMEM_acquire_resource, guest_put(&r, sizeof(r)), 0, 0);
}

static void build_populate(struct guest_vcpu *gv)
{
    struct xen_memory_reservation r = {.nr_extents = BUILD_PAGES,
                                       .domid = (domid_t)gv->program_domain};
    u64 pfn[BUILD_PAGES];
    u32 i;

    for (i = 0; i < BUILD_PAGES; i++)
        pfn[i] = i;
    gv->hook_va = guest_put(pfn, sizeof(pfn));
    r.extent_start.p = (xen_pfn_t *)gv->hook_va;
    guest_call(__HYPERVISOR_memory_op, XENMEM_populate_physmap, guest_put(&r, sizeof(r)), 0, 0);
}

/* The new domain's frames, as the call has answered, with its tables in them. */
static bool build_tables(struct guest_vcpu *gv)
{
    struct domain *d = domain_lookup((domid_t)gv->program_domain);
    struct guest *g = guest_of(gv->program_domain);
    u32 i;

    memset(g, 0, sizeof(*g));
    for (i = 0; i < BUILD_PAGES; i++) {
        if (!machine_guest_read(gv->hook_va + i * 8, &g->mfn[i], 8) ||
            g->mfn[i] >= MACHINE_FRAMES || d == NULL || d->teardown != NULL ||
            page_of(MFN(g->mfn[i]))->owner != d->id || page_of(MFN(g->mfn[i]))->type != 0)
            return false;
    }
    g->nr = BUILD_PAGES;
    write_tables(g, d);
    return true;
}

void guest_build_step(void)
{
    static struct vcpu_guest_context ctx;
    struct guest_vcpu *gv = guest_vcpu();
    struct xen_domctl op = {.domain = 0};
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE};
    u32 id = gv->program_domain;
    struct guest *g = guest_of(id);

    machine_note("  cpu%u d%uv%u builds domain %u, step %u\n", machine_cpu(),
                 vcpu_current()->domain->id, vcpu_current()->id, id, gv->program);
    guest_arg_reset();
    if (gv->program > 1 && gv->program < 7 && (s64)cpu_info()->guest.rax < 0)
        gv->program = 99;
    switch (gv->program++) {
    case 1:
        op.u.createdomain.max_vcpus = gv->program_vcpus;
        op.u.createdomain.grant_opts = 1;
        op.u.createdomain.max_grant_frames = op.u.createdomain.max_maptrack_frames = 4;
        build_call(&op, XEN_DOMCTL_createdomain, id);
        return;
    case 2:
        op.u.max_vcpus.max = gv->program_vcpus;
        build_call(&op, XEN_DOMCTL_max_vcpus, id);
        return;
    case 3:
        op.u.max_mem.max_memkb = (BUILD_PAGES + 64) * 4;
        audit_allow(id, BUILD_PAGES + 64);
        build_call(&op, XEN_DOMCTL_max_mem, id);
        return;
    case 4:
        build_grants(id);
        return;
    case 5:
        build_populate(gv);
        return;
    case 6:
        if (!build_tables(gv)) {
            gv->program = 0;
            return;
        }
        pin.arg1.mfn = g->mfn[0];
        guest_call(__HYPERVISOR_mmuext_op, guest_put(&pin, sizeof(pin)), 1, 0, id);
        return;
    case 7:
    case 8:
        guest_context(g, &ctx, g->mfn[0]);
        op.u.vcpucontext.vcpu = gv->program - 8;
        op.u.vcpucontext.ctxt.p = (struct vcpu_guest_context *)guest_put(&ctx, sizeof(ctx));
        build_call(&op, XEN_DOMCTL_setvcpucontext, id);
        return;
    case 9:
        gv->program = 0;
        build_call(&op, XEN_DOMCTL_unpausedomain, id);
        return;
    default: /* refused */
        gv->program = 0;
        return;
    }
}

/* The end. */

static void pause_all(void *arg)
{
    struct domain *d;
    u32 id;

    (void)arg;
    for (id = 0; (d = domain_next((domid_t)id)) != NULL; id = d->id + 1u, domain_put(d))
        domain_pause(d);
}

static void destroy_all(void *arg)
{
    struct domain *d;
    u32 id;
    int rc;

    (void)arg;
    domain_hardware = NULL;
    for (id = 0; (d = domain_next((domid_t)id)) != NULL; id = d->id + 1u, domain_put(d)) {
        do
            rc = domain_destroy_step(d);
        while (rc == -ERESTART);
        if (rc != 0)
            machine_found("d%u cannot be destroyed: %d", d->id, rc);
    }
}

void guest_end_all(void)
{
    machine_run_hypervisor(0, pause_all, NULL);
    machine_settle();
    if (machine_is_off())
        return;
    machine_run_hypervisor(0, destroy_all, NULL);
    machine_settle();
}
