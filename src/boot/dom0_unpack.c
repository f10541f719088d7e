/* SPDX-License-Identifier: MIT */
/*
 * From a boot module to an ELF image in memory: bzImage payloads are unpacked into claimed boot
 * memory, plain ELF files are used where they lie. The decoders are built for SSE and a stack
 * canary, so both are provided here, for the duration.
 */
#include "arch/hmap.h"
#include "arch/insn.h"
#include "boot/dom0_pv.h"
#include "boot/unpack_glue.h"
#include "core/console.h"
#include "core/page.h"
#include "pure/bzimage.h"
#include "pure/unpack.h"

static u64 canary_page[8] ALIGNED(64);

static maddr_t claim(u64 size, const char *what)
{
    maddr_t a = page_boot_claim(ROUND_UP(size, PAGE_SIZE), PAGE_SIZE, 4 * GiB);

    if (a == 0)
        console_panic("not enough memory to unpack the dom0 kernel: no %lu MiB for %s",
                      (unsigned long)(size >> 20) + 1, what);
    return a;
}

static void progress(size_t done, size_t total)
{
    static u32 shown;
    u32 tenth = (u32)(done / (total / 10 + 1));

    if (tenth >= shown + 3) {
        shown = tenth;
        log_msg(LOG_INFO, "Unpacking the dom0 kernel: %u %%", tenth * 10);
    }
}

static void unpack(const u8 *file, const struct bzimage *bz, struct dom0_kernel *k)
{
    struct reason why;
    struct unpack_job job = {.src = file + bz->payload,
                             .len = bz->payload_len,
                             .dst_size = bz->unpacked_len,
                             .progress = progress,
                             .why = &why};
    size_t scratch = unpack_scratch_size(job.src, job.len, job.dst_size);

    k->image = claim(job.dst_size, "the image");
    k->image_end = k->image + ROUND_UP(job.dst_size, PAGE_SIZE);
    k->scratch = claim(scratch, "the decoder");
    k->scratch_end = k->scratch + ROUND_UP(scratch, PAGE_SIZE);
    job.dst = hmap_direct(k->image);
    unpack_glue_init(hmap_direct(k->scratch), scratch);
    insn_wrmsr(MSR_FS_BASE, (u64)canary_page);
    canary_page[5] = 0x5af3c0de9e3779b9ul;
    if (unpack_run(&job) != 0)
        console_panic("dom0 kernel: %s", why.text);
    insn_wrmsr(MSR_FS_BASE, 0);
    unpack_glue_init(NULL, 0);
}

void dom0_unpack(const struct boot_module *mod, struct dom0_kernel *k)
{
    const u8 *file = hmap_direct(mod->start);
    size_t len = mod->end - mod->start, elf_len = len;
    const u8 *elf = file;
    struct reason why;
    struct bzimage bz;
    int rc = bzimage_parse(file, len, &bz, &why);

    if (rc == 0) {
        unpack(file, &bz, k);
        elf = hmap_direct(k->image);
        elf_len = bz.unpacked_len;
    } else if (rc != -ENOEXEC) {
        console_panic("dom0 kernel (first module, %lu bytes): %s", (unsigned long)len, why.text);
    }
    rc = elf_parse(elf, elf_len, &k->elf, &why);
    if (rc == -ENOEXEC)
        console_panic("first module (%lu bytes, begins %02x %02x %02x %02x) is neither a bzImage "
                      "nor an ELF kernel",
                      (unsigned long)len, len > 0 ? file[0] : 0, len > 1 ? file[1] : 0,
                      len > 2 ? file[2] : 0, len > 3 ? file[3] : 0);
    if (rc != 0)
        console_panic("dom0 kernel: %s", why.text);
    if (elf_has_note(&k->elf, XEN_ELFNOTE_SUPPORTED_FEATURES) &&
        !(k->elf.supported & (1u << XENFEAT_dom0)))
        console_panic("dom0 kernel: its Xen notes do not offer to run as dom0 "
                      "(SUPPORTED_FEATURES %#x lacks bit %d)",
                      k->elf.supported, XENFEAT_dom0);
}
