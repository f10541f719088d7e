/* SPDX-License-Identifier: MIT */
/* Bytes as a list of event-port operations of three domains, compared with the model. */
#include "host/toy_evtchn.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

static const u8 *in;
static size_t left;

static u32 take(void)
{
    if (!left)
        return 0;
    left--;
    return *in++;
}

static void one(void)
{
    static const enum evtchn_state kinds[4] = {EVTCHN_UNBOUND, EVTCHN_IPI, EVTCHN_VIRQ,
                                               EVTCHN_PIRQ};
    u32 op = take();
    unsigned int d = (op >> 3) % TOY_DOMS, peer = (op >> 5) % TOY_DOMS;
    u32 a = take(), b = take(), count;

    if (a == 255)
        a = EVTCHN_PORTS_MAX - 3 + b % 8;
    switch (op & 7) {
    case 0:
    case 1:
        toy_bind(d, kinds[a & 3], a % TOY_VCPUS, toy_id[peer], b, a & 0x80);
        break;
    case 2:
        toy_connect(d, peer, a);
        break;
    case 3:
        toy_close(d, a);
        break;
    case 4:
        toy_set_vcpu(d, a, b % TOY_VCPUS);
        break;
    case 5:
        toy_send(d, a);
        break;
    case 6:
        toy_wrong_disconnect(d, a, toy_id[peer], b);
        break;
    default: /* many at once: pages and limits */
        for (count = b * 2; count; count--)
            toy_bind(d, EVTCHN_UNBOUND, 0, toy_id[peer], 0, false);
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
    while (left && ops++ < 400)
        one();
    toy_compare();
    toy_fini();
    return 0;
}
