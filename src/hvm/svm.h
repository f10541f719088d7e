/* SPDX-License-Identifier: MIT */
/* AMD SVM: the virtual machine control block (AMD APM vol. 2, appendix B) and its bits. */
#ifndef HVM_SVM_H
#define HVM_SVM_H

#include "hvm/hvm.h"

struct vmcb {
    /* Control area. */
    u16 cr_read, cr_write, dr_read, dr_write; /* intercepts, a bit per register */
    u32 exceptions;
    u32 intercept1, intercept2, intercept3;
    u8 reserved1[0x03c - 0x018];
    u16 pause_threshold, pause_count;
    u64 iopm, msrpm, tsc_offset;
    u32 asid;
    u8 tlb_control, reserved2[3];
    u64 vintr;
    u64 shadow;
    u64 exitcode, exitinfo1, exitinfo2, exitintinfo;
    u64 np_enable;
    u64 avic_bar, ghcb;
    u64 eventinj;
    u64 n_cr3;
    u64 lbr_enable;
    u32 clean, reserved3;
    u64 nrip;
    u8 insn_bytes[16];
    u8 reserved4[0x400 - 0x0e0];
    /* State save area. */
    struct hvm_seg seg[HVM_SEGS];
    u8 reserved5[0x4cb - 0x4a0];
    u8 cpl;
    u32 reserved6;
    u64 efer;
    u8 reserved7[0x548 - 0x4d8];
    u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved8[0x5d8 - 0x580];
    u64 rsp;
    u64 s_cet, ssp, isst;
    u64 rax;
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 cr2;
    u8 reserved9[0x668 - 0x648];
    u64 pat, debugctl, br_from, br_to, lastexcp_from, lastexcp_to;
    u8 reserved10[0x1000 - 0x698];
};
STATIC_ASSERT(sizeof(struct vmcb) == 0x1000, "the VMCB is a page");
STATIC_ASSERT(offsetof(struct vmcb, iopm) == 0x040, "APM vol. 2, table B-1");
STATIC_ASSERT(offsetof(struct vmcb, vintr) == 0x060, "APM vol. 2, table B-1");
STATIC_ASSERT(offsetof(struct vmcb, exitcode) == 0x070, "APM vol. 2, table B-1");
STATIC_ASSERT(offsetof(struct vmcb, eventinj) == 0x0a8, "APM vol. 2, table B-1");
STATIC_ASSERT(offsetof(struct vmcb, nrip) == 0x0c8, "APM vol. 2, table B-1");
STATIC_ASSERT(offsetof(struct vmcb, cpl) == 0x4cb, "APM vol. 2, table B-2");
STATIC_ASSERT(offsetof(struct vmcb, efer) == 0x4d0, "APM vol. 2, table B-2");
STATIC_ASSERT(offsetof(struct vmcb, rip) == 0x578, "APM vol. 2, table B-2");
STATIC_ASSERT(offsetof(struct vmcb, rax) == 0x5f8, "APM vol. 2, table B-2");
STATIC_ASSERT(offsetof(struct vmcb, cr2) == 0x640, "APM vol. 2, table B-2");
STATIC_ASSERT(offsetof(struct vmcb, pat) == 0x668, "APM vol. 2, table B-2");

/* intercept1 */
#define SVM_I1_INTR     (1u << 0)
#define SVM_I1_NMI      (1u << 1)
#define SVM_I1_SMI      (1u << 2)
#define SVM_I1_INIT     (1u << 3)
#define SVM_I1_VINTR    (1u << 4)
#define SVM_I1_RDPMC    (1u << 15)
#define SVM_I1_CPUID    (1u << 18)
#define SVM_I1_IRET     (1u << 20)
#define SVM_I1_INVD     (1u << 22)
#define SVM_I1_HLT      (1u << 24)
#define SVM_I1_INVLPGA  (1u << 26)
#define SVM_I1_IOIO     (1u << 27)
#define SVM_I1_MSR      (1u << 28)
#define SVM_I1_FERR     (1u << 30)
#define SVM_I1_SHUTDOWN (1u << 31)
/* intercept2 */
#define SVM_I2_VMRUN   (1u << 0)
#define SVM_I2_VMMCALL (1u << 1)
#define SVM_I2_VMLOAD  (1u << 2)
#define SVM_I2_VMSAVE  (1u << 3)
#define SVM_I2_STGI    (1u << 4)
#define SVM_I2_CLGI    (1u << 5)
#define SVM_I2_SKINIT  (1u << 6)
#define SVM_I2_ICEBP   (1u << 8)
#define SVM_I2_WBINVD  (1u << 9)
#define SVM_I2_MONITOR (1u << 10)
#define SVM_I2_MWAIT   (1u << 11)
#define SVM_I2_XSETBV  (1u << 13)
#define SVM_I2_RDPRU   (1u << 14)

