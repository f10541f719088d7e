/* SPDX-License-Identifier: MIT */
/*
 * What a hardware-assisted guest does: its processor changes state within the rules, executes
 * something that exits, and the exit record says so, sometimes with values no processor would give.
 * Then its hypercalls about memory, which others do not make; and what the tools do to such a
 * guest.
 */
#include <string.h>

#include "arch/insn.h"
#include "core/domain.h"
#include "core/event.h"
#include "hvmguest.h"
#include "machine.h"
#include "ops_pick.h"
#include "vmxguest.h"

#define CODE     GUEST_VA(7)
#define CODE_GPA (7 * PAGE_SIZE)
#define CR0_CD   (1ul << 30)

/* Processor state. */

u64 ops_hvm_gfn(struct pick *p)
{
    static const u64 odd[8] = {0,    12,     63,        VLAPIC_BASE >> PAGE_SHIFT,
                               4096, 0x1000, 1ul << 36, ~0ul >> 12};
    u8 b = pick_byte(p);

    if (b < 0x60)
        return GUEST_DATA + b % 8;
    if (b < 0xa0)
        return 32 + b % 16;
    if (b < 0xe0)
        return 512 + b % 4 * 512;
    return odd[b & 7];
}

u64 ops_hvm_word(struct pick *p)
{
    u8 b = pick_byte(p);

    switch (b >> 5) {
    case 0:
        return b & 31;
    case 1:
        return ~0ul;
    case 2:
        return 1ul << (b & 31);
    case 3:
        return 1ul << (32 + (b & 31));
    case 4:
        return ops_hvm_gfn(p) << PAGE_SHIFT;
    case 5:
        return 0x0007040600070406;
    default:
        return (u64)b << 8 | pick_byte(p);
    }
}

/* As the guest may leave CR0, CS and LMA by itself: they agree. */
static void change_mode(struct pick *p, struct vmcb *c)
{
    u8 b = pick_byte(p);

    c->cr0 = CR0_ET;
    if (b & 1)
        c->cr0 |= CR0_PE;
    if (b & 2 && (!(c->efer & EFER_LME) || c->cr4 & CR4_PAE))
        c->cr0 |= CR0_PE | CR0_PG;
    if (b & 4)
        c->cr0 |= CR0_TS | CR0_CD;
    c->efer &= ~EFER_LMA;
    if (c->efer & EFER_LME && c->cr0 & CR0_PG)
        c->efer |= EFER_LMA;
    c->seg[HVM_CS].attr = 0x9b | (b & 8 ? HVM_ATTR_D : 0);
    if (b & 16 && c->efer & EFER_LMA)
        c->seg[HVM_CS].attr = 0x29b;
    c->seg[HVM_CS].base = c->efer & EFER_LMA ? 0 : b & 32 ? 0xffff0 : 0;
    if (b & 64)
        c->cr3 = ops_hvm_gfn(p) << PAGE_SHIFT & 0xffffffff000;
}

/* Back to where it began: its tables, its code. */
static void home(struct vmcb *c)
{
    if (!(c->efer & EFER_LME) || !(c->cr4 & CR4_PAE) || c->cr4 & CR4_SMEP)
        return;
    c->cr0 = CR0_PE | CR0_PG | CR0_ET;
    c->efer |= EFER_LMA;
    c->cr3 = 0;
    c->seg[HVM_CS].attr = 0x29b;
    c->seg[HVM_CS].base = 0;
    c->rip = CODE;
    c->cpl = 0;
}

static void change_state(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    u8 b = pick_byte(p);
    u64 *gpr = (u64 *)(void *)regs;

    home(c);
    c->rflags = RFLAGS_MBS | (b & 1 ? RFLAGS_IF : 0) | (b == 0x73 ? RFLAGS_TF : 0);
    c->shadow = b & 2 && b & 1;
    c->cpl = (b & 0x0c) == 0x0c ? 3 : 0;
    if ((b & 0x70) == 0x70)
        change_mode(p, c);
    if (b & 0x80) {
        gpr[pick_byte(p) % 15] = ops_hvm_word(p);
        regs->rax = c->rax = ops_hvm_word(p);
    }
    if (c->dr_write == 0)
        c->dr7 = 0x400 | (b & 3);
}

