/* SPDX-License-Identifier: MIT */
/*
 * One inline function per privileged instruction that C code uses by itself. What must stay in
 * sequence, or is used once at start, is in arch/cpu.c and arch/cpu_work.c.
 */
#ifndef ARCH_INSN_H
#define ARCH_INSN_H

#include "base/def.h"

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_UCODE_REV      0x8b
#define MSR_MCG_CAP        0x179
#define MSR_MCG_STATUS     0x17a
#define MSR_MISC_ENABLE    0x1a0
#define MSR_DEBUGCTL       0x1d9
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_X2APIC_FIRST   0x800
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_AMD_SYSCFG     0xc0010010
#define MSR_AMD_HWCR       0xc0010015
#define MSR_AMD_DE_CFG     0xc0011029

#define DE_CFG_LFENCE (1ul << 1) /* LFENCE serialises */

#define EFER_SCE  (1ul << 0)
#define EFER_LME  (1ul << 8)
#define EFER_LMA  (1ul << 10)
#define EFER_NX   (1ul << 11)
#define EFER_SVME (1ul << 12)

#define CR0_PE (1ul << 0)
#define CR0_MP (1ul << 1)
#define CR0_TS (1ul << 3)
#define CR0_ET (1ul << 4)
#define CR0_NE (1ul << 5)
#define CR0_WP (1ul << 16)
#define CR0_AM (1ul << 18)
#define CR0_NW (1ul << 29)
#define CR0_CD (1ul << 30)
#define CR0_PG (1ul << 31)

#define CR4_TSD        (1ul << 2)
#define CR4_DE         (1ul << 3)
#define CR4_PAE        (1ul << 5)
#define CR4_MCE        (1ul << 6)
#define CR4_PGE        (1ul << 7)
#define CR4_OSFXSR     (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_UMIP       (1ul << 11)
#define CR4_FSGSBASE   (1ul << 16)
#define CR4_PCIDE      (1ul << 17)
#define CR4_OSXSAVE    (1ul << 18)
#define CR4_SMEP       (1ul << 20)
#define CR4_SMAP       (1ul << 21)

/* PAT as the PV ABI promises it: WB WT UC- UC WC WP UC UC. */
#define PAT_VALUE 0x0000050100070406ul

