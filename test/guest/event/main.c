/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op: what each sub-operation accepts, refuses and leaves behind. How an event then
 * reaches the kernel is event_deliver's topic.
 */
#include "guest.h"

#define BAD_VA  ((void *)0xffff800000000000ul) /* the hypervisor's: never a good argument */
#define NOWHERE ((void *)0x5ead00000000ul)     /* mapped by nobody */

static const uint32_t bad_ports[] = {0, 60, 4095, 4096, 100000, 0x80000000, 0xffffffff};

/* ---- One line about a port ---- */

static void show(const char *name, uint32_t port)
{
    struct evtchn_status s = {.dom = DOMID_SELF, .port = port};
    long rc = evtchn_op(EVTCHNOP_status, &s);
    const char *pending = evtchn_pending(port) ? " pending" : "";

    if (rc != 0) {
        value(name, "%ld", rc);
        return;
    }
    switch (s.status) {
    case EVTCHNSTAT_closed:
        value(name, "closed%s", pending);
        break;
    case EVTCHNSTAT_unbound:
        value(name, "unbound for %u, vcpu %u%s", s.u.unbound.dom, s.vcpu, pending);
        break;
    case EVTCHNSTAT_interdomain:
        value(name, "interdomain %u:%u, vcpu %u%s", s.u.interdomain.dom, s.u.interdomain.port,
              s.vcpu, pending);
        break;
    case EVTCHNSTAT_pirq:
        value(name, "pirq %u, vcpu %u%s", s.u.pirq, s.vcpu, pending);
        break;
    case EVTCHNSTAT_virq:
        value(name, "virq %u, vcpu %u%s", s.u.virq, s.vcpu, pending);
        break;
    case EVTCHNSTAT_ipi:
        value(name, "ipi, vcpu %u%s", s.vcpu, pending);
        break;
    default:
        value(name, "status %u", s.status);
        break;
    }
}

static long reset(unsigned int dom)
{
    struct evtchn_reset r = {.dom = (domid_t)dom};

    return evtchn_op(EVTCHNOP_reset, &r);
}

static long bind_vcpu(uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu b = {.port = port, .vcpu = vcpu};

    return evtchn_op(EVTCHNOP_bind_vcpu, &b);
}

static long unmask(uint32_t port)
{
    struct evtchn_unmask u = {.port = port};

    return evtchn_op(EVTCHNOP_unmask, &u);
}

static int bind_pirq(uint32_t pirq, uint32_t flags)
{
    struct evtchn_bind_pirq b = {.pirq = pirq, .flags = flags};
    long rc = evtchn_op(EVTCHNOP_bind_pirq, &b);

    return rc < 0 ? (int)rc : (int)b.port;
}

/* ---- Arguments ---- */

static void every_op(void)
{
    unsigned int op;

    for (op = 0; op < 20; op++) {
        value_rc(text("op %u without argument", op), evtchn_op(op, NULL));
        value_rc(text("op %u, bad argument", op), evtchn_op(op, BAD_VA));
        value_rc(text("op %u, unmapped argument", op), evtchn_op(op, NOWHERE));
    }
    value_rc("op -1", evtchn_op(0xffffffff, NULL));
    value_rc("old event_channel_op", hypercall1(__HYPERVISOR_event_channel_op_compat, 0));
}

/* The result cannot be stored: is the port bound all the same? */
static void lost_result(void)
{
    struct evtchn_bind_ipi *op = page_alloc();

    op->vcpu = 0;
    check_eq("page read-only", page_ro(op), 0);
    value_rc("bind_ipi, result lost", evtchn_op(EVTCHNOP_bind_ipi, op));
    show("port 1 after the lost result", 1);
    page_rw(op);
    check_eq("reset", reset(DOMID_SELF), 0);
}

/* ---- Unbound and interdomain ---- */

static void unbound(void)
{
    static const unsigned int doms[] = {
        0, 1, 0x7fef, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE, 0x8000, 0xffff};
    unsigned int i;
    int port;

    port = evtchn_unbound(DOMID_SELF, DOMID_SELF);
    check_eq("first port is 1", port, 1);
    show("unbound self", 1);
    check_eq("second port is 2", evtchn_unbound(DOMID_SELF, 1), 2);
    show("unbound for domain 1", 2);
    check_eq("dom0 by number", evtchn_unbound(0, 0), 3);
    check_eq("close the first", evtchn_close(1), 0);
    check_eq("lowest free port comes back", evtchn_unbound(DOMID_SELF, 0), 1);
    for (i = 0; i < ARRAY_SIZE(doms); i++) {
        value_rc(text("unbound in domain %x", doms[i]), evtchn_unbound(doms[i], DOMID_SELF));
        value_rc(text("unbound for domain %x", doms[i]), evtchn_unbound(DOMID_SELF, doms[i]));
    }
    check_eq("unbound, reset", reset(DOMID_SELF), 0);
}

