# SPDX-License-Identifier: MIT
"""stress-ng over everything that hurts a hypervisor of paravirtualized guests, then the
hypervisor's own audit by debug key: no kernel warning, no refused hypercall, no stray reference."""

import os
import re

SECONDS = int(os.environ.get("STRESS_SECONDS", "180"))
TIMEOUT = SECONDS * 2 + 240
VARIANTS = {"default": {"hvopt": "loglvl=all guest_loglvl=all"}}
EXPECT = [r"STRESS done rc=0"]

# Every line the hypervisor prints while the load runs is a complaint of ours: a refused hypercall's
# reason, a warning. (Debian's Xen, for comparison, may talk.)
HYPERVISOR = re.compile(r"^\(XEN\)")
# The key that asks for the page-type audit, typed after Ctrl-a three times, and a clean answer.
AUDIT_KEY = os.environ.get("AUDIT_KEY", "p")
AUDIT_CLEAN = r"audit: .*\b0 errors"


def prepare(ctx):
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"seconds={SECONDS}\n")


def on_line(ctx, text, _seconds):
    if text.startswith("STRESS start"):
        ctx.data["first"] = len(ctx.vm.lines)
    elif text.startswith("STRESS done"):
        ctx.data["last"] = len(ctx.vm.lines)
    elif text.startswith("STRESS keys") and ctx.machine.hv != "native":
        switch = b"\x01\x01\x01"
        ctx.vm.send(switch + AUDIT_KEY.encode() + switch)


def check(ctx):
    reasons = [match.group(0) for match in ctx.find(r"stress-ng: (fail|error):.*")]
    if "last" not in ctx.data:
        return reasons + ["the load did not end"]
    if ctx.machine.hv in ("native", "xen"):
        return reasons
    spoken = [line for line in ctx.lines()[ctx.data["first"]:ctx.data["last"]]
              if HYPERVISOR.search(line)]
    if spoken:
        reasons.append(f"{len(spoken)} line(s) of the hypervisor during the load, the first: "
                       f"{spoken[0]}")
    if not ctx.find(AUDIT_CLEAN):
        reasons.append("the page-type audit did not answer with 0 errors")
    return reasons
