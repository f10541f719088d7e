/* SPDX-License-Identifier: MIT */
/*
 * Small families: the emergency console (console_io) and the assists (vm_assist).
 *
 * Console text is copied in small pieces and other work gets its turn between them, so a guest
 * that writes megabytes holds nobody up. ABI: public header xen.h.
 */
#include "abi/abi.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/guestmem.h"

#define CHUNK 128u
/* Pieces between two looks at what else is to be done. */
#define CHUNKS_PER_STEP 16u

static long console_write(struct domain *d, u64 count, u64 buffer)
{
    char chunk[CHUNK];
    u32 n, done;

    for (done = 0; count; done++) {
        if (done && done % CHUNKS_PER_STEP == 0 && hypercall_preempt())
            return hypercall_continue(__HYPERVISOR_console_io, CONSOLEIO_write, count, buffer, 0);
        n = (u32)MIN(count, CHUNK);
        if (!guestmem_copy_in(chunk, (const void *)buffer, n))
            return -EFAULT;
        console_guest_write(d, chunk, n);
        buffer += n;
        count -= n;
    }
    return 0;
}

static long console_read(const struct domain *d, u64 count, u64 buffer)
{
    char chunk[CHUNK];
    u64 total = 0;
    size_t n;

    if (d != domain_hardware)
        return -EPERM;
    /* The result is how many came, in an int. */
    if (count > 0x7fffffff)
        return -E2BIG;
    /* More than the input queue holds never arrives: the loop is bounded. */
    count = MIN(count, 4096u);
    while (total < count) {
        n = console_read_input(chunk, MIN(count - total, CHUNK));
        if (!n)
            break;
        if (!guestmem_copy_out((void *)(buffer + total), chunk, n))
            return -EFAULT;
        total += n;
    }
    return (long)total;
}

long abi_console_io(u64 cmd, u64 count, u64 buffer, u64 a4, u64 a5, u64 a6)
{
    struct domain *d = vcpu_current()->domain;

    (void)a4, (void)a5, (void)a6;
    /* Both are 32-bit values by the ABI. */
    count = (u32)count;
    switch ((u32)cmd) {
    case CONSOLEIO_write:
        return console_write(d, count, buffer);
    case CONSOLEIO_read:
        return console_read(d, count, buffer);
    default:
        return -ENOSYS;
    }
}

long abi_vm_assist(u64 cmd, u64 type, u64 a3, u64 a4, u64 a5, u64 a6)
{
    /*
     * Writable page tables are always emulated, page directories may lie anywhere, segments of 4
     * GiB are no matter in 64 bits. Only the run-state flag changes what the guest sees.
     */
    const u32 valid = 1u << VMASST_TYPE_4gb_segments | 1u << VMASST_TYPE_4gb_segments_notify |
                      1u << VMASST_TYPE_writable_pagetables | 1u << VMASST_TYPE_pae_extended_cr3 |
                      1u << VMASST_TYPE_runstate_update_flag;
    struct domain *d = vcpu_current()->domain;

    (void)a3, (void)a4, (void)a5, (void)a6;
    if ((u32)type >= 32 || !(valid >> (u32)type & 1))
        return -EINVAL;
    switch ((u32)cmd) {
    case VMASST_CMD_enable:
        atomic_fetch_or(&d->assist, 1u << (u32)type);
        return 0;
    case VMASST_CMD_disable:
        atomic_fetch_and(&d->assist, ~(1u << (u32)type));
        return 0;
    default:
        return -ENOSYS;
    }
}
