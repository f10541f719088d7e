# SPDX-License-Identifier: MIT
"""dom0's monotonic clock never steps back, whichever vCPU reads it, and keeps pace with the host's
within half a per cent."""

import os
import subprocess

SECONDS = int(os.environ.get("TIME_SECONDS", "135"))
TIMEOUT = SECONDS * 2 + 120
TOLERANCE = 0.005
VARIANTS = {"default": {"smp": 2}, "vcpu4": {"smp": 4}}
QUICK = ["default"]
EXPECT = [r"TIME back=0 "]


def prepare(ctx):
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-static", "-pthread",
                    "-o", os.path.join(ctx.stage, "clock"),
                    os.path.join(ctx.stage, "clock.c")], check=True)
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"seconds={SECONDS}\n")


def on_line(ctx, text, seconds):
    if text.startswith("TIME mark "):
        ctx.data.setdefault("marks", []).append((seconds, float(text.split()[2])))


def check(ctx):
    marks = ctx.data.get("marks", [])
    if len(marks) < 4:
        return ["too few clock marks on the serial line"]
    # A mark can arrive late (the line is slow, the host busy) but never early: taking the least
    # delay among the first and among the last marks cancels that out.
    few = max(2, len(marks) // 7)
    host0, dom0 = min(marks[:few], key=lambda m: m[0] - m[1])
    host1, dom1 = min(marks[-few:], key=lambda m: m[0] - m[1])
    drift = (dom1 - dom0) / (host1 - host0) - 1
    print(f"     time: dom0's clock against the host's: {drift * 100:+.3f} % "
          f"over {host1 - host0:.0f} s")
    if abs(drift) > TOLERANCE:
        return [f"dom0's clock runs {drift * 100:+.3f} % against the host's"]
    return []
