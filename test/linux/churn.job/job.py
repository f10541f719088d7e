# SPDX-License-Identifier: MIT
"""Domains of two vCPUs and 256 frames created and destroyed by raw control calls, without the tools
around them: the hypervisor has as many objects and, but for its cached pages, as much free memory
as before, and the frames' audit is clean."""

import os

ROUNDS = int(os.environ.get("CHURN_ROUNDS", "1000"))
TIMEOUT = 240 + ROUNDS // 5
EXPECT = [rf"CHURN done {ROUNDS} ", r"LIST Domain-0 +0 "]
# One empty page for each size of small objects.
CACHED = 16


def prepare(ctx):
    ctx.tool("churn")
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"rounds={ROUNDS}\n")


def check(ctx):
    reasons = []
    for m in ctx.find(r"CHURN done \d+ free before (\d+) after (\d+)"):
        if int(m.group(2)) < int(m.group(1)) - CACHED:
            reasons.append(f"free pages before {m.group(1)}, after {m.group(2)}")
    if len(ctx.find(r"LIST .* +\d+ +\d+ +\d+ ")) != 1:
        reasons.append("domains are left over")
    if ctx.machine.hv == "xen":
        return reasons
    objects = [m.group(1) for m in ctx.find(r"DMESG .*small objects: (\d+) in")]
    if len(objects) != 2 or objects[0] != objects[1]:
        reasons.append(f"small objects before and after: {objects}")
    if not ctx.find(r"audit: \d+ frames, .* 0 errors"):
        reasons.append("the audit is not clean")
    return reasons
