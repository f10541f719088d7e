/* SPDX-License-Identifier: MIT */
/* Any bytes as an instruction in any mode: the decoder stays inside them, its fields in range. */
#include <stdlib.h>

#include "host/host.h"
#include "pure/x86_decode.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_fields(const struct x86_insn *in, size_t n)
{
    u8 reg;

    CHECK(in->len > 0 && in->len <= X86_INSN_MAX && in->len <= n);
    CHECK(in->map <= X86_MAP_6 && in->map != 4 && in->seg <= X86_SEG_NONE && in->scale < 4);
    CHECK(in->osize == 2 || in->osize == 4 || in->osize == 8);
    CHECK(in->asize == 2 || in->asize == 4 || in->asize == 8);
    CHECK(in->width == 1 || in->width == 2 || in->width == 4 || in->width == 8);
    CHECK(in->reg < 16 && in->rm < 16);
    CHECK(in->base < 16 || in->base == X86_REG_NONE || in->base == X86_REG_RIP);
    CHECK(in->index < 16 || in->index == X86_REG_NONE);
    CHECK(in->imm_size <= 8 && (in->imm_size || !in->imm));
    CHECK(x86_decode_byte_reg(in, in->reg, &reg) <= 8 && reg < 16);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static const unsigned int modes[] = {16, 32, 64};
    static const u8 slot[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    u64 regs[16] = {0};
    struct x86_insn in, again;
    unsigned int i;
    u8 *exact;
    int rc;

    for (i = 0; i < ARRAY_SIZE(modes); i++) {
        rc = x86_decode(&in, data, size, modes[i]);
        CHECK(rc == 0 || rc == -EINVAL || rc == -EAGAIN);
        if (rc)
            continue;
        check_fields(&in, size);
        /* Only the instruction's own bytes matter. */
        exact = malloc(in.len);
        CHECK(exact);
        memcpy(exact, data, in.len);
        CHECK_EQ(x86_decode(&again, exact, in.len, modes[i]), 0);
        CHECK_MEM(&in, &again, sizeof(in));
        free(exact);
        if (in.mem)
            (void)x86_decode_address(&in, regs, slot, 0x1000);
    }
    return 0;
}
