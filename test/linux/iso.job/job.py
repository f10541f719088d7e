# SPDX-License-Identifier: MIT
"""A CD image boots with GRUB into the hypervisor and dom0, by multiboot2 and by multiboot 1, from a
CD drive and from a hard disk; dom0 then finds its disk and runs on it."""

import os
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
    ctx.machine.iso = os.path.join(ctx.work, "boot.iso")
    entry = "multiboot" if ctx.variant == "multiboot" else "multiboot2"
    vm.make_iso(ctx.machine, ctx.machine.iso, ctx.work, entry)
