#!/bin/sh
# SPDX-License-Identifier: MIT
# A PV guest with a disk in a file of dom0 and a network interface on a bridge: what it reads and
# writes is compared here, devices come and go while it runs, disks vanish under it, and it is
# destroyed under load.
TAG=DEV
. ./lib/guest.sh
. ./sizes
bridge=192.168.77.1
vm=192.168.77.2

brctl addbr xenbr0
ip address add $bridge/24 dev xenbr0
ip link set xenbr0 up
dd if=/dev/urandom of=/root/a.img bs=1M count=$((disk_mib + 8)) status=none
dd if=/dev/urandom of=/root/b.img bs=1M count=8 status=none
guest_config pv1 guest 256 "vcpus = $vcpus" 'vif = [ "mac=00:16:3e:01:02:03,bridge=xenbr0" ]' \
    'disk = [ "format=raw,vdev=xvda,access=rw,target=/root/a.img" ]'
free_before=$(free_mem)
list_before=$(xl list | awk '{print $1, $2, $3, $4}')
audit before

guest_create pv1
guest_says pv1 'GUEST up' 120
grep 'GUEST [uh]' /run/pv1.out | sed 's/^/DEV /'

# The disk.
guest pv1 "dd if=/dev/xvda bs=1M count=$disk_mib 2>/dev/null | sha256sum | cut -d' ' -f1"
same "disk read" "$answer" "$(dd if=/root/a.img bs=1M count=$disk_mib status=none | sum)"
guest pv1 "dd if=/dev/urandom of=/tmp/w bs=1M count=8 2>/dev/null; dd if=/tmp/w of=/dev/xvda" \
    "bs=1M seek=$disk_mib conv=fsync 2>/dev/null; sha256sum </tmp/w | cut -d' ' -f1"
same "disk written" "$answer" "$(dd if=/root/a.img bs=1M skip=$disk_mib status=none | sum)"

# The network: both ways, maps and copies.
ping -c 5 -W 10 $vm >/run/ping || fail "ping: $(cat /run/ping)"
guest pv1 "ping -c 5 -W 10 $bridge >/dev/null"
ping -c 2 -s 8000 -W 10 $vm >/run/ping || fail "ping of 8000 bytes: $(cat /run/ping)"
say "ping ok"
timeout 300 nc -l -d 5001 >/run/received &
listener=$!
until_true 30 listening 5001
guest pv1 "dd if=/dev/urandom of=/tmp/s bs=1M count=$net_mib 2>/dev/null; nc $bridge 5001" \
    "</tmp/s; sha256sum </tmp/s | cut -d' ' -f1; rm /tmp/s"
wait $listener
same "net from the guest" "$answer" "$(sum </run/received)"
dd if=/dev/urandom of=/run/sent bs=1M count=$net_mib status=none
guest_begin pv1 "nc -l -p 5002 | sha256sum | cut -d' ' -f1"
sent() { nc -N $vm 5002 </run/sent 2>/dev/null; }
until_true 20 sent || fail "the guest does not listen"
guest_end pv1
same "net to the guest" "$answer" "$(sum </run/sent)"
rm /run/sent /run/received

# Devices come and go.
attach() { # DISK: as xvdb
    timeout 60 xl block-attach pv1 "format=raw,vdev=xvdb,access=rw,target=$1" ||
        fail "block-attach $1"
    guest pv1 'disk xvdb'
}
for round in 1 2; do
    attach /root/b.img
    guest pv1 "sha256sum </dev/xvdb | cut -d' ' -f1"
    same "disk attached" "$answer" "$(sum </root/b.img)"
    timeout 60 xl block-detach pv1 xvdb || fail "block-detach"
    guest pv1 'gone /dev/xvdb'
    timeout 60 xl network-attach pv1 mac=00:16:3e:01:02:04 bridge=xenbr0 || fail "network-attach"
    guest pv1 'interface eth1; ip link set eth1 up; cat /sys/class/net/eth1/address'
    same "interface attached" "$answer" 00:16:3e:01:02:04
    timeout 60 xl network-detach pv1 1 || fail "network-detach"
    guest pv1 'gone /sys/class/net/eth1'
    [ "$(xl block-list pv1 | wc -l)" = 2 ] || fail "block-list: $(xl block-list pv1)"
    [ "$(xl network-list pv1 | wc -l)" = 2 ] || fail "network-list: $(xl network-list pv1)"
done
say "hotplug ok"

# Disks vanish: the writer is told so, and the guest's other disk and the next one are as before.
name_it() { # by a name that stays, or dd made a file in its place
    guest pv1 'rm -f /tmp/b; mknod /tmp/b b $(tr : " " </sys/block/xvdb/dev)'
}
write_on() { # until it fails
    guest_begin pv1 'n=0;' \
        'dd if=/dev/urandom of=/tmp/v bs=1M count=4 2>/dev/null;' \
        'while dd if=/tmp/v of=/tmp/b bs=64k conv=fsync 2>/tmp/why; do n=$((n + 1)); done;' \
        'echo $n times, then $(grep -v records /tmp/why)'
    sleep 2
}
told() { # WHAT PATTERN: how the writing ended
    guest_end pv1
    echo "$answer" | grep -Eq "$2" || fail "vanished: $1: '$answer' is not /$2/"
    say "vanished: $1: the guest wrote $answer"
    guest pv1 'dd if=/dev/xvda bs=1M count=4 iflag=direct 2>/dev/null | sha256sum | cut -d" " -f1'
    same "vanished: $1" "$answer" "$(dd if=/root/a.img bs=1M count=4 status=none | sum)"
}
let_go() {
    timeout 120 xl block-detach --force pv1 xvdb || fail "block-detach --force"
    guest pv1 'gone /dev/xvdb'
    [ "$(xl block-list pv1 | wc -l)" = 2 ] || fail "block-list: $(xl block-list pv1)"
}
# By force, but idle: blkfront waits for ever for requests that its back end took along.
attach /root/b.img
name_it
let_go
write_on
told "detached by force" 'No such device'

mkdir /run/small
mount -t tmpfs -o size=2m small /run/small
truncate -s 8M /run/small/c.img
attach /run/small/c.img
name_it
write_on
told "no room" 'error'
let_go
until_true 20 umount /run/small || fail "the file is still in use"

attach /dev/vdc
name_it
write_on
echo "$(basename "$(readlink -f /sys/block/vdc/device)")" >/sys/bus/virtio/drivers/virtio_blk/unbind
told "device removed" 'error'
let_go

attach /root/b.img
guest pv1 "sha256sum </dev/xvdb | cut -d' ' -f1"
same "disk after all" "$answer" "$(sum </root/b.img)"
timeout 60 xl block-detach pv1 xvdb || fail "block-detach"

# The end, in the middle of everything.
nc -l -d 5003 >/dev/null &
until_true 30 listening 5003
guest pv1 "(while :; do dd if=/dev/xvda of=/dev/null bs=1M; done) >/dev/null 2>&1 &" \
    "(while :; do dd if=/dev/zero of=/dev/xvda bs=1M seek=$disk_mib count=4; done)" \
    ">/dev/null 2>&1 & (while :; do cat /dev/zero; done | nc $bridge 5003) >/dev/null 2>&1 &" \
    "sleep 3"
ping -f -w 20 -s 4000 $vm >/dev/null 2>&1 &
xl debug-keys g
guest_destroy pv1
same "xl list" "$(xl list | awk '{print $1, $2, $3, $4}')" "$list_before"
say "free before $free_before"
say "free after $(free_mem)"
audit after
say "end"
