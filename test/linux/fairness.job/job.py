# SPDX-License-Identifier: MIT
"""Real guests get what the scheduler promises. Micro guests (load.c) share the machine's one CPU,
with a dom0 that sleeps meanwhile; a phase runs some of them for FAIR_SECONDS (30; others a third
of that) of the machine's time, which counts instructions, so that a busy host changes nothing. What
a guest got is the rate of its own count, as a share of what a CPU does, and the time the hypervisor
charged it with, by its run state and by xl list."""

import os
import shutil
import subprocess

import vm

SECONDS = int(os.environ.get("FAIR_SECONDS", "30"))
TIMEOUT = 1500
VARIANTS = {"default": {"smp": 1, "d0opt": "systemd.default_timeout_start_sec=600",
                        "hvopt": "guest_loglvl=all",
                        "extra": ["-icount", "shift=4,sleep=off"]}}
EXPECT = [r"FAIR guests are there", r"FAIR refused: .*reserves 60\.0 %"]

# phase: {guest: (least, most) percent of the CPU}
SHARES = {
    "weights": {"s1": (13.99, 14.58), "s2": (28.0, 29.15), "s3": (56.0, 58.29)},
    "caps": {"s1": (9, 11), "s2": (24, 26), "s3": (49, 51)},
    "dodger": {"dodger": (20, 51), "s1": (49, 80)},
    "reserved": {"s1": (39.6, 45), **{f"s{n}": (6, 9) for n in range(2, 10)}},
    "wakeup": {f"s{n}": (23, 26) for n in range(1, 5)},
}
WAKE_P99_US = 1000


def prepare(ctx):
    subprocess.run(["make", "-s", "build/guest/load.elf"], cwd=vm.TOP, check=True)
    shutil.copy(os.path.join(vm.BUILD, "guest", "load.elf"), ctx.stage)
    with open(os.path.join(ctx.stage, "seconds"), "w", encoding="ascii") as file:
        file.write(f"{SECONDS}\n")


def samples(ctx):
    """{(phase, guest): (ns passed, work done, ns run)} between begin and end of the phase."""
    ends = {}
    for m in ctx.find(r"SAMPLE (\w+) (\w+) LOAD (\w+) now=(\d+) done=(\d+) ran=(\d+)"):
        ends[m.group(1), m.group(3), m.group(2)] = [int(m.group(n)) for n in (4, 5, 6)]
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
    ok = got is not None and least <= got <= most
    text = "nothing" if got is None else f"{got:.2f} %"
    print(f"     {what}: {text} ({least} to {most})")
    if not ok:
        reasons.append(f"{what}: {text}, not within {least} and {most}")


def check(ctx):
    reasons, own, times = [], samples(ctx), charged(ctx)
    alone = own.get(("alone", "s1"))
    if not alone or not alone[2]:
        return ["no count of a guest alone"]
    full = alone[1] / alone[2]  # work in a ns of a CPU
    for phase, guests in SHARES.items():
        for name, (least, most) in guests.items():
            passed, work, ran = own.get((phase, name), (0, 0, 0))
            judge(f"{phase} {name} by its own count",
                  100 * work / passed / full if passed else None, least, most, reasons)
            judge(f"{phase} {name} by its run state",
                  100 * ran / passed if passed else None, least, most, reasons)
            length = times.get((phase, "uptime"))
            # The list has tenths of a second, and is read a moment after the clock.
            judge(f"{phase} {name} by xl list",
                  100 * times.get((phase, name), 0) / length if length else None,
                  least - 3, most + 3, reasons)
    late = ctx.find(r"SAMPLE wakeup end LOAD waker .* wakes=(\d+) p50=(\d+) p99=(\d+) max=(\d+)")
    if not late or int(late[0].group(1)) < 100:
        reasons.append("no wake-ups were counted")
    else:
        print("     wake-up: {} times, p50 {} us, p99 {} us, max {} us".format(*late[0].groups()))
        if int(late[0].group(3)) > WAKE_P99_US:
            reasons.append(f"wake-up: p99 {late[0].group(3)} us, at most {WAKE_P99_US}")
    return reasons
