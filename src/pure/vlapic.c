/* SPDX-License-Identifier: MIT */
/*
 * What does a local APIC do with a register access, and which interrupt comes next?
 *
 * Only edge-triggered interrupts exist here: there is no IO-APIC behind it. The timer counts at
 * 100 MHz over the divisor; one shot and periodic, no TSC deadline. Left out: SMI, lowest priority
 * arbitration (the first match gets it), focus, performance and thermal interrupts (their LVT
 * entries are stored).
 */
#include "pure/vlapic.h"

#include "base/atomic.h"
#include "base/lib.h"

#define BASE_BSP    (1ul << 8)
#define BASE_X2     (1ul << 10)
#define BASE_ENABLE (1ul << 11)

#define VERSION      0x00050014u /* integrated, six LVT entries */
#define SPIV_ENABLE  (1u << 8)
#define LVT_MASKED   (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define ICR_BITS     0xffffffff000ccffful /* the delivery status is always idle */
#define ESR_SEND_ILL 0x20u

#define TIMER_TICK_NS 10ul

static const u32 lvt_bits[6] = {0x310ff, 0x117ff, 0x117ff, 0x1f7ff, 0x1f7ff, 0x110ff};

void vlapic_reset(struct vlapic *a, u32 id, bool bsp)
{
    u32 i;

    memset(a, 0, sizeof(*a));
    a->id = id;
    a->bsp = bsp;
    a->mode = VLAPIC_MODE_XAPIC;
    a->dfr = ~0u;
    a->spiv = 0xff;
    for (i = 0; i < ARRAY_SIZE(a->lvt); i++)
        a->lvt[i] = LVT_MASKED;
}

u64 vlapic_base_msr(const struct vlapic *a)
{
    return VLAPIC_BASE | (a->bsp ? BASE_BSP : 0) | (a->mode != VLAPIC_MODE_OFF ? BASE_ENABLE : 0) |
           (a->mode == VLAPIC_MODE_X2APIC ? BASE_X2 : 0);
}

/* SDM vol. 3, 10.12.5: off to xAPIC to x2APIC; back only through off. */
bool vlapic_set_base_msr(struct vlapic *a, u64 val)
{
    u8 to = val & BASE_ENABLE ? (val & BASE_X2 ? VLAPIC_MODE_X2APIC : VLAPIC_MODE_XAPIC)
                              : VLAPIC_MODE_OFF;

    if ((val & ~(BASE_BSP | BASE_X2 | BASE_ENABLE)) != VLAPIC_BASE ||
        (val & (BASE_X2 | BASE_ENABLE)) == BASE_X2 ||
        (a->mode == VLAPIC_MODE_X2APIC && to == VLAPIC_MODE_XAPIC) ||
        (a->mode == VLAPIC_MODE_OFF && to == VLAPIC_MODE_X2APIC))
        return false;
    if (to == VLAPIC_MODE_OFF && a->mode != VLAPIC_MODE_OFF)
        vlapic_reset(a, a->id, a->bsp);
    a->mode = to;
    if (to == VLAPIC_MODE_X2APIC)
        a->ldr = (a->id >> 4) << 16 | 1u << (a->id & 15);
    return true;
}

bool vlapic_enabled(const struct vlapic *a)
{
    return a->mode != VLAPIC_MODE_OFF && a->spiv & SPIV_ENABLE;
}

static int highest(const u32 bits[8])
{
    int i;

    for (i = 7; i >= 0; i--) {
        u32 w = READ_ONCE(bits[i]);

        if (w != 0)
            return i * 32 + 31 - __builtin_clz(w);
    }
    return -1;
}

static u32 ppr(const struct vlapic *a)
{
    int isr = highest(a->isr);
    u32 in_service = isr < 0 ? 0 : (u32)isr & 0xf0;

    return (a->tpr & 0xf0u) >= in_service ? a->tpr : in_service;
}

bool vlapic_request(struct vlapic *a, u32 vector)
{
    u32 bit = 1u << (vector & 31);

    if (vector < 16 || vector > 255 || !vlapic_enabled(a))
        return false;
    if (atomic_fetch_or(&a->irr[vector >> 5], bit) & bit)
        return false;
    /* After the bit, fully ordered: see vlapic_pending's callers. */
    (void)atomic_xchg(&a->irr_any, 1u);
    return true;
}

