#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PVH tables of make bench: what an exit costs on Debian's Xen and on Wheeler, in instructions.

    exitbench.py [HV=...] [FRESH=1] [ONLY="xen wheeler"]

Boots a micro dom0 (test/guest/pvh/host.c) that builds a PVH domain of bench/exits.c, on one processor
under QEMU's -icount. Prints instructions per exit, the guest's own few among them, and judges each
row against a limit of 0.7. Results are kept as bench.py keeps its own; exit status 1 if a row is
over the limit.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench
import vm

LIMIT = 0.7
TITLES = {"xen": "Debian's Xen", "wheeler": "Wheeler"}
ELF = os.path.join(vm.BUILD, "guest", "pvh_exits.elf")


def machine_for(hv, elf):
    """One processor, counted instructions; the micro dom0 in dom0's place."""
    return vm.Machine(hv=hv, cpu="max,-smap,-smep", smp=1, mem=512, root_disk="", icount=True,
                      jump=True, modules=[elf],
                      hvopt="dom0_mem=128M,max:128M dom0_max_vcpus=1 noreboot")


def run(name, machine):
    """Boot it and return {row: instructions}."""
    print(f"bench: measuring exits on {TITLES[name.removeprefix('exits-')]}...", flush=True)
    with vm.Vm(machine, os.path.join(bench.OUT, name + ".log")) as m:
        done = m.wait_for(r"EXIT done", 120)
        m.wait_for(r"VERDICT", 5)
    if not done:
        print(f"bench: {name} did not finish (log: {bench.OUT}/{name}.log)", file=sys.stderr)
        return None
    rows = [text.split("EXIT ", 1)[1].split("\t") for _, text in m.lines if "EXIT " in text]
    return {row[0]: int(row[1]) for row in rows if row[0] != "done"}


def table(xen, ours):
    """Prints it; the number of rows over the limit."""
    over = 0
    print("\nExits of a PVH guest: instructions, from the guest's own to its next\n")
    print("| exit | Debian's Xen | Wheeler | share of Xen's | |")
    print("|---|---:|---:|---:|---|")
    for name, theirs in xen.items():
        share = ours[name] / max(1, theirs)
        over += share > LIMIT
        print(f"| {name} | {theirs:,} | {ours[name]:,} | {share:.2f} | "
              f"{'pass' if share <= LIMIT else '**FAIL**'} |")
    return over


def main():
    systems, only = bench.asked(["xen", "wheeler"])
    bench.build(ELF)
    results = {name: bench.attempt("exits-" + name, machine_for(systems[name], ELF), [ELF], run)
               for name in systems if name in only}
    missing = ["exits on " + TITLES[name] for name, rows in results.items() if not rows]
    complete = len(results) == 2 and not missing
    over = table(results["xen"], results["wheeler"]) if complete else 0
    return bench.verdict(missing, complete, over, f"{over} exits over {LIMIT} of Xen's")


if __name__ == "__main__":
    sys.exit(main())
