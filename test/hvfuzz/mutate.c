/* SPDX-License-Identifier: MIT */
/*
 * How does libFuzzer change an input? Records stay whole: they are made up, moved, copied, dropped,
 * and bytes change within one. Some come as a scenario: the records that make something happen
 * between two guests, with the details left to chance. Numbers are those of the table in ops.c and
 * of the operations' first arguments.
 */
#include <stdlib.h>
#include <string.h>

#include "hvmguest.h"
#include "machine.h"
#include "ops.h"

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const u8 *a, size_t na, const u8 *b, size_t nb, u8 *out,
                                 size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

#define SCENARIO_MAX 10
#define ANY          0xff /* CPU: whichever */

/* A record of a scenario: the first `n` argument bytes are given, the others are random. */
struct step {
    u8 cpu, op, n, arg[10];
};

/* At the start CPUs 0 and 1 run domain 0, 2 and 3 domain 1; domain 2 shares them. */
static const struct step scenarios[][SCENARIO_MAX] = {
    /* domain 1 grants, domain 0 maps, the grant ends, it is unmapped */
    {{2, 48, 3, {0, 0, 0}}, {0, 51, 3, {0, 0, 0}}, {2, 48, 2, {0, 0x84}}, {0, 54, 3, {0, 0, 0}}},
    {{0, 48, 3, {1, 0, 1}}, {3, 51, 3, {0, 2, 0}}, {ANY, 56, 1, {1}}, {3, 54, 3, {0, 0, 0}}},
    /* an event to oneself, taken */
    {{2, 22, 2, {10, 0}}, {2, 45, 1, {0}}, {2, 22, 2, {5, 0}}, {2, 44, 1, {1}}, {2, 45, 1, {2}}},
    /* between domains, from both sides, closed in the middle */
    {{2, 22, 3, {8, 0xc0, 0}},
     {0, 22, 2, {0, 1}},
     {0, 22, 2, {5, 0}},
     {2, 22, 2, {5, 0}},
     {ANY, 22, 2, {4, 0}}},
    /* a poll that is woken */
    {{2, 22, 2, {10, 0}}, {2, 24, 4, {3, 0, 0, 1}}, {3, 22, 2, {5, 0}}},
    /* a virtual interrupt of a timer */
    {{2, 22, 3, {2, 0, 0}}, {2, 30, 2, {0, 5}}, {2, 24, 2, {0, 0}}, {ANY, 19, 1, {50}}},
    /* a page becomes a table, is entered, and goes */
    {{2, 9, 2, {9, 0}}, {2, 5, 2, {0, 0}}, {2, 11, 2, {0, 0}}, {2, 5, 2, {3, 0}}},
    {{2, 9, 3, {14, 0, 0}},
     {2, 5, 2, {36, 0}},
     {2, 5, 2, {6, 0}},
     {2, 5, 2, {6, 0xa0}},
     {2, 5, 2, {3, 0}}},
    {{2, 9, 3, {14, 1, 2}}, {2, 5, 2, {12, 1}}, {2, 0, 0, {0}}, {2, 5, 2, {3, 1}}},
    /* what was granted and mapped becomes a table, or goes */
    {{0, 48, 4, {0, 0, 1, 1}},
     {3, 51, 3, {0, 0, 0}},
     {3, 54, 3, {0, 0, 0}},
     {0, 9, 2, {8, 1}},
     {0, 5, 2, {0, 1}}},
    {{0, 48, 4, {0, 0, 1, 2}},
     {3, 51, 3, {0, 0, 0}},
     {0, 9, 2, {24, 2}},
     {0, 14, 3, {0, 0, 2}},
     {3, 54, 3, {0, 0, 0}}},
    /* frames are exchanged */
    {{2, 9, 2, {24, 0}}, {2, 9, 2, {24, 1}}, {2, 15, 3, {0x80, 1, 0}}},
    {{2, 9, 2, {24, 2}}, {2, 9, 2, {24, 3}}, {2, 15, 3, {0xc0, 2, 3}}, {2, 13, 0, {0}}},
    /* the same while there is room for none, and the other vCPU wants more */
    {{2, 9, 2, {24, 0}},
     {2, 9, 2, {24, 1}},
     {0, 26, 4, {4, 0, 0, 36}},
     {2, 15, 5, {0, 1, 0, 1, 1}},
     {3, 13, 2, {0, 0}}},
    /* a vCPU waits whose sibling uses their cap up, and a CPU that gets idle takes it */
    {{0, 26, 6, {9, 0, 0, 0, 100, 1}},
     {ANY, 19, 1, {8}},
     {2, 24, 2, {0, 0xff}},
     {ANY, 19, 1, {2}},
     {1, 24, 2, {1, 0}}},
    /* a domain goes, and comes again */
    {{0, 28, 1, {0}},
     {0, 21, 1, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}},
     {0, 21, 0, {0}}},
    /* the tools set a vCPU up while others of them end the domain; and the same with its frames */
    {{1, 26, 5, {5, 0, 0, 0, 0}}, {0, 28, 1, {0}}, {1, 19, 1, {1}}},
    {{1, 13, 3, {1, 8, 1}}, {0, 28, 1, {0}}, {1, 19, 1, {1}}},
    {{2, 5, 2, {0, 0}}, {0, 28, 1, {0}}, {2, 19, 1, {1}}},
    /* user mode and back */
    {{2, 44, 1, {2}}, {2, 0, 1, {1}}, {2, 44, 1, {0}}},
    /* descriptors */
    {{2, 9, 2, {0, 2}}, {2, 35, 0, {0}}, {2, 17, 2, {1, 2}}, {2, 18, 0, {0}}, {2, 17, 1, {0}}},
    /* a frame is given up while another domain has it */
    {{0, 4, 3, {0, 2, 0}}, {2, 14, 3, {0, 0, 2}}, {0, 4, 0, {0}}, {2, 13, 0, {0}}},
};

