/* SPDX-License-Identifier: MIT */
/*
 * What does the processor do with a hardware-assisted guest? The hypervisor's part is the real one.
 * VMX: vmxguest.c. SVM: its control blocks are in this machine's RAM. VMRUN is here: it checks the
 * block as the manual says (AMD APM vol. 2, 15.5.1 and 15.20), and what else must be true for the
 * guest to stay inside: intercepts, nested tables, an address space id that is nobody else's.
 */
#include "hvmguest.h"

#include <string.h>

#include "arch/insn.h"
#include "arch/upcalls.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/physmap.h"
#include "hwport.h"
#include "pv/pv_mmu.h"
#include "vmxguest.h"

#define ASIDS      8
#define FLAGS_P    0x67ul
#define FLAG_PS    0x80ul
#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME)
#define CR0_NW     (1ul << 29)
#define CR0_CD     (1ul << 30)

bool hvmguest_on;
u32 hvmguest_prepared;

/* Whose translations a processor may have under an address space id. */
static struct asid {
    const struct vcpu *v;
    u32 epoch;
} asids[MACHINE_CPUS][ASIDS];

/* Building. */

static void write_tables(struct domain *d)
{
    u64 l2[512], entry;
    u32 i;

    (void)d;
    for (i = 0; i < 512; i++)
        l2[i] = (u64)i << 21 | FLAGS_P | FLAG_PS;
    entry = PAGE_SIZE | FLAGS_P; /* level 4: the frame 1 is level 3 */
    (void)!hvm_mem_phys(d, 0, &entry, 8, true);
    (void)!hvm_mem_phys(d, 272 * 8, &entry, 8, true);
    entry = 2 * PAGE_SIZE | FLAGS_P;
    (void)!hvm_mem_phys(d, PAGE_SIZE, &entry, 8, true);
    (void)!hvm_mem_phys(d, 2 * PAGE_SIZE, l2, sizeof(l2), true);
}

static void long_mode(struct vcpu *v)
{
    struct hvm_state s;

    hvm_vendor->get_state(v, &s);
    s.cr0 = CR0_PE | CR0_PG | CR0_ET;
    s.cr3 = 0;
    s.cr4 = CR4_PAE;
    s.efer = EFER_LME | EFER_LMA | EFER_NX;
    s.seg[HVM_CS].attr = 0x29b;
    s.seg[HVM_CS].base = 0;
    s.rip = GUEST_RIP + 3;
    s.rsp = GUEST_VA(7) + 0x700;
    s.rflags = RFLAGS_MBS | RFLAGS_IF;
    if (hvmguest_vmx) {
        s.star = vmxguest_star(v);
        s.shadow_gs = vmxguest_first_gs(v->domain->id, v->id);
    }
    BUG_ON(hvm_context_check(v, &s) != NULL);
    hvm_vendor->set_state(v, &s);
    v->hvm->apic.spiv = 0x1ff;
    v->hvm->wait_start = false;
    v->initialised = true;
}

void hvmguest_boot_domain(domid_t id, u32 vcpus, u32 slots, struct guest *g)
{
    struct domain *d;
    u32 i;
    int rc = domain_create(id, &hvm_guest_kind, vcpus, 0, false, &d);

    BUG_ON(rc != 0);
    d->max_pages = slots + 600;
    rc = grant_grow(d, 1);
    for (g->nr = 0; rc == 0 && g->nr < slots; g->nr++) {
        g->mfn[g->nr] = g->nr;
        rc = physmap_add_ram(d, GFN(g->nr), 0, page_alloc_domain(d, 0, 0));
    }
    if (rc == 0)
        rc = physmap_place(d, GFN(12), maddr_to_mfn(hmap_direct_to_maddr(d->shared_info)));
    if (rc == 0)
        rc = physmap_place(d, GFN(63), grant_frame(d, 0));
    BUG_ON(rc != 0);
    write_tables(d);
    for (i = 0; i < vcpus; i++) {
        rc = vcpu_create(d, i);
        BUG_ON(rc != 0);
        long_mode(d->vcpu[i]);
        vcpu_pause_clear(d->vcpu[i], VPAUSE_DOWN);
    }
    domain_unpause(d);
    domain_put(d);
}

