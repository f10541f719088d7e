#!/bin/sh
# SPDX-License-Identifier: MIT
# 20 rounds: every vCPU but the first offline, then online; a pinned program must run on each.
cpus=$(nproc)
fail() {
    echo "HOTPLUG failed: $*"
    exit 1
}

round=1
while [ $round -le 20 ]; do
    for online in /sys/devices/system/cpu/cpu[1-9]*/online; do
        echo 0 >"$online" || fail "round $round: $online would not go off"
    done
    [ "$(nproc)" = 1 ] || fail "round $round: $(nproc) CPUs on after taking all but one off"
    for online in /sys/devices/system/cpu/cpu[1-9]*/online; do
        echo 1 >"$online" || fail "round $round: $online would not come on"
    done
    [ "$(nproc)" = "$cpus" ] || fail "round $round: $(nproc) of $cpus CPUs came back"
    cpu=0
    while [ $cpu -lt "$cpus" ]; do
        taskset -c $cpu busybox true || fail "round $round: nothing runs on cpu $cpu"
        cpu=$((cpu + 1))
    done
    [ $((round % 5)) != 0 ] || echo "HOTPLUG round $round"
    round=$((round + 1))
done
echo "HOTPLUG done rounds=20"
