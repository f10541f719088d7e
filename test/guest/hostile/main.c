/* SPDX-License-Identifier: MIT */
/*
 * What a guest may try against the hypervisor itself: requests that would leave a processor without
 * page tables, walk the hypervisor's own, keep a stale translation across a change of type, or use
 * one object from two processors at once. Each is refused or does no harm; the host lives on.
 */
#include "guest.h"

static struct vcpu_guest_context context;

static long initialise(void)
{
    return vcpu_op(VCPUOP_initialise, 1, &context);
}

static void fresh(void)
{
    vcpu_context(&context, 1, NULL, NULL);
}

/* Start states that must never reach a processor. */
static void contexts(void)
{
    static const struct {
        const char *name;
        uint64_t base, ents;
    } ldt[] = {
        {"LDT in the hypervisor's direct map", 0xffff830000000000, 8192},
        {"LDT in the hypervisor's image", 0xffff828000000000, 512},
        {"LDT that reaches into the hypervisor's range", 0xffff7ffffffff000, 8192},
        {"LDT not canonical", 0x0000800000000000, 8},
        {"LDT not at a page", 0xffffffff80000008, 8},
        {"LDT too long", 0xffffffff80000000, 8193},
    };
    unsigned int i;

    fresh();
    context.ctrlreg[3] = 0;
    check_eq("no kernel table", initialise(), -22);
    fresh();
    context.flags &= ~VGCF_in_kernel;
    check_eq("user mode without a user table", initialise(), -22);
    fresh();
    context.ctrlreg[3] = xen_pfn_to_cr3(0xfffffffffful);
    check_eq("kernel table beyond memory", initialise(), -22);
    fresh();
    context.ctrlreg[1] = xen_pfn_to_cr3(va_mfn(boot_stack));
    check_eq("writable page as user table", initialise(), -22);
    for (i = 0; i < ARRAY_SIZE(ldt); i++) {
        fresh();
        context.ldt_base = ldt[i].base;
        context.ldt_ents = ldt[i].ents;
        check_eq(ldt[i].name, initialise(), -22);
    }
    check_eq("still not initialised", vcpu_op(VCPUOP_up, 1, NULL), -22);
}

/*
 * A store through a translation that was not flushed. `t` is a table now, if all is well the
 * processor has forgotten that it could be written.
 */
static void stale_store(const char *name, uint64_t *t, uint64_t *alias)
{
    fault_take();
    __asm__ volatile(EX("movq %0, 8(%1)") : : "r"(0ul), "r"(alias) : "memory");
    check(fault_take() == VECTOR_PF, "%s: the store faults", name);
    (void)t;
}

/* An exchange that fails half way gives the frames back: what the TLB knows of them comes too. */
static void failed_exchange(void)
{
    uint64_t *t = page_alloc(), mfn = va_mfn(t), in[2] = {mfn, mfn}, out[2] = {0, 0};
    struct xen_memory_exchange x;
    uint64_t *view = page_alloc();

    page_unmap(view);
    memset(&x, 0, sizeof(x));
    x.in.domid = x.out.domid = DOMID_SELF;
    x.in.nr_extents = 2;
    x.out.nr_extents = 1;
    x.out.extent_order = 1;
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    *(volatile uint64_t *)t = 0;
    check_eq("unmapped without a flush", va_set(t, 0, UVMF_NONE), 0);
    /* The second frame is the first again: refused after the first was taken. */
    check_eq("exchange of the same frame twice",
             hypercall2(__HYPERVISOR_memory_op, XENMEM_exchange, (uint64_t)&x), -22);
    check_eq("pin it", table_pin(1, mfn), 0);
    stale_store("after a failed exchange", view, t);
    check_eq("unpin it", table_unpin(mfn), 0);
    check_eq("map it again", va_set(t, MKPTE(mfn, PTE_RWP), UVMF_INVLPG), 0);
    page_free(t);
}

/* One vCPU's timer set from two processors at once. */
#define TIMER_ROUNDS 20000

static volatile bool two_started, two_over;

static void set_timer(unsigned int rounds)
{
    struct vcpu_set_periodic_timer p = {.period_ns = 1000000};

    while (rounds--) {
        p.period_ns = 1000000 + rounds % 7 * 1000;
        vcpu_op(VCPUOP_set_periodic_timer, 0, &p);
    }
}

static void second(void *arg)
{
    (void)arg;
    two_started = true;
    while (!two_over)
        set_timer(10);
    vcpu_stop(1);
}

static void timer_from_two(void)
{
    struct vcpu_set_singleshot_timer single = {.flags = 0};
    int port = evtchn_virq(VIRQ_TIMER, 0);
    uint32_t before;

    check(port > 0, "timer bound");
    check_eq("second vCPU", vcpu_start(1, second, NULL), 0);
    while (!two_started)
        sched_op(SCHEDOP_yield, NULL);
    set_timer(TIMER_ROUNDS);
    two_over = true;
    check(vcpu_wait_down(1, 5000), "second vCPU is down");
    check_eq("timer stopped", vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    event_wait((uint32_t)port, event_count[0][port] + 1, 10);
    before = event_count[0][port];
    single.timeout_abs_ns = now() + 5000000;
    check_eq("one more", vcpu_op(VCPUOP_set_singleshot_timer, 0, &single), 0);
    check(event_wait((uint32_t)port, before + 1, 2000), "the timer still rings");
}

/*
 * An event for user mode, and no stack to deliver it on: the domain ends. It must not go on with
 * its kernel's rights where the user program was. That program's pages are in the kernel's table
 * too, as with most kernels, and it makes a system call that would be a hypercall there.
 */
extern char user_escape[];
USER_FN(user_escape)
"1: mov $18, %eax\n"      /* console_io */
    "   xor %edi, %edi\n" /* write */
    "   mov $26, %esi\n"
    "   mov $0x500000, %edx\n" /* USER_DATA */
    "   syscall\n"
    "   jmp 1b\n" USER_FN_END;

static void event_without_stack(void)
{
    static struct user_space space;
    struct evtchn_send send;
    struct frame f;

    user_init(&space);
    memcpy(space.data, "FAIL user code was kernel\n", 26);
    if (pt_set(&((uint64_t *)start_info->pt_base)[0], MKPTE(va_mfn(space.l3), PTE_RWP)) != 0)
        error("user pages in the kernel's table");
    send.port = (uint32_t)evtchn_ipi(0);
    evtchn_op(EVTCHNOP_send, &send);
    hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, 0xdead00000000);
    user_frame(&f, user_va(user_escape));
    expect_crash("event without a stack");
    run_frame(&f);
}

void test_main(const char *args)
{
    if (strcmp(args, "event") == 0) {
        event_without_stack();
        return;
    }
    failed_exchange();
    contexts();
    timer_from_two();
}
