/* SPDX-License-Identifier: MIT */
/*
 * The state of another domain's vCPU, as the tools save and restore it: its MSRs, its SSE registers
 * (in the context, or in the extended state where the processor has XSAVE), and contexts that are
 * refused, which leave it as it was.
 */
#include "domu.h"

#define TSC_AUX   0xc0000103u
#define XMM5      (160 + 5 * 16) /* in FXSAVE's layout */
#define XMM_VALUE 0x5a17c0deu
#define L4        0 /* its pages: domu.c */
#define L1        3

static struct domu u;
static struct vcpu_guest_context ctx;
static struct xen_domctl op;
static uint8_t image[8192] __attribute__((aligned(64)));

static long ctl(unsigned int cmd)
{
    op.domain = (domid_t)u.id;
    return domctl(cmd, &op);
}

/* Makes the domain and lets it run. */
static void start(const void *code, size_t len)
{
    domu_create(&u, code, len);
    domu_run(&u);
}

static bool answered(void)
{
    uint64_t end = now() + 2000000000ul;

    while (u.box->go == 0 && now() < end)
        sched_op(SCHEDOP_yield, NULL);
    return u.box->go != 0;
}

/* ---- MSRs ---- */

static long msrs(bool set, struct xen_domctl_vcpu_msr *list, uint32_t count)
{
    memset(&op, 0, sizeof(op));
    op.u.vcpu_msrs.msr_count = count;
    set_xen_guest_handle(op.u.vcpu_msrs.msrs, list);
    return ctl(set ? XEN_DOMCTL_set_vcpu_msrs : XEN_DOMCTL_get_vcpu_msrs);
}

static long set_msr(uint32_t index, uint32_t reserved, uint64_t val)
{
    struct xen_domctl_vcpu_msr m = {.index = index, .reserved = reserved, .value = val};

    return msrs(true, &m, 1);
}

static void look(const char *name)
{
    struct xen_domctl_vcpu_msr m[32];
    long rc;

    memset(m, 0, sizeof(m));
    rc = msrs(false, m, 32);
    value(name, "%ld, %u entries, the first %x %x %lx", rc, op.u.vcpu_msrs.msr_count, m[0].index,
          m[0].reserved, (unsigned long)m[0].value);
}

static void tsc_aux(void)
{
    struct xen_domctl_vcpu_msr m;

    /* rdtscp; mov %rcx, 64(%rbx); movq $1, (%rbx); yield for ever */
    domu_create(&u, CODE("\x0f\x01\xf9\x48\x89\x4b\x40\x48\xc7\x03\x01\0\0\0"
                         "\xb8\x1d\0\0\0\x31\xff\x0f\x05\xeb\xf5"));
    check_eq("get_vcpu_msrs without a list", msrs(false, NULL, 0), 0);
    check(op.u.vcpu_msrs.msr_count >= 1, "it has room for one");
    look("MSRs at first");
    check_eq("set TSC_AUX", set_msr(TSC_AUX, 0, 0x12345678), 0);
    look("MSRs with TSC_AUX");
    value_rc("get_vcpu_msrs without room", msrs(false, &m, 0));
    value_rc("set none", msrs(true, NULL, 0));
    value_rc("set without a list", msrs(true, NULL, 1));
    value_rc("set TSC_AUX, reserved bits", set_msr(TSC_AUX, 1, 1));
    value_rc("set TSC_AUX, 33 bits", set_msr(TSC_AUX, 0, 1ul << 32));
    value_rc("set MSR 10", set_msr(0x10, 0, 0));
    value_rc("set LSTAR", set_msr(0xc0000082, 0, 0));
    memset(&op, 0, sizeof(op));
    op.u.vcpu_msrs.vcpu = 1;
    value_rc("get_vcpu_msrs of vcpu 1", ctl(XEN_DOMCTL_get_vcpu_msrs));
    op.u.vcpu_msrs.vcpu = 1;
    value_rc("set_vcpu_msrs of vcpu 1", ctl(XEN_DOMCTL_set_vcpu_msrs));
    look("MSRs still");
    domu_run(&u);
    check(answered(), "the domain answers");
    check_eq("its rdtscp", (int64_t)u.box->result, 0x12345678);
    check_eq("its end", domu_destroy(&u), 0);
}

/* ---- SSE registers ---- */

static uint64_t ext_size, ext_mask;

static long ext(unsigned int cmd)
{
    memset(&op, 0, sizeof(op));
    op.u.vcpuextstate.size = ext_size;
    op.u.vcpuextstate.xfeature_mask = ext_mask;
    if (ext_size)
        set_xen_guest_handle(op.u.vcpuextstate.buffer, (uint64_t *)image);
    return ctl(cmd);
}

static void restored(struct domu *d, struct vcpu_guest_context *c)
{
    (void)d;
    memcpy(&c->fpu_ctxt, &ctx.fpu_ctxt, sizeof(c->fpu_ctxt));
    c->flags |= ctx.flags & VGCF_i387_valid;
}

