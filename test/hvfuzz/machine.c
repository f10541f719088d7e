/* SPDX-License-Identifier: MIT */
/*
 * How does a hypervisor run in a process?
 *
 * RAM is a file in memory. The direct map, the frame table and the machine-to-phys table are
 * mappings of it at addresses of this process (include/arch/layout.h), shared while the machine
 * starts, private from machine_freeze on: then a run's changes are thrown away by one system call
 * each. The hypervisor's variables lie between two markers, by the order of the link, and are
 * copied back.
 *
 * A processor is a fiber. When it halts or is in guest mode, its fiber waits in machine_wait for
 * the next thing to do.
 */
#include "machine.h"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/smp.h"
#include "arch/upcalls.h"
#include "core/domain.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/timer.h"
#include "hvmguest.h"
#include "hwport.h"
#include "pure/port.h"
#include "pv/pv_mmu.h"

#define FIBER_STACK  (256 * KiB)
#define SPINS_MAX    20000
#define CHANCES_MAX  2000 /* lock and preemption points in one go */
#define BUDGET_USUAL 2048 /* PV_MMU_BUDGET */
#define NOTES_SIZE   (256 * KiB)

/* first.c and last.c: the hypervisor's variables are between them. */
extern char first_data[], last_data[], first_bss[], last_bss[];

struct fiber {
    ucontext_t ctx;
    char *stack;
    void *fake_stack;
    void (*fn)(void *);
    void *arg;
    enum machine_state state;
    bool spinning; /* gave way to wait for another one */
    bool idle_too; /* fn is the hypervisor's own: a halted processor runs it as well */
};

static struct fiber fibers[MACHINE_CPUS];
static ucontext_t driver;
static const void *driver_stack;
static size_t driver_size;
static bool in_fiber;

static u32 playing;
static struct cpu_info infos[MACHINE_CPUS], frozen_infos[MACHINE_CPUS];
static u32 pattern, spins, chances, budget = BUDGET_USUAL;
static bool off;

static int ram_fd = -1;
static char *saved_data, *saved_bss;
static char notes[NOTES_SIZE];
static size_t notes_len;
bool machine_verbose;

/* What went wrong. */

void machine_note(const char *f, ...)
{
    va_list ap;
    int n;

    va_start(ap, f);
    n = vsnprintf(notes + notes_len, NOTES_SIZE - notes_len, f, ap);
    va_end(ap);
    if (machine_verbose)
        fputs(notes + notes_len, stderr);
    if (notes_len + (size_t)n < NOTES_SIZE)
        notes_len += (size_t)n;
}

static void print_notes(void)
{
    static bool printed;

    if (!printed && !machine_verbose)
        fprintf(stderr, "The sequence:\n%s", notes);
    printed = true;
}

/* The sanitizers call these before they report. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    print_notes();
}

void __ubsan_on_report(void);
void __ubsan_on_report(void)
{
    print_notes();
}

void machine_found(const char *f, ...)
{
    va_list ap;

    print_notes();
    fprintf(stderr, "FOUND: ");
    va_start(ap, f);
    vfprintf(stderr, f, ap);
    va_end(ap);
    fprintf(stderr, "\n");
    abort();
}

/* Processors. */

struct cpu_info *machine_this_cpu(void)
{
    return &infos[playing];
}

struct cpu_info *cpu_info_of(u32 cpu)
{
    return &infos[cpu];
}

u32 machine_cpu(void)
{
    return playing;
}

void machine_play(u32 cpu)
{
    playing = cpu;
}

enum machine_state machine_state(u32 cpu)
{
    return fibers[cpu].state;
}

bool machine_quiet(void)
{
    u32 i;

    for (i = 0; i < MACHINE_CPUS; i++)
        if (fibers[i].state == MACHINE_STOPPED)
            return false;
    return true;
}

bool machine_is_off(void)
{
    return off;
}

static void to_driver(void)
{
    struct fiber *f = &fibers[playing];

    in_fiber = false;
    __sanitizer_start_switch_fiber(&f->fake_stack, driver_stack, driver_size);
    swapcontext(&f->ctx, &driver);
    __sanitizer_finish_switch_fiber(f->fake_stack, &driver_stack, &driver_size);
    in_fiber = true;
}

static void to_fiber(u32 cpu)
{
    struct fiber *f = &fibers[cpu];
    void *fake;

    playing = cpu;
    chances = 0;
    __sanitizer_start_switch_fiber(&fake, f->stack, FIBER_STACK);
    swapcontext(&driver, &f->ctx);
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
    playing = 0;
}

