/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to dom0's first instruction: one step a line, in the one order that works.
 * Everything runs on the boot CPU with interrupts off; the other CPUs join near the end.
 */
#include "boot/main.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/entry.h"
#include "arch/fpu.h"
#include "arch/hmap.h"
#include "arch/insn.h"
#include "arch/irq.h"
#include "arch/smp.h"
#include "base/lib.h"
#include "boot/dom0_pv.h"
#include "boot/options.h"
#include "core/console.h"
#include "core/host.h"
#include "core/machine.h"
#include "core/page.h"
#include "core/sched.h"
#include "core/sched_pool.h"
#include "core/timer.h"
#include "core/vtime.h"
#include "hvm/hvm.h"
#include "pv/pv_mmu.h"
#include "pv/pv_cpuid.h"
#include "pv/pv_port.h"

extern u8 image_start[], image_load_end[], image_end[];

static struct boot_info info;
static struct dom0_kernel kernel;
static struct range ram_ranges[MEMMAP_MAX];
static struct range_set ram = {.r = ram_ranges, .max = MEMMAP_MAX};
static struct reason why;

/* What the boot loader left: reachable through the 4 GiB boot map only. */
static void read_boot_info(u32 magic, u64 addr)
{
    struct phys_window w = {.base = hmap_direct(0), .start = 0, .size = 4 * GiB};

    if (bootinfo_parse(magic, addr, &w, &info, &why) != 0)
        console_panic("boot loader: %s", why.text);
}

static void read_options(void)
{
    int rc = options_parse(info.cmdline, &why);

    host_set_command_line(info.cmdline);
    console_init_serial();
    log_msg(LOG_ERR, "Wheeler %s (%s) - Xen ABI 4.17", BUILD_VERSION, BUILD_COMMIT);
    log_msg(LOG_INFO, "Command line: %s", info.cmdline);
    if (rc != 0)
        console_panic("command line: %s", why.text);
    log_msg(LOG_INFO, "Boot loader: %s, %u modules", info.loader, info.modules);
}

static void check_modules(void)
{
    if (info.modules == 0)
        console_panic("no modules: the boot loader gave no dom0 kernel (0 modules)");
    if (info.module[0].end <= info.module[0].start)
        console_panic("first module is empty (%#lx to %#lx)", (unsigned long)info.module[0].start,
                      (unsigned long)info.module[0].end);
}

static void must(int rc, const char *what)
{
    if (rc != 0)
        console_panic("memory map: %s (%d)", what, rc);
}

/* RAM by the firmware's map, and what of it is free for us. */
static void plan_memory(void)
{
    u64 limit = MIN(DIRECTMAP_SIZE, (u64)1 << cpu_features.phys_bits), start, end;
    u32 i;

    for (i = 0; i < info.map.nr; i++) {
        const struct memmap_entry *e = &info.map.entry[i];

        log_msg(LOG_DEBUG, " %016lx - %016lx type %u", (unsigned long)e->start,
                (unsigned long)e->end, e->type);
        if (e->type != MEMMAP_RAM)
            continue;
        if (e->end > limit)
            log_msg(LOG_WARN, "memory map: RAM %#lx to %#lx is left alone from %#lx on",
                    (unsigned long)e->start, (unsigned long)e->end, (unsigned long)limit);
        if (!memmap_pages(e, limit, &start, &end))
            continue;
        must(range_add(&ram, start, end), "too many ranges");
        must(page_boot_add(start, end), "too many ranges");
    }
    if (bootinfo_check_modules(&info, &ram, &why) != 0)
        console_panic("boot loader: %s", why.text);
    must(page_boot_reserve(0, PAGE_LOW_END), "low memory");
    must(page_boot_reserve(IMAGE_PHYS, IMAGE_PHYS + (u64)(image_end - image_start)), "image");
    must(page_boot_reserve(info.info_start, info.info_end), "loader record");
    for (i = 0; i < info.modules; i++)
        must(page_boot_reserve(info.module[i].start, info.module[i].end), "module");
    log_msg(LOG_INFO, "RAM: %lu MiB", (unsigned long)(range_total(&ram) >> 20));
    /* What dom0 sees of it: the interrupt controllers are nobody's memory. */
    must(memmap_add(&info.map, 0xfec00000, 0xfec01000, MEMMAP_RESERVED), "full");
    must(memmap_add(&info.map, 0xfee00000, 0xfef00000, MEMMAP_RESERVED), "full");
    host_set_memory_map(&info.map);
}

static void map_memory(void)
{
    struct range r = {0, 0};

    if (!hmap_build())
        console_panic("not enough memory for the hypervisor's page tables (%lu MiB of RAM)",
                      (unsigned long)(range_total(&ram) >> 20));
    while (range_next(&ram, r.end, &r))
        if (!hmap_map_ram(r.start, r.end))
            console_panic("not enough memory to map RAM %#lx to %#lx", (unsigned long)r.start,
                          (unsigned long)r.end);
    hmap_activate();
}

static const void *acpi_map(void *ctx, u64 paddr, size_t len)
{
    (void)ctx;
    return hmap_window(paddr, len);
}

static void read_acpi(void)
{
    struct acpi_mem mem = {.map = acpi_map};

    if (acpi_read(&mem, info.rsdp, info.rsdp_len, &machine_acpi, &why) != 0)
        log_msg(LOG_WARN, "ACPI: %s", why.text);
}

