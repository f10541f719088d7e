/* SPDX-License-Identifier: MIT */
/*
 * What is known when the hypervisor cannot go on? The message, the registers, the names of what is
 * on the stack; then the machine stops or restarts. Also the dumps of other CPUs, taken by NMI
 * because a stuck CPU answers nothing else.
 *
 * There are no frame pointers: every word on the stack that points behind a call instruction in a
 * known function is printed. Stale ones appear among them; a reader of the source can tell.
 */
#include "core/console.h"

#include "arch/clock.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/irq.h"
#include "arch/smp.h"
#include "arch/upcalls.h"
#include "base/lib.h"
#include "core/domain.h"
#include "core/symbols.h"
#include "pure/ratelimit.h"

#define TRACE_MAX 32
#define IMAGE_MAX 0x1000000ul /* wheeler.lds asserts it */
#define RULE      "****************************************"

/* CPU that panics, + 1; atomic. */
static u32 panic_cpu;
/* A CPU whose registers are wanted; set by another one, cleared by its NMI. Atomic bits. */
static u64 dump_wanted;
/* Statistics for the debug key. */
static u32 nmi_count[MAX_CPUS];

static const char *trap_name(u32 vector)
{
    /* clang-format off */
    static const char *const names[] = {
        "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
        "no FPU", "double fault", "coprocessor", "invalid TSS", "segment not present",
        "stack segment", "general protection", "page fault", "reserved", "x87 FPU",
        "alignment check", "machine check", "SIMD", "virtualisation", "control protection"
    };
    /* clang-format on */

    return vector < ARRAY_SIZE(names) ? names[vector] : "interrupt";
}

static void dump_control(const struct cpu_regs *r)
{
    log_msg(LOG_ERR, "cr0: %016lx   cr4: %016lx", insn_read_cr0(), insn_read_cr4());
    log_msg(LOG_ERR, "cr3: %016lx   cr2: %016lx", insn_read_cr3(), insn_read_cr2());
    log_msg(LOG_ERR, "fsb: %016lx   gsb: %016lx   gss: %016lx", insn_rdmsr(MSR_FS_BASE),
            insn_rdmsr(MSR_GS_BASE), insn_rdmsr(MSR_KERNEL_GS_BASE));
    log_msg(LOG_ERR, "ss: %04x   cs: %04x   error code: %04x", (u32)(u16)r->ss, (u32)(u16)r->cs,
            r->error_code);
}

void console_dump_regs(const struct cpu_regs *r, bool guest)
{
    const struct vcpu *v = cpu_info()->vcpu;
    char name[80] = "";

    if (!guest)
        console_symbol(r->rip, name, sizeof(name));
    log_msg(LOG_ERR, "CPU:    %u", cpu_id());
    log_msg(LOG_ERR, "RIP:    %04x:[<%016lx>] %s", (u32)(u16)r->cs, r->rip, name);
    if (guest && v)
        log_msg(LOG_ERR, "RFLAGS: %016lx   CONTEXT: guest (d%uv%u)", r->rflags, v->domain->id,
                v->id);
    else
        log_msg(LOG_ERR, "RFLAGS: %016lx   CONTEXT: hypervisor", r->rflags);
    log_msg(LOG_ERR, "rax: %016lx   rbx: %016lx   rcx: %016lx", r->rax, r->rbx, r->rcx);
    log_msg(LOG_ERR, "rdx: %016lx   rsi: %016lx   rdi: %016lx", r->rdx, r->rsi, r->rdi);
    log_msg(LOG_ERR, "rbp: %016lx   rsp: %016lx   r8:  %016lx", r->rbp, r->rsp, r->r8);
    log_msg(LOG_ERR, "r9:  %016lx   r10: %016lx   r11: %016lx", r->r9, r->r10, r->r11);
    log_msg(LOG_ERR, "r12: %016lx   r13: %016lx   r14: %016lx", r->r12, r->r13, r->r14);
    log_msg(LOG_ERR, "r15: %016lx", r->r15);
    dump_control(r);
}

/* Is there a call instruction that ends at ra? E8 rel32, or FF /2 of the usual lengths. */
static bool follows_call(u64 ra, const struct symbol *s)
{
    static const u8 lengths[] = {2, 3, 4, 6, 7};
    const u8 *p = (const u8 *)ra;
    unsigned int i;

    if (ra - s->start >= 5 && p[-5] == 0xe8)
        return true;
    for (i = 0; i < ARRAY_SIZE(lengths); i++)
        if (ra - s->start >= lengths[i] && *(p - lengths[i]) == 0xff &&
            (*(p - lengths[i] + 1) & 0x38) == 0x10)
            return true;
    return false;
}

/* Plausible return addresses on this CPU's stack from sp up, with names. */
static void dump_stack(u64 sp)
{
    u64 top = (sp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info), page_end;
    struct symbol s;
    char name[80];
    u32 nr = 0;

    /* The boot stack lies in the image and is laid out like the others. */
    if (sp % 8 ||
        (sp - STACKS_BASE >= (u64)MAX_CPUS * STACK_SIZE && sp - IMAGE_BASE >= IMAGE_MAX)) {
        log_msg(LOG_ERR, "stack pointer %016lx is not on a hypervisor stack", sp);
        return;
    }
    /* An interrupt stack is one page, and the page behind it is not mapped. */
    page_end = ROUND_UP(sp + 1, PAGE_SIZE);
    if (sp >= STACKS_BASE && (sp & (STACK_SIZE - 1)) < STACK_PRIMARY_BASE && top > page_end)
        top = page_end;
    log_msg(LOG_ERR, "Call trace (all plausible return addresses from %016lx):", sp);
    for (; sp + 8 <= top && nr < TRACE_MAX; sp += 8) {
        u64 ra = *(const u64 *)sp;

        if (!symbols_find(ra, &s) || !follows_call(ra, &s))
            continue;
        console_symbol(ra, name, sizeof(name));
        log_msg(LOG_ERR, "   [<%016lx>] %s", ra, name);
        nr++;
    }
    if (!symbols_total())
        log_msg(LOG_ERR, "   (image without symbol table)");
}

