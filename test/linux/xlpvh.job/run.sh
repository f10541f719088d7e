#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of a PVH guest under the stock tools: created, run, looked at, shut down, created and
# destroyed again; its memory comes back. Skips, saying so, where the machine has no SVM or VT-x.
show() {
    echo "XL begin $*"
    timeout 120 "$@" 2>&1
    echo "XL rc=$? $*"
}
free_mem() { xl info | awk '/^free_memory/{print $3}'; }
wait_for() { # PATTERN SECONDS: until the guest's console says it
    n=0
    until grep -q "$1" /run/console; do
        n=$((n + 1))
        [ $n -lt $(($2 * 5)) ] || return 1
        sleep 0.2
    done
}
wait_gone() { # NAME: until the list does not have it
    n=0
    while xl list | grep -q "^$1 " && [ $n -lt 50 ]; do
        n=$((n + 1))
        sleep 0.2
    done
}
give_up() {
    echo "PVH $1"
    sed 's/^/CONSOLE /' /run/console | tail -n 60
    cmp vmlinuz /run/vmlinuz || echo "PVH the kernel's file has changed"
    free -m
    xl list
    xl debug-keys q
    xl debug-keys r
    xl debug-keys e
    xl dmesg | tail -n 80 | sed 's/^/DMESG /'
    exit 1
}

if ! xl info | grep -q '^virt_caps.*hvm.*hap'; then
    echo "PVH skipped: the machine has no SVM with nested paging"
    exit 0
fi
mkdir -p /run/guest/bin /run/guest/sbin
cp /bin/busybox /run/guest/bin/
for verb in poweroff reboot; do
    printf '#!/bin/busybox sh\nexec /bin/busybox %s -f\n' $verb >/run/guest/sbin/$verb
    chmod 755 /run/guest/sbin/$verb
done
cp guest-init /run/guest/init
chmod 755 /run/guest/init
(cd /run/guest && find . | busybox cpio -o -H newc | gzip -1) >/run/guest.gz 2>/dev/null
cp vmlinuz /run/vmlinuz
cat >/run/pvh.cfg <<C
name = "pvh1"
type = "pvh"
kernel = "/run/vmlinuz"
ramdisk = "/run/guest.gz"
extra = "console=hvc0 panic=1 quiet"
memory = 160
vcpus = $(cat vcpus)
on_crash = "preserve"
C

xl create -q -p /run/pvh.cfg && xl destroy pvh1 # what is allocated once and kept
wait_gone pvh1
echo "PVH free before $(free_mem)"
show xl create -q -p /run/pvh.cfg
xl domid pvh1 >/dev/null 2>&1 || give_up "no domain"
xl console pvh1 </dev/null >/run/console 2>&1 &
show xl unpause pvh1
wait_for 'GUEST tick 2' 90 || give_up "no tick"
echo "PVH the guest ticks"
grep GUEST /run/console | head -n 3 | sed 's/^/CONSOLE /'
show xl list
show xl vcpu-list pvh1
show xl pause pvh1
show xl unpause pvh1
show xl shutdown -w pvh1
wait_gone pvh1
for round in 1 2; do
    xl create -q /run/pvh.cfg || give_up "round $round"
    sleep 1
    xl destroy pvh1
    wait_gone pvh1
    echo "PVH round $round done, free $(free_mem)"
done
echo "PVH domains left $(xl list | tail -n +2 | wc -l)"
echo "PVH free after $(free_mem)"
xl debug-keys p
xl dmesg | tail -n 60 | sed 's/^/DMESG /'
