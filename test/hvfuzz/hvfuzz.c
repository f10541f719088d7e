/* SPDX-License-Identifier: MIT */
/*
 * Bytes as what the guests of a machine do: libFuzzer's entry. The input is a list of records
 * (ops.h); each names a CPU, and the guest that runs there acts, or the CPU goes on with what it
 * left in the middle. After each record the audits; at the end every domain is destroyed, and
 * everything must be as it was before the first.
 *
 *   HVFUZZ_VERBOSE=1   prints each record as it is performed, and the hypervisor's log
 */
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "guest.h"
#include "machine.h"
#include "ops.h"

#define RECORDS_MAX 96

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const u8 *a, size_t na, const u8 *b, size_t nb, u8 *out,
                                 size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);

static struct record records[RECORDS_MAX];
static u32 record_nr, record_at;

static void act(void *arg)
{
    u32 at = record_at;
    u32 taken = ops_perform(arg, record_nr - at);

    /* Others may have acted meanwhile: a record is taken twice rather than lost. */
    if (record_at == at)
        record_at += taken;
    machine_take_interrupts();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    machine_verbose = getenv("HVFUZZ_VERBOSE") != NULL;
    __sanitizer_set_death_callback(machine_print_notes);
    machine_boot();
    guest_boot();
    machine_freeze();
    return 0;
}

static void one(void)
{
    const struct record *r = &records[record_at];
    u32 cpu = r->where & (MACHINE_CPUS - 1);

    tlb_fill();
    machine_note("%u:\n", record_at);
    machine_set_pattern(r->where & 0x80 ? r->pattern : 0);
    machine_fail_allocations(r->where & 0x40 ? r->pattern : 0);
    machine_advance(1000);
    if (machine_state(cpu) == MACHINE_STOPPED)
        machine_resume(cpu);
    else
        machine_run(cpu, act, (void *)(u64)r);
    record_at++;
    machine_fail_allocations(0);
    if (machine_is_off())
        return;
    audit_always();
    if (machine_quiet())
        audit_quiet();
}

static void end(void)
{
    machine_note("the end:\n");
    machine_settle();
    if (machine_is_off())
        return;
    tlb_fill();
    audit_always();
    audit_quiet();
    guest_end_all();
    if (!machine_is_off())
        audit_end();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
    record_nr = (u32)MIN(n / sizeof(struct record), (size_t)RECORDS_MAX);
    memcpy(records, data, record_nr * sizeof(struct record));
    machine_reset();
    guest_reset();
    machine_settle();
    for (record_at = 0; record_at < record_nr && !machine_is_off();)
        one();
    if (!machine_is_off())
        end();
    return 0;
}

/* Mutation keeps records whole: they are made up, moved, copied, dropped; bytes change within one.
 */

static void random_record(struct record *r)
{
    u8 *b = (u8 *)r;
    u32 i;

    for (i = 0; i < sizeof(*r); i++)
        b[i] = (u8)(rand() >> 7);
    if (rand() & 3) /* mostly no interruption, and memory for everybody */
        r->where &= MACHINE_CPUS - 1;
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
        r->arg[(u32)rand() % sizeof(r->arg)] = (u8)(rand() >> 7);
        return;
    }
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
    struct record *r = (struct record *)(void *)data, copy[8];
    size_t nr = size / sizeof(*r), limit = MIN(max / sizeof(*r), (size_t)RECORDS_MAX), at, n, i;

    srand(seed);
    nr = MIN(nr, limit);
    at = (size_t)rand() % (nr + 1);
    n = (size_t)(1 + rand() % 4);
    switch (nr == 0 ? 0 : rand() % 8) {
    case 0:
    case 1:
        n = insert(r, nr, limit, at, n);
        for (i = 0; i < n; i++)
            random_record(&r[at + i]);
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
