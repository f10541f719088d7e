# SPDX-License-Identifier: MIT
"""A PV guest under the stock tools with a disk (xen-blkback on a file) and a network interface
(xen-netback on a bridge): bit-exact both ways, hotplugged, destroyed while it uses them; then no
frame is lost, no grant is in use, and the frames' audit is clean."""

import os
import shutil

import linux_guest
import vm

TIMEOUT = 1200
VARIANTS = {
    "smp": {"sizes": (2, 16, 16), "icount": True},
    "up": {"sizes": (1, 16, 16)},
    "large": {"sizes": (2, 128, 96)},
}
QUICK = ["smp"]
SIZES = {name: fields.pop("sizes") for name, fields in VARIANTS.items()}
EXPECT = [r"GUEST up .* net=00:16:3e:01:02:03", r"DEV disk read ok", r"DEV disk written ok",
          r"DEV ping ok", r"DEV net from the guest ok", r"DEV net to the guest ok",
          r"DEV hotplug ok", r"DEV xl list ok", r"DEV end"]


def prepare(ctx):
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), os.path.join(ctx.stage, "vmlinuz"))
    vcpus, disk, net = SIZES[ctx.variant]
    with open(os.path.join(ctx.stage, "sizes"), "w", encoding="ascii") as file:
        file.write(f"vcpus={vcpus}\ndisk_mib={disk}\nnet_mib={net}\n")


def check(ctx):
    return linux_guest.leaks(ctx, "DEV")
