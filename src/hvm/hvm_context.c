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
#include "hvm/hvm.h"

#define PAT_RESET  0x0007040600070406ul
#define DR6_RESET  0xffff0ff0ul
#define DR7_RESET  0x400ul
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

/* An event is one the processor accepts (APM vol. 2, 15.20; SDM vol. 3, 27.2.1.3 and 27.3.1.4). */
static bool event_ok(const struct hvm_state *s)
{
    const u32 with_error = 1u << TRAP_DF | 0x1fu << TRAP_TS | 1u << TRAP_AC;
    u32 type = s->event >> 8 & 7, vector = s->event & 0xff;
    bool error = s->event & HVM_EVENT_EV;

    if (s->event & 0x7ffff000 || (error && s->event >> 48 != 0))
        return false;
    if (type == HVM_EVENT_FAULT && vector <= 31 && vector != TRAP_NMI)
        return !(s->cr0 & CR0_PE) || error == (with_error >> vector & 1);
    return !error && ((type == HVM_EVENT_INTR && vector > 15 && s->rflags & RFLAGS_IF) ||
                      (type == HVM_EVENT_NMI && vector == TRAP_NMI));
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
    if (s->event & HVM_EVENT_VALID && !event_ok(s))
        return "pending event";
    if (!va_canonical(s->lstar) || !va_canonical(s->cstar) || !va_canonical(s->shadow_gs) ||
        !va_canonical(s->seg[HVM_FS].base) || !va_canonical(s->seg[HVM_GS].base) ||
        !va_canonical(s->seg[HVM_TR].base) || !va_canonical(s->seg[HVM_LDTR].base) ||
        !va_canonical(s->sysenter_esp) || !va_canonical(s->sysenter_eip))
        return "non-canonical address";
    return NULL;
}

/* Records. */

struct stream {
    u8 *to; /* NULL: only counted */
    u32 room, len;
};

/* Room for a record; *body is NULL when it is only counted. False: there is none. */
static bool take(struct stream *st, u16 type, u16 instance, u32 n, u8 **body)
{
    struct hvm_save_descriptor desc = {type, instance, n};
    u32 at = st->len;

    *body = NULL;
    st->len += (u32)sizeof(desc) + n;
    if (st->to == NULL)
        return true;
    if (st->len > st->room)
        return false;
    memcpy(st->to + at, &desc, sizeof(desc));
    *body = st->to + at + sizeof(desc);
    return true;
}

static bool put(struct stream *st, u16 type, u16 instance, const void *from, u32 n)
{
    u8 *body;
    bool ok = take(st, type, instance, n, &body);

    if (body != NULL)
        memcpy(body, from, n);
    return ok;
}

static bool put_header(struct stream *st)
{
    struct hvm_save_header h = {.magic = HVM_FILE_MAGIC,
                                .version = HVM_FILE_VERSION,
                                .cpuid = cpu_features.leaf1_eax,
                                .gtsc_khz = (u32)clock_tsc_khz()};

    return put(st, HVM_SAVE_CODE(HEADER), 0, &h, sizeof(h));
}

/* The record has its selectors one after the other, then limits, bases and attributes. */
static void segs_copy(struct hvm_hw_cpu *c, struct hvm_state *s, bool out)
{
    static const u8 order[] = {HVM_CS, HVM_DS, HVM_ES,   HVM_FS,   HVM_GS,
                               HVM_SS, HVM_TR, HVM_LDTR, HVM_IDTR, HVM_GDTR};
    u32 *sel = &c->cs_sel, *limit = &c->cs_limit, *attr = &c->cs_arbytes, i;
    u64 *base = &c->cs_base;

    for (i = 0; i < ARRAY_SIZE(order); i++) {
        struct hvm_seg *seg = &s->seg[order[i]];
        bool table = i >= 8; /* IDTR and GDTR */

        if (!out) {
            *seg = (struct hvm_seg){table ? 0 : (u16)sel[i], table ? 0 : attr[i] & 0xfff, limit[i],
                                    base[i]};
            continue;
        }
        limit[i] = seg->limit;
        base[i] = seg->base;
        if (!table) {
            sel[i] = seg->sel;
            attr[i] = seg->attr;
        }
    }
}

/* The general registers but for rsp: to the record, or from it. */
static void regs_copy(struct hvm_hw_cpu *c, struct cpu_regs *r, bool out)
{
    static const u8 order[16] = {0, 3, 1, 2, 5, 6, 7, 4, 8, 9, 10, 11, 12, 13, 14, 15};
    u64 *rec = &c->rax;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(order); i++)
        if (order[i] != 4 && out)
            rec[i] = *regs_gpr(r, order[i]);
        else if (order[i] != 4)
            *regs_gpr(r, order[i]) = rec[i];
}

