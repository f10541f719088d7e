/* SPDX-License-Identifier: MIT */
/*
 * A guest for `xl create` that wants little: kernel = "tick.elf", memory = 32, no more. It ticks
 * by its timer, each time with a line on its console and the count in its xenstore node data/ticks,
 * and ends as control/shutdown says.
 *
 *   extra = "NAME [PERIOD [quiet]]"     PERIOD: ms, 1000 if not given; quiet: only the first line
 */
#include "front.h"

static void obey(void)
{
    static const char *const words[] = {
        [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot", [SHUTDOWN_crash] = "crash"};
    struct sched_shutdown arg = {.reason = SHUTDOWN_poweroff};
    char word[16];

    if (xs_read("control/shutdown", word, sizeof(word)) <= 0)
        return;
    for (arg.reason = 0; arg.reason < ARRAY_SIZE(words); arg.reason++) {
        if (words[arg.reason] == NULL || strcmp(words[arg.reason], word) != 0)
            continue;
        xs_write("control/shutdown", "");
        ring_print(text("TICK ends: %s\r\n", word));
        sched_op(SCHEDOP_shutdown, &arg);
    }
}

void test_main(const char *args)
{
    static char name[32];
    uint64_t period, next, n = 0;
    unsigned int i;
    bool quiet;

    for (i = 0; i < sizeof(name) - 1 && *args != ' ' && *args != '\0'; i++)
        name[i] = *args++;
    period = read_number(&args) * 1000000;
    if (period == 0)
        period = 1000000000;
    quiet = *args == ' ' && starts_with(args + 1, "quiet");
    ring_print(text("TICK %s up pages=%lu\r\n", name, start_info->nr_pages));
    timer_init();
    xs_watch("control/shutdown");
    for (next = now() + period;; next += period) {
        while (now() < next) {
            if (xs_fired())
                obey();
            block_until(next);
        }
        n++;
        xs_write("data/ticks", text("%lu", n));
        if (!quiet)
            ring_print(text("TICK %s n=%lu now=%lu\r\n", name, n, now()));
    }
}
