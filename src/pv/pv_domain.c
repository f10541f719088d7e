/* SPDX-License-Identifier: MIT */
/*
 * The PV guest kind: what a domain and a vCPU need for it, and what a switch of vCPU moves between
 * the processor and struct pv_vcpu.
 *
 * Each domain has an L3 of its own under L4 slot 260: one L2, and one L1 for every 16 vCPUs, with
 * 32 entries per vCPU for its GDT and LDT.
 */
#include "pv/pv_domain.h"

#include "arch/entry.h"
#include "arch/insn.h"
#include "base/lib.h"
#include "core/console.h"
#include "core/event.h"
#include "pv/pv.h"
#include "pv/pv_cpuid.h"
#include "pv/pv_debug.h"
#include "pv/pv_desc.h"
#include "pv/pv_grant.h"
#include "pv/pv_mmu.h"
#include "pv/pv_privop.h"
#include "pv/pv_trap.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_A | PTE_D)

/* Whose address space a CPU's CR3 and TLB belong to; own CPU only. */
static struct domain *loaded[MAX_CPUS];

static bool perdomain_table(struct domain *d, u32 *n, u64 **table, u64 *slot)
{
    mfn_t m = domain_alloc_frame(d);

    if (mfn_eq(m, MFN_INVALID))
        return false;
    d->pv->perdomain_tables[(*n)++] = m;
    *table = port_map(m);
    if (slot != NULL)
        *slot = mfn_to_maddr(m) | TABLE_FLAGS;
    return true;
}

static int pv_domain_init(struct domain *d)
{
    struct pv_domain *pd = domain_zalloc(d, sizeof(*pd));
    u64 *l3, *l2;
    u32 i, n = 0;

    if (pd == NULL)
        return -ENOMEM;
    d->pv = pd;
    lock_init(&pd->mmu_lock, RANK_MMU);
    for (i = 0; i < ARRAY_SIZE(pd->perdomain_tables); i++)
        pd->perdomain_tables[i] = MFN_INVALID;
    if (!perdomain_table(d, &n, &l3, NULL) || !perdomain_table(d, &n, &l2, &l3[0]))
        return -ENOMEM;
    pd->perdomain_l3 = pd->perdomain_tables[0];
    for (i = 0; i < (d->max_vcpus + 15) / 16; i++)
        if (!perdomain_table(d, &n, &pd->perdomain_l1[i], &l2[i]))
            return -ENOMEM;
    return 0;
}

static void pv_domain_fini(struct domain *d)
{
    struct pv_domain *pd = d->pv;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(pd->perdomain_tables); i++)
        if (!mfn_eq(pd->perdomain_tables[i], MFN_INVALID))
            domain_free_frame(d, pd->perdomain_tables[i]);
    domain_zfree(d, pd, sizeof(*pd));
    d->pv = NULL;
}

static int pv_vcpu_init(struct vcpu *v)
{
    struct pv_vcpu *pv = domain_zalloc(v->domain, sizeof(*pv));

    if (pv == NULL)
        return -ENOMEM;
    v->pv = pv;
    pv->info = v->info;
    pv->perdomain_l1 = v->domain->pv->perdomain_l1[v->id / 16] + (v->id % 16) * 32;
    pv->dr6 = 0xffff0ff0;
    pv->dr7 = 0x400;
    pv->kernel_mode = 1;
    return 0;
}

static void pv_vcpu_fini(struct vcpu *v)
{
    domain_zfree(v->domain, v->pv, sizeof(*v->pv));
    v->pv = NULL;
}

static void pv_info_moved(struct vcpu *v)
{
    WRITE_ONCE(v->pv->info, v->info);
}

static void save_segments(struct pv_vcpu *pv)
{
    u64 active, other;

    __asm__("mov %%ds, %0" : "=rm"(pv->ds));
    __asm__("mov %%es, %0" : "=rm"(pv->es));
    __asm__("mov %%fs, %0" : "=rm"(pv->fs));
    __asm__("mov %%gs, %0" : "=rm"(pv->gs));
    pv->fs_base = insn_rdmsr(MSR_FS_BASE);
    active = insn_rdmsr(MSR_GS_BASE);
    other = insn_rdmsr(MSR_KERNEL_GS_BASE);
    pv->gs_base_kernel = pv->kernel_mode ? active : other;
    pv->gs_base_user = pv->kernel_mode ? other : active;
}

static void load_segments(const struct pv_vcpu *pv)
{
    /*
     * A selector the guest's tables no longer satisfy loads as null: the guest finds out when it
     * uses it. Flat ones, the usual case, are left as they are.
     */
    if (pv->ds | pv->es) {
        (void)entry_load_ds(pv->ds);
        (void)entry_load_es(pv->es);
    } else {
        (void)entry_load_ds(0);
        (void)entry_load_es(0);
    }
    (void)entry_load_fs(pv->fs);
    (void)entry_load_gs(pv->gs);
    insn_wrmsr(MSR_FS_BASE, pv->fs_base);
    insn_wrmsr(MSR_GS_BASE, pv->kernel_mode ? pv->gs_base_kernel : pv->gs_base_user);
    insn_wrmsr(MSR_KERNEL_GS_BASE, pv->kernel_mode ? pv->gs_base_user : pv->gs_base_kernel);
}

static void pv_switch_out(struct vcpu *v)
{
    save_segments(v->pv);
    pv_debug_switch_out(v);
    if (v->pv->cr0_ts)
        insn_clts();
    pv_desc_unload(); /* the GDT in use must not go with the address space */
}

