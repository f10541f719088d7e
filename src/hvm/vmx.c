/* SPDX-License-Identifier: MIT */
/*
 * Intel VMX: switching it on, a vCPU's control structure, and what a switch of vCPU moves.
 *
 * Asked of the processor: EPT, unrestricted guests, virtual NMIs, EFER and PAT switched on entry
 * and exit. VPID where present. What an exit does not switch stays the guest's until another vCPU
 * comes: the system-call MSRs, CR2, debug registers.
 *
 * A control structure is the property of one CPU while it is loaded there, and only reached by
 * instructions; switching out writes it to memory (VMCLEAR). State of a vCPU that is loaded
 * elsewhere cannot be had: callers pause it first, and a dump shows zeros.
 */
#include "hvm/vmx.h"

#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/regs.h"
#include "base/lib.h"
#include "core/console.h"

#define MSR_FEATURE_CONTROL 0x3a
#define FEATURE_LOCKED      1ul
#define FEATURE_VMXON       4ul
#define MSR_VMX_BASIC       0x480
#define BASIC_TRUE_CONTROLS (1ul << 55)
#define MSR_VMX_PIN         0x481
#define MSR_VMX_PRIMARY     0x482
#define MSR_VMX_EXIT        0x483
#define MSR_VMX_ENTRY       0x484
#define MSR_VMX_CR0_FIXED0  0x486
#define MSR_VMX_SECONDARY   0x48b
#define MSR_VMX_EPT_VPID    0x48c
#define MSR_VMX_TRUE        (0x48d - 0x481) /* from a control's MSR to its exact form */

#define EPT_WALK4      (1ul << 6)
#define EPT_WB         (1ul << 14)
#define EPT_2M         (1ul << 16)
#define EPT_1G         (1ul << 17)
#define EPT_INVEPT_ONE (1ul << 25)
#define VPID_INV_ALL   (1ul << 42)
#define EPTP_WB_WALK4  (6ul | 3ul << 3)
#define INV_ONE        1ul
#define INV_ALL        2ul

#define CR4_VMXE (1ul << 13)

#define PDPTE_RESERVED 0x1e6ul

/* Machine-wide, decided at boot. */
static struct {
    u32 revision, pin, primary, secondary, exit, entry;
    u64 cr0_ones; /* bits of CR0 a guest has to have set */
    maddr_t msr_bitmap;
} caps;

static struct {
    maddr_t vmxon;
    struct vcpu *loaded;
    u32 vpid_next, generation;
} vmx_cpu[MAX_CPUS];
static u32 failed; /* CPUs that could not be switched to VMX operation; atomic */

/* MSRs a guest reads and writes in the processor. */
static const u32 free_msrs[] = {
    MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,         MSR_LSTAR,
    MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};

/* Controls: low half of the MSR: must be 1, high half: may be 1 (SDM vol. 3, A.3). */
static bool choose(const char *what, u32 msr, u32 must, u32 may, u32 *out)
{
    u64 cap;

    if (!insn_rdmsr_safe(msr, &cap))
        return false;
    *out = (must | may | (u32)cap) & (u32)(cap >> 32);
    if ((*out & must) == must)
        return true;
    log_msg(LOG_WARN, "HVM: VMX without %s controls %#x: not used", what, must & ~*out);
    return false;
}

