/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of PV guests: who may use which, and the ports that are emulated. A port that is not
 * granted reads as all ones and swallows writes: kernels probe.
 */
#ifndef PV_PV_PORT_H
#define PV_PV_PORT_H

#include "arch/regs.h"
#include "pure/x86_decode.h"

struct domain;

/*
 * dom0's ports: all but those of the hypervisor's own devices and the emulated ones. Boot, after
 * the serial port is set up.
 */
void pv_port_dom0_caps(struct domain *d);

/*
 * Emulates in, out, ins, outs at regs as decoded. True: done, or partly done with RIP left on the
 * instruction (rep). False: the virtual IOPL and the I/O bitmap forbid it, deliver #GP. Takes
 * RANK_IRQ or RANK_PCI for emulated devices.
 */
bool pv_port_emulate(struct cpu_regs *regs, const struct x86_insn *in) MUST_CHECK;

#endif
