/* SPDX-License-Identifier: MIT */
/* A second vCPU: its context, start and end. */
#include "guest.h"

static uint64_t stacks[2][2048] __attribute__((aligned(4096)));
static struct vcpu_guest_context context;

void vcpu_context(struct vcpu_guest_context *ctx, unsigned int id, void (*fn)(void *), void *arg)
{
    uint64_t *sp = &stacks[id][2048 - 4];

    sp[0] = (uint64_t)fn;
    sp[1] = (uint64_t)arg;
    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_in_kernel | VGCF_failsafe_disables_events | VGCF_syscall_disables_events;
    ctx->user_regs.rip = (uint64_t)vcpu_entry;
    ctx->user_regs.rsp = (uint64_t)sp;
    ctx->user_regs.cs = FLAT_KERNEL_CS;
    ctx->user_regs.ss = FLAT_KERNEL_SS;
    ctx->user_regs.rflags = 0x1000;
    ctx->kernel_ss = FLAT_KERNEL_SS;
    ctx->kernel_sp = (uint64_t)&stacks[id][2048];
    trap_fill(ctx->trap_ctxt, id);
    ctx->ctrlreg[3] = xen_pfn_to_cr3(cr3_mfn());
    ctx->event_callback_eip = (uint64_t)stub_of(event_entry, id);
    ctx->failsafe_callback_eip = (uint64_t)failsafe_entry;
    ctx->syscall_callback_eip = (uint64_t)stub_of(syscall_entry, id);
}

long vcpu_start(unsigned int id, void (*fn)(void *), void *arg)
{
    long rc;

    vcpu_info(id)->evtchn_upcall_mask = 1;
    vcpu_context(&context, id, fn, arg);
    rc = vcpu_op(VCPUOP_initialise, id, &context);
    if (rc == 0)
        rc = vcpu_op(VCPUOP_up, id, NULL);
    return rc;
}

void vcpu_stop(unsigned int id)
{
    for (;;)
        vcpu_op(VCPUOP_down, id, NULL);
}

bool vcpu_wait_down(unsigned int id, unsigned int ms)
{
    uint64_t end = now() + ms * 1000000ul;

    while (vcpu_op(VCPUOP_is_up, id, NULL) != 0 && now() < end)
        sched_op(SCHEDOP_yield, NULL);
    return vcpu_op(VCPUOP_is_up, id, NULL) == 0;
}
