/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor asks of the machine: src/arch by its headers, pure/port.h, and the console.
 *
 * Locks are checked for rank and owner, per simulated processor. A cross call is served at once on
 * behalf of its target: the target is in guest mode, halted, spinning or in an interrupt window,
 * and serves its mailbox in each of these. arch/smp.c itself, with the flush clock, is the real
 * one.
 */
#include "hwport.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/entry.h"
#include "arch/fpu.h"
#include "arch/hmap.h"
#include "arch/irq.h"
#include "arch/pci.h"
#include "arch/serial.h"
#include "arch/smp.h"
#include "arch/upcalls.h"
#include "core/console.h"
#include "core/domain.h"
#include "hvmguest.h"
#include "machine.h"
#include "pure/port.h"
#include "vmxhw.h"

#define HELD_MAX     8
#define MSR_VM_CR    0xc0010114
#define TEMPLATE_MFN 2 /* below the first MiB: nobody's */
#define HV_ENTRY     ((3ul << PAGE_SHIFT) | PTE_P | PTE_RW | PTE_A)

struct hw_cpu {
    u64 cr0, cr2, cr3, cr4;
    u64 msr_fs, msr_gs, msr_kernel_gs, msr_vm_cr, msr_efer;
    u64 msr_syscall[4]; /* STAR, LSTAR, CSTAR, SFMASK */
    u64 alarm;
    u64 gdt;
    u64 vmcb; /* whose part of the guest state is loaded */
    u32 held_nr;
    struct lock *held[HELD_MAX];
    bool in_ipi;
};

static struct hw {
    struct hw_cpu cpu[MACHINE_CPUS];
    u64 now;
    u32 fail;
} hw, frozen;

static u64 template_entries[512];
struct cpu_features cpu_features;
struct console_options console_options;

static struct hw_cpu *this_cpu(void);

void insn_vmload(u64 vmcb)
{
    this_cpu()->vmcb = vmcb;
}

u64 hwport_vmcb_loaded(void)
{
    return this_cpu()->vmcb;
}

u32 hwport_locks_held(void)
{
    return this_cpu()->held_nr;
}

static struct hw_cpu *this_cpu(void)
{
    return &hw.cpu[machine_cpu()];
}

#define SVM_LEAF  0x8000000a
#define SVM_ASIDS 6 /* few, so that they run out */

void hwport_init(void)
{
    u32 i;

    memcpy(cpu_features.vendor, hvmguest_vmx ? "GenuineIntel" : "AuthenticAMD", 12);
    cpu_features.max_leaf = 7;
    cpu_features.max_ext_leaf = SVM_LEAF;
    cpu_features.svm = hvmguest_on && !hvmguest_vmx;
    cpu_features.vmx = cpu_features.intel = hvmguest_vmx;
    cpu_features.phys_bits = 36;
    cpu_features.amd = cpu_features.syscall32 = !hvmguest_vmx;
    cpu_features.nx = true;
    cpu_features.xcr0_mask = 3;
    cpu_features.xsave_size = 576;
    for (i = L4_SLOT_HV_FIRST; i <= L4_SLOT_HV_LAST; i++)
        template_entries[i] = HV_ENTRY;
    for (i = 0; i < MACHINE_CPUS; i++) {
        hw.cpu[i].cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP;
        hw.cpu[i].msr_syscall[0] = HWPORT_STAR;
        hw.cpu[i].msr_efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
    }
    hw.now = 1000000000;
}

void hwport_freeze(void)
{
    frozen = hw;
    vmxhw_freeze();
}

void hwport_reset(void)
{
    hw = frozen;
    vmxhw_reset();
}

void machine_advance(u64 ns)
{
    hw.now += ns;
}

u64 machine_cr3(u32 cpu)
{
    return hw.cpu[cpu].cr3;
}

void machine_set_cr2(u64 va)
{
    this_cpu()->cr2 = va;
}

void machine_fail_allocations(u32 p)
{
    hw.fail = p;
}

/* Locks. */

void lock_init(struct lock *l, enum lock_rank rank)
{
    *l = (struct lock)LOCK_INIT((u16)rank);
}

bool lock_held(const struct lock *l)
{
    return l->owner == machine_cpu() + 1;
}

static void lock_note(struct lock *l)
{
    struct hw_cpu *c = this_cpu();

    BUG_ON(c->held_nr == HELD_MAX);
    c->held[c->held_nr++] = l;
    l->owner = (u16)(machine_cpu() + 1);
}

void lock_acquire(struct lock *l)
{
    struct hw_cpu *c = this_cpu();
    u32 i;

    BUG_ON(l->rank == 0 || lock_held(l) || c->in_ipi);
    for (i = 0; i < c->held_nr; i++)
        BUG_ON(c->held[i]->rank >= l->rank);
    if (c->held_nr == 0)
        hwport_give_way();
    while (l->owner != 0)
        hwport_spin();
    lock_note(l);
}

