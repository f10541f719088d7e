#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows each command and what it says, as if someone had typed it.
show() {
    echo
    echo "dom0# $*"
    sh -c "$*" 2>&1
}

show uname -srm
if [ -e /sys/hypervisor/type ]; then
    show cat /sys/hypervisor/type
    show "paste -d . /sys/hypervisor/version/major /sys/hypervisor/version/minor"
fi
show nproc
show free -m
show "ip -brief address"
if [ -e /proc/xen/privcmd ] && xl info >/run/xl-info 2>&1; then
    show "xl info | head -n 20"
    show xl list
    /lib/wheeler/guest && echo "TOUR guests done"
fi
echo
echo "TOUR done"
