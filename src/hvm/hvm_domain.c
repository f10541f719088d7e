/* SPDX-License-Identifier: MIT */
/*
 * The hardware-assisted guest kind: what a domain and a vCPU need for it, what a switch of vCPU
 * does beside the vendor's part, and how its memory goes in the end.
 *
 * The hypervisor runs on its own tables (the template) while such a vCPU is current: the guest's
 * memory is reached through its physical memory's tables, never by its addresses.
 */
#include "arch/hmap.h"
#include "arch/insn.h"
#include "base/lib.h"
#include "core/console.h"
#include "hvm/hvm.h"
#include "pure/ptype.h"

#define TEARDOWN_BUDGET 256u

const struct hvm_vendor *hvm_vendor;
void (*hvm_enter)(void);

void hvm_init(void)
{
    hvm_cpuid_init();
    if (svm_init())
        hvm_vendor = &svm_vendor;
    else if (vmx_init())
        hvm_vendor = &vmx_vendor;
    else
        log_msg(LOG_INFO, "HVM: no hardware-assisted guests on this machine");
}

static void nothing(void *arg)
{
    (void)arg;
}

/*
 * The count first: a CPU that enters the guest from now on takes a fresh address space id. Those
 * inside are interrupted, and look at the count before they go back.
 */
static void hvm_flush(struct domain *d)
{
    u64 cpus;

    (void)__atomic_fetch_add(&d->hvm->epoch, 1u, __ATOMIC_SEQ_CST);
    cpus = atomic_load(&d->hvm->cpus);
    if (cpus != 0)
        smp_call((struct cpu_mask){cpus}, nothing, NULL);
}

static int hvm_domain_init(struct domain *d)
{
    struct hvm_domain *hd = domain_zalloc(d, sizeof(*hd));

    if (hd == NULL)
        return -ENOMEM;
    d->hvm = hd;
    hd->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
    return physmap_init(d, hvm_vendor->format, hvm_flush);
}

static void hvm_domain_fini(struct domain *d)
{
    physmap_free(d);
    domain_zfree(d, d->hvm, sizeof(*d->hvm));
    d->hvm = NULL;
}

static int hvm_vcpu_init(struct vcpu *v)
{
    struct hvm_vcpu *h = domain_zalloc(v->domain, sizeof(*h));
    int rc;

    if (h == NULL)
        return -ENOMEM;
    v->hvm = h;
    timer_setup(&h->apic_timer, hvm_apic_timer_fire, v);
    rc = hvm_vendor->vcpu_init(v);
    if (rc != 0)
        return rc;
    hvm_context_reset(v, 0);
    h->wait_start = true;
    return 0;
}

static void hvm_vcpu_fini(struct vcpu *v)
{
    timer_stop_sync(&v->hvm->apic_timer);
    hvm_vendor->vcpu_fini(v);
    domain_zfree(v->domain, v->hvm, sizeof(*v->hvm));
    v->hvm = NULL;
}

static void hvm_switch_in(struct vcpu *v)
{
    struct cpu_info *ci = cpu_info();
    u64 cr4 = cpu_cr4_base();

    ci->hole_start = 0;
    ci->hole_end = ~(u64)0;
    if (insn_read_cr4() != cr4)
        insn_write_cr4(cr4);
    smp_load_cr3(mfn_to_maddr(hmap_template()));
    /* Fully ordered before the look at the epoch: see hvm_flush. */
    atomic_fetch_or(&v->domain->hvm->cpus, (u64)1 << ci->cpu_id);
    if (cpu_features.rdtscp)
        insn_wrmsr(MSR_TSC_AUX, v->hvm->tsc_aux);
    timer_migrate(&v->hvm->apic_timer, ci->cpu_id);
    hvm_vendor->switch_in(v);
}

static void hvm_switch_out(struct vcpu *v)
{
    struct domain *d = v->domain;

    hvm_vendor->switch_out(v);
    fpu_note_xcr0(&v->fpu);
    if (cpu_features.rdtscp)
        v->hvm->tsc_aux = insn_rdmsr(MSR_TSC_AUX);
    atomic_fetch_and(&d->hvm->cpus, ~((u64)1 << cpu_id()));
}

static void hvm_inject_nmi(struct vcpu *v)
{
    v->hvm->nmi_due = true;
    hvm_intr_poke(v);
}

/* The tables first: no vCPU runs any more, nothing translates. */
static int hvm_teardown_step(struct domain *d)
{
    int budget = TEARDOWN_BUDGET, rc = physmap_fini_step(d, TEARDOWN_BUDGET);

    return rc != 0 ? rc : domain_release_frames(d, &budget);
}

static u64 hvm_dump(struct vcpu *v)
{
    struct hvm_state s;
    struct cpu_regs r = v == vcpu_current() ? cpu_info()->guest : v->regs;

    hvm_vendor->get_state(v, &s);
    r.rip = s.rip;
    r.rsp = s.rsp;
    r.rflags = s.rflags;
    r.cs = s.seg[HVM_CS].sel;
    r.ss = s.seg[HVM_SS].sel;
    log_msg(LOG_ERR, "d%uv%u %s, cr0 %#lx cr2 %#lx cr3 %#lx cr4 %#lx efer %#lx, cs %x attr %x",
            v->domain->id, v->id, hvm_vendor->name, (unsigned long)s.cr0, (unsigned long)s.cr2,
            (unsigned long)s.cr3, (unsigned long)s.cr4, (unsigned long)s.efer, s.seg[HVM_CS].sel,
            s.seg[HVM_CS].attr);
    console_dump_regs(&r, true);
    return r.rsp;
}

