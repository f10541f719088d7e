# SPDX-License-Identifier: MIT
# Sourced: the disk, network, processors and memory of a guest with Debian's kernel as it comes.
disk=/root/pvh.img
dom0=192.168.77.1
pvh1=192.168.77.11
piece() { # OFFSET: the sum of 16 MiB of the disk from there on, as a command
    echo "dd if=$1 bs=1M skip=$2 count=16 2>/dev/null | sha256sum | cut -d' ' -f1"
}
dd if=/dev/urandom of=$disk bs=1M count=16 2>/dev/null
truncate -s 48M $disk
ip link add xenbr0 type bridge
ip address add $dom0/24 dev xenbr0
ip link set xenbr0 up
pvh 192 2 "kernel = \"$PWD/vmlinuz\"" 'maxvcpus = 4' \
    "vif = [ 'bridge=xenbr0,script=/lib/wheeler/vif' ]" \
    "disk = [ 'format=raw,access=rw,script=/lib/wheeler/block,vdev=xvda,target=$disk' ]"

guest pvh "disk xvda; $(piece /dev/xvda 0)"
same "what it reads" "$answer" "$(eval "$(piece $disk 0)")"
guest pvh 'dd if=/dev/urandom of=/tmp/f bs=1M count=16 2>/dev/null;' \
    'dd if=/tmp/f of=/dev/xvda bs=64k seek=256 conv=fsync 2>/dev/null;' \
    "sha256sum </tmp/f | cut -d' ' -f1"
wrote=$answer
guest pvh "rm /tmp/f; echo 3 >/proc/sys/vm/drop_caches; $(piece /dev/xvda 16)"
same "what it reads of what it wrote" "$answer" "$wrote"

guest pvh "interface eth0; ip address add $pvh1/24 dev eth0; ip link set eth0 up"
./stream listen 5001 16 77 >/run/listen &
listener=$!
guest pvh "stream send $dom0 5001 16 77"
wait $listener || fail "in dom0: $(cat /run/listen)"
guest_begin pvh "stream listen 5002 16 78"
timeout 200 ./stream send $pvh1 5002 16 78 >/run/send || fail "to the guest"
guest_end pvh
say "network ok"

online() { # LIST: of the guest's CPUs, some time, if its user space takes each that is offered
    guest pvh "n=0; until [ \$(cat /sys/devices/system/cpu/online) = $1 ] || [ \$n = 100 ]; do" \
        "for c in /sys/devices/system/cpu/cpu*/online; do" \
        "[ \$(cat \$c) = 1 ] || echo 1 >\$c; done;" \
        "n=\$((n + 1)); sleep 0.1; done 2>/dev/null; cat /sys/devices/system/cpu/online"
    same "the guest has CPUs $1" "$answer" "$1"
}
vcpu_set() { timeout 60 xl vcpu-set "$@" >/run/said 2>&1 || fail "vcpu-set: $(cat /run/said)"; }
vcpu_set -i pvh 4
online 0-3
work 4
vcpu_set pvh 1
online 0
work 1
vcpu_set pvh 2
online 0-1
xl vcpu-pin pvh 0 1 && xl vcpu-pin pvh 1 1 || fail "xl vcpu-pin"
work 2
xl vcpu-list pvh >/run/said
same "both on CPU 1" "$(grep -Ec '^pvh +[0-9]+ +[01] +1 .* 1 / all$' /run/said)" 2
xl vcpu-pin pvh all all || fail "xl vcpu-pin"
say "vcpu-set ok"

total() { # KiB that the guest has
    guest pvh "awk '/^MemTotal/{print \$2}' /proc/meminfo"
}
total
full=$answer
free=$(free_mem)
xl mem-set pvh 128 || fail "xl mem-set"
until_true 60 state '128 ' || fail "no smaller: $(xl list pvh)"
total
same "smaller inside by 64 MiB" "$((full - answer))" 65536
same "64 MiB more are free" "$((($(free_mem) - free + 2) / 4))" 16
xl mem-set pvh 192 || fail "xl mem-set"
until_true 60 state '192 ' || fail "no larger: $(xl list pvh)"
guest pvh 'dd if=/dev/zero bs=1M count=80 of=/tmp/f 2>/dev/null; tr -d "\0" </tmp/f | wc -c;' \
    'rm /tmp/f'
same "the memory is of use again" "$answer" 0
total
same "as large inside" "$answer" "$full"
say "mem-set ok"

guest_destroy pvh
same "what it wrote, outside" "$(eval "$(piece $disk 16)")" "$wrote"
say "disk ok"
