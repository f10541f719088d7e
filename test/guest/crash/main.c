/* SPDX-License-Identifier: MIT */
/*
 * The ends of a domain, one per boot (cases): frames that cannot be written or read, handlers that
 * are not there, shutdowns of every code. Each must end this domain and not the hypervisor, which
 * says why (reasons), shows the registers, and stays (noreboot).
 */
#include "guest.h"

#define MS 1000000ul

static uint64_t number(const char *s, unsigned int base)
{
    uint64_t n = 0;

    for (; *s && *s != ' '; s++)
        n = n * base + (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
    return n;
}

/* Executes ud2 with this stack pointer. */
static void ud2_on(uint64_t sp)
{
    struct frame f;

    memset(&f, 0, sizeof(f));
    f.rsp = sp;
    run_code(&f, "\x0f\x0b", 2);
}

static void callback(uint16_t type, uint64_t address)
{
    struct callback_register r = {.type = type, .address = address};

    note("callback_op: %ld",
         hypercall2(__HYPERVISOR_callback_op, CALLBACKOP_register, (uint64_t)&r));
}

static void no_handler(const char *arg)
{
    (void)arg;
    hypercall1(__HYPERVISOR_set_trap_table, 0);
    __asm__ volatile("ud2");
}

static void stack(const char *arg)
{
    ud2_on(number(arg, 16));
}

static void readonly_stack(const char *arg)
{
    uint8_t *page = page_alloc();

    (void)arg;
    page_ro(page);
    ud2_on((uint64_t)page + 2048);
}

/* Events arrive with the stack the kernel has at that moment. */
static void upcall_on(uint64_t sp)
{
    struct frame f;

    memset(&f, 0, sizeof(f));
    memcpy(code_page, "\xeb\xfe", 2); /* jmp . */
    f.rip = (uint64_t)code_page;
    f.cs = FLAT_KERNEL_CS & ~3;
    f.ss = FLAT_KERNEL_SS;
    f.rflags = 0x202;
    f.rsp = sp;
    evtchn_send((uint32_t)evtchn_ipi(0));
    run_frame(&f);
}

static void event_no_callback(const char *arg)
{
    static uint64_t sp[64];

    (void)arg;
    callback(CALLBACKTYPE_event, 0);
    upcall_on((uint64_t)&sp[60]);
}

static void event_bad_stack(const char *arg)
{
    (void)arg;
    upcall_on(0x5ead00001000ul);
}

__asm__(".pushsection .user,\"ax\"\n"
        "user_syscall:\n\tsyscall\n"
        "user_ud2:\n\tud2\n"
        ".popsection");
extern char user_syscall[], user_ud2[];

static void user_at(const char *label)
{
    struct frame f;

    user_frame(&f, user_va(label));
    run_frame(&f);
}

static void user_with_stack(uint64_t sp)
{
    static struct user_space u;

    user_init(&u);
    if (sp)
        note("stack_switch: %ld", hypercall2(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, sp));
}

static void syscall_bad_stack(const char *arg)
{
    (void)arg;
    user_with_stack(0x5ead00001000ul);
    user_at(user_syscall);
}

static void user_fault_bad_stack(const char *arg)
{
    (void)arg;
    user_with_stack(0x5ead00001000ul);
    user_at(user_ud2);
}

static void iret(const char *arg)
{
    __asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(number(arg, 16)) : "memory");
}

static void iret_no_user(const char *arg)
{
    struct frame f;

    (void)arg;
    user_frame(&f, USER_CODE);
    run_frame(&f);
}

static void nmi_bad_stack(const char *arg)
{
    struct frame f;

    (void)arg;
    memset(&f, 0, sizeof(f));
    f.rax = __HYPERVISOR_vcpu_op;
    f.rdi = VCPUOP_send_nmi;
    f.rsp = 0x5ead00001000ul;
    run_code(&f, "\x0f\x05", 2);
}

static void shutdown(const char *arg)
{
    struct sched_shutdown s = {.reason = (unsigned int)number(arg, 10)};

    sched_op(SCHEDOP_shutdown, &s);
}

/* The code that was latched counts, not that of the shutdown. */
static void latched(const char *arg)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_reboot};

    (void)arg;
    sched_op(SCHEDOP_shutdown_code, &s);
    s.reason = SHUTDOWN_poweroff;
    sched_op(SCHEDOP_shutdown_code, &s);
    sched_op(SCHEDOP_shutdown, &s);
}

static void remote(const char *arg)
{
    struct sched_remote_shutdown r = {.domain_id = 0, .reason = SHUTDOWN_reboot};

    (void)arg;
    sched_op(SCHEDOP_remote_shutdown, &r);
}

static void down_last(const char *arg)
{
    (void)arg;
    vcpu_op(VCPUOP_down, 0, NULL);
}

static void watchdog(const char *arg)
{
    struct sched_watchdog w = {.id = 0, .timeout = (uint32_t)number(arg, 10)};

    sched_op(SCHEDOP_watchdog, &w);
    spin_ns(5000 * MS);
}

static const struct {
    const char *name;
    void (*fn)(const char *arg);
} cases[] = {{"no_handler", no_handler},
             {"stack", stack},
             {"readonly_stack", readonly_stack},
             {"event_no_callback", event_no_callback},
             {"event_bad_stack", event_bad_stack},
             {"syscall_bad_stack", syscall_bad_stack},
             {"user_fault_bad_stack", user_fault_bad_stack},
             {"iret", iret},
             {"iret_no_user", iret_no_user},
             {"nmi_bad_stack", nmi_bad_stack},
             {"shutdown", shutdown},
             {"latched", latched},
             {"remote", remote},
             {"down_last", down_last},
             {"watchdog", watchdog}};

void test_main(const char *args)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t n = strlen(cases[i].name);

        if (!starts_with(args, cases[i].name) || (args[n] != '\0' && args[n] != ' '))
            continue;
        vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
        expect_crash(args);
        cases[i].fn(args[n] ? args + n + 1 : args + n);
        check(false, "%s did not end this domain", args);
        return;
    }
    error("no case %s", args);
}
