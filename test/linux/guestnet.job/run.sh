#!/bin/sh
# SPDX-License-Identifier: MIT
# A stream from a guest to dom0, from dom0 to the guest, and between two guests: compared with what
# was sent, word by word; or, with seed 0, as fast as it goes.
TAG=NET
. ./sizes
. ./lib/guest.sh
GUEST_SECONDS=$((120 + 5 * mib))
dom0=192.168.77.1
guest1=192.168.77.11 # as start has it

ip link add xenbr0 type bridge
ip address add $dom0/24 dev xenbr0
ip link set xenbr0 up
say "free before $(free_mem)"
audit before
for name in net1 net2; do
    guest_config $name net 128 "type = \"$kind\"" "vcpus = $(nproc)" \
        "vif = [ 'bridge=xenbr0,script=/lib/wheeler/vif' ]"
    guest_create $name
    guest_says $name 'GUEST up' 180
    kind=pv
done

./stream listen 5001 $mib $seed1 >/run/listen &
listener=$!
guest net1 "stream send $dom0 5001 $mib $seed1"
wait $listener || fail "in dom0: $(cat /run/listen)"
say "guest to dom0 ok: $answer, $(cat /run/listen)"

guest_begin net1 "stream listen 5002 $mib $seed2"
timeout $GUEST_SECONDS ./stream send $guest1 5002 $mib $seed2 >/run/send || fail "to the guest"
guest_end net1
say "dom0 to guest ok: $(cat /run/send), $answer"

guest_begin net1 "stream listen 5003 $mib $seed3"
guest net2 "stream send $guest1 5003 $mib $seed3"
sent=$answer
guest_end net1
say "guest to guest ok: $sent, $answer"

guest_destroy net1
guest_destroy net2
say "free after $(free_mem)"
audit after
say end
