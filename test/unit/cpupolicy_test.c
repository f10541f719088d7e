/* SPDX-License-Identifier: MIT */
/*
 * The policy over four processors: two written by hand (an AMD-like emulated one with everything, a
 * small old one), an Intel server's shape with AVX-512, and one that sets every bit everywhere.
 */
#include "host/host.h"
#include "pure/cpupolicy.h"

#define ANY CPUPOLICY_NO_SUB
#define END                                                                                        \
    {                                                                                              \
        0xffffffff, 0,                                                                             \
        {                                                                                          \
            0, 0, 0, 0                                                                             \
        }                                                                                          \
    }

struct model {
    const struct cpu_policy_leaf *leaf;
    bool ones; /* leaves that are not listed read as all ones */
};

static void model_leaf(void *arg, u32 leaf, u32 sub, u32 out[4])
{
    const struct model *m = arg;
    const struct cpu_policy_leaf *l;

    memset(out, m->ones ? 0xff : 0, 16);
    for (l = m->leaf; l->leaf != 0xffffffff; l++)
        if (l->leaf == leaf && (l->sub == sub || l->sub == ANY))
            memcpy(out, l->r, 16);
}

/* Raw leaf values as an emulated AMD processor with every feature gave them. */
static const struct cpu_policy_leaf amd_like[] = {
    {0, ANY, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
    {1, ANY, {0x00100f42, 0x03020800, 0xfed8320b, 0x1fcbfbfd}},
    {7, 0, {0, 0x01c84329, 0x8001021c, 0}},
    {0xd, 0, {0x21f, 0xa88, 0xa88, 0}},
    {0xd, 1, {0x7, 0, 0, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 9, {8, 0xa80, 0, 0}},
    {0x80000000, ANY, {0x8000000a, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, ANY, {0x00100f42, 0, 0x77, 0xedd3fbfd}},
    {0x80000002, ANY, {0x554d4551, 0, 0, 0}},
    {0x80000008, ANY, {0x3928, 0x201000, 0x1, 0}},
    {0x8000000a, ANY, {1, 16, 0, 0x81}},
    END,
};

static const struct cpu_policy_leaf old[] = {
    {0, ANY, {4, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {1, ANY, {0x6f2, 0x800, 0x00000001, 0x078bfbff}},
    {4, 0, {0x1c000121, 0x01c0003f, 0x3f, 1}},
    {0x80000000, ANY, {0x80000004, 0, 0, 0}},
    {0x80000001, ANY, {0, 0, 0, 0x20100800}},
    END,
};

static const struct cpu_policy_leaf server[] = {
    {0, ANY, {0x1b, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {1, ANY, {0x50654, 0x10200800, 0x7ffefbff, 0xbfebfbff}},
    {2, ANY, {0x76036301, 0xf0b5ff, 0, 0xc30000}},
    {4, 0, {0x3c004121, 0x01c0003f, 0x3f, 0}},
    {4, 1, {0x3c004122, 0x01c0003f, 0x3f, 0}},
    {7, 0, {1, 0xd39ffffb, 0x00000818, 0xbc000400}},
    {7, 1, {0x30, 0, 0, 0}},
    {0xb, 0, {1, 2, 0x100, 0}},
    {0xd, 0, {0x2ff, 0xa88, 0xa88, 0}},
    {0xd, 1, {0xf, 0xa08, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 5, {0x40, 0x440, 0, 0}},
    {0xd, 6, {0x200, 0x480, 2, 0}},
    {0xd, 7, {0x400, 0x680, 2, 0}},
    {0x80000000, ANY, {0x80000008, 0, 0, 0}},
    {0x80000001, ANY, {0, 0, 0x121, 0x2c100800}},
    {0x80000007, ANY, {0, 0, 0, 0x100}},
    {0x80000008, ANY, {0x00393934, 0, 0, 0}},
    END,
};

static const struct cpu_policy_leaf everything[] = {
    {0, ANY, {0xffff, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000000, ANY, {0x8000ffff, 0, 0, 0}},
    END,
};

#define XCR0_ALL 0xe7ul

static struct cpu_policy build(const struct cpu_policy_leaf *leaf, u64 xcr0_mask, bool ones)
{
    struct model m = {leaf, ones};
    struct cpu_policy p;

    cpupolicy_pv(&p, model_leaf, &m, xcr0_mask);
    return p;
}

static const struct cpupolicy_ctx *ctx_with(u64 xcr0)
{
    static struct cpupolicy_ctx ctx;

    ctx = (struct cpupolicy_ctx){.xcr0 = xcr0,
                                 .pv = true,
                                 .tsc_safe = true,
                                 .rdtscp = true,
                                 .tsc_khz = 2500000,
                                 .tsc_mul = 0xcccccccc,
                                 .tsc_shift = -1,
                                 .addr_bits = 40};
    return &ctx;
}

static u32 query(const struct cpu_policy *p, u32 leaf, u32 sub, u32 reg)
{
    u32 out[4];

    cpupolicy_query(p, ctx_with(1), leaf, sub, out);
    return out[reg];
}

enum { EAX, EBX, ECX, EDX };

/* The words the reference hypervisor shows for the same processor. */
TEST(agrees_with_the_reference)
{
    struct cpu_policy p = build(amd_like, XCR0_ALL, false);

    CHECK_EQ(query(&p, 1, 0, EDX), 0x1fc9c3f5);
    CHECK_EQ(query(&p, 1, 0, ECX), 0xf6d83203u | 1u << 27);
    CHECK_EQ(query(&p, 7, 0, EBX), 0x01880329);
    CHECK_EQ(query(&p, 7, 0, ECX), 0x00000200);
    CHECK_EQ(query(&p, 0xd, 0, EAX), 7);
    CHECK_EQ(query(&p, 0x80000001, 0, EDX), 0xe8500800);
    CHECK_EQ(query(&p, 0x80000001, 0, ECX), 0x63);
    CHECK_EQ(query(&p, 0x80000008, 0, EAX), 0x3028); /* four-level paging */
    CHECK_EQ(query(&p, 0x8000000a, 0, EAX), 0);
    CHECK_EQ(query(&p, 0, 0, EBX), 0x68747541);
    CHECK_EQ(query(&p, 0x80000002, 0, EAX), 0x554d4551);
}

/* Whatever the processor offers, these stay hidden. */
TEST(hidden_for_ever)
{
    static const struct {
        u32 leaf, sub, reg, bits;
    } hidden[] = {
        {1, 0, EDX, 1u << 1 | 1u << 3 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 17 | 1u << 21},
        {1, 0, ECX, 1u << 3 | 1u << 5 | 1u << 6 | 1u << 15 | 1u << 17 | 1u << 21 | 1u << 24},
        {7, 0, EBX,
         1u << 2 | 1u << 4 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 14 | 1u << 20 | 1u << 25},
        {7, 0, ECX, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 7 | 1u << 16 | 1u << 31},
        {7, 0, EDX, 1u << 10 | 1u << 20 | 1u << 22 | 1u << 24 | 1u << 25 | 0xfc000000},
        {0xd, 1, EAX, ~7u},
        {0xd, 0, EAX, ~0xe7u},
        {0xd, 0, EDX, ~0u},
        {0x80000001, 0, EDX, 1u << 26 | 1u << 13 | 1u << 3},
        {0x80000001, 0, ECX, 1u << 2 | 1u << 4 | 1u << 10 | 1u << 12 | 1u << 22},
        {0x80000008, 0, EBX, ~5u},
        {0x80000021, 0, EAX, ~0x45u},
    };
    struct cpu_policy p = build(everything, XCR0_ALL, true);
    u32 i;

    for (i = 0; i < ARRAY_SIZE(hidden); i++)
        if (query(&p, hidden[i].leaf, hidden[i].sub, hidden[i].reg) & hidden[i].bits)
            FAIL("leaf %#x.%u register %u shows %#x", hidden[i].leaf, hidden[i].sub, hidden[i].reg,
                 query(&p, hidden[i].leaf, hidden[i].sub, hidden[i].reg) & hidden[i].bits);
    CHECK_EQ(query(&p, 0, 0, EAX), 0xd);
    CHECK_EQ(query(&p, 0x80000000, 0, EAX), 0x80000021);
    for (i = 0xe; i < 0x30; i++)
        CHECK_EQ(query(&p, i, 0, EAX), 0);
    CHECK(p.nr < CPUPOLICY_MAX_LEAVES);
}

TEST(old_processor)
{
    struct cpu_policy p = build(old, 0, false);

    CHECK(!p.xsave);
    CHECK_EQ(query(&p, 0, 0, EAX), 4);
    CHECK_EQ(query(&p, 1, 0, ECX), 1u | 1u << 31);
    CHECK_EQ(query(&p, 7, 0, EBX), 0);
    CHECK_EQ(query(&p, 0xd, 0, EAX), 0);
    CHECK_EQ(query(&p, 4, 0, EAX), 0x121); /* one core, nothing shared */
    CHECK_EQ(query(&p, 4, 1, EAX), 0);
    CHECK_EQ(query(&p, 0x80000000, 0, EAX), 0x80000004);
    CHECK_EQ(query(&p, 0x80000001, 0, EDX), 0x20100800);
    CHECK_EQ(query(&p, 0x80000008, 0, EAX), 0);
}

TEST(vector_features_follow_xcr0)
{
    struct cpu_policy p = build(server, XCR0_ALL, false);

    CHECK(cpupolicy_has(&p, 1, ECX, 28));
    CHECK(cpupolicy_has(&p, 7, EBX, 16));
    CHECK_EQ(query(&p, 7, 0, EAX), 1);
    CHECK_EQ(query(&p, 7, 1, EAX), 0x30);
    p = build(server, 7, false); /* no AVX-512 */
    CHECK(cpupolicy_has(&p, 7, EBX, 5));
    CHECK(!cpupolicy_has(&p, 7, EBX, 16));
    CHECK_EQ(query(&p, 7, 1, EAX), 0x10);
    p = build(server, 3, false); /* no AVX */
    CHECK(!cpupolicy_has(&p, 1, ECX, 28));
    CHECK(!cpupolicy_has(&p, 1, ECX, 12));
    CHECK(!cpupolicy_has(&p, 7, EBX, 5));
    CHECK(cpupolicy_has(&p, 1, ECX, 26));
    CHECK_EQ(query(&p, 7, 1, EAX), 0);
    p = build(server, 0, false); /* no XSAVE */
    CHECK(!cpupolicy_has(&p, 1, ECX, 26));
    CHECK_EQ(query(&p, 1, 0, ECX) & 1u << 27, 0);
    CHECK_EQ(query(&p, 0xd, 0, EAX), 0);
}

TEST(state_sizes)
{
    struct cpu_policy p = build(server, XCR0_ALL, false);
    u32 out[4];

    CHECK_EQ(cpupolicy_xsave_size(&p, 1, false), 576);
    CHECK_EQ(cpupolicy_xsave_size(&p, 7, false), 0x340);
    CHECK_EQ(cpupolicy_xsave_size(&p, 0xe7, false), 0xa80);
    CHECK_EQ(cpupolicy_xsave_size(&p, 7, true), 0x340);
    CHECK_EQ(cpupolicy_xsave_size(&p, 0xe7, true), 0x980);
    cpupolicy_query(&p, ctx_with(7), 0xd, 0, out);
    CHECK_EQ(out[EAX], 0xe7);
    CHECK_EQ(out[EBX], 0x340);
    CHECK_EQ(out[ECX], 0xa80);
    cpupolicy_query(&p, ctx_with(0xe7), 0xd, 1, out);
    CHECK_EQ(out[EAX], 7);
    CHECK_EQ(out[EBX], 0x980);
    CHECK_EQ(out[ECX], 0);
    cpupolicy_query(&p, ctx_with(7), 0xd, 6, out);
    CHECK_EQ(out[EAX], 0x200);
    CHECK_EQ(out[ECX], 2);
    cpupolicy_query(&p, ctx_with(7), 0xd, 9, out);
    CHECK_EQ(out[EAX], 0);
}

TEST(topology_is_one_processor)
{
    struct cpu_policy p = build(server, XCR0_ALL, false);

    CHECK_EQ(query(&p, 1, 0, EBX), 0x00010800);
    CHECK_EQ(query(&p, 4, 0, EAX), 0x121);
    CHECK_EQ(query(&p, 0xb, 0, EAX), 0);
    CHECK_EQ(query(&p, 0xb, 0, ECX), 0);
}

TEST(hypervisor_leaves)
{
    struct cpu_policy p = build(amd_like, XCR0_ALL, false);
    struct cpupolicy_ctx hvm = *ctx_with(1);
    u32 out[4];

    CHECK_EQ(query(&p, 0x40000000, 0, EAX), 0x40000005);
    CHECK_EQ(query(&p, 0x40000000, 0, EBX), 0x566e6558);
    CHECK_EQ(query(&p, 0x40000000, 0, ECX), 0x65584d4d);
    CHECK_EQ(query(&p, 0x40000000, 0, EDX), 0x4d4d566e);
    CHECK_EQ(query(&p, 0x40000001, 0, EAX), 0x40011);
    CHECK_EQ(query(&p, 0x40000002, 0, EAX), 1);
    CHECK_EQ(query(&p, 0x40000002, 0, ECX), 1);
    CHECK_EQ(query(&p, 0x40000003, 0, EAX), 6);
    CHECK_EQ(query(&p, 0x40000003, 0, ECX), 2500000);
    CHECK_EQ(query(&p, 0x40000003, 1, ECX), 0xcccccccc);
    CHECK_EQ(query(&p, 0x40000003, 1, EDX), 0xffffffff);
    CHECK_EQ(query(&p, 0x40000003, 2, EAX), 2500000);
    CHECK_EQ(query(&p, 0x40000003, 3, EAX), 0);
    CHECK_EQ(query(&p, 0x40000005, 0, EBX), 40);
    CHECK_EQ(query(&p, 0x40000006, 0, EAX), 0);
    CHECK_EQ(query(&p, 0x40000100, 0, EAX), 0);
    CHECK_EQ(query(&p, 0x4fffffff, 0, EAX), 0);
    hvm.pv = false;
    cpupolicy_query(&p, &hvm, 0x40000005, 0, out);
    CHECK_EQ(out[EBX], 0);
    cpupolicy_query(&p, &hvm, 0x40000002, 0, out);
    CHECK_EQ(out[ECX], 0);
}

/* A guest that owns its machine: on the processor that has everything, what stays hidden. */
TEST(hardware_assisted_hides)
{
    static const struct cpu_policy_leaf none[] = {END};
    static const struct cpu_policy_leaf few[] = {
        {0, ANY, {0xd, 0, 0, 0}}, {0x80000000, ANY, {0x80000021, 0, 0, 0}}, END};
    struct model all = {few, true}, nothing = {none, false};
    struct cpu_policy p;

    cpupolicy_hvm(&p, model_leaf, &all, 7);
    CHECK(p.hvm);
    CHECK(cpupolicy_has(&p, 1, CPUPOLICY_EDX, 13));          /* PGE */
    CHECK(cpupolicy_has(&p, 1, CPUPOLICY_EDX, 12));          /* MTRR */
    CHECK(cpupolicy_has(&p, 7, CPUPOLICY_EBX, 7));           /* SMEP */
    CHECK(cpupolicy_has(&p, 0x80000001, CPUPOLICY_EDX, 26)); /* 1 GiB pages */
    CHECK(!cpupolicy_has(&p, 1, CPUPOLICY_ECX, 3));          /* MONITOR */
    CHECK(!cpupolicy_has(&p, 1, CPUPOLICY_ECX, 5));          /* VMX */
    CHECK(!cpupolicy_has(&p, 1, CPUPOLICY_ECX, 24));         /* TSC deadline */
    CHECK(!cpupolicy_has(&p, 7, CPUPOLICY_ECX, 3));          /* PKU */
    CHECK(!cpupolicy_has(&p, 7, CPUPOLICY_ECX, 7));          /* shadow stacks */
    CHECK(!cpupolicy_has(&p, 7, CPUPOLICY_ECX, 16));         /* five levels */
    CHECK(!cpupolicy_has(&p, 0x80000001, CPUPOLICY_ECX, 2)); /* SVM */
    cpupolicy_pv(&p, model_leaf, &all, 7);
    CHECK(!p.hvm);
    CHECK(!cpupolicy_has(&p, 1, CPUPOLICY_EDX, 13));
    CHECK(!cpupolicy_has(&p, 1, CPUPOLICY_ECX, 21));
    cpupolicy_hvm(&p, model_leaf, &nothing, 0);
    CHECK_EQ(p.xsave, false);
}

TEST(hardware_assisted_vcpu)
{
    struct model m = {amd_like, false};
    struct cpupolicy_ctx ctx = {.apic_id = 6, .vcpu = 3, .vcpus = 4, .domain = 77, .xcr0 = 1};
    struct cpu_policy p;
    u32 r[4];

    cpupolicy_hvm(&p, model_leaf, &m, 7);
    cpupolicy_query(&p, &ctx, 1, 0, r);
    CHECK_EQ(r[CPUPOLICY_EBX] >> 24, 6);
    CHECK(!(r[CPUPOLICY_ECX] >> 27 & 1));
    CHECK(r[CPUPOLICY_ECX] >> 21 & 1); /* x2APIC is emulated */
    CHECK(r[CPUPOLICY_EDX] >> 9 & 1);
    ctx.osxsave = ctx.apic_off = true;
    cpupolicy_query(&p, &ctx, 1, 0, r);
    CHECK(r[CPUPOLICY_ECX] >> 27 & 1);
    CHECK(!(r[CPUPOLICY_EDX] >> 9 & 1));
    cpupolicy_query(&p, &ctx, 0xb, 1, r);
    CHECK_EQ(r[CPUPOLICY_EBX], 4);
    CHECK_EQ(r[CPUPOLICY_EDX], 6);
    cpupolicy_query(&p, &ctx, 0x40000004, 0, r);
    CHECK_EQ(r[CPUPOLICY_EAX], 0x18);
    CHECK_EQ(r[CPUPOLICY_EBX], 3);
    CHECK_EQ(r[CPUPOLICY_ECX], 77);
    cpupolicy_query(&p, &ctx, 0x40000005, 0, r);
    CHECK_EQ(r[CPUPOLICY_EBX], 0); /* PV only */
}
