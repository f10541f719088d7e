/* SPDX-License-Identifier: MIT */
/* Any sequence of changes, with tables running out at any point: the tables say what a list says.
 */
#include "host/p2m_model.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static struct p2m_model m;
    unsigned int order, step;
    u64 gfn, mfn;

    if (size < 1)
        return 0;
    host_reset();
    model_start(&m, data[0] & 1 ? &p2m_format_npt : &p2m_format_ept, data[0] & 2);
    for (step = 0, data++, size--; size >= 6 && step < 64; data += 6, size -= 6, step++) {
        order = data[0] % 16 == 15 && m.p.page1g ? 18 : data[0] % 16 > 10 ? 9 : 0;
        gfn = ((u64)(data[1] & 1) << 18 | (u64)(data[1] & 6) << 8 | data[2] |
               (u64)(data[3] & 1) << 8) &
              ~(((u64)1 << order) - 1);
        mfn = ((data[3] & 2 ? gfn : (u64)data[4] << 8) + 0x40000) & ~(((u64)1 << order) - 1);
        m.limit = data[3] & 4 ? m.in_use + (data[3] >> 3 & 1) : MODEL_TABLES;
        model_set(&m, gfn, order, mfn, (enum p2m_type)(data[5] % P2M_TYPES));
        CHECK(p2m_audit(&m.p));
    }
    model_end(&m);
    return 0;
}
