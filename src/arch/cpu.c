/* SPDX-License-Identifier: MIT */
/*
 * One physical CPU: features, descriptor tables, stacks, syscall stub, control registers.
 *
 * Each CPU has a GDT page of its own that holds only the hypervisor's and the ABI's flat
 * descriptors; it is mapped as page 14 of the running vCPU's GDT, so a switch of vCPU never needs
 * another TSS.
 */
#include "arch/cpu.h"

#include "arch/entry.h"
#include "arch/fpu.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/upcalls.h"
#include "base/lib.h"

struct cpu_features cpu_features;

struct tss64 {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, iomap;
} PACKED;

struct idt_gate {
    u16 offset_lo, sel;
    u8 ist, type;
    u16 offset_mid;
    u32 offset_hi, reserved;
} PACKED;

struct cpu_tables {
    u64 *gdt; /* the page, direct map */
    maddr_t gdt_maddr;
    struct cpu_info *info;
    struct tss64 *tss;
    u32 apic_id, acpi_id;
};

static struct cpu_tables cpu_tables[MAX_CPUS];
static u32 cpus_up;
static struct idt_gate idt[256] ALIGNED(4096), idt_no_ist[256] ALIGNED(4096);
static u64 stub_frames[1]; /* one page of stubs serves 64 CPUs */

STATIC_ASSERT(4096 / STUB_SIZE >= MAX_CPUS, "the stubs fit one page");

enum { IST_NMI = 1, IST_MCE = 2, IST_DF = 3, IST_DB = 4 };

struct cpu_info *cpu_info_of(u32 cpu)
{
    return cpu_tables[cpu].info;
}

u32 cpu_count(void)
{
    return atomic_load_acquire(&cpus_up);
}

u32 cpu_apic_id(u32 cpu)
{
    return cpu_tables[cpu].apic_id;
}

u32 cpu_acpi_id(u32 cpu)
{
    return cpu_tables[cpu].acpi_id;
}

maddr_t cpu_gdt_page(u32 cpu)
{
    return cpu_tables[cpu].gdt_maddr;
}

u64 cpu_stack_top(u32 cpu)
{
    return (u64)cpu_tables[cpu].info;
}

void cpu_mark_up(u32 cpu)
{
    if (cpu >= atomic_load(&cpus_up))
        atomic_store_release(&cpus_up, cpu + 1);
}

static bool feature(u32 leaf, u32 sub, u32 reg, u32 bit)
{
    u32 r[4];

    if (leaf > ((leaf & 0x80000000u) ? cpu_features.max_ext_leaf : cpu_features.max_leaf))
        return false;
    insn_cpuid(leaf, sub, r);
    return (r[reg] >> bit) & 1;
}

enum { EAX, EBX, ECX, EDX };

/* x87, SSE, AVX, AVX-512: what is offered. MPX, PKRU and AMX are not. */
#define XCR0_OFFERED 0xe7ul

static void probe_xsave(struct cpu_features *f)
{
    u32 r[4], i, end;

    f->xsave = feature(1, 0, ECX, 26) && f->max_leaf >= 0xd;
    if (!f->xsave)
        return;
    insn_cpuid(0xd, 0, r);
    f->xcr0_mask = (r[EAX] | ((u64)r[EDX] << 32)) & XCR0_OFFERED;
    if ((f->xcr0_mask & 0xe0) != 0xe0)
        f->xcr0_mask &= ~0xe0ul;
    f->xsave_size = 576;
    for (i = 2; i < 8; i++) {
        if (!((f->xcr0_mask >> i) & 1))
            continue;
        insn_cpuid(0xd, i, r);
        end = r[EAX] + r[EBX];
        f->xsave_size = MAX(f->xsave_size, end);
    }
    f->xsaveopt = feature(0xd, 1, EAX, 0);
}

