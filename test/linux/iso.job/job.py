# SPDX-License-Identifier: MIT
"""A CD image boots with GRUB into the hypervisor and dom0, by multiboot2 and by multiboot 1, from a
CD drive and from a hard disk; dom0 then finds its disk and runs on it."""

import gzip
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..",
                                "tools"))
import vm

TIMEOUT = 240
VARIANTS = {
    "multiboot2": {},
    "multiboot": {},
    "disk": {"iso_is_disk": True},
    "pc": {"mach": "pc"},
}
QUICK = ["multiboot2", "multiboot"]
EXPECT = [r"Wheeler .* - Xen ABI", r"Boot loader: GRUB .*, 2 modules",
          r"BOOT type=xen", r"BOOT version=4\.17"]


def prepare(ctx):
    """Make the image for this variant's menu entry, with the machine's hypervisor on it."""
    machine = ctx.machine
    packed = os.path.join(ctx.work, "hypervisor.gz")
    with open(machine.hypervisor(), "rb") as elf, gzip.open(packed, "wb", 1) as file:
        file.write(elf.read())
    machine.iso = os.path.join(ctx.work, "boot.iso")
    entry = "multiboot" if ctx.variant == "multiboot" else "multiboot2"
    line = f"{machine.hvopt} dom0_mem={machine.d0mem}M,max:{machine.d0mem}M".strip()
    subprocess.run([os.path.join(vm.TOP, "image", "iso.sh"), machine.iso], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "HVGZ": packed, "ENTRY": entry, "SECONDS_SHOWN": "0",
                        "KERNEL": os.path.join(vm.IMAGE, "vmlinuz"),
                        "INITRD": os.path.join(vm.IMAGE, "initrd.gz"),
                        "HVOPT": line, "D0OPT": machine.d0opt})
