# SPDX-License-Identifier: MIT
"""A PV guest under the stock tools with a disk (xen-blkback on a file) and a network interface
(xen-netback on a bridge): bit-exact both ways, hotplugged, its disks vanishing, destroyed while it
uses them; then no frame is lost, no grant is in use, and the frames' audit is clean."""

import os

import linux_guest

TIMEOUT = 1200
VARIANTS = {
    "smp": {"sizes": (2, 16, 16), "icount": True},
    "up": {"sizes": (1, 16, 16)},
    "large": {"sizes": (2, 128, 96)},
}
QUICK = ["smp"]
SIZES = {name: fields.pop("sizes") for name, fields in VARIANTS.items()}
EXPECT = [r"GUEST has disk=\d+ net=00:16:3e:01:02:03", r"DEV disk read ok", r"DEV disk written ok",
          r"DEV ping ok", r"DEV net from the guest ok", r"DEV net to the guest ok",
          r"DEV hotplug ok", r"DEV vanished: detached by force ok", r"DEV vanished: no room ok",
          r"DEV vanished: device removed ok", r"DEV disk after all ok", r"DEV xl list ok",
          r"DEV end"]
VANISHING_MIB = 64


def prepare(ctx):
    def path(name):
        return os.path.join(ctx.stage, name)

    linux_guest.kernel(path("vmlinux"))
    linux_guest.ramdisk(path("guest.ramdisk"), path("start"), ["xen-blkfront", "xen-netfront"])
    vcpus, disk, net = SIZES[ctx.variant]
    with open(path("sizes"), "w", encoding="ascii") as file:
        file.write(f"vcpus={vcpus}\ndisk_mib={disk}\nnet_mib={net}\n")
    # A disk of dom0's that is taken from it while the guest writes.
    vanishing = os.path.join(ctx.work, "vanishing.img")
    with open(vanishing, "wb") as file:
        file.truncate(VANISHING_MIB << 20)
    ctx.machine.disks.append((vanishing, False))


def check(ctx):
    return linux_guest.leaks(ctx, "DEV")