/* Code, where the guest is: its page, or the end of it. */
static void put_code(struct vmcb *c, const u8 *code, u32 n, u8 where)
{
    u64 at = (where & 7) == 7 ? PAGE_SIZE - n + (where >> 3 & 1) : 0x100;

    (void)!hvmguest_access(CODE_GPA + at, (void *)(u64)code, MIN(n, (u32)(PAGE_SIZE - at)), true);
    c->rip = (c->efer & EFER_LMA ? CODE : CODE_GPA) + at - c->seg[HVM_CS].base;
}

/* Exits. */

static void exit_insn(struct pick *p, struct vmcb *c, u64 code, const struct insn *i)
{
    c->exitcode = code;
    put_code(c, i->code, i->n, pick_byte(p));
}

u32 ops_hvm_leaf(struct pick *p)
{
    static const u32 leaf[16] = {0,          1,          2,          4,
                                 7,          0xb,        0xd,        0x40000000,
                                 0x40000001, 0x40000002, 0x40000003, 0x40000004,
                                 0x80000000, 0x80000001, 0x80000008, 0xffffffff};

    return leaf[pick_byte(p) & 15];
}

static void exit_cpuid(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    exit_insn(p, c, SVM_EXIT_CPUID, &(struct insn){2, {0x0f, 0xa2}});
    regs->rcx = pick_byte(p) & 7;
    c->rax = ops_hvm_leaf(p);
}

bool ops_hvm_msr(struct pick *p, struct cpu_regs *regs)
{
    static const u32 msrs[32] = {
        0x10,       0x1b,       0x1b,       0x8b,       0xfe,       0x179,      0x17a,
        0x1a0,      0x1d9,      0x200,      0x201,      0x20f,      0x250,      0x258,
        0x268,      0x26f,      0x277,      0x277,      0x2ff,      0x800,      0x40000000,
        0x40000000, 0xc0000080, 0xc0000080, 0xc0000080, 0xc0000103, 0xc0010010, 0xc0010015,
        0xc0010112, 0xc0011029, 0xc0010114, 0xffffffff};
    u8 b = pick_byte(p), how = pick_byte(p);
    u64 val = ops_hvm_word(p);

    regs->rcx = b < 0xa0 ? msrs[b & 31] : 0x800 + (b & 0x3f);
    if (regs->rcx == 0x1b && how & 2)
        val = VLAPIC_BASE | 0x800 | (how & 4 ? 0x400 : 0) | (how & 8 ? 0x100 : 0);
    if (regs->rcx == 0xc0000080 && how & 2)
        val = EFER_LME | (how & 4 ? EFER_NX : 0) | (how & 8 ? EFER_SCE : 0);
    regs->rax = (u32)val;
    regs->rdx = val >> 32;
    return how & 1;
}

static void exit_msr(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    bool write = ops_hvm_msr(p, regs);

    c->rax = regs->rax;
    c->exitinfo1 = write;
    exit_insn(p, c, SVM_EXIT_MSR, &(struct insn){2, {0x0f, write ? 0x30 : 0x32}});
}

static void exit_port(struct pick *p, struct vmcb *c)
{
    u8 b = pick_byte(p);

    c->exitcode = SVM_EXIT_IOIO;
    c->exitinfo1 =
        (u64)pick_byte(p) << 16 | (1u << (4 + b % 3)) | (b >> 2 & 1) | (b & 0x80 ? 4 : 0);
    c->exitinfo2 = c->rip + 1 + (b >> 3 & 1);
}

/* Instructions on a device: ModRM 07 is (rdi), whose value nobody looks at. */
const struct insn ops_hvm_device[24] = {
    {2, {0x89, 0x07}},
    {2, {0x89, 0x0f}},
    {2, {0x8b, 0x07}},
    {2, {0x8b, 0x17}},
    {2, {0x88, 0x07}},
    {2, {0x8a, 0x27}},
    {6, {0xc7, 0x07, 0xff, 0x01, 0, 0}},
    {6, {0xc7, 0x07, 0x00, 0xc5, 0x0c, 0}},
    {6, {0xc7, 0x07, 0x00, 0xc6, 0x0c, 0}},
    {6, {0xc7, 0x07, 0x31, 0, 0x04, 0}},
    {6, {0xc7, 0x07, 0x31, 0x08, 0x04, 0}},
    {6, {0xc7, 0x07, 0, 0, 0, 0x01}},
    {3, {0xc6, 0x07, 0x55}},
    {2, {0x87, 0x07}},
    {3, {0x48, 0x89, 0x07}},
    {3, {0x48, 0x8b, 0x27}},
    {3, {0x0f, 0xb6, 0x07}},
    {4, {0x48, 0x0f, 0xbf, 0x07}},
    {3, {0x66, 0x89, 0x07}},
    {2, {0x01, 0x07}},
    {3, {0xf3, 0xa5, 0x90}},
    {2, {0x89, 0x67}},
    {5, {0xa1, 0x20, 0, 0xe0, 0xfe}},
    {2, {0xff, 0x37}},
};

