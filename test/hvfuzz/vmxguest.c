/* SPDX-License-Identifier: MIT */
/*
 * What does a processor with VMX do when a guest is entered, and when it exits? The entry's checks
 * are the manual's (Intel SDM vol. 3, 27.2 and 27.3), and what else must be true for the guest to
 * stay inside. A state the guest's own doing and the hypervisor's have led to must be accepted; one
 * the tools have loaded may be refused, which ends the domain.
 */
#include "vmxguest.h"

#include <string.h>

#include "arch/upcalls.h"
#include "core/sched.h"
#include "hwport.h"

#define EPTPS     4
#define CR4_VMXE  (1ul << 13)
#define PHYS_BITS 36
#define TAG       0x5b17000000000000ul /* a STAR that says whose it is */
#define AR_S      0x10u
#define AR_P      0x80u
#define AR_L      0x2000u
#define AR_D      0x4000u
#define AR_G      0x8000u

bool hvmguest_vmx;

/* Whose translations a processor may have by a VPID, and of which memory by an EPTP. */
static struct vpid {
    const struct vcpu *v;
    u32 epoch;
} vpids[MACHINE_CPUS][VMX_VPIDS];

static struct ept {
    u64 eptp;
    u32 id, epoch;
} epts[MACHINE_CPUS][EPTPS];

/* What translations depend on, by vCPU: as it was at the last exit. */
static struct paging {
    u64 cr0, cr3, cr4, efer, pat;
    u64 vpid, cpu; /* cpu: + 1; 0: forgotten there */
} pagings[GUEST_MAX][2];

/* Where the guest has its other GS. */
static u64 kernel_gs[GUEST_MAX][2];

static bool tainted[GUEST_MAX][2], calling[GUEST_MAX][2];

u64 vmxguest_get(u32 field)
{
    return vmxhw_get(vmxhw_current(), field);
}

void vmxguest_put(u32 field, u64 val)
{
    vmxhw_put(vmxhw_current(), field, val);
}

#define get vmxguest_get
#define put vmxguest_put

u64 vmxguest_star(const struct vcpu *v)
{
    return TAG | (v->domain->id * 0x11ul + v->id * 0x30303ul) << 16;
}

u64 vmxguest_first_gs(u32 id, u32 vcpu)
{
    return HV_VIRT_END + id * PAGE_SIZE + vcpu;
}

void vmxguest_set_gs(u64 val)
{
    const struct vcpu *v = vcpu_current();

    val = HV_VIRT_END + (val & 0xffff);
    insn_wrmsr(MSR_KERNEL_GS_BASE, val);
    kernel_gs[v->domain->id][v->id & 1] = val;
}

/* As the guest has written it; or 0: it has begun anew. */
static bool has_its_gs(const struct vcpu *v)
{
    u64 *own = &kernel_gs[v->domain->id][v->id & 1], val = insn_rdmsr(MSR_KERNEL_GS_BASE);

    if (val == 0 || tainted[v->domain->id][v->id & 1])
        *own = val;
    return *own == val;
}

void vmxguest_taint(u32 id)
{
    if (id < GUEST_MAX)
        tainted[id][0] = tainted[id][1] = true;
}

void vmxguest_reset(void)
{
    u32 i;

    memset(vpids, 0, sizeof(vpids));
    memset(epts, 0, sizeof(epts));
    memset(pagings, 0, sizeof(pagings));
    memset(tainted, 0, sizeof(tainted));
    memset(calling, 0, sizeof(calling));
    for (i = 0; i < GUEST_MAX * 2; i++)
        kernel_gs[i / 2][i & 1] = vmxguest_first_gs(i / 2, i & 1);
}

void vmxguest_invept(u64 eptp)
{
    u32 i;

    for (i = 0; i < EPTPS; i++)
        if (epts[machine_cpu()][i].eptp == eptp)
            epts[machine_cpu()][i].eptp = 0;
}

