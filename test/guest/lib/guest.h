/* SPDX-License-Identifier: MIT */
/*
 * The library of the micro guests: a 64-bit PV kernel small enough to read in one sitting. A test
 * defines test_main(); everything here runs on vCPU 0 unless said otherwise, with events masked
 * until event_enable().
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "hypercall.h"

#define PAGE_SIZE 4096ul
#define VIRT_BASE 0xffffffff80000000ul
#define M2P       ((const uint64_t *)0xffff800000000000ul)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Text and verdict (print.c) --------------------------------------------------------- */

/* To the console, one hypercall per call. %s %c %d %u %x %p with l, width and 0. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Formatted into one of a few buffers that take turns. */
const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void format_args(char *buf, size_t size, const char *fmt, va_list ap);

/* The result of one check. Each prints one line and is counted for the verdict. */
void check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_eq(const char *name, int64_t got, int64_t want);
/* A value that the reference run records: not right or wrong in itself. */
void value(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void value_rc(const char *name, int64_t rc);
/* A value that may differ from run to run or machine to machine: shown, never compared. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Something that cannot be tried here, and why. */
void skip(const char *name, const char *reason);
/* Print the verdict and power off. error: the test itself could not go on. */
void verdict(void) __attribute__((noreturn));
void error(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Say that what follows should end this domain; the runner looks for the hypervisor's word. */
void expect_crash(const char *name);
/* Prints a line of another kernel's, and counts it as one of ours. */
void relay(const char *line);
/* Where text goes, and the end: init.c. */
void console_write(const char *s);
void power_off(void) __attribute__((noreturn));

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
bool starts_with(const char *s, const char *prefix);

/* ---- The machine ------------------------------------------------------------------------- */

struct entry_regs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, rflags;
    uint16_t cs, ss, ds, es, fs, gs;
};

extern struct entry_regs entry_regs;
extern struct start_info *start_info;
extern struct shared_info *shared_info;
extern char image_start[], image_end[], bss_start[], bss_end[], boot_stack[], boot_stack_top[];
extern char user_code[], user_code_end[];

/* The test's own part. Returns for the verdict. args: what followed the file name. */
void test_main(const char *args);

static inline struct vcpu_info *vcpu_info(unsigned int id)
{
    return &shared_info->vcpu_info[id];
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

#define barrier() __asm__ volatile("" ::: "memory")

/* ---- Traps (trap.c) ---------------------------------------------------------------------- */

struct frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector; /* bits 16 up: the vCPU */
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss; /* as pushed: cs carries the saved mask in bits 32-39 */
};

enum {
    VECTOR_DE = 0,
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_OF = 4,
    VECTOR_BR = 5,
    VECTOR_UD = 6,
    VECTOR_NM = 7,
    VECTOR_DF = 8,
    VECTOR_TS = 10,
    VECTOR_NP = 11,
    VECTOR_SS = 12,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_MF = 16,
    VECTOR_AC = 17,
    VECTOR_XM = 19,
    VECTOR_EVENT = 256,
    VECTOR_FAILSAFE = 257,
    VECTOR_SYSCALL = 258,
    VECTOR_SYSCALL32 = 259,
    VECTOR_NMI_CB = 260,
    VECTOR_COUNT = 261
};

/* The last fault that an exception-table entry or run_frame() caught. */
struct fault {
    int vector; /* -1: none */
    uint64_t error, cr2, rip;
    uint64_t entry_rsp; /* the stack pointer at the handler's first instruction */
    struct frame frame;
};

extern struct fault fault;
extern uint64_t failsafe_selectors[4]; /* ds es fs gs of the last failsafe frame */
extern uint64_t iret_flags;            /* the flags word of the next iret hypercalls */
extern char trap_stubs[], event_entry[], failsafe_entry[], syscall_entry[], syscall32_entry[];
extern char nmi_entry[], iret_syscall[], vcpu_entry[];

/* A handler of the test's for one vector: true when dealt with. Return address: f->rip. */
typedef bool trap_hook_t(struct frame *f);
extern trap_hook_t *trap_hook[VECTOR_COUNT];

void trap_init(void);
/* The trap table of a vCPU, for set_trap_table or a context. Returns entries without the end. */
unsigned int trap_fill(struct trap_info *table, unsigned int cpu);
static inline char *stub_of(const char *stubs, unsigned int cpu)
{
    return (char *)stubs + cpu * 32;
}

/* "insn" that may fault: put EX("insn") into asm, then ask fault_take(). */
#define EX(insn) "771: " insn "\n772:\n.pushsection .extable,\"a\"\n.quad 771b, 772b\n.popsection\n"

/* Vector of the fault since the last call, or -1. */
int fault_take(void);

/*
 * Enter f by the iret hypercall and come back at the next trap, event or system call of any kind,
 * with f holding its frame. Returns the vector.
 */
int run_frame(struct frame *f);
/* Run `len` bytes of code in kernel mode with f's registers; 3 (int3) when it reached its end.
 * f->rsp is set when 0; flags, cs, ss and rip always. */
int run_code(struct frame *f, const void *code, unsigned int len);
/* Where run_code() puts its bytes. */
extern uint8_t code_page[];

/* For the trap handlers: goes on where the exception table says (false: nowhere). */
bool fault_fix_up(struct frame *f);
/* Does a run_frame() wait for what happens? If so, f happened: run_frame() comes back. */
bool frame_runs(void);
void frame_ended(const struct frame *f) __attribute__((noreturn));

/* ---- Memory (mm.c) ----------------------------------------------------------------------- */

#define PTE_P             0x1ul
#define PTE_RW            0x2ul
#define PTE_US            0x4ul
#define PTE_PWT           0x8ul
#define PTE_PCD           0x10ul
#define PTE_A             0x20ul
#define PTE_D             0x40ul
#define PTE_PSE           0x80ul
#define PTE_PAT           0x80ul
#define PTE_G             0x100ul
#define PTE_NX            (1ul << 63)
#define PTE_RWP           (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_ROP           (PTE_P | PTE_US | PTE_A)
#define PTE_MFN(pte)      (((pte) >> 12) & 0xfffffffffful)
#define MKPTE(mfn, flags) (((uint64_t)(mfn) << 12) | (flags))

/* A zeroed page of the pool, mapped writable; they are never given back unless the test does. */
void *page_alloc(void);
void page_free(void *va);
/* A frame of this domain that nothing maps. */
uint64_t mfn_alloc(void);
void mfn_free(uint64_t mfn);
uint64_t va_mfn(const void *va);
static inline uint64_t va_maddr(const void *va)
{
    return (va_mfn(va) << 12) | ((uint64_t)va & (PAGE_SIZE - 1));
}
/* The image's mapping of a frame of the boot area or the pool. */
void *mfn_va(uint64_t mfn);

/* The entry of the current table at a level (1 to 4) for va, or NULL; readable only. */
const uint64_t *pte_at(const void *va, unsigned int level);
uint64_t pte_get(const void *va);

/* update_va_mapping; flags UVMF_*. */
long va_set(const void *va, uint64_t pte, uint64_t flags);
/* Change a pool page's own mapping. They return the hypercall's result. */
long page_ro(const void *va);
long page_rw(const void *va);
long page_unmap(const void *va);
/* One mmu_update with ptr = maddr | cmd. */
long pt_update(uint64_t maddr, uint64_t val);
long pt_update_dom(uint64_t maddr, uint64_t val, unsigned int dom);
/* The same by pointer into a mapped table. */
static inline long pt_set(const uint64_t *entry, uint64_t val)
{
    return pt_update(va_maddr(entry), val);
}
/* One mmuext_op. */
long mmuext(unsigned int cmd, uint64_t arg1, uint64_t arg2);
long mmuext_dom(unsigned int cmd, uint64_t arg1, uint64_t arg2, unsigned int dom);
static inline long table_pin(unsigned int level, uint64_t mfn)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn, 0);
}
static inline long table_unpin(uint64_t mfn)
{
    return mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
}
uint64_t cr3_mfn(void);
/* Can va be written? Tries, and puts the old value back. */
bool va_writable(void *va);
bool va_readable(const void *va);