static bool choose_all(void)
{
    u64 basic = insn_rdmsr(MSR_VMX_BASIC), ept;
    u32 at = basic & BASIC_TRUE_CONTROLS ? MSR_VMX_TRUE : 0;

    caps.revision = (u32)basic & 0x7fffffff;
    if (!choose("pin-based", MSR_VMX_PIN + at, VMX_PIN_INTR | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI, 0,
                &caps.pin) ||
        !choose("primary", MSR_VMX_PRIMARY + at,
                VMX_HLT | VMX_MWAIT | VMX_RDPMC | VMX_CR8_LOAD | VMX_CR8_STORE | VMX_MOV_DR |
                    VMX_IO | VMX_MSR_BITMAPS | VMX_MONITOR | VMX_SECONDARY,
                0, &caps.primary) ||
        !choose("secondary", MSR_VMX_SECONDARY,
                VMX2_EPT | VMX2_WBINVD | VMX2_UNRESTRICTED |
                    (cpu_features.rdtscp ? VMX2_RDTSCP : 0),
                VMX2_VPID | VMX2_INVPCID, &caps.secondary) ||
        !choose("exit", MSR_VMX_EXIT + at,
                VMX_EXIT_DEBUG | VMX_EXIT_HOST64 | VMX_EXIT_SAVE_PAT | VMX_EXIT_LOAD_PAT |
                    VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER,
                0, &caps.exit) ||
        !choose("entry", MSR_VMX_ENTRY + at, VMX_ENTRY_DEBUG | VMX_ENTRY_PAT | VMX_ENTRY_EFER, 0,
                &caps.entry))
        return false;
    ept = insn_rdmsr(MSR_VMX_EPT_VPID);
    if (caps.primary & (VMX_CR3_LOAD | VMX_CR3_STORE) || !(ept & EPT_WALK4) || !(ept & EPT_WB) ||
        !(ept & EPT_2M) || (cpu_features.page1g && !(ept & EPT_1G)) || !(ept & EPT_INVEPT_ONE)) {
        log_msg(LOG_WARN, "HVM: VMX with EPT features %#lx: not used", (unsigned long)ept);
        return false;
    }
    if (!(ept & VPID_INV_ALL))
        caps.secondary &= ~VMX2_VPID;
    /* Unrestricted guests may be without paging and protection. */
    caps.cr0_ones = insn_rdmsr(MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG);
    return true;
}

static bool bitmap_init(void)
{
    mfn_t m = page_alloc_hv(0);
    u32 i, nr;
    u8 *map;

    if (mfn_eq(m, MFN_INVALID))
        return false;
    /* Reads of low and high MSRs, then writes of both; a bit each, 1 KiB each. */
    map = port_map(m);
    memset(map, 0xff, PAGE_SIZE);
    for (i = 0; i < ARRAY_SIZE(free_msrs) + (cpu_features.rdtscp ? 1 : 0); i++) {
        nr = i < ARRAY_SIZE(free_msrs) ? free_msrs[i] : MSR_TSC_AUX;
        nr = nr < 0x2000 ? nr : (nr & 0x1fff) + 0x2000;
        map[nr / 8] &= (u8) ~(1u << nr % 8);
        map[2048 + nr / 8] &= (u8) ~(1u << nr % 8);
    }
    caps.msr_bitmap = mfn_to_maddr(m);
    return true;
}

/* A page that begins with the revision of its format; 0: memory is out. */
static maddr_t region_init(mfn_t m)
{
    if (mfn_eq(m, MFN_INVALID))
        return 0;
    *(u32 *)port_map(m) = caps.revision;
    return mfn_to_maddr(m);
}

/* On each CPU. */
static void cpu_enable(void *arg)
{
    u32 cpu = cpu_id();
    u64 val;

    (void)arg;
    if (!insn_rdmsr_safe(MSR_FEATURE_CONTROL, &val))
        val = 0;
    if (!(val & FEATURE_LOCKED) &&
        insn_wrmsr_safe(MSR_FEATURE_CONTROL, val | FEATURE_LOCKED | FEATURE_VMXON))
        val |= FEATURE_LOCKED | FEATURE_VMXON;
    if ((val & (FEATURE_LOCKED | FEATURE_VMXON)) != (FEATURE_LOCKED | FEATURE_VMXON)) {
        atomic_add_return(&failed, 1u);
        return;
    }
    insn_write_cr4(insn_read_cr4() | CR4_VMXE);
    vmx_cpu[cpu].vpid_next = vmx_cpu[cpu].generation = 1;
    if (!insn_vmxon(vmx_cpu[cpu].vmxon))
        atomic_add_return(&failed, 1u);
}

bool vmx_init(void)
{
    u32 i, n = cpu_count();

    if (!cpu_features.intel || !cpu_features.vmx || !choose_all() || !bitmap_init())
        return false;
    for (i = 0; i < n; i++) {
        vmx_cpu[i].vmxon = region_init(page_alloc_hv(0));
        if (vmx_cpu[i].vmxon == 0)
            return false;
    }
    cpu_cr4_base_add(CR4_VMXE);
    smp_call(CPU_MASK_ALL, cpu_enable, NULL);
    if (atomic_load(&failed) != 0) {
        log_msg(LOG_WARN, "HVM: VMX is switched off by the firmware (%u of %u CPUs)", failed, n);
        return false;
    }
    hvm_enter = vmx_enter;
    log_msg(LOG_INFO, "HVM: VMX with EPT%s, secondary controls %#x",
            caps.secondary & VMX2_VPID ? " and VPID" : "", caps.secondary);
    return true;
}

