# SPDX-License-Identifier: MIT
"""A machine under Bochs instead of QEMU: an Intel processor with VT-x, which QEMU's software
emulation has not. As vm.Vm to those who watch it: lines, elapsed(), pump(), note(), ended.

It boots from a CD image with GRUB; disks are on two IDE channels. Slow: some ten million
instructions a second. Bochs 2.7 draws its text screen on a terminal that it opens itself and stops
when nobody reads it, so we do.

Its XSAVEC puts the AVX state where its XRSTOR does not look, so that Linux would lose registers in
a process switch: kernels are told to do without.
"""

import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
import time

import vm

CONFIG = """\
megs: {mem}
cpu: model=corei7_skylake_x, count=1, ips=50000000
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
vga: extension=none, update_freq=1
display_library: term
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
{disks}
boot: cdrom
com1: enabled=1, mode=file, dev={work}/serial
log: {work}/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
clock: sync=none, time0=1700000000
"""
NO_XSAVEC = "clearcpuid=xsavec,xsaves"
PLACES = ["ata0-master", "ata0-slave", "ata1-slave"]
CYLINDER = 16 * 63 * 512


class Bochs(vm.Vm):
    """A running machine."""

    def __init__(self, machine, log_path=None, echo=False):
        self._begin(machine, log_path, echo)
        self.work = tempfile.mkdtemp(prefix="wheeler-bochs-")
        machine = dataclasses.replace(machine, d0opt=f"{machine.d0opt} {NO_XSAVEC}".strip())
        vm.make_iso(machine, os.path.join(self.work, "boot.iso"), self.work)
        disks = ["ata1-master: type=cdrom, path=%s/boot.iso, status=inserted" % self.work]
        for place, (path, _) in zip(PLACES, [(machine.root_disk, True)] + machine.disks):
            disks.append(f"{place}: type=disk, mode=flat, path={self._disk(place, path)}")
        with open(os.path.join(self.work, "rc"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(mem=machine.mem, work=self.work, disks="\n".join(disks)))
        with open(os.path.join(self.work, "commands"), "w", encoding="ascii") as file:
            file.write("c\n")
        open(os.path.join(self.work, "serial"), "wb").close()
        self._serial = open(os.path.join(self.work, "serial"), "rb")
        self._screen = None
        self.start = time.monotonic()
        command = "TERM=xterm bochs-bin -q -f rc -rc commands"
        with open(os.path.join(self.work, "output"), "wb") as out:
            self.process = subprocess.Popen(["script", "-qc", command, "/dev/null"], cwd=self.work,
                                            stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=vm.die_with_parent)

    def _disk(self, place, path):
        """A copy of ours, whole cylinders long."""
        copy = os.path.join(self.work, place + ".img")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", path, copy], check=True)
        size = os.path.getsize(copy)
        os.truncate(copy, (size + CYLINDER - 1) // CYLINDER * CYLINDER)
        return copy

    def _read_screen(self):
        """Empty the terminal that the screen is drawn on."""
        if self._screen is None:
            with open(os.path.join(self.work, "output"), "rb") as file:
                match = re.search(rb'screen "(/dev/pts/\d+)"', file.read())
            if not match:
                return
            self._screen = os.open(match.group(1), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            while os.read(self._screen, 65536):
                pass
        except OSError:
            pass

    def pump(self, seconds):
        time.sleep(min(seconds, 0.5))
        self._read_screen()
        alive = self.process.poll() is None
        *whole, self._partial = (self._partial + self._serial.read()).split(b"\n")
        for raw in whole:
            self._add_line(raw)
        if not alive and not self.closed:
            self.closed = True
            with open(os.path.join(self.work, "log"), encoding="utf-8", errors="replace") as file:
                end = file.read()[-4000:]
            self.ended = "guest-shutdown" if "soft power off" in end else ""
            self.note("bochs: " + end[-600:])
        return not self.closed

    def monitor(self, command, seconds=5):
        return ""

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
        self.process.wait()
        if self._screen is not None:
            os.close(self._screen)
        self._serial.close()
        if self._log:
            self._log.close()
            self._log = None
        shutil.rmtree(self.work)