void vmxguest_invvpid(void)
{
    u32 i;

    memset(vpids[machine_cpu()], 0, sizeof(vpids[0]));
    for (i = 0; i < GUEST_MAX * 2; i++)
        if (pagings[i / 2][i & 1].cpu == machine_cpu() + 1)
            pagings[i / 2][i & 1].cpu = 0;
}

static void refused(const struct vcpu *v, const char *why)
{
    machine_found("d%uv%u: VM entry with %s: cr0 %#lx cr3 %#lx cr4 %#lx efer %#lx event %#lx "
                  "shadow %#lx rflags %#lx primary %#lx cs %#lx tr %#lx",
                  v->domain->id, v->id, why, get(VMCS_GUEST_CR0), get(VMCS_GUEST_CR3),
                  get(VMCS_GUEST_CR4), get(VMCS_GUEST_EFER), get(VMCS_ENTRY_EVENT),
                  get(VMCS_GUEST_SHADOW), get(VMCS_GUEST_RFLAGS), get(VMCS_PRIMARY), get(VMX_CS_AR),
                  get(VMX_TR_AR));
}

/* 27.2.1: execution, exit and entry controls; and what keeps the guest inside. */

static bool control_allowed(u32 field)
{
    u64 allowed = vmxhw_allowed(field), val = get(field);

    return (~val & (u32)allowed) == 0 && (val & ~(allowed >> 32)) == 0;
}

static void check_bitmap(const struct vcpu *v)
{
    static const u16 low[] = {0x174, 0x175, 0x176},
                     high[] = {0x81, 0x82, 0x83, 0x84, 0x100, 0x101, 0x102};
    const u8 *map = hmap_direct(get(VMCS_MSR_BITMAP));
    u8 want[PAGE_SIZE];
    u32 i;

    memset(want, 0xff, sizeof(want));
    for (i = 0; i < ARRAY_SIZE(low); i++)
        want[low[i] / 8] &= (u8) ~(1u << low[i] % 8);
    for (i = 0; i < ARRAY_SIZE(high); i++)
        want[1024 + high[i] / 8] &= (u8) ~(1u << high[i] % 8);
    memcpy(want + 2048, want, 2048);
    if (memcmp(map, want, sizeof(want)) != 0)
        refused(v, "another bitmap of MSRs");
}

