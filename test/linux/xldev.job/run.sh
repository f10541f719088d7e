#!/bin/sh
# SPDX-License-Identifier: MIT
# A PV guest with a disk in a file of dom0 and a network interface on a bridge: what it reads and
# writes is compared here, devices come and go while it runs, and it is destroyed under load.
. ./sizes
bridge=192.168.77.1
vm=192.168.77.2

fail() {
    echo "DEV failed: $*"
    tail -n 20 /run/console | sed 's/^/CONSOLE /'
    tail -qn 5 /var/log/xen/xl-pv1.log /var/log/xen/xen-hotplug.log 2>/dev/null | sed 's/^/LOG /'
    xl debug-keys g
    xl list
    exit 1
}
same() { # WHAT GOT WANT
    [ -n "$2" ] && [ "$2" = "$3" ] || fail "$1: '$2' is not '$3'"
    echo "DEV $1 ok"
}
free_mem() { xl info | awk '/^free_memory/{print $3}'; }
sum() { sha256sum | cut -d' ' -f1; }
wait_for() { # PATTERN SECONDS: until the guest's console says it
    n=0
    until grep -q "$1" /run/console; do
        n=$((n + 1))
        [ $n -lt "$2" ] || fail "no '$1' in $2 s"
        sleep 1
    done
}
number=0
begin() { # COMMAND: the guest starts it; end waits for it
    number=$((number + 1))
    echo "$number $*" >&9
}
end() { # sets answer
    wait_for "GUEST $number rc=" 180
    answer=$(sed -n "s/\r//; s/^GUEST $number rc=//p" /run/console)
    case $answer in
    0*) answer=${answer#0 } ;;
    *) fail "in the guest: $answer" ;;
    esac
}
guest() {
    begin "$@"
    end
}
audit() { # WHEN: the frames' audit, and who uses grants
    xl dmesg -c >/dev/null
    xl debug-keys p
    xl debug-keys g
    xl dmesg | sed "s/^/DEV $1 /"
}

brctl addbr xenbr0
ip address add $bridge/24 dev xenbr0
ip link set xenbr0 up

mkdir -p /run/guest/bin /run/guest/mods
cp /bin/busybox /run/guest/bin/
cp guest-init /run/guest/init
chmod 755 /run/guest/init
for module in xen-blkfront xen-netfront; do
    modprobe -D $module | awk '/^insmod/{print $2}'
done | while read -r path; do
    cp "$path" /run/guest/mods/
    basename "$path" >>/run/guest/mods/order
done
(cd /run/guest && find . | busybox cpio -o -H newc | gzip -1) >/run/guest.gz 2>/dev/null
cp vmlinuz /run/vmlinuz
dd if=/dev/urandom of=/root/a.img bs=1M count=$((disk_mib + 8)) status=none
dd if=/dev/urandom of=/root/b.img bs=1M count=8 status=none
cat >/run/pv.cfg <<C
name = "pv1"
kernel = "/run/vmlinuz"
ramdisk = "/run/guest.gz"
extra = "console=hvc0 panic=1 loglevel=4"
memory = 256
vcpus = $vcpus
disk = [ "format=raw,vdev=xvda,access=rw,target=/root/a.img" ]
vif = [ "mac=00:16:3e:01:02:03,bridge=xenbr0" ]
on_crash = "preserve"
C
free_before=$(free_mem)
list_before=$(xl list | awk '{print $1, $2, $3, $4}')
audit before

: >/run/console
timeout 300 xl create -q -p /run/pv.cfg || fail "xl create"
exec 9<>"$(xenstore-read "/local/domain/$(xl domid pv1)/console/tty")"
cat <&9 >/run/console &
xl unpause pv1
wait_for 'GUEST up' 120
grep 'GUEST up' /run/console | sed 's/^/DEV /'

# The disk.
guest "dd if=/dev/xvda bs=1M count=$disk_mib 2>/dev/null | sha256sum | cut -d' ' -f1"
same "disk read" "$answer" "$(dd if=/root/a.img bs=1M count=$disk_mib status=none | sum)"
guest "dd if=/dev/urandom of=/tmp/w bs=1M count=8 2>/dev/null; dd if=/tmp/w of=/dev/xvda bs=1M" \
    "seek=$disk_mib conv=fsync 2>/dev/null; sha256sum </tmp/w | cut -d' ' -f1"
