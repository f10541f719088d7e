# SPDX-License-Identifier: MIT
"""What guests got of a CPU in the phases of a job, from the lines that shares.sh prints."""

import os
import shutil

LATE = ["< 50 us", "< 100 us", "< 200 us", "< 500 us", "< 1 ms", "< 2 ms", "< 5 ms", "< 10 ms",
        "more"]
LATE_ENOUGH = 5  # those from here on took over 1 ms


def prepare(ctx, seconds, pvh=(), guests=("load",)):
    """pvh: names of those that are PVH guests; guests: the programs, of both kinds."""
    for name in guests:
        ctx.guest(name)
        if pvh:
            ctx.guest(name + "_pvh")
    with open(os.path.join(ctx.stage, "pvh"), "w", encoding="ascii") as file:
        file.write(" ".join(pvh) + "\n")
    shutil.copy(os.path.join(os.path.dirname(__file__), "shares.sh"), ctx.stage)
    with open(os.path.join(ctx.stage, "seconds"), "w", encoding="ascii") as file:
        file.write(f"{seconds}\n")


def samples(ctx):
    """{(phase, guest): [ns passed, work done, ns run, wake-ups by how late...]} of the phase."""
    ends = {}
    for m in ctx.find(r"SAMPLE (\w+) (\w+) LOAD (\w+) now (\d+) done (\d+) ran (\d+) "
                      r"late ((?:\d+ )+);"):
        ends[m.group(1), m.group(3), m.group(2)] = [*(int(m.group(n)) for n in (4, 5, 6)),
                                                    *map(int, m.group(7).split())]
    return {(phase, name): [b - a for a, b in zip(ends[phase, name, "begin"], end)]
            for (phase, name, when), end in ends.items()
            if when == "end" and (phase, name, "begin") in ends}


def charged(ctx):
    """{(phase, name): seconds} by xl list, and under 'uptime' the phase's length."""
    ends = {}
    for m in ctx.find(r"TIME (\w+) (\w+) ([\w-]+) ([\d.]+)"):
        ends[m.group(1), m.group(3), m.group(2)] = float(m.group(4))
    return {(phase, name): end - ends[phase, name, "begin"]
            for (phase, name, when), end in ends.items() if when == "end"}


def judge(what, got, least, most, reasons):
    print(f"     {what}: {got:.2f} % ({least:g} to {most:g})")
    if not least <= got <= most:
        reasons.append(f"{what}: {got:.2f} %, not within {least:g} and {most:g}")


def judge_late(late, least, reasons):
    """late: wake-ups by how late; at least so many, and 99 of 100 within 1 ms."""
    if sum(late) < least:
        reasons.append(f"only {sum(late)} wake-ups were counted")
        return
    print(f"     wake-ups: {sum(late)}, by the time after the event: " + ", ".join(
        f"{n} {bound}" for n, bound in zip(late, LATE) if n))
    if sum(late[LATE_ENOUGH:]) * 100 > sum(late):
        reasons.append(f"{sum(late[LATE_ENOUGH:])} of {sum(late)} wake-ups took over 1 ms")