static void sse(void)
{
    uint32_t val;

    /* mov $XMM_VALUE, %eax; movd %eax, %xmm5; movq $1, (%rbx); yield for ever */
    start(CODE("\xb8\xde\xc0\x17\x5a\x66\x0f\x6e\xe8\x48\xc7\x03\x01\0\0\0"
               "\xb8\x1d\0\0\0\x31\xff\x0f\x05\xeb\xf5"));
    check(answered(), "the domain has loaded its register");
    check_eq("pause it", ctl(XEN_DOMCTL_pausedomain), 0);
    check_eq("its context", domu_context(&u, &ctx, false), 0);
    check(ctx.flags & VGCF_i387_valid, "it has its registers");
    memcpy(&val, (uint8_t *)&ctx.fpu_ctxt + XMM5, sizeof(val));
    check_eq("among them XMM5", val, XMM_VALUE);
    ext_size = ext_mask = 0;
    check_eq("size of its extended state", ext(XEN_DOMCTL_getvcpuextstate), 0);
    ext_size = op.u.vcpuextstate.size;
    ext_mask = op.u.vcpuextstate.xfeature_mask;
    check(ext_size == 0 || ext(XEN_DOMCTL_getvcpuextstate) == 0, "its extended state");
    check_eq("its end, saved", domu_destroy(&u), 0);

    /* movd %xmm5, %eax; mov %rax, 64(%rbx); movq $1, (%rbx); yield for ever */
    u.context = restored;
    domu_create(&u, CODE("\x66\x0f\x7e\xe8\x48\x89\x43\x40\x48\xc7\x03\x01\0\0\0"
                         "\xb8\x1d\0\0\0\x31\xff\x0f\x05\xeb\xf5"));
    u.context = NULL;
    if (ext_size) /* Xen needs no more than the context, and does not take this */
        note("set its extended state: %ld", ext(XEN_DOMCTL_setvcpuextstate));
    domu_run(&u);
    check(answered(), "the restored one answers");
    check_eq("its XMM5", (int64_t)u.box->result, XMM_VALUE);
    check_eq("its end, restored", domu_destroy(&u), 0);
}

/* ---- Contexts that are refused ---- */

static void in_user_mode(struct domu *d, struct vcpu_guest_context *c)
{
    c->flags &= ~(uint32_t)VGCF_in_kernel;
    c->user_regs.cs = FLAT_USER_CS;
    c->user_regs.ss = FLAT_USER_SS;
    c->ctrlreg[1] = xen_pfn_to_cr3(d->mfn[L4]);
}

/* Does its vCPU, in user mode, count? */
static bool counts(void)
{
    uint64_t was = u.box->result, end = now() + 2000000000ul;

    while (u.box->result == was && now() < end)
        sched_op(SCHEDOP_yield, NULL);
    return u.box->result != was;
}

static void refused(const char *name)
{
    check_eq(text("%s: pause", name), ctl(XEN_DOMCTL_pausedomain), 0);
    value_rc(name, domu_context(&u, &ctx, true));
    check_eq(text("%s: unpause", name), ctl(XEN_DOMCTL_unpausedomain), 0);
    check(counts(), "%s: it counts on", name);
    check_eq(text("%s: pause again", name), ctl(XEN_DOMCTL_pausedomain), 0);
    check_eq(text("%s: its context", name), domu_context(&u, &ctx, false), 0);
    check_eq(text("%s: unpause again", name), ctl(XEN_DOMCTL_unpausedomain), 0);
}

static void contexts(void)
{
    u.context = in_user_mode;
    start(CODE("\xff\x43\x40\xeb\xfb")); /* incl 64(%rbx), for ever */
    u.context = NULL;
    check(counts(), "it counts in user mode");
    check_eq("pause the counting", ctl(XEN_DOMCTL_pausedomain), 0);
    check_eq("context of the counting", domu_context(&u, &ctx, false), 0);
    check_eq("the same again", domu_context(&u, &ctx, true), 0);
    check_eq("unpause the counting", ctl(XEN_DOMCTL_unpausedomain), 0);
    check(counts(), "it counts with the same again");
    ctx.flags |= VGCF_in_kernel;
    ctx.ctrlreg[1] = 0;
    ctx.gdt_ents = 1;
    ctx.gdt_frames[0] = u.mfn[L1];
    refused("no user tables, a GDT that is none");
    ctx.ctrlreg[3] = xen_pfn_to_cr3(u.mfn[L1]);
    refused("a CR3 that is none");
    ctx.ctrlreg[1] = xen_pfn_to_cr3(u.mfn[L1]);
    refused("a user CR3 that is none");
    ctx.ldt_base = 0x1000;
    ctx.ldt_ents = 0x100000001ul;
    refused("an LDT too long");
    check_eq("its end, counted", domu_destroy(&u), 0);
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    tsc_aux();
    sse();
    contexts();
}