same "disk written" "$answer" "$(dd if=/root/a.img bs=1M skip=$disk_mib status=none | sum)"

# The network: both ways, maps and copies.
ping -c 5 -W 10 $vm >/run/ping || fail "ping: $(cat /run/ping)"
guest "ping -c 5 -W 10 $bridge >/dev/null"
ping -c 2 -s 8000 -W 10 $vm >/run/ping || fail "ping of 8000 bytes: $(cat /run/ping)"
echo "DEV ping ok"
timeout 300 nc -l -d 5001 >/run/received &
listener=$!
guest "dd if=/dev/urandom of=/tmp/s bs=1M count=$net_mib 2>/dev/null; nc $bridge 5001 </tmp/s;" \
    "sha256sum </tmp/s | cut -d' ' -f1; rm /tmp/s"
wait $listener
same "net from the guest" "$answer" "$(sum </run/received)"
dd if=/dev/urandom of=/run/sent bs=1M count=$net_mib status=none
begin "nc -l -p 5002 | sha256sum | cut -d' ' -f1"
n=0
until nc -N $vm 5002 </run/sent 2>/dev/null; do
    n=$((n + 1))
    [ $n -lt 50 ] || fail "the guest does not listen"
    sleep 0.2
done
end
same "net to the guest" "$answer" "$(sum </run/sent)"
rm /run/sent /run/received

# Devices come and go.
for round in 1 2; do
    timeout 60 xl block-attach pv1 "format=raw,vdev=xvdb,access=rw,target=/root/b.img" ||
        fail "block-attach"
    guest "n=0; until [ -b /dev/xvdb ] || [ \$n = 100 ]; do sleep 0.2; n=\$((n + 1)); done;" \
        "sha256sum </dev/xvdb | cut -d' ' -f1"
    same "disk attached" "$answer" "$(sum </root/b.img)"
    timeout 60 xl block-detach pv1 xvdb || fail "block-detach"
    guest "n=0; while [ -b /dev/xvdb ] && [ \$n != 100 ]; do sleep 0.2; n=\$((n + 1)); done;" \
        "[ ! -b /dev/xvdb ]"
    timeout 60 xl network-attach pv1 mac=00:16:3e:01:02:04 bridge=xenbr0 || fail "network-attach"
    guest "n=0; until [ -e /sys/class/net/eth1 ] || [ \$n = 100 ]; do sleep 0.2; n=\$((n + 1));" \
        "done; ip link set eth1 up; cat /sys/class/net/eth1/address"
    same "interface attached" "$answer" 00:16:3e:01:02:04
    timeout 60 xl network-detach pv1 1 || fail "network-detach"
    guest "n=0; while [ -e /sys/class/net/eth1 ] && [ \$n != 100 ]; do sleep 0.2;" \
        "n=\$((n + 1)); done; [ ! -e /sys/class/net/eth1 ]"
    [ "$(xl block-list pv1 | wc -l)" = 2 ] || fail "block-list: $(xl block-list pv1)"
    [ "$(xl network-list pv1 | wc -l)" = 2 ] || fail "network-list: $(xl network-list pv1)"
done
echo "DEV hotplug ok"

# The end, in the middle of everything.
nc -l -d 5003 >/dev/null &
guest "(while :; do dd if=/dev/xvda of=/dev/null bs=1M; done) >/dev/null 2>&1 &" \
    "(while :; do dd if=/dev/zero of=/dev/xvda bs=1M seek=$disk_mib count=4; done)" \
    ">/dev/null 2>&1 & (while :; do cat /dev/zero; done | nc $bridge 5003) >/dev/null 2>&1 &" \
    "sleep 3"
ping -f -w 20 -s 4000 $vm >/dev/null 2>&1 &
xl debug-keys g
timeout 120 xl destroy pv1 || fail "xl destroy"
n=0
while xl list pv1 >/dev/null 2>&1 || xl list | grep -q '(null)'; do
    n=$((n + 1))
    [ $n -lt 150 ] || fail "the domain does not go"
    sleep 0.2
done
same "xl list" "$(xl list | awk '{print $1, $2, $3, $4}')" "$list_before"
echo "DEV free before $free_before"
echo "DEV free after $(free_mem)"
audit after
echo "DEV end"
