#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the micro guests in dom0's place, one QEMU each, and compares what they say with what they
say on Debian's Xen (test/guest/expected/NAME.xen).

    guest_test.py [--record] [--list] [NAME | NAME:CASE ...]

A test with a file `cases` in its directory is booted once per line of it: `name: arguments`. A file
`options` there has options of the hypervisor for it, `smp` its number of CPUs, one `icount` has
QEMU count instructions and run the CPUs in turn. One with a file `reasons`, `name: pattern`, ends
its domain; our hypervisor's log has to say that.
A difference to the recorded run is a failure unless test/guest/differences.md has a row for it.
Knobs come from the environment: HV CPU MACH SMP MEM HVOPT ACCEL TIMEOUT_SCALE. Logs:
$BUILD/guest/log/.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm

GUESTS = os.path.join(vm.TOP, "test", "guest")
OUT = os.path.join(vm.BUILD, "guest")
SECONDS = 90
LINE = re.compile(r"(ok|FAIL|value|skip|CRASH) (.*)$")
VERDICT = re.compile(r"VERDICT (success|failure|skip|error) (.*)$")
# How each hypervisor says that dom0 came to a bad end.
CRASHED = re.compile(r"Domain 0 (\(vcpu#\d+\) )?crashed|Hardware Dom0 crashed|d0v?\d* crashed"
                     r"|d0 .*crashed|domain 0 .*crashed", re.I)
# The machine's end by dom0's own wish, and that nothing more is to be expected from it.
STOPPED = re.compile(r"Hardware Dom0 (halted|shutdown)|'noreboot' set")
HALTED = re.compile(r"Hardware Dom0 .*(halt|noreboot)|'noreboot' set")
REGISTERS = re.compile(r"\brip\b.*\brsp\b|RIP:", re.I)
DEAD = re.compile(r"Panic on CPU|PANIC|Xen BUG at|Assertion .* failed", re.I)


def name_of(kind, rest):
    """The check's name and what it found."""
    if kind == "ok":
        return rest, "ok"
    if kind == "value":
        name, _, found = rest.partition(" = ")
        return name, found
    if kind == "CRASH":
        return rest, "crash announced"
    name, _, found = rest.partition(": got " if kind == "FAIL" else ": ")
    return name, f"{kind} {found}".strip()


class Run:
    """One boot of one guest: the lines it printed, in order, and how it ended."""

    def __init__(self, test, case, arguments):
        self.test, self.case, self.arguments = test, case, arguments
        self.label = f"{test}:{case}" if case else test
        self.found = {}
        self.end = ""
        self.words = []
        self.seconds = 0.0

    def machine(self):
        m = vm.knobs()
        m.root_disk = ""
        m.nic = ""
        m.icount = m.jump = os.path.exists(os.path.join(GUESTS, self.test, "icount"))
        m.smp = int(self.file("smp") or m.smp)
        m.hvm = self.test.startswith("pvh_")
        m.mem = int(os.environ.get("MEM") or 512)
        elf = os.path.join(OUT, self.test + ".elf")
        m.modules = [f"{elf} {self.arguments}".strip()]
        m.hvopt = ("dom0_mem=128M,max:128M dom0_max_vcpus=2 noreboot loglvl=all guest_loglvl=all "
                   + self.file("options") + m.hvopt).strip()
        return m

    def file(self, name):
        """What this test wants of the machine or the hypervisor: a file in its directory."""
        try:
            with open(os.path.join(GUESTS, self.test, name), encoding="utf-8") as file:
                return " ".join(file.read().split()) + " "
        except FileNotFoundError:
            return ""

    def boot(self):
        os.makedirs(os.path.join(OUT, "log"), exist_ok=True)
        log = os.path.join(OUT, "log", self.label.replace(":", "-") + ".log")
        limit = SECONDS * float(os.environ.get("TIMEOUT_SCALE") or 1)
        with vm.Vm(self.machine(), log) as machine:
            seen = 0
            while not self.end:
                more = machine.pump(0.5)
                for _, text in machine.lines[seen:]:
                    self.take(text)
                seen = len(machine.lines)
                if not more and not self.end:
                    self.end = "QEMU ended without a verdict"
                if machine.elapsed() > limit and not self.end:
                    self.end = f"no verdict within {limit:.0f} s"
            self.seconds = machine.elapsed()
            if self.end in ("crash", "stopped"):
                self.last_words(machine)

    def last_words(self, machine):
        """What the hypervisor says after it has stopped this domain, until it has halted."""
        limit = machine.elapsed() + 5
        while machine.elapsed() < limit:
            self.words = [re.sub(r"^\(XEN\) ", "", text) for _, text in machine.lines]
            if any(HALTED.search(text) for text in self.words) or not machine.pump(0.3):
                break

    def take(self, text):
        text = re.sub(r"^\(XEN\) ", "", text)
        if match := LINE.match(text):
            name, found = name_of(*match.groups())
            while name in self.found:
                name += "'"
            self.found[name] = found
        elif match := VERDICT.match(text):
            self.end = match[1]
        elif DEAD.search(text):
            self.end = "the hypervisor died: " + text
        elif CRASHED.search(text):
            self.end = "crash"
        elif STOPPED.search(text) and not self.end:
            self.end = "stopped"

    def expected_path(self):
        return os.path.join(GUESTS, "expected", self.label.replace(":", "-") + ".xen")

    def text(self):
        return "".join(f"{name} = {found}\n" for name, found in self.found.items()) + \
            f"END {self.end}\n"

    def good_end(self):
        return self.end in ("success", "failure", "skip", "crash", "stopped")


