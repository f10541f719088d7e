# SPDX-License-Identifier: MIT
"""What the stock tools' create and destroy cost in instructions: measured for bench/bench.py."""

import os
import re
import shutil
import statistics

import vm

TIMEOUT = 900
VARIANTS = {"default": {"icount": True, "jump": True, "smp": 1, "mem": 1024, "d0opt": "norandmaps"}}


def prepare(ctx):
    ctx.guest("tick")
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), ctx.stage)


def rows(lines):
    """{what: instructions, the middle of those measured}"""
    found = {}
    for m in filter(None, map(re.compile(r"ROW (.*) (\d+)$").search, lines)):
        found.setdefault(m.group(1), []).append(int(m.group(2)))
    return {name: int(statistics.median(values)) for name, values in found.items()}


def check(ctx):
    got = rows(ctx.lines())
    for name, value in got.items():
        print(f"     {name}: {value:,}")
    return [] if len(got) == 4 else ["not all was measured"]
