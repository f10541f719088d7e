/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, event upcalls, NMIs and debug exceptions of a PVH guest at every boundary: by the
 * domain's vector and by the vCPU's own, with interrupts off and on, behind sti, mov ss, popf, iret
 * and hlt, in user mode, behind instructions that exit, with single steps and breakpoints.
 */
#include "pvh.h"

#define UPCALL   0x71
#define OWN      0x72
#define IPI      0x91
#define FLAGS_IF 0x200ul
#define FLAGS_TF 0x100ul

static struct evtchn_send self;
static bool own_vector;

static void upcall_done(void)
{
    vcpu_info(0)->evtchn_upcall_pending = 0;
    vcpu_info(0)->evtchn_pending_sel = 0;
    shared_info->evtchn_pending[0] = 0;
    if (own_vector)
        apic_write(0xb0, 0);
}

/* How an interrupt is made pending while they are off. */
static void make_pending(bool ipi)
{
    if (ipi)
        apic_write(0x300, 0x40000 | IPI);
    else
        evtchn_op(EVTCHNOP_send, &self);
}

struct piece {
    const char *name, *code;
    unsigned int len;
    enum pvh_mode mode;
    uint64_t flags, rax, rdx;
};

/* One is pending; the code runs: where is it taken? (mov cr8 ends QEMU under Debian's Xen.) */
static const struct piece pending[] = {
    {"interrupts off", CODE("\x90\x90"), KERNEL64, 0, 0, 0},
    {"at iret", CODE("\x90\x90"), KERNEL64, FLAGS_IF, 0, 0},
    {"at iret to user mode", CODE("\x90\x90"), USER64, FLAGS_IF, 0, 0},
    {"at iret to 32-bit code", CODE("\x90\x90"), KERNEL32, FLAGS_IF, 0, 0},
    {"behind sti", CODE("\xfb\x90\x90"), KERNEL64, 0, 0, 0},
    {"behind sti, sti", CODE("\xfb\xfb\x90\x90"), KERNEL64, 0, 0, 0},
    {"sti, cli", CODE("\xfb\xfa\x90"), KERNEL64, 0, 0, 0},
    {"sti, mov ss", CODE("\xfb\x8e\xd0\x90\x90"), KERNEL64, 0, KERNEL_DS, 0},
    {"sti, cpuid", CODE("\xfb\x0f\xa2\x90"), KERNEL64, 0, 1, 0},
    {"sti, in", CODE("\xfb\xec\x90"), KERNEL64, 0, 0, 0x3f8},
    {"sti, hypercall", CODE("\xfb\x0f\x01\xd9\x90"), KERNEL64, 0, 17, 0},
    {"sti, wbinvd", CODE("\xfb\x0f\x09\x90"), KERNEL64, 0, 0, 0},
    {"sti, hlt", CODE("\xfb\xf4\x90"), KERNEL64, 0, 0, 0},
    {"sti, ud2", CODE("\xfb\x0f\x0b"), KERNEL64, 0, 0, 0},
    {"sti, rdmsr refused", CODE("\xb9\x45\x23\x01\x00\xfb\x0f\x32\x90"), KERNEL64, 0, 0, 0},
    {"popf", CODE("\x68\x02\x02\x00\x00\x9d\x90\x90"), KERNEL64, 0, 0, 0},
    {"under the trap flag", CODE("\x90\x90"), KERNEL64, FLAGS_IF | FLAGS_TF, 0, 0},
    {"trap flag and interrupts off", CODE("\x90\x90"), KERNEL64, FLAGS_TF, 0, 0},
    {"trap flag, sti", CODE("\xfb\x90\x90"), KERNEL64, FLAGS_TF, 0, 0},
};

static void once(const struct piece *p, bool ipi, char result[64])
{
    struct frame f = {.rflags = p->flags, .rax = p->rax, .rdx = p->rdx};
    const char *first, *then = "";

    make_pending(ipi);
    first = pvh_probe(p->mode, &f, p->code, p->len);
    /* What is left is taken at once when interrupts are on. */
    if (f.vector < 32) {
        f = (struct frame){.rflags = FLAGS_IF};
        then = text(", then %s", pvh_probe(KERNEL64, &f, CODE("\x90")));
    }
    first = text("%s%s", first, then);
    memcpy(result, first, strlen(first) + 1);
    upcall_done();
    if (ipi)
        apic_write(0xb0, 0);
}

/*
 * What happens twice counts: now and then the emulator takes one a step early, in the shadow of
 * sti, on either hypervisor.
 */
static void boundaries(const char *what, bool ipi)
{
    static char a[64], b[64];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(pending); i++) {
        once(&pending[i], ipi, a);
        once(&pending[i], ipi, b);
        if (strcmp(a, b) != 0)
            once(&pending[i], ipi, a);
        value(text("%s: %s", what, pending[i].name), "%s", a);
    }
}