static void check_controls(const struct vcpu *v)
{
    const struct vmx_vcpu *x = v->hvm->vmx;
    const u32 pin = VMX_PIN_INTR | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI,
              primary = VMX_HLT | VMX_MWAIT | VMX_RDPMC | VMX_CR8_LOAD | VMX_CR8_STORE | VMX_IO |
                        VMX_MSR_BITMAPS | VMX_MONITOR | VMX_SECONDARY,
              secondary = VMX2_EPT | VMX2_UNRESTRICTED | VMX2_WBINVD,
              exit = VMX_EXIT_DEBUG | VMX_EXIT_HOST64 | VMX_EXIT_SAVE_PAT | VMX_EXIT_LOAD_PAT |
                     VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER,
              entry = VMX_ENTRY_DEBUG | VMX_ENTRY_PAT | VMX_ENTRY_EFER;
    static const u16 zero[] = {0x4006, 0x4008, 0x400a, 0x400e, 0x4010, 0x4014};
    u64 own = get(VMCS_PRIMARY), second = get(VMCS_SECONDARY);
    bool vpid = vmxhw_allowed(VMCS_SECONDARY) >> 32 & VMX2_VPID;
    u32 i;

    if (!control_allowed(VMCS_PIN) || !control_allowed(VMCS_PRIMARY) ||
        !control_allowed(VMCS_SECONDARY) || !control_allowed(VMCS_EXIT_CTL) ||
        !control_allowed(VMCS_ENTRY_CTL))
        refused(v, "a control the processor has not");
    if (~get(VMCS_PIN) & pin || ~own & primary || ~second & secondary ||
        ~get(VMCS_EXIT_CTL) & exit || ~get(VMCS_ENTRY_CTL) & entry ||
        ~get(VMCS_EXCEPTIONS) & (1u << TRAP_DB | 1u << TRAP_AC | 1u << TRAP_MC))
        refused(v, "an intercept missing");
    if (get(VMCS_PIN) & ~(0x16ul | pin) || second & ~(secondary | VMX2_VPID | VMX2_INVPCID) ||
        own & ~(0x04006172ul | primary | VMX_INTR_WINDOW | VMX_NMI_WINDOW | VMX_MOV_DR) ||
        get(VMCS_EXIT_CTL) & ~(0x36dfbul | exit))
        refused(v, "a control nobody asked for");
    for (i = 0; i < ARRAY_SIZE(zero); i++)
        if (get(zero[i]) != 0)
            refused(v, "counts and masks that nobody has set");
    if (own != x->primary || !!(own & VMX_NMI_WINDOW) != v->hvm->nmi_blocked)
        refused(v, "NMIs blocked that are not, or the other way round");
    if (!(own & VMX_MOV_DR) != v->hvm->dr_loaded ||
        (get(VMCS_GUEST_DR7) & 0xff && !v->hvm->dr_loaded))
        refused(v, "debug registers that are not its own");
    if (get(VMCS_EPTP) != (mfn_to_maddr(v->domain->physmap->p2m.root) | 6 | 3 << 3))
        refused(v, "other nested tables than its domain's");
    if (!(second & VMX2_VPID) == vpid)
        refused(v, "VPID used or not");
    if (get(VMCS_LINK) != ~0ul)
        refused(v, "a linked structure");
    if (~get(VMCS_CR4_MASK) & ~(u64)CR4_PGE || ~get(VMCS_CR0_MASK) & (CR0_NE | 3ul << 29))
        refused(v, "control registers the guest may change alone");
    if (v->hvm->epoch != v->domain->hvm->epoch)
        refused(v, "translations of an earlier epoch");
    if (insn_read_cr2() != x->cr2 || !has_its_gs(v) || insn_rdmsr(MSR_STAR) == HWPORT_STAR ||
        (insn_rdmsr(MSR_STAR) >> 48 == TAG >> 48 && insn_rdmsr(MSR_STAR) != vmxguest_star(v) &&
         !tainted[v->domain->id][v->id]))
        refused(v, "another's system-call registers or CR2");
    check_bitmap(v);
}

/* 27.2.2 to 27.2.4: where an exit goes to. */
static void check_host(const struct vcpu *v)
{
    static const u16 zero[] = {0x0c00, 0x0c06, 0x0c08, 0x0c0a, 0x4c00,
                               0x6c06, 0x6c08, 0x6c10, 0x6c12};
    u64 gdt, tss, idt;
    u32 i;

    cpu_table_bases(&gdt, &tss, &idt);
    if (get(VMCS_HOST_GDTR_BASE) != gdt || get(VMCS_HOST_TR_BASE) != tss ||
        get(VMCS_HOST_IDTR_BASE) != idt || get(VMCS_HOST_RSP) != (u64)&cpu_info()->guest.error_code)
        refused(v, "an exit to another CPU");
    if (get(VMCS_HOST_CS_SEL) != SEL_HV_CS || get(VMCS_HOST_SS_SEL) != SEL_HV_DS ||
        get(VMCS_HOST_TR_SEL) != SEL_TSS || get(VMCS_HOST_RIP) != (u64)vmx_exit_entry ||
        get(VMCS_HOST_CR3) != mfn_to_maddr(hmap_template()) ||
        get(VMCS_HOST_CR4) != cpu_cr4_base() || !(get(VMCS_HOST_CR4) & CR4_VMXE) ||
        get(VMCS_HOST_CR0) != (CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP) ||
        get(VMCS_HOST_PAT) != PAT_VALUE || ~get(VMCS_HOST_EFER) & (EFER_LME | EFER_LMA | EFER_NX))
        refused(v, "an exit to somewhere else");
    for (i = 0; i < ARRAY_SIZE(zero); i++)
        if (get(zero[i]) != 0)
            refused(v, "host registers that nobody has set");
}

