#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The last table of make bench: Debian's kernel as a PVH guest beside bare Linux.

    pvhbench.py [HV=...] [FRESH=1] [ONLY="native xen wheeler"]

A micro dom0 (bench/pvhlinux.c) boots the kernel with bench/microbench.c as the only process, on one
processor under QEMU's -icount. Prints instructions per operation, and judges each operation, which
exits for nothing but the clock, against 1.05 of bare Linux; the boot, from the guest's first
instruction to its first process, is shown. Results are kept as bench.py keeps its own.
"""

import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench
import exitbench
import linux_guest
import vm

LIMIT = 1.05
TITLES = {"native": "bare Linux", "xen": "PVH on Debian's Xen", "wheeler": "PVH on Wheeler"}
BOOT = "boot to user space"
ELF = os.path.join(vm.BUILD, "guest", "pvhlinux.elf")
PIECES = os.path.join(bench.OUT, "pvhlinux.pieces")

PAGES = 512 << 8
TABLES = PAGES - 16    # frames behind the RAM the kernel is told of: start info, console
CONSOLE = PAGES - 1
INITRD = 256 << 20
MAGIC = 0x3148565048565057
START_MAGIC = 0x336ec578
PHYS32_ENTRY = 18
LINE = b"console=hvc0 panic=1 loglevel=5 norandmaps\0"


def loads(elf):
    """(segments [(physical address, bytes)], PVH entry) of a 64-bit ELF."""
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    segments, entry = [], None
    for n in range(count):
        kind, _, at, _, paddr, length, _, _ = struct.unpack_from("<IIQQQQQQ", elf, offset + n * size)
        if kind == 1:
            segments.append((paddr, elf[at:at + length]))
        elif kind == 4:
            entry = entry or note(elf[at:at + length])
    return segments, entry


def note(data):
    """The PVH entry in a segment of notes."""
    at = 0
    while at + 12 <= len(data):
        names, descs, kind = struct.unpack_from("<III", data, at)
        name = data[at + 12:at + 12 + names]
        at += 12 + (names + 3 & ~3)
        if name == b"Xen\0" and kind == PHYS32_ENTRY:
            return int.from_bytes(data[at:at + descs], "little")
        at += descs + 3 & ~3
    return None


def start_info(initrd_size):
    """The page with the start info and all it points to; public header arch-x86/hvm/start_info.h."""
    base = TABLES << 12
    modules, memmap, line = base + 64, base + 128, base + 256
    page = struct.pack("<IIIIQQQQII", START_MAGIC, 1, 0, 1, modules, line, 0, memmap, 2, 0)
    page = page.ljust(64, b"\0") + struct.pack("<QQQQ", INITRD, initrd_size, 0, 0)
    page = page.ljust(128, b"\0") + struct.pack("<QQII", 0, base, 1, 0)
    page += struct.pack("<QQII", base, 16 << 12, 2, 0)
    return page.ljust(256, b"\0") + LINE


def build_pieces():
    """The micro dom0's module: what goes where in the guest's memory."""
    unpacked = os.path.join(bench.OUT, "vmlinux")
    linux_guest.kernel(unpacked)
    with open(unpacked, "rb") as file:
        segments, entry = loads(file.read())
    with open(os.path.join(bench.OUT, "initrd.gz"), "rb") as file:
        initrd = file.read()
    pieces = segments + [(INITRD, initrd), (TABLES << 12, start_info(len(initrd)))]
    head = struct.pack("<6Q", MAGIC, PAGES, CONSOLE, entry, TABLES << 12, len(pieces))
    at = 4096
    body = b""
    for paddr, data in pieces:
        head += struct.pack("<3Q", paddr, at + len(body), len(data))
        body += data
    with open(PIECES, "wb") as file:
        file.write(head.ljust(at, b"\0") + body)


def machine_for(hv):
    machine = exitbench.machine_for(hv, ELF)
    machine.modules.append(PIECES)
    machine.mem = 1280
    machine.hvopt = "dom0_mem=256M,max:256M dom0_max_vcpus=1 noreboot"
    return machine


def table(results):
    """Prints it; the number of rows of Wheeler's over the limit."""
    over = 0
    names = [name for name in TITLES if name in results]
    print("\nDebian's kernel as a PVH guest: instructions per operation\n")
    print("| operation | " + " | ".join(TITLES[n] for n in names) + " | Wheeler to bare Linux | |")
    print("|---|" + "---:|" * (len(names) + 1) + "---|")
    for row in [BOOT] + [r for r in results["native"] if r not in ("boot to init",)]:
        cells = [results[n].get(row) for n in names]
        share, verdict = "", ""
        if row in results["native"] and row in results.get("wheeler", {}):
            ratio = results["wheeler"][row] / results["native"][row]
            share = f"{ratio:.3f}"
            verdict = "pass" if ratio <= LIMIT else "**FAIL**"
            if row in bench.INFORMATIVE:
                verdict = "(not judged)"
            over += verdict == "**FAIL**"
        print(f"| {row} | " + " | ".join("-" if c is None else f"{c:,}" for c in cells) +
              f" | {share} | {verdict} |")
    return over


def main():
    systems, only = bench.asked(list(TITLES))
    bench.build(ELF)
    inputs = bench.prepare()
    build_pieces()
    results = {}
    for name in ["native"] + [n for n in only if n != "native"]:
        if name == "native":
            rows = bench.attempt(name, bench.machine_for("native"), inputs, bench.run)
        else:
            rows = bench.attempt("pvh-" + name, machine_for(systems[name]), [ELF, PIECES],
                                 bench.run)
        if rows:
            results[name] = rows
    missing = [TITLES[n] for n in only if n not in results]
    over = table(results) if "native" in results else 0
    return bench.verdict(missing, "wheeler" in only, over, f"{over} rows over {LIMIT} of bare Linux")


if __name__ == "__main__":
    sys.exit(main())