static void start_clock(void)
{
    struct clock_sources src = {.hpet = machine_acpi.hpet_addr,
                                .pm_timer_port = acpi_reg_port(&machine_acpi.pm_timer),
                                .pm_timer_32bit = machine_acpi.pm_timer_32,
                                .rtc_century = machine_acpi.century};

    clock_init(&src);
    vtime_set_wallclock(clock_read_rtc(), 0, clock_now());
}

/* From here on this CPU runs on its guarded stack, with its own descriptor tables. */
static void start_cpu0(void)
{
    if (!cpu_alloc(0, 0, 0)) /* its ids: identify_cpu0 */
        console_panic("not enough memory for the boot CPU's stacks");
    cpu_mark_up(0);
    head_switch_stack(cpu_stack_top(0), main_on_own_stack);
}

/* Which processor is this one? Its local APIC knows; firmware may list it anywhere. */
static void identify_cpu0(void)
{
    u32 apic = irq_this_apic_id(), i = acpi_cpu_index(&machine_acpi, apic);

    if (i == machine_acpi.cpus)
        log_msg(LOG_WARN, "ACPI: the boot CPU (APIC id %u) is not among the %u listed", apic, i);
    cpu_set_ids(0, apic, i < machine_acpi.cpus ? machine_acpi.cpu[i].acpi_id : 0);
}

static void dom0_permissions(struct domain *d)
{
    pv_port_dom0_caps(d);
    /* All memory that is no RAM, less the local APIC; RAM is told apart by the frame table. */
    if (range_add(d->iomem, 0, (u64)1 << (cpu_features.phys_bits - PAGE_SHIFT)) != 0 ||
        range_remove(d->iomem, machine_acpi.lapic_addr >> PAGE_SHIFT,
                     (machine_acpi.lapic_addr >> PAGE_SHIFT) + 1) != 0 ||
        range_add(d->irqs, 0, IRQ_MAX) != 0)
        console_panic("dom0: its permissions do not fit");
}

/* What the hypervisor drives itself, dom0 may read. */
static void protect_devices(void)
{
    u64 frame = machine_acpi.hpet_addr >> PAGE_SHIFT;
    int rc = frame != 0 ? ptype_port_protect_io(frame, frame + 1) : 0;
    u32 i;

    for (i = 0; i < machine_acpi.ioapics && rc == 0; i++) {
        frame = machine_acpi.ioapic[i].addr >> PAGE_SHIFT;
        rc = ptype_port_protect_io(frame, frame + 1);
    }
    if (rc != 0)
        console_panic("dom0: too many devices to protect (%u IO-APICs)", machine_acpi.ioapics);
}

static u32 dom0_vcpus(void)
{
    u32 n = cpu_count();

    if (options_given.dom0_max_vcpus.max != 0 && n > options_given.dom0_max_vcpus.max)
        n = options_given.dom0_max_vcpus.max;
    if (n < options_given.dom0_max_vcpus.min)
        n = options_given.dom0_max_vcpus.min;
    return MIN(n, MAX_VCPUS);
}

static void report_memory(void)
{
    log_msg(LOG_INFO, "Hypervisor: image %lu KiB, memory %lu KiB, frame table %lu KiB",
            (unsigned long)(image_load_end - image_start) >> 10,
            (unsigned long)(page_hv_bytes() - page_frametable_bytes() +
                            (u64)(image_end - image_load_end)) >>
                10,
            (unsigned long)page_frametable_bytes() >> 10);
}

static void build_dom0(void)
{
    struct dom0_config cfg = {.kernel = &info.module[0],
                              .initrd = info.modules > 1 ? &info.module[1] : NULL,
                              .mem = options_given.dom0_mem,
                              .max_vcpus = dom0_vcpus()};
    struct domain *d = dom0_build(&cfg, &kernel);

    dom0_permissions(d);
    protect_devices();
    page_boot_unclaim(kernel.image, kernel.image_end);
    page_boot_unclaim(kernel.scratch, kernel.scratch_end);
    page_boot_release(info.module[0].start, info.module[0].end);
    report_memory();
    console_input_to_dom0();
    domain_unpause(d);
    vcpu_pause_clear(d->vcpu[0], VPAUSE_DOWN);
}

static void register_keys(void)
{
    static const struct console_key audit = {'p', "audit page types", pv_mmu_audit_dump};

    (void)console_key_register(&audit);
}

void main_on_own_stack(void)
{
    cpu_init_this(0);
    irq_init(&machine_acpi);
    identify_cpu0();
    start_clock();
    timer_init_cpu();
    sched_pool_init(options_given.sched_id, options_given.sched_ratelimit_us);
    sched_init();
    console_init_irq();
    smp_start_all(options_given.maxcpus);
    register_keys();
    pv_cpuid_init();
    hvm_init();
    build_dom0();
    entry_start_guest();
}

void main_boot(u32 magic, u64 loader_info)
{
    cpu_probe();
    console_init_early();
    read_boot_info(magic, loader_info);
    read_options();
    check_modules();
    plan_memory();
    map_memory();
    read_acpi();
    dom0_unpack(&info.module[0], &kernel);
    if (!page_init(&ram))
        console_panic("not enough memory for the frame table (%lu MiB of RAM)",
                      (unsigned long)(range_total(&ram) >> 20));
    console_init_ring();
    start_cpu0();
}
