/* SPDX-License-Identifier: MIT */
/*
 * Hardware-assisted guests: what a domain and a vCPU of this kind have, and what the processor
 * vendor's part does for the common one. The processor's guest state (VMCB) is the vendor's; the
 * general registers are in cpu_info()->guest after an exit, or in vcpu.regs.
 */
#ifndef HVM_HVM_H
#define HVM_HVM_H

#include "core/domain.h"
#include "core/physmap.h"
#include "core/timer.h"
#include "pure/gwalk.h"
#include "pure/vlapic.h"

/* Segment registers in the order of the VMCB (AMD APM vol. 2, appendix B). */
enum hvm_seg_nr {
    HVM_ES,
    HVM_CS,
    HVM_SS,
    HVM_DS,
    HVM_FS,
    HVM_GS,
    HVM_GDTR,
    HVM_LDTR,
    HVM_IDTR,
    HVM_TR,
    HVM_SEGS
};

/* Attributes: descriptor bits 40-47 and 52-55, packed into 12 bits; as in the ABI's records. */
#define HVM_ATTR_L (1u << 9)
#define HVM_ATTR_D (1u << 10)

struct hvm_seg {
    u16 sel, attr;
    u32 limit;
    u64 base;
};

/* Everything beside the general registers, for whoever is in no hurry. */
struct hvm_state {
    struct hvm_seg seg[HVM_SEGS];
    u64 rip, rsp, rflags;
    u64 cr0, cr2, cr3, cr4, efer;
    u64 dr6, dr7, pat;
    u64 star, lstar, cstar, sfmask, shadow_gs;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 event; /* on its way into the guest, as hvm_event has it; without HVM_EVENT_VALID: none */
};

#define HVM_MTRR_FIXED 11
#define HVM_MTRR_VAR   8
struct hvm_mtrr {
    u64 var[2 * HVM_MTRR_VAR], fixed[HVM_MTRR_FIXED], def_type;
};

/* An event to deliver, in the form both vendors' control structures have; error code above. */
#define HVM_EVENT_VALID (1ul << 31)
#define HVM_EVENT_EV    (1ul << 11)
#define HVM_EVENT_INTR  0u
#define HVM_EVENT_NMI   2u
#define HVM_EVENT_FAULT 3u
#define HVM_NO_ERROR    (~(u64)0)

#define HVM_START 0x100u /* hvm_vcpu.start: start in real mode at vector << 12 */

struct hvm_vcpu {
    struct vlapic apic;
    struct timer apic_timer;
    bool apic_timer_due;
    bool nmi_due, nmi_blocked;
    u8 upcall_vector; /* HVMOP_set_evtchn_upcall_vector; 0: the domain's callback */
    u32 start;        /* HVM_START | vector: a start-up IPI is to be obeyed; atomic */
    bool wait_start;  /* down by INIT, or never up */
    u32 epoch;        /* of the physical memory the ASID belongs to */
    u64 dr[4];
    bool dr_loaded; /* DR0-3 are in the processor */
    u64 tsc_aux;
    u64 cr4_allowed;
    struct hvm_mtrr mtrr;
    struct svm_vcpu *svm; /* the vendor's part: one of the two */
    struct vmx_vcpu *vmx;
};

struct hvm_domain {
    u64 params[HVM_NR_PARAMS];
    u8 callback_vector; /* 0: none */
    u32 epoch;          /* counts changes of the physical memory; atomic */
    u64 cpus;           /* where its vCPUs are loaded; atomic bits */
};

