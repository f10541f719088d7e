/* SPDX-License-Identifier: MIT */
/*
 * Which function serves a hypercall, and what if its work is too long? The row is looked up in the
 * guest kind's own table, then in the common one. A handler with work left rewrites the arguments
 * and steps the guest back onto its system call instruction; the guest takes its events, executes
 * the instruction again and never knows. Inside a multicall there is no instruction to step back
 * to: the entry in guest memory gets the new arguments and the multicall itself is continued at it.
 */
#include "core/hypercall.h"

#include "arch/entry.h"

#include "base/lib.h"
#include "core/console.h"
#include "core/event.h"
#include "core/guestmem.h"

/* Length of the instruction that made a hypercall: syscall (PV). */
#define HYPERCALL_INSN_SIZE 2
/* A multicall looks for interrupts once in this many entries. */
#define PREEMPT_EVERY 8

/* The entry a multicall executes on this CPU; NULL outside one. */
struct multicall_state {
    struct multicall_entry *entry;
    bool continued;
} ALIGNED(64);
static struct multicall_state multicall_state[MAX_CPUS];

/* Has the call in progress on this CPU said why it refuses? */
static struct {
    bool yes;
} ALIGNED(64) reason_given[MAX_CPUS];

static ALWAYS_INLINE hypercall_fn find_row(u64 nr)
{
    hypercall_fn fn;

    if (unlikely(nr >= HYPERCALL_COUNT))
        return NULL;
    fn = vcpu_current()->domain->kind->hypercalls[nr];
    return fn ? fn : abi_table_rows[nr];
}

void hypercall_dispatch(struct cpu_regs *regs)
{
    /* The ABI passes the number in eax; the high half is not looked at. */
    hypercall_fn fn = find_row((u32)regs->rax);

    if (unlikely(!fn)) {
        regs->rax = (u64)hypercall_refuse(-ENOSYS, "hypercall %u: there is none", (u32)regs->rax);
        return;
    }
    regs->rax = (u64)fn(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9);
}

long hypercall_continue(u32 nr, u64 a1, u64 a2, u64 a3, u64 a4)
{
    struct multicall_state *mc = &multicall_state[cpu_id()];
    struct cpu_regs *regs = &cpu_info()->guest;

    if (mc->entry) {
        mc->entry->op = nr;
        mc->entry->args[0] = a1;
        mc->entry->args[1] = a2;
        mc->entry->args[2] = a3;
        mc->entry->args[3] = a4;
        mc->continued = true;
        return 0;
    }
    regs->rip -= HYPERCALL_INSN_SIZE;
    regs->rdi = a1;
    regs->rsi = a2;
    regs->rdx = a3;
    regs->r10 = a4;
    /* The dispatcher puts a handler's result into rax, where the number is expected. */
    return (long)nr;
}

bool hypercall_preempt(void)
{
    struct vcpu *v = vcpu_current();

    cpu_irq_window();
    /* What the call itself has logged is no reason: it would never get on. */
    return (atomic_load(&cpu_info()->work) & ~WORK_LOG) != 0 ||
           (!v->is_idle && v->domain->kind->event_due(v));
}

/* Executes one entry; true: it has work left and e holds its new arguments. */
static bool multicall_one(struct multicall_entry *e)
{
    struct multicall_state *mc = &multicall_state[cpu_id()];
    hypercall_fn fn = find_row(e->op);

    if (unlikely(!fn)) {
        e->result = (u64)-ENOSYS;
        return false;
    }
    /* Neither makes sense inside a list: they replace the registers or the list. */
    if (unlikely(e->op == __HYPERVISOR_multicall || e->op == __HYPERVISOR_iret)) {
        e->result = (u64)-EINVAL;
        return false;
    }
    mc->entry = e;
    mc->continued = false;
    e->result = (u64)fn(e->args[0], e->args[1], e->args[2], e->args[3], e->args[4], e->args[5]);
    mc->entry = NULL;
    return mc->continued;
}

