# SPDX-License-Identifier: MIT
"""A PV guest with Debian's kernel under the stock tools: `xl create`, pause, pin, weight, rename,
save and restore, shutdown, destroy; its memory comes back and the frames' audit is clean."""

import os
import shutil

import vm

TIMEOUT = 400
VARIANTS = {"up": {}, "smp": {}}
QUICK = ["smp"]
EXPECT = [r"CREATE paused flags --p---", r"CREATE the guest ticks",
          r"CREATE lines on its console 8000$",
          r"GUEST up .* xen/PV cpus=\d uuid=[0-9a-f]{8}-", r"pv1 +\d+ +300",
          r"CREATE the restored guest ticks", r"CREATE domains left 1",
          r"audit: \d+ frames, .* 0 errors"]


def prepare(ctx):
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), os.path.join(ctx.stage, "vmlinuz"))
    with open(os.path.join(ctx.stage, "vcpus"), "w", encoding="ascii") as file:
        file.write("2\n" if ctx.variant == "smp" else "1\n")


def check(ctx):
    reasons = [f"failed: {m.group(2)} (rc {m.group(1)})"
               for m in ctx.find(r"XL rc=(\d+) (.*)") if m.group(1) != "0"]
    free = [int(m.group(2)) for m in ctx.find(r"CREATE free (before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    return reasons