#define SVM_VINTR_TPR     0xful
#define SVM_VINTR_IRQ     (1ul << 8)
#define SVM_VINTR_PRIO    (0xful << 16)
#define SVM_VINTR_IGN_TPR (1ul << 20)
#define SVM_VINTR_MASKING (1ul << 24)

#define SVM_TLB_FLUSH_ALL 1

/* Exit codes (APM vol. 2, appendix C). */
enum svm_exit_code {
    SVM_EXIT_CR4_WRITE = 0x14,
    SVM_EXIT_CR8_WRITE = 0x18,
    SVM_EXIT_DR_READ = 0x20,
    SVM_EXIT_DR_WRITE = 0x30,
    SVM_EXIT_EXCEPTION = 0x40,
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_SMI = 0x62,
    SVM_EXIT_INIT = 0x63,
    SVM_EXIT_VINTR = 0x64,
    SVM_EXIT_RDPMC = 0x6f,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_IRET = 0x74,
    SVM_EXIT_INVD = 0x76,
    SVM_EXIT_HLT = 0x78,
    SVM_EXIT_INVLPGA = 0x7a,
    SVM_EXIT_IOIO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_FERR = 0x7e,
    SVM_EXIT_SHUTDOWN = 0x7f,
    SVM_EXIT_VMRUN = 0x80,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_VMLOAD = 0x82,
    SVM_EXIT_VMSAVE = 0x83,
    SVM_EXIT_STGI = 0x84,
    SVM_EXIT_CLGI = 0x85,
    SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_ICEBP = 0x88,
    SVM_EXIT_WBINVD = 0x89,
    SVM_EXIT_MONITOR = 0x8a,
    SVM_EXIT_MWAIT = 0x8b,
    SVM_EXIT_XSETBV = 0x8d,
    SVM_EXIT_RDPRU = 0x8e,
    SVM_EXIT_TABLE = 0x90, /* codes below have a row in svm_exit.c */
    SVM_EXIT_NPF = 0x400,
};

#define SVM_EXIT_INVALID (~(u64)0) /* VMRUN was refused */

struct svm_vcpu {
    struct vmcb *vmcb; /* direct map */
    maddr_t vmcb_maddr;
    u32 asid_cpu, asid_generation; /* whose and which count of address space ids */
};

static ALWAYS_INLINE struct vmcb *svm_vmcb(const struct vcpu *v)
{
    return v->hvm->svm->vmcb;
}

/* What the processor offers beyond the basics (CPUID 0x8000000a). */
struct svm_features {
    bool nrip;
    bool qemu; /* its software emulation: svm_prepare */
    u32 asids;
};
extern struct svm_features svm_features;

/* svm_entry.S */
void svm_enter(void);
/* Called by it: before each entry, giving the VMCB's address; after each exit. */
u64 svm_prepare(struct cpu_regs *regs);
void svm_exit(struct cpu_regs *regs);
/* An entry has flushed this CPU's TLB, unless it was refused. */
void svm_flushed(struct vmcb *c);

void svm_queue_event(struct vcpu *v, u32 type, u32 vector, u64 error);
/* Debug registers 0 to 3 are loaded, or kept and watched. */
void svm_load_dr(struct vcpu *v);
void svm_step(struct vcpu *v, u32 len, u64 rsp);

#endif