/* With hardware-assisted guests: numbers of ops_hvm.c; CPU 2 and 3 run the two vCPUs of domain 1.
 */
static const struct step scenarios_hvm[][SCENARIO_MAX] = {
    /* an interrupt to oneself, taken, ended */
    {{2, 0, 6, {0, 1, 0x0b, 10, 9, 0}}, {2, 0, 3, {0, 1, 0}}, {2, 0, 6, {0, 1, 0x0b, 3, 0, 0}}},
    /* the same while interrupts are off: a window */
    {{2, 0, 6, {0, 0, 0x0b, 10, 9, 0}}, {2, 0, 3, {0, 0, 0}}, {2, 0, 3, {0, 1, 0}}},
    /* a priority above it, then lowered */
    {{2, 0, 6, {0, 1, 0x0b, 2, 6, 0}},
     {2, 0, 6, {0, 1, 0x0b, 10, 9, 0}},
     {2, 0, 6, {0, 1, 0x0b, 2, 11, 0}}},
    /* the other vCPU begins anew */
    {{2, 0, 6, {0, 1, 0x0b, 10, 7, 0}},
     {2, 0, 6, {0, 1, 0x0b, 10, 8, 0}},
     {3, 0, 0, {0}},
     {3, 0, 0, {0}}},
    /* halted until the timer */
    {{2, 0, 6, {0, 1, 0x0b, 12, 9, 0}},
     {2, 0, 6, {0, 1, 0x0b, 13, 6, 0}},
     {2, 0, 3, {0, 1, 6}},
     {ANY, 21, 1, {3}},
     {2, 0, 0, {0}}},
    /* upcalls by the domain's vector, by the vCPU's */
    {{2, 18, 2, {0x70, 0x40}},
     {2, 23, 2, {10, 0}},
     {2, 23, 2, {5, 0}},
     {2, 0, 3, {0, 1, 0}},
     {2, 28, 1, {0}}},
    {{2, 18, 2, {0x80, 0x41}},
     {2, 23, 2, {10, 0}},
     {2, 23, 2, {5, 0}},
     {2, 0, 3, {0, 1, 0}},
     {2, 0, 6, {0, 1, 0x0b, 3, 0, 0}}},
    /* an NMI, and its end; an event that is delivered through a fault */
    {{0, 26, 2, {14, 0}}, {2, 0, 3, {0, 1, 0}}, {2, 0, 3, {1, 1, 0}}, {2, 0, 3, {1, 1, 0}}},
    {{2, 0, 6, {0, 1, 0x0b, 10, 9, 0}}, {2, 0, 6, {0x80, 1, 0x0b, 6, 6, 0}}, {2, 0, 0, {0}}},
    /* large frames come, are taken apart, and go; the shared frames move */
    {{2, 14, 3, {0, 0xc0, 0xa0}},
     {2, 14, 3, {2, 0, 0xa0}},
     {2, 14, 3, {2, 0xc0, 0xa1}},
     {3, 14, 3, {0, 0, 0xa0}}},
    {{2, 14, 3, {4, 1, 0x61}},
     {2, 14, 3, {4, 2, 0x61}},
     {3, 14, 3, {5, 0, 0x61}},
     {2, 14, 3, {2, 0, 0x61}}},
    {{2, 14, 3, {2, 0, 0}},
     {0, 0x9a, 3, {4, 2, 0}},
     {3, 14, 3, {0, 0, 0}},
     {0, 0x9a, 3, {4, 0, 0}}},
    /* x2APIC and back; long mode left */
    {{2, 0, 6, {0, 1, 1, 1, 0x0f, 0}},
     {2, 0, 5, {0, 1, 1, 0xb0, 1}},
     {2, 0, 6, {0, 1, 1, 1, 3, 0}}},
    {{2, 0, 3, {0, 0x71, 0}}, {2, 0, 3, {0, 0x71, 0x0b}}, {2, 0, 0, {0}}},
    /* the tools load a changed state, end the domain */
    {{0, 0x80, 3, {0, 0, 0}}, {2, 0, 0, {0}}, {0, 28, 1, {0}}, {2, 14, 0, {0}}},
    /* VMX: CR0 written from protected mode, with what does not fit: code of 64 bits, a task of 16
     */
    {{2, 0, 8, {0, 0x70, 0x11, 3, 9, 2, 0, 0x2e}}, {2, 0, 0, {0}}},
    {{2, 0, 8, {0, 0x70, 0x01, 0x10, 9, 2, 0, 0x2e}}, {2, 0, 0, {0}}},
    /* and PAE paging with any four entries; then CR4 */
    {{2, 0, 9, {0, 0x70, 1, 0, 2, 22, 1, 0, 0}},
     {2, 0, 9, {0, 0x70, 1, 0, 9, 0x1a, 0x40, 0, 0x0e}},
     {2, 0, 6, {0, 0x70, 3, 0, 9, 0x1b}},
     {2, 0, 0, {0}}},
    /* single steps over STI; INT1 */
    {{2, 0, 5, {0, 0x5f, 10, 2, 0x50}}, {2, 0, 0, {0}}},
    {{2, 0, 5, {0, 1, 10, 2, 0x60}}, {2, 0, 0, {0}}},
    /* a triple fault */
    {{2, 0, 4, {0, 1, 10, 0xff}}, {0, 26, 2, {13, 0}}, {2, 0, 0, {0}}},
};

