/* SPDX-License-Identifier: MIT */
/*
 * Which page faults of a guest are not the guest's business? A lazily mapped LDT page; a store to
 * one of its own page tables, which are mapped read-only; a translation the TLB kept longer than
 * the tables did. Everything else is delivered.
 *
 * Linux writes page-table entries with plain and locked instructions where no hypercall is at
 * hand. The store is carried out here on a copy of the entry, and the copy goes through
 * the same checks as mmu_update. A store that is refused, or not understood, is a page fault for
 * the guest. Only level 1 tables, only from the guest's kernel.
 */
#include "arch/entry.h"
#include "arch/smp.h"
#include "pure/ptwrite.h"
#include "pv/pv_desc.h"
#include "pv/pv_insn.h"
#include "pv/pv_mmu.h"

/* A decoded store. */
struct store {
    struct x86_insn in;
    struct ptwrite w;
};

static bool decode_store(struct cpu_regs *regs, struct store *s, u64 addr)
{
    struct x86_insn *in = &s->in;

    return pv_insn_fetch(regs, in) && in->mem &&
           ptwrite_decode(in, pv_insn_reg_read(regs, in, in->reg, in->width), &s->w) &&
           pv_insn_address(regs, in) == addr && !(addr & (s->w.width - 1));
}

/* Registers, flags and RIP after the store: `old` was in memory, `val` is. */
static void retire(struct cpu_regs *regs, const struct store *s, u64 old, u64 val, bool stored)
{
    u64 f = ptwrite_flags(&s->w, regs->rflags, old, val, regs->rax);

    if (s->w.op == PTWRITE_XCHG)
        pv_insn_reg_write(regs, &s->in, s->in.reg, s->w.width, old);
    else if (s->w.op == PTWRITE_CMPXCHG && !stored)
        pv_insn_reg_write(regs, &s->in, 0, s->w.width, old);
    regs->rflags = f;
    pv_insn_skip(regs, s->in.len);
}

/* Carries the store out on the entry that holds the operand. Lock held. False: refused. */
static bool perform(struct domain *d, struct cpu_regs *regs, const struct store *s, u64 *slot,
                    u64 addr)
{
    unsigned int shift = (unsigned int)(addr & 7) * 8;
    u64 mask = s->w.width == 8 ? ~0ul : (1ul << (8 * s->w.width)) - 1, entry, old, val;
    struct pvpt_view w;
    bool stored;
    int rc;

    pv_mmu_view(&w, d, d->id);
    do {
        entry = READ_ONCE(*slot);
        old = (entry >> shift) & mask;
        val = ptwrite_value(&s->w, old, regs->rax, &stored);
        rc =
            stored ? pvpt_l1_swap(&w, slot, entry, (entry & ~(mask << shift)) | (val << shift)) : 0;
    } while (rc == -EAGAIN); /* the hardware sets A and D twice at most */
    if (rc) {
        pv_mmu_explain("page-table write", rc, &w);
        return false;
    }
    retire(regs, s, old, val, stored);
    return true;
}

/* The level 1 table entry that lies at guest address addr; NULL: something else is there. */
static u64 *table_slot(const struct domain *d, const u64 *map, u64 addr)
{
    u64 e = READ_ONCE(*map), mfn = (e & PTE_ADDR) >> PAGE_SHIFT;
    const struct page *pg = ptype_port_page(mfn);

    if (!pg || pg->owner != d->id ||
        (pg->type & (PTYPE_MASK | PTYPE_VALIDATED)) != (PTYPE_L1 | PTYPE_VALIDATED))
        return NULL;
    return hmap_direct(mfn_to_maddr(MFN(mfn)) + (addr & ~PAGE_MASK & ~7ul));
}

enum write_cause { WRITE_GUEST, WRITE_STALE, WRITE_TABLE };

/* What stands behind a refused write at addr? Lock held. */
static enum write_cause write_cause(const struct vcpu *v, u64 addr)
{
    u64 rights = ~0ul;
    const u64 *map = pv_mmu_find_l1(v->pv->cr3_kernel, addr, &rights);

    if (!map || !(rights & PTE_P))
        return WRITE_GUEST;
    if (rights & PTE_RW)
        return WRITE_STALE;
    return table_slot(v->domain, map, addr) ? WRITE_TABLE : WRITE_GUEST;
}

