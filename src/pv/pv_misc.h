/* SPDX-License-Identifier: MIT */
/* The small hypercalls of PV kernels that pv.h does not list, and debug registers. */
#ifndef PV_PV_MISC_H
#define PV_PV_MISC_H

#include "pv/pv_debug.h"

/* physdev_op's row: set_iopl and set_iobitmap; the rest goes on to the common one. */
long pv_physdev_op(u64 cmd, u64 arg, u64, u64, u64, u64);

#endif
