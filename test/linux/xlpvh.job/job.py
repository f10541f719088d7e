# SPDX-License-Identifier: MIT
"""A PVH guest with Debian's kernel under the stock tools: `xl create`, pause, shutdown, destroy;
its memory comes back. Says that it skips on a machine without SVM."""

import os
import shutil

import vm

TIMEOUT = 1200
VARIANTS = {"up": {}, "smp": {}, "nosvm": {"cpu": "max,-svm"}}
QUICK = ["smp"]
RUNS = [r"PVH the guest ticks", r"GUEST up .* xen/PVH cpus=\d uuid=[0-9a-f]{8}-",
        r"PVH domains left 1"]
SKIPS = [r"PVH skipped: the machine has no SVM with nested paging"]
EXPECT = []


def prepare(ctx):
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), os.path.join(ctx.stage, "vmlinuz"))
    with open(os.path.join(ctx.stage, "vcpus"), "w", encoding="ascii") as file:
        file.write("2\n" if ctx.variant == "smp" else "1\n")


def check(ctx):
    skips = ctx.variant == "nosvm"
    reasons = [f"missing: {p}" for p in (SKIPS if skips else RUNS) if not ctx.find(p)]
    reasons += [f"failed: {m.group(2)} (rc {m.group(1)})"
                for m in ctx.find(r"XL rc=(\d+) (.*)") if m.group(1) != "0"]
    if not skips:
        free = [int(m.group(2)) for m in ctx.find(r"PVH free (before|after) (\d+)")]
        if len(free) != 2 or abs(free[0] - free[1]) > 1:
            reasons.append(f"free memory before and after: {free}")
    return reasons
