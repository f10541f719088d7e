# SPDX-License-Identifier: MIT
"""A PVH guest of Debian's kernel under the stock tools: its life, processors, memory, disk and
network; in all sizes; under stress-ng. Its memory comes back. Says that it skips on a machine
without SVM or VT-x. Variant "up" asks for no more than a machine with one CPU has."""

import os
import shutil

import linux_guest
import vm

STRESS = int(os.environ.get("STRESS_SECONDS", "180"))
VARIANTS = {
    "smp": {"part": "io life", "hvm": True},
    "up": {"part": "life", "hvm": True},
    "nosvm": {"part": "life", "cpu": "max,-svm"},
    "sizes": {"part": "sizes", "smp": 4, "mem": 4096, "d0mem": 768, "hvm": True},
    "stress": {"part": "stress", "smp": 2, "hvopt": "loglvl=all guest_loglvl=all", "hvm": True},
}
PARTS = {name: fields.pop("part") for name, fields in VARIANTS.items()}
QUICK = ["smp"]
TIMEOUT = 1800 + 4 * STRESS
SAYS = {
    "life": ["saved and restored ok", "life ok"],
    "io": ["disk ok", "network ok", "vcpu-set ok", "mem-set ok"],
    "sizes": [rf"{mib} MiB, {vcpus} vCPUs ok" for mib in (128, 256, 512, 1024, 2048)
              for vcpus in (1, 2, 4)],
    "stress": ["stress-ng ok"],
}
SKIPS = r"PVH skipped: the machine has neither SVM nor VT-x"


def prepare(ctx):
    part, path = PARTS[ctx.variant], ctx.stage
    drivers, files, programs = [], {}, ()
    if "io" in part:
        ctx.tool("stream")
        drivers = ["xen-blkfront", "xen-netfront"]
        files = {"usr/bin/stream": os.path.join(path, "stream")}
    elif part == "stress":
        programs = ("stress-ng", "setpriv")
        files = {"usr/bin/stress-all": os.path.join(path, "lib", "stress-all")}
    shutil.copy(os.path.join(vm.IMAGE, "vmlinuz"), path)
    linux_guest.kernel(os.path.join(path, "vmlinux"))
    linux_guest.ramdisk(os.path.join(path, "pvh.ramdisk"), None, drivers, programs, files)
    with open(os.path.join(path, "knobs"), "w", encoding="ascii") as file:
        file.write(f"parts='{part}'\nvcpus={1 if ctx.variant == 'up' else 2}\nseconds={STRESS}\n")
        # With its default Debian's Xen stops under this emulation.
        file.write("tsc='tsc_mode = \"native\"'\n" if ctx.machine.hv == "xen" else "tsc=\n")


def check(ctx):
    if ctx.variant == "nosvm":
        return [] if ctx.find(SKIPS) else [f"missing: {SKIPS}"]
    wanted = [p for part in PARTS[ctx.variant].split() for p in SAYS[part]] + ["end"]
    return [f"missing: {p}" for p in wanted if not ctx.find(rf"PVH {p}$")] + \
        linux_guest.leaks(ctx, "PVH")
