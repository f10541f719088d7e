#!/bin/sh
# SPDX-License-Identifier: MIT
# What the stock tools say about the machine and the control domain; the host compares.
cat /run/toolstack.log /run/xen-init-dom0.log 2>/dev/null | sed 's/^/TOOLSTACK /'
show() {
    echo "XL begin $*"
    timeout 60 "$@" 2>&1
    echo "XL rc=$? $*"
}

pidof xenstored >/dev/null && echo "XL xenstored runs"
pidof xenconsoled >/dev/null && echo "XL xenconsoled runs"
show xl info
show xl info -n
show xl list
show xl list -v
show xl vcpu-list
show xl cpupool-list
show xl sched-credit2
show xl uptime
show xl claims
show xl vcpu-pin 0 0 0
show xl vcpu-list 0
show xl vcpu-pin 0 0 all
show xl sched-credit2 -d 0 -w 512
show xl sched-credit2 -d 0
show xl sched-credit2 -d 0 -w 256
show xl debug-keys h
xl dmesg >/run/xl-dmesg; show head -c 4000 /run/xl-dmesg
show xenstore-ls /local/domain/0
show xentop -b -i 1
