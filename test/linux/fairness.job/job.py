# SPDX-License-Identifier: MIT
"""Real guests get what the scheduler promises. Micro guests (load.c) share the machine's one CPU,
with a dom0 that sleeps meanwhile; a phase runs some of them for FAIR_SECONDS (30; others a third
of that) of the machine's time, which counts instructions, so that a busy host changes nothing. What
a guest got is the rate of its own count, as a share of what a CPU does, and the time the hypervisor
charged it with, by its run state and by xl list."""

import os

SECONDS = int(os.environ.get("FAIR_SECONDS", "30"))
TIMEOUT = 1500
VARIANTS = {"default": {"smp": 1, "d0opt": "systemd.default_timeout_start_sec=600",
                        "hvopt": "guest_loglvl=all",
                        "extra": ["-icount", "shift=4,sleep=off"]}}
EXPECT = [r"FAIR guests are there", r"FAIR refused: .*reserves 60\.0 %"]

# phase: {guest: (least, most)} in percent: of what the guests got together, or of the CPU, of which
# dom0 uses a little for their consoles.
TOGETHER = {
    "weights": {"s1": (14.0, 14.58), "s2": (28.0, 29.15), "s3": (56.0, 58.29)},
    "dodger": {"dodger": (20, 51), "s1": (49, 80)},
    "wakeup": {f"s{n}": (23, 26) for n in range(1, 5)},
}
OF_THE_CPU = {
    "caps": {"s1": (9, 11), "s2": (24, 26), "s3": (48, 51)},
    "reserved": {"s1": (39.6, 44), **{f"s{n}": (5.5, 8) for n in range(2, 10)}},
}
WAKE_P99_US = 1000


def prepare(ctx):
    ctx.guest("load")
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
    print(f"     {what}: {got:.2f} % ({least} to {most})")
    if not least <= got <= most:
        reasons.append(f"{what}: {got:.2f} %, not within {least} and {most}")


def check_phase(phase, guests, own, times, full, reasons):
    """full: work in a ns of the CPU; None: shares of what the guests got together."""
    got = {name: own.get((phase, name), (0, 0, 0)) for name in guests}
    if not all(passed for passed, _, _ in got.values()):
        reasons.append(f"{phase}: no counts of {', '.join(n for n in got if not got[n][0])}")
        return
    work = {name: w / passed for name, (passed, w, _) in got.items()}
    ran = {name: r / passed for name, (passed, _, r) in got.items()}
    listed = {name: times.get((phase, name), 0) for name in guests}
    whole = (full, 1, times[phase, "uptime"]) if full else \
        (sum(work.values()), sum(ran.values()), sum(listed.values()))
    for name, (least, most) in guests.items():
        judge(f"{phase} {name} by its own count", 100 * work[name] / whole[0], least, most, reasons)
        judge(f"{phase} {name} by its run state", 100 * ran[name] / whole[1], least, most, reasons)
        # The list has tenths of a second, and is read while dom0 works.
        judge(f"{phase} {name} by xl list", 100 * listed[name] / whole[2], least - 5, most + 5,
              reasons)


def check(ctx):
    reasons, own, times = [], samples(ctx), charged(ctx)
    alone = own.get(("alone", "s1"))
    if not alone or not alone[2]:
        return ["no count of a guest alone"]
    for phase, guests in TOGETHER.items():
        check_phase(phase, guests, own, times, None, reasons)
    for phase, guests in OF_THE_CPU.items():
        check_phase(phase, guests, own, times, alone[1] / alone[2], reasons)
    late = ctx.find(r"SAMPLE wakeup end LOAD waker .* wakes=(\d+) p50=(\d+) p99=(\d+) max=(\d+)")
    if not late or int(late[0].group(1)) < 100:
        reasons.append("no wake-ups were counted")
    else:
        print("     wake-up: {} times, p50 {} us, p99 {} us, max {} us".format(*late[0].groups()))
        if int(late[0].group(3)) > WAKE_P99_US:
            reasons.append(f"wake-up: p99 {late[0].group(3)} us, at most {WAKE_P99_US}")
    return reasons
