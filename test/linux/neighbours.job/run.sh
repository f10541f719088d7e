#!/bin/sh
# SPDX-License-Identifier: MIT
# Two guests do their worst on the CPU that a third one computes on: a fork bomb, and hypercalls of
# all kinds. A fourth sleeps and wakes. Then all are destroyed, and nothing is left of them.
. ./shares.sh
seconds=$(cat seconds)
free_mem() { xl info | awk '/^free_memory/{print $3}'; }
log_lines() { xl dmesg | grep -c '^(XEN)'; }
audit() { # WHEN
    xl debug-keys p
    xl dmesg | sed -n 's/.*\(audit: .* errors\)/\1/p' | tail -n 1 | sed "s/^/NEIGH $1 /"
}

mkdir -p /run/bomb/bin
cp /bin/busybox /run/bomb/bin/
cp bomb-init /run/bomb/init
chmod 755 /run/bomb/init
(cd /run/bomb && find . | busybox cpio -o -H newc | gzip -1) >/run/bomb.gz 2>/dev/null
printf 'name = "bomb"\ntype = "%s"\nkernel = "%s/vmlinuz"\nramdisk = "/run/bomb.gz"\n' \
    "$(kind_of bomb)" "$PWD" >/run/bomb.cfg
# Its kernel says nothing, or killing processes would be all it did.
printf 'memory = 256\nextra = "console=hvc0 loglevel=0"\n' >>/run/bomb.cfg

echo "NEIGH free before $(free_mem)"
run xl sched-credit2 -d Domain-0 -w 16384 # for the commands between
guest s1 spin
guest waker wake 100 20000
ELF=pest guest pest
create bomb
phase alone 5 s1
run xl unpause bomb
n=0
until grep -q 'BOMB up' /run/bomb.log; do
    n=$((n + 1))
    [ $n -lt 300 ] || fail "the bomb does not start"
    sleep 0.2
done
run xl pause bomb
echo "NEIGH log lines before $(log_lines)"
phase neighbours $seconds s1 waker pest bomb
echo "NEIGH log lines after $(log_lines) at $(uptime)"
audit during
for name in pest bomb; do
    grep 'PEST r.*;\|BOMB process .*;' /run/$name.log | tail -n 1 | tr '\r' ' '
done
# In the middle of it dom0's own refusals have a reason.
for name in pest bomb; do run xl unpause $name; done
sleep 2
xl cpupool-cpu-remove Pool-0 0 >/dev/null 2>&1
xl dmesg | grep 'd0v0.*CPU 0 stays in Pool-0' | sed 's/^/NEIGH reason: /'
xl list
for name in s1 waker pest bomb; do run xl destroy $name; done
sleep 1
xl list
echo "NEIGH domains left $(xl list | tail -n +2 | wc -l)"
echo "NEIGH free after $(free_mem)"
xl debug-keys p
xl dmesg | tail -n 40 | sed 's/^/DMESG /'
