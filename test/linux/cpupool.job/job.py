# SPDX-License-Identifier: MIT
"""CPU pools with `xl`: created, filled, named, a guest in them and between them, refusals, numa
split, and all CPUs back in one pool at the end."""

TIMEOUT = 600
VARIANTS = {"default": {"smp": 4, "mem": 1024, "hvopt": "guest_loglvl=all dom0_max_vcpus=1"}}
EXPECT = [
    r"POOL start: Pool-0 +4 +credit2 +y +1", r"CPUS start: Pool-0 +0,1,2,3",
    r"POOL created: side +1 +credit +y +0", r"CPUS created: Pool-0 +0,1$",
    r"CPUS renamed: edge +2,3", r"POOL renamed: Pool-0 +2 ",
    r"POOL in edge: the guest runs on CPU [23]$", r"p1 .* edge$",
    r"POOL with one CPU: the guest runs on CPU 2$", r"SCHED edge: .*p1 .* 100 ",
    r"POOL in Pool-0: the guest runs on CPU [01]$", r"POOL back in edge: the guest runs on CPU 2$",
    r"SCHED rt: p1 .* 10000 +9000 +no", r"POOL in rt: the guest runs on CPU 3$",
    r"remove CPU: CPU 0 stays in Pool-0", r"remove CPU: CPU 1 is not in pool 1",
    r"move d0: of the caller", r"with scheduler 7: no such scheduler",
    r"remove CPU: CPU 2 is the last of pool 1, which has 1 domains",
    r"POOL end: Pool-(0|node0) +4 +credit2 +y +1",
]
REFUSED = 6


def prepare(ctx):
    ctx.guest("load")


def check(ctx):
    reasons = [f"failed: {m.group(2)} (rc {m.group(1)})"
               for m in ctx.find(r"XL rc=(\d+) (.*)") if m.group(1) != "0"]
    reasons += [m.group(0) for m in ctx.find(r"POOL (taken|.* stands still).*")]
    if len(ctx.find(r"POOL refused: ")) < REFUSED:
        reasons.append("not all refusals were tried")
    return reasons
