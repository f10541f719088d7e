/* SPDX-License-Identifier: MIT */
/*
 * From bytes to what a kernel does: an operation, and arguments that are mostly what a kernel would
 * give, so that the hypervisor gets past its first check. A few frames and addresses are drawn
 * often, that operations meet each other. Every operation notes itself in words.
 */
#include "ops.h"

#include <stdio.h>
#include <string.h>

#include "arch/upcalls.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/page.h"
#include "guest.h"
#include "hvmguest.h"
#include "machine.h"
#include "ops_pick.h"
#include "pv/pv.h"

/* Page tables. */

static struct mmu_update one_update(struct pick *p)
{
    static const u8 kind[8] = {0, 0, 0, 0, 0, 0, MMU_PT_UPDATE_PRESERVE_AD, MMU_MACHPHYS_UPDATE};
    struct mmu_update u;
    u8 b = pick_byte(p);

    u.ptr = pick_table(p) << PAGE_SHIFT | pick_index(p) * 8 | kind[b & 7];
    u.val = b < 0xf0 ? pick_entry(p) : pick_byte(p);
    return u;
}

static void op_mmu_update(struct pick *p)
{
    struct mmu_update u[3];
    u32 n = pick_byte(p), i, nr = n & 0x80 ? 1 + n % 3 : 1, fd = DOMID_SELF, done = 0;
    u64 pdone = 0;

    for (i = 0; i < nr; i++)
        u[i] = one_update(p);
    if (n & 0x40)
        pdone = guest_put(&done, sizeof(done));
    if ((n & 0x30) == 0x30)
        fd = pick_domid(p) | (n & 8 ? (pick_domid(p) + 1u) << 16 : 0);
    pick_say(p, "mmu_update of %u for %#x: %#lx = %#lx, ...", nr, fd, u[0].ptr, u[0].val);
    guest_call(__HYPERVISOR_mmu_update, guest_put(u, nr * sizeof(u[0])), nr, pdone, fd);
}

static void op_va_mapping(struct pick *p)
{
    static const u64 flags[8] = {
        0, 0, 0, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG, UVMF_TLB_FLUSH, 0};
    u64 va = pick_va(p), val = pick_entry(p);
    u8 b = pick_byte(p);
    u32 id = pick_domid(p);

    if (b & 0x40) {
        pick_say(p, "update_va_mapping_otherdomain %#lx = %#lx of domain %#x", va, val, id);
        guest_call(__HYPERVISOR_update_va_mapping_otherdomain, va, val, flags[b & 7], id);
    } else {
        pick_say(p, "update_va_mapping %#lx = %#lx", va, val);
        guest_call(__HYPERVISOR_update_va_mapping, va, val, flags[b & 7], 0);
    }
}

static struct mmuext_op one_ext(struct pick *p, u32 *fd)
{
    struct mmuext_op op = {.cmd = 0};
    u8 b = pick_byte(p);
    u64 vcpus;

    *fd = DOMID_SELF;
    op.arg1.mfn = pick_table(p);
    switch (b % 12) {
    case 0:
    case 1:
    case 2:
        op.cmd = MMUEXT_PIN_L1_TABLE + (b / 12) % 4;
        break;
    case 3:
    case 4:
    case 5:
        op.cmd = MMUEXT_UNPIN_TABLE;
        break;
    case 6:
        op.cmd = MMUEXT_NEW_BASEPTR;
        break;
    case 7:
        op.cmd = MMUEXT_NEW_USER_BASEPTR;
        op.arg1.mfn = b & 0x80 ? op.arg1.mfn : 0;
        break;
    case 8:
        op.cmd = MMUEXT_TLB_FLUSH_LOCAL + (b / 12) % 6;
        op.arg1.linear_addr = op.cmd == MMUEXT_TLB_FLUSH_LOCAL ? 0 : pick_va(p);
        vcpus = b / 16;
        op.arg2.vcpumask.p = (void *)guest_put(&vcpus, sizeof(vcpus));
        break;
    case 9:
        op.cmd = MMUEXT_SET_LDT;
        op.arg1.linear_addr = pick_va(p);
        op.arg2.nr_ents = pick_byte(p) * 16u;
        break;
    case 10:
        op.cmd = b & 0x80 ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE;
        op.arg1.mfn = pick_mfn(p);
        op.arg2.src_mfn = pick_mfn(p);
        break;
    default:
        op.cmd = b / 12;
        break;
    }
    if (pick_byte(p) >= 0xe8)
        *fd = pick_domid(p);
    return op;
}