/* ---- User mode (user.c) ------------------------------------------------------------------- */

#define USER_CODE  0x400000ul /* the section .user, read-only */
#define USER_DATA  0x500000ul /* one page, writable */
#define USER_STACK 0x600000ul /* top of one page, writable */

/* Code for user mode: USER_CODE_OF(function or label in section .user). */
#define USER_FN(name) __asm__(".pushsection .user,\"ax\"\n" #name ":\n"
#define USER_FN_END ".popsection")
static inline uint64_t user_va(const void *label)
{
    return USER_CODE + (uint64_t)((const char *)label - user_code);
}
struct user_space {
    uint64_t *l4, *l3, *l2, *l1; /* pool pages, read-only while in use */
    void *data, *stack;
};
/* Make the user half, pin it and make it the user table; sets the kernel stack for traps. */
void user_init(struct user_space *u);
/* A frame that starts user mode at rip. */
void user_frame(struct frame *f, uint64_t rip);
extern char trap_stack_top[];

/* ---- Small pieces of code (probe.c) -------------------------------------------------------- */

/* A string of code bytes as the two arguments below. */
#define CODE(s) (s), (unsigned int)(sizeof(s) - 1)

/* "#GP" and the like. */
const char *vector_name(int vector);
/*
 * Run len bytes in kernel mode with f's registers and flags (rsp: a stack of its own when 0), or in
 * user mode from the data page of u. f gets the frame of what happened, and the result says it:
 * "done" when the end was reached, else "#GP(0)", with "+n" for a RIP n bytes into the code; #PF
 * with its address. Flags without IF run with events masked.
 */