/* 27.2.1.3, and 27.3.1.4 and 27.3.1.5 where they are about events. */
static void check_event(const struct vcpu *v)
{
    u64 e = get(VMCS_ENTRY_EVENT), shadow = get(VMCS_GUEST_SHADOW);
    u32 type = e >> 8 & 7, vector = e & 0xff;
    const char *why = hvmguest_event_wrong(e, get(VMCS_GUEST_CR0) & CR0_PE);

    if (!(e & HVM_EVENT_VALID) != (v->hvm->vmx->event == 0))
        refused(v, "an event that is none, or lost");
    if (!(e & HVM_EVENT_VALID))
        return;
    if (why)
        refused(v, why);
    if (type == HVM_EVENT_NMI && vector != TRAP_NMI)
        refused(v, "an NMI with another number");
    if (e & HVM_EVENT_EV && get(VMCS_ENTRY_ERROR) >> 16 != 0)
        refused(v, "an impossible error code");
    if (type == HVM_EVENT_INTR &&
        (!(get(VMCS_GUEST_RFLAGS) & RFLAGS_IF) || shadow & VMX_SHADOW_STI_SS))
        refused(v, "an interrupt while there may be none");
    if (type == HVM_EVENT_NMI && shadow & (VMX_SHADOW_STI_SS | VMX_SHADOW_NMI))
        refused(v, "an NMI while there may be none");
}

/* 27.3.1: the guest's state. */

static const char *wrong_registers(const struct vcpu *v)
{
    u64 cr0 = get(VMCS_GUEST_CR0), cr4 = get(VMCS_GUEST_CR4), efer = get(VMCS_GUEST_EFER);
    u64 pat = get(VMCS_GUEST_PAT);
    bool lma = get(VMCS_ENTRY_CTL) & VMX_ENTRY_LONG;
    u32 i;

    if (cr0 >> 32 || !(cr0 & CR0_NE) || (cr0 & CR0_PG && !(cr0 & CR0_PE)))
        return "an impossible CR0";
    if (!(cr4 & CR4_VMXE) || cr4 & ~(v->hvm->cr4_allowed | CR4_VMXE) ||
        (lma && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE))) || (!lma && cr4 & CR4_PCIDE))
        return "an impossible CR4";
    if (get(VMCS_GUEST_CR3) >> PHYS_BITS || get(VMCS_GUEST_DR7) >> 32 || get(0x2802) != 0)
        return "reserved bits in CR3, DR7 or DEBUGCTL";
    if (!va_canonical(get(VMCS_GUEST_SYSENTER_ESP)) || !va_canonical(get(VMCS_GUEST_SYSENTER_EIP)))
        return "an impossible SYSENTER register";
    for (i = 0; i < 64; i += 8)
        if ((pat >> i & 0xff) > 7 || !(0xf3 >> (pat >> i & 0xff) & 1))
            return "an impossible PAT";
    if (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NX) || !(efer & EFER_LMA) == lma ||
        (cr0 & CR0_PG && !(efer & EFER_LMA) != !(efer & EFER_LME)))
        return "an impossible EFER";
    return NULL;
}

static bool limit_fits(u64 limit, u64 ar)
{
    return ar & AR_G ? (limit & 0xfff) == 0xfff : limit >> 20 == 0;
}