/* What was cached of the guest's translations is void: another VPID, and no EPT entries left. */
static void vpid_renew(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 cpu = cpu_id();

    v->hvm->epoch = READ_ONCE(v->domain->hvm->epoch);
    x->vpid_cpu = cpu;
    insn_invept(INV_ONE, x->eptp);
    if (!(caps.secondary & VMX2_VPID))
        return;
    if (vmx_cpu[cpu].vpid_next >= VMX_VPIDS) {
        vmx_cpu[cpu].vpid_next = 1;
        vmx_cpu[cpu].generation++;
        insn_invvpid(INV_ALL);
    }
    vmx_write(VMCS_VPID, vmx_cpu[cpu].vpid_next++);
    x->vpid_generation = vmx_cpu[cpu].generation;
}

bool vmx_prepare(struct cpu_regs *regs)
{
    struct vcpu *v = vcpu_current();
    struct hvm_vcpu *h = v->hvm;
    struct vmx_vcpu *x = h->vmx;

    (void)regs;
    if (unlikely(hvm_intr_look(v, h)))
        hvm_intr_prepare(v);
    /* Who changes the memory counts first and then interrupts this CPU: hvm_flush. */
    if (unlikely(h->epoch != READ_ONCE(v->domain->hvm->epoch)))
        vpid_renew(v);
    if (x->event != 0) {
        u32 event = (u32)x->event;

        if (event & HVM_EVENT_EV && !(vmx_read(VMCS_GUEST_CR0) & CR0_PE))
            event &= ~(u32)HVM_EVENT_EV; /* real mode has none (SDM vol. 3, 27.2.1.3) */
        vmx_write(VMCS_ENTRY_EVENT, event);
        vmx_write(VMCS_ENTRY_ERROR, x->event >> 32);
    }
    if (insn_read_cr2() != x->cr2)
        insn_write_cr2(x->cr2);
    return x->launched;
}

void vmx_set_primary(struct vcpu *v, u32 bits, bool on)
{
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 val = on ? x->primary | bits : x->primary & ~bits;

    if (val == x->primary)
        return;
    x->primary = val;
    vmx_write(VMCS_PRIMARY, val);
}

/* Debug registers: the guest's are loaded when it has breakpoints or asks for them. */

void vmx_load_dr(struct vcpu *v)
{
    hvm_load_dr(v->hvm);
    insn_write_dr6(v->hvm->vmx->dr6);
    vmx_set_primary(v, VMX_MOV_DR, false);
}

static void store_dr(struct vcpu *v)
{
    hvm_store_dr(v->hvm);
    v->hvm->vmx->dr6 = insn_read_dr6();
    insn_write_dr6(0xffff0ff0);
    vmx_set_primary(v, VMX_MOV_DR, true);
}

void vmx_add_dr6(struct vcpu *v, u64 bits)
{
    u64 val = v->hvm->dr_loaded ? insn_read_dr6() : v->hvm->vmx->dr6;

    v->hvm->vmx->dr6 = (val & ~0xful) | bits;
    if (v->hvm->dr_loaded)
        insn_write_dr6(v->hvm->vmx->dr6);
}

/* The structure of a vCPU that is current, or loaded nowhere. False: it is another CPU's. */
static bool look_begin(const struct vcpu *v)
{
    const struct vmx_vcpu *x = v->hvm->vmx;

    if (x->loaded == cpu_id() + 1)
        return true;
    if (READ_ONCE(x->loaded) != 0)
        return false;
    insn_vmptrld(x->vmcs);
    return true;
}

static void look_end(const struct vcpu *v)
{
    const struct vmx_vcpu *x = v->hvm->vmx;
    const struct vcpu *own = vmx_cpu[cpu_id()].loaded;

    if (x->loaded != 0)
        return;
    insn_vmclear(x->vmcs);
    if (own != NULL)
        insn_vmptrld(own->hvm->vmx->vmcs);
}

