/* SPDX-License-Identifier: MIT */
/*
 * How is a vCPU's extended state saved and loaded? XSAVE[OPT] and XRSTOR over every component the
 * guest ever enabled, or FXSAVE and FXRSTOR. XCR0 belongs to the state and is written only when it
 * differs from what this CPU has.
 *
 * XSAVEOPT may skip components unmodified since the XRSTOR from the same area on this CPU (SDM vol.
 * 1, 13.9): right, because a state is always loaded on the CPU that saves it and nobody writes the
 * area in between. Images from outside go through fpu_set_legacy, which removes what XRSTOR would
 * fault on. Supervisor states and the compacted format are not used.
 */
#include "arch/fpu.h"

#include "arch/cpu.h"
#include "arch/insn.h"
#include "base/lib.h"

#define XCR0_X87    0x01ul
#define XCR0_SSE    0x02ul
#define XCR0_AVX    0x04ul
#define XCR0_BNDREG 0x18ul
#define XCR0_AVX512 0xe0ul

/* Offsets in the legacy region and the header (SDM vol. 1, 10.5.1 and 13.4.2). */
#define LEGACY_FCW        0
#define LEGACY_MXCSR      24
#define LEGACY_MXCSR_MASK 28
#define XSAVE_HEADER      512
#define XSAVE_MIN         576

#define FCW_RESET          0x037f
#define MXCSR_RESET        0x1f80u
#define MXCSR_DEFAULT_MASK 0xffbfu

static u64 xcr0_of[MAX_CPUS]; /* what each CPU's XCR0 holds */
static u32 mxcsr_mask;
static bool clear_pointers; /* FXSAVE leaves out the last x87 pointers: AMD, below */

static void load_xcr0(u64 val)
{
    u64 *cur = &xcr0_of[cpu_id()];

    if (*cur != val) {
        insn_xsetbv(0, val);
        *cur = val;
    }
}

/*
 * AMD processors save and load FIP, FDP and FOP only when an exception is pending, unless CPUID
 * 0x80000008 ebx bit 2 says otherwise (APM vol. 2, 11.4.4).
 */
static bool leaks_pointers(void)
{
    u32 r[4];

    if (!cpu_features.amd)
        return false;
    if (cpu_features.max_ext_leaf < 0x80000008)
        return true;
    insn_cpuid(0x80000008, 0, r);
    return !(r[1] & (1u << 2));
}

static void probe(void)
{
    static u8 image[FPU_LEGACY_SIZE] ALIGNED(64);
    u32 mask;

    __asm__ __volatile__("fxsaveq %0" : "+m"(image));
    memcpy(&mask, image + LEGACY_MXCSR_MASK, sizeof(mask));
    mxcsr_mask = mask != 0 ? mask : MXCSR_DEFAULT_MASK;
    clear_pointers = leaks_pointers();
}

void fpu_init_this_cpu(void)
{
    const u32 mxcsr = MXCSR_RESET;

    insn_clts();
    __asm__ __volatile__("fninit; ldmxcsr %0" ::"m"(mxcsr));
    if (cpu_features.xsave) {
        insn_xsetbv(0, XCR0_X87);
        xcr0_of[cpu_id()] = XCR0_X87;
    }
    if (mxcsr_mask == 0)
        probe();
}

u32 fpu_area_size(void)
{
    u32 size = cpu_features.xsave ? MAX(cpu_features.xsave_size, (u32)XSAVE_MIN) : FPU_LEGACY_SIZE;

    return ROUND_UP(size, 64u);
}

void fpu_init_state(struct fpu_state *f, void *area)
{
    const u16 fcw = FCW_RESET;
    const u32 mxcsr = MXCSR_RESET;

    /* With XSTATE_BV = 0 XRSTOR takes the reset state of every component, and MXCSR from here. */
    memset(area, 0, fpu_area_size());
    memcpy((u8 *)area + LEGACY_FCW, &fcw, sizeof(fcw));
    memcpy((u8 *)area + LEGACY_MXCSR, &mxcsr, sizeof(mxcsr));
    f->xcr0 = XCR0_X87;
    f->xcr0_accum = XCR0_X87;
    f->area = area;
}

void fpu_save(struct fpu_state *f)
{
    u8 *a = f->area;

    insn_clts();
    if (!cpu_features.xsave) {
        __asm__ __volatile__("fxsaveq (%0)" ::"r"(a) : "memory");
        return;
    }
    /* SSE registers exist whatever the guest put in XCR0. */
    load_xcr0(f->xcr0_accum | XCR0_SSE);
    if (cpu_features.xsaveopt)
        __asm__ __volatile__("xsaveopt64 (%0)" ::"r"(a), "a"(~0u), "d"(~0u) : "memory");
    else
        __asm__ __volatile__("xsave64 (%0)" ::"r"(a), "a"(~0u), "d"(~0u) : "memory");
}

