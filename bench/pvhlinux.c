/* SPDX-License-Identifier: MIT */
/*
 * A micro dom0 that boots a stock Linux as PVH guest and prints its console: nothing else runs
 * beside it, so what is counted is the guest's and the hypervisor's. What goes where in its memory
 * is in dom0's module, made by bench/pvhbench.py.
 */
#include "dom.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

struct pieces {
    uint64_t magic, pages, console, entry, info, count;
    struct {
        uint64_t paddr, at, len;
    } piece[16];
};
#define MAGIC 0x3148565048565057ul

static unsigned int id;
static volatile struct xencons_interface *ring;

static void param(uint32_t index, uint64_t val)
{
    struct xen_hvm_param p = {.domid = (domid_t)id, .index = index, .value = val};

    if (hypercall2(__HYPERVISOR_hvm_op, HVMOP_set_param, (uint64_t)&p) != 0)
        error("parameter %u", index);
}

/* Its console: a ring of its memory and an event. Our port. */
static uint32_t console_init(uint64_t gfn)
{
    struct evtchn_alloc_unbound op = {.dom = (domid_t)id, .remote_dom = 0};
    int port;

    if (evtchn_op(EVTCHNOP_alloc_unbound, &op) != 0)
        error("console's port");
    param(HVM_PARAM_CONSOLE_PFN, gfn);
    param(HVM_PARAM_CONSOLE_EVTCHN, op.port);
    port = evtchn_interdomain(id, op.port);
    if (port < 0)
        error("console's port: %d", port);
    ring = domu_map(id, gfn);
    return (uint32_t)port;
}

/* Prints what it says, line by line; the first line of its first process stops the clock. */
static void drain(uint64_t start)
{
    static char line[320];
    static unsigned int at;

    while (ring->out_cons != ring->out_prod) {
        char c = ring->out[ring->out_cons % sizeof(ring->out)];

        barrier();
        ring->out_cons++;
        if (c != '\n' && at < sizeof(line) - 1) {
            if (c != '\r')
                line[at++] = c;
            continue;
        }
        line[at] = '\0';
        at = 0;
        if (strcmp(line, "BENCH init") == 0)
            print("BENCH boot to user space\t%lu\n", rdtsc() - start);
        print("%s\n", line);
    }
}

void test_main(const char *args)
{
    const struct pieces *p = (const struct pieces *)start_info->mod_start;
    struct domu guest = {0};
    uint64_t start;
    uint32_t port;
    unsigned int i;

    (void)args;
    if (start_info->mod_len < sizeof(*p) || p->magic != MAGIC)
        error("no guest in the module");
    id = guest.id = pvh_create(1, p->pages);
    pvh_populate(id, 0, p->pages);
    for (i = 0; i < p->count; i++)
        pvh_load(id, p->piece[i].paddr, (const char *)p + p->piece[i].at, p->piece[i].len);
    port = console_init(p->console);
    pvh_start_state(id, p->entry, p->info);
    start = rdtsc();
    domu_run(&guest);
    do {
        struct sched_poll poll = {.nr_ports = 1, .timeout = now() + 1000000000ul};

        set_xen_guest_handle(poll.ports, &port);
        sched_op(SCHEDOP_poll, &poll);
        evtchn_clear(port);
        drain(start);
        evtchn_send(port);
    } while (!(domu_flags(&guest) & XEN_DOMINF_shutdown));
}
