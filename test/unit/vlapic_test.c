/* SPDX-License-Identifier: MIT */
#include "pure/vlapic.h"

#include "host/host.h"

#define X2APIC (VLAPIC_BASE | 0xc00)

static struct vlapic a;
static struct vlapic_ipi ipi;

static void start(void)
{
    vlapic_reset(&a, 2, false);
    CHECK_EQ(vlapic_write(&a, VLAPIC_SPIV, 0x1ff, 0, &ipi), VLAPIC_RECHECK);
}

static u64 get(u32 reg, u64 now)
{
    u64 val = ~0ul;

    CHECK(vlapic_read(&a, reg, now, &val));
    return val;
}

TEST(starts_disabled)
{
    vlapic_reset(&a, 2, true);
    CHECK_EQ(vlapic_base_msr(&a), VLAPIC_BASE | 0x900);
    CHECK_EQ(get(VLAPIC_ID, 0), 2u << 24);
    CHECK(!vlapic_request(&a, 0x40));
    CHECK_EQ(vlapic_pending(&a), -1);
    CHECK_EQ(get(VLAPIC_LVT_LINT0, 0), 0x10000);
    CHECK_EQ(get(VLAPIC_SPIV, 0), 0xff);
    /* LVT entries stay masked until the APIC is enabled. */
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x30, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(get(VLAPIC_LVT_TIMER, 0), 0x10030);
}

TEST(priorities)
{
    start();
    CHECK(!vlapic_request(&a, 15));
    CHECK(vlapic_request(&a, 0x31));
    CHECK(!vlapic_request(&a, 0x31));
    CHECK_EQ(a.irr_any, 1);
    CHECK(vlapic_request(&a, 0x35));
    CHECK_EQ(vlapic_pending(&a), 0x35);
    vlapic_accept(&a, 0x35);
    CHECK_EQ(get(VLAPIC_PPR, 0), 0x30);
    CHECK_EQ(get(VLAPIC_ISR + 1, 0), 1u << 0x15);
    CHECK_EQ(vlapic_pending(&a), -1); /* same class */
    CHECK(vlapic_request(&a, 0x41));
    CHECK_EQ(vlapic_pending(&a), 0x41);
    vlapic_accept(&a, 0x41);
    CHECK_EQ(vlapic_write(&a, VLAPIC_EOI, 0, 0, &ipi), VLAPIC_RECHECK);
    CHECK_EQ(get(VLAPIC_PPR, 0), 0x30);
    CHECK_EQ(vlapic_write(&a, VLAPIC_EOI, 0, 0, &ipi), VLAPIC_RECHECK);
    CHECK_EQ(vlapic_pending(&a), 0x31);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TPR, 0x30, 0, &ipi), VLAPIC_RECHECK);
    CHECK_EQ(vlapic_pending(&a), -1);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TPR, 0x2f, 0, &ipi), VLAPIC_RECHECK);
    CHECK_EQ(vlapic_pending(&a), 0x31);
    CHECK_EQ(get(VLAPIC_PPR, 0), 0x2f);
}

TEST(modes)
{
    u64 val;

    start();
    CHECK(!vlapic_set_base_msr(&a, VLAPIC_BASE + 0x1000 + 0x800));
    CHECK(!vlapic_set_base_msr(&a, VLAPIC_BASE | 0x400));
    CHECK(vlapic_set_base_msr(&a, X2APIC));
    CHECK_EQ(vlapic_base_msr(&a), X2APIC);
    CHECK(!vlapic_set_base_msr(&a, VLAPIC_BASE | 0x800));
    CHECK_EQ(get(VLAPIC_ID, 0), 2);
    CHECK_EQ(get(VLAPIC_LDR, 0), 1u << 2);
    CHECK(!vlapic_read(&a, VLAPIC_DFR, 0, &val));
    CHECK(!vlapic_read(&a, VLAPIC_ICR2, 0, &val));
    CHECK(!vlapic_read(&a, 0x3d, 0, &val));
    CHECK_EQ(vlapic_write(&a, VLAPIC_ID, 5, 0, &ipi), VLAPIC_GP);
    CHECK_EQ(vlapic_write(&a, VLAPIC_EOI, 1, 0, &ipi), VLAPIC_GP);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TPR, 0x100, 0, &ipi), VLAPIC_GP);
    CHECK_EQ(vlapic_write(&a, VLAPIC_SELF, 0x44, 0, &ipi), VLAPIC_SEND);
    CHECK_EQ(ipi.vector, 0x44);
    CHECK(vlapic_matches(&a, &a, &ipi));
    CHECK(vlapic_set_base_msr(&a, VLAPIC_BASE));
    CHECK_EQ(a.mode, VLAPIC_MODE_OFF);
    CHECK(!vlapic_request(&a, 0x50));
    CHECK(!vlapic_set_base_msr(&a, X2APIC));
    CHECK(vlapic_set_base_msr(&a, VLAPIC_BASE | 0x800));
}

