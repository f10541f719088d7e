/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's part of every address space: L4 slots 256 to 271, as the PV ABI reserves them
 * (public header arch-x86/xen-x86_64.h, HYPERVISOR_VIRT_START/END). Included by assembly too, so
 * only plain numbers here.
 *
 *   slot  base                what                                      guest  us
 *   256   0xffff800000000000  machine-to-phys table                     r      r
 *   257   0xffff808000000000  the same table, for writing               -      rw
 *   258   0xffff810000000000  frame table                               -      rw
 *   259   0xffff818000000000  devices (APICs, MSI-X tables, windows)    -      rw uncached
 *   260   0xffff820000000000  per domain: each vCPU's GDT and LDT       r      r
 *   261   0xffff828000000000  hypervisor image and per-CPU stacks       -      r-x / r / rw
 *   262+  0xffff830000000000  direct map of all RAM (5 TiB)             -      rw (text: r)
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#define L4_SLOT_HV_FIRST  256
#define L4_SLOT_HV_LAST   271
#define L4_SLOT_M2P       256
#define L4_SLOT_PERDOMAIN 260

#define CANONICAL_LOW_END 0x0000800000000000 /* first address above the lower half */
#define HV_VIRT_START     0xffff800000000000
#define HV_VIRT_END       0xffff880000000000 /* first byte that is the guest's again */
#define M2P_RO_BASE       0xffff800000000000
#define M2P_RO_END        0xffff804000000000
#define M2P_RW_BASE       0xffff808000000000
#define FRAMETABLE_BASE   0xffff810000000000
#define DEVMAP_BASE       0xffff818000000000
#define DEVMAP_SIZE       0x0000000040000000 /* 1 GiB of 4 KiB mappings */
#define PERDOMAIN_BASE    0xffff820000000000
#define IMAGE_BASE        0xffff828000000000
#define STACKS_BASE       0xffff828020000000 /* within 2 GiB of the image: stubs jump by rel32 */
#define DIRECTMAP_BASE    0xffff830000000000
#define DIRECTMAP_SIZE    0x0000050000000000

/* Where the boot loader puts the image: physical address of IMAGE_BASE. */
#define IMAGE_PHYS 0x200000

/*
 * Each vCPU has 32 pages in the per-domain slot: 16 of GDT (0-13 the guest's frames, 14 this
 * CPU's, 15 zero) and 16 of LDT.
 */
#define GDT_LDT_VCPU_SIZE  0x20000
#define GDT_PAGES_GUEST    14
#define GDT_RESERVED_BYTES 0xe000
#define LDT_OFFSET         0x10000

/* Selectors in GDT page 14. The FLAT ones are the ABI's (arch-x86/xen-x86_64.h). */
#define SEL_HV_CS      0xe008
#define SEL_HV_DS      0xe010
#define SEL_GUEST_CS32 0xe023 /* FLAT_RING3_CS32 */
#define SEL_GUEST_DS   0xe02b /* FLAT_RING3_DS32 = SS */
#define SEL_GUEST_CS64 0xe033 /* FLAT_RING3_CS64 */
#define SEL_TSS        0xe040 /* 16 bytes */
#define SEL_LDT        0xe050 /* 16 bytes */

/*
 * One region per CPU, aligned to its size. Pages 1, 3, 5, 7 are the stacks of NMI, #MC, #DF and
 * #DB (interrupt stack table), pages 12 to 15 the primary stack; the others are not mapped.
 */
#define STACK_SIZE         0x10000
#define STACK_NMI_TOP      0x2000
#define STACK_MCE_TOP      0x4000
#define STACK_DF_TOP       0x6000
#define STACK_DB_TOP       0x8000
#define STACK_PRIMARY_BASE 0xc000

/* The syscall stubs of all CPUs, one line each, behind the stacks. */
#define STUBS_BASE (STACKS_BASE + 0x1000000)
#define STUB_SIZE  64

#endif
