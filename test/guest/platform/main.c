/* SPDX-License-Identifier: MIT */
/*
 * platform_op: every command with an empty request and with a wrong interface version; the wall
 * clock; what firmware and processors look like.
 */
#include "guest.h"

#include <xen/platform.h>

#define BAD_VA ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */

static struct xen_platform_op op;

static long platform_op(unsigned int cmd)
{
    op.cmd = cmd;
    op.interface_version = XENPF_INTERFACE_VERSION;
    return hypercall1(__HYPERVISOR_platform_op, (uint64_t)&op);
}

static void clear(void)
{
    memset(&op, 0, sizeof(op));
}

static void every_command(void)
{
    static const unsigned int versions[] = {0, XENPF_INTERFACE_VERSION - 1,
                                            XENPF_INTERFACE_VERSION + 1, 0xffffffff};
    unsigned int cmd, i;

    value_rc("without argument", hypercall1(__HYPERVISOR_platform_op, 0));
    value_rc("bad argument", hypercall1(__HYPERVISOR_platform_op, (uint64_t)BAD_VA));
    for (i = 0; i < ARRAY_SIZE(versions); i++) {
        clear();
        op.cmd = XENPF_get_cpuinfo;
        op.interface_version = versions[i];
        value_rc(text("interface version %x", versions[i]),
                 hypercall1(__HYPERVISOR_platform_op, (uint64_t)&op));
        op.cmd = 1000;
        value_rc(text("command 1000, interface version %x", versions[i]),
                 hypercall1(__HYPERVISOR_platform_op, (uint64_t)&op));
    }
    for (cmd = 0; cmd < 80; cmd++) {
        clear();
        /* Offline of processor 0 and sleep without saying where do something. */
        if (cmd == XENPF_cpu_offline || cmd == XENPF_enter_acpi_sleep)
            continue;
        value_rc(text("command %u, nothing asked", cmd), platform_op(cmd));
    }
    value_rc("command -1", platform_op(0xffffffff));
}

static uint64_t wall_seconds(void)
{
    return (uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec;
}

static void times(void)
{
    uint32_t version = shared_info->wc_version;

    clear();
    op.u.settime64.secs = 1700000000;
    op.u.settime64.nsecs = 500000000;
    op.u.settime64.system_time = 1000000000;
    check_eq("settime64", platform_op(XENPF_settime64), 0);
    value("seconds", "%lu", (unsigned long)wall_seconds());
    value("nanoseconds", "%u", shared_info->wc_nsec);
    check(shared_info->wc_version == version + 2, "one update of the wall clock");
    clear();
    op.u.settime64.secs = 5000000000ul;
    check_eq("settime64 beyond 32 bits", platform_op(XENPF_settime64), 0);
    value("seconds beyond 32 bits", "%lu", (unsigned long)wall_seconds());
    clear();
    op.u.settime64.secs = 1700000000;
    op.u.settime64.mbz = 1;
    value_rc("settime64, mbz set", platform_op(XENPF_settime64));
    clear();
    op.u.settime64.secs = 1700000000;
    op.u.settime64.nsecs = 1000000000;
    value_rc("settime64, a whole second of ns", platform_op(XENPF_settime64));
    op.u.settime64.nsecs = 0xffffffff;
    value_rc("settime64, ns -1", platform_op(XENPF_settime64));
    clear();
    op.u.settime64.secs = 5;
    op.u.settime64.system_time = 100000000000ul;
    value_rc("settime64, before the start of time", platform_op(XENPF_settime64));
    clear();
    op.u.settime32.secs = 1700000001;
    op.u.settime32.system_time = 0;
    check_eq("settime32", platform_op(XENPF_settime32), 0);
    value("seconds of settime32", "%lu", (unsigned long)wall_seconds());
}

static void firmware(void)
{
    unsigned int type, index;

    for (type = 0; type < 9; type++)
        for (index = 0; index < 3; index++) {
            clear();
            op.u.firmware_info.type = type;
            op.u.firmware_info.index = index;
            value_rc(text("firmware_info %u, index %u", type, index),
                     platform_op(XENPF_firmware_info));
        }
    clear();
    op.u.firmware_info.type = 0xffffffff;
    value_rc("firmware_info -1", platform_op(XENPF_firmware_info));
}

static void processors(void)
{
    static const unsigned int cpus[] = {0, 1, 2, 63, 255, 0x7fffffff, 0xffffffff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(cpus); i++) {
        clear();
        op.u.pcpu_info.xen_cpuid = cpus[i];
        value_rc(text("cpuinfo of %x", cpus[i]), platform_op(XENPF_get_cpuinfo));
        value(text("flags of %x", cpus[i]), "%x, last %u", op.u.pcpu_info.flags,
              op.u.pcpu_info.max_present);
        clear();
        op.u.pcpu_version.xen_cpuid = cpus[i];
        value_rc(text("version of %x", cpus[i]), platform_op(XENPF_get_cpu_version));
        value(text("last by version of %x", cpus[i]), "%u, %s", op.u.pcpu_version.max_present,
              op.u.pcpu_version.vendor_id[0] ? "vendor" : "none");
        clear();
        op.u.cpu_ol.cpuid = cpus[i];
        value_rc(text("cpu_online %x", cpus[i]), platform_op(XENPF_cpu_online));
        if (cpus[i] > 1) {
            op.u.cpu_ol.cpuid = cpus[i];
            value_rc(text("cpu_offline %x", cpus[i]), platform_op(XENPF_cpu_offline));
        }
    }
}

/* Idle time by a bitmap of processors. */
static void idle(void)
{
    static uint8_t bits[8];
    static uint64_t ns[64];
    unsigned int i;

    clear();
    for (i = 0; i < 8; i++)
        bits[i] = 0xff;
    set_xen_guest_handle(op.u.getidletime.cpumap_bitmap, bits);
    op.u.getidletime.cpumap_nr_cpus = 64;
    set_xen_guest_handle(op.u.getidletime.idletime, ns);
    value_rc("getidletime", platform_op(XENPF_getidletime));
    value("processors that have one", "%x", bits[0]);
    check(op.u.getidletime.now != 0 || bits[0] == 0xff, "and a time");
    for (i = 0; i < 8; i++)
        bits[i] = 0xff;
    set_xen_guest_handle(op.u.getidletime.idletime, (uint64_t *)BAD_VA);
    value_rc("getidletime, bad list", platform_op(XENPF_getidletime));
    set_xen_guest_handle(op.u.getidletime.idletime, ns);
    set_xen_guest_handle(op.u.getidletime.cpumap_bitmap, (uint8_t *)BAD_VA);
    value_rc("getidletime, bad bitmap", platform_op(XENPF_getidletime));
}

static void sleep_states(void)
{
    static const unsigned int states[] = {1, 2, 4, 6, 100, 0xffff};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(states); i++) {
        clear();
        op.u.enter_acpi_sleep.sleep_state = (uint8_t)states[i];
        op.u.enter_acpi_sleep.flags = states[i] == 0xffff ? 0xfffffffe : 0;
        value_rc(text("sleep state %x", states[i]), platform_op(XENPF_enter_acpi_sleep));
    }
}

void test_main(const char *args)
{
    (void)args;
    every_command();
    times();
    firmware();
    processors();
    idle();
    sleep_states();
}