bool lock_try(struct lock *l)
{
    BUG_ON(l->rank == 0 || lock_held(l));
    if (l->owner != 0)
        return false;
    lock_note(l);
    return true;
}

void lock_release(struct lock *l)
{
    struct hw_cpu *c = this_cpu();
    u32 i;

    BUG_ON(!lock_held(l));
    for (i = 0; i < c->held_nr && c->held[i] != l; i++)
        ;
    BUG_ON(i == c->held_nr);
    c->held[i] = c->held[--c->held_nr];
    l->owner = 0;
}

/* The rest of pure/port.h. */

u64 port_now(void)
{
    return hw.now;
}

void *port_map(mfn_t mfn)
{
    BUG_ON(mfn.v >= MACHINE_FRAMES);
    return hmap_direct(mfn_to_maddr(mfn));
}

bool port_inject_failure(void)
{
    bool fail = hw.fail & 1;

    hw.fail >>= 1;
    return fail;
}

void bug_at(const char *file, int line, const char *what)
{
    machine_found("%s:%d: BUG: %s (CPU %u)", file, line, what, machine_cpu());
}

/* Waiting. */

void cpu_kick_work(u32 cpu, u32 bits)
{
    BUG_ON(cpu >= MACHINE_CPUS);
    atomic_fetch_or(&cpu_info_of(cpu)->work, bits);
}

void cpu_irq_window(void)
{
    BUG_ON(this_cpu()->held_nr != 0);
    hwport_ring();
    hwport_give_way();
}

void cpu_idle_halt(void)
{
    BUG_ON(this_cpu()->held_nr != 0);
    if (atomic_load(&cpu_info()->work) == 0)
        hwport_halt();
}

void cpu_halt_forever(void)
{
    hwport_power_off();
}

void domain_machine_restart(void)
{
    machine_note("  the machine restarts\n");
    hwport_power_off();
}

void domain_machine_halt(void)
{
    machine_note("  the machine halts\n");
    hwport_power_off();
}

void insn_pause(void)
{
    hwport_spin();
}

void irq_send_ipi(u32 cpu, u32 vector)
{
    u32 me = machine_cpu();

    if (vector != IRQ_VECTOR_MAILBOX)
        return;
    machine_play(cpu);
    hw.cpu[cpu].in_ipi = true;
    smp_serve_mailbox();
    hw.cpu[cpu].in_ipi = false;
    tlb_left_guest(cpu);
    machine_play(me);
}

/* Time. */

bool hwport_alarm_due(u32 cpu)
{
    return hw.cpu[cpu].alarm != 0 && hw.cpu[cpu].alarm <= hw.now;
}

/* Once per alarm, as the hardware does. */
void hwport_ring(void)
{
    if (!hwport_alarm_due(machine_cpu()))
        return;
    this_cpu()->alarm = 0;
    upcall_timer();
}

void clock_set_alarm(u64 deadline)
{
    this_cpu()->alarm = deadline;
}

u64 clock_now(void)
{
    return hw.now;
}

void clock_guest_time(u64 *tsc_stamp, u64 *ns, struct clock_scale *scale)
{
    *tsc_stamp = *ns = hw.now;
    *scale = (struct clock_scale){.mul = 0x80000000u, .shift = 1};
}

u64 clock_tsc_khz(void)
{
    return 1000000;
}

bool clock_tsc_reliable(void)
{
    return false;
}

u64 clock_read_rtc(void)
{
    return 1700000000;
}

void clock_udelay(u32 us)
{
    (void)us;
}

void clock_init_secondary(void)
{
}

void clock_sync_reset(void)
{
}

void clock_sync_secondary(u32 cpu)
{
    (void)cpu;
}

u64 insn_rdtsc(void)
{
    return hw.now;
}

u64 insn_rdtsc_ordered(void)
{
    return hw.now;
}

/* Registers. */

u64 insn_read_cr0(void)
{
    return this_cpu()->cr0;
}

u64 insn_read_cr2(void)
{
    return this_cpu()->cr2;
}

u64 insn_read_cr3(void)
{
    return this_cpu()->cr3;
}

u64 insn_read_cr4(void)
{
    return this_cpu()->cr4;
}

void insn_write_cr0(u64 v)
{
    this_cpu()->cr0 = v;
}

void insn_write_cr2(u64 v)
{
    this_cpu()->cr2 = v;
}

