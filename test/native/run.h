/* SPDX-License-Identifier: MIT */
/*
 * One instruction on the processor this program runs on: any bytes, in a sandbox below 4 GiB, with
 * any registers, single-stepped. Whatever they do, the program goes on.
 */
#ifndef NATIVE_RUN_H
#define NATIVE_RUN_H

#include "base/def.h"

/* The sandbox. What follows CODE, OPEN and CLOSED is not mapped, nor is CLOSED itself. */
#define RUN_CODE       0x10000000ul
#define RUN_CODE_END   (RUN_CODE + 0x1000)
#define RUN_OPEN       0x20000000ul
#define RUN_OPEN_END   (RUN_OPEN + 0x4000)
#define RUN_CLOSED     0x30000000ul
#define RUN_CLOSED_END (RUN_CLOSED + 0x1000000)
#define RUN_STACK      0x40000000ul
#define RUN_STACK_END  (RUN_STACK + 0x10000)
#define RUN_GS_BASE    0x1000ul

/* Exceptions as the processor numbers them. */
enum { RUN_DE = 0, RUN_DB = 1, RUN_BP = 3, RUN_UD = 6, RUN_GP = 13, RUN_PF = 14 };
#define RUN_PF_WRITE 2u

struct run_regs {
    u64 r[16]; /* by the encoding's numbers */
    u64 rip, rflags;
};

struct run_result {
    struct run_regs regs;
    u32 trap;        /* RUN_DB: it was carried out */
    u32 error;       /* of a page fault */
    u64 address;     /* of a page fault */
    bool fetch;      /* the page fault is that of the bytes behind CODE_END, at the first one */
    bool stepped_on; /* the kernel has carried it out: the fault is the next fetch */
};

/* Once. False: this machine does not let us (says why). mode 16 needs modify_ldt: *has16. */
bool run_init(bool *has16);

/*
 * Puts n bytes at the end of CODE and runs the instruction there. mode: 16, 32, 64. in: registers
 * and arithmetic flags; rip is ignored.
 */
void run_insn(const u8 *code, u32 n, unsigned int mode, const struct run_regs *in,
              struct run_result *out);

#endif
