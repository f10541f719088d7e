# SPDX-License-Identifier: MIT
"""Streams over TCP between dom0 and a guest and between two guests (xen-netback on a bridge): every
word is what was sent. In the variant "pvh" the first of them is a PVH guest. The variant "rate"
compares only lengths and shows how fast it goes, by counted instructions; `make bench` runs it."""

import os

import linux_guest

MIB = int(os.environ.get("GUESTNET_MIB", "256"))
TIMEOUT = 900 + 10 * MIB
VARIANTS = {"smp": {}, "pvh": {"hvm": True},
            "rate": {"icount": True, "jump": True, "smp": 1, "cpu": "max,-smap,-smep"}}
QUICK = ["smp"]
WAYS = ("guest to dom0", "dom0 to guest", "guest to guest")
EXPECT = [rf"NET {way} ok: {MIB} MiB in \d+ us, {MIB << 20} bytes equal" for way in WAYS]
EXPECT.append(r"NET end")


def prepare(ctx):
    ctx.tool("stream")
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "net.ramdisk"), os.path.join(ctx.stage, "start"),
                        ["xen-netfront"],
                        files={"usr/bin/stream": os.path.join(ctx.stage, "stream")})
    with open(os.path.join(ctx.stage, "sizes"), "w", encoding="ascii") as file:
        file.write(f"mib={MIB}\nkind={'pvh' if ctx.variant == 'pvh' else 'pv'}\n")
        for n in (1, 2, 3):
            file.write(f"seed{n}={0 if ctx.variant == 'rate' else 0x9e3779b97f4a7c15 // n}\n")


def check(ctx):
    return linux_guest.leaks(ctx, "NET")
