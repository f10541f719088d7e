/* SPDX-License-Identifier: MIT */
/* Start-up common to all tests: the shared page, traps, arguments, then the test's own part. */
#include "guest.h"

struct start_info *start_info;
struct shared_info *shared_info;

static uint8_t shared_page[4096] __attribute__((aligned(4096)));

void guest_start(struct start_info *si);

void console_write(const char *s)
{
    hypercall3(__HYPERVISOR_console_io, CONSOLEIO_write, strlen(s), (uint64_t)s);
}

void power_off(void)
{
    struct sched_shutdown arg = {.reason = SHUTDOWN_poweroff};

    for (;;)
        sched_op(SCHEDOP_shutdown, &arg);
}

void event_block(void)
{
    sched_op(SCHEDOP_block, NULL);
    event_disable();
}

/* What follows the file name on the command line. */
static const char *arguments(void)
{
    const char *s = (const char *)start_info->cmd_line;

    if (s[0] != '/')
        return s;
    while (*s != '\0' && *s != ' ')
        s++;
    return *s == ' ' ? s + 1 : s;
}

void guest_start(struct start_info *si)
{
    long rc;

    start_info = si;
    shared_info = (struct shared_info *)shared_page;
    rc = va_set(shared_page, si->shared_info | PTE_RWP, UVMF_INVLPG | UVMF_LOCAL);
    if (rc != 0)
        error("mapping shared_info: %ld", rc);
    trap_init();
    test_main(arguments());
    verdict();
}
