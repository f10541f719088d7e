/* SPDX-License-Identifier: MIT */
/*
 * Instructions that may fault: those in the exception table, and frames that are run until
 * something happens. trap.c and pvh.c say what it was.
 */
#include "guest.h"

struct extable {
    uint64_t insn, fixup;
};

extern const struct extable extable_start[], extable_end[];
void frame_enter(struct frame *f, uint64_t *save_sp);
void frame_leave(uint64_t sp) __attribute__((noreturn));

struct fault fault = {.vector = -1};
trap_hook_t *trap_hook[VECTOR_COUNT];
uint8_t code_page[4096] __attribute__((aligned(4096)));

static uint64_t run_sp;
static struct frame *running;

bool fault_fix_up(struct frame *f)
{
    const struct extable *e;

    for (e = extable_start; e < extable_end; e++) {
        if (e->insn == f->rip) {
            f->rip = e->fixup;
            return true;
        }
    }
    return false;
}

int fault_take(void)
{
    int vector = fault.vector;

    fault.vector = -1;
    return vector;
}

bool frame_runs(void)
{
    return running != NULL;
}

void frame_ended(const struct frame *f)
{
    *running = *f;
    running = NULL;
    frame_leave(run_sp);
}

int run_frame(struct frame *f)
{
    static struct frame copy;
    int vector;

    copy = *f;
    running = f;
    frame_enter(&copy, &run_sp);
    vector = fault_take();
    barrier();
    return vector;
}
