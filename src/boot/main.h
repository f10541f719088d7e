/* SPDX-License-Identifier: MIT */
/* Entry from assembly, and the second half of start-up. */
#ifndef BOOT_MAIN_H
#define BOOT_MAIN_H

#include "base/def.h"

/* Called by head.S on the boot stack: eax and ebx as the boot loader left them. */
void main_boot(u32 magic, u64 loader_info);
/* The rest, on CPU 0's own stack; never returns. */
void main_on_own_stack(void);

#endif