/* The instruction itself makes it pending, with interrupts on. */
static void by_instruction(const char *what)
{
    struct frame f = {.rax = __HYPERVISOR_event_channel_op,
                      .rdi = EVTCHNOP_send,
                      .rsi = (uint64_t)&self,
                      .rflags = FLAGS_IF};

    value(text("%s: behind the call that sends", what), "%s",
          pvh_probe(KERNEL64, &f, CODE("\x0f\x01\xd9\x90\x90")));
    value(text("%s: the call's result", what), "%ld", (long)f.rax);
    upcall_done();
    f = (struct frame){.rax = 0x40000 | IPI, .rbx = 0xfee00300, .rflags = FLAGS_IF};
    value(text("%s: behind the store that sends", what), "%s",
          pvh_probe(KERNEL64, &f, CODE("\x89\x03\x90\x90")));
    apic_write(0xb0, 0);
}

/* Masks and bits of the shared page. */
static void bits(void)
{
    struct frame f = {.rflags = FLAGS_IF};

    vcpu_info(0)->evtchn_upcall_mask = 1;
    evtchn_op(EVTCHNOP_send, &self);
    value("the mask of the shared page", "%s", pvh_probe(KERNEL64, &f, CODE("\x90\x90")));
    upcall_done();
    vcpu_info(0)->evtchn_upcall_mask = 0;
    evtchn_mask(self.port, true);
    evtchn_op(EVTCHNOP_send, &self);
    f = (struct frame){.rflags = FLAGS_IF};
    value("a masked port", "%s", pvh_probe(KERNEL64, &f, CODE("\x90\x90")));
    f = (struct frame){.rax = __HYPERVISOR_event_channel_op,
                       .rdi = EVTCHNOP_unmask,
                       .rsi = (uint64_t)&self,
                       .rflags = FLAGS_IF};
    value("unmasked by a call", "%s", pvh_probe(KERNEL64, &f, CODE("\x0f\x01\xd9\x90\x90")));
    upcall_done();
}

/* Both at once, and the APIC's beside the domain's. */
static void together(void)
{
    struct frame f = {.rflags = FLAGS_IF};

    evtchn_op(EVTCHNOP_send, &self);
    apic_write(0x300, 0x40000 | IPI);
    value("upcall and IPI: first", "%s", pvh_probe(KERNEL64, &f, CODE("\x90")));
    upcall_done();
    f = (struct frame){.rflags = FLAGS_IF};
    value("upcall and IPI: then", "%s", pvh_probe(KERNEL64, &f, CODE("\x90")));
    apic_write(0xb0, 0);
}

static void nmi(void)
{
    struct frame f = {.rax = __HYPERVISOR_vcpu_op, .rdi = VCPUOP_send_nmi};

    value("NMI behind the call that sends it", "%s",
          pvh_probe(KERNEL64, &f, CODE("\x0f\x01\xd9\x90\x90")));
    f = (struct frame){.rax = 0x400, .rbx = 0xfee00300};
    apic_write(0x310, 0);
    value("NMI behind the store that sends it", "%s",
          pvh_probe(KERNEL64, &f, CODE("\x89\x03\x90\x90")));
}

static void debug(void)
{
    static uint64_t watched;
    static const struct piece list[] = {
        {"breakpoint", CODE("\x90\x90\x90"), KERNEL64, 0, 0, 0},
        {"breakpoint on cpuid", CODE("\x90\x0f\xa2"), KERNEL64, 0, 1, 0},
        {"breakpoint behind cpuid", CODE("\x0f\xa2\x90"), KERNEL64, 0, 1, 0},
        {"breakpoint on a hypercall", CODE("\x90\x0f\x01\xd9"), KERNEL64, 0, 17, 0},
        {"breakpoint with the resume flag", CODE("\x90\x90"), KERNEL64, 0x10000, 0, 0},
        {"breakpoint in user mode", CODE("\x90\x90\x90"), USER64, 0, 0, 0},
        {"int1", CODE("\xf1\x90"), KERNEL64, 0, 0, 0},
        {"int1 in user mode", CODE("\xf1\x90"), USER64, 0, 0, 0},
        {"step", CODE("\x90\x90"), KERNEL64, FLAGS_TF, 0, 0},
        {"step in user mode", CODE("\x90\x90"), USER64, FLAGS_TF, 0, 0},
        {"step over cpuid in user mode", CODE("\x0f\xa2\x90"), USER64, FLAGS_TF, 1, 0},
    };
    unsigned int i;
    uint64_t dr6;

    for (i = 0; i < ARRAY_SIZE(list); i++) {
        struct frame f = {.rflags = list[i].flags, .rax = list[i].rax};
        const char *s;

        __asm__ volatile("mov %0, %%dr0; mov %1, %%dr7; mov %2, %%dr6"
                         :
                         : "r"((uint64_t)code_page + (i == 2   ? 2
                                                      : i == 4 ? 0
                                                               : 1)),
                           "r"(i < 6 ? 0x402ul : 0x400ul), "r"(0xffff0ff0ul));
        s = pvh_probe(list[i].mode, &f, list[i].code, list[i].len);
        __asm__ volatile("mov %%dr6, %0; mov %1, %%dr7" : "=r"(dr6) : "r"(0x400ul));
        value(list[i].name, "%s, dr6 %lx", s, dr6);
    }
    for (i = 0; i < 2; i++) {
        struct frame f = {.rbx = (uint64_t)&watched};
        const char *s;

        __asm__ volatile("mov %0, %%dr1; mov %1, %%dr7; mov %2, %%dr6"
                         :
                         : "r"(&watched), "r"(0x900408ul | 0x400), "r"(0xffff0ff0ul));
        s = i == 0 ? pvh_probe(KERNEL64, &f, CODE("\x89\x03\x90\x90"))
                   : pvh_probe(KERNEL64, &f, CODE("\x8b\x03\x90\x90"));
        __asm__ volatile("mov %%dr6, %0; mov %1, %%dr7" : "=r"(dr6) : "r"(0x400ul));
        value(i == 0 ? "a watched store" : "a load of what is watched for stores", "%s, dr6 %lx", s,
              dr6);
    }
}

