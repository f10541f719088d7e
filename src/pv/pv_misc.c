/* SPDX-License-Identifier: MIT */
/*
 * The small hypercalls by which a PV kernel sets up its processor: trap table, callbacks, kernel
 * stack, TS, segment bases, I/O rights. Each checks its arguments and stores them in the current
 * vCPU; the stack switch and the segment bases are on Linux's context-switch path.
 */
#include "pv/pv_misc.h"

#include "arch/entry.h"
#include "arch/insn.h"
#include "base/lib.h"
#include "core/guestmem.h"
#include "core/hypercall.h"
#include "pv/pv.h"

static int set_trap(struct pv_vcpu *pv, const struct trap_info *t)
{
    if (!va_canonical(t->address))
        return -EINVAL;
    pv->traps[t->vector] = (struct pv_trap){
        .address = t->address,
        .cs = t->cs,
        .dpl = TI_GET_DPL(t),
        .mask_events = !!TI_GET_IF(t),
    };
    return 0;
}

/* Entries between two looks at what else is to be done. */
#define TRAPS_PER_STEP 64

long pv_set_trap_table(u64 traps, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct pv_vcpu *pv = pv_current();
    struct trap_info t;
    u32 i;

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    if (!traps) {
        memset(pv->traps, 0, sizeof(pv->traps));
        return 0;
    }
    for (i = 1;; i++, traps += sizeof(t)) {
        if (!GUESTMEM_IN(&t, (const void *)traps))
            return hypercall_refuse(-EFAULT, "set_trap_table: entry at %#lx", (unsigned long)traps);
        if (t.address == 0)
            return 0;
        if (set_trap(pv, &t))
            return hypercall_refuse(-EINVAL, "set_trap_table: vector %u: address %#lx", t.vector,
                                    (unsigned long)t.address);
        if (i % TRAPS_PER_STEP == 0 && hypercall_preempt())
            return hypercall_continue(__HYPERVISOR_set_trap_table, traps + sizeof(t), 0, 0, 0);
    }
}

