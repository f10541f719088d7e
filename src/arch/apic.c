/* SPDX-License-Identifier: MIT */
/*
 * How does a CPU send, take and time interrupts? Through its local APIC. Both ways of reaching the
 * registers are here; which one is chosen once.
 *
 * x2APIC is used when the firmware left it on, and inside a virtual machine that offers it (a
 * register access is then one exit instead of a decoded memory access). On a bare machine in xAPIC
 * mode it stays off: without interrupt remapping it brings nothing there, and leaving it needs a
 * reset. Interrupts are directed in physical destination mode; no logical ids, no priorities (TPR
 * is 0): hypervisor code runs with interrupts off and ends each one before its handler runs.
 */
#include "arch/apic.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/irq.h"
#include "pure/clockmath.h"
#include "pure/port.h"

/* Register offsets; the x2APIC MSR of one is MSR_X2APIC_FIRST + offset / 16. */
#define REG_ID          0x020
#define REG_VERSION     0x030
#define REG_TPR         0x080
#define REG_EOI         0x0b0
#define REG_SPURIOUS    0x0f0
#define REG_ISR         0x100
#define REG_ERROR       0x280
#define REG_LVT_CMCI    0x2f0
#define REG_ICR         0x300
#define REG_ICR_HIGH    0x310
#define REG_LVT_TIMER   0x320
#define REG_LVT_THERMAL 0x330
#define REG_LVT_PERF    0x340
#define REG_LVT_LINT0   0x350
#define REG_LVT_LINT1   0x360
#define REG_LVT_ERROR   0x370
#define REG_TIMER_INIT  0x380
#define REG_TIMER_COUNT 0x390
#define REG_TIMER_DIV   0x3e0

#define LVT_MASKED   (1u << 16)
#define LVT_DEADLINE (2u << 17)
#define LVT_NMI      (4u << 8)
#define SPURIOUS_ON  (1u << 8)
#define TIMER_DIV_1  0xb
#define ICR_PENDING  (1u << 12)
#define ICR_ASSERT   (1u << 14)
#define ICR_NMI      (4u << 8)
#define ICR_INIT     (5u << 8)
#define ICR_STARTUP  (6u << 8)
#define ICR_POLLS    1000000u

#define BASE_X2APIC   (1ul << 10)
#define BASE_ENABLE   (1ul << 11)
#define XAPIC_DEFAULT 0xfee00000ul

static volatile u8 *regs; /* NULL in x2APIC mode */
static bool deadline_mode;
static u32 nmi_pin; /* LINT0 or LINT1 */
static struct clock_scale count_per_tsc;

static u32 reg_read(u32 reg)
{
    if (regs != NULL)
        return mmio_read32(regs + reg);
    return (u32)insn_rdmsr(MSR_X2APIC_FIRST + (reg >> 4));
}

static void reg_write(u32 reg, u32 val)
{
    if (regs != NULL)
        mmio_write32(regs + reg, val);
    else
        insn_wrmsr(MSR_X2APIC_FIRST + (reg >> 4), val);
}

u32 apic_id(void)
{
    u32 id = reg_read(REG_ID);

    return regs != NULL ? id >> 24 : id;
}

u32 apic_id_max(void)
{
    return regs != NULL ? 254 : 0xfffffffe; /* all ones is everybody */
}

void apic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

bool apic_in_service(u32 vector)
{
    return (reg_read(REG_ISR + ((vector >> 5) << 4)) >> (vector & 31)) & 1;
}

/* Interrupts that firmware or an earlier kernel left in service would block lower ones for ever. */
static void end_leftovers(void)
{
    u32 i, n;

    for (i = 0; i < 8; i++)
        for (n = 0; n < 32 && reg_read(REG_ISR + (i << 4)) != 0; n++)
            apic_eoi();
}

static void setup_registers(void)
{
    u32 lvt_max = (reg_read(REG_VERSION) >> 16) & 0xff;

    reg_write(REG_SPURIOUS, SPURIOUS_ON | IRQ_VECTOR_SPURIOUS);
    reg_write(REG_TPR, 0);
    end_leftovers();
    /* The PIC is masked, so its line is too; the other is the NMI. */
    reg_write(REG_LVT_LINT0, nmi_pin == 0 ? LVT_NMI : LVT_MASKED);
    reg_write(REG_LVT_LINT1, nmi_pin == 1 ? LVT_NMI : LVT_MASKED);
    reg_write(REG_LVT_TIMER, LVT_MASKED | IRQ_VECTOR_TIMER);
    if (lvt_max >= 4)
        reg_write(REG_LVT_PERF, LVT_MASKED);
    if (lvt_max >= 5)
        reg_write(REG_LVT_THERMAL, LVT_MASKED);
    if (lvt_max >= 6)
        reg_write(REG_LVT_CMCI, LVT_MASKED);
    reg_write(REG_ERROR, 0);
    reg_write(REG_LVT_ERROR, IRQ_VECTOR_ERROR);
    reg_write(REG_ERROR, 0);
}

