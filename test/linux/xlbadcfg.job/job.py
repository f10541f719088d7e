# SPDX-License-Identifier: MIT
"""Broken configurations and operations of the stock toolstack: each is refused with a reason that
names what is wrong, from `xl` or in the hypervisor's log, and leaves the list of domains, free
memory and the audit of all frames as before. The machine has no hardware-assisted guests."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kernels

TIMEOUT = 900
VARIANTS = {"default": {"cpu": "max,-svm", "mem": 1024, "icount": True,
                        "hvopt": "guest_loglvl=all"}}
CASES = 120
EXPECT = [r"VERDICT ok=\d+ bad=0"]


def prepare(ctx):
    ctx.guest("tick")
    ctx.tool("state")
    kernels.make(ctx.stage)


def check(ctx):
    reasons = [m.group(0) for m in ctx.find(r"^BAD .*")]
    if len(ctx.find(r"^OK ")) < CASES - len(reasons):
        reasons.append("not all cases were tried")
    return reasons