/* What the tools show of a vCPU. */
static void legacy_get(struct vcpu *v, struct vcpu_guest_context *ctx)
{
    struct hvm_state s;

    memset(ctx, 0, sizeof(*ctx));
    hvm_vendor->get_state(v, &s);
    memcpy(&ctx->user_regs, &v->regs, offsetof(struct cpu_regs, error_code));
    ctx->user_regs.rip = s.rip;
    ctx->user_regs.rsp = s.rsp;
    ctx->user_regs.rflags = s.rflags;
    ctx->user_regs.cs = s.seg[HVM_CS].sel;
    ctx->user_regs.ss = s.seg[HVM_SS].sel;
    ctx->ctrlreg[0] = s.cr0;
    ctx->ctrlreg[2] = s.cr2;
    ctx->ctrlreg[3] = s.cr3;
    ctx->ctrlreg[4] = s.cr4;
    ctx->flags = READ_ONCE(v->pause) & VPAUSE_DOWN ? 0 : VGCF_online;
    fpu_get_legacy(&v->fpu, &ctx->fpu_ctxt);
}

/* Set: the general registers, as the tools answer a suspension; all else is to be as it is. */
static int hvm_legacy_context(struct vcpu *v, struct vcpu_guest_context *ctx, bool set)
{
    struct vcpu_guest_context *now;
    bool same;

    if (!set) {
        legacy_get(v, ctx);
        return 0;
    }
    now = page_zalloc(sizeof(*now));
    if (now == NULL)
        return -ENOMEM;
    legacy_get(v, now);
    memcpy(&now->user_regs, &ctx->user_regs, offsetof(struct cpu_regs, error_code));
    same = memcmp(now, ctx, sizeof(*now)) == 0;
    page_zfree(now, sizeof(*now));
    if (!same)
        return (int)hypercall_refuse(-EINVAL, "setvcpucontext: d%uv%u: more than general registers",
                                     v->domain->id, v->id);
    memcpy(&v->regs, &ctx->user_regs, offsetof(struct cpu_regs, error_code));
    return 0;
}

static int hvm_ext_context(struct vcpu *v, struct xen_domctl_ext_vcpucontext *ctx, bool set)
{
    u32 id = ctx->vcpu;

    (void)v;
    if (set)
        return -EINVAL;
    memset(ctx, 0, sizeof(*ctx));
    ctx->vcpu = id;
    ctx->size = sizeof(*ctx);
    return 0;
}

int hvm_param_set(struct domain *d, u32 index, u64 val)
{
    struct hvm_domain *hd = d->hvm;
    u32 type = (u32)(val >> 56);

    if (index == HVM_PARAM_CALLBACK_IRQ) {
        if (type == HVM_PARAM_CALLBACK_TYPE_VECTOR && ((val & 0xff) < 16 || val << 8 >> 16 != 0))
            return -EINVAL;
        WRITE_ONCE(hd->callback_vector, type == HVM_PARAM_CALLBACK_TYPE_VECTOR ? (u8)val : (u8)0);
    }
    hd->params[index] = val;
    return 0;
}

/* Grants of others do not appear in its memory: such guests are front ends. */
static bool hvm_grant_map(struct vcpu *v, u64 where, u32 flags, mfn_t mfn, domid_t granter)
{
    (void)flags, (void)mfn;
    return hypercall_refuse(0,
                            "grant_table_op: map of d%u's frame at %#lx of d%u: not offered to %s",
                            granter, (unsigned long)where, v->domain->id, hvm_vendor->name) != 0;
}

static bool hvm_grant_unmap(struct vcpu *v, u64 where, u64 new_where, u32 flags, mfn_t mfn)
{
    (void)v, (void)where, (void)new_where, (void)flags, (void)mfn;
    return false;
}

const struct guest_kind hvm_guest_kind = {
    .name = "HVM",
    .hypercalls = hvm_hypercall_table,
    .domain_init = hvm_domain_init,
    .domain_fini = hvm_domain_fini,
    .vcpu_init = hvm_vcpu_init,
    .vcpu_fini = hvm_vcpu_fini,
    .switch_out = hvm_switch_out,
    .switch_in = hvm_switch_in,
    .event_due = hvm_intr_due,
    .inject_nmi = hvm_inject_nmi,
    .write_guest = hvm_mem_write_guest,
    .copy_guest = hvm_mem_copy_guest,
    .teardown_step = hvm_teardown_step,
    .dump = hvm_dump,
    .hypercall_context = hvm_legacy_context,
    .ext_context = hvm_ext_context,
    .grant_map = hvm_grant_map,
    .grant_unmap = hvm_grant_unmap,
    .cpu_policy = &hvm_cpuid_policy,
};
