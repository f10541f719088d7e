/* SPDX-License-Identifier: MIT */
/*
 * Does pure/x86_decode.c say of an instruction what the processor does with it?
 *
 * Random instructions, shaped like real ones, are carried out one at a time (run.h) and compared:
 *
 *   length    all but the last byte: the processor must ask for more; all bytes: it must not.
 *             What the decoder refuses must be an undefined instruction.
 *   address   the registers are arranged so that the memory operand lies where nothing is: the page
 *             fault must name the address that was computed.
 *   width     of integer instructions: the operand ends exactly where memory does, then one byte
 *             further on.
 *   results   what pure/x86_emul.c and pure/ptwrite.c carry out: memory, registers and flags.
 *
 *   x86_native [seconds=N | count=N] [seed=N] [insn=HEX,MODE]
 *
 * The run is in a child process: if an instruction gets through to it, that is reported as well.
 * Left out: system calls, and what changes FS, GS, SS or the flag that checks alignment.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pure/ptwrite.h"
#include "pure/x86_decode.h"
#include "pure/x86_emul.h"
#include "native/run.h"

#define FINDINGS_MAX 20
#define CF           0x001ul
#define PF           0x004ul
#define AF           0x010ul
#define ZF           0x040ul
#define SF           0x080ul
#define OF           0x800ul
#define ARITH        (CF | PF | AF | ZF | SF | OF)

/* Shared with the parent: the instruction being looked at, and the account. */
static struct shared {
    u8 code[16];
    u32 mode, findings;
    u64 tried, refused, length, address, width, result, undefined;
    u8 seen[3][8][256]; /* mode, map, opcode: length agreed, not undefined */
} * sh;

