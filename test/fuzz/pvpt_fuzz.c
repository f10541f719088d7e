/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a list of page-table operations of three domains on the toy machine, with budgets from
 * the input, all checks after each, and a teardown that must bring every frame back.
 */
#include "host/toy_mmu.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

static const u8 *in;
static size_t left;

static u64 take(unsigned int bytes)
{
    u64 v = 0;

    while (bytes-- && left) {
        v = v << 8 | *in++;
        left--;
    }
    return v;
}

/* An entry: frame, then the low bits and a few high ones. */
static u64 take_entry(void)
{
    u64 frame = take(1) % (TOY_FRAMES + 4), bits = take(2);

    return frame << PAGE_SHIFT | (bits & 0xfff) | (bits & 0xf000) << 48;
}

static unsigned int take_slot(void)
{
    static const u16 slots[8] = {0, 1, 255, 256, 271, 272, 510, 511};
    u8 b = (u8)take(1);

    return b < 64 ? slots[b & 7] : b * 2u;
}

static void one(void)
{
    u8 op = (u8)take(1);
    u16 dom = (u16)(op >> 5) % TOY_DOMS, frames = op & 0x80 && dom == 0 ? 1 : dom;
    u64 f = 1 + take(1) % (TOY_IO_FIRST - 1);
    int budget = 1 + (int)(take(1) * take(1) % 1500);
    struct pvpt_view w = toy_view(dom, frames);
    unsigned int i;

    switch (op & 15) {
    case 0:
        (void)!toy_pin(dom, f, 1 + (unsigned int)take(1) % 4, &budget);
        break;
    case 1:
        w.frames = dom;
        (void)!pvpt_pin(&w, f, 1 + (unsigned int)take(1) % 4, &budget);
        break;
    case 2:
        (void)!toy_unpin(dom, f, &budget);
        break;
    case 3:
        (void)!toy_cr3(dom, (unsigned int)take(1) & 1, op & 16 ? f : 0, &budget);
        break;
    case 4:
        (void)!toy_hold(dom, f, op & 16 ? PTYPE_SEG : PTYPE_WRITABLE);
        break;
    case 5:
        toy_unhold(f, op & 16 ? PTYPE_SEG : PTYPE_WRITABLE);
        break;
    case 6:
        toy_release(f);
        break;
    case 7:
        if (f < TOY_END2 && toy.page[f].owner == PAGE_OWNER_NONE)
            toy_give(f, toy_home(f));
        break;
    case 8:
        (void)!toy_drain(dom, &budget);
        break;
    default:
        i = take_slot();
        (void)!toy_update(dom, frames, f, i, take_entry(), op & 16 ? PVPT_KEEP_AD : 0, &budget);
        break;
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    unsigned int ops = 0;

    in = data;
    left = n;
    host_reset();
    toy_init();
    while (left && ops++ < 64) {
        one();
        toy_check();
    }
    toy_teardown(1 + (int)(n & 31));
    return 0;
}