void cpu_probe(void)
{
    struct cpu_features *f = &cpu_features;
    u32 r[4];

    insn_cpuid(0, 0, r);
    f->max_leaf = r[EAX];
    memcpy(f->vendor, &r[EBX], 4);
    memcpy(f->vendor + 4, &r[EDX], 4);
    memcpy(f->vendor + 8, &r[ECX], 4);
    f->amd = strcmp(f->vendor, "AuthenticAMD") == 0 || strcmp(f->vendor, "HygonGenuine") == 0;
    f->intel = strcmp(f->vendor, "GenuineIntel") == 0;
    insn_cpuid(0x80000000, 0, r);
    f->max_ext_leaf = r[EAX];
    insn_cpuid(1, 0, r);
    f->leaf1_eax = r[EAX];
    f->phys_bits = 36;
    if (f->max_ext_leaf >= 0x80000008) {
        insn_cpuid(0x80000008, 0, r);
        f->phys_bits = (u8)r[EAX];
    }
    f->nx = feature(0x80000001, 0, EDX, 20);
    f->page1g = feature(0x80000001, 0, EDX, 26);
    f->rdtscp = feature(0x80000001, 0, EDX, 27);
    f->svm = feature(0x80000001, 0, ECX, 2);
    f->pge = feature(1, 0, EDX, 13);
    f->sep = feature(1, 0, EDX, 11);
    f->vmx = feature(1, 0, ECX, 5);
    f->x2apic = feature(1, 0, ECX, 21);
    f->tsc_deadline = feature(1, 0, ECX, 24);
    f->in_vm = feature(1, 0, ECX, 31);
    f->fsgsbase = feature(7, 0, EBX, 0);
    f->smep = feature(7, 0, EBX, 7);
    f->tsc_invariant = feature(0x80000007, 0, EDX, 8);
    /* SYSCALL from compatibility mode is AMD's; SYSENTER in long mode Intel's. */
    f->syscall32 = f->amd;
    probe_xsave(f);
}

static void idt_init(void)
{
    u32 i;

    for (i = 0; i < 256; i++) {
        u64 target = (u64)entry_stubs + i * 16;
        struct idt_gate *g = &idt[i];

        g->offset_lo = (u16)target;
        g->offset_mid = (u16)(target >> 16);
        g->offset_hi = (u32)(target >> 32);
        g->sel = SEL_HV_CS;
        /* int3, into and int 0x80 may come from ring 3 by instruction. */
        g->type = (i == TRAP_BP || i == TRAP_OF || i == 0x80) ? 0xee : 0x8e;
        g->ist = i == TRAP_NMI  ? IST_NMI
                 : i == TRAP_MC ? IST_MCE
                 : i == TRAP_DF ? IST_DF
                 : i == TRAP_DB ? IST_DB
                                : 0;
        idt_no_ist[i] = *g;
        idt_no_ist[i].ist = 0;
    }
}

/* A selector's entry in the page `gdt`. */
#define GDT_SLOT(sel) gdt[((sel)-GDT_RESERVED_BYTES) / 8]

static void gdt_fill(u64 *gdt, const struct tss64 *tss)
{
    u64 a = (u64)tss;

    GDT_SLOT(SEL_HV_CS) = 0x00af9b000000ffff;
    GDT_SLOT(SEL_HV_DS) = 0x00cf93000000ffff;
    GDT_SLOT(SEL_GUEST_CS32) = 0x00cffb000000ffff;
    GDT_SLOT(SEL_GUEST_DS) = 0x00cff3000000ffff;
    GDT_SLOT(SEL_GUEST_CS64) = 0x00affb000000ffff;
    GDT_SLOT(SEL_TSS) = 0x0000890000000000ul | (sizeof(*tss) - 1) | ((a & 0xffffff) << 16) |
                        ((a & 0xff000000) << 32);
    GDT_SLOT(SEL_TSS + 8) = a >> 32;
}

