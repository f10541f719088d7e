/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's state as a whole: after a start-up IPI, and as the tools' records have it (public header
 * hvm/save.h). What comes from outside is checked against what the processor would enter; what it
 * refuses nevertheless ends the domain at its first entry, not the machine.
 */
#include "arch/clock.h"
#include "arch/insn.h"
#include "base/lib.h"
#include "core/hypercall.h"
#include "core/sched.h"
#include "hvm/hvm.h"

#define PAT_RESET  0x0007040600070406ul
#define DR6_RESET  0xffff0ff0ul
#define DR7_RESET  0x400ul
#define CR0_NW     (1ul << 29)
#define CR0_CD     (1ul << 30)
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)
#define SEG_CODE16 0x9b
#define SEG_DATA16 0x93
#define SEG_TSS32  0x8b
#define SEG_LDT    0x82

static void state_reset(struct hvm_state *s, u8 vector)
{
    u32 i;

    memset(s, 0, sizeof(*s));
    for (i = 0; i < HVM_SEGS; i++)
        s->seg[i] = (struct hvm_seg){.attr = SEG_DATA16, .limit = 0xffff};
    s->seg[HVM_CS] = (struct hvm_seg){(u16)(vector << 8), SEG_CODE16, 0xffff, (u64)vector << 12};
    s->seg[HVM_TR].attr = SEG_TSS32;
    s->seg[HVM_LDTR].attr = SEG_LDT;
    s->seg[HVM_GDTR].attr = s->seg[HVM_IDTR].attr = 0;
    s->rflags = RFLAGS_MBS;
    s->cr0 = CR0_ET;
    s->dr6 = DR6_RESET;
    s->dr7 = DR7_RESET;
    s->pat = PAT_RESET;
}

/* Its general registers, wherever they are. */
static struct cpu_regs *regs_of(struct vcpu *v)
{
    return v == vcpu_current() ? &cpu_info()->guest : &v->regs;
}

void hvm_context_reset(struct vcpu *v, u8 vector)
{
    struct hvm_vcpu *h = v->hvm;
    u8 mode = h->apic.mode;
    struct hvm_state s;

    state_reset(&s, vector);
    hvm_vendor->set_state(v, &s);
    memset(regs_of(v), 0, sizeof(struct cpu_regs));
    regs_of(v)->rdx = cpu_features.leaf1_eax;
    vlapic_reset(&h->apic, v->id * 2, v->id == 0);
    h->apic.mode = mode == VLAPIC_MODE_OFF ? VLAPIC_MODE_XAPIC : mode;
    if (h->apic.mode == VLAPIC_MODE_X2APIC)
        h->apic.ldr = (h->apic.id >> 4) << 16 | 1u << (h->apic.id & 15);
    h->nmi_due = h->nmi_blocked = false;
    memset(h->dr, 0, sizeof(h->dr));
    h->cr4_allowed = hvm_cpuid_cr4(v);
    fpu_init_state(&v->fpu, v->fpu.area);
    if (v == vcpu_current())
        fpu_restore(&v->fpu);
}

const char *hvm_context_check(const struct vcpu *v, const struct hvm_state *s)
{
    bool lma = s->efer & EFER_LME && s->cr0 & CR0_PG;

    if (s->efer & ~EFER_GUEST || !!(s->efer & EFER_LMA) != lma)
        return "EFER";
    if (s->cr0 >> 32 || (s->cr0 & CR0_PG && !(s->cr0 & CR0_PE)) ||
        (s->cr0 & CR0_NW && !(s->cr0 & CR0_CD)))
        return "CR0";
    if (s->cr4 & ~hvm_cpuid_cr4(v) || (lma && !(s->cr4 & CR4_PAE)) || (s->cr4 & CR4_PCIDE && !lma))
        return "CR4";
    if (s->cr3 >> 52 || s->dr6 >> 32 || s->dr7 >> 32)
        return "CR3, DR6 or DR7";
    if (lma && s->seg[HVM_CS].attr & HVM_ATTR_L && s->seg[HVM_CS].attr & HVM_ATTR_D)
        return "code segment";
    if (lma && s->rflags & RFLAGS_VM)
        return "RFLAGS";
    if (!hvm_canonical(s->lstar) || !hvm_canonical(s->cstar) || !hvm_canonical(s->shadow_gs) ||
        !hvm_canonical(s->seg[HVM_FS].base) || !hvm_canonical(s->seg[HVM_GS].base) ||
        !hvm_canonical(s->seg[HVM_TR].base) || !hvm_canonical(s->seg[HVM_LDTR].base) ||
        !hvm_canonical(s->sysenter_esp) || !hvm_canonical(s->sysenter_eip))
        return "non-canonical address";
    return NULL;
}

