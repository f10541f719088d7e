# SPDX-License-Identifier: MIT
# The tools beside xl: xenstore's, and the small ones that look into the hypervisor or a guest.
b=/usr/lib/xen-4.17/bin
guest_config pv1
want "create -p" '' xl create -q -p /run/pv1.cfg
guest_up pv1
id=$(xl domid pv1)

want "xenstore-ls" "^/local/domain/$id/name = \"pv1\"" xenstore-ls -f /local/domain/$id
want "xenstore-ls -p" "memory/target = \"131072\" +\(n0,r$id\)" xenstore-ls -fp /local/domain/$id
want "xenstore-list" "^$id$" xenstore-list /local/domain
want "xenstore-write" '' xenstore-write /test/a 1 /test/b 2
want "xenstore-read" '^2$' xenstore-read /test/a /test/b
want "xenstore-chmod" '' xenstore-chmod /test/a n0 r$id
want "xenstore-chmod: so it is" "^a = \"1\" .*\(n0,r$id\)" xenstore-ls -p /test
xenstore-watch -n 2 /test/w >/run/watch &
watcher=$!
until_says "xenstore-watch: waits" '^/test/w$' 10 cat /run/watch
xenstore-write /test/w/x 1
wait $watcher
want "xenstore-watch" '^/test/w/x$' cat /run/watch
want "xenstore-rm" '' xenstore-rm /test
run xenstore-exists /test/a && miss "xenstore-rm: /test/a is there" || pass "xenstore-exists"
want "xenstore-control check" '^OK$' xenstore-control check
want "xenstore-control quota" 'nodes +: +1000' xenstore-control quota
want "test-xenstore" 'ta rmw' $b/test-xenstore -i 2

want "lsevtchn" '^ *1: VCPU 0: Interdomain \(Connected\) - Remote Domain 0' $b/lsevtchn $id
want "xenctx" '^rip: ffffffff8' $b/xenctx $id
guest 'echo alive' && same "xenctx: the guest goes on" "$answer" alive
want "xen-diag" "domid=$id: nr_frames=1, max_nr_frames=[0-9]+" $b/xen-diag gnttab_query_size $id
$b/xen-mfndump dump-p2m $id >/run/p2m
same "xen-mfndump: pages" "$(grep -c 'pfn=.* ==> mfn=' /run/p2m)" 32768
frame=$(sed -n 's/.*pfn=0x1000 ==> mfn=\(0x[0-9a-f]*\).*/\1/p' /run/p2m)
# (It ends with 1 when it has found some.)
refused "xen-mfndump: tables" "$frame <-- \[0x" $b/xen-mfndump lookup-pte $id "$frame"
want "xen-detect" 'PV context on Xen V4.17' xen-detect
want "xen-cpuid" 'PV Max policy: [0-9]+ leaves|PV Default policy|Raw policy' xen-cpuid -p
want "xenpm get-cpu-topology" '^CPU1' $b/xenpm get-cpu-topology
want "test-cpu-policy" 'all ok' $b/test-cpu-policy
want "test-resource" 'Test grant table' $b/test-resource
want "xenwatchdogd" '' $b/xenwatchdogd 60
watchdog=$(pidof xenwatchdogd) && pass "xenwatchdogd: runs" && kill -USR1 $watchdog
refused "xen-hvmctx: no PVH guest" "can't get record length" $b/xen-hvmctx $id
refused "xen-hvmcrash: no PVH guest" 'is not HVM' $b/xen-hvmcrash $id

# What is refused here and says so; Debian's Xen has tracing and power management.
if [ -z "$xen" ]; then
    log_clear
    refused "xentrace" 'Operation not supported' $b/xentrace -T 1 /run/trace
    refused "xentrace_setsize" 'Operation not supported' $b/xentrace_setsize 1
    refused "xenperf" '38 \(Function not implemented' $b/xenperf
    refused "xenlockprof" '38 \(Function not implemented' $b/xenlockprof
    refused "xencov" 'Operation not supported' $b/xencov reset
    refused "xen-livepatch" 'Function not implemented' $b/xen-livepatch list
    refused "xen-hptool" '95: Operation not supported' $b/xen-hptool cpu-offline 1
    want "xenpm" 'failed to get cpufreq' $b/xenpm get-cpufreq-para
    want "xenpm: idle" 'cpuidle is disabled' $b/xenpm get-cpuidle-states
    refused "xen-vmtrace" 'Operation not supported' $b/xen-vmtrace $id 0
    refused "xen-mceinj" 'Function not implemented' $b/xen-mceinj -t 0
    refused "xenhypfs" 'Could not open' xenhypfs ls /
    xl dmesg >/run/log
    for line in 'sysctl 2 .*not offered' 'sysctl: 5 .*not offered' 'sysctl: 15 .*not offered' \
        'sysctl 20 .*not offered' 'sysctl: 27 .*not offered' 'sysctl 11 .*not offered' \
        'sysctl 10 .*refused' 'memory_op: acquire_resource: type 2' 'mca: 4' \
        'hypercall 42: there is none'; do
        want "reason: $line" "d0v[01] $line" cat /run/log
    done
fi
want "destroy" '' xl destroy pv1
wait_gone pv1
