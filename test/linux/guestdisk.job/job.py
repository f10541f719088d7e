# SPDX-License-Identifier: MIT
"""ext4 in a guest, PV or PVH, under fio's verified load (xen-blkback on a block device), while a
second disk (on a file) is plugged in, used and unplugged and dom0's vCPUs come and go: every block
reads as it was written, the checksums of files are equal in the guest and outside, fsck finds
nothing."""

import hashlib
import os
import subprocess

import linux_guest

SECONDS = int(os.environ.get("GUESTDISK_SECONDS", "600"))
TIMEOUT = 2 * SECONDS + 900
VARIANTS = {"pv": {}, "pvh": {"hvm": True}}
QUICK = ["pv"]
EXPECT = [r"DISK fio passes [1-9]", r"DISK dom0 had 1 and 2 vCPUs, plugged ([2-9]|\d\d+) times",
          r"DISK fsck of the first ok", r"DISK fsck of the second ok", r"DISK second disk ok",
          r"DISK end"]
# A size that no other disk has: run.sh finds its disk by that.
MIB = 299
ENV = {**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ.get("PATH", "")}


def checksum(tree, *folders):
    """As `find FOLDERS -type f | sort | xargs sha256sum | sha256sum` says it in that folder."""
    paths = [os.path.relpath(os.path.join(d, name), tree) for folder in folders
             for d, _, names in os.walk(os.path.join(tree, folder)) for name in names]
    total = hashlib.sha256()
    for path in sorted(paths):
        with open(os.path.join(tree, path), "rb") as file:
            total.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path}\n".encode())
    return total.hexdigest()


def prepare(ctx):
    linux_guest.kernel(os.path.join(ctx.stage, "vmlinux"))
    linux_guest.ramdisk(os.path.join(ctx.stage, "disk.ramdisk"), None,
                        ["xen-blkfront", "crc32c-generic", "ext4"])
    tree = os.path.join(ctx.work, "tree")
    linux_guest.Base().programs(tree, ["fio"])
    os.makedirs(os.path.join(tree, "load"))
    disk = os.path.join(ctx.work, "guest.img")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, disk, f"{MIB}M"], check=True, env=ENV,
                   stdout=subprocess.DEVNULL)
    ctx.data = {"disk": disk, "programs": checksum(tree, "usr")}
    ctx.machine.disks.append((disk, False))
    with open(os.path.join(ctx.stage, "sizes"), "w", encoding="ascii") as file:
        file.write(f"mib={MIB}\nseconds={SECONDS}\nkind={ctx.variant}\n")


def check(ctx):
    reasons = linux_guest.leaks(ctx, "DISK")
    disk, tree = ctx.data["disk"], os.path.join(ctx.work, "outside")
    fsck = subprocess.run(["e2fsck", "-fn", disk], env=ENV, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if fsck.returncode:
        reasons.append(f"the host's fsck of the guest's disk: {fsck.stdout[-300:]}")
    os.mkdir(tree)
    subprocess.run(["debugfs", "-R", f"rdump usr load {tree}", disk], env=ENV, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loads = len(os.listdir(os.path.join(tree, "load")))
    said = {m.group(1): m.group(2) for m in ctx.find(r"DISK (programs|files) ([0-9a-f]{64})")}
    want = {"programs": ctx.data["programs"], "files": checksum(tree, "usr", "load")}
    if loads != 2 or said != want or checksum(tree, "usr") != want["programs"]:
        reasons.append(f"the guest said {said}; outside {loads} files of the load and {want}")
    return reasons
