# SPDX-License-Identifier: MIT
"""Bad input from the control domain: hostile control calls through raw hypercalls. Each is refused,
with the result Debian's Xen gives and a reason in the hypervisor's log; the list of domains, their
pages and the free memory are as before, and so is the audit of all page references."""

import os

TIMEOUT = 500
VARIANTS = {"default": {"hvopt": "loglvl=all guest_loglvl=all"}}
EXPECT = [r"BAD done \d+ cases, victim destroyed 0", r"audit: \d+ frames, .* 0 errors"]

# Refused with another errno than Debian's Xen.
DIFFERENT = {
    # A frame that is not the caller's and a length beyond the page: which is named first.
    "copy_over_page": "-10",
}
# Debian's Xen gets memory for its list of mappings at the first use.
GROWS = {"map_unused_ref"}


def expected(path):
    with open(os.path.join(path, "expected"), encoding="ascii") as file:
        return dict(line.split() for line in file if not line.startswith("#"))


def prepare(ctx):
    ctx.tool("hostile")


def check(ctx):
    reasons = []
    ours = ctx.machine.hv != "xen"
    want = expected(ctx.job.path)
    for m in ctx.find(r"BAD (\w+) rc=(-?\d+) \[(.*?)\] reason=(.*)"):
        name, rc, state, reason = m.groups()
        wanted = want.pop(name, "no record")
        if rc != (DIFFERENT.get(name, wanted) if ours else wanted):
            reasons.append(f"{name}: result {rc}, on Debian's Xen {wanted}")
        if state != "same" and name not in GROWS:
            reasons.append(f"{name}: {state}")
        if ours and not reason.startswith("(XEN) d0"):
            reasons.append(f"{name}: no reason given ({reason})")
    return reasons + [f"{name}: not tried" for name in want]
