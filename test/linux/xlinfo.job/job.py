# SPDX-License-Identifier: MIT
"""The stock tools of Debian look at the machine and the control domain: the daemons run and each
command says what is true."""

TIMEOUT = 240
EXPECT = [r"XL xenstored runs", r"XL xenconsoled runs", r"free_memory +: \d+",
          r"xen_version +: 4\.17",
          r"xen_scheduler +: credit2", r"xen_caps +: xen-3.0-x86_64", r"virt_caps +: pv",
          r"Domain-0 +0 +\d+ +2 +r", r"Pool-0 +2 +credit2 +y +1", r"Domain-0 +0 +0 +\d+ +[r-]",
          r"Domain-0 +0 +512", r"Domain-0 +0 +256", r"Dom0 memory"]
COMMANDS = 19


def check(ctx):
    reasons = [f"failed: {m.group(2)} (rc {m.group(1)})"
               for m in ctx.find(r"XL rc=(\d+) (.*)") if m.group(1) != "0"]
    if len(ctx.find(r"XL rc=0 ")) < COMMANDS - len(reasons):
        reasons.append("not all commands were run")
    return reasons
