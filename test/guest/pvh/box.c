/* SPDX-License-Identifier: MIT */
/* A PVH test kernel and the micro dom0 that built it: arguments in, text and requests out. */
#include "pvh.h"

void console_write(const char *s)
{
    for (; *s != '\0'; s++) {
        while (BOX->head - BOX->tail >= sizeof(BOX->text))
            sched_op(SCHEDOP_yield, NULL);
        BOX->text[BOX->head % sizeof(BOX->text)] = *s;
        barrier();
        BOX->head++;
    }
}

const char *pvh_args(void)
{
    return BOX->args;
}

void pvh_round(const char *name, bool last)
{
    memcpy(BOX->name, name, strlen(name) + 1);
    BOX->again = !last;
}

int64_t pvh_ask(uint32_t ask, uint32_t arg)
{
    BOX->arg = arg;
    barrier();
    BOX->ask = ask;
    while (BOX->ask != PVH_ASK_NONE)
        sched_op(SCHEDOP_yield, NULL);
    return BOX->result;
}