static void op_mmuext(struct pick *p)
{
    struct mmuext_op op[2];
    u32 nr = 1, fd;

    op[0] = one_ext(p, &fd);
    if (pick_byte(p) & 0x80)
        op[nr++] = one_ext(p, &fd);
    pick_say(p, "mmuext_op of %u for %#x: %u on %#lx, ...", nr, fd, op[0].cmd, op[0].arg1.mfn);
    guest_call(__HYPERVISOR_mmuext_op, guest_put(op, nr * sizeof(op[0])), nr, 0, fd);
}

/* Contents for a page that may become a table; the store needs a writable mapping. */
static void fill_page(struct pick *p, u64 *page, u32 kind)
{
    const struct guest *g = guest_current();
    u32 i, n = pick_byte(p) & 15;

    memset(page, 0, PAGE_SIZE);
    switch (kind) {
    case 0:
        return;
    case 1:
    case 2: /* a level 1 table of what is mapped anyway, or of data */
        for (i = 0; i < n; i++)
            page[i] = pick_entry(p);
        return;
    case 3:
    case 4:
    case 5: /* an upper table with one or two entries */
        page[pick_index(p)] = pick_table(p) << PAGE_SHIFT | 0x67;
        page[n] = n & 1 ? pick_table(p) << PAGE_SHIFT | 0x67 : 0;
        return;
    case 6: /* as the loaded ones: also the copy is a tree then */
        (void)!machine_guest_read(GUEST_VA(n & 3), page, PAGE_SIZE);
        return;
    default:
        page[272] = g->mfn[1] << PAGE_SHIFT | 0x67;
        page[n] = pick_entry(p);
        return;
    }
}

/* Fills a page, and then perhaps gives up the right to write to it, or its mapping. */
static void op_fill(struct pick *p)
{
    static const char *const after[4] = {"", ", then read-only", ", then read-only", ", unmapped"};
    static u64 page[512];
    u8 b = pick_byte(p);
    u32 slot = pick_slot(p);
    u64 mfn = pick_slot_mfn(slot);
    bool ok = false;

    if (!guest_in_list() && b >> 3 != 3) {
        fill_page(p, page, b & 7);
        ok = machine_guest_write(GUEST_VA(slot), page, PAGE_SIZE);
    }
    pick_say(p, "the guest fills slot %u (frame %#lx), kind %u%s%s", slot, mfn, b & 7u,
             after[b >> 3 & 3], ok ? "" : ": not written");
    if (b >> 3 & 3)
        guest_call(__HYPERVISOR_update_va_mapping, GUEST_VA(slot),
                   (b >> 3 & 3) == 3 ? 0 : mfn << PAGE_SHIFT | 0x65, UVMF_INVLPG, 0);
}

/* A store with an instruction: plain memory, or a fault that the hypervisor may solve. */
static void op_store(struct pick *p)
{
    static const u8 insn[4][8] = {
        {0x48, 0x87, 0x07},             /* xchg %rax, (%rdi) */
        {0x48, 0x89, 0x07},             /* mov %rax, (%rdi) */
        {0xf0, 0x80, 0x27, 0xfd},       /* lock andb $~2, (%rdi) */
        {0xf0, 0x48, 0x0f, 0xb1, 0x0f}, /* lock cmpxchg %rcx, (%rdi) */
    };
    struct cpu_regs *regs = &cpu_info()->guest;
    u8 b = pick_byte(p);
    u64 va, val, e;

    va = (b & 0x40 ? pick_va(p) : GUEST_VA(pick_slot(p))) + pick_index(p) * 8;
    val = pick_entry(p);
    if (guest_in_list())
        return;
    pick_say(p, "the guest stores %#lx at %#lx, instruction %u", val, va, b & 3u);
    if (!machine_walk(machine_cr3(machine_cpu()), va, &e))
        return;
    if (e & PTE_RW) {
        (void)!machine_guest_write(va, &val, sizeof(val));
        return;
    }
    (void)!machine_guest_write(GUEST_VA(7), insn[b & 3], 8);
    regs->rip = GUEST_VA(7);
    regs->cs = FLAT_KERNEL_CS64 | 3;
    regs->rdi = va;
    regs->rax = regs->rcx = val;
    if ((b & 3) == 3)
        regs->rax = *(u64 *)((char *)hmap_direct(e & PTE_ADDR) + (va & ~PAGE_MASK));
    regs->vector = TRAP_PF;
    regs->error_code = PFEC_PRESENT | PFEC_WRITE | PFEC_USER;
    machine_set_cr2(va);
    upcall_guest_trap(regs);
    machine_note("    %s\n", regs->rip > GUEST_VA(7) && regs->rip <= GUEST_VA(7) + 8
                                 ? "carried out"
                                 : "a fault for the guest");
    regs->rip = GUEST_RIP + 2;
}

/* Memory. */

