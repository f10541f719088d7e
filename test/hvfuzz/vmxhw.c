/* SPDX-License-Identifier: MIT */
#include "vmxhw.h"

#include <string.h>

#include "core/page.h"
#include "machine.h"

#define REVISION  0x5eed
#define WORDS     512
#define HEAD      0 /* words 0 to 31 are no field: revision */
#define HEAD_SEEN 1 /* has been cleared once */
#define HEAD_CPU  2 /* where it is active, + 1 */
#define HEAD_RUN  3 /* launched */
#define SEEN      0x7ec0de
#define GARBAGE   0xa5a5a5a5a5a5a5a5ul
#define CR4_VMXE  (1ul << 13)

static struct vmx_cpu {
    u64 region; /* of VMXON; 0: not in VMX operation */
    u64 current;
} cpus[MACHINE_CPUS], frozen[MACHINE_CPUS];

static bool has_vpid;

/* Fields (appendix B): by width and type (control, read-only, guest, host) how many there are. */
static bool is_known(u64 field)
{
    static const u8 count[4][4] = {{1, 0, 8, 7}, {14, 1, 9, 2}, {16, 8, 22, 1}, {8, 6, 20, 12}};
    u32 nr = field >> 1 & 0x1ff;

    return !(field & ~0x6ffeul) && nr < count[field >> 13 & 3][field >> 10 & 3];
}

static u32 place(u64 field)
{
    return (u32)((field >> 13 & 3) << 7 | (field >> 10 & 3) << 5 | (field >> 1 & 31)) ^ 32;
}

static u64 *words(u64 vmcs)
{
    return hmap_direct(vmcs);
}

static void check_region(const char *what, u64 region)
{
    if (region & ~PAGE_MASK || region >> PAGE_SHIFT >= MACHINE_FRAMES || region == 0)
        machine_found("%s of %#lx, which is no frame", what, region);
    if (cpus[machine_cpu()].region == 0)
        machine_found("%s outside VMX operation", what);
    if (region == cpus[machine_cpu()].region)
        machine_found("%s of the VMXON region", what);
}

bool insn_vmxon(u64 region)
{
    struct vmx_cpu *c = &cpus[machine_cpu()];

    if (!(insn_read_cr4() & CR4_VMXE))
        machine_found("VMXON without CR4.VMXE");
    if (c->region != 0)
        machine_found("VMXON once more");
    if (region == 0 || region & ~PAGE_MASK || (u32)words(region)[HEAD] != REVISION)
        return false;
    *c = (struct vmx_cpu){region, VMXHW_NONE};
    return true;
}

void insn_vmclear(u64 vmcs)
{
    struct vmx_cpu *c = &cpus[machine_cpu()];
    u64 *w;
    u32 i;

    check_region("VMCLEAR", vmcs);
    w = words(vmcs);
    if (w[HEAD_SEEN] != SEEN) {
        for (i = 32; i < WORDS; i++)
            w[i] = GARBAGE;
        w[HEAD_SEEN] = SEEN;
    } else if (w[HEAD_CPU] != 0 && w[HEAD_CPU] != machine_cpu() + 1) {
        machine_found("VMCLEAR of a structure that is active on CPU %lu", w[HEAD_CPU] - 1);
    }
    w[HEAD_CPU] = w[HEAD_RUN] = 0;
    if (c->current == vmcs)
        c->current = VMXHW_NONE;
}

void insn_vmptrld(u64 vmcs)
{
    u64 *w;

    check_region("VMPTRLD", vmcs);
    w = words(vmcs);
    if ((u32)w[HEAD] != REVISION || w[HEAD_SEEN] != SEEN)
        machine_found("VMPTRLD of %#lx, which was never cleared or is none", vmcs);
    if (w[HEAD_CPU] != 0 && w[HEAD_CPU] != machine_cpu() + 1)
        machine_found("VMPTRLD of a structure that is active on CPU %lu", w[HEAD_CPU] - 1);
    w[HEAD_CPU] = machine_cpu() + 1;
    cpus[machine_cpu()].current = vmcs;
}

static u64 current_for(const char *what, u64 field)
{
    u64 vmcs = cpus[machine_cpu()].current;

    if (vmcs == VMXHW_NONE || cpus[machine_cpu()].region == 0)
        machine_found("%s of field %#lx, and no structure is current", what, field);
    if (!is_known(field))
        machine_found("%s of field %#lx, which there is not", what, field);
    return vmcs;
}

