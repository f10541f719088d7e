/* SPDX-License-Identifier: MIT */
/*
 * Intel VMX: the fields of the virtual machine control structure and their bits (Intel SDM vol. 3,
 * chapters 25 to 28, appendices A to C).
 */
#ifndef HVM_VMX_H
#define HVM_VMX_H

#include "arch/insn.h"
#include "hvm/hvm.h"

/* Field encodings (SDM vol. 3, appendix B). */
enum vmcs_field {
    VMCS_VPID = 0x0000,
    VMCS_GUEST_SEL = 0x0800, /* ES CS SS DS FS GS LDTR TR, 2 apart */
    VMCS_HOST_CS_SEL = 0x0c02,
    VMCS_HOST_SS_SEL = 0x0c04,
    VMCS_HOST_TR_SEL = 0x0c0c,
    VMCS_MSR_BITMAP = 0x2004,
    VMCS_EPTP = 0x201a,
    VMCS_GUEST_PHYS = 0x2400,
    VMCS_LINK = 0x2800,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PDPTE = 0x280a, /* four, 2 apart */
    VMCS_HOST_PAT = 0x2c00,
    VMCS_HOST_EFER = 0x2c02,
    VMCS_PIN = 0x4000,
    VMCS_PRIMARY = 0x4002,
    VMCS_EXCEPTIONS = 0x4004,
    VMCS_EXIT_CTL = 0x400c,
    VMCS_ENTRY_CTL = 0x4012,
    VMCS_ENTRY_EVENT = 0x4016,
    VMCS_ENTRY_ERROR = 0x4018,
    VMCS_SECONDARY = 0x401e,
    VMCS_INSN_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_EVENT = 0x4404,
    VMCS_EXIT_ERROR = 0x4406,
    VMCS_IDT_EVENT = 0x4408,
    VMCS_IDT_ERROR = 0x440a,
    VMCS_INSN_LEN = 0x440c,
    VMCS_GUEST_LIMIT = 0x4800, /* as the selectors, then GDTR, IDTR */
    VMCS_GUEST_AR = 0x4814,
    VMCS_GUEST_SHADOW = 0x4824,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    VMCS_QUALIFICATION = 0x6400,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_BASE = 0x6806, /* as the limits */
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DB = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

/* Pin-based controls. */
#define VMX_PIN_INTR        (1u << 0)
#define VMX_PIN_NMI         (1u << 3)
#define VMX_PIN_VIRTUAL_NMI (1u << 5)
/* Primary processor-based controls. */
#define VMX_INTR_WINDOW (1u << 2)
#define VMX_HLT         (1u << 7)
#define VMX_MWAIT       (1u << 10)
#define VMX_RDPMC       (1u << 11)
#define VMX_CR3_LOAD    (1u << 15)
#define VMX_CR3_STORE   (1u << 16)
#define VMX_CR8_LOAD    (1u << 19)
#define VMX_CR8_STORE   (1u << 20)
#define VMX_NMI_WINDOW  (1u << 22)
#define VMX_MOV_DR      (1u << 23)
#define VMX_IO          (1u << 24)
#define VMX_MSR_BITMAPS (1u << 28)
#define VMX_MONITOR     (1u << 29)
#define VMX_SECONDARY   (1u << 31)
/* Secondary ones. */
#define VMX2_EPT          (1u << 1)
#define VMX2_RDTSCP       (1u << 3)
#define VMX2_VPID         (1u << 5)
#define VMX2_WBINVD       (1u << 6)
#define VMX2_UNRESTRICTED (1u << 7)
#define VMX2_INVPCID      (1u << 12)
/* Exit and entry controls. */
#define VMX_EXIT_DEBUG     (1u << 2)
#define VMX_EXIT_HOST64    (1u << 9)
#define VMX_EXIT_SAVE_PAT  (1u << 18)
#define VMX_EXIT_LOAD_PAT  (1u << 19)
#define VMX_EXIT_SAVE_EFER (1u << 20)
#define VMX_EXIT_LOAD_EFER (1u << 21)
#define VMX_ENTRY_DEBUG    (1u << 2)
#define VMX_ENTRY_LONG     (1u << 9)
#define VMX_ENTRY_PAT      (1u << 14)
#define VMX_ENTRY_EFER     (1u << 15)

#define VMX_AR_UNUSABLE (1u << 16)

/* Interruptibility. */
#define VMX_SHADOW_STI_SS 3u
#define VMX_SHADOW_NMI    8u

/* Basic exit reasons (SDM vol. 3, appendix C). */
enum vmx_exit_reason {
    VMX_EXIT_EXCEPTION = 0,
    VMX_EXIT_INTR = 1,
    VMX_EXIT_TRIPLE = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_INTR_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR = 28,
    VMX_EXIT_DR = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_EPT = 48,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_REASONS = 64,
};
#define VMX_EXIT_FAILED_ENTRY (1u << 31)

#define VMX_VPIDS     0x10000u
#define VMX_CALL_MSRS 5u

struct vmx_vcpu {
    maddr_t vmcs;
    u64 eptp;
    u32 primary;  /* VMCS_PRIMARY, to save reads */
    u32 loaded;   /* CPU whose structure it is now, + 1; 0: in memory */
    u32 host_cpu; /* CPU whose host state it has, + 1 */
    bool launched;
    u64 event; /* to be delivered, as hvm_event has it; 0: none */
    u64 cr2, dr6;
    u64 call_msr[VMX_CALL_MSRS]; /* the system calls', while switched out */
    u32 vpid_cpu, vpid_generation;
};

/* Of the structure that is loaded on this CPU. */
static ALWAYS_INLINE u64 vmx_read(u32 field)
{
    return insn_vmread(field);
}

static ALWAYS_INLINE void vmx_write(u32 field, u64 val)
{
    bool ok = insn_vmwrite(field, val);

    ASSERT(ok);
}

/* vmx_entry.S */
void vmx_enter(void);
void vmx_exit_entry(void);
/* Called by it: before each entry, true: to be resumed; after each exit; after a refused entry. */
bool vmx_prepare(struct cpu_regs *regs);
void vmx_exit(struct cpu_regs *regs);
void vmx_refused(struct cpu_regs *regs);

/* The current vCPU's. */
u64 vmx_get_cr0(void);
u64 vmx_get_cr4(void);
/* Checked value; the processor gets what it insists on as well. */
void vmx_put_cr0(u64 val);
void vmx_put_cr4(u64 val);
void vmx_put_efer(u64 val);
/*
 * PAE paging outside long mode: the four top entries are in the processor (SDM vol. 3, 4.4.1).
 * False: there is no memory, or they are impossible; nothing has changed.
 */
bool vmx_load_pdptes(struct vcpu *v, u64 cr0, u64 cr3, u64 cr4, u64 efer) MUST_CHECK;
void vmx_set_primary(struct vcpu *v, u32 bits, bool on);
void vmx_load_dr(struct vcpu *v);
void vmx_add_dr6(struct vcpu *v, u64 bits);
void vmx_step(struct vcpu *v, u32 len, u64 rsp);

#endif