int vlapic_pending(const struct vlapic *a)
{
    int v;

    if (!vlapic_enabled(a))
        return -1;
    v = highest(a->irr);
    return v >= 0 && ((u32)v & 0xf0) > (ppr(a) & 0xf0) ? v : -1;
}

void vlapic_accept(struct vlapic *a, u32 vector)
{
    u32 bit = 1u << (vector & 31);

    (void)atomic_fetch_and(&a->irr[vector >> 5 & 7], ~bit);
    a->isr[vector >> 5 & 7] |= bit;
}

/* The timer. */

static u64 period_ns(const struct vlapic *a)
{
    u32 d = (a->divide & 3) | (a->divide >> 1 & 4);

    return (u64)a->timer_init * TIMER_TICK_NS << (d == 7 ? 0 : d + 1);
}

static bool periodic(const struct vlapic *a)
{
    return a->lvt[0] & LVT_PERIODIC;
}

u64 vlapic_deadline(const struct vlapic *a, u64 now)
{
    u64 p = period_ns(a);

    if (a->timer_start == 0 || p == 0)
        return 0;
    if (!periodic(a))
        return a->timer_start + p;
    return now < a->timer_start ? a->timer_start + p
                                : a->timer_start + ((now - a->timer_start) / p + 1) * p;
}

void vlapic_expire(struct vlapic *a, u64 now)
{
    u64 p = period_ns(a);

    if (a->timer_start == 0 || p == 0 || now < a->timer_start + p)
        return;
    if (periodic(a))
        a->timer_start += (now - a->timer_start) / p * p;
    else
        a->timer_start = 0;
    if (!(a->lvt[0] & LVT_MASKED))
        (void)vlapic_request(a, a->lvt[0] & 0xff);
}

static u32 timer_count(const struct vlapic *a, u64 now)
{
    u64 p = period_ns(a), left;

    if (a->timer_start == 0 || p == 0 || now < a->timer_start)
        return 0;
    left = now - a->timer_start;
    if (left >= p && !periodic(a))
        return 0;
    left = p - left % p;
    return (u32)(left / (p / a->timer_init));
}

/* Registers. */

bool vlapic_read(struct vlapic *a, u32 reg, u64 now, u64 *val)
{
    bool x2 = a->mode == VLAPIC_MODE_X2APIC;

    *val = 0;
    switch (reg) {
    case VLAPIC_ID:
        *val = x2 ? a->id : a->id << 24;
        return true;
    case VLAPIC_VERSION:
        *val = VERSION;
        return true;
    case VLAPIC_TPR:
        *val = a->tpr;
        return true;
    case VLAPIC_PPR:
        *val = ppr(a);
        return true;
    case VLAPIC_LDR:
        *val = a->ldr;
        return true;
    case VLAPIC_DFR:
        *val = a->dfr;
        return !x2;
    case VLAPIC_SPIV:
        *val = a->spiv;
        return true;
    case VLAPIC_ISR ... VLAPIC_ISR + 7:
        *val = a->isr[reg - VLAPIC_ISR];
        return true;
    case VLAPIC_TMR ... VLAPIC_TMR + 7:
        return true; /* all edge triggered */
    case VLAPIC_IRR ... VLAPIC_IRR + 7:
        *val = READ_ONCE(a->irr[reg - VLAPIC_IRR]);
        return true;
    case VLAPIC_ESR:
        *val = a->esr;
        return true;
    case VLAPIC_ICR:
        *val = x2 ? a->icr : (u32)a->icr;
        return true;
    case VLAPIC_ICR2:
        *val = a->icr >> 32;
        return !x2;
    case VLAPIC_LVT_TIMER ... VLAPIC_LVT_ERROR:
        *val = a->lvt[reg - VLAPIC_LVT_TIMER];
        return true;
    case VLAPIC_TIMER_INIT:
        *val = a->timer_init;
        return true;
    case VLAPIC_TIMER_COUNT:
        *val = timer_count(a, now);
        return true;
    case VLAPIC_TIMER_DIVIDE:
        *val = a->divide;
        return true;
    default:
        return false;
    }
}

