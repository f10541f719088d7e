/* SPDX-License-Identifier: MIT */
/* Few, so that they run out. */
#ifndef HVFUZZ_VMX_H
#define HVFUZZ_VMX_H

#include_next "hvm/vmx.h"

#undef VMX_VPIDS
#define VMX_VPIDS 6u

#endif