def read_expected(run):
    """{name: found}, and the end, of the recorded run; None when there is none."""
    try:
        with open(run.expected_path(), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    found = dict(line.rsplit(" = ", 1) for line in lines if not line.startswith("END "))
    return found, lines[-1].removeprefix("END ")


def reason_of(run):
    """What the hypervisor has to say about the end of this case: a pattern, or None."""
    try:
        with open(os.path.join(GUESTS, run.test, "reasons"), encoding="utf-8") as file:
            for line in file:
                case, _, pattern = line.partition(":")
                if case == run.case:
                    return pattern.strip()
    except FileNotFoundError:
        pass
    return None


def judge_end(run):
    """What is missing in our hypervisor's last words: the reason, the registers, the halt."""
    pattern = reason_of(run)
    if pattern is None or os.environ.get("HV") == "xen":
        return []
    problems = []
    if not any(re.search(pattern, text) for text in run.words):
        problems.append(f"the log does not say: {pattern}")
    if run.end == "crash" and not any(REGISTERS.search(text) for text in run.words):
        problems.append("no registers in the log")
    if not any(HALTED.search(text) for text in run.words):
        problems.append("the machine did not halt")
    return problems


def read_differences():
    """{(test, check): what we say there}: rows `| test | check | Xen | Wheeler | reason |`."""
    rows = {}
    with open(os.path.join(GUESTS, "differences.md"), encoding="utf-8") as file:
        for line in file:
            cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
            if len(cells) == 5 and not cells[0].startswith(("test", "-")):
                rows[(cells[0], cells[1])] = cells[3]
    return rows


def compare(run, differences):
    """What speaks against this run, as lines."""
    problems = []
    if not run.good_end():
        problems.append(run.end)
    problems += judge_end(run)
    recorded = read_expected(run)
    if recorded is None:
        problems += [f"{n}: {f}" for n, f in run.found.items() if f.startswith("FAIL")]
        return problems + ["nothing recorded on Debian's Xen to compare with"]
    expected, end = recorded
    allowed = 0
    for name in list(expected) + [n for n in run.found if n not in expected]:
        ours, theirs = run.found.get(name, "missing"), expected.get(name, "missing")
        if ours == theirs:
            continue
        if differences.get((run.label, name), differences.get((run.test, name))) == ours:
            allowed += 1
        else:
            problems.append(f"{name}: {ours} (Xen: {theirs})")
    if run.end != end and not problems and not allowed:
        problems.append(f"ended in {run.end} (Xen: {end})")
    return problems


def runs_of(words):
    tests = sorted(t for t in os.listdir(GUESTS)
                   if os.path.exists(os.path.join(GUESTS, t, "main.c")))
    runs = []
    for test in tests:
        try:
            with open(os.path.join(GUESTS, test, "cases"), encoding="utf-8") as file:
                lines = [line.strip() for line in file if line.strip() and line[0] != "#"]
        except FileNotFoundError:
            lines = [":"]
        for line in lines:
            case, _, arguments = line.partition(":")
            runs.append(Run(test, case.strip(), arguments.strip()))
    if not words:
        return runs
    chosen = [r for r in runs if r.test in words or r.label in words]
    unknown = set(words) - {r.test for r in runs} - {r.label for r in runs}
    if unknown:
        sys.exit(f"guest_test: no such test: {' '.join(sorted(unknown))}")
    return chosen


def main():
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    record = "--record" in sys.argv
    runs = runs_of(words)
    if "--list" in sys.argv:
        print("\n".join(r.label for r in runs))
        return 0
    differences = read_differences()
    failed = 0
    for run in runs:
        run.boot()
        if record and run.good_end():
            with open(run.expected_path(), "w", encoding="utf-8") as file:
                file.write(run.text())
        problems = compare(run, differences)
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'PASS'} {run.label} ({len(run.found)} checks, "
              f"{run.seconds:.1f} s)", flush=True)
        for line in problems[:20]:
            print("     " + line)
        if len(problems) > 20:
            print(f"     and {len(problems) - 20} more")
    print(f"{len(runs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
