# SPDX-License-Identifier: MIT
"""40 guests of 32 MiB at once on 4 GiB and two CPUs: each ticks and obeys, each takes at most 256
KiB of the hypervisor's memory, and making one takes as long beside 40 as beside five, by counted
instructions. What xenstored itself takes grows with its connections on any hypervisor: it is shown,
and left out; what oxenstored takes (variant oxen) counts."""

import os
import statistics

GUESTS = int(os.environ.get("DENSITY_GUESTS", "40"))
TIMEOUT = 900
VARIANTS = {"default": {"mem": 4096, "icount": True, "jump": True},
            "oxen": {"mem": 4096, "icount": True, "jump": True, "d0opt": "xenstored=oxenstored"}}
EXPECT = [r"audit: \d+ frames, .* 0 errors"]
KIB_MAX = 256
GROWTH_MAX = 1.3


def prepare(ctx):
    ctx.guest("tick")
    ctx.tool("churn")
    if ctx.machine.hv == "xen":
        EXPECT.clear()
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"guests={GUESTS}\n")


def creations(ctx):
    """{n: (ns, of them xenstored's)}"""
    found = ctx.find(r"DENSITY created (\d+) in (\d+) ns, of them xenstored (\d+)")
    return {int(m.group(1)): (int(m.group(2)), int(m.group(3))) for m in found}


def growth(what, few, many, limit, reasons):
    print(f"     {what}: {few / 1e6:.2f} ms beside few, {many / 1e6:.2f} ms beside many guests, "
          f"{many / few:.2f} times")
    if limit and many > few * limit:
        reasons.append(f"{what} grows {many / few:.2f} times, at most {limit}")


def check_time(ctx, reasons):
    times = creations(ctx)
    if len(times) != GUESTS + 1:
        reasons.append(f"{len(times)} guests were made")
        return
    few = [times[n] for n in range(3, 8)]
    many = [times[n] for n in range(GUESTS - 4, GUESTS + 1)]
    for what, limit, of in (
            ("xl create", GROWTH_MAX if ctx.variant == "oxen" else None, lambda t: t[0]),
            ("xl create but for xenstored", GROWTH_MAX, lambda t: t[0] - t[1])):
        growth(what, *(statistics.median(map(of, ts)) for ts in (few, many)), limit, reasons)
    raw = [int(m.group(1)) for m in ctx.find(r"CHURN beside \w+: round of \d+ pages: (\d+) ns")]
    if len(raw) != 2:
        reasons.append("the hypervisor alone was not measured")
    else:
        growth("the hypervisor alone, created and destroyed", *raw, GROWTH_MAX, reasons)


def check_alive(ctx, reasons):
    ticks = {when: {int(m.group(1)): int(m.group(2)) for m in
                    ctx.find(rf"DENSITY {when} (\d+) ticks (\d+)")} for when in ("first", "second")}
    alive = [d for d, n in ticks["second"].items() if n > ticks["first"].get(d, n)]
    if len(alive) != GUESTS:
        reasons.append(f"{len(alive)} of {GUESTS} guests tick")
    if len(ctx.find(r"DENSITY obeyed \d+")) != GUESTS:
        reasons.append("not all guests obey")
    free = [int(m.group(2)) for m in ctx.find(r"DENSITY free (before|after) (\d+)")]
    if len(free) != 2 or free[0] != free[1]:
        reasons.append(f"free memory before and after: {free}")


def check_memory(ctx, reasons):
    cost = [(int(m.group(1)), int(m.group(2)) * 4096 + int(m.group(3))) for m in
            ctx.find(r"DMESG .* d(\d+): \d+ of \d+ pages; (\d+) shared pages and (\d+) bytes")]
    cost = [size for domain, size in cost if domain != 0]
    if len(cost) != GUESTS:
        reasons.append(f"the hypervisor's memory for {len(cost)} of {GUESTS} guests is known")
        return
    print(f"     the hypervisor's memory for a guest: {min(cost) / 1024:.1f} to "
          f"{max(cost) / 1024:.1f} KiB")
    if max(cost) > KIB_MAX * 1024:
        reasons.append(f"a guest takes {max(cost) / 1024:.1f} KiB of the hypervisor's memory")


def check(ctx):
    reasons = []
    check_time(ctx, reasons)
    check_alive(ctx, reasons)
    if ctx.machine.hv != "xen":
        check_memory(ctx, reasons)
    return reasons
