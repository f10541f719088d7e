/* SPDX-License-Identifier: MIT */
/*
 * vcpu_guest_context in and out: how a second vCPU gets its start state, and how the tools build,
 * save and restore one (public header arch-x86/xen.h). A refused one leaves a vCPU that has a
 * context as it was.
 */
#include "arch/insn.h"
#include "base/lib.h"
#include "core/hypercall.h"
#include "pv/pv.h"
#include "pv/pv_debug.h"
#include "pv/pv_desc.h"
#include "pv/pv_domain.h"
#include "pv/pv_mmu.h"

/* What of a list of frames is in use. */
#define GDT_FRAMES_SIZE(entries) (((entries) + 511) / 512 * sizeof(u64))
#define CONTEXT_FLAGS_FIXED      (RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_NT)

/* The processor never runs without tables: those of the mode it starts in must be named. */
static bool tables_ok(const struct vcpu_guest_context *c)
{
    return c->ctrlreg[3] >> PAGE_SHIFT != 0 &&
           (c->flags & VGCF_in_kernel || c->ctrlreg[1] >> PAGE_SHIFT != 0);
}

/* The addresses a later entry would use unchecked. */
static bool addresses_ok(const struct vcpu_guest_context *c)
{
    u32 i;

    for (i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!va_canonical(c->trap_ctxt[i].address))
            return false;
    return va_canonical(c->user_regs.rip) && va_canonical(c->event_callback_eip) &&
           va_canonical(c->failsafe_callback_eip) && va_canonical(c->syscall_callback_eip) &&
           va_canonical(c->fs_base) && va_canonical(c->gs_base_kernel) &&
           va_canonical(c->gs_base_user) && c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY;
}

static void set_regs(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_regs *r = &v->regs;

    memcpy(r, &c->user_regs, offsetof(struct cpu_regs, error_code));
    r->rip = c->user_regs.rip;
    r->rsp = c->user_regs.rsp;
    /* The ABI's kernel selectors have RPL 0 or 1; the processor runs everything in ring 3. */
    r->cs = (c->user_regs.cs | 3u) & 0xffff;
    r->ss = (c->user_regs.ss | 3u) & 0xffff;
    r->rflags = (c->user_regs.rflags & 0xffffffff & ~CONTEXT_FLAGS_FIXED) | RFLAGS_IF | RFLAGS_MBS;
    r->vector = TRAP_GP; /* anything that leaves by iret */
}

static void set_pv(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = v->pv;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++) {
        const struct trap_info *t = &c->trap_ctxt[i];

        pv->traps[i] = (struct pv_trap){.address = t->address,
                                        .cs = t->cs,
                                        .dpl = TI_GET_DPL(t),
                                        .mask_events = TI_GET_IF(t) != 0};
    }
    pv->kernel_mode = !!(c->flags & VGCF_in_kernel);
    pv_set_kernel_sp(pv, c->kernel_ss, c->kernel_sp);
    pv->event = (struct pv_callback){c->event_callback_eip, true};
    pv->failsafe = (struct pv_callback){c->failsafe_callback_eip,
                                        !!(c->flags & VGCF_failsafe_disables_events)};
    pv_set_syscall(pv, c->syscall_callback_eip, !!(c->flags & VGCF_syscall_disables_events));
    pv->fs_base = c->fs_base;
    pv->gs_base_kernel = c->gs_base_kernel;
    pv->gs_base_user = c->gs_base_user;
    pv->ds = c->user_regs.ds;
    pv->es = c->user_regs.es;
    pv->fs = c->user_regs.fs;
    pv->gs = c->user_regs.gs;
    pv->cr4 = c->ctrlreg[4] & (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE);
    pv->cr0_ts = !!(c->ctrlreg[0] & CR0_TS);
    pv->iopl = (u32)(c->user_regs.rflags & RFLAGS_IOPL) >> 12;
}

/* Those of a vCPU that has a context stay: a later frame's refusal would leave a mixture. */
static bool same_tables(const struct pv_vcpu *pv, const struct vcpu_guest_context *c)
{
    return c->ctrlreg[3] == pv->cr3_kernel && c->ctrlreg[1] == pv->cr3_user &&
           c->gdt_ents == pv->gdt_entries && c->ldt_ents == pv->ldt_entries &&
           (c->ldt_ents == 0 || c->ldt_base == pv->ldt_base) &&
           memcmp(c->gdt_frames, pv->gdt_frames, GDT_FRAMES_SIZE(c->gdt_ents)) == 0;
}

/* Page tables can be long work: -ERESTART after a step, and all of this again. */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc, budget = PV_MMU_BUDGET;

    rc = pv_mmu_load_cr3(v, maddr_to_mfn(c->ctrlreg[3]), false, &budget);
    if (rc == 0)
        rc = pv_mmu_load_cr3(v, maddr_to_mfn(c->ctrlreg[1]), true, &budget);
    if (rc == 0)
        rc = pv_desc_set_gdt(v, (const u64 *)c->gdt_frames, (u32)c->gdt_ents);
    if (rc == 0)
        rc = pv_desc_set_ldt(v, c->ldt_ents ? c->ldt_base : 0, c->ldt_ents);
    return rc;
}

