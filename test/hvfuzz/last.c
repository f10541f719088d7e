/* SPDX-License-Identifier: MIT */
/* Linked behind the hypervisor's objects: where its variables end (machine.c). */
extern char last_data[64], last_bss[64];
char last_data[64] = {1};
char last_bss[64];
