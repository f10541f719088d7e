/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of a PVH guest: registers at reset and what can be written, as a page and as
 * MSRs; interrupts to oneself, priorities, the end of interrupt; the timer in its modes; software
 * enable; errors; a halt that a timer ends.
 */
#include "pvh.h"

#define ID      0x20
#define VERSION 0x30
#define TPR     0x80
#define PPR     0xa0
#define EOI     0xb0
#define SPIV    0xf0
#define ISR     0x100
#define IRR     0x200
#define ESR     0x280
#define ICR     0x300
#define ICR2    0x310
#define LVTT    0x320
#define TMICT   0x380
#define TMCCT   0x390
#define TDCR    0x3e0

#define ENABLED  0x1ff
#define SELF     0x40000u
#define MASKED   0x10000u
#define PERIODIC 0x20000u

static const char *how(void)
{
    return apic_x2 ? "x2APIC" : "xAPIC";
}

static void registers_page(void)
{
    unsigned int reg;

    for (reg = 0; reg < 0x400; reg += 0x10)
        value(text("register %x", reg), "%x", apic_read(reg));
}

static void writes_page(void)
{
    unsigned int reg;

    apic_write(SPIV, ENABLED);
    for (reg = 0x20; reg < 0x400; reg += 0x10) {
        uint32_t was = apic_read(reg), now;

        if (reg == EOI || reg == ICR || reg == TMICT || reg == TMCCT)
            continue;
        apic_write(reg, ~0u);
        if (reg == ESR)
            apic_write(reg, 0);
        now = apic_read(reg);
        if (now != was)
            value(text("register %x, ones written", reg), "%x", now);
        apic_write(reg, was);
    }
    apic_write(SPIV, ENABLED);
}

/* Sizes and addresses within a register. */
static void widths_page(void)
{
    uint64_t at = 0xfee00000ul + VERSION;

    value("a byte of a register", "%x", *(volatile uint8_t *)at);
    value("its second byte", "%x", *(volatile uint8_t *)(at + 1));
    value("a word of it", "%x", *(volatile uint16_t *)(at + 2));
    value("eight bytes of it", "%lx", *(volatile uint64_t *)at);
    value("four bytes beside it", "%x", *(volatile uint32_t *)(at + 4));
    value("behind the last register", "%x", *(volatile uint32_t *)0xfee00ff0ul);
    *(volatile uint8_t *)(0xfee00000ul + TPR) = 0x20;
    value("TPR after a byte's write", "%x", apic_read(TPR));
    apic_write(TPR, 0);
}

static void registers_msr(void)
{
    uint64_t val;
    uint32_t msr;

    for (msr = 0x800; msr < 0x900; msr++) {
        bool r = msr_read(msr, &val), zero = false, ones = false;

        if (msr != 0x83f && msr != 0x830 && msr != 0x838) {
            zero = msr_write(msr, 0);
            ones = msr_write(msr, ~0ul);
        }
        if (r && msr != 0x839)
            value(text("MSR %x", msr), "%lx, 0 %s, ones %s", val, zero ? "taken" : "refused",
                  ones ? "taken" : "refused");
        else if (r || zero || ones)
            value(text("MSR %x", msr), "%s, 0 %s, ones %s", r ? "read" : "not read",
                  zero ? "taken" : "refused", ones ? "taken" : "refused");
    }
    msr_write(0x80f, ENABLED);
    value("TPR 0x100", "%d", msr_write(0x808, 0x100));
    value("EOI 1", "%d", msr_write(0x80b, 1));
    value("ESR 1", "%d", msr_write(0x828, 1));
    value("ICR bit 20", "%d", msr_write(0x830, 1 << 20));
    value("self IPI 0x100", "%d", msr_write(0x83f, 0x100));
    value("divisor 0x10", "%d", msr_write(0x83e, 0x10));
    value("timer's vector, bit 19", "%d", msr_write(0x832, 1 << 19 | MASKED));
    value("SPIV bit 9", "%d", msr_write(0x80f, 0x200 | ENABLED));
    msr_write(0x80f, ENABLED);
}

static void self(unsigned int vector)
{
    apic_write(ICR, SELF | vector);
}

static bool in_bitmap(unsigned int base, unsigned int vector)
{
    return apic_read(base + vector / 32 * 16) >> vector % 32 & 1;
}

