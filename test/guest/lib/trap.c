/* SPDX-License-Identifier: MIT */
/*
 * What happened, and was it meant to? Every trap comes here as a struct frame. In order: a hook of
 * the test's, a run_frame() that waits for whatever comes, event delivery, the exception table;
 * anything else ends the test with its registers.
 */
#include "guest.h"

extern void event_dispatch(unsigned int cpu);
void trap_dispatch(struct frame *f);

static struct trap_info table[257];
static uint8_t code_stack[8192] __attribute__((aligned(4096)));

static bool has_error_code(unsigned int vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

static void record(const struct frame *f, int vector)
{
    fault.vector = vector;
    fault.error = f->error;
    fault.rip = f->rip;
    fault.cr2 = vcpu_info(0)->arch.cr2;
    fault.frame = *f;
    fault.entry_rsp = (uint64_t)&f->rip - (has_error_code((unsigned int)vector) ? 24 : 16) -
                      (vector == VECTOR_FAILSAFE ? 32 : 0);
}

static void unexpected(const struct frame *f, unsigned int vector, unsigned int cpu)
{
    print("note trap %u on vCPU %u error %lx rip %lx cs %lx rflags %lx rsp %lx ss %lx\n", vector,
          cpu, f->error, f->rip, f->cs, f->rflags, f->rsp, f->ss);
    print("note rax %lx rcx %lx rdx %lx rbx %lx rsi %lx rdi %lx cr2 %lx\n", f->rax, f->rcx, f->rdx,
          f->rbx, f->rsi, f->rdi, vcpu_info(cpu)->arch.cr2);
    error("unexpected trap %u at %lx", vector, f->rip);
}

void trap_dispatch(struct frame *f)
{
    unsigned int vector = f->vector & 0xffff, cpu = (unsigned int)(f->vector >> 16);

    if (vector < VECTOR_COUNT && trap_hook[vector] && trap_hook[vector](f))
        return;
    if (cpu == 0 && frame_runs()) {
        record(f, (int)vector);
        frame_ended(f);
    }
    if (vector == VECTOR_EVENT) {
        event_dispatch(cpu);
        return;
    }
    if (cpu == 0)
        record(f, (int)vector);
    if (fault_fix_up(f))
        return;
    unexpected(f, vector, cpu);
}

int run_code(struct frame *f, const void *code, unsigned int len)
{
    memcpy(code_page, code, len);
    code_page[len] = 0xcc;
    f->rip = (uint64_t)code_page;
    f->cs = FLAT_KERNEL_CS & ~3;
    f->ss = FLAT_KERNEL_SS;
    f->rflags = (f->rflags & 0xcd5) | 2;
    if (f->rsp == 0)
        f->rsp = (uint64_t)code_stack + sizeof(code_stack) - 256;
    return run_frame(f);
}

unsigned int trap_fill(struct trap_info *to, unsigned int cpu)
{
    unsigned int i;

    for (i = 0; i < 256; i++) {
        to[i].vector = (uint8_t)i;
        to[i].cs = FLAT_KERNEL_CS;
        to[i].flags = (i == 3 || i == 4 || i >= 32) ? 4 | 3 : 4;
        to[i].address = (uint64_t)trap_stubs + (cpu * 256 + i) * 32;
    }
    return 256;
}

static void callback(uint16_t type, const char *address)
{
    struct callback_register reg = {
        .type = type,
        .flags = CALLBACKF_mask_events,
        .address = (uint64_t)address,
    };
    long rc = hypercall2(__HYPERVISOR_callback_op, CALLBACKOP_register, (uint64_t)&reg);

    if (rc != 0)
        print("note callback %u: %ld\n", type, rc);
}

void trap_init(void)
{
    long rc;

    trap_fill(table, 0);
    table[256].address = 0;
    rc = hypercall1(__HYPERVISOR_set_trap_table, (uint64_t)table);
    if (rc != 0)
        error("set_trap_table: %ld", rc);
    callback(CALLBACKTYPE_event, stub_of(event_entry, 0));
    callback(CALLBACKTYPE_failsafe, failsafe_entry);
    callback(CALLBACKTYPE_syscall, stub_of(syscall_entry, 0));
}