/* What a processor vendor's part does. On the vCPU's own CPU unless said otherwise. */
struct hvm_vendor {
    const char *name;
    const struct p2m_format *format;
    int (*vcpu_init)(struct vcpu *v);
    void (*vcpu_fini)(struct vcpu *v);
    void (*switch_in)(struct vcpu *v);
    void (*switch_out)(struct vcpu *v);
    /* Current vCPU, or one whose state is in memory. */
    void (*get_state)(struct vcpu *v, struct hvm_state *s);
    void (*set_state)(struct vcpu *v, const struct hvm_state *s);
    /* How the guest translates, and whether it is in user mode (CPL 3). */
    void (*get_paging)(const struct vcpu *v, struct gwalk_mode *m, bool *user);
    /* May an external interrupt be queued now? And: exit when it may. */
    bool (*can_interrupt)(const struct vcpu *v);
    void (*want_window)(struct vcpu *v);
    /* Delivers an event at the next entry; type HVM_EVENT_. */
    void (*queue_event)(struct vcpu *v, u32 type, u32 vector, u64 error);
    /* An NMI, and an exit when the guest's handler is done. False: an event is queued already. */
    bool (*queue_nmi)(struct vcpu *v);
    void (*set_tpr)(struct vcpu *v, u8 tpr);
    void (*set_cr2)(struct vcpu *v, u64 val);
    void (*set_efer)(struct vcpu *v, u64 val); /* checked */
    void (*set_pat)(struct vcpu *v, u64 val);
    /* The instruction of len bytes has been carried out; rsp is its result or the old one. */
    void (*step)(struct vcpu *v, u32 len, u64 rsp);
};
/* The one of this machine; NULL: it cannot run such guests. Set once at boot. */
extern const struct hvm_vendor *hvm_vendor;
extern const struct hvm_vendor svm_vendor, vmx_vendor;
/* Its way into the current vCPU's guest: from cpu_info()->guest, never returns. Assembly. */
extern void (*hvm_enter)(void);

/*
 * Boot, when all CPUs are up and before any runs a guest: looks for a vendor and prepares the CPUs;
 * says in the log what there is.
 */
void hvm_init(void);
static inline bool hvm_offered(void)
{
    return hvm_vendor != NULL;
}
extern const struct guest_kind hvm_guest_kind;

/* svm.c, vmx.c: false: not present, or switched off by the firmware (logged). */
bool svm_init(void) MUST_CHECK;
bool vmx_init(void) MUST_CHECK;

/*
 * hvm_exit.c: the meaning of exits, of the current vCPU. bool: the instruction is done; false: a
 * fault is queued instead.
 */
void hvm_exit_cpuid(struct vcpu *v, struct cpu_regs *regs);
bool hvm_exit_msr(struct vcpu *v, struct cpu_regs *regs, bool write) MUST_CHECK;
/* No port has anything behind it: reads give ones, writes go nowhere. size: 1, 2, 4 bytes. */
bool hvm_exit_port(struct vcpu *v, struct cpu_regs *regs, u32 port, u32 size, bool in,
                   bool string) MUST_CHECK;
bool hvm_exit_xsetbv(struct vcpu *v, const struct cpu_regs *regs, bool user) MUST_CHECK;
/* May CR4 become val? Then the guest's translations are forgotten where they must be. */
bool hvm_exit_cr4(struct vcpu *v, u64 val, u64 old, u64 cr3, u64 efer) MUST_CHECK;
void hvm_exit_machine_check(void);
/* DR0 to DR3 of the current vCPU: into the processor, and out. */
void hvm_load_dr(struct hvm_vcpu *h);
void hvm_store_dr(struct hvm_vcpu *h);
void hvm_exit_triple_fault(struct vcpu *v);
/* No translation of gpa; walk: the guest's own tables are there. */
void hvm_exit_nested_fault(struct vcpu *v, u64 gpa, bool write, bool walk, struct cpu_regs *regs);
/* The event to deliver when (type, vector, error) comes and `old` (0: none) is undelivered. */
u64 hvm_event(struct vcpu *v, u64 old, u32 type, u32 vector, u64 error);
/*
 * The event an exit interrupted the delivery of, if it is to be delivered again; else 0. Software
 * interrupts are not: their instruction is executed once more.
 */
u64 hvm_event_again(u64 event);