static void note_loaded(struct domain *d)
{
    u32 cpu = cpu_id();
    u64 bit = (u64)1 << cpu;
    struct domain *old = loaded[cpu];

    if (old == d)
        return;
    atomic_fetch_or(&d->dirty_cpus.bits, bit);
    loaded[cpu] = d;
    if (old != NULL)
        atomic_fetch_and(&old->dirty_cpus.bits, ~bit);
}

static void pv_switch_in(struct vcpu *v)
{
    struct pv_vcpu *pv = v->pv;
    struct domain *old = loaded[cpu_id()];
    u64 cr4 = pv_real_cr4(pv);

    cpu_info()->hole_start = CANONICAL_LOW_END;
    cpu_info()->hole_end = HV_VIRT_END;
    if (insn_read_cr4() != cr4)
        insn_write_cr4(cr4);
    if (old != v->domain)
        atomic_fetch_or(&v->domain->dirty_cpus.bits, (u64)1 << cpu_id());
    smp_load_cr3(pv->kernel_mode ? pv->cr3_kernel : pv->cr3_user);
    note_loaded(v->domain); /* after the load: nothing of the old domain is cached now */
    pv_desc_load(v);
    load_segments(pv);
    pv_debug_switch_in(v);
    if (cpu_features.rdtscp)
        insn_wrmsr(MSR_TSC_AUX, v->tsc_aux);
    if (pv->cr0_ts)
        insn_write_cr0(insn_read_cr0() | CR0_TS);
}

void pv_domain_forget(struct domain *d)
{
    u32 cpu = cpu_id();

    if (loaded[cpu] != d)
        return;
    smp_load_cr3(mfn_to_maddr(hmap_template()));
    loaded[cpu] = NULL;
    atomic_fetch_and(&d->dirty_cpus.bits, ~((u64)1 << cpu));
}

static void pv_inject_nmi(struct vcpu *v)
{
    /* Masked until iret: the bit stays, and iret asks for exit work again. */
    if (v->pv->nmi_masked) {
        atomic_fetch_or(&v->defer, VDEFER_NMI);
        return;
    }
    pv_deliver_nmi(v, &cpu_info()->guest);
}

/* Host address of a guest-writable byte; NULL when there is none. The mmu lock is held. */
static u8 *walk_writable(const struct vcpu *v, u64 va)
{
    u64 rights = ~0ul, at;
    const u64 *l1;

    if (v->pv->cr3_kernel == 0 || !va_canonical(va))
        return NULL;
    l1 = pv_mmu_find_l1(v->pv->cr3_kernel, va, &rights);
    if (l1 == NULL || (rights & (PTE_P | PTE_RW)) != (PTE_P | PTE_RW))
        return NULL;
    at = READ_ONCE(*l1) & PTE_ADDR;
    return page_valid(maddr_to_mfn(at)) ? (u8 *)hmap_direct(at) + (va & ~PAGE_MASK) : NULL;
}

static bool pv_write_guest(struct vcpu *v, u64 va, const void *src, size_t len)
{
    struct lock *l = &v->domain->pv->mmu_lock;
    const u8 *s = src;

    if (v == vcpu_current() && v->pv->kernel_mode)
        return !pv_range_is_hv(va, len) && entry_copy((void *)va, src, len) == 0;
    while (len > 0) {
        size_t n = MIN(len, PAGE_SIZE - (va & ~PAGE_MASK));
        u8 *p;

        /* Under the lock an entry that allows writing keeps its frame writable. */
        lock_acquire(l);
        p = walk_writable(v, va);
        if (p != NULL)
            memcpy(p, s, n);
        lock_release(l);
        if (p == NULL)
            return false;
        va += n;
        s += n;
        len -= n;
    }
    return true;
}

static u64 pv_dump(struct vcpu *v)
{
    const struct pv_vcpu *pv = v->pv;
    const struct cpu_regs *r = v == vcpu_current() ? &cpu_info()->guest : &v->regs;

    log_msg(LOG_ERR, "d%uv%u %s mode, cr3 kernel %#lx user %#lx, cr2 %#lx, events %s%s",
            v->domain->id, v->id, pv->kernel_mode ? "kernel" : "user",
            (unsigned long)pv->cr3_kernel, (unsigned long)pv->cr3_user, (unsigned long)pv->cr2,
            v->info->evtchn_upcall_mask ? "masked" : "unmasked",
            v->info->evtchn_upcall_pending ? " and pending" : "");
    log_msg(LOG_ERR, "last exception: vector %u, error code %04x, at %#lx", pv->trap_vector,
            pv->trap_error, (unsigned long)pv->trap_rip);
    console_dump_regs(r, true);
    return r->rsp;
}

const struct guest_kind pv_guest_kind = {
    .name = "PV",
    .hypercalls = pv_hypercall_table,
    .domain_init = pv_domain_init,
    .domain_fini = pv_domain_fini,
    .vcpu_init = pv_vcpu_init,
    .vcpu_fini = pv_vcpu_fini,
    .switch_out = pv_switch_out,
    .switch_in = pv_switch_in,
    .event_due = event_upcall_due,
    .inject_nmi = pv_inject_nmi,
    .info_moved = pv_info_moved,
    .write_guest = pv_write_guest,
    .teardown_step = pv_mmu_teardown_step,
    .dump = pv_dump,
    .hypercall_context = pv_context,
    .ext_context = pv_ext_context,
    .cpu_policy = &pv_cpuid_policy,
    .grant_map = pv_grant_map,
    .grant_unmap = pv_grant_unmap,
};