u64 ops_hvm_gpa(struct pick *p, u8 b, u8 how)
{
    static const u64 odd[8] = {0xfee00000, 0xfec00000, 0xfed00000, 0xfffff000,
                               1ul << 39,  1ul << 47,  1ul << 48,  ~0ul};
    static const u8 reg[16] = {0x02, 0x03, 0x08, 0x0b, 0x0d, 0x0e, 0x0f, 0x10,
                               0x20, 0x28, 0x30, 0x31, 0x32, 0x38, 0x39, 0x3e};

    if (b >= 0xe0)
        return odd[b & 7];
    if (b >= 0xb0)
        return ops_hvm_gfn(p) << PAGE_SHIFT | how * 8u;
    return VLAPIC_BASE + (b >= 0x80 ? b * 4u : reg[b & 15] * 16u);
}

static void exit_npf(struct pick *p, struct vmcb *c)
{
    u8 b = pick_byte(p), how = pick_byte(p);

    exit_insn(p, c, SVM_EXIT_NPF, &ops_hvm_device[how % 24]);
    if (how >= 0xf0)
        exit_insn(p, c, SVM_EXIT_NPF,
                  &(struct insn){5, {pick_byte(p), pick_byte(p), pick_byte(p), pick_byte(p), b}});
    c->exitinfo1 = 4 | (how & 1) << 1 | (b == 0xff ? 1ul << 33 : 1ul << 32);
    c->exitinfo2 = ops_hvm_gpa(p, b, how);
}

static void exit_cr(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    static const u64 cr4[8] = {CR4_PAE,
                               0,
                               CR4_PAE | CR4_PGE,
                               CR4_PAE | CR4_OSFXSR,
                               CR4_PAE | CR4_PCIDE,
                               CR4_PAE | CR4_SMEP,
                               ~0ul,
                               CR4_PAE | 1ul << 13};
    u8 b = pick_byte(p);

    if (b & 1) {
        exit_insn(p, c, SVM_EXIT_CR4_WRITE, &(struct insn){3, {0x0f, 0x22, 0xe0 | (b >> 5)}});
        regs->rax = regs->rbx = regs->rcx = cr4[b >> 1 & 7];
        c->rax = regs->rax;
    } else {
        exit_insn(p, c, SVM_EXIT_CR8_WRITE, &(struct insn){4, {0x44, 0x0f, 0x22, 0xc0 | (b >> 5)}});
        regs->rbx = c->rax = pick_byte(p) & 31;
    }
}

static void exit_other(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    static const u8 codes[16] = {
        SVM_EXIT_NMI,   SVM_EXIT_SMI,     SVM_EXIT_INIT,   SVM_EXIT_FERR,
        SVM_EXIT_RDPMC, SVM_EXIT_VMRUN,   SVM_EXIT_VMLOAD, SVM_EXIT_VMSAVE,
        SVM_EXIT_STGI,  SVM_EXIT_CLGI,    SVM_EXIT_SKINIT, SVM_EXIT_MONITOR,
        SVM_EXIT_MWAIT, SVM_EXIT_INVLPGA, SVM_EXIT_RDPRU,  0};
    u8 b = pick_byte(p);

    switch (b % 8) {
    case 0:
        exit_insn(p, c, SVM_EXIT_WBINVD, &(struct insn){2, {0x0f, 0x09}});
        return;
    case 1:
        exit_insn(p, c, SVM_EXIT_INVD, &(struct insn){3, {0x66, 0x0f, 0x08}});
        return;
    case 2:
        exit_insn(p, c, SVM_EXIT_ICEBP, &(struct insn){1, {0xf1}});
        return;
    case 3:
        exit_insn(p, c, SVM_EXIT_XSETBV, &(struct insn){3, {0x0f, 0x01, 0xd1}});
        regs->rcx = b >> 7;
        c->rax = b >> 3 & 7;
        regs->rdx = 0;
        return;
    case 4:
        c->exitcode = SVM_EXIT_DR_READ + (b >> 3);
        return;
    case 5:
        c->exitcode = SVM_EXIT_EXCEPTION + (b & 0x80 ? TRAP_MC : b & 0x40 ? TRAP_DB : TRAP_AC);
        c->exitinfo1 = b & 0x20 ? 0 : ~0ul;
        return;
    case 6:
        c->exitcode = b >= 0xc0 ? (u64)pick_byte(p) : b >= 0xb8 ? ~0ul : codes[b >> 3 & 15];
        if (c->exitcode == SVM_EXIT_SHUTDOWN && b & 1)
            c->exitcode = SVM_EXIT_NMI;
        return;
    default:
        c->exitcode = b == 0xff ? SVM_EXIT_SHUTDOWN : SVM_EXIT_INTR;
        return;
    }
}

