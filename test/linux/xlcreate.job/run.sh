#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of a PV guest under the stock tools: created paused, run, looked at, saved and restored,
# shut down, created and destroyed again; its memory comes back.
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
    echo "CREATE $1"
    xl list
    xl debug-keys q
    xl dmesg | tail -n 60 | sed 's/^/DMESG /'
    exit 1
}

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
cat >/run/pv.cfg <<C
name = "pv1"
kernel = "/run/vmlinuz"
ramdisk = "/run/guest.gz"
extra = "console=hvc0 panic=1 quiet"
memory = 160
vcpus = $(cat vcpus)
on_crash = "preserve"
C

echo "CREATE free before $(free_mem)"
show xl create -q -p /run/pv.cfg
xl domid pv1 >/dev/null 2>&1 || give_up "no domain"
echo "CREATE paused flags $(xl list | awk '$1 == "pv1"{print $5}')"
xl console pv1 </dev/null >/run/console 2>&1 &
show xl unpause pv1
wait_for 'GUEST tick 2' 60 || give_up "no tick"
echo "CREATE the guest ticks"
echo "CREATE lines on its console $(tr -d '\r' </run/console | grep -cxE '[1-9][0-9]*')"
grep GUEST /run/console | head -n 3 | sed 's/^/CONSOLE /'
show xl list
show xl vcpu-list pv1
show xl vcpu-pin pv1 0 1
show xl sched-credit2 -d pv1 -w 300
show xl sched-credit2 -d pv1
show xl pause pv1
show xl unpause pv1
show xl rename pv1 pv2
show xl save pv2 /run/save
wait_gone pv2
: >/run/console
show xl restore -p /run/save
xl console pv2 </dev/null >/run/console 2>&1 &
show xl unpause pv2
wait_for 'GUEST tick' 30 && echo "CREATE the restored guest ticks"
show xl shutdown -w pv2
wait_gone pv2
for round in 1 2 3 4 5; do
    xl create -q -p /run/pv.cfg || give_up "round $round"
    xl destroy pv1
    wait_gone pv1
done
show xl list
echo "CREATE domains left $(xl list | tail -n +2 | wc -l)"
echo "CREATE free after $(free_mem)"
xl debug-keys p
xl dmesg | tail -n 40 >/run/dmesg-xl
sed 's/^/DMESG /' /run/dmesg-xl