/*
 * Zeros that matter, whatever a new structure has (SDM vol. 3, 25.11.3): DEBUGCTL, PDPTEs, masks of
 * page faults, counts of CR3 targets and MSRs, activity; the host's ES DS FS GS, their bases,
 * SYSENTER.
 */
static const u16 zeros[] = {0x2802, 0x280a, 0x280c, 0x280e, 0x2810, 0x4006, 0x4008,
                            0x400a, 0x400e, 0x4010, 0x4014, 0x4826, 0x0c00, 0x0c06,
                            0x0c08, 0x0c0a, 0x4c00, 0x6c06, 0x6c08, 0x6c10, 0x6c12};

static void write_fixed(const struct vcpu *v)
{
    const struct vmx_vcpu *x = v->hvm->vmx;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(zeros); i++)
        vmx_write(zeros[i], 0);
    vmx_write(VMCS_PIN, caps.pin);
    vmx_write(VMCS_PRIMARY, x->primary);
    vmx_write(VMCS_SECONDARY, caps.secondary);
    vmx_write(VMCS_EXIT_CTL, caps.exit);
    vmx_write(VMCS_ENTRY_CTL, caps.entry & ~VMX_ENTRY_LONG);
    /* #DB and #AC: a guest can make the processor deliver them to itself for ever. */
    vmx_write(VMCS_EXCEPTIONS, 1u << TRAP_DB | 1u << TRAP_AC | 1u << TRAP_MC);
    vmx_write(VMCS_MSR_BITMAP, caps.msr_bitmap);
    vmx_write(VMCS_EPTP, x->eptp);
    vmx_write(VMCS_LINK, ~(u64)0);
    vmx_write(VMCS_CR0_MASK, caps.cr0_ones | CR0_NW | CR0_CD);
    vmx_write(VMCS_CR4_MASK, ~CR4_PGE);
    vmx_write(VMCS_HOST_CS_SEL, SEL_HV_CS);
    vmx_write(VMCS_HOST_SS_SEL, SEL_HV_DS);
    vmx_write(VMCS_HOST_TR_SEL, SEL_TSS);
    vmx_write(VMCS_HOST_PAT, PAT_VALUE);
    vmx_write(VMCS_HOST_EFER, insn_rdmsr(MSR_EFER));
    vmx_write(VMCS_HOST_CR0, insn_read_cr0() & ~CR0_TS);
    vmx_write(VMCS_HOST_CR3, mfn_to_maddr(hmap_template()));
    vmx_write(VMCS_HOST_CR4, cpu_cr4_base());
    vmx_write(VMCS_HOST_RIP, (u64)vmx_exit_entry);
}

/* What an exit loads differs by CPU. */
static void write_host(struct vmx_vcpu *x)
{
    u64 gdt, tss, idt;

    cpu_table_bases(&gdt, &tss, &idt);
    vmx_write(VMCS_HOST_GDTR_BASE, gdt);
    vmx_write(VMCS_HOST_TR_BASE, tss);
    vmx_write(VMCS_HOST_IDTR_BASE, idt);
    vmx_write(VMCS_HOST_RSP, (u64)&cpu_info()->guest.error_code);
    x->host_cpu = cpu_id() + 1;
}

static int vmx_vcpu_init(struct vcpu *v)
{
    struct vmx_vcpu *x = domain_zalloc(v->domain, sizeof(*x));

    if (x == NULL)
        return -ENOMEM;
    v->hvm->vmx = x;
    x->vmcs = region_init(domain_alloc_frame(v->domain));
    if (x->vmcs == 0)
        return -ENOMEM; /* vcpu_fini frees the rest */
    x->eptp = mfn_to_maddr(v->domain->physmap->p2m.root) | EPTP_WB_WALK4;
    x->primary = caps.primary;
    x->vpid_cpu = ~0u;
    insn_vmclear(x->vmcs);
    if (look_begin(v)) {
        write_fixed(v);
        look_end(v);
    }
    return 0;
}

