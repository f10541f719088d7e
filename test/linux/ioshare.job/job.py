# SPDX-License-Identifier: MIT
"""A PV guest of two vCPUs with disks and network interfaces from dom0: what the stock drivers
negotiate (queues, persistent grants, indirect descriptors) is used, rate= of an interface holds,
and so does io.max on the threads that serve a disk."""

import os

import linux_guest

TIMEOUT = 900
VARIANTS = {"default": {"icount": True}}
EXPECT = [r"SHARE key vif multi-queue-num-queues = 2", r"SHARE key vif request-rx-copy = 1",
          r"SHARE key vif feature-gso-tcpv4 = 1", r"SHARE key vbd multi-queue-num-queues = 2",
          r"SHARE key vbd front feature-persistent = 1",
          r"SHARE key vbd back feature-persistent = 1",
          r"SHARE key vbd feature-max-indirect-segments = [1-9]", r"SHARE disk by queue 0 ok",
          r"SHARE disk by queue 1 ok", r"SHARE flows ok", r"SHARE end"]
PLAIN_SECTORS = 11 * 8  # eleven segments of a page: more needs indirect descriptors
RATE_KIB = 1000         # what both limits are set to, per second


def prepare(ctx):
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "io.ramdisk"), os.path.join(ctx.stage, "start"),
                        ["xen-netfront", "xen-blkfront"])


def number(ctx, what):
    """The number after the line's words; -1 if there is none."""
    found = ctx.find(rf"SHARE {what} (\d+)")
    return int(found[0].group(1)) if found else -1


def check(ctx):
    reasons = [m.group(0) for m in ctx.find(r"SHARE failed: .*")]
    if number(ctx, "sectors in a request") <= PLAIN_SECTORS:
        reasons.append("no request had more than a plain one's segments")
    for what, count in (("disk", 2), ("network", 4)):
        rang = ctx.find(rf"SHARE {what} queues rang((?: \d+)+)")
        times = [int(n) for n in rang[0].group(1).split()[:count]] if rang else []
        if len(times) != count or min(times) < 10:
            reasons.append(f"{what} queues rang {times} times")
    for what in ("net", "disk"):
        limited, free = number(ctx, f"{what} limited"), number(ctx, f"{what} free")
        if not RATE_KIB * 0.8 <= limited <= RATE_KIB * 1.1:
            reasons.append(f"{what}: limited to {RATE_KIB} KiB/s, it did {limited}")
        if free < 3 * RATE_KIB:
            reasons.append(f"{what}: {free} KiB/s without a limit")
    if number(ctx, "disk beside it") < 3 * RATE_KIB:
        reasons.append("the limit is on the guest's other disk too")
    return reasons
