/* SPDX-License-Identifier: MIT */
/* Privileged instructions act on the machine's CPU. Constants are the real header's. */
#ifndef HVFUZZ_INSN_H
#define HVFUZZ_INSN_H

#define insn_rdmsr         hw_rdmsr
#define insn_wrmsr         hw_wrmsr
#define insn_read_cr0      hw_read_cr0
#define insn_read_cr2      hw_read_cr2
#define insn_read_cr3      hw_read_cr3
#define insn_read_cr4      hw_read_cr4
#define insn_write_cr0     hw_write_cr0
#define insn_write_cr2     hw_write_cr2
#define insn_write_cr3     hw_write_cr3
#define insn_write_cr4     hw_write_cr4
#define insn_read_dr0      hw_read_dr0
#define insn_read_dr1      hw_read_dr1
#define insn_read_dr2      hw_read_dr2
#define insn_read_dr3      hw_read_dr3
#define insn_read_dr6      hw_read_dr6
#define insn_read_dr7      hw_read_dr7
#define insn_write_dr0     hw_write_dr0
#define insn_write_dr1     hw_write_dr1
#define insn_write_dr2     hw_write_dr2
#define insn_write_dr3     hw_write_dr3
#define insn_write_dr6     hw_write_dr6
#define insn_write_dr7     hw_write_dr7
#define insn_cpuid         hw_cpuid
#define insn_rdtsc         hw_rdtsc
#define insn_rdtsc_ordered hw_rdtsc_ordered
#define insn_xgetbv        hw_xgetbv
#define insn_xsetbv        hw_xsetbv
#define insn_invlpg        hw_invlpg
#define insn_wbinvd        hw_wbinvd
#define insn_pause         hw_pause
#define insn_cli           hw_cli
#define insn_sti_hlt_cli   hw_sti_hlt_cli
#define insn_swapgs        hw_swapgs
#define insn_clts          hw_clts
#define insn_lgdt          hw_lgdt
#define insn_lidt          hw_lidt
#define insn_lldt          hw_lldt
#define insn_vmsave        hw_vmsave
#define insn_vmload        hw_vmload
#define insn_raise_mc      hw_raise_mc
#define insn_vmxon         hw_vmxon
#define insn_vmclear       hw_vmclear
#define insn_vmptrld       hw_vmptrld
#define insn_vmread        hw_vmread
#define insn_vmwrite       hw_vmwrite
#define insn_invept        hw_invept
#define insn_invvpid       hw_invvpid
#define insn_raise_nmi     hw_raise_nmi
#define insn_inb           hw_inb
#define insn_inw           hw_inw
#define insn_inl           hw_inl
#define insn_outb          hw_outb
#define insn_outw          hw_outw
#define insn_outl          hw_outl
#include_next "arch/insn.h"
#undef insn_rdmsr
#undef insn_wrmsr
#undef insn_read_cr0
#undef insn_read_cr2
#undef insn_read_cr3
#undef insn_read_cr4
#undef insn_write_cr0
#undef insn_write_cr2
#undef insn_write_cr3
#undef insn_write_cr4
#undef insn_read_dr0
#undef insn_read_dr1
#undef insn_read_dr2
#undef insn_read_dr3
#undef insn_read_dr6
#undef insn_read_dr7
#undef insn_write_dr0
#undef insn_write_dr1
#undef insn_write_dr2
#undef insn_write_dr3
#undef insn_write_dr6
#undef insn_write_dr7
#undef insn_cpuid
#undef insn_rdtsc
#undef insn_rdtsc_ordered
#undef insn_xgetbv
#undef insn_xsetbv
#undef insn_invlpg
#undef insn_wbinvd
#undef insn_pause
#undef insn_cli
#undef insn_sti_hlt_cli
#undef insn_swapgs
#undef insn_clts
#undef insn_lgdt
#undef insn_lidt
#undef insn_lldt
#undef insn_vmsave
#undef insn_vmload
#undef insn_raise_mc
#undef insn_vmxon
#undef insn_vmclear
#undef insn_vmptrld
#undef insn_vmread
#undef insn_vmwrite
#undef insn_invept
#undef insn_invvpid
#undef insn_raise_nmi
#undef insn_inb
#undef insn_inw
#undef insn_inl
#undef insn_outb
#undef insn_outw
#undef insn_outl

u64 insn_rdmsr(u32 msr);
void insn_wrmsr(u32 msr, u64 val);
u64 insn_read_cr0(void);
u64 insn_read_cr2(void);
u64 insn_read_cr3(void);
u64 insn_read_cr4(void);
void insn_write_cr0(u64 v);
void insn_write_cr2(u64 v);
void insn_write_cr3(u64 v);
void insn_write_cr4(u64 v);
u64 insn_rdtsc(void);
u64 insn_rdtsc_ordered(void);
void insn_cpuid(u32 leaf, u32 sub, u32 out[4]);
u64 insn_xgetbv(u32 n);
void insn_xsetbv(u32 n, u64 v);
void insn_invlpg(u64 va);
void insn_pause(void);
void insn_lgdt(u64 base, u16 limit);

void insn_vmload(u64 vmcb);

static inline void insn_vmsave(u64 vmcb)
{
    (void)vmcb; /* what it would write is there */
}

static inline void insn_raise_mc(void)
{
}

static inline void insn_raise_nmi(void)
{
}

bool insn_vmxon(u64 region);
void insn_vmclear(u64 vmcs);
void insn_vmptrld(u64 vmcs);
u64 insn_vmread(u64 field);
bool insn_vmwrite(u64 field, u64 val);
void insn_invept(u64 type, u64 eptp);
void insn_invvpid(u64 type);

static inline void insn_wbinvd(void)
{
}

static inline void insn_cli(void)
{
}

static inline void insn_swapgs(void)
{
}

static inline void insn_clts(void)
{
}

#define MACHINE_DR(n)                                                                              \
    static inline u64 insn_read_dr##n(void)                                                        \
    {                                                                                              \
        return 0;                                                                                  \
    }                                                                                              \
    static inline void insn_write_dr##n(u64 v)                                                     \
    {                                                                                              \
        (void)v;                                                                                   \
    }
MACHINE_DR(0)
MACHINE_DR(1)
MACHINE_DR(2)
MACHINE_DR(3)
MACHINE_DR(6)
MACHINE_DR(7)

#define MACHINE_PORT(type, sfx)                                                                    \
    static inline type insn_in##sfx(u16 port)                                                      \
    {                                                                                              \
        (void)port;                                                                                \
        return (type)~0u;                                                                          \
    }                                                                                              \
    static inline void insn_out##sfx(u16 port, type v)                                             \
    {                                                                                              \
        (void)port, (void)v;                                                                       \
    }
MACHINE_PORT(u8, b)
MACHINE_PORT(u16, w)
MACHINE_PORT(u32, l)

#endif