#define PAIR(state, rec) offsetof(struct hvm_state, state), offsetof(struct hvm_hw_cpu, rec)
#define SAME(a, b, c)    PAIR(a, a), PAIR(b, b), PAIR(c, c)
static const u16 pairs[] = {
    SAME(rip, rsp, rflags),    SAME(cr0, cr2, cr3),
    SAME(cr4, dr6, dr7),       SAME(sysenter_cs, sysenter_esp, sysenter_eip),
    PAIR(lstar, msr_lstar),    PAIR(star, msr_star),
    PAIR(cstar, msr_cstar),    PAIR(sfmask, msr_syscall_mask),
    PAIR(efer, msr_efer),      PAIR(shadow_gs, shadow_gs),
    PAIR(event, pending_event)}; /* the error code is above it in both */

/* The other registers of 64 bits. */
static void state_copy(struct hvm_hw_cpu *c, struct hvm_state *s, bool out)
{
    u32 i;

    for (i = 0; i < ARRAY_SIZE(pairs); i += 2) {
        u8 *state = (u8 *)s + pairs[i], *rec = (u8 *)c + pairs[i + 1];

        memcpy(out ? rec : state, out ? state : rec, 8);
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
    segs_copy(c, &s, true);
    regs_copy(c, &v->regs, true);
    fpu_get_legacy(&v->fpu, c->fpu_regs);
    state_copy(c, &s, true);
    memcpy(&c->dr0, v->hvm->dr, sizeof(v->hvm->dr));
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
                            .msr_mtrr_cap = 1ul << 10 | 1ul << 8 | HVM_MTRR_VAR};

    (void)!hvm_msr_read(v, MSR_PAT, &r.msr_pat_cr); /* there always is one */
    memcpy(r.msr_mtrr_var, m->var, sizeof(m->var));
    memcpy(r.msr_mtrr_fixed, m->fixed, sizeof(m->fixed));
    return put(st, HVM_SAVE_CODE(MTRR), (u16)v->id, &r, sizeof(r));
}

static bool put_lapic(struct stream *st, struct vcpu *v)
{
    const struct vlapic *a = &v->hvm->apic;
    struct hvm_hw_lapic r = {.apic_base_msr = vlapic_base_msr(a),
                             .disabled = !vlapic_enabled(a),
                             .timer_divisor = a->divide};

    return put(st, HVM_SAVE_CODE(LAPIC), (u16)v->id, &r, sizeof(r));
}

static bool put_lapic_regs(struct stream *st, struct vcpu *v)
{
    u8 *body;
    bool ok = take(st, HVM_SAVE_CODE(LAPIC_REGS), (u16)v->id, VLAPIC_IMAGE, &body);

    if (body != NULL)
        vlapic_save(&v->hvm->apic, clock_now(), body);
    return ok;
}

#define XSAVE_HEAD ((u32)offsetof(struct hvm_hw_cpu_xsave, save_area))

static bool put_xsave(struct stream *st, struct vcpu *v)
{
    const u64 head[] = {cpu_features.xcr0_mask, v->fpu.xcr0, v->fpu.xcr0_accum};
    bool ok = true;
    u8 *body = NULL;

    if (cpu_features.xsave && (st->to == NULL || !(READ_ONCE(v->pause) & VPAUSE_DOWN)))
        ok = take(st, CPU_XSAVE_CODE, (u16)v->id, XSAVE_HEAD + fpu_area_size(), &body);
    if (body != NULL) {
        memcpy(body, head, XSAVE_HEAD);
        fpu_get_image(&v->fpu, body + XSAVE_HEAD);
    }
    return ok;
}

static NOINLINE int set_cpu(struct vcpu *v, struct hvm_hw_cpu *c)
{
    struct hvm_vcpu *h = v->hvm;
    struct hvm_state s;
    const char *why;

    state_reset(&s, 0);
    segs_copy(c, &s, false);
    state_copy(c, &s, false);
    (void)!hvm_msr_read(v, MSR_PAT, &s.pat);
    s.event = hvm_event_again(s.event);
    why = hvm_context_check(v, &s);
    if (why != NULL)
        return (int)hypercall_refuse(-EINVAL,
                                     "hvmcontext: d%uv%u: %s (cr0 %#lx cr4 %#lx efer %#lx)",
                                     v->domain->id, v->id, why, s.cr0, s.cr4, s.efer);
    h->nmi_due = (s.event & 7 << 8) == HVM_EVENT_NMI << 8;
    if (h->nmi_due)
        s.event = 0; /* it is taken, and blocks others, at the entry */
    hvm_vendor->set_state(v, &s);
    regs_copy(c, &v->regs, false);
    memcpy(h->dr, &c->dr0, sizeof(h->dr));
    h->tsc_aux = (u32)c->msr_tsc_aux;
    h->cr4_allowed = hvm_cpuid_cr4(v);
    h->wait_start = h->nmi_blocked = false;
    (void)atomic_xchg(&h->start, 0u);
    hvm_intr_poke(v); /* what waited for a window must ask again */
    vcpu_unblock(v);  /* it may have halted as another */
    if (c->flags & XEN_X86_FPU_INITIALISED)
        fpu_set_legacy(&v->fpu, c->fpu_regs);
    else
        fpu_init_state(&v->fpu, v->fpu.area);
    v->initialised = true;
    vcpu_pause_clear(v, VPAUSE_DOWN);
    return 0;
}