/*
 * The stub: saves the guest's stack pointer, loads ours and jumps. Its constants are this CPU's
 * addresses, so no register and no GS base is needed.
 */
static void stub_write(u8 *p, u64 at, const struct cpu_info *info, void (*target)(void))
{
    u64 scratch = (u64)&info->scratch, top = (u64)&info->vcpu;
    s32 rel;

    p[0] = 0x48, p[1] = 0x89, p[2] = 0x25; /* mov %rsp, rel(%rip) */
    rel = (s32)(scratch - (at + 7));
    memcpy(p + 3, &rel, 4);
    p[7] = 0x48, p[8] = 0x8d, p[9] = 0x25; /* lea rel(%rip), %rsp */
    rel = (s32)(top - (at + 14));
    memcpy(p + 10, &rel, 4);
    p[14] = 0xe9; /* jmp rel */
    rel = (s32)((u64)target - (at + 19));
    memcpy(p + 15, &rel, 4);
}

static bool map_stack(u32 cpu)
{
    static const u8 pages[] = {1, 3, 5, 7, 12, 13, 14, 15};
    u64 base = STACKS_BASE + (u64)cpu * STACK_SIZE;
    u32 i;

    for (i = 0; i < ARRAY_SIZE(pages); i++) {
        mfn_t m = upcall_alloc_table();

        if (mfn_eq(m, MFN_INVALID) || !hmap_range(base + pages[i] * PAGE_SIZE, mfn_to_maddr(m),
                                                  PAGE_SIZE, PTE_P | PTE_RW | PTE_NX))
            return false;
    }
    return true;
}

void cpu_set_ids(u32 cpu, u32 apic_id, u32 acpi_id)
{
    cpu_tables[cpu].apic_id = apic_id;
    cpu_tables[cpu].acpi_id = acpi_id;
}

bool cpu_alloc(u32 cpu, u32 apic_id, u32 acpi_id)
{
    struct cpu_tables *t = &cpu_tables[cpu];
    u64 base = STACKS_BASE + (u64)cpu * STACK_SIZE;
    u64 stub = STUBS_BASE + (u64)cpu * STUB_SIZE;
    mfn_t m;
    u8 *p;

    if (stub_frames[0] == 0) {
        m = upcall_alloc_table();
        if (mfn_eq(m, MFN_INVALID) || !hmap_range(STUBS_BASE, mfn_to_maddr(m), PAGE_SIZE, PTE_P))
            return false;
        stub_frames[0] = mfn_to_maddr(m);
    }
    m = upcall_alloc_table(); /* GDT page; the TSS lives in its second half */
    if (mfn_eq(m, MFN_INVALID) || !map_stack(cpu))
        return false;
    t->gdt_maddr = mfn_to_maddr(m);
    t->gdt = hmap_direct(t->gdt_maddr);
    t->tss = (struct tss64 *)((u8 *)t->gdt + 2048);
    t->info = (struct cpu_info *)(base + STACK_SIZE - sizeof(struct cpu_info));
    cpu_set_ids(cpu, apic_id, acpi_id);
    t->info->cpu_id = cpu;
    t->tss->iomap = sizeof(*t->tss);
    t->tss->rsp[0] = (u64)&t->info->vcpu;
    t->tss->ist[IST_NMI - 1] = base + STACK_NMI_TOP;
    t->tss->ist[IST_MCE - 1] = base + STACK_MCE_TOP;
    t->tss->ist[IST_DF - 1] = base + STACK_DF_TOP;
    t->tss->ist[IST_DB - 1] = base + STACK_DB_TOP;
    gdt_fill(t->gdt, t->tss);
    p = (u8 *)hmap_direct(stub_frames[0]) + cpu * STUB_SIZE;
    stub_write(p, stub, t->info, upcall_syscall_entry);
    stub_write(p + 32, stub + 32, t->info, upcall_syscall32_entry);
    return true;
}

