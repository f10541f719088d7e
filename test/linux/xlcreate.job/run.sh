#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of a PV guest under the stock tools: created paused, run, looked at, saved and restored,
# shut down, created and destroyed again; its memory comes back, and so does its place in xenstore.
TAG=CREATE
. ./lib/guest.sh
. ./knobs
show() {
    echo "XL begin $*"
    timeout 120 "$@" 2>&1
    echo "XL rc=$? $*"
}
gone() { # NAME
    until_true 20 domain_gone "$1" || fail "$1 does not go"
}
console() { # NAME: unpaused when its console is read
    : >"/run/$1.out"
    xl console "$1" </dev/null >"/run/$1.out" 2>&1 &
    show xl unpause "$1"
}
watched() { # introduceDomain|releaseDomain: how often xenstore said so
    grep -c "$1" /run/watch
}

guest_config pv1 guest 160 "vcpus = $vcpus"
say "xenstore $(pidof oxenstored >/dev/null && echo oxenstored || echo xenstored)"
xenstore-watch @introduceDomain @releaseDomain >/run/watch &
say "free before $(free_mem)"
show xl create -q -p /run/pv1.cfg
xl domid pv1 >/dev/null 2>&1 || fail "no domain"
say "paused flags $(xl list | awk '$1 == "pv1"{print $5}')"
console pv1
guest_says pv1 'GUEST tick 2' 60
say "the guest ticks"
say "lines on its console $(tr -d '\r' </run/pv1.out | grep -cxE '[1-9][0-9]*')"
grep GUEST /run/pv1.out | head -n 3 | sed 's/^/CONSOLE /'
show xl list
show xl vcpu-list pv1
show xl vcpu-pin pv1 0 1
show xl sched-credit2 -d pv1 -w 300
show xl sched-credit2 -d pv1
show xl pause pv1
show xl unpause pv1
show xl rename pv1 pv2
show xl save pv2 /run/save
gone pv2
show xl restore -p /run/save
console pv2
guest_says pv2 'GUEST tick' 30
say "the restored guest ticks"
show xl shutdown -w pv2
gone pv2
for round in 1 2 3 4 5; do
    xl create -q -p /run/pv1.cfg || fail "round $round"
    xl destroy pv1
    gone pv1
done
show xl list
say "domains left $(xl list | tail -n +2 | wc -l), in xenstore" $(xenstore-list /local/domain)
say "introduced $(watched introduceDomain), released $(watched releaseDomain)"
say "free after $(free_mem)"
xl debug-keys p
xl dmesg | tail -n 40 | sed 's/^/DMESG /'