static const u8 slot[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Random numbers (xorshift64*): the same for the same seed on every machine. */
static u64 rnd_state;
static u64 rnd(void)
{
    rnd_state ^= rnd_state >> 12;
    rnd_state ^= rnd_state << 25;
    rnd_state ^= rnd_state >> 27;
    return rnd_state * 0x2545f4914f6cdd1dul;
}
static u32 upto(u32 n)
{
    return (u32)(rnd() >> 33) % n;
}

static void found(const u8 *code, u32 len, const char *f, ...)
    __attribute__((format(printf, 3, 4)));
static void found(const u8 *code, u32 len, const char *f, ...)
{
    va_list ap;
    u32 i;

    printf("FOUND: mode %u, ", sh->mode);
    for (i = 0; i < len; i++)
        printf("%02x", code[i]);
    printf(": ");
    va_start(ap, f);
    vprintf(f, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    if (++sh->findings >= FINDINGS_MAX)
        _exit(1);
}

/* The generator. */

static u32 put_prefixes(u8 *b, unsigned int mode)
{
    static const u8 legacy[] = {0x66, 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x3e, 0x65, 0x26, 0x36};
    u32 n = 0, k = upto(8), i;

    k = k < 4 ? 0 : k < 7 ? k - 3 : upto(14);
    for (i = 0; i < k; i++)
        b[n++] = legacy[upto(ARRAY_SIZE(legacy))];
    if (mode == 64 && upto(2))
        b[n++] = (u8)(0x40 | upto(16));
    return n;
}

static void generate(u8 b[16], unsigned int mode)
{
    static const u8 common[] = {0x88, 0x89, 0x8a, 0x8b, 0xc6, 0xc7, 0x80, 0x81, 0x83, 0x86,
                                0x87, 0xa1, 0xa3, 0x09, 0x21, 0xf6, 0xf7, 0xff, 0x63};
    static const u8 common_0f[] = {0xb6, 0xb7, 0xbe, 0xbf, 0xb0, 0xb1, 0xab,
                                   0xb3, 0xba, 0xc3, 0xc7, 0xa3, 0xc1};
    u32 n = put_prefixes(b, mode), k = upto(100), i;

    for (i = n; i < 16; i++)
        b[i] = (u8)rnd();
    if (k < 25) {
        b[n] = common[upto(sizeof(common))];
    } else if (k < 45) {
        b[n] = 0x0f;
        b[n + 1] = common_0f[upto(sizeof(common_0f))];
    } else if (k < 65) {
        b[n] = 0x0f;
    } else if (k < 75) {
        b[n] = 0x0f;
        b[n + 1] = upto(2) ? 0x38 : 0x3a;
    } else if (k < 85) {
        static const u8 vex[] = {0xc4, 0xc5, 0x62};

        b[n] = vex[upto(3)];
        if (b[n] != 0xc5) /* a map that exists, mostly */
            b[n + 1] =
                (u8)((b[n + 1] & (b[n] == 0x62 ? 0xf0 : 0xe0)) | (1 + upto(b[n] == 0x62 ? 6 : 3)));
    }
}

/* What must not be carried out, by the bytes alone. */
static bool forbidden(const u8 *b)
{
    u32 i;

    for (i = 0; i < 15; i++)
        if ((b[i] == 0x0f && (b[i + 1] == 0x05 || b[i + 1] == 0x34)) ||
            (b[i] == 0xcd && b[i + 1] == 0x80))
            return true;
    return false;
}

/* What may be measured by its faults, but not be carried out. */
static bool unsafe(const struct x86_insn *in)
{
    u8 op = in->opcode, ext = in->reg & 7;

    if (in->prefix & X86_PFX_VEX)
        return false;
    if (in->map == X86_MAP_1)
        return op == 0x8e || op == 0x9d || op == 0xcf || op == 0x07 || op == 0x17 || op == 0x1f ||
               op == 0xc4 || op == 0xc5 || op == 0xcd || (op == 0xc7 && ext == 7);
    if (in->map != X86_MAP_0F)
        return false;
    return op == 0xa1 || op == 0xa9 || op == 0xb2 || op == 0xb4 || op == 0xb5 ||
           (op == 0x01 && !in->mem) || (op == 0xae && (ext == 1 || ext == 5 || !in->mem)) ||
           op == 0xc7;
}

/* Opcodes. */

/* Integer instructions that access their memory operand, and only it, if they are carried out. */
static bool integer(const struct x86_insn *in)
{
    static const u8 lone_0f[] = {0xa4, 0xa5, 0xac, 0xad, 0xaf, 0xb0, 0xb1, 0xb6, 0xb7, 0xb8, 0xba,
                                 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3, 0xa3, 0xab, 0xb3, 0xbb};
    u8 op = in->opcode, ext = in->reg & 7;
    u32 i;

    if (!in->mem || in->prefix & X86_PFX_VEX)
        return false;
    if (in->map == X86_MAP_1) {
        if (op == 0xfe)
            return ext < 2;
        if (op == 0xff)
            return ext != 3 && ext != 5 && ext != 7;
        if (op == 0xc6 || op == 0xc7 || op == 0x8f)
            return ext == 0;
        return op < 0x40 || op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op < 0x8d) ||
               (op >= 0xa0 && op < 0xa4) || op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op < 0xd4) ||
               op == 0xf6 || op == 0xf7;
    }
    if (in->map == X86_MAP_0F38)
        return op == 0xf0 || op == 0xf1;
    if (in->map != X86_MAP_0F)
        return false;
    if ((op & 0xf0) == 0x40 || (op & 0xf0) == 0x90)
        return true;
    for (i = 0; i < sizeof(lone_0f); i++)
        if (op == lone_0f[i])
            return true;
    return false;
}

/* bt, bts, btr, btc by a register reach beyond the operand: not here. False: no way. */
static bool small_bit(const struct x86_insn *in, struct run_regs *r)
{
    if (in->map != X86_MAP_0F || (in->opcode & 0xe7) != 0xa3)
        return true;
    r->r[in->reg] &= 8u * in->osize - 1;
    return in->reg != in->base && in->reg != in->index;
}

/* The stack pointer moves before or while the operand is accessed. */
static bool uses_stack(const struct x86_insn *in)
{
    return in->map == X86_MAP_1 && (in->opcode == 0x8f || in->opcode == 0xff);
}

/* The index is a vector, or the displacement is scaled: not what the decoder describes. */
static bool vector_address(const struct x86_insn *in, const u8 *code)
{
    u8 op = in->opcode;
    u32 i;

    if (!(in->prefix & X86_PFX_VEX))
        return in->map == X86_MAP_0F && (op == 0x1a || op == 0x1b); /* bounds of MPX */
    for (i = 0; code[i] != 0x62 && code[i] != 0xc4 && code[i] != 0xc5; i++)
        ;
    if (code[i] == 0x62)
        return true;
    return in->map == X86_MAP_0F38 &&
           ((op >= 0x90 && op < 0x94) || op == 0x49 || op == 0x4b); /* gathers, tiles */
}