static void load_tables(u32 cpu)
{
    insn_lgdt((u64)cpu_tables[cpu].gdt - GDT_RESERVED_BYTES, GDT_RESERVED_BYTES + 0xfff);
    cpu_use_ist(true);
    __asm__ __volatile__("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" ::"i"(SEL_HV_CS)
                         : "rax", "memory");
    __asm__ __volatile__(
        "mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" ::"r"(SEL_HV_DS),
        "r"(0));
    insn_lldt(0);
    __asm__ __volatile__("ltr %w0" ::"r"(SEL_TSS));
}

void cpu_load_syscall(void)
{
    u64 stub = STUBS_BASE + (u64)cpu_id() * STUB_SIZE;

    insn_wrmsr(MSR_STAR, ((u64)SEL_GUEST_CS32 << 48) | ((u64)SEL_HV_CS << 32));
    insn_wrmsr(MSR_LSTAR, stub);
    insn_wrmsr(MSR_CSTAR, stub + 32);
    insn_wrmsr(MSR_SFMASK,
               RFLAGS_VM | RFLAGS_RF | RFLAGS_NT | RFLAGS_DF | RFLAGS_IF | RFLAGS_TF | RFLAGS_AC);
    /* SYSENTER gives #GP, whatever the firmware left there and whose processor it is. */
    if (cpu_features.sep) {
        insn_wrmsr(MSR_SYSENTER_CS, 0);
        insn_wrmsr(MSR_SYSENTER_EIP, 0);
    }
}

static u64 cr4_more;

void cpu_cr4_base_add(u64 bits)
{
    cr4_more |= bits;
}

/* Control registers that stay as they are set here; a vCPU's CR4 choices are or-ed in later. */
u64 cpu_cr4_base(void)
{
    u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_MCE | CR4_DE;

    if (cpu_features.pge)
        cr4 |= CR4_PGE;
    if (cpu_features.xsave)
        cr4 |= CR4_OSXSAVE;
    if (cpu_features.smep)
        cr4 |= CR4_SMEP;
    return cr4 | cr4_more;
}

void cpu_init_this(u32 cpu)
{
    u64 efer = insn_rdmsr(MSR_EFER);

    if (cpu == 0)
        idt_init();
    load_tables(cpu);
    insn_write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE | CR0_AM);
    insn_write_cr4(cpu_cr4_base());
    insn_wrmsr(MSR_EFER, efer | EFER_SCE | (cpu_features.nx ? EFER_NX : 0));
    insn_wrmsr(MSR_PAT, PAT_VALUE);
    insn_wbinvd();
    cpu_load_syscall();
    insn_write_dr7(0x400);
    insn_write_dr6(0xffff0ff0);
    fpu_init_this_cpu();
}

void cpu_table_bases(u64 *gdt, u64 *tss, u64 *idt_base)
{
    const struct cpu_tables *t = &cpu_tables[cpu_id()];

    *gdt = (u64)t->gdt - GDT_RESERVED_BYTES;
    *tss = (u64)t->tss;
    *idt_base = (u64)idt;
}

void cpu_use_ist(bool on)
{
    insn_lidt((u64)(on ? idt : idt_no_ist), sizeof(idt) - 1);
}

void cpu_load_ldt(u64 base, u32 entries)
{
    u64 *gdt = cpu_tables[cpu_id()].gdt;
    u64 limit = (u64)entries * 8 - 1;

    if (entries == 0) {
        insn_lldt(0);
        return;
    }
    GDT_SLOT(SEL_LDT) = 0x0000820000000000ul | (limit & 0xffff) | ((limit & 0xf0000) << 32) |
                        ((base & 0xffffff) << 16) | ((base & 0xff000000) << 32);
    GDT_SLOT(SEL_LDT + 8) = base >> 32;
    insn_lldt(SEL_LDT);
}

void cpu_halt_forever(void)
{
    for (;;)
        __asm__ __volatile__("cli; hlt");
}
