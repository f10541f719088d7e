/* SPDX-License-Identifier: MIT */
/*
 * Which processor does a guest see?
 *
 * Feature words are the processor's, cut to a list of bits known to work in ring 3 of a PV guest;
 * a bit nobody thought of is hidden. What needs the operating system to own the machine is off the
 * list: page sizes and PGE, PCID, SMEP, SMAP, UMIP, keys, MONITOR, APIC modes, MTRR, counters,
 * virtualization, protected control flow, supervisor states, and for now everything about
 * speculation control. Topology is one CPU of its own package. Leaves not built here do not exist.
 *
 * A hardware-assisted guest gets the same and what belongs to owning a machine.
 *
 * A PV guest can also run the instruction itself and then sees the real processor; nothing here
 * relies on the guest believing the policy.
 */
#include "pure/cpupolicy.h"

#include "base/lib.h"
#include "wire/wire.h"

#define BIT(n) (1u << (n))

enum { EAX = CPUPOLICY_EAX, EBX = CPUPOLICY_EBX, ECX = CPUPOLICY_ECX, EDX = CPUPOLICY_EDX };

/* Leaf 1 EDX: FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT CLFSH ACPI MMX FXSR SSE SSE2 SS HTT. */
#define ALLOW_1_EDX                                                                                \
    (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(14) | BIT(15) |   \
     BIT(16) | BIT(19) | BIT(22) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(28))
/* Leaf 1 ECX: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. */
#define F1C_FMA        BIT(12)
#define F1C_XSAVE      BIT(26)
#define F1C_OSXSAVE    BIT(27)
#define F1C_AVX        BIT(28)
#define F1C_F16C       BIT(29)
#define F1C_HYPERVISOR BIT(31)
#define ALLOW_1_ECX                                                                                \
    (BIT(0) | BIT(1) | BIT(9) | F1C_FMA | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) |        \
     BIT(25) | F1C_XSAVE | F1C_AVX | F1C_F16C | BIT(30))

/* Leaf 7.0 EBX: FSGSBASE BMI1 AVX2 FDP BMI2 ERMS NFPUSG AVX512.. RDSEED ADX CLFLUSHOPT CLWB SHA. */
#define F7B_AVX2   BIT(5)
#define F7B_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define ALLOW_7_EBX                                                                                \
    (BIT(0) | BIT(3) | F7B_AVX2 | BIT(6) | BIT(8) | BIT(9) | BIT(13) | F7B_AVX512 | BIT(18) |      \
     BIT(19) | BIT(23) | BIT(24) | BIT(29))
/* Leaf 7.0 ECX: AVX512 kinds, GFNI, VAES, VPCLMULQDQ, RDPID, CLDEMOTE, MOVDIRI, MOVDIR64B. */
#define F7C_AVX     (BIT(9) | BIT(10))
#define F7C_AVX512  (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define ALLOW_7_ECX (F7C_AVX | F7C_AVX512 | BIT(8) | BIT(22) | BIT(25) | BIT(27) | BIT(28))
/* Leaf 7.0 EDX: AVX512 kinds, FSRM, SERIALIZE. */
#define F7D_AVX512  (BIT(2) | BIT(3) | BIT(8) | BIT(23))
#define ALLOW_7_EDX (F7D_AVX512 | BIT(4) | BIT(14))
/* Leaf 7.1 EAX: AVX-VNNI, AVX512-BF16, fast short rep movsb, stosb, cmpsb. */
#define F71A_AVX     BIT(4)
#define F71A_AVX512  BIT(5)
#define ALLOW_71_EAX (F71A_AVX | F71A_AVX512 | BIT(10) | BIT(11) | BIT(12))

/* Leaf D.1 EAX: XSAVEOPT, XSAVEC, XGETBV(1). Not XSAVES. */
#define ALLOW_D1_EAX (BIT(0) | BIT(1) | BIT(2))

/* Leaf 80000001 EDX: SYSCALL NX MMXEXT RDTSCP LM 3DNOWEXT 3DNOW. */
#define ALLOW_E1_EDX (BIT(11) | BIT(20) | BIT(22) | BIT(27) | BIT(29) | BIT(30) | BIT(31))
/* Leaf 80000001 ECX: LAHF CMP_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM. */
#define FE1C_AVX     (BIT(11) | BIT(16))
#define ALLOW_E1_ECX (BIT(0) | BIT(1) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | FE1C_AVX | BIT(21))
/* Leaf 80000007 EDX: invariant TSC. */
#define ALLOW_E7_EDX BIT(8)
/* Leaf 80000008 EBX: CLZERO, error-pointer saving by XRSTOR. */
#define ALLOW_E8_EBX (BIT(0) | BIT(2))
/* Leaf 80000021 EAX: no nested data breakpoints, LFENCE serialises, null selector clears base. */
#define ALLOW_E21_EAX (BIT(0) | BIT(2) | BIT(6))

