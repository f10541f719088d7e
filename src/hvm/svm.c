/* SPDX-License-Identifier: MIT */
/*
 * AMD SVM: switching it on, a vCPU's control block, and what a switch of vCPU moves.
 *
 * The least capable processor is the norm (AMD APM vol. 2, chapter 15): no next-RIP, no decode
 * assists, no flush by address space id, no clean bits. What VMRUN does not switch (FS, GS, TR,
 * LDTR, the system-call MSRs) stays the guest's between its exits and is exchanged by VMLOAD and
 * VMSAVE only when another vCPU comes; the hypervisor uses none of it, but for the task register,
 * which it does without: interrupt stacks are not used meanwhile (cpu_use_ist).
 *
 * A TLB entry belongs to an address space id. A vCPU gets a fresh one when it comes to a CPU that
 * has given out newer ones since, and when its domain's physical memory has changed; when they run
 * out the whole TLB is flushed and counting begins anew.
 */
#include "hvm/svm.h"

#include "arch/insn.h"
#include "arch/irq.h"
#include "base/lib.h"
#include "core/console.h"

#define MSR_VM_CR       0xc0010114
#define MSR_VM_HSAVE_PA 0xc0010117
#define VM_CR_SVMDIS    (1ul << 4)

#define LEAF_SVM 0x8000000a
#define SVM_NP   (1u << 0)
#define SVM_NRIP (1u << 3)

#define CR0_LOW (~0xfffffffful)

struct svm_features svm_features;

static struct {
    mfn_t save;   /* where VMRUN keeps the host's state */
    maddr_t host; /* VMCB with what VMLOAD restores for the host */
    u32 asid_next, generation;
    bool flush_due; /* ids are being given out again, and the TLB still has entries with them */
} svm_cpu[MAX_CPUS];

/* Which MSRs and ports exit: one map of each for all guests. */
static maddr_t msr_map, port_map_maddr;

/* MSRs a guest reads and writes in the processor: VMLOAD and VMSAVE switch them. */
static const u32 free_msrs[] = {
    MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,         MSR_LSTAR,
    MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};

/* Two bits per MSR in ranges of 8192 (APM vol. 2, 15.11). */
static void msr_allow(u8 *map, u32 msr)
{
    u32 nr = msr < 0x2000 ? msr : (msr & 0x1fff) + (msr >> 16 == 0xc000 ? 0x2000 : 0x4000);

    map[nr / 4] &= (u8) ~(3u << (nr % 4 * 2));
}

static bool maps_init(void)
{
    mfn_t m = page_alloc_hv(1), p = page_alloc_hv(2);
    u32 i;

    if (mfn_eq(m, MFN_INVALID) || mfn_eq(p, MFN_INVALID))
        return false;
    memset(port_map(m), 0xff, 2 * PAGE_SIZE);
    memset(port_map(p), 0xff, 4 * PAGE_SIZE);
    for (i = 0; i < ARRAY_SIZE(free_msrs); i++)
        msr_allow(port_map(m), free_msrs[i]);
    if (cpu_features.rdtscp)
        msr_allow(port_map(m), MSR_TSC_AUX);
    msr_map = mfn_to_maddr(m);
    port_map_maddr = mfn_to_maddr(p);
    return true;
}

static bool cpu_prepare(u32 cpu)
{
    mfn_t host = page_alloc_hv(0);

    svm_cpu[cpu].save = page_alloc_hv(0);
    svm_cpu[cpu].host = mfn_to_maddr(host);
    svm_cpu[cpu].asid_next = 1;
    svm_cpu[cpu].generation = 1;
    return !mfn_eq(host, MFN_INVALID) && !mfn_eq(svm_cpu[cpu].save, MFN_INVALID);
}

/* On each CPU. */
static void cpu_enable(void *arg)
{
    u32 cpu = cpu_id();

    (void)arg;
    insn_wrmsr(MSR_EFER, insn_rdmsr(MSR_EFER) | EFER_SVME);
    insn_wrmsr(MSR_VM_HSAVE_PA, mfn_to_maddr(svm_cpu[cpu].save));
    insn_vmsave(svm_cpu[cpu].host);
}