void hvmguest_reset(void)
{
    memset(asids, 0, sizeof(asids));
    vmxguest_reset();
}

/* Memory. */

bool hvmguest_access(u64 va, void *buf, size_t n, bool write)
{
    const struct physmap *m = vcpu_current()->domain->physmap;
    u64 gpa = va >= HV_VIRT_END ? va - HV_VIRT_END : va;
    enum p2m_type t;
    char *p = buf;
    size_t part;
    mfn_t mfn;
    void *at;

    for (; n != 0; n -= part, gpa += part, p += part) {
        part = MIN(n, PAGE_SIZE - (gpa & ~PAGE_MASK));
        if (mfn_eq(m->p2m.root, MFN_INVALID))
            return false;
        t = p2m_lookup(&m->p2m, gpa >> PAGE_SHIFT, &mfn, NULL);
        if (t != P2M_RAM_RW && (t != P2M_RAM_RO || write))
            return false;
        at = (char *)hmap_direct(mfn_to_maddr(mfn)) + (gpa & ~PAGE_MASK);
        if (write)
            memcpy(at, p, part);
        else
            memcpy(p, at, part);
    }
    return true;
}

/* The processor's checks. */

static void refused(const struct vcpu *v, const char *why)
{
    const struct vmcb *c = svm_vmcb(v);

    machine_found("d%uv%u: VMRUN with %s: cr0 %#lx cr3 %#lx cr4 %#lx efer %#lx event %#lx vintr "
                  "%#lx intercepts %#x",
                  v->domain->id, v->id, why, c->cr0, c->cr3, c->cr4, c->efer, c->eventinj, c->vintr,
                  c->intercept1);
}

const char *hvmguest_event_wrong(u64 e, bool errors)
{
    const u32 with_error = 1u << 8 | 0x1fu << 10 | 1u << 17;
    u32 type = e >> 8 & 7, vector = e & 0xff;

    if (!(e & HVM_EVENT_VALID))
        return NULL;
    if (e & 0x7ffff000)
        return "reserved bits in the event";
    if (type != HVM_EVENT_INTR && type != HVM_EVENT_NMI && type != HVM_EVENT_FAULT)
        return "an event of unknown type";
    if (type == HVM_EVENT_INTR && vector < 16)
        return "an interrupt with an exception's number";
    if (type == HVM_EVENT_FAULT && (vector > 31 || vector == TRAP_NMI))
        return "an exception that is none";
    errors &= type == HVM_EVENT_FAULT && with_error >> vector & 1;
    return !(e & HVM_EVENT_EV) == errors ? "an error code that does not belong there, or none"
                                         : NULL;
}

static void check_state(const struct vcpu *v, const struct vmcb *c)
{
    u32 i;

    for (i = 0; i < 64; i += 8)
        if (!(0xf3 >> (c->pat >> i & 0xff) & 1) || (c->pat >> i & 0xff) > 7)
            refused(v, "an impossible PAT");
    if (c->cr0 >> 32 || (c->cr0 & CR0_NW && !(c->cr0 & CR0_CD)) ||
        (c->cr0 & CR0_PG && !(c->cr0 & CR0_PE)))
        refused(v, "an impossible CR0");
    if (c->cr3 >> 52 || c->cr4 & ~v->hvm->cr4_allowed || c->dr6 >> 32 || c->dr7 >> 32)
        refused(v, "reserved bits in CR3, CR4, DR6 or DR7");
    if (!(c->efer & EFER_SVME) || c->efer & ~EFER_KNOWN)
        refused(v, "an impossible EFER");
    if (c->efer & EFER_LME && c->cr0 & CR0_PG &&
        (!(c->cr4 & CR4_PAE) ||
         (c->seg[HVM_CS].attr & HVM_ATTR_L && c->seg[HVM_CS].attr & HVM_ATTR_D)))
        refused(v, "an impossible long mode");
    if (!(c->efer & EFER_LMA) != !(c->efer & EFER_LME && c->cr0 & CR0_PG))
        refused(v, "LMA that does not follow LME");
}

