#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The last table of make bench: how fast PV guests' network is, on Debian's Xen and on Wheeler.

    netbench.py [HV=...] [FRESH=1] [ONLY="xen wheeler"]

Runs the job guestnet in its variant "rate": one processor under QEMU's -icount, where an instruction
is a nanosecond, stock tools, stock drivers, TCP. Prints MiB per 10^9 instructions of the whole
machine (both ends, dom0's back end and bridge, the hypervisor): more is better. Shown, not judged.
Results are kept as bench.py keeps its own.
"""

import os
import re
import sys

os.environ["GUESTNET_MIB"] = "128"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench
import linux_job
import vm

TITLES = {"xen": "Debian's Xen", "wheeler": "Wheeler"}
JOB = linux_job.Job("guestnet")


def run(name, machine):
    """Runs the job; returns {way: MiB per 10^9 instructions}, or None."""
    title = TITLES[name.removeprefix("net-")]
    print(f"bench: measuring the network on {title} (some minutes)...", flush=True)
    result = linux_job.run_variant(JOB, "rate", JOB.get("VARIANTS", {})["rate"], machine)
    if result.reasons:
        linux_job.report(JOB, "rate", result)
        return None
    found = filter(None, map(re.compile(r"NET (.*) ok: (\d+) MiB in (\d+) us").search,
                             result.lines))
    return {m.group(1): round(int(m.group(2)) * 1e6 / int(m.group(3)), 1) for m in found}


def table(results):
    """Prints results, {system: rows}."""
    print("\nNetwork of PV guests: MiB per 10^9 instructions of the whole machine\n")
    print("| stream | " + " | ".join(TITLES[name] for name in results) + " |")
    print("|---|" + "---:|" * len(results))
    for way in JOB.get("WAYS", ()):
        cells = [str((rows or {}).get(way, "-")) for rows in results.values()]
        print(f"| {way} | {' | '.join(cells)} |")


def main():
    systems, only = bench.asked(["xen", "wheeler"])
    inputs = [os.path.join(JOB.path, name) for name in ("job.py", "run.sh", "start")]
    inputs += [os.path.join(linux_job.JOBS, name)
               for name in ("lib/guest.sh", "lib/guest-init", "tool/stream.c")]
    inputs += [os.path.join(vm.IMAGE, name) for name in ("vmlinuz", "disk.stamp")]
    results = {name: bench.attempt("net-" + name, vm.Machine(hv=hv), inputs, run)
               for name, hv in systems.items() if name in only}
    table(results)
    missing = ["the network on " + TITLES[name] for name, rows in results.items() if not rows]
    return bench.verdict(missing, False, 0, "")


if __name__ == "__main__":
    sys.exit(main())