/* Registers, flags and RIP after a quick store; `old` was in memory, `val` is. */
static void retire_quick(struct cpu_regs *regs, const struct ptwrite_quick *q, u64 old, u64 val)
{
    struct ptwrite w = {.op = q->op, .width = 1};

    if (q->op == PTWRITE_XCHG)
        *regs_gpr(regs, q->reg) = old;
    else if (q->op == PTWRITE_AND)
        regs->rflags = ptwrite_flags(&w, regs->rflags, old & 0xff, val & 0xff, regs->rax);
    pv_insn_skip(regs, q->len);
}

/*
 * The instructions Linux uses, on a level 1 table, with one look at everything. False: not that, or
 * refused; the long way finds out what. The fault's address is the operand's: no need to compute.
 */
static bool fixup_quick(struct vcpu *v, struct cpu_regs *regs, u64 addr)
{
    struct lock *l = &v->domain->pv->mmu_lock;
    unsigned int shift = (unsigned int)(addr & 7) * 8;
    u64 bytes, entry, want, *slot = NULL;
    struct ptwrite_quick q;
    struct pvpt_view w;
    const u64 *map;
    int rc = 0;

    if (!entry_read_u64((const u64 *)regs->rip, &bytes) || !ptwrite_quick(bytes, &q) ||
        (q.op != PTWRITE_AND && shift))
        return false;
    pv_mmu_view(&w, v->domain, v->domain->id);
    lock_acquire(l);
    map = pv_mmu_find_l1(v->pv->cr3_kernel, addr, NULL);
    if (likely(map && (READ_ONCE(*map) & PTE_P)))
        slot = table_slot(v->domain, map, addr);
    while (likely(slot)) {
        entry = READ_ONCE(*slot);
        want = q.op == PTWRITE_AND ? entry & ~((u64)(u8)~q.imm << shift) : *regs_gpr(regs, q.reg);
        rc = pvpt_l1_swap(&w, slot, entry, want);
        if (likely(rc != -EAGAIN))
            break;
    }
    lock_release(l);
    if (unlikely(!slot || rc))
        return false;
    retire_quick(regs, &q, entry >> shift, want >> shift);
    pv_insn_step(regs);
    return true;
}

/* A write by the guest's kernel to a present page that does not allow it. */
static NOINLINE bool fixup_write(struct vcpu *v, struct cpu_regs *regs, u64 addr)
{
    struct lock *l = &v->domain->pv->mmu_lock;
    struct cpu_mask self = {(u64)1 << cpu_id()};
    enum write_cause cause;
    struct store s;
    const u64 *map;
    bool ok = false;
    u64 *slot;

    lock_acquire(l);
    cause = write_cause(v, addr);
    lock_release(l);
    if (cause == WRITE_GUEST)
        return false;
    if (cause == WRITE_STALE) {
        smp_flush_tlb(self, addr);
        return true;
    }
    /* The instruction is fetched without the lock: that can fault. */
    if (!decode_store(regs, &s, addr))
        return false;
    lock_acquire(l);
    map = pv_mmu_find_l1(v->pv->cr3_kernel, addr, NULL);
    slot = map && (READ_ONCE(*map) & PTE_P) ? table_slot(v->domain, map, addr) : NULL;
    if (slot)
        ok = perform(v->domain, regs, &s, slot, addr);
    lock_release(l);
    if (ok)
        pv_insn_step(regs);
    return ok;
}

/*
 * In the hypervisor's range the guest sees two things: the m2p, and its descriptor tables. A page
 * of the LDT that the processor does not find, and that cannot be one, is a fault at the guest's
 * own address of it. The guest's instructions have no access there.
 */
static NOINLINE bool fixup_hv(struct vcpu *v, struct cpu_regs *regs, u64 addr)
{
    u64 offset = addr - PERDOMAIN_BASE - (u64)v->id * GDT_LDT_VCPU_SIZE - LDT_OFFSET;

    if (regs->error_code & PFEC_USER || addr < PERDOMAIN_BASE || offset >= v->pv->ldt_entries * 8ul)
        return false;
    if (!pv_desc_ldt_fault(v, offset))
        pv_inject_pf(regs, v->pv->ldt_base + offset, regs->error_code);
    return true;
}

bool pv_fault_fixup(struct cpu_regs *regs, u64 addr)
{
    struct vcpu *v = vcpu_current();

    if (unlikely(addr >= HV_VIRT_START && addr < HV_VIRT_END))
        return fixup_hv(v, regs, addr);
    if (likely(!v->pv->kernel_mode) ||
        (regs->error_code & (PFEC_PRESENT | PFEC_WRITE | PFEC_RSVD)) != (PFEC_PRESENT | PFEC_WRITE))
        return false;
    return fixup_quick(v, regs, addr) || fixup_write(v, regs, addr);
}