static bool jumps(const struct x86_insn *in)
{
    u8 op = in->opcode;

    if (in->prefix & X86_PFX_VEX)
        return false;
    if (in->map == X86_MAP_0F)
        return (op & 0xf0) == 0x80;
    if (in->map != X86_MAP_1)
        return false;
    return (op & 0xf0) == 0x70 || (op >= 0xe0 && op < 0xe4) || (op >= 0xe8 && op < 0xec) ||
           op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0x9a || op == 0xff ||
           op == 0xc7; /* xbegin */
}

/* With a 66 prefix, a near branch of 64-bit code: AMD's have 16 bits then, the decoder is Intel's.
 */
static bool vendors_differ(const struct x86_insn *in)
{
    u8 op = in->opcode;

    if (sh->mode != 64 || !(in->prefix & X86_PFX_OSIZE) || __builtin_cpu_is("intel"))
        return false;
    return in->map == X86_MAP_0F ? (op & 0xf0) == 0x80
                                 : in->map == X86_MAP_1 && (op == 0xe8 || op == 0xe9 || op == 0xff);
}

static bool string(const struct x86_insn *in)
{
    u8 op = in->opcode;

    return in->map == X86_MAP_1 &&
           ((op >= 0xa4 && op < 0xa8) || (op >= 0xaa && op < 0xb0) || (op >= 0x6c && op < 0x70));
}

/* The trap flag ends it after a part of it, before itself: REP, gathers and scatters. */
static bool goes_on(const struct x86_insn *in)
{
    if (!(in->prefix & X86_PFX_VEX))
        return string(in) && in->prefix & (X86_PFX_REP | X86_PFX_REPNE);
    return in->map == X86_MAP_0F38 && ((in->opcode & 0xfc) == 0x90 || (in->opcode & 0xfc) == 0xa0);
}

/* Registers. */

static u64 some_value(void)
{
    switch (upto(4)) {
    case 0:
        return upto(256);
    case 1:
        return rnd();
    case 2:
        return (u64)(s64)(s32)rnd();
    default:
        return RUN_OPEN + upto(0x3000);
    }
}

static void some_registers(struct run_regs *r)
{
    u32 i;

    for (i = 0; i < 16; i++)
        r->r[i] = some_value();
    r->r[4] = RUN_STACK + 0x8000 + upto(64) * 8;
    r->r[5] = RUN_STACK + 0x9000;
    r->r[3] = RUN_OPEN + 0x800;
    r->r[6] = RUN_OPEN + 0x1800 + upto(256);
    r->r[7] = RUN_OPEN + 0x2800 + upto(256);
    r->rflags = rnd() & ARITH;
}

static u64 offset_of(const struct x86_insn *in, const struct run_regs *r)
{
    return x86_decode_address(in, r->r, slot, RUN_CODE_END);
}

/* Where the displacement is in the code, if it can be chosen freely. 0: it cannot. */
static u32 wide_disp(const struct x86_insn *in)
{
    u32 tail = in->imm_size + (in->map == X86_MAP_0F && in->opcode == 0x78 && in->imm_size);

    if (!in->modrm)
        return in->asize > 2 ? in->len - in->asize : 0;
    if (in->asize > 2 && (in->base == X86_REG_NONE || in->base == X86_REG_RIP))
        return in->len - tail - 4;
    return 0;
}

/*
 * Makes the memory operand lie at `want` by the base register or the displacement in the code.
 * False: these addresses cannot be had with this instruction.
 */
static bool aim(struct x86_insn *in, u8 *code, struct run_regs *r, u64 want)
{
    u64 base = in->seg == X86_SEG_GS ? RUN_GS_BASE : 0, delta;
    u32 at = wide_disp(in);

    want -= base;
    if (at != 0) {
        if (in->index != X86_REG_NONE)
            r->r[in->index] = upto(1 << 20);
        delta = (u64)in->disp + want - offset_of(in, r);
        memcpy(code + at, &delta, !in->modrm && in->asize == 8 ? 8 : 4);
        if (x86_decode(in, code, in->len, sh->mode) != 0)
            return false;
    } else if (in->base < 16 && in->base != in->index) {
        r->r[in->base] += want - offset_of(in, r);
        if (in->asize == 4)
            r->r[in->base] = (u32)r->r[in->base];
    }
    return offset_of(in, r) == want;
}

/* Comparisons. */

static bool is_page_fault(const struct run_result *o)
{
    return o->trap == RUN_PF && !o->fetch && !o->stepped_on;
}

static bool is_prefix(u8 b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || (b & 0xe7) == 0x26 ||
           (b & 0xfe) == 0x64 || (sh->mode == 64 && (b & 0xf0) == 0x40);
}

