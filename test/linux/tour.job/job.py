# SPDX-License-Identifier: MIT
"""What `make run` plays when there is no terminal: a look around dom0, and the PV guest web1 beside
it: in `xl list`, on its console, and by a page of its web server."""

import os

import vm

TIMEOUT = 540
EXPECT = [r"TOUR done"]
GUEST = [r"^web1 +\d+ +192 +2 ", r"guest: web1 is up: Linux [\d.]+-\d+-cloud-amd64",
         r"page comes from web1, a paravirtualized guest: Debian", r"hypervisor xen, 2 CPU",
         r"TOUR guest done"]
OUTSIDE = r"Outside it reaches 10\.0\.2\.2"


def prepare(ctx):
    disk = os.path.join(vm.IMAGE, "guest.img")
    ctx.data["guest"] = ctx.machine.hv != "native" and os.environ.get("GUEST", "1") != "0"
    if ctx.data["guest"]:
        ctx.machine.disks.append((disk, True))


def check(ctx):
    if not ctx.data["guest"]:
        return []
    wanted = GUEST + ([OUTSIDE] if ctx.machine.nic else [])
    return [f"missing: {p}" for p in wanted if not ctx.find(p)]