TEST(command_register)
{
    struct vlapic b, c;

    start();
    vlapic_reset(&b, 4, false);
    vlapic_reset(&c, 6, false);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR2, 4u << 24, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x50, 0, &ipi), VLAPIC_SEND);
    CHECK_EQ(ipi.delivery, VLAPIC_FIXED);
    CHECK(!vlapic_matches(&a, &a, &ipi) && vlapic_matches(&b, &a, &ipi) &&
          !vlapic_matches(&c, &a, &ipi));
    CHECK_EQ(get(VLAPIC_ICR2, 0), 4u << 24);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0xc4500, 0, &ipi), VLAPIC_SEND); /* INIT, others */
    CHECK_EQ(ipi.delivery, VLAPIC_INIT);
    CHECK(!vlapic_matches(&a, &a, &ipi) && vlapic_matches(&c, &a, &ipi));
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x8500, 0, &ipi), VLAPIC_DONE); /* de-assert */
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x4608 | 0x80000, 0, &ipi), VLAPIC_SEND);
    CHECK_EQ(ipi.delivery, VLAPIC_STARTUP);
    CHECK_EQ(ipi.vector, 8);
    CHECK(vlapic_matches(&a, &a, &ipi));
    /* Illegal vector: an error bit, shown after the next write to the register. */
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x5, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(get(VLAPIC_ESR, 0), 0);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ESR, 0, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(get(VLAPIC_ESR, 0), 0x20);
    /* Flat and cluster logical destinations. */
    CHECK_EQ(vlapic_write(&b, VLAPIC_LDR, 2u << 24, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR2, 6u << 24, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x850, 0, &ipi), VLAPIC_SEND);
    CHECK(vlapic_matches(&b, &a, &ipi) && !vlapic_matches(&c, &a, &ipi));
    CHECK_EQ(vlapic_write(&c, VLAPIC_DFR, 0, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(vlapic_write(&c, VLAPIC_LDR, 0x04u << 24, 0, &ipi), VLAPIC_DONE);
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, 0x850, 0, &ipi), VLAPIC_SEND);
    CHECK(vlapic_matches(&c, &a, &ipi)); /* cluster 0, bit 2 */
    /* x2APIC: 32-bit destinations in one write. */
    CHECK(vlapic_set_base_msr(&a, X2APIC));
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, (u64)6 << 32 | 0x60, 0, &ipi), VLAPIC_SEND);
    CHECK(vlapic_matches(&c, &a, &ipi) && !vlapic_matches(&b, &a, &ipi));
    CHECK_EQ(vlapic_write(&a, VLAPIC_ICR, (u64)~0u << 32 | 0x60, 0, &ipi), VLAPIC_SEND);
    CHECK(vlapic_matches(&a, &a, &ipi) && vlapic_matches(&b, &a, &ipi));
}

TEST(timer)
{
    start();
    CHECK_EQ(vlapic_deadline(&a, 0), 0);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_DIVIDE, 0xb, 0, &ipi), VLAPIC_TIMER); /* by 1 */
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x40, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 100, 5000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_deadline(&a, 5000), 6000);
    CHECK_EQ(get(VLAPIC_TIMER_COUNT, 5000), 100);
    CHECK_EQ(get(VLAPIC_TIMER_COUNT, 5750), 25);
    CHECK_EQ(get(VLAPIC_TIMER_COUNT, 6000), 0);
    vlapic_expire(&a, 5999);
    CHECK_EQ(vlapic_pending(&a), -1);
    vlapic_expire(&a, 6001);
    CHECK_EQ(vlapic_pending(&a), 0x40);
    CHECK_EQ(vlapic_deadline(&a, 6001), 0);
    vlapic_accept(&a, 0x40);
    CHECK_EQ(vlapic_write(&a, VLAPIC_EOI, 0, 0, &ipi), VLAPIC_RECHECK);
    /* Periodic, divided by 2: fires once for all periods that have passed. */
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_DIVIDE, 0, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x20040, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 100, 10000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_deadline(&a, 10000), 12000);
    vlapic_expire(&a, 17000);
    CHECK_EQ(vlapic_pending(&a), 0x40);
    CHECK_EQ(vlapic_deadline(&a, 17000), 18000);
    CHECK_EQ(get(VLAPIC_TIMER_COUNT, 17000), 50);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 0, 17000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_deadline(&a, 17000), 0);
    /* Masked: time passes, nothing is requested. */
    start();
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x10040, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 1, 1, &ipi), VLAPIC_TIMER);
    vlapic_expire(&a, 1000000);
    CHECK_EQ(vlapic_pending(&a), -1);
}

/* Any accesses in any mode: no more than one request per vector, state stays consistent. */
/* The moment the count reaches zero decides, not the one at which somebody looks. */
TEST(timer_masked_when_over)
{
    start();
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_DIVIDE, 0xb, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x10040, 0, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 100, 5000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_LVT_TIMER, 0x40, 7000, &ipi), VLAPIC_TIMER);
    vlapic_expire(&a, 8000);
    CHECK_EQ(vlapic_pending(&a), -1);
    /* Unmasked, and set again before anybody looked. */
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 100, 9000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_write(&a, VLAPIC_TIMER_INIT, 100, 11000, &ipi), VLAPIC_TIMER);
    CHECK_EQ(vlapic_pending(&a), 0x40);
}

