# SPDX-License-Identifier: MIT
"""QEMU in dom0 as the back end of a PV guest: qcow2 disks read, written, attached and detached, a
frame buffer and a keyboard that are reached by VNC; afterwards no grant is in use."""

import os

import linux_guest

TIMEOUT = 1200
VARIANTS = {"default": {"icount": True}}
EXPECT = [r"QEMU backends .*\bqdisk\b", r"QEMU backends .*\bvfb\b", r"QEMU qcow2 read ok",
          r"QEMU qcow2 attached ok", r"QEMU console 800x600 colours=([2-9]|\d\d+) upper=mixed",
          r"QEMU drawn 800x600 colours=2 upper=aaaaaa lower=555555", r"QEMU keys ok",
          r"QEMU qcow2 written ok", r"QEMU processes left 0", r"QEMU end"]
AUDIT = r"QEMU %s .*audit: \d+ frames, \d+ tables \(\d+ pinned\), (\d+) frames held .* (\d+) errors"
GRANTS = r"QEMU after .*grant table of .* (\d+) entries in use, (\d+) writers; (\d+) of"


def prepare(ctx):
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "q.ramdisk"), drivers=["xen-blkfront"])


def numbers(ctx, pattern):
    return [tuple(map(int, m.groups())) for m in ctx.find(pattern)]


def check(ctx):
    reasons = [m.group(0) for m in ctx.find(r"QEMU failed: .*")]
    free = numbers(ctx, r"QEMU free (?:before|after) (\d+)")
    if len(free) != 2 or abs(free[0][0] - free[1][0]) > 1:
        reasons.append(f"free memory before and after: {free}")
    if ctx.machine.hv == "xen":
        return reasons
    held = numbers(ctx, AUDIT % "before") + numbers(ctx, AUDIT % "after")
    if len(held) != 2 or held[0] != held[1] or held[1][1]:
        reasons.append(f"audit, (frames held from elsewhere, errors) before and after: {held}")
    if numbers(ctx, GRANTS) != [(0, 0, 0)]:
        reasons.append(f"grants in use (entries, writers, handles): {numbers(ctx, GRANTS)}")
    return reasons