void insn_write_cr3(u64 v)
{
    BUG_ON(v >> PAGE_SHIFT >= MACHINE_FRAMES || v == 0);
    if (v >> PAGE_SHIFT == TEMPLATE_MFN && (this_cpu()->gdt ^ PERDOMAIN_BASE) >> 39 == 0)
        machine_found("CR3 leaves the address space that the GDT in use lies in");
    this_cpu()->cr3 = v;
    tlb_flush(machine_cpu());
}

void insn_write_cr4(u64 v)
{
    if (vmxhw_on() && !(v & 1ul << 13))
        machine_found("CR4 without VMXE in VMX operation");
    this_cpu()->cr4 = v;
}

static u64 *msr_of(u32 msr)
{
    struct hw_cpu *c = this_cpu();

    switch (msr) {
    case MSR_FS_BASE:
        return &c->msr_fs;
    case MSR_GS_BASE:
        return &c->msr_gs;
    case MSR_KERNEL_GS_BASE:
        return &c->msr_kernel_gs;
    case MSR_VM_CR:
        return &c->msr_vm_cr;
    case MSR_EFER:
        return &c->msr_efer;
    case MSR_STAR ... MSR_SFMASK:
        return &c->msr_syscall[msr - MSR_STAR];
    default:
        return NULL;
    }
}

bool insn_rdmsr_safe(u32 msr, u64 *val)
{
    const u64 *p = msr_of(msr);

    *val = p ? *p : 0;
    return p != NULL || (hvmguest_vmx && vmxhw_msr(msr, val));
}

u64 insn_rdmsr(u32 msr)
{
    u64 val;

    (void)!insn_rdmsr_safe(msr, &val);
    return val;
}

bool insn_wrmsr_safe(u32 msr, u64 val)
{
    u64 *p = msr_of(msr);

    if (p)
        *p = val;
    return p != NULL;
}

void insn_wrmsr(u32 msr, u64 val)
{
    (void)!insn_wrmsr_safe(msr, val);
}

void insn_cpuid(u32 leaf, u32 sub, u32 out[4])
{
    (void)sub;
    memset(out, 0, 16);
    if (leaf == SVM_LEAF && !hvmguest_vmx) {
        out[1] = SVM_ASIDS;
        out[3] = 1; /* nested paging, and nothing else */
    } else if (hvmguest_vmx && leaf == 0) {
        out[0] = 7;
    } else if (hvmguest_vmx && leaf == 1) {
        out[2] = 1u << 17; /* PCID */
        out[3] = 1u << 13; /* PGE */
    } else if (hvmguest_vmx && leaf == 7) {
        out[1] = 1; /* FSGSBASE */
    }
}

u64 insn_xgetbv(u32 n)
{
    (void)n;
    return 1;
}

void insn_xsetbv(u32 n, u64 v)
{
    (void)n, (void)v;
}

/* A page of a TLB less: tlb.c takes no chances with those (nobody may count on them). */
void insn_invlpg(u64 va)
{
    (void)va;
}

void insn_lgdt(u64 base, u16 limit)
{
    (void)limit;
    this_cpu()->gdt = base;
}

/* Guest memory. One of the two addresses is the hypervisor's, in this process. */

static bool is_host(u64 a)
{
    return a >= MACHINE_HOST_FIRST && a < MACHINE_HOST_END;
}

size_t entry_copy(void *dst, const void *src, size_t n)
{
    if (is_host((u64)dst) == is_host((u64)src))
        return n;
    if (is_host((u64)dst))
        return machine_guest_read((u64)src, dst, n) ? 0 : n;
    return machine_guest_write((u64)dst, src, n) ? 0 : n;
}

size_t entry_clear(void *dst, size_t n)
{
    static const char zero[PAGE_SIZE];
    size_t part;

    for (; n != 0; n -= part, dst = (char *)dst + part) {
        part = MIN(n, sizeof(zero));
        if (is_host((u64)dst) || !machine_guest_write((u64)dst, zero, part))
            break;
    }
    return n;
}

bool entry_load_u64(const void *p, u64 *out)
{
    return machine_guest_read((u64)p, out, sizeof(*out));
}

bool entry_read_u64(const u64 *p, u64 *out)
{
    return machine_guest_read((u64)p, out, sizeof(*out));
}

bool entry_store_u64(u64 addr, u64 val)
{
    return machine_guest_write(addr, &val, sizeof(val));
}

bool entry_load_ds(u16 sel)
{
    return sel == 0;
}

bool entry_load_es(u16 sel)
{
    return sel == 0;
}

bool entry_load_fs(u16 sel)
{
    return sel == 0;
}

bool entry_load_gs(u16 sel)
{
    return sel == 0;
}

void entry_start_guest(void)
{
    BUG();
}

/* The hypervisor's mappings. */

mfn_t hmap_template(void)
{
    return MFN(TEMPLATE_MFN);
}

const u64 *hmap_template_entries(void)
{
    return template_entries;
}

