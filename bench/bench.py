#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench: the same kernel microbenchmarks on bare Linux, on Debian's Xen and on Wheeler; and
what the stock tools take to create and destroy guests on the latter two.

    bench.py [HV=...] [FRESH=1] [ONLY="native xen"]

Each system boots once under QEMU's -icount, where one instruction is one nanosecond, with
bench/microbench.c as the only process. Prints a table of instructions per operation with the
overhead over bare Linux as a share of Debian's Xen's, and a verdict against the limit of one half.
The tools' part is the Linux job xlbench, judged as a whole against a limit of 0.7. Results are kept
in build/bench/NAME.json and measured again only when the benchmark, the kernel or the hypervisor
changed, or with FRESH=1. Exit status 1 if a row is over the limit.
"""

import hashlib
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tools"))
import linux_job
import vm

HERE = os.path.join(TOP, "bench")
OUT = os.path.join(vm.BUILD, "bench")
LIMIT = 0.5
XL_LIMIT = 0.7
# Shown, not judged: a PV kernel's own clock starts before it builds its physical-to-machine list,
# 1.6e9 instructions of its own on any hypervisor. "boot to init" counts from reset.
INFORMATIVE = {"kernel to init"}
TIMEOUT = 400


def digest(paths):
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(file.read())
    return total.hexdigest()


def build_initrd():
    """An initramfs with the benchmark as /init, busybox's shell and a program to start."""
    tree = os.path.join(OUT, "tree")
    subprocess.run(["rm", "-rf", tree], check=True)
    os.makedirs(os.path.join(tree, "bin"))
    for source, target in (("microbench.c", "init"), ("true.c", "bin/true")):
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-static", "-o",
                        os.path.join(tree, target), os.path.join(HERE, source)], check=True)
    shell = f"zcat {vm.IMAGE}/initrd.gz | cpio -i --quiet --to-stdout bin/busybox >{tree}/bin/sh"
    subprocess.run(shell, shell=True, check=True)
    os.chmod(os.path.join(tree, "bin", "sh"), 0o755)
    subprocess.run("find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0 | gzip -9n "
                   ">../initrd.gz", shell=True, check=True, cwd=tree)


def run(name, machine):
    """Boot it and return {row: instructions}."""
    print(f"bench: measuring {name} (about a minute)...", flush=True)
    with vm.Vm(machine, os.path.join(OUT, name + ".log")) as m:
        done = m.wait_for(r"^BENCH (done|failed)", TIMEOUT)
        m.wait_for(r"Power down", 5)
    if not done or done.group(1) != "done":
        print("\n".join(text for _, text in m.lines[-25:]), file=sys.stderr)
        print(f"bench: {name} did not finish (log: {OUT}/{name}.log)", file=sys.stderr)
        return None
    rows = [text[6:].split("\t") for _, text in m.lines if text.startswith("BENCH ")]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def run_xl(name, machine):
    """The job xlbench on it: {row: instructions}."""
    print(f"bench: measuring the tools on {name} (some minutes)...", flush=True)
    job = linux_job.Job("xlbench")
    result = linux_job.run_variant(job, "default", job.get("VARIANTS", {})["default"], machine)
    if result.reasons:
        print(f"bench: the tools on {name}: {'; '.join(result.reasons)} (log: {result.log})",
              file=sys.stderr)
        return None
    return job.module.rows(result.lines)


def measure(name, machine, inputs, runner):
    """Results for one system, from the cache if its inputs are those of last time."""
    cache = os.path.join(OUT, name + ".json")
    path = machine.hypervisor()
    key = digest(inputs + ([path] if path else []))
    if os.environ.get("FRESH", "") in ("", "0") and os.path.exists(cache):
        with open(cache, encoding="utf-8") as file:
            kept = json.load(file)
        if kept["key"] == key:
            return kept["rows"]
    rows = runner(name, machine)
    if rows:
        with open(cache, "w", encoding="utf-8") as file:
            json.dump({"key": key, "rows": rows}, file, indent=1)
    return rows


def table(native, xen, ours):
    """Print the markdown table; returns the number of rows over the limit."""
    over = 0
    print("\nInstructions per operation\n")
    print("| operation | bare Linux | Debian's Xen | Wheeler | overhead, share of Xen's | |")
    print("|---|---:|---:|---:|---:|---|")
    for name, base in native.items():
        theirs = (xen or {}).get(name)
        mine = (ours or {}).get(name)
        share, verdict = "", ""
        if theirs is not None and mine is not None:
            share = (mine - base) / max(1, theirs - base)
            # Where Debian's Xen costs nothing either, a share of nothing says nothing.
            fine = mine <= theirs and (share <= LIMIT or mine - base <= base * 0.01)
            verdict = "pass" if fine else "**FAIL**"
            over += not fine and name not in INFORMATIVE
            share = f"{share:.2f}"
            if name in INFORMATIVE:
                verdict = "(not judged)"
        cells = [f"{v:,}" if v is not None else "-" for v in (base, theirs, mine)]
        print(f"| {name} | {' | '.join(cells)} | {share} | {verdict} |")
    return over