const char *probe(struct frame *f, const void *code, unsigned int len);
const char *probe_user(const struct user_space *u, struct frame *f, const void *code,
                       unsigned int len);
/* The same words for a run_frame() that was to begin at start. */
const char *outcome_of(const struct frame *f, int vector, uint64_t start, unsigned int len);

/* ---- Events and time (event.c) ------------------------------------------------------------ */

extern volatile uint32_t event_count[2][4096]; /* deliveries by vCPU and port */
extern volatile uint32_t event_upcalls[2];

static inline long evtchn_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_event_channel_op, cmd, (uint64_t)arg);
}
/* Each of these returns the port, or a negative errno. */
int evtchn_virq(uint32_t virq, uint32_t vcpu);
int evtchn_ipi(uint32_t vcpu);
int evtchn_unbound(unsigned int dom, unsigned int remote);
int evtchn_interdomain(unsigned int dom, uint32_t port);
long evtchn_close(uint32_t port);
long evtchn_send(uint32_t port);
bool evtchn_pending(uint32_t port);
void evtchn_clear(uint32_t port);
void evtchn_mask(uint32_t port, bool masked);
/* Unmask / mask upcalls of vCPU 0, delivering what is pending. */
void event_enable(void);
void event_disable(void);
/* Blocks until an event is there, takes it, and has them masked again. */
void event_block(void);
/* Wait (blocking) until event_count[0][port] reaches n or ms passed. */
bool event_wait(uint32_t port, uint32_t n, unsigned int ms);

uint64_t now(void); /* system time, ns, from vCPU 0's time info */
uint64_t now_of(unsigned int vcpu);
void spin_ns(uint64_t ns);

static inline long sched_op(unsigned int cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_sched_op, cmd, (uint64_t)arg);
}
static inline long vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    return hypercall3(__HYPERVISOR_vcpu_op, cmd, vcpu, (uint64_t)arg);
}

/* ---- A second vCPU (vcpu.c) --------------------------------------------------------------- */

/* Fill a context that calls fn(arg) on vCPU id with a stack of its own. */
void vcpu_context(struct vcpu_guest_context *ctx, unsigned int id, void (*fn)(void *), void *arg);
/* Initialise vCPU id (1) with that and bring it up. Returns the first error. */
long vcpu_start(unsigned int id, void (*fn)(void *), void *arg);
/* For fn: go down for good. */
void vcpu_stop(unsigned int id) __attribute__((noreturn));
/* Wait until vCPU id is down; false after ms. */
bool vcpu_wait_down(unsigned int id, unsigned int ms);

#endif