bool hmap_range(u64 va, maddr_t maddr, u64 size, u64 flags)
{
    (void)flags;
    if (is_host(va))
        hwport_map(va, maddr, size);
    return true;
}

maddr_t hmap_virt_to_maddr(const void *va)
{
    u64 a = (u64)va;

    if (a >= M2P_RO_BASE && a < M2P_RO_END)
        a = a - M2P_RO_BASE + M2P_RW_BASE;
    return hwport_map_to_maddr(a);
}

volatile void *hmap_device(maddr_t maddr, u64 size)
{
    (void)maddr, (void)size;
    return NULL;
}

/* Processors. */

u32 cpu_count(void)
{
    return MACHINE_CPUS;
}

u32 cpu_apic_id(u32 cpu)
{
    return cpu;
}

u32 cpu_acpi_id(u32 cpu)
{
    return cpu;
}

static u64 cr4_base = CR4_PAE;

void cpu_cr4_base_add(u64 bits)
{
    cr4_base |= bits;
}

u64 cpu_cr4_base(void)
{
    return cr4_base;
}

void cpu_table_bases(u64 *gdt, u64 *tss, u64 *idt)
{
    *gdt = HV_VIRT_START + machine_cpu() * 0x10000ul;
    *tss = *gdt + PAGE_SIZE;
    *idt = *gdt + 2 * PAGE_SIZE;
}

void cpu_load_syscall(void)
{
    insn_wrmsr(MSR_STAR, HWPORT_STAR);
}

maddr_t cpu_gdt_page(u32 cpu)
{
    return (8 + (u64)cpu) << PAGE_SHIFT;
}

/* The hypervisor takes NMIs on this stack then; here there are none. */
void cpu_use_ist(bool on)
{
    (void)on;
}

void cpu_load_ldt(u64 base, u32 entries)
{
    (void)base, (void)entries;
}

/* Extended state: an area of 576 bytes, never looked at. */

u32 fpu_area_size(void)
{
    return 576;
}

void fpu_init_state(struct fpu_state *f, void *area)
{
    *f = (struct fpu_state){1, 1, area};
}

void fpu_save(struct fpu_state *f)
{
    ((u8 *)f->area)[0]++;
}

void fpu_restore(const struct fpu_state *f)
{
    BUG_ON(f->area == NULL);
    (void)*(volatile u8 *)f->area;
}

void fpu_get_legacy(const struct fpu_state *f, void *out)
{
    memcpy(out, f->area, 512);
}

void fpu_set_legacy(struct fpu_state *f, const void *in)
{
    memcpy(f->area, in, 512);
}

void fpu_note_xcr0(struct fpu_state *f)
{
    (void)f;
}

bool fpu_set_xcr0(struct fpu_state *f, u64 val)
{
    f->xcr0 = val;
    return val & 1;
}

void fpu_get_image(const struct fpu_state *f, void *out)
{
    memcpy(out, f->area, fpu_area_size());
}

bool fpu_set_image(struct fpu_state *f, u64 xcr0, u64 xcr0_accum, const void *in, size_t n)
{
    f->xcr0 = xcr0;
    f->xcr0_accum = xcr0_accum;
    memcpy(f->area, in, MIN(n, (size_t)fpu_area_size()));
    return true;
}

/* The log. */

void log_msg(enum log_level level, const char *f, ...)
{
    va_list ap;

    (void)level;
    if (!machine_verbose)
        return;
    fputs("    (XEN) ", stderr);
    va_start(ap, f);
    vfprintf(stderr, f, ap);
    va_end(ap);
    if (f[strlen(f) - 1] != '\n')
        fputc('\n', stderr);
}

bool console_guest_allows(enum log_level level)
{
    (void)level;
    return machine_verbose;
}

void console_vprint(const char *prefix, const char *f, __builtin_va_list ap)
{
    fprintf(stderr, "    (XEN) %s", prefix);
    vfprintf(stderr, f, ap);
    fputc('\n', stderr);
}

void console_guest_log(enum log_level level, const char *f, ...)
{
    (void)level, (void)f;
}

void console_guest_write(struct domain *d, const char *s, size_t n)
{
    (void)d, (void)s, (void)n;
}

size_t console_read_input(char *dst, size_t n)
{
    (void)dst, (void)n;
    return 0;
}

size_t console_ring_read(u32 *idx, char *dst, size_t n, bool clear)
{
    (void)idx, (void)dst, (void)n, (void)clear;
    return 0;
}

void console_key_run(char key)
{
    (void)key;
}

void console_dump_regs(const struct cpu_regs *r, bool guest)
{
    (void)r, (void)guest;
}

void upcall_fatal_trap(struct cpu_regs *regs)
{
    machine_found("fatal trap %u", regs->vector);
}
