# SPDX-License-Identifier: MIT
"""What `make run` plays when there is no terminal: a look around dom0, and the PV guest web1 beside
it: in `xl list`, on its console, and by a page of its web server."""

import os

import vm

TIMEOUT = 300
EXPECT = [r"TOUR done"]
GUEST = [r"^web1 +\d+ +192 +2 ", r"guest: web1 is up: Linux [\d.]+-\d+-cloud-amd64",
         r"page comes from web1, a paravirtualized guest: Debian", r"hypervisor xen, 2 CPU",
         r"TOUR guest done"]


def prepare(ctx):
    disk = os.path.join(vm.IMAGE, "guest.img")
    ctx.data["guest"] = ctx.machine.hv != "native" and os.environ.get("GUEST", "1") != "0"
    if ctx.data["guest"]:
        ctx.machine.disks.append((disk, True))


def check(ctx):
    return [f"missing: {p}" for p in GUEST if ctx.data["guest"] and not ctx.find(p)]