/* What keeps the guest inside. */
static void check_controls(const struct vcpu *v, const struct vmcb *c)
{
    const u32 must1 = SVM_I1_INTR | SVM_I1_NMI | SVM_I1_SMI | SVM_I1_INIT | SVM_I1_RDPMC |
                      SVM_I1_CPUID | SVM_I1_INVD | SVM_I1_HLT | SVM_I1_INVLPGA | SVM_I1_IOIO |
                      SVM_I1_MSR | SVM_I1_FERR | SVM_I1_SHUTDOWN;
    bool window = c->intercept1 & SVM_I1_VINTR;

    if (~c->intercept1 & must1 || ~c->intercept2 & 0x6f7f || ~c->cr_write & 0x110 ||
        ~c->exceptions & (1u << TRAP_DB | 1u << TRAP_AC | 1u << TRAP_MC))
        refused(v, "an intercept missing");
    if (c->np_enable != 1 || c->n_cr3 != mfn_to_maddr(v->domain->physmap->p2m.root))
        refused(v, "other nested tables than its domain's");
    if (!(c->vintr & SVM_VINTR_MASKING) || window != !!(c->vintr & SVM_VINTR_IRQ))
        refused(v, "a virtual interrupt nobody takes");
    if (!!(c->intercept1 & SVM_I1_IRET) != v->hvm->nmi_blocked)
        refused(v, "NMIs blocked that are not, or the other way round");
    if ((c->dr_write == 0 && c->dr_read == 0) != v->hvm->dr_loaded)
        refused(v, "debug registers that are not its own");
    if (hwport_vmcb_loaded() != v->hvm->svm->vmcb_maddr)
        refused(v, "another's FS, GS and system-call registers");
    if (v->hvm->epoch != v->domain->hvm->epoch)
        refused(v, "translations of an earlier epoch");
}

static void check_asid(const struct vcpu *v, const struct vmcb *c)
{
    struct asid *a = asids[machine_cpu()];

    if (c->tlb_control == SVM_TLB_FLUSH_ALL)
        memset(a, 0, sizeof(asids[0]));
    if (c->asid == 0 || c->asid >= svm_features.asids)
        refused(v, "no address space id");
    a += c->asid;
    if (a->v != NULL && (a->v != v || a->epoch != v->hvm->epoch))
        refused(v, "an address space id whose translations are stale");
    *a = (struct asid){v, v->hvm->epoch};
}

/* An interrupt that could be delivered is, or an exit is arranged for when it can. */
static void check_pending(const struct vcpu *v, const struct vmcb *c)
{
    const struct hvm_vcpu *h = v->hvm;

    if (vlapic_pending(&h->apic) >= 0 && !(c->intercept1 & SVM_I1_VINTR) &&
        !(c->eventinj & HVM_EVENT_VALID) && !h->apic.irr_any)
        refused(v, "an interrupt forgotten");
}

bool hvmguest_enter(void)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct vcpu *v = vcpu_current();
    const char *why;
    struct vmcb *c;
    bool real;
    u32 i;

    if (hvmguest_vmx)
        return vmxguest_enter();
    /* svm_entry.S */
    for (i = 0;; i++) {
        u64 maddr = svm_prepare(regs);

        hvmguest_prepared++;
        if (vcpu_current() != v)
            machine_found("the vCPU changed while it was prepared");
        if (cpu_info()->work == 0) {
            BUG_ON(maddr != v->hvm->svm->vmcb_maddr);
            break;
        }
        upcall_exit_work();
        if (vcpu_current() != v || i == 8)
            return false;
    }
    c = svm_vmcb(v);
    real = !(c->cr0 & CR0_PE); /* no error codes: EV says nothing */
    why = hvmguest_event_wrong(real ? c->eventinj & ~HVM_EVENT_EV : c->eventinj, !real);
    if (why)
        refused(v, why);
    check_state(v, c);
    check_controls(v, c);
    check_asid(v, c);
    check_pending(v, c);
    return true;
}