static void end_of_interrupt(struct vlapic *a)
{
    int v = highest(a->isr);

    if (v >= 0)
        a->isr[v >> 5] &= ~(1u << (v & 31));
}

static enum vlapic_action write_icr(struct vlapic *a, u64 val, struct vlapic_ipi *ipi)
{
    bool x2 = a->mode == VLAPIC_MODE_X2APIC;

    val &= ICR_BITS;
    a->icr = val;
    *ipi = (struct vlapic_ipi){.delivery = val >> 8 & 7,
                               .vector = (u8)val,
                               .shorthand = val >> 18 & 3,
                               .logical = val >> 11 & 1,
                               .x2 = x2,
                               .dest = x2 ? (u32)(val >> 32) : (u32)(val >> 56)};
    if ((ipi->delivery == VLAPIC_FIXED || ipi->delivery == VLAPIC_LOWEST) && ipi->vector < 16) {
        a->esr_next |= ESR_SEND_ILL;
        return VLAPIC_DONE;
    }
    /* INIT level de-assert does nothing on these processors. */
    if (ipi->delivery == VLAPIC_INIT && (val & 0xc000) == 0x8000)
        return VLAPIC_DONE;
    return VLAPIC_SEND;
}

static enum vlapic_action write_spiv(struct vlapic *a, u32 val)
{
    u32 i;

    a->spiv = val & 0x1ff;
    if (!(val & SPIV_ENABLE))
        for (i = 0; i < ARRAY_SIZE(a->lvt); i++)
            a->lvt[i] |= LVT_MASKED;
    return VLAPIC_RECHECK;
}

static enum vlapic_action write_lvt(struct vlapic *a, u32 i, u32 val)
{
    a->lvt[i] = val & lvt_bits[i];
    if (!(a->spiv & SPIV_ENABLE))
        a->lvt[i] |= LVT_MASKED;
    return i == 0 ? VLAPIC_TIMER : VLAPIC_DONE;
}

/* Bits an x2APIC write may not set; xAPIC ignores them. */
static bool reserved(u32 reg, u64 val)
{
    if (reg == VLAPIC_ICR)
        return val & 0xfff32000ul;
    if (val >> 32)
        return true;
    switch (reg) {
    case VLAPIC_TPR:
    case VLAPIC_SELF:
        return val > 0xff;
    case VLAPIC_EOI:
    case VLAPIC_ESR:
        return val != 0;
    case VLAPIC_TIMER_DIVIDE:
        return val & ~0xbul;
    case VLAPIC_LVT_TIMER ... VLAPIC_LVT_ERROR:
        return val & ~(u64)(lvt_bits[reg - VLAPIC_LVT_TIMER] | 0x1000);
    default:
        return false;
    }
}

enum vlapic_action vlapic_write(struct vlapic *a, u32 reg, u64 val, u64 now, struct vlapic_ipi *ipi)
{
    bool x2 = a->mode == VLAPIC_MODE_X2APIC;

    if (x2 && reserved(reg, val))
        return VLAPIC_GP;
    switch (reg) {
    case VLAPIC_TPR:
        a->tpr = (u8)val;
        return VLAPIC_RECHECK;
    case VLAPIC_EOI:
        end_of_interrupt(a);
        return VLAPIC_RECHECK;
    case VLAPIC_SPIV:
        return write_spiv(a, (u32)val);
    case VLAPIC_ESR:
        a->esr = a->esr_next;
        a->esr_next = 0;
        return VLAPIC_DONE;
    case VLAPIC_ICR:
        return write_icr(a, x2 ? val : (a->icr & ~0xfffffffful) | (u32)val, ipi);
    case VLAPIC_LVT_TIMER ... VLAPIC_LVT_ERROR:
        vlapic_expire(a, now); /* what is over was so by the old settings */
        return write_lvt(a, reg - VLAPIC_LVT_TIMER, (u32)val);
    case VLAPIC_TIMER_INIT:
        vlapic_expire(a, now);
        a->timer_init = (u32)val;
        a->timer_start = val != 0 ? MAX(now, 1ul) : 0;
        return VLAPIC_TIMER;
    case VLAPIC_TIMER_DIVIDE:
        a->divide = (u32)val & 0xb;
        return VLAPIC_TIMER;
    default:
        break;
    }
    if (x2) {
        if (reg != VLAPIC_SELF)
            return VLAPIC_GP;
        *ipi = (struct vlapic_ipi){.vector = (u8)val, .shorthand = 1, .x2 = true};
        return VLAPIC_SEND;
    }
    /* Writable in xAPIC mode only; all else is read-only or not there. */
    if (reg == VLAPIC_ID)
        a->id = (u32)val >> 24;
    else if (reg == VLAPIC_LDR)
        a->ldr = (u32)val & 0xff000000;
    else if (reg == VLAPIC_DFR)
        a->dfr = (u32)val | 0x0fffffff;
    else if (reg == VLAPIC_ICR2)
        a->icr = (u32)a->icr | (val & 0xff000000) << 32;
    return VLAPIC_DONE;
}

