/* SPDX-License-Identifier: MIT */
/*
 * The ends of a PVH guest, a domain for each: shutdown codes, triple faults, halts without
 * interrupts, addresses without memory where there must be some, instructions nobody emulates.
 */
#include "pvh.h"

#define HOLE (PVH_HOLE << 12)

extern uint64_t pvh_pml4[512];

static void load_idt(uint64_t base, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) ptr = {limit, base};

    __asm__ volatile("lidt %0" : : "m"(ptr));
}

static void shut(uint32_t reason)
{
    struct sched_shutdown arg = {.reason = reason};

    value_rc(text("shutdown %u", reason), sched_op(SCHEDOP_shutdown, &arg));
}

static void end_poweroff(void)
{
    shut(SHUTDOWN_poweroff);
}

static void end_reboot(void)
{
    shut(SHUTDOWN_reboot);
}

static void end_suspend(void)
{
    shut(SHUTDOWN_suspend);
}

static void end_crash(void)
{
    shut(SHUTDOWN_crash);
}

static void end_watchdog(void)
{
    shut(SHUTDOWN_watchdog);
}

static void end_soft_reset(void)
{
    shut(SHUTDOWN_soft_reset);
}

static void end_unknown(void)
{
    shut(6);
}

static void end_unknown_255(void)
{
    shut(255);
}

static void end_triple_fault(void)
{
    load_idt(0, 0);
    __asm__ volatile("ud2");
}

/* The reason such a fault gives is a parameter, and not the guest's. */
static void end_triple_fault_reason(void)
{
    value_rc("triple fault's reason by the guest",
             hvm_param_set(HVM_PARAM_TRIPLE_FAULT_REASON, SHUTDOWN_poweroff));
    end_triple_fault();
}

static void end_halt(void)
{
    __asm__ volatile("cli; hlt");
}

static void end_down(void)
{
    value_rc("VCPUOP_down of the last", vcpu_op(VCPUOP_down, 0, NULL));
}

static void end_fetch(void)
{
    ((void (*)(void))HOLE)();
}

static void end_fetch_apic(void)
{
    ((void (*)(void))0xfee00000ul)();
}

static void end_tables(void)
{
    pvh_pml4[1] = HOLE | 7;
    __asm__ volatile("mov (%0), %%rax" : : "r"(1ul << 39) : "rax", "memory");
}

static void end_cr3(void)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(HOLE) : "memory");
}

static void end_stack(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax; pop %%rcx"
                     :
                     : "r"(HOLE + 256), "a"(0x1234)
                     : "rcx", "memory");
    value(text("in %s", BOX->name), "goes on");
}

static void end_idt(void)
{
    load_idt(HOLE, 4095);
    __asm__ volatile("ud2");
}

/* On an address without memory. */
#define ON_HOLE(fn, insn)                                                                          \
    static void fn(void)                                                                           \
    {                                                                                              \
        __asm__ volatile(insn : : "D"(HOLE), "S"(HOLE), "a"(0), "c"(4) : "memory", "cc", "rdx");   \
        value(text("%s on no memory", BOX->name), "goes on");                                      \
    }
ON_HOLE(end_add, "addl $1, (%%rdi)")
ON_HOLE(end_lock, "lock incl (%%rdi)")
ON_HOLE(end_cmp, "cmpl $1, (%%rdi)")
ON_HOLE(end_stos, "rep stosl")
ON_HOLE(end_movs, "rep movsb")
ON_HOLE(end_movups, "movups (%%rdi), %%xmm0")
ON_HOLE(end_fild, "fildl (%%rdi)")
ON_HOLE(end_push, "pushq (%%rdi); popq %%rdx")
ON_HOLE(end_call, "callq *(%%rdi)")

/* Not every round ends the domain by itself: a fault is an answer, too. */
static bool faulted(struct frame *f)
{
    value(text("in %s", BOX->name), "%s(%lx)", vector_name((int)f->vector), f->error);
    power_off();
}

static const struct {
    const char *name;
    void (*fn)(void);
} rounds[] = {
    {"shutdown poweroff", end_poweroff},
    {"shutdown reboot", end_reboot},
    {"shutdown suspend", end_suspend},
    {"shutdown crash", end_crash},
    {"shutdown watchdog", end_watchdog},
    {"shutdown soft reset", end_soft_reset},
    {"shutdown 6", end_unknown},
    {"shutdown 255", end_unknown_255},
    {"a triple fault", end_triple_fault},
    {"a triple fault, reason refused", end_triple_fault_reason},
    {"a halt without interrupts", end_halt},
    {"VCPUOP_down", end_down},
    {"code where there is nothing", end_fetch},
    {"code in the APIC's page", end_fetch_apic},
    {"page tables where there is nothing", end_tables},
    {"CR3 where there is nothing", end_cr3},
    {"a stack where there is nothing", end_stack},
    {"an IDT where there is nothing", end_idt},
    {"add", end_add},
    {"lock inc", end_lock},
    {"cmp", end_cmp},
    {"rep stosl", end_stos},
    {"rep movsb", end_movs},
    {"movups", end_movups},
    {"fild", end_fild},
    {"push", end_push},
    {"call", end_call},
};

void test_main(const char *args)
{
    static const uint8_t faults[] = {VECTOR_UD, VECTOR_DF, VECTOR_SS, VECTOR_GP, VECTOR_PF};
    uint32_t round = BOX->round;
    unsigned int i;

    (void)args;
    for (i = 0; i < ARRAY_SIZE(faults); i++)
        trap_hook[faults[i]] = faulted;
    pvh_round(rounds[round].name, round + 1 == ARRAY_SIZE(rounds));
    rounds[round].fn();
}
