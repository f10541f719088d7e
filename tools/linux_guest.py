# SPDX-License-Identifier: MIT
"""Guests of Linux jobs, made on the host from what the dom0 image was made of: Debian's kernel, and
ramdisks of busybox, test/linux/lib/guest-init, kernel modules and programs with all they need."""

import lzma
import os
import re
import shutil
import struct
import subprocess
import tarfile

import vm

# Where the loader of Debian's programs finds libraries, and what some name themselves.
LIBRARIES = tuple("usr/lib/x86_64-linux-gnu" + sub for sub in ("", "/ceph")) + ("usr/lib64",)
LIB = os.path.join(vm.TOP, "test", "linux", "lib")
DIRS = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64")


def kernel(out):
    """Write Debian's kernel unpacked: xl takes seconds of emulation to do so at each create. The
    header's fields are in Linux' Documentation/x86/boot.rst: setup_sects, payload_offset and its
    length."""
    with open(os.path.join(vm.IMAGE, "vmlinuz"), "rb") as file:
        image = file.read()
    begin = (image[0x1f1] + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    with open(out, "wb") as file:
        file.write(lzma.LZMADecompressor().decompress(image[begin + offset:][:length]))


class Base:
    """The files of Debian's base system (base.tar), links followed."""

    def __init__(self):
        self.tar = tarfile.open(os.path.join(vm.IMAGE, "base.tar"))
        self.members = {m.name.removeprefix("./"): m for m in self.tar.getmembers()}

    def find(self, path):
        """The plain file that the path leads to, or None."""
        for _ in range(20):
            member = self.members.get(path)
            if member is None or not member.issym():
                return member if member and (member.isfile() or member.islnk()) else None
            path = os.path.normpath(os.path.join("/", os.path.dirname(path), member.linkname))[1:]
            path = re.sub(r"^(bin|sbin|lib|lib64)/", r"usr/\1/", path)
        return None

    def locate(self, name, folders):
        """(path, file) of a program or library in the first folder that has it."""
        for folder in folders:
            member = self.find(f"{folder}/{name}")
            if member:
                return f"{folder}/{name}", member
        raise FileNotFoundError(f"no {name} in the dom0 image's packages")

    def put(self, tree, path, member):
        """Copy a file into the tree and return the libraries that it names."""
        target = os.path.join(tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with self.tar.extractfile(member) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out)
        os.chmod(target, 0o755)
        dynamic = subprocess.run(["readelf", "-d", target], check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)

    def programs(self, tree, names):
        """Programs, by name or path, with their libraries; what ends in / is a folder."""
        todo = [self.locate(os.path.basename(n), (os.path.dirname(n) or "usr/bin", "usr/sbin"))
                for n in names if not n.endswith("/")]
        if todo:
            todo.append(self.locate("ld-linux-x86-64.so.2", ("usr/lib64",)))
        for prefix in (n for n in names if n.endswith("/")):
            todo += [(p, m) for p, m in self.members.items() if p.startswith(prefix) and m.isfile()]
        done = set()
        while todo:
            path, member = todo.pop()
            if path not in done:
                done.add(path)
                todo += [self.locate(n, LIBRARIES) for n in self.put(tree, path, member)]


def modules(names):
    """Paths of the modules and all they depend on, in the order to load them."""
    with open(os.path.join(vm.IMAGE, "kver"), encoding="ascii") as file:
        root = os.path.join(vm.IMAGE, "kernel", "lib", "modules", file.read().strip())
    needs = {}
    with open(os.path.join(root, "modules.dep"), encoding="ascii") as file:
        for line in file:
            path, _, rest = line.partition(":")
            needs[os.path.basename(path)[:-3].replace("_", "-")] = rest.split()[::-1] + [path]
    order = [path for name in names for path in needs[name.replace("_", "-")]]
    return [os.path.join(root, path) for path in dict.fromkeys(order)]


def ramdisk(out, start=None, drivers=(), programs=(), files=None):
    """Write a ramdisk. start: the file that the guest's init sources before it takes orders;
    drivers: modules it loads; programs: see Base.programs; files: {path in it: file of the host}.
    It is not compressed: unpacking would cost the guest more than reading."""
    tree = out + ".tree"
    for folder in DIRS:
        os.makedirs(os.path.join(tree, folder))
        os.symlink(folder, os.path.join(tree, os.path.basename(folder)))
    base = Base()
    base.put(tree, *base.locate("busybox", ("usr/bin",)))
    base.programs(tree, programs)
    content = {"init": os.path.join(LIB, "guest-init"), **(files or {})}
    if start:
        content["start"] = start
    order = modules(drivers)
    content.update({f"mods/{os.path.basename(path)}": path for path in order})
    for path, source in content.items():
        target = os.path.join(tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
        if path == "init" or path.startswith("usr/bin/"):
            os.chmod(target, 0o755)
    os.makedirs(os.path.join(tree, "mods"), exist_ok=True)
    with open(os.path.join(tree, "mods", "order"), "w", encoding="ascii") as file:
        file.writelines(os.path.basename(path) + "\n" for path in order)
    with open(out, "wb") as file:
        names = subprocess.run(["find", "."], cwd=tree, check=True, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, check=True,
                       input=names.stdout, stdout=file)
    shutil.rmtree(tree)


def driver_domain(out, files=None):
    """Write the ramdisk of a guest that serves others' networks and disks with Debian's tools."""
    ramdisk(out, os.path.join(LIB, "drv-start"), files=files,
            drivers=["xen-netback", "xen-blkback", "xen-blkfront", "bridge", "loop", "xen-evtchn",
                     "xen-gntdev", "xen-privcmd", "xenfs"],
            programs=["usr/lib/xen-4.17/bin/xl", "bash", "brctl", "ip", "stat", "flock", "losetup",
                      "expr", "awk", "xenstore-read", "xenstore-write", "xenstore-list",
                      "etc/xen/scripts/"])


def leaks(ctx, tag):
    """What a job's guests failed in, or left behind when all of them were gone, by its lines with
    that tag: `free before N`, `free after N`, and lib/guest.sh's `audit before`, `audit after`."""
    reasons = [m.group(0) for m in ctx.find(rf"{tag} failed: .*")]
    free = [int(m.group(1)) for m in ctx.find(rf"{tag} free (?:before|after) (\d+)")]
    if len(free) != 2 or abs(free[0] - free[1]) > 1:
        reasons.append(f"free memory before and after: {free}")
    if ctx.machine.hv == "xen":
        return reasons
    audits = ctx.find(rf"{tag} (?:before|after) .*audit: \d+ frames, \d+ tables \(\d+ pinned\), "
                      r"(\d+) frames held .* (\d+) errors")
    reasons += [f"audit: {m.group(0)}" for m in audits if m.group(2) != "0"]
    held = [m.group(1) for m in audits]
    if len(held) != 2 or held[0] != held[1]:
        reasons.append(f"frames held from elsewhere, before and after: {held}")
    used = [m.groups() for m in ctx.find(rf"{tag} after .*grant table of .* (\d+) entries in use, "
                                         r"(\d+) writers; (\d+) of")]
    if used != [("0", "0", "0")]:
        reasons.append(f"grants in use afterwards (entries, writers, handles by domain): {used}")
    return reasons