/* op and args of an entry; its result is only written. */
static ALWAYS_INLINE bool entry_fetch(struct multicall_entry *e,
                                      const struct multicall_entry *guest)
{
    return entry_read_u64(&guest->op, &e->op) && entry_read_u64(&guest->args[0], &e->args[0]) &&
           entry_read_u64(&guest->args[1], &e->args[1]) &&
           entry_read_u64(&guest->args[2], &e->args[2]) &&
           entry_read_u64(&guest->args[3], &e->args[3]) &&
           entry_read_u64(&guest->args[4], &e->args[4]) &&
           entry_read_u64(&guest->args[5], &e->args[5]);
}

/* For guests whose memory is not mapped here, and for lists that do not fit into memory. */
static NOINLINE long multicall_slow(struct multicall_entry *guest, u32 count)
{
    struct multicall_entry e;
    u32 done;

    if (!guestmem_range_ok(guest, 1)) /* an empty list is somewhere, too */
        return hypercall_refuse(-EFAULT, "multicall: no list at %p", (void *)guest);
    for (done = 0; count; count--, guest++) {
        if (!guestmem_copy_in(&e, guest, sizeof(e)))
            return hypercall_refuse(-EFAULT, "multicall: no entry at %p, %u left", (void *)guest,
                                    count);
        if (multicall_one(&e)) {
            if (!guestmem_copy_out(guest, &e, sizeof(e)))
                return -EFAULT;
            return hypercall_continue(__HYPERVISOR_multicall, (u64)guest, count, 0, 0);
        }
        if (!guestmem_copy_out(&guest->result, &e.result, sizeof(e.result)))
            return -EFAULT;
        if (++done % PREEMPT_EVERY == 0 && count > 1 && hypercall_preempt())
            return hypercall_continue(__HYPERVISOR_multicall, (u64)(guest + 1), count - 1, 0, 0);
    }
    return 0;
}

long hypercall_multicall(u64 list, u64 count)
{
    struct multicall_entry *guest = (struct multicall_entry *)list;
    struct multicall_entry e;
    u32 done;

    /* A 32-bit value by the ABI. */
    count = (u32)count;
    if (unlikely(!guestmem_direct_ok(guest, MAX(count, 1u) * sizeof(e))))
        return multicall_slow(guest, (u32)count);
    for (done = 0; count; count--, guest++) {
        if (unlikely(!entry_fetch(&e, guest)))
            return -EFAULT;
        if (unlikely(multicall_one(&e))) {
            if (!guestmem_copy_out(guest, &e, sizeof(e)))
                return -EFAULT;
            return hypercall_continue(__HYPERVISOR_multicall, (u64)guest, count, 0, 0);
        }
        if (unlikely(!entry_store_u64((u64)&guest->result, e.result)))
            return -EFAULT;
        if (++done % PREEMPT_EVERY == 0 && count > 1 && hypercall_preempt())
            return hypercall_continue(__HYPERVISOR_multicall, (u64)(guest + 1), count - 1, 0, 0);
    }
    return 0;
}

long hypercall_refuse(long err, const char *f, ...)
{
    const struct vcpu *v = vcpu_current();
    char prefix[32];
    va_list ap;

    reason_given[cpu_id()].yes = true;
    if (!console_guest_allows(LOG_WARN))
        return err;
    fmt_snprintf(prefix, sizeof(prefix), "d%uv%u ", v->domain->id, v->id);
    va_start(ap, f);
    console_vprint(prefix, f, ap);
    va_end(ap);
    return err;
}

void hypercall_reason_forget(void)
{
    reason_given[cpu_id()].yes = false;
}

static const char *error_text(long err)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
        return "not allowed";
    case -ESRCH:
        return "no such domain or vCPU";
    case -EFAULT:
        return "a pointer leads nowhere";
    case -ENOMEM:
        return "out of memory";
    case -EINVAL:
        return "an argument is out of range or does not fit the state";
    case -E2BIG:
        return "a count is too large";
    case -ENOSYS:
    case -EOPNOTSUPP:
        return "not offered";
    default:
        return "refused";
    }
}

long hypercall_refuse_rest(long err, const char *what, u64 op, domid_t dom)
{
    if (reason_given[cpu_id()].yes)
        return err;
    return hypercall_refuse(err, "%s %lu for d%u: %s (error %ld)", what, op, dom, error_text(err),
                            -err);
}