static void reservation(struct pick *p, u32 cmd)
{
    u8 n = pick_byte(p);
    struct xen_memory_reservation r = {.nr_extents = n < 0xf0 ? 1 + n % 6 : 70};
    struct guest_vcpu *gv = guest_vcpu();
    u8 b = pick_byte(p);
    u64 list[70], va;
    u32 i;

    r.extent_order = b < 0xd0 ? 0 : b % 10;
    r.domid = b & 8 ? (domid_t)pick_domid(p) : DOMID_SELF;
    r.mem_flags = (b & 7) == 7 ? XENMEMF_address_bits(24) : 0;
    for (i = 0; i < r.nr_extents; i++)
        list[i] = cmd == XENMEM_decrease_reservation ? pick_mfn(p) : 32 + i;
    va = guest_put(list, r.nr_extents * sizeof(list[0]));
    r.extent_start.p = (xen_pfn_t *)va;
    pick_say(p, "memory_op %u: %lu extents of order %u for %#x, %#lx...", cmd, r.nr_extents,
             r.extent_order, r.domid, list[0]);
    if (cmd != XENMEM_decrease_reservation && !guest_in_list()) {
        gv->hook = GUEST_HOOK_FRAMES;
        gv->hook_va = va;
        gv->hook_nr = (u32)r.nr_extents;
    }
    guest_call(__HYPERVISOR_memory_op, cmd, guest_put(&r, sizeof(r)), 0, 0);
}

static void op_populate(struct pick *p)
{
    reservation(p, pick_byte(p) & 1 ? XENMEM_populate_physmap : XENMEM_increase_reservation);
}

static void op_decrease(struct pick *p)
{
    reservation(p, XENMEM_decrease_reservation);
}

static void op_exchange(struct pick *p)
{
    struct xen_memory_exchange x = {.nr_exchanged = 0};
    struct guest_vcpu *gv = guest_vcpu();
    u64 in[4], out[4] = {40, 41, 42, 43};
    u8 b = pick_byte(p);
    u32 i;

    for (i = 0; i < 4; i++)
        in[i] = pick_mfn(p);
    x.in.nr_extents = x.out.nr_extents = 1 + b % 4;
    x.in.domid = x.out.domid = b & 0x10 ? (domid_t)pick_domid(p) : DOMID_SELF;
    if ((b & 0xc0) == 0xc0) { /* two single frames for one of order 1, and the other way round */
        x.in.nr_extents = 2;
        x.out.nr_extents = x.out.extent_order = 1;
    } else if ((b & 0xc0) == 0x80) {
        x.out.nr_extents = 2;
        x.in.nr_extents = x.in.extent_order = 1;
        in[0] &= ~1ul;
    }
    x.in.extent_start.p = (xen_pfn_t *)guest_put(in, sizeof(in));
    x.out.extent_start.p = (xen_pfn_t *)guest_put(out, sizeof(out));
    pick_say(p, "exchange of %lu frames of %#x: %#lx...", x.in.nr_extents, x.in.domid, in[0]);
    if (!guest_in_list()) {
        gv->hook = GUEST_HOOK_FRAMES;
        gv->hook_va = (u64)x.out.extent_start.p;
        gv->hook_nr = (u32)x.out.nr_extents;
    }
    guest_call(__HYPERVISOR_memory_op, XENMEM_exchange, guest_put(&x, sizeof(x)), 0, 0);
}

static void op_memory(struct pick *p)
{
    union {
        u64 words[12];
        struct xen_memory_reservation reservation;
        struct xen_mem_acquire_resource acquire;
    } a;
    u32 cmd = pick_byte(p) % 29;

    memset(&a, 0, sizeof(a));
    if (cmd == XENMEM_claim_pages || (cmd == 28 && pick_byte(p) & 1)) {
        cmd = XENMEM_claim_pages;
        a.reservation.nr_extents = pick_byte(p);
        a.reservation.domid = (domid_t)pick_domid(p);
    } else if (cmd == XENMEM_acquire_resource) {
        a.acquire.domid = (domid_t)pick_domid(p);
        a.acquire.type = XENMEM_resource_grant_table;
        a.acquire.nr_frames = pick_byte(p) & 3;
        a.acquire.frame_list.p = (xen_pfn_t *)guest_put(&a, 32);
    } else {
        a.words[0] = pick_domid(p);
        a.words[1] = pick_va(p);
    }
    pick_say(p, "memory_op %u: %#lx %#lx", cmd, a.words[0], a.words[1]);
    guest_call(__HYPERVISOR_memory_op, cmd, guest_put(&a, sizeof(a)), 0, 0);
}

/* Segments. */

