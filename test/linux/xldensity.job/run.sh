#!/bin/sh
# SPDX-License-Identifier: MIT
# Many small guests at once under the stock tools: what each costs in time of creation and in the
# hypervisor's memory, whether they all tick, and that all of it comes back. Beside few and beside
# many of them, the hypervisor alone makes and destroys domains of its own.
fail() {
    echo "DENSITY failed: $*"
    xl list
    xl dmesg | tail -n 40 | sed 's/^/DMESG /'
    exit 1
}
free_mem() { xl info | awk '/^free_memory/{print $3}'; }
store_time() { # ns of CPU that xenstored has used
    cut -d' ' -f1 /proc/$(pidof xenstored)/schedstat
}
create() { # N
    printf 'name = "g%d"\nkernel = "%s/tick.elf"\nextra = "g%d 1000 quiet"\nmemory = 32\n' $1 \
        "$PWD" $1 >/run/g.cfg
    store=$(store_time)
    begin=$(date +%s%N)
    xl create -q -e /run/g.cfg || fail "create $1"
    end=$(date +%s%N)
    echo "DENSITY created $1 in $((end - begin)) ns, of them xenstored $(($(store_time) - store))"
}
ticks() { # WHEN
    for id in $(xl list | awk 'NR > 2{print $2}'); do
        echo "DENSITY $1 $id ticks $(xenstore-read /local/domain/$id/data/ticks)"
    done
}

. ./knobs
create 0 # what is allocated once and kept
xl destroy g0
echo "DENSITY free before $(free_mem)"
n=1
while [ $n -le "$guests" ]; do
    create $n
    [ $n -ne 5 ] || ./churn rounds 50 | sed 's/^CHURN/& beside few:/'
    n=$((n + 1))
done
./churn rounds 50 | sed 's/^CHURN/& beside many:/'
ticks first
xl debug-keys m
xl dmesg | tail -n $((guests + 4)) | sed 's/^/DMESG /'
sleep 3 # each ticks once a second
ticks second
xl list | sed 's/^/LIST /'
xl shutdown -a
n=0
while xl list | awk 'NR > 2 && $5 !~ /s/' | grep -q . && [ $n -lt 100 ]; do
    n=$((n + 1))
    sleep 0.1
done
for id in $(xl list | awk 'NR > 2 && $5 ~ /s/{print $2}'); do
    echo "DENSITY obeyed $id"
    xl destroy $id
done
echo "DENSITY free after $(free_mem)"
xl debug-keys p
xl dmesg | tail -n 2 | sed 's/^/DMESG /'
