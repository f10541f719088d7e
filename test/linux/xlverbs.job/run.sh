#!/bin/sh
# SPDX-License-Identifier: MIT
# One part of the verbs; $xen is not empty on Debian's Xen.
. ./lib/check.sh
. ./guest.sh
. ./part
case $(cat /sys/hypervisor/version/extra) in
*wheeler*) xen= ;;
*) xen=yes ;;
esac
free=$(free_mem)
names_before=$(names)
for part in $parts; do
    echo "PART $part"
    . "./$part.sh"
done
same "list" "$(names)" "$names_before"
near "free memory" "$(free_mem)" "$free"
[ -n "$xen" ] || audit
verdict