/* ES CS SS DS FS GS; CS by what SS is. */
static const char *wrong_segment(u32 nr, u64 cs_type)
{
    u64 ar = get(VMCS_GUEST_AR + nr * 2), base = get(VMCS_GUEST_BASE + nr * 2);
    u64 limit = get(VMCS_GUEST_LIMIT + nr * 2), type = ar & 15, dpl = ar >> 5 & 3;
    u64 ss_dpl = get(VMX_SS_AR) >> 5 & 3;
    bool lma = get(VMCS_ENTRY_CTL) & VMX_ENTRY_LONG;

    if (nr >= 4 && !va_canonical(base))
        return "an impossible FS or GS base";
    if (nr == 1 && base >> 32)
        return "an impossible CS base";
    if (nr == 2 && (cs_type == 3 || !(get(VMCS_GUEST_CR0) & CR0_PE)) && dpl != 0)
        return "a privilege where there is none";
    if (nr != 1 && ar & VMX_AR_UNUSABLE)
        return NULL;
    if ((nr == 0 || nr == 2 || nr == 3) && base >> 32)
        return "an impossible base";
    if (!(ar & AR_S) || !(ar & AR_P) || ar & 0x0f00 || ar >> 16 || !(type & 1))
        return "impossible rights of a segment";
    if (!limit_fits(limit, ar))
        return "an impossible limit";
    if (nr == 2)
        return type == 3 || type == 7 ? NULL : "an impossible SS";
    if (nr != 1)
        return !(type & 8) || type & 2 ? NULL : "a segment that cannot be read";
    if (type == 3 ? dpl != 0 : !(type & 8) || (type & 4 ? dpl > ss_dpl : dpl != ss_dpl))
        return "an impossible CS";
    return lma && ar & AR_L && ar & AR_D ? "a CS of 64 and 32 bits" : NULL;
}

static const char *wrong_v86(void)
{
    u32 nr;

    for (nr = 0; nr < 6; nr++)
        if (get(VMCS_GUEST_BASE + nr * 2) != get(VMCS_GUEST_SEL + nr * 2) << 4 ||
            get(VMCS_GUEST_LIMIT + nr * 2) != 0xffff || get(VMCS_GUEST_AR + nr * 2) != 0xf3)
            return "an impossible segment of virtual-8086 mode";
    return NULL;
}

static const char *wrong_system_segments(void)
{
    u64 tr = get(VMX_TR_AR), ldt = get(VMCS_GUEST_AR + 12);
    bool lma = get(VMCS_ENTRY_CTL) & VMX_ENTRY_LONG;

    if (((tr & 15) != 11 && (lma || (tr & 15) != 3)) || tr & AR_S || !(tr & AR_P) || tr & 0x0f00 ||
        tr >> 16 || get(VMCS_GUEST_SEL + 14) & 4 || !va_canonical(get(VMCS_GUEST_BASE + 14)) ||
        !limit_fits(get(VMCS_GUEST_LIMIT + 14), tr))
        return "an impossible TR";
    if (!(ldt & VMX_AR_UNUSABLE) &&
        ((ldt & 15) != 2 || ldt & AR_S || !(ldt & AR_P) || ldt & 0x0f00 || ldt >> 17 ||
         get(VMCS_GUEST_SEL + 12) & 4 || !va_canonical(get(VMCS_GUEST_BASE + 12)) ||
         !limit_fits(get(VMCS_GUEST_LIMIT + 12), ldt)))
        return "an impossible LDTR";
    if (!va_canonical(get(VMCS_GUEST_BASE + 16)) || !va_canonical(get(VMCS_GUEST_BASE + 18)) ||
        get(VMCS_GUEST_LIMIT + 16) >> 16 || get(VMCS_GUEST_LIMIT + 18) >> 16)
        return "an impossible GDTR or IDTR";
    return NULL;
}

static const char *wrong_segments(void)
{
    u64 cs_type = get(VMX_CS_AR) & 15;
    const char *why = NULL;
    u32 nr;

    if (get(VMCS_GUEST_RFLAGS) & RFLAGS_VM)
        why = wrong_v86();
    else
        for (nr = 0; nr < 6 && why == NULL; nr++)
            why = wrong_segment(nr, cs_type);
    return why != NULL ? why : wrong_system_segments();
}

