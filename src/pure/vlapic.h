/* SPDX-License-Identifier: MIT */
/*
 * A local APIC: registers, priorities, interprocessor interrupts, the arithmetic of its timer.
 * xAPIC and x2APIC (Intel SDM vol. 3, chapter 10; AMD APM vol. 2, chapter 16). No hardware, no
 * clock of its own: the caller says what time it is and carries out what is asked for.
 *
 * Requests (irr) may be set by any CPU, with vlapic_request; everything else belongs to the CPU the
 * vCPU runs on.
 */
#ifndef PURE_VLAPIC_H
#define PURE_VLAPIC_H

#include "base/def.h"

#define VLAPIC_BASE 0xfee00000ul /* guest-physical; it cannot be moved */

/* Register numbers: MMIO offset >> 4, x2APIC MSR - 0x800. */
enum vlapic_reg {
    VLAPIC_ID = 0x02,
    VLAPIC_VERSION = 0x03,
    VLAPIC_TPR = 0x08,
    VLAPIC_PPR = 0x0a,
    VLAPIC_EOI = 0x0b,
    VLAPIC_LDR = 0x0d,
    VLAPIC_DFR = 0x0e,
    VLAPIC_SPIV = 0x0f,
    VLAPIC_ISR = 0x10,
    VLAPIC_TMR = 0x18,
    VLAPIC_IRR = 0x20,
    VLAPIC_ESR = 0x28,
    VLAPIC_CMCI = 0x2f,
    VLAPIC_ICR = 0x30,
    VLAPIC_ICR2 = 0x31,
    VLAPIC_LVT_TIMER = 0x32,
    VLAPIC_LVT_THERMAL = 0x33,
    VLAPIC_LVT_PMC = 0x34,
    VLAPIC_LVT_LINT0 = 0x35,
    VLAPIC_LVT_LINT1 = 0x36,
    VLAPIC_LVT_ERROR = 0x37,
    VLAPIC_TIMER_INIT = 0x38,
    VLAPIC_TIMER_COUNT = 0x39,
    VLAPIC_TIMER_DIVIDE = 0x3e,
    VLAPIC_SELF = 0x3f,
    VLAPIC_REGS
};

#define VLAPIC_MODE_OFF    0u
#define VLAPIC_MODE_XAPIC  1u
#define VLAPIC_MODE_X2APIC 2u

struct vlapic {
    u32 id; /* of xAPIC and x2APIC */
    u8 mode;
    u8 tpr;
    bool bsp;
    u32 irr[8], isr[8]; /* irr: atomic bits, see irr_any */
    u32 irr_any;        /* set after an irr bit; cleared by the owner before it looks; atomic */
    u32 ldr, dfr, spiv, esr, esr_next;
    u64 icr;
    u32 lvt[6]; /* timer to error */
    u32 divide, timer_init;
    u64 timer_start; /* ns when the count began; 0: stopped */
};

/* An interprocessor interrupt, decoded from the command register. */
enum vlapic_delivery {
    VLAPIC_FIXED = 0,
    VLAPIC_LOWEST = 1,
    VLAPIC_SMI = 2,
    VLAPIC_NMI = 4,
    VLAPIC_INIT = 5,
    VLAPIC_STARTUP = 6,
};
struct vlapic_ipi {
    u8 delivery; /* enum vlapic_delivery, others are ignored */
    u8 vector;
    u8 shorthand; /* 0 none, 1 self, 2 all, 3 others */
    bool logical, x2;
    u32 dest;
};

/* What a write asks of the caller. */
enum vlapic_action {
    VLAPIC_DONE,
    VLAPIC_GP,      /* x2APIC: #GP */
    VLAPIC_SEND,    /* *ipi is to be sent */
    VLAPIC_TIMER,   /* the timer's settings have changed: vlapic_deadline */
    VLAPIC_RECHECK, /* a request may have become deliverable: TPR, EOI */
};

void vlapic_reset(struct vlapic *a, u32 id, bool bsp);
/* IA32_APIC_BASE; write: false = #GP. Switching off resets. */
u64 vlapic_base_msr(const struct vlapic *a);
bool vlapic_set_base_msr(struct vlapic *a, u64 val) MUST_CHECK;

/* A register as the guest reads it. False: no such register (x2APIC: #GP; xAPIC: 0). */
bool vlapic_read(struct vlapic *a, u32 reg, u64 now, u64 *val) MUST_CHECK;
enum vlapic_action vlapic_write(struct vlapic *a, u32 reg, u64 val, u64 now,
                                struct vlapic_ipi *ipi) MUST_CHECK;

/* Does an IPI of `from` concern `a`? */
bool vlapic_matches(const struct vlapic *a, const struct vlapic *from,
                    const struct vlapic_ipi *ipi);

/* A vector is requested: any CPU. False: it was already, or the APIC is off. */
bool vlapic_request(struct vlapic *a, u32 vector);
bool vlapic_enabled(const struct vlapic *a);
/* The request that would interrupt now; -1: none. Own CPU. */
int vlapic_pending(const struct vlapic *a);
/* The one vlapic_pending named is being delivered. */
void vlapic_accept(struct vlapic *a, u32 vector);

/*
 * All registers as they are in memory, sixteen bytes each; and back, in the mode the APIC is in:
 * false, and nothing is changed, when one has a value it cannot have. The vCPU does not run. The
 * timer starts anew.
 */
#define VLAPIC_IMAGE (VLAPIC_REGS * 16u)
void vlapic_save(struct vlapic *a, u64 now, u8 image[VLAPIC_IMAGE]);
bool vlapic_load(struct vlapic *a, u64 now, const u8 image[VLAPIC_IMAGE]) MUST_CHECK;

/*
 * Absolute ns at which the timer fires next; 0: never. vlapic_expire: it has; requests its vector
 * unless masked.
 */
u64 vlapic_deadline(const struct vlapic *a, u64 now);
void vlapic_expire(struct vlapic *a, u64 now);

#endif
