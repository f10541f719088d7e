#!/bin/sh
# SPDX-License-Identifier: MIT
# Guests created and destroyed by the stock tools, as many rounds as the host says, in five ways in
# turn: running; created paused; paused and unpaused; while dom0 maps frames and grants of it; by
# its own end. Memory and objects are afterwards what they were after the first of each.
fail() {
    echo "CHURN failed: round $round: $*"
    xl list
    tail -n 20 $console | sed 's/^/CONSOLE /'
    xl dmesg | tail -n 40 | sed 's/^/DMESG /'
    exit 1
}
run() {
    timeout 120 "$@" >/run/out 2>&1 || { cat /run/out; fail "$*"; }
}
flags() { # DOMID: as the list has them, also of a domain that is dying
    xl list | awk -v id="$1" '$2 == id {print $5}'
}
wait_flags() { # DOMID PATTERN
    n=0
    until flags $1 | grep -q -- "$2"; do
        n=$((n + 1))
        [ $n -lt 300 ] || fail "d$1 is $(flags $1), not $2"
        sleep 0.1
    done
}
wait_gone() { # DOMID
    n=0
    while [ -n "$(flags $1)" ]; do
        n=$((n + 1))
        [ $n -lt 100 ] || fail "d$1 is still there: $(flags $1)"
        sleep 0.1
    done
}
ticks() { # DOMID: it is up
    if [ $kind = pvh ]; then
        grep -q 'GUEST up' $console
    else
        [ "$(xenstore-read /local/domain/$1/data/ticks 2>/dev/null)" -gt 0 ] 2>/dev/null
    fi
}
wait_tick() { # DOMID
    n=0
    until ticks $1; do
        n=$((n + 1))
        [ $n -lt 600 ] || fail "d$1 does not tick"
        sleep 0.1
    done
}
held() { # DOMID: destroyed while ./hold maps a frame and grants of it
    mkfifo /run/in
    : >/run/held
    ./hold $1 "$(xenstore-read /local/domain/$1/store/ring-ref)" </run/in >/run/held 2>&1 &
    exec 8>/run/in
    n=0
    until grep -q held /run/held; do
        n=$((n + 1))
        [ $n -lt 100 ] || fail "not held: $(cat /run/held)"
        sleep 0.1
    done
    run xl destroy $1
    wait_flags $1 d
    exec 8>&-
    wait $! || fail "what was held: $(cat /run/held)"
    grep -q '^unchanged' /run/held || fail "what was held: $(cat /run/held)"
    rm /run/in
}
one_round() {
    paused=
    [ $((round % 5)) -ne 1 ] || paused=-p
    : >$console
    run xl create -q -e $paused /run/g.cfg
    id=$(xl domid g)
    case $((round % 5)) in
    0) wait_tick $id && run xl destroy $id ;;
    1) wait_flags $id '^--p' && run xl destroy $id ;;
    2)
        run xl pause $id
        wait_flags $id '^--p'
        run xl unpause $id
        wait_tick $id
        run xl destroy $id
        ;;
    3) wait_tick $id && held $id ;;
    4)
        wait_tick $id
        run xl shutdown $id
        wait_flags $id s
        run xl destroy $id
        ;;
    esac
    wait_gone $id
}
state() { # WHEN
    sleep 1 # the last frames are scrubbed
    echo "STATE $1 pages $(./churn free) MiB $(xl info | awk '/^free_memory/{print $3}')"
    xl debug-keys m
    xl dmesg | grep 'small objects' | tail -n 1 | sed "s/^/STATE $1 /"
}

. ./knobs
console=/var/log/xen/console/guest-g.log
if [ $kind = pvh ]; then
    printf 'name = "g"\ntype = "pvh"\nkernel = "%s/vmlinux"\nramdisk = "%s/ramdisk"\n' "$PWD" "$PWD"
    printf 'extra = "console=hvc0 loglevel=4"\nmemory = 128\nvcpus = 2\n'
else
    printf 'name = "g"\nkernel = "%s/tick.elf"\nextra = "g 200"\nmemory = 32\n' "$PWD"
fi >/run/g.cfg
round=0
while [ $round -lt 5 ]; do
    one_round
    round=$((round + 1))
done
state before
while [ $round -lt $((rounds + 5)) ]; do
    one_round
    round=$((round + 1))
    [ $((round % 100)) -ne 0 ] || state "after $round"
done
state end
echo "CHURN done $rounds"
xl list | sed 's/^/LIST /'
xl debug-keys p
xl dmesg | tail -n 2 | sed 's/^/DMESG /'
