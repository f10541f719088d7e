#!/bin/sh
# SPDX-License-Identifier: MIT
# CPU pools with the stock tools: CPUs out of Pool-0 and into a new pool, a guest that is created in
# it, moved there and back while it runs, what must be refused, and everything back as it was.
show() {
    echo "XL begin $*"
    timeout 60 "$@" 2>&1
    echo "XL rc=$? $*"
}
refused() {
    # xl cpupool-cpu-remove only says so.
    timeout 60 "$@" >/run/out 2>&1 && ! grep -qi 'error\|may not' /run/out &&
        { echo "POOL taken: $*"; return; }
    echo "POOL refused: $*"
}
ticks() { # the guest's clock goes on
    before=$(grep -c LOAD /run/p1.log)
    n=0
    until [ "$(grep -c LOAD /run/p1.log)" -gt $((before + 1)) ]; do
        n=$((n + 1))
        [ $n -lt 150 ] || { echo "POOL $1: the guest stands still"; return; }
        sleep 0.2
    done
    echo "POOL $1: the guest runs on CPU $(xl vcpu-list p1 | awk 'NR == 2 {print $4}')"
}
pools() {
    xl cpupool-list | sed "s/^/POOL $1: /"
    xl cpupool-list -c | sed "s/^/CPUS $1: /"
}

pools start
show xl cpupool-cpu-remove Pool-0 2
show xl cpupool-cpu-remove Pool-0 3
show xl cpupool-create 'name="side"' 'sched="credit"' 'cpus=["3"]'
pools created
show xl cpupool-cpu-add side 2
show xl cpupool-rename side edge
pools renamed
printf 'name = "p1"\nkernel = "%s/load.elf"\nextra = "p1 spin"\nmemory = 16\npool = "edge"\n' \
    "$PWD" >/run/p1.cfg
show xl create -q -p /run/p1.cfg
xl console p1 </dev/null >/run/p1.log 2>/dev/null &
show xl unpause p1
ticks "in edge"
show xl list -c
refused xl cpupool-destroy edge
refused xl cpupool-cpu-remove Pool-0 0
refused xl cpupool-cpu-remove edge 1
refused xl cpupool-migrate Domain-0 edge
refused xl cpupool-create 'name="none"' 'sched="arinc653"' 'cpus=[]'
show xl cpupool-cpu-remove edge 3
ticks "with one CPU"
refused xl cpupool-cpu-remove edge 2
show xl sched-credit -d p1 -w 100
xl sched-credit -p edge | sed 's/^/SCHED edge: /'
show xl sched-credit -s -p edge -t 30 -r 1000
show xl cpupool-migrate p1 Pool-0
ticks "in Pool-0"
show xl cpupool-migrate p1 edge
ticks "back in edge"
show xl cpupool-create 'name="rt"' 'sched="rtds"' 'cpus=["3"]'
show xl cpupool-migrate p1 rt
show xl sched-rtds -d p1 -v all -p 10000 -b 9000 -e 0
xl sched-rtds -d p1 -v all | sed 's/^/SCHED rt: /'
ticks "in rt"
show xl destroy p1
while xl list | grep -q "^p1 \|(null)"; do sleep 0.2; done
show xl cpupool-destroy rt
show xl cpupool-destroy edge
show xl cpupool-cpu-add Pool-0 2
show xl cpupool-cpu-add Pool-0 3
show xl cpupool-numa-split
pools end
show xl list -c
show xl debug-keys r
xl dmesg | tail -n 20 | sed 's/^/DMESG /'
