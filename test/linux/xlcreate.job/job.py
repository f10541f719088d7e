# SPDX-License-Identifier: MIT
"""A PV guest with Debian's kernel under the stock tools: `xl create`, pause, pin, weight, rename,
save and restore, shutdown, destroy; its memory comes back and the frames' audit is clean. With
either of Debian's xenstore daemons, xenstored and oxenstored, which hear of each domain."""

import os

import linux_guest

TIMEOUT = 400
STORES = {"up": "xenstored", "smp": "xenstored", "oxen": "oxenstored"}
VARIANTS = {name: {"d0opt": f"xenstored={store}"} for name, store in STORES.items()}
QUICK = ["smp", "oxen"]
# The first line of each watch comes at once; then at least one for each of seven guests.
HEARD_MIN = 8
EXPECT = [r"CREATE paused flags --p---", r"CREATE the guest ticks",
          r"CREATE lines on its console 8000$",
          r"GUEST is xen/PV cpus=\d uuid=[0-9a-f]{8}-", r"pv1 +\d+ +300",
          r"CREATE the restored guest ticks", r"CREATE domains left 1, in xenstore 0$",
          r"audit: \d+ frames, .* 0 errors"]


def prepare(ctx):
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "guest.ramdisk"),
                        os.path.join(ctx.job.path, "start"))
    with open(os.path.join(ctx.stage, "knobs"), "w", encoding="ascii") as file:
        file.write(f"vcpus={1 if ctx.variant == 'up' else 2}\n")


def check(ctx):
    reasons = [f"failed: {m.group(2)} (rc {m.group(1)})"
               for m in ctx.find(r"XL rc=(\d+) (.*)") if m.group(1) != "0"]
    free = [int(m.group(2)) for m in ctx.find(r"CREATE free (before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    store = STORES[ctx.variant]
    if not ctx.find(rf"CREATE xenstore {store}$"):
        reasons.append(f"the xenstore daemon is not {store}")
    heard = [tuple(map(int, m.groups())) for m in
             ctx.find(r"CREATE introduced (\d+), released (\d+)")]
    if not heard or min(heard[0]) < HEARD_MIN:
        reasons.append(f"xenstore heard of domains (introduced, released): {heard}")
    return reasons
