/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of a PVH guest: from each mode and privilege, every number, with arguments that lead
 * nowhere, those that are for PV guests or for the tools; what of the registers is left.
 */
#include "pvh.h"

#define CALL    "\x0f\x01\xd9"
#define NOWHERE 0x7fffff000000ul

static struct frame call_in(enum pvh_mode mode, uint32_t nr, uint64_t a1, uint64_t a2,
                            const char **how)
{
    struct frame f = {.rax = nr};

    if (mode == KERNEL64 || mode == USER64) {
        f.rdi = a1;
        f.rsi = a2;
    } else {
        f.rbx = a1;
        f.rcx = a2;
    }
    *how = pvh_probe(mode, &f, CODE(CALL));
    return f;
}

static void result(const char *name, enum pvh_mode mode, uint32_t nr, uint64_t a1, uint64_t a2)
{
    const char *how;
    struct frame f = call_in(mode, nr, a1, a2, &how);

    if (strcmp(how, "done") != 0)
        value(text("%s: %s", pvh_mode_name[mode], name), "%s", how);
    else
        value(text("%s: %s", pvh_mode_name[mode], name), "%ld",
              mode == KERNEL64 || mode == USER64 ? (long)f.rax : (long)(int32_t)f.rax);
}

static void modes(void)
{
    static uint32_t features[2];
    enum pvh_mode mode;

    for (mode = KERNEL64; mode <= KERNEL16; mode++) {
        result("xen_version", mode, __HYPERVISOR_xen_version, XENVER_version, 0);
        result("xen_version, features", mode, __HYPERVISOR_xen_version, XENVER_get_features,
               (uint64_t)features);
        result("xen_version into nowhere", mode, __HYPERVISOR_xen_version, XENVER_get_features,
               NOWHERE);
        result("sched_op, yield", mode, __HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        result("event_channel_op 99", mode, __HYPERVISOR_event_channel_op, 99, (uint64_t)features);
        result("memory_op, own reservation", mode, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page,
               0);
        result("domctl", mode, __HYPERVISOR_domctl, (uint64_t)features, 0);
        result("number 64", mode, 64, 0, 0);
        result("number 0x80000000", mode, 0x80000000u, 0, 0);
        result("number 0xffffffff", mode, 0xffffffffu, 0, 0);
    }
    value("features", "%x", features[1]);
}

/* Numbers beyond 32 bits, and prefixes. */
static void encodings(void)
{
    struct frame f = {.rax = 1ul << 32 | __HYPERVISOR_xen_version};

    value("number with bit 32", "%s", pvh_probe(KERNEL64, &f, CODE(CALL)));
    value("number with bit 32: result", "%ld", (long)f.rax);
}

static void every_number(enum pvh_mode mode)
{
    uint32_t nr;

    for (nr = 0; nr < 64; nr++)
        if (nr != __HYPERVISOR_iret && nr != __HYPERVISOR_set_timer_op)
            result(text("call %u", nr), mode, nr, mode == KERNEL64 ? ~0ul : 0xffffffff, NOWHERE);
}

static void registers(void)
{
    struct frame f = {.rax = __HYPERVISOR_xen_version,
                      .rbx = 0x1111,
                      .rcx = 0x2222,
                      .rdx = 0x3333,
                      .rbp = 0x4444,
                      .rdi = XENVER_version,
                      .rsi = 0x6666,
                      .r8 = 0x7777,
                      .r9 = 0x8888,
                      .r10 = 0x9999,
                      .r11 = 0xaaaa,
                      .r12 = 0xbbbb,
                      .r15 = 0xcccc,
                      .rflags = 0x8d5};

    value("registers: the call", "%s", pvh_probe(KERNEL64, &f, CODE(CALL)));
    check(f.rbx == 0x1111 && f.rcx == 0x2222 && f.rdx == 0x3333 && f.rbp == 0x4444 &&
              f.rdi == XENVER_version && f.rsi == 0x6666 && f.r8 == 0x7777 && f.r9 == 0x8888 &&
              f.r10 == 0x9999 && f.r11 == 0xaaaa && f.r12 == 0xbbbb && f.r15 == 0xcccc,
          "registers are kept");
    check_eq("flags are kept", (int64_t)f.rflags, 0x8d7);
}

/* 32-bit code makes a call that is not done at once, as an event waits: it goes on where it was. */
static void continued(uint32_t nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct frame f = {.rax = nr,
                      .rbx = a1,
                      .rcx = a2,
                      .rdx = a3,
                      .rbp = 0x5555,
                      .rsi = 0x6666,
                      .rdi = 0x7777,
                      .r10 = 0x8888};

    vcpu_info(0)->evtchn_upcall_mask = 0;
    vcpu_info(0)->evtchn_upcall_pending = 1;
    value(text("long call %u: the call", nr), "%s", pvh_probe(KERNEL32, &f, CODE(CALL)));
    vcpu_info(0)->evtchn_upcall_pending = 0;
    /* A console is for those who have one. */
    check(f.rax == 0 || (nr == __HYPERVISOR_console_io && (int32_t)f.rax == -1),
          text("long call %u: it is done", nr));
    check(f.rbx == a1 && f.rbp == 0x5555 && f.rsi == 0x6666 && f.rdi == 0x7777,
          text("long call %u: registers are kept", nr));
    check(nr == __HYPERVISOR_console_io ? f.rcx + f.rdx == a2 + a3 : f.rcx == a2,
          text("long call %u: the arguments follow what is done", nr));
}

static void long_calls(void)
{
    static char lines[6 * 1024];
    static struct evtchn_reset reset = {.dom = DOMID_SELF};
    uint64_t i;

    for (i = 0; i < sizeof(lines); i++)
        lines[i] = i % 1024 == 1023 ? '\n' : '.';
    shared_map();
    continued(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(lines), (uint64_t)lines);
    for (i = 0; i < 200; i++)
        (void)evtchn_unbound(DOMID_SELF, 0);
    continued(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, (uint64_t)&reset, 0);
}

/* What the guest may know and set of itself. */
static void parameters(void)
{
    uint32_t i;

    for (i = 0; i < HVM_NR_PARAMS; i++) {
        struct xen_hvm_param p = {.domid = DOMID_SELF, .index = i, .value = 0x5a5a};
        long rc = hvm_op(HVMOP_get_param, &p);

        const char *get = rc != 0 ? text("%ld", rc) : text("0, %lx", p.value);

        /* Debian's Xen ends a domain that gives a task segment it has no memory for. */
        if (i == HVM_PARAM_CALLBACK_IRQ || i == HVM_PARAM_VM86_TSS_SIZED)
            value(text("parameter %u", i), "get %s", get);
        else
            value(text("parameter %u", i), "get %s, set %ld", get, hvm_param_set(i, 1));
    }
    value_rc("callback vector 0x0f", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 0xf));
    value_rc("callback vector 0x10", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 0x10));
    value_rc("callback vector 0x1f3", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 0x1f3));
    value_rc("callback type 3", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 3ul << 56 | 0xf3));
    value_rc("callback line 5", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 5));
    value_rc("callback off", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 0));
    for (i = 0; i < 30; i++)
        value_rc(text("hvm_op %u of nowhere", i), hvm_op(i, (void *)NOWHERE));
}

void test_main(const char *args)
{
    (void)args;
    pvh_round("calls", true);
    modes();
    encodings();
    registers();
    long_calls();
    every_number(KERNEL64);
    every_number(KERNEL32);
    parameters();
}
