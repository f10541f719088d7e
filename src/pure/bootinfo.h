/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader handed over, Multiboot 1 or 2, in one record.
 * Sources: Multiboot Specification 0.6.96, section 3.3; Multiboot2 Specification 2.0, section 3.6.
 * Owned by the caller; boot time only, no lock.
 */
#ifndef PURE_BOOTINFO_H
#define PURE_BOOTINFO_H

#include "base/def.h"
#include "base/range.h"
#include "pure/memmap.h"
#include "pure/reason.h"

#define BOOTINFO_CMDLINE 2048
#define BOOTINFO_ARGS    1024 /* as much as a PV start_info can carry */
#define BOOTINFO_MODULES 8
#define BOOTINFO_RSDP    36 /* ACPI 2.0 RSDP */

#define BOOTINFO_MAGIC1 0x2badb002u /* in EAX at entry */
#define BOOTINFO_MAGIC2 0x36d76289u

/* Physical memory that can be read: byte `start` is at base. */
struct phys_window {
    const u8 *base;
    u64 start, size;
};

/* The len bytes at physical addr, or NULL when they are not all inside the window. */
static inline const u8 *phys_window_at(const struct phys_window *w, u64 addr, u64 len)
{
    if (addr < w->start || addr - w->start > w->size || len > w->size - (addr - w->start))
        return NULL;
    return w->base + (addr - w->start);
}

struct boot_module {
    u64 start, end;           /* physical bytes; inside the window; end == start: empty */
    char args[BOOTINFO_ARGS]; /* without the leading file name */
};

struct boot_info {
    u32 magic; /* which protocol: one of the two above */
    char loader[64];
    char cmdline[BOOTINFO_CMDLINE]; /* without the leading file name */
    struct memmap map;
    unsigned int modules;
    struct boot_module module[BOOTINFO_MODULES];
    u32 rsdp_len; /* bytes of rsdp that the loader copied; 0: scan for it */
    u8 rsdp[BOOTINFO_RSDP];
    u64 info_start, info_end; /* where the loader's own record lies, to be kept until parsed */
};

/*
 * Reads the record at physical address info, as magic says, into out (about 14 KiB).
 * 0; -ENOEXEC: magic is of no Multiboot loader; -EINVAL: a record that contradicts itself or lies
 * outside the window; -E2BIG: more or longer than boot_info holds; -ENODATA: no memory map.
 * A record without modules is accepted: the caller decides what that means.
 */
int bootinfo_parse(u32 magic, u64 info, const struct phys_window *w, struct boot_info *out,
                   struct reason *why) MUST_CHECK;

/*
 * Can dom0's kernel and initrd, modules 0 and 1, be used where they are? -EINVAL: one is not in ram
 * (a set of bytes), the initrd does not begin a page as the headers ask, or they overlap.
 */
int bootinfo_check_modules(const struct boot_info *b, const struct range_set *ram,
                           struct reason *why) MUST_CHECK;

/*
 * Where the arguments begin in a loader's string: after the first word if that is "placeholder" or
 * a path (has a '/' and no '='), since some loaders put the file name first and some do not.
 */
const char *bootinfo_skip_name(const char *s);

#endif