/* Words of one kind of guest. */
struct allow {
    u32 f1d, f1c, f7b, f7c, e1d;
    bool hvm;
};

static const struct allow allow_pv = {ALLOW_1_EDX, ALLOW_1_ECX,  ALLOW_7_EBX,
                                      ALLOW_7_ECX, ALLOW_E1_EDX, false};

/*
 * A guest that owns its (virtual) machine: besides VME PSE SEP MTRR PGE PSE36; PCID; SMEP INVPCID
 * SMAP; UMIP; the copies of leaf 1 and 1 GiB pages.
 */
#define F1C_X2APIC BIT(21)
static const struct allow allow_hvm = {ALLOW_1_EDX | BIT(1) | BIT(3) | BIT(11) | BIT(12) | BIT(13) |
                                           BIT(17),
                                       ALLOW_1_ECX | BIT(17) | F1C_X2APIC,
                                       ALLOW_7_EBX | BIT(7) | BIT(10) | BIT(20),
                                       ALLOW_7_ECX | BIT(2),
                                       ALLOW_E1_EDX | 0x0183f3ff | BIT(26),
                                       true};

#define MAX_BASIC 0xdu
#define MAX_EXT   0x80000021u

#define XCR0_AVX    (1ul << 2)
#define XCR0_AVX512 (7ul << 5)

struct host {
    cpupolicy_host_fn fn;
    void *arg;
    u32 max, max_ext;
};

static bool host_get(const struct host *h, u32 leaf, u32 sub, u32 out[4])
{
    memset(out, 0, 4 * sizeof(u32));
    if (leaf > (leaf & 0x80000000 ? h->max_ext : h->max))
        return false;
    h->fn(h->arg, leaf, sub, out);
    return true;
}

const struct cpu_policy_leaf *cpupolicy_find(const struct cpu_policy *p, u32 leaf, u32 sub)
{
    u32 i;

    for (i = 0; i < p->nr; i++)
        if (p->leaf[i].leaf == leaf &&
            (p->leaf[i].sub == sub || p->leaf[i].sub == CPUPOLICY_NO_SUB))
            return &p->leaf[i];
    return NULL;
}

/* A fresh leaf with the host's values, or NULL when the host or the table has none. */
static u32 *add(struct cpu_policy *p, const struct host *h, u32 leaf, u32 sub)
{
    struct cpu_policy_leaf *l = &p->leaf[p->nr];

    if (p->nr == CPUPOLICY_MAX_LEAVES ||
        !host_get(h, leaf, sub == CPUPOLICY_NO_SUB ? 0 : sub, l->r))
        return NULL;
    l->leaf = leaf;
    l->sub = sub;
    p->nr++;
    return l->r;
}

static void mask(u32 r[4], u32 a, u32 b, u32 c, u32 d)
{
    r[EAX] &= a;
    r[EBX] &= b;
    r[ECX] &= c;
    r[EDX] &= d;
}

static void build_leaf_1(struct cpu_policy *p, const struct host *h, const struct allow *a)
{
    u32 *r = add(p, h, 1, CPUPOLICY_NO_SUB);

    if (!r)
        return;
    mask(r, ~0u, 0xff00, a->f1c, a->f1d);
    r[EBX] |= 1u << 16; /* one logical processor, APIC id 0 */
    r[ECX] |= F1C_HYPERVISOR;
    if (a->hvm) /* emulated, whatever the processor has */
        r[ECX] |= F1C_X2APIC;
    if (!(r[ECX] & F1C_XSAVE) || h->max < 0xd || !p->xcr0_mask)
        p->xcr0_mask = 0;
    p->xsave = p->xcr0_mask != 0;
    if (!p->xsave)
        r[ECX] &= ~F1C_XSAVE;
    if (!(p->xcr0_mask & XCR0_AVX))
        r[ECX] &= ~(F1C_AVX | F1C_FMA | F1C_F16C);
}

/* Deterministic cache parameters: the caches are real, sharing and core counts are not told. */
static void build_leaf_4(struct cpu_policy *p, const struct host *h)
{
    u32 sub, *r;

    for (sub = 0; sub < 8; sub++) {
        r = add(p, h, 4, sub);
        if (!r)
            return;
        if (!(r[EAX] & 0x1f)) {
            memset(r, 0, 4 * sizeof(u32));
            return;
        }
        r[EAX] &= 0x3fff;
    }
}

