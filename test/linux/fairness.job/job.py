# SPDX-License-Identifier: MIT
"""Real guests get what the scheduler promises. Micro guests (load.c) share the machine's one CPU
with a dom0 that sleeps meanwhile; each phase runs some of them for FAIR_SECONDS (30) of the
machine's time, which counts instructions, so that a busy host changes nothing. What a guest got is
the rate of its own count, as a share of what a CPU does, and the time the hypervisor charged it
with, by its run state and by xl list. In the variant "mixed" every other one is a PVH guest, in
"mixed2" those that are PV ones there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tool"))
import shares

SECONDS = int(os.environ.get("FAIR_SECONDS", "30"))
TIMEOUT = 1500
MACHINE = {"smp": 1, "d0opt": "systemd.default_timeout_start_sec=600", "hvopt": "guest_loglvl=all",
           "extra": ["-icount", "shift=3,sleep=off"]}
PVH = {"default": (), "mixed": ("s1", "s3", "s5", "s7", "s9", "waker"),
       "mixed2": ("s2", "s4", "s6", "s8", "dodger")}
VARIANTS = {name: MACHINE for name in PVH}
QUICK = ["default"]
EXPECT = [r"FAIR guests are there", r"FAIR refused: .*reserves 60\.0 %"]

# phase: {guest: (least, most)} in percent: of what the guests got together, or of the CPU, of which
# dom0 uses a little for their consoles.
TOGETHER = {
    "weights": {"s1": (14.0, 14.58), "s2": (28.0, 29.15), "s3": (56.0, 58.29)},
    "dodger": {"dodger": (20, 51), "s1": (49, 80)},
    "wakeup": {f"s{n}": (24.5, 25.5) for n in range(1, 5)},
}
OF_THE_CPU = {
    "caps": {"s1": (9, 11), "s2": (24, 26), "s3": (49, 51)},
    "reserved": {"s1": (39.9, 41), **{f"s{n}": (7.2, 7.5) for n in range(2, 10)}},
}
# Switching takes its part of what a guest is charged with: on this machine of 125 million
# instructions a second, a hundredth.
OWN_LOSS = {"reserved": 0.01}
# xl list has tenths of a second and is read while dom0 works.
LIST_SLACK = 1


def prepare(ctx):
    shares.prepare(ctx, SECONDS, PVH[ctx.variant])


def check_phase(phase, guests, own, times, rates, of_cpu, reasons):
    """rates: work of each guest in a ns of the CPU; of_cpu: shares of that, not of what they got
    together."""
    got = {name: own.get((phase, name), [0]) for name in guests}
    short = [n for n, g in got.items() if g[0] < (SECONDS - 3) * 1e9]
    if short:
        reasons.append(f"{phase}: no counts of {', '.join(short)} over {SECONDS} s")
        return
    work = {name: g[1] / g[0] / rates[name] for name, g in got.items()}
    ran = {name: g[2] / g[0] for name, g in got.items()}
    listed = {name: times.get((phase, name), 0) for name in guests}
    whole = (1, 1, times[phase, "uptime"]) if of_cpu else \
        (sum(work.values()), sum(ran.values()), sum(listed.values()))
    for name, (least, most) in guests.items():
        loss = OWN_LOSS.get(phase, 0) * least
        for how, share, low, high in (
                ("its own count", work[name] / whole[0], least - loss, most),
                ("its run state", ran[name] / whole[1], least, most),
                ("xl list", listed[name] / whole[2], least - LIST_SLACK, most + LIST_SLACK)):
            shares.judge(f"{phase} {name} by {how}", 100 * share, low, high, reasons)


def check(ctx):
    reasons, own, times = [], shares.samples(ctx), shares.charged(ctx)
    alone = [own.get(("alone", name)) for name in ("s1", "s2")]  # one of each kind
    if not all(alone):
        return ["no count of a guest alone"]
    rate = {(name in PVH[ctx.variant]): a[1] / a[2] for name, a in zip(("s1", "s2"), alone)}
    rates = {name: rate.get(name in PVH[ctx.variant])
             for name in ["dodger", *(f"s{n}" for n in range(1, 10))]}
    for phases, of_cpu in ((TOGETHER, False), (OF_THE_CPU, True)):
        for phase, guests in phases.items():
            check_phase(phase, guests, own, times, rates, of_cpu, reasons)
    shares.judge_late(own.get(("wakeup", "waker"), [0])[3:], 30 * SECONDS, reasons)
    return reasons
