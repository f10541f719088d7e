/* SPDX-License-Identifier: MIT */
/* A second domain: built page by page through foreign mappings, then told what to do by its box. */
#include "domu.h"

enum { L4, L3, L2, L1, CODE, BOX, STACK, LIST };

extern const char domu_loop[], domu_loop_end[];

/*
 * rbx: the box. Yields until go is set, makes the call, stores its result, clears go. Events are
 * masked all the time and there is no trap handler.
 */
__asm__(".pushsection .rodata\n"
        "domu_loop:\n"
        "1:\tcmpq $0, (%rbx)\n"
        "\tjne 2f\n"
        "\tmovl $29, %eax\n" /* sched_op, yield */
        "\txorl %edi, %edi\n"
        "\tsyscall\n"
        "\tjmp 1b\n"
        "2:\tmovq 8(%rbx), %rax\n"
        "\tmovq 16(%rbx), %rdi\n"
        "\tmovq 24(%rbx), %rsi\n"
        "\tmovq 32(%rbx), %rdx\n"
        "\tmovq 40(%rbx), %r10\n"
        "\tmovq 48(%rbx), %r8\n"
        "\tmovq 56(%rbx), %r9\n"
        "\tsyscall\n"
        "\tmovq %rax, 64(%rbx)\n"
        "\tmovq $0, (%rbx)\n"
        "\tjmp 1b\n"
        "domu_loop_end:\n"
        ".popsection");

static void must(long rc, const char *what)
{
    if (rc < 0)
        error("second domain: %s: %ld", what, rc);
}

long domctl(unsigned int cmd, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return hypercall1(__HYPERVISOR_domctl, (uint64_t)op);
}

static void create(struct domu *u)
{
    static struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    op.domain = 0;
    must(domctl(XEN_DOMCTL_createdomain, &op), "createdomain");
    u->id = op.domain;
    memset(&op.u, 0, sizeof(op.u));
    op.u.max_vcpus.max = 1;
    must(domctl(XEN_DOMCTL_max_vcpus, &op), "max_vcpus");
    op.u.max_mem.max_memkb = 1024;
    must(domctl(XEN_DOMCTL_max_mem, &op), "max_mem");
}

static void populate(struct domu *u)
{
    struct xen_memory_reservation r = {.nr_extents = DOMU_PAGES, .domid = (domid_t)u->id};
    unsigned int i;

    for (i = 0; i < DOMU_PAGES; i++)
        u->mfn[i] = i;
    set_xen_guest_handle(r.extent_start, u->mfn);
    if (hypercall2(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (uint64_t)&r) != DOMU_PAGES)
        error("second domain: no memory");
}

void *domu_map(unsigned int id, uint64_t frame)
{
    void *va = page_alloc();

    must(pt_update_dom(va_maddr(pte_at(va, 1)), MKPTE(frame, PTE_RWP), id), "foreign map");
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)va, 0);
    return va;
}

/* One of its pages, at an address of ours. */
static void *map(const struct domu *u, unsigned int page)
{
    return domu_map(u->id, u->mfn[page]);
}

void domu_unmap(void *va)
{
    page_rw(va);
    page_free(va);
}

static void fill_tables(struct domu *u)
{
    uint64_t *t, flags = PTE_P | PTE_RW | PTE_US | PTE_A;
    unsigned int i;

    t = map(u, L4);
    t[0] = MKPTE(u->mfn[L3], flags);
    domu_unmap(t);
    t = map(u, L3);
    t[0] = MKPTE(u->mfn[L2], flags);
    domu_unmap(t);
    t = map(u, L2);
    t[DOMU_VA >> 21 & 511] = MKPTE(u->mfn[L1], flags);
    domu_unmap(t);
    t = map(u, L1);
    for (i = 0; i < DOMU_PAGES; i++)
        t[i] = MKPTE(u->mfn[i], i <= CODE ? PTE_ROP : PTE_RWP);
    domu_unmap(t);
}

/* It has no handler for events. */
static void mask_events(struct domu *u)
{
    static struct xen_domctl op;
    struct shared_info *s;

    memset(&op, 0, sizeof(op));
    op.domain = (domid_t)u->id;
    must(domctl(XEN_DOMCTL_getdomaininfo, &op), "getdomaininfo");
    s = domu_map(u->id, op.u.getdomaininfo.shared_info_frame);
    s->vcpu_info[0].evtchn_upcall_mask = 1;
    domu_unmap(s);
}

long domu_context(const struct domu *u, struct vcpu_guest_context *c, bool set)
{
    static struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = (domid_t)u->id;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, c);
    return domctl(set ? XEN_DOMCTL_setvcpucontext : XEN_DOMCTL_getvcpucontext, &op);
}

static void set_context(struct domu *u)
{
    static struct vcpu_guest_context c;

    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = DOMU_VA + CODE * PAGE_SIZE;
    c.user_regs.rbx = DOMU_VA + BOX * PAGE_SIZE;
    c.user_regs.rsp = DOMU_VA + (STACK + 1) * PAGE_SIZE;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.kernel_sp = c.user_regs.rsp;
    c.ctrlreg[3] = xen_pfn_to_cr3(u->mfn[L4]);
    if (u->context)
        u->context(u, &c);
    must(domu_context(u, &c, true), "setvcpucontext");
}

void domu_create(struct domu *u, const void *code, size_t len)
{
    void *page;

    create(u);
    populate(u);
    fill_tables(u);
    page = map(u, CODE);
    if (code)
        memcpy(page, code, len);
    else
        memcpy(page, domu_loop, (size_t)(domu_loop_end - domu_loop));
    domu_unmap(page);
    u->box = map(u, BOX);
    u->list = map(u, LIST);
    mask_events(u);
    set_context(u);
}

void domu_run(struct domu *u)
{
    static struct xen_domctl op;

    op.domain = (domid_t)u->id;
    must(domctl(XEN_DOMCTL_unpausedomain, &op), "unpausedomain");
}

long domu_call(struct domu *u, unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    uint64_t end = now() + 2000000000ul;

    u->box->nr = nr;
    u->box->args[0] = a1;
    u->box->args[1] = a2;
    u->box->args[2] = a3;
    u->box->args[3] = a4;
    u->box->args[4] = u->box->args[5] = 0;
    barrier();
    u->box->go = 1;
    while (u->box->go != 0)
        if (now() > end)
            return DOMU_GONE;
        else
            sched_op(SCHEDOP_yield, NULL);
    return (long)u->box->result;
}

long domu_flags(const struct domu *u)
{
    static struct xen_domctl op;
    long rc;

    memset(&op, 0, sizeof(op));
    op.domain = (domid_t)u->id;
    rc = domctl(XEN_DOMCTL_getdomaininfo, &op);
    if (rc == 0 && op.domain != u->id)
        return -3;
    return rc < 0 ? rc : (long)op.u.getdomaininfo.flags;
}

long domu_destroy(struct domu *u)
{
    static struct xen_domctl op;
    long rc;

    if (u->box) {
        domu_unmap((void *)u->box);
        domu_unmap(u->list);
    }
    u->box = NULL;
    op.domain = (domid_t)u->id;
    do
        rc = domctl(XEN_DOMCTL_destroydomain, &op);
    while (rc == -85); /* -ERESTART: more to do */
    return rc;
}