static void build_leaf_7(struct cpu_policy *p, const struct host *h, const struct allow *a)
{
    bool avx = p->xcr0_mask & XCR0_AVX, avx512 = (p->xcr0_mask & XCR0_AVX512) == XCR0_AVX512;
    u32 *r = add(p, h, 7, 0), max;

    if (!r)
        return;
    max = MIN(r[EAX], 1u);
    mask(r, 0, a->f7b, a->f7c, ALLOW_7_EDX);
    r[EAX] = max;
    if (!avx)
        mask(r, ~0u, ~F7B_AVX2, ~F7C_AVX, ~0u);
    if (!avx512)
        mask(r, ~0u, ~F7B_AVX512, ~F7C_AVX512, ~F7D_AVX512);
    if (!max)
        return;
    r = add(p, h, 7, 1);
    if (!r)
        return;
    mask(r, ALLOW_71_EAX, 0, 0, 0);
    if (!avx)
        r[EAX] &= ~F71A_AVX;
    if (!avx512)
        r[EAX] &= ~F71A_AVX512;
}

/* The sizes in D.0 and D.1 depend on XCR0: filled in by the query. */
static void build_leaf_d(struct cpu_policy *p, const struct host *h)
{
    u32 i, *r;

    if (!p->xsave)
        return;
    r = add(p, h, 0xd, 0);
    if (r)
        mask(r, (u32)p->xcr0_mask, 0, 0, (u32)(p->xcr0_mask >> 32));
    if (r) /* a component the processor lacks cannot be offered */
        p->xcr0_mask = r[EAX] | (u64)r[EDX] << 32;
    r = add(p, h, 0xd, 1);
    if (r)
        mask(r, ALLOW_D1_EAX, 0, 0, 0);
    for (i = 2; i < 63; i++) {
        if (!(p->xcr0_mask >> i & 1))
            continue;
        r = add(p, h, 0xd, i);
        if (r)
            mask(r, ~0u, ~0u, BIT(1), 0);
    }
}

static void build_ext(struct cpu_policy *p, const struct host *h, const struct allow *a)
{
    u32 *r, i;

    if (h->max_ext < 0x80000000)
        return;
    r = add(p, h, 0x80000000, CPUPOLICY_NO_SUB);
    if (r)
        r[EAX] = MIN(h->max_ext, MAX_EXT);
    r = add(p, h, 0x80000001, CPUPOLICY_NO_SUB);
    if (r) {
        mask(r, ~0u, 0, ALLOW_E1_ECX, a->e1d);
        if (!(p->xcr0_mask & XCR0_AVX))
            r[ECX] &= ~FE1C_AVX;
    }
    for (i = 0x80000002; i <= 0x80000006; i++) /* brand string, caches */
        (void)add(p, h, i, CPUPOLICY_NO_SUB);
    r = add(p, h, 0x80000007, CPUPOLICY_NO_SUB);
    if (r)
        mask(r, 0, 0, 0, ALLOW_E7_EDX);
    r = add(p, h, 0x80000008, CPUPOLICY_NO_SUB);
    if (r) {
        mask(r, 0xffff, ALLOW_E8_EBX, 0, 0);
        if ((r[EAX] >> 8) > 48) /* no five-level paging */
            r[EAX] = (r[EAX] & 0xff) | 48u << 8;
    }
    r = add(p, h, 0x80000021, CPUPOLICY_NO_SUB);
    if (r)
        mask(r, ALLOW_E21_EAX, 0, 0, 0);
}

static void build(struct cpu_policy *p, const struct allow *a, cpupolicy_host_fn host, void *arg,
                  u64 xcr0_mask)
{
    struct host h = {.fn = host, .arg = arg, .max_ext = 0x80000000};
    u32 out[4], *r;

    memset(p, 0, sizeof(*p));
    p->xcr0_mask = xcr0_mask;
    (void)host_get(&h, 0x80000000, 0, out);
    h.max_ext = out[EAX] & 0x80000000 ? out[EAX] : 0;
    r = add(p, &h, 0, CPUPOLICY_NO_SUB);
    if (r) {
        h.max = r[EAX];
        r[EAX] = MIN(r[EAX], MAX_BASIC);
    }
    p->hvm = a->hvm;
    build_leaf_1(p, &h, a);
    (void)add(p, &h, 2, CPUPOLICY_NO_SUB);
    build_leaf_4(p, &h);
    build_leaf_7(p, &h, a);
    build_leaf_d(p, &h);
    build_ext(p, &h, a);
}

void cpupolicy_pv(struct cpu_policy *p, cpupolicy_host_fn host, void *arg, u64 xcr0_mask)
{
    build(p, &allow_pv, host, arg, xcr0_mask);
}

void cpupolicy_hvm(struct cpu_policy *p, cpupolicy_host_fn host, void *arg, u64 xcr0_mask)
{
    build(p, &allow_hvm, host, arg, xcr0_mask);
}

