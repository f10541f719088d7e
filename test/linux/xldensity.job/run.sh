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
store=$(pidof xenstored oxenstored)
store_time() { # ns of CPU that the xenstore daemon has used
    cut -d' ' -f1 /proc/$store/schedstat
}
alone() { # BESIDE: the store, which looks at all domains when one goes, does not take part
    kill -STOP $store
    ./churn rounds 50 | sed "s/^CHURN/& beside $1:/"
    kill -CONT $store
}
create() { # N
    printf 'name = "g%d"\nkernel = "%s/tick.elf"\nextra = "g%d 1000 quiet"\nmemory = 32\n' $1 \
        "$PWD" $1 >/run/g.cfg
    used=$(store_time)
    begin=$(date +%s%N)
    xl create -q -e /run/g.cfg || fail "create $1"
    end=$(date +%s%N)
    echo "DENSITY created $1 in $((end - begin)) ns, of them xenstored $(($(store_time) - used))"
}
ticks() { # WHEN
    for id in $(xl list | awk 'NR > 2{print $2}'); do
        echo "DENSITY $1 $id ticks $(xenstore-read /local/domain/$id/data/ticks)"
    done
}

. ./knobs
# Neither the host's disk nor Linux' choice of a vCPU for each has a part in the times.
mount -t tmpfs lib /var/lib/xen
mount -t tmpfs log /var/log/xen
mkdir /var/log/xen/console
taskset -pc 0 $store >/dev/null
taskset -pc 0 $$ >/dev/null
create 0 # what is allocated once and kept
xl destroy g0
echo "DENSITY free before $(free_mem)"
n=1
while [ $n -le "$guests" ]; do
    create $n
    [ $n -ne 5 ] || alone few
    n=$((n + 1))
done
alone many
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