static void compare_refusal(const u8 *code)
{
    struct x86_insn in;
    struct run_regs r;
    struct run_result o;
    bool too_long;
    u32 n;

    /* How long it would be if it existed, nobody knows. */
    for (n = 0; n < 16 && is_prefix(code[n]); n++)
        ;
    too_long = n > 2 || x86_decode(&in, code, 14, sh->mode) == -EAGAIN;

    sh->refused++;
    some_registers(&r);
    run_insn(code, 16, sh->mode, &r, &o);
    if (o.trap == RUN_UD || (too_long && o.trap == RUN_GP))
        return;
    found(code, 16, "refused, but the processor says trap %u, error %#x, %lu bytes on", o.trap,
          o.error, o.regs.rip);
}

/* True: a length is agreed on, and the instruction exists. */
static bool compare_length(const struct x86_insn *in, const u8 *code, const struct run_regs *r)
{
    struct run_result o;

    if (in->len > 1) {
        run_insn(code, in->len - 1u, sh->mode, r, &o);
        if (o.trap == RUN_UD) {
            sh->undefined++;
            return false;
        }
        if (!o.fetch) {
            found(code, in->len, "length %u, but %u bytes are enough (trap %u)", in->len,
                  in->len - 1u, o.trap);
            return false;
        }
    }
    run_insn(code, in->len, sh->mode, r, &o);
    if (o.trap == RUN_UD) {
        sh->undefined++;
        return false;
    }
    if (o.fetch) {
        run_insn(code, 16, sh->mode, r, &o);
        /* Undefined ones may look at what would follow, up to too many bytes. */
        if (o.trap != RUN_UD && !(o.trap == RUN_GP && in->prefix & X86_PFX_VEX && in->len > 8))
            found(code, in->len, "length %u, but the processor wants more", in->len);
        return false;
    }
    if (o.trap == RUN_DB && o.regs.rip != in->len && !jumps(in) &&
        !(goes_on(in) && o.regs.rip == 0)) {
        found(code, in->len, "length %u, but the processor went on by %#lx", in->len, o.regs.rip);
        return false;
    }
    sh->length++;
    sh->seen[sh->mode / 32][in->map][in->opcode] |= 1;
    return true;
}

/* The operand where nothing is. */
static void compare_address(struct x86_insn *in, u8 *code, struct run_regs *r)
{
    u64 want = RUN_CLOSED + 0x1000 + upto(0x1000) * 8, linear;
    struct run_result o;

    if (vector_address(in, code) || !small_bit(in, r) || (uses_stack(in) && in->base == 4))
        return;
    if (!aim(in, code, r, want)) {
        want = offset_of(in, r);
        if (in->asize != 2 && (want < RUN_CLOSED || want >= RUN_CLOSED_END))
            return;
    }
    linear = offset_of(in, r) + (in->seg == X86_SEG_GS ? RUN_GS_BASE : 0);
    run_insn(code, in->len, sh->mode, r, &o);
    if (o.trap == RUN_UD)
        return;
    if (is_page_fault(&o)) {
        u64 slack = integer(in) ? 1 : 0x4000; /* others may begin inside, or at their end */
        u64 into = o.address - linear;

        if (in->asize == 2) /* such an operand goes on at 0 */
            into &= 0xffff;
        if (into >= slack)
            found(code, in->len, "operand at %#lx, but the processor's is at %#lx", linear,
                  o.address);
        else
            sh->address++;
    } else if (integer(in) && in->asize != 2 && o.trap != RUN_GP) {
        found(code, in->len, "operand at %#lx is not accessed (trap %u)", linear, o.trap);
    }
}

/* Flags the manuals leave undefined are not compared. */
static u64 defined_flags(const struct ptwrite *w)
{
    switch (w->op) {
    case PTWRITE_OR:
    case PTWRITE_AND:
        return ARITH & ~AF;
    case PTWRITE_BTS:
    case PTWRITE_BTR:
        return CF | ZF;
    case PTWRITE_MOV:
    case PTWRITE_XCHG:
    case PTWRITE_CMPXCHG:
    default:
        return ARITH;
    }
}

/* What lies where the operand of a move is. */
struct cell {
    u64 val;
    u32 loads, stores;
};

static u64 cell_read(void *ctx, u32 width)
{
    struct cell *c = ctx;

    (void)width;
    c->loads++;
    return c->val;
}

static void cell_write(void *ctx, u32 width, u64 val)
{
    struct cell *c = ctx;

    (void)width;
    c->stores++;
    c->val = val;
}

