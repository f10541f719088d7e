/* SPDX-License-Identifier: MIT */
/* A PVH test kernel's machine: descriptor tables, traps, its APIC. */
#include "pvh.h"

#define APIC_VA  0xfee00000ul
#define APIC_MSR 0x800u

struct shared_info *shared_info = (struct shared_info *)PVH_SHARED;
volatile uint32_t pvh_taken[256];
volatile uint8_t pvh_order[64];
volatile uint32_t pvh_order_count;
bool apic_x2;
const char *const pvh_mode_name[5] = {"64-bit", "user 64-bit", "32-bit", "user 32-bit", "16-bit"};

struct gate {
    uint16_t low, sel;
    uint8_t ist, type;
    uint16_t mid;
    uint32_t high, zero;
};
static struct gate idt[256] __attribute__((aligned(16)));
static struct {
    uint32_t zero;
    uint64_t rsp[3], zero2, ist[7], zero3;
    uint16_t zero4, bitmap;
} __attribute__((packed, aligned(16))) tss;
static uint8_t trap_stack[8192] __attribute__((aligned(16)));
static uint8_t probe_stack[8192] __attribute__((aligned(4096)));
static bool counted[256];

extern uint64_t pvh_gdt_tss[2];
extern char pvh_stubs[];

void pvh_main(void);
void pvh_trap(struct frame *f);

void power_off(void)
{
    struct sched_shutdown arg = {.reason = SHUTDOWN_poweroff};

    for (;;)
        sched_op(SCHEDOP_shutdown, &arg);
}

/* ---- Traps ---- */

static void record(const struct frame *f, int vector)
{
    fault.vector = vector;
    fault.error = f->error;
    fault.rip = f->rip;
    fault.frame = *f;
    __asm__ volatile("mov %%cr2, %0" : "=r"(fault.cr2));
}

void pvh_trap(struct frame *f)
{
    unsigned int vector = (unsigned int)f->vector & 0xff;

    if (trap_hook[vector] && trap_hook[vector](f))
        return;
    if (counted[vector]) {
        pvh_order[pvh_order_count++ % ARRAY_SIZE(pvh_order)] = (uint8_t)vector;
        pvh_taken[vector]++;
        return;
    }
    record(f, (int)vector);
    if (frame_runs())
        frame_ended(f);
    if (fault_fix_up(f))
        return;
    print("FAIL trap %u: error %lx rip %lx cs %lx rflags %lx rsp %lx cr2 %lx\n", vector, f->error,
          f->rip, f->cs, f->rflags, f->rsp, fault.cr2);
    BOX->again = 0;
    power_off();
}

const char *pvh_probe(enum pvh_mode mode, struct frame *f, const void *code, unsigned int len)
{
    static const uint16_t cs[] = {KERNEL_CS, USER_CS, KERNEL_CS32, USER_CS32, KERNEL_CS16};

    memcpy(code_page, code, len);
    code_page[len] = 0xcc;
    f->rip = (uint64_t)code_page;
    f->cs = cs[mode];
    f->ss = cs[mode] & 3 ? USER_DS : KERNEL_DS;
    f->rflags |= 2;
    if (f->rsp == 0)
        f->rsp = (uint64_t)probe_stack + sizeof(probe_stack) - 256;
    return outcome_of(f, run_frame(f), (uint64_t)code_page, len);
}

void pvh_count(unsigned int vector)
{
    counted[vector] = true;
}

/* ---- The processor ---- */

static void tables_init(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) ptr = {sizeof(idt) - 1, (uint64_t)idt};
    uint64_t at, base = (uint64_t)&tss;
    unsigned int i;

    /* Interrupts stay on the stack they find: QEMU may deliver one a second time in its handler. */
    for (i = 0; i < 256; i++) {
        at = (uint64_t)pvh_stubs + i * 16;
        idt[i] = (struct gate){.low = (uint16_t)at,
                               .sel = KERNEL_CS,
                               .ist = i < 32,
                               .type = i == 3 || i == 4 ? 0xee : 0x8e,
                               .mid = (uint16_t)(at >> 16)};
    }
    tss.rsp[0] = tss.ist[0] = (uint64_t)trap_stack + sizeof(trap_stack);
    tss.bitmap = sizeof(tss);
    pvh_gdt_tss[0] =
        (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
    pvh_gdt_tss[1] = base >> 32;
    __asm__ volatile("lidt %0; ltr %w1" : : "m"(ptr), "r"(0x40));
}

bool msr_read(uint32_t msr, uint64_t *val)
{
    uint32_t lo = 0, hi = 0;

    fault_take();
    __asm__ volatile(EX("rdmsr") : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
    *val = (uint64_t)hi << 32 | lo;
    return fault_take() < 0;
}

bool msr_write(uint32_t msr, uint64_t val)
{
    fault_take();
    __asm__ volatile(EX("wrmsr")
                     :
                     : "a"((uint32_t)val), "d"((uint32_t)(val >> 32)), "c"(msr)
                     : "memory");
    return fault_take() < 0;
}

uint32_t apic_read(unsigned int reg)
{
    uint64_t val;

    if (!apic_x2)
        return *(volatile uint32_t *)(APIC_VA + reg);
    return msr_read(APIC_MSR + reg / 16, &val) ? (uint32_t)val : 0xdeadbeef;
}

void apic_write(unsigned int reg, uint32_t val)
{
    if (apic_x2)
        msr_write(APIC_MSR + reg / 16, val);
    else
        *(volatile uint32_t *)(APIC_VA + reg) = val;
}

long hvm_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_hvm_op, cmd, (uint64_t)arg);
}

long hvm_param_set(uint32_t index, uint64_t val)
{
    struct xen_hvm_param p = {.domid = DOMID_SELF, .index = index, .value = val};

    return hvm_op(HVMOP_set_param, &p);
}

void shared_map(void)
{
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = PVH_SHARED >> 12};
    long rc = hypercall2(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&add);

    if (rc != 0)
        error("shared_info: %ld", rc);
}

void spin_tsc(uint64_t ticks)
{
    uint64_t end = rdtsc() + ticks;

    while (rdtsc() < end)
        __asm__ volatile("pause");
}

void __attribute__((weak)) pvh_ap_main(void)
{
    for (;;)
        __asm__ volatile("hlt");
}

void pvh_main(void)
{
    tables_init();
    test_main(pvh_args());
    power_off();
}