static const char *order(void)
{
    static char line[200];
    unsigned int i, n = pvh_order_count;

    for (i = 0; i < n; i++)
        memcpy(line + i * 3, text("%02x ", pvh_order[i]), 3);
    line[n ? n * 3 - 1 : 0] = '\0';
    pvh_order_count = 0;
    return n ? line : "none";
}

static void ends(unsigned int n)
{
    while (n-- > 0)
        apic_write(EOI, 0);
}

static void priorities(void)
{
    cli();
    order();
    self(0x41);
    self(0x93);
    self(0x62);
    check(in_bitmap(IRR, 0x41) && in_bitmap(IRR, 0x93) && in_bitmap(IRR, 0x62),
          "%s: three requests pending", how());
    sti();
    value(text("%s: without ends", how()), "%s", order());
    value(text("%s: in service", how()), "%d %d %d, PPR %x", in_bitmap(ISR, 0x41),
          in_bitmap(ISR, 0x62), in_bitmap(ISR, 0x93), apic_read(PPR));
    ends(1);
    value(text("%s: after one end", how()), "%s", order());
    ends(2);
    value(text("%s: after all", how()), "%s, PPR %x", order(), apic_read(PPR));
    /* The same class waits, a higher one does not. */
    self(0x50);
    self(0x5f);
    self(0x60);
    value(text("%s: classes", how()), "%s", order());
    ends(3);
    value(text("%s: the waiting one", how()), "%s", order());
    ends(1);
    cli();
    self(0x77);
    self(0x77);
    sti();
    ends(1);
    value(text("%s: the same twice", how()), "%s", order());
    ends(1);
}

/* Debian's Xen does not come back under this emulation when a request waits for the TPR. */
static void task_priority(void)
{
    apic_write(TPR, 0x60);
    self(0x6f);
    self(0x70);
    value(text("%s: TPR 60 lets pass", how()), "%s, PPR %x", order(), apic_read(PPR));
    ends(1);
    apic_write(TPR, 0x5f);
    sti();
    value(text("%s: TPR 5f lets pass", how()), "%s, PPR %x", order(), apic_read(PPR));
    ends(1);
    __asm__ volatile("mov %0, %%cr8" : : "r"(8ul));
    value(text("%s: CR8 8 is TPR", how()), "%x", apic_read(TPR));
    self(0x85);
    value(text("%s: CR8 8 keeps", how()), "%s", order());
    __asm__ volatile("mov %0, %%cr8" : : "r"(0ul));
    value(text("%s: CR8 0 lets pass", how()), "%s", order());
    ends(1);
}

static void errors(void)
{
    apic_write(ESR, 0);
    self(0x0f);
    apic_write(ESR, 0);
    value(text("%s: vector 15, ESR", how()), "%x", apic_read(ESR));
    apic_write(ESR, 0);
    value(text("%s: ESR cleared", how()), "%x", apic_read(ESR));
    self(0x10);
    value(text("%s: vector 16", how()), "%s", order());
    ends(1);
}

static void disabled(void)
{
    apic_write(LVTT, 0x55);
    apic_write(SPIV, 0xff);
    value(text("%s: LVT once disabled", how()), "%x", apic_read(LVTT));
    apic_write(LVTT, 0x55);
    value(text("%s: LVT written while disabled", how()), "%x", apic_read(LVTT));
    self(0x66);
    value(text("%s: an interrupt while disabled", how()), "%s", order());
    apic_write(SPIV, ENABLED);
    value(text("%s: enabled again", how()), "%s", order());
    ends(1);
}