static void vmx_vcpu_fini(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vmx;

    if (x == NULL)
        return;
    if (x->vmcs != 0)
        domain_free_frame(v->domain, maddr_to_mfn(x->vmcs));
    domain_zfree(v->domain, x, sizeof(*x));
    v->hvm->vmx = NULL;
}

/* The system-call MSRs, in the order of struct hvm_state from star on. */
static const u32 call_msrs[VMX_CALL_MSRS] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
                                             MSR_KERNEL_GS_BASE};

static void load_msrs(const struct vmx_vcpu *x)
{
    u32 i;

    for (i = 0; i < VMX_CALL_MSRS; i++)
        insn_wrmsr(call_msrs[i], x->call_msr[i]);
}

static void vmx_switch_in(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 cpu = cpu_id();

    insn_vmptrld(x->vmcs);
    vmx_cpu[cpu].loaded = v;
    WRITE_ONCE(x->loaded, cpu + 1);
    x->launched = false;
    if (x->host_cpu != cpu + 1)
        write_host(x);
    if (x->vpid_cpu != cpu || x->vpid_generation != vmx_cpu[cpu].generation)
        vpid_renew(v);
    load_msrs(x);
    if (vmx_read(VMCS_GUEST_DR7) & 0xff)
        vmx_load_dr(v);
}

static void save_msrs(struct vmx_vcpu *x)
{
    u32 i;

    for (i = 0; i < VMX_CALL_MSRS; i++)
        x->call_msr[i] = insn_rdmsr(call_msrs[i]);
}

static void vmx_switch_out(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vmx;

    if (v->hvm->dr_loaded)
        store_dr(v);
    save_msrs(x);
    cpu_load_syscall();
    insn_vmclear(x->vmcs);
    vmx_cpu[cpu_id()].loaded = NULL;
    WRITE_ONCE(x->loaded, 0u);
}

/* Access rights: the same bits with a gap, and a bit for what a null selector leaves. */
static u32 ar_of(u16 attr)
{
    return attr & 0x80 ? (attr & 0xffu) | (attr & 0xf00u) << 4 : VMX_AR_UNUSABLE | (attr & 0x60u);
}

static u16 attr_of(u32 ar)
{
    return ar & VMX_AR_UNUSABLE ? 0 : (u16)((ar & 0xff) | (ar >> 4 & 0xf00));
}

/* Places of the segments in the structure: GDTR and IDTR come last and have no selector. */
static const u8 seg_place[HVM_SEGS] = {
    [HVM_ES] = 0, [HVM_CS] = 1,   [HVM_SS] = 2, [HVM_DS] = 3,   [HVM_FS] = 4,
    [HVM_GS] = 5, [HVM_LDTR] = 6, [HVM_TR] = 7, [HVM_GDTR] = 8, [HVM_IDTR] = 9};

static void seg_get(u32 nr, struct hvm_seg *s)
{
    u32 at = seg_place[nr] * 2u;

    s->base = vmx_read(VMCS_GUEST_BASE + at);
    s->limit = (u32)vmx_read(VMCS_GUEST_LIMIT + at);
    if (seg_place[nr] >= 8)
        return;
    s->sel = (u16)vmx_read(VMCS_GUEST_SEL + at);
    s->attr = attr_of((u32)vmx_read(VMCS_GUEST_AR + at));
}

static void seg_put(u32 nr, const struct hvm_seg *s)
{
    u32 at = seg_place[nr] * 2u;

    vmx_write(VMCS_GUEST_BASE + at, s->base);
    vmx_write(VMCS_GUEST_LIMIT + at, s->limit);
    if (seg_place[nr] >= 8)
        return;
    vmx_write(VMCS_GUEST_SEL + at, s->sel);
    vmx_write(VMCS_GUEST_AR + at, ar_of(s->attr));
}

u64 vmx_get_cr0(void)
{
    u64 mask = caps.cr0_ones | CR0_NW | CR0_CD;

    return (vmx_read(VMCS_GUEST_CR0) & ~mask) | (vmx_read(VMCS_CR0_SHADOW) & mask);
}

void vmx_put_cr0(u64 val)
{
    vmx_write(VMCS_GUEST_CR0, (val | caps.cr0_ones) & ~(CR0_NW | CR0_CD));
    vmx_write(VMCS_CR0_SHADOW, val);
}