/* hvm_intr.c */
/* Something about v's interrupts has changed: it looks before its next entry. Any CPU. */
void hvm_intr_poke(struct vcpu *v);
/* Before an entry, interrupts off: starts, delivers or arranges to. */
void hvm_intr_prepare(struct vcpu *v);
/* struct guest_kind, event_due. */
bool hvm_intr_due(struct vcpu *v);
static ALWAYS_INLINE bool hvm_intr_look(const struct vcpu *v, const struct hvm_vcpu *h)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) | READ_ONCE(h->apic.irr_any);
}
/* HLT. */
void hvm_intr_halt(struct vcpu *v, bool interrupts_on);
/* Delivers an exception to the current vCPU. */
void hvm_intr_fault(struct vcpu *v, u32 vector, u64 error);
/* Register access of the current vCPU; reg: enum vlapic_reg. False: #GP (x2APIC). */
bool hvm_apic_read(struct vcpu *v, u32 reg, u64 *val) MUST_CHECK;
bool hvm_apic_write(struct vcpu *v, u32 reg, u64 val) MUST_CHECK;
void hvm_apic_timer_fire(void *arg);

/* hvm_mem.c: guest memory by guest virtual address, as seen by v (current, or not running). */
enum hvm_access { HVM_READ = 0, HVM_WRITE = GWALK_WRITE, HVM_FETCH = GWALK_INSN };
/* Bytes not copied; then *fault and *pfec describe the page fault (pfec ~0: no RAM there). */
size_t hvm_mem_copy(struct vcpu *v, u64 va, void *buf, size_t n, enum hvm_access access, bool user,
                    u64 *fault, u32 *pfec);
bool hvm_mem_write_guest(struct vcpu *v, u64 va, const void *src, size_t len);
size_t hvm_mem_copy_guest(struct vcpu *v, u64 va, void *buf, size_t n, bool out);
/* By guest-physical address, within one page. */
bool hvm_mem_phys(struct domain *d, u64 gpa, void *buf, size_t n, bool write) MUST_CHECK;

/* hvm_mmio.c: an access to a guest-physical address that is no RAM. True: done, or faulted. */
bool hvm_mmio(struct vcpu *v, u64 gpa, struct cpu_regs *regs);
/*
 * The instruction at the guest's rip; its length, or 0 (the guest is to try again, or faults). rsp:
 * what the guest's is, NULL: not wanted.
 */
struct x86_insn;
u32 hvm_decode(struct vcpu *v, struct x86_insn *in, u64 *rsp);

/* hvm_msr.c: false = #GP. */
bool hvm_msr_read(struct vcpu *v, u32 msr, u64 *val) MUST_CHECK;
bool hvm_msr_write(struct vcpu *v, u32 msr, u64 val) MUST_CHECK;
bool hvm_mtrr_set(struct vcpu *v, u32 msr, u64 val) MUST_CHECK;

/* hvm_cpuid.c */
void hvm_cpuid_init(void);
extern struct cpu_policy hvm_cpuid_policy; /* what it builds */
void hvm_cpuid_query(struct vcpu *v, u32 leaf, u32 sub, u32 out[4]);
/* CR4 bits the vCPU may set, by its policy. */
u64 hvm_cpuid_cr4(const struct vcpu *v);

/* hvm_hypercall.c: VMMCALL or VMCALL in the guest. True: the instruction is done. */
bool hvm_hypercall(struct vcpu *v, struct cpu_regs *regs, bool long_mode, bool user);
extern const hypercall_fn hvm_hypercall_table[HYPERCALL_COUNT];
/* MSR of CPUID leaf +2: fills a page with calls. False: no such page. */
bool hvm_hypercall_page(struct vcpu *v, u64 val) MUST_CHECK;

/* hvm_context.c: a vCPU's start states. */
void hvm_context_reset(struct vcpu *v, u8 vector); /* real mode at vector << 12 */
/* The state is one the processor can enter; the reason if not. */
const char *hvm_context_check(const struct vcpu *v, const struct hvm_state *s);
/*
 * The tools' records (public header hvm/save.h). get: writes at most `room` bytes, *len what there
 * is; set: a whole stream. The domain is paused. -EINVAL, -ENODATA with a reason line.
 */
int hvm_context_save(struct domain *d, u8 *to, u32 room, u32 *len) MUST_CHECK;
int hvm_context_save_one(struct domain *d, u32 type, u32 vcpu, u8 *to, u32 room,
                         u32 *len) MUST_CHECK;
int hvm_context_load(struct domain *d, const u8 *from, u32 len) MUST_CHECK;

/* hvm_domain.c */
int hvm_param_set(struct domain *d, u32 index, u64 val) MUST_CHECK;

#endif