static void choose(struct pick *p, struct vmcb *c, struct cpu_regs *regs)
{
    u8 b = pick_byte(p);

    c->exitinfo1 = c->exitinfo2 = 0;
    switch (b % 16) {
    case 0:
        exit_cpuid(p, c, regs);
        return;
    case 1:
    case 2:
    case 3:
    case 4:
        exit_msr(p, c, regs);
        return;
    case 5:
        exit_port(p, c);
        return;
    case 6:
    case 7:
        exit_insn(p, c, SVM_EXIT_HLT, &(struct insn){1, {0xf4}});
        if (b & 0xe0) /* for good: rarely */
            c->rflags |= RFLAGS_IF;
        return;
    case 8: /* any call, from any mode and privilege */
        c->exitcode = SVM_EXIT_VMMCALL;
        c->rax = pick_byte(p) % 64;
        regs->rdi = regs->rbx = pick_byte(p);
        regs->rsi = regs->rcx = ops_hvm_word(p);
        regs->rdx = ops_hvm_word(p);
        c->rip = CODE;
        return;
    case 9:
        exit_cr(p, c, regs);
        return;
    case 10:
        exit_other(p, c, regs);
        return;
    default:
        exit_npf(p, c);
        return;
    }
}

/* The processor looks for a window, or for the end of an NMI's handler, before anything else. */
static bool promised(struct vmcb *c, u8 b)
{
    if (c->intercept1 & SVM_I1_VINTR && c->rflags & RFLAGS_IF && !c->shadow) {
        c->exitcode = SVM_EXIT_VINTR;
        return true;
    }
    if (c->intercept1 & SVM_I1_IRET && b & 1) {
        c->exitcode = SVM_EXIT_IRET;
        return true;
    }
    return false;
}

static void op_exit(struct pick *p)
{
    struct cpu_regs *regs = &cpu_info()->guest;
    struct vcpu *v = vcpu_current();
    struct vmcb *c;
    u64 event;
    u8 b;

    if (hvmguest_vmx) {
        ops_vmx_exit(p);
        return;
    }
    c = svm_vmcb(v);
    b = pick_byte(p);
    if (!hvmguest_enter())
        return;
    event = c->eventinj;
    c->eventinj = c->exitintinfo = 0;
    change_state(p, c, regs);
    choose(p, c, regs);
    if (event & HVM_EVENT_VALID && b & 0x80 && c->exitcode == SVM_EXIT_NPF)
        c->exitintinfo = event; /* on the way to its handler */
    else if (b == 0x7f)
        c->exitintinfo = HVM_EVENT_VALID | (u64)(4 | HVM_EVENT_FAULT) << 8 | pick_byte(p);
    else
        (void)promised(c, b);
    pick_say(p, "exit %#lx (%#lx, %#lx) at %#lx, event %#lx, rax %#lx rcx %#lx", c->exitcode,
             c->exitinfo1, c->exitinfo2, c->rip, c->exitintinfo, c->rax, regs->rcx);
    hvmguest_exit();
    machine_note("    -> rip %#lx, event %#lx, pause %x\n", c->rip, c->eventinj, v->pause);
}

/* Hypercalls about its memory. */

