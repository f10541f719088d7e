/* SPDX-License-Identifier: MIT */
/*
 * A PVH test kernel (test/guest/pvh) that counts what its exits take, in instructions: run under
 * QEMU's -icount, where the TSC counts them, on one processor. Each row is the least of several
 * short batches, less what the loop takes by itself: what interrupts a batch does not show.
 */
#include "pvh.h"

#define BATCH   32
#define BATCHES 40
#define HOLE    (PVH_HOLE << 12)
#define VECTOR  0x60
#define UPCALL  0x70
#define PORT    0x3f8 /* not 0x80: Debian's Xen gives guests the machine's own */

static volatile uint32_t *const hole = (volatile uint32_t *)HOLE;
static volatile uint32_t *const apic = (volatile uint32_t *)0xfee00000ul;
static struct evtchn_send self;

static void empty(void)
{
    __asm__ volatile("" ::: "memory");
}

static void exit_cpuid(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
}

static void exit_cpuid_xen(void)
{
    uint32_t r[4];

    cpuid(0x40000001, 0, r);
}

static void exit_hypercall(void)
{
    hypercall2(__HYPERVISOR_xen_version, XENVER_version, 0);
}

static void exit_unknown_hypercall(void)
{
    hypercall2(63, 0, 0);
}

static void exit_send(void)
{
    evtchn_op(EVTCHNOP_send, &self);
}

static uint32_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
    return lo;
}

static void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr"
                     :
                     : "a"((uint32_t)val), "d"((uint32_t)(val >> 32)), "c"(msr)
                     : "memory");
}

static void exit_rdmsr(void)
{
    rdmsr(0x1b);
}

static void exit_rdmsr_mtrr(void)
{
    rdmsr(0x2ff);
}

static void exit_wrmsr(void)
{
    wrmsr(0x808, 0);
}

static void exit_wrmsr_timer(void)
{
    wrmsr(0x838, 0x10000000);
}

static void exit_rdmsr_refused(void)
{
    uint64_t val;

    msr_read(0x12345, &val);
}

static void exit_in(void)
{
    uint8_t val;

    __asm__ volatile("inb %w1, %0" : "=a"(val) : "d"(PORT));
}

static void exit_out(void)
{
    __asm__ volatile("outb %b0, %w1" : : "a"(0), "d"(PORT));
}

static void exit_fault_read(void)
{
    (void)hole[0];
}

static void exit_fault_write(void)
{
    hole[0] = 0;
}

static void exit_apic_read(void)
{
    (void)apic[0x30 / 4];
}

static void exit_apic_write(void)
{
    apic[0x80 / 4] = 0;
}

static void exit_self_ipi(void)
{
    wrmsr(0x83f, VECTOR);
}

static void exit_cr4(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0; xor $0x80, %0; mov %0, %%cr4" : "=r"(cr4) : : "memory");
}

static void exit_wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}

static uint64_t least(void (*fn)(void))
{
    uint64_t t, best = ~0ul;
    unsigned int i, n;

    fn();
    for (n = 0; n < BATCHES; n++) {
        t = rdtsc();
        for (i = 0; i < BATCH; i++)
            fn();
        t = rdtsc() - t;
        if (t < best)
            best = t;
    }
    return best;
}

static void row(const char *name, void (*fn)(void))
{
    static uint64_t base;

    if (base == 0)
        base = least(empty);
    print("EXIT %s\t%lu\n", name, (least(fn) - base) / BATCH);
}

static bool end_interrupt(struct frame *f)
{
    (void)f;
    wrmsr(0x80b, 0);
    return true;
}

static bool end_upcall(struct frame *f)
{
    (void)f;
    vcpu_info(0)->evtchn_upcall_pending = 0;
    vcpu_info(0)->evtchn_pending_sel = 0;
    shared_info->evtchn_pending[0] = 0;
    return true;
}

static void in_x2apic(void)
{
    uint64_t base;

    if (!msr_read(0x1b, &base) || !msr_write(0x1b, base | 0x400) || !msr_write(0x80f, 0x1ff))
        error("x2APIC");
    row("MSR: write of an x2APIC register", exit_wrmsr);
    msr_write(0x832, 0x10000 | VECTOR);
    row("MSR: write that arms the APIC's timer", exit_wrmsr_timer);
    msr_write(0x838, 0);
    trap_hook[VECTOR] = end_interrupt;
    sti();
    row("interrupt to oneself by x2APIC, with its end", exit_self_ipi);
}

static void upcall(void)
{
    shared_map();
    trap_hook[UPCALL] = end_upcall;
    if (hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | UPCALL) != 0)
        error("callback");
    self.port = (uint32_t)evtchn_ipi(0);
    evtchn_mask(self.port, false);
    row("hypercall: event to oneself, with its upcall", exit_send);
}

void test_main(const char *args)
{
    (void)args;
    pvh_round("bench", true);
    row("CPUID", exit_cpuid);
    row("CPUID of the hypervisor's leaves", exit_cpuid_xen);
    row("hypercall: xen_version", exit_hypercall);
    row("hypercall that is not there", exit_unknown_hypercall);
    row("MSR: read of APIC_BASE", exit_rdmsr);
    row("MSR: read of a memory type", exit_rdmsr_mtrr);
    row("MSR: read of one not offered, with its #GP", exit_rdmsr_refused);
    row("port: in", exit_in);
    row("port: out", exit_out);
    row("nested fault: read where there is nothing", exit_fault_read);
    row("nested fault: write where there is nothing", exit_fault_write);
    row("nested fault: read of an APIC register", exit_apic_read);
    row("nested fault: write of an APIC register", exit_apic_write);
    row("write of CR4", exit_cr4);
    row("WBINVD", exit_wbinvd);
    in_x2apic();
    upcall();
    print("EXIT done\t0\n");
}
