# SPDX-License-Identifier: MIT
"""One QEMU machine that boots a hypervisor (or bare Linux) with the project's dom0 image.

`Machine` holds the knobs and turns them into a QEMU command line. `Vm` runs one without a terminal:
its serial line and its control channel are socket pairs, every serial line is kept with the host's
time, and QEMU dies with us. run_qemu.py, linux_job.py, the bad-input cases and the benchmarks all
boot through here.
"""

import ctypes
import dataclasses
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
IMAGE = os.path.join(BUILD, "image")
QEMU = os.environ.get("QEMU", "qemu-system-x86_64")


def escape(text):
    """QEMU reads a comma in an option's value or a module's line as a separator: double it."""
    return text.replace(",", ",,")


@dataclasses.dataclass
class Machine:
    """What to boot and on what. Sizes are MiB; hv is 'native', 'xen' or the path of an ELF."""
    hv: str = os.path.join(BUILD, "wheeler.elf")
    cpu: str = "max"
    mach: str = "q35"
    smp: int = 2
    mem: int = 2048
    d0mem: int = 0
    hvopt: str = ""
    d0opt: str = ""
    disk: str = "virtio"
    nic: str = ""
    accel: str = "tcg"
    icount: bool = False
    # With icount: the clock jumps to the next timer when all CPUs are idle. Else that takes its
    # time, and a disk that the host has to wait for is not late by the machine's clock.
    jump: bool = False
    hvm: bool = False  # hardware-assisted guests run: see command()
    kernel: str = ""
    initrd: str = ""
    iso: str = ""
    iso_is_disk: bool = False
    root_disk: str = os.path.join(IMAGE, "dom0.img")
    snapshot: bool = True
    modules: list = None
    disks: list = dataclasses.field(default_factory=list)
    extra: list = dataclasses.field(default_factory=list)

    def hypervisor(self):
        """The ELF to boot, or None for bare Linux."""
        if self.hv == "native":
            return None
        path = os.path.join(IMAGE, "xen.elf") if self.hv == "xen" else self.hv
        if not os.path.exists(path):
            raise FileNotFoundError(f"no hypervisor at {path} (HV=FILE, HV=xen or HV=native)")
        return path

    def effective_cpu(self):
        """Debian's Xen does not survive the SMAP of QEMU's software emulation: mask it there."""
        if self.hv == "xen" and self.accel == "tcg" and self.cpu == "max":
            return "max,-smap,-smep"
        return self.cpu

    def _disk_args(self):
        disks = [(self.root_disk, self.snapshot)] if self.root_disk else []
        disks += self.disks
        args = ["-device", "ahci,id=sata"] if self.disk == "ahci" and disks else []
        for n, (path, snapshot) in enumerate(disks):
            # Where the host's time is not the machine's, it does not wait for the host's disk.
            cache = "unsafe" if self.icount else "writeback"
            args += ["-drive", f"if=none,id=disk{n},file={escape(path)},format=raw,cache={cache},"
                     f"snapshot={'on' if snapshot else 'off'}"]
            device = {"virtio": f"virtio-blk-pci,drive=disk{n}",
                      "ahci": f"ide-hd,drive=disk{n},bus=sata.{n}",
                      "nvme": f"nvme,serial=wheeler{n},drive=disk{n}"}[self.disk]
            args += ["-device", device]
        return args

    def _nic_args(self):
        if not self.nic:
            return ["-nic", "none"]
        model = {"virtio": "virtio-net-pci", "e1000": "e1000"}[self.nic]
        return ["-netdev", "user,id=net0", "-device", f"{model},netdev=net0"]

    def _boot_args(self):
        if self.iso and self.iso_is_disk:
            return ["-drive", f"if=none,id=boot,file={escape(self.iso)},format=raw,snapshot=on",
                    "-device", "ide-hd,drive=boot,bootindex=0"]
        if self.iso:
            return ["-cdrom", self.iso, "-boot", "d"]
        kernel = self.kernel or os.path.join(IMAGE, "vmlinuz")
        initrd = self.initrd or os.path.join(IMAGE, "initrd.gz")
        hypervisor = self.hypervisor()
        base = "panic=1 loglevel=5"
        if hypervisor is None:
            line = f"console=ttyS0 {base} {self.d0opt}".strip()
            return ["-kernel", kernel, "-initrd", initrd, "-append", line]
        line = "com1=115200 console=com1"
        if self.d0mem:
            line += f" dom0_mem={self.d0mem}M,max:{self.d0mem}M"
        modules = self.modules
        if modules is None:
            modules = [f"{kernel} console=hvc0 {base} {self.d0opt}".strip(), initrd]
        args = ["-kernel", hypervisor, "-append", f"{line} {self.hvopt}".strip()]
        if modules:
            args += ["-initrd", ",".join(escape(m) for m in modules)]
        return args

    def command(self):
        """QEMU's command line, all but its consoles. In QEMU 7.2 a CPU that loads x87 state writes
        the first CPU's hflags2 (cpu_clear_ignne) without a lock: a VMRUN or an exit on that one at
        the same time goes wrong, and its guest dies. One thread for all CPUs keeps it from that."""
        threads = ",thread=single" if self.hvm and self.accel == "tcg" else ""
        args = [QEMU, "-accel", self.accel + threads, "-cpu", self.effective_cpu(), "-M", self.mach,
                "-smp", str(self.smp), "-m", str(self.mem), "-display", "none"]
        if self.icount:
            args += ["-icount", f"shift=0,sleep={'off' if self.jump else 'on'}"]
        return args + self._boot_args() + self._disk_args() + self._nic_args() + self.extra