u64 vmx_get_cr4(void)
{
    return (vmx_read(VMCS_GUEST_CR4) & CR4_PGE) | (vmx_read(VMCS_CR4_SHADOW) & ~CR4_PGE);
}

void vmx_put_cr4(u64 val)
{
    vmx_write(VMCS_GUEST_CR4, val | CR4_VMXE);
    vmx_write(VMCS_CR4_SHADOW, val);
}

void vmx_put_efer(u64 val)
{
    vmx_write(VMCS_GUEST_EFER, val);
    vmx_write(VMCS_ENTRY_CTL,
              (caps.entry & ~VMX_ENTRY_LONG) | (val & EFER_LMA ? VMX_ENTRY_LONG : 0));
}

bool vmx_load_pdptes(struct vcpu *v, u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
    u64 e[4];
    u32 i;

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || efer & EFER_LMA)
        return true;
    if (!hvm_mem_phys(v->domain, cr3 & 0xffffffe0ul, e, sizeof(e), false))
        return false;
    for (i = 0; i < 4; i++)
        if (e[i] & 1 && (e[i] & PDPTE_RESERVED || e[i] >> cpu_features.phys_bits))
            return false;
    for (i = 0; i < 4; i++)
        vmx_write(VMCS_GUEST_PDPTE + i * 2, e[i]);
    return true;
}

static void vmx_get_state(struct vcpu *v, struct hvm_state *s)
{
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 i;

    memset(s, 0, sizeof(*s));
    if (!look_begin(v))
        return;
    for (i = 0; i < HVM_SEGS; i++)
        seg_get(i, &s->seg[i]);
    s->rip = vmx_read(VMCS_GUEST_RIP);
    s->rsp = vmx_read(VMCS_GUEST_RSP);
    s->rflags = vmx_read(VMCS_GUEST_RFLAGS);
    s->cr0 = vmx_get_cr0();
    s->cr2 = x->cr2;
    s->cr3 = vmx_read(VMCS_GUEST_CR3);
    s->cr4 = vmx_get_cr4();
    s->efer = vmx_read(VMCS_GUEST_EFER);
    s->event = x->event;
    s->dr6 = v->hvm->dr_loaded && v == vcpu_current() ? insn_read_dr6() : x->dr6;
    s->dr7 = vmx_read(VMCS_GUEST_DR7);
    s->pat = vmx_read(VMCS_GUEST_PAT);
    s->sysenter_cs = vmx_read(VMCS_GUEST_SYSENTER_CS);
    s->sysenter_esp = vmx_read(VMCS_GUEST_SYSENTER_ESP);
    s->sysenter_eip = vmx_read(VMCS_GUEST_SYSENTER_EIP);
    look_end(v);
    if (x->loaded == cpu_id() + 1)
        save_msrs(x);
    memcpy((u8 *)s + offsetof(struct hvm_state, star), x->call_msr, sizeof(x->call_msr));
}

static void vmx_set_state(struct vcpu *v, const struct hvm_state *s)
{
    struct vmx_vcpu *x = v->hvm->vmx;
    u32 i;

    if (!look_begin(v))
        return;
    for (i = 0; i < HVM_SEGS; i++)
        seg_put(i, &s->seg[i]);
    vmx_write(VMCS_GUEST_RIP, s->rip);
    vmx_write(VMCS_GUEST_RSP, s->rsp);
    vmx_write(VMCS_GUEST_RFLAGS, s->rflags | RFLAGS_MBS);
    vmx_put_cr0(s->cr0);
    vmx_put_cr4(s->cr4);
    vmx_put_efer(s->efer);
    vmx_write(VMCS_GUEST_CR3, s->cr3);
    vmx_write(VMCS_GUEST_DR7, s->dr7);
    vmx_write(VMCS_GUEST_PAT, s->pat);
    vmx_write(VMCS_GUEST_SYSENTER_CS, s->sysenter_cs);
    vmx_write(VMCS_GUEST_SYSENTER_ESP, s->sysenter_esp);
    vmx_write(VMCS_GUEST_SYSENTER_EIP, s->sysenter_eip);
    vmx_write(VMCS_GUEST_SHADOW, 0);
    vmx_write(VMCS_GUEST_PENDING_DB, 0);
    (void)!vmx_load_pdptes(v, s->cr0, s->cr3, s->cr4, s->efer); /* the guest faults if it cannot */
    vmx_write(VMCS_ENTRY_EVENT, 0); /* prepared for an entry that did not come */
    vmx_set_primary(v, VMX_INTR_WINDOW | VMX_NMI_WINDOW, false);
    look_end(v);
    x->event = s->event;
    x->cr2 = s->cr2;
    x->dr6 = s->dr6;
    memcpy(x->call_msr, (const u8 *)s + offsetof(struct hvm_state, star), sizeof(x->call_msr));
    if (x->loaded == cpu_id() + 1) /* a start-up IPI obeyed */
        load_msrs(x);
    /* Whatever was cached belonged to another life. */
    x->vpid_cpu = ~0u;
    v->hvm->epoch = READ_ONCE(v->domain->hvm->epoch) - 1;
}