u64 insn_vmread(u64 field)
{
    return vmxhw_get(current_for("VMREAD", field), (u32)field);
}

bool insn_vmwrite(u64 field, u64 val)
{
    u64 vmcs = current_for("VMWRITE", field);

    if ((field >> 10 & 3) == 1)
        machine_found("VMWRITE of field %#lx, which is read-only", field);
    vmxhw_put(vmcs, (u32)field, val);
    return true;
}

void insn_invept(u64 type, u64 eptp)
{
    if (type != 1 || (eptp & 0xfff) != (6 | 3 << 3))
        machine_found("INVEPT, type %lu, of %#lx", type, eptp);
    vmxguest_invept(eptp);
}

void insn_invvpid(u64 type)
{
    if (type != 2 || !has_vpid)
        machine_found("INVVPID, type %lu", type);
    vmxguest_invvpid();
}

u64 vmxhw_current(void)
{
    return cpus[machine_cpu()].current;
}

bool vmxhw_on(void)
{
    return cpus[machine_cpu()].region != 0;
}

u64 vmxhw_get(u64 vmcs, u32 field)
{
    return words(vmcs)[place(field)];
}

void vmxhw_put(u64 vmcs, u32 field, u64 val)
{
    u32 width = field >> 13 & 3;

    words(vmcs)[place(field)] = width == 0 ? (u16)val : width == 2 ? (u32)val : val;
}

bool vmxhw_launched(u64 vmcs)
{
    return words(vmcs)[HEAD_RUN];
}

void vmxhw_set_launched(u64 vmcs)
{
    words(vmcs)[HEAD_RUN] = 1;
}

/* What is active may still be written to. */
void vmxhw_check_free(u64 mfn)
{
    const u64 *w = words(mfn << PAGE_SHIFT);
    u32 cpu;

    for (cpu = 0; cpu < MACHINE_CPUS; cpu++)
        if (cpus[cpu].region != 0 &&
            (cpus[cpu].current == mfn << PAGE_SHIFT || cpus[cpu].region == mfn << PAGE_SHIFT))
            machine_found("frame %#lx is freed, and is CPU %u's control structure", mfn, cpu);
    if ((u32)w[HEAD] == REVISION && w[HEAD_SEEN] == SEEN && w[HEAD_CPU] != 0)
        machine_found("frame %#lx is freed, a control structure active on CPU %lu", mfn,
                      w[HEAD_CPU] - 1);
}

/* Bits: what a processor of some years has, among them much that is not wanted. */
u64 vmxhw_allowed(u32 field)
{
    switch (field) {
    case VMCS_PIN:
        return 0x000000ff00000016;
    case VMCS_PRIMARY:
        return 0xfff9fffe04006172;
    case VMCS_SECONDARY:
        return (has_vpid ? 0x001ffffful : 0x001fffdful) << 32;
    case VMCS_EXIT_CTL:
        return 0x01ffffff00036dfb;
    case VMCS_ENTRY_CTL:
        return 0x0003ffff000011fb;
    default:
        return 0;
    }
}

bool vmxhw_msr(u32 msr, u64 *val)
{
    static const u16 controls[4] = {VMCS_PIN, VMCS_PRIMARY, VMCS_EXIT_CTL, VMCS_ENTRY_CTL};

    switch (msr) {
    case 0x3a: /* feature control: locked, VMX */
        *val = 5;
        return true;
    case 0x480:
        *val = REVISION | 1ul << 44 | 6ul << 50 | 1ul << 55;
        return true;
    case 0x486:
        *val = CR0_PE | CR0_NE | CR0_PG;
        return true;
    case 0x488:
        *val = CR4_VMXE;
        return true;
    case 0x48b:
        *val = vmxhw_allowed(VMCS_SECONDARY);
        return true;
    case 0x48c:
        *val = 0x6334141 | (has_vpid ? 0xf0100000000ul : 0);
        return true;
    case 0x48d ... 0x490:
        *val = vmxhw_allowed(controls[msr - 0x48d]);
        return true;
    default:
        return false;
    }
}

void vmxhw_init(bool vpid)
{
    has_vpid = vpid;
}

void vmxhw_freeze(void)
{
    memcpy(frozen, cpus, sizeof(cpus));
}

void vmxhw_reset(void)
{
    memcpy(cpus, frozen, sizeof(cpus));
}
