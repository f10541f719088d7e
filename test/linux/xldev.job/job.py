# SPDX-License-Identifier: MIT
"""A PV guest under the stock tools with a disk (xen-blkback on a file) and a network interface
(xen-netback on a bridge): bit-exact both ways, hotplugged, destroyed while it uses them; then no
frame is lost, no grant is in use, and the frames' audit is clean."""

import os
import shutil

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
AUDIT = r"DEV %s .*audit: \d+ frames, \d+ tables \(\d+ pinned\), (\d+) frames held .* (\d+) errors"
GRANTS = r"DEV after .*grant table of .* (\d+) entries in use, (\d+) writers; (\d+) of"


def prepare(ctx):
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), os.path.join(ctx.stage, "vmlinuz"))
    vcpus, disk, net = SIZES[ctx.variant]
    with open(os.path.join(ctx.stage, "sizes"), "w", encoding="ascii") as file:
        file.write(f"vcpus={vcpus}\ndisk_mib={disk}\nnet_mib={net}\n")


def check(ctx):
    reasons = [m.group(0) for m in ctx.find(r"DEV failed: .*")]
    free = [int(m.group(1)) for m in ctx.find(r"DEV free (?:before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    if ctx.machine.hv == "xen":
        return reasons
    held = []
    for when in ("before", "after"):
        for match in ctx.find(AUDIT % when):
            held.append(int(match.group(1)))
            if match.group(2) != "0":
                reasons.append(f"audit: {match.group(0)}")
    if len(held) != 2 or held[0] != held[1]:
        reasons.append(f"frames held from elsewhere, before and after: {held}")
    used = [m.groups() for m in ctx.find(GRANTS)]
    if used != [("0", "0", "0")]:
        reasons.append(f"grants in use afterwards (entries, writers, handles by domain): {used}")
    return reasons
