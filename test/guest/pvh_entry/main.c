/* SPDX-License-Identifier: MIT */
/*
 * The state a PVH kernel is entered in: registers, control registers, descriptor tables, flat
 * segments, memory; a hypercall from there; what CPUID says of the hypervisor.
 */
#include "pvh.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>

static void registers(const struct pvh_entry *e)
{
    check_eq("ebx: the start info", e->ebx, PVH_INFO);
    check_eq("cr0: protected mode, no paging", e->cr0, 0x11);
    check_eq("cr4", e->cr4, 0);
    check_eq("eflags", e->eflags, 2);
    check_eq("EFER", e->efer, 0);
    value("eax ecx edx", "%x %x %x", e->eax, e->ecx, e->edx);
    value("esi edi ebp esp", "%x %x %x %x", e->esi, e->edi, e->ebp, e->esp);
    value("cr2 cr3", "%x %x", e->cr2, e->cr3);
    value("dr6 dr7", "%x %x", e->dr6, e->dr7);
    value("selectors", "%x %x %x %x %x %x", e->cs, e->ds, e->es, e->fs, e->gs, e->ss);
    value("tr ldtr", "%x %x", e->tr, e->ldtr);
    value("gdt", "%x %x", e->gdt_limit, e->gdt_base);
    value("idt", "%x %x", e->idt_limit, e->idt_base);
    check_eq("xen_version from 32-bit mode without paging", e->version, 4 << 16 | 17);
}

static void info(void)
{
    const struct hvm_start_info *s = (const void *)PVH_INFO;

    check_eq("start info: magic", s->magic, XEN_HVM_START_MAGIC_VALUE);
    check_eq("start info: version", s->version, 1);
}

static void memory(void)
{
    volatile uint64_t *last = (volatile uint64_t *)((PVH_PAGES << 12) - 8);
    uint64_t old = *last;

    value("the last page", "%lx", old);
    *last = 0x1122334455667788;
    check_eq("the last page is RAM", (int64_t)*last, 0x1122334455667788);
}

static void hypervisor_leaves(void)
{
    uint32_t r[4];
    char sig[13] = "";

    cpuid(1, 0, r);
    check((r[2] & 1u << 31) != 0, "CPUID: a hypervisor is present");
    cpuid(XEN_CPUID_LEAF(0), 0, r);
    memcpy(sig, &r[1], 12);
    value("CPUID: hypervisor", "%s, %u leaves", sig, r[0] - XEN_CPUID_LEAF(0));
    cpuid(XEN_CPUID_LEAF(1), 0, r);
    value("CPUID: version", "%x %x %x %x", r[0], r[1], r[2], r[3]);
    cpuid(XEN_CPUID_LEAF(2), 0, r);
    value("CPUID: hypercall page", "%x %x %x %x", r[0], r[1], r[2], r[3]);
    cpuid(XEN_CPUID_LEAF(3), 0, r);
    value("CPUID: TSC", "%x %x, frequency %s", r[0], r[1], r[2] ? "told" : "missing");
    cpuid(XEN_CPUID_LEAF(3), 2, r);
    check_eq("CPUID: TSC frequency of the host", r[0] != 0, 1);
    cpuid(XEN_CPUID_LEAF(4), 0, r);
    value("CPUID: HVM features", "%x, vCPU %u", r[0], r[1]);
    cpuid(XEN_CPUID_LEAF(5), 0, r);
    value("CPUID: PV features", "%x %x %x %x", r[0], r[1], r[2], r[3]);
    cpuid(XEN_CPUID_LEAF(6), 0, r);
    value("CPUID: beyond the last leaf", "%x %x %x %x", r[0], r[1], r[2], r[3]);
    cpuid(0x40000100, 0, r);
    value("CPUID: 40000100", "%x %x %x %x", r[0], r[1], r[2], r[3]);
}

static void processor(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    value("CPUID: APIC id, logical processors", "%x %x", r[1] >> 24, r[1] >> 16 & 0xff);
    value("CPUID: x2APIC, TSC deadline, MONITOR, OSXSAVE", "%u %u %u %u", r[2] >> 21 & 1,
          r[2] >> 24 & 1, r[2] >> 3 & 1, r[2] >> 27 & 1);
    value("CPUID: APIC, MTRR, PAT, MCE, VME, PSE36", "%u %u %u %u %u %u", r[3] >> 9 & 1,
          r[3] >> 12 & 1, r[3] >> 16 & 1, r[3] >> 7 & 1, r[3] >> 1 & 1, r[3] >> 17 & 1);
    cpuid(0x80000001, 0, r);
    value("CPUID: NX, 1 GiB pages, RDTSCP, LM", "%u %u %u %u", r[3] >> 20 & 1, r[3] >> 26 & 1,
          r[3] >> 27 & 1, r[3] >> 29 & 1);
    value("CPUID: SVM, SKINIT, WDT, TCE", "%u %u %u %u", r[2] >> 2 & 1, r[2] >> 12 & 1,
          r[2] >> 13 & 1, r[2] >> 17 & 1);
    cpuid(0x8000000a, 0, r);
    value("CPUID: SVM's leaf", "%x %x %x %x", r[0], r[1], r[2], r[3]);
    cpuid(0xa, 0, r);
    value("CPUID: performance counters", "%x %x", r[0], r[3]);
    cpuid(5, 0, r);
    value("CPUID: MONITOR's leaf", "%x %x %x %x", r[0], r[1], r[2], r[3]);
}

void test_main(const char *args)
{
    (void)args;
    pvh_round("entry", true);
    registers(&pvh_entry);
    info();
    memory();
    hypervisor_leaves();
    processor();
}