static void interdomain(void)
{
    static const unsigned int doms[] = {1, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_IDLE, 0xffff};
    unsigned int i;
    int a, b, other, ipi;

    a = evtchn_unbound(DOMID_SELF, DOMID_SELF);
    b = evtchn_interdomain(DOMID_SELF, (uint32_t)a);
    check_eq("loop to itself", b, 2);
    show("loop, first end", (uint32_t)a);
    show("loop, second end", (uint32_t)b);
    evtchn_clear((uint32_t)b);
    evtchn_clear((uint32_t)a);
    check_eq("send from the first end", evtchn_send((uint32_t)a), 0);
    value("pending after it", "%d %d", evtchn_pending((uint32_t)a), evtchn_pending((uint32_t)b));
    evtchn_clear((uint32_t)b);
    check_eq("send from the second end", evtchn_send((uint32_t)b), 0);
    value("pending after that", "%d %d", evtchn_pending((uint32_t)a), evtchn_pending((uint32_t)b));
    value_rc("connect to a connected port", evtchn_interdomain(DOMID_SELF, (uint32_t)a));
    value_rc("connect to the other end", evtchn_interdomain(DOMID_SELF, (uint32_t)b));
    check_eq("close the first end", evtchn_close((uint32_t)a), 0);
    show("closed end", (uint32_t)a);
    show("end left behind", (uint32_t)b);
    check_eq("send from the end left behind", evtchn_send((uint32_t)b), 0);
    check_eq("connect to the end left behind", evtchn_interdomain(0, (uint32_t)b), a);
    check_eq("close the second end", evtchn_close((uint32_t)b), 0);
    show("first end left behind", (uint32_t)a);
    check_eq("close the first end at last", evtchn_close((uint32_t)a), 0);

    other = evtchn_unbound(DOMID_SELF, 1);
    ipi = evtchn_ipi(0);
    value_rc("connect to another's port", evtchn_interdomain(DOMID_SELF, (uint32_t)other));
    value_rc("connect to an ipi", evtchn_interdomain(DOMID_SELF, (uint32_t)ipi));
    for (i = 0; i < ARRAY_SIZE(bad_ports); i++)
        value_rc(text("connect to port %x", bad_ports[i]),
                 evtchn_interdomain(DOMID_SELF, bad_ports[i]));
    for (i = 0; i < ARRAY_SIZE(doms); i++)
        value_rc(text("connect to domain %x", doms[i]), evtchn_interdomain(doms[i], 1));
    check_eq("refused ones took no port", evtchn_ipi(0), ipi + 1);
    check_eq("interdomain, reset", reset(DOMID_SELF), 0);
}

/* ---- Bound to something ---- */

static void virqs(void)
{
    static const unsigned int bad[] = {24, 25, 31, 32, 64, 0x7fffffff, 0xffffffff};
    unsigned int i;

    for (i = 0; i < 24; i++) {
        value(text("virq %u on vcpu 0", i), "%s", evtchn_virq(i, 0) > 0 ? "bound" : "refused");
        value_rc(text("virq %u on vcpu 0 again", i), evtchn_virq(i, 0));
        value_rc(text("virq %u on vcpu 1", i), evtchn_virq(i, 1) > 0);
        value_rc(text("virq %u on vcpu 2", i), evtchn_virq(i, 2));
        value_rc(text("virq %u on vcpu -1", i), evtchn_virq(i, 0xffffffff));
    }
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        value_rc(text("virq %x", bad[i]), evtchn_virq(bad[i], 0));
        value_rc(text("virq %x on vcpu -1", bad[i]), evtchn_virq(bad[i], 0xffffffff));
    }
    show("the first virq", 1);
    show("the second virq", 2);
    value_rc("send to a virq", evtchn_send(1));
    check_eq("close a virq", evtchn_close(1), 0);
    check_eq("bind it again", evtchn_virq(0, 0), 1);
    check_eq("virqs, reset", reset(DOMID_SELF), 0);
    check_eq("virq after the reset", evtchn_virq(VIRQ_TIMER, 0), 1);
    check_eq("global virq after the reset", evtchn_virq(VIRQ_CONSOLE, 0), 2);
    check_eq("virqs, reset again", reset(DOMID_SELF), 0);
}