static int context_set(struct vcpu *v, const struct vcpu_guest_context *c)
{
    u32 i;
    int rc;

    if (!addresses_ok(c) || !tables_ok(c))
        return -EINVAL;
    if (!v->initialised)
        rc = set_tables(v, c);
    else
        rc = same_tables(v->pv, c) ? 0 : -EOPNOTSUPP; /* as on Xen */
    if (rc != 0)
        return rc;
    set_regs(v, c);
    set_pv(v, c);
    if (c->flags & VGCF_i387_valid && !cpu_features.xsave) /* else setvcpuextstate has it */
        fpu_set_legacy(&v->fpu, &c->fpu_ctxt);
    for (i = 0; i < 8; i++)
        if (i != 4 && i != 5 && pv_debug_set(v, i, c->debugreg[i]) != 0)
            log_msg(LOG_DEBUG, "d%uv%u: debug register %u: %#lx is not taken", v->domain->id, v->id,
                    i, (unsigned long)c->debugreg[i]);
    v->domain->assist |= (u32)c->vm_assist;
    v->initialised = true;
    return 0;
}

static void get_regs(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = v->pv;

    memcpy(&c->user_regs, &v->regs, sizeof(v->regs));
    c->user_regs.cs = (u16)v->regs.cs;
    c->user_regs.ss = (u16)v->regs.ss;
    c->user_regs.saved_upcall_mask = v->info->evtchn_upcall_mask;
    if (pv->kernel_mode) {
        c->user_regs.cs &= (u16)~3u;
        c->user_regs.ss &= (u16)~3u;
    }
    c->user_regs.rflags &= ~RFLAGS_IF;
    if (!v->info->evtchn_upcall_mask)
        c->user_regs.rflags |= RFLAGS_IF;
    c->user_regs.rflags |= (u64)pv->iopl << 12;
    c->user_regs.ds = pv->ds;
    c->user_regs.es = pv->es;
    c->user_regs.fs = pv->fs;
    c->user_regs.gs = pv->gs;
}

static void context_get(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = v->pv;
    u32 i;

    memset(c, 0, sizeof(*c));
    get_regs(v, c);
    fpu_get_legacy(&v->fpu, &c->fpu_ctxt);
    for (i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++) {
        c->trap_ctxt[i].vector = (u8)i;
        c->trap_ctxt[i].flags = (u8)(pv->traps[i].dpl | (pv->traps[i].mask_events ? 4 : 0));
        c->trap_ctxt[i].cs = pv->traps[i].cs;
        c->trap_ctxt[i].address = pv->traps[i].address;
    }
    c->flags = VGCF_i387_valid | (v->pause & VPAUSE_DOWN ? 0 : VGCF_online) |
               (pv->kernel_mode ? VGCF_in_kernel : 0) |
               (pv->syscall_masks ? VGCF_syscall_disables_events : 0) |
               (pv->failsafe.mask_events ? VGCF_failsafe_disables_events : 0);
    c->kernel_ss = pv->kernel_ss;
    c->kernel_sp = pv->kernel_sp;
    c->event_callback_eip = pv->event.address;
    c->failsafe_callback_eip = pv->failsafe.address;
    c->syscall_callback_eip = pv->syscall_entry;
    c->fs_base = pv->fs_base;
    c->gs_base_kernel = pv->gs_base_kernel;
    c->gs_base_user = pv->gs_base_user;
    c->ldt_base = pv->ldt_base;
    c->ldt_ents = pv->ldt_entries;
    c->gdt_ents = pv->gdt_entries;
    memcpy(c->gdt_frames, pv->gdt_frames, GDT_FRAMES_SIZE(pv->gdt_entries));
    c->ctrlreg[0] = CR0_PG | CR0_PE | CR0_WP | CR0_NE | CR0_ET | CR0_MP | (pv->cr0_ts ? CR0_TS : 0);
    c->ctrlreg[1] = pv->cr3_user;
    c->ctrlreg[2] = pv->cr2;
    c->ctrlreg[3] = pv->cr3_kernel;
    c->ctrlreg[4] = pv->cr4;
    for (i = 0; i < 4; i++)
        c->debugreg[i] = pv->dr[i];
    c->debugreg[6] = pv->dr6;
    c->debugreg[7] = pv->dr7;
    c->vm_assist = v->domain->assist;
}

int pv_context(struct vcpu *v, struct vcpu_guest_context *ctx, bool set)
{
    if (set)
        return context_set(v, ctx);
    context_get(v, ctx);
    return 0;
}

static void ext_get(const struct pv_vcpu *pv, struct xen_domctl_ext_vcpucontext *c)
{
    u32 vcpu = c->vcpu;

    memset(c, 0, sizeof(*c));
    c->vcpu = vcpu;
    c->size = sizeof(*c);
    c->syscall32_callback_eip = pv->syscall32.address;
    c->sysenter_callback_eip = pv->sysenter.address;
    c->syscall32_callback_cs = c->sysenter_callback_cs = FLAT_KERNEL_CS;
    c->syscall32_disables_events = pv->syscall32.mask_events;
    c->sysenter_disables_events = pv->sysenter.mask_events;
}

int pv_ext_context(struct vcpu *v, struct xen_domctl_ext_vcpucontext *ctx, bool set)
{
    struct pv_vcpu *pv = v->pv;

    if (!set) {
        ext_get(pv, ctx);
        return 0;
    }
    if (ctx->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) ||
        !va_canonical(ctx->syscall32_callback_eip) || !va_canonical(ctx->sysenter_callback_eip))
        return -EINVAL;
    pv->syscall32 =
        (struct pv_callback){ctx->syscall32_callback_eip, ctx->syscall32_disables_events != 0};
    pv->sysenter =
        (struct pv_callback){ctx->sysenter_callback_eip, ctx->sysenter_disables_events != 0};
    return 0;
}
