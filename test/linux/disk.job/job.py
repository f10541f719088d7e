# SPDX-License-Identifier: MIT
"""dom0 reads a disk the host made and writes one the host reads: both bit-exact, through
virtio-blk, AHCI and NVMe, with message-signalled and with legacy interrupts."""

import hashlib
import os
import re

MIB = int(os.environ.get("DISK_MIB", "512"))
TIMEOUT = 600
VARIANTS = {
    "virtio": {"disk": "virtio"},
    "ahci": {"disk": "ahci"},
    "nvme": {"disk": "nvme"},
    "virtio-nomsi": {"disk": "virtio", "d0opt": "pci=nomsi"},
    "ahci-nomsi": {"disk": "ahci", "d0opt": "pci=nomsi"},
    "nvme-nomsi": {"disk": "nvme", "d0opt": "pci=nomsi"},
    "ahci-pc": {"disk": "ahci", "mach": "pc"},
}
QUICK = ["virtio", "ahci-nomsi", "nvme"]
EXPECT = [r"DISK done"]

# Sizes that no other disk of the machine has tell run.sh which disk is which.
READ_EXTRA, WRITE_EXTRA = 3, 5


def prepare(ctx):
    source = os.path.join(ctx.work, "source.img")
    target = os.path.join(ctx.work, "target.img")
    total = hashlib.sha256()
    with open(source, "wb") as file:
        for n in range(MIB + READ_EXTRA):
            block = hashlib.shake_128(n.to_bytes(4, "little")).digest(1 << 20)
            total.update(block)
            file.write(block)
    with open(target, "wb") as file:
        file.truncate((MIB + WRITE_EXTRA) << 20)
    ctx.data = {"source": total.hexdigest(), "target": target}
    with open(os.path.join(ctx.stage, "sizes"), "w", encoding="ascii") as file:
        file.write(f"read_mib={MIB + READ_EXTRA}\nwrite_mib={MIB + WRITE_EXTRA}\n")
    ctx.machine.disks += [(source, True), (target, False)]


def check(ctx):
    reasons = []
    seen = {m.group(1): m.group(2) for m in ctx.find(r"DISK (read|wrote) sha256=(\w+)")}
    with open(ctx.data["target"], "rb") as file:
        written = hashlib.file_digest(file, "sha256").hexdigest()
    if seen.get("read") != ctx.data["source"]:
        reasons.append(f"dom0 read {seen.get('read')}, the host made {ctx.data['source']}")
    if seen.get("wrote") != written:
        reasons.append(f"dom0 wrote {seen.get('wrote')}, the host finds {written}")
    irqs = [m.group(1) for m in ctx.find(r"DISK irq (.*)")]
    legacy = "nomsi" in ctx.machine.d0opt
    if not irqs:
        reasons.append("no interrupt line of the disk in /proc/interrupts")
    elif legacy == any(re.search("msi", line, re.I) for line in irqs):
        reasons.append(f"interrupts are not {'legacy' if legacy else 'MSI'}: {irqs[0]}")
    return reasons