/* QEMU's software emulation says so. */
static bool on_qemu(void)
{
    u32 r[4];

    insn_cpuid(0x40000000, 0, r);
    return !memcmp(&r[1], "TCGTCGTCGTCG", 12);
}

bool svm_init(void)
{
    u32 r[4], i;
    u64 val;

    if (!cpu_features.svm || cpu_features.max_ext_leaf < LEAF_SVM)
        return false;
    insn_cpuid(LEAF_SVM, 0, r);
    if (!insn_rdmsr_safe(MSR_VM_CR, &val) || val & VM_CR_SVMDIS) {
        log_msg(LOG_WARN, "HVM: SVM is switched off by the firmware");
        return false;
    }
    if (!(r[3] & SVM_NP) || r[1] < 2) {
        log_msg(LOG_WARN, "HVM: SVM without nested paging (features %#x): not used", r[3]);
        return false;
    }
    if (!maps_init())
        return false;
    for (i = 0; i < cpu_count(); i++)
        if (!cpu_prepare(i))
            return false;
    svm_features.nrip = r[3] & SVM_NRIP;
    svm_features.asids = r[1];
    svm_features.qemu = on_qemu();
    smp_call(CPU_MASK_ALL, cpu_enable, NULL);
    hvm_enter = svm_enter;
    log_msg(LOG_INFO, "HVM: SVM with nested paging, %u address space ids, features %#x%s", r[1],
            r[3], svm_features.nrip ? "" : "; instructions are decoded here");
    return true;
}

static void asid_renew(struct vcpu *v)
{
    struct hvm_vcpu *h = v->hvm;
    struct svm_vcpu *s = h->svm;
    u32 cpu = cpu_id();

    h->epoch = READ_ONCE(v->domain->hvm->epoch);
    if (svm_cpu[cpu].asid_next >= svm_features.asids) {
        svm_cpu[cpu].asid_next = 1;
        svm_cpu[cpu].generation++;
        svm_cpu[cpu].flush_due = true;
    }
    /* Until one has been entered: it may be another vCPU's turn before this one gets there. */
    if (svm_cpu[cpu].flush_due)
        s->vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
    s->vmcb->asid = svm_cpu[cpu].asid_next++;
    s->asid_cpu = cpu;
    s->asid_generation = svm_cpu[cpu].generation;
}

void svm_flushed(struct vmcb *c)
{
    c->tlb_control = 0;
    if (c->exitcode != SVM_EXIT_INVALID)
        svm_cpu[cpu_id()].flush_due = false;
}

u64 svm_prepare(struct cpu_regs *regs)
{
    struct vcpu *v = vcpu_current();
    struct hvm_vcpu *h = v->hvm;

    if (unlikely(hvm_intr_look(v, h)))
        hvm_intr_prepare(v);
    /* Who changes the memory counts first and then interrupts this CPU: hvm_flush. */
    if (unlikely(h->epoch != READ_ONCE(v->domain->hvm->epoch)))
        asid_renew(v);
    /* QEMU 7.2 delivers it again if its loop is left before the next exit: have one at once. */
    if (svm_features.qemu &&
        (h->svm->vmcb->eventinj & (HVM_EVENT_VALID | 7 << 8)) == HVM_EVENT_VALID)
        irq_send_ipi(cpu_id(), IRQ_VECTOR_KICK);
    h->svm->vmcb->rax = regs->rax;
    return h->svm->vmcb_maddr;
}

static void watch_dr(struct vmcb *c, bool watch)
{
    c->dr_read = c->dr_write = watch ? 0xffff : 0;
}

void svm_load_dr(struct vcpu *v)
{
    hvm_load_dr(v->hvm);
    watch_dr(svm_vmcb(v), false);
}

static void store_dr(struct vcpu *v)
{
    hvm_store_dr(v->hvm);
    /* With a breakpoint enabled they must be there without being asked for. */
    watch_dr(svm_vmcb(v), true);
}

