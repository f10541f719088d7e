# SPDX-License-Identifier: MIT
"""vCPUs go offline and come back through sysfs, many times, and run programs after each round."""

TIMEOUT = 300
VARIANTS = {"default": {"smp": 2}, "vcpu4": {"smp": 4}}
EXPECT = [r"HOTPLUG done rounds=20"]