static bool matches_logical(const struct vlapic *a, const struct vlapic_ipi *ipi)
{
    if (a->mode == VLAPIC_MODE_X2APIC)
        return ipi->x2 && ipi->dest >> 16 == a->ldr >> 16 && (ipi->dest & a->ldr & 0xffff);
    if (a->dfr >> 28 == 0xf)
        return a->ldr >> 24 & ipi->dest & 0xff;
    return (a->ldr >> 28) == (ipi->dest >> 4 & 15) && (a->ldr >> 24 & ipi->dest & 15);
}

bool vlapic_matches(const struct vlapic *a, const struct vlapic *from, const struct vlapic_ipi *ipi)
{
    switch (ipi->shorthand) {
    case 1:
        return a == from;
    case 2:
        return true;
    case 3:
        return a != from;
    default:
        break;
    }
    if (ipi->dest == (ipi->x2 ? ~0u : 0xffu))
        return true;
    return ipi->logical ? matches_logical(a, ipi) : ipi->dest == a->id;
}

void vlapic_save(struct vlapic *a, u64 now, u8 image[VLAPIC_IMAGE])
{
    u64 val;
    u32 i;

    memset(image, 0, VLAPIC_IMAGE);
    for (i = 0; i < VLAPIC_REGS; i++)
        if (vlapic_read(a, i, now, &val))
            memcpy(image + i * 16, &val, 4);
    memcpy(image + VLAPIC_ICR2 * 16, (u8 *)&a->icr + 4, 4);
}

bool vlapic_load(struct vlapic *to, u64 now, const u8 image[VLAPIC_IMAGE])
{
    /* An enabled APIC keeps its LVT entries; the count begins when all else is there. */
    static const u8 order[] = {VLAPIC_SPIV,        VLAPIC_TPR,       VLAPIC_LVT_TIMER,
                               VLAPIC_LVT_THERMAL, VLAPIC_LVT_PMC,   VLAPIC_LVT_LINT0,
                               VLAPIC_LVT_LINT1,   VLAPIC_LVT_ERROR, VLAPIC_TIMER_DIVIDE,
                               VLAPIC_TIMER_INIT};
    u32 regs[VLAPIC_REGS], i;
    struct vlapic a = *to;
    struct vlapic_ipi ipi;

    for (i = 0; i < VLAPIC_REGS; i++)
        memcpy(&regs[i], image + i * 16, 4);
    for (i = 0; i < ARRAY_SIZE(order); i++)
        if (vlapic_write(&a, order[i], regs[order[i]], now, &ipi) == VLAPIC_GP)
            return false;
    if (a.mode == VLAPIC_MODE_XAPIC) {
        a.ldr = regs[VLAPIC_LDR] & 0xff000000u;
        a.dfr = regs[VLAPIC_DFR] | 0xfffffffu;
    }
    a.icr = ((u64)regs[VLAPIC_ICR2] << 32 | regs[VLAPIC_ICR]) & ICR_BITS;
    a.esr = regs[VLAPIC_ESR] & 0xff;
    for (i = 0; i < 8; i++) {
        a.isr[i] = regs[VLAPIC_ISR + i] & (i == 0 ? 0xffff0000u : ~0u);
        a.irr[i] = regs[VLAPIC_IRR + i] & (i == 0 ? 0xffff0000u : ~0u);
    }
    a.irr_any = 1;
    *to = a;
    return true;
}