static const char *wrong_flow(void)
{
    u64 rip = get(VMCS_GUEST_RIP), rflags = get(VMCS_GUEST_RFLAGS);
    u64 shadow = get(VMCS_GUEST_SHADOW), pending = get(VMCS_GUEST_PENDING_DB);
    bool lma = get(VMCS_ENTRY_CTL) & VMX_ENTRY_LONG;

    /* Not canonical: the bits above are alike. */
    if (lma && get(VMX_CS_AR) & AR_L ? rip >> 48 != 0 && rip >> 48 != 0xffff : rip >> 32 != 0)
        return "an impossible RIP";
    if (rflags & ~0x3f7fd7ul || !(rflags & 2) ||
        (rflags & RFLAGS_VM && (lma || !(get(VMCS_GUEST_CR0) & CR0_PE))))
        return "impossible RFLAGS";
    if (get(0x4826) != 0)
        return "an activity state other than active";
    if (shadow & ~(u64)(VMX_SHADOW_STI_SS | VMX_SHADOW_NMI) ||
        (shadow & VMX_SHADOW_STI_SS) == VMX_SHADOW_STI_SS || (shadow & 1 && !(rflags & RFLAGS_IF)))
        return "an impossible interruptibility";
    if (pending & ~0x500ful ||
        (shadow & VMX_SHADOW_STI_SS && !(rflags & RFLAGS_TF) != !(pending & 0x4000)))
        return "impossible pending debug exceptions";
    return NULL;
}

static const char *wrong_pdptes(void)
{
    u64 e;
    u32 i;

    if (!(get(VMCS_GUEST_CR0) & CR0_PG) || !(get(VMCS_GUEST_CR4) & CR4_PAE) ||
        get(VMCS_ENTRY_CTL) & VMX_ENTRY_LONG)
        return NULL;
    for (i = 0; i < 4; i++) {
        e = get(VMCS_GUEST_PDPTE + i * 2);
        if (e & 1 && (e & 0x1e6 || e >> PHYS_BITS))
            return "an impossible PDPTE";
    }
    return NULL;
}

static const char *wrong_state(const struct vcpu *v)
{
    const char *why = wrong_registers(v);

    if (why == NULL)
        why = wrong_segments();
    if (why == NULL)
        why = wrong_flow();
    return why != NULL ? why : wrong_pdptes();
}

/* Translations. */

static void look_paging(struct paging *p)
{
    *p = (struct paging){.cr0 = get(VMCS_GUEST_CR0) & (CR0_PG | CR0_WP),
                         .cr3 = get(VMCS_GUEST_CR3),
                         .cr4 = get(VMCS_GUEST_CR4) & (0x10 | CR4_PAE | CR4_PGE | CR4_PCIDE),
                         .efer = get(VMCS_GUEST_EFER) & EFER_NX,
                         .pat = get(VMCS_GUEST_PAT),
                         .vpid = get(VMCS_VPID),
                         .cpu = machine_cpu() + 1};
}

static void check_translations(const struct vcpu *v)
{
    struct paging now, *old = &pagings[v->domain->id][v->id & 1];
    struct ept *e = epts[machine_cpu()];
    struct vpid *a = vpids[machine_cpu()];
    u64 eptp = get(VMCS_EPTP), vpid = get(VMCS_VPID);
    u32 i;

    for (i = 0; i < EPTPS && e[i].eptp != eptp; i++)
        ;
    if (i < EPTPS && (e[i].id != v->domain->id || e[i].epoch != v->hvm->epoch))
        refused(v, "nested translations that are stale");
    for (i = 0; i < EPTPS && e[i].eptp != eptp && e[i].eptp != 0; i++)
        ;
    BUG_ON(i == EPTPS);
    e[i] = (struct ept){eptp, v->domain->id, v->hvm->epoch};
    if (!(get(VMCS_SECONDARY) & VMX2_VPID))
        return; /* an entry forgets all others */
    if (vpid == 0 || vpid >= VMX_VPIDS)
        refused(v, "no VPID");
    a += vpid;
    if (a->v != NULL && (a->v != v || a->epoch != v->hvm->epoch))
        refused(v, "a VPID whose translations are stale");
    *a = (struct vpid){v, v->hvm->epoch};
    look_paging(&now);
    if (old->cpu == now.cpu && old->vpid == now.vpid && memcmp(old, &now, sizeof(now)) != 0)
        refused(v, "translations from before a control register changed");
}

