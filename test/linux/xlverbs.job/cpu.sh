# SPDX-License-Identifier: MIT
# Virtual CPUs, affinity, shares, reservations.
guest_config pv1 'vcpus = 2' 'maxvcpus = 4'
want "create -p" '' xl create -q -p /run/pv1.cfg
guest_up pv1
online() { # LIST: of the guest's CPUs, some time, if its user space takes each that is offered
    guest "n=0; until [ \$(cat /sys/devices/system/cpu/online) = $1 ] || [ \$n = 100 ]; do" \
        "for c in /sys/devices/system/cpu/cpu*/online; do" \
        "[ \$(cat \$c) = 1 ] || echo 1 >\$c; done;" \
        "n=\$((n + 1)); sleep 0.1; done 2>/dev/null; cat /sys/devices/system/cpu/online"
    same "the guest has CPUs $1" "$answer" "$1"
}
online 0-1
refused "vcpu-set: more than the host" 'overcommmitting! You have 2 physical' xl vcpu-set pv1 4
want "vcpu-set -i" '' xl vcpu-set -i pv1 4
online 0-3
want "vcpu-list: four" '^pv1 +[0-9]+ +3 +[0-9-]+ +[-r][-b]- ' xl vcpu-list pv1
want "vcpu-set: one" '' xl vcpu-set pv1 1
online 0
want "vcpu-list: one" '^pv1 +[0-9]+ +1 +- +--p ' xl vcpu-list pv1
want "list: one" '^pv1 +[0-9]+ +128 +1	?' xl list pv1
refused "vcpu-set: none" 'Requested 0 VCPUs' xl vcpu-set pv1 0
want "vcpu-set: two" '' xl vcpu-set pv1 2
online 0-1

want "vcpu-pin: hard" '' xl vcpu-pin pv1 0 1
want "vcpu-pin: soft" '' xl vcpu-pin pv1 1 - 0
want "vcpu-pin: both" '' xl vcpu-pin pv1 2 0-1 1
for line in '0 .* 1 / all' '1 .* all / 0' '2 .* all / 1' '3 .* all / all'; do
    want "vcpu-list: $line" "^pv1 +[0-9]+ +$line$" xl vcpu-list pv1
done
guest 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done'
want "vcpu-list: where it ran" '^pv1 +[0-9]+ +0 +1 ' xl vcpu-list pv1
want "vcpu-pin: all, but" '' xl vcpu-pin pv1 all 0-1,^1
want "vcpu-list: all" '^pv1 +[0-9]+ +3 .* 0 / ' xl vcpu-list pv1
want "vcpu-pin -f" '' xl vcpu-pin -f pv1 0 1
want "vcpu-list: forced" '^pv1 +[0-9]+ +0 .* 1 / ' xl vcpu-list pv1
refused "vcpu-pin: no such CPU" 'Setting vcpu affinity: Invalid argument' xl vcpu-pin pv1 0 7
refused "vcpu-pin: no such vCPU" 'Setting vcpu affinity: Invalid argument' xl vcpu-pin pv1 9 1
want "vcpu-pin: back" '' xl vcpu-pin pv1 all all all
want "vcpu-list: back" '^pv1 +[0-9]+ +0 .* all / all' xl vcpu-list pv1

want "sched-credit2" '^pv1 +[0-9]+ +256 +0$' xl sched-credit2
want "sched-credit2 -w -c" '' xl sched-credit2 -d pv1 -w 300 -c 25
want "sched-credit2 -d" '^pv1 +[0-9]+ +300 +25$' xl sched-credit2 -d pv1
xl list -l pv1 >/run/said
same "list -l: weight and cap" "$(grep -c '"weight": 300\|"cap": 25' /run/said)" 2
# The cap: a vCPU that spins gets a quarter of a processor.
guest 'while :; do :; done >/dev/null 2>&1 & echo $!'
spinner=$answer
percent=$(xentop -b -i 2 -d 8 | awk '$1 == "pv1" {p = $4} END {print int(p)}')
same "cap of 25: $percent %" "$((percent >= 22 && percent <= 27))" 1
guest "kill $spinner"
want "sched-credit2: no cap" '' xl sched-credit2 -d pv1 -c 0
out='out of range'
refused "sched-credit2: weight" "weight $out.* from 1 to 65535" xl sched-credit2 -d pv1 -w 70000
refused "sched-credit2: weight 0" "weight $out" xl sched-credit2 -d pv1 -w 0
refused "sched-credit2: cap" "cap $out, valid range is from 0 to 400" xl sched-credit2 -d pv1 -c 500
want "sched-credit2: unchanged" '^pv1 +[0-9]+ +300 +0$' xl sched-credit2 -d pv1
want "sched-credit2 -s" '^Cpupool Pool-0: ratelimit=700us' xl sched-credit2 -s -p Pool-0
want "sched-credit2 -s -r" '' xl sched-credit2 -s -p Pool-0 -r 2000
want "sched-credit2 -s: kept" 'ratelimit=2000us' xl sched-credit2 -s
refused "sched-credit2 -s -r" "Ratelimit $out" xl sched-credit2 -s -p Pool-0 -r 1000000000
refused "sched-credit2 -s -r" "Ratelimit $out" xl sched-credit2 -s -p Pool-0 -r 50

# The commands of other schedulers, in a pool of credit2. Debian's Xen has nothing of them there;
# here settings count in each pool, and only lists and the pool's own parameters differ by name.
run xl sched-credit && same "sched-credit: no such pool" "$(wc -c </run/said)" 0
refused "sched-credit -d" 'returned credit2 not credit' xl sched-credit -d pv1
run xl sched-rtds && same "sched-rtds: no such pool" "$(wc -c </run/said)" 0
refused "sched-rtds -d" 'returned credit2 not rtds' xl sched-rtds -d pv1
if [ -z "$xen" ]; then
    want "sched-credit -w" '' xl sched-credit -d pv1 -w 200
    want "sched-credit2: that weight" '^pv1 +[0-9]+ +200 +0$' xl sched-credit2 -d pv1
    refused "sched-credit -s" 'Invalid argument' xl sched-credit -s -t 10
    want "sched-rtds" '' xl sched-rtds -d pv1 -v all -p 10000 -b 4000 -e 1
    log_clear
    refused "sched-rtds: too much" 'resource busy' xl sched-rtds -d pv1 -v all -p 10000 -b 9900 -e 1
    want "sched-rtds: why" 'reserves 99\.0 %' xl dmesg
    want "sched-rtds: taken back" '' xl sched-rtds -d pv1 -v all -p 10000 -b 10 -e 1
fi
want "destroy" '' xl destroy pv1
wait_gone pv1