static void exceptions(void)
{
    struct frame f = {.rbx = 1ul << 41};

    value("page fault", "%s", pvh_probe(KERNEL64, &f, CODE("\x8b\x03")));
    value("page fault of user mode", "%s", pvh_probe(USER64, &f, CODE("\x89\x03")));
    f = (struct frame){.rbx = 1ul << 63};
    value("not canonical", "%s", pvh_probe(KERNEL64, &f, CODE("\x8b\x03")));
    f = (struct frame){.rflags = 0x40000, .rbx = PVH_BOX + 1};
    value("unaligned, AC in the kernel", "%s", pvh_probe(KERNEL64, &f, CODE("\x8b\x03")));
    f = (struct frame){.rax = 0x40};
    value("a busy task", "%s", pvh_probe(KERNEL64, &f, CODE("\x0f\x00\xd8")));
    f = (struct frame){.rax = 0xff8};
    value("a selector beyond the table", "%s", pvh_probe(KERNEL64, &f, CODE("\x8e\xd8")));
    f = (struct frame){0};
    value("null to ss in user mode", "%s", pvh_probe(USER64, &f, CODE("\x8e\xd0")));
    f = (struct frame){.rdx = 1};
    value("a quotient too large", "%s", pvh_probe(KERNEL64, &f, CODE("\xf7\xf2")));
}

static void upcalls(const char *what)
{
    boundaries(what, false);
    by_instruction(what);
}

/* As Linux has it: the vCPU's own vector, and a line for the domain. */
static void by_own_vector(void)
{
    struct xen_hvm_evtchn_upcall_vector own = {.vcpu = 2, .vector = OWN};

    value_rc("vector of vCPU 2", hvm_op(HVMOP_set_evtchn_upcall_vector, &own));
    own.vcpu = 0;
    own.vector = 15;
    value_rc("vector 15", hvm_op(HVMOP_set_evtchn_upcall_vector, &own));
    own.vector = OWN;
    check_eq("vector", hvm_op(HVMOP_set_evtchn_upcall_vector, &own), 0);
    check_eq("callback by a line", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 1), 0);
    own_vector = true;
    upcalls("vCPU's vector");
}

static bool take(struct frame *f)
{
    (void)f;
    vcpu_info(0)->evtchn_upcall_pending = 0;
    return true;
}

static bool tick(struct frame *f)
{
    (void)f;
    apic_write(0xb0, 0);
    return true;
}

/*
 * Each halt ends before it begins; a pause that comes just then must not be lost. Now and then the
 * upcall is taken before the halt: the timer ends that.
 */
static void paused(void)
{
    uint64_t halts = 0;

    trap_hook[UPCALL] = take;
    trap_hook[IPI] = tick;
    apic_write(0x3e0, 0xb);
    apic_write(0x320, 0x20000 | IPI);
    apic_write(0x380, 100000);
    BOX->arg = 2000;
    BOX->result = 1;
    barrier();
    BOX->ask = PVH_ASK_PAUSE;
    for (; BOX->ask == PVH_ASK_PAUSE; halts++) {
        vcpu_info(0)->evtchn_upcall_pending = 1;
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    }
    apic_write(0x380, 0);
    __asm__ volatile("sti; nop; cli");
    trap_hook[UPCALL] = trap_hook[IPI] = NULL;
    check_eq("paused while it halts and goes on", BOX->result, 0);
    check(halts > 0, "it halted meanwhile");
}

void test_main(const char *args)
{
    (void)args;
    pvh_round(BOX->round ? "events by the vCPU's vector" : "events", BOX->round);
    shared_map();
    apic_write(0xf0, 0x1ff);
    self.port = (uint32_t)evtchn_ipi(0);
    evtchn_mask(self.port, false);
    if (BOX->round) {
        by_own_vector();
        return;
    }
    boundaries("IPI", true);
    check_eq("callback by vector", hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | UPCALL), 0);
    upcalls("domain's vector");
    bits();
    together();
    nmi();
    debug();
    exceptions();
    paused();
}