/* An interrupt that could be delivered is, or an exit is arranged for when it can. */
static void check_pending(const struct vcpu *v)
{
    const struct hvm_vcpu *h = v->hvm;

    if (vlapic_pending(&h->apic) >= 0 && !(get(VMCS_PRIMARY) & VMX_INTR_WINDOW) &&
        h->vmx->event == 0 && !h->apic.irr_any)
        refused(v, "an interrupt forgotten");
}

/* The processor looks at the state, and is back at once. */
static void entry_fails(struct vcpu *v, const char *why)
{
    machine_note("    the processor refuses %s\n", why);
    put(VMCS_EXIT_REASON, VMX_EXIT_FAILED_ENTRY | 33);
    put(VMCS_QUALIFICATION, 0);
    vmx_exit(&cpu_info()->guest);
    if (!(v->defer & VDEFER_CRASH) && !v->domain->was_shut_down)
        machine_found("the processor refuses d%u, and it goes on", v->domain->id);
    upcall_exit_work();
}

bool vmxguest_enter(void)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct vcpu *v = vcpu_current();
    const char *why;
    bool resume;
    u32 i;

    /* vmx_entry.S */
    for (i = 0;; i++) {
        resume = vmx_prepare(regs);
        hvmguest_prepared++;
        if (vcpu_current() != v)
            machine_found("the vCPU changed while it was prepared");
        if (cpu_info()->work == 0)
            break;
        upcall_exit_work();
        if (vcpu_current() != v || i == 8)
            return false;
    }
    if (vmxhw_current() != v->hvm->vmx->vmcs)
        machine_found("d%uv%u: another's structure is loaded", v->domain->id, v->id);
    if (vmxhw_launched(vmxhw_current()) != resume)
        refused(v, resume ? "VMRESUME of a clear structure" : "VMLAUNCH of a launched structure");
    check_controls(v);
    check_host(v);
    why = wrong_state(v);
    if (why != NULL && !tainted[v->domain->id][v->id & 1])
        refused(v, why);
    if (why != NULL) {
        entry_fails(v, why);
        return false;
    }
    check_event(v);
    check_translations(v);
    check_pending(v);
    vmxhw_set_launched(vmxhw_current());
    return true;
}

/* What an instruction that faults or comes again has left alone. */
static u64 sum_registers(void)
{
    return get(VMCS_GUEST_CR0) + 3 * get(VMCS_CR0_SHADOW) + 5 * get(VMCS_GUEST_CR4) +
           7 * get(VMCS_GUEST_EFER) + 11 * get(VMCS_GUEST_DR7) + 13 * get(VMCS_ENTRY_CTL);
}

/* An instruction is done, or a fault is on its way to the guest. */
static void check_done(u32 reason, bool int1, u64 rip, u64 sum)
{
    const struct vmx_vcpu *x = vcpu_current()->hvm->vmx;

    if (get(VMCS_GUEST_RIP) != rip)
        return;
    if (int1)
        machine_found("INT1 is carried out again and again");
    if (reason == VMX_EXIT_CR && (x->event >> 8 & 7) != HVM_EVENT_FAULT)
        machine_found("a write of a control register comes again and again");
    if (reason == VMX_EXIT_CR && sum_registers() != sum)
        machine_found("a write of a control register faults and has changed something");
}

