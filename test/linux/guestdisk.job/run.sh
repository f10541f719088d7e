#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest's ext4 under fio with verification, fio itself being on the same file system; beside it a
# second disk comes, is written and goes, to be read the next time, and dom0 has one vCPU, then two.
TAG=DISK
GUEST_SECONDS=300
. ./sizes
. ./lib/guest.sh
for d in /sys/block/*; do
    [ "$(cat "$d/size")" != $((mib * 2048)) ] || disk=/dev/${d##*/}
done
[ -b "$disk" ] || fail "no disk of $mib MiB"
format="format=raw,access=rw,script=/lib/wheeler/block"

fsck() { # WHAT DEVICE: nothing to repair
    sync
    blockdev --flushbufs "$2" 2>/dev/null
    e2fsck -fn "$2" >/run/fsck 2>&1 || fail "fsck of $1: $(tail -n 20 /run/fsck)"
}
vcpus() { # COUNT: of dom0's. The kernel adds one; making use of it is for udev, or us.
    [ "$1" = 1 ] || echo 1 >/sys/devices/system/cpu/cpu1/online
    [ "$(nproc)" = "$1" ]
}

truncate -s 24M /root/b.img
mkfs.ext4 -q -F /root/b.img || fail "mkfs"
say "free before $(free_mem)"
audit before
guest_config disk disk 256 "type = \"$kind\"" 'vcpus = 2' \
    "disk = [ '$format,vdev=xvda,target=$disk' ]"
guest_create disk
guest_says disk 'GUEST up' 120
guest disk 'mkdir /a /b && disk xvda && mount -t ext4 /dev/xvda /a'

# Passes of fio until the time is over, each with its own data, all read back and compared. The last
# pass leaves its files. Sizes: what a guest writes in some seconds.
cat >/run/load <<LOAD
n=0; bad=; t=\$(cut -d. -f1 /proc/uptime); l=/a/usr/lib/x86_64-linux-gnu;
fio="/a/usr/lib64/ld-linux-x86-64.so.2 --library-path \$l:\$l/ceph /a/usr/bin/fio
    --directory=/a/load --verify=crc32c --verify_fatal=1 --do_verify=1 --thread";
while [ -z "\$bad" ] && [ \$((\$(cut -d. -f1 /proc/uptime) - t)) -lt $seconds ]; do
    n=\$((n + 1)); \$fio --randseed=\$n --size=12m
        --name=direct --rw=randwrite --bsrange=4k-64k --direct=1 --ioengine=libaio --iodepth=8
        --verify_backlog=64
        --name=cached --rw=randwrite --bs=4k --end_fsync=1 --ioengine=psync >/tmp/out 2>&1 || bad=y;
done; if [ -z "\$bad" ]; then echo passes \$n; else echo failed \$n; cat /tmp/out; fi >/tmp/load;
mv /tmp/load /tmp/loaded
LOAD
guest disk "{ $(tr '\n' ' ' </run/load); } >/dev/null 2>&1 &"

rounds=0
answer=
until [ -n "$answer" ] && [ $rounds -ge 2 ]; do
    timeout 60 xl block-attach disk "$format,vdev=xvdb,target=/root/b.img" || fail "block-attach"
    guest disk 'disk xvdb && mount -t ext4 /dev/xvdb /b &&' \
        '{ [ ! -e /b/file ] || sha256sum </b/file | cut -d" " -f1; }'
    [ $rounds = 0 ] || [ "$answer" = "$kept" ] || fail "second disk: '$answer' is not '$kept'"
    guest disk 'rm -f /b/file; dd if=/dev/urandom of=/b/file bs=64k count=128 2>/dev/null;' \
        'sha256sum </b/file | cut -d" " -f1; umount /b'
    kept=$answer
    count=$((2 - (rounds + 1) % 2))
    xl vcpu-set 0 $count || fail "xl vcpu-set 0 $count"
    until_true 60 vcpus $count || fail "dom0 has $(nproc) vCPUs, not $count"
    timeout 60 xl block-detach disk xvdb || fail "block-detach"
    guest disk 'gone /dev/xvdb'
    fsck "the second" /root/b.img
    rounds=$((rounds + 1))
    guest disk 'cat /tmp/loaded 2>/dev/null; :'
done
say "fio $answer"
say "dom0 had 1 and 2 vCPUs, plugged $rounds times"
xl vcpu-set 0 2

# What the guest reads of its files; the host compares that with what it finds on the disk.
guest disk 'echo 3 >/proc/sys/vm/drop_caches; cd /a && find usr -type f | sort |' \
    'xargs sha256sum | sha256sum'
say "programs $answer"
guest disk 'cd /a && find usr load -type f | sort | xargs sha256sum | sha256sum; cd / && umount /a'
say "files $answer"
guest_destroy disk
fsck "the first" "$disk"
say "fsck of the first ok"
fsck "the second" /root/b.img
say "fsck of the second ok"
mkdir -p /run/b
mount -t ext4 -o ro,loop /root/b.img /run/b || fail "mount"
same "second disk" "$(sum </run/b/file)" "$kept"
umount /run/b
say "free after $(free_mem)"
audit after
say end