static inline u64 insn_rdmsr(u32 msr)
{
    u32 lo, hi;

    __asm__ __volatile__("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((u64)hi << 32) | lo;
}

static inline void insn_wrmsr(u32 msr, u64 val)
{
    __asm__ __volatile__("wrmsr" ::"c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

/* As above, but a #GP gives false instead of a panic (exception table). arch/trap.c */
bool insn_rdmsr_safe(u32 msr, u64 *val) __attribute__((warn_unused_result));
bool insn_wrmsr_safe(u32 msr, u64 val) __attribute__((warn_unused_result));

#define INSN_CR(n)                                                                                 \
    static inline u64 insn_read_cr##n(void)                                                        \
    {                                                                                              \
        u64 v;                                                                                     \
        __asm__ __volatile__("mov %%cr" #n ", %0" : "=r"(v)::"memory");                            \
        return v;                                                                                  \
    }                                                                                              \
    static inline void insn_write_cr##n(u64 v)                                                     \
    {                                                                                              \
        __asm__ __volatile__("mov %0, %%cr" #n ::"r"(v) : "memory");                               \
    }
INSN_CR(0)
INSN_CR(2)
INSN_CR(3)
INSN_CR(4)

#define INSN_DR(n)                                                                                 \
    static inline u64 insn_read_dr##n(void)                                                        \
    {                                                                                              \
        u64 v;                                                                                     \
        __asm__ __volatile__("mov %%dr" #n ", %0" : "=r"(v));                                      \
        return v;                                                                                  \
    }                                                                                              \
    static inline void insn_write_dr##n(u64 v)                                                     \
    {                                                                                              \
        __asm__ __volatile__("mov %0, %%dr" #n ::"r"(v));                                          \
    }
INSN_DR(0)
INSN_DR(1)
INSN_DR(2)
INSN_DR(3)
INSN_DR(6)
INSN_DR(7)

static inline void insn_cpuid(u32 leaf, u32 sub, u32 out[4])
{
    __asm__ __volatile__("cpuid"
                         : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                         : "a"(leaf), "c"(sub));
}

static inline u64 insn_rdtsc(void)
{
    u32 lo, hi;

    __asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return ((u64)hi << 32) | lo;
}

/* Ordered after earlier loads. */
static inline u64 insn_rdtsc_ordered(void)
{
    __asm__ __volatile__("lfence" ::: "memory");
    return insn_rdtsc();
}

static inline u64 insn_xgetbv(u32 n)
{
    u32 lo, hi;

    __asm__ __volatile__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(n));
    return ((u64)hi << 32) | lo;
}

static inline void insn_xsetbv(u32 n, u64 v)
{
    __asm__ __volatile__("xsetbv" ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)));
}

static inline void insn_invlpg(u64 va)
{
    __asm__ __volatile__("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void insn_wbinvd(void)
{
    __asm__ __volatile__("wbinvd" ::: "memory");
}

static inline void insn_pause(void)
{
    __asm__ __volatile__("pause" ::: "memory");
}

static inline void insn_cli(void)
{
    __asm__ __volatile__("cli" ::: "memory");
}

/* The interrupt shadow of sti covers hlt: no wake-up is lost between them. */
static inline void insn_sti_hlt_cli(void)
{
    __asm__ __volatile__("sti; hlt; cli" ::: "memory");
}

static inline void insn_swapgs(void)
{
    __asm__ __volatile__("swapgs" ::: "memory");
}

static inline void insn_clts(void)
{
    __asm__ __volatile__("clts" ::: "memory");
}

/* The part of a guest's state that VMRUN leaves alone: to or from the VMCB (APM vol. 2, 15.5). */
static inline void insn_vmsave(u64 vmcb)
{
    __asm__ __volatile__("vmsave" ::"a"(vmcb) : "memory");
}

static inline void insn_vmload(u64 vmcb)
{
    __asm__ __volatile__("vmload" ::"a"(vmcb) : "memory");
}

/* A machine check that ended a guest's run is taken as if it came now. */
static inline void insn_raise_mc(void)
{
    __asm__ __volatile__("int $18");
}

/* An NMI that ended a guest's run; its handler's iret ends the blocking. */
static inline void insn_raise_nmi(void)
{
    __asm__ __volatile__("int $2");
}

/* VMX (SDM vol. 3, chapter 31). False: refused. */
static inline bool insn_vmxon(u64 region)
{
    bool bad;

    __asm__ __volatile__("vmxon %1" : "=@ccbe"(bad) : "m"(region) : "memory");
    return !bad;
}

static inline void insn_vmclear(u64 vmcs)
{
    __asm__ __volatile__("vmclear %0" ::"m"(vmcs) : "memory", "cc");
}

static inline void insn_vmptrld(u64 vmcs)
{
    __asm__ __volatile__("vmptrld %0" ::"m"(vmcs) : "memory", "cc");
}

static ALWAYS_INLINE u64 insn_vmread(u64 field)
{
    u64 val;

    __asm__ __volatile__("vmread %1, %0" : "=r"(val) : "r"(field) : "cc");
    return val;
}

static ALWAYS_INLINE bool insn_vmwrite(u64 field, u64 val)
{
    bool bad;

    __asm__ __volatile__("vmwrite %1, %2" : "=@ccbe"(bad) : "r"(val), "r"(field) : "memory");
    return !bad;
}

static inline void insn_invept(u64 type, u64 eptp)
{
    const u64 d[2] = {eptp, 0};

    __asm__ __volatile__("invept %0, %1" ::"m"(d), "r"(type) : "memory", "cc");
}

static inline void insn_invvpid(u64 type)
{
    const u64 d[2] = {0, 0};

    __asm__ __volatile__("invvpid %0, %1" ::"m"(d), "r"(type) : "memory", "cc");
}

/* Loads the GDT or IDT register: linear base, offset of the last byte. */
#define INSN_TABLE(name)                                                                           \
    static inline void insn_##name(u64 base, u16 limit)                                            \
    {                                                                                              \
        struct {                                                                                   \
            u16 limit;                                                                             \
            u64 base;                                                                              \
        } PACKED ptr = {.limit = limit, .base = base};                                             \
                                                                                                   \
        __asm__ __volatile__(#name " %0" ::"m"(ptr) : "memory");                                   \
    }
INSN_TABLE(lgdt)
INSN_TABLE(lidt)

static inline void insn_lldt(u16 sel)
{
    __asm__ __volatile__("lldt %w0" ::"r"((u32)sel) : "memory");
}

#define INSN_PORT(name, type, sfx)                                                                 \
    static inline type insn_in##sfx(u16 port)                                                      \
    {                                                                                              \
        type v;                                                                                    \
        __asm__ __volatile__("in" #sfx " %1, %0" : "=a"(v) : "Nd"(port));                          \
        return v;                                                                                  \
    }                                                                                              \
    static inline void insn_out##sfx(u16 port, type v)                                             \
    {                                                                                              \
        __asm__ __volatile__("out" #sfx " %0, %1" ::"a"(v), "Nd"(port));                           \
    }
INSN_PORT(byte, u8, b)
INSN_PORT(word, u16, w)
INSN_PORT(dword, u32, l)

static inline u32 mmio_read32(const volatile void *p)
{
    return *(const volatile u32 *)p;
}

static inline void mmio_write32(volatile void *p, u32 v)
{
    *(volatile u32 *)p = v;
}

#endif