static u8 random_byte(void)
{
    return (u8)(rand() >> 7);
}

static void random_record(struct record *r)
{
    u8 *b = (u8 *)r;
    u32 i;

    for (i = 0; i < sizeof(*r); i++)
        b[i] = random_byte();
    if (rand() & 3) /* mostly no interruption, and memory for everybody */
        r->where &= MACHINE_CPUS - 1;
}

static size_t random_scenario(struct record *r)
{
    const struct step *s = hvmguest_on && rand() & 3
                               ? scenarios_hvm[(size_t)rand() % ARRAY_SIZE(scenarios_hvm)]
                               : scenarios[(size_t)rand() % ARRAY_SIZE(scenarios)];
    u8 same = random_byte() % 6;                       /* frames and ports by the same number */
    size_t i, k, stop = (size_t)rand() % SCENARIO_MAX; /* often one is left in the middle */

    for (i = 0; i < SCENARIO_MAX && (s[i].op != 0 || s[i].cpu != 0 || s[i].n != 0); i++) {
        random_record(&r[i]);
        r[i].op = s[i].op;
        if (s[i].cpu != ANY)
            r[i].where = (r[i].where & 0xe0) | s[i].cpu;
        for (k = 0; k < s[i].n; k++)
            r[i].arg[k] = s[i].arg[k];
        if (i == stop) {
            r[i].where = (r[i].where & 3) | 0x80;
            r[i].pattern = (u16)(1u << rand() % 12);
        }
        if (s[i].n >= 2 && (s[i].op == 5 || s[i].op == 9) && s[i].arg[0] < 16 && s[i].arg[1] < 6)
            r[i].arg[1] = (u8)((s[i].arg[1] + same) % 6);
    }
    return i;
}