static int svm_vcpu_init(struct vcpu *v)
{
    struct svm_vcpu *s = domain_zalloc(v->domain, sizeof(*s));
    mfn_t m = domain_alloc_frame(v->domain);
    struct vmcb *c;

    if (s == NULL || mfn_eq(m, MFN_INVALID)) {
        domain_zfree(v->domain, s, sizeof(*s));
        if (!mfn_eq(m, MFN_INVALID))
            domain_free_frame(v->domain, m);
        return -ENOMEM;
    }
    v->hvm->svm = s;
    s->vmcb_maddr = mfn_to_maddr(m);
    s->vmcb = c = port_map(m);
    s->asid_cpu = ~0u;
    c->cr_write = 1u << 4 | 1u << 8;
    watch_dr(c, true);
    /* #DB and #AC: a guest can make the processor deliver them to itself for ever. */
    c->exceptions = 1u << TRAP_DB | 1u << TRAP_AC | 1u << TRAP_MC;
    c->intercept1 = SVM_I1_INTR | SVM_I1_NMI | SVM_I1_SMI | SVM_I1_INIT | SVM_I1_RDPMC |
                    SVM_I1_CPUID | SVM_I1_INVD | SVM_I1_HLT | SVM_I1_INVLPGA | SVM_I1_IOIO |
                    SVM_I1_MSR | SVM_I1_FERR | SVM_I1_SHUTDOWN;
    c->intercept2 = SVM_I2_VMRUN | SVM_I2_VMMCALL | SVM_I2_VMLOAD | SVM_I2_VMSAVE | SVM_I2_STGI |
                    SVM_I2_CLGI | SVM_I2_SKINIT | SVM_I2_ICEBP | SVM_I2_WBINVD | SVM_I2_MONITOR |
                    SVM_I2_MWAIT | SVM_I2_XSETBV | SVM_I2_RDPRU;
    c->iopm = port_map_maddr;
    c->msrpm = msr_map;
    c->vintr = SVM_VINTR_MASKING;
    c->np_enable = 1;
    c->n_cr3 = mfn_to_maddr(v->domain->physmap->p2m.root);
    return 0;
}

static void svm_vcpu_fini(struct vcpu *v)
{
    struct svm_vcpu *s = v->hvm->svm;

    if (s == NULL)
        return;
    domain_free_frame(v->domain, maddr_to_mfn(s->vmcb_maddr));
    domain_zfree(v->domain, s, sizeof(*s));
    v->hvm->svm = NULL;
}

static void svm_switch_in(struct vcpu *v)
{
    struct svm_vcpu *s = v->hvm->svm;
    u32 cpu = cpu_id();

    if (s->asid_cpu != cpu || s->asid_generation != svm_cpu[cpu].generation)
        asid_renew(v);
    cpu_use_ist(false);
    insn_vmload(s->vmcb_maddr);
    if (s->vmcb->dr7 & 0xff)
        svm_load_dr(v);
}

static void svm_switch_out(struct vcpu *v)
{
    insn_vmsave(v->hvm->svm->vmcb_maddr);
    insn_vmload(svm_cpu[cpu_id()].host);
    cpu_use_ist(true);
    if (v->hvm->dr_loaded)
        store_dr(v);
}

/* Registers that both have: as pairs of places. */
#define PAIR(state, block) offsetof(struct hvm_state, state), offsetof(struct vmcb, block)
#define SAME(a, b, c)      PAIR(a, a), PAIR(b, b), PAIR(c, c)
static const u16 pairs[] = {SAME(rip, rsp, rflags),
                            SAME(cr0, cr2, cr3),
                            SAME(cr4, dr6, dr7),
                            SAME(efer, pat, star),
                            SAME(lstar, cstar, sfmask),
                            SAME(sysenter_cs, sysenter_esp, sysenter_eip),
                            PAIR(shadow_gs, kernel_gs_base),
                            PAIR(event, eventinj)};

static void svm_get_state(struct vcpu *v, struct hvm_state *s)
{
    struct vmcb *c = svm_vmcb(v);
    u32 i;

    if (v == vcpu_current())
        insn_vmsave(v->hvm->svm->vmcb_maddr);
    memcpy(s->seg, c->seg, sizeof(s->seg));
#pragma GCC unroll 32 /* each decoded instruction comes here */
    for (i = 0; i < ARRAY_SIZE(pairs); i += 2)
        __builtin_memcpy((u8 *)s + pairs[i], (u8 *)c + pairs[i + 1], 8);
    s->efer &= ~EFER_SVME;
}

