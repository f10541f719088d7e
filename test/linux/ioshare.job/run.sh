#!/bin/sh
# SPDX-License-Identifier: MIT
# What the stock drivers negotiate (queues, persistent grants, indirect descriptors) is used, and
# dom0's limits hold: rate= of a network interface, io.max on the threads that serve a disk.
TAG=SHARE
. ./lib/guest.sh
rate_kib=1000 # of eth1 and, later, of xvda
net_kib=4096 # to move, with each limit
disk_kib=3072

for net in 76 77; do
    ip link add br$net type bridge
    ip address add 192.168.$net.1/24 dev br$net
    ip link set br$net up
done
for disk in a b; do
    dd if=/dev/urandom of=/run/$disk.img bs=1M count=16 status=none
done
guest_config io io 192 'vcpus = 2' \
    "vif = [ 'bridge=br77', 'bridge=br76,rate=1024KB/s' ]" \
    "disk = [ 'format=raw,vdev=xvda,access=rw,target=/run/a.img'," \
    "    'format=raw,vdev=xvdb,access=rw,target=/run/b.img' ]"
guest_create io
guest_says io 'GUEST up' 120
id=$(xl domid io)
back=/local/domain/0/backend
front=/local/domain/$id/device

# What was negotiated.
key() { # WHOSE KEY FOLDER
    echo "SHARE key $1 $2 = $(xenstore-read "$3/$2")"
}
key vif multi-queue-num-queues $front/vif/0
key vif request-rx-copy $front/vif/0
key vif feature-gso-tcpv4 $front/vif/0
key vbd multi-queue-num-queues $front/vbd/51712
key "vbd front" feature-persistent $front/vbd/51712
key "vbd back" feature-persistent $back/vbd/$id/51712
key vbd feature-max-indirect-segments $back/vbd/$id/51712

# It is used: both queues, and requests beyond the eleven segments of a plain one.
guest io 'taskset 1 cat /dev/xvda | sha256sum | cut -d" " -f1'
same "disk by queue 0" "$answer" "$(sum </run/a.img)"
guest io 'awk "{print int(\$3 / \$1)}" /sys/block/xvda/stat'
say "sectors in a request $answer"
guest io 'echo 3 >/proc/sys/vm/drop_caches; taskset 2 cat /dev/xvda | sha256sum | cut -d" " -f1'
same "disk by queue 1" "$answer" "$(sum </run/a.img)"
guest io 'rang blkif'
say "disk queues rang $answer"
flow=0
while [ $flow -lt 8 ]; do
    flow=$((flow + 1))
    dd if=/dev/urandom of=/run/sent bs=64k count=4 status=none
    timeout 300 nc -l -d 192.168.77.1 $((5000 + flow)) >/run/received &
    listener=$!
    until_true 30 listening $((5000 + flow))
    guest_begin io "nc -l -p $((6000 + flow)) >/tmp/r; nc 192.168.77.1 $((5000 + flow)) </tmp/r"
    until_true 20 nc -N 192.168.77.2 $((6000 + flow)) </run/sent || fail "the guest does not listen"
    guest_end io
    wait $listener
    cmp /run/sent /run/received || fail "flow $flow"
done
say "flows ok"
guest io 'rang "^vif0-q[01]-[rt]x"'
say "network queues rang $answer"

# The network's limit: what the guest sends by the one interface, and by the other.
speed() { # KIB MS
    echo $(($1 * 1000 / $2))
}
send() { # ADDRESS: sets answer, the ms it took
    timeout 300 nc -l -d "$1" 5001 >/run/received &
    listener=$!
    until_true 30 listening 5001
    guest io "begun=\$(now); dd if=/dev/zero bs=64k count=$((net_kib / 64)) 2>/dev/null |" \
        "nc $1 5001; echo \$((\$(now) - begun))"
    wait $listener
}
send 192.168.76.1
say "net limited $(speed $net_kib "$answer")"
send 192.168.77.1
say "net free $(speed $net_kib "$answer")"

# The disk's limit: the threads that serve xvda, in a group of their own.
group=/sys/fs/cgroup/io
guest io "read_disk xvda $disk_kib"
say "disk free $(speed $disk_kib "$answer")"
ps -eo pid,comm | grep xvd
losetup -a
echo +io >/sys/fs/cgroup/cgroup.subtree_control || fail "no io controller"
mkdir $group
for thread in $(pgrep "^$id\.xvda"); do
    echo "$thread" >$group/cgroup.procs || fail "thread $thread stays where it is"
done
loop=$(losetup -j /run/a.img | cut -d: -f1)
echo "$(cat "/sys/block/${loop#/dev/}/dev") rbps=$((rate_kib * 1024)) wbps=$((rate_kib * 1024))" \
    >$group/io.max
guest io "read_disk xvda $disk_kib"
say "disk limited $(speed $disk_kib "$answer")"
guest io "read_disk xvdb $disk_kib"
say "disk beside it $(speed $disk_kib "$answer")"
guest_destroy io
say end