def add_guests(machine):
    """The disks of the guests that dom0 starts by itself, a PV and a PVH one: the same, unless what
    they write is kept. With its default for TSCs Debian's Xen has no PVH guest under emulation."""
    disk = os.path.join(IMAGE, "guest.img")
    machine.disks.append((disk, machine.snapshot))
    if machine.hv == "xen":
        return
    machine.hvm = "-svm" not in machine.cpu
    if not machine.snapshot:
        second = os.path.join(IMAGE, "guest2.img")
        if not os.path.exists(second):
            shutil.copyfile(disk, second)
        disk = second
    machine.disks.append((disk, machine.snapshot))


def make_iso(machine, path, work, entry="multiboot2"):
    """A CD image that boots the machine's hypervisor and dom0 by this entry of GRUB's menu."""
    packed = os.path.join(work, "hypervisor.gz")
    with open(packed, "wb") as file:
        subprocess.run(["gzip", "-1", "-c", machine.hypervisor()], check=True, stdout=file)
    line = f"{machine.hvopt} dom0_mem={machine.d0mem}M,max:{machine.d0mem}M".strip()
    subprocess.run([os.path.join(TOP, "image", "iso.sh"), path], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "HVGZ": packed, "ENTRY": entry, "SECONDS_SHOWN": "0",
                        "KERNEL": os.path.join(IMAGE, "vmlinuz"),
                        "INITRD": os.path.join(IMAGE, "initrd.gz"),
                        "HVOPT": line, "D0OPT": machine.d0opt})