static int load_cpu(struct vcpu *v, const u8 *body, u32 n)
{
    struct hvm_hw_cpu *c = page_zalloc(n);
    int rc;

    if (c == NULL)
        return -ENOMEM;
    memcpy(c, body, n);
    rc = set_cpu(v, c);
    page_zfree(c, n);
    return rc;
}

static NOINLINE int load_mtrr(struct vcpu *v, const u8 *body, u32 n)
{
    static const u16 fixed[HVM_MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                              0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    struct hvm_hw_mtrr r;
    bool ok;
    u32 i;

    memcpy(&r, body, n);
    ok = hvm_mtrr_set(v, 0x2ff, r.msr_mtrr_def_type);
    for (i = 0; i < HVM_MTRR_FIXED; i++)
        ok &= hvm_mtrr_set(v, fixed[i], r.msr_mtrr_fixed[i]);
    for (i = 0; i < 2 * HVM_MTRR_VAR; i++)
        ok &= hvm_mtrr_set(v, 0x200 + i, r.msr_mtrr_var[i]);
    ok &= hvm_msr_write(v, MSR_PAT, r.msr_pat_cr);
    if (!ok)
        return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%uv%u: MTRR values", v->domain->id,
                                     v->id);
    return 0;
}

static int load_lapic(struct vcpu *v, const u8 *body, u32 n)
{
    struct vlapic a = v->hvm->apic;
    struct hvm_hw_lapic r;

    memcpy(&r, body, n);
    vlapic_reset(&a, a.id, a.bsp);
    if (!vlapic_set_base_msr(&a, r.apic_base_msr))
        return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%uv%u: APIC base %#lx", v->domain->id,
                                     v->id, r.apic_base_msr);
    v->hvm->apic = a;
    return 0;
}

static int load_lapic_regs(struct vcpu *v, const u8 *body, u32 n)
{
    (void)n;
    if (!vlapic_load(&v->hvm->apic, clock_now(), body))
        return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%uv%u: APIC registers", v->domain->id,
                                     v->id);
    /* Saved from a running guest: Linux expects no event until it has bound its ports anew. */
    memset(v->domain->shared_info->evtchn_mask, 0xff, sizeof(v->domain->shared_info->evtchn_mask));
    hvm_vendor->set_tpr(v, v->hvm->apic.tpr);
    WRITE_ONCE(v->hvm->apic_timer_due, true); /* it is set at the next look */
    hvm_intr_poke(v);
    vcpu_unblock(v);
    return 0;
}

static int load_xsave(struct vcpu *v, const u8 *body, u32 n)
{
    u64 head[3]; /* what there is, XCR0, all it ever had */

    memcpy(head, body, XSAVE_HEAD);
    if (!fpu_set_image(&v->fpu, head[1], head[2], body + XSAVE_HEAD, n - XSAVE_HEAD))
        return (int)hypercall_refuse(-EINVAL, "hvmcontext: d%uv%u: XCR0 %#lx of %#lx, %u bytes",
                                     v->domain->id, v->id, head[1], head[2], n);
    return 0;
}

/* The size of that of XSAVE is the least one. */
static const struct record {
    u16 type, size;
    bool (*put)(struct stream *st, struct vcpu *v);
    int (*load)(struct vcpu *v, const u8 *body, u32 n);
} records[] = {
    {HVM_SAVE_CODE(CPU), sizeof(struct hvm_hw_cpu), put_cpu, load_cpu},
    {HVM_SAVE_CODE(LAPIC), sizeof(struct hvm_hw_lapic), put_lapic, load_lapic},
    {HVM_SAVE_CODE(LAPIC_REGS), VLAPIC_IMAGE, put_lapic_regs, load_lapic_regs},
    {HVM_SAVE_CODE(MTRR), sizeof(struct hvm_hw_mtrr), put_mtrr, load_mtrr},
    {CPU_XSAVE_CODE, sizeof(struct hvm_hw_cpu_xsave), put_xsave, load_xsave},
};

/* All records of all vCPUs, or (type not 0) those of one type and vCPU. */
static int save(struct domain *d, struct stream *st, u32 type, u32 vcpu)
{
    bool all = type == 0;
    u32 i, k;

    if (all && !put_header(st))
        return -ENOSPC;
    for (k = 0; k < ARRAY_SIZE(records); k++)
        for (i = 0; i < d->max_vcpus; i++)
            if (d->vcpu[i] != NULL && (all || (type == records[k].type && vcpu == i)) &&
                !records[k].put(st, d->vcpu[i]))
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

/* One record; types that are not kept here are passed over. */
static int load_record(struct domain *d, const struct hvm_save_descriptor *desc, const u8 *body)
{
    struct vcpu *v = domain_vcpu(d, desc->instance);
    const struct record *r;

    for (r = records; r < records + ARRAY_SIZE(records) && r->type != desc->typecode; r++)
        ;
    if (r == records + ARRAY_SIZE(records))
        return 0;
    if (v == NULL)
        return -ENOENT;
    if (desc->length < r->size || (desc->length > r->size && r->type != CPU_XSAVE_CODE))
        return -EINVAL;
    return r->load(v, body, desc->length);
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
            domain_pause_vcpus(d, VPAUSE_DOWN);
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
