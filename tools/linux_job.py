#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run Linux jobs: boot QEMU with the dom0 image, run test/linux/NAME.job/run.sh in dom0, judge.

    linux_job.py [HV=...] [NAME[:VARIANT]...] [--list] [--all] [--echo]

A job is a folder with run.sh (runs as root in dom0, in the folder, which is a small disk of its
own, with test/linux/lib beside it) and job.py, which says what the host does:

    TIMEOUT   seconds for one boot        VARIANTS  {name: {Machine field: value}}
    EXPECT    patterns that must appear   ENDED     how QEMU must end (default 'guest-shutdown')
    QUICK     the variants run by default (all of them with --all)
    ALLOW     patterns of lines that are not to count as a failure
    prepare(ctx)       before the boot: ctx.stage is the job disk's folder, ctx.machine the machine
    on_line(ctx, text, seconds)  for each serial line, as it comes
    check(ctx)         after the end: returns a list of reasons to fail

Any panic, warning or oops fails the boot at once. Logs are kept under build/linux/.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bochs
import vm

JOBS = os.path.join(vm.TOP, "test", "linux")
LOGS = os.path.join(vm.BUILD, "linux")

# A line that ends the run at once: the kernel's alarms and the hypervisor's, but not what it quotes
# of a guest that crashed. What the kernel says of the processor's bugs ("Speculative Return Stack
# Overflow: WARNING: ...") is none.
ALARM = re.compile(r"^(?!\(XEN\) d\d+ said: ).*(Kernel panic|\bBUG:|"
                   r"(?<!Overflow: )(?<!RETBleed: )WARNING:|Oops:|soft lockup|rcu: INFO|"
                   r"(\(XEN\)|wheeler:?|hypervisor:?|^)\s*(Panic\b|PANIC\b|panic:))")
GRACE = 3
# On Bochs, an Intel processor with VT-x, instead of QEMU (BOCHS=1); everything takes longer.
BOCHS = os.environ.get("BOCHS") == "1"


class Job:
    """One NAME.job folder and what its job.py defines."""

    def __init__(self, name):
        self.name = name
        self.path = os.path.join(JOBS, name + ".job")
        if not os.path.isdir(self.path):
            raise FileNotFoundError(f"no job {name} in {JOBS}")
        spec = importlib.util.spec_from_file_location(f"job_{name}",
                                                      os.path.join(self.path, "job.py"))
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)

    def get(self, attribute, default):
        return getattr(self.module, attribute, default)


class Context:
    """What a job's hooks get: the variant's name, the job disk's folder, the machine, the running
    Vm, its lines."""

    def __init__(self, job, variant, machine, stage):
        self.job = job
        self.variant = variant
        self.machine = machine
        self.stage = stage
        self.vm = None
        self.work = os.path.dirname(stage)
        self.data = {}

    def tool(self, name):
        """Put a program made of test/linux/tool/NAME.c onto the job disk (raw hypercalls)."""
        source = os.path.join(JOBS, "tool")
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static",
                        "-D__XEN_TOOLS__", "-D__XEN_INTERFACE_VERSION__=0x00041100",
                        "-o", os.path.join(self.stage, name), os.path.join(source, name + ".c"),
                        os.path.join(source, "hcall.c"), os.path.join(source, "look.c")],
                       check=True)

    def guest(self, name):
        """Put a micro guest for `xl create` (test/linux/guest or the job's) onto the job disk."""
        elf = os.path.join(vm.BUILD, "guest", name + ".elf")
        subprocess.run(["make", "-s", os.path.relpath(elf, vm.TOP)], cwd=vm.TOP, check=True)
        shutil.copy(elf, self.stage)

    def lines(self):
        return [text for _, text in self.vm.lines]

    def find(self, pattern):
        """All matches of pattern in the serial log."""
        return [m for m in map(re.compile(pattern).search, self.lines()) if m]


class Result:
    def __init__(self, reasons, log, seconds, lines):
        self.reasons = reasons
        self.log = log
        self.seconds = seconds
        self.lines = lines


def make_disk(path, stage, mib=32):
    """An ext2 disk labelled wheeler-job with the folder's content."""
    used = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(stage) for f in fs)
    size = used // (1 << 20) + mib
    env = {**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ.get("PATH", "")}
    subprocess.run(["mkfs.ext2", "-q", "-F", "-m", "0", "-L", "wheeler-job", "-d", stage, path,
                    f"{size}M"], check=True, stdout=subprocess.DEVNULL, env=env)


def watch(ctx, allow, timeout):
    """Follow the machine to its end. Returns a reason to fail, or None."""
    seen = 0
    alarm = None
    hook = ctx.job.get("on_line", None)
    while True:
        alive = ctx.vm.pump(0.5)
        while seen < len(ctx.vm.lines):
            seconds, text = ctx.vm.lines[seen]
            seen += 1
            if hook:
                hook(ctx, text, seconds)
            if not alarm and ALARM.search(text) and not any(re.search(a, text) for a in allow):
                alarm = (time.monotonic(), text.strip())
        if alarm and (not alive or time.monotonic() > alarm[0] + GRACE):
            return f"alarm: {alarm[1]}"
        if not alive:
            return None
        if ctx.vm.elapsed() > timeout:
            for line in ctx.vm.monitor("info registers -a").splitlines():
                ctx.vm.note(line)
            return f"no end after {timeout} s (CPU registers are at the end of the log)"


