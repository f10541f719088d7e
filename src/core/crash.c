/* SPDX-License-Identifier: MIT */
/*
 * What is left of a domain that crashed? In the log, until its ring has gone round: the reason, the
 * registers and last exception (the kind's dump), the stack, and the last text on its console.
 *
 * That text is read from the console's ring, through the grant the tools keep for it (entry 0:
 * GNTTAB_RESERVED_CONSOLE in public header grant_table.h). The ring still holds what was taken from
 * it long ago. It is the guest's memory and may change under our eyes: whatever is there, the loops
 * are as long as the ring, no control character passes and few lines do.
 */
#include "base/lib.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/guestmem.h"
#include "pure/conline.h"

#define STACK_LINES 8
/* A guest that crashes again and again must not keep a CPU printing: a report's worth of lines, */
#define CONSOLE_LINES 40
/* and as many more as long ones are divided into. */
#define CONSOLE_PIECES (CONSOLE_LINES + sizeof(((struct xencons_interface *)0)->out) / CONLINE_MAX)

/* In the tables that are loaded: of the current vCPU. */
static void dump_stack(u64 sp)
{
    u64 w[4];
    u32 i;

    for (i = 0, sp &= ~7ul; i < STACK_LINES; i++, sp += sizeof(w)) {
        if (!guestmem_copy_in(w, (const void *)sp, sizeof(w))) {
            log_msg(LOG_ERR, "stack %016lx: nothing can be read", sp);
            return;
        }
        log_msg(LOG_ERR, "stack %016lx: %016lx %016lx %016lx %016lx", sp, w[0], w[1], w[2], w[3]);
    }
}

static char char_at(const struct xencons_interface *ring, u32 i)
{
    return READ_ONCE(ring->out[MASK_XENCONS_IDX(i, ring->out)]);
}

/* Where the last lines begin. */
static u32 last_lines(const struct xencons_interface *ring, u32 end)
{
    u32 first = end - MIN(end, (u32)sizeof(ring->out)), at, lines = 0;

    for (at = end; at != first; at--)
        if (char_at(ring, at - 1) == '\n' && at != end && ++lines == CONSOLE_LINES)
            break;
    return at;
}

static void dump_console(struct domain *d)
{
    const struct xencons_interface *ring;
    struct conline line = {.len = 0};
    u32 i, end, lines = 0;
    struct page *pg;

    if (d == domain_hardware || grant_pin(d, GNTTAB_RESERVED_CONSOLE, 0, false, &pg) != GNTST_okay)
        return;
    ring = port_map(page_mfn(pg));
    end = READ_ONCE(ring->out_prod);
    for (i = last_lines(ring, end); lines < CONSOLE_PIECES && i != end + 1; i++) {
        if (!conline_feed(&line, i == end ? '\n' : char_at(ring, i)) || !line.text[0])
            continue;
        log_msg(LOG_ERR, "d%u said: %s", d->id, line.text);
        lines++;
    }
    grant_unpin(d, GNTTAB_RESERVED_CONSOLE, false, pg);
}

void domain_crash(struct domain *d, const char *f, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, f);
    fmt_vsnprintf(text, sizeof(text), f, ap);
    va_end(ap);
    log_msg(LOG_ERR, "Domain %u crashed: %s", d->id, text);
    if (vcpu_current()->domain == d) {
        /* The rest happens on the way out, when the frame is complete. */
        vcpu_defer(vcpu_current(), VDEFER_CRASH);
        return;
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

void domain_crash_deferred(struct vcpu *v)
{
    dump_stack(v->domain->kind->dump(v));
    dump_console(v->domain);
    domain_shutdown(v->domain, SHUTDOWN_crash);
}
