# SPDX-License-Identifier: MIT
"""A driver domain: a PV guest serves two clients' network interfaces (xen-netback, a bridge, `xl
devd`) and one's disk (xen-blkback). It is killed under traffic and made again; its clients live on
and reconnect, a bystander with devices from dom0 sees nothing of it, and nothing is lost."""

import os

import linux_guest

TIMEOUT = 4000
VARIANTS = {"two": {"icount": True}, "twenty": {"icount": True}}
QUICK = ["two"]
ROUNDS = {"two": 2, "twenty": 20}
EXPECT = [r"DRV bystander complaints 0\b", r"DRV end"]
AUDIT = r"DRV %s .*audit: \d+ frames, \d+ tables \(\d+ pinned\), (\d+) frames held .* (\d+) errors"
# What the console and the store keep of each client when its back end is dead.
HELD = r"DRV killed \d+ .*d[34]: grant table of .* (\d+) entries in use, (\d+) writers"
# The bystander works every 0.2 s; the longest pause is that of a domain's making on a busy machine.
GAP_SECONDS = 2


def prepare(ctx):
    def path(name):
        return os.path.join(ctx.stage, name)

    with open(path("disk.img"), "wb") as file:
        file.write(os.urandom(4 << 20))
    linux_guest.kernel(path("vmlinux"))
    linux_guest.driver_domain(path("drv.ramdisk"), {"srv/disk.img": path("disk.img")})
    fronts = ["xen-netfront", "xen-blkfront"]
    linux_guest.ramdisk(path("client.ramdisk"), path("client-start"), fronts)
    linux_guest.ramdisk(path("by.ramdisk"), path("by-start"), fronts)
    with open(path("rounds"), "w", encoding="ascii") as file:
        file.write(f"rounds={ROUNDS[ctx.variant]}\n")


def numbers(ctx, pattern):
    return [tuple(map(int, m.groups())) for m in ctx.find(pattern)]


def check(ctx):
    rounds = ROUNDS[ctx.variant]
    reasons = [m.group(0) for m in ctx.find(r"DRV failed: .*")]
    for what, times in ((r"DRV reconnected", rounds), (r"DRV exchange ok", rounds + 1),
                        (r"DRV disk read ok", rounds + 1)):
        if len(ctx.find(what)) != times:
            reasons.append(f"'{what}' {len(ctx.find(what))} times, not {times}")
    killed = [n for n, in numbers(ctx, r"DRV killed \d+ free (\d+)")]
    if len(killed) != rounds or max(killed) - min(killed) > 1:
        reasons.append(f"free memory after each kill: {killed}")
    free = [n for n, in numbers(ctx, r"DRV free (?:before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    lines, bad, gap = (numbers(ctx, r"DRV bystander lines (\d+) bad (\d+) longest gap (\d+)")
                       or [(0, 0, 0)])[0]
    if lines < 10 * rounds or bad or gap > GAP_SECONDS:
        reasons.append(f"bystander: {lines} lines, {bad} bad, a gap of {gap} s")
    if ctx.machine.hv == "xen":
        return reasons
    held = numbers(ctx, AUDIT % "before") + numbers(ctx, AUDIT % "after")
    if len(held) != 2 or held[0] != held[1] or held[1][1]:
        reasons.append(f"audit, (frames held from elsewhere, errors) before and after: {held}")
    used = numbers(ctx, HELD)
    if len(used) != 2 * rounds or any(entries > 2 for entries, _ in used):
        reasons.append(f"grants of the clients (entries, writers) when drv is dead: {used}")
    return reasons