static void refused(u32 reg, u32 val)
{
    u8 image[VLAPIC_IMAGE];
    struct vlapic was;

    vlapic_reset(&a, 2, false);
    a.mode = VLAPIC_MODE_X2APIC;
    vlapic_save(&a, 0, image);
    memcpy(image, "\xff\xff\xff\xff", 4);     /* the id is not loaded */
    memset(image + VLAPIC_TPR * 16, 0x5a, 1); /* loaded before what is refused */
    memcpy(image + reg * 16, &val, sizeof(val));
    was = a;
    CHECK(!vlapic_load(&a, 0, image));
    CHECK_MEM(&a, &was, sizeof(a));
}

TEST(saved_and_loaded)
{
    u8 image[VLAPIC_IMAGE], again[VLAPIC_IMAGE];
    u32 mode;

    for (mode = VLAPIC_MODE_OFF; mode <= VLAPIC_MODE_X2APIC; mode++) {
        start();
        (void)!vlapic_write(&a, VLAPIC_LDR, 4u << 24, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_ICR2, 5u << 24, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_ICR, 0x4040, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_TPR, 0x20, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_TIMER_DIVIDE, 3, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_LVT_TIMER, 0x20055, 1, &ipi);
        (void)!vlapic_write(&a, VLAPIC_TIMER_INIT, 1000, 1, &ipi);
        CHECK(vlapic_request(&a, 0x61));
        CHECK(vlapic_request(&a, 0x31));
        vlapic_accept(&a, 0x61);
        if (mode != VLAPIC_MODE_XAPIC)
            CHECK(vlapic_set_base_msr(&a, mode == VLAPIC_MODE_OFF ? VLAPIC_BASE : X2APIC));
        vlapic_save(&a, 1, image);
        vlapic_reset(&a, 2, false);
        CHECK(vlapic_set_base_msr(&a, mode == VLAPIC_MODE_OFF     ? VLAPIC_BASE
                                      : mode == VLAPIC_MODE_XAPIC ? VLAPIC_BASE | 0x800
                                                                  : X2APIC));
        CHECK(vlapic_load(&a, 1, image));
        CHECK(a.irr_any);
        vlapic_save(&a, 1, again);
        CHECK(memcmp(image, again, sizeof(image)) == 0);
        if (mode == VLAPIC_MODE_OFF)
            continue;
        CHECK_EQ(vlapic_deadline(&a, 1), 1 + 1000 * 10 * 16);
        CHECK_EQ(vlapic_pending(&a), -1); /* 0x61 is in service */
        CHECK_EQ(vlapic_write(&a, VLAPIC_EOI, 0, 1, &ipi), VLAPIC_RECHECK);
        CHECK_EQ(vlapic_pending(&a), 0x31);
    }
    refused(VLAPIC_TPR, 0x100);
    refused(VLAPIC_LVT_TIMER, 1u << 31);
    refused(VLAPIC_TIMER_DIVIDE, 0x10);
}

TEST(random_accesses)
{
    u8 image[VLAPIC_IMAGE];
    unsigned int i;
    u64 val;
    int v;

    start();
    for (i = 0; i < 200000; i++) {
        u32 reg = (u32)host_rand_below(0x48);

        switch (host_rand_below(8)) {
        case 0:
            (void)!vlapic_read(&a, reg, i, &val);
            break;
        case 1:
            (void)vlapic_request(&a, (u32)host_rand_below(256));
            break;
        case 2:
            v = vlapic_pending(&a);
            if (v >= 0) {
                CHECK(v >= 16 && (u32)(v & 0xf0) > (a.tpr & 0xf0u));
                vlapic_accept(&a, (u32)v);
                CHECK(vlapic_pending(&a) < v);
            }
            break;
        case 3:
            vlapic_expire(&a, i);
            val = vlapic_deadline(&a, i);
            CHECK(val == 0 || val > i);
            break;
        case 4:
            (void)!vlapic_set_base_msr(&a, VLAPIC_BASE | (host_rand() & 0xd00));
            break;
        case 5:
            vlapic_save(&a, i, image);
            image[host_rand_below(VLAPIC_IMAGE)] ^= 1u << host_rand_below(8);
            (void)!vlapic_load(&a, i, image);
            break;
        default:
            (void)!vlapic_write(&a, reg, host_rand() & (host_rand() & 1 ? 0xff : ~0ul), i, &ipi);
            if (host_rand() & 1)
                (void)!vlapic_write(&a, VLAPIC_SPIV, 0x1ff, i, &ipi);
            break;
        }
        CHECK(a.mode <= VLAPIC_MODE_X2APIC);
        CHECK(!a.irr[0] || !(a.irr[0] & 0xffff));
    }
}
