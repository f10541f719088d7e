#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot the hypervisor with bad input: each case must name the fault and the value on the serial
line, then halt (with `noreboot`) or reset the machine (without).

    badinput.py [HV=...] [CASE...]

With HV=xen only the manner of ending is checked: its messages are its own.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import vm

LOGS = os.path.join(vm.BUILD, "linux")
TIMEOUT = 60
PLAIN_ELF = b"""
int main(void) { return 0; }
"""


def kernel():
    with open(os.path.join(vm.IMAGE, "vmlinuz"), "rb") as file:
        return bytearray(file.read())


def garbage(path):
    with open(path, "wb") as file:
        file.write(b"neither a kernel nor an ELF file\n" * 4000)


def truncated(path):
    with open(path, "wb") as file:
        file.write(kernel()[:1 << 20])


def corrupted(path):
    """Flip one byte in the middle of the compressed payload."""
    image = kernel()
    image[len(image) // 2] ^= 0x55
    with open(path, "wb") as file:
        file.write(image)


def empty(path):
    with open(path, "wb"):
        pass


def plain_elf(path):
    subprocess.run(["gcc", "-static", "-x", "c", "-o", path, "-"], input=PLAIN_ELF, check=True)


def hpet_table(address):
    """The HPET table behind its header: block id, address in memory, number, tick, protection."""
    return struct.pack("<I4BQBHB", 0x8086a201, 0, 64, 0, 0, address, 0, 0, 0)


# name: (what the serial line must say, one pattern a line, fields of the machine, maker of the
# first module). "tables" are ACPI tables by signature.
CASES = {
    "no-modules": (r"no modules.*\b0 modules", {"modules": []}, None),
    "garbage-module": (r"first module.*\d+ bytes.*neither a bzImage nor", {}, garbage),
    "empty-module": (r"first module is empty", {}, empty),
    "truncated-bzimage": (r"bzImage.*(truncated|ends|outside|beyond|bytes).*\d", {}, truncated),
    "corrupted-payload": (r"corrupted xz payload.*0x[0-9a-f]+", {}, corrupted),
    "elf-without-notes": (r"no Xen notes", {}, plain_elf),
    "dom0-mem-too-large": (r"dom0_mem.*\d+ [KM]iB",
                           {"hvopt": "dom0_mem=65536M"}, None),
    "little-memory": (r"(not enough memory|dom0_mem|memory).*\d+ MiB", {"mem": 64}, None),
    # Beyond the processor's physical addresses: it says so and goes on, here to the end of memory.
    "hpet-out-of-reach": (r"HPET at 0x200000000000 cannot be mapped" "\n"
                          r"clock: TSC .* by ACPI PM timer" "\n" r"option dom0_mem.*\d+ KiB",
                          {"mach": "q35,hpet=off", "tables": {"HPET": hpet_table(1 << 45)},
                           "hvopt": "dom0_mem=65536M"}, None),
    "malformed-option": (r"option dom0_mem.*12Q", {"hvopt": "dom0_mem=12Q"}, None),
}
# The case that is also tried without noreboot.
RESETS = "garbage-module"


def halted(machine):
    """Are all CPUs halted, or waiting with interrupts off?"""
    states = re.findall(r"HLT=(\d)", machine.monitor("info registers -a"))
    return bool(states) and all(state == "1" for state in states)


def run_case(name, base, reset):
    """Boot one case; returns a reason to fail or None."""
    pattern, fields, maker = CASES[name]
    machine = vm.dataclasses.replace(base, mem=1024, smp=2, root_disk="")
    for key, value in fields.items():
        if key != "tables":
            setattr(machine, key, value)
    machine.hvopt = f"{machine.hvopt} {'' if reset else 'noreboot'}".strip()
    if machine.hv == "xen":
        pattern = r"Panic on CPU|panic|halted|Unable|."
    log = os.path.join(LOGS, f"badinput-{name}{'-reset' if reset else ''}.log")
    with tempfile.TemporaryDirectory(prefix="wheeler-bad-") as work:
        if maker:
            path = os.path.join(work, "module")
            maker(path)
            machine.modules = [path, os.path.join(vm.IMAGE, "initrd.gz")]
        for signature, data in fields.get("tables", {}).items():
            path = os.path.join(work, signature)
            with open(path, "wb") as file:
                file.write(data)
            machine.extra = machine.extra + ["-acpitable",
                                             f"sig={signature},data={vm.escape(path)}"]
        with vm.Vm(machine, log) as m:
            for line in pattern.split("\n"):
                if not m.wait_for(line, TIMEOUT):
                    return f"the serial line never says /{line}/ (log: {log})"
            end = m.elapsed() + 20
            while m.pump(0.5) and m.elapsed() < end:
                if not reset and halted(m):
                    break
            still_up = not m.closed
        if reset and m.ended != "guest-reset":
            return f"the machine was not reset (QEMU: '{m.ended or 'still running'}')"
        if not reset and not still_up:
            return f"the machine did not stay halted (QEMU: '{m.ended}')"
    return None


def main():
    names = []
    for arg in sys.argv[1:]:
        key, equals, value = arg.partition("=")
        if equals:
            os.environ[key] = value
        else:
            names.append(arg)
    os.makedirs(LOGS, exist_ok=True)
    base = vm.knobs()
    try:
        base.hypervisor()
    except FileNotFoundError as error:
        print(f"badinput.py: {error}", file=sys.stderr)
        return 2
    failed = 0
    runs = [(name, False) for name in names or CASES]
    if not names:
        runs.append((RESETS, True))
    for name, reset in runs:
        reason = run_case(name, base, reset)
        print(f"{'FAIL' if reason else 'PASS'} badinput:{name}{' (reset)' if reset else ''}"
              + (f"\n     {reason}" if reason else ""), flush=True)
        failed += bool(reason)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
