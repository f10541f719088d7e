/* SPDX-License-Identifier: MIT */
/*
 * A PVH kernel for `xl create`, with type = "pvh" and what lib/front.h offers, as a PV guest has
 * it: its rings and their events are the domain's parameters, its arguments in the start info.
 * Events come by a vector, which only a vCPU that blocks takes.
 */
#include "front.h"
#include "pvh.h"

#include <xen/arch-x86/hvm/start_info.h>

#define UPCALL     0x70
#define POOL_PAGES 64

/* Where the tools find the entry: note 18, XEN_ELFNOTE_PHYS32_ENTRY. */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
        ".long 4, 4, 18\n.asciz \"Xen\"\n.long pvh_start\n"
        ".popsection");

void event_dispatch(unsigned int cpu);

struct start_info *start_info;
static struct start_info rings;
static uint8_t pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned int pool_used;

void console_write(const char *s)
{
    ring_print(s);
}

/* Its physical memory is mapped one to one. */
void *mfn_va(uint64_t gfn)
{
    return (void *)(gfn << 12);
}

uint64_t va_mfn(const void *va)
{
    return (uint64_t)va >> 12;
}

void *page_alloc(void)
{
    if (pool_used == POOL_PAGES)
        error("out of pool pages");
    return pool[pool_used++];
}

void event_block(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

static bool upcall(struct frame *f)
{
    (void)f;
    event_dispatch(0);
    return true;
}

static uint64_t param(uint32_t index)
{
    struct xen_hvm_param p = {.domid = DOMID_SELF, .index = index};
    long rc = hvm_op(HVMOP_get_param, &p);

    if (rc != 0)
        power_off(); /* there is nowhere to say it */
    return p.value;
}

const char *pvh_args(void)
{
    const struct hvm_start_info *info = (const void *)(uint64_t)pvh_entry.ebx;

    rings.console.domU.mfn = param(HVM_PARAM_CONSOLE_PFN);
    rings.console.domU.evtchn = (uint32_t)param(HVM_PARAM_CONSOLE_EVTCHN);
    rings.store_mfn = param(HVM_PARAM_STORE_PFN);
    rings.store_evtchn = (uint32_t)param(HVM_PARAM_STORE_EVTCHN);
    start_info = &rings;
    shared_map();
    trap_hook[UPCALL] = upcall;
    if (hvm_param_set(HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | UPCALL) != 0)
        error("no vector for events");
    return (const char *)info->cmdline_paddr;
}