static void op_gdt(struct pick *p)
{
    u64 frames[2];
    u32 entries = (pick_byte(p) & 3) * 300u;

    frames[0] = pick_mfn(p);
    frames[1] = pick_mfn(p);
    pick_say(p, "set_gdt: %u entries, frames %#lx %#lx", entries, frames[0], frames[1]);
    guest_call(__HYPERVISOR_set_gdt, guest_put(frames, sizeof(frames)), entries, 0, 0);
}

static void op_descriptor(struct pick *p)
{
    static const u64 desc[4] = {0, 0x00cff3000000fffful, 0x00cf92000000fffful, ~0ul};
    u64 maddr = pick_table(p) << PAGE_SHIFT | pick_index(p) * 8, d = desc[pick_byte(p) & 3];

    pick_say(p, "update_descriptor %#lx = %#lx", maddr, d);
    guest_call(__HYPERVISOR_update_descriptor, maddr, d, 0, 0);
}

/* Time passes; every CPU takes its interrupts. */
static void op_time(struct pick *p)
{
    u8 b = pick_byte(p);

    if (guest_in_list())
        return;
    pick_say(p, "%u ms pass", b);
    machine_advance(b * 1000000ul);
}

static void op_raw(struct pick *p)
{
    u32 nr = pick_byte(p) % 64;
    u64 a = pick_byte(p), b = pick_va(p), c = pick_byte(p), d = pick_byte(p);

    if (nr == __HYPERVISOR_iret)
        return;
    pick_say(p, "hypercall %u: %#lx %#lx %#lx %#lx", nr, a, b, c, d);
    guest_call(nr, a, b, c, d);
}

static void op_build(struct pick *p)
{
    struct guest_vcpu *gv = guest_vcpu();

    if (guest_in_list() || gv->program != 0 || vcpu_current()->domain != domain_hardware)
        return;
    gv->program_domain = 1 + pick_byte(p) % (GUEST_MAX - 1);
    gv->program_vcpus = 1 + (pick_byte(p) & 1);
    gv->program = 1;
}

typedef void (*op_fn)(struct pick *p);

static void op_multicall(struct pick *p)
{
    (void)p; /* ops_perform */
}

/* clang-format off */
static const op_fn table[64] = {
    op_mmu_update, op_mmu_update, op_mmu_update, op_va_mapping, op_va_mapping, op_mmuext,
    op_mmuext, op_mmuext, op_mmuext, op_fill, op_fill, op_store,
    op_store, op_populate, op_decrease, op_exchange, op_memory, op_gdt,
    op_descriptor, op_time, op_raw, op_build, ops_event, ops_event,
    ops_sched, ops_vcpu, ops_domctl, ops_domctl, ops_destroy, ops_grant,
    ops_misc, op_multicall,
    op_mmu_update, op_mmu_update, op_mmu_update, op_va_mapping, op_va_mapping, op_mmuext,
    op_mmuext, op_mmuext, op_mmuext, op_fill, ops_trap, ops_trap,
    ops_return, ops_shared, ops_callback, ops_machine, ops_grant_entry, ops_grant_entry,
    ops_grant_entry, ops_grant_map, ops_grant_map, ops_grant_map, ops_grant_unmap, ops_grant_unmap,
    ops_grant_copy, ops_event, ops_sched, ops_vcpu, op_multicall, op_fill,
    op_decrease, op_exchange,
};
/* clang-format on */

static void perform_one(const struct record *r)
{
    struct pick p = {.arg = r->arg, .left = sizeof(r->arg)};

    if (vcpu_current()->hvm != NULL)
        ops_hvm(&p, r->op);
    else if (hvmguest_on && r->op & 0x80)
        ops_hvm_tools(&p);
    else
        table[r->op % 64](&p);
}

u32 ops_perform(const struct record *r, u32 left)
{
    u32 i, nr = MIN(left - 1, 1u + r->arg[0] % 4);

    if (guest_current() == NULL)
        return 0;
    if (guest_continue())
        return 0;
    if (vcpu_current()->hvm != NULL) {
        guest_arg_reset();
        perform_one(r);
        return 0;
    }
    if (!vcpu_current()->pv->kernel_mode) {
        struct pick p = {.arg = r->arg, .left = sizeof(r->arg)};

        ops_user(&p);
        return 0;
    }
    if (guest_vcpu()->program != 0) {
        guest_build_step();
        return 0;
    }
    guest_arg_reset();
    if (table[r->op % 64] != op_multicall) {
        perform_one(r);
        return 0;
    }
    machine_note("  cpu%u d%uv%u: a multicall of\n", machine_cpu(), vcpu_current()->domain->id,
                 vcpu_current()->id);
    guest_list_begin();
    for (i = 1; i <= nr; i++)
        perform_one(&r[i]);
    guest_list_end();
    return nr;
}
