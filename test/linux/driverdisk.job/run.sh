#!/bin/sh
# SPDX-License-Identifier: MIT
# A driver domain that passes a disk of dom0's on is killed while its client writes. What fsync said
# is on the disk is there; the client's other disk and the tools go on; made again, both domains
# have the disk as it was left. (Linux' blkfront waits for ever for a request whose back end died.)
TAG=DD
. ./lib/guest.sh
. ./start
config_client() { # DISK...
    guest_config c client 128 \
        "disk = [ 'format=raw,vdev=xvdb,access=rw,target=/run/own.img'$1 ]"
}
start_drv() {
    guest_create drv
    guest_says drv 'GUEST up' 120
}
start_client() {
    guest_create c
    guest_says c 'GUEST up' 120
    guest c 'disk xvda && disk xvdb'
}
disk=", 'format=raw,vdev=xvda,access=rw,backendtype=phy,backend=drv,target=/dev/xvdb'"

truncate -s 4M /run/srv.img
dd if=/dev/urandom of=/run/own.img bs=1M count=2 status=none
guest_config drv drv 192 'driver_domain = 1' \
    "disk = [ 'format=raw,vdev=xvdb,access=rw,target=/run/srv.img' ]"
config_client "$disk"
free_first=$(free_mem)
list_first=$(xl list | awk '{print $1, $2, $3, $4}')
audit before
start_drv
start_client
guest c 'write_on 1'
guest c 'acked_beyond 40'
guest_destroy drv
guest c 'cat /tmp/acked; [ ! -e /tmp/failed ] || echo error'
last=${answer%% *}
say "killed after block $last"
intact "$last" /run/srv.img || fail "what fsync said is on the disk is not"
say "in dom0 intact ok"
timeout 60 xl block-detach c xvda || fail "block-detach"
guest c 'sha256sum </dev/xvdb | cut -d" " -f1'
same "the client's other disk" "$answer" "$(sum </run/own.img)"
guest_destroy c

start_drv
start_client
guest c "intact $last /dev/xvda"
say "in the client intact ok"
guest c "write_on $((last + 1))"
guest c "acked_beyond $((last + 20))"
say "written on ok"
guest_destroy c
guest_destroy drv
same "xl list" "$(xl list | awk '{print $1, $2, $3, $4}')" "$list_first"
say "free before $free_first"
say "free after $(free_mem)"
audit after
say "end"