/* 28.2: the event is gone, and the entry control says what mode it is. */
void vmxguest_exit(void)
{
    const struct vcpu *v = vcpu_current();
    u32 reason = (u32)get(VMCS_EXIT_REASON);
    bool int1 = reason == VMX_EXIT_EXCEPTION && (get(VMCS_EXIT_EVENT) >> 8 & 7) == 5, unblocked;
    u64 rip = get(VMCS_GUEST_RIP), sum, entry = get(VMCS_ENTRY_CTL) & ~(u64)VMX_ENTRY_LONG;

    put(VMCS_ENTRY_EVENT, get(VMCS_ENTRY_EVENT) & ~HVM_EVENT_VALID);
    put(VMCS_ENTRY_CTL, entry | (get(VMCS_GUEST_EFER) & EFER_LMA ? VMX_ENTRY_LONG : 0));
    look_paging(&pagings[v->domain->id][v->id & 1]);
    /* Only #DB leaves what may not be entered: single-stepping does not count as pending then. */
    if (reason != VMX_EXIT_EXCEPTION && wrong_state(v) != NULL)
        machine_found("the fuzzer has left an impossible state: %s", wrong_state(v));
    unblocked = !(get(VMCS_IDT_EVENT) & HVM_EVENT_VALID) &&
                ((reason == VMX_EXIT_EPT && get(VMCS_QUALIFICATION) & 0x1000) ||
                 (reason == VMX_EXIT_EXCEPTION && get(VMCS_EXIT_EVENT) & 0x1000));
    sum = sum_registers();
    vmx_exit(&cpu_info()->guest);
    check_done(reason, int1, rip, sum);
    if (unblocked && !(get(VMCS_GUEST_SHADOW) & VMX_SHADOW_NMI))
        machine_found("an NMI's handler whose IRET faults may be interrupted by another");
}

/* Guests change these by themselves; 64-bit mode only where LME and PAE are set already. */
void vmxguest_home(void)
{
    u64 efer = get(VMCS_GUEST_EFER);

    put(VMCS_GUEST_RFLAGS, get(VMCS_GUEST_RFLAGS) & ~(u64)RFLAGS_VM);
    vmxguest_segment(1, 0, AR_G | 0x9b);
    vmxguest_segment(2, 0, AR_G | 0x93);
    vmxguest_segment(7, 0, 0x8b);
    if (!(efer & EFER_LME) || !(get(VMCS_GUEST_CR4) & CR4_PAE))
        return;
    put(VMCS_GUEST_CR0, (get(VMCS_GUEST_CR0) & (CR0_NE | 3ul << 29)) | CR0_PE | CR0_PG | CR0_ET);
    put(VMCS_GUEST_EFER, efer | EFER_LMA);
    put(VMCS_GUEST_CR3, 0);
    vmxguest_segment(1, 0, AR_G | AR_L | 0x9b);
}

void vmxguest_segment(u32 nr, u64 base, u32 ar)
{
    put(VMCS_GUEST_BASE + nr * 2, base);
    put(VMCS_GUEST_SEL + nr * 2, base >> 4 & 0xfff8);
    put(VMCS_GUEST_LIMIT + nr * 2, ar & AR_G ? ~0u : 0xffff);
    put(VMCS_GUEST_AR + nr * 2, ar);
}

bool vmxguest_long(void)
{
    return get(VMCS_GUEST_EFER) & EFER_LMA && get(VMX_CS_AR) & AR_L;
}

bool vmxguest_unfinished(void)
{
    const struct vcpu *v = vcpu_current();

    return calling[v->domain->id][v->id & 1];
}

bool vmxguest_call(void)
{
    const struct vcpu *v = vcpu_current();
    bool *unfinished = &calling[v->domain->id][v->id & 1];
    u64 rip;

    *unfinished = true;
    if (!vmxguest_enter())
        return false;
    vmxguest_home();
    rip = vmxguest_long() ? GUEST_RIP : (u32)(GUEST_RIP - HV_VIRT_END);
    put(VMCS_GUEST_RIP, rip);
    put(VMCS_GUEST_SHADOW, get(VMCS_GUEST_SHADOW) & ~(u64)VMX_SHADOW_STI_SS);
    put(VMCS_GUEST_PENDING_DB, 0);
    put(VMCS_EXIT_REASON, VMX_EXIT_VMCALL);
    /* The processor looks for a window before the instruction; another turn, then. */
    if (get(VMCS_PRIMARY) & VMX_INTR_WINDOW && get(VMCS_GUEST_RFLAGS) & RFLAGS_IF)
        put(VMCS_EXIT_REASON, VMX_EXIT_INTR_WINDOW);
    put(VMCS_INSN_LEN, 3);
    put(VMCS_IDT_EVENT, 0);
    hvmguest_exit();
    *unfinished = get(VMCS_GUEST_RIP) == rip;
    return !*unfinished;
}