static void vmx_get_paging(const struct vcpu *v, struct gwalk_mode *m, bool *user)
{
    memset(m, 0, sizeof(*m));
    *user = false;
    if (!look_begin(v))
        return;
    m->cr0 = vmx_get_cr0();
    m->cr3 = vmx_read(VMCS_GUEST_CR3);
    m->cr4 = vmx_get_cr4();
    m->efer = vmx_read(VMCS_GUEST_EFER);
    m->ac = vmx_read(VMCS_GUEST_RFLAGS) & RFLAGS_AC;
    *user = (vmx_read(VMCS_GUEST_AR + seg_place[HVM_SS] * 2u) >> 5 & 3) == 3;
    look_end(v);
}

static bool vmx_can_interrupt(const struct vcpu *v)
{
    return v->hvm->vmx->event == 0 && vmx_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF &&
           !(vmx_read(VMCS_GUEST_SHADOW) & VMX_SHADOW_STI_SS);
}

static void vmx_want_window(struct vcpu *v)
{
    vmx_set_primary(v, VMX_INTR_WINDOW, true);
}

static void vmx_queue_event(struct vcpu *v, u32 type, u32 vector, u64 error)
{
    struct vmx_vcpu *x = v->hvm->vmx;

    x->event = hvm_event(v, x->event, type, vector, error);
}

static bool vmx_queue_nmi(struct vcpu *v)
{
    struct vmx_vcpu *x = v->hvm->vmx;

    if (x->event != 0 || vmx_read(VMCS_GUEST_SHADOW) & (VMX_SHADOW_STI_SS | VMX_SHADOW_NMI))
        return false;
    x->event = hvm_event(v, 0, HVM_EVENT_NMI, TRAP_NMI, HVM_NO_ERROR);
    vmx_set_primary(v, VMX_NMI_WINDOW, true);
    return true;
}

/* CR8 is the APIC's register here: each access exits. */
static void vmx_set_tpr(struct vcpu *v, u8 tpr)
{
    (void)v, (void)tpr;
}

static void vmx_set_cr2(struct vcpu *v, u64 val)
{
    v->hvm->vmx->cr2 = val;
}

static void vmx_set_efer(struct vcpu *v, u64 val)
{
    vmx_put_efer(val);
    v->hvm->epoch--; /* NX changes what the TLB holds */
}

static void vmx_set_pat(struct vcpu *v, u64 val)
{
    if (!look_begin(v))
        return;
    vmx_write(VMCS_GUEST_PAT, val);
    look_end(v);
    v->hvm->epoch--;
}

const struct hvm_vendor vmx_vendor = {
    .name = "VMX",
    .format = &p2m_format_ept,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_fini = vmx_vcpu_fini,
    .switch_in = vmx_switch_in,
    .switch_out = vmx_switch_out,
    .get_state = vmx_get_state,
    .set_state = vmx_set_state,
    .get_paging = vmx_get_paging,
    .can_interrupt = vmx_can_interrupt,
    .want_window = vmx_want_window,
    .queue_event = vmx_queue_event,
    .queue_nmi = vmx_queue_nmi,
    .set_tpr = vmx_set_tpr,
    .set_cr2 = vmx_set_cr2,
    .set_efer = vmx_set_efer,
    .set_pat = vmx_set_pat,
    .step = vmx_step,
};
