/* SPDX-License-Identifier: MIT */
/*
 * How does one run arbitrary bytes and stay alive? IRET loads the instruction pointer, the mode and
 * the trap flag at once, so exactly one instruction is executed; each of the ways it can end is a
 * signal, whose handler notes the registers and makes the kernel return to run_done below instead.
 * With no floating-point state in the frame, the kernel resets that too.
 *
 * System calls must be left out by the caller (they would be carried out), and what changes FS.
 */
#include "native/run.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CS64   0x33
#define CS32   0x23
#define CS16   0x07 /* first descriptor of the LDT, ring 3 */
#define DS     0x2b
#define FLAGS  0x8d5ul /* the arithmetic ones */
#define TF     0x100ul
#define DFLAG  0x400ul
#define FLAG_R 0x202ul

/* For the assembly. */
u64 run_frame[5], run_gpr[16], run_saved_sp;
void run_enter(void);
extern const char run_done[];

/* clang-format off */
__asm__(
    ".pushsection .text\n"
    ".globl run_enter, run_done\n"
    "run_enter:\n"
    "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "    mov %rsp, run_saved_sp(%rip)\n"
    "    mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
    "    lea run_frame(%rip), %rsp\n"
    "    lea run_gpr(%rip), %rax\n"
    "    mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx\n"
    "    mov 40(%rax), %rbp; mov 48(%rax), %rsi; mov 56(%rax), %rdi\n"
    "    mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 88(%rax), %r11\n"
    "    mov 96(%rax), %r12; mov 104(%rax), %r13; mov 112(%rax), %r14; mov 120(%rax), %r15\n"
    "    mov (%rax), %rax\n"
    "    iretq\n"
    "run_done:\n"
    "    cld\n"
    "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "    ret\n"
    ".popsection\n");
/* clang-format on */

static struct run_result *result;
static char alt_stack[64 * 1024];

/* The registers of a frame by the encoding's numbers. */
static const u8 greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                               REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                               REG_R12, REG_R13, REG_R14, REG_R15};

static void ended(int sig, siginfo_t *info, void *ctx)
{
    mcontext_t *m = &((ucontext_t *)ctx)->uc_mcontext;
    struct run_result *r = result;
    u32 i;

    (void)sig, (void)info;
    if (r == NULL) /* not of the instruction: let it kill */
        _exit(3);
    result = NULL;
    for (i = 0; i < 16; i++)
        r->regs.r[i] = (u64)m->gregs[greg_of[i]];
    r->regs.rip = (u64)m->gregs[REG_RIP];
    r->regs.rflags = (u64)m->gregs[REG_EFL];
    r->trap = (u32)m->gregs[REG_TRAPNO];
    r->error = (u32)m->gregs[REG_ERR];
    r->address = (u64)m->gregs[REG_CR2];
    m->gregs[REG_RIP] = (greg_t)run_done;
    m->gregs[REG_RSP] = (greg_t)run_saved_sp;
    m->gregs[REG_EFL] = FLAG_R;
    m->gregs[REG_CSGSFS] = (greg_t)(CS64 | (u64)DS << 48);
    m->fpregs = NULL;
}

static bool map(u64 at, u64 size, int prot)
{
    return mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
           (void *)at;
}

bool run_init(bool *has16)
{
    static const int sigs[] = {SIGTRAP, SIGSEGV, SIGILL, SIGBUS, SIGFPE};
    struct user_desc code16 = {.base_addr = RUN_CODE, .limit = 0xffff, .contents = 2, .useable = 1};
    struct sigaction sa = {.sa_sigaction = ended, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t st = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)};
    u32 i;

    if (!map(RUN_CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !map(RUN_OPEN, RUN_OPEN_END - RUN_OPEN, PROT_READ | PROT_WRITE) ||
        !map(RUN_STACK, RUN_STACK_END - RUN_STACK, PROT_READ | PROT_WRITE)) {
        perror("no room below 4 GiB");
        return false;
    }
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, RUN_GS_BASE) != 0 || sigaltstack(&st, NULL) != 0) {
        perror("GS base");
        return false;
    }
    sigfillset(&sa.sa_mask);
    for (i = 0; i < ARRAY_SIZE(sigs); i++)
        sigdelset(&sa.sa_mask, sigs[i]);
    for (i = 0; i < ARRAY_SIZE(sigs); i++)
        if (sigaction(sigs[i], &sa, NULL) != 0)
            return false;
    *has16 = syscall(SYS_modify_ldt, 1, &code16, sizeof(code16)) == 0;
    return true;
}

void run_insn(const u8 *code, u32 n, unsigned int mode, const struct run_regs *in,
              struct run_result *out)
{
    u64 at = RUN_CODE_END - n, base = mode == 16 ? RUN_CODE : 0;

    memcpy((void *)at, code, n);
    memset(out, 0, sizeof(*out));
    memcpy(run_gpr, in->r, sizeof(run_gpr));
    run_frame[0] = at - base;
    run_frame[1] = mode == 64 ? CS64 : mode == 32 ? CS32 : CS16;
    run_frame[2] = (in->rflags & (FLAGS | DFLAG)) | FLAG_R | TF;
    run_frame[3] = in->r[4];
    run_frame[4] = DS;
    result = out;
    run_enter();
    out->regs.rip += base;
    if (out->trap == RUN_PF && out->address == RUN_CODE_END) {
        out->fetch = out->regs.rip == at;
        out->stepped_on = out->regs.rip == RUN_CODE_END;
    }
    out->regs.rip -= at;
}