static void ipis(void)
{
    static const unsigned int bad[] = {2, 31, 32, 8191, 8192, 0x80000000, 0xffffffff};
    unsigned int i;
    int p;

    p = evtchn_ipi(0);
    check_eq("ipi on vcpu 0", p, 1);
    check_eq("ipi on vcpu 0 again", evtchn_ipi(0), 2);
    check_eq("ipi on vcpu 1, which is down", evtchn_ipi(1), 3);
    show("an ipi", 1);
    show("an ipi of vcpu 1", 3);
    for (i = 0; i < ARRAY_SIZE(bad); i++)
        value_rc(text("ipi on vcpu %x", bad[i]), evtchn_ipi(bad[i]));
    check_eq("send an ipi", evtchn_send(1), 0);
    show("an ipi that was sent", 1);
    check_eq("send to vcpu 1", evtchn_send(3), 0);
    show("vcpu 1's, sent", 3);
    check_eq("close a pending ipi", evtchn_close(1), 0);
    show("the closed ipi", 1);
    check_eq("ipis, reset", reset(DOMID_SELF), 0);
    show("a pending ipi after the reset", 3);
}

static void pirqs(void)
{
    static const unsigned int bad[] = {0, 2, 255, 1000, 100000, 0xffffffff};
    unsigned int i;
    int p;

    for (i = 0; i < ARRAY_SIZE(bad); i++)
        value(text("pirq %x", bad[i]), "%s", bind_pirq(bad[i], 0) > 0 ? "bound" : "refused");
    p = bind_pirq(9, BIND_PIRQ__WILL_SHARE);
    value("pirq 9", "%s", p > 0 ? "bound" : "refused");
    if (p > 0) {
        show("a pirq", (uint32_t)p);
        value_rc("pirq 9 again", bind_pirq(9, BIND_PIRQ__WILL_SHARE));
        value_rc("send to a pirq", evtchn_send((uint32_t)p));
        value_rc("bind_vcpu of a pirq", bind_vcpu((uint32_t)p, 1));
        show("a pirq for vcpu 1", (uint32_t)p);
        check_eq("close a pirq", evtchn_close((uint32_t)p), 0);
        check_eq("pirq 9 once more", bind_pirq(9, 0), p);
    }
    check_eq("pirqs, reset", reset(DOMID_SELF), 0);
}

/* ---- About a port ---- */

static void port_lists(void)
{
    unsigned int i;
    int ipi = evtchn_ipi(0);

    for (i = 0; i < ARRAY_SIZE(bad_ports); i++) {
        struct evtchn_status s = {.dom = DOMID_SELF, .port = bad_ports[i]};
        long rc = evtchn_op(EVTCHNOP_status, &s);

        value(text("status of %x", bad_ports[i]), "%ld, %u", rc, rc ? 0 : s.status);
        value_rc(text("close %x", bad_ports[i]), evtchn_close(bad_ports[i]));
        value_rc(text("send %x", bad_ports[i]), evtchn_send(bad_ports[i]));
        value_rc(text("unmask %x", bad_ports[i]), unmask(bad_ports[i]));
        value_rc(text("bind_vcpu %x", bad_ports[i]), bind_vcpu(bad_ports[i], 0));
        value_rc(text("bind_vcpu %x to -1", bad_ports[i]), bind_vcpu(bad_ports[i], 0xffffffff));
    }
    check_eq("unmask an ipi", unmask((uint32_t)ipi), 0);
    check_eq("close it", evtchn_close((uint32_t)ipi), 0);
    value_rc("close it again", evtchn_close((uint32_t)ipi));
    value_rc("send to the closed", evtchn_send((uint32_t)ipi));
    value_rc("unmask the closed", unmask((uint32_t)ipi));
    show("the closed", (uint32_t)ipi);
}

static void status_of_others(void)
{
    static const unsigned int doms[] = {0, 1, DOMID_IO, DOMID_XEN, DOMID_INVALID, DOMID_IDLE};
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(doms); i++) {
        struct evtchn_status s = {.dom = (domid_t)doms[i], .port = 1};

        value_rc(text("status in domain %x", doms[i]), evtchn_op(EVTCHNOP_status, &s));
    }
}