/* pure/x86_emul.c: memory, all registers, no flag. */
static void compare_move(const struct x86_insn *in, const u8 *code, const struct run_regs *r,
                         u64 old, u64 now, const struct run_result *o)
{
    u64 used = sh->mode == 64 ? ~0ul : ~0u, mask = x86_emul_mask(in->width);
    struct cell cell = {.val = old & mask};
    struct x86_emul_port port = {cell_read, cell_write, &cell};
    struct run_regs mine = *r;
    u32 i;

    if (!x86_emul_move(in, mine.r, slot, &port))
        return;
    sh->result++;
    if (cell.loads > 1 || cell.stores > 1 || cell.val != (now & mask))
        found(code, in->len, "move: %#lx becomes %#lx, but by the processor %#lx", old & mask,
              cell.val, now & mask);
    for (i = 0; i < 16; i++)
        if (!(sh->mode != 64 && i >= 8) && (mine.r[i] ^ o->regs.r[i]) & used)
            found(code, in->len, "register %u is %#lx, but by the processor %#lx", i, mine.r[i],
                  o->regs.r[i]);
    if ((o->regs.rflags ^ r->rflags) & ARITH)
        found(code, in->len, "a move changes flags %#lx", o->regs.rflags ^ r->rflags);
}

/* pure/ptwrite.c: memory and flags. */
static void compare_store(const struct x86_insn *in, const u8 *code, const struct run_regs *r,
                          u64 old, u64 now, const struct run_result *o)
{
    u64 mask = x86_emul_mask(in->width), val, flags;
    struct ptwrite w;
    bool store;

    if (sh->mode != 64 ||
        !ptwrite_decode(in, x86_emul_reg_get(in, in->reg, in->width, r->r, slot), &w))
        return;
    sh->result++;
    old &= mask;
    val = ptwrite_value(&w, old, r->r[0], &store);
    flags = ptwrite_flags(&w, r->rflags, old, val, r->r[0]);
    if (!store)
        val = old;
    if (w.width != in->width || (now & mask) != val)
        found(code, in->len, "%#lx becomes %#lx, but by the processor %#lx", old, val, now & mask);
    else if ((o->regs.rflags ^ flags) & defined_flags(&w))
        found(code, in->len, "flags %#lx for %#lx, but by the processor %#lx", flags & ARITH, old,
              o->regs.rflags & ARITH);
}

/* The operand's end at memory's end, then beyond. */
static void compare_width(struct x86_insn *in, u8 *code, struct run_regs *r)
{
    u64 at = RUN_OPEN_END - in->width, old = rnd(), now = 0;
    bool locked = in->prefix & X86_PFX_LOCK || (in->map == X86_MAP_1 && (in->opcode & ~1) == 0x86);
    struct run_result o;

    if (!integer(in) || unsafe(in) || (uses_stack(in) && in->base == 4))
        return;
    if (!small_bit(in, r) || !aim(in, code, r, at))
        return;
    if (upto(4) == 0) /* a cmpxchg that succeeds */
        old = r->r[0];
    memcpy((void *)at, &old, in->width);
    run_insn(code, in->len, sh->mode, r, &o);
    memcpy(&now, (void *)at, in->width);
    if (o.trap == RUN_UD || o.trap == RUN_GP)
        return;
    if (is_page_fault(&o)) {
        found(code, in->len, "width %u, but the processor accesses %#lx of an operand at %#lx",
              in->width, o.address, at);
        return;
    }
    if (o.trap == RUN_DB) {
        compare_store(in, code, r, old, now, &o);
        compare_move(in, code, r, old, now, &o);
    }
    if (locked || in->width == 1) { /* a split lock may be refused first */
        sh->width++;
        return;
    }
    if (!aim(in, code, r, at + 1))
        return;
    run_insn(code, in->len, sh->mode, r, &o);
    if (!is_page_fault(&o) || o.address != RUN_OPEN_END)
        found(code, in->len,
              "width %u, but an operand one byte beyond memory gives trap %u at %#lx", in->width,
              o.trap, o.address);
    else
        sh->width++;
}