static void svm_set_state(struct vcpu *v, const struct hvm_state *s)
{
    struct vmcb *c = svm_vmcb(v);
    u32 i;

    memcpy(c->seg, s->seg, sizeof(c->seg));
    c->cpl = s->seg[HVM_SS].attr >> 5 & 3;
    for (i = 0; i < ARRAY_SIZE(pairs); i += 2)
        __builtin_memcpy((u8 *)c + pairs[i + 1], (const u8 *)s + pairs[i], 8);
    c->rflags |= RFLAGS_MBS;
    c->cr0 &= ~CR0_LOW;
    c->efer |= EFER_SVME;
    c->shadow = 0;
    c->exitintinfo = 0;
    c->intercept1 &= ~(SVM_I1_VINTR | SVM_I1_IRET);
    c->vintr = SVM_VINTR_MASKING;
    if (v == vcpu_current())
        insn_vmload(v->hvm->svm->vmcb_maddr);
    /* Whatever was cached belonged to another life. */
    v->hvm->svm->asid_cpu = ~0u;
    v->hvm->epoch = READ_ONCE(v->domain->hvm->epoch) - 1;
}

static void svm_get_paging(const struct vcpu *v, struct gwalk_mode *m, bool *user)
{
    const struct vmcb *c = svm_vmcb(v);

    m->cr0 = c->cr0;
    m->cr3 = c->cr3;
    m->cr4 = c->cr4;
    m->efer = c->efer;
    m->ac = c->rflags & RFLAGS_AC;
    *user = c->cpl == 3;
}

static bool svm_can_interrupt(const struct vcpu *v)
{
    const struct vmcb *c = svm_vmcb(v);

    return c->rflags & RFLAGS_IF && !(c->shadow & 1) && !(c->eventinj & HVM_EVENT_VALID);
}

static void svm_want_window(struct vcpu *v)
{
    struct vmcb *c = svm_vmcb(v);

    c->vintr |= SVM_VINTR_IRQ | SVM_VINTR_PRIO | SVM_VINTR_IGN_TPR;
    c->intercept1 |= SVM_I1_VINTR;
}

void svm_queue_event(struct vcpu *v, u32 type, u32 vector, u64 error)
{
    struct vmcb *c = svm_vmcb(v);

    c->eventinj = hvm_event(v, c->eventinj, type, vector, error);
}

static bool svm_queue_nmi(struct vcpu *v)
{
    struct vmcb *c = svm_vmcb(v);

    if (c->eventinj & HVM_EVENT_VALID || c->shadow & 1)
        return false;
    svm_queue_event(v, HVM_EVENT_NMI, TRAP_NMI, HVM_NO_ERROR);
    c->intercept1 |= SVM_I1_IRET;
    return true;
}

static void svm_set_cr2(struct vcpu *v, u64 val)
{
    svm_vmcb(v)->cr2 = val;
}

static void svm_set_tpr(struct vcpu *v, u8 tpr)
{
    struct vmcb *c = svm_vmcb(v);

    c->vintr = (c->vintr & ~SVM_VINTR_TPR) | tpr >> 4;
}

static void svm_set_efer(struct vcpu *v, u64 val)
{
    svm_vmcb(v)->efer = val | EFER_SVME;
    v->hvm->epoch--; /* NX changes what the TLB holds */
}

static void svm_set_pat(struct vcpu *v, u64 val)
{
    svm_vmcb(v)->pat = val;
    v->hvm->epoch--;
}

const struct hvm_vendor svm_vendor = {
    .name = "SVM",
    .format = &p2m_format_npt,
    .vcpu_init = svm_vcpu_init,
    .vcpu_fini = svm_vcpu_fini,
    .switch_in = svm_switch_in,
    .switch_out = svm_switch_out,
    .get_state = svm_get_state,
    .set_state = svm_set_state,
    .get_paging = svm_get_paging,
    .can_interrupt = svm_can_interrupt,
    .want_window = svm_want_window,
    .queue_event = svm_queue_event,
    .queue_nmi = svm_queue_nmi,
    .set_tpr = svm_set_tpr,
    .set_cr2 = svm_set_cr2,
    .set_efer = svm_set_efer,
    .set_pat = svm_set_pat,
    .step = svm_step,
};
