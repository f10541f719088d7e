#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make run: boot the hypervisor with its dom0 on QEMU, the serial line on this terminal.

dom0 starts a PV guest on a Debian disk, and a PVH guest on another where the machine has SVM or
VT-x, and shows them before it gives a root shell. With no terminal on standard input it plays a
tour instead: boots, runs a few commands in dom0, shows what they say and the guests, powers off,
and exits 0 or 1 with one line of verdict. Knobs come from the environment: HV CPU MACH SMP MEM
D0MEM HVOPT D0OPT DISK NIC ACCEL, GUEST=0 for no guests, and KEEP=1 to keep what dom0 and the guests
write to their disks (else each run starts fresh).
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import linux_job
import vm


def machine():
    m = vm.knobs()
    if "NIC" not in os.environ:
        m.nic = "virtio"
    if not os.environ.get("ACCEL"):
        m.accel = "kvm" if vm.kvm_usable() else "tcg"
    if not m.d0mem and m.hv != "native":
        m.d0mem = max(256, m.mem // 2)
    m.snapshot = os.environ.get("KEEP", "") in ("", "0")
    return m


def interactive(m):
    if m.hv != "native" and os.environ.get("GUEST", "1") != "0":
        vm.add_guests(m)
    print(f"Booting {m.hv} on QEMU ({m.accel}, {m.smp} CPUs, {m.mem} MiB). The machine's serial "
          "line is this terminal:\nCtrl-a x ends QEMU, Ctrl-a c opens its monitor, Ctrl-a Ctrl-a "
          "sends one Ctrl-a to the machine\n(so six times Ctrl-a reaches the hypervisor's debug "
          "keys).", flush=True)
    return subprocess.call(m.command() + ["-serial", "mon:stdio"])


def tour(m):
    print(f"No terminal on standard input: playing the tour ({m.hv}, {m.accel}).", flush=True)
    job = linux_job.Job("tour")
    result = linux_job.run_variant(job, "default", {}, m, echo=True)
    print(f"tour: {'PASS' if not result.reasons else 'FAIL'}: "
          f"{'; '.join(result.reasons) or 'dom0 booted, ran its commands and powered off'}")
    return 1 if result.reasons else 0


def main():
    m = machine()
    try:
        m.hypervisor()
    except FileNotFoundError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 2
    return interactive(m) if sys.stdin.isatty() else tour(m)


if __name__ == "__main__":
    sys.exit(main())
