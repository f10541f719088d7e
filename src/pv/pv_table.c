/* SPDX-License-Identifier: MIT */
/* The hypercalls only PV guests have; the others are in abi/abi_table.c. */
#include "pv/pv.h"
#include "pv/pv_misc.h"

const hypercall_fn pv_hypercall_table[HYPERCALL_COUNT] = {
    [__HYPERVISOR_set_trap_table] = pv_set_trap_table,
    [__HYPERVISOR_mmu_update] = pv_mmu_update,
    [__HYPERVISOR_set_gdt] = pv_set_gdt,
    [__HYPERVISOR_stack_switch] = pv_stack_switch,
    [__HYPERVISOR_set_callbacks] = pv_set_callbacks,
    [__HYPERVISOR_fpu_taskswitch] = pv_fpu_taskswitch,
    [__HYPERVISOR_set_debugreg] = pv_set_debugreg,
    [__HYPERVISOR_get_debugreg] = pv_get_debugreg,
    [__HYPERVISOR_update_descriptor] = pv_update_descriptor,
    [__HYPERVISOR_update_va_mapping] = pv_update_va_mapping,
    [__HYPERVISOR_update_va_mapping_otherdomain] = pv_update_va_mapping_otherdomain,
    [__HYPERVISOR_iret] = pv_iret,
    [__HYPERVISOR_set_segment_base] = pv_set_segment_base,
    [__HYPERVISOR_mmuext_op] = pv_mmuext_op,
    [__HYPERVISOR_callback_op] = pv_callback_op,
    [__HYPERVISOR_physdev_op] = pv_physdev_op,
};
