# SPDX-License-Identifier: MIT
"""Each verb of `xl` for a PV guest, in parts: what it prints is compared, and what it does is
looked up elsewhere. The machine's time is counted in instructions: a busy host changes nothing."""

import json
import os

import linux_guest

TIMEOUT = 900
PARTS = ("info", "cpu", "memory", "life", "tools")
VARIANTS = {part: {"hvopt": "guest_loglvl=all", "icount": True} for part in PARTS}
UUID = "11111111-2222-3333-4444-555555555555"
EXPECT = [r"VERDICT ok=\d+ bad=0"]


def prepare(ctx):
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "ramdisk"))
    ctx.guest("tick")
    ctx.tool("core")
    with open(os.path.join(ctx.stage, "part"), "w", encoding="ascii") as file:
        file.write(f"parts={ctx.variant}\n")


def listed(ctx):
    """What `xl list -l` says is JSON, and true."""
    try:
        text = "\n".join(m.group(1) for m in ctx.find(r"^JSON (.*)"))
        guest = json.loads(text)[0]["config"]
        seen = (guest["c_info"]["uuid"], guest["c_info"]["name"], guest["b_info"]["max_vcpus"],
                guest["b_info"]["max_memkb"])
    except (ValueError, KeyError, TypeError) as error:
        return [f"list -l: {error!r}"]
    wanted = (UUID, "pv1", 2, 128 << 10)
    return [] if seen == wanted else [f"list -l: {seen}, not {wanted}"]


def check(ctx):
    reasons = [m.group(0) for m in ctx.find(r"^BAD .*")]
    return reasons + (listed(ctx) if ctx.variant == "info" else [])