/* In guest mode or halted: until there is something to do. */
static void machine_wait(void)
{
    fibers[playing].state = MACHINE_GUEST;
    to_driver();
    fibers[playing].state = MACHINE_STOPPED;
}

static void fiber_main(void)
{
    __sanitizer_finish_switch_fiber(NULL, &driver_stack, &driver_size);
    in_fiber = true;
    for (;;) {
        struct fiber *f = &fibers[playing];
        void (*fn)(void *);

        f->state = MACHINE_STOPPED;
        machine_take_interrupts();
        fn = f->fn;
        f->fn = NULL;
        if (fn != NULL)
            fn(f->arg);
        machine_wait();
    }
}

static void fiber_start(u32 cpu)
{
    struct fiber *f = &fibers[cpu];

    if (f->stack == NULL)
        f->stack =
            mmap(NULL, FIBER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asan_unpoison_memory_region(f->stack, FIBER_STACK);
    getcontext(&f->ctx);
    f->ctx.uc_stack.ss_sp = f->stack;
    f->ctx.uc_stack.ss_size = FIBER_STACK;
    f->ctx.uc_link = NULL;
    f->fake_stack = NULL;
    f->fn = NULL;
    f->state = MACHINE_GUEST;
    f->spinning = false;
    makecontext(&f->ctx, fiber_main, 0);
}

/*
 * A processor that waits sends interrupts, and those in guest mode take them: a few rounds. It may
 * still wait then, for one that stopped inside the hypervisor.
 */
static void answer(u32 cpu)
{
    u32 round, other;

    for (round = 0; round < 4 && fibers[cpu].spinning && !off; round++) {
        for (other = 0; other < MACHINE_CPUS && !off; other++)
            if (other != cpu && fibers[other].state == MACHINE_GUEST && infos[other].work != 0)
                to_fiber(other);
        if (!off)
            to_fiber(cpu);
    }
}

static void run(u32 cpu, void (*fn)(void *), void *arg, bool idle_too)
{
    BUG_ON(fibers[cpu].state != MACHINE_GUEST);
    spins = 0;
    fibers[cpu].fn = fn;
    fibers[cpu].arg = arg;
    fibers[cpu].idle_too = idle_too;
    to_fiber(cpu);
    answer(cpu);
    fibers[cpu].fn = NULL;
}

void machine_run(u32 cpu, void (*fn)(void *), void *arg)
{
    run(cpu, fn, arg, false);
}

void machine_run_hypervisor(u32 cpu, void (*fn)(void *), void *arg)
{
    run(cpu, fn, arg, true);
}

void machine_resume(u32 cpu)
{
    spins = 0;
    to_fiber(cpu);
    answer(cpu);
}

void machine_settle(void)
{
    u32 rounds, cpu;
    bool busy = true;

    pattern = 0;
    spins = 0;
    budget = BUDGET_USUAL;
    for (rounds = 0; busy && !off; rounds++) {
        if (rounds > SPINS_MAX)
            machine_found("processors wait for each other for ever");
        busy = false;
        for (cpu = 0; cpu < MACHINE_CPUS && !off; cpu++) {
            busy |= fibers[cpu].state == MACHINE_STOPPED || infos[cpu].work != 0 ||
                    hwport_alarm_due(cpu);
            if (fibers[cpu].state == MACHINE_STOPPED || infos[cpu].work != 0 ||
                hwport_alarm_due(cpu))
                to_fiber(cpu);
        }
    }
}

void machine_set_pattern(u32 p)
{
    pattern = p;
}

void machine_set_budget(u32 entries)
{
    budget = entries;
}

/* include/pv/pv_mmu.h */
int machine_budget(void)
{
    return (int)budget;
}

/* A chance for the others. No lock is held. Who asks again and again may be waiting for them. */
void hwport_give_way(void)
{
    bool now = (pattern & 1) || ++chances > CHANCES_MAX;

    pattern >>= 1;
    if (!now || !in_fiber)
        return;
    if (chances > CHANCES_MAX)
        hwport_spin();
    else
        to_driver();
}

void hwport_spin(void)
{
    BUG_ON(!in_fiber); /* nobody else could go on */
    if (++spins > SPINS_MAX)
        machine_found("CPU %u waits for ever", playing);
    fibers[playing].spinning = true;
    to_driver();
    fibers[playing].spinning = false;
}

void hwport_halt(void)
{
    struct fiber *f = &fibers[playing];
    void (*fn)(void *);

    machine_wait();
    hwport_ring();
    if (!f->idle_too || f->fn == NULL)
        return;
    fn = f->fn;
    f->fn = NULL;
    fn(f->arg);
}

void hwport_power_off(void)
{
    off = true;
    for (;;)
        to_driver();
}

void machine_take_interrupts(void)
{
    smp_serve_mailbox();
    hwport_ring();
    if (infos[playing].work != 0 || infos[playing].vcpu->is_idle)
        upcall_exit_work();
}

/* Memory. */

static void map_ram(u64 at, u64 offset, u64 size, int flags)
{
    if (mmap((void *)at, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, ram_fd, (off_t)offset) ==
        MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
}

static struct {
    u64 at, offset, size;
} maps[8];
static u32 map_nr;

void hwport_map(u64 at, u64 offset, u64 size)
{
    BUG_ON(map_nr == ARRAY_SIZE(maps));
    maps[map_nr].at = at;
    maps[map_nr].offset = offset;
    maps[map_nr++].size = size;
    map_ram(at, offset, size, MAP_SHARED);
}

u64 hwport_map_to_maddr(u64 va)
{
    u32 i;

    for (i = 0; i < map_nr; i++)
        if (va - maps[i].at < maps[i].size)
            return maps[i].offset + (va - maps[i].at);
    return PAGE_SIZE; /* in the image */
}

/* Not memcpy: what lies between variables is poisoned. */
static void copy_raw(void *dst, const void *src, size_t n)
{
    __asm__ __volatile__("rep movsb" : "+D"(dst), "+S"(src), "+c"(n)::"memory");
}

void machine_freeze(void)
{
    u32 i;

    saved_data = malloc((size_t)(last_data - first_data));
    saved_bss = malloc((size_t)(last_bss - first_bss));
    copy_raw(saved_data, first_data, (size_t)(last_data - first_data));
    copy_raw(saved_bss, first_bss, (size_t)(last_bss - first_bss));
    memcpy(frozen_infos, infos, sizeof(infos));
    for (i = 0; i < map_nr; i++)
        map_ram(maps[i].at, maps[i].offset, maps[i].size, MAP_PRIVATE);
    heap_freeze();
    hwport_freeze();
}

void machine_reset(void)
{
    u32 i;

    copy_raw(first_data, saved_data, (size_t)(last_data - first_data));
    copy_raw(first_bss, saved_bss, (size_t)(last_bss - first_bss));
    memcpy(infos, frozen_infos, sizeof(infos));
    for (i = 0; i < map_nr; i++)
        madvise((void *)maps[i].at, maps[i].size, MADV_DONTNEED);
    heap_reset();
    hwport_reset();
    tlb_flush_everything();
    pattern = spins = 0;
    budget = BUDGET_USUAL;
    off = false;
    notes_len = 0;
    notes[0] = '\0';
    playing = 0;
    for (i = 0; i < MACHINE_CPUS; i++)
        fiber_start(i);
}

/* Start-up. */

static void boot_memory(void)
{
    static struct range ranges[4];
    static struct range_set ram = {.r = ranges, .max = ARRAY_SIZE(ranges)};
    const u64 size = MACHINE_FRAMES * PAGE_SIZE;

    ram_fd = memfd_create("ram", 0);
    if (ram_fd < 0 || ftruncate(ram_fd, (off_t)(size + HEAP_SIZE)) != 0) {
        perror("RAM");
        exit(1);
    }
    hwport_map(DIRECTMAP_BASE, 0, size);
    hwport_map(HEAP_BASE, size, HEAP_SIZE);
    if (range_add(&ram, 0, size) != 0 || page_boot_add(0, size) != 0 ||
        page_boot_reserve(0, PAGE_LOW_END) != 0 || !page_init(&ram)) {
        fprintf(stderr, "no memory for the tables\n");
        exit(1);
    }
}

void machine_boot(void)
{
    u32 i;

    BUG_ON((char *)&domain_hardware < first_bss || (char *)&domain_hardware >= last_bss);
    hwport_init();
    boot_memory();
    for (i = 0; i < MACHINE_CPUS; i++)
        infos[i].cpu_id = i;
    for (i = 0; i < MACHINE_CPUS; i++) {
        playing = i;
        insn_write_cr3(mfn_to_maddr(hmap_template()));
        timer_init_cpu();
        if (i == 0)
            sched_init();
        else
            sched_init_cpu();
    }
    playing = 0;
    if (hvmguest_on)
        hvm_init();
    /* Idle processors would do it in every run. */
    while (page_scrub_step())
        ;
}