bool apic_init(maddr_t maddr, u32 nmi_lint)
{
    u32 r[4];
    u64 base;
    bool x2apic;

    insn_cpuid(1, 0, r);
    if (!(r[3] & (1u << 9))) {
        log_msg(LOG_ERR, "APIC: this CPU has no local APIC (CPUID 1 edx bit 9)");
        return false;
    }
    nmi_pin = nmi_lint;
    base = insn_rdmsr(MSR_APIC_BASE);
    x2apic = cpu_features.x2apic && ((base & BASE_X2APIC) || cpu_features.in_vm);
    if (!x2apic) {
        if (maddr == 0)
            maddr = base & PTE_ADDR;
        if (maddr == 0)
            maddr = XAPIC_DEFAULT;
        regs = hmap_device(maddr, PAGE_SIZE);
        if (regs == NULL) {
            log_msg(LOG_ERR, "APIC: no mapping for the registers at %#lx", maddr);
            return false;
        }
    }
    apic_init_secondary();
    log_msg(LOG_INFO, "APIC: %s, id %u, version %#x", x2apic ? "x2APIC" : "xAPIC", apic_id(),
            reg_read(REG_VERSION) & 0xff);
    return true;
}

void apic_init_secondary(void)
{
    u64 base = insn_rdmsr(MSR_APIC_BASE);

    /* From disabled to x2APIC in one step is not allowed (SDM vol. 3, 11.12.5). */
    if (!(base & BASE_ENABLE))
        insn_wrmsr(MSR_APIC_BASE, base |= BASE_ENABLE);
    if (regs == NULL && !(base & BASE_X2APIC))
        insn_wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    setup_registers();
}

static void send(u32 id, u32 low)
{
    u32 i;

    if (regs == NULL) {
        /* Stores before this are seen first: the write is not serializing (SDM 11.12.3). */
        __asm__ __volatile__("mfence; lfence" ::: "memory");
        insn_wrmsr(MSR_X2APIC_FIRST + (REG_ICR >> 4), (u64)id << 32 | low);
        return;
    }
    /* Bounded: a pending bit that never clears must not stop a panic. */
    for (i = 0; i < ICR_POLLS && (mmio_read32(regs + REG_ICR) & ICR_PENDING); i++)
        insn_pause();
    mmio_write32(regs + REG_ICR_HIGH, id << 24);
    mmio_write32(regs + REG_ICR, low);
}

void apic_send_fixed(u32 id, u32 vector)
{
    send(id, vector | ICR_ASSERT);
}

void apic_send_nmi(u32 id)
{
    send(id, ICR_NMI | ICR_ASSERT);
}

void apic_send_init(u32 id)
{
    send(id, ICR_INIT | ICR_ASSERT);
}

void apic_send_startup(u32 id, u32 page)
{
    send(id, ICR_STARTUP | ICR_ASSERT | page);
}

void apic_error(void)
{
    static u32 seen;
    u32 esr;

    reg_write(REG_ERROR, 0); /* latches what came since the last write */
    esr = reg_read(REG_ERROR);
    if (esr != 0 && seen++ < 20)
        log_msg(LOG_WARN, "APIC: error %#x on CPU %u", esr, cpu_id());
}

#define CALIBRATE_MS 20

static u64 count_elapsed(void)
{
    return ~reg_read(REG_TIMER_COUNT);
}

/* Counts per TSC tick, from the counter itself. */
static void calibrate(void)
{
    static const struct clock_counter counter = {count_elapsed, 0xffffffff};
    u64 counts, ticks, hz;

    reg_write(REG_TIMER_DIV, TIMER_DIV_1);
    reg_write(REG_TIMER_INIT, ~0u);
    if (!clock_measure(&counter, 100, clock_tsc_khz() * CALIBRATE_MS, &counts, &ticks) ||
        !clockmath_scale_make(ticks, counts, &count_per_tsc)) {
        log_msg(LOG_ERR, "APIC: the timer does not count; assuming 1 count per 8 TSC ticks");
        count_per_tsc = (struct clock_scale){1u << 31, -2};
    }
    reg_write(REG_TIMER_INIT, 0);
    hz = clockmath_scale(count_per_tsc, clock_tsc_khz() * 1000);
    log_msg(LOG_INFO, "APIC: timer in one-shot count mode, %lu kHz", hz / 1000);
}

void apic_timer_init(void)
{
    if (cpu_id() == 0) {
        deadline_mode = cpu_features.tsc_deadline;
        if (deadline_mode)
            log_msg(LOG_INFO, "APIC: timer in TSC-deadline mode");
        else
            calibrate();
    }
    if (deadline_mode) {
        reg_write(REG_LVT_TIMER, LVT_DEADLINE | IRQ_VECTOR_TIMER);
        /* The mode is set before the first deadline is (SDM vol. 3, 11.5.4.1). */
        __asm__ __volatile__("mfence" ::: "memory");
    } else {
        reg_write(REG_TIMER_DIV, TIMER_DIV_1);
        reg_write(REG_LVT_TIMER, IRQ_VECTOR_TIMER);
    }
}

void apic_timer_arm(u64 tsc)
{
    u64 now, count = 0;

    if (deadline_mode) {
        insn_wrmsr(MSR_TSC_DEADLINE, tsc);
        return;
    }
    if (tsc != 0) {
        now = insn_rdtsc();
        /* A deadline beyond the counter's range rings early; the owner sets it again. */
        if (tsc > now)
            count = clockmath_scale(count_per_tsc, MIN(tsc - now, (u64)1 << 40));
        count = MIN(count + 1, (u64)0xffffffff);
    }
    reg_write(REG_TIMER_INIT, (u32)count);
}