static void timer(void)
{
    static const uint32_t divide[] = {0, 1, 2, 3, 8, 9, 10, 11};
    uint32_t a, b, i, n;

    apic_write(LVTT, MASKED | 0x55);
    apic_write(TDCR, 0);
    for (i = 0; i < ARRAY_SIZE(divide); i++) {
        apic_write(TDCR, divide[i]);
        check_eq(text("%s: divisor %u", how(), divide[i]), apic_read(TDCR), divide[i]);
    }
    apic_write(TDCR, 11);
    apic_write(TMICT, 0xffffffff);
    check_eq(text("%s: initial count", how()), apic_read(TMICT), 0xffffffff);
    a = apic_read(TMCCT);
    spin_tsc(2000000);
    b = apic_read(TMCCT);
    check(a > b, "%s: it counts down", how());
    apic_write(TMICT, 0);
    check_eq(text("%s: stopped", how()), apic_read(TMCCT), 0);

    /* Masked: it ends without a word. */
    apic_write(TMICT, 1000);
    while (apic_read(TMCCT) != 0)
        ;
    value(text("%s: masked", how()), "%s", order());
    apic_write(LVTT, 0x55);
    value(text("%s: unmasked too late", how()), "%s", order());

    /* One shot: 1 ms. */
    apic_write(TMICT, 100000);
    while (pvh_order_count == 0)
        ;
    ends(1);
    check_eq(text("%s: one shot, count after it", how()), apic_read(TMCCT), 0);
    spin_tsc(5000000);
    value(text("%s: one shot", how()), "%s", order());

    /* A halt that it ends. */
    cli();
    apic_write(TMICT, 100000);
    __asm__ volatile("sti; hlt");
    value(text("%s: ends a halt", how()), "%s", order());
    ends(1);

    /* Periodic, five times. */
    n = pvh_taken[0x55];
    cli();
    apic_write(LVTT, PERIODIC | 0x55);
    apic_write(TMICT, 100000);
    while (pvh_taken[0x55] < n + 5) {
        a = pvh_taken[0x55];
        __asm__ volatile("sti; hlt; cli");
        if (pvh_taken[0x55] != a)
            ends(1);
    }
    apic_write(TMICT, 0);
    apic_write(LVTT, MASKED);
    sti();
    ends(1);
    order();
    check(pvh_taken[0x55] >= n + 5, "%s: periodic", how());
}

/* Interrupts by destination: the only one that is there. */
static void destinations(void)
{
    if (apic_x2) {
        msr_write(0x830, 0x61); /* physical 0 */
        value("x2APIC: physical 0", "%s", order());
        ends(1);
        msr_write(0x830, 0xfffffffful << 32 | 0x62);
        value("x2APIC: broadcast", "%s", order());
        ends(1);
        msr_write(0x830, 1ul << 32 | 0x800 | 0x63);
        value("x2APIC: logical 1", "%s", order());
        ends(1);
        msr_write(0x830, 7ul << 32 | 0x64);
        value("x2APIC: nobody", "%s", order());
        return;
    }
    apic_write(ICR2, 0);
    apic_write(ICR, 0x61);
    value("xAPIC: physical 0", "%s", order());
    ends(1);
    apic_write(0xe0, ~0u);
    apic_write(0xd0, 0x01000000);
    apic_write(ICR2, 0x01000000);
    apic_write(ICR, 0x800 | 0x63);
    value("xAPIC: logical 1, flat", "%s", order());
    ends(1);
    apic_write(ICR2, 0x07000000);
    apic_write(ICR, 0x64);
    value("xAPIC: nobody", "%s", order());
    apic_write(ICR, 0xc0000 | 0x65);
    value("xAPIC: all but self", "%s", order());
    apic_write(ICR, 0x80000 | 0x66);
    value("xAPIC: all", "%s", order());
    ends(1);
}

static void one_mode(void)
{
    sti();
    priorities();
    errors();
    disabled();
    destinations();
    timer();
    cli();
}

static void to_x2apic(void)
{
    uint64_t base;

    check(msr_read(0x1b, &base) && msr_write(0x1b, base | 0x400), "x2APIC mode");
    apic_x2 = true;
    msr_write(0x80f, ENABLED);
}

void test_main(const char *args)
{
    static const char *const names[] = {"the APIC's page", "the APIC's MSRs", "TPR by its page",
                                        "TPR by its MSR"};
    uint32_t round = BOX->round;
    unsigned int vector;

    (void)args;
    pvh_round(names[round], round == 3);
    for (vector = 0x10; vector < 256; vector++)
        if (vector >= 32 || vector == 16)
            pvh_count(vector);
    if (round == 0) {
        registers_page();
        writes_page();
        widths_page();
        one_mode();
        return;
    }
    if (round & 1)
        to_x2apic();
    else
        apic_write(SPIV, ENABLED);
    if (round == 1) {
        value("its page in x2APIC mode", "%x", *(volatile uint32_t *)(0xfee00000ul + VERSION));
        registers_msr();
        one_mode();
        return;
    }
    BOX->seconds = 3;
    sti();
    task_priority();
}
