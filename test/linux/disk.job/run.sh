#!/bin/sh
# SPDX-License-Identifier: MIT
# Hashes the disk the host filled; fills the other one with a stream made here and hashes that.
. ./sizes

# by_size MIB: the block device of exactly that size
by_size() {
    for d in /sys/block/*; do
        [ "$(cat "$d/size")" != $(($1 * 2048)) ] || echo "/dev/${d##*/}"
    done
}

source=$(by_size $read_mib)
target=$(by_size $write_mib)
if [ ! -b "$source" ] || [ ! -b "$target" ]; then
    echo "DISK missing: source '$source' target '$target'"
    exit 1
fi
echo "DISK reading $source, writing $target"
t0=$(cut -d. -f1 /proc/uptime)
sum=$(dd if="$source" bs=1M iflag=direct status=none | sha256sum | cut -d' ' -f1)
echo "DISK read sha256=$sum"
t1=$(cut -d. -f1 /proc/uptime)

mkfifo /tmp/hash
sha256sum </tmp/hash >/tmp/wrote &
dd if=/dev/urandom bs=1M count=$write_mib iflag=fullblock status=none | tee /tmp/hash |
    dd of="$target" bs=1M iflag=fullblock oflag=direct status=none
wait
sync
echo "DISK wrote sha256=$(cut -d' ' -f1 /tmp/wrote)"
t2=$(cut -d. -f1 /proc/uptime)
grep -E 'virtio|ahci|nvme' /proc/interrupts | sed 's/^/DISK irq /'
echo "DISK done read $((t1 - t0)) s, write $((t2 - t1)) s"
