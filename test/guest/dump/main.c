/* SPDX-License-Identifier: MIT */
/*
 * Debug key '0', which stops the domain's other vCPUs to show their registers, from two of them at
 * once: neither waits for the other for ever.
 */
#include "guest.h"

#include <xen/sysctl.h>

#define DUMPS 10u

static volatile uint64_t pressed[2], refused;

static void press(unsigned int cpu)
{
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_debug_keys,
                           .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    char key = '0';

    set_xen_guest_handle(s.u.debug_keys.keys, &key);
    s.u.debug_keys.nr_keys = 1;
    if (hypercall1(__HYPERVISOR_sysctl, (uint64_t)&s) != 0)
        refused++;
    pressed[cpu]++;
}

static void second(void *arg)
{
    (void)arg;
    for (;;)
        press(1);
}

void test_main(const char *args)
{
    (void)args;
    check_eq("a second vCPU", vcpu_start(1, second, NULL), 0);
    while (pressed[0] < DUMPS || pressed[1] < DUMPS)
        press(0);
    check_eq("dumps refused", refused, 0);
    check(pressed[0] >= DUMPS && pressed[1] >= DUMPS, "two vCPUs dump each other's registers");
}
