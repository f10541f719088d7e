#!/bin/sh
# SPDX-License-Identifier: MIT
# A driver domain: a guest that is the back end of two clients' network and of one's disk. It is
# killed again and again while they use it, made again, and they go on; a bystander with its devices
# from dom0 writes and talks all the time.
TAG=DRV
. ./lib/guest.sh
. ./rounds

dd if=/dev/zero of=/run/by.img bs=1M count=2 status=none
vif2="mac=00:16:3e:01:00:02,bridge=xenbr0,backend=drv"
vif3="mac=00:16:3e:01:00:03,bridge=xenbr0,backend=drv"
disk="format=raw,vdev=xvda,access=rw,backendtype=phy,backend=drv,target=/srv/disk.img"
guest_config drv drv 192 'driver_domain = 1'
guest_config c2 client 128 "vif = [ '$vif2' ]" "disk = [ '$disk' ]"
guest_config c3 client 128 "vif = [ '$vif3' ]"
guest_config by by 128 "vif = [ 'bridge=xenbr1' ]" \
    "disk = [ 'format=raw,vdev=xvda,access=rw,target=/run/by.img' ]"

start_drv() {
    guest_create drv
    guest_says drv 'GUEST up' 120
}
disk_read() {
    guest c2 'disk xvda && sha256sum </dev/xvda | cut -d" " -f1'
    same "disk read" "$answer" "$(sum <disk.img)"
}
exchange() { # a file from one client to the other, by the driver domain's bridge
    guest_begin c3 'nc -l -p 5001 | sha256sum | cut -d" " -f1'
    guest c2 'dd if=/dev/urandom of=/tmp/s bs=64k count=16 2>/dev/null;' \
        'until nc 192.168.78.3 5001 </tmp/s; do sleep 0.2; done; sha256sum </tmp/s | cut -d" " -f1'
    sent=$answer
    guest_end c3
    same "exchange" "$answer" "$sent"
}

attach() { # drv is new: so are the devices
    start_drv
    timeout 120 xl network-attach c2 $(echo $vif2 | tr , ' ') || fail "network-attach c2"
    timeout 120 xl network-attach c3 $(echo $vif3 | tr , ' ') || fail "network-attach c3"
    timeout 120 xl block-attach c2 "$disk" || fail "block-attach"
}
detach() { # their back end is gone
    for client in c2 c3; do
        timeout 60 xl network-detach $client 0 || fail "network-detach $client"
        guest $client 'gone /sys/class/net/eth0'
        guest $client 'kill $(cat /tmp/pid); killall nc cat; true'
    done
    timeout 60 xl block-detach c2 xvda || fail "block-detach"
    guest c2 'gone /dev/xvda'
}
use() {
    guest c2 net_up
    guest c3 net_up
    exchange
    disk_read
}
traffic() {
    guest c3 '(while :; do nc -l -p 5002 >/dev/null; done) >/dev/null 2>&1 & echo $! >/tmp/pid'
    guest c2 '(while :; do cat /dev/zero | nc 192.168.78.3 5002; sleep 0.1; done)' \
        '>/dev/null 2>&1 & echo $! >/tmp/pid'
    guest c3 'received 300000'
}

ip link add xenbr1 type bridge
ip address add 192.168.79.1/24 dev xenbr1
ip link set xenbr1 up
nc -l 192.168.79.1 5005 >/run/bystander &
free_first=$(free_mem)
audit before
start_drv
guest_create by
guest_create c2
guest_create c3
guest_says c2 'GUEST up' 120
guest_says c3 'GUEST up' 120
guest_says by 'GUEST up' 120
guest by 'bystand'
use

grants() { # WHEN
    xl dmesg -c >/dev/null
    xl debug-keys g
    xl dmesg | sed "s/^/DRV $1 /"
}

round=0
while [ $round -lt $rounds ]; do
    round=$((round + 1))
    traffic
    guest_destroy drv
    say "killed $round free $(free_mem)"
    grants "killed $round"
    detach
    attach
    use
    say "reconnected $round"
done
guest by 'dmesg | grep -ci "error\|fail\|warn\|timed out"; true'
say "bystander complaints $answer"
for name in c2 c3 by drv; do
    guest_destroy $name
done
awk 'NR != $1 {bad++} NR > 1 && $2 - last > gap {gap = $2 - last} {last = $2}
    END {print "DRV bystander lines", NR, "bad", bad + 0, "longest gap", gap}' /run/bystander
say "free before $free_first"
say "free after $(free_mem)"
audit after
say "end"
