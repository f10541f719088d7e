# SPDX-License-Identifier: MIT
"""Guests created and destroyed by the stock tools in five ways, XLCHURN_ROUNDS times (20): `xl
info` has as much free memory as before, and so has the hypervisor, and as many objects; the audit
is clean. In the variant "pvh" they are PVH guests of Debian's kernel, else PV micro guests."""

import os

import linux_guest

ROUNDS = int(os.environ.get("XLCHURN_ROUNDS", "20"))
TIMEOUT = 600 + 40 * ROUNDS
# By counted instructions, as a round is a dozen processes; or by the clock, both CPUs at once.
VARIANTS = {"default": {"icount": True}, "clock": {}, "pvh": {"hvm": True}}
QUICK = ["default"]
EXPECT = [rf"CHURN done {ROUNDS}$", r"LIST Domain-0 +0 "]
# One empty page for each size of small objects.
CACHED = 16


def prepare(ctx):
    if ctx.variant == "pvh":
        linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
        linux_guest.ramdisk(os.path.join(ctx.stage, "ramdisk"))
    else:
        ctx.guest("tick")
    ctx.tool("churn")
    ctx.tool("hold")
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"rounds={ROUNDS}\nkind={'pvh' if ctx.variant == 'pvh' else 'pv'}\n")


def check(ctx):
    reasons = []
    states = [(int(m.group(1)), int(m.group(2))) for m in
              ctx.find(r"STATE (?:before|end) pages (\d+) MiB (\d+)")]
    if len(states) != 2:
        return ["free memory is not known"]
    print(f"     free pages before {states[0][0]}, after {states[1][0]}")
    if states[1][0] < states[0][0] - CACHED or states[0][1] != states[1][1]:
        reasons.append(f"free pages and MiB before and after: {states}")
    if len(ctx.find(r"LIST .* +\d+ +\d+ +\d+ ")) != 1:
        reasons.append("domains are left over")
    if ctx.machine.hv == "xen":
        return reasons
    objects = [m.group(1) for m in ctx.find(r"STATE (?:before|end) .*small objects: (\d+) in")]
    if len(objects) != 2 or objects[0] != objects[1]:
        reasons.append(f"small objects before and after: {objects}")
    if not ctx.find(r"audit: \d+ frames, .* 0 errors"):
        reasons.append("the audit is not clean")
    return reasons