static void op_memory(struct pick *p)
{
    static const u8 cmds[8] = {XENMEM_populate_physmap,
                               XENMEM_populate_physmap,
                               XENMEM_decrease_reservation,
                               XENMEM_decrease_reservation,
                               XENMEM_add_to_physmap,
                               XENMEM_remove_from_physmap,
                               XENMEM_exchange,
                               XENMEM_add_to_physmap_batch};
    struct xen_memory_reservation r = {.domid = DOMID_SELF};
    struct xen_add_to_physmap add = {.domid = DOMID_SELF};
    struct xen_remove_from_physmap out = {.domid = DOMID_SELF};
    struct xen_add_to_physmap_batch batch = {.domid = DOMID_SELF};
    struct xen_memory_exchange x;
    u8 b = pick_byte(p), c = pick_byte(p);
    u32 cmd = cmds[b & 7], i;
    u64 list[4], arg, errs[1] = {0}, idx[4] = {0, 1, 2, 40};

    for (i = 0; i < 4; i++)
        list[i] = ops_hvm_gfn(p);
    switch (cmd) {
    case XENMEM_add_to_physmap:
        add.space = c & 1 ? XENMAPSPACE_grant_table : c & 2 ? XENMAPSPACE_shared_info : c >> 4;
        add.idx = c >> 2 & 3;
        add.gpfn = list[0];
        arg = guest_put(&add, sizeof(add));
        break;
    case XENMEM_remove_from_physmap:
        out.gpfn = list[0];
        arg = guest_put(&out, sizeof(out));
        break;
    case XENMEM_add_to_physmap_batch:
        batch.space = c & 1 ? XENMAPSPACE_grant_table : XENMAPSPACE_gmfn_foreign;
        batch.size = 1 + c % 4;
        batch.idxs.p = (xen_ulong_t *)guest_put(idx, sizeof(idx));
        batch.gpfns.p = (xen_pfn_t *)guest_put(list, sizeof(list));
        batch.errs.p = (int *)guest_put(errs, sizeof(errs));
        arg = guest_put(&batch, sizeof(batch));
        break;
    default:
        r.nr_extents = 1 + c % 4;
        r.extent_order = c < 0xc0 ? 0 : 9;
        r.extent_start.p = (xen_pfn_t *)guest_put(list, sizeof(list));
        memset(&x, 0, sizeof(x));
        x.in = x.out = r;
        x.out.extent_start.p = (xen_pfn_t *)guest_put(list, sizeof(list));
        arg = cmd == XENMEM_exchange ? guest_put(&x, sizeof(x)) : guest_put(&r, sizeof(r));
        break;
    }
    pick_say(p, "memory_op %u: %#lx..., %#x", cmd, list[0], c);
    guest_call(__HYPERVISOR_memory_op, cmd, arg, 0, 0);
}

static void op_hvm(struct pick *p)
{
    static const u8 index[8] = {HVM_PARAM_CALLBACK_IRQ,
                                HVM_PARAM_CALLBACK_IRQ,
                                HVM_PARAM_STORE_PFN,
                                HVM_PARAM_CONSOLE_EVTCHN,
                                HVM_PARAM_IDENT_PT,
                                HVM_PARAM_VM86_TSS,
                                HVM_PARAM_TRIPLE_FAULT_REASON,
                                60};
    struct xen_hvm_evtchn_upcall_vector up;
    struct xen_hvm_param a = {.domid = DOMID_SELF};
    u8 b = pick_byte(p);

    if (b & 0x80) {
        up.vcpu = b & 3;
        up.vector = pick_byte(p);
        pick_say(p, "upcall vector %u of vCPU %u", up.vector, up.vcpu);
        guest_call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, guest_put(&up, sizeof(up)),
                   0, 0);
        return;
    }
    a.index = index[b & 7];
    a.value = pick_byte(p);
    if (a.index == HVM_PARAM_CALLBACK_IRQ && b & 0x40)
        a.value = (u64)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | a.value;
    pick_say(p, "%s parameter %u, %#lx", b & 0x30 ? "sets" : "gets", a.index, (u64)a.value);
    guest_call(__HYPERVISOR_hvm_op, b & 0x30 ? HVMOP_set_param : HVMOP_get_param,
               guest_put(&a, sizeof(a)), 0, 0);
}

