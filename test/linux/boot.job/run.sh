#!/bin/sh
# SPDX-License-Identifier: MIT
# What dom0 sees of the hypervisor and of the machine, for the host to compare.
v=/sys/hypervisor/version
echo "BOOT type=$(cat /sys/hypervisor/type 2>/dev/null || echo none)"
echo "BOOT version=$(cat $v/major 2>/dev/null).$(cat $v/minor 2>/dev/null)"
echo "BOOT cpus=$(nproc)"
echo "BOOT mem_mib=$(awk '/^MemTotal/{print int($2 / 1024)}' /proc/meminfo)"
echo "BOOT uptime=$(cut -d' ' -f1 /proc/uptime)"
grep -m1 'model name' /proc/cpuinfo