static void compare(u8 code[16], unsigned int mode)
{
    struct x86_insn in;
    struct run_regs r;
    int rc;

    sh->mode = mode;
    memcpy(sh->code, code, 16);
    if (forbidden(code))
        return;
    sh->tried++;
    rc = x86_decode(&in, code, 15, mode);
    if (rc != 0) {
        if (rc == -EAGAIN)
            found(code, 15, "15 bytes are not enough");
        else
            compare_refusal(code);
        return;
    }
    if (vendors_differ(&in) || in.seg == X86_SEG_FS || (mode != 64 && in.seg == X86_SEG_GS) ||
        (mode == 16 && in.seg == X86_SEG_CS))
        return; /* bases of their own */
    some_registers(&r);
    if (in.mem && !aim(&in, code, &r, unsafe(&in) ? RUN_CLOSED + 0x800 : RUN_OPEN + 0x2000) &&
        in.asize != 2 && (unsafe(&in) || offset_of(&in, &r) - RUN_OPEN >= RUN_OPEN_END - RUN_OPEN))
        return;
    memcpy(sh->code, code, 16);
    if ((unsafe(&in) && !in.mem) || forbidden(code))
        return;
    if (!compare_length(&in, code, &r) || !in.mem)
        return;
    some_registers(&r);
    compare_address(&in, code, &r);
    if (forbidden(code))
        return;
    some_registers(&r);
    compare_width(&in, code, &r);
}

/* The run. */

static void child(u64 seconds, u64 count, bool has16)
{
    time_t end = time(NULL) + (time_t)seconds;
    u8 code[16];
    u64 i;

    for (i = 0; seconds ? time(NULL) < end : i < count; i++) {
        unsigned int mode = upto(4) ? 64 : upto(3) == 0 && has16 ? 16 : 32;

        generate(code, mode);
        compare(code, mode);
    }
    _exit(sh->findings != 0);
}

static u32 opcodes_seen(u32 mode, u32 map)
{
    u32 i, n = 0;

    for (i = 0; i < 256; i++)
        n += sh->seen[mode / 32][map][i];
    return n;
}

/* A run that compares next to nothing is no success. */
static bool enough(u64 count)
{
    return sh->length * 4 > sh->tried && sh->address * 20 > sh->tried &&
           sh->width * 30 > sh->tried && sh->result * 100 > sh->tried &&
           (count < 10000 || (opcodes_seen(64, 0) > 150 && opcodes_seen(64, 1) > 150));
}

static void report(int status, u64 seed)
{
    u32 i;

    if (WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) > 1)) {
        printf("FOUND: mode %u, ", sh->mode);
        for (i = 0; i < 16; i++)
            printf("%02x", sh->code[i]);
        printf(": ended the program (status %#x)\n", status);
        sh->findings++;
    }
    printf(
        "x86_native: seed %lu: %lu instructions, %lu lengths, %lu addresses, %lu widths, "
        "%lu results compared, %lu undefined, %lu refused; opcodes in 64-bit code %u + %u of 0f\n",
        seed, sh->tried, sh->length, sh->address, sh->width, sh->result, sh->undefined, sh->refused,
        opcodes_seen(64, 0), opcodes_seen(64, 1));
}

static int single(const char *arg)
{
    u8 code[16];
    u32 i, byte;
    unsigned int mode = 64;

    memset(code, 0x90, sizeof(code));
    for (i = 0; i < 16 && sscanf(arg + 2 * i, "%2x", &byte) == 1; i++)
        code[i] = (u8)byte;
    if (strchr(arg, ',') != NULL)
        mode = (unsigned int)atoi(strchr(arg, ',') + 1);
    compare(code, mode);
    return sh->findings != 0;
}

int main(int argc, char **argv)
{
    u64 seconds = 0, count = 20000, seed = 1;
    const char *insn = NULL;
    bool has16;
    int i, status;
    pid_t pid;

    for (i = 1; i < argc; i++)
        if (sscanf(argv[i], "seconds=%lu", &seconds) != 1 &&
            sscanf(argv[i], "count=%lu", &count) != 1 && sscanf(argv[i], "seed=%lu", &seed) != 1 &&
            strncmp(argv[i], "insn=", 5) != 0)
            return fprintf(stderr, "%s: what is '%s'?\n", argv[0], argv[i]), 2;
        else if (strncmp(argv[i], "insn=", 5) == 0)
            insn = argv[i] + 5;
    sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rnd_state = seed * 0x9e3779b97f4a7c15ul | 1;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (!run_init(&has16))
            _exit(4);
        if (insn != NULL)
            _exit(single(insn));
        child(seconds, count, has16);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return perror("fork"), 2;
    report(status, seed);
    if (sh->findings == 0 && insn == NULL && !enough(sh->tried))
        return fprintf(stderr, "x86_native: too little of it was compared\n"), 1;
    return sh->findings != 0;
}