void hvmguest_exit(void)
{
    if (hvmguest_vmx)
        vmxguest_exit();
    else
        svm_exit(&cpu_info()->guest);
    tlb_left_guest(machine_cpu()); /* it is prepared anew before it goes back */
    if (hwport_locks_held() != 0)
        machine_found("a lock is held after the exit");
}

/* Calls. */

bool hvmguest_unfinished(void)
{
    if (hvmguest_vmx)
        return vmxguest_unfinished();
    return svm_vmcb(vcpu_current())->rip == GUEST_RIP;
}

bool hvmguest_call(void)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct vcpu *v = vcpu_current();
    struct vmcb *c;
    u64 rax = regs->rax;

    if (hvmguest_vmx)
        return vmxguest_call();
    c = svm_vmcb(v);
    c->rip = GUEST_RIP;
    if (!hvmguest_enter())
        return false;
    c->eventinj = c->exitintinfo = 0;
    c->rax = rax;
    c->cpl = 0;
    c->exitcode = SVM_EXIT_VMMCALL;
    hvmguest_exit();
    return c->rip != GUEST_RIP;
}

/* Audits. */

void hvmguest_audit_vcpu(const struct vcpu *v)
{
    const struct hvm_vcpu *h = v->hvm;
    u64 rflags = hvmguest_vmx ? vmxhw_get(h->vmx->vmcs, VMCS_GUEST_RFLAGS) : svm_vmcb(v)->rflags;

    if (v->pause != VPAUSE_BLOCKED || v->defer || !(rflags & RFLAGS_IF))
        return;
    if (vlapic_pending(&h->apic) >= 0)
        machine_found("d%uv%u sleeps, and interrupt %d is pending", v->domain->id, v->id,
                      vlapic_pending(&h->apic));
    if (v->info->evtchn_upcall_pending && !h->upcall_vector && v->domain->hvm->callback_vector)
        machine_found("d%uv%u sleeps, and an upcall is pending", v->domain->id, v->id);
}

/* Whatever it reaches is its own. Of a domain that ends nobody follows the tables any more. */
void hvmguest_audit_domain(const struct domain *d)
{
    const struct physmap *m = d->physmap;
    const struct page *pg;
    enum p2m_type t;
    u64 gfn;
    mfn_t mfn;

    if (m == NULL || mfn_eq(m->p2m.root, MFN_INVALID))
        return;
    if (!p2m_audit(&m->p2m))
        machine_found("d%u: the tables of its physical memory are unsound", d->id);
    if (m->p2m.flush_due || m->p2m.limbo != 0)
        machine_found("d%u: its physical memory has changed, and processors may not know", d->id);
    for (gfn = 0; (gfn = p2m_next(&m->p2m, gfn, m->p2m.top)) < m->p2m.top; gfn++) {
        t = p2m_lookup(&m->p2m, gfn, &mfn, NULL);
        pg = page_of(mfn);
        if (d->teardown != NULL && pg->owner != d->id)
            continue;
        if ((t != P2M_RAM_RW && t != P2M_RAM_RO) || pg->owner != d->id)
            machine_found("d%u: frame %#lx is machine frame %#lx of d%u, type %u", d->id, gfn,
                          mfn.v, pg->owner, t);
        if (page_m2p_get(mfn) != gfn)
            machine_found("d%u: machine frame %#lx is at %#lx, and the table says %#lx", d->id,
                          mfn.v, gfn, page_m2p_get(mfn));
    }
}