static int register_callback(struct pv_vcpu *pv, const struct callback_register *r)
{
    struct pv_callback cb = {.address = r->address,
                             .mask_events = r->flags & CALLBACKF_mask_events};

    if (!va_canonical(r->address))
        return -EINVAL;
    switch (r->type) {
    case CALLBACKTYPE_event:
        pv->event = cb;
        return 0;
    case CALLBACKTYPE_failsafe:
        pv->failsafe = cb;
        return 0;
    case CALLBACKTYPE_syscall:
        pv_set_syscall(pv, cb.address, cb.mask_events);
        return 0;
    case CALLBACKTYPE_syscall32:
        if (!cpu_features.syscall32)
            return -EOPNOTSUPP;
        pv->syscall32 = cb;
        return 0;
    case CALLBACKTYPE_nmi:
        pv->nmi = cb;
        return 0;
    case CALLBACKTYPE_sysenter: /* the instruction faults; kernels then use int 0x80 */
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

/* As on Xen it always succeeds; an address that cannot be is not taken. */
long pv_set_callbacks(u64 event, u64 failsafe, u64 syscall, u64 a4, u64 a5, u64 a6)
{
    const u64 addresses[] = {
        [CALLBACKTYPE_event] = event,
        [CALLBACKTYPE_failsafe] = failsafe,
        [CALLBACKTYPE_syscall] = syscall,
    };
    struct callback_register r = {0};

    (void)a4, (void)a5, (void)a6;
    for (r.type = 0; r.type < ARRAY_SIZE(addresses); r.type++) {
        r.address = addresses[r.type];
        (void)register_callback(pv_current(), &r);
    }
    return 0;
}

static long callback_register(u64 arg)
{
    struct callback_register r;
    int rc;

    if (!GUESTMEM_IN(&r, (const void *)arg))
        return -EFAULT;
    rc = register_callback(pv_current(), &r);
    if (rc)
        return hypercall_refuse(rc, "callback_op: register type %u at %#lx", r.type,
                                (unsigned long)r.address);
    return 0;
}

static long callback_unregister(u64 arg)
{
    struct callback_unregister u;

    if (!GUESTMEM_IN(&u, (const void *)arg))
        return -EFAULT;
    switch (u.type) {
    case CALLBACKTYPE_nmi:
        pv_current()->nmi.address = 0;
        return 0;
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_sysenter:
    case CALLBACKTYPE_syscall32:
        return hypercall_refuse(-EINVAL, "callback_op: type %u stays registered", u.type);
    default:
        return hypercall_refuse(-ENOSYS, "callback_op: unregister type %u", u.type);
    }
}

long pv_callback_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    switch ((u32)cmd) {
    case CALLBACKOP_register:
        return callback_register(arg);
    case CALLBACKOP_unregister:
        return callback_unregister(arg);
    default:
        return hypercall_refuse(-ENOSYS, "callback_op: %u", (u32)cmd);
    }
}

long pv_stack_switch(u64 ss, u64 sp, u64 a3, u64 a4, u64 a5, u64 a6)
{
    (void)a3, (void)a4, (void)a5, (void)a6;
    pv_set_kernel_sp(pv_current(), (ss & 0xffff) | 3, sp);
    return 0;
}

long pv_fpu_taskswitch(u64 set, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6)
{
    struct pv_vcpu *pv = pv_current();

    (void)a2, (void)a3, (void)a4, (void)a5, (void)a6;
    pv->cr0_ts = (u32)set != 0;
    if (pv->cr0_ts)
        insn_write_cr0(insn_read_cr0() | CR0_TS);
    else
        insn_clts();
    return 0;
}

/*
 * User mode's GS is the inactive one: loaded between two exchanges of the bases. A selector that
 * does not load becomes null; kernels treat an error here as fatal.
 */
static void set_user_gs(u16 sel)
{
    insn_swapgs();
    (void)entry_load_gs(sel & ~3u ? sel | 3 : 0);
    insn_swapgs();
}

long pv_set_segment_base(u64 which, u64 base, u64 a3, u64 a4, u64 a5, u64 a6)
{
    static const u32 msr[] = {
        [SEGBASE_FS] = MSR_FS_BASE,
        [SEGBASE_GS_USER] = MSR_KERNEL_GS_BASE, /* the kernel runs: its own is in GS_BASE */
        [SEGBASE_GS_KERNEL] = MSR_GS_BASE,
    };

    (void)a3, (void)a4, (void)a5, (void)a6;
    if ((u32)which < ARRAY_SIZE(msr)) {
        if (!va_canonical(base))
            return hypercall_refuse(-EINVAL, "set_segment_base: %u = %#lx", (u32)which,
                                    (unsigned long)base);
        insn_wrmsr(msr[(u32)which], base);
        return 0;
    }
    if ((u32)which == SEGBASE_GS_USER_SEL) {
        set_user_gs((u16)base);
        return 0;
    }
    return hypercall_refuse(-EINVAL, "set_segment_base: no base %u", (u32)which);
}

static long set_iopl(u64 arg)
{
    struct physdev_set_iopl op;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (op.iopl > 3)
        return hypercall_refuse(-EINVAL, "physdev_op: set_iopl %u", op.iopl);
    pv_current()->iopl = op.iopl;
    return 0;
}

static long set_iobitmap(u64 arg)
{
    struct physdev_set_iobitmap op;

    if (!GUESTMEM_IN(&op, (const void *)arg))
        return -EFAULT;
    if (op.nr_ports > 65536)
        return hypercall_refuse(-EINVAL, "physdev_op: set_iobitmap of %u ports", op.nr_ports);
    if (op.nr_ports && (!va_canonical((u64)op.bitmap.p) ||
                        pv_range_is_hv((u64)op.bitmap.p, (op.nr_ports + 7) / 8)))
        return hypercall_refuse(-EINVAL, "physdev_op: set_iobitmap at %p",
                                (const void *)op.bitmap.p);
    pv_current()->iobitmap = op.bitmap.p;
    pv_current()->iobitmap_ports = op.nr_ports;
    return 0;
}

long pv_physdev_op(u64 cmd, u64 arg, u64 a3, u64 a4, u64 a5, u64 a6)
{
    switch ((u32)cmd) {
    case PHYSDEVOP_set_iopl:
        return set_iopl(arg);
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(arg);
    default:
        return abi_table_rows[__HYPERVISOR_physdev_op](cmd, arg, a3, a4, a5, a6);
    }
}