void fpu_restore(const struct fpu_state *f)
{
    static const u32 zero;
    const u8 *a = f->area;

    insn_clts();
    /* Leaves known values in the x87 pointers that the load below may not touch. */
    if (clear_pointers)
        __asm__ __volatile__("fnclex; ffree %%st(7); fildl %0" ::"m"(zero));
    if (!cpu_features.xsave) {
        __asm__ __volatile__("fxrstorq (%0)" ::"r"(a) : "memory");
        return;
    }
    /* All there is: what it has not enabled yet must not be what another left there. */
    load_xcr0(cpu_features.xcr0_mask | XCR0_SSE);
    __asm__ __volatile__("xrstor64 (%0)" ::"r"(a), "a"(~0u), "d"(~0u) : "memory");
    load_xcr0(f->xcr0);
}

/* Is val a value XCR0 may have here? SDM vol. 1, 13.3. */
static bool xcr0_valid(u64 val)
{
    if (!(val & XCR0_X87) || (val & ~cpu_features.xcr0_mask))
        return false;
    if ((val & XCR0_AVX) && !(val & XCR0_SSE))
        return false;
    if ((val & XCR0_BNDREG) && (val & XCR0_BNDREG) != XCR0_BNDREG)
        return false;
    if (val & XCR0_AVX512)
        return (val & XCR0_AVX512) == XCR0_AVX512 && (val & XCR0_AVX);
    return true;
}

bool fpu_set_xcr0(struct fpu_state *f, u64 val)
{
    if (!cpu_features.xsave || !xcr0_valid(val))
        return false;
    f->xcr0 = val;
    f->xcr0_accum |= val;
    load_xcr0(val);
    return true;
}

void fpu_note_xcr0(struct fpu_state *f)
{
    u64 val;

    if (!cpu_features.xsave)
        return;
    val = insn_xgetbv(0);
    if (likely(val == f->xcr0))
        return;
    xcr0_of[cpu_id()] = val;
    if (!xcr0_valid(val & cpu_features.xcr0_mask))
        val = XCR0_X87;
    (void)fpu_set_xcr0(f, val & cpu_features.xcr0_mask);
}

void fpu_get_legacy(const struct fpu_state *f, void *out)
{
    const u16 fcw = FCW_RESET;
    u64 present = XCR0_X87 | XCR0_SSE;

    memcpy(out, f->area, FPU_LEGACY_SIZE);
    if (!cpu_features.xsave)
        return;
    /* XSAVEOPT leaves a component's bytes alone when it is in its reset state. */
    memcpy(&present, (const u8 *)f->area + XSAVE_HEADER, sizeof(present));
    if (!(present & XCR0_X87)) {
        memset(out, 0, LEGACY_MXCSR);
        memset((u8 *)out + 32, 0, 128);
        memcpy((u8 *)out + LEGACY_FCW, &fcw, sizeof(fcw));
    }
    if (!(present & XCR0_SSE))
        memset((u8 *)out + 160, 0, 256);
}

void fpu_set_legacy(struct fpu_state *f, const void *in)
{
    u64 present = XCR0_X87 | XCR0_SSE;
    u8 *a = f->area;
    u32 mxcsr;

    memset(a, 0, fpu_area_size());
    memcpy(a, in, FPU_LEGACY_SIZE);
    memcpy(&mxcsr, a + LEGACY_MXCSR, sizeof(mxcsr));
    mxcsr &= mxcsr_mask;
    memcpy(a + LEGACY_MXCSR, &mxcsr, sizeof(mxcsr));
    if (cpu_features.xsave)
        memcpy(a + XSAVE_HEADER, &present, sizeof(present));
}

void fpu_get_image(const struct fpu_state *f, void *out)
{
    memcpy(out, f->area, fpu_area_size());
}

/* What XRSTOR faults on: components outside XCR0, the compacted format, reserved header bytes. */
static bool image_valid(u64 accum, const u8 *in)
{
    u64 header[8];
    u32 i;

    memcpy(header, in + XSAVE_HEADER, sizeof(header));
    for (i = 1; i < 8; i++)
        if (header[i])
            return false;
    return !(header[0] & ~(accum | XCR0_SSE));
}

bool fpu_set_image(struct fpu_state *f, u64 xcr0, u64 xcr0_accum, const void *in, size_t n)
{
    u8 *a = f->area;
    u32 mxcsr;

    if (!cpu_features.xsave || n < XSAVE_HEADER + 64 || n > fpu_area_size() || !xcr0_valid(xcr0) ||
        !xcr0_valid(xcr0_accum) || (xcr0 & ~xcr0_accum) || !image_valid(xcr0_accum, in))
        return false;
    memset(a, 0, fpu_area_size());
    memcpy(a, in, n);
    memcpy(&mxcsr, a + LEGACY_MXCSR, sizeof(mxcsr));
    mxcsr &= mxcsr_mask;
    memcpy(a + LEGACY_MXCSR, &mxcsr, sizeof(mxcsr));
    f->xcr0 = xcr0;
    f->xcr0_accum = xcr0_accum;
    return true;
}
