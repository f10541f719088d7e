# SPDX-License-Identifier: MIT
"""What `make run` plays when there is no terminal: a look around dom0, and the PV guest web1 and
the PVH guest web2: in `xl list`, on their consoles, and by pages of their web servers. On a machine
without SVM (variant "nosvm") dom0 says that there is no PVH guest."""

import os

import vm

TIMEOUT = 540
VARIANTS = {"default": {}, "nosvm": {"cpu": "max,-svm"}}
QUICK = ["default"]
EXPECT = [r"TOUR done"]
GUEST = [r"^{name} +\d+ +192 +2 ", r"guest: {name} is up: Linux [\d.]+-\d+-cloud-amd64",
         r"page comes from {name}, a {kind} guest: Debian"]
NONE = r"No PVH guest: this machine has neither SVM nor VT-x"


def prepare(ctx):
    ctx.data["guest"] = ctx.machine.hv != "native" and os.environ.get("GUEST", "1") != "0"
    if ctx.data["guest"]:
        vm.add_guests(ctx.machine)


def check(ctx):
    if not ctx.data["guest"]:
        return []
    guests = {"web1": "PV"}
    wanted = [r"TOUR guests done"]
    if ctx.machine.hv != "xen" and ctx.find(r"virt_caps +:.*hvm.* hap"):
        guests["web2"] = "PVH"
    elif ctx.machine.hv != "xen":
        wanted.append(NONE)
    if ctx.variant == "default" and ctx.machine.cpu == "max" and NONE in wanted:
        return ["the machine has SVM, and there is no PVH guest"]
    wanted += [p.format(name=name, kind=kind) for name, kind in guests.items() for p in GUEST]
    reasons = [f"missing: {p}" for p in wanted if not ctx.find(p)]
    for what in [r"hypervisor xen, 2 CPU"] + \
            [r"Outside it reaches 10\.0\.2\.2"] * bool(ctx.machine.nic):
        if len(ctx.find(what)) != len(guests):
            reasons.append(f"not said by {len(guests)} guests: {what}")
    return reasons