/* A word of its tables, or of what it shares with the hypervisor. */
static void op_store(struct pick *p)
{
    u8 b = pick_byte(p);
    u64 at =
        b & 0x80 ? 12 * PAGE_SIZE + pick_index(p) * 8 : (b & 3) * PAGE_SIZE + pick_index(p) * 8;
    u64 val = ops_hvm_word(p) | (b & 0x40 ? 0x67 : 0) | (b & 0x20 ? 0x80 : 0);

    pick_say(p, "the guest stores %#lx at %#lx", val, at);
    (void)!hvmguest_access(at, &val, sizeof(val), true);
}

static void op_time(struct pick *p)
{
    u8 b = pick_byte(p);

    pick_say(p, "%u ms pass", b);
    machine_advance(b * 1000000ul);
}

void ops_hvm(struct pick *p, u8 op)
{
    static void (*const table[32])(struct pick * p) = {
        op_exit,    op_exit,   op_exit,         op_exit,   op_exit,   op_exit,   op_exit,
        op_exit,    op_exit,   op_exit,         op_exit,   op_exit,   op_exit,   op_exit,
        op_memory,  op_memory, op_memory,       op_memory, op_hvm,    op_hvm,    op_store,
        op_time,    op_time,   ops_event,       ops_event, ops_event, ops_sched, ops_vcpu,
        ops_shared, ops_grant, ops_grant_entry, ops_misc,
    };

    table[op % 32](p);
}

/* What the tools do. */

static u64 event_of(const struct vcpu *v)
{
    u64 e = hvmguest_vmx ? v->hvm->vmx->event : svm_vmcb(v)->eventinj;

    return e & HVM_EVENT_VALID ? e : 0;
}

/* PAE paging: the processor has what is in memory, if it can have that. */
static void check_pdptes(struct vcpu *v, u32 before)
{
    u64 vmcs = v->hvm->vmx->vmcs, e[4], at = vmxhw_get(vmcs, VMCS_GUEST_CR3) & 0xffffffe0;
    u32 i;

    if (!(vmxhw_get(vmcs, VMCS_GUEST_CR0) & CR0_PG) ||
        !(vmxhw_get(vmcs, VMCS_GUEST_CR4) & CR4_PAE) ||
        vmxhw_get(vmcs, VMCS_GUEST_EFER) & EFER_LMA ||
        !hvm_mem_phys(v->domain, at, e, sizeof(e), false) || hvmguest_prepared != before)
        return;
    for (i = 0; i < 4; i++)
        if (e[i] & 1 && (e[i] & 0x1e6 || e[i] >> cpu_features.phys_bits))
            return;
    for (i = 0; i < 4; i++)
        if (vmxhw_get(vmcs, VMCS_GUEST_PDPTE + i * 2) != e[i])
            machine_found("d%uv%u: PDPTE %u is %#lx, and its memory has %#lx", v->domain->id, v->id,
                          i, vmxhw_get(vmcs, VMCS_GUEST_PDPTE + i * 2), e[i]);
}

/* A vCPU and its record say the same of the event on its way; loaded: the record came last. */
static void check_record(struct vcpu *v, const struct hvm_hw_cpu *c, bool loaded, u32 before)
{
    u64 has = event_of(v), said = c->pending_event;

    said |= said & HVM_EVENT_EV ? (u64)c->error_code << 32 : 0;
    if (!(said & HVM_EVENT_VALID) || (loaded && hvm_event_again(said) == 0))
        said = 0;
    if (loaded && said != 0 && c->pending_type == HVM_EVENT_NMI && v->hvm->nmi_due)
        said = 0; /* delivered at the entry */
    if ((has & HVM_EVENT_EV ? has : (u32)has) != said)
        machine_found("d%uv%u: event %#lx, and %#lx in the record %s", v->domain->id, v->id, has,
                      said, loaded ? "loaded" : "saved");
    if (loaded && hvmguest_vmx)
        check_pdptes(v, before);
}

