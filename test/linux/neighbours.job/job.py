# SPDX-License-Identifier: MIT
"""A fork bomb and a guest that makes hypercalls of all kinds as fast as it can share one CPU with a
third guest, whose work may cost at most 5 % beyond its fair share, a third of the CPU; with one
that sleeps and wakes, which must wake in time; with dom0; and with the hypervisor's log. A variant
has guests of both kinds, PV and PVH, who do the same to each other."""

import os
import shutil
import sys

import vm

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tool"))
import shares

SECONDS = int(os.environ.get("FAIR_SECONDS", "30"))
TIMEOUT = 1200
MACHINE = {"smp": 1, "d0opt": "systemd.default_timeout_start_sec=600",
           "extra": ["-icount", "shift=3,sleep=off"]}
# Which guests are PVH ones: s1 and waker suffer from bomb and pest.
PVH = {"default": (), "victim": ("s1", "waker"), "hostile": ("bomb", "pest"),
       "mixed": ("s1", "pest")}
VARIANTS = {name: MACHINE for name in PVH}
QUICK = ["default"]
EXPECT = [r"NEIGH during audit: .* 0 errors", r"NEIGH reason: .*CPU 0 stays in Pool-0",
          r"\d+ more guest messages suppressed", r"NEIGH domains left 1$",
          r"DMESG .*audit: \d+ frames, .* 0 errors"]
FAIR = 100 / 3
LOG_PER_SECOND = 12  # ten lines, and how many more there were


def prepare(ctx):
    shares.prepare(ctx, SECONDS, PVH[ctx.variant], ("load", "pest"))
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), ctx.stage)


def number(ctx, pattern, reasons):
    found = ctx.find(pattern)
    if not found:
        reasons.append(f"missing: {pattern}")
        return 0
    print("     " + found[-1].group(0))
    return float(found[-1].group(1))


def check(ctx):
    reasons, own, times = [], shares.samples(ctx), shares.charged(ctx)
    alone, beside = own.get(("alone", "s1")), own.get(("neighbours", "s1"))
    if not alone or not beside or beside[0] < (SECONDS - 3) * 1e9:
        return ["no counts of the third guest"]
    # What a unit of work costs in time beside them, to what it costs alone on a third of the CPU.
    cost = (beside[0] / beside[1]) / (3 * alone[0] / alone[1])
    print(f"     its work takes {100 * cost:.1f} % of the time it would take on a third of the CPU")
    if cost > 1.05:
        reasons.append(f"its work takes {100 * cost:.1f} % of its fair time, at most 105")
    for name in ("pest", "bomb"):
        shares.judge(f"{name} by xl list", 100 * times.get(("neighbours", name), 0) /
                     times["neighbours", "uptime"], FAIR - 4, FAIR + 2, reasons)
    shares.judge_late(own.get(("neighbours", "waker"), [0])[3:], 30 * SECONDS, reasons)
    if number(ctx, r"BOMB process (\d+)", reasons) < 10 * SECONDS:
        reasons.append("the fork bomb hardly forked")
    if number(ctx, r"PEST rounds=(\d+)", reasons) < 20 * SECONDS:
        reasons.append("the hostile guest was not busy")
    if number(ctx, r"PEST rounds=\d+ failed=(\d+)", reasons) != 0:
        reasons.append("the hostile guest's requests failed")
    lines = number(ctx, r"NEIGH log lines after (\d+)", reasons) - \
        number(ctx, r"NEIGH log lines before (\d+)", reasons)
    if lines > LOG_PER_SECOND * times["neighbours", "uptime"]:
        reasons.append(f"the log grew by {lines:.0f} lines")
    free = [int(m.group(2)) for m in ctx.find(r"NEIGH free (before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    return reasons
