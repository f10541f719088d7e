#!/bin/sh
# SPDX-License-Identifier: MIT
# All stress-ng classes, one after the other with two workers each, in the time given; then a pause
# in which the host types the hypervisor's audit key.
. ./knobs
set -- $classes
each=$((seconds / $#))
[ $each -ge 2 ] || each=2
mkdir -p /tmp/stress
cd /tmp/stress
echo "STRESS start $# classes, $each s each"
rc=0
chmod 777 /tmp/stress
for class in "$@"; do
    bytes= user=
    case $class in
    vm | mmap | mremap) bytes="--$class-bytes 64M" ;;
    # As root this one poisons memory, after which a paravirtualized kernel of this version warns on
    # any hypervisor: its check reads a page-table entry whose update is still in the batch.
    madvise) user="setpriv --reuid=65534 --clear-groups" ;;
    esac
    $user stress-ng --temp-path /tmp/stress --"$class" 2 $bytes --timeout "$each" --oomable \
        >/tmp/stress.log 2>&1 || {
        rc=$?
        echo "STRESS $class failed with $rc"
        cat /tmp/stress.log
    }
    echo "STRESS class $class at $(cut -d' ' -f1 /proc/uptime)"
done
echo "STRESS done rc=$rc"
echo "STRESS keys"
sleep 8
exit $rc
