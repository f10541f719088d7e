/* SPDX-License-Identifier: MIT */
/*
 * A guest that does nothing but want the processor, in one of three ways, and counts what it gets:
 *
 *   NAME spin                   computes always
 *   NAME dodge PERIOD           computes, and sleeps whenever a tick of PERIOD us would ring
 *   NAME wake BURST PAUSE       sleeps PAUSE us by its timer, then computes BURST us
 *
 * Once a second it writes a line to its console ring: its name, the system time in ns, the units of
 * work done so far, the ns it ran by the hypervisor's account, and for `wake` how often it ran how
 * long after its timer: within 50, 100, 200, 500 us, 1, 2, 5, 10 ms, and later.
 */
#include "front.h"

#define REPORT_NS 1000000000ul

static uint64_t done, next_report;
static const uint32_t bound_us[] = {50, 100, 200, 500, 1000, 2000, 5000, 10000};
static uint32_t late[ARRAY_SIZE(bound_us) + 1];

static void report(const char *name, uint64_t t)
{
    struct vcpu_runstate_info rs;

    if (t < next_report)
        return;
    vcpu_op(VCPUOP_get_runstate_info, 0, &rs);
    next_report = t + REPORT_NS;
    ring_print(text("LOAD %s now=%lu done=%lu ran=%lu late=%u %u %u %u %u %u %u %u %u ;\r\n", name,
                    t, done, rs.time[RUNSTATE_running], late[0], late[1], late[2], late[3], late[4],
                    late[5], late[6], late[7], late[8]));
}

/* One unit of work: some thousand instructions. */
static void work(void)
{
    unsigned int i;

    for (i = 0; i < 500; i++)
        barrier();
    done++;
}

static void spin(const char *name)
{
    for (;;) {
        work();
        report(name, now());
    }
}

static void dodge(const char *name, uint64_t period)
{
    for (;;) {
        uint64_t t = now();

        if (t % period > period - 200000)
            block_until(t - t % period + period + 50000);
        work();
        report(name, t);
    }
}

static void wake(const char *name, uint64_t burst, uint64_t pause)
{
    unsigned int i;

    for (;;) {
        uint64_t t = now() + pause, us;

        block_until(t);
        if (now() < t)
            continue;
        us = (now() - t) / 1000;
        for (i = 0; i < ARRAY_SIZE(bound_us) && us > bound_us[i]; i++)
            ;
        late[i]++;
        for (t = now() + burst; now() < t;)
            work();
        report(name, now());
    }
}

void test_main(const char *args)
{
    static char name[16];
    unsigned int i;
    uint64_t a, b;

    for (i = 0; i < sizeof(name) - 1 && *args != ' ' && *args != '\0'; i++)
        name[i] = *args++;
    args += *args == ' ';
    timer_init();
    ring_print(text("LOAD %s up: %s\r\n", name, args));
    if (starts_with(args, "spin"))
        spin(name);
    if (starts_with(args, "dodge")) {
        args += strlen("dodge");
        dodge(name, read_number(&args) * 1000);
    }
    args += strlen("wake");
    a = read_number(&args);
    b = read_number(&args);
    wake(name, a * 1000, b * 1000);
}
