# SPDX-License-Identifier: MIT
"""A driver domain that passes a disk of dom0's on is killed while its client writes: what fsync
said is on the disk is there, for dom0 and by a new driver domain; nothing of the old is left."""

import os

import linux_guest

TIMEOUT = 900
VARIANTS = {"default": {"icount": True}}
EXPECT = [r"DD in dom0 intact ok", r"DD the client's other disk ok", r"DD in the client intact ok",
          r"DD written on ok", r"DD xl list ok", r"DD end"]


def prepare(ctx):
    def path(name):
        return os.path.join(ctx.stage, name)

    linux_guest.kernel(path("vmlinux"))
    linux_guest.driver_domain(path("drv.ramdisk"))
    linux_guest.ramdisk(path("client.ramdisk"), path("start"), ["xen-blkfront"])


def check(ctx):
    return linux_guest.leaks(ctx, "DD")