/* Only the first CPU gets through; a fault while it reports ends the report. */
static void panic_enter(void)
{
    u32 none = 0;

    if (!atomic_cmpxchg(&panic_cpu, &none, cpu_id() + 1)) {
        if (none == cpu_id() + 1 && console_options.noreboot)
            cpu_halt_forever();
        if (none == cpu_id() + 1)
            domain_machine_restart();
        cpu_halt_forever();
    }
    console_force();
    smp_stop_others();
    log_msg(LOG_ERR, RULE);
    log_msg(LOG_ERR, "Panic on CPU %u:", cpu_id());
}

/* Five seconds by the TSC: the clock may not be up yet, then 2 GHz is assumed. */
static void panic_wait(void)
{
    u64 khz = clock_tsc_khz(), start = insn_rdtsc();

    if (khz < 100000)
        khz = 2000000;
    while (insn_rdtsc() - start < khz * 5000)
        insn_pause();
}

static NORETURN void panic_end(void)
{
    if (console_options.noreboot) {
        log_msg(LOG_ERR, "Manual reset required ('noreboot' specified)");
        cpu_halt_forever();
    }
    log_msg(LOG_ERR, "Reboot in five seconds...");
    panic_wait();
    domain_machine_restart();
}

void console_panic(const char *f, ...)
{
    va_list ap;
    u64 sp;

    panic_enter();
    va_start(ap, f);
    console_vprint("", f, ap);
    va_end(ap);
    log_msg(LOG_ERR, RULE);
    __asm__("mov %%rsp, %0" : "=r"(sp));
    dump_stack(sp);
    panic_end();
}

void bug_at(const char *file, int line, const char *what)
{
    u64 sp;

    panic_enter();
    log_msg(LOG_ERR, "BUG at %s:%d: %s", file, line, what);
    log_msg(LOG_ERR, RULE);
    __asm__("mov %%rsp, %0" : "=r"(sp));
    dump_stack(sp);
    if (cpu_info()->vcpu && !cpu_info()->vcpu->is_idle) {
        log_msg(LOG_ERR, "Registers of the guest at its last entry:");
        console_dump_regs(&cpu_info()->guest, true);
    }
    panic_end();
}

void upcall_fatal_trap(struct cpu_regs *regs)
{
    panic_enter();
    log_msg(LOG_ERR, "FATAL TRAP: vector %u (%s), error code %04x", regs->vector,
            trap_name(regs->vector), regs->error_code);
    if (regs->vector == TRAP_PF)
        log_msg(LOG_ERR, "Faulting linear address: %016lx", insn_read_cr2());
    log_msg(LOG_ERR, RULE);
    console_dump_regs(regs, false);
    dump_stack(regs->rsp & ~7ul);
    panic_end();
}

bool upcall_nmi(struct cpu_regs *regs)
{
    static struct ratelimit rl = RATELIMIT_INIT(1, NS_PER_SEC);
    u32 cpu = cpu_id(), missed;
    bool guest = (regs->cs & 3) == 3;

    nmi_count[cpu]++;
    if (atomic_load(&dump_wanted) >> cpu & 1) {
        console_dump_regs(regs, guest);
        if (!guest)
            dump_stack(regs->rsp & ~7ul);
        atomic_fetch_and(&dump_wanted, ~(1ul << cpu));
        return true;
    }
    /* The machine's own: say so and go on. Port 0x61 bits 6 and 7 name the source on a PC. */
    if (ratelimit_allow(&rl, port_now(), &missed))
        log_msg(LOG_WARN, "NMI on CPU %u, port 61h: %02x (%u before)", cpu, (u32)insn_inb(0x61),
                nmi_count[cpu] - 1);
    return true;
}

void console_dump_cpus(void)
{
    u32 cpu, me = cpu_id();
    u64 end;

    for (cpu = 0; cpu < cpu_count(); cpu++) {
        log_msg(LOG_ERR, "*** CPU %u ***", cpu);
        if (cpu == me) {
            if (cpu_info()->vcpu->is_idle)
                log_msg(LOG_ERR, "idle");
            else
                console_dump_regs(&cpu_info()->guest, true);
            continue;
        }
        atomic_fetch_or(&dump_wanted, 1ul << cpu);
        irq_send_nmi(cpu);
        /* It may be printing: more than a second at 115200 baud is not needed. */
        end = clock_now() + 1500000000ul;
        while ((atomic_load(&dump_wanted) >> cpu & 1) && clock_now() < end) {
            smp_serve_mailbox();
            insn_pause();
        }
        if (atomic_fetch_and(&dump_wanted, ~(1ul << cpu)) >> cpu & 1)
            log_msg(LOG_ERR, "CPU %u does not answer", cpu);
    }
    for (cpu = 0; cpu < cpu_count(); cpu++)
        if (nmi_count[cpu])
            log_msg(LOG_INFO, "CPU %u: %u NMIs", cpu, nmi_count[cpu]);
}
