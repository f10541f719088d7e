/* SPDX-License-Identifier: MIT */
/*
 * Extended state, switched eagerly with every vCPU. The area is a whole XSAVE image in standard
 * format (SDM vol. 1, 13.4), or FXSAVE's 512 bytes where the machine has no XSAVE.
 *
 * fpu_save and fpu_restore clear CR0.TS of the CPU; who lets a guest see it set does so afterwards.
 * All functions on a running vCPU's state are for its own CPU, interrupts off.
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include "base/def.h"

struct fpu_state {
    u64 xcr0;       /* the guest's value; 1 at reset */
    u64 xcr0_accum; /* all bits it ever had */
    void *area;     /* 64-byte aligned, cpu_features.xsave_size or 512 bytes */
};

/* This CPU: x87 and SSE in their reset state, XCR0 = 1. CR4 and CR0 are set up. */
void fpu_init_this_cpu(void);

u32 fpu_area_size(void); /* bytes; multiple of 64, at most PAGE_SIZE unless AMX-like states */
void fpu_init_state(struct fpu_state *f, void *area); /* reset contents, FCW 0x37f MXCSR 0x1f80 */
void fpu_save(struct fpu_state *f);
void fpu_restore(const struct fpu_state *f);
/* A guest's xsetbv: false = #GP. Applies at once on this CPU. */
bool fpu_set_xcr0(struct fpu_state *f, u64 val);
/*
 * XCR0 of this CPU as it is becomes the vCPU's: for guests whose every change is not reported. Bits
 * that are not offered are taken away.
 */
void fpu_note_xcr0(struct fpu_state *f);

/*
 * The legacy 512 bytes (FXSAVE's layout) of a vCPU that is not running: in and out. Loading masks
 * what would fault (MXCSR) and resets every other component.
 */
#define FPU_LEGACY_SIZE 512
void fpu_get_legacy(const struct fpu_state *f, void *out);
void fpu_set_legacy(struct fpu_state *f, const void *in);

/*
 * All of it, as the processor's XSAVE writes it (SDM vol. 1, 13.4): fpu_area_size() bytes of a vCPU
 * that is not running. set: false, and nothing is changed, when the processor would not load it.
 */
void fpu_get_image(const struct fpu_state *f, void *out);
bool fpu_set_image(struct fpu_state *f, u64 xcr0, u64 xcr0_accum, const void *in, size_t n);

#endif
