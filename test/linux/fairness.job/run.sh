#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests that want the processor share one CPU: by weight, under caps, beside a tick dodger, with a
# reservation, and one that wakes up beside four that compute. The host judges by the guests' own
# counts and by the times of xl list.
fail() {
    echo "FAIR failed: $*"
    xl list
    xl dmesg | tail -n 40 | sed 's/^/DMESG /'
    exit 1
}
run() {
    timeout 120 "$@" >/run/out 2>&1 || { cat /run/out; fail "$*"; }
}
guest() { # NAME ARGS...: created paused, its console kept
    name=$1
    printf 'name = "%s"\nkernel = "%s/load.elf"\nextra = "%s"\nmemory = 16\n' \
        "$name" "$PWD" "$*" >/run/$name.cfg
    run xl create -q -p /run/$name.cfg
    xl console "$name" </dev/null >/run/$name.log 2>/dev/null &
}
times() { # PHASE WHEN
    xl list | awk -v p="$1 $2" 'NR > 1 {print "TIME", p, $1, $6}'
    echo "TIME $1 $2 uptime $(cut -d' ' -f1 /proc/uptime)"
}
counts() { # PHASE WHEN NAME...
    phase=$1 when=$2
    shift 2
    for name in "$@"; do
        echo "SAMPLE $phase $when $(grep 'LOAD.*;' /run/$name.log | tail -n 1)"
    done
}
phase() { # PHASE SECONDS NAME...: only these run. dom0 sleeps between the two counts.
    phase=$1 seconds=$2
    shift 2
    for name in "$@"; do run xl unpause $name; done
    times $phase begin
    sleep 3
    counts $phase begin "$@"
    sleep $seconds
    counts $phase end "$@"
    times $phase end
    for name in "$@"; do run xl pause $name; done
}

long=$(cat seconds)
short=$((long / 3))
run xl sched-credit2 -d Domain-0 -w 16384 # for the commands between
for n in 1 2 3 4 5 6 7 8 9; do guest s$n spin; done
guest dodger dodge 10000
guest waker wake 100 20000
echo "FAIR guests are there"

phase alone $short s1
run xl sched-credit2 -d s1 -w 128
run xl sched-credit2 -d s2 -w 256
run xl sched-credit -d s3 -w 512
phase weights $long s1 s2 s3
for n in 1 2 3; do run xl sched-credit2 -d s$n -w 256; done
run xl sched-credit2 -d s1 -c 10
run xl sched-credit2 -d s2 -c 25
run xl sched-credit2 -d s3 -c 50
phase caps $short s1 s2 s3
for n in 1 2 3; do run xl sched-credit2 -d s$n -c 0; done
phase dodger $short s1 dodger
run xl sched-rtds -d s1 -v all -p 10000 -b 4000 -e 1
if xl sched-rtds -d s2 -v all -p 10000 -b 6000 -e 1; then fail "60 % more were promised"; fi
xl dmesg | grep 'd[0-9]*v0 reserves 60.0 %' | tail -n 1 | sed 's/^/FAIR refused: /'
phase reserved $short s1 s2 s3 s4 s5 s6 s7 s8 s9
run xl sched-rtds -d s1 -v all -p 1000000 -b 1 -e 1
phase wakeup $short s1 s2 s3 s4 waker
xl debug-keys r
xl dmesg | tail -n 12 | sed 's/^/DMESG /'
for name in s1 s2 s3 s4 s5 s6 s7 s8 s9 dodger waker; do run xl destroy $name; done
