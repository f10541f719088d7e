/* SPDX-License-Identifier: MIT */
/*
 * Builds dom0, the PV control domain, from the boot modules. Any refusal ends in console_panic with
 * the fault and the value: there is nothing to run without dom0.
 */
#ifndef BOOT_DOM0_PV_H
#define BOOT_DOM0_PV_H

#include "core/domain.h"
#include "pure/bootinfo.h"
#include "pure/cmdline.h"
#include "pure/elf.h"

struct dom0_kernel {
    struct elf_image elf;
    maddr_t image, image_end;     /* unpacked ELF file, claimed boot memory */
    maddr_t scratch, scratch_end; /* the decoder's memory */
};

/*
 * Finds the kernel in a module and unpacks it into boot memory. Before page_init, on the boot
 * stack, with SSE enabled.
 */
void dom0_unpack(const struct boot_module *mod, struct dom0_kernel *k);

struct dom0_config {
    const struct boot_module *kernel;
    const struct boot_module *initrd; /* NULL: none */
    struct cmdline_dom0_mem mem;
    u32 max_vcpus;
};

/* Creates domain 0, loads it, and leaves vCPU 0 ready to run. Interrupts off; once. */
struct domain *dom0_build(const struct dom0_config *cfg, struct dom0_kernel *k);

#endif