/* Room for n records at `at`; how many there are then. */
static size_t insert(struct record *r, size_t nr, size_t limit, size_t at, size_t n)
{
    n = MIN(n, limit - nr);
    memmove(&r[at + n], &r[at], (nr - at) * sizeof(*r));
    return n;
}

static void change_record(struct record *r)
{
    switch (rand() % 6) {
    case 0:
        r->where = (u8)rand();
        r->pattern = (u16)(1u << rand() % 16);
        return;
    case 1:
        r->where = (r->where & 0xc0) | (rand() & (MACHINE_CPUS - 1));
        return;
    case 2:
        r->op = (u8)rand();
        return;
    case 3:
        LLVMFuzzerMutate(r->arg, sizeof(r->arg), sizeof(r->arg));
        return;
    default:
        r->arg[(u32)rand() % sizeof(r->arg)] = random_byte();
        return;
    }
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
    struct record *r = (struct record *)(void *)data, copy[SCENARIO_MAX];
    size_t nr = size / sizeof(*r), limit = MIN(max / sizeof(*r), (size_t)RECORDS_MAX), at, n, i;

    srand(seed);
    nr = MIN(nr, limit);
    at = (size_t)rand() % (nr + 1);
    n = (size_t)(1 + rand() % 4);
    switch (nr == 0 ? 1 : rand() % 8) {
    case 0:
        n = insert(r, nr, limit, at, n);
        for (i = 0; i < n; i++)
            random_record(&r[at + i]);
        return (nr + n) * sizeof(*r);
    case 1:
        n = insert(r, nr, limit, at, random_scenario(copy));
        memcpy(&r[at], copy, n * sizeof(*r));
        return (nr + n) * sizeof(*r);
    case 2: /* a piece once more, somewhere */
        i = (size_t)rand() % nr;
        n = MIN(n, nr - i);
        memcpy(copy, &r[i], n * sizeof(*r));
        n = insert(r, nr, limit, at, n);
        memcpy(&r[at], copy, n * sizeof(*r));
        return (nr + n) * sizeof(*r);
    case 3:
        at = MIN(at, nr - 1);
        n = MIN(n, nr - at);
        memmove(&r[at], &r[at + n], (nr - at - n) * sizeof(*r));
        return (nr - n) * sizeof(*r);
    default:
        change_record(&r[MIN(at, nr - 1)]);
        return nr * sizeof(*r);
    }
}

/* The beginning of one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const u8 *a, size_t na, const u8 *b, size_t nb, u8 *out,
                                 size_t max, unsigned int seed)
{
    const size_t size = sizeof(struct record);
    size_t head, tail;

    srand(seed);
    head = (size_t)rand() % (na / size + 1);
    head = MIN(head, max / size);
    tail = (size_t)rand() % (nb / size + 1);
    tail = MIN(tail, max / size - head);
    memcpy(out, a, head * size);
    memcpy(out + head * size, b + (nb / size - tail) * size, tail * size);
    return (head + tail) * size;
}
