/* SPDX-License-Identifier: MIT */
/*
 * Bytes as what the guests of a machine do: libFuzzer's entry. The input is a list of records
 * (ops.h); each names a CPU, and the guest that runs there acts, or the CPU goes on with what it
 * left in the middle. After each record the audits; at the end every domain is destroyed, and
 * everything must be as it was before the first.
 *
 *   HVFUZZ_HVM=1       domains 1 and 2 are hardware-assisted, by SVM
 *   HVFUZZ_HVM=vmx     ... by VMX; vmx0: by one without VPID
 *   HVFUZZ_VERBOSE=1   prints each record as it is performed, and the hypervisor's log
 */
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "guest.h"
#include "hvmguest.h"
#include "machine.h"
#include "ops.h"
#include "vmxhw.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n);

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
    const char *how = getenv("HVFUZZ_HVM");

    (void)argc, (void)argv;
    machine_verbose = getenv("HVFUZZ_VERBOSE") != NULL;
    hvmguest_on = how != NULL;
    hvmguest_vmx = how != NULL && !strncmp(how, "vmx", 3);
    vmxhw_init(how == NULL || strcmp(how, "vmx0") != 0);
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
    machine_set_budget(r->where & 0x20 ? 1 + r->pattern % 700 : 2048);
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
