# SPDX-License-Identifier: MIT
"""dom0 boots, sees a Xen of version 4.17, all vCPUs and its memory, and powers off; on every CPU
model, machine, CPU count and memory size that is promised."""

TIMEOUT = 240
VARIANTS = {
    "default": {},
    "nosmap": {"cpu": "max,-smap,-smep"},
    "qemu64": {"cpu": "qemu64"},
    "epyc": {"cpu": "EPYC"},
    "pc": {"mach": "pc"},
    "pc-epyc": {"mach": "pc", "cpu": "EPYC"},
    "vcpu1": {"smp": 1},
    "vcpu4": {"smp": 4},
    "mem512": {"mem": 512, "d0mem": 384},
    "mem1024": {"mem": 1024, "d0mem": 640},
    "mem8192": {"mem": 8192, "d0mem": 6144},
    "dom0-all": {"mem": 4096, "d0mem": -1},
}
QUICK = ["default", "qemu64", "pc-epyc", "vcpu4", "mem512"]


def prepare(ctx):
    if ctx.machine.d0mem < 0:
        ctx.machine.d0mem = 0


def value(ctx, name):
    found = ctx.find(rf"BOOT {name}=(\S*)")
    return found[0].group(1) if found else ""


def check(ctx):
    reasons = []
    if ctx.machine.hv != "native":
        if value(ctx, "type") != "xen":
            reasons.append(f"/sys/hypervisor/type is '{value(ctx, 'type')}', not 'xen'")
        if value(ctx, "version") != "4.17":
            reasons.append(f"the hypervisor's version is '{value(ctx, 'version')}', not 4.17")
    if value(ctx, "cpus") != str(ctx.machine.smp):
        reasons.append(f"dom0 has {value(ctx, 'cpus')} CPUs, not {ctx.machine.smp}")
    dom0 = ctx.machine.d0mem if ctx.machine.hv != "native" else 0
    want = dom0 or ctx.machine.mem
    # A kernel keeps the same 120 MiB out of 384 for itself under Debian's Xen.
    if int(value(ctx, "mem_mib") or 0) < want * 0.8 - 64:
        reasons.append(f"dom0 has {value(ctx, 'mem_mib')} MiB of memory where {want} were given")
    return reasons
