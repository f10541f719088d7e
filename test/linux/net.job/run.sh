#!/bin/sh
# SPDX-License-Identifier: MIT
# Sends a random stream to the host's server, then receives one, and says the checksums.
. ./server
host=10.0.2.2
ip -brief address | sed 's/^/NET /'
t0=$(cut -d. -f1 /proc/uptime)
dd if=/dev/urandom of=/tmp/data bs=1M count=$mib status=none
nc -N $host $port </tmp/data || echo "NET sending failed: $?"
echo "NET sent sha256=$(sha256sum </tmp/data | cut -d' ' -f1)"
echo "NET received sha256=$(nc -d $host $port | sha256sum | cut -d' ' -f1)"
grep -E 'virtio|eth' /proc/interrupts | sed 's/^/NET irq /'
echo "NET done in $(($(cut -d. -f1 /proc/uptime) - t0)) s"