/* Unless a guest has run since `before` was counted: a lock is waited for. */
static void check_context(u32 id, const u8 *records, size_t n, bool loaded, u32 before)
{
    struct domain *d = domain_get((domid_t)id);
    const struct hvm_hw_cpu *last[2] = {NULL, NULL};
    struct hvm_save_descriptor desc;
    size_t at;
    u32 i;

    if (d == NULL)
        return;
    for (at = 0; at + sizeof(desc) + sizeof(*last[0]) <= n; at += sizeof(desc) + desc.length) {
        memcpy(&desc, records + at, sizeof(desc));
        if (desc.typecode == HVM_SAVE_CODE(END))
            break;
        if (desc.typecode == HVM_SAVE_CODE(CPU) && desc.instance < 2)
            last[desc.instance] = (const void *)(records + at + sizeof(desc));
    }
    for (i = 0; i < d->max_vcpus && i < 2; i++)
        if (last[i] != NULL && hvmguest_prepared == before)
            check_record(d->vcpu[i], last[i], loaded, before);
    domain_put(d);
}

static void context(struct pick *p, u32 id)
{
    static u8 each[MACHINE_CPUS][8192 - 512]; /* a call may wait while another's does the same */
    u8 *records = each[machine_cpu()];
    struct xen_domctl op;
    u32 i, at, n = 1 + pick_byte(p) % 4, before = hvmguest_prepared;
    u64 buf;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_DOMCTL_gethvmcontext;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = (domid_t)id;
    op.u.hvmcontext.size = sizeof(each[0]);
    buf = guest_put(records, sizeof(each[0]));
    op.u.hvmcontext.buffer.p = (u8 *)buf;
    pick_say(p, "the tools save domain %u's context, change %u bytes and load it", id, n);
    guest_call(__HYPERVISOR_domctl, guest_put(&op, sizeof(op)), 0, 0, 0);
    if (guest_in_list() || cpu_info()->guest.rax != 0 ||
        !machine_guest_read(buf, records, sizeof(each[0])))
        return;
    check_context(id, records, sizeof(each[0]), false, before);
    for (i = 0; i < n; i++) {
        at = pick_byte(p) * 16u;
        at += pick_byte(p);
        records[at % 2048] = pick_byte(p);
    }
    (void)!machine_guest_write(buf, records, sizeof(each[0]));
    vmxguest_taint(id);
    before = hvmguest_prepared;
    op.cmd = XEN_DOMCTL_sethvmcontext;
    guest_call(__HYPERVISOR_domctl, guest_put(&op, sizeof(op)), 0, 0, 0);
    if (!guest_in_list() && cpu_info()->guest.rax == 0)
        check_context(id, records, sizeof(each[0]), true, before);
}

static void pool(struct pick *p, u32 id)
{
    static struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.cmd = XEN_DOMCTL_set_paging_mempool_size;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = (domid_t)id;
    op.u.paging_mempool.size = (u64)pick_byte(p) % 16 << PAGE_SHIFT;
    pick_say(p, "the tools give domain %u %lu bytes for tables", id, (u64)op.u.paging_mempool.size);
    guest_call(__HYPERVISOR_domctl, guest_put(&op, sizeof(op)), 0, 0, 0);
}

static void memory(struct pick *p, u32 id)
{
    struct xen_memory_reservation r = {.domid = (domid_t)id};
    struct xen_add_to_physmap add = {.domid = (domid_t)id};
    u8 b = pick_byte(p);
    u64 list[2];

    list[0] = ops_hvm_gfn(p);
    list[1] = ops_hvm_gfn(p);
    if (b & 1) {
        add.space = b & 2 ? XENMAPSPACE_grant_table : XENMAPSPACE_shared_info;
        add.idx = b >> 4;
        add.gpfn = list[0];
        pick_say(p, "the tools place a frame at %#lx of domain %u", list[0], id);
        guest_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, guest_put(&add, sizeof(add)), 0,
                   0);
        return;
    }
    r.nr_extents = 2;
    r.extent_order = b & 4 ? 9 : 0;
    r.extent_start.p = (xen_pfn_t *)guest_put(list, sizeof(list));
    pick_say(p, "the tools change domain %u's memory at %#lx", id, list[0]);
    guest_call(__HYPERVISOR_memory_op,
               b & 2 ? XENMEM_populate_physmap : XENMEM_decrease_reservation,
               guest_put(&r, sizeof(r)), 0, 0);
}

void ops_hvm_tools(struct pick *p)
{
    u8 b = pick_byte(p);
    u32 id = 1 + (b & 1);

    switch (b >> 1 & 3) {
    case 0:
        context(p, id);
        return;
    case 1:
        pool(p, id);
        return;
    default:
        memory(p, id);
        return;
    }
}