def die_with_parent():
    """In the child, before exec: have the kernel kill it when we die."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Vm:
    """A running machine. Attributes: lines, a list of (seconds since start, text); ended, QEMU's
    word for how it ended ('guest-shutdown', 'guest-reset', '' when it did not say)."""

    def __init__(self, machine, log_path=None, echo=False):
        self._begin(machine, log_path, echo)
        self._qmp_buffer = b""
        self._qmp_replies = []
        self.serial, serial_far = socket.socketpair()
        self.qmp, qmp_far = socket.socketpair()
        fds = (serial_far.fileno(), qmp_far.fileno())
        cmd = machine.command() + ["-no-reboot"]
        for name, fd in zip(("serial", "qmp"), fds):
            cmd += ["-chardev", f"socket,id={name},fd={fd}"]
        cmd += ["-serial", "chardev:serial", "-mon", "chardev=qmp,mode=control"]
        if self._log:
            self._log.write("# " + " ".join(cmd) + "\n")
        self.start = time.monotonic()
        self.process = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=fds,
                                        preexec_fn=die_with_parent)
        serial_far.close()
        qmp_far.close()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.serial, selectors.EVENT_READ, self._serial_input)
        self._selector.register(self.qmp, selectors.EVENT_READ, self._qmp_input)
        self.qmp.sendall(b'{"execute":"qmp_capabilities"}\n')

    def _begin(self, machine, log_path, echo):
        self.machine = machine
        self.lines = []
        self.ended = ""
        self.echo = echo
        self.closed = False
        self._partial = b""
        self._log = open(log_path, "w", encoding="utf-8") if log_path else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def elapsed(self):
        return time.monotonic() - self.start

    def _add_line(self, raw):
        text = raw.decode("utf-8", "replace").replace("\r", "")
        self.lines.append((self.elapsed(), text))
        if self._log:
            self._log.write(f"[{self.lines[-1][0]:8.3f}] {text}\n")
            self._log.flush()
        if self.echo:
            print(text, flush=True)

    def _serial_input(self):
        try:
            data = self.serial.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(self.serial)
            self.closed = True
            return
        *whole, self._partial = (self._partial + data).split(b"\n")
        for raw in whole:
            self._add_line(raw)

    def _qmp_input(self):
        try:
            data = self.qmp.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(self.qmp)
            return
        *whole, self._qmp_buffer = (self._qmp_buffer + data).split(b"\n")
        for raw in whole:
            message = json.loads(raw)
            if message.get("event") == "SHUTDOWN":
                self.ended = message["data"].get("reason", "")
            elif "return" in message:
                self._qmp_replies.append(message["return"])

    def pump(self, seconds):
        """Take in what arrives, for at most that long. Returns False once QEMU is gone."""
        for key, _ in self._selector.select(max(0, seconds)):
            key.data()
        return not self.closed

    def send(self, data):
        """Type into the serial line. Paced: a UART's FIFO is short and an unread key is lost."""
        for byte in data:
            self.serial.sendall(bytes([byte]))
            self.pump(0.05)

    def monitor(self, command, seconds=5):
        """Run a human-monitor command and return its text (empty if QEMU does not answer)."""
        seen = len(self._qmp_replies)
        request = {"execute": "human-monitor-command", "arguments": {"command-line": command}}
        try:
            self.qmp.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            return ""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.pump(0.1):
            replies = [r for r in self._qmp_replies[seen:] if isinstance(r, str)]
            if replies:
                return replies[0]
        return ""

    def note(self, text):
        """Write a line of the host's into the log file."""
        if self._log:
            self._log.write(f"[{self.elapsed():8.3f}] # {text}\n")
            self._log.flush()

    def wait_for(self, pattern, seconds, start=0):
        """The first match of pattern in a line from index start on, waiting up to that long."""
        regex = re.compile(pattern)
        end = time.monotonic() + seconds
        while True:
            while start < len(self.lines):
                match = regex.search(self.lines[start][1])
                start += 1
                if match:
                    return match
            if self.closed or time.monotonic() > end:
                return None
            self.pump(min(0.5, end - time.monotonic()))

    def close(self):
        """End QEMU if it still runs (only the one started here) and finish the log."""
        if self.process.poll() is None:
            try:
                self.process.wait(5 if self.closed else 0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        output = self.process.communicate()[0].decode("utf-8", "replace").strip()
        if self._partial:
            self._add_line(self._partial)
            self._partial = b""
        while self.qmp in [k.fileobj for k in self._selector.get_map().values()]:
            if not self._selector.select(0):
                break
            self._qmp_input()
        if output:
            self.note("qemu: " + output)
            self.lines.append((self.elapsed(), "qemu: " + output))
        self.serial.close()
        self.qmp.close()
        self._selector.close()
        if self._log:
            self._log.close()
            self._log = None


def knobs(environ=None):
    """The machine that the make variables (CPU= MACH= SMP= ...) of the environment describe."""
    env = os.environ if environ is None else environ
    machine = Machine()
    for field, name in (("hv", "HV"), ("cpu", "CPU"), ("mach", "MACH"), ("hvopt", "HVOPT"),
                        ("d0opt", "D0OPT"), ("disk", "DISK"), ("nic", "NIC"), ("accel", "ACCEL")):
        if env.get(name):
            setattr(machine, field, env[name])
    for field, name in (("smp", "SMP"), ("mem", "MEM"), ("d0mem", "D0MEM")):
        if env.get(name):
            setattr(machine, field, int(env[name]))
    return machine


def kvm_usable(seconds=12):
    """Does KVM run a whole machine here? The device's presence promises nothing (a nested or
    emulating KVM may give up on an instruction), so boot bare Linux once and have it power off.
    The answer is kept until the host's next boot."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        note = os.path.join(BUILD, "kvm-" + file.read().strip())
    if not os.path.exists(note):
        print("Trying whether KVM runs a machine here (once)...", flush=True)
        probe = Machine(hv="native", accel="kvm", smp=1, mem=512, root_disk="",
                        d0opt="rdinit=/bin/busybox -- poweroff -f")
        with Vm(probe) as vm:
            while vm.pump(0.5) and vm.elapsed() < seconds:
                pass
        with open(note, "w", encoding="ascii") as file:
            file.write(vm.ended)
    with open(note, encoding="ascii") as file:
        return file.read() == "guest-shutdown"