static void vcpus(void)
{
    int un = evtchn_unbound(DOMID_SELF, DOMID_SELF), ipi = evtchn_ipi(0);
    int timer = evtchn_virq(VIRQ_TIMER, 0), global = evtchn_virq(VIRQ_CONSOLE, 0);
    int far = evtchn_interdomain(DOMID_SELF, (uint32_t)un);

    value_rc("bind_vcpu interdomain to 1", bind_vcpu((uint32_t)un, 1));
    show("interdomain on vcpu 1", (uint32_t)un);
    show("its other end", (uint32_t)far);
    value_rc("bind_vcpu interdomain to 2", bind_vcpu((uint32_t)un, 2));
    value_rc("bind_vcpu interdomain back to 0", bind_vcpu((uint32_t)un, 0));
    value_rc("bind_vcpu ipi to 1", bind_vcpu((uint32_t)ipi, 1));
    value_rc("bind_vcpu ipi to where it is", bind_vcpu((uint32_t)ipi, 0));
    value_rc("bind_vcpu timer to 1", bind_vcpu((uint32_t)timer, 1));
    value_rc("bind_vcpu timer to where it is", bind_vcpu((uint32_t)timer, 0));
    value_rc("bind_vcpu global virq to 1", bind_vcpu((uint32_t)global, 1));
    show("global virq on vcpu 1", (uint32_t)global);
    value_rc("the global virq is still bound", evtchn_virq(VIRQ_CONSOLE, 0));
    check_eq("close it there", evtchn_close((uint32_t)global), 0);
    check_eq("and bind it anew", evtchn_virq(VIRQ_CONSOLE, 0), global);
    check_eq("close one end", evtchn_close((uint32_t)far), 0);
    value_rc("bind_vcpu unbound to 1", bind_vcpu((uint32_t)un, 1));
    show("unbound on vcpu 1", (uint32_t)un);
    far = evtchn_interdomain(DOMID_SELF, (uint32_t)un);
    show("connected to it", (uint32_t)far);
    show("it, connected again", (uint32_t)un);
    check_eq("vcpus, reset", reset(DOMID_SELF), 0);
}

/* ---- Reset, exhaustion, the other ABI ---- */

static void resets(void)
{
    value_rc("reset of domain 0", reset(0));
    value_rc("reset of domain 1", reset(1));
    value_rc("reset of DOMID_IO", reset(DOMID_IO));
    value_rc("reset of DOMID_INVALID", reset(DOMID_INVALID));
}

static void exhaustion(void)
{
    unsigned int count, wrong = 0;
    int p, last = 0;

    for (count = 0; count < 5000; count++) {
        p = evtchn_unbound(DOMID_SELF, DOMID_SELF);
        if (p < 0)
            break;
        wrong += p != last + 1;
        last = p;
    }
    value("ports until none is left", "%u", count);
    value_rc("one more", p);
    check_eq("ports come in order", wrong, 0);
    value_rc("an ipi then", evtchn_ipi(0));
    value_rc("a virq then", evtchn_virq(VIRQ_TIMER, 0));
    value_rc("a connection then", evtchn_interdomain(DOMID_SELF, 1));
    check_eq("close one in the middle", evtchn_close(2000), 0);
    check_eq("close a lower one", evtchn_close(77), 0);
    check_eq("the lower one comes first", evtchn_ipi(0), 77);
    check_eq("then the other", evtchn_ipi(0), 2000);
    value_rc("then none", evtchn_ipi(0));
    check_eq("send to the last", evtchn_send((uint32_t)last), 0);
    show("the last", (uint32_t)last);
    check_eq("reset of them all", reset(DOMID_SELF), 0);
    show("the last, reset", (uint32_t)last);
    check_eq("from the start", evtchn_ipi(0), 1);
    check_eq("exhaustion, reset", reset(DOMID_SELF), 0);
}

/* FIFO events: with arguments that a hypervisor that has them refuses as well. */
static void fifo(void)
{
    struct evtchn_init_control init = {.control_gfn = 1ul << 40, .offset = 0, .vcpu = 0};
    struct evtchn_expand_array grow = {.array_gfn = 1ul << 40};
    struct evtchn_set_priority prio = {.port = 1, .priority = 3};

    value_rc("init_control, bad frame", evtchn_op(EVTCHNOP_init_control, &init));
    init.vcpu = 5;
    value_rc("init_control, bad vcpu", evtchn_op(EVTCHNOP_init_control, &init));
    init.vcpu = 0;
    init.offset = 4095;
    value_rc("init_control, bad offset", evtchn_op(EVTCHNOP_init_control, &init));
    value_rc("expand_array without control block", evtchn_op(EVTCHNOP_expand_array, &grow));
    value_rc("set_priority of a free port", evtchn_op(EVTCHNOP_set_priority, &prio));
    prio.port = (uint32_t)evtchn_ipi(0);
    value_rc("set_priority with two levels", evtchn_op(EVTCHNOP_set_priority, &prio));
    prio.priority = 99;
    value_rc("set_priority 99", evtchn_op(EVTCHNOP_set_priority, &prio));
    reset(DOMID_SELF);
}

void test_main(const char *args)
{
    (void)args;
    vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    every_op();
    check_eq("reset at first", reset(DOMID_SELF), 0);
    lost_result();
    unbound();
    interdomain();
    virqs();
    ipis();
    pirqs();
    port_lists();
    status_of_others();
    vcpus();
    resets();
    exhaustion();
    fifo();
}