u32 cpupolicy_xsave_size(const struct cpu_policy *p, u64 xcr0, bool compact)
{
    const struct cpu_policy_leaf *l;
    u32 size = 576, i; /* legacy area and header; SDM vol. 1, 13.4 */

    for (i = 2; i < 63; i++) {
        if (!(xcr0 >> i & 1))
            continue;
        l = cpupolicy_find(p, 0xd, i);
        if (!l)
            continue;
        if (!compact)
            size = MAX(size, l->r[EBX] + l->r[EAX]);
        else if (l->r[ECX] & BIT(1))
            size = ROUND_UP(size, 64u) + l->r[EAX];
        else
            size += l->r[EAX];
    }
    return size;
}

static void query_xen_tsc(const struct cpupolicy_ctx *ctx, u32 sub, u32 out[4])
{
    switch (sub) {
    case 0: /* default mode, not emulated; never migrated */
        out[EAX] = (ctx->tsc_safe ? BIT(1) : 0) | (ctx->rdtscp ? BIT(2) : 0);
        out[ECX] = ctx->tsc_khz;
        break;
    case 1: /* offset 0: the guest reads the machine's TSC */
        out[ECX] = ctx->tsc_mul;
        out[EDX] = (u32)ctx->tsc_shift;
        break;
    case 2:
        out[EAX] = ctx->tsc_khz;
        break;
    }
}

static void query_xen(const struct cpupolicy_ctx *ctx, u32 leaf, u32 sub, u32 out[4])
{
    switch (leaf) {
    case XEN_CPUID_LEAF(0):
        out[EAX] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
        out[EBX] = XEN_CPUID_SIGNATURE_EBX;
        out[ECX] = XEN_CPUID_SIGNATURE_ECX;
        out[EDX] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case XEN_CPUID_LEAF(1):
        out[EAX] = 4u << 16 | 17;
        break;
    case XEN_CPUID_LEAF(2):
        out[EAX] = 1;
        out[EBX] = XEN_CPUID_FIRST_LEAF;
        if (ctx->pv)
            out[ECX] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case XEN_CPUID_LEAF(3):
        query_xen_tsc(ctx, sub, out);
        break;
    case XEN_CPUID_LEAF(4):
        if (!ctx->pv && sub == 0) {
            out[EAX] = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT;
            out[EBX] = ctx->vcpu;
            out[ECX] = ctx->domain;
        }
        break;
    case XEN_CPUID_LEAF(5):
        if (ctx->pv && sub == 0)
            out[EBX] = ctx->addr_bits;
        break;
    }
}

/* One thread per core, APIC ids two apart, one package (SDM vol. 2, CPUID leaf 0BH). */
static void query_topology(const struct cpupolicy_ctx *ctx, u32 sub, u32 out[4])
{
    out[ECX] = sub & 0xff;
    out[EDX] = ctx->apic_id;
    if (sub < 2) {
        out[EAX] = sub == 0 ? 1 : 8;
        out[EBX] = sub == 0 ? 1 : ctx->vcpus;
        out[ECX] |= (sub + 1) << 8;
    }
}

void cpupolicy_query(const struct cpu_policy *p, const struct cpupolicy_ctx *ctx, u32 leaf, u32 sub,
                     u32 out[4])
{
    const struct cpu_policy_leaf *l;

    memset(out, 0, 4 * sizeof(u32));
    if (leaf >> 28 == 4) {
        query_xen(ctx, leaf, sub, out);
        return;
    }
    if (leaf == 0xb && p->hvm) {
        query_topology(ctx, sub, out);
        return;
    }
    l = cpupolicy_find(p, leaf, sub);
    if (!l)
        return;
    memcpy(out, l->r, sizeof(l->r));
    if (leaf == 1 && p->hvm) {
        out[EBX] = (out[EBX] & 0x00ffffff) | ctx->apic_id << 24;
        out[ECX] |= ctx->osxsave ? F1C_OSXSAVE : 0;
        out[EDX] &= ctx->apic_off ? ~BIT(9) : ~0u;
    } else if (leaf == 1 && p->xsave) {
        out[ECX] |= F1C_OSXSAVE; /* Linux wants both before it sets CR4.OSXSAVE */
    } else if (leaf == 0xd && sub == 0) {
        out[EBX] = cpupolicy_xsave_size(p, ctx->xcr0, false);
        out[ECX] = cpupolicy_xsave_size(p, p->xcr0_mask, false);
    } else if (leaf == 0xd && sub == 1 && out[EAX] & BIT(1)) {
        out[EBX] = cpupolicy_xsave_size(p, ctx->xcr0, true);
    }
}

bool cpupolicy_has(const struct cpu_policy *p, u32 leaf, u32 reg, u32 bit)
{
    const struct cpu_policy_leaf *l = cpupolicy_find(p, leaf, 0);

    return l && l->r[reg] >> bit & 1;
}