/* Records. */

struct stream {
    u8 *to; /* NULL: only counted */
    u32 room, len;
};

static bool put(struct stream *st, u16 type, u16 instance, const void *body, u32 n)
{
    struct hvm_save_descriptor desc = {type, instance, n};
    u32 at = st->len;

    st->len += (u32)sizeof(desc) + n;
    if (st->to == NULL)
        return true;
    if (st->len > st->room)
        return false;
    memcpy(st->to + at, &desc, sizeof(desc));
    memcpy(st->to + at + sizeof(desc), body, n);
    return true;
}

static bool put_header(struct stream *st)
{
    struct hvm_save_header h = {.magic = HVM_FILE_MAGIC,
                                .version = HVM_FILE_VERSION,
                                .cpuid = cpu_features.leaf1_eax,
                                .gtsc_khz = (u32)clock_tsc_khz()};

    return put(st, HVM_SAVE_CODE(HEADER), 0, &h, sizeof(h));
}

#define SEG_OUT(c, name, s)                                                                        \
    ((c)->name##_sel = (s).sel, (c)->name##_limit = (s).limit, (c)->name##_base = (s).base,        \
     (c)->name##_arbytes = (s).attr)
#define SEG_IN(c, name)                                                                            \
    ((struct hvm_seg){(u16)(c)->name##_sel, (u16)((c)->name##_arbytes & 0xfff), (c)->name##_limit, \
                      (c)->name##_base})

static void segs_out(struct hvm_hw_cpu *c, const struct hvm_state *s)
{
    SEG_OUT(c, es, s->seg[HVM_ES]);
    SEG_OUT(c, cs, s->seg[HVM_CS]);
    SEG_OUT(c, ss, s->seg[HVM_SS]);
    SEG_OUT(c, ds, s->seg[HVM_DS]);
    SEG_OUT(c, fs, s->seg[HVM_FS]);
    SEG_OUT(c, gs, s->seg[HVM_GS]);
    SEG_OUT(c, ldtr, s->seg[HVM_LDTR]);
    SEG_OUT(c, tr, s->seg[HVM_TR]);
    c->gdtr_base = s->seg[HVM_GDTR].base;
    c->gdtr_limit = s->seg[HVM_GDTR].limit;
    c->idtr_base = s->seg[HVM_IDTR].base;
    c->idtr_limit = s->seg[HVM_IDTR].limit;
}

static void segs_in(struct hvm_state *s, const struct hvm_hw_cpu *c)
{
    s->seg[HVM_ES] = SEG_IN(c, es);
    s->seg[HVM_CS] = SEG_IN(c, cs);
    s->seg[HVM_SS] = SEG_IN(c, ss);
    s->seg[HVM_DS] = SEG_IN(c, ds);
    s->seg[HVM_FS] = SEG_IN(c, fs);
    s->seg[HVM_GS] = SEG_IN(c, gs);
    s->seg[HVM_LDTR] = SEG_IN(c, ldtr);
    s->seg[HVM_TR] = SEG_IN(c, tr);
    s->seg[HVM_GDTR] = (struct hvm_seg){.base = c->gdtr_base, .limit = c->gdtr_limit};
    s->seg[HVM_IDTR] = (struct hvm_seg){.base = c->idtr_base, .limit = c->idtr_limit};
}

/* The general registers, as pairs of fields: to the record, or from it. */
static void regs_copy(struct hvm_hw_cpu *c, struct cpu_regs *r, bool out)
{
    uint64_t *const rec[15] = {&c->rax, &c->rbx, &c->rcx, &c->rdx, &c->rbp,
                               &c->rsi, &c->rdi, &c->r8,  &c->r9,  &c->r10,
                               &c->r11, &c->r12, &c->r13, &c->r14, &c->r15};
    u64 *const reg[15] = {&r->rax, &r->rbx, &r->rcx, &r->rdx, &r->rbp, &r->rsi, &r->rdi, &r->r8,
                          &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};
    u32 i;

    for (i = 0; i < ARRAY_SIZE(rec); i++) {
        if (out)
            *rec[i] = *reg[i];
        else
            *reg[i] = *rec[i];
    }
}

static NOINLINE bool put_cpu(struct stream *st, struct vcpu *v)
{
    struct hvm_hw_cpu *c;
    struct hvm_state s;
    bool ok;

    if (st->to == NULL || READ_ONCE(v->pause) & VPAUSE_DOWN) {
        if (st->to == NULL)
            st->len += (u32)(sizeof(struct hvm_save_descriptor) + sizeof(*c));
        return true; /* one that is down has no record */
    }
    c = page_zalloc(sizeof(*c));
    if (c == NULL)
        return false;
    hvm_vendor->get_state(v, &s);
    segs_out(c, &s);
    regs_copy(c, &v->regs, true);
    fpu_get_legacy(&v->fpu, c->fpu_regs);
    c->rip = s.rip;
    c->rsp = s.rsp;
    c->rflags = s.rflags;
    c->cr0 = s.cr0;
    c->cr2 = s.cr2;
    c->cr3 = s.cr3;
    c->cr4 = s.cr4;
    memcpy(&c->dr0, v->hvm->dr, sizeof(v->hvm->dr));
    c->dr6 = s.dr6;
    c->dr7 = s.dr7;
    c->sysenter_cs = s.sysenter_cs;
    c->sysenter_esp = s.sysenter_esp;
    c->sysenter_eip = s.sysenter_eip;
    c->shadow_gs = s.shadow_gs;
    c->msr_lstar = s.lstar;
    c->msr_star = s.star;
    c->msr_cstar = s.cstar;
    c->msr_syscall_mask = s.sfmask;
    c->msr_efer = s.efer;
    c->msr_tsc_aux = v->hvm->tsc_aux;
    c->flags = XEN_X86_FPU_INITIALISED;
    ok = put(st, HVM_SAVE_CODE(CPU), (u16)v->id, c, sizeof(*c));
    page_zfree(c, sizeof(*c));
    return ok;
}

static NOINLINE bool put_mtrr(struct stream *st, struct vcpu *v)
{
    const struct hvm_mtrr *m = &v->hvm->mtrr;
    struct hvm_hw_mtrr r = {.msr_mtrr_def_type = m->def_type,
                            .msr_mtrr_cap = 1ul << 10 | 1ul << 8 | HVM_MTRR_VAR,
                            .msr_pat_cr = hvm_vendor->get_pat(v)};

    memcpy(r.msr_mtrr_var, m->var, sizeof(m->var));
    memcpy(r.msr_mtrr_fixed, m->fixed, sizeof(m->fixed));
    return put(st, HVM_SAVE_CODE(MTRR), (u16)v->id, &r, sizeof(r));
}

/* All records of all vCPUs, or (type not 0) those of one type and vCPU. */
static int save(struct domain *d, struct stream *st, u32 type, u32 vcpu)
{
    bool all = type == 0;
    u32 i;

    if (all && !put_header(st))
        return -ENOSPC;
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL && (all || (type == HVM_SAVE_CODE(CPU) && vcpu == i)) &&
            !put_cpu(st, d->vcpu[i]))
            return -ENOSPC;
    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL && (all || (type == HVM_SAVE_CODE(MTRR) && vcpu == i)) &&
            !put_mtrr(st, d->vcpu[i]))
            return -ENOSPC;
    if (all && !put(st, HVM_SAVE_CODE(END), 0, NULL, 0))
        return -ENOSPC;
    return 0;
}

int hvm_context_save(struct domain *d, u8 *to, u32 room, u32 *len)
{
    struct stream st = {to, room, 0};
    int rc = save(d, &st, 0, 0);

    *len = st.len;
    return rc;
}

int hvm_context_save_one(struct domain *d, u32 type, u32 vcpu, u8 *to, u32 room, u32 *len)
{
    struct stream st = {to, room, 0};
    int rc = type != 0 ? save(d, &st, type, vcpu) : -EINVAL;

    *len = st.len;
    return rc == 0 && st.len == 0 ? -ENOENT : rc;
}

static NOINLINE int load_cpu(struct vcpu *v, struct hvm_hw_cpu *c)
{
    struct hvm_vcpu *h = v->hvm;
    struct hvm_state s;
    const char *why;

    state_reset(&s, 0);
    segs_in(&s, c);
    s.rip = c->rip;
    s.rsp = c->rsp;
    s.rflags = c->rflags;
    s.cr0 = c->cr0;
    s.cr2 = c->cr2;
    s.cr3 = c->cr3;
    s.cr4 = c->cr4;
    s.dr6 = c->dr6;
    s.dr7 = c->dr7;
    s.efer = c->msr_efer;
    s.star = c->msr_star;
    s.lstar = c->msr_lstar;
    s.cstar = c->msr_cstar;
    s.sfmask = c->msr_syscall_mask;
    s.shadow_gs = c->shadow_gs;
    s.sysenter_cs = c->sysenter_cs;
    s.sysenter_esp = c->sysenter_esp;
    s.sysenter_eip = c->sysenter_eip;
    s.pat = hvm_vendor->get_pat(v);
    why = hvm_context_check(v, &s);
    if (why != NULL)
        return (int)hypercall_refuse(-EINVAL,
                                     "hvmcontext: d%uv%u: %s (cr0 %#lx cr4 %#lx efer %#lx)",
                                     v->domain->id, v->id, why, s.cr0, s.cr4, s.efer);
    hvm_vendor->set_state(v, &s);
    regs_copy(c, &v->regs, false);
    memcpy(h->dr, &c->dr0, sizeof(h->dr));
    h->tsc_aux = (u32)c->msr_tsc_aux;
    h->cr4_allowed = hvm_cpuid_cr4(v);
    h->wait_start = h->nmi_blocked = false;
    (void)atomic_xchg(&h->start, 0u);
    hvm_intr_poke(v); /* what waited for a window must ask again */
    if (c->flags & XEN_X86_FPU_INITIALISED)
        fpu_set_legacy(&v->fpu, c->fpu_regs);
    else
        fpu_init_state(&v->fpu, v->fpu.area);
    v->initialised = true;
    vcpu_pause_clear(v, VPAUSE_DOWN);
    return 0;
}

static NOINLINE int load_mtrr(struct vcpu *v, const struct hvm_hw_mtrr *r)
{
    static const u16 fixed[HVM_MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                              0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    bool ok = hvm_mtrr_set(v, 0x2ff, r->msr_mtrr_def_type);
    u32 i;

    for (i = 0; i < HVM_MTRR_FIXED; i++)
        ok &= hvm_mtrr_set(v, fixed[i], r->msr_mtrr_fixed[i]);
    for (i = 0; i < 2 * HVM_MTRR_VAR; i++)
        ok &= hvm_mtrr_set(v, 0x200 + i, r->msr_mtrr_var[i]);
    ok &= hvm_msr_write(v, MSR_PAT, r->msr_pat_cr);
    if (!ok)
        return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%uv%u: MTRR values", v->domain->id,
                                     v->id);
    return 0;
}

/* One record; types that are not kept here are passed over. */
static NOINLINE int load_record(struct domain *d, const struct hvm_save_descriptor *desc,
                                const u8 *body)
{
    struct vcpu *v = desc->instance < d->max_vcpus ? d->vcpu[desc->instance] : NULL;
    struct hvm_hw_cpu *c;
    struct hvm_hw_mtrr m;
    int rc;

    if (desc->typecode != HVM_SAVE_CODE(CPU) && desc->typecode != HVM_SAVE_CODE(MTRR))
        return 0;
    if (v == NULL)
        return -ENOENT;
    if (desc->typecode == HVM_SAVE_CODE(MTRR)) {
        if (desc->length != sizeof(m))
            return -EINVAL;
        memcpy(&m, body, sizeof(m));
        return load_mtrr(v, &m);
    }
    if (desc->length != sizeof(*c))
        return -EINVAL;
    c = page_zalloc(sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    memcpy(c, body, sizeof(*c));
    rc = load_cpu(v, c);
    page_zfree(c, sizeof(*c));
    return rc;
}

static void all_down(struct domain *d)
{
    u32 i;

    for (i = 0; i < d->max_vcpus; i++)
        if (d->vcpu[i] != NULL)
            vcpu_pause_set(d->vcpu[i], VPAUSE_DOWN);
}

int hvm_context_load(struct domain *d, const u8 *from, u32 len)
{
    struct hvm_save_descriptor desc;
    struct hvm_save_header head;
    u32 at = 0;
    int rc;

    while (at + sizeof(desc) <= len) {
        memcpy(&desc, from + at, sizeof(desc));
        at += (u32)sizeof(desc);
        if (desc.typecode == HVM_SAVE_CODE(END))
            return 0;
        if (desc.length > len - at)
            break;
        if (at == sizeof(desc)) { /* the first one */
            if (desc.typecode != HVM_SAVE_CODE(HEADER) || desc.length != sizeof(head))
                break;
            memcpy(&head, from + at, sizeof(head));
            if (head.magic != HVM_FILE_MAGIC || head.version != HVM_FILE_VERSION)
                break;
            all_down(d);
        } else {
            rc = load_record(d, &desc, from + at);
            if (rc != 0)
                return rc;
        }
        at += desc.length;
    }
    return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%u: record at byte %u of %u", d->id, at,
                                 len);
}