def table_xl(xen, ours):
    """The same for the tools, where there is nothing without a hypervisor."""
    over = 0
    print("\nInstructions of the tools, dom0 and the hypervisor together\n")
    print("| operation | Debian's Xen | Wheeler | share of Xen's | |")
    print("|---|---:|---:|---:|---|")
    for name, theirs in xen.items():
        share = ours[name] / theirs
        over += share > XL_LIMIT
        print(f"| {name} | {theirs:,} | {ours[name]:,} | {share:.2f} | "
              f"{'pass' if share <= XL_LIMIT else '**FAIL**'} |")
    return over


def prepare():
    """Builds the ramdisk of the microbenchmarks; the files their results depend on."""
    sources = [os.path.join(HERE, f) for f in ("microbench.c", "true.c")]
    stamp, want = os.path.join(OUT, "sources.stamp"), digest(sources)
    if not os.path.exists(stamp) or open(stamp, encoding="ascii").read() != want:
        build_initrd()
        with open(stamp, "w", encoding="ascii") as file:
            file.write(want)
    return sources + [os.path.join(vm.IMAGE, "vmlinuz")]


def machine_for(hv):
    """The machine of the microbenchmarks."""
    return vm.Machine(hv=hv, cpu="max,-smap,-smep", smp=1, mem=1024, d0mem=512, root_disk="",
                      icount=True, jump=True, d0opt="norandmaps",
                      initrd=os.path.join(OUT, "initrd.gz"))


def microbench(only, systems):
    """Measures and prints the first table. The number of rows over the limit, and who has none."""
    inputs = prepare()
    results = {name: attempt(name, machine_for(systems[name]), inputs, run) for name in only}
    if not results.get("native"):
        return 0, only
    over = table(results["native"], results.get("xen"), results.get("wheeler"))
    return over, [name for name in only if not results[name]]


def attempt(name, machine, inputs, runner):
    try:
        return measure(name, machine, inputs, runner)
    except FileNotFoundError as error:
        print(f"bench: {error}", file=sys.stderr)
        return None


def tools(only, systems):
    """The same for the second table."""
    job = os.path.join(linux_job.JOBS, "xlbench.job")
    inputs = [os.path.join(job, f) for f in ("run.sh", "job.py")] + \
        [os.path.join(linux_job.JOBS, "guest", "tick.c"), os.path.join(vm.IMAGE, "vmlinuz"),
         os.path.join(vm.IMAGE, "disk.stamp")]
    names = [name for name in only if name != "native"]
    results = {name: attempt("xl-" + name, vm.Machine(hv=systems[name], cpu="max,-smap,-smep"),
                             inputs, run_xl) for name in names}
    missing = ["xl-" + name for name in names if not results[name]]
    return table_xl(results["xen"], results["wheeler"]) if len(names) == 2 and not missing else 0, \
        missing


def asked(names):
    """Takes the command line's words over. {system: its hypervisor}, and those to be measured."""
    for arg in sys.argv[1:]:
        key, _, value = arg.partition("=")
        os.environ[key] = value
    os.makedirs(OUT, exist_ok=True)
    systems = {name: name for name in names}
    systems["wheeler"] = os.environ.get("HV") or vm.Machine().hv
    return systems, os.environ.get("ONLY", "").split() or names


def build(elf):
    """A micro guest, by make."""
    subprocess.run(["make", "--no-print-directory", "-s", "-C", vm.TOP,
                    os.path.relpath(elf, vm.TOP)], check=True)


def verdict(missing, complete, over, what):
    """Prints it; the exit status."""
    if missing:
        print(f"\nbench: FAIL: no results for {', '.join(missing)}")
    elif complete:
        print(f"\nbench: {'FAIL' if over else 'PASS'}: {what}")
    return 1 if over or missing else 0


def main():
    systems, only = asked(["native", "xen", "wheeler"])
    over, missing = microbench(only, systems) if "native" in only else (0, [])
    over_xl, missing_xl = tools(only, systems)
    missing += missing_xl
    return verdict(missing, "wheeler" in only and "xen" in only, over + over_xl,
                   f"{over} rows over {LIMIT} of Xen's overhead, {over_xl} over {XL_LIMIT} of Xen's "
                   "whole")


if __name__ == "__main__":
    sys.exit(main())
