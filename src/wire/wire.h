/* SPDX-License-Identifier: MIT */
/*
 * The ABI's layouts: the public headers of Debian's package libxen-dev, used as they are.
 * No function here. Everything that speaks to a guest or a tool includes this file.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/def.h"
#include "base/err.h"

#define __XEN_TOOLS__             1
#define __XEN_INTERFACE_VERSION__ 0x00041100
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/elfnote.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>
#include <xen/io/console.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/xen-mca.h>
#pragma GCC diagnostic pop

STATIC_ASSERT(sizeof(struct vcpu_info) == 64, "ABI: vcpu_info");
STATIC_ASSERT(sizeof(struct vcpu_time_info) == 32, "ABI: vcpu_time_info");
STATIC_ASSERT(sizeof(struct vcpu_guest_context) == 5168, "ABI: vcpu_guest_context");
STATIC_ASSERT(sizeof(struct mmuext_op) == 24, "ABI: mmuext_op");
STATIC_ASSERT(sizeof(struct mmu_update) == 16, "ABI: mmu_update");
STATIC_ASSERT(sizeof(struct multicall_entry) == 64, "ABI: multicall_entry");
STATIC_ASSERT(sizeof(struct hvm_hw_cpu) == 1032, "ABI: the CPU record of HVM contexts");

#endif
