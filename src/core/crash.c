/* SPDX-License-Identifier: MIT */
/*
 * What is left of a domain that crashed? In the log, until its ring has gone round: the reason, the
 * registers and last exception (the kind's dump), the stack, and the last text on its console.
 *
 * That text is read from the console's ring, through the grant the tools keep for it (entry 0:
 * GNTTAB_RESERVED_CONSOLE in public header grant_table.h). The ring still holds what was taken from
 * it long ago. It is the guest's memory: whatever is there, the loop is as long as the ring and no
 * control character passes.
 */
#include "base/lib.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/guestmem.h"
#include "pure/conline.h"

#define STACK_LINES 8

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

static void feed(const struct domain *d, struct conline *l, char c)
{
    if (conline_feed(l, c) && l->text[0])
        log_msg(LOG_ERR, "d%u said: %s", d->id, l->text);
}

static void dump_console(struct domain *d)
{
    const struct xencons_interface *ring;
    struct conline line = {.len = 0};
    struct page *pg;
    u32 i, end;

    if (d == domain_hardware || grant_pin(d, GNTTAB_RESERVED_CONSOLE, 0, false, &pg) != GNTST_okay)
        return;
    ring = port_map(page_mfn(pg));
    end = READ_ONCE(ring->out_prod);
    for (i = end - MIN(end, (u32)sizeof(ring->out)); i != end; i++)
        feed(d, &line, READ_ONCE(ring->out[MASK_XENCONS_IDX(i, ring->out)]));
    feed(d, &line, '\n');
    grant_unpin(d, GNTTAB_RESERVED_CONSOLE, false, pg);
}

void domain_crash(struct domain *d, const char *f, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, f);
    fmt_vsnprintf(text, sizeof(text), f, ap);
    va_end(ap);
    log_msg(LOG_ERR, "Domain %u crashed: %s\n", d->id, text);
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
