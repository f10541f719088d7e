/* SPDX-License-Identifier: MIT */
/* Linked before the hypervisor's objects: where its variables begin (machine.c). */
extern char first_data[64], first_bss[64];
char first_data[64] = {1};
char first_bss[64];
