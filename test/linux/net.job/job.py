# SPDX-License-Identifier: MIT
"""64 MiB of TCP each way between dom0 and a server on the host's loopback, through QEMU's user
networking, bit-exact at both ends, on virtio-net and e1000."""

import hashlib
import os
import socket
import threading

MIB = int(os.environ.get("NET_MIB", "64"))
TIMEOUT = 300
VARIANTS = {
    "virtio": {"nic": "virtio"},
    "e1000": {"nic": "e1000"},
    "virtio-nomsi": {"nic": "virtio", "d0opt": "pci=nomsi"},
    "e1000-pc": {"nic": "e1000", "mach": "pc"},
}
QUICK = ["virtio", "e1000"]
EXPECT = [r"NET done"]


def serve(listener, data):
    """First connection: receive until the end. Second: send MIB mebibytes and close."""
    received, sent = hashlib.sha256(), hashlib.sha256()
    try:
        with listener.accept()[0] as peer:
            while block := peer.recv(1 << 20):
                received.update(block)
        data["received"] = received.hexdigest()
        with listener.accept()[0] as peer:
            for n in range(MIB):
                block = hashlib.shake_128(b"net" + n.to_bytes(4, "little")).digest(1 << 20)
                sent.update(block)
                peer.sendall(block)
        data["sent"] = sent.hexdigest()
    except OSError as error:
        data["error"] = str(error)


def prepare(ctx):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(TIMEOUT)
    with open(os.path.join(ctx.stage, "server"), "w", encoding="ascii") as file:
        file.write(f"port={listener.getsockname()[1]}\nmib={MIB}\n")
    ctx.data["listener"] = listener
    threading.Thread(target=serve, args=(listener, ctx.data), daemon=True).start()


def check(ctx):
    seen = {m.group(1): m.group(2) for m in ctx.find(r"NET (sent|received) sha256=(\w+)")}
    reasons = []
    if "error" in ctx.data:
        reasons.append(f"the host's server: {ctx.data['error']}")
    for ours, theirs in (("sent", "received"), ("received", "sent")):
        if not seen.get(ours) or seen[ours] != ctx.data.get(theirs):
            reasons.append(f"dom0 {ours} {seen.get(ours)}, "
                           f"the host {theirs} {ctx.data.get(theirs)}")
    return reasons


def finish(ctx):
    ctx.data["listener"].close()