def judge(ctx, ended):
    reasons = []
    for pattern in ctx.job.get("EXPECT", []):
        if not ctx.find(pattern):
            reasons.append(f"missing: {pattern}")
    end = ctx.find(r"JOB end rc=(\d+) bad=(\d+)")
    if not end:
        reasons.append("the job did not reach its end")
    elif end[0].group(1) != "0":
        reasons.append(f"run.sh ended with {end[0].group(1)}")
    elif end[0].group(2) != "0" and not ctx.job.get("ALLOW", []):
        reasons.append("the kernel's log has warnings (see 'JOB dmesg' in the log)")
    want = ctx.job.get("ENDED", "guest-shutdown")
    if ended != want:
        reasons.append(f"QEMU ended by '{ended or 'nothing'}', not by '{want}'")
    check = ctx.job.get("check", None)
    if check and end:
        reasons += check(ctx)
    return reasons


def run_variant(job, name, fields, base, echo=False):
    """Boot one variant of a job on a copy of the machine base, and judge it."""
    machine = vm.dataclasses.replace(base, disks=list(base.disks), extra=list(base.extra))
    for key, value in fields.items():
        if key in ("hvopt", "d0opt"):
            value = f"{getattr(machine, key)} {value}".strip()
        setattr(machine, key, value)
    if not machine.d0mem:
        machine.d0mem = machine.mem // 2 if machine.mem >= 1024 else machine.mem * 5 // 8
    os.makedirs(LOGS, exist_ok=True)
    hv = os.path.basename(machine.hv).split(".")[0]
    log = os.path.join(LOGS, f"{job.name}-{name}-{hv}{'-bochs' if BOCHS else ''}.log")
    with tempfile.TemporaryDirectory(prefix="wheeler-job-") as work:
        stage = os.path.join(work, "stage")
        shutil.copytree(job.path, stage, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copytree(os.path.join(JOBS, "lib"), os.path.join(stage, "lib"))
        ctx = Context(job, name, machine, stage)
        if job.get("prepare", None):
            job.module.prepare(ctx)
        disk = os.path.join(work, "job.img")
        make_disk(disk, stage)
        machine.disks.insert(0, (disk, False))
        scale = float(os.environ.get("TIMEOUT_SCALE", "5" if BOCHS else "1"))
        timeout = int(job.get("TIMEOUT", 180) * scale)
        with (bochs.Bochs if BOCHS else vm.Vm)(machine, log, echo) as ctx.vm:
            reason = watch(ctx, job.get("ALLOW", []), timeout)
            seconds = ctx.vm.elapsed()
        reasons = [reason] if reason else judge(ctx, ctx.vm.ended)
        if job.get("finish", None):
            job.module.finish(ctx)
        return Result(reasons, log, seconds, ctx.lines())


def select(names, run_all):
    """(job, variant name, fields) for each NAME or NAME:VARIANT."""
    for item in names:
        name, _, wanted = item.partition(":")
        job = Job(name)
        variants = job.get("VARIANTS", {"default": {}})
        quick = job.get("QUICK", list(variants))
        if wanted and wanted not in variants:
            raise FileNotFoundError(f"job {name} has no variant {wanted}: {' '.join(variants)}")
        for variant, fields in variants.items():
            if variant == wanted if wanted else (run_all or variant in quick):
                yield job, variant, fields


def report(job, variant, result):
    verdict = "PASS" if not result.reasons else "FAIL"
    print(f"{verdict} {job.name}:{variant}{' on Bochs' if BOCHS else ''} {result.seconds:.0f} s"
          + "".join(f"\n     {r}" for r in result.reasons), flush=True)
    if result.reasons:
        print(f"     last lines of {os.path.relpath(result.log)}:")
        for line in result.lines[-25:]:
            print("       | " + line)
        sys.stdout.flush()


def main():
    names, run_all, echo = [], False, False
    for arg in sys.argv[1:]:
        key, equals, value = arg.partition("=")
        if equals and key.isupper():
            os.environ[key] = value
        elif arg == "--all":
            run_all = True
        elif arg == "--echo":
            echo = True
        elif arg == "--list":
            names_found = sorted(n[:-4] for n in os.listdir(JOBS) if n.endswith(".job"))
            for name in names_found:
                print(name, *Job(name).get("VARIANTS", {"default": {}}))
            return 0
        else:
            names.append(arg)
    failed = 0
    try:
        base = vm.knobs()
        base.hypervisor()
        for job, variant, fields in list(select(names, run_all)):
            result = run_variant(job, variant, fields, base, echo)
            report(job, variant, result)
            failed += bool(result.reasons)
    except FileNotFoundError as error:
        print(f"linux_job.py: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
