/* SPDX-License-Identifier: MIT */
/*
 * The second vCPU of a PVH guest: by INIT and start-up interrupts through real mode, with a call
 * from there; interrupts and NMIs between the two; INIT while it runs, start-ups it does not wait
 * for; down and up, the context of VCPUOP_initialise.
 */
#include "pvh.h"

#include <xen/hvm/hvm_vcpu.h>

#define ICR  0x300
#define ICR2 0x310

extern char ap_code[], ap_code_end[], ap_version[], ap_real[], ap_intel[], ap_stack_top[];
extern uint64_t pvh_pml4[512];
extern char pvh_hypercall[];

static volatile struct {
    uint32_t runs, go, done;
    uint32_t leaf1, leaf4;
    uint32_t apic_id, spiv;
} ap;

static void ipi(uint32_t dest, uint32_t icr)
{
    apic_write(ICR2, dest << 24);
    apic_write(ICR, icr);
}

static bool wait_for(volatile uint32_t *what, uint32_t val)
{
    uint64_t i;

    for (i = 0; i < 20000 && *what != val; i++)
        sched_op(SCHEDOP_yield, NULL);
    return *what == val;
}

static uint32_t ap_number(const char *label)
{
    return *(volatile uint32_t *)(PVH_AP + (label - ap_code));
}

void pvh_ap_main(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    ap.leaf1 = r[1];
    cpuid(0x40000004, 0, r);
    ap.leaf4 = r[1];
    ap.apic_id = apic_read(0x20);
    ap.spiv = apic_read(0xf0);
    ap.runs++;
    for (;;) {
        if (ap.go == 1) {
            ap.go = 0;
            ipi(0, 0x66);
            ap.done++;
        } else if (ap.go == 2) {
            ap.go = 0;
            vcpu_op(VCPUOP_down, 1, NULL);
            ap.done++;
        }
        __asm__ volatile("pause");
    }
}

static const char *state(void)
{
    long rc = vcpu_op(VCPUOP_is_up, 1, NULL);

    return rc == 0 ? "down" : rc == 1 ? "up" : text("%ld", rc);
}

static void start_up(void)
{
    memcpy((void *)PVH_AP, ap_code, (size_t)(ap_code_end - ap_code));
    *(uint8_t *)(PVH_AP + (ap_intel - ap_code)) = (uint8_t)pvh_hypercall[2] == 0xc1;
    value("at first", "%s", state());
    ipi(2, 0x600 | PVH_AP >> 12);
    value("a start-up without INIT", "%s", state());
    (void)wait_for(&ap.runs, 1); /* it may still be on its way, and would count below */
    ap.runs = 0;
    ipi(2, 0x4500);
    value("after INIT", "%s", state());
    ipi(2, 0x600 | PVH_AP >> 12);
    check(wait_for(&ap.runs, 1), "it runs");
    value("after the start-up", "%s", state());
    check_eq("xen_version from real mode", ap_number(ap_version), 4 << 16 | 17);
    value("real mode: cs, cr0", "%x %x", ap_number(ap_real) & 0xffff, ap_number(ap_real + 4));
    value("CPUID: APIC id, vCPU", "%x %x", ap.leaf1 >> 24, ap.leaf4);
    value("APIC: id, SPIV", "%x %x", ap.apic_id, ap.spiv);
    ipi(2, 0x600 | PVH_AP >> 12);
    sched_op(SCHEDOP_yield, NULL);
    check_eq("a start-up while it runs", ap.runs, 1);
}

static void between(void)
{
    pvh_count(0x66);
    apic_write(0xf0, 0x1ff);
    ap.done = 0;
    ap.go = 1;
    check(wait_for(&ap.done, 1), "it has sent");
    sti();
    check(wait_for(&pvh_taken[0x66], 1), "its interrupt comes");
    cli();
    apic_write(0xb0, 0);
    value_rc("NMI by a call", vcpu_op(VCPUOP_send_nmi, 5, NULL));
}

static void init_again(void)
{
    ipi(2, 0x4500);
    value("INIT while it runs", "%s", state());
    ipi(2, 0x8500);
    value("INIT de-asserted", "%s", state());
    ap.runs = 0;
    ipi(2, 0x600 | PVH_AP >> 12);
    check(wait_for(&ap.runs, 1), "it runs again");
    ap.go = 2;
    while (vcpu_op(VCPUOP_is_up, 1, NULL) == 1 && ap.go == 2)
        sched_op(SCHEDOP_yield, NULL);
    spin_tsc(2000000);
    value("down by itself", "%s", state());
    ap.done = 0;
    value_rc("up by a call", vcpu_op(VCPUOP_up, 1, NULL));
    check(wait_for(&ap.done, 1), "it goes on");
    value_rc("down by another", vcpu_op(VCPUOP_down, 1, NULL));
    spin_tsc(2000000);
    value("then", "%s", state());
}

/* The context the public header has for this: 64-bit mode at once. */
static void initialise(void)
{
    static struct vcpu_hvm_context c;
    long rc;

    memset(&c, 0, sizeof(c));
    c.mode = VCPU_HVM_MODE_64B;
    c.cpu_regs.x86_64.rip = (uint64_t)pvh_ap_main;
    c.cpu_regs.x86_64.rsp = (uint64_t)ap_stack_top - 8;
    c.cpu_regs.x86_64.rflags = 2;
    c.cpu_regs.x86_64.cr0 = 0x80000011;
    c.cpu_regs.x86_64.cr3 = (uint64_t)pvh_pml4;
    c.cpu_regs.x86_64.cr4 = 0x620;
    c.cpu_regs.x86_64.efer = 0x500;
    rc = vcpu_op(VCPUOP_initialise, 1, &c);
    value_rc("VCPUOP_initialise", rc);
    value_rc("of the one that calls", vcpu_op(VCPUOP_initialise, 0, &c));
    if (rc == 0) {
        ap.runs = 0;
        value_rc("up", vcpu_op(VCPUOP_up, 1, NULL));
        check(wait_for(&ap.runs, 1), "it runs from there");
    }
    value("at last", "%s", state());
    value_rc("a vCPU that is not there", vcpu_op(VCPUOP_up, 2, NULL));
}

void test_main(const char *args)
{
    static const char *const names[] = {"a second vCPU", "a context by call"};

    (void)args;
    pvh_round(names[BOX->round], BOX->round == 1);
    if (BOX->round == 1) {
        initialise();
        return;
    }
    start_up();
    between();
    init_again();
}
